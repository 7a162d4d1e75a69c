#!/bin/sh
# SPDX-License-Identifier: MIT
# networks.sh - a C file gives the bits of `elman run`: every cell, with and
# without layers, projection, biases, embedding, decoder and input; with weights
# of fewer bits those of the library with the same weights.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi

# try WIDTH VOCAB NETWORK...
try() {
    width=$1
    vocab=$2
    shift 2
    network model.safetensors "$@"
    inputs 40 "$width" "$vocab" >x.csv
    as_run model.safetensors
    for weights in bfloat16 int8; do
        expect 0 "$ELMAN" convert model.safetensors model.c --name model \
            --weights $weights --quiet
        # shellcheck disable=SC2086
        expect 0 "$CC" $strict -O2 -DELMAN_SELF_TEST model.c -o self
        expect 0 ./self
        grep -q 'passed, bit for bit' out || fail 'what the self-test says'
    done
    echo "the same bits: $*"
}

try 3 0 G=1
try 3 0 G=1 H=17 --activation relu
try 2 0 G=1 I=2 H=9 L=3 O=3
try 1 9 G=1 V=9 E=4 H=8 O=9 bias=0 dbias=0
try 1 0 G=4 I=1 H=1
try 3 0 G=4 H=17 O=1
try 4 0 G=4 I=4 H=8 L=2 bias=0 O=2
try 3 0 G=4 H=9 P=4
try 3 0 G=4 H=19 P=8 L=3 O=6
try 1 30 G=4 H=12 L=2 V=30 E=6 O=5
try 2 0 G=3 I=2 H=3
try 5 0 G=3 I=5 H=5 L=2 bias=0 O=2
try 1 13 G=3 H=7 V=13 E=7 O=13 L=2
try 2 0 G=3 I=2 H=3 --reset before
try 7 0 G=3 I=7 H=33 L=2 O=3 --reset before
try 7 0 G=3 I=7 H=16 L=2 bias=0 O=3 dbias=0 --reset before

# Values far from 1, and none.
{
    printf '1e30,-1e30,1e-30\n1e-42,-1e-45,0\n-0,0,3e38\n'
    printf '1e-39,1e-40,-1e-41\n0,0,0\n'
} >x.csv
for options in G=1 'G=1 --activation relu' G=4 G=3 'G=3 --reset before'; do
    # shellcheck disable=SC2086
    network model.safetensors $options
    as_run model.safetensors
done
exit 0
