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
function compute(R) { return (fixed + row * B / R) / cores }

function exchange(R,    messages) {
    messages = 2 * ceiling(4 * P / 2 ^ 26) * (R - 1) + 2 * log2(R)
    return R == 1 ? 0 : bytes(R) / bandwidth / 1e6 + messages * latency / 1e3
}

function adding(R) { return 12 * P * (R - 1) / R / memory / 1e6 }

function update(R) { return compute(R) + exchange(R) + adding(R) }

function table(title, most,    R) {
    printf "\n%s\n\n", title
    print "| nodes | rows of each | MB sent by each | computing, ms | " \
          "exchange, ms | update, ms | rows a second | efficiency |"
    print "|---|---|---|---|---|---|---|---|"
    for (R = 1; R <= most; R *= 2) {
        if (weak)
            B = weak * R
        if (R == 1)
            alone = B / update(1)
        printf "| %d | %g | %.1f | %.2f | %.2f | %.2f | %d | %.0f %% |\n", R,
            B / R, bytes(R) / 1e6, compute(R), exchange(R) + adding(R),
            update(R), 1e3 * B / update(R), 100 * B / update(R) / R / alone
    }
}

function network(name) {
    if (name == "10GbE") {
        latency = 30
        bandwidth = 1.1
        return "10 Gb/s Ethernet (30 us, 1.1 GB/s)"
    }
    latency = 2
    bandwidth = 11
    return "100 Gb/s InfiniBand (2 us, 11 GB/s)"
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
    here = here_w
    return "words, LSTM 512, 5.1 million parameters"
}

function check(name, measured,    title) {
    title = workload(name)
    B = 32
    cores = 1
    printf "| %s | %.1f | %.1f | %.1f | %.1f |\n", title, compute(2), here,
        compute(2) + here, measured
}

BEGIN {
    # Milliseconds of a row of 35 steps, and of what does not depend on rows,
    # by one thread where two are busy; of the exchange between two ranks here;
    # and of an update of two ranks.
    if (!row_c) row_c = ROW_C
    if (!fixed_c) fixed_c = FIXED_C
    if (!here_c) here_c = HERE_C
    if (!ranks_c) ranks_c = RANKS_C
    if (!row_w) row_w = ROW_W
    if (!fixed_w) fixed_w = FIXED_W
    if (!here_w) here_w = HERE_W
    if (!ranks_w) ranks_w = RANKS_W
    if (!memory) memory = 8

    print "| workload | computing, ms | exchange, ms | update on paper, ms |" \
          " measured, ms |"
    print "|---|---|---|---|---|"
    check("characters", ranks_c)
    check("words", ranks_w)

    cores = 16
    n = split("10GbE InfiniBand", networks, " ")
    m = split("characters words", workloads, " ")
    for (w = 1; w <= m; w++)
        for (i = 1; i <= n; i++) {
            weak = 64
            table(workload(workloads[w]) ", 64 rows on each node, " \
                  network(networks[i]) ":", 1024)
        }
    weak = 0
    for (i = 1; i <= n; i++) {
        B = 1024
        table(workload("words") ", 1,024 rows in all, " \
              network(networks[i]) ":", 1024)
    }
}
