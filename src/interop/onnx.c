/* SPDX-License-Identifier: MIT */
/* onnx.c - see onnx.h: the files as they are on disk, and what there is where
 * protobuf-c is not. */
#include "onnx.h"

#ifndef ELMAN_ONNX

static elman_status without(const char *path)
{
    return el_fail(ELMAN_EUNSUPPORTED,
                   "%s: this library was built without protobuf-c, and reads "
                   "and writes no ONNX (make deps-onnx, and build it anew)",
                   path);
}

elman_status el_onnx_write(const elman_lm *lm, const elman_network *network,
                           const elman_onnx_desc *desc, const char *path)
{
    (void)lm;
    (void)network;
    (void)desc;
    return without(path);
}

elman_status el_onnx_read(const elman_context *context, const char *path,
                          elman_lm **lm, elman_network **network)
{
    (void)context;
    (void)lm;
    (void)network;
    return without(path);
}

elman_status el_onnx_parse(const elman_context *context, const char *name,
                           const void *bytes, size_t size, elman_lm **lm,
                           elman_network **network)
{
    (void)context;
    (void)bytes;
    (void)size;
    (void)lm;
    (void)network;
    return without(name);
}

#else

#include "../io/file.h"
#include "onnx_read.h"
#include "onnx_write.h"

elman_status el_onnx_write(const elman_lm *lm, const elman_network *network,
                           const elman_onnx_desc *desc, const char *path)
{
    const elman_status s = el_onnx_make_file(lm, network, desc, path);
    return s == ELMAN_EUNSUPPORTED ? el_fail_in(s, path) : s;
}

elman_status el_onnx_parse(const elman_context *context, const char *name,
                           const void *bytes, size_t size, elman_lm **lm,
                           elman_network **network)
{
    el_onnx_memory memory;
    ElOnnx__ModelProto *model;
    elman_status s = el_onnx_unpack(context, bytes, size, &memory, &model);
    if (!s)
        s = el_onnx_take(context, model, size, lm, network);
    el_onnx_unpacked_free(&memory, model);
    return s ? el_fail_in(s, name) : ELMAN_OK;
}

elman_status el_onnx_read(const elman_context *context, const char *path,
                          elman_lm **lm, elman_network **network)
{
    void *bytes;
    size_t size;
    elman_status s = el_file_read(context, path, &bytes, &size);
    if (s)
        return s;
    s = el_onnx_parse(context, path, bytes, size, lm, network);
    el_free(context, bytes);
    return s;
}

#endif
