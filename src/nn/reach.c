/* SPDX-License-Identifier: MIT */
#include "reach.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Elements of h and of c of all layers. */
static int64_t h_count(const el_reach *r)
{
    return r->stack->count * r->batch * r->stack->out;
}

static int64_t c_count(const el_reach *r)
{
    return el_layer_has_c(&r->stack->layers[0])
               ? r->stack->count * r->batch * r->stack->desc.hidden
               : 0;
}

elman_status el_reach_create(const el_stack *stack, int64_t steps,
                             int64_t batch, el_reach *out)
{
    const elman_context *const c = stack->context;
    const size_t size = stack->k->size;
    assert(stack->recurrent && stack->desc.directions == 1);
    *out = (el_reach){.stack = stack, .steps = steps, .batch = batch};
    const el_tape_size one = {.steps = 1, .batch = batch};
    elman_status s = el_tape_create(stack, &one, &out->tape);
    if (s)
        return s;
    int64_t h, cells;
    if (__builtin_mul_overflow(steps, h_count(out), &h) ||
        __builtin_mul_overflow(steps, c_count(out), &cells)) {
        s = el_no_memory();
    } else {
        const bool fine =
            (out->h = el_alloc_array(c, h, size)) &&
            (out->dh = el_alloc_array(c, h_count(out), size)) &&
            (cells == 0 || ((out->c = el_alloc_array(c, cells, size)) &&
                            (out->dc = el_alloc_array(c, c_count(out), size))));
        s = fine ? ELMAN_OK : ELMAN_ENOMEM;
    }
    if (s)
        el_reach_free(out);
    return s;
}

void el_reach_free(el_reach *r)
{
    if (!r->stack)
        return;
    const elman_context *const c = r->stack->context;
    el_tape_free(&r->tape);
    el_free(c, r->h);
    el_free(c, r->c);
    el_free(c, r->dh);
    el_free(c, r->dc);
    *r = (el_reach){0};
}

void el_reach_keep(el_reach *r, int64_t t, const el_state *state)
{
    const el_kernels *const k = r->stack->k;
    memcpy(el_at(k, r->h, t * h_count(r)), state->h,
           (size_t)h_count(r) * k->size);
    if (r->c)
        memcpy(el_at(k, r->c, t * c_count(r)), state->c,
               (size_t)c_count(r) * k->size);
}

void el_reach_begin(el_reach *r, const void *dy)
{
    const el_stack *const s = r->stack;
    const int64_t last = (s->count - 1) * r->batch * s->out;
    memset(r->dh, 0, (size_t)h_count(r) * s->k->size);
    if (r->dc)
        memset(r->dc, 0, (size_t)c_count(r) * s->k->size);
    memcpy(el_at(s->k, r->dh, last), dy,
           (size_t)(r->batch * s->out) * s->k->size);
}

void el_reach_back(el_reach *r, int64_t t, const el_input *input)
{
    const el_kernels *const k = r->stack->k;
    const el_forward forward = {.steps = 1,
                                .batch = r->batch,
                                .input = *input,
                                .h0 = el_at(k, r->h, t * h_count(r)),
                                .c0 = r->c ? el_at(k, r->c, t * c_count(r))
                                           : NULL};
    el_tape_forward(&r->tape, &forward);
    el_tape_backward(
        &r->tape,
        &(el_backward){.dhT = r->dh, .dcT = r->dc, .dh0 = r->dh, .dc0 = r->dc});
}

int el_reach_kinds(const el_stack *stack)
{
    return el_layer_has_c(&stack->layers[0]) ? 2 * stack->count : stack->count;
}

/* The largest element is divided out, so that squares of what is small do not
 * vanish and those of what is large do not overflow. */
static double norm(const el_kernels *k, const void *x, int64_t n)
{
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double a =
            fabs(k->dtype == ELMAN_F64 ? ((const double *)x)[i]
                                       : (double)((const float *)x)[i]);
        if (!(a <= largest))
            largest = a;
    }
    if (largest == 0 || !isfinite(largest))
        return largest;
    for (int64_t i = 0; i < n; ++i) {
        const double a =
            (k->dtype == ELMAN_F64 ? ((const double *)x)[i]
                                   : (double)((const float *)x)[i]) /
            largest;
        sum = fma(a, a, sum);
    }
    return largest * sqrt(sum);
}

void el_reach_norms(const el_reach *r, double *norms)
{
    const el_stack *const s = r->stack;
    const int64_t P = s->out, H = s->desc.hidden, rows = s->count * r->batch;
    for (int64_t i = 0; i < rows; ++i)
        norms[i] = norm(s->k, el_at(s->k, r->dh, i * P), P);
    for (int64_t i = 0; r->dc && i < rows; ++i)
        norms[rows + i] = norm(s->k, el_at(s->k, r->dc, i * H), H);
}
