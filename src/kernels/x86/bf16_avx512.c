/* SPDX-License-Identifier: MIT */
/* bf16_avx512.c - the products of bfloat16 at level avx512, and what AMX's take
 * from there. */
#include "../bf16.h"
#include "../../base/cpu.h"
#include "vec_avx512.h"

/* 7 x 2 sums of two chains each of 32 registers. */
#define BF16_ROWS 7
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

void el_bf16_rows_avx512(uint32_t *to, ptrdiff_t ldto, const float *a,
                         ptrdiff_t lda, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t i = 0; i < n; ++i)
        for (ptrdiff_t j = 0; j < padded; j += VL) {
            const vf x =
                j < k ? v_load(a + i * lda + j, v_tail(k - j)) : v_zero();
            const vw upper =
                _mm512_srli_epi32(_mm512_castps_si512(v_rounded(x)), 16);
            _mm256_storeu_si256((__m256i *)(void *)(to + i * ldto + j / 2),
                                _mm512_cvtepi32_epi16(upper));
        }
}

void el_bf16_turned_avx512(uint32_t *to, ptrdiff_t ldto, const float *a,
                           ptrdiff_t lda, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t j = 0; j < padded; j += EL_BF16_STEPS)
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const vm m = v_tail(n - i);
            vf r[VL];
            for (int d = 0; d < VL; ++d) {
                const ptrdiff_t s = j + 2 * d;
                const float *const from = a + s * lda + i;
                const vf low = s < k ? v_load(from, m) : v_zero();
                const vf high = s + 1 < k ? v_load(from + lda, m) : v_zero();
                r[d] = _mm512_castsi512_ps(v_words(low, high));
            }
            v_transpose(r);
            for (int d = 0; d < VL && i + d < n; ++d)
                v_store_words(to + (i + d) * ldto + j / 2,
                              _mm512_castps_si512(r[d]));
        }
}
