/* SPDX-License-Identifier: MIT */
/* test_context.h - a context for tests of the lower floors: one thread, and an
 * allocator that counts, and fails when it is told to. */
#ifndef TEST_CONTEXT_H
#define TEST_CONTEXT_H

#include "../../src/base/context.h"

#include <stdlib.h>

static int64_t test_left = -1; /* allocations until one fails; -1: none will */
static bool test_failed;       /* one has */
static int64_t test_live;      /* blocks that are not freed yet */

static inline void *test_alloc(void *user, size_t size)
{
    (void)user;
    if (test_left == 0)
        test_failed = true;
    if (test_left >= 0 && test_left-- == 0)
        return NULL;
    void *const block = malloc(size);
    test_live += block != NULL;
    return block;
}

static inline void test_free(void *user, void *block)
{
    (void)user;
    --test_live;
    free(block);
}

/* The one after the next n allocations fails, those after it do not.  A test
 * of every allocation counts n up from 0 until test_failed stays false. */
static inline void test_fail_after(int64_t n)
{
    test_left = n;
    test_failed = false;
}

/* No allocation fails any more. */
static inline void test_fail_never(void)
{
    test_left = -1;
}

static inline elman_context *test_context(void)
{
    static elman_context context = {
        .allocator = {.alloc = test_alloc, .free = test_free}};
    return &context;
}

#endif
