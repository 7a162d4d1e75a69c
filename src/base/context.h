/* SPDX-License-Identifier: MIT */
/* context.h - what everything is made from: memory, threads, kernels. */
#ifndef EL_CONTEXT_H
#define EL_CONTEXT_H

#include "status.h"

#include <stdbool.h>

struct el_kernels;
struct el_team;

struct elman_context {
    elman_allocator allocator;
    struct el_team *team;
    const struct el_kernels *f32; /* of the level in use */
    const struct el_kernels *bf16;
    const struct el_kernels *f64; /* always the reference */
    const struct el_kernels *int8;
    int level;       /* of enum el_level, in cpu.h */
    char levels[64]; /* all that this machine has */
    char cpu[64];
};

/* The table that networks of a dtype compute with. */
static inline const struct el_kernels *
el_context_kernels(const elman_context *context, elman_dtype dtype)
{
    return dtype == ELMAN_F64    ? context->f64
           : dtype == ELMAN_BF16 ? context->bf16
           : dtype == ELMAN_INT8 ? context->int8
                                 : context->f32;
}

/* Memory aligned to 64 bytes and cleared; NULL with a sentence kept.  Asking
 * for nothing gives a block that may be freed. */
void *el_alloc(const elman_context *context, size_t size);
/* What the allocator is asked for above a block's own size. */
enum { EL_BLOCK_EXTRA = 80 };
/* What it was asked for in all, for a block of ours; 0 for NULL. */
size_t el_block_bytes(const void *block);
/* count * size bytes, refused where that overflows. */
void *el_alloc_array(const elman_context *context, int64_t count, size_t size);
/* Moves a block of old_size bytes to one of new_size; NULL leaves it alone. */
void *el_grow(const elman_context *context, void *block, size_t old_size,
              size_t new_size);
/* NULL is fine. */
void el_free(const elman_context *context, void *block);
char *el_strdup(const elman_context *context, const char *text);

#endif
