/* SPDX-License-Identifier: MIT */
/* xent.h - softmax with cross-entropy over many rows. */
#ifndef EL_XENT_H
#define EL_XENT_H

#include "../base/context.h"
#include "../kernels/kernels.h"

/* Losses of rows [rows,classes], one by one, spread over the team; gradients
 * into dx (NULL: none; may be x).  Targets are 32 or 64 bits wide; the other
 * pointer is NULL; negative ones are skipped. */
typedef struct el_xent_rows {
    el_xent kernel;
    int64_t rows;
    const void *x;
    const int64_t *targets64;
    const int32_t *targets32;
    double *each; /* [rows] out */
    void *dx;
} el_xent_rows;
void el_xent_all(const elman_context *context, const el_kernels *k,
                 const el_xent_rows *x);

#endif
