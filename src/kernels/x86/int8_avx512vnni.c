/* SPDX-License-Identifier: MIT */
/* int8_avx512vnni.c - weights of one byte at level avx512, where the processor
 * has AVX-512 VNNI. */
#include "../../base/cpu.h"
#include "../int8.h"

#include <string.h>

#include "bytes_avx512.h"

#undef EL_KERNEL
#define EL_KERNEL(op) el_##op##_avx512vnni

#include "../tmpl/int8_tmpl.h"
