/* SPDX-License-Identifier: MIT */
/* onnx_names.c - the values of a graph by their names: its constants, its
 * inputs, and what its nodes will give. */
#include "onnx_walk.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES_MOST = 1 << 16 };

/* ---- Found ----------------------------------------------------------------*/

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

bool el_onnx_is_given(const char *name)
{
    return name && *name;
}

/* ---- Listed ---------------------------------------------------------------*/

static elman_status add_value(el_onnx_walk *w, const char *name,
                              el_onnx_value **out)
{
    *out = &w->values[w->value_count];
    (*out)->name = name;
    w->by_name[w->value_count++] = *out;
    return el_onnx_is_given(name)
               ? ELMAN_OK
               : el_fail(ELMAN_EFORMAT, "a tensor has no name");
}

elman_status el_onnx_take_constant(el_onnx_walk *w,
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
    return s ? s : el_onnx_take_constant(w, proto, v);
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
            if (el_onnx_is_given(node->output[k])) {
                s = add_value(w, node->output[k], &v);
                v->inner = inner;
            }
        for (size_t k = 0; !s && k < node->n_attribute; ++k)
            if (branch_of(node, k))
                s = add_nodes(w, branch_of(node, k), true);
    }
    return s;
}

elman_status el_onnx_list_values(el_onnx_walk *w)
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
