/* SPDX-License-Identifier: MIT */
#include "onnx_build.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct el_onnx_piece {
    struct el_onnx_piece *next;
    max_align_t bytes[];
};

void el_onnx_builder_free(el_onnx_builder *b)
{
    while (b->first) {
        struct el_onnx_piece *const piece = b->first;
        b->first = piece->next;
        el_free(b->context, piece);
    }
}

void *el_onnx_make(el_onnx_builder *b, size_t size)
{
    struct el_onnx_piece *const piece =
        b->failed || size > SIZE_MAX / 2
            ? NULL
            : el_alloc(b->context, sizeof *piece + size);
    if (!piece) {
        b->failed = true;
        return NULL;
    }
    piece->next = b->first;
    b->first = piece;
    return piece->bytes;
}

char *el_onnx_text(el_onnx_builder *b, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *const copy = el_onnx_make(b, (size_t)size + 1);
    if (copy)
        memcpy(copy, text, (size_t)size + 1);
    return copy;
}

/* A message of one's own, set by its init function. */
#define MAKE(b, name, what, type)                                              \
    type *const name = el_onnx_make(b, sizeof *name);                          \
    if (name)                                                                  \
    what##__init(name)

/* One more in a list, which doubles when its number is a power of 2. */
static void append(el_onnx_builder *b, void *list, size_t *count, void *item)
{
    void **items;
    memcpy(&items, list, sizeof items);
    if ((*count & (*count - 1)) == 0) {
        const size_t room = *count > 0 ? 2 * *count : 1;
        void **const more = el_onnx_make(b, room * sizeof *more);
        if (more && *count > 0)
            memcpy(more, items, *count * sizeof *more);
        items = more;
    }
    if (b->failed)
        return;
    items[(*count)++] = item;
    memcpy(list, &items, sizeof items);
}

/* ---- Graphs ---------------------------------------------------------------*/

ElOnnx__GraphProto *el_onnx_graph(el_onnx_builder *b, char *name)
{
    MAKE(b, graph, el_onnx__graph_proto, ElOnnx__GraphProto);
    if (graph)
        graph->name = name;
    return graph;
}

ElOnnx__NodeProto *el_onnx_node(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                                char *op, char *const *inputs,
                                char *const *outputs)
{
    MAKE(b, node, el_onnx__node_proto, ElOnnx__NodeProto);
    if (!node || !graph)
        return NULL;
    node->op_type = op;
    node->name = outputs[0];
    for (; *inputs && !b->failed; ++inputs)
        append(b, &node->input, &node->n_input, *inputs);
    for (; *outputs && !b->failed; ++outputs)
        append(b, &node->output, &node->n_output, *outputs);
    append(b, &graph->node, &graph->n_node, node);
    return node;
}

void el_onnx_initializer(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                         char *name, int type, const int64_t *shape, int rank,
                         const void *data, size_t bytes)
{
    MAKE(b, tensor, el_onnx__tensor_proto, ElOnnx__TensorProto);
    int64_t *const dims = el_onnx_make(b, (size_t)(rank + 1) * sizeof *dims);
    if (!tensor || !dims || !graph)
        return;
    memcpy(dims, shape, (size_t)rank * sizeof *dims);
    tensor->name = name;
    tensor->n_dims = (size_t)rank;
    tensor->dims = dims;
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){bytes, (uint8_t *)data};
    append(b, &graph->initializer, &graph->n_initializer, tensor);
}

static void add_integers(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                         char *name, const int64_t *numbers, int count,
                         int rank)
{
    const size_t bytes = (size_t)count * sizeof *numbers;
    void *const copy = el_onnx_make(b, bytes);
    if (!copy)
        return;
    memcpy(copy, numbers, bytes);
    el_onnx_initializer(b, graph, name, EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                        (int64_t[]){count}, rank, copy, bytes);
}

void el_onnx_integers(el_onnx_builder *b, ElOnnx__GraphProto *graph, char *name,
                      const int64_t *numbers, int count)
{
    add_integers(b, graph, name, numbers, count, 1);
}

void el_onnx_integer_constant(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                              char *name, int64_t number)
{
    add_integers(b, graph, name, &number, 1, 0);
}

static ElOnnx__ValueInfoProto *make_info(el_onnx_builder *b, char *name,
                                         int type,
                                         const el_onnx_dimension *dims,
                                         int rank)
{
    MAKE(b, info, el_onnx__value_info_proto, ElOnnx__ValueInfoProto);
    MAKE(b, kind, el_onnx__type_proto, ElOnnx__TypeProto);
    MAKE(b, tensor, el_onnx__type_proto__tensor, ElOnnx__TypeProto__Tensor);
    MAKE(b, shape, el_onnx__tensor_shape_proto, ElOnnx__TensorShapeProto);
    if (b->failed)
        return NULL;
    info->name = name;
    info->type = kind;
    kind->value_case = EL_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    kind->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = type;
    tensor->shape = rank >= 0 ? shape : NULL;
    for (int d = 0; d < rank; ++d) {
        MAKE(b, dim, el_onnx__tensor_shape_proto__dimension,
             ElOnnx__TensorShapeProto__Dimension);
        if (!dim)
            return NULL;
        dim->value_case =
            dims[d].name
                ? EL_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                : EL_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (dims[d].name)
            dim->dim_param = dims[d].name;
        else
            dim->dim_value = dims[d].size;
        append(b, &shape->dim, &shape->n_dim, dim);
    }
    return info;
}

void el_onnx_graph_input(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                         char *name, int type, const el_onnx_dimension *shape,
                         int rank)
{
    ElOnnx__ValueInfoProto *const info = make_info(b, name, type, shape, rank);
    if (info && graph)
        append(b, &graph->input, &graph->n_input, info);
}

void el_onnx_graph_output(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                          char *name, int type, const el_onnx_dimension *shape,
                          int rank)
{
    ElOnnx__ValueInfoProto *const info = make_info(b, name, type, shape, rank);
    if (info && graph)
        append(b, &graph->output, &graph->n_output, info);
}

/* ---- Attributes -----------------------------------------------------------*/

static ElOnnx__AttributeProto *
make_attribute(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
               ElOnnx__AttributeProto__AttributeType type)
{
    MAKE(b, a, el_onnx__attribute_proto, ElOnnx__AttributeProto);
    if (!a || !node)
        return NULL;
    a->name = name;
    a->has_type = 1;
    a->type = type;
    append(b, &node->attribute, &node->n_attribute, a);
    return a;
}

void el_onnx_set_int(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                     int64_t value)
{
    ElOnnx__AttributeProto *const a = make_attribute(
        b, node, name, EL_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a)
        return;
    a->has_i = 1;
    a->i = value;
}

void el_onnx_set_ints(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                      const int64_t *values, int count)
{
    const size_t bytes = (size_t)count * sizeof *values;
    int64_t *const copy = el_onnx_make(b, bytes);
    ElOnnx__AttributeProto *const a = make_attribute(
        b, node, name, EL_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!a || !copy)
        return;
    memcpy(copy, values, bytes);
    a->n_ints = (size_t)count;
    a->ints = copy;
}

static ProtobufCBinaryData bytes_of(char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

void el_onnx_set_text(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                      char *value)
{
    ElOnnx__AttributeProto *const a = make_attribute(
        b, node, name, EL_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!a)
        return;
    a->has_s = 1;
    a->s = bytes_of(value);
}

void el_onnx_set_texts(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                       char *value, int count)
{
    ProtobufCBinaryData *const list =
        el_onnx_make(b, (size_t)count * sizeof *list);
    ElOnnx__AttributeProto *const a = make_attribute(
        b, node, name, EL_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    if (!a || !list)
        return;
    for (int i = 0; i < count; ++i)
        list[i] = bytes_of(value);
    a->n_strings = (size_t)count;
    a->strings = list;
}

void el_onnx_set_graph(el_onnx_builder *b, ElOnnx__NodeProto *node, char *name,
                       ElOnnx__GraphProto *graph)
{
    ElOnnx__AttributeProto *const a = make_attribute(
        b, node, name, EL_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
    if (a)
        a->g = graph;
}

/* ---- The model ------------------------------------------------------------*/

ElOnnx__ModelProto *el_onnx_model(el_onnx_builder *b, ElOnnx__GraphProto *graph,
                                  int64_t ir, int64_t opset)
{
    MAKE(b, model, el_onnx__model_proto, ElOnnx__ModelProto);
    MAKE(b, set, el_onnx__operator_set_id_proto, ElOnnx__OperatorSetIdProto);
    if (b->failed)
        return NULL;
    model->has_ir_version = 1;
    model->ir_version = ir;
    model->producer_name = (char *)"elman";
    model->producer_version = (char *)elman_version();
    model->graph = graph;
    set->domain = (char *)"";
    set->has_version = 1;
    set->version = opset;
    append(b, &model->opset_import, &model->n_opset_import, set);
    return model;
}

void el_onnx_meta(el_onnx_builder *b, ElOnnx__ModelProto *model, char *key,
                  char *value)
{
    MAKE(b, one, el_onnx__string_string_entry_proto,
         ElOnnx__StringStringEntryProto);
    if (!one || !model)
        return;
    one->key = key;
    one->value = value;
    append(b, &model->metadata_props, &model->n_metadata_props, one);
}
