/* SPDX-License-Identifier: MIT */
/* dropout.h - masks that are drawn again, not kept: each is a function of a
 * key, a sequence, a step and an element, so that it depends neither on who
 * asks first nor on the batch around a sequence. */
#ifndef EL_DROPOUT_H
#define EL_DROPOUT_H

#include "../cell/product.h"

/* What masks a call of a run draws from. */
typedef struct el_draw {
    bool train; /* false: there is no dropout */
    uint64_t seed, draw;
    int64_t first; /* sequence 0 is this one of the batch that masks know, */
    int64_t first_step; /* and step 0 this one of the sequence */
} el_draw;

/* Each element of width stays with probability 1 - p, and is then divided by
 * that; p = 0 keeps all as it is. */
typedef struct el_dropout {
    double p;
    bool locked;          /* one mask for all steps of a sequence */
    uint64_t key;         /* of el_dropout_key */
    int64_t first;        /* of el_draw, */
    int64_t first_step;   /* likewise */
    const int32_t *order; /* of a run's ranks */
    const int64_t *steps; /* rank b begins so many steps later; NULL: zeros */
} el_dropout;

uint64_t el_dropout_key(const el_draw *draw, int layer);
/* y = x with what the masks drop, packed rows of width, ldx and ldy apart; y
 * may be x. */
void el_dropout_rows(const elman_context *context, const el_kernels *k,
                     const el_dropout *d, el_run run, int64_t width,
                     const void *x, int64_t ldx, void *y, int64_t ldy);

uint64_t el_weight_drop_key(const el_draw *draw, int layer);
/* y[n] = x[n] with what the mask drops; y may be x. */
void el_drop_weights(const el_kernels *k, double p, uint64_t key, int64_t n,
                     const void *x, void *y);

#endif
