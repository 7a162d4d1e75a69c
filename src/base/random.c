/* SPDX-License-Identifier: MIT */
#include "random.h"
#include "real.h"

#include <elman.h>
#include <math.h>

/* Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3
 * (SC 2011), with their constants. */
void el_philox(uint64_t seed, uint64_t stream, uint64_t counter,
               uint32_t out[4])
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ key0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
        c3 = (uint32_t)p0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t el_random_u32(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t four[4];
    el_philox(seed, stream, index >> 2, four);
    return four[index & 3];
}

float elman_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (float)(el_random_u32(seed, stream, index) >> 8) * 0x1p-24f;
}

double el_random_double(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t four[4];
    el_philox(seed, stream, index, four);
    const uint64_t bits = (uint64_t)four[0] << 32 | four[1];
    return (double)(bits >> 11) * 0x1p-53;
}

double elman_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t four[4];
    el_philox(seed, stream, index, four);
    const uint64_t a = (uint64_t)four[0] << 32 | four[1];
    const uint64_t b = (uint64_t)four[2] << 32 | four[3];
    const double u = (double)((a >> 11) + 1) * 0x1p-53; /* (0, 1] */
    const double v = (double)(b >> 11) * 0x1p-53;
    const double two_pi = 0x1.921fb54442d18p2;
    return sqrt(-2 * el_log64(u)) * el_cos64(two_pi * v);
}

/* A Feistel network on the smallest even number of bits that holds n; where
 * the result lies outside, it goes round again (cycle walking). */
int64_t el_random_permute(uint64_t seed, uint64_t stream, int64_t n,
                          int64_t index)
{
    int half = 1;
    while (half < 31 && (int64_t)1 << 2 * half < n)
        ++half;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t x = (uint64_t)index;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < 6; ++round) {
            const uint64_t f =
                el_random_u32(seed, stream, right << 5 | round << 2) & mask;
            const uint64_t next = left ^ f;
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}
