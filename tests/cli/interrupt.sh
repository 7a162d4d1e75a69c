#!/bin/sh
# SPDX-License-Identifier: MIT
# interrupt.sh - Ctrl-C, a terminal that goes away, and the command that goes
# on.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text "the book.txt" 200 1
options='--batch 4 --steps 20 --threads 1 --quiet --valid-fraction 0.1
    --hidden 48'

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
            sleep 0.01
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

# interrupt SIGNAL UPDATES: a run of so many that is interrupted twice and then
# ends; 1 where it was over before that.
interrupt() {
    rm -f m log m.checkpoint*
    # shellcheck disable=SC2086
    killed "$1" 20 "$ELMAN" train 'the book.txt' -o m $options \
        --updates "$2" --log log
    [ $status -ne 0 ] || return 1
    [ $status -eq 1 ] || fail "status $status after a SIG$1"
    sentence "after update $(wc -l <log) of $2; to go on: "
    [ -s m.checkpoint ] || fail 'no checkpoint was saved'
    [ ! -e m ] || fail 'a run that did not end left a model'

    # What it says is what one types, blanks and all; a second time too.
    sed 's/.*to go on: //' err >line
    killed "$1" $(($(wc -l <log) + 20)) sh -c "exec $(cat line)"
    [ $status -ne 0 ] || return 1
    [ $status -eq 1 ] || fail "status $status after a second SIG$1"
    [ "$(grep -o -e '--resume' err | wc -l)" -eq 1 ] ||
        fail 'the command resumes twice'
    sed 's/.*to go on: //' err >line
    expect 0 sh -c "$(cat line)"
    return 0
}

# A run that is over before the second signal comes is tried again, longer.
for signal in INT TERM HUP; do
    for updates in 1000 4000 16000 64000; do
        interrupt "$signal" "$updates" && break
    done || fail 'the runs ended before the signals'
    # shellcheck disable=SC2086
    expect 0 "$ELMAN" train 'the book.txt' -o whole $options \
        --updates $updates --log whole.log
    same m whole
    [ "$(wc -l <log)" -eq "$updates" ] || fail 'the log has other lines'
    sed 's/, "tokens_per_second.*//' log >a
    sed 's/, "tokens_per_second.*//' whole.log >b
    same a b
done

# --checkpoint says where it is saved; this run has no end.
rm -f m log m.checkpoint*
# shellcheck disable=SC2086
killed INT 5 "$ELMAN" train 'the book.txt' -o m $options --log log \
    --updates 1000000000 --checkpoint mine
[ $status -eq 1 ] || fail "status $status after a SIGINT"
sentence 'train --resume mine '
[ -s mine ] || fail '--checkpoint is not obeyed'
[ ! -e m.checkpoint ] || fail 'a checkpoint went elsewhere'

# A second one ends at once, in the middle of an update that takes long; but
# ThreadSanitizer keeps signals back until the program waits for something.
case ${ELMAN_SANITIZE-} in
*thread*) exit 0 ;;
esac
# Once the program has said that it catches signals, and some more.
caught() {
    [ -s pid ] && [ -e log ] || return 1
    [ -r /proc/self/status ] || return 0
    grep -q '^SigCgt:.*[2367abef]$' "/proc/$(cat pid)/status"
}
# Where the update was over before the second one came, a longer one is tried.
for hidden in 1000 2000 4000; do
    rm -f log pid alive m.checkpoint*
    (
        until caught; do
            [ ! -e ended ] || exit
            sleep 0.05
        done
        sleep 0.5
        kill -s INT "$(cat pid)"
        sleep 0.2
        kill -s 0 "$(cat pid)" && : >alive
        while kill -s INT "$(cat pid)"; do
            sleep 0.2
        done
    ) 2>/dev/null &
    killer=$!
    # shellcheck disable=SC2016
    sh -c 'echo $$ >pid; exec "$@"' sh "$ELMAN" train 'the book.txt' -o m \
        --quiet --log log --dtype f64 --hidden $hidden --batch 16 --steps 300 \
        --threads 1 >out 2>err
    status=$?
    : >ended
    wait $killer
    rm ended
    [ $status -eq 1 ] || break
done
[ $status -eq 130 ] || fail "status $status after a second SIGINT"
[ -e alive ] || fail 'the first SIGINT did not wait for the update'
[ ! -s err ] || fail 'a run that ended at once had something to say'
[ ! -e m.checkpoint ] || fail 'a run that ended at once left a checkpoint'
exit 0
