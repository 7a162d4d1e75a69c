/* SPDX-License-Identifier: MIT */
/* fused.c - a C file's multiply-add of doubles against fmaf: random bits,
 * results near the middle of two floats, and results that are denormal. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MODEL_H
#include "arithmetic.c"

static uint32_t draw(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float of_bits(uint32_t bits)
{
    number x;
    x.bits = bits;
    return x.value;
}

/* Of few digits, and so often exact or half-way; exponents around `middle`. */
static float plain(uint32_t middle)
{
    const uint32_t digits = draw() & draw() & draw() & 0x7fffff;
    return of_bits((draw() & 0x80000000) | (middle + draw() % 32) << 23 |
                   digits);
}

/* (1 + k u) (1 - k u) is less than 1 by k^2 u^2, which a double may not hold
 * beside c. */
static void near_one(int exponent, float *a, float *b)
{
    const float k = (float)(draw() % 200) * 0x1p-23f;
    *a = 1 + k;
    *b = ldexpf(draw() % 2 ? k - 1 : 1 - k, exponent);
}

static int differ(float a, float b, float c)
{
    number x, y;
    x.value = fused(a, b, c);
    y.value = fmaf(a, b, c);
    if (x.bits == y.bits || (x.value != x.value && y.value != y.value))
        return 0;
    printf("%a * %a + %a: %a, not %a\n", (double)a, (double)b, (double)c,
           (double)x.value, (double)y.value);
    return 1;
}

int main(void)
{
    long i;
    for (i = 0; i < 4000000; ++i) {
        float a = plain(110), b = plain(110), c = plain(100);
        if (differ(of_bits(draw()), of_bits(draw()), of_bits(draw())) ||
            differ(a, b, c))
            return 1;
        /* Half a digit of c, or a little less. */
        near_one(-24, &a, &b);
        c = of_bits((draw() & 0x80000000) | 127u << 23 | (draw() & 0x7fffff));
        if (differ(a, b, c))
            return 1;
        /* And so among denormal numbers. */
        near_one(-75, &a, &b);
        a = ldexpf(a, -75);
        c = of_bits((draw() & 0x80000000) | (draw() & 0xffffff));
        if (differ(a, b, c) || differ(plain(40), plain(40), c))
            return 1;
    }
    return 0;
}
