/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- Parameters, named as torch.nn.RNN names them ------------------------*/

static elman_status name_parameters(const elman_context *context,
                                    const el_stack_desc *desc, int n,
                                    el_views *views, el_layer *layer)
{
    const int64_t I = layer->input, H = layer->hidden;
    layer->w_ih = layer->w_hh = layer->b_ih = layer->b_hh = -1;
    if (!desc->recurrent) {
        elman_status s = el_views_add(context, views, desc->prefix, "weight", H,
                                      I, &layer->w_ih);
        if (!s && desc->bias)
            s = el_views_add(context, views, desc->prefix, "bias", H, -1,
                             &layer->b_ih);
        return s;
    }
    struct {
        const char *name;
        int64_t columns;
        int64_t *offset;
        bool wanted;
    } const parts[] = {{"weight_ih_l", I, &layer->w_ih, true},
                       {"weight_hh_l", H, &layer->w_hh, true},
                       {"bias_ih_l", -1, &layer->b_ih, desc->bias},
                       {"bias_hh_l", -1, &layer->b_hh, desc->bias}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        char name[48];
        if (!parts[i].wanted)
            continue;
        snprintf(name, sizeof name, "%s%d", parts[i].name, n);
        const elman_status s =
            el_views_add(context, views, desc->prefix, name, H,
                         parts[i].columns, parts[i].offset);
        if (s)
            return s;
    }
    return ELMAN_OK;
}

elman_status el_stack_create(const elman_context *context,
                             const el_stack_desc *desc, el_views *views,
                             el_stack *out)
{
    *out =
        (el_stack){.context = context,
                   .k = desc->dtype == ELMAN_F64 ? context->f64 : context->f32,
                   .input = desc->input,
                   .hidden = desc->hidden,
                   .recurrent = desc->recurrent};
    out->layers = el_alloc_array(context, desc->layers, sizeof *out->layers);
    if (!out->layers)
        return ELMAN_ENOMEM;
    for (int n = 0; n < desc->layers; ++n) {
        el_layer *const layer = &out->layers[n];
        *layer = (el_layer){.context = context,
                            .k = out->k,
                            .activation = desc->activation,
                            .input = n == 0 ? desc->input : desc->hidden,
                            .hidden = desc->hidden,
                            .slots = n == 0 ? desc->slots : 0,
                            .recurrent = desc->recurrent,
                            .trainable = desc->trainable};
        out->count = n + 1;
        elman_status s = name_parameters(context, desc, n, views, layer);
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

void el_stack_pack(el_stack *stack, const void *weights)
{
    for (int n = 0; n < stack->count; ++n)
        el_layer_pack(&stack->layers[n], weights);
}

/* ---- The tape -------------------------------------------------------------*/

/* Steps that an inference tape holds: enough rows for the products over all
 * of them to be worth while. */
static int64_t piece_steps(el_run most, bool inference)
{
    const int64_t rows = 256;
    const int64_t steps = (rows + most.batch - 1) / most.batch;
    return inference && steps < most.steps ? steps : most.steps;
}

static size_t stack_scratch(const el_stack *stack, el_run most)
{
    size_t bytes = 0;
    for (int n = 0; n < stack->count; ++n) {
        const size_t wants = el_layer_scratch(&stack->layers[n], most);
        bytes = wants > bytes ? wants : bytes;
    }
    return bytes;
}

/* Elements of h, of one layer. */
static bool layer_elements(const el_stack *stack, el_run most, bool inference,
                           int64_t *out)
{
    const int64_t piece = piece_steps(most, inference);
    int64_t rows;
    return !__builtin_mul_overflow(piece + 1, most.batch, &rows) &&
           !__builtin_mul_overflow(rows, stack->hidden, out) &&
           *out < INT64_MAX / 16;
}

int64_t el_tape_bytes(const el_stack *stack, el_run most, bool inference)
{
    int64_t elements, total;
    if (!layer_elements(stack, most, inference, &elements))
        return -1;
    const int64_t buffers =
        inference ? stack->count : stack->count + (stack->count > 1 ? 2 : 1);
    if (__builtin_mul_overflow(elements, buffers * (int64_t)stack->k->size,
                               &total))
        return -1;
    return inference ? total : total + (int64_t)stack_scratch(stack, most);
}

elman_status el_tape_create(const el_stack *stack, el_run most, bool inference,
                            el_tape *out)
{
    const elman_context *const c = stack->context;
    const size_t size = stack->k->size;
    *out = (el_tape){.stack = stack,
                     .most = most,
                     .inference = inference,
                     .piece = piece_steps(most, inference)};
    int64_t elements;
    if (!layer_elements(stack, most, inference, &elements))
        return el_no_memory();
    bool fine = (out->h = el_alloc_array(c, stack->count, sizeof *out->h));
    for (int n = 0; fine && n < stack->count; ++n)
        fine = (out->h[n] = el_alloc_array(c, elements, size));
    if (fine && !inference) {
        fine = (out->da = el_alloc_array(c, elements, size)) &&
               (out->scratch = el_alloc(c, stack_scratch(stack, most)));
        if (fine && stack->count > 1)
            fine = (out->between = el_alloc_array(c, elements, size));
    }
    if (fine)
        return ELMAN_OK;
    el_tape_free(out);
    return ELMAN_ENOMEM;
}

void el_tape_free(el_tape *tape)
{
    if (!tape->stack)
        return;
    const elman_context *const c = tape->stack->context;
    for (int n = 0; tape->h && n < tape->stack->count; ++n)
        el_free(c, tape->h[n]);
    el_free(c, tape->h);
    el_free(c, tape->da);
    el_free(c, tape->between);
    el_free(c, tape->scratch);
    *tape = (el_tape){0};
}

/* Where state t of layer n lies. */
static void *state_at(const el_tape *tape, int n, int64_t batch, int64_t t)
{
    const el_stack *const s = tape->stack;
    return el_at(s->k, tape->h[n], t * batch * s->hidden);
}

void *el_tape_output(const el_tape *tape)
{
    return state_at(tape, tape->stack->count - 1, tape->run.batch, 1);
}

/* ---- Forward --------------------------------------------------------------*/

static el_input layer_input(const el_tape *tape, int n, int64_t batch,
                            const el_input *input)
{
    return n == 0 ? *input : (el_input){.x = state_at(tape, n - 1, batch, 1)};
}

static el_input input_at(const el_stack *stack, const el_input *input,
                         int64_t row)
{
    el_input at = *input;
    at.x = at.x ? el_at(stack->k, at.x, row * stack->input) : NULL;
    at.ids = at.ids ? at.ids + row : NULL;
    return at;
}

void el_stack_forward(const el_stack *stack, el_tape *tape, el_run run,
                      const el_input *input, const void *h0, void *y, void *hT)
{
    const el_kernels *const k = stack->k;
    const int64_t B = run.batch, cells = B * stack->hidden;
    const size_t bytes = (size_t)cells * k->size;
    assert(run.steps <= tape->most.steps && B <= tape->most.batch);
    for (int n = 0; n < stack->count; ++n)
        if (h0)
            memcpy(tape->h[n], el_at(k, h0, n * cells), bytes);
        else
            memset(tape->h[n], 0, bytes);

    el_run piece = {0, B};
    for (int64_t t = 0; t < run.steps; t += piece.steps) {
        if (t > 0) /* the last state of a piece begins the next one */
            for (int n = 0; n < stack->count; ++n)
                memcpy(tape->h[n], state_at(tape, n, B, piece.steps), bytes);
        piece.steps = run.steps - t < tape->piece ? run.steps - t : tape->piece;
        const el_input from = input_at(stack, input, t * B);
        for (int n = 0; n < stack->count; ++n) {
            const el_input in = layer_input(tape, n, B, &from);
            el_layer_forward(&stack->layers[n], piece, &in, tape->h[n]);
        }
        if (y)
            memcpy(el_at(k, y, t * cells),
                   state_at(tape, stack->count - 1, B, 1),
                   (size_t)piece.steps * bytes);
    }
    for (int n = 0; hT && n < stack->count; ++n)
        memcpy(el_at(k, hT, n * cells), state_at(tape, n, B, piece.steps),
               bytes);
    tape->run = run;
    tape->input = *input;
}

void el_stack_backward(const el_stack *stack, el_tape *tape, const void *dy,
                       const void *dhT, void *dx, void *dh0, void *grad)
{
    const el_kernels *const k = stack->k;
    const int64_t B = tape->run.batch, cells = B * stack->hidden;
    for (int n = stack->count - 1; n >= 0; --n) {
        const el_input in = layer_input(tape, n, B, &tape->input);
        const el_layer_back back = {
            .dy = dy,
            .dhT = dhT ? el_at(k, dhT, n * cells) : NULL,
            .da = tape->da,
            .dx = n > 0 ? tape->between : dx,
            .dh0 = dh0 ? el_at(k, dh0, n * cells) : NULL,
            .grad = grad,
            .scratch = tape->scratch};
        el_layer_backward(&stack->layers[n], tape->run, &in, tape->h[n], &back);
        dy = tape->between;
    }
}

/* ---- One step -------------------------------------------------------------
 * The same chains as over many steps: bias, then x, then h. */
void el_stack_step(const el_stack *stack, int64_t batch, const el_input *input,
                   void *h, void *next)
{
    const el_kernels *const k = stack->k;
    const int64_t H = stack->hidden, cells = batch * H;
    el_input in = *input;
    for (int n = 0; n < stack->count; ++n) {
        const el_layer *const layer = &stack->layers[n];
        void *const out = el_at(k, next, n * cells);
        el_layer_step(layer, batch, &in, el_at(k, h, n * cells), out);
        in = (el_input){.x = out};
    }
}
