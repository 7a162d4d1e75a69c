#!/bin/sh
# SPDX-License-Identifier: MIT
# probe.sh - how far back the gradient reaches: a table, a sentence, a picture.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 100 1

# linear FILE W: a model h_t = relu(W h_{t-1} + 2^-30), W as the four bytes of a
# float: all is greater than 0, so that the gradient k steps back is W^k of it.
linear() {
    header='{"rnn.weight_ih_l0":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},'
    header=$header'"rnn.weight_hh_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]},'
    header=$header'"rnn.bias_ih_l0":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},'
    header=$header'"rnn.bias_hh_l0":{"dtype":"F32","shape":[1],"data_offsets":[20,24]},'
    header=$header'"head.weight":{"dtype":"F32","shape":[3,1],"data_offsets":[24,36]},'
    header=$header'"head.bias":{"dtype":"F32","shape":[3],"data_offsets":[36,48]}}'
    while [ $((${#header} % 8)) -ne 0 ]; do
        header="$header "
    done
    {
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((${#header} % 256)))"
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((${#header} / 256)))\0\0\0\0\0\0%s" "$header"
        printf '\0\0\0\0\0\0\0\0\0\0\0\0' # what is read changes nothing
        # shellcheck disable=SC2059
        printf "$2"
        printf '\0\0\200\60\0\0\0\0'                      # 2^-30 and 0
        printf '\0\0\0\0\0\0\200\77\0\0\200\277'          # 0, 1 and -1
        printf '\0\0\0\0\0\0\0\0\0\0\0\0'
    } >tensors.safetensors
    echo '["<unk>", "a", "b"]' >vocab.json
    expect 0 "$ELMAN" convert tensors.safetensors "$1" --activation relu \
        --vocab vocab.json
}

near() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b - 1e-12 && a < b + 1e-12) }'
}

# ---- A gradient whose rate is known.
awk 'BEGIN { for (i = 0; i < 15; i++) printf "ab" }' >ab.txt
linear half.safetensors '\0\0\0\77'
expect 0 "$ELMAN" probe half.safetensors ab.txt --steps 20 --positions 5
grep -qx '# the gradient vanishes: times 0.5 each step back, a hundredth after 8' \
    out || fail 'what halves does not vanish'
expect 0 "$ELMAN" probe half.safetensors ab.txt --steps 20 --positions 5 --json
[ "$(json finding out)" = vanishing ] || fail 'the finding'
near "$(json rate out)" 0.5 || fail 'the rate'
[ "$(json hundredth out)" = 8 ] || fail 'a hundredth, in JSON'
linear double.safetensors '\0\0\0\100'
expect 0 "$ELMAN" probe double.safetensors ab.txt --steps 20 --positions 5
grep -qx '# the gradient explodes: times 2 each step back, a hundredfold after 8' \
    out || fail 'what doubles does not explode'
expect 0 "$ELMAN" probe double.safetensors ab.txt --steps 20 --positions 5 \
    --tsv
[ "$(grep -vc '^#' out)" -eq 21 ] || fail 'not a row for each step'
grep -v '^#' out | awk -F'\t' '
    NF != 4 || $1 != NR - 1 { exit 1 }
    NR == 1 { first = $2 }
    $2 < first * 2 ^ $1 * 0.999999 || $2 > first * 2 ^ $1 * 1.000001 { exit 1 }
    $3 > $2 || $2 > $4 { exit 1 }' || fail 'the norm is not doubled every time'
linear one.safetensors '\0\0\200\77'
expect 0 "$ELMAN" probe one.safetensors ab.txt --steps 20 --positions 5 --json
[ "$(json finding out)" = reaching ] || fail 'what stays does not reach back'
near "$(json rate out)" 1 || fail 'the rate of what stays'
[ "$(json hundredth out)" = null ] || fail 'a hundredth of what stays'
# Nothing is left at once: there is no rate.
linear nothing.safetensors '\0\0\0\0'
expect 0 "$ELMAN" probe nothing.safetensors ab.txt --steps 20 --positions 5
grep -q '^# the gradient vanishes at once$' out || fail 'nothing is left'
expect 0 "$ELMAN" probe nothing.safetensors ab.txt --steps 20 --positions 5 \
    --json --svg nothing.svg
[ "$(json rate out)" = null ] || fail 'the rate of nothing'
valid_json out

# ---- Every cell, each layer of its own; the same on any machine.
for cell in elman lstm gru; do
    expect 0 quick book.txt -o $cell --cell $cell --layers 2 --epochs 1
    expect 0 "$ELMAN" probe $cell book.txt --steps 30 --positions 9 --json \
        --svg $cell.svg
    cp out figures
    valid_json figures
    for key in tokens positions steps finding sentence rate mean least most \
        h1 h2; do
        grep -q "\"$key\": " figures || fail "no $key in the JSON of $cell"
    done
    grep -q '"c2": ' figures && [ $cell != lstm ] && fail "c of $cell"
    expect 0 "$ELMAN" probe $cell book.txt --steps 30 --positions 9 --json \
        --threads 1 --isa c
    same figures out
    expect 0 "$ELMAN" probe $cell book.txt --steps 30 --positions 9 --tsv
    [ "$(grep -vc '^#' out)" -eq 31 ] || fail "the rows of $cell"
done
expect 0 "$ELMAN" probe lstm - --steps 30 --positions 9 --json <book.txt
head -c 1000 book.txt >begin.txt
expect 0 "$ELMAN" probe lstm begin.txt --steps 30 --positions 9 --json
cp out figures
expect 0 "$ELMAN" probe lstm book.txt --steps 30 --positions 9 --json \
    --max-tokens 1000
same figures out

# ---- The picture is SVG, and whole.
for name in lstm nothing; do
    grep -q '^<svg xmlns="http://www.w3.org/2000/svg"' $name.svg ||
        fail 'it is no SVG'
    [ "$(tail -n 1 $name.svg)" = '</svg>' ] || fail 'it has no end'
    grep -q 'nan\|inf' $name.svg && fail 'it has numbers that are none'
    if command -v python3 >/dev/null; then
        python3 -c '
import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])' $name.svg || fail 'it is no XML'
    fi
done
[ "$(grep -c '<path fill="none"' lstm.svg)" -eq 6 ] || fail 'lines are missing'
for word in h1 h2 c1 c2 mean 'steps back' 'norm of d loss / d state'; do
    grep -q ">$word<" lstm.svg || fail "the picture does not say $word"
done
[ ! -e lstm.svg.part ] || fail 'a part is left'

# ---- What is wrong.
expect 0 quick book.txt -o none --cell none --context 3 --epochs 1
refused 1 'no hidden state: its gradient reaches back over 3 tokens' \
    probe none book.txt
refused 1 'book.txt: .* too few to look back over 100000 steps' \
    probe gru book.txt --steps 100000
refused 1 'ab.txt: 30 tokens are too few' probe gru ab.txt --steps 10
refused 1 'missing: ' probe missing book.txt
refused 1 'missing.txt: ' probe gru missing.txt
refused 1 'nowhere/x.svg: cannot be written' \
    probe gru book.txt --svg nowhere/x.svg
refused 2 'at least 1' probe gru book.txt --steps 0
refused 2 'give one' probe gru book.txt --tsv --json
refused 2 'names a file' probe gru book.txt --svg -
if [ -c /dev/full ]; then
    refused 1 '/dev/full: could not be written' \
        probe gru book.txt --svg /dev/full
    [ -c /dev/full ] || fail 'it was removed'
fi
exit 0
