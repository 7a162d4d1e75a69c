#!/bin/sh
# SPDX-License-Identifier: MIT
# dynamic.sh - eval --dynamic: the model learns from what it has foretold, and
# its file stays as it is.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
awk 'BEGIN { for (i = 0; i < 400; i++) print "the lamp and the door" }' >new.txt
expect 0 quick book.txt -o m --cell gru --hidden 32 --epochs 2
cp m before

# nats ARGUMENT...: of new.txt.
nats() {
    expect 0 "$ELMAN" eval m new.txt --json "$@"
    json nats_per_token out
}
below() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'
}

plain=$(nats)
dynamic=$(nats --dynamic --lr 0.002)
updates=$(json updates out)
tokens=$(json tokens out)
same m before
below "$dynamic" "$(awk -v x="$plain" 'BEGIN { print x / 2 }')" ||
    fail "$dynamic is not far below $plain"
[ "$updates" -eq $((tokens / 32)) ] || fail "$updates updates"

# Rates that are nothing, threads, levels, and where the text comes from.
[ "$(nats --dynamic --lr 0)" = "$plain" ] || fail 'with no rate'
[ "$(nats --dynamic --lr 0.002 --threads 1)" = "$dynamic" ] || fail '1 thread'
[ "$(nats --dynamic --lr 0.002 --isa c)" = "$dynamic" ] || fail 'level c'
expect 0 "$ELMAN" eval m - --json --dynamic --lr 0.002 <new.txt
[ "$(json nats_per_token out)" = "$dynamic" ] || fail 'from stdin'
for optimizer in sgd momentum adam adamw rmsprop; do
    below "$(nats --dynamic --optimizer $optimizer)" "$plain" ||
        fail "$optimizer does not learn"
done
below "$dynamic" "$(nats --dynamic --lr 0.002 --pull 0.5)" || fail 'pull'
expect 0 "$ELMAN" eval m new.txt --dynamic --dtype bf16 --steps 50
grep -q '^updates  *[1-9]' out || fail 'no updates are told'

refused 2 '--lr means nothing without --dynamic' eval m new.txt --lr 1
refused 2 '--pull' eval m new.txt --dynamic --pull 2
refused 1 'INT8' eval m new.txt --dynamic --dtype int8
refused 1 'infinite' eval m new.txt --dynamic --optimizer sgd --lr 1e39 \
    --clip 0
same m before
exit 0
