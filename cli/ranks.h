/* SPDX-License-Identifier: MIT */
/* ranks.h - `elman train` as one of the processes that mpirun or srun started.
 *
 * Nothing here links MPI: the wing, libelman-mpi.so beside the command or in
 * the folder where it was installed, is opened when it is needed. */
#ifndef RANKS_H
#define RANKS_H

#include <elman.h>

/* Which of the processes this is, as the environment has it: 0 where it was
 * started alone.  Above 0 sentences are kept back until ranks_end. */
int ranks_look(void);
/* Connects the processes; a process that was started alone is one rank.
 * FAILED with the sentence written. */
int ranks_begin(elman_ranks *out);
/* The greatest of all ranks' numbers, 0 ... 127. */
int ranks_most(const elman_ranks *ranks, int mine);
/* This process's exit status, or FAILED, without a sentence, where another
 * rank's is not DONE. */
int ranks_agree(const elman_ranks *ranks, int status);
/* The same where it is known that one failed. */
int ranks_follow(int status);
/* For input_path: what rank 0 has in block is on all afterwards; FAILED if they
 * cannot be reached. */
int ranks_spread(const elman_ranks *ranks, void *block, int64_t bytes);
/* Ends the connection with this process's exit status, and gives it back.  Of
 * ranks that failed the first one speaks. */
int ranks_end(const elman_ranks *ranks, int status);

#endif
