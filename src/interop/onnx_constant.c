/* SPDX-License-Identifier: MIT */
#include "onnx_constant.h"
#include "../tensor/dtype.h"
#include "../tensor/half.h"

#include <string.h>

enum {
    FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    DOUBLE = EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    BOOL = EL_ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
    FLOAT16 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
    BFLOAT16 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
};

static size_t size_of(int type)
{
    return type == DOUBLE || type == INT64 ? 8 : 4;
}

bool el_onnx_is_real(const el_onnx_constant *t)
{
    return t->type == FLOAT || t->type == DOUBLE;
}

bool el_onnx_is_integer(const el_onnx_constant *t)
{
    return t->type == INT64 || t->type == INT32;
}

int el_onnx_type_here(int type)
{
    return type == FLOAT16 || type == BFLOAT16 ? FLOAT : type;
}

const char *el_onnx_type_name(int type)
{
    const ProtobufCEnumValue *const value =
        protobuf_c_enum_descriptor_get_value(
            &el_onnx__tensor_proto__data_type__descriptor, type);
    return value ? value->name : "no type";
}

/* ---- Blocks ---------------------------------------------------------------*/

struct el_onnx_block {
    struct el_onnx_block *next;
    max_align_t numbers[];
};

void el_onnx_blocks_free(el_onnx_blocks *blocks)
{
    while (blocks->first) {
        struct el_onnx_block *const block = blocks->first;
        blocks->first = block->next;
        el_free(blocks->context, block);
    }
}

void *el_onnx_blocks_take(el_onnx_blocks *blocks, size_t size,
                          elman_status *status)
{
    *status = ELMAN_EFORMAT;
    if (size > blocks->left) {
        el_fail(*status, "what is put together of constants is much more than "
                         "the file");
        return NULL;
    }
    blocks->left -= size;
    struct el_onnx_block *const block =
        el_alloc(blocks->context, sizeof *block + size);
    *status = block ? ELMAN_OK : ELMAN_ENOMEM;
    if (!block)
        return NULL;
    block->next = blocks->first;
    blocks->first = block;
    return block->numbers;
}

/* ---- Shapes ---------------------------------------------------------------*/

/* Strides as numbers lie that are row-major; false where there are too many. */
static bool lay_out(el_onnx_constant *t)
{
    t->count = 1;
    for (int d = t->rank - 1; d >= 0; --d) {
        t->stride[d] = t->count;
        if (t->shape[d] < 0 || !el_mul(t->count, t->shape[d], &t->count))
            return false;
    }
    return t->count < (int64_t)1 << 40;
}

static bool is_row_major(const el_onnx_constant *t)
{
    int64_t count = 1;
    for (int d = t->rank - 1; d >= 0; --d) {
        if (t->shape[d] != 1 && t->stride[d] != count)
            return false;
        count *= t->shape[d];
    }
    return true;
}

static const char *at(const el_onnx_constant *t, int64_t offset)
{
    return (const char *)t->data + offset * (int64_t)size_of(t->type);
}

el_onnx_constant el_onnx_vector(int type, const void *data, int64_t count)
{
    return (el_onnx_constant){.type = type,
                              .rank = count >= 0,
                              .shape = {count},
                              .stride = {1},
                              .count = count >= 0 ? count : 1,
                              .data = data};
}

bool el_onnx_transposed(const el_onnx_constant *t, const int64_t *perm,
                        el_onnx_constant *out)
{
    unsigned seen = 0;
    *out = *t;
    for (int d = 0; d < t->rank; ++d) {
        if (perm[d] < 0 || perm[d] >= t->rank || (seen >> perm[d] & 1))
            return false;
        seen |= 1u << perm[d];
        out->shape[d] = t->shape[perm[d]];
        out->stride[d] = t->stride[perm[d]];
    }
    return true;
}

el_onnx_constant el_onnx_sliced(const el_onnx_constant *t, int axis,
                                int64_t from, int64_t count)
{
    el_onnx_constant out = *t;
    if (count > 0)
        out.data = at(t, from * t->stride[axis]);
    out.shape[axis] = count;
    out.count = 1;
    for (int d = 0; d < out.rank; ++d)
        out.count *= out.shape[d];
    return out;
}

el_onnx_constant el_onnx_squeezed(const el_onnx_constant *t, int axis)
{
    el_onnx_constant out = *t;
    const size_t behind = (size_t)(t->rank - axis - 1);
    memmove(out.shape + axis, t->shape + axis + 1, behind * sizeof *t->shape);
    memmove(out.stride + axis, t->stride + axis + 1,
            behind * sizeof *t->stride);
    --out.rank;
    return out;
}

el_onnx_constant el_onnx_unsqueezed(const el_onnx_constant *t, int axis)
{
    el_onnx_constant out = *t;
    const size_t behind = (size_t)(t->rank - axis);
    memmove(out.shape + axis + 1, t->shape + axis, behind * sizeof *t->shape);
    memmove(out.stride + axis + 1, t->stride + axis,
            behind * sizeof *t->stride);
    out.shape[axis] = 1;
    out.stride[axis] = 0;
    ++out.rank;
    return out;
}

el_onnx_constant el_onnx_row(const el_onnx_constant *t, int64_t index)
{
    const el_onnx_constant row = el_onnx_sliced(t, 0, index, 1);
    return el_onnx_squeezed(&row, 0);
}

/* ---- Numbers --------------------------------------------------------------*/

/* An odometer over all rows, which lie one after another in what is made. */
void el_onnx_copy(const el_onnx_constant *t, void *to)
{
    const size_t size = size_of(t->type);
    const int last = t->rank - 1;
    const int64_t columns = last >= 0 ? t->shape[last] : 1;
    const int64_t step = last >= 0 ? t->stride[last] : 0;
    int64_t index[EL_ONNX_RANK] = {0}, from = 0;
    char *out = to;
    if (t->count == 0)
        return;
    for (int64_t rows = t->count / columns; rows > 0; --rows) {
        const char *in = at(t, from);
        if (step == 1)
            memcpy(out, in, (size_t)columns * size);
        else
            for (int64_t i = 0; i < columns; ++i)
                memcpy(out + (size_t)i * size, in + i * step * (int64_t)size,
                       size);
        out += (size_t)columns * size;
        for (int d = last - 1; d >= 0; --d) {
            from += t->stride[d];
            if (++index[d] < t->shape[d])
                break;
            from -= index[d] * t->stride[d];
            index[d] = 0;
        }
    }
}

static const char *element(const el_onnx_constant *t, int64_t i)
{
    int64_t offset = 0;
    for (int d = t->rank - 1; d >= 0; --d) {
        offset += i % t->shape[d] * t->stride[d];
        i /= t->shape[d];
    }
    return at(t, offset);
}

int64_t el_onnx_integer(const el_onnx_constant *t, int64_t i)
{
    int32_t little;
    int64_t out;
    if (t->type == INT64) {
        memcpy(&out, element(t, i), sizeof out);
        return out;
    }
    memcpy(&little, element(t, i), sizeof little);
    return little;
}

double el_onnx_real(const el_onnx_constant *t, int64_t i)
{
    float narrow;
    double out;
    if (t->type == DOUBLE) {
        memcpy(&out, element(t, i), sizeof out);
        return out;
    }
    memcpy(&narrow, element(t, i), sizeof narrow);
    return narrow;
}

bool el_onnx_is_zero(const el_onnx_constant *t)
{
    for (int64_t i = 0; i < t->count; ++i)
        if (el_onnx_is_real(t) ? el_onnx_real(t, i) != 0
                               : el_onnx_integer(t, i) != 0)
            return false;
    return true;
}

/* ---- Put together ---------------------------------------------------------*/

static elman_status make(el_onnx_blocks *blocks, int type, const int64_t *shape,
                         int rank, el_onnx_constant *out)
{
    elman_status s;
    *out = (el_onnx_constant){.type = type, .rank = rank};
    memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
    if (!lay_out(out))
        return el_fail(ELMAN_EFORMAT, "a constant's sizes are too large");
    out->data =
        el_onnx_blocks_take(blocks, (size_t)out->count * size_of(type), &s);
    return s;
}

elman_status el_onnx_reshaped(el_onnx_blocks *blocks, const el_onnx_constant *t,
                              const int64_t *shape, int rank,
                              el_onnx_constant *out)
{
    el_onnx_constant whole = *t;
    elman_status s = ELMAN_OK;
    whole.rank = rank;
    memcpy(whole.shape, shape, (size_t)rank * sizeof *shape);
    if (!lay_out(&whole) || whole.count != t->count)
        return el_fail(ELMAN_EFORMAT, "the new shape has not as many numbers");
    if (is_row_major(t)) {
        *out = whole;
        return ELMAN_OK;
    }
    s = make(blocks, t->type, shape, rank, out);
    if (!s)
        el_onnx_copy(t, (void *)out->data);
    return s;
}

static bool may_join(const el_onnx_constant *a, const el_onnx_constant *b,
                     int axis)
{
    if (a->type != b->type || a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; ++d)
        if (d != axis && a->shape[d] != b->shape[d])
            return false;
    return true;
}

/* t as [before, what is copied at once], its dimensions from axis on one. */
static void copy_part(const el_onnx_constant *t, int axis, char *to,
                      int64_t part, int64_t whole)
{
    const size_t size = size_of(t->type);
    int64_t before = 1;
    for (int d = 0; d < axis; ++d)
        before *= t->shape[d];
    for (int64_t i = 0; i < before && part > 0; ++i) {
        el_onnx_constant inner = *t;
        int64_t rest = i;
        for (int d = axis - 1; d >= 0; --d) {
            const int64_t index = rest % t->shape[d];
            rest /= t->shape[d];
            inner.data = at(&inner, index * t->stride[d]);
        }
        for (int d = 0; d < axis; ++d)
            inner = el_onnx_squeezed(&inner, 0);
        inner.count = part;
        el_onnx_copy(&inner, to + (size_t)(i * whole) * size);
    }
}

elman_status el_onnx_joined(el_onnx_blocks *blocks,
                            const el_onnx_constant *const *list, int count,
                            int axis, el_onnx_constant *out)
{
    el_onnx_constant shape = *list[0];
    for (int i = 1; i < count; ++i)
        if (!may_join(list[0], list[i], axis) ||
            !el_add(shape.shape[axis], list[i]->shape[axis],
                    &shape.shape[axis]))
            return el_fail(ELMAN_EFORMAT, "the constants' types or shapes do "
                                          "not go together");
    const elman_status s =
        make(blocks, shape.type, shape.shape, shape.rank, out);
    if (s)
        return s;
    int64_t inner = 1;
    for (int d = axis + 1; d < out->rank; ++d)
        inner *= out->shape[d];
    char *to = (char *)out->data;
    for (int i = 0; i < count; ++i) {
        const int64_t part = list[i]->shape[axis] * inner;
        copy_part(list[i], axis, to, part, out->shape[axis] * inner);
        to += (size_t)part * size_of(out->type);
    }
    return ELMAN_OK;
}

/* ---- From a file ----------------------------------------------------------*/

/* Numbers as a list, by type. */
static const void *listed(const ElOnnx__TensorProto *p, size_t *count)
{
    switch (p->data_type) {
    case FLOAT:
        *count = p->n_float_data;
        return p->float_data;
    case DOUBLE:
        *count = p->n_double_data;
        return p->double_data;
    case INT64:
        *count = p->n_int64_data;
        return p->int64_data;
    default:
        *count = p->n_int32_data;
        return p->int32_data;
    }
}

static elman_status check_proto(const ElOnnx__TensorProto *p)
{
    if (p->n_external_data > 0 ||
        p->data_location == EL_ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return el_fail(ELMAN_EFORMAT, "its numbers are in another file (save "
                                      "the model as one file, without external "
                                      "data)");
    if (p->segment)
        return el_fail(ELMAN_EFORMAT, "it is a segment of a tensor");
    if (p->data_type != FLOAT && p->data_type != DOUBLE &&
        p->data_type != INT64 && p->data_type != INT32 &&
        p->data_type != BOOL && p->data_type != FLOAT16 &&
        p->data_type != BFLOAT16)
        return el_fail(ELMAN_EFORMAT,
                       "its numbers are of type %s, which is "
                       "not read",
                       el_onnx_type_name(p->data_type));
    if (p->n_dims > EL_ONNX_RANK)
        return el_fail(ELMAN_EFORMAT, "it has %zu dimensions (at most %d)",
                       p->n_dims, EL_ONNX_RANK);
    return ELMAN_OK;
}

/* Of numbers that are two bytes each, or the lower ones of an integer each, as
 * lists have them. */
static elman_status widen(el_onnx_blocks *blocks, el_onnx_constant *t,
                          const int32_t *listed)
{
    const unsigned char *const raw = t->data;
    const bool brain = t->type == BFLOAT16;
    elman_status s;
    float *const out =
        el_onnx_blocks_take(blocks, (size_t)t->count * sizeof *out, &s);
    for (int64_t i = 0; !s && i < t->count; ++i) {
        const uint16_t half =
            (uint16_t)(listed ? (uint32_t)listed[i]
                              : (uint32_t)raw[2 * i] | (uint32_t)raw[2 * i + 1]
                                                           << 8);
        out[i] = brain ? el_from_bfloat16(half) : el_from_float16(half);
    }
    t->data = out;
    t->type = FLOAT;
    return s;
}

/* One is all that anybody needs. */
static elman_status take_truth(el_onnx_constant *t, bool raw)
{
    static const int32_t truths[] = {0, 1};
    if (t->count != 1)
        return el_fail(ELMAN_EFORMAT, "it has many numbers of type BOOL");
    t->data = &truths[raw ? *(const unsigned char *)t->data != 0
                          : *(const int32_t *)t->data != 0];
    t->type = INT32;
    return ELMAN_OK;
}

static size_t size_in_file(int type)
{
    return type == BOOL                          ? 1
           : type == FLOAT16 || type == BFLOAT16 ? 2
                                                 : size_of(type);
}

elman_status el_onnx_constant_of(el_onnx_blocks *blocks,
                                 const ElOnnx__TensorProto *p,
                                 el_onnx_constant *out)
{
    size_t listed_count;
    elman_status s = check_proto(p);
    if (s)
        return s;
    const void *const list = listed(p, &listed_count);
    *out = (el_onnx_constant){.type = p->data_type, .rank = (int)p->n_dims};
    if (p->n_dims > 0)
        memcpy(out->shape, p->dims, p->n_dims * sizeof *p->dims);
    if (!lay_out(out))
        return el_fail(ELMAN_EFORMAT, "its sizes are negative, or too large");
    const size_t count = (size_t)out->count;
    const bool raw = p->has_raw_data && p->raw_data.len > 0;
    if (raw ? listed_count > 0 ||
                  p->raw_data.len != count * size_in_file(out->type)
            : listed_count != count)
        return el_fail(ELMAN_EFORMAT,
                       "it has not as many numbers as its sizes say");
    out->data = raw ? (const void *)p->raw_data.data : list;
    if (out->type == BOOL)
        return take_truth(out, raw);
    if (el_onnx_type_here(out->type) != out->type)
        return widen(blocks, out, raw ? NULL : list);
    return ELMAN_OK;
}
