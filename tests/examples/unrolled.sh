#!/bin/sh
# SPDX-License-Identifier: MIT
# The unrolled network: numbers that were worked out with another program, and
# gradients that finite differences confirm.
set -eu

"$1" >"$WORK/out"
cat "$WORK/out"
grep -q '^L = L_1 + L_2 + L_3 = 4\.031779, perplexity 3\.8341$' "$WORK/out"
grep -q 'dL/db = .* 1\.23222 -0\.32015$' "$WORK/out"
grep -q '^from central differences, all 23 numbers: at most [0-9]e-1[0-9]$' \
    "$WORK/out"
