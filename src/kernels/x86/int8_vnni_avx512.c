/* SPDX-License-Identifier: MIT */
/* int8_vnni_avx512.c - weights of one byte at level avx512, where the processor
 * has AVX-512 VNNI. */
#include "../../base/cpu.h"
#include "../int8.h"

#include <string.h>

#include "bytes_avx512.h"

#undef EL_KERNEL
#define EL_KERNEL(op) el_##op##_vnni_avx512

#include "../tmpl/int8_tmpl.h"
