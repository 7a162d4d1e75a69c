/* SPDX-License-Identifier: MIT */
/* product.h - products spread over a context's threads.  Threads split
 * outputs, never a chain, so that their number changes no bit. */
#ifndef EL_PRODUCT_H
#define EL_PRODUCT_H

#include "../base/context.h"
#include "../kernels/kernels.h"

/* The rows of a batch of sequences, step after step: those of step t begin at
 * el_first_row(t), and el_active(t) of them are alive.  (Sequences of one
 * length are all alive at every step.) */
typedef struct el_run {
    int64_t steps, batch;
} el_run;

static inline int64_t el_first_row(el_run run, int64_t t)
{
    return t * run.batch;
}

static inline int64_t el_active(el_run run, int64_t t)
{
    (void)t;
    return run.batch;
}

static inline int64_t el_rows(el_run run)
{
    return run.steps * run.batch;
}

/* Gradient chains are cut at multiples of so many steps from t = 0. */
enum { EL_BLOCK_STEPS = 64 };

/* p moved on by count elements. */
static inline void *el_at(const el_kernels *k, const void *p, int64_t count)
{
    return (char *)p + count * (int64_t)k->size;
}

/* g over the team. */
void el_product(const elman_context *context, const el_kernels *k,
                const el_gemm *g);

/* grad[n,m] += sum over rows of a[row,n] b[row,m]: rows go by descending t,
 * then by ascending place in the batch, in chains of EL_BLOCK_STEPS steps.
 * scratch has el_gradient_scratch(k, team, n, m) bytes. */
typedef struct el_gradient {
    el_run run;
    int64_t n, m;
    const void *a, *b; /* [rows,n], [rows,m], dense */
    void *grad;        /* [n,m], dense */
    void *scratch;
} el_gradient;

size_t el_gradient_scratch(const elman_context *context, const el_kernels *k,
                           int64_t n, int64_t m);
void el_product_gradient(const elman_context *context, const el_kernels *k,
                         const el_gradient *g);

/* grad[n] += sum over rows of a[row,n], in the same order; into both grads,
 * unless they are NULL.  scratch has room for n elements. */
void el_sum_gradient(const el_kernels *k, el_run run, const void *a, int64_t n,
                     void *grad, void *grad2, void *scratch);

#endif
