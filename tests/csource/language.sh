#!/bin/sh
# SPDX-License-Identifier: MIT
# language.sh - a language model in C gives the bits of `elman run`, and writes
# what `elman sample --greedy` writes.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
make_text book.txt 120 1

# What the C file writes, a token at a time, is what sample writes.
greedy() {
    # shellcheck disable=SC2086
    expect 0 "$CC" $strict -O1 -I. model.c "$support/write.c" -o writer
    expect 0 "$ELMAN" sample model.safetensors --greedy --length 60
    mv out want
    expect 0 ./writer
    same out want
}

# learn OPTION...
learn() {
    expect 0 quick book.txt -o model.safetensors --updates 40 "$@"
    expect 0 "$ELMAN" info model.safetensors --json
    inputs 50 1 "$(json vocabulary out)" >x.csv
    as_run model.safetensors
    greedy
    for weights in bfloat16 int8; do
        expect 0 "$ELMAN" convert model.safetensors model.c --name model \
            --weights $weights --quiet
        # shellcheck disable=SC2086
        expect 0 "$CC" $strict -O2 -DELMAN_SELF_TEST model.c -o self
        expect 0 ./self
    done
    echo "the same bits: $*"
}

learn --cell elman
learn --cell elman --activation relu --layers 2
learn --cell lstm --embed 5
learn --cell lstm --layers 2 --proj 6 --tie
learn --cell gru --embed 8
learn --cell gru --reset before --level byte
learn --cell lstm --level word --embed 6
learn --cell none --context 1
learn --cell none --context 4
learn --cell none --context 3 --embed 5 --activation relu
learn --cell none --context 1 --tie --level word
exit 0
