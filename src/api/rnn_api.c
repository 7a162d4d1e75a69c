/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../base/random.h"
#include "../nn/compact.h"
#include "../nn/fill.h"
#include "../nn/tape.h"
#include "../tensor/dtype.h"
#include "check.h"
#include "checks.h"

#include <math.h>
#include <string.h>

struct elman_rnn {
    const elman_context *context;
    elman_rnn_desc desc;
    el_views views;
    el_stack stack;
    void *weights;      /* the flat block, or, where it only infers, NULL and */
    el_compact compact; /* that one, which packing takes the place of */
};

struct elman_tape {
    el_tape tape;
};

struct elman_state {
    const elman_rnn *rnn;
    el_state state;
};

elman_status el_check_rnn_desc(elman_rnn_desc *d)
{
    EL_REQUIRE(d->cell == ELMAN_CELL_ELMAN || d->cell == ELMAN_CELL_LSTM ||
                   d->cell == ELMAN_CELL_GRU,
               "cell is %d (ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM or "
               "ELMAN_CELL_GRU)",
               d->cell);
    const elman_status s = el_check_layers(d);
    if (s)
        return s;
    EL_REQUIRE(d->dtype != ELMAN_INT8 || d->inference_only,
               "dtype is ELMAN_INT8 (weights of a byte are for inference: set "
               "inference_only)");
    EL_REQUIRE(d->input >= 0 && d->input < EL_MOST_SIZE,
               "input is %lld (0 or more, below 2^31)", (long long)d->input);
    EL_REQUIRE(!d->single || (d->layers == 1 && !d->bidirectional),
               "single is set (one layer of one direction)");
    return ELMAN_OK;
}

/* Packed panels of bfloat16 are not what they were made of. */
static bool lies_once(const elman_rnn_desc *d)
{
    return d->inference_only && d->dtype != ELMAN_BF16;
}

static elman_status create_weights(elman_rnn *rnn)
{
    const int64_t total = rnn->views.total;
    if (lies_once(&rnn->desc))
        return el_compact_create(
            &(el_compact_parts){.stack = &rnn->stack, .total = total},
            &rnn->compact);
    rnn->weights = el_alloc_array(rnn->context, total, rnn->stack.k->size);
    return rnn->weights ? ELMAN_OK : ELMAN_ENOMEM;
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
    s = el_check_rnn_desc(&d);
    if (s)
        return s;
    elman_rnn *rnn = el_alloc(context, sizeof *rnn);
    if (!rnn)
        return ELMAN_ENOMEM;
    rnn->context = context;
    rnn->desc = d;
    rnn->stack.context = context;
    const el_stack_desc stack = {.cell = d.cell,
                                 .activation = d.activation,
                                 .dtype = d.dtype,
                                 .input = d.input,
                                 .hidden = d.hidden,
                                 .proj = d.proj,
                                 .layers = d.layers,
                                 .directions = d.bidirectional ? 2 : 1,
                                 .bias = !d.no_bias,
                                 .trainable = !d.inference_only,
                                 .lent = lies_once(&d),
                                 .reset_before = d.reset_before,
                                 .single = d.single,
                                 .dropout = d.dropout,
                                 .locked = d.locked,
                                 .weight_drop = d.weight_drop,
                                 .prefix = ""};
    s = el_stack_create(context, &stack, &rnn->views, &rnn->stack);
    if (!s)
        s = create_weights(rnn);
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
    if ((*rnn)->compact.context)
        el_compact_free(&(*rnn)->compact);
    else
        el_free(c, (*rnn)->weights);
    el_stack_free(&(*rnn)->stack);
    el_views_free(c, &(*rnn)->views);
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
    const void *weights = rnn ? rnn->weights : NULL;
    if (rnn && rnn->compact.context)
        EL_COMPUTE(weights = el_compact_read(&rnn->compact));
    return weights;
}

void *elman_rnn_weights_begin(elman_rnn *rnn)
{
    if (rnn && rnn->compact.context)
        EL_COMPUTE(rnn->weights = el_compact_open(&rnn->compact));
    return rnn ? rnn->weights : NULL;
}

void elman_rnn_weights_end(elman_rnn *rnn)
{
    if (!rnn)
        return;
    if (rnn->desc.dtype == ELMAN_INT8 && rnn->weights)
        el_views_round(&rnn->views, rnn->weights);
    if (rnn->compact.context) {
        EL_COMPUTE(el_compact_close(&rnn->compact));
        rnn->weights = NULL;
    } else {
        EL_COMPUTE(el_stack_pack(&rnn->stack, rnn->weights));
    }
}

void elman_rnn_init(elman_rnn *rnn, uint64_t seed)
{
    if (!rnn)
        return;
    void *const weights = elman_rnn_weights_begin(rnn);
    if (!weights)
        return;
    EL_COMPUTE(el_fill_uniform(rnn->stack.k, weights, rnn->views.total, 1,
                               rnn->desc.hidden, seed,
                               EL_STREAM(EL_RANDOM_WEIGHTS, 0)));
    elman_rnn_weights_end(rnn);
}

/* ---- Tapes ----------------------------------------------------------------*/

elman_status el_take_tape_size(el_tape_size *out, const elman_tape_desc *desc)
{
    elman_tape_desc d = ELMAN_TAPE_DESC;
    const elman_status s = el_take_desc(&d, sizeof d, desc, "elman_tape_desc");
    if (s)
        return s;
    EL_REQUIRE(d.steps >= 1 && d.batch >= 1,
               "steps and batch are %lld and %lld (at least 1)",
               (long long)d.steps, (long long)d.batch);
    EL_REQUIRE(d.memory >= 0, "memory is %lld (0 or more)",
               (long long)d.memory);
    *out = (el_tape_size){.steps = d.steps,
                          .batch = d.batch,
                          .inference = d.inference_only,
                          .memory = d.memory};
    return ELMAN_OK;
}

static const int64_t handle = sizeof(elman_tape) + EL_BLOCK_EXTRA;

static elman_status check_tape(const elman_rnn *rnn,
                               const elman_tape_desc *desc, el_tape_size *size)
{
    EL_REQUIRE(rnn && desc, "rnn or desc is NULL");
    const elman_status s = el_take_tape_size(size, desc);
    if (s)
        return s;
    EL_REQUIRE(size->steps < (int64_t)1 << 40 && size->batch < EL_MOST_SIZE,
               "steps and batch are %lld and %lld (below 2^40 and 2^31)",
               (long long)size->steps, (long long)size->batch);
    EL_REQUIRE(size->inference || !rnn->desc.inference_only,
               "a training tape cannot be made for a network that is for "
               "inference only");
    size->besides = handle;
    return ELMAN_OK;
}

elman_status elman_tape_create(const elman_rnn *rnn,
                               const elman_tape_desc *desc, elman_tape **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    el_tape_size size;
    elman_status s = check_tape(rnn, desc, &size);
    if (s)
        return s;
    elman_tape *const tape = el_alloc(rnn->context, sizeof *tape);
    if (!tape)
        return ELMAN_ENOMEM;
    s = el_tape_create(&rnn->stack, &size, &tape->tape);
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

/* With the handle; fails as creating one does. */
static elman_status tape_costs(const elman_rnn *rnn,
                               const elman_tape_desc *desc, el_tape_cost *out)
{
    el_tape_size size;
    elman_status s = check_tape(rnn, desc, &size);
    if (!s)
        s = el_tape_costs(&rnn->stack, &size, out);
    out->bytes += handle;
    return s;
}

int64_t elman_tape_bytes(const elman_rnn *rnn, const elman_tape_desc *desc)
{
    el_tape_cost cost = {0};
    return tape_costs(rnn, desc, &cost) ? -1 : cost.bytes;
}

static int64_t state_bytes(const elman_rnn *rnn)
{
    return el_state_bytes(&rnn->stack, 1) + (int64_t)sizeof(elman_state) +
           EL_BLOCK_EXTRA;
}

elman_status elman_rnn_memory(const elman_rnn *rnn, const elman_tape_desc *desc,
                              elman_memory *out)
{
    EL_REQUIRE(rnn && out, "rnn or out is NULL");
    EL_REQUIRE(desc || !rnn->desc.bidirectional,
               "a network of two directions needs whole sequences");
    el_tape_cost cost = {.bytes = state_bytes(rnn), .passes = 1};
    const elman_status s = desc ? tape_costs(rnn, desc, &cost) : ELMAN_OK;
    if (s)
        return s;
    const int64_t weights = rnn->compact.context
                                ? el_compact_bytes(&rnn->compact)
                                : (int64_t)el_block_bytes(rnn->weights);
    elman_memory m = {.weights = weights,
                      .packed = el_stack_bytes(&rnn->stack),
                      .tape = cost.bytes,
                      .outside = cost.outside,
                      .passes = cost.passes};
    return el_give_memory(out, &m);
}

/* ---- Running --------------------------------------------------------------*/

static elman_status check_sequences(const elman_rnn *rnn,
                                    const elman_tape *tape,
                                    const elman_sequences *q)
{
    EL_REQUIRE(tape->tape.stack == &rnn->stack,
               "the tape was made for another network");
    EL_REQUIRE(q->x || rnn->desc.input == 0, "x is NULL");
    EL_REQUIRE(!q->ids, "ids is given (only elman_network_run takes it)");
    EL_REQUIRE(!q->train || !tape->tape.inference,
               "train is set (the tape is for inference only)");
    return el_check_sequences(q, rnn->desc.cell, tape->tape.most_steps,
                              tape->tape.most_batch);
}

elman_status elman_rnn_run(const elman_rnn *rnn, elman_tape *tape,
                           const elman_sequences *sequences)
{
    EL_REQUIRE(rnn && tape && sequences, "rnn, tape or sequences is NULL");
    elman_sequences q = ELMAN_SEQUENCES;
    elman_status s = el_take_desc(&q, sizeof q, sequences, "elman_sequences");
    if (!s)
        s = check_sequences(rnn, tape, &q);
    if (s)
        return s;
    const el_forward f = {
        .steps = q.steps,
        .batch = q.batch,
        .lengths = q.lengths,
        .batch_first = q.batch_first,
        .input = {.x = {.p = (void *)(rnn->desc.input > 0 ? q.x : NULL)}},
        .h0 = q.h0,
        .c0 = q.c0,
        .y = q.y,
        .hT = q.hT,
        .cT = q.cT,
        .draw = {.train = q.train, .seed = q.seed, .draw = q.draw},
        .weights = rnn->weights};
    EL_COMPUTE(el_tape_forward(&tape->tape, &f));
    return ELMAN_OK;
}

elman_status elman_rnn_run_back(const elman_rnn *rnn, elman_tape *tape,
                                const elman_gradients *gradients)
{
    EL_REQUIRE(rnn && tape && gradients, "rnn, tape or gradients is NULL");
    elman_gradients g = ELMAN_GRADIENTS;
    const elman_status s =
        el_take_desc(&g, sizeof g, gradients, "elman_gradients");
    if (s)
        return s;
    EL_REQUIRE(tape->tape.stack == &rnn->stack,
               "the tape was made for another network");
    EL_REQUIRE(!tape->tape.inference, "the tape is for inference only");
    EL_REQUIRE(tape->tape.recorded, "the tape holds no forward pass");
    EL_REQUIRE(rnn->desc.cell == ELMAN_CELL_LSTM || (!g.dcT && !g.dc0),
               "dcT or dc0 is given (only the LSTM has a cell state)");
    EL_REQUIRE(!g.dx || g.dx != tape->tape.input.x.p,
               "dx is x, which is still read (it needs room of its own)");
    const el_backward b = {.dy = g.dy,
                           .dhT = g.dhT,
                           .dcT = g.dcT,
                           .dx = rnn->desc.input > 0 ? g.dx : NULL,
                           .dh0 = g.dh0,
                           .dc0 = g.dc0,
                           .grad = g.grad};
    EL_COMPUTE(el_tape_backward(&tape->tape, &b));
    return ELMAN_OK;
}

elman_status elman_rnn_forward(const elman_rnn *rnn, elman_tape *tape,
                               int64_t T, int64_t B, const void *x,
                               const void *h0, void *y, void *hT)
{
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = T;
    q.batch = B;
    q.x = x;
    q.h0 = h0;
    q.y = y;
    q.hT = hT;
    return elman_rnn_run(rnn, tape, &q);
}

elman_status elman_rnn_backward(const elman_rnn *rnn, elman_tape *tape,
                                const void *dy, const void *dhT, void *dx,
                                void *dh0, void *grad)
{
    elman_gradients g = ELMAN_GRADIENTS;
    g.dy = dy;
    g.dhT = dhT;
    g.dx = dx;
    g.dh0 = dh0;
    g.grad = grad;
    return elman_rnn_run_back(rnn, tape, &g);
}

elman_status elman_cell_forward(const elman_rnn *cell, elman_tape *tape,
                                int64_t B, const void *x, const void *h0,
                                const void *c0, void *h, void *c)
{
    EL_REQUIRE(cell && tape, "cell or tape is NULL");
    EL_REQUIRE(cell->desc.single, "the network is not `single`");
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = 1;
    q.batch = B;
    q.x = x;
    q.h0 = h0;
    q.c0 = c0;
    q.hT = h;
    q.cT = c;
    return elman_rnn_run(cell, tape, &q);
}

elman_status elman_cell_backward(const elman_rnn *cell, elman_tape *tape,
                                 const void *dh, const void *dc, void *dx,
                                 void *dh0, void *dc0, void *grad)
{
    EL_REQUIRE(cell && tape, "cell or tape is NULL");
    EL_REQUIRE(cell->desc.single, "the network is not `single`");
    elman_gradients g = ELMAN_GRADIENTS;
    g.dhT = dh;
    g.dcT = dc;
    g.dx = dx;
    g.dh0 = dh0;
    g.dc0 = dc0;
    g.grad = grad;
    return elman_rnn_run_back(cell, tape, &g);
}

/* ---- States ---------------------------------------------------------------*/

elman_status elman_state_create(const elman_rnn *rnn, int64_t batch,
                                elman_state **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(rnn, "rnn is NULL");
    EL_REQUIRE(batch >= 1 && batch < EL_MOST_SIZE,
               "batch is %lld (at least 1, below 2^31)", (long long)batch);
    EL_REQUIRE(!rnn->desc.bidirectional,
               "a network of two directions needs whole sequences "
               "(elman_rnn_run)");
    elman_state *const state = el_alloc(rnn->context, sizeof *state);
    if (!state)
        return ELMAN_ENOMEM;
    state->rnn = rnn;
    const elman_status s = el_state_create(&rnn->stack, batch, &state->state);
    if (s) {
        el_free(rnn->context, state);
        return s;
    }
    *out = state;
    return ELMAN_OK;
}

void elman_state_destroy(elman_state **state)
{
    if (!state || !*state)
        return;
    const elman_context *const c = (*state)->rnn->context;
    el_state_free(&(*state)->state);
    el_free(c, *state);
    *state = NULL;
}

elman_status elman_rnn_steps(const elman_rnn *rnn, elman_state *state,
                             int64_t T, const void *x, void *y)
{
    EL_REQUIRE(rnn && state, "rnn or state is NULL");
    EL_REQUIRE(state->rnn == rnn, "the state was made for another network");
    EL_REQUIRE(T >= 0, "T is %lld (0 or more)", (long long)T);
    EL_REQUIRE(x || rnn->desc.input == 0 || T == 0, "x is NULL");
    const el_kernels *const k = rnn->stack.k;
    const int64_t in = rnn->desc.input, B = state->state.batch;
    const int64_t top = B * rnn->stack.out;
    for (int64_t t = 0; t < T; ++t) {
        const el_input input = {
            .x = {.p = in > 0 ? el_at(k, x, t * B * in) : NULL, .ld = in}};
        EL_COMPUTE(el_state_step(&state->state, &input));
        if (y)
            memcpy(el_at(k, y, t * top), el_state_top(&state->state),
                   (size_t)top * k->size);
    }
    return ELMAN_OK;
}

elman_status elman_rnn_step(const elman_rnn *rnn, elman_state *state,
                            const void *x, void *y)
{
    return elman_rnn_steps(rnn, state, 1, x, y);
}

static size_t h_bytes(const elman_state *state)
{
    return (size_t)el_state_h_count(&state->state) * state->rnn->stack.k->size;
}

static size_t c_bytes(const elman_state *state)
{
    return (size_t)el_state_c_count(&state->state) * state->rnn->stack.k->size;
}

void elman_state_read(const elman_state *state, void *h)
{
    if (state && h)
        memcpy(h, state->state.h, h_bytes(state));
}

void elman_state_write(elman_state *state, const void *h)
{
    if (state && h)
        memcpy(state->state.h, h, h_bytes(state));
}

void elman_state_read_c(const elman_state *state, void *c)
{
    if (state && c && state->state.c)
        memcpy(c, state->state.c, c_bytes(state));
}

void elman_state_write_c(elman_state *state, const void *c)
{
    if (state && c && state->state.c)
        memcpy(state->state.c, c, c_bytes(state));
}

elman_status elman_state_copy(elman_state *to, const elman_state *from)
{
    EL_REQUIRE(to && from, "to or from is NULL");
    if (to->rnn != from->rnn || to->state.batch != from->state.batch)
        return el_fail(ELMAN_EMISMATCH,
                       "the two states are not of one network and batch");
    if (to == from)
        return ELMAN_OK;
    elman_state_write(to, from->state.h);
    elman_state_write_c(to, from->state.c);
    return ELMAN_OK;
}

void elman_state_zero(elman_state *state)
{
    if (state)
        el_state_zero(&state->state);
}

void elman_state_random(elman_state *state, double stddev, uint64_t seed)
{
    if (!state)
        return;
    el_state_zero(&state->state);
    EL_COMPUTE(el_fill_normal(state->rnn->stack.k, state->state.h,
                              el_state_h_count(&state->state), stddev, seed,
                              EL_STREAM(EL_RANDOM_STATE, 0)));
}
