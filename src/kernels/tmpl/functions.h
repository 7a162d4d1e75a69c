/* SPDX-License-Identifier: MIT */
/* functions.h - exp, tanh and sigmoid of a vector.  Reference:
 * ../ref/real32.h, which has the formulas. */
#ifndef EL_FUNCTIONS_H
#define EL_FUNCTIONS_H

#include "../poly.h"

/* exp(r) - 1, and n, of x = n ln 2 + r. */
V_INLINE vf v_reduced_expm1(vf x, vf *n)
{
    const vf round = v_set(EL_ROUND);
    *n = v_sub(v_fma(x, v_set(EL_LOG2E), round), round);
    vf r = v_fnma(*n, v_set(EL_LN2_HIGH), x);
    r = v_fnma(*n, v_set(EL_LN2_LOW), r);
    vf q = v_fma(v_set(EL_Q5), r, v_set(EL_Q4));
    q = v_fma(q, r, v_set(EL_Q3));
    q = v_fma(q, r, v_set(EL_Q2));
    q = v_fma(q, r, v_set(EL_Q1));
    q = v_fma(q, r, v_set(EL_Q0));
    return v_fma(v_mul(r, r), q, r);
}

V_INLINE vf v_exp(vf x)
{
    x = v_min(v_set(EL_EXP_MAX), x);
    x = v_max(v_set(EL_EXP_MIN), x);
    vf n;
    const vf e = v_add(v_reduced_expm1(x, &n), v_set(1));
    return v_scale(e, n);
}

V_INLINE vf v_tanh(vf x)
{
    const vf a = v_min(v_set(EL_TANH_MAX), v_abs(x));
    vf n;
    const vf e0 = v_reduced_expm1(v_add(a, a), &n);
    const vf s = v_power(n);
    const vf e = v_fma(s, e0, v_sub(s, v_set(1)));
    return v_copysign(v_div(e, v_add(e, v_set(2))), x);
}

V_INLINE vf v_sigmoid(vf x)
{
    const vf one = v_set(1);
    return v_div(one, v_add(one, v_exp(v_sub(v_set(-0.0f), x))));
}

#endif
