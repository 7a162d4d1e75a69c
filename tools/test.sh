#!/bin/sh
# SPDX-License-Identifier: MIT
# test.sh - runs CTest and counts: test.sh BUILD-FOLDER [CTEST-OPTION...]
#
# The last line is `N passed, N failed, N skipped`; the status is 0 if some
# test passed and none failed.
set -eu

if [ $# -lt 1 ] || [ ! -f "$1/CTestTestfile.cmake" ]; then
    echo "test.sh: ${1:-no folder}: no build with tests (make)" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
shift
rm -rf "$build/scratch" "$build/tests.xml"

status=0
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure \
    --no-label-summary --no-tests=error --output-junit "$build/tests.xml" \
    "$@" || status=$?
if [ ! -f "$build/tests.xml" ]; then
    echo '0 passed, 1 failed, 0 skipped'
    exit 1
fi

# Every test case of the file bears its own word for how it ended.
awk -v status="$status" '
    /<testcase / {
        if (/status="run"/)
            ++passed
        else if (/status="notrun"/ || /status="disabled"/)
            ++skipped
        else
            ++failed
    }
    END {
        if (failed + 0 == 0 && (status != 0 || passed + 0 == 0))
            ++failed
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }' "$build/tests.xml"
