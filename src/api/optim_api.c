/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../nn/xent.h"
#include "../optim/optimizer.h"
#include "../optim/schedule.h"
#include "../tensor/dtype.h"
#include "check.h"
#include "checks.h"

#include <math.h>

/* ---- Optimisers -----------------------------------------------------------*/

elman_status el_check_optimizer(const elman_optimizer_desc *d)
{
    EL_REQUIRE(d->kind >= ELMAN_SGD && d->kind <= ELMAN_RMSPROP,
               "the optimiser's kind is %d", d->kind);
    EL_REQUIRE(el_dtype_computes(d->dtype),
               "dtype is %d (ELMAN_F32, ELMAN_F64 or ELMAN_BF16)", d->dtype);
    EL_REQUIRE(d->momentum >= 0 && d->momentum < 1,
               "momentum is %g (0 or more, below 1)", d->momentum);
    EL_REQUIRE(d->beta1 >= 0 && d->beta1 < 1 && d->beta2 >= 0 && d->beta2 < 1,
               "beta1 and beta2 are %g and %g (0 or more, below 1)", d->beta1,
               d->beta2);
    EL_REQUIRE(d->alpha >= 0 && d->alpha < 1,
               "alpha is %g (0 or more, below 1)", d->alpha);
    EL_REQUIRE(d->eps >= 0 && d->eps < INFINITY, "eps is %g (0 or more)",
               d->eps);
    EL_REQUIRE(d->weight_decay >= 0 && d->weight_decay < INFINITY,
               "weight_decay is %g (0 or more)", d->weight_decay);
    EL_REQUIRE(d->clip >= 0 && d->clip < INFINITY,
               "clip is %g (0 for none, or more)", d->clip);
    return ELMAN_OK;
}

elman_status elman_optimizer_create(elman_context *context,
                                    const elman_optimizer_desc *desc,
                                    int64_t count, elman_optimizer **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc, "context or desc is NULL");
    EL_REQUIRE(count >= 0, "count is %lld (0 or more)", (long long)count);
    elman_optimizer_desc d = ELMAN_OPTIMIZER_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_optimizer_desc");
    if (!s)
        s = el_check_optimizer(&d);
    return s ? s : el_optimizer_create(context, &d, count, out);
}

void elman_optimizer_destroy(elman_optimizer **optimizer)
{
    if (!optimizer)
        return;
    el_optimizer_free(*optimizer);
    *optimizer = NULL;
}

elman_status elman_optimizer_step(elman_optimizer *optimizer, double lr,
                                  void *weights, const void *grad, double *norm)
{
    EL_REQUIRE(optimizer && ((weights && grad) || optimizer->count == 0),
               "optimizer, weights or grad is NULL");
    EL_REQUIRE(lr >= 0 && lr < INFINITY, "lr is %g (0 or more)", lr);
    elman_status s;
    EL_COMPUTE(s = el_optimizer_step(optimizer, lr, weights, grad, norm, NULL));
    return s;
}

double elman_schedule_rate(const elman_schedule *schedule, int64_t update,
                           int64_t halvings)
{
    if (!schedule)
        return NAN;
    elman_schedule s = ELMAN_SCHEDULE;
    if (el_take_desc(&s, sizeof s, schedule, "elman_schedule"))
        return NAN;
    double rate;
    EL_COMPUTE(rate = el_schedule_rate(&s, update, halvings));
    return rate;
}

/* ---- Cross-entropy --------------------------------------------------------*/

static elman_status check_xent(const elman_xent_desc *d, const int64_t *targets)
{
    EL_REQUIRE(el_dtype_computes(d->dtype),
               "dtype is %d (ELMAN_F32, ELMAN_F64 or ELMAN_BF16)", d->dtype);
    EL_REQUIRE(d->rows >= 0 && d->classes >= 1,
               "rows and classes are %lld and %lld (0 or more, 1 or more)",
               (long long)d->rows, (long long)d->classes);
    EL_REQUIRE(d->reduction == ELMAN_MEAN || d->reduction == ELMAN_SUM,
               "reduction is %d (ELMAN_MEAN or ELMAN_SUM)", d->reduction);
    EL_REQUIRE(d->label_smoothing >= 0 && d->label_smoothing <= 1,
               "label_smoothing is %g (0 to 1)", d->label_smoothing);
    EL_REQUIRE(d->scale == d->scale, "scale is not a number");
    for (int64_t i = 0; i < d->rows; ++i)
        EL_REQUIRE(targets[i] == ELMAN_IGNORE ||
                       (targets[i] >= 0 && targets[i] < d->classes),
                   "target %lld is %lld (0 to %lld, or ELMAN_IGNORE)",
                   (long long)i, (long long)targets[i],
                   (long long)d->classes - 1);
    return ELMAN_OK;
}

static double weight_of(const elman_xent_desc *d, int64_t target)
{
    if (!d->class_weight)
        return 1;
    return d->dtype == ELMAN_F64
               ? ((const double *)d->class_weight)[target]
               : (double)((const float *)d->class_weight)[target];
}

static void cross_entropy(const elman_context *c, const el_kernels *k,
                          const elman_xent_desc *d, const void *logits,
                          const int64_t *targets, double *each, void *dlogits,
                          double *loss)
{
    double divisor = 1;
    if (d->reduction == ELMAN_MEAN) {
        divisor = 0;
        for (int64_t i = 0; i < d->rows; ++i)
            if (targets[i] >= 0)
                divisor += weight_of(d, targets[i]);
    }
    const double scale = (d->scale == 0 ? 1 : d->scale) / divisor;
    const el_xent_rows rows = {.kernel = {.classes = d->classes,
                                          .weight = d->class_weight,
                                          .smoothing = d->label_smoothing,
                                          .scale = scale},
                               .rows = d->rows,
                               .x = logits,
                               .targets64 = targets,
                               .each = each,
                               .dx = dlogits};
    el_xent_all(c, k, &rows);
    double sum = 0;
    for (int64_t i = 0; i < d->rows; ++i)
        sum += each[i];
    if (loss)
        *loss = sum * (d->scale == 0 ? 1 : d->scale) / divisor;
}

elman_status elman_cross_entropy(elman_context *context,
                                 const elman_xent_desc *desc,
                                 const void *logits, const int64_t *targets,
                                 void *each, void *dlogits, double *loss)
{
    EL_REQUIRE(context && desc, "context or desc is NULL");
    elman_xent_desc d = ELMAN_XENT_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_xent_desc");
    if (s)
        return s;
    EL_REQUIRE((logits && targets) || d.rows == 0, "logits or targets is NULL");
    s = check_xent(&d, targets);
    if (s)
        return s;
    const el_kernels *const k = el_context_kernels(context, d.dtype);
    double *const losses = el_alloc_array(context, d.rows, sizeof *losses);
    if (!losses)
        return ELMAN_ENOMEM;
    EL_COMPUTE(
        cross_entropy(context, k, &d, logits, targets, losses, dlogits, loss));
    for (int64_t i = 0; each && i < d.rows; ++i)
        if (d.dtype == ELMAN_F64)
            ((double *)each)[i] = losses[i];
        else
            ((float *)each)[i] = (float)losses[i];
    el_free(context, losses);
    return ELMAN_OK;
}
