/* SPDX-License-Identifier: MIT */
/* vec_avx2.h - the vector vocabulary of level avx2: 8 lanes. */
#ifndef EL_VEC_AVX2_H
#define EL_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define EL_KERNEL(op) el_##op##_avx2
#define VL 8
/* Rows of a product's tile: 6 x 2 accumulators of 16 registers, and column
 * groups of a tile with so few rows. */
#define V_ROWS 6
#define V_GROUPS(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 2 : 1)

typedef __m256 vf;
/* How many lanes are inside; a masked access is slow on some processors, so
 * that only a tail makes one. */
typedef ptrdiff_t vm;

#define V_INLINE static inline __attribute__((always_inline))

V_INLINE __m256i v_lanes(vm m)
{
    const int some = m < VL ? (m > 0 ? (int)m : 0) : VL;
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(some), lane);
}
V_INLINE vm v_tail(ptrdiff_t n)
{
    return n;
}
V_INLINE vf v_load(const float *p, vm m)
{
    return m >= VL ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, v_lanes(m));
}
V_INLINE void v_store(float *p, vm m, vf x)
{
    if (m >= VL)
        _mm256_storeu_ps(p, x);
    else
        _mm256_maskstore_ps(p, v_lanes(m), x);
}
V_INLINE vf v_load_all(const float *p)
{
    return _mm256_loadu_ps(p);
}
V_INLINE void v_store_all(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
V_INLINE vf v_set(float x)
{
    return _mm256_set1_ps(x);
}
V_INLINE vf v_zero(void)
{
    return _mm256_setzero_ps();
}
V_INLINE vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
V_INLINE vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
V_INLINE vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
V_INLINE vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
V_INLINE vf v_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
/* a b + c, and c - a b, rounded once */
V_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
V_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
/* a < b ? a : b and a > b ? a : b; b where either is NaN */
V_INLINE vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
V_INLINE vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
/* x where y > 0, else 0 */
V_INLINE vf v_where_positive(vf y, vf x)
{
    return _mm256_and_ps(_mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ), x);
}
V_INLINE vf v_pick(vm m, vf x, vf other)
{
    return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(v_lanes(m)));
}
V_INLINE vf v_abs(vf x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
V_INLINE vf v_copysign(vf x, vf sign)
{
    const vf bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, x), _mm256_and_ps(bit, sign));
}
/* x 2^n, n whole and between -252 and 254, in two exact factors */
V_INLINE vf v_scale(vf x, vf n)
{
    const __m256i k = _mm256_cvtps_epi32(n);
    const __m256i half = _mm256_srai_epi32(k, 1);
    const __m256i rest = _mm256_sub_epi32(k, half);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i p = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i q = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(p)),
                         _mm256_castsi256_ps(q));
}
/* Row i, lane j becomes row j, lane i. */
V_INLINE void v_transpose(vf r[VL])
{
    vf t[VL];
    for (int i = 0; i < VL; i += 4) {
        const vf a = _mm256_unpacklo_ps(r[i], r[i + 1]);
        const vf b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        const vf c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
        const vf d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}
/* 2^n, n whole and between -126 and 127 */
V_INLINE vf v_power(vf n)
{
    const __m256i k = _mm256_cvtps_epi32(n);
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(k, _mm256_set1_epi32(127)), 23));
}

/* ---- bfloat16: words of two, each the upper half of a float --------------*/

typedef __m256i vw;

V_INLINE vw v_load_words(const uint32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
V_INLINE void v_store_words(uint32_t *p, vw x)
{
    _mm256_storeu_si256((__m256i *)(void *)p, x);
}
V_INLINE vf v_low(vw x)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}
V_INLINE vf v_high(vw x)
{
    return _mm256_castsi256_ps(
        _mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000)));
}
/* x rounded to the nearest float whose lower half is 0, ties to even; denormals
 * become 0 of their sign. */
V_INLINE vf v_rounded(vf x)
{
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000);
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i even =
        _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i r = _mm256_add_epi32(
        bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7f800000));
    r = _mm256_blendv_epi8(
        r, _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)), nan);
    const __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x800000), size);
    r = _mm256_andnot_si256(
        _mm256_and_si256(tiny, _mm256_set1_epi32(0x7fffffff)), r);
    return _mm256_castsi256_ps(_mm256_and_si256(r, upper));
}
/* Both rounded: two halves of a word. */
V_INLINE vw v_words(vf low, vf high)
{
    return _mm256_or_si256(
        _mm256_srli_epi32(_mm256_castps_si256(v_rounded(low)), 16),
        _mm256_castps_si256(v_rounded(high)));
}

#endif
