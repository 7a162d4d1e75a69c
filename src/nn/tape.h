/* SPDX-License-Identifier: MIT */
/* tape.h - a stack over a batch of sequences, and what a forward pass leaves
 * for the way back. */
#ifndef EL_TAPE_H
#define EL_TAPE_H

#include "batch.h"
#include "dropout.h"
#include "stack.h"

typedef struct el_tape {
    const el_stack *stack;
    int64_t most_steps, most_batch;
    bool inference;
    int64_t piece;     /* steps that h holds */
    int64_t window;    /* steps that gates hold */
    void **h;          /* [L]: [B + rows of a piece,S*P] */
    el_record *record; /* [L*S] */
    void *gates, *m;   /* of all records, for inference */
    void **dropped;    /* [L]: what goes from layer to layer, NULL: h itself */
    el_recurrent *rec; /* [L*S], where weights are dropped */
    void *w_hh;        /* [G*H,P] likewise, to work in */
    void *da, *edge, *dproj, *between[2], *dh, *end, *dm, *carry;
    void *gather, *scratch;

    /* Of the forward that is recorded. */
    bool recorded;
    el_batch q;
    el_run run; /* of the piece at work: of all, in training */
    el_input input;
    el_draw draw;
} el_tape;

elman_status el_tape_create(const el_stack *stack, int64_t steps, int64_t batch,
                            bool inference, el_tape *out);
void el_tape_free(el_tape *tape);
/* -1 if it overflows. */
int64_t el_tape_bytes(const el_stack *stack, int64_t steps, int64_t batch,
                      bool inference);

/* As elman_sequences; x comes in input (its p only, or ids). */
typedef struct el_forward {
    int64_t steps, batch;
    const int64_t *lengths;
    bool batch_first;
    el_input input;
    const void *h0, *c0;
    void *y, *hT, *cT;
    el_draw draw;
    const void *weights; /* the flat block, where weights are dropped */
} el_forward;
void el_tape_forward(el_tape *tape, const el_forward *f);
/* Packed rows [rows,S*P] of the last layer, of a training tape; of an
 * inference tape those of its last piece. */
void *el_tape_output(const el_tape *tape);

typedef struct el_backward {
    const void *dy, *dhT, *dcT;
    void *dx, *dh0, *dc0, *grad;
} el_backward;
void el_tape_backward(el_tape *tape, const el_backward *b);

#endif
