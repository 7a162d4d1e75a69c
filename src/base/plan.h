/* SPDX-License-Identifier: MIT */
/* plan.h - one list of what a thing needs, which is either allocated or only
 * added up: so that what is said beforehand is what is taken. */
#ifndef EL_PLAN_H
#define EL_PLAN_H

#include "context.h"

typedef struct el_plan {
    const elman_context *context;
    bool allocate; /* false: only added up */
    bool failed;   /* it overflows, or memory ran out; a sentence is kept */
    int64_t bytes; /* so far, as the allocator is asked for them */
} el_plan;

/* A block of count * width elements of so many bytes, for the pointer that
 * lies at `at`, which is left alone where nothing is allocated; nothing after
 * a failure. */
void el_want(el_plan *plan, void *at, int64_t count, int64_t width,
             size_t size);
/* Bytes that something else allocates. */
void el_want_bytes(el_plan *plan, int64_t bytes);

#endif
