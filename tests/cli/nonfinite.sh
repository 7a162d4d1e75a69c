#!/bin/sh
# SPDX-License-Identifier: MIT
# nonfinite.sh - an update that is not finite stops the run, or is skipped, and
# leaves nothing behind.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 100 1
# Three updates at a rate that no float32 can hold, and then a good one.
wild='--optimizer sgd --lr 1e39 --schedule step --every 3 --gamma 1e-39'

# train ARGUMENT...: with the wild rate; called by expect.
# shellcheck disable=SC2317
train() {
    # shellcheck disable=SC2086
    "$ELMAN" train book.txt --hidden 16 --batch 4 --steps 10 --threads 1 \
        --quiet $wild --updates 40 "$@"
}

# ---- The run stops at the first one, says where, and keeps what was before.
expect 1 train -o m --log log
sentence 'update 1: the weights would not stay finite, beginning at rnn\.'
sentence 'to go on without it: .*--on-nonfinite skip$'
[ ! -e m ] || fail 'a run that stopped left a model'
[ -s m.checkpoint ] || fail 'the state was not kept'
[ "$(wc -l <log)" -eq 1 ] || fail 'the log has other lines'
grep -q '"nonfinite": "rnn\.[a-z0-9_]*", "skipped": false}$' log ||
    fail "the log does not say it: $(cat log)"
sed 's/.*to go on without it: //' err >line

# ---- A loss, and a model that has learned before.
expect 1 "$ELMAN" train book.txt -o r --hidden 16 --batch 4 --steps 10 \
    --quiet --activation relu --optimizer sgd --lr 100 --clip 0 --updates 40 \
    --checkpoint c --checkpoint-every 1 --log relu.log
sentence 'the loss is not finite, beginning at '
last=$(tail -n 1 relu.log | cut -d' ' -f2 | tr -d ,)
sentence "update $last: "
[ "$last" -gt 1 ] || fail 'there was nothing to keep'
grep -c nonfinite relu.log >out
[ "$(cat out)" -eq 1 ] || fail 'other lines of the log name a tensor'
valid_json relu.log
# It stops there again.
expect 1 "$ELMAN" train book.txt -o r --quiet --resume c --log relu.log
sentence "update $last: the loss is not finite"
[ "$(wc -l <relu.log)" -eq "$last" ] || fail 'the log was not cut back'

# ---- Skipped, and counted.
expect 0 train -o skip --on-nonfinite skip --log skip.log --json
[ "$(json skipped_updates out)" -eq 3 ] || fail 'not 3 updates were skipped'
[ "$(json updates out)" -eq 40 ] || fail 'skipped updates do not count'
[ "$(head -n 3 skip.log | grep -c '"skipped": true')" -eq 3 ] ||
    fail 'the log does not name those that were skipped'
[ "$(grep -c skipped skip.log)" -eq 3 ] || fail 'others were skipped'
valid_json skip.log
expect 0 "$ELMAN" eval skip book.txt
grep -q perplexity out || fail 'the model cannot be measured'

# ---- The command that it said, and a run that is resumed in between, make the
# same model.
expect 0 sh -c "$(cat line)"
same m skip
[ "$(wc -l <log)" -eq 40 ] || fail 'the log did not go on'
expect 0 train -o two --on-nonfinite skip --updates 2 --checkpoint d \
    --checkpoint-every 1
expect 0 "$ELMAN" train book.txt -o two --quiet --resume d --updates 40
same two skip

# ---- Nothing but skipping ends.
expect 1 train -o n --every 1000 --updates 200 --on-nonfinite skip
sentence 'update 101: .*, and 100 updates before it were skipped'
exit 0
