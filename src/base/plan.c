/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <string.h>

void el_want_bytes(el_plan *p, int64_t bytes)
{
    if (p->failed)
        return;
    if (bytes < 0 || __builtin_add_overflow(p->bytes, bytes, &p->bytes) ||
        p->bytes > INT64_MAX / 16) {
        p->failed = true;
        el_no_memory();
    }
}

void el_want(el_plan *p, void *at, int64_t count, int64_t width, size_t size)
{
    int64_t elements, bytes;
    if (p->failed)
        return;
    if (__builtin_mul_overflow(count, width, &elements) ||
        __builtin_mul_overflow(elements, (int64_t)size, &bytes) ||
        bytes > INT64_MAX / 16) {
        p->failed = true;
        el_no_memory();
        return;
    }
    el_want_bytes(p, bytes + EL_BLOCK_EXTRA);
    if (p->failed || !p->allocate)
        return;
    void *const block = el_alloc(p->context, (size_t)bytes);
    p->failed = !block;
    memcpy(at, &block, sizeof block);
}
