/* SPDX-License-Identifier: MIT */
/* loss.h - the output layer, softmax and cross-entropy of many rows, as one.
 *
 * Logits are written once and read twice, as they lie: for the sums of their
 * rows, and a block of classes at a time on the way back.  What such a block's
 * gradient is stays in L2, while that of the weights and of h is made of it. */
#ifndef EL_LOSS_H
#define EL_LOSS_H

#include "decoder.h"

typedef struct el_loss {
    const el_decoder *decoder; /* with a bias */
    int64_t rows;
    const void *h;          /* [rows,H] */
    const int32_t *targets; /* [rows]; negative ones are skipped */
    void *logits; /* rows * V, kept for the way back: [rows,.] of one block of
                   * EL_DECODER_BLOCK classes after another, */
    void *sums;   /* [rows,2], likewise: see el_xent_columns */
    double *each; /* [rows] out: the losses */
} el_loss;
void el_loss_forward(const el_loss *loss);

typedef struct el_loss_back {
    el_run run;          /* some of the rows; sequences are of one length */
    int64_t first;       /* of them */
    double scale;        /* of the gradient */
    const void *weights; /* the whole flat block */
    void *dh;            /* [rows,H] out; NULL if unwanted */
    void *grad;          /* the whole flat block, added to; NULL if unwanted */
    void *scratch;       /* el_loss_scratch bytes */
} el_loss_back;
/* The rows are those of a forward. */
void el_loss_backward(const el_loss *loss, const el_loss_back *back);
/* For runs of at most that. */
size_t el_loss_scratch(const el_decoder *decoder, el_run most);

#endif
