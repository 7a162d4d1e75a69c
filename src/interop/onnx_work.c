/* SPDX-License-Identifier: MIT */
/* onnx_work.c - operators of ONNX that do a network's work beside its layers:
 * what becomes a stage. */
#include "onnx_work.h"

enum {
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
};

void el_onnx_give(const el_onnx_walk *w, const ElOnnx__NodeProto *node,
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

bool el_onnx_is_whole(const el_onnx_walk *w, const el_onnx_value *v, int d)
{
    const el_onnx_stage *const stage = &w->stages[v->source];
    const int directions = stage->work == EL_ONNX_LAYER ? stage->directions : 1;
    return el_onnx_flow_is_features(&v->flow, d, directions,
                                    stage->width / directions);
}

bool el_onnx_is_integers(const el_onnx_value *v)
{
    return v->kind == EL_ONNX_INPUT && v->to < 0 &&
           (v->type == INT64 || v->type == INT32);
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
    el_onnx_give(w, node, 0, &flow, a->type, a->steps, stage);
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
    if (!s &&
        (el_onnx_int(node, "axis", 0) != 0 || !el_onnx_is_integers(ids) ||
         table.shape[0] < 1 || table.shape[1] < 1 ||
         table.shape[0] >= EL_ONNX_MOST || table.shape[1] >= EL_ONNX_MOST ||
         !el_onnx_flow_add(&flow, EL_ONNX_FEATURES, table.shape[1])))
        s = el_onnx_refuse(node, "it is no embedding of an input's tokens");
    if (!s)
        s = el_onnx_add_stage(w, node, ids, EL_ONNX_EMBEDDING, &stage);
    if (s)
        return s;
    stage->matrix = table;
    stage->width = table.shape[1];
    el_onnx_give(w, node, 0, &flow, table.type, ELMAN_DECODE_ALL, stage);
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
               depth[0].value >= EL_ONNX_MOST || !el_onnx_is_integers(ids) ||
               (axis != -1 && axis != flow.rank) ||
               !el_onnx_flow_add(&flow, EL_ONNX_FEATURES, depth[0].value)))
        s = el_onnx_refuse(node, "it is no one-hot form of an input's tokens, "
                                 "in the last dimension");
    if (!s)
        s = el_onnx_add_stage(w, node, ids, EL_ONNX_ONE_HOT, &stage);
    if (s)
        return s;
    stage->width = depth[0].value;
    el_onnx_give(w, node, 0, &flow, type, ELMAN_DECODE_ALL, stage);
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
        flow.rank == 0 || !el_onnx_is_whole(w, v, flow.rank - 1) ||
        v->type != matrix->type)
        return el_onnx_refuse(node,
                              "what is multiplied, %.100s, is not all "
                              "that a recurrent layer gives (one linear "
                              "layer may stand behind the last one)",
                              v->name);
    if (matrix->shape[0] != w->stages[v->source].width ||
        matrix->shape[1] < 1 || matrix->shape[1] >= EL_ONNX_MOST)
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
    el_onnx_give(w, node, 0, &flow, matrix->type, v->steps, *stage);
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
        !el_onnx_is_whole(w, v, flow.rank - 1) || row.type != type ||
        row.rank != 1 || bias->rank > flow.rank ||
        row.shape[0] != w->stages[v->source].width)
        return el_onnx_refuse(node, "it is not the bias of a linear layer, one "
                                    "number for each of its outputs");
    const elman_status s = el_onnx_add_stage(w, node, v, EL_ONNX_BIAS, &stage);
    if (s)
        return s;
    stage->matrix = row;
    stage->width = row.shape[0];
    el_onnx_give(w, node, 0, &flow, type, steps, stage);
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
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    el_onnx_constant bias;
    int count;
    if (el_onnx_sizes(el_onnx_input(w, node, 0), sizes, &count) &&
        el_onnx_sizes(el_onnx_input(w, node, 1), sizes, &count))
        return el_onnx_do_arithmetic(w, node);
    const elman_status s = el_onnx_reals(w, node, constant, -1, &bias);
    return s ? s
             : add_bias(w, node, el_onnx_input(w, node, 1 - constant), &bias);
}
