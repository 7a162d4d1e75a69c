/* SPDX-License-Identifier: MIT */
#include "onnx_proto.h"
#include "../io/file.h"
#include "../base/utf8.h"

#include <string.h>

enum {
    DEPTH_MOST = 32,
    /* What structures may take beside the bytes themselves. */
    TIMES_MOST = 64,
    EXTRA_LEAST = 1 << 16,
    EXTRA_MOST = 1 << 28,
};

/* ---- Looking through the bytes --------------------------------------------
 * A message is fields one after another, each a key, number << 3 | kind, and
 * then what the kind says.  The descriptors that protobuf-c generates say
 * which fields are messages themselves. */

typedef struct cursor {
    const unsigned char *at, *end;
} cursor;

enum { VARINT = 0, EIGHT_BYTES = 1, BLOCK = 2, FOUR_BYTES = 5 };

static bool take_varint(cursor *c, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (c->at == c->end)
            return false;
        const unsigned char byte = *c->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

/* What a field holds; of a block the bytes in it. */
static bool take_field(cursor *c, int kind, cursor *inside)
{
    uint64_t size = 0;
    switch (kind) {
    case VARINT:
        return take_varint(c, &size);
    case EIGHT_BYTES:
    case FOUR_BYTES:
        size = kind == FOUR_BYTES ? 4 : 8;
        break;
    case BLOCK:
        if (!take_varint(c, &size))
            return false;
        break;
    default:
        return false;
    }
    if (size > (uint64_t)(c->end - c->at))
        return false;
    *inside = (cursor){c->at, c->at + size};
    c->at += size;
    return true;
}

static elman_status damaged(void)
{
    return el_fail(ELMAN_EFORMAT, "it is no ONNX model, or damaged");
}

static elman_status scan(const ProtobufCMessageDescriptor *type, cursor c,
                         int depth)
{
    uint64_t seen = 0, key;
    elman_status s = ELMAN_OK;
    if (depth > DEPTH_MOST)
        return el_fail(ELMAN_EFORMAT,
                       "its messages are nested more than %d "
                       "deep",
                       DEPTH_MOST);
    while (!s && c.at < c.end) {
        cursor inside = {NULL, NULL};
        if (!take_varint(&c, &key) || key >> 3 == 0 || key >> 3 > 1 << 29 ||
            !take_field(&c, (int)(key & 7), &inside))
            return damaged();
        const ProtobufCFieldDescriptor *const field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
        if (!field || (key & 7) != BLOCK)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING &&
            (memchr(inside.at, 0, (size_t)(inside.end - inside.at)) ||
             !el_utf8_valid((const char *)inside.at,
                            (size_t)(inside.end - inside.at))))
            return el_fail(ELMAN_EFORMAT, "a %s in it is no text", field->name);
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        /* Two that are to be one would be merged, again and again. */
        const uint64_t bit = UINT64_C(1) << ((field - type->fields) & 63);
        if (field->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit))
            return el_fail(ELMAN_EFORMAT, "a %s in it is there twice",
                           field->name);
        seen |= bit;
        s = scan(field->descriptor, inside, depth + 1);
    }
    return s;
}

/* ---- Memory ---------------------------------------------------------------*/

static void *take(void *user, size_t size)
{
    el_onnx_memory *const m = user;
    if (size > m->left) {
        m->over = true;
        return NULL;
    }
    m->left -= size;
    void *const block = el_alloc(m->context, size);
    if (!block)
        m->failed = true;
    return block;
}

static void give(void *user, void *block)
{
    const el_onnx_memory *const m = user;
    el_free(m->context, block);
}

static ProtobufCAllocator allocator(el_onnx_memory *memory)
{
    return (ProtobufCAllocator){take, give, memory};
}

/* ---- In -------------------------------------------------------------------*/

elman_status el_onnx_unpack(const elman_context *context, const void *bytes,
                            size_t size, el_onnx_memory *memory,
                            ElOnnx__ModelProto **out)
{
    const cursor all = {bytes, (const unsigned char *)bytes + size};
    size_t extra = EXTRA_MOST;
    *out = NULL;
    *memory = (el_onnx_memory){.context = context};
    if (size > INT32_MAX)
        return el_fail(ELMAN_EFORMAT, "it is larger than a message may be (2 "
                                      "GiB)");
    elman_status s = scan(&el_onnx__model_proto__descriptor, all, 0);
    if (s)
        return s;
    if (size < (EXTRA_MOST - EXTRA_LEAST) / TIMES_MOST)
        extra = TIMES_MOST * size + EXTRA_LEAST;
    memory->left = 2 * size + extra;
    ProtobufCAllocator from = allocator(memory);
    *out = el_onnx__model_proto__unpack(&from, size, bytes);
    if (*out)
        return ELMAN_OK;
    if (memory->over)
        return el_fail(ELMAN_EFORMAT, "it would become much more than it is");
    return memory->failed ? el_no_memory() : damaged();
}

void el_onnx_unpacked_free(el_onnx_memory *memory, ElOnnx__ModelProto *model)
{
    ProtobufCAllocator to = allocator(memory);
    if (model)
        el_onnx__model_proto__free_unpacked(model, &to);
}

/* ---- Out ------------------------------------------------------------------*/

elman_status el_onnx_pack(const elman_context *context,
                          const ElOnnx__ModelProto *model, const char *path)
{
    const size_t size = el_onnx__model_proto__get_packed_size(model);
    if (size > INT32_MAX)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the model is too large for one file of ONNX (2 GiB)");
    uint8_t *const bytes = el_alloc(context, size);
    if (!bytes)
        return ELMAN_ENOMEM;
    el_onnx__model_proto__pack(model, bytes);
    const el_part part = {bytes, size};
    const elman_status s = el_file_replace(context, path, &part, 1, 0);
    el_free(context, bytes);
    return s;
}
