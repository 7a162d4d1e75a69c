/* SPDX-License-Identifier: MIT */
/* bf16_dot_avx512.c - the products of bfloat16 by VDPBF16PS: c = fma(a_high,
 * b_high, c), and then c = fma(a_low, b_low, c), which are two steps of one
 * chain where a word has the earlier one above.  So of four steps 0 1 2 3 one
 * word has 2 and 0, for the even chain, and the next one 3 and 1. */
#include "../bf16.h"
#include "../../base/cpu.h"
#include "vec_avx512.h"

typedef uint32_t bf16_a;
enum { BF16_A_ROW = EL_BF16_WORDS, BF16_STEPS = 4, BF16_LINE = 256 };
#define BF16_NAME "vdpbf16ps"
#define BF16_LOW(d) ((d) / 2 * 4 + 2 + (d) % 2)
#define BF16_HIGH(d) ((d) / 2 * 4 + (d) % 2)
#define BF16_PAIR(low, high) pair_words(low, high)

#define BF16_ROWS 6
#define BF16_GROUPS(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)
#define BF16_F32() el_kernels_f32(EL_LEVEL_AVX512)

enum { BF16_FAR = 128 * EL_PANEL };

V_INLINE vf dot(vf c, uint32_t a, vw b)
{
    return _mm512_dpbf16_ps(c, (__m512bh)_mm512_set1_epi32((int)a),
                            (__m512bh)b);
}

#define BF16_STEP(rows, groups)                                                \
    {                                                                          \
        const uint32_t *const words = w + s / 2 * EL_PANEL;                    \
        vw x[8], z[8];                                                         \
        _Pragma("GCC unroll 4") for (int q = 0; q < (groups); ++q)             \
        {                                                                      \
            const uint32_t *const at = words + group_at[q];                    \
            __builtin_prefetch(at + BF16_FAR, 0, 2);                           \
            __builtin_prefetch(at + BF16_FAR + VL, 0, 2);                      \
            __builtin_prefetch(at + BF16_FAR + EL_PANEL, 0, 2);                \
            __builtin_prefetch(at + BF16_FAR + EL_PANEL + VL, 0, 2);           \
            x[2 * q] = v_load_words(at);                                       \
            x[2 * q + 1] = v_load_words(at + VL);                              \
            z[2 * q] = v_load_words(at + EL_PANEL);                            \
            z[2 * q + 1] = v_load_words(at + EL_PANEL + VL);                   \
        }                                                                      \
        _Pragma("GCC unroll 8") for (int i = 0; i < (rows); ++i)               \
            _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)     \
                even[i][v] = dot(even[i][v], BF16_A(i, s / 2), x[v]);          \
        _Pragma("GCC unroll 8") for (int i = 0; i < (rows); ++i)               \
            _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)     \
                odd[i][v] = dot(odd[i][v], BF16_A(i, s / 2 + 1), z[v]);        \
    }

/* ---- Rounding -------------------------------------------------------------*/

/* 32 steps of a row, of which so many are there, in their order. */
V_INLINE vw row_words(const float *a, ptrdiff_t left)
{
    const vf first = v_load(a, v_tail(left));
    const vf second = left > VL ? v_load(a + VL, v_tail(left - VL)) : v_zero();
    return (vw)_mm512_cvtne2ps_pbh(second, first);
}

/* Words of which low and high are the halves. */
V_INLINE vw pair_words(vf low, vf high)
{
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
        6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, both);
}

static void bf16_rows(uint32_t *to, ptrdiff_t ldto, const float *a,
                      ptrdiff_t lda, ptrdiff_t n, ptrdiff_t k)
{
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(4, 5, 0, 1, 6, 7, 2, 3, 12, 13, 8, 9, 14, 15, 10, 11));
    for (ptrdiff_t i = 0; i < n; ++i)
        for (ptrdiff_t j = 0; j < k; j += EL_BF16_STEPS)
            v_store_words(
                to + i * ldto + j / 2,
                _mm512_shuffle_epi8(row_words(a + i * lda + j, k - j), order));
}

/* Elements [0,VL) of row r's columns from `at` on, zeros behind the last. */
V_INLINE vf line_at(const void *const *rows, ptrdiff_t r, ptrdiff_t k,
                    ptrdiff_t at, vm m)
{
    return r < k ? v_load((const float *)rows[r] + at, m) : v_zero();
}

static void bf16_lines(uint32_t *to, ptrdiff_t ldto, const void *const *a,
                       ptrdiff_t at, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t words = el_bf16_padded(k) / 2;
    for (ptrdiff_t d = 0; d < words; ++d)
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const vm m = v_tail(n - i);
            const vf low = line_at(a, BF16_LOW(d), k, at + i, m);
            const vf high = line_at(a, BF16_HIGH(d), k, at + i, m);
            v_store_words(to + d * ldto + i, pair_words(low, high));
        }
}

void el_bf16_rows_avx512(uint32_t *to, ptrdiff_t ldto, const float *a,
                         ptrdiff_t lda, ptrdiff_t n, ptrdiff_t k)
{
    for (ptrdiff_t i = 0; i < n; ++i)
        for (ptrdiff_t j = 0; j < k; j += EL_BF16_STEPS)
            v_store_words(to + i * ldto + j / 2,
                          row_words(a + i * lda + j, k - j));
}

void el_bf16_turned_avx512(uint32_t *to, ptrdiff_t ldto, const void *const *a,
                           ptrdiff_t at, ptrdiff_t n, ptrdiff_t k)
{
    for (ptrdiff_t j = 0; j < k; j += EL_BF16_STEPS)
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const vm m = v_tail(n - i);
            vf r[VL];
            _Pragma("GCC unroll 16") for (int d = 0; d < VL; ++d)
            {
                const ptrdiff_t row = j + 2 * d;
                const vf low = line_at(a, row, k, at + i, m);
                const vf high = line_at(a, row + 1, k, at + i, m);
                r[d] = _mm512_castsi512_ps(pair_words(low, high));
            }
            v_transpose(r);
            for (int d = 0; d < VL && i + d < n; ++d)
                v_store_words(to + (i + d) * ldto + j / 2,
                              _mm512_castps_si512(r[d]));
        }
}

#include "../tmpl/bf16_tmpl.h"

void el_kernels_bf16_dot_avx512(el_kernels *table)
{
    BF16_OVERLAY(table);
}
