/* SPDX-License-Identifier: MIT */
#include "onnx_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUES_MOST = 1 << 16,
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

/* ---- Values by name -------------------------------------------------------*/

static int compare_names(const void *a, const void *b)
{
    const el_onnx_value *const *const x = a, *const *const y = b;
    return strcmp((*x)->name, (*y)->name);
}

el_onnx_value *el_onnx_find(const el_onnx_walk *w, const char *name)
{
    int low = 0, high = w->value_count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = strcmp(name, w->by_name[middle]->name);
        if (order == 0)
            return w->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool is_given(const char *name)
{
    return name && *name;
}

const el_onnx_value *el_onnx_input(const el_onnx_walk *w,
                                   const ElOnnx__NodeProto *node, int i)
{
    if ((size_t)i >= node->n_input || !is_given(node->input[i]))
        return NULL;
    return el_onnx_find(w, node->input[i]);
}

el_onnx_value *el_onnx_output(const el_onnx_walk *w,
                              const ElOnnx__NodeProto *node, int i)
{
    if ((size_t)i >= node->n_output || !is_given(node->output[i]))
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
        out[i] = (el_onnx_size){el_onnx_integer(c, i), EL_ONNX_NO_AXIS, false};
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
    {"Concat", el_onnx_do_concat, 1, VALUES_MOST, 1, "axis"},
    {"Constant", el_onnx_do_constant, 0, 0, 1,
     "value value_int value_ints value_float value_floats"},
    {"ConstantOfShape", el_onnx_do_fill, 1, 1, 1, "value"},
    {"Dropout", el_onnx_do_dropout, 1, 3, 2, "ratio seed"},
    {"Equal", el_onnx_do_equal, 2, 2, 1, ""},
    {"Expand", el_onnx_do_expand, 2, 2, 1, ""},
    {"GRU", el_onnx_do_recurrent, 3, 6, 2,
     "activations activation_alpha activation_beta direction hidden_size "
     "layout linear_before_reset clip"},
    {"Gather", el_onnx_do_gather, 2, 2, 1, "axis"},
    {"Gemm", el_onnx_do_gemm, 2, 3, 1, "alpha beta transA transB"},
    {"Identity", el_onnx_do_identity, 1, 1, 1, ""},
    {"If", el_onnx_do_if, 1, 1, VALUES_MOST, "then_branch else_branch"},
    {"LSTM", el_onnx_do_recurrent, 3, 8, 3,
     "activations activation_alpha activation_beta direction hidden_size "
     "input_forget layout clip"},
    {"MatMul", el_onnx_do_matmul, 2, 2, 1, ""},
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
    {"Split", el_onnx_do_split, 1, 2, VALUES_MOST, "axis split num_outputs"},
    {"Squeeze", el_onnx_do_squeeze, 1, 2, 1, "axes"},
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

static elman_status check_node(const struct operator_row *row,
                               const ElOnnx__NodeProto *node)
{
    if (is_given(node->domain) && strcmp(node->domain, "ai.onnx") != 0)
        return el_onnx_refuse(node,
                              "it is an operator of %.100s, which is "
                              "not read",
                              node->domain);
    if (!row)
        return el_onnx_refuse(node, "the operator is not one of those that "
                                    "are read");
    for (size_t i = 0; i < node->n_attribute; ++i) {
        const char *const name = node->attribute[i]->name;
        if (!name || !has_word(row->attributes, name) ||
            is_given(node->attribute[i]->ref_attr_name))
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
        row->run != el_onnx_do_if && !is_given(node->output[0]))
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
        if (!is_given(name)) {
            if (i >= (size_t)row->inputs_least &&
                row->inputs_most < VALUES_MOST)
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
        if (!is_given(set->domain) || strcmp(set->domain, "ai.onnx") == 0)
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

static elman_status add_value(el_onnx_walk *w, const char *name,
                              el_onnx_value **out)
{
    *out = &w->values[w->value_count];
    (*out)->name = name;
    w->by_name[w->value_count++] = *out;
    return is_given(name) ? ELMAN_OK
                          : el_fail(ELMAN_EFORMAT, "a tensor has no name");
}

static elman_status take_constant(el_onnx_walk *w,
                                  const ElOnnx__TensorProto *proto,
                                  el_onnx_value *v)
{
    v->kind = EL_ONNX_CONSTANT;
    const elman_status s = el_onnx_constant_of(&w->blocks, proto, &v->constant);
    return s ? el_fail(s, "tensor %.100s: %s", proto->name, elman_message())
             : ELMAN_OK;
}

static elman_status add_initializer(el_onnx_walk *w,
                                    const ElOnnx__TensorProto *proto)
{
    el_onnx_value *v;
    const elman_status s = add_value(w, proto->name, &v);
    return s ? s : take_constant(w, proto, v);
}

elman_status el_onnx_walk_branch(el_onnx_walk *w, const ElOnnx__GraphProto *g)
{
    elman_status s = ELMAN_OK;
    for (size_t i = 0; !s && i < g->n_initializer; ++i) {
        el_onnx_value *const v = el_onnx_find(w, g->initializer[i]->name);
        s = v->kind == EL_ONNX_NOTHING
                ? take_constant(w, g->initializer[i], v)
                : el_fail(ELMAN_EFORMAT, "tensor %.100s is there twice",
                          v->name);
    }
    return s ? s : run_nodes(w, g);
}

static elman_status add_input(el_onnx_walk *w,
                              const ElOnnx__ValueInfoProto *info, int number)
{
    const ElOnnx__TypeProto *const type = info->type;
    el_onnx_value *v;
    const elman_status s = add_value(w, info->name, &v);
    if (s)
        return s;
    v->kind = EL_ONNX_INPUT;
    v->source = number;
    v->to = -1;
    if (!type || type->value_case != EL_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !type->tensor_type->shape)
        return el_fail(ELMAN_EFORMAT,
                       "input %.100s is no tensor of a known "
                       "shape",
                       info->name);
    v->type = el_onnx_type_here(type->tensor_type->elem_type);
    const ElOnnx__TensorShapeProto *const shape = type->tensor_type->shape;
    for (size_t d = 0; d < shape->n_dim; ++d) {
        const bool known =
            shape->dim[d]->value_case ==
            EL_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        const int64_t size = known ? shape->dim[d]->dim_value : -1;
        if (size < -1 || size >= (int64_t)1 << 40 || d >= EL_ONNX_RANK)
            return el_fail(ELMAN_EFORMAT,
                           "input %.100s has a shape that no "
                           "tensor has",
                           info->name);
        el_onnx_flow_add(&v->flow, EL_ONNX_RANK * number + (int)d, size);
    }
    return ELMAN_OK;
}

/* In the graphs of old, constants are inputs as well, and branches may have
 * names in common; else no name is there twice. */
static elman_status sort_names(el_onnx_walk *w)
{
    int kept = 0;
    qsort(w->by_name, (size_t)w->value_count, sizeof *w->by_name,
          compare_names);
    for (int i = 0; i < w->value_count; ++i) {
        el_onnx_value *const v = w->by_name[i];
        el_onnx_value *const last = kept > 0 ? w->by_name[kept - 1] : NULL;
        if (!last || strcmp(last->name, v->name) != 0) {
            w->by_name[kept++] = v;
            continue;
        }
        if (last->inner && v->inner)
            continue;
        if (last->kind == EL_ONNX_INPUT && v->kind == EL_ONNX_CONSTANT)
            w->by_name[kept - 1] = v;
        else if (last->kind != EL_ONNX_CONSTANT || v->kind != EL_ONNX_INPUT)
            return el_fail(ELMAN_EFORMAT, "tensor %.100s is there twice",
                           v->name);
    }
    w->value_count = kept;
    return ELMAN_OK;
}

/* The branch that an attribute of a node is; NULL: it is none.  They are nested
 * as deep as messages may be. */
static const ElOnnx__GraphProto *branch_of(const ElOnnx__NodeProto *node,
                                           size_t attribute)
{
    return node->op_type && strcmp(node->op_type, "If") == 0
               ? node->attribute[attribute]->g
               : NULL;
}

static size_t count_values(const ElOnnx__GraphProto *g)
{
    size_t count = g->n_initializer + g->n_input;
    for (size_t i = 0; i < g->n_node; ++i) {
        count += g->node[i]->n_output;
        for (size_t k = 0; k < g->node[i]->n_attribute; ++k)
            if (branch_of(g->node[i], k))
                count += count_values(branch_of(g->node[i], k));
    }
    return count;
}

static elman_status add_nodes(el_onnx_walk *w, const ElOnnx__GraphProto *g,
                              bool inner)
{
    elman_status s = ELMAN_OK;
    el_onnx_value *v;
    for (size_t i = 0; inner && !s && i < g->n_initializer; ++i) {
        s = add_value(w, g->initializer[i]->name, &v);
        v->inner = true;
    }
    for (size_t i = 0; !s && i < g->n_node; ++i) {
        const ElOnnx__NodeProto *const node = g->node[i];
        for (size_t k = 0; !s && k < node->n_output; ++k)
            if (is_given(node->output[k])) {
                s = add_value(w, node->output[k], &v);
                v->inner = inner;
            }
        for (size_t k = 0; !s && k < node->n_attribute; ++k)
            if (branch_of(node, k))
                s = add_nodes(w, branch_of(node, k), true);
    }
    return s;
}

static elman_status list_values(el_onnx_walk *w)
{
    const ElOnnx__GraphProto *const g = w->graph;
    const size_t count = count_values(g);
    elman_status s = ELMAN_OK;
    if (count > VALUES_MOST)
        return el_fail(ELMAN_EFORMAT, "its graph has %zu tensors (at most %d)",
                       count, VALUES_MOST);
    w->values = el_alloc_array(w->context, (int64_t)count, sizeof *w->values);
    w->by_name = el_alloc_array(w->context, (int64_t)count, sizeof *w->by_name);
    if (!w->values || !w->by_name)
        return ELMAN_ENOMEM;
    for (size_t i = 0; !s && i < g->n_initializer; ++i)
        s = add_initializer(w, g->initializer[i]);
    w->input_count = (int)g->n_input;
    for (size_t i = 0; !s && i < g->n_input; ++i)
        s = add_input(w, g->input[i], (int)i);
    if (!s)
        s = add_nodes(w, g, false);
    return s ? s : sort_names(w);
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
        s = list_values(w);
    return s ? s : run_nodes(w, w->graph);
}

void el_onnx_walk_free(el_onnx_walk *w)
{
    el_onnx_blocks_free(&w->blocks);
    el_free(w->context, w->values);
    el_free(w->context, w->by_name);
    el_free(w->context, w->stages);
}
