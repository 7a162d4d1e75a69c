/* SPDX-License-Identifier: MIT */
/* onnx_work.h - what the operators that do a network's work share. */
#ifndef EL_ONNX_WORK_H
#define EL_ONNX_WORK_H

#include "onnx_walk.h"

/* Sizes are smaller. */
#define EL_ONNX_MOST ((int64_t)1 << 31)

/* Gives an output, where it is wanted, the flow of a stage. */
void el_onnx_give(const el_onnx_walk *walk, const ElOnnx__NodeProto *node,
                  int output, const el_onnx_flow *flow, int type,
                  elman_decode steps, const el_onnx_stage *stage);
/* Whether a dimension holds all that the stage of a flow gives, in its own
 * order. */
bool el_onnx_is_whole(const el_onnx_walk *walk, const el_onnx_value *value,
                      int dimension);
/* Whether it is an input, all of it, of integers. */
bool el_onnx_is_integers(const el_onnx_value *value);

/* ---- What layers share (onnx_layer.c) -------------------------------------*/

/* As many sizes as t has dimensions; what is its name in the sentence. */
elman_status el_onnx_check_shape(const ElOnnx__NodeProto *node,
                                 const char *what, const el_onnx_constant *t,
                                 const int64_t *shape);
/* Steps, sequences and features, the first two of them as in all layers. */
elman_status el_onnx_read_input(el_onnx_walk *walk,
                                const ElOnnx__NodeProto *node,
                                const el_onnx_value *x, int64_t input, int type,
                                el_onnx_axis *time, el_onnx_axis *batch);
/* The same in all layers; NULL: there are none. */
elman_status el_onnx_read_lengths(el_onnx_walk *walk,
                                  const ElOnnx__NodeProto *node,
                                  const el_onnx_value *lengths);
/* Where the states of all directions begin, in input number i. */
elman_status el_onnx_read_start(el_onnx_walk *walk,
                                const ElOnnx__NodeProto *node, int i, int rank,
                                int directions, int type, el_onnx_start *out);
/* h of a layer at each sequence's end: [S,B,H], or as output 0, that of a Scan,
 * without the first dimension. */
void el_onnx_give_state(const el_onnx_walk *walk, const ElOnnx__NodeProto *node,
                        int output, el_onnx_axis batch, int type,
                        const el_onnx_stage *stage);
/* c, of which nothing is made. */
void el_onnx_give_cells(const el_onnx_walk *walk, const ElOnnx__NodeProto *node,
                        int output);

#endif
