#!/bin/sh
# SPDX-License-Identifier: MIT
# interrupt.sh - Ctrl-C, a terminal that goes away, and the command that goes
# on.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text "the book.txt" 200 1
# Slow enough for a signal to come in time: float64 is plain C, and under a
# sanitizer everything is slow.
options='--batch 4 --steps 20 --threads 1 --quiet --valid-fraction 0.1'
if [ -z "${ELMAN_SANITIZE-}" ]; then
    options="$options --hidden 48 --dtype f64 --epochs 4"
else
    options="$options --hidden 48 --epochs 3"
fi
# shellcheck disable=SC2086
expect 0 "$ELMAN" train 'the book.txt' -o whole $options --log whole.log
updates=$(wc -l <whole.log)

# A shell's background jobs ignore SIGINT, so the run is in the foreground and
# its killer behind it, who waits for LINES lines in the log.
# killed SIGNAL LINES COMMAND...
killed() {
    signal=$1
    lines=$2
    shift 2
    rm -f pid
    (
        until [ -s pid ] && [ -s log ] && [ "$(wc -l <log)" -ge "$lines" ]; do
            [ ! -e ended ] || exit
        done 2>/dev/null
        kill -s "$signal" "$(cat pid)"
    ) 2>/dev/null &
    killer=$!
    # shellcheck disable=SC2016
    sh -c 'echo $$ >pid; exec "$@"' sh "$@" >out 2>err
    status=$?
    : >ended
    wait $killer
    rm -f ended
}

for signal in INT TERM HUP; do
    rm -f log m.checkpoint*
    # shellcheck disable=SC2086
    killed "$signal" 20 "$ELMAN" train 'the book.txt' -o m $options --log log
    [ $status -eq 1 ] || fail "status $status after a SIG$signal"
    sentence "after update [0-9]* of $updates; to go on: "
    [ -s m.checkpoint ] || fail 'no checkpoint was saved'
    [ ! -e m ] || fail 'a run that did not end left a model'
    made=$(wc -l <log)
    [ "$made" -lt "$updates" ] || fail 'the run ended before the signal'
    sentence "after update $made of"

    # What it says is what one types, blanks and all; a second time too.
    sed 's/.*to go on: //' err >line
    killed "$signal" $((made + 20)) sh -c "exec $(cat line)"
    [ $status -eq 1 ] || fail "status $status after a second SIG$signal"
    [ "$(grep -o -e '--resume' err | wc -l)" -eq 1 ] ||
        fail 'the command resumes twice'
    sed 's/.*to go on: //' err >line
    expect 0 sh -c "$(cat line)"
    same m whole
    [ "$(wc -l <log)" -eq "$updates" ] || fail 'the log has other lines'
    sed 's/, "tokens_per_second.*//' log >a
    sed 's/, "tokens_per_second.*//' whole.log >b
    same a b
    rm -f m
done

# --checkpoint says where it is saved.
rm -f log m.checkpoint*
# shellcheck disable=SC2086
killed INT 5 "$ELMAN" train 'the book.txt' -o m $options --log log \
    --checkpoint mine
[ $status -eq 1 ] || fail "status $status after a SIGINT"
sentence 'train --resume mine '
[ -s mine ] || fail '--checkpoint is not obeyed'
[ ! -e m.checkpoint ] || fail 'a checkpoint went elsewhere'

# A second one ends at once, in the middle of an update that takes long; but
# ThreadSanitizer keeps signals back until the program waits for something.
case ${ELMAN_SANITIZE-} in
*thread*) exit 0 ;;
esac
rm -f log pid m.checkpoint*
(
    until [ -s pid ] && [ -e log ]; do
        [ ! -e ended ] || exit
        sleep 0.05
    done
    sleep 0.5
    kill -s INT "$(cat pid)"
    sleep 0.2
    kill -s 0 "$(cat pid)" && : >alive
    kill -s INT "$(cat pid)"
) 2>/dev/null &
killer=$!
# shellcheck disable=SC2016
sh -c 'echo $$ >pid; exec "$@"' sh "$ELMAN" train 'the book.txt' -o m --quiet \
    --log log --dtype f64 --hidden 1000 --batch 16 --steps 300 --threads 1 \
    >out 2>err
status=$?
: >ended
wait $killer
[ -e alive ] || fail 'the first SIGINT did not wait for the update'
[ $status -eq 130 ] || fail "status $status after a second SIGINT"
[ ! -s err ] || fail 'a run that ended at once had something to say'
[ ! -e m.checkpoint ] || fail 'a run that ended at once left a checkpoint'
exit 0
