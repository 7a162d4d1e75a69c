/* SPDX-License-Identifier: MIT */
#include "onnx_chain.h"

enum { LAYERS_MOST = 4096 };

/* A graph may name one tensor as the weights of many layers: a network takes at
 * most so many times its file, or so much in any case. */
enum { TIMES_MOST = 64, BYTES_LEAST = 1 << 27 };

/* ---- From the last stage to the first -------------------------------------*/

static elman_status no_layer(void)
{
    return el_fail(ELMAN_EFORMAT,
                   "there is no recurrent layer in it (RNN, LSTM or GRU)");
}

static elman_status find_last(const el_onnx_walk *w, int *last)
{
    *last = -1;
    for (int i = 0; i < w->stage_count; ++i) {
        const el_onnx_stage *const stage = &w->stages[i];
        if (stage->used || stage->half)
            continue;
        if (*last >= 0)
            return el_fail(ELMAN_EFORMAT, "its layers do not stand one upon "
                                          "the other: several give what no "
                                          "other takes");
        *last = i;
    }
    return *last >= 0 ? ELMAN_OK : no_layer();
}

static elman_status list_chain(el_onnx_chain *c)
{
    const el_onnx_walk *const w = c->walk;
    int at, met = 0, halves = 0;
    elman_status s = find_last(w, &at);
    if (s)
        return s;
    c->layers = el_alloc_array(w->context, w->stage_count, sizeof *c->layers);
    if (!c->layers)
        return ELMAN_ENOMEM;
    for (; at >= 0; at = w->stages[at].before, ++met) {
        const el_onnx_stage *const stage = &w->stages[at];
        if (c->count > 0 &&
            (stage->work == EL_ONNX_BIAS || stage->work == EL_ONNX_PRODUCT))
            return el_fail(ELMAN_EFORMAT, "a linear layer stands before a "
                                          "recurrent one");
        if (stage->work == EL_ONNX_BIAS)
            c->bias = stage;
        else if (stage->work == EL_ONNX_PRODUCT)
            c->product = stage;
        else if (stage->work == EL_ONNX_LAYER)
            c->layers[c->count++] = stage;
        else
            c->tokens = stage;
    }
    for (int i = 0; i < w->stage_count; ++i)
        halves += w->stages[i].half;
    if (met + halves != w->stage_count)
        return el_fail(ELMAN_EFORMAT, "its layers do not stand one upon the "
                                      "other: one gives what several take");
    if (c->count == 0)
        return no_layer();
    if (c->count > LAYERS_MOST)
        return el_fail(ELMAN_EFORMAT,
                       "it has %lld recurrent layers (at most "
                       "%d)",
                       (long long)c->count, LAYERS_MOST);
    for (int64_t i = 0; i < c->count / 2; ++i) {
        const el_onnx_stage *const stage = c->layers[i];
        c->layers[i] = c->layers[c->count - 1 - i];
        c->layers[c->count - 1 - i] = stage;
    }
    return ELMAN_OK;
}

static elman_status check_layers(const el_onnx_chain *c)
{
    const el_onnx_stage *const first = c->layers[0];
    for (int64_t l = 0; l < c->count; ++l) {
        const el_onnx_stage *const one = c->layers[l];
        if (one->directions == 1 && one->reverse)
            return el_fail(ELMAN_EFORMAT,
                           "layer %lld runs backwards alone, "
                           "which no layer of elman's does",
                           (long long)l);
        if (one->cell != first->cell || one->hidden != first->hidden ||
            one->activation != first->activation ||
            one->directions != first->directions ||
            one->reset_before != first->reset_before ||
            one->proj != first->proj ||
            one->direction[0].weight_ih.type !=
                first->direction[0].weight_ih.type)
            return el_fail(ELMAN_EFORMAT,
                           "layer %lld is not like the first one (all must "
                           "have the same cell, hidden size, directions and "
                           "type)",
                           (long long)l);
    }
    return ELMAN_OK;
}

/* ---- Initial states -------------------------------------------------------*/

typedef struct start_state {
    unsigned char *used; /* by input */
    el_onnx_start last;
    int64_t zeros, inputs;
} start_state;

/* Each row of an input is one layer's, in the order of the layers. */
static elman_status check_start(const el_onnx_chain *c, start_state *state,
                                el_onnx_start start)
{
    const bool next = state->inputs > 0 && start.input == state->last.input &&
                      start.row == state->last.row + 1;
    if (start.input < 0) {
        ++state->zeros;
        return ELMAN_OK;
    }
    if (!next && (start.row != 0 || state->used[start.input]))
        return el_fail(ELMAN_EFORMAT,
                       "input %.100s does not hold one initial state for each "
                       "layer, in their order",
                       c->walk->graph->input[start.input]->name);
    state->used[start.input] = 1;
    state->last = start;
    ++state->inputs;
    return ELMAN_OK;
}

static elman_status check_starts(const el_onnx_chain *c)
{
    const el_onnx_walk *const w = c->walk;
    unsigned char *const used =
        el_alloc(w->context, (size_t)w->input_count + 1);
    elman_status s = used ? ELMAN_OK : ELMAN_ENOMEM;
    const el_onnx_stage *const first = c->tokens ? c->tokens : c->layers[0];
    if (s)
        return s;
    used[first->input] = 1;
    if (w->lengths >= 0)
        used[w->lengths] = 1;
    for (int kind = 0; !s && kind < 2; ++kind) {
        start_state state = {.used = used};
        for (int64_t i = 0; !s && i < c->count * c->layers[0]->directions;
             ++i) {
            const int S = c->layers[0]->directions;
            const el_onnx_direction *const one =
                &c->layers[i / S]->direction[i % S];
            s = check_start(c, &state, kind == 0 ? one->h : one->c);
        }
        if (!s && state.zeros > 0 && state.inputs > 0)
            s = el_fail(ELMAN_EFORMAT, "some layers begin at zeros, and others "
                                       "at a state that is an input");
    }
    el_free(w->context, used);
    return s;
}

/* ---- Outputs --------------------------------------------------------------*/

/* Whether an axis that layers run over is none, or always 1, so that an output
 * need not have it. */
static bool is_single(const el_onnx_walk *w, int id)
{
    const size_t before = w->graph->n_initializer;
    return id < 0 || w->values[before + (size_t)(id / EL_ONNX_RANK)]
                             .flow.axes[id % EL_ONNX_RANK]
                             .size == 1;
}

/* Whether all axes of a dimension are steps or sequences, and which. */
static bool is_rows(const el_onnx_walk *w, const el_onnx_flow *flow, int d,
                    bool *steps, bool *sequences)
{
    for (int i = d > 0 ? flow->ends[d - 1] : 0; i < flow->ends[d]; ++i) {
        const int id = flow->axes[i].id;
        if (id < 0 || (id != w->time && id != w->batch))
            return false;
        *(id == w->time ? steps : sequences) = true;
    }
    return true;
}

/* Steps, where all are given, and sequences, each a dimension of its own or
 * both in one, and the features last; dimensions of 1 do not count. */
static bool is_laid_out(const el_onnx_walk *w, const el_onnx_value *v)
{
    const el_onnx_flow *const flow = &v->flow;
    const el_onnx_stage *const last = &w->stages[v->source];
    const int directions = last->work == EL_ONNX_LAYER ? last->directions : 1;
    const int64_t wide = last->width / directions;
    int features = 0;
    bool steps = v->steps != ELMAN_DECODE_ALL || is_single(w, w->time);
    bool sequences = is_single(w, w->batch);
    for (int d = 0; d < flow->rank; ++d) {
        if (el_onnx_flow_is_empty(flow, d) ||
            (features == 0 && is_rows(w, flow, d, &steps, &sequences)))
            continue;
        if (el_onnx_flow_is_features(flow, d, directions, wide))
            ++features;
        else
            return false;
    }
    return steps && sequences && features == (last->width != 1);
}

/* The network's output; NULL where it is none but a final state. */
typedef struct outputs {
    const char *name;
    elman_decode decode;
} outputs;

static elman_status check_output(const el_onnx_chain *c,
                                 const el_onnx_stage *last, const char *name,
                                 const el_onnx_value *v, outputs *out)
{
    const el_onnx_walk *const w = c->walk;
    if (v->kind != EL_ONNX_FLOW || v->source != el_onnx_stage_number(w, last) ||
        !is_laid_out(w, v))
        return el_fail(ELMAN_EFORMAT,
                       "output %.100s is neither what the last layer gives, "
                       "steps by sequences by features or the last step, nor a "
                       "final state",
                       name);
    if (out->name && out->decode != v->steps)
        return el_fail(ELMAN_EFORMAT,
                       "outputs %.100s and %.100s are different steps of what "
                       "the last layer gives, and a network gives one of them",
                       out->name, name);
    *out = (outputs){name, v->steps};
    return ELMAN_OK;
}

/* A state alone is what the network gives, if it is that of the last layer. */
static void take_state(const el_onnx_walk *w, const el_onnx_stage *last,
                       const el_onnx_value *v, outputs *out)
{
    el_onnx_value flow;
    if (el_onnx_state_flow(w, v, &flow) &&
        flow.source == el_onnx_stage_number(w, last) && is_laid_out(w, &flow))
        out->decode = flow.steps;
}

static elman_status check_outputs(const el_onnx_chain *c, elman_decode *decode)
{
    const el_onnx_walk *const w = c->walk;
    const el_onnx_stage *const last = c->bias      ? c->bias
                                      : c->product ? c->product
                                                   : c->layers[c->count - 1];
    outputs flows = {NULL, ELMAN_DECODE_ALL}, states = flows;
    elman_status s = ELMAN_OK;
    if (w->graph->n_output == 0)
        return el_fail(ELMAN_EFORMAT, "its graph has no output");
    for (size_t i = 0; !s && i < w->graph->n_output; ++i) {
        const char *const name = w->graph->output[i]->name;
        const el_onnx_value *const v = name ? el_onnx_find(w, name) : NULL;
        if (!v || v->kind == EL_ONNX_NOTHING)
            return el_fail(ELMAN_EFORMAT, "no node gives output %.100s",
                           name ? name : "without a name");
        if (v->kind == EL_ONNX_STATE)
            take_state(w, last, v, &states);
        else
            s = check_output(c, last, name, v, &flows);
    }
    *decode = flows.name ? flows.decode : states.decode;
    return s;
}

/* ---- What it is -----------------------------------------------------------*/

static bool is_same_matrix(const el_onnx_constant *a, const el_onnx_constant *b)
{
    return a->data == b->data && a->shape[0] == b->shape[1] &&
           a->shape[1] == b->shape[0] && a->stride[0] == b->stride[1] &&
           a->stride[1] == b->stride[0];
}

static void describe(el_onnx_chain *c, elman_decode decode)
{
    const el_onnx_stage *const first = c->layers[0];
    elman_network_desc *const d = &c->desc;
    elman_rnn_desc *const r = &d->rnn;
    *d = (elman_network_desc)ELMAN_NETWORK_DESC;
    r->cell = first->cell;
    r->activation = first->activation;
    r->dtype = first->direction[0].weight_ih.type ==
                       EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE
                   ? ELMAN_F64
                   : ELMAN_F32;
    r->input = first->direction[0].weight_ih.shape[1];
    r->hidden = first->hidden;
    r->proj = first->proj;
    r->layers = (int)c->count;
    r->bidirectional = first->directions == 2;
    r->reset_before = first->reset_before;
    r->inference_only = 1;
    r->no_bias = 1;
    for (int64_t l = 0; l < c->count; ++l)
        for (int s = 0; s < first->directions; ++s)
            if (c->layers[l]->direction[s].bias_ih.rank > 0)
                r->no_bias = 0;
    if (c->tokens) {
        d->vocab = c->tokens->work == EL_ONNX_EMBEDDING
                       ? c->tokens->matrix.shape[0]
                       : c->tokens->width;
        d->embed = r->input;
    }
    if (c->product) {
        d->outputs = c->product->width;
        d->no_decoder_bias = !c->bias;
        d->tie = c->tokens && c->tokens->work == EL_ONNX_EMBEDDING &&
                 is_same_matrix(&c->tokens->matrix, &c->product->matrix);
    }
    d->decode = decode;
}

static elman_status check_size(const el_onnx_chain *c, size_t size)
{
    const double each = c->desc.rnn.dtype == ELMAN_F64 ? 8 : 4;
    double count = 0;
    for (int64_t l = 0; l < c->count; ++l)
        for (int s = 0; s < c->layers[l]->directions; ++s) {
            const el_onnx_direction *const d = &c->layers[l]->direction[s];
            count += (double)d->weight_ih.count + (double)d->weight_hh.count +
                     (double)d->weight_hr.count;
        }
    if (c->tokens)
        count += (double)c->desc.vocab * (double)c->desc.embed;
    if (c->product && !c->desc.tie)
        count += (double)c->product->matrix.count;
    return each * count <= (double)TIMES_MOST * (double)size + BYTES_LEAST
               ? ELMAN_OK
               : el_fail(ELMAN_EFORMAT,
                         "its network would be much larger than the file (one "
                         "tensor is the weights of many layers)");
}

/* ---- All of it ------------------------------------------------------------*/

elman_status el_onnx_chain_make(const el_onnx_walk *walk, size_t size,
                                el_onnx_chain *c)
{
    elman_decode decode = ELMAN_DECODE_ALL;
    *c = (el_onnx_chain){.walk = walk};
    elman_status s = list_chain(c);
    if (!s)
        s = check_layers(c);
    if (!s)
        s = check_starts(c);
    if (!s)
        s = check_outputs(c, &decode);
    if (s)
        return s;
    describe(c, decode);
    return check_size(c, size);
}
