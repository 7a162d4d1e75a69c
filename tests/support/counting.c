/* SPDX-License-Identifier: MIT */
#include "counting.h"
#include "expect.h"

#include <stdlib.h>

/* The size lies in front of the block. */
typedef union front {
    size_t size;
    max_align_t align;
} front;

static void *counted_alloc(void *user, size_t size)
{
    counting *const c = user;
    const long long number = atomic_fetch_add(&c->asked, 1) + 1;
    const long long fail = atomic_load(&c->fail);
    if (fail > 0 && (number == fail || (c->fail_after && number > fail)))
        return NULL;
    front *const f = malloc(sizeof *f + size);
    if (!f)
        return NULL;
    f->size = size;
    atomic_fetch_add(&c->live, 1);
    const long long bytes =
        atomic_fetch_add(&c->bytes, (long long)size) + (long long)size;
    long long most = atomic_load(&c->most);
    while (most < bytes &&
           !atomic_compare_exchange_weak(&c->most, &most, bytes))
        ;
    return f + 1;
}

static void counted_free(void *user, void *block)
{
    counting *const c = user;
    front *const f = (front *)block - 1;
    atomic_fetch_sub(&c->live, 1);
    atomic_fetch_sub(&c->bytes, (long long)f->size);
    free(f);
}

elman_allocator counting_allocator(counting *c)
{
    return (elman_allocator){counted_alloc, counted_free, c};
}

elman_context *counting_context(counting *c)
{
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    desc.allocator = counting_allocator(c);
    elman_context *context;
    must(elman_context_create(&desc, &context));
    return context;
}
