# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# three.sh - models that have everything in them between them, for tests of
# compilers and machines: write_all makes n_KIND.c.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

# shellcheck disable=SC2034
names='n_lstm n_gru n_before n_elman n_relu n_words n_none n_int8 n_bfloat16'

# as_c NAME MODEL OPTION...
as_c() {
    name=$1
    model=$2
    shift 2
    expect 0 "$ELMAN" convert "$model" "$name.c" --quiet "$@"
}

write_all() {
    network m.safetensors G=4 I=3 H=19 P=9 L=2 O=3
    as_c n_lstm m.safetensors
    as_c n_int8 m.safetensors --weights int8
    as_c n_bfloat16 m.safetensors --weights bfloat16
    network m.safetensors G=3 V=11 E=5 H=18 L=2
    as_c n_gru m.safetensors
    network m.safetensors G=3 H=8 bias=0 --reset before
    as_c n_before m.safetensors
    network m.safetensors G=1 H=21 O=9
    as_c n_elman m.safetensors
    network m.safetensors G=1 H=12 O=9 --activation relu
    as_c n_relu m.safetensors
    make_text book.txt 60 1
    expect 0 quick book.txt -o m.safetensors --updates 20 --cell lstm \
        --level word --embed 16 --tie
    as_c n_words m.safetensors
    expect 0 quick book.txt -o m.safetensors --updates 20 --cell none \
        --context 3
    as_c n_none m.safetensors
}
