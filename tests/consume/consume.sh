#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed can be used by a stranger, through pkg-config and through
# find_package, shared and static, also after the tree was moved.
set -eu

if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: a stranger links no sanitizer'
    exit 77
fi

cmake --install "$ELMAN_BUILD" --prefix "$WORK/first" >/dev/null
mv "$WORK/first" "$WORK/tree"
tree=$WORK/tree
lib=$(dirname "$(find "$tree" -name libelman.a)")
source=$ELMAN_SOURCE/tests/consume
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH

if [ "$(find "$tree" -name '*.h')" != "$tree/include/elman.h" ]; then
    echo 'another header than elman.h was installed'
    exit 1
fi

if command -v pkg-config >/dev/null; then
    PKG_CONFIG_PATH=$lib/pkgconfig
    export PKG_CONFIG_PATH
    # The words of pkg-config are options, to be split.
    # shellcheck disable=SC2046
    "$CC" -std=c11 "$source/consume.c" $(pkg-config --cflags --libs elman) \
        -o "$WORK/by-pkg-config"
    "$WORK/by-pkg-config"
    # shellcheck disable=SC2046
    "$CC" -std=c11 "$source/consume.c" $(pkg-config --cflags elman) \
        "$lib/libelman.a" -pthread -lm -o "$WORK/by-hand"
    "$WORK/by-hand"
else
    echo 'pkg-config: not tried, it is not installed (make deps)'
fi

cmake -S "$source" -B "$WORK/by-cmake" -DCMAKE_PREFIX_PATH="$tree" \
    -DCMAKE_C_COMPILER="$CC" >/dev/null
cmake --build "$WORK/by-cmake" >/dev/null
"$WORK/by-cmake/consume-elman"
LD_LIBRARY_PATH='' "$WORK/by-cmake/consume-static"
if [ -x "$tree/bin/elman" ]; then
    LD_LIBRARY_PATH='' "$tree/bin/elman" --help >/dev/null
fi
