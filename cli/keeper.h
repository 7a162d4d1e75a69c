/* SPDX-License-Identifier: MIT */
/* keeper.h - checkpoints that are written while training goes on.
 *
 * What is to be kept is copied, and a thread of its own brings it to the disk;
 * one is written at a time.  Every rank calls these functions, and rank 0
 * writes. */
#ifndef KEEPER_H
#define KEEPER_H

#include "progress.h"
#include "ranks.h"
#include "runlog.h"

#include <elman.h>

#include <pthread.h>
#include <stdatomic.h>

typedef struct keeper {
    /* To be set, and borrowed. */
    const char *path;
    const runlog *log;
    progress *line; /* that a complaint must not stand in */
    const elman_ranks *ranks;
    const elman_trainer *trainer;

    elman_snapshot *snapshot;
    pthread_t thread;
    int running;      /* 1: there is a thread to be waited for, */
    atomic_int ended; /* and 1: it need not be waited for long */
    int64_t update;   /* that is being written */
    int status;
    char why[1024];  /* where it is not DONE */
    char said[1024]; /* the last complaint, not to be repeated */

    int64_t kept; /* the last update that the disk holds; -1: none */
    int failed;   /* 1: the last one could not be written */
    double stall; /* the longest that training stood still for one, and */
    double wrote; /* that one took to be written, in seconds */
} keeper;

/* likely: 1 if any will be written, whose memory is then made. */
void keeper_open(keeper *k, int likely);
/* Whether one is still being written; takes note of one that is not. */
int keeper_busy(keeper *k);
/* Begins to write one of the trainer as it stands after this update; none may
 * be being written. */
void keeper_begin(keeper *k, int64_t update);
/* Writes one at once, after what is being written, unless the disk has it. */
void keeper_now(keeper *k, int64_t update);
void keeper_close(keeper *k);

#endif
