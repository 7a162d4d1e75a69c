#!/bin/sh
# SPDX-License-Identifier: MIT
# The floor law holds, and its checker finds what breaks it.
set -eu

check=$ELMAN_SOURCE/tools/check-floors.sh
sh "$check" "$ELMAN_SOURCE"

# house: a fresh tree that keeps the law.
house() {
    rm -rf "$WORK/house"
    mkdir -p "$WORK/house"
    cd "$WORK/house"
    mkdir -p include src/base src/io src/cell src/kernels/x86 src/nn cli
    echo '#include <stddef.h>' >include/elman.h
    echo '#include <elman.h>' >src/base/status.h
    echo '#include "../base/status.h"' >src/io/file.h
    echo '#include "../base/status.h"' >src/cell/cell.h
    echo '#include "../base/status.h"' >src/kernels/kernels.h
    {
        echo '#include "../kernels.h"'
        echo '#include <immintrin.h>'
    } >src/kernels/x86/gemm_avx2.c
    {
        echo '#include "../cell/cell.h"'
        echo '#  include "../kernels/kernels.h"'
    } >src/nn/stack.c
    echo 'int shared;' >cli/options.h
    {
        echo '#include "options.h"'
        echo '#include <elman.h>'
        echo '#include <stdio.h>'
        echo '#include <sys/stat.h>'
    } >cli/main.c
}

# refused FILE LINE WORDS: with the line in FILE, the checker says WORDS.
refused() {
    house
    mkdir -p "$(dirname "$1")"
    echo "$2" >>"$1"
    if sh "$check" "$WORK/house" 2>"$WORK/said"; then
        echo "not refused: $2 in $1"
        exit 1
    fi
    if ! grep -q "^$1:[0-9]*: .*$3" "$WORK/said"; then
        echo "refused for another reason: $2 in $1"
        cat "$WORK/said"
        exit 1
    fi
}

house
sh "$check" "$WORK/house"
refused src/base/status.h '#include "../io/file.h"' 'points down'
refused src/io/file.h '#include "../cell/cell.h"' 'points down'
refused src/kernels/x86/gemm_avx2.c '#include "../../nn/stack.c"' 'points down'
refused src/io/file.h '#include "../base/lost.h"' 'no file of the project'
refused src/io/file.h '#include "base/status.h"' 'no file of the project'
refused src/io/file.h '#include <base/status.h>' 'relative path'
refused src/io/file.h '#include "../../include/elman.h"' 'another house'
refused src/io/file.h '#include "../../cli/options.h"' 'another house'
refused src/io/file.h '#include NAME' 'not name its file'
refused src/io/file.h '#include <immintrin.h>' 'src/kernels'
refused src/io/status.h 'int x;' 'has the name of'
refused src/cellar/wine.h 'int x;' 'no floor'
refused cli/main.c '#include "../src/io/file.h"' 'internal'
refused cli/main.c '#include <jsmn.h>' 'no header of C'
refused examples/one.c '#include "../cli/options.h"' 'another house'
refused include/elman.h '#include "../src/base/status.h"' 'internal'
