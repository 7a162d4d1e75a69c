/* SPDX-License-Identifier: MIT */
#include "fill.h"

#include <math.h>

static void put(const el_kernels *k, void *out, int64_t i, double value)
{
    if (k->dtype == ELMAN_F64)
        ((double *)out)[i] = value;
    else
        ((float *)out)[i] = (float)value;
}

void el_fill_uniform(const el_kernels *k, void *out, int64_t count,
                     double scale, int64_t n, uint64_t seed, uint64_t stream)
{
    const double bound = n > 0 ? scale / sqrt((double)n) : 0;
    for (int64_t i = 0; i < count; ++i) {
        const double u =
            (double)elman_random_uniform(seed, stream, (uint64_t)i);
        put(k, out, i, bound * (2 * u - 1));
    }
}

void el_fill_normal(const el_kernels *k, void *out, int64_t count,
                    double stddev, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < count; ++i)
        put(k, out, i, stddev * elman_random_normal(seed, stream, (uint64_t)i));
}
