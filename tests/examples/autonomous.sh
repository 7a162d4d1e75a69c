#!/bin/sh
# SPDX-License-Identifier: MIT
# A system without input goes round, and cutting it changes nothing.
set -eu

"$1" >"$WORK/out"
cat "$WORK/out"
grep -qx 'the same bits at once, in pieces of 7, and one step a call' \
    "$WORK/out"
[ "$(grep -c '^ *[0-9][0-9]* ' "$WORK/out")" -eq 37 ]
# From a small state it grows: the last ten of the first unit reach far, to
# both sides.
tail -n 11 "$WORK/out" | awk '$2 > 0.7 { up = 1 } $2 < -0.7 { down = 1 }
    END { exit !(up && down) }'
awk 'NR == 1 { exit !($2 * $2 + $3 * $3 < 0.25) }' "$WORK/out"
