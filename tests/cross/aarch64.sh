#!/bin/sh
# SPDX-License-Identifier: MIT
# aarch64.sh - a 64-bit ARM, under qemu, gives this machine's bits: models,
# checkpoints and what is said of them; its level neon gives the reference's
# and PyTorch's numbers.
#
# `cmake --preset aarch64` is all other tests on that machine.
# shellcheck source=tests/cli/support/checks.sh
. "$ELMAN_SOURCE/tests/cli/support/checks.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine itself'
    exit 77
fi
if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: what a sanitizer finds, it finds here'
    exit 77
fi
for program in aarch64-linux-gnu-gcc qemu-aarch64 cmake; do
    if ! command -v $program >/dev/null; then
        echo "skipped: there is no $program here (make deps-cross)"
        exit 77
    fi
done
if [ -z "$(find /usr/aarch64-linux-gnu /usr/local/aarch64-linux-gnu \
    -name jsmn.h 2>/dev/null)" ]; then
    echo 'skipped: there is no jsmn.h for aarch64 here (make deps-cross)'
    exit 77
fi

# What was built stays from test to test.
build=$ELMAN_BUILD/aarch64
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' \
    "$ELMAN_BUILD/CMakeCache.txt")
{
    cmake -S "$ELMAN_SOURCE" -B "$build" -G "$generator" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        --toolchain "$ELMAN_SOURCE/cmake/aarch64-linux-gnu.cmake" &&
        cmake --build "$build" --parallel 2 --target elman-cli elman-golden &&
        if grep -q '^CMOCKA_LIBRARY:.*=/' "$build/CMakeCache.txt"; then
            cmake --build "$build" --parallel 2 --target kernels_kernels \
                kernels_int8
        fi
} >log 2>&1 || {
    tail -n 30 log
    exit 1
}
there=$build/emulated/elman-cli

"$there" info --json >out 2>err || fail 'the program does not run'
grep -q '"neon"' out || fail 'the other machine has no level neon'

make_text book.txt 120 1
make_text rest.txt 20 2

# on MACHINE ARGUMENT...: calls the program in a folder of that machine's own.
mkdir here there
# shellcheck disable=SC2317
on() (
    cd "$1" || exit 1
    [ "$1" = here ] || ELMAN=$there
    shift
    "$ELMAN" "$@"
)

# both ARGUMENT...: the same call here and there says the same.
both() {
    for machine in here there; do
        expect 0 on $machine "$@"
        mv out $machine.out
    done
    same here.out there.out
}

# learn OPTION...: and evaluate, and write.
learn() {
    both train ../book.txt -o m --quiet --threads 2 --batch 5 --steps 17 \
        --updates 20 "$@"
    same here/m there/m
    both eval m ../rest.txt --json
    both eval m ../rest.txt --json --dtype int8
    both sample m --length 50
    echo "the same bits: $*"
}
learn --cell lstm --hidden 35 --layers 2 --embed 18 --dropout 0.3
learn --cell gru --hidden 33 --layers 2 --dropout 0.2 --locked \
    --sampling random --valid-fraction 0.1 --optimizer adamw
learn --hidden 21 --activation relu --level word --optimizer rmsprop
learn --cell none --context 3 --hidden 19 --optimizer momentum
learn --hidden 13 --dtype f64

# A run begun there goes on here, to the model of a run that was here alone.
run='--cell lstm --layers 2 --hidden 20 --dropout 0.3 --schedule constant'
# shellcheck disable=SC2086
both train ../book.txt -o whole --quiet $run --updates 20
# shellcheck disable=SC2086
expect 0 on there train ../book.txt -o half --quiet $run --updates 10 \
    --checkpoint c
expect 0 on here train ../book.txt -o rest --quiet --resume ../there/c \
    --updates 20
same here/rest here/whole
echo 'the same bits: begun there, gone on with here'

ELMAN_GOLDEN=$build/emulated/elman-golden sh \
    "$ELMAN_SOURCE/tests/golden/golden.sh" || exit 1
if [ -x "$build/tests/kernels/test_kernels" ]; then
    "$build/emulated/kernels_kernels" || exit 1
    "$build/emulated/kernels_int8" || exit 1
else
    echo 'level neon was not compared kernel by kernel: there is no cmocka' \
        'for aarch64 (make deps-cross)'
fi
exit 0
