/* SPDX-License-Identifier: MIT */
/* keeper.c - see keeper.h.  A checkpoint that cannot be written is said once
 * and does not end the run: the next one may go well, and the one before it is
 * still there. */
#include "keeper.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

/* Memory that could not be had is asked for, and missed, when it is needed. */
void keeper_open(keeper *k, int likely)
{
    k->kept = -1;
    if (likely)
        elman_trainer_snapshot(k->trainer, 0, &k->snapshot);
}

static void take_note(keeper *k)
{
    k->failed = k->status != DONE;
    if (!k->failed) {
        k->kept = k->update;
        k->said[0] = '\0';
    } else if (strcmp(k->why, k->said) != 0) {
        progress_end(k->line);
        complain("%s", k->why);
        memcpy(k->said, k->why, sizeof k->said);
    }
}

static int library(keeper *k, elman_status status)
{
    if (status == ELMAN_OK)
        return DONE;
    snprintf(k->why, sizeof k->why, "%s", elman_message());
    return FAILED;
}

static void wait_for_it(keeper *k)
{
    if (!k->running)
        return;
    pthread_join(k->thread, NULL);
    k->running = 0;
    take_note(k);
}

int keeper_busy(keeper *k)
{
    const int mine = k->running && !atomic_load(&k->ended);

    if (ranks_most(k->ranks, mine) > 0)
        return 1;
    wait_for_it(k);
    return 0;
}

/* The log goes first, so that the checkpoint does not know of lines that the
 * disk has not. */
static void *write_it(void *arg)
{
    keeper *k = arg;
    const double begin = now_seconds();

    k->status = runlog_sync(k->log, k->why, sizeof k->why);
    if (k->status == DONE)
        k->status = library(k, elman_snapshot_write(k->snapshot, k->path));
    const double took = now_seconds() - begin;
    k->wrote = took > k->wrote ? took : k->wrote;
    atomic_store(&k->ended, 1);
    return NULL;
}

/* Of all ranks: the length of the log is known. */
static int mark_log(keeper *k, int64_t *mark)
{
    k->status = runlog_mark(k->log, mark, k->why, sizeof k->why);
    if (ranks_most(k->ranks, k->status) == DONE)
        return DONE;
    if (k->status == DONE)
        snprintf(k->why, sizeof k->why, "the log could not be written");
    return FAILED;
}

static int copy(keeper *k)
{
    int64_t mark;

    k->status = mark_log(k, &mark);
    if (k->status == DONE)
        k->status =
            library(k, elman_trainer_snapshot(k->trainer, mark, &k->snapshot));
    return k->status;
}

void keeper_begin(keeper *k, int64_t update)
{
    const double begin = now_seconds();

    k->update = update;
    if (copy(k) == DONE) {
        atomic_store(&k->ended, 0);
        k->running = pthread_create(&k->thread, NULL, write_it, k) == 0;
        if (!k->running)
            write_it(k);
    }
    if (!k->running)
        take_note(k);
    const double stood = now_seconds() - begin;
    k->stall = stood > k->stall ? stood : k->stall;
}

void keeper_now(keeper *k, int64_t update)
{
    int64_t mark;

    wait_for_it(k);
    if (ranks_most(k->ranks, k->kept != update) == 0)
        return;
    k->update = update;
    k->status = mark_log(k, &mark);
    if (k->status == DONE) {
        const int synced = runlog_sync(k->log, k->why, sizeof k->why);
        k->status =
            library(k, elman_trainer_checkpoint(k->trainer, k->path, mark));
        if (synced != DONE)
            k->status = FAILED;
    }
    take_note(k);
}

void keeper_close(keeper *k)
{
    wait_for_it(k);
    elman_snapshot_destroy(&k->snapshot);
}
