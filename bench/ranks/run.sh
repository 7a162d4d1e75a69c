#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - two ranks of one thread against one process of two, here:
#
#     sh bench/ranks/run.sh BUILD TEXT [ROUNDS [UPDATES [WORKLOAD]]]
#
# BUILD is the folder of the build, TEXT a book.  All ways are run in turn,
# ROUNDS times; a line has the median of the milliseconds that an update took,
# over all rounds, their first updates left out.
#
#   one      one process, one thread
#   threads  one process, two threads
#   ranks    two ranks, one thread each
#   half     two processes at once that know nothing of each other, one thread
#            and half the batch each, the slower of the two at each update: what
#            ranks compute, nothing exchanged
#   quarter  likewise with a quarter of the batch each: from the two follows
#            what a row takes, and what does not depend on rows
#
# A last line has what exchange.c measures of as many bytes as the gradient.
set -eu

build=$(cd "$1" && pwd)
text=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
rounds=${3:-5}
updates=${4:-12}
only=${5:-}
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM

# train MODEL OPTION...
train() {
    model=$1
    shift
    # shellcheck disable=SC2086
    "$build/elman" train "$text" -o "$model" --quiet --normalize letters \
        --updates "$updates" --log "$model.log" $recipe "$@"
}

# update_times LOG: the milliseconds of its updates.
update_times() {
    sed -n '4,$s/.*"tokens": \([0-9]*\).*"tokens_per_second": \([0-9.e+]*\).*/\1 \2/p' \
        "$1" | awk '{ if (NR > 1) print 1e3 * ($1 - last) / $2; last = $1 }'
}

# apart WAY: two processes at once.
apart() {
    train a --threads 1 &
    train b --threads 1
    wait
    update_times a.log >a.times
    update_times b.log | paste -d ' ' a.times - |
        awk -v w="$1" '{ print w, ($1 > $2 ? $1 : $2) }' >>taken
}

# measure NAME BATCH OPTION...
measure() {
    name=$1
    batch=$2
    shift 2
    [ "${only:-$name}" = "$name" ] || return 0
    : >taken
    round=0
    while [ $round -lt "$rounds" ]; do
        recipe="$* --batch $batch --shards 2"
        train one --threads 1
        update_times one.log | sed 's/^/one /' >>taken
        train two --threads 2
        update_times two.log | sed 's/^/threads /' >>taken
        # shellcheck disable=SC2086
        mpirun --oversubscribe --bind-to core -n 2 "$build/elman" train \
            "$text" -o ranks --quiet --normalize letters --updates "$updates" \
            --log ranks.log --threads 1 $recipe
        update_times ranks.log | sed 's/^/ranks /' >>taken
        cmp two ranks
        recipe="$* --batch $((batch / 2))"
        apart half
        recipe="$* --batch $((batch / 4))"
        apart quarter
        round=$((round + 1))
    done
    parameters=$("$build/elman" info --json two |
        sed 's/.*"parameters": \([0-9]*\).*/\1/')
    echo "$name: $* --batch $batch: $parameters parameters"
    for way in one threads ranks half quarter; do
        awk -v w=$way '$1 == w { print $2 }' taken | sort -n | awk -v w=$way '
            { x[NR] = $1 }
            END { printf "  %-8s %9.2f ms\n", w, x[int((NR + 1) / 2)] }'
    done
    mpirun --oversubscribe --bind-to core -n 2 ./exchange \
        "$build/libelman-mpi.so" $((4 * parameters)) 21 | sed 's/^/  /'
}

cc -std=c11 -O2 -D_POSIX_C_SOURCE=200809L -I "$source/include" -o exchange \
    "$source/bench/ranks/exchange.c" -ldl
measure characters 32 --cell lstm --hidden 512
measure words 32 --level word --cell lstm --hidden 512 --embed 256
