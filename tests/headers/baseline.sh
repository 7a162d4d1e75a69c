#!/bin/sh
# SPDX-License-Identifier: MIT
# No instruction of a cpu level slips into code that every machine runs: AVX is
# in the files of the levels alone, and these define nothing but their own
# kernels, since the linker may keep the copy of a shared function that it
# meets first.
set -eu

if [ "$(uname -m)" != x86_64 ] || [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this is no build for x86-64'
    exit 77
fi
if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: a sanitizer adds symbols of its own'
    exit 77
fi
if ! command -v objdump >/dev/null; then
    echo 'skipped: there is no objdump here (make deps)'
    exit 77
fi

# An instruction of AVX or later begins with v, one on mask registers with k.
objdump -d --no-show-raw-insn "$ELMAN_BUILD/libelman.a" | awk '
    / file format / {
        object = $1
        level = object ~ /_(avx2|avx512)\.c\.o:$/
        ++objects
    }
    /^ *[0-9a-f]+:\t/ && $2 ~ /^[vk]/ && $2 !~ /^ver[rw]/ {
        if (level)
            ++vectors[object]
        else if (++bad[object] == 1)
            print object " " $0
    }
    END {
        for (object in bad) {
            print object " " bad[object] " instructions of AVX"
            status = 1
        }
        for (object in vectors)
            ++levels
        print objects " objects, " levels + 0 " with AVX"
        exit status
    }' >"$WORK/said" || {
    cat "$WORK/said"
    exit 1
}
cat "$WORK/said"
if ls "$ELMAN_SOURCE"/src/kernels/x86/*_avx2.c >/dev/null 2>&1 &&
    grep -q ' 0 with AVX' "$WORK/said"; then
    echo 'no AVX was found where it should be: this test sees nothing'
    exit 1
fi

nm -g --defined-only "$ELMAN_BUILD/libelman.a" | awk '
    /\.o:$/ {
        level = ""
        if (match($1, /_(avx2|avx512)\.c\.o:$/))
            level = substr($1, RSTART, RLENGTH - 5)
    }
    NF == 3 && level != "" &&
        substr($3, length($3) - length(level) + 1) != level {
        print $3 " is defined in a file of a cpu level, " \
              "but is not called " level
        status = 1
    }
    END { exit status }'
