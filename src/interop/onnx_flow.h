/* SPDX-License-Identifier: MIT */
/* onnx_flow.h - what is known of a tensor that a graph computes: its
 * dimensions, each a group of axes that were put together in this order.
 *
 * An axis is one of a graph's input, whose size may be free, or the features
 * or the directions of a layer.  A group of none is a dimension of 1.  So
 * whatever reshaping and transposing there is between two layers, it is known
 * in the end which axis is which, and nothing is told by a size. */
#ifndef EL_ONNX_FLOW_H
#define EL_ONNX_FLOW_H

#include "onnx_constant.h"

enum {
    EL_ONNX_AXES = 16,
    EL_ONNX_FEATURES = -1,   /* what a layer or an embedding gives */
    EL_ONNX_DIRECTIONS = -2, /* S */
    EL_ONNX_NO_AXIS = -3,
};

typedef struct el_onnx_axis {
    int id;       /* RANK * input + dimension, or one of the above */
    int64_t size; /* -1: free */
} el_onnx_axis;

typedef struct el_onnx_flow {
    int rank, count;
    el_onnx_axis axes[EL_ONNX_AXES];
    int ends[EL_ONNX_RANK]; /* group d ends before axes[ends[d]] */
} el_onnx_flow;

/* A size that a graph computes with: a number, or that of a free axis, or of
 * two. */
typedef struct el_onnx_size {
    int64_t value;
    int id; /* EL_ONNX_NO_AXIS: it is value */
    bool unknown;
    int by; /* 0; or 1 + the other axis, by whose size it is multiplied */
} el_onnx_size;

static inline bool el_onnx_size_is_known(el_onnx_size size)
{
    return !size.unknown && size.id == EL_ONNX_NO_AXIS;
}

/* One more dimension at the end, of this axis; size 1 is none where the axis is
 * no input's.  False if there is no room. */
bool el_onnx_flow_add(el_onnx_flow *flow, int id, int64_t size);
/* One more axis, the first of a dimension; likewise. */
bool el_onnx_flow_put(el_onnx_flow *flow, int dimension, int id, int64_t size);
/* Without the last dimension. */
void el_onnx_flow_pop(el_onnx_flow *flow);
/* A dimension becomes one axis of this size, or with size 1 nothing is in it;
 * false if there is no room. */
bool el_onnx_flow_set(el_onnx_flow *flow, int dimension, int id, int64_t size);
/* The only axis of a dimension; NULL: there is none, or more. */
const el_onnx_axis *el_onnx_flow_axis(const el_onnx_flow *flow, int dimension);
/* Whether nothing is in it, so that it is 1. */
bool el_onnx_flow_is_empty(const el_onnx_flow *flow, int dimension);
el_onnx_size el_onnx_flow_size(const el_onnx_flow *flow, int dimension);
/* Whether a dimension is features by so many, of directions by so many. */
bool el_onnx_flow_is_features(const el_onnx_flow *flow, int dimension,
                              int64_t directions, int64_t features);
bool el_onnx_flow_same(const el_onnx_flow *a, const el_onnx_flow *b);

/* These are false where it cannot be done, or not be followed. */
bool el_onnx_flow_transpose(el_onnx_flow *flow, const int64_t *perm);
bool el_onnx_flow_squeeze(el_onnx_flow *flow, int dimension);
bool el_onnx_flow_unsqueeze(el_onnx_flow *flow, int dimension);
/* As Reshape has it: 0 is as it was, -1 what is left. */
bool el_onnx_flow_reshape(el_onnx_flow *flow, const el_onnx_size *sizes,
                          int count);

#endif
