/* SPDX-License-Identifier: MIT */
/* onnx_write.h - an ONNX graph of a network.
 *
 *   x [T,B,I], or ids [T,B]     -> Gather or OneHot, and RNN, LSTM or GRU one
 *   h0 [L*S,B,P], c0 [L*S,B,H]     above the other, and MatMul, Add
 *   lengths [B], if asked for      -> y [T,B,O], hT, cT
 *
 * T and B are free.  Weights bear the names of the model file where they are
 * the same numbers. */
#ifndef EL_ONNX_WRITE_H
#define EL_ONNX_WRITE_H

#include "onnx.h"

/* Words of the metadata, in order of elman_level and elman_normalize. */
extern const char *const el_onnx_levels[], *const el_onnx_normalizations[];

/* As el_onnx_write; messages of ELMAN_EUNSUPPORTED are without path. */
elman_status el_onnx_make_file(const elman_lm *lm, const elman_network *network,
                               const elman_onnx_desc *desc, const char *path);

#endif
