/* SPDX-License-Identifier: MIT */
/* onnx_work.c - operators of ONNX that do a network's work: what becomes a
 * stage. */
#include "onnx_scan.h"
#include "onnx_walk.h"

#include <string.h>
#include <strings.h>

enum {
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    DOUBLE = EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
};
static const int64_t most_size = (int64_t)1 << 31;

/* Gives an output, where it is wanted, the flow of a stage. */
static void give(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
                 int output, const el_onnx_flow *flow, int type,
                 elman_decode steps, const el_onnx_stage *stage)
{
    el_onnx_value *const out = el_onnx_output(w, node, output);
    const el_onnx_value made = {.kind = EL_ONNX_FLOW,
                                .flow = *flow,
                                .type = type,
                                .steps = steps,
                                .source = el_onnx_stage_number(w, stage)};
    if (out)
        el_onnx_become(out, &made);
}

/* Whether a dimension holds all that the stage of a flow gives, in its own
 * order. */
static bool is_whole(const el_onnx_walk *w, const el_onnx_value *v, int d)
{
    const el_onnx_stage *const stage = &w->stages[v->source];
    const int directions = stage->work == EL_ONNX_LAYER ? stage->directions : 1;
    return el_onnx_flow_is_features(&v->flow, d, directions,
                                    stage->width / directions);
}

static bool is_integers(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_INPUT && v->to < 0 &&
           (v->type == INT64 || v->type == INT32);
}

/* ---- Recurrent layers: their attributes -----------------------------------*/

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

static elman_status read_attributes(const ElOnnx__NodeProto *node,
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
    to->hidden = el_onnx_int(node, "hidden_size", 0);
    const int64_t linear = el_onnx_int(node, "linear_before_reset", 0);
    if (linear != 0 && linear != 1)
        return el_onnx_refuse(node, "its attribute linear_before_reset is "
                                    "neither 0 nor 1");
    to->reset_before = to->cell == ELMAN_CELL_GRU && linear == 0;
    if (to->hidden < 1 || to->hidden >= most_size)
        return el_onnx_refuse(node, "its hidden_size is %lld (at least 1)",
                              (long long)to->hidden);
    const elman_status s = read_direction(node, to);
    return s ? s : read_activations(node, to);
}

/* ---- Recurrent layers: their weights --------------------------------------*/

static elman_status check_shape(const ElOnnx__NodeProto *node, const char *what,
                                const el_onnx_constant *t, const int64_t *shape)
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
    if (*input < 1 || *input >= most_size)
        return el_onnx_refuse(node, "its W has %lld columns (at least 1)",
                              (long long)*input);
    s = check_shape(node, "W", &W, (int64_t[]){D, rows, *input});
    if (!s)
        s = check_shape(node, "R", &R, (int64_t[]){D, rows, H});
    if (!s && bias)
        s = check_shape(node, "B", &B, (int64_t[]){D, 2 * rows});
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

/* ---- Recurrent layers: what enters ----------------------------------------*/

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

/* Steps, sequences and features, the first two of them as in all layers. */
static elman_status read_input(el_onnx_walk *w, const ElOnnx__NodeProto *node,
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
    if (flow ? !is_whole(w, x, 2) || w->stages[x->source].width != input
             : !may_be_features(&x->flow, input))
        return el_onnx_refuse(node,
                              "the last dimension of what enters it, "
                              "%.100s, is not the features that its W "
                              "has columns for (%lld)",
                              x->name, (long long)input);
    return ELMAN_OK;
}

static elman_status read_lengths(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                                 const el_onnx_value *v)
{
    if (v && !is_integers(v))
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

static elman_status read_start(el_onnx_walk *w, const ElOnnx__NodeProto *node,
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
    elman_status s = read_start(w, node, 5, 3, to->directions, type, h);
    if (!s && to->cell == ELMAN_CELL_LSTM)
        s = read_start(w, node, 6, 3, to->directions, type, c);
    for (int d = 0; !s && d < to->directions; ++d) {
        to->direction[d].h = h[d];
        to->direction[d].c = c[d];
    }
    return s;
}

/* h of a layer at each sequence's end: [S,B,H], or without the first dimension
 * of a Scan. */
static void give_state(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
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

/* c, of which nothing is made. */
static void give_cells(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
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
    elman_status s = read_attributes(node, &made);
    if (!s && el_onnx_input(w, node, 7))
        s = el_onnx_refuse(node, "it has peepholes, P, which are not read");
    if (!s)
        s = read_weights(w, node, &made, &input);
    const int type = made.direction[0].weight_ih.type;
    if (!s)
        s = read_input(w, node, el_onnx_input(w, node, 0), input, type, &time,
                       &batch);
    if (!s)
        s = read_lengths(w, node, el_onnx_input(w, node, 4));
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
    give(w, node, 0, &y, type, ELMAN_DECODE_ALL, stage);
    give_state(w, node, 1, batch, type, stage);
    give_cells(w, node, 2);
    return ELMAN_OK;
}

/* ---- The LSTM with a projection -------------------------------------------*/

static elman_status read_scan_attributes(const ElOnnx__NodeProto *node,
                                         el_onnx_stage *to)
{
    static const char *const names[] = {"scan_input_directions",
                                        "scan_output_directions"};
    int reverse = 0;
    for (int i = 0; i < 2; ++i) {
        const ElOnnx__AttributeProto *const a =
            el_onnx_attribute(node, names[i]);
        if (a && (a->n_ints != 1 || a->ints[0] < 0 || a->ints[0] > 1))
            return el_onnx_refuse(node, "its attribute %s is not 0 or 1",
                                  names[i]);
        reverse += a && a->ints[0] == 1;
    }
    if (reverse == 1 || el_onnx_int(node, "num_scan_inputs", 0) != 1 ||
        node->n_output != 3)
        return el_onnx_refuse(node, "it is not one input and one output, "
                                    "scanned in the same direction");
    to->reverse = reverse == 2;
    to->directions = 1;
    to->cell = ELMAN_CELL_LSTM;
    to->our_order = true;
    return ELMAN_OK;
}

static elman_status check_body(const el_onnx_walk *w,
                               const ElOnnx__NodeProto *node, int type,
                               el_onnx_scan_names *names)
{
    const ElOnnx__AttributeProto *const a = el_onnx_attribute(node, "body");
    el_onnx_builder b = {.context = w->context};
    bool same = false;
    elman_status s = ELMAN_OK;
    if (a && a->g && el_onnx_scan_find(a->g, names)) {
        const ElOnnx__GraphProto *const body =
            el_onnx_scan_body(&b, names, type);
        s = b.failed ? el_no_memory()
                     : el_onnx_scan_same(w->context, body, a->g, &same);
    }
    el_onnx_builder_free(&b);
    if (!s && !same)
        s = el_onnx_refuse(node, "its body is not that of an LSTM with a "
                                 "projection as elman writes it");
    return s;
}

static elman_status take_named(const el_onnx_walk *w,
                               const ElOnnx__NodeProto *node, const char *name,
                               int type, int64_t rows, int64_t columns,
                               el_onnx_constant *out)
{
    const el_onnx_value *const v = name ? el_onnx_find(w, name) : NULL;
    if (!name)
        return ELMAN_OK;
    if (!v || v->kind != EL_ONNX_CONSTANT || v->constant.type != type ||
        v->constant.rank != (columns >= 0 ? 2 : 1))
        return el_onnx_refuse(node, "its weight %.100s is not there", name);
    *out = v->constant;
    return check_shape(node, name, out, (int64_t[]){rows, columns});
}

static elman_status read_scan_weights(const el_onnx_walk *w,
                                      const ElOnnx__NodeProto *node, int type,
                                      el_onnx_stage *to, int64_t *input)
{
    el_onnx_direction *const one = &to->direction[0];
    el_onnx_scan_names names;
    elman_status s = check_body(w, node, type, &names);
    if (s)
        return s;
    const el_onnx_value *const ih = el_onnx_find(w, names.weight_ih);
    const el_onnx_value *const hr = el_onnx_find(w, names.weight_hr);
    if (!ih || ih->constant.rank != 2 || !hr || hr->constant.rank != 2)
        return el_onnx_refuse(node, "its weights are no matrices");
    *input = ih->constant.shape[1];
    to->proj = hr->constant.shape[0];
    to->hidden = hr->constant.shape[1];
    if (*input < 1 || *input >= most_size || to->proj < 1 ||
        to->hidden <= to->proj || to->hidden >= most_size)
        return el_onnx_refuse(node, "its sizes are those of no LSTM with a "
                                    "projection");
    const int64_t rows = 4 * to->hidden;
    s = take_named(w, node, names.weight_ih, type, rows, *input,
                   &one->weight_ih);
    if (!s)
        s = take_named(w, node, names.weight_hh, type, rows, to->proj,
                       &one->weight_hh);
    if (!s)
        s = take_named(w, node, names.bias_ih, type, rows, -1, &one->bias_ih);
    if (!s)
        s = take_named(w, node, names.bias_hh, type, rows, -1, &one->bias_hh);
    if (!s)
        s = take_named(w, node, names.weight_hr, type, to->proj, to->hidden,
                       &one->weight_hr);
    return s;
}

elman_status el_onnx_do_scan(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const x = el_onnx_input(w, node, 2);
    const int type = x->type;
    el_onnx_stage made = {.work = EL_ONNX_LAYER}, *stage;
    el_onnx_direction *const one = &made.direction[0];
    el_onnx_axis time, batch;
    el_onnx_flow y = {.rank = 0};
    int64_t input = 0;
    elman_status s = read_scan_attributes(node, &made);
    if (!s)
        s = read_scan_weights(w, node, type, &made, &input);
    if (!s)
        s = read_input(w, node, x, input, type, &time, &batch);
    if (!s)
        s = read_lengths(w, node, NULL);
    if (!s)
        s = read_start(w, node, 0, 2, 1, type, &one->h);
    if (!s)
        s = read_start(w, node, 1, 2, 1, type, &one->c);
    if (!s)
        s = el_onnx_add_stage(w, node, x, EL_ONNX_LAYER, &stage);
    if (s)
        return s;
    made.before = stage->before;
    made.input = stage->input;
    made.width = made.proj;
    *stage = made;
    el_onnx_flow_add(&y, time.id, time.size);
    el_onnx_flow_add(&y, batch.id, batch.size);
    el_onnx_flow_add(&y, EL_ONNX_FEATURES, made.proj);
    give(w, node, 2, &y, type, ELMAN_DECODE_ALL, stage);
    give_state(w, node, 0, batch, type, stage);
    give_cells(w, node, 1);
    return ELMAN_OK;
}

/* ---- Two halves -----------------------------------------------------------*/

static bool are_halves(const el_onnx_stage *a, const el_onnx_stage *b)
{
    return a->work == EL_ONNX_LAYER && b->work == EL_ONNX_LAYER &&
           a->directions == 1 && b->directions == 1 && !a->reverse &&
           b->reverse && a->before == b->before && a->input == b->input &&
           a->cell == b->cell && a->hidden == b->hidden &&
           a->activation == b->activation && a->proj == b->proj &&
           a->our_order == b->our_order && a->reset_before == b->reset_before &&
           !a->half && !b->half;
}

elman_status el_onnx_do_pair(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                             int axis)
{
    const el_onnx_value *const a = el_onnx_input(w, node, 0);
    const el_onnx_value *const b = el_onnx_input(w, node, 1);
    const el_onnx_axis *const only = el_onnx_flow_axis(&a->flow, axis);
    el_onnx_flow flow = a->flow;
    el_onnx_stage *stage;
    const bool place = el_onnx_flow_is_empty(&a->flow, axis) ||
                       (only && only->id == EL_ONNX_FEATURES);
    if (!are_halves(&w->stages[a->source], &w->stages[b->source]) || !place ||
        a->type != b->type || a->steps != b->steps ||
        !el_onnx_flow_same(&a->flow, &b->flow) ||
        !el_onnx_flow_put(&flow, axis, EL_ONNX_DIRECTIONS, 2))
        return el_onnx_refuse(node, "what it joins is not one layer's output "
                                    "forwards and then the same backwards");
    const elman_status s = el_onnx_add_stage(w, node, a, EL_ONNX_LAYER, &stage);
    if (s)
        return s;
    el_onnx_stage *const first = &w->stages[a->source];
    el_onnx_stage *const second = &w->stages[b->source];
    *stage = *first;
    stage->used = false;
    stage->directions = 2;
    stage->width *= 2;
    stage->direction[1] = second->direction[0];
    first->half = second->half = true;
    first->whole = second->whole = el_onnx_stage_number(w, stage);
    give(w, node, 0, &flow, a->type, a->steps, stage);
    return ELMAN_OK;
}

/* ---- Tokens ---------------------------------------------------------------*/

elman_status el_onnx_do_embedding(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const ids = el_onnx_input(w, node, 1);
    el_onnx_flow flow = ids->flow;
    el_onnx_constant table;
    el_onnx_stage *stage;
    elman_status s = el_onnx_reals(w, node, 0, 2, &table);
    if (!s && (el_onnx_int(node, "axis", 0) != 0 || !is_integers(ids) ||
               table.shape[0] < 1 || table.shape[1] < 1 ||
               table.shape[0] >= most_size || table.shape[1] >= most_size ||
               !el_onnx_flow_add(&flow, EL_ONNX_FEATURES, table.shape[1])))
        s = el_onnx_refuse(node, "it is no embedding of an input's tokens");
    if (!s)
        s = el_onnx_add_stage(w, node, ids, EL_ONNX_EMBEDDING, &stage);
    if (s)
        return s;
    stage->matrix = table;
    stage->width = table.shape[1];
    give(w, node, 0, &flow, table.type, ELMAN_DECODE_ALL, stage);
    return ELMAN_OK;
}

/* What stands for no and for yes, in numbers of a type. */
static bool is_off_and_on(const el_onnx_value *v, int *type)
{
    const el_onnx_constant *const c = &v->constant;
    if (v->kind != EL_ONNX_CONSTANT || c->rank != 1 || c->count != 2)
        return false;
    *type = c->type;
    if (el_onnx_is_real(c))
        return el_onnx_real(c, 0) == 0 && el_onnx_real(c, 1) == 1;
    return el_onnx_is_integer(c) && el_onnx_integer(c, 0) == 0 &&
           el_onnx_integer(c, 1) == 1;
}

elman_status el_onnx_do_one_hot(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const ids = el_onnx_input(w, node, 0);
    el_onnx_size depth[EL_ONNX_SIZES_MOST];
    el_onnx_flow flow = ids->flow;
    el_onnx_stage *stage;
    int count, type = 0;
    const int64_t axis = el_onnx_int(node, "axis", -1);
    elman_status s = ELMAN_OK;
    if (!is_off_and_on(el_onnx_input(w, node, 2), &type))
        s = el_onnx_refuse(node, "its values are not 0 and 1");
    if (!s && (!el_onnx_sizes(el_onnx_input(w, node, 1), depth, &count) ||
               (count != -1 && count != 1) || depth[0].unknown ||
               depth[0].id != EL_ONNX_NO_AXIS || depth[0].value < 1 ||
               depth[0].value >= most_size || !is_integers(ids) ||
               (axis != -1 && axis != flow.rank) ||
               !el_onnx_flow_add(&flow, EL_ONNX_FEATURES, depth[0].value)))
        s = el_onnx_refuse(node, "it is no one-hot form of an input's tokens, "
                                 "in the last dimension");
    if (!s)
        s = el_onnx_add_stage(w, node, ids, EL_ONNX_ONE_HOT, &stage);
    if (s)
        return s;
    stage->width = depth[0].value;
    give(w, node, 0, &flow, type, ELMAN_DECODE_ALL, stage);
    return ELMAN_OK;
}

/* ---- The decoder ----------------------------------------------------------*/

/* What of a layer a row is: its number and direction, as 2 * stage + direction,
 * where a half is its whole. */
static int row_of(const el_onnx_walk *w, int row)
{
    const el_onnx_stage *const stage = row < 0 ? NULL : &w->stages[row / 2];
    return stage && stage->half ? 2 * stage->whole + stage->reverse : row;
}

bool el_onnx_state_flow(const el_onnx_walk *w, const el_onnx_value *v,
                        el_onnx_value *out)
{
    const int last = v->rows > 0 ? row_of(w, v->last_rows[1]) : -1;
    if (last < 0)
        return false;
    const int S = w->stages[last / 2].directions;
    if (v->rows != S || last % 2 != S - 1 ||
        (S == 2 && row_of(w, v->last_rows[0]) != last - 1))
        return false;
    *out = *v;
    out->kind = EL_ONNX_FLOW;
    out->source = last / 2;
    out->steps = S == 1 ? ELMAN_DECODE_LAST : ELMAN_DECODE_FINAL;
    return true;
}

/* A flow of a layer, whose last dimension is multiplied by a matrix [SP,O]. */
static elman_status add_product(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                                const el_onnx_constant *matrix,
                                el_onnx_stage **stage)
{
    el_onnx_value made, *const v = &made;
    made = *el_onnx_input(w, node, 0);
    if (made.kind == EL_ONNX_STATE)
        el_onnx_state_flow(w, el_onnx_input(w, node, 0), &made);
    el_onnx_flow flow = v->flow;
    if (v->kind != EL_ONNX_FLOW || w->stages[v->source].work != EL_ONNX_LAYER ||
        flow.rank == 0 || !is_whole(w, v, flow.rank - 1) ||
        v->type != matrix->type)
        return el_onnx_refuse(node,
                              "what is multiplied, %.100s, is not all "
                              "that a recurrent layer gives (one linear "
                              "layer may stand behind the last one)",
                              v->name);
    if (matrix->shape[0] != w->stages[v->source].width ||
        matrix->shape[1] < 1 || matrix->shape[1] >= most_size)
        return el_onnx_refuse(node,
                              "its matrix is [%lld,%lld] (%lld rows, at "
                              "least one column)",
                              (long long)matrix->shape[0],
                              (long long)matrix->shape[1],
                              (long long)w->stages[v->source].width);
    const elman_status s =
        el_onnx_add_stage(w, node, v, EL_ONNX_PRODUCT, stage);
    if (s)
        return s;
    el_onnx_flow_pop(&flow);
    el_onnx_flow_add(&flow, EL_ONNX_FEATURES, matrix->shape[1]);
    (*stage)->matrix = *matrix;
    (*stage)->width = matrix->shape[1];
    give(w, node, 0, &flow, matrix->type, v->steps, *stage);
    return ELMAN_OK;
}

/* Adds a constant [O], or [1,...,O], to what output 0 of a node is or will be:
 * a flow of a product. */
static elman_status add_bias(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                             const el_onnx_value *v,
                             const el_onnx_constant *bias)
{
    const el_onnx_flow flow = v->flow;
    const int type = v->type;
    const elman_decode steps = v->steps;
    el_onnx_constant row = *bias;
    el_onnx_stage *stage;
    while (row.rank > 1 && row.shape[0] == 1)
        row = el_onnx_squeezed(&row, 0);
    if (v->kind != EL_ONNX_FLOW ||
        w->stages[v->source].work != EL_ONNX_PRODUCT || flow.rank == 0 ||
        !is_whole(w, v, flow.rank - 1) || row.type != type || row.rank != 1 ||
        bias->rank > flow.rank || row.shape[0] != w->stages[v->source].width)
        return el_onnx_refuse(node, "it is not the bias of a linear layer, one "
                                    "number for each of its outputs");
    const elman_status s = el_onnx_add_stage(w, node, v, EL_ONNX_BIAS, &stage);
    if (s)
        return s;
    stage->matrix = row;
    stage->width = row.shape[0];
    give(w, node, 0, &flow, type, steps, stage);
    return ELMAN_OK;
}

elman_status el_onnx_do_matmul(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_constant matrix;
    el_onnx_stage *stage;
    const elman_status s = el_onnx_reals(w, node, 1, 2, &matrix);
    return s ? s : add_product(w, node, &matrix, &stage);
}

elman_status el_onnx_do_gemm(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    static const int64_t swap[] = {1, 0};
    const ElOnnx__AttributeProto *const alpha =
        el_onnx_attribute(node, "alpha");
    const ElOnnx__AttributeProto *const beta = el_onnx_attribute(node, "beta");
    const int64_t turn = el_onnx_int(node, "transB", 0);
    el_onnx_constant matrix, bias, turned;
    el_onnx_stage *stage;
    elman_status s = el_onnx_reals(w, node, 1, 2, &matrix);
    if (s)
        return s;
    if ((alpha && alpha->f != 1) || (beta && beta->f != 1) ||
        el_onnx_int(node, "transA", 0) != 0 || (turn != 0 && turn != 1))
        return el_onnx_refuse(node, "its alpha and beta are not 1, or it "
                                    "transposes what enters");
    if (turn == 1) {
        el_onnx_transposed(&matrix, swap, &turned);
        matrix = turned;
    }
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    if (v->kind == EL_ONNX_FLOW && v->flow.rank != 2)
        return el_onnx_refuse(node, "what enters it is no matrix");
    s = add_product(w, node, &matrix, &stage);
    if (s || !el_onnx_input(w, node, 2))
        return s;
    s = el_onnx_reals(w, node, 2, -1, &bias);
    return s ? s : add_bias(w, node, el_onnx_output(w, node, 0), &bias);
}

elman_status el_onnx_do_add(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const int constant =
        el_onnx_input(w, node, 0)->kind == EL_ONNX_CONSTANT ? 0 : 1;
    el_onnx_constant bias;
    const elman_status s = el_onnx_reals(w, node, constant, -1, &bias);
    return s ? s
             : add_bias(w, node, el_onnx_input(w, node, 1 - constant), &bias);
}
