#!/bin/sh
# SPDX-License-Identifier: MIT
# cortex_m4.sh - C files for a small ARM, a Cortex-M4 with its unit of floats:
# they compile without a library, by arm-none-eabi-gcc where it is there and by
# clang, which knows every machine; and what clang makes, linked by lld with
# nothing but a first instruction, runs under qemu to the library's bits.
# shellcheck source=tests/csource/support/three.sh
. "$ELMAN_SOURCE/tests/csource/support/three.sh"

m4='-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -ffreestanding'
clang='clang --target=thumbv7em-none-eabihf'
if [ -n "$ELMAN_CROSS" ] || [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: the build for this machine itself tries it'
    exit 77
fi
compilers=
if command -v arm-none-eabi-gcc >/dev/null; then
    compilers=arm-none-eabi-gcc
fi
echo 'float x;' >empty.c
# shellcheck disable=SC2086
if command -v clang >/dev/null && $clang $m4 -c empty.c -o empty.o 2>err; then
    compilers="$compilers clang"
fi
if [ -z "$compilers" ]; then
    echo 'skipped: there is neither arm-none-eabi-gcc (Debian:' \
        'gcc-arm-none-eabi) nor a clang for ARM here (make deps)'
    exit 77
fi
write_all

# call COMPILER ARGUMENT...: with the machine's options.
# shellcheck disable=SC2317
call() {
    which=$1
    shift
    [ "$which" != clang ] || which=$clang
    # shellcheck disable=SC2086
    $which $m4 "$@"
}

for c in $compilers; do
    for name in $names; do
        for option in -O0 -O2 -Os; do
            # shellcheck disable=SC2086
            expect 0 call "$c" $strict $option -c "$name.c" -o "$name.o"
            expect 0 nm -u "$name.o"
            [ ! -s out ] || fail "$c $option $name.c: it calls something"
        done
    done
    echo "$c: all compile, and call nothing"
    if command -v size >/dev/null &&
        size n_lstm.o n_int8.o n_bfloat16.o >sizes 2>/dev/null; then
        cat sizes
    fi
done

for program in clang ld.lld qemu-arm; do
    if ! command -v $program >/dev/null; then
        echo "none was run: there is no $program here (lld; make deps-cross)"
        exit 0
    fi
done
for name in $names; do
    sed "s/NAME/$name/" "$support/start.c" >start.c
    for option in -O0 -O2 -Os; do
        # shellcheck disable=SC2086
        expect 0 $clang $m4 $option -DELMAN_SELF_TEST -nostdlib -static \
            -fuse-ld=lld "$name.c" start.c -o self
        expect 0 qemu-arm -cpu cortex-a15 ./self
    done
    # shellcheck disable=SC2086
    expect 0 $clang $m4 -O2 -DELMAN_SELF_TEST -DBROKEN -nostdlib -static \
        -fuse-ld=lld "$name.c" start.c -o self
    expect 1 qemu-arm -cpu cortex-a15 ./self
done
echo "the same bits on a Cortex-M4's instructions: $names"
exit 0
