/* SPDX-License-Identifier: MIT */
/* onnx_build.h - messages of ONNX, put together.
 *
 * All that is made lives as long as the builder.  A failure to allocate is
 * remembered, and what comes after it does nothing, so that only the end need
 * be checked; NULL is taken wherever one of these made it. */
#ifndef EL_ONNX_BUILD_H
#define EL_ONNX_BUILD_H

#include "onnx_proto.h"

typedef struct el_onnx_builder {
    const elman_context *context;
    struct el_onnx_piece *first;
    bool failed;
} el_onnx_builder;
void el_onnx_builder_free(el_onnx_builder *builder);
void *el_onnx_make(el_onnx_builder *b, size_t size);
char *el_onnx_text(el_onnx_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A graph, and what is added to one; names are not copied. */
ElOnnx__GraphProto *el_onnx_graph(el_onnx_builder *b, char *name);
/* inputs and outputs are names, "" for one that is left out; NULL ends them. */
ElOnnx__NodeProto *el_onnx_node(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                                char *op, char *const *inputs,
                                char *const *outputs);
/* The tensor's numbers are borrowed until the builder is freed. */
void el_onnx_initializer(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                         char *name, int type, const int64_t *shape, int rank,
                         const void *data, size_t bytes);
/* A vector of INT64. */
void el_onnx_integers(el_onnx_builder *b, ElOnnx__GraphProto *graph, char *name,
                      const int64_t *numbers, int count);
/* One INT64. */
void el_onnx_integer_constant(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                              char *name, int64_t number);
typedef struct el_onnx_dimension {
    char *name; /* of one that is free; NULL: size */
    int64_t size;
} el_onnx_dimension;
/* rank -1: nothing is said of the shape. */
void el_onnx_graph_input(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                         char *name, int type, const el_onnx_dimension *shape,
                         int rank);
void el_onnx_graph_output(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                          char *name, int type, const el_onnx_dimension *shape,
                          int rank);

/* Attributes. */
void el_onnx_set_int(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                     int64_t value);
void el_onnx_set_ints(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                      const int64_t *values, int count);
void el_onnx_set_text(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                      char *value);
/* The same text, count times. */
void el_onnx_set_texts(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                       char *value, int count);
void el_onnx_set_graph(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                       ElOnnx__GraphProto *graph);

/* A model of this graph, in an opset. */
ElOnnx__ModelProto *el_onnx_model(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                                  int64_t ir, int64_t opset);
void el_onnx_meta(el_onnx_builder *b, ElOnnx__ModelProto *model, char *key,
                  char *value);

#endif
