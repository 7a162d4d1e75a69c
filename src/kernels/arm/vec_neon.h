/* SPDX-License-Identifier: MIT */
/* vec_neon.h - the vector vocabulary of level neon: 4 lanes. */
#ifndef EL_VEC_NEON_H
#define EL_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>

#define EL_KERNEL(op) el_##op##_neon
#define VL 4
/* Rows of a product's tile: 6 x 4 accumulators of 32 registers, and column
 * groups of a tile with so few rows.  A step of 6 x 4 loads 10 times for 24
 * multiplications, one of 8 x 2 as often for 16. */
#define V_ROWS 6
#define V_GROUPS(rows) ((rows) <= 2 ? 4 : 2)

typedef float32x4_t vf;
/* How many lanes are inside: there is no masked access. */
typedef ptrdiff_t vm;

#define V_INLINE static inline __attribute__((always_inline))

V_INLINE vm v_tail(ptrdiff_t n)
{
    return n;
}
V_INLINE vf v_load_all(const float *p)
{
    return vld1q_f32(p);
}
V_INLINE void v_store_all(float *p, vf x)
{
    vst1q_f32(p, x);
}
V_INLINE vf v_set(float x)
{
    return vdupq_n_f32(x);
}
V_INLINE vf v_zero(void)
{
    return vdupq_n_f32(0);
}
V_INLINE vf v_load(const float *p, vm m)
{
    if (m >= VL)
        return vld1q_f32(p);
    vf x = v_zero();
    if (m >= 2)
        x = vcombine_f32(vld1_f32(p), vget_high_f32(x));
    if (m == 3)
        x = vld1q_lane_f32(p + 2, x, 2);
    if (m == 1)
        x = vld1q_lane_f32(p, x, 0);
    return x;
}
V_INLINE void v_store(float *p, vm m, vf x)
{
    if (m >= VL)
        vst1q_f32(p, x);
    else if (m >= 2)
        vst1_f32(p, vget_low_f32(x));
    if (m == 3)
        vst1q_lane_f32(p + 2, x, 2);
    if (m == 1)
        vst1q_lane_f32(p, x, 0);
}
V_INLINE vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
V_INLINE vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
V_INLINE vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
V_INLINE vf v_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
V_INLINE vf v_sqrt(vf a)
{
    return vsqrtq_f32(a);
}
/* a b + c, and c - a b, rounded once */
V_INLINE vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
V_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}
/* a < b ? a : b and a > b ? a : b; b where either is NaN, which the
 * processor's own minimum and maximum are not */
V_INLINE vf v_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
V_INLINE vf v_max(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
/* x where y > 0, else 0 */
V_INLINE vf v_where_positive(vf y, vf x)
{
    return vbslq_f32(vcgtzq_f32(y), x, v_zero());
}
V_INLINE vf v_pick(vm m, vf x, vf other)
{
    static const int32_t lane[VL] = {0, 1, 2, 3};
    const int32_t some = m < VL ? (m > 0 ? (int32_t)m : 0) : VL;
    return vbslq_f32(vcltq_s32(vld1q_s32(lane), vdupq_n_s32(some)), x, other);
}
V_INLINE vf v_abs(vf x)
{
    return vabsq_f32(x);
}
V_INLINE vf v_copysign(vf x, vf sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000), sign, x);
}
/* 2^k, k between -126 and 127 */
V_INLINE vf v_exponent(int32x4_t k)
{
    return vreinterpretq_f32_s32(
        vshlq_n_s32(vaddq_s32(k, vdupq_n_s32(127)), 23));
}
/* x 2^n, n whole and between -252 and 254, in two exact factors */
V_INLINE vf v_scale(vf x, vf n)
{
    const int32x4_t k = vcvtq_s32_f32(n);
    const int32x4_t half = vshrq_n_s32(k, 1);
    return vmulq_f32(vmulq_f32(x, v_exponent(half)),
                     v_exponent(vsubq_s32(k, half)));
}
/* Row i, lane j becomes row j, lane i. */
V_INLINE void v_transpose(vf r[VL])
{
    const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1]));
    const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
    const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3]));
    const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    r[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    r[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    r[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
/* 2^n, n whole and between -126 and 127 */
V_INLINE vf v_power(vf n)
{
    return v_exponent(vcvtq_s32_f32(n));
}

#endif
