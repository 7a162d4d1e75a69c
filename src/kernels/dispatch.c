/* SPDX-License-Identifier: MIT */
/* dispatch.c - reference first, then one overlay per level. */
#include "kernels.h"
#include "../base/cpu.h"

#include <pthread.h>

static el_kernels f32[EL_LEVEL_COUNT];
static el_kernels f64;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
    el_kernels_c_f64(&f64);
    for (int level = 0; level < EL_LEVEL_COUNT; ++level) {
        el_kernels_c_f32(&f32[level]);
#if EL_ARCH_X86
        if (level >= EL_LEVEL_AVX2)
            el_kernels_avx2(&f32[level]);
        if (level >= EL_LEVEL_AVX512)
            el_kernels_avx512(&f32[level]);
#elif EL_ARCH_ARM64
        if (level >= EL_LEVEL_NEON)
            el_kernels_neon(&f32[level]);
#endif
    }
}

const el_kernels *el_kernels_f32(int level)
{
    pthread_once(&once, fill);
    return &f32[level];
}

const el_kernels *el_kernels_f64(void)
{
    pthread_once(&once, fill);
    return &f64;
}
