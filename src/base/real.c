/* SPDX-License-Identifier: MIT */
#include "real.h"

#include <math.h>
#include <string.h>

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t to_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 2^n for -1022 <= n <= 1023. */
static double power_of_two(int n)
{
    return from_bits((uint64_t)(n + 1023) << 52);
}

/* x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, the first with
 * zeros at its end so that n times it is exact. */
static int reduce_ln2(double x, double *r)
{
    const double magic = 0x1.8p52;
    const double n = fma(x, 0x1.71547652b82fep0, magic) - magic;
    *r = fma(-n, 0x1.62e42fefa38p-1, x);
    *r = fma(-n, 0x1.ef35793c7673p-45, *r);
    return (int)n;
}

/* exp(r) - 1 - r by Taylor's series up to r^14; at |r| = 0.35 the rest is
 * below 2^-62. */
static double exp_tail(double r)
{
    static const double inverse_factorial[] = {
        0x1.93974a8c07c9dp-37, /* 1/14! */
        0x1.6124613a86d09p-33, 0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26,
        0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16,
        0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7,
        0x1.5555555555555p-5,  0x1.5555555555555p-3,  0x1p-1};
    double p = inverse_factorial[0];
    for (int i = 1; i < 13; ++i)
        p = fma(p, r, inverse_factorial[i]);
    return p * (r * r);
}

double el_exp64(double x)
{
    if (x != x)
        return x;
    if (x > 709.79)
        return INFINITY;
    if (x < -745.2)
        return 0;
    double r;
    const int n = reduce_ln2(x, &r);
    const double e = 1 + (r + exp_tail(r));
    /* In two steps, since 2^n alone may be out of range. */
    return e * power_of_two(n / 2) * power_of_two(n - n / 2);
}

double el_expm1_64(double x)
{
    double r;
    const int n = reduce_ln2(x, &r);
    const double e = r + exp_tail(r);
    const double s = power_of_two(n);
    return fma(s, e, s - 1);
}

/* tanh |x| = e / (e + 2) with e = exp(2 |x|) - 1. */
double el_tanh64(double x)
{
    if (x != x)
        return x;
    const double a = fabs(x) > 20 ? 20 : fabs(x);
    const double e = el_expm1_64(2 * a);
    return copysign(e / (e + 2), x);
}

/* x = 2^n m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh s with
 * s = (m - 1) / (m + 1), |s| <= 0.1716, by its series up to s^21. */
double el_log64(double x)
{
    if (x != x || x == INFINITY)
        return x;
    if (x <= 0)
        return x == 0 ? -INFINITY : NAN;
    int n = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        n = -54;
    }
    uint64_t bits = to_bits(x);
    /* Adding to the bits carries into the exponent from sqrt(2) on. */
    const uint64_t shifted = bits + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
    n += (int)(shifted >> 52) - 1023;
    bits = (shifted & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd;
    const double f = from_bits(bits) - 1;
    const double s = f / (2 + f);
    const double z = s * s;
    double p = 2.0 / 21;
    for (int i = 19; i >= 3; i -= 2)
        p = fma(p, z, 2.0 / i);
    /* ln m = f - s (f - z p): f is exact, and the rest is small. */
    const double tail = s * fma(-z, p, f);
    const double high = n * 0x1.62e42fefa38p-1;
    const double low = fma(n, 0x1.ef35793c7673p-45, -tail);
    return high + (f + low);
}

/* x = n pi/2 + r with |r| <= pi/4, pi/2 in three parts. */
double el_cos64(double x)
{
    const double magic = 0x1.8p52;
    const double n = fma(x, 0x1.45f306dc9c883p-1, magic) - magic;
    double r = fma(-n, 0x1.921fb54442d18p0, x);
    r = fma(-n, 0x1.1a62633145c07p-54, r);
    r = fma(n, 0x1.f1976b7ed8fbcp-110, r);
    const double z = r * r;
    const int quarter = (int)n & 3;
    double p;
    if (quarter & 1) { /* -+ sin r */
        p = -1 / 1307674368000.0;
        p = fma(p, z, 1 / 6227020800.0);
        p = fma(p, z, -1 / 39916800.0);
        p = fma(p, z, 1 / 362880.0);
        p = fma(p, z, -1 / 5040.0);
        p = fma(p, z, 1 / 120.0);
        p = fma(p, z, -1 / 6.0);
        p = fma(p * z, r, r);
        return quarter == 1 ? -p : p;
    }
    p = 1 / 20922789888000.0;
    p = fma(p, z, -1 / 87178291200.0);
    p = fma(p, z, 1 / 479001600.0);
    p = fma(p, z, -1 / 3628800.0);
    p = fma(p, z, 1 / 40320.0);
    p = fma(p, z, -1 / 720.0);
    p = fma(p, z, 1 / 24.0);
    p = fma(p, z, -0.5);
    p = fma(p, z, 1.0);
    return quarter == 0 ? p : -p;
}

double el_powi64(double x, int64_t n)
{
    double power = 1;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            power *= x;
        x *= x;
    }
    return power;
}
