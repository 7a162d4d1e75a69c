/* SPDX-License-Identifier: MIT */
#include "torch_numbers.h"
#include "../tensor/dtype.h"
#include "../tensor/half.h"

#include <string.h>

static const struct {
    size_t size; /* in the storage */
    elman_dtype dtype;
} kinds[EL_TORCH_NUMBERS] = {
    [EL_TORCH_F32] = {4, ELMAN_F32}, [EL_TORCH_F64] = {8, ELMAN_F64},
    [EL_TORCH_F16] = {2, ELMAN_F32}, [EL_TORCH_BF16] = {2, ELMAN_F32},
    [EL_TORCH_I64] = {8, ELMAN_I64}, [EL_TORCH_I32] = {4, ELMAN_I32},
    [EL_TORCH_I16] = {2, ELMAN_I32}, [EL_TORCH_I8] = {1, ELMAN_I32},
    [EL_TORCH_U8] = {1, ELMAN_U8}};

static const struct {
    const char *storage, *dtype;
    el_torch_number number;
} names[] = {{"FloatStorage", "float32", EL_TORCH_F32},
             {"DoubleStorage", "float64", EL_TORCH_F64},
             {"HalfStorage", "float16", EL_TORCH_F16},
             {"BFloat16Storage", "bfloat16", EL_TORCH_BF16},
             {"LongStorage", "int64", EL_TORCH_I64},
             {"IntStorage", "int32", EL_TORCH_I32},
             {"ShortStorage", "int16", EL_TORCH_I16},
             {"CharStorage", "int8", EL_TORCH_I8},
             {"ByteStorage", "uint8", EL_TORCH_U8},
             {"BoolStorage", "bool", EL_TORCH_U8},
             {"UntypedStorage", "uint8", EL_TORCH_U8}};
enum { NAMES = sizeof names / sizeof *names };

elman_status el_torch_find(el_pickle_text name, bool storage,
                           el_torch_number *out)
{
    for (int i = 0; i < NAMES; ++i)
        if (el_pickle_text_is(name,
                              storage ? names[i].storage : names[i].dtype)) {
            *out = names[i].number;
            return ELMAN_OK;
        }
    return el_fail(ELMAN_EFORMAT,
                   "its numbers are of torch's %.*s, which is not read",
                   (int)(name.size < 40 ? name.size : 40), name.at);
}

size_t el_torch_size(el_torch_number number)
{
    return kinds[number].size;
}

elman_dtype el_torch_dtype(el_torch_number number)
{
    return kinds[number].dtype;
}

static void turn(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; ++i) {
        const unsigned char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

static void put_number(el_torch_number number, bool big,
                       const unsigned char *from, void *to)
{
    unsigned char bytes[8];
    const size_t size = kinds[number].size;
    uint16_t half = 0;
    int32_t integer;
    float real;
    memcpy(bytes, from, size);
    if (big)
        turn(bytes, size);
    if (size == 2)
        memcpy(&half, bytes, 2);
    switch (number) {
    case EL_TORCH_F16:
    case EL_TORCH_BF16:
        real = number == EL_TORCH_F16 ? el_from_float16(half)
                                      : el_from_bfloat16(half);
        memcpy(to, &real, 4);
        break;
    case EL_TORCH_I16:
    case EL_TORCH_I8:
        integer = number == EL_TORCH_I16 ? (int16_t)half : (int8_t)bytes[0];
        memcpy(to, &integer, 4);
        break;
    default:
        memcpy(to, bytes, size);
        break;
    }
}

static bool is_as_it_lies(const el_torch_part *p, bool big)
{
    int64_t count = 1;
    for (int d = p->rank - 1; d >= 0; --d) {
        if (p->shape[d] > 1 && p->stride[d] != count)
            return false;
        count *= p->shape[d];
    }
    return !big &&
           kinds[p->number].size == el_dtype_size(kinds[p->number].dtype);
}

/* An odometer over the indices.  Where there is no number the offset may be
 * anything. */
void el_torch_put(const el_torch_part *p, bool big, const void *storage,
                  void *out)
{
    const unsigned char *const bytes = storage;
    const size_t from = kinds[p->number].size;
    const size_t to = el_dtype_size(kinds[p->number].dtype);
    int64_t index[EL_TORCH_RANK] = {0}, at = p->offset;
    if (p->count > 0 && is_as_it_lies(p, big)) {
        memcpy(out, bytes + (size_t)at * from, (size_t)p->count * to);
        return;
    }
    for (int64_t i = 0; i < p->count; ++i) {
        put_number(p->number, big, bytes + (size_t)at * from,
                   (char *)out + (size_t)i * to);
        for (int d = p->rank - 1; d >= 0; --d) {
            at += p->stride[d];
            if (++index[d] < p->shape[d])
                break;
            at -= index[d] * p->stride[d];
            index[d] = 0;
        }
    }
}
