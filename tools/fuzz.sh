#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh - runs every fuzzer for $FUZZ_SECONDS, $JOBS of them at a time (one on
# each core): fuzz.sh BUILD-FOLDER
#
# Each begins with its own seeds and with what earlier runs came upon,
# tests/fuzz/corpus/NAME.tar.gz (each of its inputs reaches something that no
# other one does: libFuzzer's -merge=1); what libFuzzer finds worth keeping grows
# in BUILD-FOLDER/corpus.  An input that breaks something is left in
# BUILD-FOLDER/found.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
seconds=${FUZZ_SECONDS:-30}
jobs=${JOBS:-$(nproc)}
# Reports name one caller of a block, and a freed block stays away for some
# inputs: with more of both the allocator is most of the time.  libzip looks for
# the time zone with every archive.
ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=2:${ASAN_OPTIONS:-}
TZ=UTC0
export ASAN_OPTIONS TZ

# fuzz NAME: its last lines are in BUILD-FOLDER/NAME.log.
fuzz() {
    program=$build/tests/fuzz/fuzz_$1
    mkdir -p "$build/corpus/$1" "$build/found"
    if [ -f "$source/tests/fuzz/corpus/$1.tar.gz" ]; then
        tar -xzf "$source/tests/fuzz/corpus/$1.tar.gz" -C "$build/corpus"
    fi
    "$program" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$build/found/$1-" "$build/corpus/$1"
}

passed=0
failed=0
running=
# What runs ends, is counted, and makes room.
finish() {
    for one in $running; do
        name=${one%=*}
        if wait "${one#*=}"; then
            passed=$((passed + 1))
            grep -E 'number_of_executed_units|peak_rss' "$build/$name.log" |
                sed "s/^stat::/$name: /"
        else
            failed=$((failed + 1))
            echo "$name: FAILED"
            tail -n 40 "$build/$name.log"
        fi
    done
    running=
}

count=0
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    name=${program##*/fuzz_}
    echo "$name: for $seconds seconds"
    fuzz "$name" >"$build/$name.log" 2>&1 &
    running="$running $name=$!"
    count=$((count + 1))
    if [ $((count % jobs)) -eq 0 ]; then
        finish
    fi
done
finish
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
