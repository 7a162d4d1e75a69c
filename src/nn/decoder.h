/* SPDX-License-Identifier: MIT */
/* decoder.h - the output layer: logits o = h W_hq' + b_q. */
#ifndef EL_DECODER_H
#define EL_DECODER_H

#include "../cell/product.h"
#include "views.h"

/* Classes that are worked on at once, where there is a loss (loss.h). */
enum { EL_DECODER_BLOCK = 256 };

typedef struct el_decoder {
    const elman_context *context;
    const el_kernels *k;
    int64_t hidden, classes; /* H, V */
    int64_t weight, bias;    /* where they begin in the flat block; bias -1:
                              * there is none */
    bool lent;               /* the next lies in somebody else's block, who
                              * packs it */
    void *out;               /* packed for products with W' */
    void *bias_row;          /* [V]; NULL without a bias */
} el_decoder;

typedef struct el_decoder_desc {
    int64_t hidden, classes; /* H, V */
    int64_t tied; /* where a weight [V,H] begins that is the decoder's as well;
                   * -1: it has one of its own */
    bool bias;
    bool lent; /* see el_decoder */
} el_decoder_desc;

elman_status el_decoder_create(const elman_context *context,
                               const el_kernels *k, const el_decoder_desc *desc,
                               el_views *views, el_decoder *out);
void el_decoder_free(el_decoder *decoder);
/* What its packed copies take, or would take. */
int64_t el_decoder_bytes(const el_decoder *decoder);
void el_decoder_pack(el_decoder *decoder, const void *weights);
/* Of that, what is made of the bias [V]. */
void el_decoder_pack_bias(el_decoder *decoder, const void *bias);

/* logits [rows,V] of h [rows,H] */
void el_decoder_forward(const el_decoder *decoder, int64_t rows, const void *h,
                        void *logits);
/* Those of the block of EL_DECODER_BLOCK classes, or the last ones, that begins
 * with `class`, dense; shared: over the team, else by the calling thread. */
void el_decoder_block(const el_decoder *decoder, int64_t class, int64_t rows,
                      const void *h, void *logits, bool shared);

/* The way back goes through one block of classes after another, by threads that
 * share the work themselves.  packed, of el_decoder_block_bytes bytes, gets the
 * weights of the block that begins with `class`, columns [from,to), from a
 * multiple of EL_PANEL; weights is the whole flat block. */
int64_t el_decoder_block_bytes(const el_decoder *decoder);
void el_decoder_pack_block(const el_decoder *decoder, const void *weights,
                           int64_t class, int64_t from, int64_t to,
                           void *packed);
/* Columns [from,to) of dh [rows,H], of dlogits of such a block: they go on from
 * what stands there, but for the first block. */
typedef struct el_decoder_back {
    int64_t class;
    const void *packed;
    int64_t from, to, rows;
    const void *dlogits; /* [rows,.], */
    int64_t ldd;         /* so far apart */
    void *dh;
} el_decoder_back;
void el_decoder_back_block(const el_decoder *decoder,
                           const el_decoder_back *back);

#endif
