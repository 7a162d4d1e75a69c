/* SPDX-License-Identifier: MIT */
/* random.h - counter-based random numbers: a function of seed, stream, index.
 * A stream is a purpose, told apart by its high half; the low half is the
 * purpose's own (a layer, an epoch). */
#ifndef EL_RANDOM_H
#define EL_RANDOM_H

#include <stdint.h>

enum el_purpose {
    EL_RANDOM_WEIGHTS = 1,
    EL_RANDOM_STATE = 2,
    EL_RANDOM_OFFSET = 3, /* of an epoch's first token */
    EL_RANDOM_ORDER = 4,  /* of an epoch's pieces */
    EL_RANDOM_SAMPLE = 5,
    EL_RANDOM_DROPOUT = 6,
    EL_RANDOM_WEIGHT_DROP = 7,
    EL_RANDOM_CUT = 8, /* of an epoch's rows, after each piece */
};

#define EL_STREAM(purpose, low) ((uint64_t)(purpose) << 32 | (uint32_t)(low))

/* Philox4x32-10: 128 random bits. */
void el_philox(uint64_t seed, uint64_t stream, uint64_t counter,
               uint32_t out[4]);
uint32_t el_random_u32(uint64_t seed, uint64_t stream, uint64_t index);
/* [0, 1), a multiple of 2^-53. */
double el_random_double(uint64_t seed, uint64_t stream, uint64_t index);
/* A permutation of 0 ... n-1, element by element, held nowhere. */
int64_t el_random_permute(uint64_t seed, uint64_t stream, int64_t n,
                          int64_t index);

#endif
