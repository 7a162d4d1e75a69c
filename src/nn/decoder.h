/* SPDX-License-Identifier: MIT */
/* decoder.h - the output layer: logits o = h W_hq' + b_q. */
#ifndef EL_DECODER_H
#define EL_DECODER_H

#include "../cell/product.h"
#include "views.h"

typedef struct el_decoder {
    const elman_context *context;
    const el_kernels *k;
    int64_t hidden, classes; /* H, V */
    int64_t weight, bias;    /* where they begin in the flat block; bias -1:
                              * there is none */
    void *out, *back;        /* packed for products with W', and with W; back
                              * is NULL where nothing trains */
    void *bias_row;          /* [V]; NULL without a bias */
} el_decoder;

typedef struct el_decoder_desc {
    int64_t hidden, classes; /* H, V */
    int64_t tied; /* where a weight [V,H] begins that is the decoder's as well;
                   * -1: it has one of its own */
    bool bias, trainable;
} el_decoder_desc;

elman_status el_decoder_create(const elman_context *context,
                               const el_kernels *k, const el_decoder_desc *desc,
                               el_views *views, el_decoder *out);
void el_decoder_free(el_decoder *decoder);
/* What its packed copies take. */
int64_t el_decoder_bytes(const el_decoder *decoder);
void el_decoder_pack(el_decoder *decoder, const void *weights);

/* logits [rows,V] of h [rows,H] */
void el_decoder_forward(const el_decoder *decoder, int64_t rows, const void *h,
                        void *logits);
/* dh [rows,H] of dlogits [rows,V]; of a trainable one. */
void el_decoder_backward(const el_decoder *decoder, int64_t rows,
                         const void *dlogits, void *dh);
/* grad is the whole flat block, added to.  Of one with a bias. */
void el_decoder_gradient(const el_decoder *decoder, el_run run, const void *h,
                         const void *dlogits, void *grad, void *scratch);
size_t el_decoder_scratch(const el_decoder *decoder);

#endif
