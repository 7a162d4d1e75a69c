/* SPDX-License-Identifier: MIT */
/* fence.h - memory in which a kernel that strays is caught.
 *
 * A fence is writable memory between two pages that nobody may touch.  A
 * matrix placed in it ends at its end (or a given number of floats before);
 * before it, behind it and between its rows lies garbage, a NaN that would
 * show in any result, which must still be there afterwards.  A locked fence
 * may only be read.
 *
 * What is being tried is kept in words, so that a fault too can say it. */
#ifndef TEST_FENCE_H
#define TEST_FENCE_H

#include "draw.h"

typedef struct fence {
    float *first; /* at a page's beginning */
    ptrdiff_t floats;
    float *used; /* from here on, by what was placed last */
} fence;

typedef struct matrix {
    float *at;
    ptrdiff_t rows, columns, stride;
    float *low, *high; /* garbage begins and ends here */
} matrix;

void fence_create(fence *f, ptrdiff_t floats);
void fence_destroy(fence *f);
void fence_lock(fence *f);

/* Unlocks the fence.  stride >= columns; all elements are garbage at first. */
matrix fence_place(fence *f, ptrdiff_t rows, ptrdiff_t columns,
                   ptrdiff_t stride, ptrdiff_t slack);

void matrix_draw(const matrix *m, draw *d, numbers kind);
void matrix_copy(const matrix *to, const matrix *from);

/* Fails the test if got differs from expected anywhere, any NaN being equal to
 * any other, or if the garbage around either was touched. */
void matrix_check(const matrix *got, const matrix *expected);

/* Says what is being tried, and by whom. */
void trying(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails the test with a sentence, what is being tried, and the seed. */
void fail_trying(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
