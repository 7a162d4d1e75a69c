#!/bin/sh
# SPDX-License-Identifier: MIT
# The concatenation identity, by its bits and at every level.
set -eu

for level in c ''; do
    ELMAN_ISA=$level "$1" >"$WORK/out$level"
    cat "$WORK/out$level"
    grep -qx 'outputs whose bits differ: 0 of 12' "$WORK/out$level"
    grep -qx 'from one chain .*, written out: 0' "$WORK/out$level"
    # Where two rounded products were added, there would be something to see.
    grep -qx 'from two products, .*: [1-9][0-9]*' "$WORK/out$level"
done
cmp "$WORK/outc" "$WORK/out"
# Both matrices stand there, and are the same.
sed -n 2,4p "$WORK/out" >"$WORK/two"
sed -n 6,8p "$WORK/out" >"$WORK/one"
[ "$(wc -w <"$WORK/two")" -eq 12 ]
cmp "$WORK/two" "$WORK/one"
