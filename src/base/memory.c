/* SPDX-License-Identifier: MIT */
#include "context.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED
#endif
#endif
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { ALIGNMENT = 64 };

/* The caller's block may begin anywhere: what lies below ours says where, and
 * how large it is. */
typedef struct below {
    void *block;
    size_t size;
} below;

_Static_assert(EL_BLOCK_EXTRA >= ALIGNMENT + sizeof(below), "too little room");

static below below_of(const void *ours)
{
    below b;
    memcpy(&b, (const char *)ours - sizeof b, sizeof b);
    return b;
}

/* How much of the caller's block lies behind ours: AddressSanitizer sees to it
 * that nobody touches that. */
static inline size_t behind(const below *b, const void *ours)
{
    return (size_t)((char *)b->block + EL_BLOCK_EXTRA - (const char *)ours);
}

void *el_alloc(const elman_context *context, size_t size)
{
    const size_t room = EL_BLOCK_EXTRA;
    char *block = NULL;
    if (size <= SIZE_MAX - room)
        block = context->allocator.alloc(context->allocator.user, size + room);
    if (!block) {
        el_no_memory();
        return NULL;
    }
    const below b = {block, size + room};
    const uintptr_t first = (uintptr_t)block + sizeof b;
    const size_t shift = (ALIGNMENT - first % ALIGNMENT) % ALIGNMENT;
    char *const aligned = block + sizeof b + shift;
    memcpy(aligned - sizeof b, &b, sizeof b);
    memset(aligned, 0, size);
    ASAN_POISON_MEMORY_REGION(aligned + size, behind(&b, aligned));
    return aligned;
}

void *el_alloc_array(const elman_context *context, int64_t count, size_t size)
{
    size_t bytes;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes)) {
        el_no_memory();
        return NULL;
    }
    return el_alloc(context, bytes);
}

void *el_grow(const elman_context *context, void *block, size_t old_size,
              size_t new_size)
{
    void *const next = el_alloc(context, new_size);
    if (next && block) {
        memcpy(next, block, old_size < new_size ? old_size : new_size);
        el_free(context, block);
    }
    return next;
}

void el_free(const elman_context *context, void *block)
{
    if (!block)
        return;
    const below b = below_of(block);
    ASAN_UNPOISON_MEMORY_REGION((char *)block + b.size - EL_BLOCK_EXTRA,
                                behind(&b, block));
    context->allocator.free(context->allocator.user, b.block);
}

size_t el_block_bytes(const void *block)
{
    return block ? below_of(block).size : 0;
}

char *el_strdup(const elman_context *context, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *const copy = el_alloc(context, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}
