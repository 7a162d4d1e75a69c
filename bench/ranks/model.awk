# SPDX-License-Identifier: MIT
# model.awk - on paper: what an update takes on many machines.
#
#     awk -f bench/ranks/model.awk
#
# prints the tables of docs/many-machines.md.  The figures at its beginning are
# those that bench/ranks/run.sh measured on one machine of two cores; -v NAME=X
# gives others.
#
# R ranks, P parameters, B rows of the batch.  A rank
#   computes        fixed + B/R row      on a node as fast as `cores` such cores
#   updates         P parameters, 32 bytes of memory each (Adam), as all ranks do
#   sends, receives 2 * 4P (R-1)/R       bytes: slices, and their sums
#   in              2 n (R-1)            messages, n = 4P / 64 MiB, rounded up
#   and             2 log2 R             messages of some bytes: the words
#   adds            P (R-1)/R            numbers, 12 bytes of memory each
# one after the other: nothing is overlapped.

function ceiling(x) { return x == int(x) ? x : int(x) + 1 }

function log2(x) { return log(x) / log(2) }

function bytes(R) { return 8 * P * (R - 1) / R }

# Milliseconds; latency in microseconds, bandwidth and memory in 10^9 bytes a
# second.
function compute(R) {
    return (fixed - pass + row * B / R) / cores + 32 * P / memory / 1e6
}

function exchange(R,    messages) {
    messages = 2 * ceiling(4 * P / 2 ^ 26) * (R - 1) + 2 * log2(R)
    return R == 1 ? 0 : bytes(R) / bandwidth / 1e6 + messages * latency / 1e3
}

function adding(R) { return 12 * P * (R - 1) / R / memory / 1e6 }

function update(R) { return compute(R) + exchange(R) + adding(R) }

# What could be hidden behind the layers' way back, some 0.4 of computing, if the
# output layer's gradient, which is there before it, were sent at once.
function hidden(R,    most, way) {
    most = 0.4 * compute(R)
    way = output * bytes(R) / 2 / bandwidth / 1e6
    return way < most ? way : most
}

function cell(R) {
    return sprintf(" %.1f | %.1f | %.0f %% | %.1f |", exchange(R) + adding(R),
        update(R), 100 * rows_a_second(R) / R / alone, update(R) - hidden(R))
}

function rows_a_second(R) { return B / update(R) }

function ethernet() {
    latency = 30
    bandwidth = 1.1
}

function infiniband() {
    latency = 2
    bandwidth = 11
}

# Of `each` rows on every node or, if that is 0, of `all`.
function table(each, all,    i, n, R, nodes) {
    n = split("1 2 4 8 16 64 256 1024", nodes, " ")
    printf "\n| nodes | rows | MB | computing | Ethernet: exchange | update | " \
          "efficiency | hidden | InfiniBand: exchange | update | efficiency | " \
          "hidden |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    for (i = 1; i <= n; i++) {
        R = nodes[i] + 0
        B = each ? each * R : all
        if (R == 1)
            alone = rows_a_second(1)
        printf "| %d | %g | %.1f | %.1f |", R, B / R, bytes(R) / 1e6, compute(R)
        ethernet()
        printf "%s", cell(R)
        infiniband()
        printf "%s\n", cell(R)
    }
}

# workload(NAME): what was measured of it.
function workload(name) {
    if (name == "characters") {
        P = 1124380
        row = row_c
        fixed = fixed_c
        here = here_c
        return "characters, LSTM 512, 1.1 million parameters"
    }
    P = 5098980
    row = row_w
    fixed = fixed_w
    pass = pass_w
    here = here_w
    return "words, LSTM 512, 5.1 million parameters"
}

function check(name, measured,    title) {
    title = workload(name)
    printf "| %s | %.1f | %.1f | %.1f | %.1f |\n", title,
        fixed + 16 * row, here, fixed + 16 * row + here, measured
}

BEGIN {
    # Milliseconds of a row of 35 steps, and of what does not depend on rows,
    # by one thread where two are busy; of the optimizer's pass, a part of the
    # latter; of the exchange between two ranks here; and of an update of two
    # ranks.
    if (!row_c) row_c = 1.05
    if (!fixed_c) fixed_c = 2.98
    if (!here_c) here_c = 1.01
    if (!ranks_c) ranks_c = 20.71
    if (!row_w) row_w = 3.60
    if (!fixed_w) fixed_w = 12.22
    if (!pass_w) pass_w = 5.40
    if (!here_w) here_w = 5.34
    if (!ranks_w) ranks_w = 76.31

    print "| workload | computing, ms | exchange, ms | update on paper, ms |" \
          " measured, ms |"
    print "|---|---|---|---|---|"
    check("characters", ranks_c)
    check("words", ranks_w)

    # A node, and the output layer's part of the words' parameters.
    if (!cores) cores = 16
    if (!memory) memory = 100
    output = 4580 * 513 / P
    table(64, 0)
    table(512, 0)
    table(0, 1024)
}
