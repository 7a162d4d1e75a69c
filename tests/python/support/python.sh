#!/bin/sh
# SPDX-License-Identifier: MIT
# python.sh - runs a test of the binding: python.sh TEST.py
#
# The package is the sources', and the library the build's; nothing is left
# beside the sources.  A test that needs PyTorch says itself that it has none.
set -eu
unset ELMAN_ISA

if [ -z "$ELMAN_NUMPY" ]; then
    echo 'skipped: there is no NumPy (make deps-python)'
    exit 77
fi
if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: a library with a sanitizer needs a program that has it'
    exit 77
fi
ELMAN_LIBRARY=$ELMAN_BUILD/libelman.so
PYTHONPATH=$ELMAN_SOURCE/python:$ELMAN_SOURCE/tests/python/support
PYTHONDONTWRITEBYTECODE=1
OMP_NUM_THREADS=1
export ELMAN_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS
file=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$WORK"
exec "$ELMAN_NUMPY" "$file"
