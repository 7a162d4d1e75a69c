#!/bin/sh
# SPDX-License-Identifier: MIT
# truncation.sh - where gradients are cut off in time: the same bits on any
# machine, after a stop, and as before; what does not go together is said.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 150 1

# ---- As far back as --steps is what there was before.
expect 0 quick book.txt -o plain --epochs 2
expect 0 quick book.txt -o said --epochs 2 --truncation regular --back 10
same plain said

# ---- Each is a run of its own, on any machine, whole or stopped.
for how in '--back 25' '--truncation random --cut 0.3' '--truncation none'; do
    steps=10
    [ "$how" = '--truncation none' ] && steps=
    for more in '' '--dropout 0.2 --cell lstm --layers 2 --shards 2'; do
        # run MODEL OPTION...
        run() {
            model=$1
            shift
            # shellcheck disable=SC2086
            expect 0 "$ELMAN" train book.txt -o "$model" --hidden 16 --batch 4 \
                ${steps:+--steps $steps} --lr 0.003 --quiet --epochs 4 \
                --valid-fraction 0.1 $how $more "$@"
        }
        run whole --threads 1 --log log
        cmp -s whole plain && fail "$how changes nothing"
        valid_json log
        run again --threads 3 --isa c
        same whole again
        updates=$(wc -l <log)
        rm -f c c.1 c.2
        run again --checkpoint c --checkpoint-every $(((updates + 1) / 2))
        same whole again
        [ -e c.1 ] || mv c c.1
        expect 0 "$ELMAN" train book.txt -o again --quiet --resume c.1
        same whole again
        [ "$(json tokens log)" -gt 0 ] || fail 'no tokens in the log'
    done
done
"$ELMAN" info whole >out 2>err
grep -q 'none' out || fail 'the model does not say how it was trained'

# Without truncation an epoch is one update, of all the text; segments of random
# length are of as many tokens together as pieces are.
expect 0 "$ELMAN" train book.txt -o m --hidden 8 --truncation none --epochs 3 \
    --quiet --json
[ "$(json updates out)" -eq 3 ] || fail 'an epoch is not one update'
tokens=$(wc -c <book.txt)
[ "$(json tokens out)" -eq $(((tokens - 1) / 32 * 32 * 3)) ] ||
    fail 'whole rows were not learned'
expect 0 quick book.txt -o m --epochs 3 --json
cp out plain.json
expect 0 quick book.txt -o m --epochs 3 --json --truncation random --log log
[ "$(json tokens out)" -eq "$(json tokens plain.json)" ] ||
    fail 'tokens are missing, or come twice'
less "$(json updates out)" "$(json updates plain.json)" ||
    fail 'nothing was left uncut'
[ "$(json updates out)" -eq "$(wc -l <log)" ] || fail 'updates, and the log'

# ---- What does not agree with a checkpoint.
rm -f c c.1 c.2
expect 0 quick book.txt -o m --epochs 2 --back 25 --checkpoint c
refused 1 'c: has --back 25, which cannot become --back 30' \
    train book.txt -o m --resume c --back 30
refused 1 'c: has --truncation regular, which cannot become' \
    train book.txt -o m --resume c --truncation none

# ---- What does not go together.
refused 2 '--back 5 is below --steps 10' \
    train book.txt -o m --steps 10 --back 5
refused 2 '--back means nothing with --truncation random' \
    train book.txt -o m --back 50 --truncation random
refused 2 '--cut means nothing with --truncation regular' \
    train book.txt -o m --cut 0.5
refused 2 '--steps means nothing with --truncation none' \
    train book.txt -o m --steps 5 --truncation none
refused 2 '--truncation goes with --sampling sequential' \
    train book.txt -o m --truncation none --sampling random
refused 2 '--back goes with --sampling sequential' \
    train book.txt -o m --back 50 --sampling random
refused 2 '--truncation means nothing with --cell none' \
    train book.txt -o m --truncation random --cell none
refused 2 'cut .* greater than 0' \
    train book.txt -o m --truncation random --cut 0
printf 'short' >short.txt
refused 1 'shorter than one minibatch: 5 tokens, and 32 sequences of 1 steps' \
    train short.txt -o m --truncation none
exit 0
