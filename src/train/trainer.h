/* SPDX-License-Identifier: MIT */
/* trainer.h - truncated back-propagation through time over a text. */
#ifndef EL_TRAINER_H
#define EL_TRAINER_H

#include "../model/lm.h"
#include "../optim/optimizer.h"
#include "../optim/watch.h"
#include "pieces.h"
#include "shards.h"
#include "truncation.h"

/* All that changes from update to update beside weights, moments and state:
 * what a checkpoint keeps.  Whole numbers and real ones lie apart, as they lie
 * in the file. */
typedef struct el_counters {
    int64_t update; /* made so far */
    int64_t tokens; /* predicted so far */
    int64_t halvings, stalls;
    int64_t waiting;    /* validations since the best one */
    int64_t best_epoch; /* 0: no validation yet */
    int64_t epoch_tokens;
    int64_t skipped;  /* updates, because they were not finite, */
    int64_t in_a_row; /* and of those the last ones without one between */
} el_counters;

typedef struct el_sums {
    double epoch_nats;
    double best_loss, last_valid;
    double last_loss;
} el_sums;

struct elman_trainer {
    const elman_context *context;
    elman_train_desc desc;    /* as the caller gave it, defaults filled in */
    elman_text *text, *valid; /* borrowed; valid NULL: the text's own tail */
    int64_t valid_first, valid_count; /* 0: no validation */
    el_pieces pieces;
    int64_t total; /* updates of the whole run */

    elman_lm *lm;
    elman_optimizer *optimizer;
    elman_lm_state *state; /* of B rows; NULL where pieces start from zeros */
    el_shards shards;
    el_truncation truncation;
    void *grad;    /* [P] */
    void *best;    /* [P]; NULL without validation */
    void *average; /* [P]; NULL where weights are not averaged */
    el_counters counters;
    el_sums sums;
    el_watch watch;
    void *carried;   /* what state held before the update at hand; NULL without
                      * a state */
    double end_loss; /* of the validation at an end of the run that is no
                      * epoch's end; NaN: there was none.  A longer run would
                      * not have made it, so that no checkpoint knows of it */
    char *origin;    /* of a run that went on from a model: what its history
                      * says of that; see history.h.  NULL: weights were
                      * drawn */
};

elman_status el_trainer_create(const elman_context *context,
                               const elman_train_desc *desc, elman_text *text,
                               elman_text *valid, elman_trainer **out);
void el_trainer_free(elman_trainer *trainer);
elman_status el_trainer_step(elman_trainer *trainer,
                             elman_train_report *report);
/* The tape of a shard, within what the budget leaves for it. */
el_tape_size el_trainer_tape(const elman_trainer *trainer);
/* All but the total. */
void el_trainer_memory(const elman_trainer *trainer, elman_memory *out);
elman_status el_trainer_save(elman_trainer *trainer, const char *path);
elman_status el_trainer_checkpoint(elman_trainer *trainer, const char *path,
                                   int64_t mark);
elman_status el_trainer_snapshot(elman_trainer *trainer, int64_t mark,
                                 elman_snapshot **snapshot);
/* Every rank calls it with what making or bringing back its trainer gave; fails
 * on all where that failed on one, or where they are not of one run. */
elman_status el_trainer_meet(const elman_context *context,
                             const elman_ranks *ranks, elman_status mine,
                             elman_trainer **trainer);

elman_status el_checkpoint_write(const elman_trainer *trainer, const char *path,
                                 int64_t mark);
/* One rank's part of elman_trainer_snapshot, and its kin. */
elman_status el_snapshot_take(const elman_trainer *trainer, int64_t mark,
                              elman_snapshot **snapshot);
elman_status el_snapshot_write(const elman_snapshot *snapshot,
                               const char *path);
void el_snapshot_free(elman_snapshot *snapshot);
elman_status el_checkpoint_resume(const elman_context *context,
                                  const elman_train_desc *desc,
                                  elman_text *text, elman_text *valid,
                                  const char *path, elman_trainer **out,
                                  char *used, size_t used_size, int64_t *mark);
elman_status el_checkpoint_describe(const elman_context *context,
                                    const char *path, elman_train_desc *desc,
                                    elman_vocab **vocab);
/* Of all that trainers of one run have in common. */
uint64_t el_checkpoint_fingerprint(const elman_trainer *trainer);
/* Whether the weights as they stand are better than the best so far. */
bool el_trainer_ends_best(const elman_trainer *trainer);
/* Tells the model how it was trained so far. */
elman_status el_trainer_note(elman_trainer *trainer);

#endif
