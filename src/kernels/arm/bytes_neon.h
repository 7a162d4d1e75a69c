/* SPDX-License-Identifier: MIT */
/* bytes_neon.h - what vec_neon.h lacks for bytes and integers: 4 lanes. */
#ifndef EL_BYTES_NEON_H
#define EL_BYTES_NEON_H

#include "vec_neon.h"

#include <stdint.h>

#define V_LEVEL EL_LEVEL_NEON
#define V_BYTE_ROWS 6
#define V_BYTE_VECTORS(rows) ((rows) <= 2 ? 8 : 4)
#define V_BYTE_PHASES(rows) 1
#define V_EXCESS 0 /* what a sum begins with, of the row's */

typedef int32x4_t vi;
typedef int8x16_t vb;

V_INLINE vi vi_set(int32_t x)
{
    return vdupq_n_s32(x);
}
V_INLINE vi vi_load(const int32_t *p)
{
    return vld1q_s32(p);
}
V_INLINE void vi_store(int32_t *p, vi x)
{
    vst1q_s32(p, x);
}
V_INLINE vi vi_add(vi a, vi b)
{
    return vaddq_s32(a, b);
}
V_INLINE vi vi_max(vi a, vi b)
{
    return vmaxq_s32(a, b);
}
V_INLINE int32_t vi_most(vi x)
{
    return vmaxvq_s32(x);
}
V_INLINE int32_t vi_sum(vi x)
{
    return vaddvq_s32(x);
}
V_INLINE vf vi_float(vi x)
{
    return vcvtq_f32_s32(x);
}
/* Four bytes, the same in all lanes. */
V_INLINE vi vi_quad(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vdupq_n_s32(four);
}
/* The bits of |x|, which are in the order of |x|. */
V_INLINE vi v_magnitude(vf x)
{
    return vandq_s32(vreinterpretq_s32_f32(x), vdupq_n_s32(0x7fffffff));
}
/* To nearest, ties to even. */
V_INLINE vi v_round(vf x)
{
    return vcvtnq_s32_f32(x);
}
/* Lanes within [-128, 127], to 4 bytes. */
V_INLINE void vi_store_bytes(int8_t *p, vi x)
{
    const int16x4_t words = vmovn_s32(x);
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    memcpy(p, &four, sizeof four);
}
V_INLINE vb vb_load(const uint8_t *p)
{
    return vreinterpretq_s8_u8(
        veorq_u8(vld1q_u8(p), vdupq_n_u8(EL_INT8_EXCESS)));
}
/* Two products of numbers up to 127 fit into 16 bits. */
V_INLINE vi vb_dot(vi sum, vb w, vi a)
{
    const int8x16_t y = vreinterpretq_s8_s32(a);
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(y));
    const int16x8_t high = vmull_high_s8(w, y);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

#endif
