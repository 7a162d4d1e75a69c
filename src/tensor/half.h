/* SPDX-License-Identifier: MIT */
/* half.h - numbers of two bytes as floats, which hold all of them. */
#ifndef EL_HALF_H
#define EL_HALF_H

#include <stdint.h>
#include <string.h>

/* IEEE 754's binary16. */
static inline float el_from_float16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t exponent = h >> 10 & 31, fraction = h & 1023;
    uint32_t bits = sign;
    float out;
    if (exponent == 31)
        bits |= 0x7f800000 | fraction << 13;
    else if (exponent > 0)
        bits |= (exponent + 112) << 23 | fraction << 13;
    if (exponent == 0 && fraction > 0) {
        /* Fractions of 2^-24, all of them exact. */
        out = (float)fraction * 0x1p-24f;
        return sign ? -out : out;
    }
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* The upper half of a float. */
static inline float el_from_bfloat16(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

#endif
