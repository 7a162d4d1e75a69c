/* SPDX-License-Identifier: MIT */
/* dtype.c - see dtype.h. */
#include "dtype.h"

size_t el_dtype_size(elman_dtype dtype)
{
    switch (dtype) {
    case ELMAN_F64:
    case ELMAN_I64:
        return 8;
    case ELMAN_F32:
    case ELMAN_I32:
    case ELMAN_BF16:
    case ELMAN_INT8:
        return 4;
    case ELMAN_U8:
    case ELMAN_I8:
        return 1;
    case ELMAN_DTYPE_OWN:
        break;
    }
    return 0;
}

bool el_shape_size(const int64_t *shape, int rank, elman_dtype dtype,
                   int64_t *count, int64_t *bytes)
{
    const size_t size = el_dtype_size(dtype);
    *count = 1;
    for (int i = 0; i < rank; ++i)
        if (shape[i] < 0 || !el_mul(*count, shape[i], count))
            return false;
    return size != 0 && el_mul(*count, (int64_t)size, bytes);
}
