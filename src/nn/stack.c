/* SPDX-License-Identifier: MIT */
#include "stack.h"
#include "../base/plan.h"

#include <stdio.h>
#include <string.h>

/* ---- Parameters, named as torch.nn names them -----------------------------*/

static elman_status name_layer(const el_stack_desc *desc, int n, bool reverse,
                               el_views *views, el_layer *layer)
{
    const int64_t I = layer->input, P = layer->out;
    const int64_t rows = el_layer_gates(layer) * layer->hidden;
    layer->w_ih = layer->w_hh = layer->b_ih = layer->b_hh = layer->w_hr = -1;
    const bool rec = layer->recurrent;
    struct {
        const char *name;
        int64_t rows, columns;
        int64_t *offset;
        bool wanted;
    } const parts[] = {
        {rec ? "weight_ih" : "weight", rows, I, &layer->w_ih, true},
        {"weight_hh", rows, P, &layer->w_hh, rec},
        {rec ? "bias_ih" : "bias", rows, -1, &layer->b_ih, desc->bias},
        {"bias_hh", rows, -1, &layer->b_hh, rec && desc->bias},
        {"weight_hr", P, layer->hidden, &layer->w_hr, layer->proj > 0}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        char name[48];
        if (!parts[i].wanted)
            continue;
        if (rec && !desc->single)
            snprintf(name, sizeof name, "%s_l%d%s", parts[i].name, n,
                     reverse ? "_reverse" : "");
        else
            snprintf(name, sizeof name, "%s", parts[i].name);
        const elman_status s =
            el_views_add(layer->context, views, desc->prefix, name,
                         parts[i].rows, parts[i].columns, parts[i].offset);
        if (s)
            return s;
    }
    return ELMAN_OK;
}

elman_status el_stack_create(const elman_context *context,
                             const el_stack_desc *desc, el_views *views,
                             el_stack *out)
{
    const int S = desc->directions;
    *out = (el_stack){.context = context,
                      .k = el_context_kernels(context, desc->dtype),
                      .desc = *desc,
                      .recurrent = desc->cell != ELMAN_CELL_NONE,
                      .out = desc->proj > 0 ? desc->proj : desc->hidden};
    out->width = S * out->out;
    out->layers =
        el_alloc_array(context, (int64_t)desc->layers * S, sizeof(el_layer));
    if (!out->layers)
        return ELMAN_ENOMEM;
    for (int i = 0; i < desc->layers * S; ++i) {
        el_layer *const layer = &out->layers[i];
        const int n = i / S;
        *layer = (el_layer){.context = context,
                            .k = out->k,
                            .activation = desc->activation,
                            .input = n == 0 ? desc->input : out->width,
                            .hidden = desc->hidden,
                            .proj = desc->proj,
                            .slots = n == 0 ? desc->slots : 0,
                            .recurrent = out->recurrent,
                            .reset_before = desc->reset_before,
                            .reverse = i % S == 1,
                            .trainable = desc->trainable,
                            .lent = desc->lent};
        el_layer_shape(layer, desc->cell);
        out->count = i + 1;
        elman_status s = name_layer(desc, n, layer->reverse, views, layer);
        if (!s)
            s = el_layer_create(layer);
        if (s) {
            el_stack_free(out);
            return s;
        }
    }
    return ELMAN_OK;
}

void el_stack_free(el_stack *stack)
{
    for (int n = 0; n < stack->count; ++n)
        el_layer_free(&stack->layers[n]);
    el_free(stack->context, stack->layers);
    *stack = (el_stack){.context = stack->context};
}

int64_t el_stack_bytes(const el_stack *stack)
{
    int64_t bytes = (int64_t)el_block_bytes(stack->layers);
    for (int n = 0; n < stack->count; ++n)
        bytes += el_layer_bytes(&stack->layers[n]);
    return bytes;
}

void el_stack_pack(el_stack *stack, const void *weights)
{
    for (int n = 0; n < stack->count; ++n)
        el_layer_pack(&stack->layers[n], weights);
}

/* ---- One step at a time ---------------------------------------------------*/

static void plan_state(el_plan *p, el_state *state)
{
    const el_stack *const s = state->stack;
    const el_layer *const layer = &s->layers[0];
    const size_t size = s->k->size;
    const int64_t B = state->batch, H = s->desc.hidden;
    const int64_t row = el_layer_gate_row(layer);
    el_want(p, &state->h, s->count * s->out, B, size);
    el_want(p, &state->next, s->count * s->out, B, size);
    if (el_layer_has_c(layer))
        el_want(p, &state->c, s->count * H, B, size);
    if (row > 0)
        el_want(p, &state->gates, row, B, size);
    if (s->desc.proj > 0)
        el_want(p, &state->m, H, B, size);
}

elman_status el_state_create(const el_stack *stack, int64_t batch,
                             el_state *out)
{
    el_plan p = {.context = stack->context, .allocate = true};
    *out = (el_state){.stack = stack, .batch = batch};
    plan_state(&p, out);
    if (!p.failed)
        return ELMAN_OK;
    el_state_free(out);
    return ELMAN_ENOMEM;
}

int64_t el_state_bytes(const el_stack *stack, int64_t batch)
{
    el_plan p = {.context = stack->context};
    el_state state = {.stack = stack, .batch = batch};
    plan_state(&p, &state);
    return p.failed ? -1 : p.bytes;
}

void el_state_free(el_state *state)
{
    if (!state->stack)
        return;
    const elman_context *const c = state->stack->context;
    el_free(c, state->h);
    el_free(c, state->next);
    el_free(c, state->c);
    el_free(c, state->gates);
    el_free(c, state->m);
    *state = (el_state){0};
}

int64_t el_state_h_count(const el_state *state)
{
    return state->stack->count * state->batch * state->stack->out;
}

int64_t el_state_c_count(const el_state *state)
{
    const el_stack *const s = state->stack;
    return s->count > 0 && el_layer_has_c(s->layers)
               ? s->count * state->batch * s->desc.hidden
               : 0;
}

void el_state_zero(el_state *state)
{
    const size_t size = state->stack->k->size;
    memset(state->h, 0, (size_t)el_state_h_count(state) * size);
    if (state->c)
        memset(state->c, 0, (size_t)el_state_c_count(state) * size);
}

void *el_state_top(const el_state *state)
{
    const el_stack *const s = state->stack;
    return el_at(s->k, state->h, (s->count - 1) * state->batch * s->out);
}

/* The same chains as over many steps: bias, then x, then h. */
void el_state_step(el_state *state, const el_input *input)
{
    const el_stack *const s = state->stack;
    const el_kernels *const k = s->k;
    const int64_t B = state->batch;
    el_input in = *input;
    for (int n = 0; n < s->count; ++n) {
        const int64_t at = n * B * s->out;
        el_one_step one = {.h0 = el_at(k, state->h, at),
                           .h = el_at(k, state->next, at),
                           .gates = state->gates,
                           .m = state->m};
        if (state->c)
            one.c0 = one.c = el_at(k, state->c, n * B * s->desc.hidden);
        el_layer_step(&s->layers[n], B, &in, &one);
        in = (el_input){.x = {.p = one.h, .ld = s->out}};
    }
    void *const last = state->h;
    state->h = state->next;
    state->next = last;
}
