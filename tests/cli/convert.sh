#!/bin/sh
# SPDX-License-Identifier: MIT
# convert.sh - tensors in safetensors files, our own and anybody's, become
# models; what is wrong is one sentence.  PyTorch's files: from_torch.py.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

# tensors FILE NAME:ROWS[:COLUMNS]...: an F32 file without metadata; number i
# of a tensor is (i % 7 - 3) / 8, so that nothing in it is the same by chance.
tensors() {
    file=$1
    shift
    printf '%s\n' "$@" | awk -F: -v head=header '
        {
            shape = $3 == "" ? $2 : $2 "," $3
            count = $3 == "" ? $2 : $2 * $3
            line = line comma "\"" $1 "\":{\"dtype\":\"F32\",\"shape\":[" \
                shape "],\"data_offsets\":[" at "," at + 4 * count "]}"
            comma = ","
            at += 4 * count
            for (i = 0; i < count; i++)
                print i % 7 >"numbers"
        }
        BEGIN { at = 0 }
        END {
            line = "{" line "}"
            while (length(line) % 8 != 0)
                line = line " "
            printf "%s", line >head
        }'
    size=$(wc -c <header)
    {
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((size % 256)))\\$(printf %o $((size / 256)))"
        printf '\0\0\0\0\0\0'
        cat header
        # -3/8 ... 3/8, little-endian.
        while read -r i; do
            case $i in
            0) printf '\0\0\300\276' ;;
            1) printf '\0\0\200\276' ;;
            2) printf '\0\0\0\276' ;;
            3) printf '\0\0\0\0' ;;
            4) printf '\0\0\0\76' ;;
            5) printf '\0\0\200\76' ;;
            6) printf '\0\0\300\76' ;;
            esac
        done <numbers
    } >"$file"
    rm header numbers
}

# ---- A network, by its shapes.
tensors gru.safetensors rnn.weight_ih_l0:9:2 rnn.weight_hh_l0:9:3 \
    rnn.bias_ih_l0:9 rnn.bias_hh_l0:9 head.weight:4:3 head.bias:4
expect 0 "$ELMAN" convert gru.safetensors net.safetensors
grep -q 'a network, gru, 2 numbers in, 4 out, 79 parameters' out ||
    fail 'the summary'
expect 0 "$ELMAN" info net.safetensors --json
valid_json out
[ "$(json cell out)" = gru ] || fail 'the cell'
[ "$(json kind out)" = network ] || fail 'the kind'
[ "$(json hidden out)" = 3 ] || fail 'the hidden size'
[ "$(json reset out)" = after ] || fail 'the reset gate'
expect 0 "$ELMAN" info net.safetensors
grep -q 'rnn.weight_ih_l0  *\[9,2\]' out || fail 'info shows no shapes'

# Our own file goes through as it is, and by way of f64 and back.
expect 0 "$ELMAN" convert net.safetensors again.safetensors --quiet
[ ! -s out ] || fail '--quiet is not quiet'
same net.safetensors again.safetensors
expect 0 "$ELMAN" convert net.safetensors wide.safetensors --dtype f64
expect 0 "$ELMAN" convert wide.safetensors again.safetensors --dtype f32
same net.safetensors again.safetensors
expect 0 "$ELMAN" convert - again.safetensors <net.safetensors
same net.safetensors again.safetensors
expect 0 "$ELMAN" convert gru.safetensors before.safetensors --reset before
expect 0 "$ELMAN" info before.safetensors --json
[ "$(json reset out)" = before ] || fail '--reset before'

# ---- One step of a sequence.
printf '1,2\n3,4\n' >x.csv
expect 0 "$ELMAN" run net.safetensors x.csv y.csv
tail -n 1 y.csv >y_last.csv
for decode in last final; do
    expect 0 "$ELMAN" convert gru.safetensors last.safetensors --decode $decode
    grep -q '4 out of the last step' out || fail 'the summary'
    expect 0 "$ELMAN" info last.safetensors --json
    [ "$(json decode out)" = last ] || fail "--decode $decode"
    expect 0 "$ELMAN" info last.safetensors
    grep -q '^gives *the last step of a sequence' out || fail 'info'
    expect 0 "$ELMAN" run last.safetensors x.csv y.csv
    same y.csv y_last.csv
    expect 0 "$ELMAN" run last.safetensors x.csv - --threads 1
    same out y_last.csv
done
refused 1 'it is a model, which says by itself what it gives' \
    convert last.safetensors again.safetensors --decode last

# ---- One gate has two activations.
tensors rnn.safetensors a.rnn.weight_ih_l0:3:2 a.rnn.weight_hh_l0:3:3 \
    a.rnn.weight_ih_l1:3:3 a.rnn.weight_hh_l1:3:3
for activation in tanh relu; do
    expect 0 "$ELMAN" convert rnn.safetensors net.safetensors \
        --activation $activation
    grep -q "a network, elman ($activation), 2 numbers" out || fail 'the summary'
    expect 0 "$ELMAN" info net.safetensors --json
    [ "$(json activation out)" = $activation ] || fail "--activation"
    [ "$(json layers out)" = 2 ] || fail 'the layers'
    [ "$(json bias out)" = 0 ] || fail 'the biases'
done

# ---- Names.
tensors names.safetensors x.weight_ih_l0:12:2 x.weight_hh_l0:12:3 \
    y.weight_ih_l0:9:2 y.weight_hh_l0:9:3 t.weight:5:2 out.weight:4:3 \
    other.weight:6:3 z:1
refused 1 'several recurrent networks (--rnn PREFIX picks one: x., y.)' \
    convert names.safetensors net.safetensors
refused 1 'the decoder is one of out, other (--decoder NAME' \
    convert names.safetensors net.safetensors --rnn x
refused 1 'no place for y.weight_ih_l0, y.weight_hh_l0, other.weight, z ' \
    convert names.safetensors net.safetensors --rnn x --decoder out
expect 0 "$ELMAN" convert names.safetensors net.safetensors --rnn y. \
    --decoder out.weight --embedding t --allow-unused
grep -q 'gru, 2 numbers in (embedded tokens), 4 out' out || fail 'the names'
expect 0 "$ELMAN" convert names.safetensors net.safetensors --rnn y \
    --decoder none --embedding none --allow-unused
grep -q 'gru, 2 numbers in, 3 out' out || fail 'none is not none'
refused 1 'there is no tensor w.weight (--decoder names a module)' \
    convert names.safetensors net.safetensors --rnn x --decoder w
tensors part.safetensors weight_ih_l0:12:2 weight_hh_l0:12:3 bias_hh_l0:12
refused 1 'it has no bias_ih_l0 (--allow-missing' \
    convert part.safetensors net.safetensors
expect 0 "$ELMAN" convert part.safetensors net.safetensors --allow-missing
tensors part.safetensors weight_ih_l0:12:2 weight_hh_l0:12:3 bias_ih_l0:12
refused 1 'it has no bias_hh_l0 (--allow-missing' \
    convert part.safetensors net.safetensors

# ---- An embedding and a decoder of one shape: the bias tells the decoder, and
# as many rows as it has the embedding.
tensors both.safetensors a.weight:5:3 r.weight_ih_l0:9:3 r.weight_hh_l0:9:3 \
    b.weight:5:3 b.bias:5
expect 0 "$ELMAN" convert both.safetensors net.safetensors
grep -q 'gru, 3 numbers in (embedded tokens), 5 out' out || fail 'one shape'
tensors both.safetensors a.weight:4:3 r.weight_ih_l0:9:3 r.weight_hh_l0:9:3 \
    b.weight:5:3 b.bias:5
refused 1 'a may be the embedding or not (--embedding a says that it is, ' \
    convert both.safetensors net.safetensors
expect 0 "$ELMAN" convert both.safetensors net.safetensors --embedding a
tensors both.safetensors encoder.weight:5:3 r.weight_ih_l0:9:3 \
    r.weight_hh_l0:9:3 decoder.weight:5:3
expect 0 "$ELMAN" convert both.safetensors net.safetensors
grep -q 'gru, 3 numbers in (embedded tokens), 5 out' out || fail 'by name'

# ---- Shapes that are of nothing.
tensors odd.safetensors weight_ih_l0:6:2 weight_hh_l0:6:3
refused 1 'is \[6,3\], which is of no cell' \
    convert odd.safetensors net.safetensors
tensors odd.safetensors weight_ih_l0:9:2 weight_hh_l0:12:3
refused 1 'weight_ih_l0 has not the shape that rnn.weight_ih_l0' \
    convert odd.safetensors net.safetensors
refused 1 'of a cell lstm (not --cell gru)' \
    convert odd.safetensors net.safetensors --cell gru
tensors odd.safetensors weight_hh_l0:12:3
refused 1 'there is no matrix weight_ih_l0' \
    convert odd.safetensors net.safetensors
tensors odd.safetensors something:3
refused 1 'no tensor is called weight_hh_l0' \
    convert odd.safetensors net.safetensors

# ---- A language model, there and back.
make_text book.txt 60 1
expect 0 quick book.txt -o lm.safetensors --epochs 1 --cell lstm --embed 5
expect 0 "$ELMAN" convert lm.safetensors again.safetensors
grep -q 'a language model of' out || fail 'the summary of a language model'
same lm.safetensors again.safetensors
tensors foreign.safetensors embedding.weight:4:2 rnn.weight_ih_l0:12:2 \
    rnn.weight_hh_l0:12:3 rnn.bias_ih_l0:12 rnn.bias_hh_l0:12 \
    decoder.weight:4:3 decoder.bias:4
printf '["<unk>", "a", "b", "\\n"]' >vocab.json
expect 0 "$ELMAN" convert foreign.safetensors lm.safetensors \
    --vocab vocab.json
expect 0 "$ELMAN" sample lm.safetensors --length 5 --prompt a
printf 'ab\nba\n' >text
expect 0 "$ELMAN" eval lm.safetensors text
printf '["<unk>", "a", "b"]' >vocab.json
refused 1 'takes 4 tokens and gives 4, and vocab.json has 3' \
    convert foreign.safetensors lm.safetensors --vocab vocab.json
printf '["a", "b", "c", "d"]' >vocab.json
refused 1 'vocab.json: token 0 of the vocabulary is not <unk>' \
    convert foreign.safetensors lm.safetensors --vocab vocab.json
refused 1 'nowhere.json: cannot be read: No such file' \
    convert foreign.safetensors lm.safetensors --vocab nowhere.json
refused 1 './: cannot be read: Is a directory' \
    convert foreign.safetensors lm.safetensors --vocab ./
printf 'a b c' >vocab.json
refused 1 'vocab.json: ' \
    convert foreign.safetensors lm.safetensors --vocab vocab.json
refused 1 'none.json: ' \
    convert foreign.safetensors lm.safetensors --vocab none.json
printf '["<unk>", "a"]' >vocab.json
refused 1 'has no biases, and a language model has them' \
    convert rnn.safetensors lm.safetensors --vocab vocab.json

# ---- A language model keeps its history in another dtype.
make_text book.txt 30 1
expect 0 quick book.txt -o lm.safetensors --epochs 1
expect 0 "$ELMAN" convert lm.safetensors wide.safetensors --dtype f64
expect 0 "$ELMAN" convert wide.safetensors again.safetensors --dtype f32
same lm.safetensors again.safetensors

# ---- Calls.
refused 2 'net.txt: cannot be read by its name (.*\.safetensors' \
    convert net.txt net.safetensors
refused 2 'net.pt: cannot be written by its name (.*\.safetensors' \
    convert net.safetensors net.pt
refused 1 'missing.safetensors: .*No such file' \
    convert missing.safetensors new.safetensors
refused 1 'missing.pt: ' convert missing.pt new.safetensors
printf 'no archive' >text.pt
refused 1 'text.pt: torch.save did not write it' \
    convert text.pt new.safetensors
refused 1 'nowhere' convert gru.safetensors nowhere/net.safetensors
[ ! -e new.safetensors ] || fail 'something was written'
exit 0
