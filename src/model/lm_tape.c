/* SPDX-License-Identifier: MIT */
/* lm_tape.c - the memory of a language model's runs, and what stands around the
 * stack where not all of it is held. */
#include "../base/plan.h"
#include "lm_work.h"

#include <assert.h>

/* ---- Memory ---------------------------------------------------------------*/

static size_t scratch_bytes(const elman_lm *lm, el_run most)
{
    const size_t decoder = el_loss_scratch(&lm->net.decoder, most);
    const size_t embedding =
        lm->net.embedding >= 0
            ? el_lookup_scratch(lm->net.k, most, lm->classes, lm->desc.embed)
            : 0;
    return decoder > embedding ? decoder : embedding;
}

static void plan_tape(el_plan *p, elman_lm_tape *t, bool recalls)
{
    const elman_lm *const lm = t->lm;
    const size_t size = lm->net.k->size;
    const int64_t P = lm->net.stack.width, x = el_lm_embedded(lm);
    const el_run most = {t->piece, t->most_batch, NULL};
    int64_t rows, ids;
    if (t->most_steps >= (int64_t)1 << 40 ||
        __builtin_mul_overflow(most.steps, most.batch, &rows) ||
        __builtin_mul_overflow(t->most_steps + lm->tokens - 1, most.batch,
                               &ids) ||
        rows > INT32_MAX) {
        el_want_bytes(p, -1);
        return;
    }
    el_want_bytes(p, (int64_t)sizeof *t + EL_BLOCK_EXTRA);
    if (!recalls || lm->tokens > 1)
        el_want(p, &t->ids, ids, 1, sizeof *t->ids);
    el_want(p, &t->logits, rows, lm->classes, size);
    el_want(p, &t->sums, rows, 2, size);
    el_want(p, &t->each, rows, 1, sizeof *t->each);
    if (x > 0 && !recalls)
        el_want(p, &t->x, rows, x, size);
    if (t->inference)
        return;
    if (!recalls)
        el_want(p, &t->aims, rows, 1, sizeof *t->aims);
    if (lm->desc.dropout > 0)
        el_want(p, &t->out, rows, P, size);
    el_want(p, &t->dh, rows, P, size);
    el_want(p, &t->scratch, 1, (int64_t)scratch_bytes(lm, most), 1);
    if (x > 0 && !recalls)
        el_want(p, &t->dx, rows, x, size);
}

static elman_lm_tape shape(const elman_lm *lm, const el_tape_size *size,
                           bool recalls)
{
    const bool short_pieces = recalls && size->steps > EL_BLOCK_STEPS;
    return (elman_lm_tape){.lm = lm,
                           .most_steps = size->steps,
                           .piece = short_pieces ? EL_BLOCK_STEPS : size->steps,
                           .most_batch = size->batch,
                           .inference = size->inference};
}

/* What all but the stack's own tape takes; -1 if it overflows. */
static int64_t own_bytes(const elman_lm *lm, const el_tape_size *size,
                         bool recalls)
{
    el_plan p = {.context = lm->net.context};
    elman_lm_tape t = shape(lm, size, recalls);
    plan_tape(&p, &t, recalls);
    return p.failed ? -1 : p.bytes;
}

/* The stack's tape, without a budget where all fits into it. */
static el_tape_size stack_size(const elman_lm *lm, const el_tape_size *size)
{
    el_tape_size stack = {.steps = size->steps,
                          .batch = size->batch,
                          .inference = size->inference};
    const int64_t own = own_bytes(lm, size, false);
    const int64_t whole = el_tape_bytes(&lm->net.stack, &stack);
    if (size->memory <= 0 || size->inference ||
        (own >= 0 && whole >= 0 && own + whole <= size->memory - size->besides))
        return stack;
    stack.whole =
        own < 0 || whole < 0 ? INT64_MAX : own + whole + size->besides;
    stack.memory = size->memory;
    stack.besides = size->besides + own_bytes(lm, size, true);
    stack.ends = true;
    stack.embeds = lm->net.embedding >= 0;
    return stack;
}

elman_status el_lm_tape_costs(const elman_lm *lm, const el_tape_size *size,
                              el_tape_cost *out)
{
    const el_tape_size stack = stack_size(lm, size);
    const int64_t own = own_bytes(lm, size, stack.ends);
    const elman_status s = el_tape_costs(&lm->net.stack, &stack, out);
    if (s)
        return s;
    if (own < 0)
        return el_no_memory();
    out->bytes += own;
    return ELMAN_OK;
}

elman_status el_lm_tape_create(const elman_lm *lm, const el_tape_size *size,
                               elman_lm_tape **out)
{
    const elman_context *const c = lm->net.context;
    const el_tape_size stack = stack_size(lm, size);
    el_plan p = {.context = c, .allocate = true};
    assert(!size->inference || size->steps * size->batch <= 256);
    if (own_bytes(lm, size, stack.ends) < 0)
        return el_no_memory();
    elman_lm_tape *const t = el_alloc(c, sizeof *t);
    if (!t)
        return ELMAN_ENOMEM;
    *t = shape(lm, size, stack.ends);
    elman_status s = el_tape_create(&lm->net.stack, &stack, &t->tape);
    if (!s) {
        plan_tape(&p, t, stack.ends);
        s = p.failed ? ELMAN_ENOMEM : ELMAN_OK;
    }
    if (s) {
        el_lm_tape_free(t);
        return s;
    }
    *out = t;
    return ELMAN_OK;
}

void el_lm_tape_free(elman_lm_tape *t)
{
    if (!t)
        return;
    const elman_context *const c = t->lm->net.context;
    el_tape_free(&t->tape);
    el_free(c, t->ids);
    el_free(c, t->x);
    el_free(c, t->dx);
    el_free(c, t->out);
    el_free(c, t->logits);
    el_free(c, t->sums);
    el_free(c, t->aims);
    el_free(c, t->dh);
    el_free(c, t->each);
    el_free(c, t->scratch);
    el_free(c, t);
}

/* ---- Around the stack, piece by piece -------------------------------------*/

static void enter(void *arg, int64_t count, const int64_t *rows, void *x)
{
    const elman_lm_tape *const t = arg;
    const elman_lm *const lm = t->lm;
    const int64_t E = lm->desc.embed, B = t->tape.q.batch;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t s = 0; s < lm->tokens; ++s)
            el_network_embed(&lm->net, 1, t->tokens + rows[i] + s * B,
                             el_at(lm->net.k, x, (i * lm->tokens + s) * E), E);
}

/* What enters the decoder. */
static const void *top_of(elman_lm_tape *t, int64_t from, el_run run,
                          const void *h)
{
    if (!el_lm_drops(t))
        return h;
    el_lm_drop(t, from, run, h, t->out);
    return t->out;
}

static el_loss loss_of(elman_lm_tape *t, int64_t from, el_run run,
                       const void *h)
{
    return el_lm_loss(t, el_rows(run), top_of(t, from, run, h),
                      t->targets + from * run.batch);
}

static void leave(void *arg, int64_t from, el_run run, const void *h)
{
    elman_lm_tape *const t = arg;
    const el_loss loss = loss_of(t, from, run, h);
    el_lm_losses(t, &loss);
}

static const void *arrive(void *arg, int64_t from, el_run run, const void *h)
{
    elman_lm_tape *const t = arg;
    const el_loss loss = loss_of(t, from, run, h);
    el_loss_forward(&loss);
    el_loss_backward(&loss, &(el_loss_back){.run = run,
                                            .scale = t->scale,
                                            .weights = t->lm->net.weights,
                                            .dh = t->dh,
                                            .grad = t->grad,
                                            .scratch = t->scratch});
    if (el_lm_drops(t))
        el_lm_drop(t, from, run, t->dh, t->dh);
    return t->dh;
}

static void depart(void *arg, int64_t from, el_run run, const void *dx)
{
    el_lm_embedding_gradient(arg, from, run, dx);
}

el_ends el_lm_ends(elman_lm_tape *tape)
{
    return (el_ends){.arg = tape,
                     .enter = enter,
                     .leave = leave,
                     .arrive = arrive,
                     .depart = depart};
}
