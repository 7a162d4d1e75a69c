#!/bin/sh
# SPDX-License-Identifier: MIT
# faults.sh - what happens when ranks cannot, do not agree, or die.
# shellcheck source=tests/mpi/support/mpirun.sh
. "$(dirname "$0")/support/mpirun.sh"

make_text book.txt 200 1
options='--quiet --batch 8 --shards 4 --steps 17 --hidden 24 --updates 30'

# on_rank.sh RANK OPTIONS COMMAND...: one rank gets more options.
cat >on_rank.sh <<'S'
rank=$1
more=$2
shift 2
echo $$ >pid.$OMPI_COMM_WORLD_RANK
if [ "$OMPI_COMM_WORLD_RANK" = "$rank" ]; then
    # shellcheck disable=SC2086
    exec "$@" $more
fi
exec "$@"
S

# ---- One sentence for all, whoever's fault it is.
# shellcheck disable=SC2086
{
    expect 1 ranks 4 "$ELMAN" train nowhere.txt -o m $options
    said '^elman: nowhere.txt: '
    expect 2 ranks 4 "$ELMAN" train book.txt -o m $options --shards 2
    said '4 processes cannot share 2 shards evenly'
    expect 2 ranks 3 "$ELMAN" train book.txt -o m $options
    said '3 processes cannot share 4 shards evenly'
    expect 2 ranks 2 "$ELMAN" train book.txt -o m $options --hiden 3
    said 'unknown option --hiden'
    expect 1 ranks 2 "$ELMAN" train book.txt -o nowhere/m $options
    said 'nowhere'
    expect 1 ranks 2 "$ELMAN" train book.txt -o m $options --log /dev/full
    said '/dev/full: the log could not be written'
    expect 1 ranks 2 "$ELMAN" train book.txt -o m $options --resume nowhere
    said 'nowhere'
    expect 1 ranks 2 sh on_rank.sh 1 '--valid no.txt' \
        "$ELMAN" train book.txt -o m $options --valid book.txt
    said '^elman: rank 1: no.txt: '
    expect 1 ranks 4 sh on_rank.sh 2 '--lr 0.5' \
        "$ELMAN" train book.txt -o m $options --lr 0.1
    said 'rank 2 has other texts, options, models or checkpoints than rank 0'
    expect 1 ranks 2 sh on_rank.sh 1 '--max-tokens 3000' \
        "$ELMAN" train book.txt -o m $options
    said 'rank 1 has other texts, options, models or checkpoints than rank 0'
    "$ELMAN" train book.txt -o base $options --batch 16
    "$ELMAN" train book.txt -o base2 $options --batch 16 --seed 1
    tune=${options%--hidden*}
    expect 1 ranks 2 sh on_rank.sh 1 '--from base2' \
        "$ELMAN" train book.txt -o m $tune --updates 30 --from base
    said 'rank 1 has other texts, options, models or checkpoints than rank 0'
    expect 1 ranks 2 sh on_rank.sh 1 '--from nowhere' \
        "$ELMAN" train book.txt -o m $tune --updates 30 --from base
    said '^elman: rank 1: nowhere: '
    expect 1 ranks 2 sh on_rank.sh 1 '--isa none' \
        "$ELMAN" train book.txt -o m $options
    said "^elman: rank 1: .*none"
    # Where the others were not told they are not waited for.
    expect 1 ranks 2 env TMPDIR=/nowhere "$ELMAN" train book.txt -o - $options
    said '^elman: /nowhere: no temporary file'
}
[ ! -e m ] || fail 'a run that failed left a model'

# ---- Without the wing nothing starts, and nobody overwrites anybody's model.
cp "$ELMAN" alone
# shellcheck disable=SC2086
expect 1 ranks 2 ./alone train book.txt -o m $options
grep -q 'this elman has no MPI: ' err || fail 'it is not said that there is none'
[ ! -e m ] || fail 'a process without the others left a model'
expect 0 ranks 2 ./alone info

# long_run: work without an end in the background, job $!, when it is under way.
long_run() {
    rm -f pid.* log c c.1 c.2
    mpirun --oversubscribe --bind-to none -n 2 sh on_rank.sh 2 '' \
        "$ELMAN" train book.txt -o m --quiet --batch 8 --shards 2 \
        --hidden 300 --epochs 1000000 --schedule constant --log log \
        --checkpoint c --threads 1 >out 2>err &
    job=$!
    trap 'kill -s TERM $job 2>err.kill' EXIT
    until [ -s log ] && [ "$(wc -l <log)" -ge 5 ]; do
        sleep 0.1
        kill -s 0 $job 2>/dev/null || fail 'the run does not begin'
    done
}

# ---- A rank that dies ends the job.
long_run
kill -s KILL "$(cat pid.1)"
wait $job && fail 'a job without one of its ranks went on'
waited=0
while grep -q '^State:[[:blank:]]*[^ZX[:blank:]]' \
    "/proc/$(cat pid.0)/status" 2>/dev/null; do
    sleep 0.1
    waited=$((waited + 1))
    [ $waited -lt 1000 ] || fail 'rank 0 is still there'
done
grep -q 'signal 9' err || fail 'mpirun does not say why it ended'
[ ! -e m ] || fail 'a run that did not end left a model'

# ---- SIGUSR1, which mpirun passes on, ends after the update at hand.
long_run
kill -s USR1 $job
wait $job && fail 'an interrupted run was successful'
said 'ended after update [0-9]* of [0-9]*; to go on: mpirun -n 2 '
made=$(wc -l <log)
said "after update $made of"
[ -s c ] || fail 'there is no checkpoint'
expect 0 "$ELMAN" train book.txt -o m --resume c --checkpoint c --log log \
    --quiet --updates $((made + 10)) --epochs 1000000 --schedule constant
expect 0 "$ELMAN" train book.txt -o whole --quiet --batch 8 --shards 2 \
    --hidden 300 --epochs 1000000 --schedule constant --updates $((made + 10))
same m whole
[ "$(wc -l <log)" -eq $((made + 10)) ] || fail 'the log did not go on'
exit 0
