/* SPDX-License-Identifier: MIT */
/* onnx_parts.c - operators of ONNX that take parts, and put parts together. */
#include "onnx_plumbing.h"

#include <string.h>

/* ---- A part of a dimension ------------------------------------------------*/

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

/* Whether the dimension is nothing but the rows of a state. */
static bool is_rows(const el_onnx_value *v, int axis)
{
    const el_onnx_axis *const only = el_onnx_flow_axis(&v->flow, axis);
    return v->rows == 1 ? el_onnx_flow_is_empty(&v->flow, axis)
                        : only && only->id == EL_ONNX_DIRECTIONS;
}

static bool cut_state(el_onnx_value *v, int axis, int64_t from, int64_t count)
{
    const int end = (int)(from + count), gone = v->rows - end;
    if (!is_rows(v, axis) || count < 1)
        return false;
    v->last_rows[1] = gone < 2 ? v->last_rows[1 - gone] : -1;
    v->last_rows[0] = gone < 1 && count > 1 ? v->last_rows[0] : -1;
    v->rows = (int)count;
    el_onnx_flow_set(&v->flow, axis, EL_ONNX_DIRECTIONS, count);
    return true;
}

/* The last step of a layer, or of what a linear layer made of each step. */
static bool cut_step(const el_onnx_walk *w, el_onnx_value *v, int axis)
{
    const el_onnx_axis *const only = el_onnx_flow_axis(&v->flow, axis);
    if (v->steps != ELMAN_DECODE_ALL || !w->has_axes || !only || only->id < 0 ||
        only->id != w->time)
        return false;
    v->steps = ELMAN_DECODE_LAST;
    el_onnx_flow_set(&v->flow, axis, EL_ONNX_NO_AXIS, 1);
    return true;
}

/* count rows from `from` on of dimension axis, whose size is -1 where it is
 * free: then from is -1 for the last one.  False where that cannot be
 * followed. */
static bool cut(const el_onnx_walk *w, el_onnx_value *v, int axis, int64_t size,
                int64_t from, int64_t count)
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
    if (v->kind == EL_ONNX_STATE)
        return cut_state(v, axis, from, count);
    if (v->kind == EL_ONNX_FLOW)
        return count == 1 && from == (size < 0 ? -1 : size - 1) &&
               cut_step(w, v, axis);
    /* Initial states of all layers in one input. */
    if (v->kind != EL_ONNX_INPUT || axis != 0 || v->to >= 0 || from < 0 ||
        !el_onnx_flow_axis(&v->flow, axis))
        return false;
    v->from = from;
    v->to = from + count;
    v->flow.axes[0].size = count;
    return true;
}

/* The last step is that of the longest sequence; the others have ended. */
static elman_status check_lengths(const el_onnx_walk *w,
                                  const ElOnnx__NodeProto *node,
                                  const el_onnx_value *v)
{
    if (w->lengths < 0 || v->kind != EL_ONNX_FLOW ||
        v->steps == ELMAN_DECODE_ALL)
        return ELMAN_OK;
    return el_onnx_refuse(node, "it takes one step of all sequences, and they "
                                "have lengths of their own (their last steps "
                                "are the layer's final state)");
}

/* ---- Slice and Split ------------------------------------------------------*/

static elman_status slice_one(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                              el_onnx_value *v, int axis, int64_t from,
                              int64_t to)
{
    const int64_t size = length_of(v, axis);
    if (from == 0 && (size >= 0 ? to >= size : to >= INT32_MAX))
        return ELMAN_OK;
    if (size < 0 && from == -1 && to >= INT32_MAX)
        to = 0;
    else if (size < 0 && (from < 0 || to < from || to >= INT32_MAX))
        return el_onnx_refuse(node, "the size of what is cut is not known");
    if (size >= 0) {
        from = from < 0 ? from + size : from;
        to = to < 0 ? to + size : to;
        from = from < 0 ? 0 : from > size ? size : from;
        to = to > size ? size : to < from ? from : to;
    }
    if (!cut(w, v, axis, size, from, to - from))
        return el_onnx_cannot(w, node);
    return check_lengths(w, node, v);
}

elman_status el_onnx_do_slice(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_value *const out = el_onnx_pass(w, node);
    el_onnx_numbers from, to, axes, steps;
    elman_status s = ELMAN_OK;
    int axis;
    if (el_onnx_is_shapeless(v))
        return ELMAN_OK;
    s = el_onnx_take_numbers(w, node, "starts", 1, &from);
    if (!s)
        s = el_onnx_take_numbers(w, node, "ends", 2, &to);
    if (!s)
        s = el_onnx_take_numbers(w, node, "axes", 3, &axes);
    if (!s)
        s = el_onnx_take_numbers(w, node, "steps", 4, &steps);
    if (!s && (from.count < 1 || to.count != from.count ||
               (axes.count >= 0 && axes.count != from.count) ||
               (steps.count >= 0 && steps.count != from.count)))
        s = el_onnx_refuse(node, "starts, ends, axes and steps are not of one "
                                 "length");
    for (int i = 0; !s && i < from.count && !el_onnx_is_shapeless(out); ++i) {
        if (!el_onnx_to_axis(axes.count < 0 ? i : axes.at[i],
                             el_onnx_rank_of(v), &axis))
            s = el_onnx_refuse(node, "it names an axis that is not there");
        else if (steps.count >= 0 && steps.at[i] != 1)
            s = el_onnx_refuse(node, "it takes steps of %lld (only 1 is read)",
                               (long long)steps.at[i]);
        else
            s = slice_one(w, node, out, axis, from.at[i], to.at[i]);
    }
    return s;
}

elman_status el_onnx_do_split(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const int parts = (int)node->n_output;
    const el_onnx_value *const list = el_onnx_input(w, node, 1);
    const ElOnnx__AttributeProto *const old = el_onnx_attribute(node, "split");
    const bool shapeless = el_onnx_is_shapeless(v);
    int64_t from = 0, all = -1, listed = -1;
    int axis = 0;
    if (!shapeless) {
        if (!el_onnx_to_axis(el_onnx_int(node, "axis", 0), el_onnx_rank_of(v),
                             &axis))
            return el_onnx_refuse(node, "it names an axis that is not there");
        all = length_of(v, axis);
    }
    if (list && (list->kind != EL_ONNX_CONSTANT || list->constant.rank != 1 ||
                 !el_onnx_is_integer(&list->constant)))
        return el_onnx_refuse(node, "the sizes of its parts are not known");
    if (list || old)
        listed = list ? list->constant.count : (int64_t)old->n_ints;
    if (listed >= 0 ? listed != parts
                    : !shapeless && (all < 0 || all % parts != 0))
        return el_onnx_refuse(node, "the sizes of its %d parts are not known",
                              parts);
    for (int i = 0; i < parts; ++i) {
        el_onnx_value *const out = el_onnx_output(w, node, i);
        const int64_t size = list      ? el_onnx_integer(&list->constant, i)
                             : old     ? old->ints[i]
                             : all < 0 ? 0
                                       : all / parts;
        if (size < 0 || size > INT32_MAX ||
            (!shapeless && all >= 0 && size > all - from))
            return el_onnx_refuse(node, "its parts are larger than the whole");
        if (out) {
            el_onnx_become(out, v);
            if (!shapeless && !cut(w, out, axis, all, from, size))
                return el_onnx_cannot(w, node);
            const elman_status s = check_lengths(w, node, out);
            if (s)
                return s;
        }
        from += size;
    }
    return ELMAN_OK;
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
        return el_onnx_cannot(w, node);
    const int wanted = made.size_count < 0 ? 1 : made.size_count;
    for (int i = 0; i < wanted; ++i) {
        if (which[i].unknown || which[i].id != EL_ONNX_NO_AXIS ||
            !el_onnx_to_axis(which[i].value, count, &index))
            return el_onnx_cannot(w, node);
        made.sizes[i] = from[index];
    }
    el_onnx_become(out, &made);
    return ELMAN_OK;
}

/* One row of all initial or final states, one step: and a dimension less. */
static elman_status gather_row(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    el_onnx_size which[EL_ONNX_SIZES_MOST];
    int count, axis;
    el_onnx_value *const out = el_onnx_pass(w, node);
    if (!el_onnx_to_axis(el_onnx_int(node, "axis", 0), v->flow.rank, &axis) ||
        !el_onnx_sizes(el_onnx_input(w, node, 1), which, &count) ||
        count >= 0 || which[0].unknown || which[0].id != EL_ONNX_NO_AXIS)
        return el_onnx_cannot(w, node);
    const int64_t size = length_of(v, axis);
    const int64_t row = which[0].value < 0 && size >= 0 ? which[0].value + size
                                                        : which[0].value;
    if (row < (size >= 0 ? 0 : -1) || row >= (size >= 0 ? size : INT32_MAX) ||
        !cut(w, out, axis, size, row, 1))
        return el_onnx_cannot(w, node);
    el_onnx_flow_set(&out->flow, axis, EL_ONNX_NO_AXIS, 1);
    el_onnx_flow_squeeze(&out->flow, axis);
    return check_lengths(w, node, out);
}

elman_status el_onnx_do_gather(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const v = el_onnx_input(w, node, 0);
    const el_onnx_value *const which = el_onnx_input(w, node, 1);
    if (el_onnx_is_shapeless(v)) {
        el_onnx_pass(w, node);
        return ELMAN_OK;
    }
    if (v->kind == EL_ONNX_CONSTANT && which->kind == EL_ONNX_INPUT)
        return el_onnx_do_embedding(w, node);
    if (el_onnx_has_flow(v))
        return gather_row(w, node);
    return gather_size(w, node);
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
            return el_onnx_refuse(node, "what it joins cannot be followed");
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

/* Rows behind rows of states that are else alike; false where they are not, or
 * what is joined are not rows. */
static bool join_rows(el_onnx_value *made, const el_onnx_value *v, int axis)
{
    el_onnx_flow flow = v->flow;
    if (axis >= v->flow.rank || !is_rows(made, axis) || !is_rows(v, axis) ||
        made->type != v->type || made->rows > INT32_MAX / 4 - v->rows)
        return false;
    const int rows = made->rows + v->rows;
    if (!el_onnx_flow_set(&made->flow, axis, EL_ONNX_DIRECTIONS, rows) ||
        !el_onnx_flow_set(&flow, axis, EL_ONNX_DIRECTIONS, rows))
        return false;
    made->last_rows[0] = v->rows > 1 ? v->last_rows[0] : made->last_rows[1];
    made->last_rows[1] = v->last_rows[1];
    made->rows = rows;
    return el_onnx_flow_same(&made->flow, &flow);
}

/* The features of one row, and behind them those of another one. */
static bool join_features(el_onnx_value *made, const el_onnx_value *v, int axis)
{
    const el_onnx_axis *const only = el_onnx_flow_axis(&made->flow, axis);
    if (made->rows != 1 || v->rows != 1 || made->type != v->type || !only ||
        only->id != EL_ONNX_FEATURES ||
        !el_onnx_flow_same(&made->flow, &v->flow) ||
        !el_onnx_flow_put(&made->flow, axis, EL_ONNX_DIRECTIONS, 2))
        return false;
    made->rows = 2;
    made->last_rows[0] = made->last_rows[1];
    made->last_rows[1] = v->last_rows[1];
    return true;
}

static elman_status join_states(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_value made = *el_onnx_input(w, node, 0);
    int axis = 0;
    bool known = made.rows > 0 && el_onnx_to_axis(el_onnx_int(node, "axis", 0),
                                                  made.flow.rank, &axis);
    for (size_t i = 1; known && i < node->n_input; ++i) {
        const el_onnx_value *const v = el_onnx_input(w, node, (int)i);
        known = v->rows > 0 &&
                (is_rows(&made, axis) ? join_rows(&made, v, axis)
                                      : join_features(&made, v, axis));
    }
    if (!known)
        return el_onnx_cannot(w, node);
    el_onnx_become(el_onnx_output(w, node, 0), &made);
    return ELMAN_OK;
}

elman_status el_onnx_do_concat(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const first = el_onnx_input(w, node, 0);
    const int64_t number = el_onnx_int(node, "axis", 0);
    int kinds = 0, axis = 0;
    for (size_t i = 0; i < node->n_input; ++i)
        kinds |= 1 << el_onnx_input(w, node, (int)i)->kind;
    if (kinds == 1 << EL_ONNX_STATE)
        return join_states(w, node);
    if (kinds == 1 << EL_ONNX_ZEROS) {
        el_onnx_pass(w, node);
        return ELMAN_OK;
    }
    if (!el_onnx_to_axis(number, el_onnx_rank_of(first), &axis))
        return el_onnx_refuse(node, "it names an axis that is not there");
    if (kinds == 1 << EL_ONNX_CONSTANT)
        return join_constants(w, node, axis);
    if ((kinds & ~(1 << EL_ONNX_CONSTANT)) == 1 << EL_ONNX_SIZES)
        return join_sizes(w, node);
    if (kinds == 1 << EL_ONNX_FLOW && node->n_input == 2)
        return el_onnx_do_pair(w, node, axis);
    return el_onnx_refuse(node, "what it joins cannot be followed");
}
