/* SPDX-License-Identifier: MIT */
/* progress.h - how far a training run is: one line that is rewritten on a
 * terminal, a plain line now and then elsewhere. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <elman.h>

typedef struct progress {
    int quiet, terminal;
    int open;             /* 1: an unfinished line is on the terminal */
    int reading;          /* 1: it is about reading */
    int64_t epochs;       /* 0: no limit */
    int64_t updates;      /* of the whole run */
    int64_t first_update; /* made before this start, */
    int64_t first_tokens; /* and predicted */
    double start;         /* seconds */
    double shown;         /* when the last line was written, */
    double epoch_start;   /* and when this epoch began */
    double valid_loss;    /* the last one; NaN before there is one */
} progress;

/* For elman_text_desc: how far the files are read, where that takes a while.
 * user is a progress that was begun by progress_reading; progress_end ends
 * it. */
void progress_reading(progress *p, int quiet);
void progress_read(void *user, int64_t done, int64_t total);

/* updates and epochs are the run's; the rest of the time is counted from
 * here. */
void progress_start(progress *p, int quiet, int64_t updates, int64_t epochs);
/* After every update.  The first report tells what an earlier start did. */
void progress_update(progress *p, const elman_train_report *report,
                     int64_t update_tokens);
/* Seconds since the start. */
double progress_seconds(const progress *p);
/* Leaves the line as it is and goes on below it; one about reading goes. */
void progress_end(progress *p);

#endif
