/* SPDX-License-Identifier: MIT */
/* onnx_chain.h - the stages of a graph, one upon the other, as a network. */
#ifndef EL_ONNX_CHAIN_H
#define EL_ONNX_CHAIN_H

#include "onnx_walk.h"

/* The stages in the order in which numbers go through them. */
typedef struct el_onnx_chain {
    const el_onnx_walk *walk;
    const el_onnx_stage *tokens;  /* an embedding or one-hot; NULL: neither */
    const el_onnx_stage **layers; /* L, to be freed, on failure too */
    int64_t count;
    const el_onnx_stage *product, *bias; /* of the decoder; NULL: none */
    elman_network_desc desc;
} el_onnx_chain;

/* Puts the stages of a walk in order, and says what network they make; size
 * bytes were its file.  ELMAN_EFORMAT: they make none. */
elman_status el_onnx_chain_make(const el_onnx_walk *walk, size_t size,
                                el_onnx_chain *chain);

#endif
