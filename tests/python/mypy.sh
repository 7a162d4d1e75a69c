#!/bin/sh
# SPDX-License-Identifier: MIT
# The package's type hints hold, strictly, and a program that uses it has them.
set -eu

if ! command -v mypy >/dev/null; then
    echo 'skipped: mypy is not installed (make deps-python)'
    exit 77
fi
if [ -z "$ELMAN_NUMPY" ]; then
    echo 'skipped: there is no NumPy (make deps-python)'
    exit 77
fi
cd "$ELMAN_SOURCE/python"
mypy --cache-dir "$WORK/mypy" --python-executable "$ELMAN_NUMPY"
MYPYPATH=. mypy --strict --cache-dir "$WORK/mypy" \
    --python-executable "$ELMAN_NUMPY" "$ELMAN_SOURCE/tests/python/support/hints.py"
