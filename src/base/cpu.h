/* SPDX-License-Identifier: MIT */
/* cpu.h - what this machine is, and the thread's floating-point modes. */
#ifndef EL_CPU_H
#define EL_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define EL_ARCH_X86 1
#else
#define EL_ARCH_X86 0
#endif

/* Each level contains the ones before it.  Features are bundled, so that
 * nobody tests single bits: avx2 is AVX2 and FMA, avx512 is F, BW, DQ, VL. */
enum el_level { EL_LEVEL_C, EL_LEVEL_AVX2, EL_LEVEL_AVX512, EL_LEVEL_COUNT };

extern const char *const el_level_names[EL_LEVEL_COUNT];

/* The best level that both this machine and its system allow. */
enum el_level el_cpu_level(void);
/* The level's number, or -1. */
int el_level_by_name(const char *name);
/* The processor's name for people; "" if unknown. */
void el_cpu_name(char *name, size_t size);
int el_cpu_cores(void);
/* level 1 (data), 2 or 3; 0 if unknown. */
int64_t el_cpu_cache(int level);

/* Round to nearest and gradual underflow, whatever the caller has set; leave
 * gives back what enter found. */
typedef unsigned el_fp_mode;
el_fp_mode el_fp_enter(void);
void el_fp_leave(el_fp_mode mode);

#endif
