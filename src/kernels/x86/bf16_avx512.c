/* SPDX-License-Identifier: MIT */
/* bf16_avx512.c - the products of bfloat16 at level avx512, and what AMX's take
 * from there. */
#include "../bf16.h"
#include "../../base/cpu.h"
#include "vec_avx512.h"

/* 6 x 2 sums of two chains each of 32 registers. */
#define BF16_ROWS 6
#define BF16_GROUPS(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)
#define BF16_F32() el_kernels_f32(EL_LEVEL_AVX512)

#include "../tmpl/bf16_floats_tmpl.h"
#include "../tmpl/bf16_tmpl.h"

void el_kernels_bf16_avx512(el_kernels *table)
{
    BF16_OVERLAY(table);
}

void el_gemm_bf16_avx512(const el_gemm *g)
{
    bf16_gemm(g);
}

void el_pack_rows_bf16_avx512(void *packed, const void *w, ptrdiff_t ldw,
                              ptrdiff_t n, ptrdiff_t k)
{
    bf16_pack_rows(packed, w, ldw, n, k);
}

void el_pack_columns_bf16_avx512(void *packed, const void *w, ptrdiff_t ldw,
                                 ptrdiff_t n, ptrdiff_t k)
{
    bf16_pack_columns(packed, w, ldw, n, k);
}
