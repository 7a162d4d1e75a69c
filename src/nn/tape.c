/* SPDX-License-Identifier: MIT */
#include "tape_work.h"

#include <assert.h>
#include <string.h>

/* ---- Memory ---------------------------------------------------------------
 * One list says what a tape needs; creating allocates it, and el_tape_bytes
 * adds it up. */

int64_t el_tape_window(int64_t steps, int64_t batch)
{
    const int64_t some = (256 + batch - 1) / batch;
    return some < steps ? some : steps;
}

void el_tape_want_work(el_plan *p, el_tape *t, int64_t steps)
{
    const el_stack *const s = t->stack;
    const el_layer *const layer = &s->layers[0];
    const size_t size = s->k->size;
    const int64_t B = t->most_batch, H = s->desc.hidden, P = s->out;
    size_t scratch = 0;
    for (int n = 0; n < s->count; ++n) {
        const size_t wants =
            el_layer_scratch(&s->layers[n], (el_run){steps, B, NULL});
        scratch = wants > scratch ? wants : scratch;
    }
    el_want(p, &t->scratch, 1, (int64_t)scratch, 1);
    const int64_t near = el_layer_back_rows(layer, steps, B);
    el_want(p, &t->da, near, el_layer_da_row(layer), size);
    if (s->desc.proj > 0)
        el_want(p, &t->dproj, near, P, size);
    el_want(p, &t->dm, B, H, size);
    if (s->desc.weight_drop == 0)
        return;
    el_want(p, &t->rec, s->count, 1, sizeof *t->rec);
    el_want(p, &t->w_hh, el_layer_gates(layer) * H, P, size);
    for (int i = 0; i < s->count && !p->failed; ++i) {
        el_want_bytes(p, el_recurrent_bytes(layer));
        if (p->allocate)
            p->failed =
                el_recurrent_create(&s->layers[i], &t->rec[i]) != ELMAN_OK;
    }
}

static void plan_back(el_plan *p, el_tape *t, int64_t rows)
{
    const el_stack *const s = t->stack;
    const el_stack_desc *const d = &s->desc;
    const size_t size = s->k->size;
    const int64_t B = t->most_batch;
    const int L = d->layers;
    el_tape_want_work(p, t, t->most_steps);
    const el_layer *const last = &s->layers[s->count - 1];
    if (el_layer_back_rows(last, t->most_steps, B) < rows)
        el_want(p, &t->edge, B, el_layer_da_row(&s->layers[0]), size);
    if (L > 1)
        el_want(p, &t->between[0], rows, s->width, size);
    if (L > 2 && d->directions > 1)
        el_want(p, &t->between[1], rows, s->width, size);
    el_want(p, &t->dh, B, s->out, size);
    el_want(p, &t->end, B, s->out, size);
    el_want(p, &t->carry, B, d->hidden, size);
    if (d->dropout > 0 && L > 1) {
        el_want(p, &t->dropped, L, 1, sizeof *t->dropped);
        for (int n = 0; n < L - 1; ++n)
            el_want(p, t->dropped ? &t->dropped[n] : NULL, rows, s->width,
                    size);
    }
}

static void plan_tape(el_plan *p, el_tape *t)
{
    const el_stack *const s = t->stack;
    const el_stack_desc *const d = &s->desc;
    const size_t size = s->k->size;
    const int64_t B = t->most_batch, H = d->hidden;
    const el_layer *const layer = &s->layers[0];
    const int64_t gate_row = el_layer_gate_row(layer);
    int64_t all, rows, gate_rows;
    if (t->most_steps >= (int64_t)1 << 40 ||
        __builtin_mul_overflow(t->piece + 1, B, &all)) {
        el_want_bytes(p, -1);
        return;
    }
    rows = all - B;
    gate_rows = t->window * B;
    el_batch_want(p, &t->q, t->piece, B);
    el_want(p, &t->gather, EL_GATHER_ROWS, d->input, size);
    el_want(p, &t->h, d->layers, 1, sizeof *t->h);
    el_want(p, &t->record, s->count, 1, sizeof *t->record);
    for (int n = 0; n < d->layers; ++n)
        el_want(p, t->h ? &t->h[n] : NULL, all, s->width, size);
    if (t->inference && gate_row > 0)
        el_want(p, &t->gates, gate_rows, gate_row, size);
    if (t->inference && d->proj > 0)
        el_want(p, &t->m, gate_rows, H, size);
    for (int i = 0; i < s->count; ++i) {
        el_record *const r = t->record ? &t->record[i] : NULL;
        if (el_layer_has_c(layer))
            el_want(p, r ? &r->c : NULL, all, H, size);
        if (!t->inference && gate_row > 0)
            el_want(p, r ? &r->gates : NULL, rows, gate_row, size);
        if (!t->inference && d->proj > 0)
            el_want(p, r ? &r->m : NULL, rows, H, size);
    }
    if (!t->inference)
        plan_back(p, t, rows);
}

static el_tape shape(const el_stack *stack, const el_tape_size *size)
{
    const int64_t window = el_tape_window(size->steps, size->batch);
    const bool pieces = size->inference && stack->desc.directions == 1;
    return (el_tape){.stack = stack,
                     .q = {.k = stack->k},
                     .most_steps = size->steps,
                     .most_batch = size->batch,
                     .inference = size->inference,
                     .piece = pieces ? window : size->steps,
                     .window = size->inference ? window : size->steps};
}

/* Of a tape that keeps all; -1 if it overflows. */
static int64_t whole_bytes(const el_stack *stack, const el_tape_size *size)
{
    el_tape t = shape(stack, size);
    el_plan p = {.context = stack->context};
    plan_tape(&p, &t);
    return p.failed ? -1 : p.bytes;
}

static bool recalls(const el_stack *stack, const el_tape_size *size)
{
    if (size->inference || size->memory <= 0)
        return false;
    const int64_t whole = whole_bytes(stack, size);
    return size->ends || whole < 0 || whole > size->memory - size->besides;
}

/* The size with all that a budget is compared with. */
static el_tape_size completed(const el_stack *stack, const el_tape_size *size)
{
    el_tape_size all = *size;
    const int64_t whole = whole_bytes(stack, size);
    if (!size->ends)
        all.whole = whole < 0 ? INT64_MAX : whole + size->besides;
    return all;
}

elman_status el_tape_costs(const el_stack *stack, const el_tape_size *size,
                           el_tape_cost *out)
{
    if (recalls(stack, size)) {
        el_tape t = shape(stack, size);
        const el_tape_size all = completed(stack, size);
        return el_recall_costs(&t, &all, out);
    }
    *out = (el_tape_cost){.bytes = whole_bytes(stack, size), .passes = 1};
    return out->bytes < 0 ? ELMAN_ENOMEM : ELMAN_OK;
}

int64_t el_tape_bytes(const el_stack *stack, const el_tape_size *size)
{
    el_tape_cost cost;
    return el_tape_costs(stack, size, &cost) ? -1 : cost.bytes;
}

/* Records point to the first row; the initial states lie before it. */
static void point_records(el_tape *t)
{
    const el_stack *const s = t->stack;
    const int S = s->desc.directions;
    const int64_t B = t->most_batch;
    for (int i = 0; i < s->count; ++i) {
        el_record *const r = &t->record[i];
        r->h = el_at(s->k, t->h[i / S], B * s->width + i % S * s->out);
        r->ldh = s->width;
        if (r->c)
            r->c = el_at(s->k, r->c, B * s->desc.hidden);
        if (t->inference) {
            r->gates = t->gates;
            r->m = t->m;
        }
        r->gather = t->gather;
        r->window = t->window;
        r->ahead = el_tape_window(t->window, B);
    }
}

elman_status el_tape_create(const el_stack *stack, const el_tape_size *size,
                            el_tape *out)
{
    *out = shape(stack, size);
    if (recalls(stack, size)) {
        const el_tape_size all = completed(stack, size);
        const elman_status s = el_recall_create(out, &all);
        if (s)
            el_tape_free(out);
        return s;
    }
    el_plan p = {.context = stack->context, .allocate = true};
    plan_tape(&p, out);
    if (!p.failed) {
        point_records(out);
        return ELMAN_OK;
    }
    el_tape_free(out);
    return ELMAN_ENOMEM;
}

void el_tape_free(el_tape *t)
{
    if (!t->stack)
        return;
    const el_stack *const s = t->stack;
    const elman_context *const c = s->context;
    el_recall_free(t);
    for (int n = 0; n < s->desc.layers; ++n) {
        el_free(c, t->h ? t->h[n] : NULL);
        el_free(c, t->dropped ? t->dropped[n] : NULL);
    }
    const bool pointed = t->record && t->record[0].ldh > 0;
    for (int i = 0; t->record && i < s->count; ++i) {
        el_record *const r = &t->record[i];
        if (r->c && pointed)
            r->c = el_at(s->k, r->c, -t->most_batch * s->desc.hidden);
        el_free(c, r->c);
        el_free(c, t->inference ? NULL : r->gates);
        el_free(c, t->inference ? NULL : r->m);
    }
    for (int i = 0; t->rec && i < s->count; ++i)
        el_recurrent_free(&s->layers[i], &t->rec[i]);
    void *const blocks[] = {
        t->h,    t->record, t->gates, t->m,     t->dropped,    t->rec,
        t->w_hh, t->edge,   t->da,    t->dproj, t->between[0], t->between[1],
        t->dh,   t->end,    t->dm,    t->carry, t->gather,     t->scratch};
    el_batch_free(c, &t->q);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; ++i)
        el_free(c, blocks[i]);
    *t = (el_tape){0};
}

/* ---- Forward --------------------------------------------------------------*/

/* What layer n takes from the one below it. */
static el_input layer_input(const el_tape *t, int n, const el_input *input)
{
    const el_stack *const s = t->stack;
    if (n == 0)
        return *input;
    void *p = el_at(s->k, t->h[n - 1], t->most_batch * s->width);
    if (t->draw.train && t->dropped && t->dropped[n - 1])
        p = t->dropped[n - 1];
    return (el_input){.x = {.p = p, .ld = s->width}};
}

el_layer el_tape_layer(const el_tape *t, int i)
{
    const el_layer *const layer = &t->stack->layers[i];
    return t->draw.train && t->rec ? el_layer_with(layer, &t->rec[i]) : *layer;
}

el_dropout el_tape_between(const el_tape *t, int n)
{
    return (el_dropout){.p = t->stack->desc.dropout,
                        .locked = t->stack->desc.locked,
                        .key = el_dropout_key(&t->draw, n),
                        .first = t->draw.first,
                        .first_step = t->draw.first_step,
                        .order = el_batch_order(&t->q)};
}

static void drop_weights(el_tape *t, const void *weights)
{
    const el_stack *const s = t->stack;
    for (int i = 0; i < s->count; ++i) {
        const el_layer *const layer = &s->layers[i];
        el_drop_weights(s->k, s->desc.weight_drop,
                        el_weight_drop_key(&t->draw, i),
                        el_layer_gates(layer) * layer->hidden * s->out,
                        el_at(s->k, weights, layer->w_hh), t->w_hh);
        el_recurrent_pack(layer, &t->rec[i], t->w_hh);
    }
}

static void forward_piece(el_tape *t, const el_input *input)
{
    const el_stack *const s = t->stack;
    const int S = s->desc.directions, L = s->desc.layers;
    for (int n = 0; n < L; ++n) {
        const el_input in = layer_input(t, n, input);
        for (int i = n * S; i < n * S + S; ++i) {
            const el_layer layer = el_tape_layer(t, i);
            el_layer_forward(&layer, t->run, &in, &t->record[i]);
        }
        if (t->draw.train && t->dropped && t->dropped[n]) {
            const el_dropout d = el_tape_between(t, n);
            el_dropout_rows(s->context, s->k, &d, t->run, s->width,
                            el_at(s->k, t->h[n], t->most_batch * s->width),
                            s->width, t->dropped[n], s->width);
        }
    }
}

static el_input input_from(const el_tape *t, int64_t step)
{
    el_input in = t->input;
    in.x = el_rows_from(&t->q, in.x, step);
    in.ids = in.ids ? in.ids + step * t->q.batch : NULL;
    return in;
}

void el_tape_begin(el_tape *t, const el_forward *f)
{
    assert(f->steps <= t->most_steps && f->batch <= t->most_batch);
    el_batch_set(&t->q, f->steps, f->batch, f->lengths, f->batch_first);
    t->draw = f->draw;
    t->input = f->input;
    if (f->input.x.p)
        t->input.x = el_batch_rows(&t->q, f->input.x.p, t->stack->desc.input);
    if (t->draw.train && t->rec)
        drop_weights(t, f->weights);
}

/* The states of all records end a piece: to a caller, or to begin the next. */
static void end_states(el_tape *t, el_span at, const el_forward *f)
{
    const el_stack *const s = t->stack;
    const int64_t P = s->out, H = s->desc.hidden;
    for (int i = 0; i < s->count; ++i) {
        const el_record *const r = &t->record[i];
        const bool reverse = s->layers[i].reverse;
        const el_states h = el_batch_states(&t->q, f ? f->hT : NULL, i, P);
        const el_states c = el_batch_states(&t->q, f ? f->cT : NULL, i, H);
        if (!f || h.p)
            el_states_end(&t->q, reverse, t->run, at, r->h, r->ldh, P,
                          f ? &h : NULL);
        if (r->c && (!f || c.p))
            el_states_end(&t->q, reverse, t->run, at, r->c, H, H,
                          f ? &c : NULL);
    }
}

void el_tape_forward(el_tape *t, const el_forward *f)
{
    const el_stack *const s = t->stack;
    el_tape_begin(t, f);
    if (t->recall) {
        el_recall_forward(t, f);
        return;
    }
    const el_seq y = el_batch_rows(&t->q, f->y, s->width);
    for (int i = 0; i < s->count; ++i) {
        const el_record *const r = &t->record[i];
        const el_states h = el_batch_states(&t->q, f->h0, i, s->out);
        const el_states c = el_batch_states(&t->q, f->c0, i, s->desc.hidden);
        el_states_begin(&t->q, &h, r->h, r->ldh);
        if (r->c)
            el_states_begin(&t->q, &c, r->c, s->desc.hidden);
    }
    el_span at = {0, 0};
    t->run = el_batch_piece(&t->q, at);
    while (at.to < t->q.longest) {
        at.from = at.to;
        at.to = at.from + t->piece;
        at.to = at.to < t->q.longest ? at.to : t->q.longest;
        t->run = el_batch_piece(&t->q, at);
        const el_input in = input_from(t, at.from);
        forward_piece(t, &in);
        if (y.p)
            el_rows_out(&t->q, t->run, at.from, el_tape_output(t), s->width,
                        s->width, &y);
        if (at.to < t->q.longest)
            end_states(t, at, NULL);
    }
    el_batch_zero_padding(&t->q, f->y, s->width);
    end_states(t, at, f);
    t->recorded = true;
}

void *el_tape_output(const el_tape *t)
{
    const el_stack *const s = t->stack;
    return el_at(s->k, t->h[s->desc.layers - 1], t->most_batch * s->width);
}

/* ---- Back -----------------------------------------------------------------*/

static el_seq half(const el_tape *t, el_seq both, int direction)
{
    if (both.p)
        both.p = el_at(t->stack->k, both.p, direction * t->stack->out);
    return both;
}

void el_tape_set_aside(const el_tape *t, int i, void *grad, void *aside,
                       bool back)
{
    const el_stack *const s = t->stack;
    const el_layer *const layer = &s->layers[i];
    const int64_t n = el_layer_gates(layer) * layer->hidden * s->out;
    void *const at = el_at(s->k, grad, layer->w_hh);
    if (!back) {
        memcpy(aside, at, (size_t)n * s->k->size);
        memset(at, 0, (size_t)n * s->k->size);
        return;
    }
    el_drop_weights(s->k, s->desc.weight_drop, el_weight_drop_key(&t->draw, i),
                    n, at, at);
    s->k->add(at, aside, n);
}

void el_tape_backward(el_tape *t, const el_backward *b)
{
    const el_stack *const s = t->stack;
    const int64_t P = s->out, H = s->desc.hidden;
    const int S = s->desc.directions, L = s->desc.layers;
    const bool weights = t->draw.train && t->rec && b->grad;
    if (t->recall) {
        el_recall_backward(t, b);
        return;
    }
    el_seq dy = el_batch_rows(&t->q, b->dy, s->width);
    for (int n = L - 1; n >= 0; --n) {
        const el_input in = layer_input(t, n, &t->input);
        /* In two directions dx may not lie where dy is still read. */
        void *const below = t->between[t->between[1] ? n % 2 : 0];
        const el_seq dx = n > 0 ? (el_seq){.p = below, .ld = s->width}
                                : el_batch_rows(&t->q, b->dx, s->desc.input);
        for (int i = n * S; i < n * S + S; ++i) {
            const el_layer layer = el_tape_layer(t, i);
            const el_layer_back back = {
                .dy = half(t, dy, i % S),
                .dhT = el_batch_states(&t->q, b->dhT, i, P),
                .dcT = el_batch_states(&t->q, b->dcT, i, H),
                .dx = dx,
                .dx_add = i % S > 0,
                .dh0 = el_batch_states(&t->q, b->dh0, i, P),
                .dc0 = el_batch_states(&t->q, t->record[i].c ? b->dc0 : NULL, i,
                                       H),
                .da = t->da,
                .edge = t->edge,
                .dproj = t->dproj,
                .dh = t->dh,
                .end = t->end,
                .dm = t->dm,
                .carry = t->carry,
                .gather = t->gather,
                .grad = b->grad,
                .scratch = t->scratch};
            if (weights)
                el_tape_set_aside(t, i, b->grad, t->w_hh, false);
            el_layer_backward(&layer, t->run, &in, &t->record[i], &back);
            if (weights)
                el_tape_set_aside(t, i, b->grad, t->w_hh, true);
        }
        dy = dx;
        if (n > 0 && t->draw.train && t->dropped && t->dropped[n - 1]) {
            const el_dropout d = el_tape_between(t, n - 1);
            el_dropout_rows(s->context, s->k, &d, t->run, s->width, dx.p,
                            s->width, dx.p, s->width);
        }
    }
    el_batch_zero_padding(&t->q, b->dx, s->desc.input);
}
