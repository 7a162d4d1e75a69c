/* SPDX-License-Identifier: MIT */
/* cpu.h - what this machine is, and the thread's floating-point modes. */
#ifndef EL_CPU_H
#define EL_CPU_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define EL_ARCH_X86 1
#else
#define EL_ARCH_X86 0
#endif
#if defined(__aarch64__)
#define EL_ARCH_ARM64 1
#else
#define EL_ARCH_ARM64 0
#endif

/* A float is a float: no operation keeps more digits than its type has. */
_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic is not IEEE 754's here "
                                     "(on 32-bit x86: -msse2 -mfpmath=sse)");

/* The levels of this architecture.  Each contains the ones before it.
 * Features are bundled, so that nobody tests single bits: avx2 is AVX2 and
 * FMA, avx512 is F, BW, DQ, VL; neon is in every 64-bit ARM. */
enum el_level {
    EL_LEVEL_C,
#if EL_ARCH_X86
    EL_LEVEL_AVX2,
    EL_LEVEL_AVX512,
#elif EL_ARCH_ARM64
    EL_LEVEL_NEON,
#endif
    EL_LEVEL_COUNT
};

extern const char *const el_level_names[EL_LEVEL_COUNT];

/* The best level that both this machine and its system allow. */
enum el_level el_cpu_level(void);
/* The level's number; EL_LEVEL_COUNT if another architecture has it, -1 if none
 * has. */
int el_level_by_name(const char *name);
/* Level avx512 with AVX512-BF16; likewise where its VDPBF16PS is faster than
 * two multiply-adds; and likewise with AMX's tiles of bfloat16, after asking
 * the system for leave to use them. */
bool el_cpu_bf16(void);
bool el_cpu_bf16_dot(void);
bool el_cpu_amx(void);
/* Sums of products of bytes in one instruction, at level avx2 and at avx512. */
bool el_cpu_avx_vnni(void);
bool el_cpu_avx512_vnni(void);
/* The processor's name for people; "" if unknown. */
void el_cpu_name(char *name, size_t size);
int el_cpu_cores(void);
/* level 1 (data), 2 or 3; 0 if unknown. */
int64_t el_cpu_cache(int level);

/* Round to nearest and gradual underflow, whatever the caller has set; leave
 * gives back what enter found.  What C does not know, a mode without gradual
 * underflow, is seen to on x86 and ARM. */
typedef unsigned el_fp_mode;
el_fp_mode el_fp_enter(void);
void el_fp_leave(el_fp_mode mode);

#endif
