/* SPDX-License-Identifier: MIT */
#include "onnx_scan.h"

#include <string.h>

/* Where the nodes are that name weights. */
enum { GEMM_IH = 0, GEMM_HH = 1, GEMM_HR = 13, NODES = 15 };

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

static void add_gemm(el_onnx_builder *b, ElOnnx__GraphProto *g, char *x,
                     char *weight, char *bias, char *to)
{
    el_onnx_set_int(b,
                    el_onnx_node(b, g, "Gemm", LIST(x, weight, bias), LIST(to)),
                    "transB", 1);
}

ElOnnx__GraphProto *el_onnx_scan_body(el_onnx_builder *b,
                                      const el_onnx_scan_names *names, int type)
{
    static char *const in[] = {"h_before", "c_before", "x_step"};
    static char *const out[] = {"h_next", "c_next", "y_step"};
    ElOnnx__GraphProto *const g = el_onnx_graph(b, "step");
    ElOnnx__NodeProto *split;
    for (int i = 0; i < 3; ++i)
        el_onnx_graph_input(b, g, in[i], type, NULL, -1);
    add_gemm(b, g, "x_step", names->weight_ih, names->bias_ih, "by_x");
    add_gemm(b, g, "h_before", names->weight_hh, names->bias_hh, "by_h");
    el_onnx_node(b, g, "Add", LIST("by_x", "by_h"), LIST("gates"));
    split = el_onnx_node(b, g, "Split", LIST("gates"),
                         LIST("i_sum", "f_sum", "g_sum", "o_sum"));
    el_onnx_set_int(b, split, "axis", 1);
    el_onnx_node(b, g, "Sigmoid", LIST("i_sum"), LIST("i"));
    el_onnx_node(b, g, "Sigmoid", LIST("f_sum"), LIST("f"));
    el_onnx_node(b, g, "Tanh", LIST("g_sum"), LIST("g"));
    el_onnx_node(b, g, "Sigmoid", LIST("o_sum"), LIST("o"));
    el_onnx_node(b, g, "Mul", LIST("f", "c_before"), LIST("kept"));
    el_onnx_node(b, g, "Mul", LIST("i", "g"), LIST("new"));
    el_onnx_node(b, g, "Add", LIST("kept", "new"), LIST("c_next"));
    el_onnx_node(b, g, "Tanh", LIST("c_next"), LIST("c_tanh"));
    el_onnx_node(b, g, "Mul", LIST("o", "c_tanh"), LIST("m"));
    add_gemm(b, g, "m", names->weight_hr, NULL, "h_next");
    /* No tensor is given twice. */
    el_onnx_node(b, g, "Identity", LIST("h_next"), LIST("y_step"));
    for (int i = 0; i < 3; ++i)
        el_onnx_graph_output(b, g, out[i], type, NULL, -1);
    return g;
}

static char *input_of(const ElOnnx__GraphProto *g, int node, size_t input)
{
    return input < g->node[node]->n_input ? g->node[node]->input[input] : NULL;
}

bool el_onnx_scan_find(const ElOnnx__GraphProto *g, el_onnx_scan_names *names)
{
    if (g->n_node != NODES)
        return false;
    *names = (el_onnx_scan_names){.weight_ih = input_of(g, GEMM_IH, 1),
                                  .bias_ih = input_of(g, GEMM_IH, 2),
                                  .weight_hh = input_of(g, GEMM_HH, 1),
                                  .bias_hh = input_of(g, GEMM_HH, 2),
                                  .weight_hr = input_of(g, GEMM_HR, 1)};
    return names->weight_ih && names->weight_hh && names->weight_hr &&
           !names->bias_ih == !names->bias_hh;
}

elman_status el_onnx_scan_same(const elman_context *context,
                               const ElOnnx__GraphProto *a,
                               const ElOnnx__GraphProto *b, bool *same)
{
    const size_t size = el_onnx__graph_proto__get_packed_size(a);
    *same = false;
    if (el_onnx__graph_proto__get_packed_size(b) != size)
        return ELMAN_OK;
    uint8_t *const bytes = el_alloc_array(context, 2, size);
    if (!bytes)
        return ELMAN_ENOMEM;
    el_onnx__graph_proto__pack(a, bytes);
    el_onnx__graph_proto__pack(b, bytes + size);
    *same = memcmp(bytes, bytes + size, size) == 0;
    el_free(context, bytes);
    return ELMAN_OK;
}
