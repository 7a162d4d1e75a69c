/* SPDX-License-Identifier: MIT */
/* bf16_avx2.c - the products of bfloat16 at level avx2. */
#include "../bf16.h"
#include "../../base/cpu.h"
#include "vec_avx2.h"

/* 3 x 2 sums of two chains each of 16 registers. */
#define BF16_ROWS 3
#define BF16_GROUPS(rows) ((rows) == 1 ? 2 : 1)
#define BF16_F32() el_kernels_f32(EL_LEVEL_AVX2)

#include "../tmpl/bf16_floats_tmpl.h"
#include "../tmpl/bf16_tmpl.h"

void el_kernels_bf16_avx2(el_kernels *table)
{
    BF16_OVERLAY(table);
}
