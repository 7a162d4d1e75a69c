#!/bin/sh
# SPDX-License-Identifier: MIT
# command.sh - ONNX in `elman convert`: its options, what is wrong, and a build
# without it.
# shellcheck source=tests/cli/support/checks.sh
. "$ELMAN_SOURCE/tests/cli/support/checks.sh"

make_text book.txt 40 1
expect 0 quick book.txt -o lm.safetensors --epochs 1 --cell gru --embed 5
printf 'x' >none.onnx
expect 1 "$ELMAN" convert none.onnx none.safetensors
if grep -q 'without protobuf-c' err; then
    sentence 'none.onnx: this library was built without protobuf-c, and reads'
    refused 1 'lm.onnx: this library was built without protobuf-c' \
        convert lm.safetensors lm.onnx
    [ ! -e lm.onnx ] || fail 'something was written'
    exit 0
fi
sentence 'none.onnx: it is no ONNX model, or damaged'
[ ! -e none.safetensors ] || fail 'something was written'

# ---- There and back; to another dtype on the way.
expect 0 "$ELMAN" convert lm.safetensors lm.onnx
grep -q 'lm.onnx: a language model of [0-9]* tokens, gru' out ||
    fail 'the summary'
expect 0 "$ELMAN" convert lm.onnx back.safetensors
same lm.safetensors back.safetensors
expect 0 "$ELMAN" convert lm.onnx wide.onnx --dtype f64
expect 0 "$ELMAN" convert wide.onnx back.safetensors
expect 0 "$ELMAN" convert lm.safetensors wide.safetensors --dtype f64
same wide.safetensors back.safetensors
expect 0 "$ELMAN" convert lm.onnx lengths.onnx --lengths
expect 0 "$ELMAN" convert lengths.onnx back.safetensors
same lm.safetensors back.safetensors

# ---- Another vocabulary of as many tokens is another model of the same weights.
vocabulary() {
    printf '["<unk>"'
    i=1
    while [ "$i" -lt "$1" ]; do
        printf ', "\\u%04x"' $((1000 + i))
        i=$((i + 1))
    done
    printf ']'
}
expect 0 "$ELMAN" info lm.safetensors --json
tokens=$(json vocabulary out)
vocabulary "$tokens" >vocab.json
expect 0 "$ELMAN" convert lm.onnx other.safetensors --vocab vocab.json
printf '\317\251\317\252' >text
expect 0 "$ELMAN" eval other.safetensors text
vocabulary 3 >vocab.json
refused 1 'vocab.json has 3' \
    convert lm.onnx new.safetensors --vocab vocab.json

# ---- What goes together.
refused 2 'lengths is of OUT.onnx' \
    convert lm.safetensors new.safetensors --lengths
refused 2 'a graph says by itself what is what' \
    convert lm.onnx new.safetensors --rnn rnn
refused 2 'a graph says by itself what its layers are' \
    convert lm.onnx new.safetensors --cell gru
refused 1 'missing.onnx: .*No such file' \
    convert missing.onnx new.safetensors
refused 1 'nowhere' convert lm.safetensors nowhere/lm.onnx
head -c 300 lm.onnx >cut.onnx
refused 1 'cut.onnx: it is no ONNX model, or damaged' \
    convert cut.onnx new.safetensors
expect 0 quick book.txt -o none.safetensors --epochs 1 --cell none --context 2
refused 1 'new.onnx: the model has no hidden state' \
    convert none.safetensors new.onnx
if [ -e new.safetensors ] || [ -e new.onnx ]; then
    fail 'something was written'
fi
exit 0
