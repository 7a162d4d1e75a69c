/* SPDX-License-Identifier: MIT */
#include "../base/plan.h"
#include "../text/corpus.h"
#include "trainer.h"

#include <string.h>

/* ---- Making ---------------------------------------------------------------*/

static void plan_tokens(el_plan *p, int64_t steps, int64_t batch, el_shards *s)
{
    el_want(p, &s->row, steps + 1, 1, sizeof *s->row);
    el_want(p, &s->ids, steps, batch, sizeof *s->ids);
    el_want(p, &s->targets, steps, batch, sizeof *s->targets);
}

int64_t el_shards_tokens_bytes(int64_t steps, int64_t batch)
{
    el_plan p = {0};
    el_shards s;
    plan_tokens(&p, steps, batch, &s);
    return p.failed ? -1 : p.bytes;
}

int64_t el_shards_gradient_bytes(const el_shards *s)
{
    size_t bytes = 0;
    for (int i = 0; i < s->levels; ++i)
        bytes += el_block_bytes(s->waiting[i]);
    return (int64_t)bytes;
}

elman_status el_shards_create(elman_trainer *t)
{
    const elman_context *const c = t->context;
    const elman_train_desc *const d = &t->desc;
    el_shards *const s = &t->shards;
    const int64_t P = t->lm->net.views.total;
    elman_status status =
        el_group_create(c, d->ranks, P, t->lm->net.k->size, &s->group);
    s->count = d->shards / s->group.count;
    s->first = s->group.rank * s->count;
    s->rows = d->batch / d->shards;
    const el_tape_size size = el_trainer_tape(t);
    if (!status)
        status = el_lm_tape_create(t->lm, &size, &s->tape);
    if (!status && t->state && d->shards > 1)
        status = el_lm_state_create(t->lm, s->rows, &s->state);
    if (status)
        return status;
    for (int64_t n = s->count; n > 0; n /= 2)
        if (!(s->waiting[s->levels++] =
                  el_alloc_array(c, P, t->lm->net.k->size)))
            return ELMAN_ENOMEM;
    t->grad = s->waiting[0];
    el_plan p = {.context = c, .allocate = true};
    plan_tokens(&p, t->truncation.on ? 1 : d->steps, s->count * s->rows, s);
    return p.failed ? ELMAN_ENOMEM : el_truncation_create(t);
}

void el_shards_free(elman_trainer *t)
{
    const elman_context *const c = t->context;
    el_shards *const s = &t->shards;
    el_group_free(&s->group);
    el_lm_tape_free(s->tape);
    el_lm_state_free(s->state);
    for (int i = 0; i < s->levels; ++i)
        el_free(c, s->waiting[i]);
    el_free(c, s->row);
    el_free(c, s->ids);
    el_free(c, s->targets);
    el_truncation_free(t);
}

/* ---- Reading --------------------------------------------------------------*/

elman_status el_shards_read(elman_trainer *t, const el_place *place)
{
    const el_shards *const s = &t->shards;
    if (t->truncation.on)
        return el_truncation_read(t, place);
    const int64_t T = t->desc.steps;
    for (int64_t b = 0; b < s->count * s->rows; ++b) {
        const int64_t first = el_pieces_first(
            &t->pieces, place->epoch, place->from, s->first * s->rows + b);
        const elman_status status = el_text_read(t->text, first, T + 1, s->row);
        if (status)
            return status;
        const int64_t at = b / s->rows * T * s->rows + b % s->rows;
        for (int64_t i = 0; i < T; ++i) {
            s->ids[at + i * s->rows] = s->row[i];
            s->targets[at + i * s->rows] = s->row[i + 1];
        }
    }
    return ELMAN_OK;
}

/* ---- States ---------------------------------------------------------------*/

/* Of planes [B,row] of the whole batch, rows first ... of a shard's
 * [rows,row]. */
typedef struct plane {
    char *whole, *part;
    int64_t planes;
    size_t row; /* bytes */
} plane;

static void move(const elman_trainer *t, int64_t first, bool back, plane p)
{
    const size_t bytes = (size_t)t->shards.rows * p.row;
    for (int64_t i = 0; i < p.planes; ++i) {
        char *const whole =
            p.whole + (size_t)(i * t->desc.batch + first) * p.row;
        char *const part = p.part + (size_t)i * bytes;
        memcpy(back ? whole : part, back ? part : whole, bytes);
    }
}

/* The state of rows first ... goes to the shard's, or back. */
static void move_state(const elman_trainer *t, int64_t first, bool back)
{
    const elman_lm_state *const whole = t->state, *const part = t->shards.state;
    const size_t size = t->lm->net.k->size;
    const int64_t L = t->lm->desc.layers, B = t->desc.batch;
    const int64_t h = el_lm_state_h_count(whole) / (L * B);
    const int64_t c = el_lm_state_c_count(whole) / (L * B);
    if (h > 0)
        move(t, first, back,
             (plane){whole->state.h, part->state.h, L, (size_t)h * size});
    if (c > 0)
        move(t, first, back,
             (plane){whole->state.c, part->state.c, L, (size_t)c * size});
    move(t, first, back,
         (plane){(char *)whole->ids, (char *)part->ids,
                 el_lm_state_ids_count(whole) / B, sizeof *whole->ids});
}

/* ---- The gradient ---------------------------------------------------------*/

elman_status el_shards_collect(elman_trainer *t)
{
    el_group *const g = &t->shards.group;
    elman_lm_state *const whole = t->state;
    if (!whole)
        return ELMAN_OK;
    const int64_t size = (int64_t)t->lm->net.k->size;
    const int64_t L = t->lm->desc.layers, R = g->count;
    const int64_t ids = el_lm_state_ids_count(whole);
    const int64_t planes = ids / t->desc.batch;
    elman_status s = el_group_gather(
        g, whole->state.h, L, el_lm_state_h_count(whole) / (L * R) * size);
    if (!s)
        s = el_group_gather(g, whole->state.c, L,
                            el_lm_state_c_count(whole) / (L * R) * size);
    if (!s)
        s = el_group_gather(g, whole->ids, planes,
                            t->desc.batch / R * (int64_t)sizeof *whole->ids);
    return s;
}

/* Of the shard that is number `own` here. */
static elman_lm_batch batch_of(const elman_trainer *t, int64_t own)
{
    const el_shards *const s = &t->shards;
    const int64_t T = t->desc.steps;
    const double B = (double)t->desc.batch;
    const int64_t first = (s->first + own) * s->rows;
    elman_lm_batch batch = ELMAN_LM_BATCH;
    batch.steps = T;
    batch.batch = s->rows;
    batch.ids = s->ids + own * s->rows * T;
    batch.targets = s->targets + own * s->rows * T;
    batch.scale =
        1 / (t->desc.loss == ELMAN_SUM ? B : el_truncation_mean_steps(t) * B);
    batch.train = 1;
    batch.seed = t->desc.seed;
    batch.draw = (uint64_t)t->counters.update;
    batch.first_row = first;
    return batch;
}

void el_shards_look(elman_trainer *t, int64_t own, elman_lm_state *state)
{
    const elman_lm_batch batch = batch_of(t, own);
    double nats;
    el_lm_state_zero(state);
    el_lm_forward(t->lm, t->shards.tape, &batch, state, &nats, NULL);
}

/* The gradient and the loss of one shard. */
static double run_shard(elman_trainer *t, int64_t own, void *grad)
{
    const el_shards *const s = &t->shards;
    const elman_lm_batch batch = batch_of(t, own);
    const int64_t first = batch.first_row;
    double nats;
    memset(grad, 0, (size_t)t->lm->net.views.total * t->lm->net.k->size);
    if (s->state)
        move_state(t, first, false);
    elman_lm_state *const state = s->state ? s->state : t->state;
    if (t->truncation.on) {
        nats = el_truncation_run(t, own, batch, state, grad);
    } else {
        el_lm_forward(t->lm, s->tape, &batch, state, &nats, NULL);
        el_lm_backward(t->lm, s->tape, grad);
    }
    if (s->state)
        move_state(t, first, true);
    return nats;
}

/* The tree of the shards that are computed here. */
static double sum_own(elman_trainer *t)
{
    const el_shards *const s = &t->shards;
    const int64_t P = t->lm->net.views.total;
    double losses[EL_SHARD_LEVELS];
    int last = -1;
    for (int64_t i = 0; i < s->count; ++i) {
        ++last;
        losses[last] = run_shard(t, i, s->waiting[last]);
        /* The halves that shard i completes. */
        for (int64_t n = i + 1; n % 2 == 0; n /= 2, --last) {
            el_add_to(t->context, t->lm->net.k, s->waiting[last - 1],
                      s->waiting[last], P);
            losses[last - 1] += losses[last];
        }
    }
    return losses[0];
}

elman_status el_shards_gradient(elman_trainer *t, elman_status mine,
                                double *nats)
{
    el_shards *const s = &t->shards;
    *nats = mine ? 0 : sum_own(t);
    const elman_status status = el_group_total(&s->group, mine, nats);
    if (status)
        return status;
    return el_group_sum(&s->group, t->lm->net.k, t->grad,
                        t->lm->net.views.total);
}
