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
    return lm->net.k->dtype == ELMAN_F64 ? ((const double *)logits)[i]
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

static int by_id(const void *a, const void *b)
{
    const candidate *const x = a, *const y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* A probability, times the same number for every class. */
static double weight(const elman_lm *lm, const void *logits, int64_t i,
                     double max, double temperature)
{
    const double x = logit(lm, logits, i) / temperature;
    return x == max ? 1 : el_exp64(x - max);
}

/* The first class, in order of id, whose running sum exceeds uniform times
 * the sum of all; two passes over the logits, and nothing allocated. */
static int32_t choose_any(const elman_lm *lm, const elman_sampler *sampler,
                          const void *logits, double uniform, int32_t best)
{
    const double t = sampler->temperature;
    const double max = logit(lm, logits, best) / t;
    double total = 0, running = 0;
    for (int64_t i = 0; i < lm->classes; ++i)
        total += weight(lm, logits, i, max, t);
    for (int64_t i = 0; i < lm->classes; ++i) {
        running += weight(lm, logits, i, max, t);
        if (running > uniform * total)
            return (int32_t)i;
    }
    return best;
}

/* The same among what top_k and top_p leave over. */
static int32_t choose_top(const elman_lm *lm, const elman_sampler *sampler,
                          const void *logits, double uniform, int32_t best,
                          candidate *list)
{
    const int64_t n = lm->classes;
    const double t = sampler->temperature;
    const double max = logit(lm, logits, best) / t;
    const bool some = sampler->top_p > 0 && sampler->top_p < 1;
    double total = 0, kept = 0;
    for (int64_t i = 0; i < n; ++i) {
        list[i] = (candidate){weight(lm, logits, i, max, t), (int32_t)i};
        total += list[i].p;
    }
    qsort(list, (size_t)n, sizeof *list, by_p);
    int64_t count = 0;
    while (count < n && (sampler->top_k == 0 || count < sampler->top_k) &&
           (!some || kept < sampler->top_p * total))
        kept += list[count++].p;
    qsort(list, (size_t)count, sizeof *list, by_id);
    double sum = 0, running = 0;
    for (int64_t i = 0; i < count; ++i)
        sum += list[i].p;
    for (int64_t i = 0; i < count; ++i) {
        running += list[i].p;
        if (running > uniform * sum)
            return list[i].id;
    }
    return best;
}

elman_status el_lm_choose(const elman_lm *lm, const elman_sampler *sampler,
                          const void *logits, double uniform, int32_t *id)
{
    const int32_t best = largest(lm, logits);
    if (best < 0)
        return el_fail(ELMAN_EINVAL, "the logits are not numbers");
    const bool all =
        sampler->top_k == 0 && (sampler->top_p == 0 || sampler->top_p == 1);
    if (sampler->greedy) {
        *id = best;
    } else if (all) {
        *id = choose_any(lm, sampler, logits, uniform, best);
    } else {
        candidate *const list =
            el_alloc_array(lm->net.context, lm->classes, sizeof *list);
        if (!list)
            return ELMAN_ENOMEM;
        *id = choose_top(lm, sampler, logits, uniform, best, list);
        el_free(lm->net.context, list);
    }
    return ELMAN_OK;
}
