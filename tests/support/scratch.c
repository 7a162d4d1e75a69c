/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct block {
    struct block *next;
    void *memory;
} block;

static block *blocks;

void *scratch(int64_t count, size_t size)
{
    block *const b = malloc(sizeof *b);
    void *const memory = calloc(count > 0 ? (size_t)count : 1, size);
    assert_non_null(b);
    assert_non_null(memory);
    *b = (block){blocks, memory};
    blocks = b;
    return memory;
}

double *scratch_doubles(int64_t count)
{
    return scratch(count, sizeof(double));
}

int scratch_free(void **state)
{
    (void)state;
    while (blocks) {
        block *const next = blocks->next;
        free(blocks->memory);
        free(blocks);
        blocks = next;
    }
    return 0;
}

void *scratch_as(elman_dtype dtype, const double *x, int64_t count)
{
    if (!x)
        return NULL;
    void *const y = scratch(count, elman_dtype_size(dtype));
    for (int64_t i = 0; i < count; ++i)
        if (dtype == ELMAN_F64)
            ((double *)y)[i] = x[i];
        else
            ((float *)y)[i] = (float)x[i];
    return y;
}

double *scratch_draw(draw *d, int64_t count, double bound)
{
    double *const x = scratch_doubles(count);
    for (int64_t i = 0; i < count; ++i)
        x[i] = (double)(float)draw_between(d, -bound, bound);
    return x;
}

double element(elman_dtype dtype, const void *x, int64_t i)
{
    return dtype == ELMAN_F64 ? ((const double *)x)[i]
                              : (double)((const float *)x)[i];
}
