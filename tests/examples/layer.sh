#!/bin/sh
# SPDX-License-Identifier: MIT
# A layer of one's own learns how a noisy sine goes on.
set -eu

"$1" >"$WORK/out"
cat "$WORK/out"
awk '$1 == "0" { first = $2 } $1 == "900" { last = $2 }
    END { exit !(last > 0 && last < first / 4) }' "$WORK/out"
# No better than the noise, much better than saying that nothing changes.
sed -n 's/^on a new measurement \([0-9.]*\);.* changes \([0-9.]*\);.*/\1 \2/p' \
    "$WORK/out" | awk '{ n++; bad = !($1 > 0.035 && $1 < $2 / 2) }
        END { exit !(n == 1 && !bad) }'
