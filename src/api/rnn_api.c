/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../base/random.h"
#include "../nn/fill.h"
#include "../nn/stack.h"
#include "check.h"

#include <math.h>

struct elman_rnn {
    const elman_context *context;
    elman_rnn_desc desc;
    el_views views;
    el_stack stack;
    void *weights; /* [P] */
};

struct elman_tape {
    el_tape tape;
};

struct elman_state {
    const elman_rnn *rnn;
    int64_t batch;
    void *h, *next; /* [L,B,H] */
};

static const int64_t most_size = (int64_t)1 << 31;

static elman_status check_desc(const elman_rnn_desc *d)
{
    EL_REQUIRE(d->cell == ELMAN_CELL_ELMAN,
               "cell is %d (a recurrent layer is ELMAN_CELL_ELMAN)", d->cell);
    EL_REQUIRE(d->activation == ELMAN_TANH || d->activation == ELMAN_RELU,
               "activation is %d (ELMAN_TANH or ELMAN_RELU)", d->activation);
    EL_REQUIRE(d->dtype == ELMAN_F32 || d->dtype == ELMAN_F64,
               "dtype is %d (ELMAN_F32 or ELMAN_F64)", d->dtype);
    EL_REQUIRE(d->input >= 0 && d->input < most_size,
               "input is %lld (0 or more)", (long long)d->input);
    EL_REQUIRE(d->hidden >= 1 && d->hidden < most_size,
               "hidden is %lld (at least 1)", (long long)d->hidden);
    EL_REQUIRE(d->layers >= 1 && d->layers <= 4096,
               "layers is %d (0 to 4096; 0 means 1)", d->layers);
    return ELMAN_OK;
}

elman_status elman_rnn_create(elman_context *context,
                              const elman_rnn_desc *desc, elman_rnn **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc, "context or desc is NULL");
    elman_rnn_desc d = ELMAN_RNN_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_rnn_desc");
    if (s)
        return s;
    d.layers = d.layers == 0 ? 1 : d.layers;
    s = check_desc(&d);
    if (s)
        return s;
    elman_rnn *rnn = el_alloc(context, sizeof *rnn);
    if (!rnn)
        return ELMAN_ENOMEM;
    rnn->context = context;
    rnn->desc = d;
    rnn->stack.context = context;
    const el_stack_desc stack = {.activation = d.activation,
                                 .dtype = d.dtype,
                                 .input = d.input,
                                 .hidden = d.hidden,
                                 .layers = d.layers,
                                 .recurrent = true,
                                 .bias = !d.no_bias,
                                 .trainable = !d.inference_only,
                                 .prefix = ""};
    s = el_stack_create(context, &stack, &rnn->views, &rnn->stack);
    if (!s) {
        rnn->weights =
            el_alloc_array(context, rnn->views.total, rnn->stack.k->size);
        s = rnn->weights ? ELMAN_OK : ELMAN_ENOMEM;
    }
    if (s) {
        elman_rnn_destroy(&rnn);
        return s;
    }
    elman_rnn_weights_end(rnn);
    *out = rnn;
    return ELMAN_OK;
}

void elman_rnn_destroy(elman_rnn **rnn)
{
    if (!rnn || !*rnn)
        return;
    const elman_context *const c = (*rnn)->context;
    el_stack_free(&(*rnn)->stack);
    el_views_free(c, &(*rnn)->views);
    el_free(c, (*rnn)->weights);
    el_free(c, *rnn);
    *rnn = NULL;
}

int64_t elman_rnn_parameters(const elman_rnn *rnn)
{
    return rnn ? rnn->views.total : 0;
}

int elman_rnn_view_count(const elman_rnn *rnn)
{
    return rnn ? rnn->views.count : 0;
}

elman_status elman_rnn_view(const elman_rnn *rnn, int index, elman_view *out)
{
    EL_REQUIRE(rnn && out, "rnn or out is NULL");
    return el_views_at(&rnn->views, index, out);
}

elman_status elman_rnn_find(const elman_rnn *rnn, const char *name,
                            elman_view *out)
{
    EL_REQUIRE(rnn && name && out, "rnn, name or out is NULL");
    return el_views_find(&rnn->views, name, out);
}

const void *elman_rnn_weights(const elman_rnn *rnn)
{
    return rnn ? rnn->weights : NULL;
}

void *elman_rnn_weights_begin(elman_rnn *rnn)
{
    return rnn ? rnn->weights : NULL;
}

void elman_rnn_weights_end(elman_rnn *rnn)
{
    if (rnn)
        EL_COMPUTE(el_stack_pack(&rnn->stack, rnn->weights));
}

void elman_rnn_init(elman_rnn *rnn, uint64_t seed)
{
    if (!rnn)
        return;
    EL_COMPUTE(el_fill_uniform(rnn->stack.k, rnn->weights, rnn->views.total, 1,
                               rnn->desc.hidden, seed,
                               EL_STREAM(EL_RANDOM_WEIGHTS, 0)));
    elman_rnn_weights_end(rnn);
}

/* ---- Tapes ----------------------------------------------------------------*/

static elman_status check_tape(const elman_rnn *rnn,
                               const elman_tape_desc *desc, elman_tape_desc *d)
{
    EL_REQUIRE(rnn && desc, "rnn or desc is NULL");
    *d = (elman_tape_desc)ELMAN_TAPE_DESC;
    const elman_status s = el_take_desc(d, sizeof *d, desc, "elman_tape_desc");
    if (s)
        return s;
    EL_REQUIRE(d->steps >= 1 && d->steps < (int64_t)1 << 40,
               "steps is %lld (at least 1)", (long long)d->steps);
    EL_REQUIRE(d->batch >= 1 && d->batch < most_size,
               "batch is %lld (at least 1)", (long long)d->batch);
    EL_REQUIRE(d->inference_only || !rnn->desc.inference_only,
               "a training tape cannot be made for a network that is for "
               "inference only");
    return ELMAN_OK;
}

elman_status elman_tape_create(const elman_rnn *rnn,
                               const elman_tape_desc *desc, elman_tape **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    elman_tape_desc d;
    elman_status s = check_tape(rnn, desc, &d);
    if (s)
        return s;
    elman_tape *const tape = el_alloc(rnn->context, sizeof *tape);
    if (!tape)
        return ELMAN_ENOMEM;
    s = el_tape_create(&rnn->stack, (el_run){d.steps, d.batch},
                       d.inference_only, &tape->tape);
    if (s) {
        el_free(rnn->context, tape);
        return s;
    }
    *out = tape;
    return ELMAN_OK;
}

void elman_tape_destroy(elman_tape **tape)
{
    if (!tape || !*tape)
        return;
    const elman_context *const c = (*tape)->tape.stack->context;
    el_tape_free(&(*tape)->tape);
    el_free(c, *tape);
    *tape = NULL;
}

int64_t elman_tape_bytes(const elman_rnn *rnn, const elman_tape_desc *desc)
{
    elman_tape_desc d;
    if (check_tape(rnn, desc, &d))
        return -1;
    return el_tape_bytes(&rnn->stack, (el_run){d.steps, d.batch},
                         d.inference_only);
}

elman_status elman_rnn_forward(const elman_rnn *rnn, elman_tape *tape,
                               int64_t T, int64_t B, const void *x,
                               const void *h0, void *y, void *hT)
{
    EL_REQUIRE(rnn && tape, "rnn or tape is NULL");
    EL_REQUIRE(tape->tape.stack == &rnn->stack,
               "the tape was made for another network");
    EL_REQUIRE(T >= 1 && T <= tape->tape.most.steps,
               "T is %lld (the tape was made for 1 to %lld steps)",
               (long long)T, (long long)tape->tape.most.steps);
    EL_REQUIRE(B >= 1 && B <= tape->tape.most.batch,
               "B is %lld (the tape was made for 1 to %lld sequences)",
               (long long)B, (long long)tape->tape.most.batch);
    EL_REQUIRE(x || rnn->desc.input == 0, "x is NULL");
    EL_REQUIRE(!y || y != x, "y is x (outputs need room of their own)");
    const el_input input = {.x = x};
    EL_COMPUTE(el_stack_forward(&rnn->stack, &tape->tape, (el_run){T, B},
                                &input, h0, y, hT));
    return ELMAN_OK;
}

elman_status elman_rnn_backward(const elman_rnn *rnn, elman_tape *tape,
                                const void *dy, const void *dhT, void *dx,
                                void *dh0, void *grad)
{
    EL_REQUIRE(rnn && tape, "rnn or tape is NULL");
    EL_REQUIRE(tape->tape.stack == &rnn->stack,
               "the tape was made for another network");
    EL_REQUIRE(!tape->tape.inference, "the tape is for inference only");
    EL_REQUIRE(tape->tape.run.steps > 0, "the tape holds no forward pass");
    EL_COMPUTE(
        el_stack_backward(&rnn->stack, &tape->tape, dy, dhT, dx, dh0, grad));
    return ELMAN_OK;
}

/* ---- States ---------------------------------------------------------------*/

static int64_t state_count(const elman_state *state)
{
    const elman_rnn_desc *const d = &state->rnn->desc;
    return d->layers * state->batch * d->hidden;
}

static size_t state_bytes(const elman_state *state)
{
    return (size_t)state_count(state) * state->rnn->stack.k->size;
}

elman_status elman_state_create(const elman_rnn *rnn, int64_t batch,
                                elman_state **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(rnn, "rnn is NULL");
    EL_REQUIRE(batch >= 1 && batch < most_size, "batch is %lld (at least 1)",
               (long long)batch);
    elman_state *state = el_alloc(rnn->context, sizeof *state);
    if (!state)
        return ELMAN_ENOMEM;
    state->rnn = rnn;
    state->batch = batch;
    int64_t count;
    if (__builtin_mul_overflow(rnn->desc.layers * rnn->desc.hidden, batch,
                               &count) ||
        !(state->h = el_alloc_array(rnn->context, count, rnn->stack.k->size)) ||
        !(state->next =
              el_alloc_array(rnn->context, count, rnn->stack.k->size))) {
        elman_state_destroy(&state);
        return el_no_memory();
    }
    *out = state;
    return ELMAN_OK;
}

void elman_state_destroy(elman_state **state)
{
    if (!state || !*state)
        return;
    const elman_context *const c = (*state)->rnn->context;
    el_free(c, (*state)->h);
    el_free(c, (*state)->next);
    el_free(c, *state);
    *state = NULL;
}

elman_status elman_rnn_step(const elman_rnn *rnn, elman_state *state,
                            const void *x, void *y)
{
    EL_REQUIRE(rnn && state, "rnn or state is NULL");
    EL_REQUIRE(state->rnn == rnn, "the state was made for another network");
    EL_REQUIRE(x || rnn->desc.input == 0, "x is NULL");
    const el_input input = {.x = x};
    EL_COMPUTE(el_stack_step(&rnn->stack, state->batch, &input, state->h,
                             state->next));
    void *const last = state->h;
    state->h = state->next;
    state->next = last;
    const int64_t top = state->batch * rnn->desc.hidden;
    if (y)
        memcpy(y, el_at(rnn->stack.k, state->h, state_count(state) - top),
               (size_t)top * rnn->stack.k->size);
    return ELMAN_OK;
}

void elman_state_read(const elman_state *state, void *h)
{
    if (state && h)
        memcpy(h, state->h, state_bytes(state));
}

void elman_state_write(elman_state *state, const void *h)
{
    if (state && h)
        memcpy(state->h, h, state_bytes(state));
}

void elman_state_zero(elman_state *state)
{
    if (state)
        memset(state->h, 0, state_bytes(state));
}

void elman_state_random(elman_state *state, double stddev, uint64_t seed)
{
    if (!state)
        return;
    EL_COMPUTE(el_fill_normal(state->rnn->stack.k, state->h, state_count(state),
                              stddev, seed, EL_STREAM(EL_RANDOM_STATE, 0)));
}
