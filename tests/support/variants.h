/* SPDX-License-Identifier: MIT */
/* variants.h - contexts that must all give the same bits: every cpu level of
 * this machine, with 1, 2 and 3 threads, and a caller's executor. */
#ifndef TEST_VARIANTS_H
#define TEST_VARIANTS_H

#include <elman.h>

enum { MOST_VARIANTS = 12 };

typedef struct variant {
    elman_context *context;
    char name[32]; /* "avx2, 3 threads" */
} variant;

/* The first is the reference on one thread. */
int variants_create(variant list[MOST_VARIANTS]);
void variants_destroy(variant *list, int count);

/* isa NULL: the best. */
elman_context *make_context(int threads, const char *isa);

#endif
