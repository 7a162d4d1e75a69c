/* SPDX-License-Identifier: MIT */
/* int8_vnni_avx2.c - the same where the processor has AVX-VNNI. */
#include "../../base/cpu.h"
#include "../int8.h"

#include <string.h>

#define V_VNNI
#include "bytes_avx2.h"

#undef EL_KERNEL
#define EL_KERNEL(op) el_##op##_vnni_avx2

#include "../tmpl/int8_tmpl.h"
