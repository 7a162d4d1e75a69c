/* SPDX-License-Identifier: MIT */
/* graphs.h - ONNX graphs put together for tests, and read as if from a file. */
#ifndef TEST_GRAPHS_H
#define TEST_GRAPHS_H

#include "../../src/interop/onnx.h"
#include "../../src/interop/onnx_build.h"

#include <stdlib.h>
#include <string.h>

enum {
    GRAPH_FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    GRAPH_INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    GRAPH_INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
};

typedef struct graph {
    el_onnx_builder b;
    ElOnnx__GraphProto *g;
    ElOnnx__ModelProto *model;
} graph;

static inline void graph_begin(graph *m, const elman_context *context,
                               int64_t opset)
{
    *m = (graph){.b = {.context = context}};
    m->g = el_onnx_graph(&m->b, "graph");
    m->model = el_onnx_model(&m->b, m->g, 7, opset);
}

#define GRAPH_NAMES(...) ((char *[]){__VA_ARGS__, NULL})
#define GRAPH_NODE(m, op, in, out) el_onnx_node(&(m)->b, (m)->g, op, in, out)

/* Number i is (i % 7 - 3) / 8. */
static inline void graph_reals(graph *m, char *name, const int64_t *shape,
                               int rank)
{
    int64_t count = 1;
    for (int d = 0; d < rank; ++d)
        count *= shape[d];
    float *const x = el_onnx_make(&m->b, (size_t)count * sizeof *x);
    for (int64_t i = 0; x && i < count; ++i)
        x[i] = (float)(i % 7 - 3) / 8;
    el_onnx_initializer(&m->b, m->g, name, GRAPH_FLOAT, shape, rank, x,
                        (size_t)count * sizeof *x);
}
#define GRAPH_REALS(m, name, ...)                                              \
    graph_reals(m, name, (int64_t[]){__VA_ARGS__},                             \
                sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define GRAPH_INTEGERS(m, name, ...)                                           \
    el_onnx_integers(&(m)->b, (m)->g, name, (int64_t[]){__VA_ARGS__},          \
                     sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Sizes that are -1 are free. */
static inline void graph_input(graph *m, char *name, int type,
                               const int64_t *shape, int rank)
{
    el_onnx_dimension dims[8];
    for (int d = 0; d < rank; ++d)
        dims[d] = (el_onnx_dimension){shape[d] < 0 ? "free" : NULL, shape[d]};
    el_onnx_graph_input(&m->b, m->g, name, type, dims, rank);
}
#define GRAPH_INPUT(m, name, type, ...)                                        \
    graph_input(m, name, type, (int64_t[]){__VA_ARGS__},                       \
                sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static inline void graph_output(graph *m, char *name)
{
    el_onnx_graph_output(&m->b, m->g, name, GRAPH_FLOAT, NULL, -1);
}

/* Reads it, and frees it. */
static inline elman_status graph_parse(graph *m, elman_lm **lm,
                                       elman_network **network)
{
    const size_t size = el_onnx__model_proto__get_packed_size(m->model);
    unsigned char *const bytes = malloc(size + 1);
    if (!bytes)
        abort();
    el_onnx__model_proto__pack(m->model, bytes);
    const elman_context *const context = m->b.context;
    el_onnx_builder_free(&m->b);
    if (lm)
        *lm = NULL;
    *network = NULL;
    const elman_status s =
        el_onnx_parse(context, "FILE", bytes, size, lm, network);
    free(bytes);
    return s;
}

#endif
