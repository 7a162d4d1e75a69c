/* SPDX-License-Identifier: MIT */
/* batch.h - the sequences of a call: their ranks, the pieces of steps that are
 * at work, and where a caller's tensors have their rows. */
#ifndef EL_BATCH_H
#define EL_BATCH_H

#include "../base/plan.h"
#include "../cell/layer.h"

typedef struct el_batch {
    const el_kernels *k;
    int64_t steps, batch;   /* T, B */
    int64_t longest;        /* steps that any sequence has */
    int64_t *first;         /* [steps of a piece + 1] */
    int32_t *order, *spare; /* [B]; the first by rank */
    int64_t *length;        /* [B], by rank */
    bool unequal;           /* lengths are not all the longest one */
    bool permuted, batch_first;
} el_batch;

/* Steps [from,to). */
typedef struct el_span {
    int64_t from, to;
} el_span;

/* Room for pieces of so many steps, and so many sequences. */
void el_batch_want(el_plan *plan, el_batch *batch, int64_t steps,
                   int64_t sequences);
void el_batch_free(const elman_context *context, el_batch *batch);

/* lengths NULL: all T. */
void el_batch_set(el_batch *batch, int64_t steps, int64_t sequences,
                  const int64_t *lengths, bool batch_first);
/* Of rank b. */
int64_t el_batch_length(const el_batch *batch, int64_t b);
/* Ranks alive at step t. */
int64_t el_batch_alive(const el_batch *batch, int64_t t);
/* The run over a piece, which lasts until the next one is asked for. */
el_run el_batch_piece(el_batch *batch, el_span at);
/* Where the sequence of each rank stands; NULL: at its rank. */
const int32_t *el_batch_order(const el_batch *batch);

/* A caller's tensor [T,B,width] or [B,T,width]; packed where that is so. */
el_seq el_batch_rows(const el_batch *batch, const void *p, int64_t width);
/* The rows from a step on. */
el_seq el_rows_from(const el_batch *batch, el_seq rows, int64_t step);
/* Packed rows of a piece, `from` ..., to where a tensor has them. */
void el_rows_out(const el_batch *batch, el_run run, int64_t from,
                 const void *rows, int64_t ld, int64_t width, const el_seq *to);
/* Zeros where a caller's tensor has rows past the ends. */
void el_batch_zero_padding(const el_batch *batch, void *p, int64_t width);

/* The states of layer i, [B,width] of a caller's, in or out by rank. */
el_states el_batch_states(const el_batch *batch, const void *p, int i,
                          int64_t width);
/* Into the rows before `first`, ld apart; zeros where there are none. */
void el_states_begin(const el_batch *batch, const el_states *from, void *first,
                     int64_t ld);
/* Last states of a piece, to a caller, or (NULL) to where the next one begins.
 */
void el_states_end(const el_batch *batch, bool reverse, el_run run, el_span at,
                   const void *first, int64_t ld, int64_t width,
                   const el_states *to);

#endif
