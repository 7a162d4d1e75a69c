/* SPDX-License-Identifier: MIT */
/* dispatch.c - reference first, then one overlay per level. */
#include "bf16.h"
#include "int8.h"
#include "../base/cpu.h"

#include <pthread.h>

static el_kernels f32[EL_LEVEL_COUNT];
static el_kernels bf16[EL_LEVEL_COUNT];
static el_kernels f64;
static el_kernels int8[EL_LEVEL_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Products of bfloat16 by the best that this machine has, if what it gives is
 * what it should. */
static void fill_bf16(int level)
{
    el_kernels *const table = &bf16[level];
    *table = f32[level];
    el_kernels_bf16_c(table);
#if EL_ARCH_X86
    if (level >= EL_LEVEL_AVX2)
        el_kernels_bf16_avx2(table);
    if (level >= EL_LEVEL_AVX512 && level <= (int)el_cpu_level()) {
        el_kernels_bf16_avx512(table);
        el_kernels better = *table;
        if (el_cpu_bf16_dot())
            el_kernels_bf16_dot_avx512(&better);
        if (el_cpu_amx())
            el_kernels_bf16_amx(&better);
        if (el_bf16_agrees(&better))
            *table = better;
    }
#endif
}

static void fill_int8(int level)
{
    el_kernels *const table = &int8[level];
    *table = f32[level];
    el_kernels_int8_c(table);
#if EL_ARCH_X86
    if (level >= EL_LEVEL_AVX2)
        el_kernels_int8_avx2(table);
    if (level >= EL_LEVEL_AVX2 && el_cpu_avx_vnni())
        el_kernels_int8_vnni_avx2(table);
    if (level >= EL_LEVEL_AVX512 && el_cpu_avx512_vnni())
        el_kernels_int8_vnni_avx512(table);
#elif EL_ARCH_ARM64
    if (level >= EL_LEVEL_NEON)
        el_kernels_int8_neon(table);
#endif
}

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
        fill_bf16(level);
        fill_int8(level);
    }
}

const el_kernels *el_kernels_f32(int level)
{
    pthread_once(&once, fill);
    return &f32[level];
}

const el_kernels *el_kernels_bf16(int level)
{
    pthread_once(&once, fill);
    return &bf16[level];
}

const el_kernels *el_kernels_f64(void)
{
    pthread_once(&once, fill);
    return &f64;
}

const el_kernels *el_kernels_int8(int level)
{
    pthread_once(&once, fill);
    return &int8[level];
}
