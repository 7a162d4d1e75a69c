/* SPDX-License-Identifier: MIT */
/* lookup.h - products with one-hot rows, which are never made: picking rows of
 * a table, and adding to them. */
#ifndef EL_LOOKUP_H
#define EL_LOOKUP_H

#include "product.h"

/* y[row] = init + table[ids[row]], ids < 0 adding nothing; init [n] or NULL
 * for zeros, or y itself (rows are added to).  Rows of y are ldy apart. */
void el_lookup(const el_kernels *k, int64_t rows, int64_t n, const void *init,
               const void *table, const int32_t *ids, void *y, int64_t ldy);

/* The same of a table whose columns lie in panels of 32, one behind the other,
 * `depth` rows each. */
void el_lookup_panels(const el_kernels *k, int64_t rows, int64_t n,
                      const void *init, const void *table, int64_t depth,
                      const int32_t *ids, void *y, int64_t ldy);

/* Room that el_lookup_gradient needs, in bytes. */
size_t el_lookup_scratch(const el_kernels *k, el_run run, int64_t vocab,
                         int64_t n);

/* Element j of the gradient of id's row of the table, which lies at
 * grad[id * id_stride + j * stride], += sum over the rows of that id of
 * a[row,j], in the order of el_product_gradient. */
typedef struct el_lookup_gradient_args {
    el_run run;
    int64_t vocab, n;
    const int32_t *ids; /* [rows] */
    const void *a;      /* [rows,n], */
    int64_t lda;        /* so far apart */
    void *grad;
    int64_t id_stride, stride;
    void *scratch;
} el_lookup_gradient_args;
void el_lookup_gradient(const el_kernels *k,
                        const el_lookup_gradient_args *args);

#endif
