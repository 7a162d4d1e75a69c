/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include <string.h>

static void begin_row(const el_kernels *k, const void *init, const void *y,
                      void *row, int64_t n)
{
    const size_t bytes = (size_t)n * k->size;
    if (init && init != y)
        memcpy(row, init, bytes);
    else if (!init)
        memset(row, 0, bytes);
}

void el_lookup(const el_kernels *k, int64_t rows, int64_t n, const void *init,
               const void *table, const int32_t *ids, void *y, int64_t ldy)
{
    for (int64_t i = 0; i < rows; ++i) {
        void *const row = el_at(k, y, i * ldy);
        begin_row(k, init, y, row, n);
        if (ids[i] >= 0)
            k->add_rows(row, table, n, &ids[i], 1, n);
    }
}

void el_lookup_panels(const el_kernels *k, int64_t rows, int64_t n,
                      const void *init, const void *table, int64_t depth,
                      const int32_t *ids, void *y, int64_t ldy)
{
    for (int64_t i = 0; i < rows; ++i) {
        void *const row = el_at(k, y, i * ldy);
        begin_row(k, init, y, row, n);
        for (int64_t j = 0; ids[i] >= 0 && j < n; j += EL_PANEL)
            k->add(el_at(k, row, j),
                   el_at(k, table, j * depth + ids[i] * EL_PANEL),
                   n - j < EL_PANEL ? n - j : EL_PANEL);
    }
}

/* The scratch: a sum [n], the rows of a block sorted by id, and where each
 * id's begin. */
static int64_t block_rows(el_run run)
{
    const int64_t steps =
        run.steps < EL_BLOCK_STEPS ? run.steps : EL_BLOCK_STEPS;
    return steps * run.batch;
}

size_t el_lookup_scratch(const el_kernels *k, el_run run, int64_t vocab,
                         int64_t n)
{
    const size_t integers = (size_t)(block_rows(run) + vocab + 1);
    return (size_t)n * k->size + integers * sizeof(int32_t);
}

/* A counting sort, stable in the order of the chain: descending t, ascending
 * place in the batch.  Afterwards id's rows are order[start[id-1] ...
 * start[id]-1], start[-1] being 0. */
static void sort_by_id(const el_lookup_gradient_args *g, int64_t begin,
                       int64_t end, int32_t *order, int32_t *start)
{
    memset(start, 0, (size_t)(g->vocab + 1) * sizeof *start);
    for (int64_t t = begin; t < end; ++t)
        for (int64_t i = 0; i < el_active(g->run, t); ++i) {
            const int32_t id = g->ids[el_first_row(g->run, t) + i];
            if (id >= 0)
                ++start[id + 1];
        }
    for (int64_t id = 0; id < g->vocab; ++id)
        start[id + 1] += start[id];
    for (int64_t t = end - 1; t >= begin; --t)
        for (int64_t i = 0; i < el_active(g->run, t); ++i) {
            const int64_t row = el_first_row(g->run, t) + i;
            if (g->ids[row] >= 0)
                order[start[g->ids[row]]++] = (int32_t)row;
        }
}

void el_lookup_gradient(const el_kernels *k, const el_lookup_gradient_args *g)
{
    void *const sum = g->scratch;
    int32_t *const start = el_at(k, sum, g->n);
    int32_t *const order = start + g->vocab + 1;
    int64_t end = g->run.steps;
    while (end > 0) {
        const int64_t begin = (end - 1) / EL_BLOCK_STEPS * EL_BLOCK_STEPS;
        sort_by_id(g, begin, end, order, start);
        for (int64_t id = 0, at = 0; id < g->vocab; at = start[id], ++id) {
            if (start[id] == at)
                continue;
            memset(sum, 0, (size_t)g->n * k->size);
            k->add_rows(sum, g->a, g->lda, order + at, start[id] - at, g->n);
            k->add_strided(el_at(k, g->grad, id * g->id_stride), g->stride, sum,
                           g->n);
        }
        end = begin;
    }
}
