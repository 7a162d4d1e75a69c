#!/bin/sh
# SPDX-License-Identifier: MIT
# The checker of golden files finds what is wrong with a file, and survives it.
set -eu

vectors=$ELMAN_SOURCE/tests/golden/vectors
recurrent=rnn_tanh_t5_b7_d13_h17_l2
packed=lstm_t6_b3_d2_h4_l2_p3_bi_packed
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

# place TENSOR: from which byte of the file to which one its numbers are.
place() {
    length=$(od -An -tu8 -N8 "$file" | tr -d ' ')
    span=$(head -c $((8 + length)) "$file" | tail -c "$length" |
        sed -n "s/.*\"$1\":{[^}]*_offsets\":\[\([0-9,]*\)\]}.*/\1/p")
    if [ -z "$span" ]; then
        echo "$file has no tensor $1"
        exit 1
    fi
    begin=$((8 + length + ${span%,*}))
    end=$((8 + length + ${span#*,}))
}

# put OFFSET: writes what comes in over what is there.
put() {
    dd of="$file" bs=1 seek="$1" conv=notrunc 2>"$WORK/dd"
}

# spoil one|least TENSOR: its last number becomes 1, or one that is less than
# every tolerance.
spoil() {
    place "$2"
    case $1-$2 in
    one-*.f32) printf '\000\000\200\077' | put $((end - 4)) ;;
    one-*) printf '\000\000\000\000\000\000\360\077' | put $((end - 8)) ;;
    *.f32) printf '\167\314\053\062' | put $((end - 4)) ;;
    *) printf '\021\352\055\201\231\227\161\075' | put $((end - 8)) ;;
    esac
}

# swap I J GATES TENSOR...: gates I and J of those that lie one below the other
# in each of them, in both precisions.
swap() {
    first=$1
    second=$2
    gates=$3
    shift 3
    for tensor; do
        for name in "$tensor" "$tensor.f32"; do
            place "$name"
            size=$(((end - begin) / gates))
            from=$((begin + first * size))
            to=$((begin + second * size))
            tail -c +$((from + 1)) "$file" | head -c $size >"$WORK/first"
            tail -c +$((to + 1)) "$file" | head -c $size >"$WORK/second"
            put $from <"$WORK/second"
            put $to <"$WORK/first"
        done
    done
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

# One wrong number in one precision, wherever something is compared.
for name in hn cn grad.h0 grad.c0 grad.weight_hr_l0 grad.weight_hr_l1_reverse \
    grad.weight_ih_l1 grad.weight_hh_l0_reverse grad.bias_ih_l1_reverse \
    grad.bias_hh_l0 y grad.x; do
    fresh "$packed"
    spoil one $name
    says 1 "^FAIL $packed f64 $name: error"
    fresh "$packed"
    spoil one $name.f32
    says 1 "^FAIL $packed f32 $name: error"
done

# Past a sequence's end nothing but 0 will do; the last steps of this case are
# past all ends.  What goes in there is not looked at.
for name in y grad.x y.f32 grad.x.f32; do
    fresh "$packed"
    spoil least $name
    says 1 "^FAIL $packed ${name%.f32} is not 0 past the end of sequence 2"
done
fresh "$packed"
for name in x dy x.f32 dy.f32; do
    spoil one $name
done
says 0 "^ok $packed "

# reorder "I J GATES" PREFIX...: swaps the gates of the first layer.
reorder() {
    which=$1
    shift
    for prefix; do
        # shellcheck disable=SC2086
        swap $which $prefix.weight_ih_l0 $prefix.weight_hh_l0 \
            $prefix.bias_ih_l0 $prefix.bias_hh_l0
    done
}

# Gates in another order, of parameters and gradients alike; in their own order
# again; and in another one of the gradients alone.
for order in 'lstm_t6_b3_d4_h7_l1 0 1 4' 'lstm_t6_b3_d4_h7_l1 2 3 4' \
    'gru_t6_b3_d4_h7_l1 0 1 3'; do
    case=${order%% *}
    fresh "$case"
    reorder "${order#* }" param grad
    says 1 "^FAIL $case f32 y: error"
    reorder "${order#* }" param grad
    says 0 "^ok $case "
    reorder "${order#* }" grad
    says 1 "^FAIL $case f32 grad.weight_ih_l0: error"
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

# spoiled NAME CHANGE: what is not there, or does not fit, is found.
spoiled() {
    fresh "$1"
    sed -i "$2" "$file"
    if cmp -s "$file" "$vectors/$1.safetensors"; then
        echo "$2 changes nothing"
        exit 1
    fi
    says 1 "^FAIL $1 "
}

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
    spoiled "$recurrent" "$change"
done
for change in 's/"cell":"lstm"/"cell":"gru" /' \
    's/"proj_size":"3"/"proj_size":"4"/' 's/"proj_size":"3"/"proj_size":"0"/' \
    's/"bidirectional":"1"/"bidirectional":"0"/' \
    's/"packed":"1"/"packed":"0"/' 's/"seq_len":"6"/"seq_len":"3"/' \
    's/"lengths"/"lengthy"/' 's/"c0"/"d0"/' 's/"dcn"/"dcm"/' 's/"cn"/"cm"/' \
    's/"grad.c0"/"grad.d0"/' 's/weight_hr_l1_reverse"/weight_hr_l1_forward"/'; do
    spoiled "$packed" "$change"
done
fresh "$packed"
place lengths
printf '\007' | put "$begin"
says 1 "^FAIL $packed lengths: element 0 is 7 "
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
