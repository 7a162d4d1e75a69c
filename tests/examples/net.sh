#!/bin/sh
# SPDX-License-Identifier: MIT
# The chapter's net(X, H): its shapes, and no more than rounding from plain
# loops.
set -eu

"$1" >"$WORK/out"
cat "$WORK/out"
grep -qx 'H, shape (3, 2)' "$WORK/out"
grep -qx 'O, shape (3, 3)' "$WORK/out"
grep -q '^3 calls, .*: at most [0-9]e-0[6-9] from plain loops' "$WORK/out"
# relu holds down some numbers and lets others through.
grep -q ' 0\.0000' "$WORK/out"
grep -q ' [1-9]\.' "$WORK/out"
if grep -q -e ' -[0-9]' "$WORK/out"; then
    echo 'FAILED: relu gave a negative number'
    exit 1
fi
