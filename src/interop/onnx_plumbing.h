/* SPDX-License-Identifier: MIT */
/* onnx_plumbing.h - what the operators that only move numbers about share. */
#ifndef EL_ONNX_PLUMBING_H
#define EL_ONNX_PLUMBING_H

#include "onnx_walk.h"

/* What keeps no shape: whatever moves its numbers leaves it what it is. */
bool el_onnx_is_shapeless(const el_onnx_value *value);
bool el_onnx_has_flow(const el_onnx_value *value);
/* How many dimensions it has, if it keeps a shape. */
int el_onnx_rank_of(const el_onnx_value *value);
/* A dimension counted from either end; false where there is none. */
bool el_onnx_to_axis(int64_t number, int rank, int *out);

/* The node's first output becomes what its first input is. */
el_onnx_value *el_onnx_pass(el_onnx_walk *walk, const ElOnnx__NodeProto *node);
/* What the node makes of its first input is not followed: it is refused, but
 * for states, which may go out as whatever they are. */
elman_status el_onnx_cannot(el_onnx_walk *walk, const ElOnnx__NodeProto *node);

/* Numbers of an attribute or, where newer versions have it so, of a constant
 * input; count is -1 where neither is there. */
typedef struct el_onnx_numbers {
    int64_t at[EL_ONNX_SIZES_MOST];
    int count;
} el_onnx_numbers;
elman_status el_onnx_take_numbers(const el_onnx_walk *walk,
                                  const ElOnnx__NodeProto *node,
                                  const char *name, int input,
                                  el_onnx_numbers *out);

#endif
