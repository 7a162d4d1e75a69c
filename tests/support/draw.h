/* SPDX-License-Identifier: MIT */
/* draw.h - random test data, all of it a function of one seed.
 *
 * The seed is 1, or what ELMAN_TEST_SEED of the environment says; a test that
 * fails names it, so that the failure can be had again. */
#ifndef TEST_DRAW_H
#define TEST_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t test_seed(void);

/* A sequence of random numbers; two that differ in stream share nothing. */
typedef struct draw {
    uint64_t stream, index;
} draw;

uint32_t draw_u32(draw *d);
/* 0 ... n-1 */
int64_t draw_below(draw *d, int64_t n);
double draw_between(draw *d, double from, double to);

/* The kinds of numbers that kernels meet, and some that they should not. */
typedef enum numbers {
    NUMBERS_PLAIN,   /* [-1, 1) */
    NUMBERS_WIDE,    /* 2^-40 ... 2^40 */
    NUMBERS_TINY,    /* 2^-80 ... 2^-60: their products underflow */
    NUMBERS_ZEROS,   /* 0, -0, 1 and -1 */
    NUMBERS_SPECIAL, /* plain, with denormals, infinities, NaN, ... among */
    NUMBERS_BITS,    /* any 32 bits */
    NUMBERS_KINDS
} numbers;

extern const char *const numbers_name[NUMBERS_KINDS];

/* The values that NUMBERS_SPECIAL mixes in. */
enum { SPECIALS = 40 };
float special_number(int index);

float draw_number(draw *d, numbers kind);
void draw_numbers(draw *d, numbers kind, float *x, ptrdiff_t n);

uint32_t float_bits(float x);
float float_from_bits(uint32_t bits);

/* Equal by their bits, or both NaN. */
bool same_float(float a, float b);
bool same_double(double a, double b);

#endif
