#!/bin/sh
# SPDX-License-Identifier: MIT
# int8.sh - models whose weights are bytes, from converting to sampling; what
# that costs, and what they cannot do.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
make_text rest.txt 60 2
expect 0 "$ELMAN" train book.txt -o m.safetensors --quiet --cell lstm \
    --hidden 48 --embed 24 --updates 80 --optimizer adam --lr 0.01
expect 0 "$ELMAN" convert m.safetensors small.safetensors --weights int8 \
    --measure rest.txt
grep -q '^small.safetensors: weights of int8.  Bits per character on rest.txt: ' \
    out || fail 'what it costs is not said'
expect 0 "$ELMAN" info small.safetensors
grep -q '^kind .*, int8$' out || fail 'it is not of int8'
expect 0 "$ELMAN" info small.safetensors --json
[ "$(json dtype out)" = int8 ] || fail 'the JSON does not say int8'
[ "$(wc -c <small.safetensors)" -lt $(($(wc -c <m.safetensors) / 2)) ] ||
    fail 'the file is not small'

# There and back changes nothing, and neither does a copy.
expect 0 "$ELMAN" convert small.safetensors full.safetensors --dtype f32
expect 0 "$ELMAN" info full.safetensors
grep -q '^kind .*, f32$' out || fail 'it has not become one of f32'
expect 0 "$ELMAN" convert full.safetensors again.safetensors --weights int8
same small.safetensors again.safetensors
expect 0 "$ELMAN" convert small.safetensors copy.safetensors
same small.safetensors copy.safetensors
expect 0 "$ELMAN" convert small.safetensors other.safetensors --weights float32
same full.safetensors other.safetensors
expect 0 "$ELMAN" convert m.safetensors wide.safetensors --dtype f64
expect 0 "$ELMAN" convert wide.safetensors again.safetensors --weights int8
same small.safetensors again.safetensors

# It predicts what the other does, but not to the last bit; at every level and
# on any number of threads the same.
loss() {
    expect 0 "$ELMAN" eval "$@" --json
    json nats_per_token out
}
whole=$(loss m.safetensors rest.txt)
bytes=$(loss small.safetensors rest.txt)
[ "$whole" != "$bytes" ] || fail 'nothing was rounded'
awk -v a="$whole" -v b="$bytes" 'BEGIN {
    exit !(a > 0 && a / b < 1.005 && b / a < 1.005)
}' || fail "the losses are $whole and $bytes"
expect 0 "$ELMAN" eval small.safetensors rest.txt --json --isa c --threads 2
mv out slow
expect 0 "$ELMAN" eval small.safetensors rest.txt --json --threads 1
same out slow
[ "$(loss m.safetensors rest.txt --dtype int8)" = "$bytes" ] ||
    fail '--dtype is another int8'
expect 0 "$ELMAN" sample small.safetensors --length 60
cp out text
expect 0 "$ELMAN" sample m.safetensors --length 60 --dtype int8
same out text
[ "$(wc -c <out)" -ge 60 ] || fail 'no text was sampled'
printf '1\n2\n3\n' >in.csv
expect 0 "$ELMAN" run small.safetensors in.csv bytes.csv
expect 0 "$ELMAN" run m.safetensors in.csv again.csv --dtype int8
same bytes.csv again.csv
expect 0 "$ELMAN" run m.safetensors in.csv full.csv
cmp -s bytes.csv full.csv && fail 'elman run rounds nothing'

# C source has the same integers, whichever file it is made of.
expect 0 "$ELMAN" convert m.safetensors a.c --weights int8 --name m --quiet
expect 0 "$ELMAN" convert small.safetensors b.c --weights int8 --name m --quiet
for file in a b; do
    sed -n '/ m_weight\|_scale\[/,/};/p' "$file.c" >"$file.list"
done
same a.list b.list

# What does not go together.
refused 2 'bfloat16 is of OUT.c alone' convert m.safetensors x.safetensors \
    --weights bfloat16
refused 2 'weights is of OUT.c or OUT.safetensors' convert m.safetensors x.onnx \
    --weights int8
refused 2 'dtype f64 and --weights int8 do not go' convert m.safetensors \
    x.safetensors --weights int8 --dtype f64
refused 2 'name is of OUT.c alone' convert m.safetensors x.safetensors --name x
refused 2 'measure goes with --weights' convert m.safetensors x.safetensors \
    --measure rest.txt
refused 1 'this is not a checkpoint' train book.txt -o x --resume \
    small.safetensors
refused 2 'int8 is for inference, and T1 trains' bench --dtype int8 \
    --workload T1
[ ! -e x.safetensors ] || fail 'something was written'

# A byte of a scale, or of an integer, that is not what it was.
size=$(wc -c <small.safetensors)
sed 's/"checksum":"................",/                              /' \
    <small.safetensors >bare
[ "$(wc -c <bare)" -eq "$size" ] || fail 'the checksum is not where it was'
expect 0 "$ELMAN" info bare
expect 0 "$ELMAN" sample bare --length 5
head -c $((size - 1)) bare >bad
printf '\200' >>bad
expect 1 "$ELMAN" sample bad --length 5
sentence 'bad: row .* and its scale, .*, are no weights of a byte'

expect 0 "$ELMAN" bench --workload S4 --threads 1 --dtype int8
grep -q '^S4 *int8 ' out || fail 'the bench does not say int8'
exit 0
