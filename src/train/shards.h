/* SPDX-License-Identifier: MIT */
/* shards.h - the gradient of a batch that is cut into shards.
 *
 * S shards, a power of two, of B/S rows each.  The gradient of each is a sum
 * of its own, from zero, and those are added in a binary tree whose shape S
 * alone decides:
 *
 *   sum(first, 1) = shard first's
 *   sum(first, n) = sum(first, n/2) + sum(first + n/2, n/2)
 *
 * So do the sums of losses, in double.  With one shard it is the batch's own
 * sum.  Masks are those of the rows in the whole batch.
 *
 * Of R ranks each computes S/R shards that lie side by side, which is a part of
 * the tree of its own; the sums of these are finished between the ranks. */
#ifndef EL_SHARDS_H
#define EL_SHARDS_H

#include "ranks.h"
#include "truncation.h"

/* A sum waits at most once at each level of the tree. */
enum { EL_SHARD_LEVELS = 26 };

typedef struct el_shards {
    el_group group;
    int64_t first, count; /* that are computed here */
    int64_t rows;         /* of each: B/S */
    int levels;
    void *waiting[EL_SHARD_LEVELS]; /* [P] each: sums that wait for the half
                                     * that is added to them */
    elman_lm_tape *tape;
    elman_lm_state *state;  /* of one shard; NULL: the trainer's own is used */
    int32_t *row;           /* [T+1] */
    int32_t *ids, *targets; /* [count,T,rows] */
} el_shards;

/* t->lm and t->state have been made; t->grad is made here. */
elman_status el_shards_create(elman_trainer *t);
void el_shards_free(elman_trainer *t);
/* What the tokens of [steps,batch] take, -1 if it overflows, and what the
 * gradient and those that wait do. */
int64_t el_shards_tokens_bytes(int64_t steps, int64_t batch);
int64_t el_shards_gradient_bytes(const el_shards *s);
/* Reads what is computed here of the batch; nothing else changes. */
elman_status el_shards_read(elman_trainer *t, const el_place *place);
/* The forward pass alone, from zeros, of the shard that is number `own` here,
 * into a state of its rows, which is there to be looked at. */
void el_shards_look(elman_trainer *t, int64_t own, elman_lm_state *state);
/* The gradient into t->grad; the rows of t->state that are computed here go
 * on.  All ranks call it, with mine where reading failed; nothing is computed
 * then. */
elman_status el_shards_gradient(elman_trainer *t, elman_status mine,
                                double *nats);
/* All ranks call it: t->state becomes whole everywhere. */
elman_status el_shards_collect(elman_trainer *t);

#endif
