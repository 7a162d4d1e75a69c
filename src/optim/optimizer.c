/* SPDX-License-Identifier: MIT */
#include "optimizer.h"
#include "../base/plan.h"
#include "../base/real.h"
#include "../base/team.h"
#include "watch.h"

#include <math.h>
#include <string.h>

/* The norm's sum is cut here, and added up in order, whoever made the parts. */
enum { CHUNK = 16384 };

static int64_t chunks(int64_t count)
{
    return (count + CHUNK - 1) / CHUNK;
}

static void plan_optimizer(el_plan *p, elman_optimizer *o)
{
    const elman_optimizer_kind kind = o->desc.kind;
    if (kind != ELMAN_SGD)
        el_want(p, &o->m, o->count, 1, o->k->size);
    if (kind == ELMAN_ADAM || kind == ELMAN_ADAMW)
        el_want(p, &o->v, o->count, 1, o->k->size);
    el_want(p, &o->parts, chunks(o->count), 1, sizeof *o->parts);
}

static elman_optimizer shape(const elman_context *context,
                             const elman_optimizer_desc *desc, int64_t count)
{
    return (elman_optimizer){.context = context,
                             .k = el_context_kernels(context, desc->dtype),
                             .desc = *desc,
                             .count = count};
}

elman_status el_optimizer_create(const elman_context *context,
                                 const elman_optimizer_desc *desc,
                                 int64_t count, elman_optimizer **out)
{
    el_plan p = {.context = context, .allocate = true};
    elman_optimizer *const o = el_alloc(context, sizeof *o);
    if (!o)
        return ELMAN_ENOMEM;
    *o = shape(context, desc, count);
    plan_optimizer(&p, o);
    if (p.failed) {
        el_optimizer_free(o);
        return ELMAN_ENOMEM;
    }
    *out = o;
    return ELMAN_OK;
}

int64_t el_optimizer_bytes(const elman_context *context,
                           const elman_optimizer_desc *desc, int64_t count)
{
    el_plan p = {.context = context};
    elman_optimizer o = shape(context, desc, count);
    el_want_bytes(&p, sizeof o + EL_BLOCK_EXTRA);
    plan_optimizer(&p, &o);
    return p.failed ? -1 : p.bytes;
}

void el_optimizer_free(elman_optimizer *o)
{
    if (!o)
        return;
    el_free(o->context, o->m);
    el_free(o->context, o->v);
    el_free(o->context, o->parts);
    el_free(o->context, o);
}

void el_optimizer_reset(elman_optimizer *o)
{
    const size_t bytes = (size_t)o->count * o->k->size;
    o->steps = 0;
    if (o->m)
        memset(o->m, 0, bytes);
    if (o->v)
        memset(o->v, 0, bytes);
}

typedef struct pass {
    elman_optimizer *o;
    el_update update;
    char *weights;
    const char *grad;
    int parts;
} pass;

static void *at(const elman_optimizer *o, const void *p, int64_t i)
{
    return p ? (char *)p + i * (int64_t)o->k->size : NULL;
}

static void norm_part(void *arg, int part)
{
    const pass *const p = arg;
    const elman_optimizer *const o = p->o;
    int64_t from, to;
    el_share(chunks(o->count), 1, p->parts, part, &from, &to);
    for (int64_t i = from; i < to; ++i) {
        const int64_t left = o->count - i * CHUNK;
        o->parts[i] = o->k->sum_squares(at(o, p->grad, i * CHUNK),
                                        left < CHUNK ? left : CHUNK);
    }
}

static void update_part(void *arg, int part)
{
    const pass *const p = arg;
    const elman_optimizer *const o = p->o;
    int64_t from, to;
    el_share(o->count, CHUNK, p->parts, part, &from, &to);
    if (from < to)
        o->k->update(&p->update, at(o, p->weights, from), at(o, p->grad, from),
                     at(o, o->m, from), at(o, o->v, from), to - from);
}

elman_status el_optimizer_step(elman_optimizer *o, double lr, void *weights,
                               const void *grad, double *norm, el_watch *watch)
{
    el_team *const team = o->context->team;
    const elman_optimizer_desc *const d = &o->desc;
    pass p = {.o = o,
              .weights = weights,
              .grad = grad,
              .parts = el_team_parts(team, 16.0 * (double)o->count)};
    el_team_run(team, p.parts, norm_part, &p);
    double sum = 0;
    for (int64_t i = 0; i < chunks(o->count); ++i)
        sum += o->parts[i];
    const double length = sqrt(sum);
    if (norm)
        *norm = length;
    if (watch)
        watch->place = -1;
    if (!(length < INFINITY))
        return el_fail(ELMAN_ENONFINITE,
                       "the gradient is not finite (a smaller learning rate, "
                       "or clipping, may help)");

    const int64_t t = o->steps + 1;
    const double limit = d->clip / (length + 1e-6);
    p.update = (el_update){.kind = d->kind,
                           .lr = lr,
                           .momentum = d->momentum,
                           .beta1 = d->beta1,
                           .beta2 = d->beta2,
                           .alpha = d->alpha,
                           .eps = d->eps,
                           .weight_decay = d->weight_decay,
                           .grad_scale = d->clip > 0 && limit < 1 ? limit : 1,
                           .correction1 = 1 - el_powi64(d->beta1, t),
                           .correction2 = 1 - el_powi64(d->beta2, t)};
    if (watch && !el_watch_allows(watch, o, &p.update, length, weights, grad))
        return el_fail(ELMAN_ENONFINITE,
                       "the update would make the weights infinite (a smaller "
                       "learning rate, or clipping, may help)");
    el_team_run(team, p.parts, update_part, &p);
    o->steps = t;
    return ELMAN_OK;
}
