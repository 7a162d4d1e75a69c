/* SPDX-License-Identifier: MIT */
/* keeper.c - see keeper.h.  A checkpoint that cannot be written is said once
 * and does not end the run: the next one may go well, and the one before it is
 * still there. */
#include "keeper.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

void keeper_open(keeper *k, const char *path, const runlog *log, progress *line)
{
    *k = (keeper){.path = path, .log = log, .line = line, .kept = -1};
}

static void take_note(keeper *k)
{
    k->failed = k->why[0] != '\0';
    if (!k->failed)
        k->kept = k->update;
    else if (strcmp(k->why, k->said) != 0) {
        progress_end(k->line);
        complain("%s", k->why);
    }
    memcpy(k->said, k->why, sizeof k->said);
}

static void note_library(keeper *k, elman_status status)
{
    k->why[0] = '\0';
    if (status != ELMAN_OK)
        snprintf(k->why, sizeof k->why, "%s", elman_message());
}

/* The log goes first, so that the checkpoint does not know of lines that the
 * disk has not. */
static void *write_it(void *arg)
{
    keeper *k = arg;
    const double begin = now_seconds();

    k->why[0] = '\0';
    if (runlog_sync(k->log, k->why, sizeof k->why) == DONE)
        note_library(k, elman_snapshot_write(k->snapshot, k->path));
    const double took = now_seconds() - begin;
    k->wrote = took > k->wrote ? took : k->wrote;
    atomic_store(&k->ended, 1);
    return NULL;
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
    if (k->running && !atomic_load(&k->ended))
        return 1;
    wait_for_it(k);
    return 0;
}

void keeper_begin(keeper *k, const elman_trainer *trainer, int64_t update)
{
    const double begin = now_seconds();
    int64_t mark;

    k->update = update;
    if (runlog_mark(k->log, &mark, k->why, sizeof k->why) != DONE) {
        take_note(k);
        return;
    }
    const elman_status status =
        elman_trainer_snapshot(trainer, mark, &k->snapshot);
    if (status != ELMAN_OK) {
        note_library(k, status);
        take_note(k);
        return;
    }
    atomic_store(&k->ended, 0);
    k->running = pthread_create(&k->thread, NULL, write_it, k) == 0;
    if (!k->running) {
        write_it(k);
        take_note(k);
    }
    const double stood = now_seconds() - begin;
    k->stall = stood > k->stall ? stood : k->stall;
}

void keeper_now(keeper *k, const elman_trainer *trainer, int64_t update)
{
    int64_t mark;

    wait_for_it(k);
    if (k->kept == update)
        return;
    k->update = update;
    k->why[0] = '\0';
    if (runlog_mark(k->log, &mark, k->why, sizeof k->why) == DONE &&
        runlog_sync(k->log, k->why, sizeof k->why) == DONE)
        note_library(k, elman_trainer_checkpoint(trainer, k->path, mark));
    take_note(k);
}

void keeper_close(keeper *k)
{
    wait_for_it(k);
    elman_snapshot_destroy(&k->snapshot);
}
