#!/bin/sh
# SPDX-License-Identifier: MIT
# train.sh - trains on four nodes under Slurm: sbatch train.sh
#
# A job that runs out of time ends after the update at hand, leaves a checkpoint
# and puts itself into the queue again, until the model is there.  The model is
# the same whatever --nodes says, as long as --shards stays.
#SBATCH --job-name=elman
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -eu

# On a file system that all nodes see.
text=${TEXT:-book.txt}
model=${MODEL:-book.safetensors}
recipe=${RECIPE:---cell lstm --hidden 1024 --layers 2 --batch 512 --shards 16}

if [ -e "$model.checkpoint" ] || [ -e "$model.checkpoint.1" ]; then
    recipe="--resume $model.checkpoint"
fi

# srun passes the signal on to all processes; each takes the cores that it was
# bound to.
stopped=no
# shellcheck disable=SC2086
srun --mpi=pmix --kill-on-bad-exit=1 \
    --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" elman train "$text" \
    -o "$model" --log "$model.log" --checkpoint "$model.checkpoint" $recipe &
job=$!
trap 'stopped=yes; kill -s USR1 $job' USR1

# A wait that the signal ends says nothing of the job.
status=0
wait $job || status=$?
if [ $stopped = yes ]; then
    status=0
    wait $job || status=$?
fi
if [ $stopped = yes ] && [ $status -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
