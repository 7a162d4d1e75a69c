/* SPDX-License-Identifier: MIT */
/* runlog.h - the log of a training run: one JSON object a line. */
#ifndef RUNLOG_H
#define RUNLOG_H

#include <elman.h>

#include <stdio.h>

typedef struct runlog {
    FILE *file;            /* NULL: no log is wanted */
    const char *path;      /* borrowed */
    int regular;           /* 1: a file that can be cut back */
    int64_t shards, ranks; /* of the run, for its lines: set after opening */
} runlog;

/* mark < 0: a new log; else the log is cut back to mark bytes and goes on
 * there.  path may be NULL (no log) or "-" (stdout).  FAILED with the sentence
 * written; likewise below. */
int runlog_open(runlog *log, const char *path, int64_t mark);
int runlog_write(runlog *log, const elman_train_report *report,
                 double tokens_per_second);
/* How many bytes all lines are, so that a checkpoint can keep the number; and,
 * on any thread, brings them to the disk.  FAILED with the sentence in why. */
int runlog_mark(const runlog *log, int64_t *mark, char *why, size_t size);
int runlog_sync(const runlog *log, char *why, size_t size);
int runlog_close(runlog *log);

#endif
