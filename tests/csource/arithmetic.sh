#!/bin/sh
# SPDX-License-Identifier: MIT
# arithmetic.sh - where there is no instruction for fmaf, doubles give its bits:
# those of results near the middle of two floats, and of denormal ones.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
network m.safetensors G=1 --activation relu
expect 0 "$ELMAN" convert m.safetensors model.c --quiet
sed -n '/^\/\* ---- Arithmetic/,/^\/\* ---- Products/p' model.c |
    sed '$d; s/defined(__FMA__)/0/; s/defined(__FP_FAST_FMAF)/0/;
        s/defined(__aarch64__)/0/' >arithmetic.c
grep -q 'The product is exact' arithmetic.c || fail 'no arithmetic is there'
expect 0 "$CC" -std=c99 -O2 -I. "$support/fused.c" -o fused -lm
expect 0 ./fused

# It would be seen if the odd neighbour were not taken.
sed -i 's/if ((error < 0 || error > 0)/if ((error < 0 \&\& error > 0)/' \
    arithmetic.c
expect 0 "$CC" -std=c99 -O2 -I. "$support/fused.c" -o fused -lm
expect 1 ./fused
# Or only where it is about the ordinary ones.
sed -i 's/if ((error < 0 && error > 0)/if ((error < 0 || error > 0)/;
    s/>= 897/>= 0/' arithmetic.c
expect 0 "$CC" -std=c99 -O2 -I. "$support/fused.c" -o fused -lm
expect 1 ./fused
exit 0
