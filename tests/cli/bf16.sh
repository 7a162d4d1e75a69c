#!/bin/sh
# SPDX-License-Identifier: MIT
# bf16.sh - a model whose products are of bfloat16, from training to sampling.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
make_text rest.txt 60 2
expect 0 "$ELMAN" train book.txt -o m.safetensors --quiet --cell gru --hidden 40 \
    --updates 60 --dtype bf16 --checkpoint c
for file in m.safetensors c; do
    expect 0 "$ELMAN" info "$file"
    grep -q '^kind .*, bf16$' out || fail "$file is not of bf16"
done
expect 0 "$ELMAN" info m.safetensors --json
[ "$(json dtype out)" = bf16 ] || fail 'the JSON does not say bf16'

# Weights are float32's, and the way there and back changes nothing.
expect 0 "$ELMAN" convert m.safetensors full.safetensors --dtype f32
expect 0 "$ELMAN" info full.safetensors
grep -q '^kind .*, f32$' out || fail 'it has not become one of f32'
expect 0 "$ELMAN" convert full.safetensors again.safetensors --dtype bf16
expect 0 "$ELMAN" info again.safetensors
grep -q '^kind .*, bf16$' out || fail 'it has not become one of bf16'
expect 0 "$ELMAN" convert again.safetensors back.safetensors --dtype f32
same full.safetensors back.safetensors

# It predicts what the other does, but not to the last bit.
expect 0 "$ELMAN" eval m.safetensors rest.txt --json
half=$(json nats_per_token out)
expect 0 "$ELMAN" eval full.safetensors rest.txt --json
whole=$(json nats_per_token out)
[ "$half" != "$whole" ] || fail 'nothing was rounded'
awk -v a="$half" -v b="$whole" 'BEGIN {
    exit !(a > 0 && a / b < 1.005 && b / a < 1.005)
}' || fail "the losses are $half and $whole"
expect 0 "$ELMAN" eval full.safetensors rest.txt --json --dtype bf16
[ "$(json nats_per_token out)" = "$half" ] || fail '--dtype is another bf16'
expect 0 "$ELMAN" eval m.safetensors rest.txt --json --dtype f32
[ "$(json nats_per_token out)" = "$whole" ] || fail '--dtype is another f32'
printf '1\n2\n3\n' >in.csv
expect 0 "$ELMAN" run m.safetensors in.csv half.csv
expect 0 "$ELMAN" run full.safetensors in.csv again.csv --dtype bf16
same half.csv again.csv
expect 0 "$ELMAN" run m.safetensors in.csv full.csv --dtype f32
cmp -s half.csv full.csv && fail 'elman run rounds nothing'
expect 0 "$ELMAN" sample full.safetensors --length 40 --dtype bf16
cp out text
expect 0 "$ELMAN" sample m.safetensors --length 40
same out text
[ "$(wc -c <out)" -ge 40 ] || fail 'no text was sampled'

# Training in the one is not training in the other.
expect 0 "$ELMAN" train book.txt -o other --quiet --cell gru --hidden 40 \
    --updates 60
cmp -s other full.safetensors && fail 'training rounds nothing'

# C source has no such products.
expect 1 "$ELMAN" convert m.safetensors m.c
sentence 'the model is of bfloat16'

# A file that says it of other numbers than floats is none.
expect 0 "$ELMAN" convert full.safetensors wide.safetensors --dtype f64
sed 's/"checksum":"................",/                              /
    s/"proj_size":"0","reset":"after"/"products":"bf16"              /' \
    <wide.safetensors >bad
expect 1 "$ELMAN" info bad
sentence "the metadata's products is bf16, but"

expect 0 "$ELMAN" bench --workload S4 --threads 1 --dtype bf16
grep -q '^S4 *bf16 ' out || fail 'the bench does not say bf16'
exit 0
