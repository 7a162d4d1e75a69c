#!/bin/sh
# SPDX-License-Identifier: MIT
# measure.sh - what fewer bits cost is measured on data that the user names, and
# stands in the file: it is what `elman eval`, and a comparison of outputs, say
# of the library's own rounded weights; int8 costs more than bfloat16, and both
# are smaller.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
comment() {
    sed '/\*\/$/q; s/^ \* //' "$1" | tr '\n' ' '
}
number() {
    comment "$1" | sed -n "s/.*$2.*/\1/p"
}

# ---- A language model.
make_text book.txt 200 1
make_text rest.txt 50 2
expect 0 quick book.txt -o lm.safetensors --epochs 3 --cell lstm
expect 0 "$ELMAN" eval lm.safetensors rest.txt --json
before=$(json bits_per_char out)
for weights in bfloat16 int8; do
    expect 0 "$ELMAN" convert lm.safetensors $weights.c --weights $weights \
        --measure rest.txt
    grep -q "^$weights.c: weights of $weights.  Bits per character on rest.txt" \
        out || fail 'the summary does not say what was measured'
    said=$(number $weights.c 'rest.txt: \([0-9.]*\) with float32 weights')
    after=$(number $weights.c ', \([0-9.]*\) with these')
    awk -v a="$before" -v b="$said" -v c="$after" 'BEGIN {
        exit !(b - a < 1e-4 && a - b < 1e-4 && c > 0 && c - b < 0.05 &&
            b - c < 0.05)
    }' || fail "bits per character: $before, said $said and $after"
    echo "$weights: $said, $after bits per character"
done
expect 0 "$ELMAN" convert lm.safetensors float32.c
for pair in 'int8 bfloat16' 'bfloat16 float32'; do
    a=$(number "${pair% *}.c" 'Constants take \([0-9]*\) bytes')
    b=$(number "${pair#* }.c" 'Constants take \([0-9]*\) bytes')
    less "$a" "$b" || fail "$pair: $a and $b bytes"
done
expect 0 "$ELMAN" convert lm.safetensors plain.c --weights int8 --quiet
grep -q 'was not measured' plain.c || fail 'what was not measured is not said'
[ ! -s out ] || fail '--quiet is not quiet'

# ---- A network: numbers in, one sequence and several.
network net.safetensors G=3 I=3 H=16 L=2 O=3
inputs 60 3 >x.csv
expect 0 "$ELMAN" run net.safetensors x.csv x.npy
expect 0 "$ELMAN" run net.safetensors x.npy y.csv
for weights in bfloat16 int8; do
    expect 0 "$ELMAN" convert net.safetensors model.c --weights $weights \
        --measure x.npy
    most=$(number model.c 'on x.npy by \([0-9.e+-]*\) at most')
    mean=$(number model.c 'at most and \([0-9.e+-]*\) on average')
    # What the C file itself gives.
    # shellcheck disable=SC2086
    expect 0 "$CC" $strict -I. model.c "$support/print.c" -o print
    expect 0 "$ELMAN" run net.safetensors x.npy again.csv
    expect 0 "$ELMAN" run net.safetensors x.csv x2.csv
    expect 0 ./print x2.csv
    paste -d, y.csv out | awk -F, -v most="$most" -v mean="$mean" '
        {
            for (i = 1; i <= 3; i++) {
                e = $i - $(i + 3)
                e = e < 0 ? -e : e
                m = e > m ? e : m
                sum += e
                n++
            }
        }
        END {
            exit !(n == 180 && m > 0 && m < most * 1.01 && m > most * 0.99 &&
                sum / n < mean * 1.01 && sum / n > mean * 0.99)
        }' || fail "$weights: not $most at most, $mean on average"
    echo "$weights: $most at most, $mean on average"
    eval "${weights}=$most"
done
# shellcheck disable=SC2154
less "$bfloat16" "$int8" || fail 'int8 costs less than bfloat16'

# ---- Tokens in, and what does not fit.
network ids.safetensors G=1 V=9 E=4 H=8 O=3
refused 1 'x.npy: tokens are integers' \
    convert ids.safetensors new.c --weights int8 --measure x.npy
# tokens FILE SHAPE BYTE...: NumPy's file of uint8.
tokens() {
    head="{'descr': '|u1', 'fortran_order': False, 'shape': $2, }"
    file=$1
    shift 2
    printf '\223NUMPY\001\000\166\000%-117s\n' "$head" >"$file"
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o' "$@")" >>"$file"
}
tokens one.npy '(6,)' 0 8 3 3 1 4
tokens two.npy '(3, 2)' 0 8 3 3 1 4
for file in one two; do
    expect 0 "$ELMAN" convert ids.safetensors model.c --weights int8 \
        --measure $file.npy
    most=$(number model.c "on $file.npy by \([0-9.e+-]*\) at most")
    less 0 "$most" || fail 'nothing was measured'
done
tokens one.npy '(6,)' 0 9 3 3 1 4
refused 1 'one.npy: token 1 is 9 (0 to 8)' \
    convert ids.safetensors new.c --weights int8 --measure one.npy
tokens one.npy '(1, 2, 3)' 0 8 3 3 1 4
refused 1 'one.npy: its shape is not \[T\] or \[T,B\]' \
    convert ids.safetensors new.c --weights int8 --measure one.npy
network net2.safetensors G=1 I=2 H=8
refused 1 'x.npy: its shape is not \[T,I\] or \[T,B,I\]' \
    convert net2.safetensors new.c --weights int8 --measure x.npy
refused 1 'x.npy: ' convert lm.safetensors new.c --weights int8 --measure x.npy
[ ! -e new.c ] || fail 'something was written'
exit 0
