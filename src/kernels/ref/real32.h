/* SPDX-License-Identifier: MIT */
/* real32.h - the float functions in plain C: the truth for every level. */
#ifndef EL_REAL32_H
#define EL_REAL32_H

#include "../poly.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float power_of_two_f32(int n)
{
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(r) - 1, and n, of x = n ln 2 + r. */
static inline float reduced_expm1_f32(float x, int *n)
{
    const float whole = fmaf(x, EL_LOG2E, EL_ROUND) - EL_ROUND;
    float r = fmaf(-whole, EL_LN2_HIGH, x);
    r = fmaf(-whole, EL_LN2_LOW, r);
    float q = fmaf(EL_Q5, r, EL_Q4);
    q = fmaf(q, r, EL_Q3);
    q = fmaf(q, r, EL_Q2);
    q = fmaf(q, r, EL_Q1);
    q = fmaf(q, r, EL_Q0);
    *n = (int)whole;
    return fmaf(r * r, q, r);
}

static inline float exp_f32(float x)
{
    if (x != x)
        return x;
    x = EL_EXP_MAX < x ? EL_EXP_MAX : x;
    x = EL_EXP_MIN > x ? EL_EXP_MIN : x;
    int n;
    const float e = reduced_expm1_f32(x, &n) + 1;
    /* In two steps, since 2^n alone may be out of range. */
    const int half = n >> 1;
    return e * power_of_two_f32(half) * power_of_two_f32(n - half);
}

/* tanh |x| = e / (e + 2) with e = exp(2 |x|) - 1. */
static inline float tanh_f32(float x)
{
    if (x != x)
        return x;
    float a = fabsf(x);
    a = EL_TANH_MAX < a ? EL_TANH_MAX : a;
    int n;
    const float e0 = reduced_expm1_f32(a + a, &n);
    const float s = power_of_two_f32(n);
    const float e = fmaf(s, e0, s - 1);
    return copysignf(e / (e + 2), x);
}

static inline float sigmoid_f32(float x)
{
    return 1 / (1 + exp_f32(-x));
}

#endif
