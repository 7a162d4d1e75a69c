/* SPDX-License-Identifier: MIT */
/* tape.h - a stack over a batch of sequences, and what a forward pass leaves
 * for the way back. */
#ifndef EL_TAPE_H
#define EL_TAPE_H

#include "batch.h"
#include "dropout.h"
#include "stack.h"

typedef struct el_tape_size {
    int64_t steps, batch; /* at most */
    bool inference;
    int64_t memory;  /* a budget in bytes; 0: none, */
    int64_t besides; /* and what others take of it */
    bool ends;     /* within a budget it computes again whatever it is, between
                    * el_ends, */
    bool embeds;   /* and x comes from them; */
    int64_t whole; /* the budget with which it need not */
} el_tape_size;

typedef struct el_tape {
    const el_stack *stack;
    int64_t most_steps, most_batch;
    bool inference;
    struct el_recall *recall; /* within a budget that holds less than all: what
                               * is below but `of the forward' is then its own
                               * or NULL */
    int64_t piece;            /* steps that h holds */
    int64_t window;           /* steps that gates hold */
    void **h;                 /* [L]: [B + rows of a piece,S*P] */
    el_record *record;        /* [L*S] */
    void *gates, *m;          /* of all records, for inference */
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

/* ELMAN_EINVAL: the budget is too small, with the least that would do. */
elman_status el_tape_create(const el_stack *stack, const el_tape_size *size,
                            el_tape *out);
void el_tape_free(el_tape *tape);

/* What a tape takes. */
typedef struct el_tape_cost {
    int64_t bytes;   /* in all */
    int64_t outside; /* of those, what no budget can spare */
    double passes;   /* forward, for one backward */
} el_tape_cost;
/* Fails as creating one does. */
elman_status el_tape_costs(const el_stack *stack, const el_tape_size *size,
                           el_tape_cost *out);
/* The bytes; -1 if that fails. */
int64_t el_tape_bytes(const el_stack *stack, const el_tape_size *size);

/* What stands below and above the stack, where a tape computes again and never
 * holds all rows: called for one piece after another.  Sequences are all of one
 * length then. */
typedef struct el_ends {
    void *arg;
    /* x [count,I] of rows t * B + b; where the tape embeds. */
    void (*enter)(void *arg, int64_t count, const int64_t *rows, void *x);
    /* The last layer's rows h of a piece that begins with step `from`, once. */
    void (*leave)(void *arg, int64_t from, el_run run, const void *h);
    /* dy of such rows, and afterwards what becomes of dx (where it embeds). */
    const void *(*arrive)(void *arg, int64_t from, el_run run, const void *h);
    void (*depart)(void *arg, int64_t from, el_run run, const void *dx);
} el_ends;

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
    const el_ends *ends; /* of a tape that computes again; NULL: none */
} el_forward;
void el_tape_forward(el_tape *tape, const el_forward *f);
/* Packed rows [rows,S*P] of the last layer, of a training tape; of an
 * inference tape those of its last piece. */
void *el_tape_output(const el_tape *tape);

typedef struct el_backward {
    const void *dy, *dhT, *dcT;
    void *dx, *dh0, *dc0, *grad;
    const el_ends *ends; /* in place of dy and dx */
} el_backward;
void el_tape_backward(el_tape *tape, const el_backward *b);

#endif
