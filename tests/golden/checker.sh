#!/bin/sh
# SPDX-License-Identifier: MIT
# The checker of golden files finds what is wrong with a file, and survives it.
set -eu

vectors=$ELMAN_SOURCE/tests/golden/vectors
recurrent=rnn_tanh_t5_b7_d13_h17_l2
LC_ALL=C
export LC_ALL

# says STATUS WORDS [OPTION...]: checking $WORK/case ends with STATUS, and a
# line has WORDS.
says() {
    status=$1
    words=$2
    shift 2
    got=0
    "$ELMAN_GOLDEN" "$WORK/case" "$@" >"$WORK/out" 2>&1 || got=$?
    if [ "$got" -ne "$status" ] || ! grep -q -- "$words" "$WORK/out"; then
        echo "status $got, not $status, or no \"$words\" in:"
        cat "$WORK/out"
        exit 1
    fi
}

# fresh NAME: a folder with that case alone.
fresh() {
    rm -rf "$WORK/case"
    mkdir "$WORK/case"
    file=$WORK/case/$1.safetensors
    cp "$vectors/$1.safetensors" "$file"
}

# edit FROM TO: in the header, of one length.
edit() {
    if ! grep -q -a -- "$1" "$file"; then
        echo "$file has no $1"
        exit 1
    fi
    sed -i "s/$1/$2/" "$file"
}

# Good ones, one line each and a line that counts them.
fresh "$recurrent"
says 0 "^ok $recurrent "
says 0 '^1 passed, 0 failed, 0 skipped$'
cp "$vectors"/xent_* "$WORK/case"
says 0 '^1 passed, 0 failed, 0 skipped$' --only rnn_
says 0 '^ok xent_smooth ' --only xent_smooth
says 1 '^0 passed, 0 failed, 0 skipped$' --only nothing

# Numbers: the last bytes of a file are a parameter's, or results'.
for case in "$recurrent" xent_weighted_smooth train_adamw decode_tanh; do
    fresh "$case"
    size=$(wc -c <"$file")
    printf '\077' | dd of="$file" bs=1 seek=$((size - 1)) conv=notrunc 2>"$WORK/dd"
    says 1 "^FAIL $case .*f32 .*error"
    says 1 '^0 passed, 1 failed, 0 skipped$'
done

# Kinds that are not built yet.
fresh "$recurrent"
edit '"kind":"recurrent"' '"kind":"otherkind"'
says 0 "^skip $recurrent .*otherkind"
fresh "$recurrent"
edit '"packed":"0"' '"packed":"1"'
says 1 "^FAIL $recurrent .*lengths"
fresh "$recurrent"
edit '"bidirectional":"0"' '"bidirectional":"1"'
says 1 "^FAIL $recurrent .*weight_ih_l1"

fresh decode_tanh
edit '"cell":"rnn_tanh"' '"cell":"otherone"'
says 0 '^skip decode_tanh .*otherone'

# Metadata that does not fit.
for change in 's/"hidden_size":"17"/"hidden_size":"71"/' \
    's/"hidden_size":"17"/"hidden_size":"-7"/' \
    's/"seq_len":"5"/"seq_len":"x"/' 's/"seq_len":"5"/"seq_len":""/' \
    's/"num_layers":"2"/"num_layers":"9"/' 's/"bias":"1"/"bias":"2"/' \
    's/"batch":"7"/"batch":"0"/' 's/"init_state"/"init_shape"/' \
    's/"given"/"other"/' 's/"kind":"rec/"mind":"rec/' \
    's/"dhn"/"dhm"/' 's/"y"/"z"/' \
    's/"grad.h0"/"grad.k0"/' 's/"dtype":"F64"/"dtype":"I64"/' \
    's/"shape":\[5,7,13\]/"shape":[7,5,13]/'; do
    fresh "$recurrent"
    sed -i "$change" "$file"
    if cmp -s "$file" "$vectors/$recurrent.safetensors"; then
        echo "$change changes nothing"
        exit 1
    fi
    says 1 "^FAIL $recurrent "
done
fresh train_adamw
edit '"vocab":"28"' '"vocab":"99"'
says 1 '^FAIL train_adamw'
fresh xent_plain
edit '"classes":"7"' '"classes":"9"'
says 1 '^FAIL xent_plain'
fresh xent_weighted
edit '"weighted":"1"' '"weighted":"0"'
says 1 '^FAIL xent_weighted'

# Files that are no such files.
fresh "$recurrent"
head -c 1000 "$vectors/$recurrent.safetensors" >"$file"
says 1 "^FAIL $recurrent "
: >"$file"
says 1 "^FAIL $recurrent "
head -c 5000 /dev/zero >"$file"
says 1 "^FAIL $recurrent "
rm "$file"
mkdir "$file"
says 1 "^FAIL $recurrent "

# Calls that are wrong.
rm -rf "$WORK/case"
says 1 'No such file'
mkdir "$WORK/case"
says 1 '^0 passed, 0 failed, 0 skipped$'
says 2 usage --nonsense
says 2 usage --only
says 2 usage another
