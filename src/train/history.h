/* SPDX-License-Identifier: MIT */
/* history.h - what a model says of how it was trained: one JSON object of the
 * run that made it.
 *
 * Where that went on from another model, "runs" counts the runs one after the
 * other as far as they are known, this one included, and "from" has the plain
 * members of that model's own history: none where it is not known, and nothing
 * of what that one came from, so that the text stays short however often it is
 * done again. */
#ifndef EL_HISTORY_H
#define EL_HISTORY_H

#include "trainer.h"

/* The run goes on from a model with this history ("": it is not known). */
elman_status el_history_follow(elman_trainer *trainer, const char *history);
/* The same, from what a checkpoint of that run says. */
elman_status el_history_recall(elman_trainer *trainer, const char *history);

#endif
