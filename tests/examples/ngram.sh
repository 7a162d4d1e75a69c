#!/bin/sh
# SPDX-License-Identifier: MIT
# The chapter's table: counting, no hidden state, a recurrent network.
set -eu

"$1" "$ELMAN_SOURCE/include/elman.h" >"$WORK/out"
cat "$WORK/out"
awk '
    / different ones/ {
        for (i = 1; i < NF; ++i)
            if ($i == "characters,")
                V = $(i + 1)
    }
    /^ *[2-5] / {
        ++rows
        if ($2 != V ^ $1 || $3 >= V || $5 >= V)
            bad = 1
        if (rows > 2 && $4 - last != growth)
            bad = 1
        growth = $4 - last
        last = $4
        perceptron[$1] = $5
        counting[$1] = $3
    }
    /^recurrent/ { parameters = $4; recurrent = $7 }
    # Looking further back is worth something, and the state has learned to.
    END {
        exit !(rows == 4 && !bad && counting[3] < counting[2] &&
               perceptron[3] < perceptron[2] && recurrent < perceptron[3] &&
               parameters == 64 * V + 64 * 64 + 2 * 64 + 64 * V + V)
    }' "$WORK/out"
