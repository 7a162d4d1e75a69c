/* SPDX-License-Identifier: MIT */
#include "onnx_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PARTS_MOST = 1 << 16,
    STAGES_MOST = 1 << 14,
    OPSET_LEAST = 7, /* RNN, LSTM and GRU are as they are since then */
    OPSET_MOST = 24,
    /* What constants are put together of, beside the file's own numbers. */
    TIMES_MOST = 8,
    BLOCKS_LEAST = 1 << 16,
    LOOKS_MOST = 1 << 28,
};

/* ---- Sentences ------------------------------------------------------------*/

elman_status el_onnx_refuse(const ElOnnx__NodeProto *node, const char *format,
                            ...)
{
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    const char *name = node->name;
    if ((!name || !*name) && node->n_output > 0)
        name = node->output[0];
    return el_fail(ELMAN_EFORMAT, "node %.100s (%.40s): %s", name ? name : "",
                   node->op_type ? node->op_type : "no operator", why);
}

/* ---- Values ---------------------------------------------------------------*/

const el_onnx_value *el_onnx_input(const el_onnx_walk *w,
                                   const ElOnnx__NodeProto *node, int i)
{
    if ((size_t)i >= node->n_input || !el_onnx_is_given(node->input[i]))
        return NULL;
    return el_onnx_find(w, node->input[i]);
}

el_onnx_value *el_onnx_output(const el_onnx_walk *w,
                              const ElOnnx__NodeProto *node, int i)
{
    if ((size_t)i >= node->n_output || !el_onnx_is_given(node->output[i]))
        return NULL;
    return el_onnx_find(w, node->output[i]);
}

void el_onnx_become(el_onnx_value *value, const el_onnx_value *other)
{
    const char *const name = value->name;
    const bool inner = value->inner;
    *value = *other;
    value->name = name;
    value->inner = inner;
}

bool el_onnx_sizes(const el_onnx_value *value, el_onnx_size *out, int *count)
{
    const el_onnx_constant *const c = &value->constant;
    if (value->kind == EL_ONNX_SIZES) {
        *count = value->size_count;
        memcpy(out, value->sizes, sizeof value->sizes);
        return true;
    }
    if (value->kind != EL_ONNX_CONSTANT || !el_onnx_is_integer(c) ||
        c->rank > 1 || c->count > EL_ONNX_SIZES_MOST)
        return false;
    for (int64_t i = 0; i < c->count; ++i)
        out[i] =
            (el_onnx_size){el_onnx_integer(c, i), EL_ONNX_NO_AXIS, false, 0};
    *count = c->rank == 0 ? -1 : (int)c->count;
    return true;
}

/* ---- Attributes and inputs ------------------------------------------------*/

const ElOnnx__AttributeProto *el_onnx_attribute(const ElOnnx__NodeProto *node,
                                                const char *name)
{
    for (size_t i = 0; i < node->n_attribute; ++i)
        if (node->attribute[i]->name &&
            strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t el_onnx_int(const ElOnnx__NodeProto *node, const char *name,
                    int64_t other)
{
    const ElOnnx__AttributeProto *const a = el_onnx_attribute(node, name);
    if (!a)
        return other;
    return a->has_i ? a->i : INT64_MIN;
}

elman_status el_onnx_reals(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
                           int i, int rank, el_onnx_constant *out)
{
    const el_onnx_value *const v = el_onnx_input(w, node, i);
    if (!v || v->kind != EL_ONNX_CONSTANT || !el_onnx_is_real(&v->constant))
        return el_onnx_refuse(node,
                              "input %d, %.100s, is no constant of real "
                              "numbers",
                              i, v ? v->name : "which is left out,");
    if (rank >= 0 && v->constant.rank != rank)
        return el_onnx_refuse(node,
                              "input %d, %.100s, has %d dimensions "
                              "(and not %d)",
                              i, v->name, v->constant.rank, rank);
    *out = v->constant;
    return ELMAN_OK;
}

bool el_onnx_zeros(el_onnx_walk *w, const el_onnx_constant *t)
{
    if (t->count > w->looks)
        return false;
    w->looks -= t->count;
    return el_onnx_is_zero(t);
}

/* ---- Stages ---------------------------------------------------------------*/

int el_onnx_stage_number(const el_onnx_walk *w, const el_onnx_stage *stage)
{
    return (int)(stage - w->stages);
}

elman_status el_onnx_add_stage(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                               const el_onnx_value *from, el_onnx_work work,
                               el_onnx_stage **out)
{
    if (w->stage_count == STAGES_MOST)
        return el_onnx_refuse(node, "the graph has too many layers");
    if (w->stage_count == w->stage_room) {
        const size_t size = sizeof *w->stages;
        const int room = w->stage_room ? 2 * w->stage_room : 8;
        el_onnx_stage *const stages =
            el_grow(w->context, w->stages, (size_t)w->stage_count * size,
                    (size_t)room * size);
        if (!stages)
            return ELMAN_ENOMEM;
        w->stages = stages;
        w->stage_room = room;
    }
    const bool is_flow = from->kind == EL_ONNX_FLOW;
    if (is_flow)
        w->stages[from->source].used = true;
    el_onnx_stage *const stage = &w->stages[w->stage_count++];
    *stage = (el_onnx_stage){.work = work,
                             .before = is_flow ? from->source : -1,
                             .input = is_flow ? -1 : from->source};
    *out = stage;
    return ELMAN_OK;
}

/* ---- Operators ------------------------------------------------------------*/

static const struct operator_row {
    const char *name;
    el_onnx_operator *run;
    int inputs_least, inputs_most, outputs_most;
    const char *attributes;
} operators[] = {
    {"Add", el_onnx_do_add, 2, 2, 1, ""},
    {"Cast", el_onnx_do_cast, 1, 1, 1, "to"},
    {"Concat", el_onnx_do_concat, 1, PARTS_MOST, 1, "axis"},
    {"Constant", el_onnx_do_constant, 0, 0, 1,
     "value value_int value_ints value_float value_floats"},
    {"ConstantOfShape", el_onnx_do_fill, 1, 1, 1, "value"},
    {"Div", el_onnx_do_arithmetic, 2, 2, 1, ""},
    {"Dropout", el_onnx_do_dropout, 1, 3, 2, "ratio seed"},
    {"Equal", el_onnx_do_equal, 2, 2, 1, ""},
    {"Expand", el_onnx_do_expand, 2, 2, 1, ""},
    {"GRU", el_onnx_do_recurrent, 3, 6, 2,
     "activations activation_alpha activation_beta direction hidden_size "
     "layout linear_before_reset clip"},
    {"Gather", el_onnx_do_gather, 2, 2, 1, "axis"},
    {"Gemm", el_onnx_do_gemm, 2, 3, 1, "alpha beta transA transB"},
    {"Identity", el_onnx_do_identity, 1, 1, 1, ""},
    {"If", el_onnx_do_if, 1, 1, PARTS_MOST, "then_branch else_branch"},
    {"LSTM", el_onnx_do_recurrent, 3, 8, 3,
     "activations activation_alpha activation_beta direction hidden_size "
     "input_forget layout clip"},
    {"MatMul", el_onnx_do_matmul, 2, 2, 1, ""},
    {"Mul", el_onnx_do_arithmetic, 2, 2, 1, ""},
    {"Not", el_onnx_do_not, 1, 1, 1, ""},
    {"OneHot", el_onnx_do_one_hot, 3, 3, 1, "axis"},
    {"RNN", el_onnx_do_recurrent, 3, 6, 2,
     "activations activation_alpha activation_beta direction hidden_size "
     "layout clip"},
    {"Reshape", el_onnx_do_reshape, 2, 2, 1, "allowzero"},
    {"Scan", el_onnx_do_scan, 3, 3, 3,
     "body num_scan_inputs scan_input_directions scan_output_directions"},
    {"Shape", el_onnx_do_shape, 1, 1, 1, ""},
    {"Slice", el_onnx_do_slice, 1, 5, 1, "starts ends axes"},
    {"Split", el_onnx_do_split, 1, 2, PARTS_MOST, "axis split num_outputs"},
    {"Squeeze", el_onnx_do_squeeze, 1, 2, 1, "axes"},
    {"Sub", el_onnx_do_arithmetic, 2, 2, 1, ""},
    {"Transpose", el_onnx_do_transpose, 1, 1, 1, "perm"},
    {"Unsqueeze", el_onnx_do_unsqueeze, 1, 2, 1, "axes"},
};
enum { OPERATORS = sizeof operators / sizeof *operators };

static const struct operator_row *find_operator(const char *name)
{
    for (int i = 0; i < OPERATORS; ++i)
        if (name && strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

/* Whether a list of words has the word. */
static bool has_word(const char *words, const char *word)
{
    const size_t size = strlen(word);
    for (const char *at = words; size > 0 && (at = strstr(at, word)); ++at)
        if ((at == words || at[-1] == ' ') &&
            (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

static bool is_softmax(const char *name)
{
    return name &&
           (strcmp(name, "Softmax") == 0 || strcmp(name, "LogSoftmax") == 0);
}

static elman_status check_node(const struct operator_row *row,
                               const ElOnnx__NodeProto *node)
{
    if (el_onnx_is_given(node->domain) && strcmp(node->domain, "ai.onnx") != 0)
        return el_onnx_refuse(node,
                              "it is an operator of %.100s, which is "
                              "not read",
                              node->domain);
    if (!row)
        return el_onnx_refuse(node,
                              "the operator is not one of those that are "
                              "read%s",
                              is_softmax(node->op_type)
                                  ? " (a network gives what is before it, "
                                    "logits: export the model without it)"
                                  : "");
    for (size_t i = 0; i < node->n_attribute; ++i) {
        const char *const name = node->attribute[i]->name;
        if (!name || !has_word(row->attributes, name) ||
            el_onnx_is_given(node->attribute[i]->ref_attr_name))
            return el_onnx_refuse(node, "its attribute %.100s is not read",
                                  name ? name : "without a name");
        if (el_onnx_attribute(node, name) != node->attribute[i])
            return el_onnx_refuse(node, "its attribute %.100s is there twice",
                                  name);
    }
    if (node->n_input < (size_t)row->inputs_least ||
        node->n_input > (size_t)row->inputs_most)
        return el_onnx_refuse(node, "it has %zu inputs (%d to %d)",
                              node->n_input, row->inputs_least,
                              row->inputs_most);
    if (node->n_output < 1 || node->n_output > (size_t)row->outputs_most)
        return el_onnx_refuse(node, "it has %zu outputs (1 to %d)",
                              node->n_output, row->outputs_most);
    if (row->run != el_onnx_do_recurrent && row->run != el_onnx_do_scan &&
        row->run != el_onnx_do_if && !el_onnx_is_given(node->output[0]))
        return el_onnx_refuse(node, "its output has no name");
    return ELMAN_OK;
}

/* Nodes come after those that they need. */
static elman_status check_inputs(const el_onnx_walk *w,
                                 const struct operator_row *row,
                                 const ElOnnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; ++i) {
        const el_onnx_value *const v = el_onnx_input(w, node, (int)i);
        const char *const name = node->input[i];
        if (!el_onnx_is_given(name)) {
            if (i >= (size_t)row->inputs_least && row->inputs_most < PARTS_MOST)
                continue;
            return el_onnx_refuse(node, "input %zu is left out", i);
        }
        if (!v || v->kind == EL_ONNX_NOTHING)
            return el_onnx_refuse(node,
                                  "its input %.100s is not there when "
                                  "the node is met",
                                  name);
        if (v->kind == EL_ONNX_MASK)
            return el_onnx_refuse(node,
                                  "its input %.100s is the mask of a "
                                  "dropout",
                                  name);
    }
    return ELMAN_OK;
}

/* Branches may use a name again that is not in use. */
static elman_status check_outputs(const el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; ++i) {
        const el_onnx_value *const out = el_onnx_output(w, node, (int)i);
        if (out && out->kind != EL_ONNX_NOTHING)
            return el_onnx_refuse(node, "its output %.100s is there already",
                                  out->name);
    }
    return ELMAN_OK;
}

static elman_status run_node(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const struct operator_row *const row = find_operator(node->op_type);
    elman_status s = check_node(row, node);
    if (!s)
        s = check_inputs(w, row, node);
    if (!s)
        s = check_outputs(w, node);
    return s ? s : row->run(w, node);
}

static elman_status run_nodes(el_onnx_walk *w, const ElOnnx__GraphProto *g)
{
    elman_status s = ELMAN_OK;
    for (size_t i = 0; !s && i < g->n_node; ++i)
        s = run_node(w, g->node[i]);
    return s;
}

/* ---- The graph ------------------------------------------------------------*/

static elman_status check_model(const ElOnnx__ModelProto *model, int64_t *opset)
{
    *opset = 0;
    for (size_t i = 0; i < model->n_opset_import; ++i) {
        const ElOnnx__OperatorSetIdProto *const set = model->opset_import[i];
        if (!el_onnx_is_given(set->domain) ||
            strcmp(set->domain, "ai.onnx") == 0)
            *opset = set->version;
    }
    if (!model->graph)
        return el_fail(ELMAN_EFORMAT, "it has no graph");
    if (*opset < OPSET_LEAST || *opset > OPSET_MOST)
        return el_fail(ELMAN_EFORMAT, "it is of opset %lld (%d to %d are read)",
                       (long long)*opset, OPSET_LEAST, OPSET_MOST);
    if (model->graph->n_sparse_initializer > 0)
        return el_fail(ELMAN_EFORMAT, "it has sparse initializers");
    return ELMAN_OK;
}

elman_status el_onnx_walk_branch(el_onnx_walk *w, const ElOnnx__GraphProto *g)
{
    elman_status s = ELMAN_OK;
    for (size_t i = 0; !s && i < g->n_initializer; ++i) {
        el_onnx_value *const v = el_onnx_find(w, g->initializer[i]->name);
        s = v->kind == EL_ONNX_NOTHING
                ? el_onnx_take_constant(w, g->initializer[i], v)
                : el_fail(ELMAN_EFORMAT, "tensor %.100s is there twice",
                          v->name);
    }
    return s ? s : run_nodes(w, g);
}

elman_status el_onnx_walk_all(const elman_context *context,
                              const ElOnnx__ModelProto *model, size_t size,
                              el_onnx_walk *w)
{
    *w = (el_onnx_walk){.context = context,
                        .graph = model->graph,
                        .blocks = {.context = context,
                                   .left = TIMES_MOST * size + BLOCKS_LEAST},
                        .time = EL_ONNX_NO_AXIS,
                        .batch = EL_ONNX_NO_AXIS,
                        .lengths = -1,
                        .looks = LOOKS_MOST};
    elman_status s = check_model(model, &w->opset);
    if (!s)
        s = el_onnx_list_values(w);
    return s ? s : run_nodes(w, w->graph);
}

void el_onnx_walk_free(el_onnx_walk *w)
{
    el_onnx_blocks_free(&w->blocks);
    el_free(w->context, w->values);
    el_free(w->context, w->by_name);
    el_free(w->context, w->stages);
}
