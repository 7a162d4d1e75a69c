#!/bin/sh
# SPDX-License-Identifier: MIT
# slurm.sh - the example for Slurm, with mpirun in the place of srun: a job that
# is told to end puts itself into the queue again, and the next one finishes.
# shellcheck source=tests/mpi/support/mpirun.sh
. "$(dirname "$0")/support/mpirun.sh"

make_text book.txt 200 1
mkdir bin
cat >bin/srun <<'S'
#!/bin/sh
while [ "$1" != elman ]; do
    shift
done
shift
exec mpirun --oversubscribe --bind-to none -n "$TASKS" "$ELMAN" "$@" \
    --threads 1 --quiet
S
cat >bin/scontrol <<'S'
#!/bin/sh
echo "$@" >>requeued
S
chmod +x bin/srun bin/scontrol
PATH=$WORK/bin:$PATH
TEXT=book.txt
MODEL=m
SLURM_JOB_ID=17
TASKS=2
export PATH TEXT MODEL SLURM_JOB_ID TASKS
script=$ELMAN_SOURCE/examples/slurm/train.sh

# A job that was over before it could be ended is tried again, longer.  Updates
# are few, and long: ranks that are more than the cores wait at each of them.
for epochs in 50 200 800 3200; do
    rm -f m m.* requeued
    recipe="--hidden 200 --batch 8 --shards 4 --steps 150 --epochs $epochs"
    RECIPE=$recipe sh "$script" >out 2>err &
    job=$!
    until [ -s m.log ] && [ "$(wc -l <m.log)" -ge 2 ]; do
        sleep 0.02
        kill -s 0 $job 2>/dev/null || break
    done
    kill -s USR1 $job 2>/dev/null
    wait $job || break
done
said 'ended after update'
[ "$(cat requeued)" = 'requeue 17' ] || fail 'the job is not in the queue again'
[ ! -e m ] || fail 'a job that was ended left a model'

TASKS=4
expect 0 env RECIPE="$recipe" sh "$script"
[ "$(wc -l <requeued)" -eq 1 ] || fail 'a job that is done is queued again'
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o whole --quiet $recipe
same m whole

# A job that cannot is not tried again.
TEXT=nowhere.txt
expect 1 env RECIPE="$recipe" sh "$script"
[ "$(wc -l <requeued)" -eq 1 ] || fail 'a job that failed is queued again'
exit 0
