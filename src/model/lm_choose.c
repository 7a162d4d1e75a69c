/* SPDX-License-Identifier: MIT */
/* lm_choose.c - the next token, from logits. */
#include "lm.h"
#include "../base/real.h"

#include <math.h>
#include <stdlib.h>

typedef struct candidate {
    double p;
    int32_t id;
} candidate;

static double logit(const elman_lm *lm, const void *logits, int64_t i)
{
    return lm->k->dtype == ELMAN_F64 ? ((const double *)logits)[i]
                                     : (double)((const float *)logits)[i];
}

/* The first of the largest; -1 if one is NaN or all are minus infinity. */
static int32_t largest(const elman_lm *lm, const void *logits)
{
    int32_t best = -1;
    double most = -INFINITY;
    for (int64_t i = 0; i < lm->classes; ++i) {
        const double x = logit(lm, logits, i);
        if (x != x)
            return -1;
        if (x > most) {
            most = x;
            best = (int32_t)i;
        }
    }
    return best;
}

static int by_p(const void *a, const void *b)
{
    const candidate *const x = a, *const y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Sets the probabilities of all that top_k and top_p leave out to zero. */
static elman_status leave_out(const elman_lm *lm, const elman_sampler *sampler,
                              double *p, double total)
{
    const int64_t n = lm->classes;
    candidate *const list = el_alloc_array(lm->context, n, sizeof *list);
    if (!list)
        return ELMAN_ENOMEM;
    for (int64_t i = 0; i < n; ++i)
        list[i] = (candidate){p[i], (int32_t)i};
    qsort(list, (size_t)n, sizeof *list, by_p);
    const double enough =
        sampler->top_p > 0 && sampler->top_p < 1 ? sampler->top_p : INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        const bool out = (sampler->top_k > 0 && i >= sampler->top_k) ||
                         sum >= enough * total;
        sum += list[i].p;
        if (out)
            p[list[i].id] = 0;
    }
    el_free(lm->context, list);
    return ELMAN_OK;
}

elman_status el_lm_choose(const elman_lm *lm, const elman_sampler *sampler,
                          const void *logits, double uniform, int32_t *id)
{
    const int64_t n = lm->classes;
    const int32_t best = largest(lm, logits);
    if (best < 0)
        return el_fail(ELMAN_EINVAL, "the logits are not numbers");
    if (sampler->greedy) {
        *id = best;
        return ELMAN_OK;
    }
    double *const p = el_alloc_array(lm->context, n, sizeof *p);
    if (!p)
        return ELMAN_ENOMEM;
    const double max = logit(lm, logits, best) / sampler->temperature;
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double x = logit(lm, logits, i) / sampler->temperature;
        p[i] = x == max ? 1 : el_exp64(x - max);
        total += p[i];
    }
    elman_status s = ELMAN_OK;
    if (sampler->top_k > 0 || (sampler->top_p > 0 && sampler->top_p < 1)) {
        s = leave_out(lm, sampler, p, total);
        total = 0;
        for (int64_t i = 0; i < n; ++i)
            total += p[i];
    }
    *id = best;
    double running = 0;
    for (int64_t i = 0; i < n; ++i) {
        running += p[i];
        if (running > uniform * total) {
            *id = (int32_t)i;
            break;
        }
    }
    el_free(lm->context, p);
    return s;
}
