/* SPDX-License-Identifier: MIT */
/* onnx.h - networks as ONNX graphs, out and in; see elman_onnx_write and
 * elman_onnx_read.  Without protobuf-c both are ELMAN_EUNSUPPORTED, and say
 * so. */
#ifndef EL_ONNX_H
#define EL_ONNX_H

#include "../model/lm.h"

/* network is the one inside lm, where that is not NULL. */
elman_status el_onnx_write(const elman_lm *lm, const elman_network *network,
                           const elman_onnx_desc *desc, const char *path);

/* As elman_onnx_read. */
elman_status el_onnx_read(const elman_context *context, const char *path,
                          elman_lm **lm, elman_network **network);
/* From memory (fuzzing, tests), which is borrowed; name stands in messages. */
elman_status el_onnx_parse(const elman_context *context, const char *name,
                           const void *bytes, size_t size, elman_lm **lm,
                           elman_network **network);

#endif
