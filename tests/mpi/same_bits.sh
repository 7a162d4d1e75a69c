#!/bin/sh
# SPDX-License-Identifier: MIT
# same_bits.sh - mpirun -n 1, 2 and 4: the model of one process, byte for byte,
# its log, and its checkpoints, which go on with any of these numbers.
# shellcheck source=tests/mpi/support/mpirun.sh
. "$(dirname "$0")/support/mpirun.sh"

make_text book.txt 200 1
make_text rest.txt 40 2

# without LOG: its lines without what is of the time and the machine.
without() {
    sed 's/, "tokens_per_second.*//' "$1"
}

# all_equal OPTION...
all_equal() {
    expect 0 "$ELMAN" train book.txt -o one --quiet --batch 8 --shards 4 \
        --steps 17 --log one.log "$@"
    without one.log >wanted
    for count in 1 2 4; do
        rm -f m log
        expect 0 ranks $count "$ELMAN" train book.txt -o m --quiet --batch 8 \
            --shards 4 --steps 17 --log log --threads 1 "$@"
        same m one
        without log >got
        same got wanted
        grep -q "\"shards\": 4, \"ranks\": $count}\$" log ||
            fail 'the log does not state ranks'
        [ ! -s out ] || fail 'something is on stdout'
    done
}
all_equal --hidden 37 --updates 30 --valid-fraction 0.1
all_equal --cell lstm --hidden 43 --proj 19 --layers 2 --embed 19 --tie \
    --updates 12 --dropout 0.3 --weight-drop 0.2 --valid rest.txt
all_equal --cell gru --hidden 35 --layers 2 --updates 12 --sampling random \
    --dropout 0.4 --locked --epochs 2 --average 0.9
all_equal --cell none --context 3 --hidden 20 --level word --updates 12
all_equal --cell lstm --hidden 20 --updates 12 --back 40 --dropout 0.2
all_equal --hidden 20 --updates 12 --truncation random --cut 0.4
expect 0 "$ELMAN" train rest.txt -o base --quiet --batch 8 --updates 5 --cell gru \
    --hidden 20
all_equal --from base --updates 12 --average 0.9

# ---- Other numbers of ranks go on from a checkpoint.
options='--quiet --batch 8 --shards 4 --steps 17 --hidden 24 --updates 30'
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o whole $options
# shellcheck disable=SC2086
expect 0 ranks 4 "$ELMAN" train book.txt -o m $options --checkpoint c \
    --checkpoint-every 9
same m whole
# One that falls due while another is being written is made later, or not.
oldest=c.1
[ ! -e c.2 ] || oldest=c.2
for count in 1 2 4; do
    expect 0 ranks $count "$ELMAN" train book.txt -o again --quiet \
        --resume $oldest
    same again whole
done
expect 0 "$ELMAN" train book.txt -o again --quiet --resume $oldest
same again whole

# ---- Ranks on unlike machines: another cpu level, other threads.
cat >unlike.sh <<'S'
if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then
    exec "$@" --isa c --threads 3
fi
exec "$@" --threads 1
S
# shellcheck disable=SC2086
expect 0 ranks 2 sh unlike.sh "$ELMAN" train book.txt -o m $options
same m whole

# ---- From stdin, which rank 0 alone has, and to stdout.
# shellcheck disable=SC2086
ranks 2 "$ELMAN" train - -o - $options <book.txt >again 2>err ||
    fail 'stdin to stdout'
same again whole

# ---- On a terminal, or without --quiet, it is said how many they are.
expect 0 ranks 2 "$ELMAN" train book.txt -o m --updates 3 --shards 2 --json
grep -q '^2 ranks, 2 shards; [0-9]* threads\{0,1\} in rank 0$' err ||
    fail 'it is not said how many ranks there are'
[ "$(wc -l <out)" -eq 1 ] || fail 'not one line of JSON'
[ "$(json ranks out)" = 2 ] || fail 'the summary does not say ranks'
exit 0
