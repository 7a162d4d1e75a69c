/* SPDX-License-Identifier: MIT */
/* reach.h - how far back a gradient reaches: what arrives on the states of a
 * stack, step by step into the past.
 *
 *   d z / d s_{t-1} = (d s_t / d s_{t-1})' d z / d s_t
 *
 * s_t is what is carried from step t: h of every layer and, of an LSTM, c.  The
 * states before every step are kept; each step is run again from there and gone
 * back through alone, so that the memory is that of the states. */
#ifndef EL_REACH_H
#define EL_REACH_H

#include "tape.h"

typedef struct el_reach {
    const el_stack *stack;
    int64_t steps, batch; /* K, B */
    el_tape tape;         /* of one step */
    void *h, *c;          /* [K,L,B,.]: the states before each step */
    void *dh, *dc;        /* [L,B,.]: what arrives now; dc: LSTM */
} el_reach;

/* The stack is trainable, of one direction, and has a state. */
elman_status el_reach_create(const el_stack *stack, int64_t steps,
                             int64_t batch, el_reach *out);
void el_reach_free(el_reach *reach);
/* The state before step t = 0 ... K-1. */
void el_reach_keep(el_reach *reach, int64_t t, const el_state *state);
/* After the last step: dy [B,P] arrives on what the last layer gave. */
void el_reach_begin(el_reach *reach, const void *dy);
/* Back through step t, whose input this was; begun at the last step. */
void el_reach_back(el_reach *reach, int64_t t, const el_input *input);
/* Kinds of states: L, or of an LSTM 2 L: h of all layers, then c of all. */
int el_reach_kinds(const el_stack *stack);
/* L2 norms [kinds,B] of what arrives now. */
void el_reach_norms(const el_reach *reach, double *norms);

#endif
