#!/bin/sh
# SPDX-License-Identifier: MIT
# shards.sh - a batch in shards: a function of their number, and of nothing
# else that was not there before.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
options='--quiet --batch 8 --steps 17 --hidden 24 --updates 30'
options="$options --valid-fraction 0.1 --layers 2 --dropout 0.2"

# train MODEL OPTION...
train() {
    model=$1
    shift
    # shellcheck disable=SC2086
    expect 0 "$ELMAN" train book.txt -o "$model" $options "$@"
}

train none
train one --shards 1
same none one
train four --shards 4 --log log
cmp -s one four && fail 'shards change nothing'
for threads in 1 2 3; do
    train again --shards 4 --threads $threads --isa c
    same four again
done
grep -q '"shards": 4, "ranks": 1}$' log || fail 'the log does not say shards'
grep -q 'shards' four || fail 'the model does not say shards'

# A run that was ended goes on, its states in their rows.
train short --shards 4 --updates 11 --checkpoint c --schedule constant
train whole --shards 4 --schedule constant
expect 0 "$ELMAN" train book.txt -o again --quiet --resume c --updates 30
same whole again
refused 1 'c: has --shards 4, which cannot become --shards 2' \
    train book.txt -o again --resume c --shards 2

refused 2 'shards 3 is not a power of two that divides --batch 32' \
    train book.txt -o m --shards 3
refused 2 'shards 16 is not a power of two that divides --batch 24' \
    train book.txt -o m --shards 16 --batch 24
exit 0
