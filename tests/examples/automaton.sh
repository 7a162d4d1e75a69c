#!/bin/sh
# SPDX-License-Identifier: MIT
# Automata as networks: exact for a hundred thousand steps, and, written to files, for
# whoever runs them.
set -eu

"$1" "$WORK" >"$WORK/out"
cat "$WORK/out"
grep -q '^  7 states, 2 symbols: 14 units' "$WORK/out"
grep -qx '  all sequences of 6 symbols: 4096 of 4096 as it should be' "$WORK/out"
[ "$(grep -cx '  a random one: 100000 of 100000 steps' "$WORK/out")" -eq 3 ]
grep -qx '1895 + 802701 = 804596' "$WORK/out"
grep -qx '12345678901234567 + 8765432109876543210 = 8777777788777777777' \
    "$WORK/out"

[ -x "${ELMAN:-}" ] || exit 0
# 1 1 0 1 0: odd, even, even, odd, odd.
printf '0,1\n0,1\n1,0\n0,1\n1,0\n' >"$WORK/bits.csv"
"$ELMAN" run "$WORK/parity.safetensors" "$WORK/bits.csv" "$WORK/y.csv"
[ "$(tr '\n' ' ' <"$WORK/y.csv")" = '1 0 0 1 1 ' ]
# 11010 is 26, and its beginnings are 1, 3, 6, 13 and 26.
"$ELMAN" run "$WORK/remainder.safetensors" "$WORK/bits.csv" "$WORK/y.csv"
[ "$(tr '\n' ' ' <"$WORK/y.csv")" = '1 3 6 6 5 ' ]
