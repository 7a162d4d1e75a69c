/* SPDX-License-Identifier: MIT */
#include "draw.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const numbers_name[NUMBERS_KINDS] = {"plain", "wide",    "tiny",
                                                 "zeros", "special", "bits"};

uint64_t test_seed(void)
{
    const char *const text = getenv("ELMAN_TEST_SEED");
    return text && *text ? strtoull(text, NULL, 0) : 1;
}

uint32_t draw_u32(draw *d)
{
    return el_random_u32(test_seed(), d->stream, d->index++);
}

int64_t draw_below(draw *d, int64_t n)
{
    return (int64_t)(((uint64_t)draw_u32(d) * (uint64_t)n) >> 32);
}

double draw_between(draw *d, double from, double to)
{
    return from + (to - from) * ((double)draw_u32(d) * 0x1p-32);
}

uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float float_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float special_number(int index)
{
    /* The second half has the other sign. */
    static const uint32_t bits[SPECIALS / 2] = {
        0x00000000, 0x00000001, 0x00000100, 0x007fffff, /* denormals */
        0x00800000, 0x00800001, 0x0d000000, 0x33800000, /* tiny, 2^-24 */
        0x3f7fffff, 0x3f800000, 0x3f800001, 0x41200000, /* 1, 10 */
        0x42b17218, 0x42b20000, 0x42d20000, 0x4b800001, /* 88.7, 89, 105 */
        0x7e967699, 0x7f7fffff, 0x7f800000, 0x7fc00000, /* huge, inf, NaN */
    };
    const uint32_t sign = index < SPECIALS / 2 ? 0 : 0x80000000;
    return float_from_bits(bits[index % (SPECIALS / 2)] | sign);
}

/* A random sign and fraction, and an exponent in [low, high). */
static float draw_magnitude(draw *d, int low, int high)
{
    const uint32_t bits = draw_u32(d);
    const float fraction = float_from_bits((bits & 0x807fffff) | 0x3f800000);
    return ldexpf(fraction, low + (int)draw_below(d, high - low));
}

float draw_number(draw *d, numbers kind)
{
    switch (kind) {
    case NUMBERS_WIDE:
        return draw_magnitude(d, -40, 40);
    case NUMBERS_TINY:
        return draw_magnitude(d, -80, -60);
    case NUMBERS_ZEROS: {
        const float values[4] = {0, -0.0f, 1, -1};
        return values[draw_below(d, 4)];
    }
    case NUMBERS_SPECIAL:
        if (draw_below(d, 12) == 0)
            return special_number((int)draw_below(d, SPECIALS));
        break;
    case NUMBERS_BITS:
        return float_from_bits(draw_u32(d));
    case NUMBERS_PLAIN:
    case NUMBERS_KINDS:
        break;
    }
    return (float)(draw_u32(d) >> 8) * 0x1p-23f - 1;
}

void draw_numbers(draw *d, numbers kind, float *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; ++i)
        x[i] = draw_number(d, kind);
}

bool same_float(float a, float b)
{
    return float_bits(a) == float_bits(b) || (isnan(a) && isnan(b));
}

bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}
