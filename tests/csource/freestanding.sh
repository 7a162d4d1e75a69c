#!/bin/sh
# SPDX-License-Identifier: MIT
# freestanding.sh - nothing is called: an object for a machine without a library
# needs no name from outside, not even memcpy.
# shellcheck source=tests/csource/support/three.sh
. "$ELMAN_SOURCE/tests/csource/support/three.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
found=$(compilers)
if [ -z "$found" ] || ! command -v nm >/dev/null; then
    echo 'skipped: there is no compiler or no nm here (make deps)'
    exit 77
fi
write_all

for c in $found; do
    for options in -O0 -O2 -Os '-O3 -march=native' '-O3 -DM_NO_FMA'; do
        for name in $names; do
            define=
            case $options in
            *NO_FMA) define="-D$(echo "$name" | tr '[:lower:]' '[:upper:]')_NO_FMA" ;;
            esac
            # shellcheck disable=SC2086
            expect 0 "$c" $strict $options $define -ffreestanding -nostdlib \
                -fno-stack-protector -c "$name.c" -o "$name.o"
            expect 0 nm -u "$name.o"
            [ ! -s out ] || fail "$c $options $name.c: it calls something"
        done
        echo "nothing is called: $c $options"
    done
done
exit 0
