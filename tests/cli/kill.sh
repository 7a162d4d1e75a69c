#!/bin/sh
# SPDX-License-Identifier: MIT
# kill.sh - a run that is killed again and again, at any moment, ends in the
# same file as one that is not.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1

# run ARGUMENT...: starts the run, or goes on with it.
run() {
    resume=
    [ ! -e c ] && [ ! -e c.1 ] || resume='--resume c'
    # shellcheck disable=SC2086
    exec "$ELMAN" train book.txt -o m --threads 2 --quiet --log log \
        --checkpoint c $resume "$@" >out 2>err
}

# killed EVERY OPTION...: kills the run with EVERY updates between two
# checkpoints, whenever the log has so many lines; 1 where it was over too soon.
killed() {
    every=$1
    shift
    rm -f m c c.1 c.2 log
    "$ELMAN" train book.txt -o whole --quiet --log whole.log "$@" \
        >out 2>err || fail 'the run without a kill failed'
    updates=$(wc -l <whole.log)
    kills=0
    for share in 1 5 10 11 25 40 41 42 60 75 90 99; do
        run --checkpoint-every "$every" "$@" &
        pid=$!
        lines=$((updates * share / 100 + 1))
        while kill -0 $pid 2>/dev/null; do
            [ "$(wc -l <log)" -lt $lines ] || break
        done 2>/dev/null
        kill -s KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
        status=$?
        [ $status -eq 137 ] || [ $status -eq 0 ] ||
            fail "status $status of a run that was to be killed"
        [ $status -ne 137 ] || kills=$((kills + 1))
    done
    echo "killed $kills times, every $every of $updates updates a checkpoint"
    [ $kills -ge 3 ]
}

# survives EVERY EPOCHS OPTION...
survives() {
    every=$1
    epochs=$2
    shift 2
    until killed "$every" "$@" --epochs "$epochs"; do
        epochs=$((epochs * 4))
        [ $epochs -lt 200 ] || fail 'the run ends faster than it can be killed'
    done
    (run --checkpoint-every "$every" "$@" --epochs "$epochs") ||
        fail 'the run cannot go on'
    same m whole
    sed 's/, "tokens_per_second.*//' log >a
    sed 's/, "tokens_per_second.*//' whole.log >b
    same a b
}

survives 3 3 --hidden 100 --batch 4 --steps 20 --valid-fraction 0.1 \
    --schedule halve --lr 0.02
survives 1 2 --hidden 64 --batch 4 --steps 20 --sampling random
survives 7 2 --hidden 100 --batch 4 --steps 20 --cell none \
    --context 3 --optimizer momentum --lr 0.05
survives 2 2 --hidden 40 --batch 4 --steps 20 --cell lstm --layers 2 \
    --proj 24 --embed 24 --tie --dropout 0.3 --weight-drop 0.1
survives 5 3 --hidden 64 --batch 4 --steps 20 --cell gru --layers 2 \
    --dropout 0.3 --locked --valid-fraction 0.1 --stop-after 9 --average 0.99
exit 0
