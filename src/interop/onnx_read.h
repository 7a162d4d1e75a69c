/* SPDX-License-Identifier: MIT */
/* onnx_read.h - a network, or a language model, of an ONNX graph. */
#ifndef EL_ONNX_READ_H
#define EL_ONNX_READ_H

#include "onnx.h"
#include "onnx_walk.h"

/* model was unpacked from size bytes; else as el_onnx_read, without a name in
 * messages. */
elman_status el_onnx_take(const elman_context *context,
                          const ElOnnx__ModelProto *model, size_t size,
                          elman_lm **lm, elman_network **network);

#endif
