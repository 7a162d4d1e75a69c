#!/bin/sh
# SPDX-License-Identifier: MIT
# The library's numbers are the reference numbers: the project's own vectors,
# and those of $ELMAN_SHARED/golden where they are there.
set -eu

vectors=$ELMAN_SOURCE/tests/golden/vectors

# check FOLDER: no case fails, and some pass.
check() {
    echo "reference numbers of $1:"
    if ! "$ELMAN_GOLDEN" "$1" >"$WORK/out"; then
        grep -v '^skip' "$WORK/out"
        exit 1
    fi
    tail -n 1 "$WORK/out"
    if grep -q '^0 passed' "$WORK/out"; then
        echo 'nothing was compared'
        exit 1
    fi
}

check "$vectors"

# The errors too are the same at another level, digit by digit.
mv "$WORK/out" "$WORK/best"
ELMAN_ISA=c check "$vectors"
diff "$WORK/best" "$WORK/out"

if [ -d "$ELMAN_SHARED/golden" ]; then
    check "$ELMAN_SHARED/golden"
else
    echo "no $ELMAN_SHARED/golden: only the project's own vectors were checked"
fi
