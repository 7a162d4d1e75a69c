#!/bin/sh
# SPDX-License-Identifier: MIT
# aarch64.sh - on 64-bit ARM, under qemu, C files give the library's bits.
# shellcheck source=tests/csource/support/three.sh
. "$ELMAN_SOURCE/tests/csource/support/three.sh"

if [ -n "$ELMAN_CROSS" ] || [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: the build for this machine itself tries it'
    exit 77
fi
for program in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $program >/dev/null; then
        echo "skipped: there is no $program here (make deps-cross)"
        exit 77
    fi
done
write_all
for name in $names; do
    for options in -O0 '-O3 -ffp-contract=fast'; do
        # shellcheck disable=SC2086
        expect 0 aarch64-linux-gnu-gcc -static $options -DELMAN_SELF_TEST \
            "$name.c" -o self
        expect 0 qemu-aarch64 ./self
        grep -q 'bit for bit' out || fail "what the self-test of $name says"
    done
done
echo "the same bits on aarch64: $names"
exit 0
