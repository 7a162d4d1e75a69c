#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh - runs every fuzzer for $FUZZ_SECONDS: fuzz.sh BUILD-FOLDER
#
# What libFuzzer finds worth keeping grows in BUILD-FOLDER/corpus; it starts
# from tests/fuzz/corpus.  An input that breaks something is left in
# BUILD-FOLDER/found.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
seconds=${FUZZ_SECONDS:-30}
passed=0
failed=0
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    name=${program##*/fuzz_}
    seeds=$source/tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=
    mkdir -p "$build/corpus/$name" "$build/found"
    echo "fuzz: $name for $seconds seconds"
    if "$program" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" \
        "$build/corpus/$name" ${seeds:+"$seeds"} >"$build/$name.log" 2>&1; then
        passed=$((passed + 1))
        grep -E 'number_of_executed_units|peak_rss' "$build/$name.log"
    else
        failed=$((failed + 1))
        tail -n 40 "$build/$name.log"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
