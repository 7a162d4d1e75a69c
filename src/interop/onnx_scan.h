/* SPDX-License-Identifier: MIT */
/* onnx_scan.h - the LSTM with a projection, which ONNX has no operator for: a
 * Scan over the steps of one direction,
 *
 *   h, c, x -> Gemm, Gemm, Add, Split, Sigmoid, Tanh, ... -> h', c', y
 *
 * whose body names the weights of the graph around it.  It is read where it is
 * the same as it would be written. */
#ifndef EL_ONNX_SCAN_H
#define EL_ONNX_SCAN_H

#include "onnx_build.h"

/* Names of weights; the biases are NULL where there are none. */
typedef struct el_onnx_scan_names {
    char *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr;
} el_onnx_scan_names;

/* The body of a layer whose numbers are of this type. */
ElOnnx__GraphProto *el_onnx_scan_body(el_onnx_builder *b,
                                      const el_onnx_scan_names *names,
                                      int type);
/* The names in a body; false where it is not one of those. */
bool el_onnx_scan_find(const ElOnnx__GraphProto *body,
                       el_onnx_scan_names *names);
/* Whether two bodies are the same; ELMAN_ENOMEM. */
elman_status el_onnx_scan_same(const elman_context *context,
                               const ElOnnx__GraphProto *a,
                               const ElOnnx__GraphProto *b, bool *same);

#endif
