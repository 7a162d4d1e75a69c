/* SPDX-License-Identifier: MIT */
/* network_run.c - a network over whole sequences, and a step at a time. */
#include "../base/plan.h"
#include "network.h"

#include <string.h>

/* ---- Whole sequences ------------------------------------------------------*/

/* Whether the last step is put together of a final state and of a step: of two
 * directions, the one that runs backwards ends at the first step. */
static bool is_mixed(const elman_network *n)
{
    return n->desc.decode == ELMAN_DECODE_LAST && n->stack.desc.directions == 2;
}

static void plan_tape(el_plan *p, const elman_network *n, int64_t steps,
                      int64_t batch, elman_network_tape *t)
{
    const bool all = n->desc.decode == ELMAN_DECODE_ALL;
    const int64_t rows = steps * batch;
    if (n->embed > 0)
        el_want(p, &t->x, rows, n->embed, n->k->size);
    if (all ? n->decoder.context != NULL : is_mixed(n))
        el_want(p, &t->out, rows, n->stack.width, n->k->size);
    if (all)
        return;
    el_want(p, &t->hT, n->stack.count * batch, n->stack.out, n->k->size);
    el_want(p, &t->top, batch, n->stack.width, n->k->size);
}

elman_status el_network_tape_create(const elman_network *n, int64_t steps,
                                    int64_t batch, elman_network_tape **out)
{
    el_plan p = {.context = n->context, .allocate = true};
    int64_t rows;
    if (__builtin_mul_overflow(steps, batch, &rows))
        return el_no_memory();
    elman_network_tape *const t = el_alloc(n->context, sizeof *t);
    if (!t)
        return ELMAN_ENOMEM;
    t->network = n;
    const el_tape_size size = {
        .steps = steps, .batch = batch, .inference = true};
    elman_status s = el_tape_create(&n->stack, &size, &t->tape);
    if (!s) {
        plan_tape(&p, n, steps, batch, t);
        s = p.failed ? ELMAN_ENOMEM : ELMAN_OK;
    }
    if (s) {
        el_network_tape_free(t);
        return s;
    }
    *out = t;
    return ELMAN_OK;
}

int64_t el_network_tape_bytes(const elman_network *n, int64_t steps,
                              int64_t batch)
{
    el_plan p = {.context = n->context};
    elman_network_tape t;
    int64_t rows;
    if (__builtin_mul_overflow(steps, batch, &rows))
        return -1;
    el_want_bytes(&p, sizeof t + EL_BLOCK_EXTRA);
    const el_tape_size size = {
        .steps = steps, .batch = batch, .inference = true};
    el_want_bytes(&p, el_tape_bytes(&n->stack, &size));
    plan_tape(&p, n, steps, batch, &t);
    return p.failed ? -1 : p.bytes;
}

void el_network_tape_free(elman_network_tape *t)
{
    if (!t)
        return;
    const elman_context *const c = t->network->context;
    el_tape_free(&t->tape);
    el_free(c, t->x);
    el_free(c, t->out);
    el_free(c, t->hT);
    el_free(c, t->top);
    el_free(c, t);
}

/* The rows of a caller's tensor that are within their sequences, in the order
 * in which they lie there: begins with row -1; false after the last one. */
static bool next_row(const elman_sequences *q, int64_t *row)
{
    const int64_t rows = q->steps * q->batch;
    while (++*row < rows) {
        const int64_t step = q->batch_first ? *row % q->steps : *row / q->batch;
        const int64_t b = q->batch_first ? *row / q->steps : *row % q->batch;
        if (!q->lengths || step < q->lengths[b])
            return true;
    }
    return false;
}

static void embed(const elman_network_tape *t, const elman_sequences *q)
{
    const elman_network *const n = t->network;
    for (int64_t row = -1; next_row(q, &row);)
        el_network_embed(n, 1, q->ids + row, el_at(n->k, t->x, row * n->embed),
                         n->embed);
}

/* Rows go through the decoder side by side, without those past an end, and then
 * each to its place, the last one first: none is written over unread. */
static void decode(const elman_network_tape *t, const elman_sequences *q)
{
    const elman_network *const n = t->network;
    const el_kernels *const k = n->k;
    const int64_t P = n->stack.width, O = n->width;
    const size_t out_bytes = (size_t)O * k->size;
    int64_t count = 0;
    for (int64_t row = -1; next_row(q, &row); ++count)
        if (row != count)
            memcpy(el_at(k, t->out, count * P), el_at(k, t->out, row * P),
                   (size_t)P * k->size);
    if (count > 0)
        el_decoder_forward(&n->decoder, count, t->out, q->y);
    if (count == q->steps * q->batch)
        return;
    for (int64_t row = q->steps * q->batch - 1; row >= 0; --row) {
        int64_t same = row - 1;
        const bool inside = next_row(q, &same) && same == row;
        void *const to = el_at(k, q->y, row * O);
        if (!inside)
            memset(to, 0, out_bytes);
        else if (--count != row)
            memcpy(to, el_at(k, q->y, count * O), out_bytes);
    }
}

/* What direction s of the last layer gives sequence b at its end. */
static const void *end_of(const elman_network_tape *t, const elman_sequences *q,
                          const void *hT, int64_t b, int s)
{
    const elman_network *const n = t->network;
    const int64_t P = n->stack.out,
                  length = q->lengths ? q->lengths[b] : q->steps;
    const int first = (n->stack.desc.layers - 1) * n->stack.desc.directions;
    if (s == 0 || length == 0 || !is_mixed(n))
        return el_at(n->k, hT, ((first + s) * q->batch + b) * P);
    const int64_t row = q->batch_first ? b * q->steps + length - 1
                                       : (length - 1) * q->batch + b;
    return el_at(n->k, t->out, (2 * row + 1) * P);
}

static void decode_last(const elman_network_tape *t, const elman_sequences *q,
                        const void *hT)
{
    const elman_network *const n = t->network;
    const int S = n->stack.desc.directions;
    const size_t bytes = (size_t)n->stack.out * n->k->size;
    for (int64_t b = 0; b < q->batch; ++b)
        for (int s = 0; s < S; ++s)
            memcpy(el_at(n->k, t->top, (b * S + s) * n->stack.out),
                   end_of(t, q, hT, b, s), bytes);
    if (n->decoder.context)
        el_decoder_forward(&n->decoder, q->batch, t->top, q->y);
    else
        memcpy(q->y, t->top, (size_t)(q->batch * n->width) * n->k->size);
}

void el_network_run(elman_network_tape *t, const elman_sequences *q)
{
    const elman_network *const n = t->network;
    const void *x = n->stack.desc.input > 0 ? q->x : NULL;
    const bool last = q->y && t->top, decodes = q->y && n->decoder.context;
    void *const hT = last && !q->hT ? t->hT : q->hT;
    if (n->embed > 0) {
        embed(t, q);
        x = t->x;
    }
    el_tape_forward(&t->tape,
                    &(el_forward){.steps = q->steps,
                                  .batch = q->batch,
                                  .lengths = q->lengths,
                                  .batch_first = q->batch_first,
                                  .input = {.x = {.p = (void *)x}},
                                  .h0 = q->h0,
                                  .c0 = q->c0,
                                  .y = last || decodes ? t->out : q->y,
                                  .hT = hT,
                                  .cT = q->cT});
    if (last)
        decode_last(t, q, hT);
    else if (decodes)
        decode(t, q);
}

/* ---- A step at a time -----------------------------------------------------*/

elman_status el_network_state_create(const elman_network *n, int64_t batch,
                                     elman_network_state **out)
{
    const elman_context *const c = n->context;
    int64_t x;
    if (__builtin_mul_overflow(batch, n->embed, &x))
        return el_no_memory();
    elman_network_state *const state = el_alloc(c, sizeof *state);
    if (!state)
        return ELMAN_ENOMEM;
    state->network = n;
    elman_status s = el_state_create(&n->stack, batch, &state->state);
    if (!s && x > 0 && !(state->x = el_alloc_array(c, x, n->k->size)))
        s = ELMAN_ENOMEM;
    if (s) {
        el_network_state_free(state);
        return s;
    }
    *out = state;
    return ELMAN_OK;
}

int64_t el_network_state_bytes(const elman_network *n, int64_t batch)
{
    el_plan p = {.context = n->context};
    el_want_bytes(&p, sizeof(elman_network_state) + EL_BLOCK_EXTRA);
    el_want_bytes(&p, el_state_bytes(&n->stack, batch));
    if (n->embed > 0)
        el_want(&p, NULL, batch, n->embed, n->k->size);
    return p.failed ? -1 : p.bytes;
}

void el_network_state_free(elman_network_state *state)
{
    if (!state)
        return;
    const elman_context *const c = state->network->context;
    el_state_free(&state->state);
    el_free(c, state->x);
    el_free(c, state);
}

void el_network_step(elman_network_state *state, const void *x,
                     const int32_t *ids, void *y)
{
    const elman_network *const n = state->network;
    const int64_t B = state->state.batch, I = n->stack.desc.input;
    if (n->embed > 0) {
        el_network_embed(n, B, ids, state->x, n->embed);
        x = state->x;
    }
    const el_input input = {.x = {.p = I > 0 ? (void *)x : NULL, .ld = I}};
    el_state_step(&state->state, &input);
    if (!y)
        return;
    const void *const top = el_state_top(&state->state);
    if (n->decoder.context)
        el_decoder_forward(&n->decoder, B, top, y);
    else
        memcpy(y, top, (size_t)(B * n->width) * n->k->size);
}
