/* SPDX-License-Identifier: MIT */
/* onnx_plumbing.c - operators of ONNX that only move numbers about. */
#include "onnx_plumbing.h"

#include <string.h>

enum {
    FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    DOUBLE = EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    BOOL = EL_ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
};

bool el_onnx_is_shapeless(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_ZEROS ||
           (v->kind == EL_ONNX_STATE && v->rows == 0);
}

bool el_onnx_has_flow(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_FLOW || v->kind == EL_ONNX_INPUT ||
           (v->kind == EL_ONNX_STATE && v->rows > 0);
}

int el_onnx_rank_of(const el_onnx_value *v)
{
    if (v->kind == EL_ONNX_CONSTANT)
        return v->constant.rank;
    if (v->kind == EL_ONNX_SIZES)
        return v->size_count >= 0;
    return v->flow.rank;
}

elman_status el_onnx_cannot(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const el_onnx_value lost = {.kind = EL_ONNX_STATE};
    if (v->kind != EL_ONNX_STATE)
        return el_onnx_refuse(
            node, "what it makes of %.100s cannot be followed", v->name);
    for (size_t i = 0; i < node->n_output; ++i) {
        el_onnx_value *const out = el_onnx_output(w, node, (int)i);
        if (out)
            el_onnx_become(out, &lost);
    }
    return ELMAN_OK;
}

el_onnx_value *el_onnx_pass(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    el_onnx_become(out, el_onnx_input(w, node, 0));
    return out;
}

elman_status el_onnx_take_numbers(const el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node,
                                  const char *name, int input,
                                  el_onnx_numbers *out)
{
    const ElOnnx__AttributeProto *const a = el_onnx_attribute(node, name);
    const el_onnx_value *const v = el_onnx_input(w, node, input);
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    out->count = -1;
    if (a) {
        if (a->n_ints > EL_ONNX_SIZES_MOST)
            return el_onnx_refuse(node, "%s has %zu numbers", name, a->n_ints);
        out->count = (int)a->n_ints;
        memcpy(out->at, a->ints, a->n_ints * sizeof *out->at);
        return ELMAN_OK;
    }
    if (!v)
        return ELMAN_OK;
    bool known = el_onnx_sizes(v, sizes, &out->count);
    if (known && out->count < 0)
        out->count = 1;
    for (int i = 0; known && i < out->count; ++i) {
        known = el_onnx_size_is_known(sizes[i]);
        out->at[i] = sizes[i].value;
    }
    if (known)
        return ELMAN_OK;
    return el_onnx_refuse(node, "its %s, %.100s, are not known numbers%s", name,
                          v->name,
                          v->kind == EL_ONNX_SIZES
                              ? ", but come of a size that is free (export the "
                                "model with that size fixed)"
                              : "");
}

bool el_onnx_to_axis(int64_t number, int rank, int *out)
{
    if (number < -rank || number >= rank)
        return false;
    *out = (int)(number < 0 ? number + rank : number);
    return true;
}

/* ---- As it is -------------------------------------------------------------*/

elman_status el_onnx_do_identity(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_pass(w, node);
    return ELMAN_OK;
}

/* Nothing, where nobody trains. */
elman_status el_onnx_do_dropout(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const training = el_onnx_input(w, node, 2);
    el_onnx_value *const mask = el_onnx_output(w, node, 1);
    if (training && (training->kind != EL_ONNX_CONSTANT ||
                     !el_onnx_zeros(w, &training->constant)))
        return el_onnx_refuse(node, "it is for training");
    if (!el_onnx_has_flow(el_onnx_input(w, node, 0)))
        return el_onnx_cannot(w, node);
    el_onnx_pass(w, node);
    if (mask)
        mask->kind = EL_ONNX_MASK;
    return ELMAN_OK;
}

/* One-hot tokens may be integers that become real numbers. */
static bool is_one_hot(const el_onnx_walk *w, const el_onnx_value *v)
{
    return v->kind == EL_ONNX_FLOW &&
           w->stages[v->source].work == EL_ONNX_ONE_HOT;
}

static bool may_cast(const el_onnx_walk *w, const el_onnx_value *v, int to)
{
    const bool integer = to == INT64 || to == INT32;
    const bool real = to == FLOAT || to == DOUBLE;
    if (v->kind == EL_ONNX_CONSTANT)
        return v->constant.type == to ||
               (integer && el_onnx_is_integer(&v->constant));
    if (v->kind == EL_ONNX_SIZES)
        return integer;
    if (v->kind == EL_ONNX_STATE || v->kind == EL_ONNX_ZEROS)
        return real;
    if (is_one_hot(w, v))
        return real || integer;
    return v->type == to || (integer && (v->type == INT64 || v->type == INT32));
}

elman_status el_onnx_do_cast(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const int64_t said = el_onnx_int(node, "to", 0);
    const int to =
        el_onnx_type_here(said > 0 && said < 1 << 16 ? (int)said : 0);
    el_onnx_size size[EL_ONNX_SIZES_MOST];
    int count;
    /* A truth stays one; a size would be one of another kind. */
    if (to == BOOL && el_onnx_sizes(v, size, &count) &&
        (count == -1 || count == 1) && size[0].id == EL_ONNX_NO_AXIS &&
        (size[0].unknown || (size[0].value | 1) == 1)) {
        el_onnx_pass(w, node);
        return ELMAN_OK;
    }
    if (!may_cast(w, v, to))
        return el_onnx_refuse(node, "%.100s would become of another type, %s",
                              v->name, el_onnx_type_name(to));
    if (v->kind == EL_ONNX_STATE && v->type != to)
        return el_onnx_cannot(w, node);
    el_onnx_value *const out = el_onnx_pass(w, node);
    if (is_one_hot(w, v))
        out->type = to;
    return ELMAN_OK;
}

/* ---- Shapes ---------------------------------------------------------------*/

elman_status el_onnx_do_transpose(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_pass(w, node);
    const int rank = el_onnx_rank_of(v);
    el_onnx_numbers perm;
    elman_status s = el_onnx_take_numbers(w, node, "perm", -1, &perm);
    if (s || el_onnx_is_shapeless(v))
        return s;
    if (perm.count < 0) {
        perm.count = rank;
        for (int d = 0; d < rank; ++d)
            perm.at[d] = rank - 1 - d;
    }
    if (perm.count != rank)
        return el_onnx_refuse(node, "perm has %d numbers (and not %d)",
                              perm.count, rank);
    if (v->kind == EL_ONNX_CONSTANT
            ? el_onnx_transposed(&v->constant, perm.at, &out->constant)
            : el_onnx_has_flow(v) &&
                  el_onnx_flow_transpose(&out->flow, perm.at))
        return ELMAN_OK;
    return el_onnx_cannot(w, node);
}

/* The dimensions that are named, one bit each; of what has rank of them. */
static elman_status take_axes(const el_onnx_walk *w,
                              const ElOnnx__NodeProto *node, int rank,
                              unsigned *axes, int *count)
{
    el_onnx_numbers list;
    int axis;
    *axes = 0;
    elman_status s = el_onnx_take_numbers(w, node, "axes", 1, &list);
    *count = list.count;
    if (list.count > 0)
        rank += strcmp(node->op_type, "Unsqueeze") == 0 ? list.count : 0;
    for (int i = 0; !s && i < list.count; ++i) {
        if (rank > EL_ONNX_RANK || !el_onnx_to_axis(list.at[i], rank, &axis) ||
            (*axes >> axis & 1))
            return el_onnx_refuse(node, "it names an axis that is not there, "
                                        "or twice");
        *axes |= 1u << axis;
    }
    return s;
}

static bool squeeze_one(el_onnx_value *v, int axis)
{
    if (v->kind == EL_ONNX_CONSTANT) {
        if (v->constant.shape[axis] != 1)
            return false;
        v->constant = el_onnx_squeezed(&v->constant, axis);
        return true;
    }
    if (v->kind == EL_ONNX_SIZES) {
        if (v->size_count != 1)
            return false;
        v->size_count = -1;
        return true;
    }
    return el_onnx_has_flow(v) && el_onnx_flow_squeeze(&v->flow, axis);
}

/* All dimensions of 1, where none is named: which must be known. */
static elman_status all_ones(const ElOnnx__NodeProto *node,
                             const el_onnx_value *v, unsigned *axes)
{
    for (int d = 0; d < el_onnx_rank_of(v); ++d) {
        bool one = false;
        if (v->kind == EL_ONNX_CONSTANT) {
            one = v->constant.shape[d] == 1;
        } else if (v->kind == EL_ONNX_SIZES) {
            one = v->size_count == 1;
        } else if (el_onnx_has_flow(v)) {
            const el_onnx_size size = el_onnx_flow_size(&v->flow, d);
            if (!el_onnx_size_is_known(size))
                return el_onnx_refuse(node, "it names no axes, and not all "
                                            "sizes are known (squeeze(AXIS) "
                                            "names one)");
            one = size.value == 1;
        }
        *axes |= one ? 1u << d : 0;
    }
    return ELMAN_OK;
}

elman_status el_onnx_do_squeeze(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_pass(w, node);
    unsigned axes;
    int count;
    if (el_onnx_is_shapeless(v))
        return ELMAN_OK;
    elman_status s = take_axes(w, node, el_onnx_rank_of(v), &axes, &count);
    if (!s && count < 0)
        s = all_ones(node, v, &axes);
    for (int d = el_onnx_rank_of(v) - 1; !s && d >= 0; --d)
        if ((axes >> d & 1) && !squeeze_one(out, d))
            s = el_onnx_refuse(node, "axis %d of %.100s is not known to be 1",
                               d, v->name);
    return s;
}

static bool unsqueeze_one(el_onnx_value *v, int axis)
{
    if (v->kind == EL_ONNX_CONSTANT) {
        v->constant = el_onnx_unsqueezed(&v->constant, axis);
        return true;
    }
    if (v->kind == EL_ONNX_SIZES) {
        if (v->size_count != -1)
            return false;
        v->size_count = 1;
        return true;
    }
    return el_onnx_has_flow(v) && el_onnx_flow_unsqueeze(&v->flow, axis);
}

elman_status el_onnx_do_unsqueeze(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_pass(w, node);
    unsigned axes;
    int count;
    if (el_onnx_is_shapeless(v))
        return ELMAN_OK;
    elman_status s = take_axes(w, node, el_onnx_rank_of(v), &axes, &count);
    for (int d = 0; !s && d < EL_ONNX_RANK; ++d)
        if ((axes >> d & 1) && !unsqueeze_one(out, d))
            s = el_onnx_cannot(w, node);
    return s;
}

/* The shape that a constant gets. */
static bool fill_in(const el_onnx_constant *c, const el_onnx_size *sizes,
                    int count, int64_t *shape)
{
    int64_t rest = -1, product = 1;
    for (int d = 0; d < count; ++d) {
        int64_t size = sizes[d].value;
        if (sizes[d].unknown || sizes[d].id != EL_ONNX_NO_AXIS || size < -1)
            return false;
        if (size == 0)
            size = d < c->rank ? c->shape[d] : -2;
        if (size == -1 ? rest >= 0 : size < 0)
            return false;
        if (size == -1)
            rest = d;
        else if (__builtin_mul_overflow(product, size, &product))
            return false;
        shape[d] = size;
    }
    if (rest >= 0 && (product == 0 || c->count % product != 0))
        return false;
    if (rest >= 0)
        shape[rest] = c->count / product;
    return true;
}

elman_status el_onnx_do_reshape(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_pass(w, node);
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    int64_t shape[EL_ONNX_RANK];
    int count;
    if (el_onnx_int(node, "allowzero", 0) != 0)
        return el_onnx_refuse(node, "its attribute allowzero is not 0");
    if (el_onnx_is_shapeless(v))
        return ELMAN_OK;
    if (!el_onnx_sizes(el_onnx_input(w, node, 1), sizes, &count) || count < 0)
        return el_onnx_refuse(node, "the new shape is not known");
    if (v->kind == EL_ONNX_CONSTANT &&
        fill_in(&v->constant, sizes, count, shape)) {
        const elman_status s = el_onnx_reshaped(&w->blocks, &v->constant, shape,
                                                count, &out->constant);
        return s == ELMAN_EFORMAT ? el_onnx_refuse(node, "%s", elman_message())
                                  : s;
    }
    if (el_onnx_has_flow(v) && el_onnx_flow_reshape(&out->flow, sizes, count))
        return ELMAN_OK;
    return el_onnx_cannot(w, node);
}

elman_status el_onnx_do_shape(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value made = {.kind = EL_ONNX_SIZES,
                          .size_count = el_onnx_rank_of(v)};
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    if (!el_onnx_has_flow(v) && v->kind != EL_ONNX_CONSTANT)
        return el_onnx_cannot(w, node);
    for (int d = 0; d < made.size_count; ++d)
        made.sizes[d] = el_onnx_has_flow(v)
                            ? el_onnx_flow_size(&v->flow, d)
                            : (el_onnx_size){v->constant.shape[d],
                                             EL_ONNX_NO_AXIS, false, 0};
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

/* ---- Constants ------------------------------------------------------------*/

elman_status el_onnx_do_constant(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_value made = {.kind = EL_ONNX_CONSTANT};
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    if (node->n_attribute != 1)
        return el_onnx_refuse(node, "it has %zu values", node->n_attribute);
    const ElOnnx__AttributeProto *const a = node->attribute[0];
    const bool list = strcmp(a->name, "value_ints") == 0;
    if (strcmp(a->name, "value") == 0 && a->t) {
        const elman_status s =
            el_onnx_constant_of(&w->blocks, a->t, &made.constant);
        if (s)
            return el_onnx_refuse(node, "%s", elman_message());
    } else if (strcmp(a->name, "value_int") == 0 && a->has_i) {
        made.constant = el_onnx_vector(INT64, &a->i, -1);
    } else if (strcmp(a->name, "value_float") == 0 && a->has_f) {
        made.constant = el_onnx_vector(FLOAT, &a->f, -1);
    } else if (list) {
        made.constant = el_onnx_vector(INT64, a->ints, (int64_t)a->n_ints);
    } else if (strcmp(a->name, "value_floats") == 0) {
        made.constant = el_onnx_vector(FLOAT, a->floats, (int64_t)a->n_floats);
    } else {
        return el_onnx_refuse(node, "its %s is not there", a->name);
    }
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

elman_status el_onnx_do_fill(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value made = {.kind = EL_ONNX_ZEROS};
    const ElOnnx__AttributeProto *const a = el_onnx_attribute(node, "value");
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    el_onnx_constant value;
    if (a &&
        (!a->t || el_onnx_constant_of(&w->blocks, a->t, &value) != ELMAN_OK ||
         !el_onnx_is_real(&value) || !el_onnx_zeros(w, &value)))
        return el_onnx_refuse(node, "it makes of a shape what is not real "
                                    "zeros");
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

elman_status el_onnx_do_expand(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value made = {.kind = EL_ONNX_ZEROS};
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    const bool zeros = v->kind == EL_ONNX_CONSTANT &&
                       el_onnx_is_real(&v->constant) &&
                       el_onnx_zeros(w, &v->constant);
    if (!zeros && v->kind != EL_ONNX_ZEROS)
        return el_onnx_cannot(w, node);
    el_onnx_become(out, &made);
    return ELMAN_OK;
}
