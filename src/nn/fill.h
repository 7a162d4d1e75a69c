/* SPDX-License-Identifier: MIT */
/* fill.h - blocks of random numbers: element i is number i of a stream. */
#ifndef EL_FILL_H
#define EL_FILL_H

#include "../kernels/kernels.h"

/* Uniform in [-scale/sqrt(n), scale/sqrt(n)); nothing random for n = 0. */
void el_fill_uniform(const el_kernels *k, void *out, int64_t count,
                     double scale, int64_t n, uint64_t seed, uint64_t stream);
void el_fill_normal(const el_kernels *k, void *out, int64_t count,
                    double stddev, uint64_t seed, uint64_t stream);

#endif
