/* SPDX-License-Identifier: MIT */
/* bytes_avx2.h - what vec_avx2.h lacks for bytes and integers: 8 lanes.  With
 * V_VNNI the processor has one instruction for four products and their sum. */
#ifndef EL_BYTES_AVX2_H
#define EL_BYTES_AVX2_H

#include "vec_avx2.h"

#include <stdint.h>

#define V_LEVEL EL_LEVEL_AVX2
#define V_BYTE_VECTORS(rows) ((rows) == 1 ? 4 : 2)
#define V_BYTE_PHASES(rows) ((rows) == 1 ? 2 : 1)

typedef __m256i vi;

V_INLINE vi vi_set(int32_t x)
{
    return _mm256_set1_epi32(x);
}
V_INLINE vi vi_load(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
V_INLINE void vi_store(int32_t *p, vi x)
{
    _mm256_storeu_si256((__m256i *)p, x);
}
V_INLINE vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}
V_INLINE vi vi_max(vi a, vi b)
{
    return _mm256_max_epi32(a, b);
}
V_INLINE int32_t vi_most(vi x)
{
    __m128i a = _mm_max_epi32(_mm256_castsi256_si128(x),
                              _mm256_extracti128_si256(x, 1));
    a = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(a, _mm_shuffle_epi32(a, 0xb1)));
}
V_INLINE int32_t vi_sum(vi x)
{
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128(x),
                              _mm256_extracti128_si256(x, 1));
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 0xb1)));
}
V_INLINE vf vi_float(vi x)
{
    return _mm256_cvtepi32_ps(x);
}
/* Four bytes, the same in all lanes. */
V_INLINE vi vi_quad(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}
/* The bits of |x|, which are in the order of |x|. */
V_INLINE vi v_magnitude(vf x)
{
    return _mm256_and_si256(_mm256_castps_si256(x),
                            _mm256_set1_epi32(0x7fffffff));
}
/* To nearest, ties to even. */
V_INLINE vi v_round(vf x)
{
    return _mm256_cvtps_epi32(x);
}
/* Lanes within [-128, 127], to 8 bytes. */
V_INLINE void vi_store_bytes(int8_t *p, vi x)
{
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x),
                                          _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(words, words));
}

#ifdef V_VNNI

#define V_BYTE_ROWS 6
#define V_EXCESS (-EL_INT8_EXCESS) /* what a sum begins with, of the row's */
typedef __m256i vb;

V_INLINE vb vb_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
V_INLINE vi vb_dot(vi sum, vb w, vi a)
{
    return _mm256_dpbusd_avx_epi32(sum, w, a);
}

#else

/* The one instruction there is takes bytes without a sign and bytes with one,
 * and adds pairs of products in 16 bits: |w| and a with w's sign, both 127 at
 * most, never leave those. */
#define V_BYTE_ROWS 4
#define V_EXCESS 0
typedef struct vb {
    __m256i w, magnitude;
} vb;

V_INLINE vb vb_load(const uint8_t *p)
{
    const __m256i w = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)p),
                                       _mm256_set1_epi8((char)EL_INT8_EXCESS));
    return (vb){w, _mm256_abs_epi8(w)};
}
V_INLINE vi vb_dot(vi sum, vb w, vi a)
{
    const __m256i signs = _mm256_sign_epi8(a, w.w);
    const __m256i pairs = _mm256_maddubs_epi16(w.magnitude, signs);
    return _mm256_add_epi32(sum,
                            _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif
#endif
