/* SPDX-License-Identifier: MIT */
/* stack.h - layers upon layers, in one direction or two. */
#ifndef EL_STACK_H
#define EL_STACK_H

#include "../cell/layer.h"
#include "views.h"

typedef struct el_stack_desc {
    elman_cell cell;
    elman_activation activation;
    elman_dtype dtype;
    int64_t input, hidden;
    int64_t proj; /* 0: none */
    int layers;
    int directions; /* 1 or 2 */
    int64_t slots;  /* of a one-hot input; 0: dense */
    bool bias, trainable;
    bool lent;          /* see el_layer */
    bool reset_before;  /* of the GRU */
    bool single;        /* names of one cell, without its layer */
    double dropout;     /* of what goes from layer to layer, in training */
    bool locked;        /* one mask for all steps of a sequence */
    double weight_drop; /* of W_hh, in training */
    const char *prefix; /* of its views: "rnn.", "hidden." or "" */
} el_stack_desc;

typedef struct el_stack {
    const elman_context *context;
    const el_kernels *k;
    el_stack_desc desc;
    bool recurrent;
    int64_t out;      /* P */
    int64_t width;    /* S P: what a layer gives */
    int count;        /* L S */
    el_layer *layers; /* layer n, direction d at n * S + d */
} el_stack;

/* Appends the stack's views.  Weights are the caller's, and come in with
 * el_stack_pack. */
elman_status el_stack_create(const elman_context *context,
                             const el_stack_desc *desc, el_views *views,
                             el_stack *out);
void el_stack_free(el_stack *stack);
/* What the layers and their packed copies take. */
int64_t el_stack_bytes(const el_stack *stack);
void el_stack_pack(el_stack *stack, const void *weights);

/* ---- One step at a time ---------------------------------------------------*/

typedef struct el_state {
    const el_stack *stack;
    int64_t batch;
    void *h, *next;  /* [L,B,P] */
    void *c;         /* [L,B,H] of an LSTM */
    void *gates, *m; /* to work in */
} el_state;

elman_status el_state_create(const el_stack *stack, int64_t batch,
                             el_state *out);
void el_state_free(el_state *state);
/* What one takes; -1 if it overflows. */
int64_t el_state_bytes(const el_stack *stack, int64_t batch);
void el_state_zero(el_state *state);
/* Elements of h, and of c (0 without). */
int64_t el_state_h_count(const el_state *state);
int64_t el_state_c_count(const el_state *state);
void el_state_step(el_state *state, const el_input *input);
/* [B,P]: the last layer's part of h. */
void *el_state_top(const el_state *state);

#endif
