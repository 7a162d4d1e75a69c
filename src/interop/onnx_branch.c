/* SPDX-License-Identifier: MIT */
/* onnx_branch.c - operators of ONNX that choose: a graph's own sizes may decide
 * which of two branches it takes, as PyTorch's exporter writes a squeeze of a
 * dimension whose size it does not know. */
#include "onnx_walk.h"

/* One number, in whatever form; false: it is none. */
static bool one_size(const el_onnx_value *v, el_onnx_size *out, int *count)
{
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    if (!el_onnx_sizes(v, sizes, count) || (*count != -1 && *count != 1))
        return false;
    *out = sizes[0];
    return true;
}

static elman_status give_truth(el_onnx_walk *w, const ElOnnx__NodeProto *node,
                               int count, bool known, bool truth)
{
    const el_onnx_value made = {.kind = EL_ONNX_SIZES,
                                .size_count = count,
                                .sizes = {{truth, EL_ONNX_NO_AXIS, !known, 0}}};
    el_onnx_become(el_onnx_output(w, node, 0), &made);
    return ELMAN_OK;
}

static elman_status refuse_truth(const ElOnnx__NodeProto *node)
{
    return el_onnx_refuse(node, "what it decides on is not one size, or one "
                                "truth about sizes");
}

elman_status el_onnx_do_equal(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_size a, b;
    int rows, others;
    if (!one_size(el_onnx_input(w, node, 0), &a, &rows) ||
        !one_size(el_onnx_input(w, node, 1), &b, &others))
        return refuse_truth(node);
    const bool same_axis = !a.unknown && !b.unknown && a.id == b.id &&
                           a.by == b.by && a.id != EL_ONNX_NO_AXIS;
    return give_truth(
        w, node, rows > others ? rows : others,
        same_axis || (el_onnx_size_is_known(a) && el_onnx_size_is_known(b)),
        same_axis || a.value == b.value);
}

elman_status el_onnx_do_not(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    el_onnx_size truth;
    int count;
    if (!one_size(el_onnx_input(w, node, 0), &truth, &count))
        return refuse_truth(node);
    return give_truth(w, node, count, el_onnx_size_is_known(truth),
                      truth.value == 0);
}

/* The names of a branch are of use in it alone: the other one may have the
 * same. */
static void forget(const el_onnx_walk *w, const ElOnnx__GraphProto *g)
{
    const el_onnx_value nothing = {.kind = EL_ONNX_NOTHING};
    for (size_t i = 0; i < g->n_initializer; ++i)
        el_onnx_become(el_onnx_find(w, g->initializer[i]->name), &nothing);
    for (size_t i = 0; i < g->n_node; ++i)
        for (size_t k = 0; k < g->node[i]->n_output; ++k) {
            el_onnx_value *const v = el_onnx_output(w, g->node[i], (int)k);
            if (v)
                el_onnx_become(v, &nothing);
        }
}

elman_status el_onnx_do_if(el_onnx_walk *w, const ElOnnx__NodeProto *node)
{
    const el_onnx_value *const condition = el_onnx_input(w, node, 0);
    el_onnx_size truth;
    int count;
    if (!one_size(condition, &truth, &count) || !el_onnx_size_is_known(truth))
        return el_onnx_refuse(
            node,
            "which branch it takes, %.100s, is decided by "
            "what enters the graph, such as a size that is "
            "free, and not by the graph alone (PyTorch writes "
            "it for a squeeze: export the model without, or "
            "with that size fixed)",
            condition->name);
    const char *const name = truth.value != 0 ? "then_branch" : "else_branch";
    const ElOnnx__AttributeProto *const a = el_onnx_attribute(node, name);
    const ElOnnx__GraphProto *const g = a ? a->g : NULL;
    if (!g || g->n_input > 0 || g->n_sparse_initializer > 0 ||
        g->n_output != node->n_output)
        return el_onnx_refuse(node,
                              "its %s is no graph without inputs and "
                              "with as many outputs as it has",
                              name);
    const elman_status s = el_onnx_walk_branch(w, g);
    if (s)
        return s;
    for (size_t i = 0; i < g->n_output; ++i) {
        const char *const given = g->output[i]->name;
        const el_onnx_value *const v = given ? el_onnx_find(w, given) : NULL;
        el_onnx_value *const out = el_onnx_output(w, node, (int)i);
        if (!v || v->kind == EL_ONNX_NOTHING)
            return el_onnx_refuse(node, "no node of its %s gives output %.100s",
                                  name, given ? given : "without a name");
        if (out)
            el_onnx_become(out, v);
    }
    forget(w, g);
    return ELMAN_OK;
}
