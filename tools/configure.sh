#!/bin/sh
# SPDX-License-Identifier: MIT
# configure.sh - configures build/PRESET: configure.sh PRESET
#
# By Ninja where it is installed.  Only what is wrong is worth reading.
set -eu

cd "$(dirname "$0")/.."
if ! command -v cmake >/dev/null; then
    echo 'configure.sh: cmake is not installed (make deps)' >&2
    exit 1
fi
if [ ! -f "build/$1/CMakeCache.txt" ] && [ -z "${CMAKE_GENERATOR:-}" ] &&
    command -v ninja >/dev/null; then
    CMAKE_GENERATOR=Ninja
    export CMAKE_GENERATOR
fi
cmake --preset "$1" >/dev/null
