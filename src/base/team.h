/* SPDX-License-Identifier: MIT */
/* team.h - threads that share one piece of work at a time.
 *
 * Work is a function of a part's number; parts may run in any order and on any
 * thread, so a part never waits for another. */
#ifndef EL_TEAM_H
#define EL_TEAM_H

#include "context.h"

typedef struct el_team el_team;
typedef void el_task(void *arg, int part);

/* threads >= 1.  No thread is started before there is work for it. */
el_team *el_team_create(const elman_context *context, int threads,
                        const elman_executor *executor);
void el_team_destroy(const elman_context *context, el_team *team);
int el_team_size(const el_team *team);

/* Runs task(arg, 0 ... parts-1) and returns when all are done.  One part, or a
 * team of one, is a plain call. */
void el_team_run(el_team *team, int parts, el_task *task, void *arg);

/* How many parts are worth making of so many operations (of any kind that
 * runs at some 10^11 a second); at most the team's size. */
int el_team_parts(const el_team *team, double operations);

/* The share of part in [0, n), cut at multiples of unit. */
void el_share(int64_t n, int64_t unit, int parts, int part, int64_t *from,
              int64_t *to);

#endif
