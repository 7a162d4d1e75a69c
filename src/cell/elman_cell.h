/* SPDX-License-Identifier: MIT */
/* elman_cell.h - one layer of the Elman cell.
 *
 *   h_t = phi(x_t W_ih' + b_ih + h_{t-1} W_hh' + b_hh)
 *
 * Without a recurrent part (`recurrent` false) it is a fully connected layer,
 * h_t = phi(x_t W_ih' + b_ih), the model without a hidden state. */
#ifndef EL_ELMAN_CELL_H
#define EL_ELMAN_CELL_H

#include "lookup.h"

/* What enters a layer: rows of numbers, or the numbers of one-hot rows. */
typedef struct el_input {
    const void *x;      /* [rows,I]; NULL if I is 0, or for one-hot rows */
    const int32_t *ids; /* [slots,rows]: slot s of a row picks column
                         * s * (I / slots) + id; id < 0 picks none */
    int64_t ids_stride; /* from one slot's ids to the next one's */
} el_input;

typedef struct el_layer {
    const elman_context *context;
    const el_kernels *k;
    elman_activation activation;
    int64_t input, hidden; /* I, H */
    int64_t slots;         /* one-hot parts of x; 0: x is dense */
    bool recurrent;
    bool trainable; /* keeps the packed copies of back-propagation */

    /* Where the parameters begin in the flat block; -1: there is none. */
    int64_t w_ih, w_hh, b_ih, b_hh;

    /* What is computed with, made by el_layer_pack. */
    void *bias;     /* b_ih + b_hh [H]; NULL without biases */
    void *in;       /* packed for products with W_ih'; W_ih' itself [I,H] where
                     * x is one-hot */
    void *rec;      /* packed for products with W_hh' */
    void *back_in;  /* packed for products with W_ih */
    void *back_rec; /* packed for products with W_hh */
} el_layer;

/* The fields above the packed ones are set; allocates those. */
elman_status el_layer_create(el_layer *layer);
void el_layer_free(el_layer *layer);
void el_layer_pack(el_layer *layer, const void *weights);

/* h [T+1,B,H]: h[0] is the initial state, h[t+1] becomes that of step t.
 * (Without a recurrent part h[0] is not read.) */
void el_layer_forward(const el_layer *layer, el_run run, const el_input *input,
                      void *h);

/* One step: h [B,H] is the state before it, next [B,H] becomes the one after.
 */
void el_layer_step(const el_layer *layer, int64_t batch, const el_input *input,
                   const void *h, void *next);

/* dy [T,B,H] or NULL; dhT [B,H] or NULL; da [T,B,H] out, the gradient of what
 * phi was applied to; dx [T,B,I] or NULL; dh0 [B,H] or NULL; grad, the flat
 * block that is added to, or NULL. */
typedef struct el_layer_back {
    const void *dy, *dhT;
    void *da, *dx, *dh0, *grad, *scratch;
} el_layer_back;
void el_layer_backward(const el_layer *layer, el_run run, const el_input *input,
                       const void *h, const el_layer_back *back);
/* Bytes of el_layer_back's scratch. */
size_t el_layer_scratch(const el_layer *layer, el_run run);

#endif
