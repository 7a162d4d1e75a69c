/* SPDX-License-Identifier: MIT */
/* products_tmpl.h - the products: one tile of registers, used for all.
 *
 * A tile is `rows` rows by `groups` column groups of two vectors.  Every
 * accumulator is one output's chain; a step multiplies a broadcast element of
 * a with two vectors of b.  With few rows more groups keep the multipliers
 * busy: a chain alone would wait for its own last link. */

#include "functions.h"

enum { GROUP = 2 * VL }; /* columns */

#define EACH_ACCUMULATOR(rows, groups)                                         \
    _Pragma("GCC unroll 16") for (int i = 0; i < (rows); ++i)                  \
        _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)

/* acc[i][v] is chained on over k = 0 ... steps-1 by
 *   a[i * a_row + k * a_step]  times  b[k * b_step + columns of v]
 * where column group q begins at b + group_at[q]. */
#define CHAIN(rows, groups, FORESEE)                                           \
    for (ptrdiff_t k = 0; k < steps; ++k) {                                    \
        FORESEE                                                                \
        vf x[8]; /* of a constant size: no stack that moves */                 \
        _Pragma("GCC unroll 8") for (int q = 0; q < (groups); ++q)             \
        {                                                                      \
            x[2 * q] = v_load_all(b + group_at[q]);                            \
            x[2 * q + 1] = v_load_all(b + group_at[q] + VL);                   \
        }                                                                      \
        _Pragma("GCC unroll 16") for (int i = 0; i < (rows); ++i)              \
        {                                                                      \
            const vf y = v_set(a[i * a_row]);                                  \
            _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)     \
                acc[i][v] = v_fma(y, x[v], acc[i][v]);                         \
        }                                                                      \
        a += a_step;                                                           \
        b += b_step;                                                           \
    }

/* Applies the epilogue to a block of c that has just been stored. */
static void EL_KERNEL(finish)(const el_gemm *g, ptrdiff_t i0, ptrdiff_t rows,
                              ptrdiff_t j0, ptrdiff_t j1)
{
    for (ptrdiff_t i = i0; i < i0 + rows; ++i)
        for (ptrdiff_t j = j0; j < j1; j += VL) {
            const vm m = v_tail(j1 - j);
            float *const at = (float *)g->c + i * g->ldc + j;
            vf c = v_load(at, m), y = v_zero();
            if (g->aux)
                y = v_load((const float *)g->aux + i * g->ldaux + j, m);
            switch (g->epilogue) {
            case EL_TANH:
                c = v_tanh(c);
                break;
            case EL_RELU:
                c = v_max(v_zero(), c);
                break;
            case EL_DTANH:
                c = v_mul(c, v_fnma(y, y, v_set(1)));
                break;
            case EL_DRELU:
                c = v_where_positive(y, c);
                break;
            case EL_PLAIN:
                return;
            }
            v_store(at, m, c);
        }
}

/* Panels are read once and from far away: each step asks for what comes some
 * pages later, across the ends of pages, where the machine's own guesses end.
 */
enum { FAR = 128 * EL_PANEL };
#define AHEAD(groups)                                                          \
    _Pragma("GCC unroll 8") for (int q = 0; q < (groups); ++q)                 \
    {                                                                          \
        __builtin_prefetch(b + group_at[q] + FAR, 0, 2);                       \
        if (GROUP * sizeof(float) > 64)                                        \
            __builtin_prefetch(b + group_at[q] + FAR + VL, 0, 2);              \
    }

V_INLINE void gemm_tile(const int rows, const int groups, const el_gemm *g,
                        ptrdiff_t i0, ptrdiff_t j0)
{
    const ptrdiff_t steps = g->k, a_row = g->lda, a_step = 1;
    const ptrdiff_t b_step = EL_PANEL;
    const float *a = (const float *)g->a + i0 * a_row;
    const float *b = g->w;
    ptrdiff_t group_at[4];
    for (int q = 0; q < groups; ++q) {
        const ptrdiff_t j = j0 + q * GROUP;
        group_at[q] = j / EL_PANEL * EL_PANEL * steps + j % EL_PANEL;
    }
    vf acc[V_ROWS][8];
    const ptrdiff_t left = g->n - j0;
    if (g->init) {
        const float *const init = (const float *)g->init + i0 * g->ldi + j0;
        EACH_ACCUMULATOR(rows, groups)
        acc[i][v] = v_load(init + i * g->ldi + v * VL, v_tail(left - v * VL));
    } else {
        EACH_ACCUMULATOR(rows, groups)
        acc[i][v] = v_zero();
    }
    CHAIN(rows, groups, AHEAD(groups))
    float *const c = (float *)g->c + i0 * g->ldc + j0;
    EACH_ACCUMULATOR(rows, groups)
    v_store(c + i * g->ldc + v * VL, v_tail(left - v * VL), acc[i][v]);
}

V_INLINE void outer_tile(const int rows, const int groups, const el_outer *o,
                         ptrdiff_t i0, ptrdiff_t j0)
{
    const ptrdiff_t steps = o->rows, a_row = 1, a_step = o->lda;
    const ptrdiff_t b_step = o->ldb;
    const float *a = (const float *)o->a + i0;
    const float *b = (const float *)o->b + j0;
    ptrdiff_t group_at[4];
    for (int q = 0; q < groups; ++q)
        group_at[q] = q * GROUP;
    float *const c = (float *)o->c + i0 * o->ldc + j0;
    const ptrdiff_t left = o->k - j0;
    vf acc[V_ROWS][8];
    EACH_ACCUMULATOR(rows, groups)
    acc[i][v] = v_load(c + i * o->ldc + v * VL, v_tail(left - v * VL));
    CHAIN(rows, groups, )
    EACH_ACCUMULATOR(rows, groups)
    v_store(c + i * o->ldc + v * VL, v_tail(left - v * VL), acc[i][v]);
}

/* Columns [j0, j1) of so many rows; j1 - j0 is at most n's distance. */
#define CASE(kind, rows)                                                       \
    case rows:                                                                 \
        while (j0 < j1) {                                                      \
            if (V_GROUPS(rows) > 1 && j1 - j0 >= V_GROUPS(rows) * GROUP) {     \
                kind(rows, V_GROUPS(rows), product, i0, j0);                   \
                j0 += V_GROUPS(rows) * GROUP;                                  \
            } else {                                                           \
                kind(rows, 1, product, i0, j0);                                \
                j0 += GROUP;                                                   \
            }                                                                  \
        }                                                                      \
        break;

#define EACH_CASE(kind)                                                        \
    switch (rows) {                                                            \
        CASE(kind, 1)                                                          \
        CASE(kind, 2)                                                          \
        CASE(kind, 3)                                                          \
        CASE(kind, 4)                                                          \
        CASE(kind, 5)                                                          \
        CASE(kind, 6)                                                          \
        MORE_CASES(kind)                                                       \
    }

#if V_ROWS == 14
#define MORE_CASES(kind)                                                       \
    CASE(kind, 7)                                                              \
    CASE(kind, 8)                                                              \
    CASE(kind, 9)                                                              \
    CASE(kind, 10)                                                             \
    CASE(kind, 11)                                                             \
    CASE(kind, 12)                                                             \
    CASE(kind, 13)                                                             \
    CASE(kind, 14)
#else
#define MORE_CASES(kind)
#endif

static void EL_KERNEL(gemm_block)(ptrdiff_t rows, const el_gemm *product,
                                  ptrdiff_t i0, ptrdiff_t j0, ptrdiff_t j1)
{
    const ptrdiff_t first = j0;
    EACH_CASE(gemm_tile)
    if (product->epilogue != EL_PLAIN)
        EL_KERNEL(finish)(product, i0, rows, first, j1);
}

static void EL_KERNEL(outer_block)(ptrdiff_t rows, const el_outer *product,
                                   ptrdiff_t i0, ptrdiff_t j0, ptrdiff_t j1)
{
    EACH_CASE(outer_tile)
}

/* Rows are cut into blocks of nearly equal height, so that the last one is
 * not a thin one. */
static ptrdiff_t EL_KERNEL(height)(ptrdiff_t left)
{
    const ptrdiff_t blocks = (left + V_ROWS - 1) / V_ROWS;
    return (left + blocks - 1) / blocks;
}

static ptrdiff_t EL_KERNEL(least)(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* Asks for a tile of c, and of what it starts from, while the tile before it
 * is worked on: they come from far away where there are many rows. */
V_INLINE void foresee(const el_gemm *g, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t j)
{
    const bool apart = g->init && g->init != g->c && g->ldi != 0;
    for (ptrdiff_t i = i0; i < i1; ++i) {
        const char *const c = (const char *)((float *)g->c + i * g->ldc + j);
        __builtin_prefetch(c, 1);
        __builtin_prefetch(c + 64, 1);
        if (apart) {
            const char *const init =
                (const char *)((const float *)g->init + i * g->ldi + j);
            __builtin_prefetch(init);
            __builtin_prefetch(init + 64);
        }
    }
}

/* A chunk of rows of a stays in L2 while all panels pass over it; a panel is
 * used by all rows of the chunk. */
static void EL_KERNEL(gemm)(const el_gemm *g)
{
    const ptrdiff_t chunk_floats = 64 * 1024;
    ptrdiff_t chunk = g->k > 0 ? chunk_floats / g->k : g->m;
    chunk = chunk < 4 * V_ROWS ? 4 * V_ROWS : chunk;
    const ptrdiff_t span = (g->m <= V_ROWS ? 4 : V_GROUPS(V_ROWS)) * GROUP;
    for (ptrdiff_t top = 0; top < g->m; top += chunk) {
        const ptrdiff_t bottom = EL_KERNEL(least)(top + chunk, g->m);
        for (ptrdiff_t j = 0; j < g->n; j += span) {
            const ptrdiff_t end = EL_KERNEL(least)(j + span, g->n);
            for (ptrdiff_t i = top, rows; i < bottom; i += rows) {
                rows = EL_KERNEL(height)(bottom - i);
                const bool more = i + rows < bottom;
                const ptrdiff_t next = more ? i + rows : top;
                if (more || end < g->n)
                    foresee(g, next, EL_KERNEL(least)(next + rows, bottom),
                            more ? j : end);
                EL_KERNEL(gemm_block)(rows, g, i, j, end);
            }
        }
    }
}

/* The caller keeps a and b in L2; a panel of b stays in L1 while all of a
 * passes. */
static void EL_KERNEL(outer)(const el_outer *o)
{
    const ptrdiff_t span = (o->n <= V_ROWS ? 4 : V_GROUPS(V_ROWS)) * GROUP;
    for (ptrdiff_t j = 0; j < o->k; j += span) {
        const ptrdiff_t end = EL_KERNEL(least)(j + span, o->k);
        for (ptrdiff_t i = 0, rows; i < o->n; i += rows) {
            rows = EL_KERNEL(height)(o->n - i);
            EL_KERNEL(outer_block)(rows, o, i, j, end);
        }
    }
}

/* The inner loop of a product with all it reads in L1. */
static double EL_KERNEL(probe)(void *data, double count)
{
    enum { STEPS = 128, ROWS = V_ROWS - 2, GROUPS = V_GROUPS(V_ROWS) };
    float *const a_first = data;
    float *const b_first = a_first + ROWS * STEPS;
    const ptrdiff_t steps = STEPS, a_row = STEPS, a_step = 1;
    const ptrdiff_t b_step = GROUPS * GROUP;
    ptrdiff_t group_at[GROUPS];
    for (int q = 0; q < GROUPS; ++q)
        group_at[q] = q * GROUP;
    vf acc[V_ROWS][8];
    EACH_ACCUMULATOR(ROWS, GROUPS)
    acc[i][v] = v_zero();
    double done = 0;
    while (done < count) {
        const float *a = a_first, *b = b_first;
        CHAIN(ROWS, GROUPS, )
        done += (double)STEPS * ROWS * GROUPS * GROUP;
    }
    EACH_ACCUMULATOR(ROWS, GROUPS)
    v_store_all(b_first + ((i * 2 * GROUPS + v) % STEPS) * VL,
                v_mul(acc[i][v], v_set(0x1p-20f)));
    return done;
}
