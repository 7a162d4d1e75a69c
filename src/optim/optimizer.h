/* SPDX-License-Identifier: MIT */
/* optimizer.h - one pass over a flat block of weights; see elman.h for the
 * formulas. */
#ifndef EL_OPTIMIZER_H
#define EL_OPTIMIZER_H

#include "../base/context.h"
#include "../kernels/kernels.h"

#include <math.h>

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
/* As it was created: no step has been made. */
void el_optimizer_reset(elman_optimizer *optimizer);
/* What one takes; -1 if it overflows. */
int64_t el_optimizer_bytes(const elman_context *context,
                           const elman_optimizer_desc *desc, int64_t count);

/* What keeps weights and moments finite: numbers that none of them exceeds in
 * magnitude, carried on from update to update, so that most updates need not
 * be looked at.  Infinities are a fine beginning, and what to go back to when
 * weights or moments were written by others. */
typedef struct el_watch {
    double weights, m, v;
    int64_t place; /* of the element that an update would have made infinite;
                    * -1: it was the gradient that was not finite */
} el_watch;
#define EL_WATCH                                                               \
    {                                                                          \
        .weights = INFINITY, .m = INFINITY, .v = INFINITY, .place = -1         \
    }

/* ELMAN_ENONFINITE: the norm is not finite or, with a watch (else NULL), the
 * update would make a weight or a moment so.  Nothing is changed then. */
elman_status el_optimizer_step(elman_optimizer *optimizer, double lr,
                               void *weights, const void *grad, double *norm,
                               el_watch *watch);

#endif
