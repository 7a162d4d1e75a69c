/* SPDX-License-Identifier: MIT */
/* bytes_avx512.h - what vec_avx512.h lacks for bytes and integers: 16 lanes, by
 * AVX-512 VNNI. */
#ifndef EL_BYTES_AVX512_H
#define EL_BYTES_AVX512_H

#include "vec_avx512.h"

#include <stdint.h>

#define V_LEVEL EL_LEVEL_AVX512
#define V_BYTE_ROWS 14
#define V_BYTE_VECTORS(rows) 2
#define V_BYTE_PHASES(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)
#define V_EXCESS (-EL_INT8_EXCESS) /* what a sum begins with, of the row's */

typedef __m512i vi;
typedef __m512i vb;

V_INLINE vi vi_set(int32_t x)
{
    return _mm512_set1_epi32(x);
}
V_INLINE vi vi_load(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}
V_INLINE void vi_store(int32_t *p, vi x)
{
    _mm512_storeu_si512(p, x);
}
V_INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}
V_INLINE vi vi_max(vi a, vi b)
{
    return _mm512_max_epi32(a, b);
}
V_INLINE int32_t vi_most(vi x)
{
    return _mm512_reduce_max_epi32(x);
}
V_INLINE int32_t vi_sum(vi x)
{
    return _mm512_reduce_add_epi32(x);
}
V_INLINE vf vi_float(vi x)
{
    return _mm512_cvtepi32_ps(x);
}
/* Four bytes, the same in all lanes. */
V_INLINE vi vi_quad(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}
/* The bits of |x|, which are in the order of |x|. */
V_INLINE vi v_magnitude(vf x)
{
    return _mm512_and_si512(_mm512_castps_si512(x),
                            _mm512_set1_epi32(0x7fffffff));
}
/* To nearest, ties to even. */
V_INLINE vi v_round(vf x)
{
    return _mm512_cvtps_epi32(x);
}
/* Lanes within [-128, 127], to 16 bytes. */
V_INLINE void vi_store_bytes(int8_t *p, vi x)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
}
V_INLINE vb vb_load(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}
V_INLINE vi vb_dot(vi sum, vb w, vi a)
{
    return _mm512_dpbusd_epi32(sum, w, a);
}

#endif
