/* SPDX-License-Identifier: MIT */
/* product.h - products spread over a context's threads.  Threads split
 * outputs, never a chain, so that their number changes no bit. */
#ifndef EL_PRODUCT_H
#define EL_PRODUCT_H

#include "../base/context.h"
#include "run.h"

/* Gradient chains are cut at multiples of so many steps from t = 0. */
enum { EL_BLOCK_STEPS = 64 };

/* g over the team. */
void el_product(const elman_context *context, const el_kernels *k,
                const el_gemm *g);

/* kernels.h's pack_rows and pack_columns over the team. */
void el_pack_rows(const elman_context *context, const el_kernels *k,
                  void *packed, const void *w, int64_t ldw, int64_t n,
                  int64_t depth);
void el_pack_columns(const elman_context *context, const el_kernels *k,
                     void *packed, const void *w, int64_t ldw, int64_t n,
                     int64_t depth);

/* Calls task for blocks [r0,r1) x [u0,u1) that make up rows x units, over the
 * team where so many operations are worth it; u0 is a multiple of EL_PANEL.
 * The same split for the same sizes, so that a thread meets the same weights
 * at every step of a recurrence, and keeps them in its own cache. */
typedef void el_block_task(void *arg, int64_t r0, int64_t r1, int64_t u0,
                           int64_t u1);
void el_blocks(const elman_context *context, double operations, int64_t rows,
               int64_t units, el_block_task *task, void *arg);

/* The order in which back-propagation meets the steps, which is that of every
 * gradient chain: descending t, or ascending for the reverse direction; within
 * a step by ascending rank. */
typedef struct el_block {
    int64_t begin, end; /* steps */
} el_block;
typedef struct el_chain {
    el_run run;
    bool reverse;
    el_block part; /* only these steps, cut where blocks are; {0}: all */
} el_chain;

/* Blocks of steps of a chain, in its order: begins with {0}, false at the end.
 */
bool el_next_block(const el_chain *chain, el_block *block);
/* Step number i of a block in the chain's order. */
static inline int64_t el_block_step(const el_chain *chain, el_block block,
                                    int64_t i)
{
    return chain->reverse ? block.begin + i : block.end - 1 - i;
}

/* grad[n,m] += sum over rows of a[row,n] b[row,m], in the order of the chain,
 * in chains of EL_BLOCK_STEPS steps.  scratch has el_gradient_scratch(context,
 * k, n, m) bytes.
 *
 * The chain's part may be a piece of one such chain, too: `later`, another
 * piece has come before, and `more`, another will come; the sums wait in
 * `sums`, which has el_gradient_sums(k, n, m) bytes, until the last one adds
 * them. */
typedef struct el_gradient {
    el_chain chain;
    int64_t n, m;
    const void *a; /* packed rows, those of the chain's part, */
    int64_t lda;   /* so far apart */
    el_seq b;      /* of the whole run */
    el_when when;  /* of b */
    void *grad;    /* [n,m], dense */
    void *scratch;
    bool later, more;
    void *sums;
} el_gradient;

size_t el_gradient_scratch(const elman_context *context, const el_kernels *k,
                           int64_t n, int64_t m);
size_t el_gradient_sums(const el_kernels *k, int64_t n, int64_t m);
void el_product_gradient(const elman_context *context, const el_kernels *k,
                         const el_gradient *g);

/* grad[n] += sum over packed rows of a[row,n], in the same order; into both
 * grads, unless they are NULL.  `sums` has room for n elements. */
typedef struct el_sum {
    el_chain chain;
    int64_t n;
    const void *a; /* as el_gradient's */
    int64_t lda;
    void *grad, *grad2;
    bool later, more;
    void *sums;
} el_sum;
void el_sum_gradient(const elman_context *context, const el_kernels *k,
                     const el_sum *sum);

#endif
