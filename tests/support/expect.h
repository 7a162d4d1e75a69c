/* SPDX-License-Identifier: MIT */
/* expect.h - what tests of the public functions expect of a status, of
 * numbers, and of bits.  What is being tried (fence.h) stands in front of
 * every failure. */
#ifndef TEST_EXPECT_H
#define TEST_EXPECT_H

#include "fence.h"

#include <elman.h>

/* The call succeeds. */
#define must(call) expect_status(#call, (call), ELMAN_OK)
/* The call is refused with that status and a sentence, which holds the words.
 */
#define must_fail(call, status, words)                                         \
    do {                                                                       \
        expect_status(#call, (call), (status));                                \
        expect_sentence(#call, (words));                                       \
    } while (0)

void expect_status(const char *call, elman_status got, elman_status expected);
void expect_sentence(const char *call, const char *words);

/* got differs from expected by at most tolerance times the largest entry of
 * expected, by at most tolerance where all of those are zeros.  Returns how
 * much it was. */
double expect_close(const char *what, elman_dtype dtype, const void *got,
                    const double *expected, int64_t count, double tolerance);

/* The same, but the largest entry counts as no less than scale. */
double expect_near(const char *what, elman_dtype dtype, const void *got,
                   const double *expected, int64_t count, double tolerance,
                   double scale);

/* The same bytes; the sentence names the first element that differs. */
void expect_same(const char *what, elman_dtype dtype, const void *got,
                 const void *expected, int64_t count);

/* 1e-5 in float32 and 1e-10 in float64. */
double usual_tolerance(elman_dtype dtype);

#endif
