/* SPDX-License-Identifier: MIT */
/* scratch.h - memory that lives until the end of the test that asked for it,
 * and numbers in it. */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include "draw.h"

#include <elman.h>

/* Cleared; a block of its own, so that a sanitizer sees its ends. */
void *scratch(int64_t count, size_t size);
double *scratch_doubles(int64_t count);
/* A cmocka teardown: gives all of it back. */
int scratch_free(void **state);

/* The numbers as elements of dtype, in memory of their own; NULL for NULL. */
void *scratch_as(elman_dtype dtype, const double *x, int64_t count);

/* Numbers in [-bound, bound) that float32 too can hold. */
double *scratch_draw(draw *d, int64_t count, double bound);

/* Element i of x. */
double element(elman_dtype dtype, const void *x, int64_t i);

#endif
