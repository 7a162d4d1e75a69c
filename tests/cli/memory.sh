#!/bin/sh
# SPDX-License-Identifier: MIT
# memory.sh - what info says that a run takes, and runs within a budget.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

# member KEY <FILE: a number of what training takes.
member() {
    sed "s/.*\"train\": {[^}]*\"$1\": \([0-9]*\).*/\1/"
}

make_text book.txt 100 1
expect 0 quick book.txt -o m --updates 1
expect 0 "$ELMAN" info m
grep -q '^memory  .* a step at a time$' out || fail 'info tells no memory'
grep -q 'to train (batch 4, steps 10, adam)$' out ||
    fail 'info does not tell how it was trained'
expect 0 "$ELMAN" info m --json --threads 1
valid_json out
short=$(member total <out)
[ "$(member optimizer <out)" -ge $((2 * $(member gradient <out) - 80)) ] ||
    fail 'Adam keeps fewer than two moments'
expect 0 "$ELMAN" info m --json --threads 1 --steps 20
longer=$(member total <out)
expect 0 "$ELMAN" info m --json --threads 1 --steps 80 --batch 8
longest=$(member total <out)
if [ "$short" -ge "$longer" ] || [ "$longer" -ge "$longest" ]; then
    fail 'longer and wider runs do not take more'
fi
expect 1 "$ELMAN" info m --steps 4000000000000000000
grep -q 'more memory than can be counted' err || fail 'nothing is refused'

# The same model within any budget that will do, also where it goes on.
# shellcheck disable=SC2317
learn() {
    quick book.txt --threads 1 --cell lstm --batch 2 --steps 1000 --updates 3 \
        --dropout 0.2 --layers 2 "$@"
}
expect 0 learn -o whole
expect 1 learn -o little --memory 1KB
grep -q 'memory of 1000 bytes is too little' err || fail "1 KB: $(cat err)"
least=$(sed 's/.*would do is \([0-9]*\).*/\1/' err)
expect 0 learn -o least --memory "$least"
same whole least
expect 1 learn -o little --memory $((least - 1))
expect 0 learn -o more --memory $((least + 60000))
same whole more
expect 0 learn -o part --memory "$least" --updates 2 --checkpoint part.checkpoint
expect 0 learn -o rest --resume part.checkpoint --memory 800K
same whole rest
expect 0 "$ELMAN" info whole --json --threads 1 \
    --memory $((least + 60000))
valid_json out
for wrong in 4X 4MBB -4 x 1e99 ''; do
    refused 2 '--memory' train book.txt -o m --memory "$wrong"
done

# bench says the same gradient, and what it took.
gradient() {
    expect 0 "$ELMAN" bench --workload long --steps 200 --threads 1 --tsv \
        --memory "$1"
    grep '^long' out | cut -f "$2"
}
[ "$(gradient 0 13)" = "$(gradient 16M 13)" ] || fail 'the gradients differ'
[ "$(gradient 16M 10 | cut -d . -f 1)" -lt 16 ] || fail 'it took more than 16 MiB'
expect 1 "$ELMAN" bench --workload long --steps 200 --memory 1M
exit 0
