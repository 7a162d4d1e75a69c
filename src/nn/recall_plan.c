/* SPDX-License-Identifier: MIT */
/* recall_plan.c - what a tape keeps within a budget: of all that fits, what
 * makes the way back cheapest. */
#include "recall.h"
#include "revolve.h"

/* Rows side by side beyond which a product is no cheaper for each of them, and
 * what a row costs as one of n, measured in an LSTM of 512. */
enum { ROWS_MOST = 32 };
static double row_cost(int64_t n)
{
    return 0.18 + 0.82 / (double)n;
}

/* More snapshots than that save nothing worth counting. */
enum { SNAPS_MOST = 64 };

/* ---- Memory ---------------------------------------------------------------*/

static void want_record(el_plan *p, const el_stack *s, el_record *r,
                        int64_t steps, int64_t batch)
{
    const el_layer *const layer = &s->layers[0];
    const size_t size = s->k->size;
    int64_t all;
    if (__builtin_mul_overflow(steps + 1, batch, &all)) {
        el_want_bytes(p, -1);
        return;
    }
    el_want(p, &r->h, all, s->out, size);
    if (el_layer_has_c(layer))
        el_want(p, &r->c, all, s->desc.hidden, size);
    if (el_layer_gate_row(layer) > 0)
        el_want(p, &r->gates, all - batch, el_layer_gate_row(layer), size);
    if (s->desc.proj > 0)
        el_want(p, &r->m, all - batch, s->desc.hidden, size);
}

static void want_level(el_plan *p, const el_tape *t, const el_recall *r,
                       el_level *v, int64_t near)
{
    const el_stack *const s = t->stack;
    const el_stack_desc *const d = &s->desc;
    const el_layer *const layer = &s->layers[0];
    const size_t size = s->k->size;
    const int64_t B = t->most_batch;
    want_record(p, s, &v->near, near, B);
    if (r->side > 0)
        want_record(p, s, &v->far, r->segment, r->side * B);
    if (d->dropout > 0 && r->depth > 1)
        el_want(p, &v->dropped, near * B, s->out, size);
    el_want(p, &v->dh, B, s->out, size);
    el_want(p, &v->end, B, s->out, size);
    el_want(p, &v->carry, B, d->hidden, size);
    el_want(p, &v->edge, B, el_layer_da_row(layer), size);
    if (d->weight_drop > 0)
        el_want(p, &v->aside, el_layer_gates(layer) * d->hidden, s->out, size);
}

static void want_side(el_plan *p, const el_tape *t, el_recall *r)
{
    const el_stack_desc *const d = &t->stack->desc;
    const size_t size = t->stack->k->size;
    const int64_t n = r->side * t->most_batch, rows = r->segment * n;
    el_batch_want(p, &r->batch, r->segment, n);
    el_want(p, &r->lengths, n, 1, sizeof *r->lengths);
    el_want(p, &r->at, n, 1, sizeof *r->at);
    el_want(p, &r->later, n, 1, sizeof *r->later);
    el_want(p, &r->rank, n, 1, sizeof *r->rank);
    el_want(p, &r->sequence, n, 1, sizeof *r->sequence);
    if (d->slots > 0)
        el_want(p, &r->ids, rows, 1, sizeof *r->ids);
    if (r->embeds)
        el_want(p, &r->far_x, rows, d->input, size);
    if (d->dropout > 0 && r->depth > 1)
        el_want(p, &r->far_dropped, rows, t->stack->out, size);
}

static void want_outside(el_plan *p, const el_tape *t, el_recall *r)
{
    const el_stack *const s = t->stack;
    const int L = s->desc.layers;
    int64_t rows = 0;
    if (r->lanes == 1 || L == 1)
        return;
    if (__builtin_mul_overflow(t->most_steps, t->most_batch, &rows))
        rows = INT64_MAX;
    el_want(p, &r->kept, L - 1, 1, sizeof *r->kept);
    for (int n = 0; n < L - 1; ++n)
        el_want(p, r->kept ? &r->kept[n] : NULL, rows, s->width, s->k->size);
    for (int i = 0; i < 2 && i < L - 1; ++i)
        el_want(p, &r->grads[i], rows, s->width, s->k->size);
}

static void want_all(el_plan *p, el_tape *t, el_recall *r)
{
    const el_stack *const s = t->stack;
    const size_t size = s->k->size;
    const int64_t B = t->most_batch;
    const int64_t near =
        t->most_steps < EL_BLOCK_STEPS ? t->most_steps : EL_BLOCK_STEPS;
    el_want_bytes(p, (int64_t)sizeof *r + EL_BLOCK_EXTRA);
    el_batch_want(p, &t->q, near, B);
    const bool inner = r->lanes > 1 && s->desc.layers > 1;
    const int64_t widest =
        inner && s->width > s->desc.input ? s->width : s->desc.input;
    el_want(p, &t->gather, EL_GATHER_ROWS, widest, size);
    el_tape_want_work(p, t, near);
    el_want(p, &r->levels, r->depth, 1, sizeof *r->levels);
    for (int n = 0; n < r->depth; ++n) {
        el_level none = {0};
        want_level(p, t, r, r->levels ? &r->levels[n] : &none, near);
    }
    el_want(p, &r->edges, r->lanes * r->slots, r->slot, size);
    if (r->depth > 1)
        el_want(p, &r->between, near * B, s->out, size);
    if (r->embeds) {
        el_want(p, &r->x, near * B, s->desc.input, size);
        el_want(p, &r->dx, near * B, s->desc.input, size);
    }
    if (r->side > 0)
        want_side(p, t, r);
    want_outside(p, t, r);
}

static int64_t bytes_of(const el_tape *tape, const el_recall *recall)
{
    el_plan p = {.context = tape->stack->context};
    el_tape t = *tape;
    el_recall r = *recall;
    want_all(&p, &t, &r);
    return p.failed ? -1 : p.bytes;
}

static int64_t outside_bytes(const el_tape *tape, const el_recall *recall)
{
    el_plan p = {.context = tape->stack->context};
    el_recall r = *recall;
    want_outside(&p, tape, &r);
    return p.failed ? -1 : p.bytes;
}

/* ---- The choice -----------------------------------------------------------*/

/* Steps run through beyond the first pass, before segments are computed
 * again. */
static double extra_steps(const el_recall *r, int64_t segments)
{
    if (r->snaps == 0)
        return 0;
    const int64_t chunk = r->slots - r->snaps;
    const int64_t n = el_recall_segments(segments, chunk);
    const double again = (double)(el_revolve_runs(n, r->snaps) - (n - 1));
    return ((double)chunk * again + (double)(segments - chunk - (n - 1))) *
           (double)r->segment;
}

static double cost_of(const el_recall *r, int64_t steps, int64_t batch)
{
    const int64_t side = r->side > 0 ? r->side : 1;
    return extra_steps(r, el_recall_segments(steps, r->segment)) +
           (double)steps * row_cost(side * batch) / row_cost(batch);
}

typedef struct choice {
    const el_tape *tape;
    int64_t memory; /* what lies outside is added to it */
    el_recall best;
    double cost; /* negative: nothing fits yet */
} choice;

static void compare(choice *c, const el_recall *r)
{
    const double cost = cost_of(r, c->tape->most_steps, c->tape->most_batch);
    if (c->cost < 0 || cost < c->cost) {
        c->best = *r;
        c->cost = cost;
    }
}

/* All edges that fit, or as many as there are, and how many of them stand
 * before chunks. */
static void try_edges(choice *c, el_recall r)
{
    const int64_t segments = el_recall_segments(c->tape->most_steps, r.segment);
    const int64_t size = (int64_t)c->tape->stack->k->size;
    r.slots = 0;
    const int64_t base = bytes_of(c->tape, &r);
    const int64_t each = r.lanes * r.slot * size;
    if (base < 0 || base > c->memory)
        return;
    r.slots = each > 0 ? (c->memory - base) / each : segments;
    if (r.slots >= segments) {
        r.slots = segments;
        r.snaps = 0;
        compare(c, &r);
        return;
    }
    for (r.snaps = 1; r.snaps < r.slots && r.snaps <= SNAPS_MOST; ++r.snaps)
        compare(c, &r);
}

static el_recall empty(const el_tape *t, const el_tape_size *size)
{
    const el_stack *const s = t->stack;
    const bool both = s->desc.directions > 1;
    el_recall r = {.lanes = both ? s->count : 1,
                   .depth = both ? 1 : s->desc.layers,
                   .segment = EL_BLOCK_STEPS,
                   .batch = {.k = s->k},
                   .embeds = size->embeds};
    const int64_t row =
        s->out + (el_layer_has_c(&s->layers[0]) ? s->desc.hidden : 0);
    r.slot = s->recurrent ? r.depth * t->most_batch * row : 0;
    return r;
}

/* Segments of 64, 128, ... steps, and 1, 2, 4, ... of them side by side. */
static void try_all(choice *c, el_recall r)
{
    const int64_t T = c->tape->most_steps, B = c->tape->most_batch;
    try_edges(c, r);
    for (int64_t blocks = 1; c->tape->stack->recurrent;) {
        r.segment = blocks * EL_BLOCK_STEPS;
        for (r.side = 1; r.side == 1 || r.side * B <= ROWS_MOST; r.side *= 2)
            if (r.side == 1 || (r.side - 1) * r.segment < T)
                try_edges(c, r);
        if (r.segment >= T)
            break;
        blocks += blocks < 4 ? 1 : blocks / 4;
    }
}

static elman_status choose(const el_tape *t, const el_tape_size *size,
                           el_recall *out)
{
    el_recall r = empty(t, size);
    const int64_t outside = outside_bytes(t, &r);
    const int64_t segments = el_recall_segments(t->most_steps, r.segment);
    r.slots = segments < 2 || r.slot == 0 ? segments : 2;
    r.snaps = segments > r.slots;
    int64_t least = bytes_of(t, &r);
    if (outside < 0 || least < 0)
        return el_no_memory();
    least += size->besides - outside;
    least = least < size->whole ? least : size->whole;
    choice c = {.tape = t, .cost = -1};
    if (__builtin_add_overflow(size->memory - size->besides, outside,
                               &c.memory))
        c.memory = INT64_MAX;
    r = empty(t, size);
    try_all(&c, r);
    if (c.cost < 0)
        return el_fail(
            ELMAN_EINVAL,
            "a memory of %lld bytes is too little to go back through %lld "
            "steps of %lld sequences (the least that would do is %lld)",
            (long long)size->memory, (long long)t->most_steps,
            (long long)t->most_batch, (long long)least);
    *out = c.best;
    return ELMAN_OK;
}

elman_status el_recall_costs(el_tape *t, const el_tape_size *size,
                             el_tape_cost *out)
{
    el_recall r;
    const elman_status s = choose(t, size, &r);
    if (s)
        return s;
    const int64_t segments = el_recall_segments(t->most_steps, r.segment);
    *out = (el_tape_cost){.bytes = bytes_of(t, &r),
                          .outside = outside_bytes(t, &r),
                          .passes = 2 + extra_steps(&r, segments) /
                                            (double)t->most_steps};
    return ELMAN_OK;
}

/* ---- Making ---------------------------------------------------------------*/

/* Records point to the first row; the initial states lie before it. */
static void point(const el_tape *t, el_record *r, int64_t steps, int64_t batch)
{
    const el_stack *const s = t->stack;
    r->ldh = s->out;
    r->h = el_at(s->k, r->h, batch * s->out);
    r->c = r->c ? el_at(s->k, r->c, batch * s->desc.hidden) : NULL;
    r->gather = t->gather;
    r->window = steps;
    r->ahead = el_tape_window(steps, batch);
}

elman_status el_recall_create(el_tape *t, const el_tape_size *size)
{
    const elman_context *const c = t->stack->context;
    el_plan p = {.context = c, .allocate = true};
    el_recall chosen;
    const elman_status s = choose(t, size, &chosen);
    if (s)
        return s;
    el_recall *const r = el_alloc(c, sizeof *r);
    if (!r)
        return ELMAN_ENOMEM;
    *r = chosen;
    t->recall = r;
    want_all(&p, t, r);
    if (p.failed)
        return ELMAN_ENOMEM;
    for (int n = 0; n < r->depth; ++n) {
        el_level *const v = &r->levels[n];
        point(t, &v->near, EL_BLOCK_STEPS, t->most_batch);
        if (r->side > 0)
            point(t, &v->far, r->segment, r->side * t->most_batch);
    }
    return ELMAN_OK;
}

static void free_record(const el_tape *t, el_record *r, int64_t batch)
{
    const el_stack *const s = t->stack;
    const elman_context *const c = s->context;
    if (r->ldh > 0) {
        r->h = el_at(s->k, r->h, -batch * s->out);
        r->c = r->c ? el_at(s->k, r->c, -batch * s->desc.hidden) : NULL;
    }
    el_free(c, r->h);
    el_free(c, r->c);
    el_free(c, r->gates);
    el_free(c, r->m);
}

void el_recall_free(el_tape *t)
{
    el_recall *const r = t->recall;
    if (!r)
        return;
    const elman_context *const c = t->stack->context;
    for (int n = 0; r->levels && n < r->depth; ++n) {
        el_level *const v = &r->levels[n];
        free_record(t, &v->near, t->most_batch);
        free_record(t, &v->far, r->side * t->most_batch);
        void *const blocks[] = {v->dropped, v->dh,   v->end,
                                v->carry,   v->edge, v->aside};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; ++i)
            el_free(c, blocks[i]);
    }
    for (int n = 0; r->kept && n < t->stack->desc.layers - 1; ++n)
        el_free(c, r->kept[n]);
    el_batch_free(c, &r->batch);
    void *const blocks[] = {
        r->levels,      r->edges, r->between,  r->x,        r->dx,  r->lengths,
        r->at,          r->later, r->rank,     r->sequence, r->ids, r->far_x,
        r->far_dropped, r->kept,  r->grads[0], r->grads[1]};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; ++i)
        el_free(c, blocks[i]);
    el_free(c, r);
    t->recall = NULL;
}
