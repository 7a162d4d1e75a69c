/* SPDX-License-Identifier: MIT */
/* truncation.h - where back-propagation through time is cut off.
 *
 * A row of an epoch is cut into pieces of k1 steps.
 *
 *   regular   an update for each piece.  The losses are the piece's own, and
 *             their gradient goes back k2 >= k1 steps from its end: so far back
 *             the run begins again, from a state that is taken as given
 *             (Williams and Peng 1990).  k2 = k1 is what everybody calls
 *             truncated back-propagation through time.
 *   random    after each piece but an epoch's last a draw cuts with probability
 *             c, and there is an update for each segment between two cuts.
 *             What goes back over a border that was not cut is divided by 1 - c
 *             (Tallec and Ollivier 2017, with c_t = c at the ends of pieces and
 *             0 elsewhere):
 *               g_t = dl_t/ds_t + X_t / (1 - c) (ds_{t+1}/ds_t)' g_{t+1},
 *             X_t = 0 with probability c and else 1, so that the expectation of
 *             g_t is the whole gradient dL/ds_t.
 *             A segment is run forward once, and the states between its pieces
 *             are kept; then each piece is run again and gone back through, the
 *             last one first, so that the tape is that of one piece.
 *   none      one update an epoch, of whole rows, on a tape with a budget. */
#ifndef EL_TRUNCATION_H
#define EL_TRUNCATION_H

#include "../model/lm.h"

/* What an update is about: pieces [from,to) of an epoch. */
typedef struct el_place {
    int64_t update, epoch; /* both from 0 */
    int64_t from, to;
} el_place;

typedef struct el_truncation {
    bool on;           /* it is not regular with k2 = k1 */
    int64_t steps;     /* k1; of `none` those of a whole row */
    int64_t hold;      /* steps that a tape must hold */
    int64_t begin;     /* first step of a row that was read, and */
    int64_t read;      /* how many of them */
    int64_t room;      /* steps that ids have room for */
    int32_t *ids;      /* [shards here,read+1,rows] */
    int32_t *targets;  /* [k2,rows], where k2 > k1 */
    int64_t most;      /* states there is room for */
    char *states;      /* [most] of a shard's states as they are carried */
    size_t state_size; /* bytes */
    void *dh, *dc;     /* what goes back over a border */
    el_place place;    /* the last that was asked for */
} el_truncation;

/* Before the pieces are planned: a row's steps are those of the text. */
void el_truncation_plan(elman_trainer *t, int64_t tokens);
/* Updates of so many epochs, or `most` if there are more. */
elman_status el_truncation_updates(elman_trainer *t, int64_t epochs,
                                   int64_t most, int64_t *updates);
/* Of the epoch of the last place that was asked for. */
int64_t el_truncation_epoch_updates(const elman_trainer *t);
/* t->lm, and t->shards but for their memory, have been made. */
elman_status el_truncation_create(elman_trainer *t);
void el_truncation_free(elman_trainer *t);
/* What there is now: it grows where a segment is longer than those before. */
int64_t el_truncation_states_bytes(const elman_trainer *t);
int64_t el_truncation_tokens_bytes(const elman_trainer *t);

/* Asked for in the order of updates, it costs a few draws. */
el_place el_truncation_place(elman_trainer *t, int64_t update);
/* Steps that one update's losses are of, and what the mean over time divides
 * by: where that is drawn, its expectation. */
int64_t el_truncation_steps(const elman_trainer *t, const el_place *place);
double el_truncation_mean_steps(const elman_trainer *t);

/* Where `on`: reads what an update needs; nothing else changes. */
elman_status el_truncation_read(elman_trainer *t, const el_place *place);
/* Shard number `own` of those here: its gradient is added to grad, its state
 * goes on; returns the sum of its losses.  batch has all but steps and
 * tokens. */
double el_truncation_run(elman_trainer *t, int64_t own, elman_lm_batch batch,
                         elman_lm_state *state, void *grad);

#endif
