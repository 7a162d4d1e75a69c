/* SPDX-License-Identifier: MIT */
/* optimizer.h - one pass over a flat block of weights; see elman.h for the
 * formulas. */
#ifndef EL_OPTIMIZER_H
#define EL_OPTIMIZER_H

#include "../base/context.h"
#include "../kernels/kernels.h"

struct elman_optimizer {
    const elman_context *context;
    const el_kernels *k;
    elman_optimizer_desc desc;
    int64_t count;
    int64_t steps; /* made so far: t of Adam's correction */
    void *m, *v;   /* moments [count]; NULL where the kind has none */
    double *parts; /* sums of squares */
};

elman_status el_optimizer_create(const elman_context *context,
                                 const elman_optimizer_desc *desc,
                                 int64_t count, elman_optimizer **out);
void el_optimizer_free(elman_optimizer *optimizer);
elman_status el_optimizer_step(elman_optimizer *optimizer, double lr,
                               void *weights, const void *grad, double *norm);

#endif
