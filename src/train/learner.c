/* SPDX-License-Identifier: MIT */
#include "learner.h"
#include "nonfinite.h"
#include "../base/team.h"
#include "../model/lm_score.h"
#include "../text/corpus.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CHUNK = 16384 };               /* weights that a thread takes at least */
static const double SLACK = 1 + 1e-6; /* for what rounding adds to a bound */

/* ---- Making ---------------------------------------------------------------*/

static size_t weights_size(const elman_lm *lm)
{
    return (size_t)lm->net.views.total * lm->net.k->size;
}

static double largest(const elman_lm *lm)
{
    const void *const w = lm->net.weights;
    double most = 0;
    for (int64_t i = 0; i < lm->net.views.total; ++i)
        most = fmax(most, fabs(lm->net.k->dtype == ELMAN_F64
                                   ? ((const double *)w)[i]
                                   : (double)((const float *)w)[i]));
    return most;
}

static el_tape_size tape_size(const elman_learner *l)
{
    return (el_tape_size){.steps = l->desc.steps, .batch = 1};
}

static elman_status make_parts(elman_learner *l)
{
    const elman_lm *const lm = l->lm;
    const elman_context *const c = lm->net.context;
    const int64_t P = lm->net.views.total;
    const size_t size = lm->net.k->size;
    const el_tape_size tape = tape_size(l);
    elman_status s =
        el_optimizer_create(c, &l->desc.optimizer, P, &l->optimizer);
    if (!s)
        s = el_lm_tape_create(lm, &tape, &l->tape);
    if (!s)
        s = el_lm_state_create(lm, 1, &l->state);
    if (!s &&
        (!(l->begun = el_alloc(c, el_carried_bytes(l->state))) ||
         !(l->now = el_alloc(c, el_carried_bytes(l->state))) ||
         !(l->first = el_alloc_array(c, P, size)) ||
         !(l->grad = el_alloc_array(c, P, size)) ||
         !(l->ids = el_alloc_array(c, l->desc.steps + 1, sizeof *l->ids))))
        s = ELMAN_ENOMEM;
    return s;
}

elman_status el_learner_create(elman_lm *lm, const elman_learner_desc *desc,
                               elman_learner **out)
{
    elman_learner *const l = el_alloc(lm->net.context, sizeof *l);
    if (!l)
        return ELMAN_ENOMEM;
    l->lm = lm;
    l->desc = *desc;
    l->watch = (el_watch)EL_WATCH;
    const elman_status s = make_parts(l);
    if (s) {
        el_learner_free(l);
        return s;
    }
    memcpy(l->first, lm->net.weights, weights_size(lm));
    l->largest = largest(lm);
    el_learner_begin(l);
    *out = l;
    return ELMAN_OK;
}

void el_learner_free(elman_learner *l)
{
    if (!l)
        return;
    const elman_context *const c = l->lm->net.context;
    el_optimizer_free(l->optimizer);
    el_lm_tape_free(l->tape);
    el_lm_state_free(l->state);
    el_free(c, l->begun);
    el_free(c, l->now);
    el_free(c, l->first);
    el_free(c, l->grad);
    el_free(c, l->ids);
    el_free(c, l);
}

void el_learner_memory(const elman_learner *l, elman_memory *out)
{
    const elman_lm *const lm = l->lm;
    const el_tape_size size = tape_size(l);
    el_tape_cost cost = {0};
    el_lm_tape_costs(lm, &size, &cost);
    *out = (elman_memory){
        .weights = el_network_weights_bytes(&lm->net),
        .packed = el_network_packed_bytes(&lm->net),
        .gradient = (int64_t)el_block_bytes(l->grad),
        .optimizer = el_optimizer_bytes(lm->net.context, &l->desc.optimizer,
                                        lm->net.views.total),
        .kept = (int64_t)(el_block_bytes(l->first) + el_block_bytes(l->begun) +
                          el_block_bytes(l->now)),
        .tape = cost.bytes + el_lm_state_bytes(lm, 1),
        .outside = cost.outside,
        .tokens = (int64_t)(el_block_bytes(l->ids) + el_block_bytes(l)),
        .passes = cost.passes};
}

void el_learner_begin(elman_learner *l)
{
    el_lm_state_zero(l->state);
    el_lm_state_read(l->state, l->begun);
    l->read = -1;
    l->failed = false;
}

void el_learner_reset(elman_learner *l)
{
    memcpy(l->lm->net.weights, l->first, weights_size(l->lm));
    el_lm_pack(l->lm);
    el_optimizer_reset(l->optimizer);
    l->watch = (el_watch)EL_WATCH;
    l->updates = 0;
    el_learner_begin(l);
}

/* ---- Reading --------------------------------------------------------------*/

/* w += pull (w0 - w), each operation rounded.  Where the difference is larger
 * than any number the two are of opposite signs, so that nothing overflows in
 * what is done instead. */
static void pull_f32(float *w, const float *first, double pull, int64_t n)
{
    const float part = (float)pull;
    for (int64_t i = 0; i < n; ++i) {
        const float away = first[i] - w[i];
        w[i] = fabsf(away) <= FLT_MAX ? w[i] + part * away
                                      : (w[i] - part * w[i]) + part * first[i];
    }
}

static void pull_f64(double *w, const double *first, double pull, int64_t n)
{
    for (int64_t i = 0; i < n; ++i) {
        const double away = first[i] - w[i];
        w[i] = fabs(away) <= DBL_MAX ? w[i] + pull * away
                                     : (w[i] - pull * w[i]) + pull * first[i];
    }
}

typedef struct pull_pass {
    const elman_learner *l;
    int parts;
} pull_pass;

static void pull_part(void *arg, int part)
{
    const pull_pass *const p = arg;
    const elman_network *const net = &p->l->lm->net;
    int64_t from, to;
    el_share(net->views.total, CHUNK, p->parts, part, &from, &to);
    void *const w = el_at(net->k, net->weights, from);
    const void *const first = el_at(net->k, p->l->first, from);
    if (net->k->dtype == ELMAN_F64)
        pull_f64(w, first, p->l->desc.pull, to - from);
    else
        pull_f32(w, first, p->l->desc.pull, to - from);
}

static void pull_back(elman_learner *l)
{
    el_team *const team = l->lm->net.context->team;
    pull_pass p = {.l = l};
    p.parts = el_team_parts(team, 8.0 * (double)l->lm->net.views.total);
    el_team_run(team, p.parts, pull_part, &p);
    /* What lies between w and w0 is no larger than either. */
    l->watch.weights = SLACK * fmax(l->watch.weights, l->largest);
}

/* From the piece that the tape holds. */
static elman_status learn(elman_learner *l)
{
    elman_lm *const lm = l->lm;
    memset(l->grad, 0, weights_size(lm));
    el_lm_backward(lm, l->tape, l->grad);
    const elman_status s = el_optimizer_step(
        l->optimizer, l->desc.lr, lm->net.weights, l->grad, NULL, &l->watch);
    if (s)
        return s;
    if (l->desc.pull > 0)
        pull_back(l);
    el_lm_pack(lm);
    ++l->updates;
    return ELMAN_OK;
}

/* Tokens `from` ... `to`-1 of the piece, from the state before them; the tape
 * has their losses. */
static elman_status foretell(elman_learner *l, int64_t from, int64_t to)
{
    elman_lm_batch batch = ELMAN_LM_BATCH;
    double sum;
    batch.steps = to - from;
    batch.batch = 1;
    batch.ids = l->ids + from;
    batch.targets = l->ids + from + 1;
    batch.scale = 1 / (double)l->desc.steps;
    el_lm_forward(l->lm, l->tape, &batch, l->state, &sum, NULL);
    if (isfinite(sum))
        return ELMAN_OK;
    return el_fail(ELMAN_ENONFINITE, "the loss is not finite (a smaller "
                                     "learning rate may help)");
}

/* n more tokens of the piece have been put into ids.  A piece that is whole is
 * run as one, though some of it have been scored before, since its gradient
 * needs all its steps; no bit of a loss depends on it. */
static elman_status advance(elman_learner *l, int64_t n, double *nats)
{
    const int64_t before = l->read, steps = l->desc.steps;
    const bool whole = before + n == steps;
    const int64_t from = whole ? 0 : before;
    if (whole && before > 0)
        el_lm_state_write(l->state, l->begun);
    elman_status s = foretell(l, from, before + n);
    if (s)
        return s;
    for (int64_t i = 0; nats && i < n; ++i)
        nats[i] = l->tape->each[before - from + i];
    l->read += n;
    if (!whole)
        return ELMAN_OK;
    if (l->desc.lr > 0)
        s = learn(l);
    l->ids[0] = l->ids[steps];
    l->read = 0;
    el_lm_state_read(l->state, l->begun);
    return s;
}

elman_status el_learner_read(elman_learner *l, const int32_t *ids,
                             int64_t count, double *nats)
{
    elman_status s = ELMAN_OK;
    int64_t at = 0;
    if (l->read < 0 && count > 0) {
        l->ids[0] = ids[0];
        l->read = 0;
        if (nats)
            nats[0] = 0;
        at = 1;
    }
    while (at < count && !s) {
        const int64_t left = count - at, room = l->desc.steps - l->read;
        const int64_t n = left < room ? left : room;
        memcpy(l->ids + l->read + 1, ids + at, (size_t)n * sizeof *ids);
        s = advance(l, n, nats ? nats + at : NULL);
        at += n;
    }
    l->failed = s != ELMAN_OK;
    return s;
}

void el_learner_next(elman_learner *l, void *logits)
{
    el_lm_state_read(l->state, l->now);
    el_lm_step(l->lm, l->state, &l->ids[l->read], logits);
    el_lm_state_write(l->state, l->now);
}

static elman_status score(void *learner, const int32_t *ids, int64_t steps,
                          double *nats)
{
    return el_learner_read(learner, ids + 1, steps, nats);
}

elman_status el_learner_eval(elman_learner *l, elman_text *text, int64_t first,
                             int64_t count, elman_lm_score *out)
{
    int32_t id;
    el_learner_begin(l);
    elman_status s = el_text_read(text, first, 1, &id);
    if (!s)
        s = el_learner_read(l, &id, 1, NULL);
    if (!s)
        s = el_lm_score_text(l->lm, text, first, count, score, l, out);
    return s;
}
