/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "cpu.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if EL_ARCH_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <xmmintrin.h>
#elif !EL_ARCH_ARM64
#include <fenv.h>
#endif

const char *const el_level_names[EL_LEVEL_COUNT] = {
    "c",
#if EL_ARCH_X86
    "avx2",
    "avx512",
#elif EL_ARCH_ARM64
    "neon",
#endif
};

enum el_level el_cpu_level(void)
{
#if EL_ARCH_X86
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return EL_LEVEL_C;
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return EL_LEVEL_AVX512;
    return EL_LEVEL_AVX2;
#else
    return (enum el_level)(EL_LEVEL_COUNT - 1);
#endif
}

#if EL_ARCH_X86
/* Leaf 7 of cpuid, both of its parts, where there is one. */
static bool leaf7(unsigned part, unsigned *eax, unsigned *edx)
{
    unsigned ebx, ecx;
    return __get_cpuid_count(7, part, eax, &ebx, &ecx, edx) != 0;
}
#endif

bool el_cpu_bf16(void)
{
#if EL_ARCH_X86
    unsigned eax, edx;
    return el_cpu_level() >= EL_LEVEL_AVX512 && leaf7(1, &eax, &edx) &&
           (eax & 1u << 5);
#else
    return false;
#endif
}

/* Intel's own takes twice as long as the multiply-adds that it replaces. */
bool el_cpu_bf16_dot(void)
{
#if EL_ARCH_X86
    unsigned eax, ebx, ecx, edx;
    return el_cpu_bf16() && __get_cpuid(0, &eax, &ebx, &ecx, &edx) &&
           ebx == signature_AMD_ebx;
#else
    return false;
#endif
}

bool el_cpu_amx(void)
{
#if EL_ARCH_X86 && defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    const unsigned amx = 1u << 22 | 1u << 24; /* AMX-BF16, AMX-TILE */
    unsigned eax, edx;
    return el_cpu_bf16() && leaf7(0, &eax, &edx) && (edx & amx) == amx &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) ==
               0;
#else
    return false;
#endif
}

bool el_cpu_avx_vnni(void)
{
#if EL_ARCH_X86
    unsigned eax, edx;
    return el_cpu_level() >= EL_LEVEL_AVX2 && leaf7(1, &eax, &edx) &&
           (eax & 1u << 4);
#else
    return false;
#endif
}

bool el_cpu_avx512_vnni(void)
{
#if EL_ARCH_X86
    return el_cpu_level() >= EL_LEVEL_AVX512 &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

int el_level_by_name(const char *name)
{
    for (int level = 0; level < EL_LEVEL_COUNT; ++level)
        if (strcmp(name, el_level_names[level]) == 0)
            return level;
    static const char *const all[] = {"avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (strcmp(name, all[i]) == 0)
            return EL_LEVEL_COUNT;
    return -1;
}

void el_cpu_name(char *name, size_t size)
{
    memset(name, 0, size);
#if EL_ARCH_X86
    unsigned brand[12];
    if ((unsigned)__get_cpuid_max(0x80000000, NULL) < 0x80000004)
        return;
    for (unsigned i = 0; i < 3; ++i)
        __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1],
                    &brand[4 * i + 2], &brand[4 * i + 3]);
    const char *from = (const char *)brand;
    const char *const end = from + sizeof brand;
    while (from < end && *from == ' ')
        ++from;
    size_t n = 0;
    while (from < end && *from && n + 1 < size)
        name[n++] = *from++;
    while (n > 0 && name[n - 1] == ' ')
        name[--n] = 0;
#endif
}

int el_cpu_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int64_t el_cpu_cache(int level)
{
    const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                         _SC_LEVEL3_CACHE_SIZE};
    const long size = sysconf(names[level - 1]);
    return size > 0 ? size : 0;
}

el_fp_mode el_fp_enter(void)
{
#if EL_ARCH_X86
    const unsigned found = _mm_getcsr();
    /* All exceptions masked, nearest, neither FTZ nor DAZ. */
    if ((found & 0xffc0) != 0x1f80)
        _mm_setcsr(0x1f80);
    return found;
#elif EL_ARCH_ARM64
    uint64_t found;
    __asm__ volatile("mrs %0, fpcr" : "=r"(found));
    if (found != 0) {
        const uint64_t plain = 0;
        __asm__ volatile("msr fpcr, %0" : : "r"(plain));
    }
    return (el_fp_mode)found;
#else
    const int found = fegetround();
    if (found != FE_TONEAREST)
        fesetround(FE_TONEAREST);
    return (el_fp_mode)found;
#endif
}

void el_fp_leave(el_fp_mode mode)
{
#if EL_ARCH_X86
    if ((mode & 0xffc0) != 0x1f80)
        _mm_setcsr(mode);
#elif EL_ARCH_ARM64
    if (mode != 0)
        __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode));
#else
    if ((int)mode != FE_TONEAREST)
        fesetround((int)mode);
#endif
}
