#!/bin/sh
# SPDX-License-Identifier: MIT
# memory.sh - what info says that a run takes.
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
exit 0
