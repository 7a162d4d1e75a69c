/* SPDX-License-Identifier: MIT */
/* onnx_layer.c - RNN, LSTM and GRU of ONNX. */
#include "onnx_work.h"

#include <string.h>
#include <strings.h>

/* ---- Their attributes -----------------------------------*/

static bool is_word(ProtobufCBinaryData text, const char *word)
{
    return text.len == strlen(word) &&
           strncasecmp((const char *)text.data, word, text.len) == 0;
}

static elman_status read_direction(const ElOnnx__NodeProto *node,
                                   el_onnx_stage *to)
{
    const ElOnnx__AttributeProto *const a =
        el_onnx_attribute(node, "direction");
    to->directions = 1;
    if (!a || is_word(a->s, "forward"))
        return ELMAN_OK;
    to->reverse = is_word(a->s, "reverse");
    to->directions = is_word(a->s, "bidirectional") ? 2 : 1;
    return to->reverse || to->directions == 2
               ? ELMAN_OK
               : el_onnx_refuse(node, "its direction is none of forward, "
                                      "reverse and bidirectional");
}

/* All directions have the same ones. */
static elman_status read_activations(const ElOnnx__NodeProto *node,
                                     el_onnx_stage *to)
{
    static const char *const words[][3] = {
        [ELMAN_CELL_ELMAN] = {"Tanh"},
        [ELMAN_CELL_LSTM] = {"Sigmoid", "Tanh", "Tanh"},
        [ELMAN_CELL_GRU] = {"Sigmoid", "Tanh"}};
    const ElOnnx__AttributeProto *const a =
        el_onnx_attribute(node, "activations");
    const size_t each = to->cell == ELMAN_CELL_LSTM  ? 3
                        : to->cell == ELMAN_CELL_GRU ? 2
                                                     : 1;
    if (!a || (a->n_strings == 0 && !a->has_s))
        return ELMAN_OK;
    if (a->n_strings != each * (size_t)to->directions)
        return el_onnx_refuse(node, "it has %zu activations (and not %zu)",
                              a->n_strings, each * (size_t)to->directions);
    if (to->cell == ELMAN_CELL_ELMAN && is_word(a->strings[0], "Relu"))
        to->activation = ELMAN_RELU;
    for (size_t i = 0; i < a->n_strings; ++i)
        if (!is_word(a->strings[i], to->activation == ELMAN_RELU
                                        ? "Relu"
                                        : words[to->cell][i % each]))
            return el_onnx_refuse(node, "its activations are not those of an "
                                        "RNN (Tanh or Relu), LSTM (Sigmoid, "
                                        "Tanh, Tanh) or GRU (Sigmoid, Tanh)");
    return ELMAN_OK;
}

/* It may be left out: R has it as well. */
static int64_t read_hidden(const el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const R = el_onnx_input(w, node, 2);
    if (!el_onnx_attribute(node, "hidden_size") &&
        R->kind == EL_ONNX_CONSTANT && R->constant.rank == 3)
        return R->constant.shape[2];
    return el_onnx_int(node, "hidden_size", 0);
}

static elman_status read_attributes(const el_onnx_walk *w,
                                    const ElOnnx__NodeProto *node,
                                    el_onnx_stage *to)
{
    static const char *const zeros[] = {"input_forget", "layout"};
    static const char *const none[] = {"activation_alpha", "activation_beta"};
    if (el_onnx_attribute(node, "clip"))
        return el_onnx_refuse(node, "its attribute clip is not read");
    for (int i = 0; i < 2; ++i) {
        const ElOnnx__AttributeProto *const a =
            el_onnx_attribute(node, none[i]);
        if (el_onnx_int(node, zeros[i], 0) != 0)
            return el_onnx_refuse(node, "its attribute %s is not 0", zeros[i]);
        if (a && a->n_floats > 0)
            return el_onnx_refuse(node, "its attribute %s is not read",
                                  none[i]);
    }
    to->cell = strcmp(node->op_type, "LSTM") == 0  ? ELMAN_CELL_LSTM
               : strcmp(node->op_type, "GRU") == 0 ? ELMAN_CELL_GRU
                                                   : ELMAN_CELL_ELMAN;
    to->hidden = read_hidden(w, node);
    const int64_t linear = el_onnx_int(node, "linear_before_reset", 0);
    if (linear != 0 && linear != 1)
        return el_onnx_refuse(node, "its attribute linear_before_reset is "
                                    "neither 0 nor 1");
    to->reset_before = to->cell == ELMAN_CELL_GRU && linear == 0;
    if (to->hidden < 1 || to->hidden >= EL_ONNX_MOST)
        return el_onnx_refuse(node, "its hidden_size is %lld (at least 1)",
                              (long long)to->hidden);
    const elman_status s = read_direction(node, to);
    return s ? s : read_activations(node, to);
}

/* ---- Their weights --------------------------------------*/

elman_status el_onnx_check_shape(const ElOnnx__NodeProto *node,
                                 const char *what, const el_onnx_constant *t,
                                 const int64_t *shape)
{
    for (int d = 0; d < t->rank; ++d)
        if (t->shape[d] != shape[d])
            return el_onnx_refuse(node,
                                  "dimension %d of its %s is %lld (and "
                                  "not %lld)",
                                  d, what, (long long)t->shape[d],
                                  (long long)shape[d]);
    return ELMAN_OK;
}

static elman_status read_weights(const el_onnx_walk *w,
                                 const ElOnnx__NodeProto *node,
                                 el_onnx_stage *to, int64_t *input)
{
    const int64_t H = to->hidden, D = to->directions;
    const int64_t rows = H * (to->cell == ELMAN_CELL_LSTM  ? 4
                              : to->cell == ELMAN_CELL_GRU ? 3
                                                           : 1);
    el_onnx_constant W, R, B = {.rank = 0};
    const bool bias = el_onnx_input(w, node, 3) != NULL;
    elman_status s = el_onnx_reals(w, node, 1, 3, &W);
    if (!s)
        s = el_onnx_reals(w, node, 2, 3, &R);
    if (!s && bias)
        s = el_onnx_reals(w, node, 3, 2, &B);
    if (s)
        return s;
    *input = W.shape[2];
    if (*input < 1 || *input >= EL_ONNX_MOST)
        return el_onnx_refuse(node, "its W has %lld columns (at least 1)",
                              (long long)*input);
    s = el_onnx_check_shape(node, "W", &W, (int64_t[]){D, rows, *input});
    if (!s)
        s = el_onnx_check_shape(node, "R", &R, (int64_t[]){D, rows, H});
    if (!s && bias)
        s = el_onnx_check_shape(node, "B", &B, (int64_t[]){D, 2 * rows});
    if (!s && (R.type != W.type || (bias && B.type != W.type)))
        s = el_onnx_refuse(node, "its W, R and B are of different types");
    for (int d = 0; !s && d < D; ++d) {
        el_onnx_direction *const one = &to->direction[d];
        one->weight_ih = el_onnx_row(&W, d);
        one->weight_hh = el_onnx_row(&R, d);
        if (!bias)
            continue;
        const el_onnx_constant both = el_onnx_row(&B, d);
        one->bias_ih = el_onnx_sliced(&both, 0, 0, rows);
        one->bias_hh = el_onnx_sliced(&both, 0, rows, rows);
    }
    return s;
}

/* ---- What enters ----------------------------------------*/

/* The axis of a dimension; EL_ONNX_NO_AXIS where it is 1. */
static bool take_axis(const el_onnx_flow *flow, int d, el_onnx_axis *out)
{
    const el_onnx_axis *const axis = el_onnx_flow_axis(flow, d);
    *out = axis ? *axis : (el_onnx_axis){EL_ONNX_NO_AXIS, 1};
    return axis ? axis->id >= 0 : el_onnx_flow_is_empty(flow, d);
}

/* Whether the last dimension of an input has so many numbers: a single one may
 * stand in a dimension that was added. */
static bool may_be_features(const el_onnx_flow *flow, int64_t input)
{
    const el_onnx_axis *const only = el_onnx_flow_axis(flow, 2);
    if (!only)
        return input == 1 && el_onnx_flow_is_empty(flow, 2);
    return only->size < 0 || only->size == input;
}

elman_status el_onnx_read_input(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                                const el_onnx_value *x, int64_t input, int type,
                                el_onnx_axis *time, el_onnx_axis *batch)
{
    const bool flow = x->kind == EL_ONNX_FLOW;
    if ((!flow && (x->kind != EL_ONNX_INPUT || x->to >= 0)) ||
        x->type != type || x->steps != ELMAN_DECODE_ALL)
        return el_onnx_refuse(node,
                              "what enters it, %.100s, is neither an "
                              "input nor a layer's output of its own "
                              "type",
                              x->name);
    if (x->flow.rank != 3 || !take_axis(&x->flow, 0, time) ||
        !take_axis(&x->flow, 1, batch))
        return el_onnx_refuse(node,
                              "what enters it, %.100s, is not steps by "
                              "sequences by features",
                              x->name);
    if (w->has_axes && (time->id != w->time || batch->id != w->batch))
        return el_onnx_refuse(node, "it runs over other dimensions than the "
                                    "layer before it");
    w->has_axes = true;
    w->time = time->id;
    w->batch = batch->id;
    if (flow ? !el_onnx_is_whole(w, x, 2) || w->stages[x->source].width != input
             : !may_be_features(&x->flow, input))
        return el_onnx_refuse(node,
                              "the last dimension of what enters it, "
                              "%.100s, is not the features that its W "
                              "has columns for (%lld)",
                              x->name, (long long)input);
    return ELMAN_OK;
}

elman_status el_onnx_read_lengths(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node,
                                  const el_onnx_value *v)
{
    if (v && !el_onnx_is_integers(v))
        return el_onnx_refuse(node, "its lengths, %.100s, are no input",
                              v->name);
    const int lengths = v ? v->source : -1;
    if (w->has_lengths && w->lengths != lengths)
        return el_onnx_refuse(node, "its sequences have other lengths than in "
                                    "the layer before it");
    w->has_lengths = true;
    w->lengths = lengths;
    return ELMAN_OK;
}

elman_status el_onnx_read_start(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                                int i, int rank, int directions, int type,
                                el_onnx_start *out)
{
    const el_onnx_value *const v = el_onnx_input(w, node, i);
    for (int d = 0; d < directions; ++d)
        out[d] = (el_onnx_start){.input = -1};
    if (!v || v->kind == EL_ONNX_ZEROS)
        return ELMAN_OK;
    if (v->kind == EL_ONNX_CONSTANT && el_onnx_is_real(&v->constant) &&
        el_onnx_zeros(w, &v->constant))
        return ELMAN_OK;
    if (v->kind != EL_ONNX_INPUT || v->type != type || v->flow.rank != rank ||
        (v->to >= 0 && v->to - v->from != directions))
        return el_onnx_refuse(node,
                              "its initial state, %.100s, is neither "
                              "zeros nor an input, or its part of one",
                              v->name);
    for (int d = 0; d < directions; ++d)
        out[d] = (el_onnx_start){v->source, (v->to >= 0 ? v->from : 0) + d};
    return ELMAN_OK;
}

static elman_status read_starts(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                                int type, el_onnx_stage *to)
{
    el_onnx_start h[2], c[2] = {{-1, 0}, {-1, 0}};
    elman_status s = el_onnx_read_start(w, node, 5, 3, to->directions, type, h);
    if (!s && to->cell == ELMAN_CELL_LSTM)
        s = el_onnx_read_start(w, node, 6, 3, to->directions, type, c);
    for (int d = 0; !s && d < to->directions; ++d) {
        to->direction[d].h = h[d];
        to->direction[d].c = c[d];
    }
    return s;
}

void el_onnx_give_state(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
                        int output, el_onnx_axis batch, int type,
                        const el_onnx_stage *stage)
{
    el_onnx_value *const out = el_onnx_output(w, node, output);
    const int S = stage->directions;
    const int first = 2 * el_onnx_stage_number(w, stage);
    el_onnx_value made = {.kind = EL_ONNX_STATE,
                          .type = type,
                          .rows = S,
                          .last_rows = {S > 1 ? first : -1, first + S - 1}};
    if (output > 0)
        el_onnx_flow_add(&made.flow, EL_ONNX_DIRECTIONS, S);
    el_onnx_flow_add(&made.flow, batch.id, batch.size);
    el_onnx_flow_add(&made.flow, EL_ONNX_FEATURES, stage->width / S);
    if (out)
        el_onnx_become(out, &made);
}

void el_onnx_give_cells(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
                        int output)
{
    el_onnx_value *const out = el_onnx_output(w, node, output);
    if (out)
        out->kind = EL_ONNX_STATE;
}

elman_status el_onnx_do_recurrent(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    el_onnx_stage made = {.work = EL_ONNX_LAYER}, *stage;
    el_onnx_axis time, batch;
    el_onnx_flow y = {.rank = 0};
    int64_t input = 0;
    elman_status s = read_attributes(w, node, &made);
    if (!s && el_onnx_input(w, node, 7))
        s = el_onnx_refuse(node, "it has peepholes, P, which are not read");
    if (!s)
        s = read_weights(w, node, &made, &input);
    const int type = made.direction[0].weight_ih.type;
    if (!s)
        s = el_onnx_read_input(w, node, el_onnx_input(w, node, 0), input, type,
                               &time, &batch);
    if (!s)
        s = el_onnx_read_lengths(w, node, el_onnx_input(w, node, 4));
    if (!s)
        s = read_starts(w, node, type, &made);
    if (!s)
        s = el_onnx_add_stage(w, node, el_onnx_input(w, node, 0), EL_ONNX_LAYER,
                              &stage);
    if (s)
        return s;
    made.before = stage->before;
    made.input = stage->input;
    made.width = made.hidden * made.directions;
    *stage = made;
    el_onnx_flow_add(&y, time.id, time.size);
    el_onnx_flow_add(&y, EL_ONNX_DIRECTIONS, made.directions);
    el_onnx_flow_add(&y, batch.id, batch.size);
    el_onnx_flow_add(&y, EL_ONNX_FEATURES, made.hidden);
    el_onnx_give(w, node, 0, &y, type, ELMAN_DECODE_ALL, stage);
    el_onnx_give_state(w, node, 1, batch, type, stage);
    el_onnx_give_cells(w, node, 2);
    return ELMAN_OK;
}
