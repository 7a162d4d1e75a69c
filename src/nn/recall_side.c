/* SPDX-License-Identifier: MIT */
/* recall_side.c - segments that are computed again side by side, as sequences
 * of one batch, and fetched from there block by block. */
#include "recall.h"

#include <string.h>

/* h or c of level n in an edge: [B,.] by rank. */
static const void *edge_states(const el_lane *l, int64_t slot, int n, bool c)
{
    const el_stack *const s = l->t->stack;
    const int64_t B = l->t->q.batch;
    const int64_t H = l->r->levels[n].near.c ? s->desc.hidden : 0;
    return el_at(s->k, l->edges,
                 slot * l->r->slot + n * B * (s->out + H) +
                     (c ? B * s->out : 0));
}

/* Who is in segments [q,q+count), and where. */
static void gather_batch(el_lane *l, int64_t q, int64_t count)
{
    el_recall *const r = l->r;
    const el_batch *const real = &l->t->q;
    const el_seq *const x = &l->input.x;
    const int64_t B = real->batch;
    const int64_t step = x->step ? x->step : B * x->ld;
    const int32_t *const order = el_batch_order(real);
    for (int64_t i = 0; i < count; ++i) {
        const el_span at = el_lane_segment(l, q + i);
        for (int64_t b = 0; b < B; ++b) {
            const int64_t n = el_smaller(el_batch_length(real, b), at.to);
            r->lengths[i * B + b] = n > at.from ? n - at.from : 0;
        }
    }
    el_batch_set(&r->batch, r->segment, count * B, r->lengths, false);
    r->run = el_batch_piece(&r->batch, (el_span){0, r->batch.longest});
    for (int64_t v = 0; v < count * B; ++v) {
        const int64_t number = r->batch.unequal ? r->batch.order[v] : v;
        const int64_t b = number % B;
        const int64_t from = el_lane_segment(l, q + number / B).from;
        r->rank[number] = (int32_t)v;
        r->later[v] = from;
        r->sequence[v] = order ? order[b] : (int32_t)b;
        r->at[v] = from * step + (x->order ? x->order[b] : b) * x->ld;
    }
}

static el_input gather_input(el_lane *l)
{
    el_recall *const r = l->r;
    const el_input *const in = &l->input;
    const int64_t B = l->t->q.batch;
    el_input out = {.x = in->x};
    if (r->embeds || in->ids)
        for (int64_t v = 0; v < r->batch.batch; ++v)
            r->at[v] = r->later[v] * B + r->sequence[v];
    if (r->embeds) {
        el_lane_enter(l, r->run, r->at, 0, r->far_x);
        out.x = (el_seq){.p = r->far_x, .ld = l->t->stack->desc.input};
    } else if (in->ids) {
        for (int64_t i = 0; i < r->run.steps; ++i)
            for (int64_t v = 0; v < el_active(r->run, i); ++v)
                r->ids[el_first_row(r->run, i) + v] = in->ids[i * B + r->at[v]];
        out.ids = r->ids;
    } else if (in->x.p) {
        out.x.step = in->x.step ? in->x.step : B * in->x.ld;
        out.x.order = NULL;
        out.x.at = r->at;
    }
    return out;
}

static void begin_far(el_lane *l, int n, int64_t slot)
{
    const el_recall *const r = l->r;
    const el_stack *const s = l->t->stack;
    const el_kernels *const k = s->k;
    const el_record *const far = &r->levels[n].far;
    const int64_t B = l->t->q.batch, P = s->out, H = s->desc.hidden;
    const int64_t all = r->batch.batch;
    for (int64_t number = 0; number < all; ++number) {
        const int64_t row = r->rank[number] - all, b = number % B;
        const int64_t edge = slot + number / B;
        memcpy(el_at(k, far->h, row * P),
               el_at(k, edge_states(l, edge, n, false), b * P),
               (size_t)P * k->size);
        if (far->c)
            memcpy(el_at(k, far->c, row * H),
                   el_at(k, edge_states(l, edge, n, true), b * H),
                   (size_t)H * k->size);
    }
}

void el_side_run(el_lane *l, int64_t q, int64_t count, int64_t slot)
{
    el_recall *const r = l->r;
    const el_stack *const s = l->t->stack;
    gather_batch(l, q, count);
    el_input in = gather_input(l);
    for (int n = 0; n < r->depth; ++n) {
        const el_record *const far = &r->levels[n].far;
        const el_layer layer = el_tape_layer(l->t, l->first + n);
        begin_far(l, n, slot);
        el_layer_forward(&layer, r->run, &in, far);
        in = (el_input){.x = {.p = far->h, .ld = s->out}};
        if (!el_lane_drops(l, n))
            continue;
        el_dropout d = el_tape_between(l->t, l->first + n);
        d.order = r->sequence;
        d.steps = r->later;
        el_dropout_rows(s->context, s->k, &d, r->run, s->out, far->h, s->out,
                        r->far_dropped, s->out);
        in.x.p = r->far_dropped;
    }
}

/* Ranks [0,count) of one step, from far to near. */
static void copy_states(const el_lane *l, int n, int64_t count,
                        int64_t near_row, int64_t far_row, const int32_t *rank)
{
    const el_stack *const s = l->t->stack;
    const el_kernels *const k = s->k;
    const el_record *const near = &l->r->levels[n].near;
    const el_record *const far = &l->r->levels[n].far;
    const int64_t P = s->out, H = s->desc.hidden;
    for (int64_t b = 0; b < count; ++b) {
        const int64_t from = far_row + rank[b], to = near_row + b;
        memcpy(el_at(k, near->h, to * P), el_at(k, far->h, from * P),
               (size_t)P * k->size);
        if (near->c)
            memcpy(el_at(k, near->c, to * H), el_at(k, far->c, from * H),
                   (size_t)H * k->size);
    }
}

static void copy_gates(const el_lane *l, int n, int64_t count, int64_t near_row,
                       int64_t far_row, const int32_t *rank)
{
    const el_stack *const s = l->t->stack;
    const el_kernels *const k = s->k;
    const el_record *const near = &l->r->levels[n].near;
    const el_record *const far = &l->r->levels[n].far;
    const int64_t row = el_layer_gate_row(&s->layers[0]), H = s->desc.hidden;
    for (int64_t b = 0; b < count; ++b) {
        const int64_t from = far_row + rank[b], to = near_row + b;
        if (near->gates)
            memcpy(el_at(k, near->gates, to * row),
                   el_at(k, far->gates, from * row), (size_t)row * k->size);
        if (near->m)
            memcpy(el_at(k, near->m, to * H), el_at(k, far->m, from * H),
                   (size_t)H * k->size);
    }
}

void el_side_fetch(el_lane *l, int64_t i, el_span whole, el_span at,
                   int64_t slot)
{
    el_tape *const t = l->t;
    const el_recall *const r = l->r;
    const int64_t B = t->q.batch;
    const int32_t *const rank = r->rank + i * B;
    /* The step whose states lie before the block, if it is in the segment. */
    const int64_t before = l->reverse ? at.to : at.from - 1;
    t->run = el_batch_piece(&t->q, at);
    el_lane_move_edge(l, slot + i, false);
    for (int n = 0; n < r->depth; ++n) {
        if (before >= whole.from && before < whole.to)
            copy_states(l, n, el_batch_alive(&t->q, before), -B,
                        el_first_row(r->run, before - whole.from), rank);
        for (int64_t step = at.from; step < at.to; ++step) {
            const int64_t alive = el_active(t->run, step - at.from);
            const int64_t near = el_first_row(t->run, step - at.from);
            const int64_t far = el_first_row(r->run, step - whole.from);
            copy_states(l, n, alive, near, far, rank);
            copy_gates(l, n, alive, near, far, rank);
        }
        if (el_lane_drops(l, n))
            el_lane_drop(l, n, at.from, r->levels[n].near.h,
                         r->levels[n].dropped);
    }
}
