/* SPDX-License-Identifier: MIT */
#include "recall.h"
#include "revolve.h"

#include <string.h>

/* ---- Segments and blocks --------------------------------------------------*/

el_span el_lane_segment(const el_lane *l, int64_t q)
{
    const int64_t i = l->reverse ? l->segments - 1 - q : q;
    const int64_t K = l->r->segment;
    return (el_span){i * K, el_smaller((i + 1) * K, l->t->q.longest)};
}

/* Blocks of steps of a segment, upwards or downwards: begins with {0}, false
 * at the end. */
static bool next_block(el_span whole, bool up, el_span *at)
{
    const bool begins = at->to == 0;
    if (up) {
        at->from = begins ? whole.from : at->to;
        at->to = el_smaller(at->from + EL_BLOCK_STEPS, whole.to);
    } else {
        at->to = begins ? whole.to : at->from;
        at->from = (at->to - 1) / EL_BLOCK_STEPS * EL_BLOCK_STEPS;
        at->from = at->from > whole.from ? at->from : whole.from;
        at->to = at->to > whole.from ? at->to : at->from;
    }
    return at->from < at->to;
}

/* The first segment of chunk j: all chunks but the first are of one size. */
static int64_t chunk_at(const el_lane *l, int64_t j)
{
    const int64_t size = l->r->slots - l->r->snaps;
    return j == 0 ? 0 : l->segments - (l->chunks - j) * size;
}

/* ---- Edges ----------------------------------------------------------------*/

void el_lane_move_edge(el_lane *l, int64_t slot, bool save)
{
    const el_stack *const s = l->t->stack;
    const el_kernels *const k = s->k;
    const int64_t B = l->t->q.batch, P = s->out, H = s->desc.hidden;
    if (l->r->slot == 0)
        return;
    void *edge = el_at(k, l->edges, slot * l->r->slot);
    for (int n = 0; n < l->r->depth; ++n) {
        const el_record *const near = &l->r->levels[n].near;
        void *const h = el_at(k, near->h, -B * P);
        memcpy(save ? edge : h, save ? h : edge, (size_t)(B * P) * k->size);
        edge = el_at(k, edge, B * P);
        if (!near->c)
            continue;
        void *const c = el_at(k, near->c, -B * H);
        memcpy(save ? edge : c, save ? c : edge, (size_t)(B * H) * k->size);
        edge = el_at(k, edge, B * H);
    }
}

/* ---- Forward --------------------------------------------------------------*/

bool el_lane_drops(const el_lane *l, int n)
{
    return l->t->draw.train && l->t->stack->desc.dropout > 0 &&
           n < l->r->depth - 1;
}

/* A few rows at a time. */
void el_lane_enter(const el_lane *l, el_run run, const int64_t *at,
                   int64_t from, void *x)
{
    const el_ends *const ends = l->r->ends;
    const int64_t I = l->t->stack->desc.input, B = l->t->q.batch;
    int64_t rows[EL_GATHER_ROWS], count = 0;
    for (int64_t i = 0; i < run.steps; ++i)
        for (int64_t b = 0; b < el_active(run, i); ++b) {
            rows[count++] = (from + i) * B + (at ? at[b] : b);
            if (count < EL_GATHER_ROWS &&
                (i < run.steps - 1 || b < el_active(run, i) - 1))
                continue;
            ends->enter(ends->arg, count, rows, x);
            x = el_at(l->t->stack->k, x, count * I);
            count = 0;
        }
}

/* What enters the lane in a block. */
static el_input block_input(const el_lane *l, el_span at)
{
    el_input in = l->input;
    if (l->r->embeds) {
        el_lane_enter(l, l->t->run, NULL, at.from, l->r->x);
        return (el_input){.x = {.p = l->r->x, .ld = l->t->stack->desc.input}};
    }
    in.x = el_rows_from(&l->t->q, in.x, at.from);
    in.ids = in.ids ? in.ids + at.from * l->t->q.batch : NULL;
    return in;
}

/* What enters level n > 0. */
static el_input level_input(const el_lane *l, int n)
{
    const el_level *const below = &l->r->levels[n - 1];
    return (el_input){
        .x = {.p = el_lane_drops(l, n - 1) ? below->dropped : below->near.h,
              .ld = l->t->stack->out}};
}

void el_lane_drop(const el_lane *l, int n, int64_t from, const void *x, void *y)
{
    const el_stack *const s = l->t->stack;
    el_dropout d = el_tape_between(l->t, l->first + n);
    d.first_step += from;
    el_dropout_rows(s->context, s->k, &d, l->t->run, s->out, x, s->out, y,
                    s->out);
}

/* The near block's records, from the states before it. */
static void run_block(el_lane *l, el_span at)
{
    el_tape *const t = l->t;
    t->run = el_batch_piece(&t->q, at);
    for (int n = 0; n < l->r->depth; ++n) {
        el_level *const v = &l->r->levels[n];
        const el_layer layer = el_tape_layer(t, l->first + n);
        const el_input in = n == 0 ? block_input(l, at) : level_input(l, n);
        el_layer_forward(&layer, t->run, &in, &v->near);
        if (el_lane_drops(l, n))
            el_lane_drop(l, n, at.from, v->near.h, v->dropped);
    }
}

/* The states after the near block become those before the next one. */
static void carry_on(el_lane *l, el_span at)
{
    const el_tape *const t = l->t;
    const int64_t P = t->stack->out, H = t->stack->desc.hidden;
    for (int n = 0; n < l->r->depth; ++n) {
        const el_record *const r = &l->r->levels[n].near;
        el_states_end(&t->q, l->reverse, t->run, at, r->h, P, P, NULL);
        if (r->c)
            el_states_end(&t->q, l->reverse, t->run, at, r->c, H, H, NULL);
    }
}

/* Runs segments [q0,q1) from the states at hand; the first time around, what
 * they give goes where it belongs. */
static void sweep(el_lane *l, int64_t q0, int64_t q1, bool first)
{
    const el_tape *const t = l->t;
    const el_record *const top = &l->r->levels[l->r->depth - 1].near;
    const el_ends *const ends = l->r->ends;
    for (int64_t q = q0; q < q1; ++q) {
        el_span at = {0};
        while (next_block(el_lane_segment(l, q), !l->reverse, &at)) {
            run_block(l, at);
            if (first && l->out.p)
                el_rows_out(&t->q, t->run, at.from, top->h, top->ldh, top->ldh,
                            &l->out);
            if (first && l->leaves)
                ends->leave(ends->arg, at.from, t->run, top->h);
            carry_on(l, at);
        }
    }
}

/* The same over a chunk, and keeps all of its edges; without its last segment
 * unless this is the first time. */
static void sweep_chunk(el_lane *l, int64_t j, bool first)
{
    const int64_t q0 = chunk_at(l, j), q1 = chunk_at(l, j + 1);
    for (int64_t q = q0; q < q1; ++q) {
        el_lane_move_edge(l, l->r->snaps + q - q0, true);
        if (first || q < q1 - 1)
            sweep(l, q, q + 1, first);
    }
}

/* The way forward, with the snapshots that the way back begins with. */
static void sweep_all(el_lane *l)
{
    int64_t j = 0, left = l->r->snaps;
    while (l->chunks - j > 1) {
        const int64_t next = j + el_revolve_split(l->chunks - j, left);
        el_lane_move_edge(l, l->r->snaps - left--, true);
        sweep(l, chunk_at(l, j), chunk_at(l, next), true);
        j = next;
    }
    if (l->chunks > 0)
        sweep_chunk(l, j, true);
}

static el_lane lane_of(el_tape *t, int number)
{
    el_recall *const r = t->recall;
    const el_stack *const s = t->stack;
    el_lane l = {.t = t,
                 .r = r,
                 .first = r->lanes > 1 ? number : 0,
                 .input = t->input,
                 .edges = el_at(s->k, r->edges, number * r->slots * r->slot),
                 .segments = el_recall_segments(t->q.longest, r->segment),
                 .leaves = r->ends != NULL};
    l.reverse = s->layers[l.first].reverse;
    l.chunks = el_recall_segments(l.segments, r->slots - r->snaps);
    const int below = number / s->desc.directions - 1;
    if (r->lanes > 1 && below >= 0)
        l.input = (el_input){.x = {.p = r->kept[below],
                                   .ld = s->width,
                                   .step = t->q.batch * s->width}};
    return l;
}

/* All rows of what a layer of two directions gives or gets: one sequence beside
 * another, by rank, with those that have ended. */
static el_seq wide_rows(const el_tape *t, void *p, int direction)
{
    const el_stack *const s = t->stack;
    return (el_seq){.p = p ? el_at(s->k, p, direction * s->out) : NULL,
                    .ld = s->width,
                    .step = t->q.batch * s->width};
}

static void drop_wide(const el_tape *t, int n, void *rows)
{
    const el_stack *const s = t->stack;
    const el_run all = {t->q.longest, t->q.batch, NULL};
    const el_dropout d = el_tape_between(t, n);
    if (t->draw.train && s->desc.dropout > 0)
        el_dropout_rows(s->context, s->k, &d, all, s->width, rows, s->width,
                        rows, s->width);
}

static el_seq half(const el_tape *t, el_seq both, int direction)
{
    if (both.p)
        both.p = el_at(t->stack->k, both.p, direction * t->stack->out);
    return both;
}

/* The states at hand, to a caller. */
static void give_states(const el_lane *l, const el_forward *f)
{
    const el_tape *const t = l->t;
    const el_kernels *const k = t->stack->k;
    const int64_t P = t->stack->out, H = t->stack->desc.hidden;
    const int64_t B = t->q.batch;
    for (int n = 0; n < l->r->depth; ++n) {
        const el_record *const r = &l->r->levels[n].near;
        const el_states h = el_batch_states(&t->q, f->hT, l->first + n, P);
        const el_states c = el_batch_states(&t->q, f->cT, l->first + n, H);
        for (int64_t b = 0; b < B; ++b) {
            if (h.p)
                memcpy(el_states_row(k, &h, b), el_at(k, r->h, (b - B) * P),
                       (size_t)P * k->size);
            if (c.p && r->c)
                memcpy(el_states_row(k, &c, b), el_at(k, r->c, (b - B) * H),
                       (size_t)H * k->size);
        }
    }
}

void el_recall_forward(el_tape *t, const el_forward *f)
{
    el_recall *const r = t->recall;
    const el_stack *const s = t->stack;
    const int S = s->desc.directions, L = s->desc.layers;
    r->ends = f->ends;
    for (int i = 0; i < r->lanes; ++i) {
        el_lane l = lane_of(t, i);
        const int n = i / S;
        l.out = half(t, el_batch_rows(&t->q, f->y, s->width), i % S);
        if (r->lanes > 1 && n < L - 1)
            l.out = wide_rows(t, r->kept[n], i % S);
        for (int d = 0; d < r->depth; ++d) {
            const el_record *const near = &r->levels[d].near;
            const int layer = l.first + d;
            const el_states h = el_batch_states(&t->q, f->h0, layer, s->out);
            const el_states c =
                el_batch_states(&t->q, f->c0, layer, s->desc.hidden);
            el_states_begin(&t->q, &h, near->h, near->ldh);
            if (near->c)
                el_states_begin(&t->q, &c, near->c, s->desc.hidden);
        }
        sweep_all(&l);
        give_states(&l, f);
        if (r->lanes > 1 && i % S == S - 1 && n < L - 1)
            drop_wide(t, n, r->kept[n]);
    }
    el_batch_zero_padding(&t->q, f->y, s->width);
    r->fresh = true;
    t->recorded = true;
}

/* ---- Back -----------------------------------------------------------------*/

static el_layer_back level_back(const el_lane *l, int n, el_span at)
{
    const el_tape *const t = l->t;
    const el_stack *const s = t->stack;
    const el_backward *const b = l->b;
    const el_level *const v = &l->r->levels[n];
    const int64_t P = s->out, H = s->desc.hidden, T = t->q.longest;
    const int i = l->first + n;
    return (el_layer_back){
        .dhT = el_batch_states(&t->q, b->dhT, i, P),
        .dcT = el_batch_states(&t->q, b->dcT, i, H),
        .dh0 = el_batch_states(&t->q, b->dh0, i, P),
        .dc0 = el_batch_states(&t->q, v->near.c ? b->dc0 : NULL, i, H),
        .da = t->da,
        .edge = v->edge,
        .dproj = t->dproj,
        .dh = v->dh,
        .end = v->end,
        .dm = t->dm,
        .carry = v->carry,
        .gather = t->gather,
        .grad = b->grad,
        .scratch = t->scratch,
        .later = l->follows,
        .more = l->reverse ? at.to < T : at.from > 0,
        .after = el_batch_alive(&t->q, at.to)};
}

/* Back through the near block, all levels of it. */
static void back_block(el_lane *l, el_span at)
{
    const el_tape *const t = l->t;
    const el_recall *const r = l->r;
    const el_ends *const ends = r->ends;
    const int64_t P = t->stack->out;
    el_seq dy = el_rows_from(&t->q, l->dy, at.from);
    if (ends)
        dy = (el_seq){.p = (void *)ends->arrive(ends->arg, at.from, t->run,
                                                r->levels[r->depth - 1].near.h),
                      .ld = P};
    for (int n = r->depth - 1; n >= 0; --n) {
        const el_layer layer = el_tape_layer(t, l->first + n);
        const el_input in = n == 0 ? block_input(l, at) : level_input(l, n);
        el_layer_back back = level_back(l, n, at);
        back.dy = dy;
        back.dx = (el_seq){.p = r->between, .ld = P};
        if (n == 0 && r->embeds)
            back.dx = (el_seq){.p = r->dx, .ld = t->stack->desc.input};
        else if (n == 0)
            back.dx = el_rows_from(&t->q, l->dx, at.from);
        back.dx_add = n == 0 && l->dx_add;
        el_layer_backward(&layer, t->run, &in, &r->levels[n].near, &back);
        if (n > 0 && el_lane_drops(l, n - 1))
            el_lane_drop(l, n - 1, at.from, r->between, r->between);
        dy = back.dx;
    }
    if (r->embeds)
        ends->depart(ends->arg, at.from, t->run, r->dx);
    l->follows = true;
}

/* Back through chunk j, whose edges are all there. */
static void back_chunk(el_lane *l, int64_t j)
{
    const el_recall *const r = l->r;
    const int64_t q0 = chunk_at(l, j);
    for (int64_t q = chunk_at(l, j + 1); q > q0;) {
        const int64_t count = el_smaller(r->side > 0 ? r->side : 1, q - q0);
        const int64_t slot = r->snaps + q - count - q0;
        if (r->side > 0)
            el_side_run(l, q - count, count, slot);
        for (int64_t i = count - 1; i >= 0; --i) {
            const el_span whole = el_lane_segment(l, q - count + i);
            el_span at = {0};
            while (next_block(whole, l->reverse, &at)) {
                if (r->side > 0) {
                    el_side_fetch(l, i, whole, at, slot);
                } else {
                    el_lane_move_edge(l, slot, false);
                    run_block(l, at);
                }
                back_block(l, at);
            }
        }
        q -= count;
    }
}

/* Back through chunks [a,b).  The state before a is in a snapshot, and there is
 * room for snaps of them from that one on; what a first pass has left is still
 * there where it is fresh. */
static void back_chunks(el_lane *l, int64_t a, int64_t b, int64_t snap,
                        int64_t snaps, bool fresh)
{
    for (; b - a > 1; fresh = false) {
        const int64_t middle = a + el_revolve_split(b - a, snaps);
        if (!fresh) {
            el_lane_move_edge(l, snap, false);
            sweep(l, chunk_at(l, a), chunk_at(l, middle), false);
        }
        if (snaps > 1) {
            if (!fresh)
                el_lane_move_edge(l, snap + 1, true);
            back_chunks(l, middle, b, snap + 1, snaps - 1, fresh);
        } else {
            if (!fresh)
                sweep_chunk(l, middle, false);
            back_chunk(l, middle);
        }
        b = middle;
    }
    if (!fresh) {
        el_lane_move_edge(l, snap, false);
        sweep_chunk(l, a, false);
    }
    back_chunk(l, a);
}

/* Without a step, what arrives on the final states goes to the first ones. */
static void back_nothing(el_lane *l)
{
    const el_run none = {0, l->t->q.batch, NULL};
    l->t->run = none;
    for (int n = 0; n < l->r->depth; ++n) {
        const el_layer layer = el_tape_layer(l->t, l->first + n);
        const el_layer_back back = level_back(l, n, (el_span){0, 0});
        el_layer_backward(&layer, none, &(el_input){0}, &l->r->levels[n].near,
                          &back);
    }
}

static void back_lane(el_lane *l)
{
    const bool aside = l->t->draw.train && l->t->rec && l->b->grad;
    for (int n = 0; aside && n < l->r->depth; ++n)
        el_tape_set_aside(l->t, l->first + n, l->b->grad, l->r->levels[n].aside,
                          false);
    if (l->chunks == 0)
        back_nothing(l);
    else
        back_chunks(l, 0, l->chunks, 0, l->r->snaps,
                    l->r->fresh || l->chunks == 1);
    for (int n = 0; aside && n < l->r->depth; ++n)
        el_tape_set_aside(l->t, l->first + n, l->b->grad, l->r->levels[n].aside,
                          true);
}

void el_recall_backward(el_tape *t, const el_backward *b)
{
    el_recall *const r = t->recall;
    const el_stack *const s = t->stack;
    const int S = s->desc.directions;
    r->ends = b->ends;
    el_seq dy = el_batch_rows(&t->q, b->dy, s->width);
    for (int n = r->lanes > 1 ? s->desc.layers - 1 : 0; n >= 0; --n) {
        /* Two, so that dx does not lie where dy is still read. */
        void *const below = r->grads[r->grads[1] ? n % 2 : 0];
        const bool inner = r->lanes > 1 && n > 0;
        const el_seq dx = inner ? wide_rows(t, below, 0)
                                : el_batch_rows(&t->q, b->dx, s->desc.input);
        for (int i = 0; i < (r->lanes > 1 ? S : 1); ++i) {
            el_lane l = lane_of(t, r->lanes > 1 ? n * S + i : 0);
            l.b = b;
            l.dy = half(t, dy, i);
            l.dx = dx;
            l.dx_add = i > 0;
            back_lane(&l);
        }
        if (inner)
            drop_wide(t, n - 1, below);
        dy = dx;
    }
    r->fresh = false;
    el_batch_zero_padding(&t->q, b->dx, s->desc.input);
}
