/* SPDX-License-Identifier: MIT */
/* onnx_plumbing.c - operators of ONNX that only move numbers about. */
#include "onnx_walk.h"

#include <string.h>

enum {
    FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    DOUBLE = EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
};

/* What keeps no shape: whatever moves its numbers leaves it what it is. */
static bool is_shapeless(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_ZEROS || v->kind == EL_ONNX_STATE;
}

static bool has_flow(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_FLOW || v->kind == EL_ONNX_INPUT;
}

static int rank_of(const el_onnx_value *v)
{
    if (v->kind == EL_ONNX_CONSTANT)
        return v->constant.rank;
    if (v->kind == EL_ONNX_SIZES)
        return v->size_count >= 0;
    return v->flow.rank;
}

static elman_status cannot(const ElOnnx__NodeProto *node,
                           const el_onnx_value *v)
{
    return el_onnx_refuse(node, "what it makes of %.100s cannot be followed",
                          v->name);
}

/* The node's first output becomes what its first input is. */
static el_onnx_value *pass(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    el_onnx_become(out, el_onnx_input(w, node, 0));
    return out;
}

/* Numbers of an attribute or, where newer versions have it so, of a constant
 * input; count is -1 where neither is there. */
typedef struct numbers {
    int64_t at[EL_ONNX_SIZES_MOST];
    int count;
} numbers;

static elman_status take_numbers(const el_onnx_walk *w,
                                 const ElOnnx__NodeProto *node,
                                 const char *name, int input, numbers *out)
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
        known = !sizes[i].unknown && sizes[i].id == EL_ONNX_NO_AXIS;
        out->at[i] = sizes[i].value;
    }
    return known ? ELMAN_OK
                 : el_onnx_refuse(node, "its %s, %.100s, are not known numbers",
                                  name, v->name);
}

/* A dimension counted from either end; false where there is none. */
static bool to_axis(int64_t number, int rank, int *out)
{
    if (number < -rank || number >= rank)
        return false;
    *out = (int)(number < 0 ? number + rank : number);
    return true;
}

/* ---- As it is -------------------------------------------------------------*/

elman_status el_onnx_do_identity(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    pass(w, node);
    return ELMAN_OK;
}

/* Nothing, where nobody trains. */
elman_status el_onnx_do_dropout(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const training = el_onnx_input(w, node, 2);
    el_onnx_value *const mask = el_onnx_output(w, node, 1);
    if (training && (training->kind != EL_ONNX_CONSTANT ||
                     !el_onnx_is_zero(&training->constant)))
        return el_onnx_refuse(node, "it is for training");
    if (!has_flow(el_onnx_input(w, node, 0)))
        return cannot(node, el_onnx_input(w, node, 0));
    pass(w, node);
    if (mask)
        mask->kind = EL_ONNX_MASK;
    return ELMAN_OK;
}

elman_status el_onnx_do_cast(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const int64_t to = el_onnx_int(node, "to", 0);
    const bool integer = to == INT64 || to == INT32;
    bool may = false;
    if (v->kind == EL_ONNX_CONSTANT)
        may = v->constant.type == to ||
              (integer && el_onnx_is_integer(&v->constant));
    else if (v->kind == EL_ONNX_SIZES)
        may = integer;
    else if (has_flow(v))
        may = v->type == to ||
              (integer && (v->type == INT64 || v->type == INT32));
    else
        may = to == FLOAT || to == DOUBLE;
    if (!may)
        return el_onnx_refuse(node, "%.100s would become of another type, %s",
                              v->name, el_onnx_type_name((int)(to & 0xffff)));
    pass(w, node);
    return ELMAN_OK;
}

/* ---- Shapes ---------------------------------------------------------------*/

elman_status el_onnx_do_transpose(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = pass(w, node);
    const int rank = rank_of(v);
    numbers perm;
    elman_status s = take_numbers(w, node, "perm", -1, &perm);
    if (s || is_shapeless(v))
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
            : has_flow(v) && el_onnx_flow_transpose(&out->flow, perm.at))
        return ELMAN_OK;
    return cannot(node, v);
}

/* The dimensions that are named, one bit each; of what has rank of them. */
static elman_status take_axes(const el_onnx_walk *w,
                              const ElOnnx__NodeProto *node, int rank,
                              unsigned *axes, int *count)
{
    numbers list;
    int axis;
    *axes = 0;
    elman_status s = take_numbers(w, node, "axes", 1, &list);
    *count = list.count;
    if (list.count > 0)
        rank += strcmp(node->op_type, "Unsqueeze") == 0 ? list.count : 0;
    for (int i = 0; !s && i < list.count; ++i) {
        if (rank > EL_ONNX_RANK || !to_axis(list.at[i], rank, &axis) ||
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
    return has_flow(v) && el_onnx_flow_squeeze(&v->flow, axis);
}

/* All dimensions of 1, where none is named: which must be known. */
static elman_status all_ones(const ElOnnx__NodeProto *node,
                             const el_onnx_value *v, unsigned *axes)
{
    for (int d = 0; d < rank_of(v); ++d) {
        bool one = false;
        if (v->kind == EL_ONNX_CONSTANT) {
            one = v->constant.shape[d] == 1;
        } else if (v->kind == EL_ONNX_SIZES) {
            one = v->size_count == 1;
        } else if (has_flow(v)) {
            const el_onnx_size size = el_onnx_flow_size(&v->flow, d);
            if (size.unknown || size.id != EL_ONNX_NO_AXIS)
                return el_onnx_refuse(node, "it names no axes, and not all "
                                            "sizes are known");
            one = size.value == 1;
        }
        *axes |= one ? 1u << d : 0;
    }
    return ELMAN_OK;
}

elman_status el_onnx_do_squeeze(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = pass(w, node);
    unsigned axes;
    int count;
    if (is_shapeless(v))
        return ELMAN_OK;
    elman_status s = take_axes(w, node, rank_of(v), &axes, &count);
    if (!s && count < 0)
        s = all_ones(node, v, &axes);
    for (int d = rank_of(v) - 1; !s && d >= 0; --d)
        if ((axes >> d & 1) && !squeeze_one(out, d))
            s = el_onnx_refuse(node, "axis %d of %.100s is not 1", d, v->name);
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
    return has_flow(v) && el_onnx_flow_unsqueeze(&v->flow, axis);
}

elman_status el_onnx_do_unsqueeze(el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = pass(w, node);
    unsigned axes;
    int count;
    if (is_shapeless(v))
        return ELMAN_OK;
    elman_status s = take_axes(w, node, rank_of(v), &axes, &count);
    for (int d = 0; !s && d < EL_ONNX_RANK; ++d)
        if ((axes >> d & 1) && !unsqueeze_one(out, d))
            s = cannot(node, v);
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
    el_onnx_value *const out = pass(w, node);
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    int64_t shape[EL_ONNX_RANK];
    int count;
    if (el_onnx_int(node, "allowzero", 0) != 0)
        return el_onnx_refuse(node, "its attribute allowzero is not 0");
    if (is_shapeless(v))
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
    if (has_flow(v) && el_onnx_flow_reshape(&out->flow, sizes, count))
        return ELMAN_OK;
    return cannot(node, v);
}

elman_status el_onnx_do_shape(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value made = {.kind = EL_ONNX_SIZES, .size_count = rank_of(v)};
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    if (!has_flow(v) && v->kind != EL_ONNX_CONSTANT)
        return cannot(node, v);
    for (int d = 0; d < made.size_count; ++d)
        made.sizes[d] = has_flow(v) ? el_onnx_flow_size(&v->flow, d)
                                    : (el_onnx_size){v->constant.shape[d],
                                                     EL_ONNX_NO_AXIS, false};
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

/* ---- Parts ----------------------------------------------------------------*/

/* count rows from `from` on of dimension axis; false where that cannot be
 * followed. */
static bool cut(el_onnx_value *v, int axis, int64_t from, int64_t count)
{
    if (v->kind == EL_ONNX_CONSTANT) {
        v->constant = el_onnx_sliced(&v->constant, axis, from, count);
        return true;
    }
    if (v->kind == EL_ONNX_SIZES) {
        memmove(v->sizes, v->sizes + from, (size_t)count * sizeof *v->sizes);
        v->size_count = (int)count;
        return true;
    }
    /* Initial states of all layers in one input. */
    const el_onnx_axis *const only = el_onnx_flow_axis(&v->flow, axis);
    if (v->kind != EL_ONNX_INPUT || axis != 0 || v->to >= 0 || !only)
        return false;
    v->from = from;
    v->to = from + count;
    v->flow.axes[0].size = count;
    return true;
}

/* The size of a dimension; -1: it is free. */
static int64_t length_of(const el_onnx_value *v, int axis)
{
    if (v->kind == EL_ONNX_CONSTANT)
        return v->constant.shape[axis];
    if (v->kind == EL_ONNX_SIZES)
        return v->size_count;
    const el_onnx_size size = el_onnx_flow_size(&v->flow, axis);
    return size.unknown || size.id != EL_ONNX_NO_AXIS ? -1 : size.value;
}

static elman_status slice_one(const ElOnnx__NodeProto *node, el_onnx_value *v,
                              int axis, int64_t from, int64_t to)
{
    const int64_t size = length_of(v, axis);
    if (from == 0 && (size >= 0 ? to >= size : to >= INT32_MAX))
        return ELMAN_OK;
    if (size < 0 && (from < 0 || to < from || to >= INT32_MAX))
        return el_onnx_refuse(node, "the size of what is cut is not known");
    if (size >= 0) {
        from = from < 0 ? from + size : from;
        to = to < 0 ? to + size : to;
        from = from < 0 ? 0 : from > size ? size : from;
        to = to > size ? size : to < from ? from : to;
    }
    return cut(v, axis, from, to - from) ? ELMAN_OK : cannot(node, v);
}

elman_status el_onnx_do_slice(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = pass(w, node);
    numbers from, to, axes, steps;
    elman_status s = ELMAN_OK;
    int axis;
    if (is_shapeless(v))
        return ELMAN_OK;
    s = take_numbers(w, node, "starts", 1, &from);
    if (!s)
        s = take_numbers(w, node, "ends", 2, &to);
    if (!s)
        s = take_numbers(w, node, "axes", 3, &axes);
    if (!s)
        s = take_numbers(w, node, "steps", 4, &steps);
    if (!s && (from.count < 1 || to.count != from.count ||
               (axes.count >= 0 && axes.count != from.count) ||
               (steps.count >= 0 && steps.count != from.count)))
        s = el_onnx_refuse(node, "starts, ends, axes and steps are not of one "
                                 "length");
    for (int i = 0; !s && i < from.count; ++i) {
        if (!to_axis(axes.count < 0 ? i : axes.at[i], rank_of(v), &axis))
            s = el_onnx_refuse(node, "it names an axis that is not there");
        else if (steps.count >= 0 && steps.at[i] != 1)
            s = el_onnx_refuse(node, "it takes steps of %lld (only 1 is read)",
                               (long long)steps.at[i]);
        else
            s = slice_one(node, out, axis, from.at[i], to.at[i]);
    }
    return s;
}

elman_status el_onnx_do_split(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const int parts = (int)node->n_output;
    const el_onnx_value *const list = el_onnx_input(w, node, 1);
    const ElOnnx__AttributeProto *const old = el_onnx_attribute(node, "split");
    int64_t from = 0, all = -1, listed = -1;
    int axis = 0;
    if (!is_shapeless(v)) {
        if (!to_axis(el_onnx_int(node, "axis", 0), rank_of(v), &axis))
            return el_onnx_refuse(node, "it names an axis that is not there");
        all = length_of(v, axis);
    }
    if (list && (list->kind != EL_ONNX_CONSTANT || list->constant.rank != 1 ||
                 !el_onnx_is_integer(&list->constant)))
        return el_onnx_refuse(node, "the sizes of its parts are not known");
    if (list || old)
        listed = list ? list->constant.count : (int64_t)old->n_ints;
    if (listed >= 0 ? listed != parts
                    : !is_shapeless(v) && (all < 0 || all % parts != 0))
        return el_onnx_refuse(node, "the sizes of its %d parts are not known",
                              parts);
    for (int i = 0; i < parts; ++i) {
        el_onnx_value *const out = el_onnx_output(w, node, i);
        const int64_t size = list      ? el_onnx_integer(&list->constant, i)
                             : old     ? old->ints[i]
                             : all < 0 ? 0
                                       : all / parts;
        if (size < 0 || size > INT32_MAX ||
            (!is_shapeless(v) && all >= 0 && size > all - from))
            return el_onnx_refuse(node, "its parts are larger than the whole");
        if (out) {
            el_onnx_become(out, v);
            if (!is_shapeless(v) && !cut(out, axis, from, size))
                return cannot(node, v);
        }
        from += size;
    }
    return ELMAN_OK;
}

/* ---- Concat ---------------------------------------------------------------*/

static elman_status join_sizes(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_value made = {.kind = EL_ONNX_SIZES};
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    for (size_t i = 0; i < node->n_input; ++i) {
        const el_onnx_value *const v = el_onnx_input(w, node, (int)i);
        el_onnx_size sizes[EL_ONNX_SIZES_MOST];
        int count;
        if (!el_onnx_sizes(v, sizes, &count) || count < 0 ||
            made.size_count + count > EL_ONNX_SIZES_MOST)
            return cannot(node, v);
        memcpy(made.sizes + made.size_count, sizes,
               (size_t)count * sizeof *sizes);
        made.size_count += count;
    }
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

static elman_status join_constants(el_onnx_walk *w,
                                   const ElOnnx__NodeProto *node, int axis)
{
    el_onnx_value made = {.kind = EL_ONNX_CONSTANT};
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    const int count = (int)node->n_input;
    const el_onnx_constant **const list =
        el_alloc_array(w->context, count, sizeof *list);
    if (!list)
        return ELMAN_ENOMEM;
    for (int i = 0; i < count; ++i)
        list[i] = &el_onnx_input(w, node, i)->constant;
    const elman_status s =
        el_onnx_joined(&w->blocks, list, count, axis, &made.constant);
    el_free(w->context, list);
    if (!s)
        el_onnx_become(out, &made);
    return s == ELMAN_EFORMAT ? el_onnx_refuse(node, "%s", elman_message()) : s;
}

elman_status el_onnx_do_concat(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const first = el_onnx_input(w, node, 0);
    const int64_t number = el_onnx_int(node, "axis", 0);
    int kinds = 0, axis = 0;
    for (size_t i = 0; i < node->n_input; ++i)
        kinds |= 1 << el_onnx_input(w, node, (int)i)->kind;
    if (kinds == 1 << EL_ONNX_STATE || kinds == 1 << EL_ONNX_ZEROS) {
        pass(w, node);
        return ELMAN_OK;
    }
    if (!to_axis(number, rank_of(first), &axis))
        return el_onnx_refuse(node, "it names an axis that is not there");
    if (kinds == 1 << EL_ONNX_CONSTANT)
        return join_constants(w, node, axis);
    if ((kinds & ~(1 << EL_ONNX_CONSTANT)) == 1 << EL_ONNX_SIZES)
        return join_sizes(w, node);
    if (kinds == 1 << EL_ONNX_FLOW && node->n_input == 2)
        return el_onnx_do_pair(w, node, axis);
    return el_onnx_refuse(node, "what it joins cannot be followed");
}

/* ---- Gather ---------------------------------------------------------------*/

static elman_status gather_size(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_output(w, node, 0);
    el_onnx_value made = {.kind = EL_ONNX_SIZES};
    el_onnx_size from[EL_ONNX_SIZES_MOST], which[EL_ONNX_SIZES_MOST];
    int count, index;
    if (!el_onnx_sizes(v, from, &count) || count < 0 ||
        !el_onnx_sizes(el_onnx_input(w, node, 1), which, &made.size_count))
        return cannot(node, v);
    const int wanted = made.size_count < 0 ? 1 : made.size_count;
    for (int i = 0; i < wanted; ++i) {
        if (which[i].unknown || which[i].id != EL_ONNX_NO_AXIS ||
            !to_axis(which[i].value, count, &index))
            return cannot(node, v);
        made.sizes[i] = from[index];
    }
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

/* One row of all initial states. */
static elman_status gather_row(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_size which[EL_ONNX_SIZES_MOST];
    int count;
    el_onnx_value *const out = pass(w, node);
    if (el_onnx_int(node, "axis", 0) != 0 || v->flow.rank == 0 ||
        !el_onnx_sizes(el_onnx_input(w, node, 1), which, &count) ||
        count >= 0 || which[0].unknown || which[0].id != EL_ONNX_NO_AXIS)
        return cannot(node, v);
    const int64_t size = length_of(v, 0);
    const int64_t row = which[0].value < 0 && size >= 0 ? which[0].value + size
                                                        : which[0].value;
    if (row < 0 || row >= (size >= 0 ? size : INT32_MAX) ||
        !cut(out, 0, row, 1))
        return cannot(node, v);
    /* The axis is one row, and a dimension no more. */
    memmove(out->flow.axes, out->flow.axes + 1,
            (size_t)(out->flow.count - 1) * sizeof *out->flow.axes);
    --out->flow.count;
    for (int d = 0; d < out->flow.rank; ++d)
        --out->flow.ends[d];
    el_onnx_flow_squeeze(&out->flow, 0);
    return ELMAN_OK;
}

elman_status el_onnx_do_gather(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const el_onnx_value *const which = el_onnx_input(w, node, 1);
    if (is_shapeless(v)) {
        pass(w, node);
        return ELMAN_OK;
    }
    if (v->kind == EL_ONNX_CONSTANT && which->kind == EL_ONNX_INPUT)
        return el_onnx_do_embedding(w, node);
    if (v->kind == EL_ONNX_INPUT)
        return gather_row(w, node);
    return gather_size(w, node);
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
        const elman_status s = el_onnx_constant_of(a->t, &made.constant);
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
    if (a && (!a->t || el_onnx_constant_of(a->t, &value) != ELMAN_OK ||
              !el_onnx_is_real(&value) || !el_onnx_is_zero(&value)))
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
                       el_onnx_is_zero(&v->constant);
    if (!zeros && v->kind != EL_ONNX_ZEROS)
        return cannot(node, v);
    el_onnx_become(out, &made);
    return ELMAN_OK;
}
