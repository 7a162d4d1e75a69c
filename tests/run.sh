#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - runs one test: run.sh COMMAND [ARGUMENT...]
#
# Gives the test an empty folder of its own in $WORK, which goes when the test
# has passed, and says in $ELMAN_SHARED where data and golden files may lie
# that are no part of the project.  CTest sets the other variables; a person
# who runs a test by hand gets the release build's.
set -u

here=$(cd "$(dirname "$0")/.." && pwd)
: "${ELMAN_SOURCE:=$here}"
: "${ELMAN_BUILD:=$here/build/release}"
: "${ELMAN:=$ELMAN_BUILD/elman}"
: "${ELMAN_GOLDEN:=$ELMAN_BUILD/elman-golden}"
: "${ELMAN_SANITIZE:=}"
: "${ELMAN_CROSS:=}"
: "${ELMAN_PYTHON:=}"
: "${ELMAN_NUMPY:=$ELMAN_PYTHON}"
: "${ELMAN_SHARED:=$ELMAN_SOURCE/../shared}"
: "${CC:=cc}"
: "${UBSAN_OPTIONS:=print_stacktrace=1}"
: "${TSAN_OPTIONS:=halt_on_error=1}"
if [ -d "$ELMAN_SHARED" ]; then
    ELMAN_SHARED=$(cd "$ELMAN_SHARED" && pwd)
fi
mkdir -p "$ELMAN_BUILD/scratch" || exit 1
WORK=$(mktemp -d "$ELMAN_BUILD/scratch/test.XXXXXX") || exit 1
export ELMAN_SOURCE ELMAN_BUILD ELMAN ELMAN_GOLDEN ELMAN_SANITIZE ELMAN_CROSS
export ELMAN_PYTHON ELMAN_NUMPY ELMAN_SHARED CC UBSAN_OPTIONS TSAN_OPTIONS WORK

# Some kernels randomise addresses more than a sanitizer's map of memory bears.
if [ -n "$ELMAN_SANITIZE" ] && setarch -R true 2>/dev/null; then
    set -- setarch -R "$@"
fi

"$@"
status=$?
if [ $status -eq 0 ] || [ $status -eq 77 ]; then
    rm -rf "$WORK"
else
    echo "run.sh: exit status $status; what the test left is in $WORK"
fi
exit $status
