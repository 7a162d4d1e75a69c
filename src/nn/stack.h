/* SPDX-License-Identifier: MIT */
/* stack.h - layers upon layers, and what a forward pass leaves for the way
 * back. */
#ifndef EL_STACK_H
#define EL_STACK_H

#include "../cell/elman_cell.h"
#include "views.h"

typedef struct el_stack {
    const elman_context *context;
    const el_kernels *k;
    int64_t input, hidden; /* I, H */
    bool recurrent;
    int count; /* L */
    el_layer *layers;
} el_stack;

typedef struct el_stack_desc {
    elman_activation activation;
    elman_dtype dtype;
    int64_t input, hidden;
    int layers;
    int64_t slots; /* of a one-hot input; 0: dense */
    bool recurrent, bias, trainable;
    const char *prefix; /* of its views: "rnn.", "hidden." or "" */
} el_stack_desc;

/* Appends the stack's views.  Weights are the caller's, and come in with
 * el_stack_pack. */
elman_status el_stack_create(const elman_context *context,
                             const el_stack_desc *desc, el_views *views,
                             el_stack *out);
void el_stack_free(el_stack *stack);
void el_stack_pack(el_stack *stack, const void *weights);

/* A tape for at most run.steps steps of at most run.batch sequences.  For
 * inference it holds a few steps of each layer, however long the run. */
typedef struct el_tape {
    const el_stack *stack;
    el_run most;
    bool inference;
    int64_t piece; /* steps that h holds */
    void **h;      /* [L] of [piece+1,B,H] */
    void *da;      /* [T,B,H] */
    void *between; /* [T,B,H], where there are layers to go between */
    void *scratch;
    el_run run;     /* of the forward that is recorded; no steps: none is */
    el_input input; /* likewise */
} el_tape;

elman_status el_tape_create(const el_stack *stack, el_run most, bool inference,
                            el_tape *out);
void el_tape_free(el_tape *tape);
/* -1 if it overflows. */
int64_t el_tape_bytes(const el_stack *stack, el_run most, bool inference);

/* As elman_rnn_forward; the last layer's outputs of a training tape also stay
 * at el_tape_output. */
void el_stack_forward(const el_stack *stack, el_tape *tape, el_run run,
                      const el_input *input, const void *h0, void *y, void *hT);
/* [T,B,H] of a training tape; steps done last of an inference tape. */
void *el_tape_output(const el_tape *tape);
/* As elman_rnn_backward; grad is the whole flat block. */
void el_stack_backward(const el_stack *stack, el_tape *tape, const void *dy,
                       const void *dhT, void *dx, void *dh0, void *grad);

/* One step.  h [L,B,H] is read, next [L,B,H] written; they are not the same.
 */
void el_stack_step(const el_stack *stack, int64_t batch, const el_input *input,
                   void *h, void *next);

#endif
