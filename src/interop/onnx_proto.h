/* SPDX-License-Identifier: MIT */
/* onnx_proto.h - the messages of ONNX, by protobuf-c, from and to bytes.
 *
 * protobuf-c unpacks whatever it is given, as deep as it goes; so the bytes are
 * looked through before it sees them, and it has so much memory and no more. */
#ifndef EL_ONNX_PROTO_H
#define EL_ONNX_PROTO_H

#include "../base/context.h"

#include <onnx.pb-c.h>

typedef struct el_onnx_memory {
    const elman_context *context;
    size_t left; /* bytes that may still be taken */
    bool failed; /* the context had none left */
    bool over;   /* more than there may be was asked for */
} el_onnx_memory;

/* ELMAN_EFORMAT: it is no message of ONNX, nested too deep, has a name that is
 * no text, or would become much more than the bytes are. */
elman_status el_onnx_unpack(const elman_context *context, const void *bytes,
                            size_t size, el_onnx_memory *memory,
                            ElOnnx__ModelProto **out);
/* NULL is fine. */
void el_onnx_unpacked_free(el_onnx_memory *memory, ElOnnx__ModelProto *model);

/* Writes it, whole or not at all.  ELMAN_EUNSUPPORTED: it is larger than a
 * message may be. */
elman_status el_onnx_pack(const elman_context *context,
                          const ElOnnx__ModelProto *model, const char *path);

#endif
