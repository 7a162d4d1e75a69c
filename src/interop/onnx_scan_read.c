/* SPDX-License-Identifier: MIT */
/* onnx_scan_read.c - the LSTM with a projection, a Scan of ONNX. */
#include "onnx_scan.h"
#include "onnx_work.h"

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
    return el_onnx_check_shape(node, name, out, (int64_t[]){rows, columns});
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
    if (*input < 1 || *input >= EL_ONNX_MOST || to->proj < 1 ||
        to->hidden <= to->proj || to->hidden >= EL_ONNX_MOST)
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
        s = el_onnx_read_input(w, node, x, input, type, &time, &batch);
    if (!s)
        s = el_onnx_read_lengths(w, node, NULL);
    if (!s)
        s = el_onnx_read_start(w, node, 0, 2, 1, type, &one->h);
    if (!s)
        s = el_onnx_read_start(w, node, 1, 2, 1, type, &one->c);
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
    el_onnx_give(w, node, 2, &y, type, ELMAN_DECODE_ALL, stage);
    el_onnx_give_state(w, node, 0, batch, type, stage);
    el_onnx_give_cells(w, node, 1);
    return ELMAN_OK;
}
