/* SPDX-License-Identifier: MIT */
/* products_tmpl.h - the products: one tile of registers, used for all.
 *
 * A tile is `rows` rows by some column groups of two vectors, or one vector
 * where no more columns are left.  Every accumulator is one output's chain; a
 * step multiplies a broadcast element of a with the vectors of b.  With few
 * rows more groups keep the multipliers busy: a chain alone would wait for its
 * own last link. */

#include "functions.h"

enum { GROUP = 2 * VL }; /* columns */

#define EACH_ACCUMULATOR(rows, vectors)                                        \
    _Pragma("GCC unroll 16") for (int i = 0; i < (rows); ++i)                  \
        _Pragma("GCC unroll 8") for (int v = 0; v < (vectors); ++v)

/* What a row of accumulators may touch, `left` columns being left. */
#define TAILS(vectors, left)                                                   \
    vm tail[8];                                                                \
    _Pragma("GCC unroll 8") for (int v = 0; v < (vectors); ++v) tail[v] =      \
        v_tail((left)-v * VL);

/* acc[i][v] is chained on over k = 0 ... steps-1 by
 *   a[i * a_row]  times  b[k * b_step + columns of v]
 * where column group q begins at b + group_at[q]; BEFORE and AFTER have what
 * else a step does, such as moving a. */
#define CHAIN(rows, vectors, BEFORE, AFTER)                                    \
    for (ptrdiff_t k = 0; k < steps; ++k) {                                    \
        BEFORE                                                                 \
        vf x[8]; /* of a constant size: no stack that moves */                 \
        _Pragma("GCC unroll 8") for (int v = 0; v < (vectors); ++v) x[v] =     \
            v_load_all(b + group_at[v / 2] + v % 2 * VL);                      \
        _Pragma("GCC unroll 16") for (int i = 0; i < (rows); ++i)              \
        {                                                                      \
            const vf y = v_set(a[i * a_row]);                                  \
            _Pragma("GCC unroll 8") for (int v = 0; v < (vectors); ++v)        \
                acc[i][v] = v_fma(y, x[v], acc[i][v]);                         \
        }                                                                      \
        AFTER                                                                  \
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
#define AHEAD(vectors)                                                         \
    _Pragma("GCC unroll 8") for (int q = 0; q < ((vectors) + 1) / 2; ++q)      \
    {                                                                          \
        __builtin_prefetch(b + group_at[q] + FAR, 0, 2);                       \
        if (GROUP * sizeof(float) > 64)                                        \
            __builtin_prefetch(b + group_at[q] + FAR + VL, 0, 2);              \
    }

V_INLINE void gemm_tile(const int rows, const int vectors, const el_gemm *g,
                        ptrdiff_t i0, ptrdiff_t j0)
{
    const ptrdiff_t steps = g->k, a_row = g->lda;
    const ptrdiff_t b_step = EL_PANEL;
    const float *a = (const float *)g->a + i0 * a_row;
    const float *b = g->w;
    ptrdiff_t group_at[4];
    for (int q = 0; q < (vectors + 1) / 2; ++q) {
        const ptrdiff_t j = j0 + q * GROUP;
        group_at[q] = j / EL_PANEL * EL_PANEL * steps + j % EL_PANEL;
    }
    vf acc[V_ROWS][8];
    TAILS(vectors, g->n - j0)
    if (g->init) {
        const float *const init = (const float *)g->init + i0 * g->ldi + j0;
        EACH_ACCUMULATOR(rows, vectors)
        acc[i][v] = v_load(init + i * g->ldi + v * VL, tail[v]);
    } else {
        EACH_ACCUMULATOR(rows, vectors)
        acc[i][v] = v_zero();
    }
    CHAIN(rows, vectors, AHEAD(vectors), ++a;)
    float *const c = (float *)g->c + i0 * g->ldc + j0;
    EACH_ACCUMULATOR(rows, vectors)
    v_store(c + i * g->ldc + v * VL, tail[v], acc[i][v]);
}

/* An outer product's rows of b in one panel, columns from j on, and what of the
 * next rows is to be asked for: an element of each of them, or none. */
typedef struct outer_panel {
    const el_outer *o;
    const float *b;
    ptrdiff_t j;
    const void *const *soon;
    ptrdiff_t soon_at;
} outer_panel;

/* What p points to is not known to the compiler: it would keep the sums of a
 * row's place and every i, more than there are registers. */
V_INLINE const float *unforeseen(const float *p)
{
    __asm__("" : "+r"(p));
    return p;
}

#define ROW_OF_A                                                               \
    const float *const a = unforeseen((const float *)row[k] + i0);             \
    if (soon)                                                                  \
        __builtin_prefetch((const float *)soon[k] + soon_at, 0, 2);

V_INLINE void outer_tile(const int rows, const int vectors,
                         const outer_panel *p, ptrdiff_t i0, ptrdiff_t j0)
{
    const el_outer *const o = p->o;
    const void *const *const row = o->a, *const *const soon = p->soon;
    const ptrdiff_t soon_at = p->soon_at;
    const ptrdiff_t steps = o->rows, a_row = 1, b_step = EL_PANEL;
    const float *b = p->b + (j0 - p->j);
    ptrdiff_t group_at[4];
    for (int q = 0; q < (vectors + 1) / 2; ++q)
        group_at[q] = q * GROUP;
    float *const c = (float *)o->c + i0 * o->ldc + j0;
    float *const total = o->total ? (float *)o->total + i0 * o->ldt + j0 : NULL;
    TAILS(vectors, o->k - j0)
    for (int i = 0; total && i < rows; ++i) {
        __builtin_prefetch(total + i * o->ldt, 1);
        __builtin_prefetch(total + i * o->ldt + (vectors - 1) * VL, 1);
    }
    vf acc[V_ROWS][8];
    if (o->fresh) {
        EACH_ACCUMULATOR(rows, vectors)
        acc[i][v] = v_zero();
    } else {
        EACH_ACCUMULATOR(rows, vectors)
        acc[i][v] = v_load(c + i * o->ldc + v * VL, tail[v]);
    }
    CHAIN(rows, vectors, ROW_OF_A, )
    if (!total) {
        EACH_ACCUMULATOR(rows, vectors)
        v_store(c + i * o->ldc + v * VL, tail[v], acc[i][v]);
        return;
    }
    EACH_ACCUMULATOR(rows, vectors)
    {
        float *const at = total + i * o->ldt + v * VL;
        v_store(at, tail[v], v_add(v_load(at, tail[v]), acc[i][v]));
    }
}

/* Columns [j0, j1) of so many rows; j1 - j0 is at most n's distance. */
#define CASE(kind, rows)                                                       \
    case rows:                                                                 \
        while (j0 < j1) {                                                      \
            if (V_GROUPS(rows) > 1 && j1 - j0 >= V_GROUPS(rows) * GROUP) {     \
                kind(rows, 2 * V_GROUPS(rows), product, i0, j0);               \
                j0 += V_GROUPS(rows) * GROUP;                                  \
            } else if (j1 - j0 > VL) {                                         \
                kind(rows, 2, product, i0, j0);                                \
                j0 += GROUP;                                                   \
            } else {                                                           \
                kind(rows, 1, product, i0, j0);                                \
                j0 += VL;                                                      \
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

static void EL_KERNEL(outer_block)(ptrdiff_t rows, const outer_panel *product,
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
 * used by all rows of the chunk.  The rows of a step are not cut: weights would
 * come twice from where they are. */
static void EL_KERNEL(gemm)(const el_gemm *g)
{
    enum { STEP_ROWS = 70 };
    const ptrdiff_t chunk_floats = 64 * 1024;
    ptrdiff_t chunk = g->k > 0 ? chunk_floats / g->k : g->m;
    chunk = chunk < 4 * V_ROWS ? 4 * V_ROWS : chunk;
    chunk = g->m <= STEP_ROWS ? g->m : chunk;
    const ptrdiff_t span = (g->m <= V_ROWS ? 4 : V_GROUPS(V_ROWS)) * GROUP;
    const ptrdiff_t spans = (g->n + span - 1) / span;
    for (ptrdiff_t top = 0; top < g->m; top += chunk) {
        const ptrdiff_t bottom = EL_KERNEL(least)(top + chunk, g->m);
        for (ptrdiff_t s = 0; s < spans; ++s) {
            const ptrdiff_t j = (g->backwards ? spans - 1 - s : s) * span;
            const ptrdiff_t end = EL_KERNEL(least)(j + span, g->n);
            for (ptrdiff_t i = top, rows; i < bottom; i += rows) {
                rows = EL_KERNEL(height)(bottom - i);
                const bool more = i + rows < bottom;
                const ptrdiff_t next = more ? i + rows : top;
                if (more || s + 1 < spans)
                    foresee(g, next, EL_KERNEL(least)(next + rows, bottom),
                            more           ? j
                            : g->backwards ? j - span
                                           : end);
                EL_KERNEL(gemm_block)(rows, g, i, j, end);
            }
        }
    }
}

/* Asks for a tile of c, while the one above it is worked on. */
V_INLINE void foresee_sums(const el_outer *o, ptrdiff_t i, ptrdiff_t j)
{
    const ptrdiff_t end = EL_KERNEL(least)(i + V_ROWS, o->n);
    for (; !o->fresh && i < end; ++i) {
        __builtin_prefetch((const float *)o->c + i * o->ldc + j, 1);
        __builtin_prefetch((const float *)o->c + i * o->ldc + j + GROUP - 1, 1);
    }
}

/* Tile number t of so many asks for one line of each of the next rows, so that
 * all are asked for when the last tile is done. */
static void EL_KERNEL(soon)(outer_panel *p, ptrdiff_t t, ptrdiff_t tiles)
{
    enum { LINE = 64 / sizeof(float) };
    const el_outer *const o = p->o;
    const ptrdiff_t of_a = (o->n + LINE - 1) / LINE;
    const ptrdiff_t lines = of_a + (o->k + LINE - 1) / LINE;
    const ptrdiff_t line = t * lines / tiles;
    const bool again = t > 0 && line == (t - 1) * lines / tiles;
    p->soon = again ? NULL : line < of_a ? o->soon_a : o->soon_b;
    p->soon_at = LINE * (line < of_a ? line : line - of_a);
}

/* The caller keeps the rows in L2; two panels of b stay in L1 while all of a
 * passes, so that each piece of a is fetched once for both. */
static __attribute__((noinline)) void EL_KERNEL(outer)(const el_outer *o)
{
    enum { PANELS = 2, SPAN = PANELS * EL_PANEL };
    _Alignas(64) float b[PANELS][EL_OUTER_ROWS * EL_PANEL];
    const ptrdiff_t panels = (o->k + EL_PANEL - 1) / EL_PANEL;
    const ptrdiff_t tiles = (o->n + V_ROWS - 1) / V_ROWS * panels;
    ptrdiff_t tile = 0;
    for (ptrdiff_t j0 = 0; j0 < o->k; j0 += SPAN) {
        const ptrdiff_t j1 = EL_KERNEL(least)(j0 + SPAN, o->k);
        for (ptrdiff_t j = j0; j < j1; j += EL_PANEL)
            el_outer_panel(b[(j - j0) / EL_PANEL], o, j);
        for (ptrdiff_t i = 0, rows; i < o->n; i += rows) {
            rows = EL_KERNEL(height)(o->n - i);
            for (ptrdiff_t j = j0; j < j1; j += EL_PANEL) {
                outer_panel p = {.o = o, .b = b[(j - j0) / EL_PANEL], .j = j};
                EL_KERNEL(soon)(&p, tile++, tiles);
                foresee_sums(o, i + rows, j);
                EL_KERNEL(outer_block)
                (rows, &p, i, j, EL_KERNEL(least)(j + EL_PANEL, o->k));
            }
        }
    }
}

/* The inner loop of a product with all it reads in L1. */
static double EL_KERNEL(probe)(void *data, double count)
{
    enum { STEPS = 128, ROWS = V_ROWS - 2, GROUPS = V_GROUPS(V_ROWS) };
    float *const a_first = data;
    float *const b_first = a_first + ROWS * STEPS;
    const ptrdiff_t steps = STEPS, a_row = STEPS;
    const ptrdiff_t b_step = GROUPS * GROUP;
    ptrdiff_t group_at[GROUPS];
    for (int q = 0; q < GROUPS; ++q)
        group_at[q] = q * GROUP;
    vf acc[V_ROWS][8];
    EACH_ACCUMULATOR(ROWS, 2 * GROUPS)
    acc[i][v] = v_zero();
    double done = 0;
    while (done < count) {
        const float *a = a_first, *b = b_first;
        CHAIN(ROWS, 2 * GROUPS, , ++a;)
        done += (double)STEPS * ROWS * GROUPS * GROUP;
    }
    EACH_ACCUMULATOR(ROWS, 2 * GROUPS)
    v_store_all(b_first + ((i * 2 * GROUPS + v) % STEPS) * VL,
                v_mul(acc[i][v], v_set(0x1p-20f)));
    return done;
}
