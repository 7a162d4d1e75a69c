/* SPDX-License-Identifier: MIT */
/* vec_avx512.h - the vector vocabulary of level avx512: 16 lanes. */
#ifndef EL_VEC_AVX512_H
#define EL_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define EL_KERNEL(op) el_##op##_avx512
#define VL 16
/* Rows of a product's tile: 14 x 2 accumulators of 32 registers, and column
 * groups of a tile with so few rows. */
#define V_ROWS 14
#define V_GROUPS(rows) ((rows) <= 2 ? 4 : (rows) <= 6 ? 2 : 1)

typedef __m512 vf;
typedef __mmask16 vm;

#define V_INLINE static inline __attribute__((always_inline))

V_INLINE vm v_tail(ptrdiff_t n)
{
    if (n >= VL)
        return (vm)0xffff;
    return n > 0 ? _cvtu32_mask16((1u << n) - 1) : (vm)0;
}
V_INLINE vf v_load(const float *p, vm m)
{
    return _mm512_maskz_loadu_ps(m, p);
}
V_INLINE void v_store(float *p, vm m, vf x)
{
    _mm512_mask_storeu_ps(p, m, x);
}
V_INLINE vf v_load_all(const float *p)
{
    return _mm512_loadu_ps(p);
}
V_INLINE void v_store_all(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
V_INLINE vf v_set(float x)
{
    return _mm512_set1_ps(x);
}
V_INLINE vf v_zero(void)
{
    return _mm512_setzero_ps();
}
V_INLINE vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
V_INLINE vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
V_INLINE vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
V_INLINE vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
V_INLINE vf v_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
/* a b + c, and c - a b, rounded once */
V_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
V_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}
/* a < b ? a : b and a > b ? a : b; b where either is NaN */
V_INLINE vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
V_INLINE vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
/* x where y > 0, else 0 */
V_INLINE vf v_where_positive(vf y, vf x)
{
    return _mm512_maskz_mov_ps(
        _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
V_INLINE vf v_pick(vm m, vf x, vf other)
{
    return _mm512_mask_blend_ps(m, other, x);
}
V_INLINE vf v_abs(vf x)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x);
}
V_INLINE vf v_copysign(vf x, vf sign)
{
    const vf bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, x), _mm512_and_ps(bit, sign));
}
/* x 2^n, n whole and between -252 and 254, in two exact factors */
V_INLINE vf v_scale(vf x, vf n)
{
    const __m512i k = _mm512_cvtps_epi32(n);
    const __m512i half = _mm512_srai_epi32(k, 1);
    const __m512i rest = _mm512_sub_epi32(k, half);
    const __m512i bias = _mm512_set1_epi32(127);
    const __m512i p = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    const __m512i q = _mm512_slli_epi32(_mm512_add_epi32(rest, bias), 23);
    return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_castsi512_ps(p)),
                         _mm512_castsi512_ps(q));
}
/* Row i, lane j becomes row j, lane i. */
V_INLINE void v_transpose(vf r[VL])
{
    vf t[VL];
    for (int i = 0; i < VL; i += 4) {
        const vf a = _mm512_unpacklo_ps(r[i], r[i + 1]);
        const vf b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        const vf c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
        const vf d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        const vf a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        const vf b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        const vf c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        const vf d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}
/* 2^n, n whole and between -126 and 127 */
V_INLINE vf v_power(vf n)
{
    const __m512i k = _mm512_cvtps_epi32(n);
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(k, _mm512_set1_epi32(127)), 23));
}

/* ---- bfloat16: words of two, each the upper half of a float --------------*/

typedef __m512i vw;

V_INLINE vw v_load_words(const uint32_t *p)
{
    return _mm512_loadu_si512(p);
}
V_INLINE void v_store_words(uint32_t *p, vw x)
{
    _mm512_storeu_si512(p, x);
}
V_INLINE vf v_low(vw x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}
V_INLINE vf v_high(vw x)
{
    return _mm512_castsi512_ps(
        _mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)));
}
/* x rounded to the nearest float whose lower half is 0, ties to even; denormals
 * become 0 of their sign. */
V_INLINE vf v_rounded(vf x)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    const __m512i even =
        _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i r = _mm512_add_epi32(
        bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan =
        _mm512_cmpgt_epi32_mask(size, _mm512_set1_epi32(0x7f800000));
    r = _mm512_mask_or_epi32(r, nan, bits, _mm512_set1_epi32(0x400000));
    const __mmask16 tiny =
        _mm512_cmplt_epi32_mask(size, _mm512_set1_epi32(0x800000));
    r = _mm512_mask_and_epi32(r, tiny, bits,
                              _mm512_set1_epi32((int)0x80000000));
    return _mm512_castsi512_ps(_mm512_and_si512(r, upper));
}
/* Both rounded: two halves of a word. */
V_INLINE vw v_words(vf low, vf high)
{
    return _mm512_or_si512(
        _mm512_srli_epi32(_mm512_castps_si512(v_rounded(low)), 16),
        _mm512_castps_si512(v_rounded(high)));
}

#endif
