/* SPDX-License-Identifier: MIT */
/* dtype.h - sizes of elements and shapes, by arithmetic that cannot
 * overflow. */
#ifndef EL_DTYPE_H
#define EL_DTYPE_H

#include <elman.h>
#include <stdbool.h>

/* Bytes of one element; 0 for no dtype. */
size_t el_dtype_size(elman_dtype dtype);

/* What networks, and all that trains them, compute in. */
static inline bool el_dtype_computes(elman_dtype dtype)
{
    return dtype == ELMAN_F32 || dtype == ELMAN_F64 || dtype == ELMAN_BF16;
}

/* And what those do that only infer. */
static inline bool el_dtype_infers(elman_dtype dtype)
{
    return el_dtype_computes(dtype) || dtype == ELMAN_INT8;
}

/* What their numbers are in memory and, but for weights of a byte, in files. */
static inline elman_dtype el_dtype_stored(elman_dtype dtype)
{
    return dtype == ELMAN_BF16 || dtype == ELMAN_INT8 ? ELMAN_F32 : dtype;
}

/* False where the result does not fit; out is then undefined. */
static inline bool el_add(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool el_mul(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Elements and bytes of a shape; false where a dimension is negative, the
 * dtype is none, or a product of leading dimensions does not fit.  A shape of
 * rank 0 has one element. */
bool el_shape_size(const int64_t *shape, int rank, elman_dtype dtype,
                   int64_t *count, int64_t *bytes);

#endif
