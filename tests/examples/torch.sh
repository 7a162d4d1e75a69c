#!/bin/sh
# SPDX-License-Identifier: MIT
# The calls of torch.nn.RNN's page: names, shapes, and the formula's numbers.
set -eu

"$1" >"$WORK/out"
cat "$WORK/out"
grep -qx 'RNN(20, 50, 1): x (3, 32, 20), h0 (1, 32, 50)' "$WORK/out"
grep -qx 'RNN(20, 50, 2): x (3, 32, 20), h0 (2, 32, 50)' "$WORK/out"
grep -qx '  weight_ih_l1   (50, 50)' "$WORK/out"
[ "$(grep -c '^  weight_\|^  bias_' "$WORK/out")" -eq 12 ]
[ "$(grep -c 'at most [0-9]e-0[78] from the formula' "$WORK/out")" -eq 2 ]
