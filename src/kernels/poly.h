/* SPDX-License-Identifier: MIT */
/* poly.h - the constants of the float functions, for every level.
 *
 * exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2, |r| <= ln 2 / 2;
 * exp(r) - 1 = r + r^2 q(r), q of degree 5 interpolating at Chebyshev's nodes
 * on a slightly larger interval. */
#ifndef EL_POLY_H
#define EL_POLY_H

#define EL_LOG2E 0x1.715476p0f
/* ln 2 in two parts; n times the first is exact for |n| < 2^9. */
#define EL_LN2_HIGH 0x1.62e4p-1f
#define EL_LN2_LOW 0x1.7f7d1cp-20f
/* Adding and subtracting 1.5 * 2^23 rounds to the nearest integer. */
#define EL_ROUND 0x1.8p23f

#define EL_Q0 0x1.000000p-1f
#define EL_Q1 0x1.555556p-3f
#define EL_Q2 0x1.5554e8p-5f
#define EL_Q3 0x1.1110e0p-7f
#define EL_Q4 0x1.6d43b0p-10f
#define EL_Q5 0x1.a1256cp-13f

/* Beyond these exp overflows, or gives 0; tanh gives 1. */
#define EL_EXP_MAX 89.0f
#define EL_EXP_MIN -105.0f
#define EL_TANH_MAX 10.0f

#endif
