/* SPDX-License-Identifier: MIT */
/* bf16_tmpl.h - products of bfloat16 by a level's vectors.  Definition:
 * ../ref/ref_bf16.c.
 *
 * Packed weights are words of 32 bits, two steps of k for one output each:
 * panels [k/2][32].  BF16_LOW(d) and BF16_HIGH(d) say which steps of a row of a
 * tile word d has.  The file that includes this defines them, and
 *   bf16_a        what an element of a becomes: a float, or a word
 *   BF16_A_ROW    elements of a row of a tile
 *   BF16_ROWS, BF16_GROUPS(rows)   a tile of registers, as V_ROWS and V_GROUPS
 *   BF16_STEPS, BF16_STEP          steps of k that one round of the loop takes
 *   bf16_rows     rows of a in that form (see bf16.h)
 *   bf16_lines    to[d][i] = the same of a's column at + i, i < n, k rows of it
 *   BF16_LINE     the most columns that are so at a time
 *   BF16_PAIR(low, high)           words of the two, rounded
 *   BF16_F32()    the table of float32
 *   BF16_NAME     what computes, in a word
 *
 * Sums wait in memory, and a row of a tile is added to them as it ends, so that
 * a product may be cut at any such row. */

#include <xmmintrin.h>

enum {
    BF16_GROUP = 2 * VL, /* columns */
    BF16_ROOM = 18 * 1024,
    BF16_MOST_ROWS = 70,
    BF16_ASK = 4, /* steps, with which a tile asks for one row, */
    BF16_ASKED = EL_OUTER_ROWS / BF16_ASK,   /* so for so many, and */
    BF16_TURNS = EL_OUTER_ROWS / BF16_ASKED, /* so many tiles for all */
    BF16_CACHE_LINE = 16                     /* floats */
};

/* a [rows,k] in its own form, or, where it lies in lines, [k,rows] of that;
 * times panels, added to `from` (NULL: zeros). */
typedef struct bf16_part {
    ptrdiff_t rows, n, k;
    const bf16_a *a;
    ptrdiff_t lda;
    const uint32_t *w;
    ptrdiff_t panel; /* words from a panel to the next one */
    const float *from;
    ptrdiff_t ldf;
    float *c;
    ptrdiff_t ldc;
    /* What comes next is asked for meanwhile, some of it with each tile. */
    const float *next; /* [next_rows,k]: a's rows, before they are rounded */
    ptrdiff_t next_rows, ldn;
    const float *ahead;      /* one of them, or NULL */
    const void *const *soon; /* NULL, or rows of the next outer product: */
    ptrdiff_t soon_at;       /* the line of each that begins here */
    bool backwards;          /* of el_gemm */
} bf16_part;

#define BF16_EACH(rows, groups)                                                \
    _Pragma("GCC unroll 8") for (int i = 0; i < (rows); ++i)                   \
        _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)

/* A tile's sums, of whole vectors, and where they come from and go to, so many
 * columns of it. */
typedef float bf16_sums[BF16_ROWS][8][VL];

V_INLINE void bf16_take(const int rows, const int groups, bf16_sums sums,
                        const float *from, ptrdiff_t ld, ptrdiff_t columns)
{
    if (!from) {
        BF16_EACH(rows, groups)
        v_store_all(sums[i][v], v_zero());
    } else if (columns >= groups * BF16_GROUP) {
        BF16_EACH(rows, groups)
        v_store_all(sums[i][v], v_load_all(from + i * ld + v * VL));
    } else {
        BF16_EACH(rows, groups)
        v_store_all(sums[i][v],
                    v_load(from + i * ld + v * VL, v_tail(columns - v * VL)));
    }
}

V_INLINE void bf16_give(const int rows, const int groups, const bf16_sums sums,
                        float *to, ptrdiff_t ld, ptrdiff_t columns)
{
    if (columns >= groups * BF16_GROUP) {
        BF16_EACH(rows, groups)
        v_store_all(to + i * ld + v * VL, v_load_all(sums[i][v]));
    } else {
        BF16_EACH(rows, groups)
        v_store(to + i * ld + v * VL, v_tail(columns - v * VL),
                v_load_all(sums[i][v]));
    }
}

/* Element d of row i, where a tile's begin with a. */
#define BF16_A(i, d) (lines ? a[(d)*lda + (i)] : a[(i)*lda + (d)])

V_INLINE void bf16_tile(const bool lines, const int rows, const int groups,
                        const bf16_part *p, ptrdiff_t i0, ptrdiff_t j0)
{
    const ptrdiff_t lda = p->lda;
    const bf16_a *a = p->a + (lines ? i0 : i0 * lda);
    const uint32_t *w = p->w;
    ptrdiff_t group_at[4];
    for (int q = 0; q < groups; ++q) {
        const ptrdiff_t j = j0 + q * BF16_GROUP;
        group_at[q] = j / EL_PANEL * p->panel + j % EL_PANEL;
    }
    _Alignas(64) bf16_sums sums;
    bf16_take(rows, groups, sums, p->from ? p->from + i0 * p->ldf + j0 : NULL,
              p->ldf, p->n - j0);
    for (ptrdiff_t k = 0; k < p->k; k += EL_BF16_STEPS) {
        vf even[BF16_ROWS][8], odd[BF16_ROWS][8];
        BF16_EACH(rows, groups)
        even[i][v] = odd[i][v] = v_zero();
        if (!lines && p->ahead) {
            __builtin_prefetch(p->ahead + k, 0, 2);
            __builtin_prefetch(p->ahead + k + BF16_CACHE_LINE, 0, 2);
        }
        for (ptrdiff_t s = 0; s < EL_BF16_STEPS; s += BF16_STEPS) {
            if (lines && s % BF16_ASK == 0 && p->soon)
                __builtin_prefetch((const float *)p->soon[(k + s) / BF16_ASK] +
                                       p->soon_at,
                                   0, 2);
            BF16_STEP(rows, groups)
        }
        BF16_EACH(rows, groups)
        v_store_all(sums[i][v], v_add(v_load_all(sums[i][v]),
                                      v_add(even[i][v], odd[i][v])));
        a += lines ? BF16_A_ROW * lda : BF16_A_ROW;
        w += EL_BF16_WORDS * EL_PANEL;
    }
    bf16_give(rows, groups, sums, p->c + i0 * p->ldc + j0, p->ldc, p->n - j0);
}

#define BF16_CASE(rows)                                                        \
    case rows:                                                                 \
        while (j0 < j1) {                                                      \
            if (!lines && BF16_GROUPS(rows) > 1 &&                             \
                j1 - j0 >= BF16_GROUPS(rows) * BF16_GROUP) {                   \
                bf16_tile(lines, rows, BF16_GROUPS(rows), p, i0, j0);          \
                j0 += BF16_GROUPS(rows) * BF16_GROUP;                          \
            } else {                                                           \
                bf16_tile(lines, rows, 1, p, i0, j0);                          \
                j0 += BF16_GROUP;                                              \
            }                                                                  \
        }                                                                      \
        break;

V_INLINE void bf16_block(const bool lines, ptrdiff_t rows, const bf16_part *p,
                         ptrdiff_t i0, ptrdiff_t j0, ptrdiff_t j1)
{
    switch (rows) {
        BF16_CASE(1)
        BF16_CASE(2)
        BF16_CASE(3)
#if BF16_ROWS == 6
        BF16_CASE(4)
        BF16_CASE(5)
        BF16_CASE(6)
#endif
    }
}

static ptrdiff_t bf16_least(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* left in pieces of nearly one size, none above `most`: the next one's. */
static ptrdiff_t bf16_share(ptrdiff_t left, ptrdiff_t most)
{
    const ptrdiff_t pieces = (left + most - 1) / most;
    return (left + pieces - 1) / pieces;
}

static __attribute__((noinline)) void bf16_multiply(bf16_part *p)
{
    const ptrdiff_t span =
        (p->rows <= BF16_ROWS ? 4 : BF16_GROUPS(BF16_ROWS)) * BF16_GROUP;
    const ptrdiff_t spans = (p->n + span - 1) / span;
    ptrdiff_t tile = 0;
    for (ptrdiff_t s = 0; s < spans; ++s) {
        const ptrdiff_t j = (p->backwards ? spans - 1 - s : s) * span;
        const ptrdiff_t end = bf16_least(j + span, p->n);
        for (ptrdiff_t i = 0, rows; i < p->rows; i += rows, ++tile) {
            rows = bf16_share(p->rows - i, BF16_ROWS);
            p->ahead = tile < p->next_rows ? p->next + tile * p->ldn : NULL;
            bf16_block(false, rows, p, i, j, end);
        }
    }
}

/* How a product is cut, so that what is used again is near: rows of a in their
 * form, some of them and some steps at a time, while the panels of so many
 * columns pass over them; a is put into its form anew for each such block of
 * columns, which costs little. */
typedef struct bf16_cut {
    ptrdiff_t columns, rows, steps;
} bf16_cut;

static bf16_cut bf16_cut_of(const el_gemm *g)
{
    enum {
        NEAR_C = 512,           /* columns: c stays near from part to part */
        NEAR_W = 256 * 1024,    /* weights: they do from rows to rows */
        LEAST = 4 * BF16_GROUP, /* columns */
        MOST = 16,              /* rows of tiles that are a part, */
        WHOLE = 24              /* but so many are not cut */
    };
    const ptrdiff_t padded = el_bf16_padded(g->k);
    const ptrdiff_t all = padded / EL_BF16_STEPS;
    const ptrdiff_t tiles = all > WHOLE ? bf16_share(all, MOST) : all;
    const ptrdiff_t room = BF16_ROOM / (tiles * BF16_A_ROW + 16);
    bf16_cut cut = {
        .columns = g->n,
        .rows = bf16_share(g->m, bf16_least(room, BF16_MOST_ROWS)),
        .steps = tiles * EL_BF16_STEPS,
    };
    if (cut.rows < g->m)
        cut.columns = NEAR_W / padded / LEAST * LEAST;
    else if (cut.steps < padded)
        cut.columns = NEAR_C;
    cut.columns = cut.columns < LEAST ? LEAST : cut.columns;
    return cut;
}

/* The rows of a that follow part p, which has steps [k, k + p->k) of rows i and
 * on: the next steps, the next rows, or again the first. */
static void bf16_next(const el_gemm *g, ptrdiff_t i, ptrdiff_t k, bf16_part *p)
{
    const float *const a = g->a;
    p->next_rows = p->rows;
    p->ldn = g->lda;
    if (k + p->k < g->k)
        p->next = a + i * g->lda + k + p->k;
    else if (i + p->rows < g->m)
        p->next = a + (i + p->rows) * g->lda;
    else
        p->next = a;
}

/* Columns [j, j + n) of the product, j a multiple of EL_PANEL. */
static void bf16_columns(const el_gemm *g, const bf16_cut *cut, bf16_a *a,
                         ptrdiff_t j, ptrdiff_t n)
{
    const ptrdiff_t padded = el_bf16_padded(g->k);
    const uint32_t *const w = (const uint32_t *)g->w + j * padded / 2;
    /* Rows lie a vector further apart than they are long, lest they fall into
     * the same sets of a cache. */
    bf16_part p = {.n = n,
                   .a = a,
                   .lda = cut->steps / EL_BF16_STEPS * BF16_A_ROW + 16,
                   .panel = padded / 2 * EL_PANEL,
                   .ldc = g->ldc,
                   .backwards = g->backwards};
    for (ptrdiff_t i = 0; i < g->m; i += p.rows) {
        p.rows = bf16_least(cut->rows, g->m - i);
        p.c = (float *)g->c + i * g->ldc + j;
        p.from = g->init ? (const float *)g->init + i * g->ldi + j : NULL;
        p.ldf = g->ldi;
        for (ptrdiff_t k = 0; k < g->k; k += p.k) {
            p.k = bf16_least(cut->steps, g->k - k);
            bf16_rows(a, p.lda, (const float *)g->a + i * g->lda + k, g->lda,
                      p.rows, p.k);
            p.w = w + k / 2 * EL_PANEL;
            bf16_next(g, i, k, &p);
            bf16_multiply(&p);
            p.from = p.c;
            p.ldf = p.ldc;
        }
    }
}

static __attribute__((noinline)) void bf16_gemm_body(const el_gemm *g)
{
    _Alignas(64) bf16_a a[BF16_ROOM];
    const bf16_cut cut = bf16_cut_of(g);
    const ptrdiff_t blocks = (g->n + cut.columns - 1) / cut.columns;
    for (ptrdiff_t i = 0; i < blocks; ++i) {
        const ptrdiff_t j = (g->backwards ? blocks - 1 - i : i) * cut.columns;
        bf16_columns(g, &cut, a, j, bf16_least(cut.columns, g->n - j));
    }
}

/* The next call's rows are asked for while this one's are multiplied: a tile
 * asks for one line of the cache of some rows. */
static void bf16_ask(bf16_part *p, const el_outer *o, ptrdiff_t tile)
{
    const ptrdiff_t line = tile / BF16_TURNS;
    const ptrdiff_t of_a = (o->n + BF16_CACHE_LINE - 1) / BF16_CACHE_LINE;
    const ptrdiff_t of_b = (o->k + BF16_CACHE_LINE - 1) / BF16_CACHE_LINE;
    const ptrdiff_t first = tile % BF16_TURNS * BF16_ASKED;
    const ptrdiff_t asked = el_bf16_padded(o->rows) / BF16_ASK;
    p->soon = NULL;
    if (!o->soon_a || line >= of_a + of_b || first + asked > o->rows)
        return;
    p->soon = (line < of_a ? o->soon_a : o->soon_b) + first;
    p->soon_at = BF16_CACHE_LINE * (line < of_a ? line : line - of_a);
}

/* A panel's columns. */
static __attribute__((noinline)) void
bf16_multiply_lines(bf16_part *p, const el_outer *o, ptrdiff_t *tile)
{
    for (ptrdiff_t i = 0, rows; i < p->rows; i += rows) {
        rows = bf16_share(p->rows - i, BF16_ROWS);
        bf16_ask(p, o, (*tile)++);
        bf16_block(true, rows, p, i, 0, p->n);
    }
}

static void bf16_pack_lines(uint32_t *panel, const void *const *rows,
                            ptrdiff_t at, ptrdiff_t n, ptrdiff_t k);

static __attribute__((noinline)) void bf16_outer_body(const el_outer *o)
{
    enum { LDA = BF16_LINE + 16 };
    _Alignas(64) bf16_a a[EL_OUTER_ROWS / EL_BF16_STEPS * BF16_A_ROW * LDA];
    _Alignas(64) uint32_t panel[EL_OUTER_ROWS / 2 * EL_PANEL];
    ptrdiff_t tile = 0;
    bf16_part p = {.k = o->rows, .a = a, .lda = LDA, .w = panel, .ldc = o->ldc};
    for (ptrdiff_t i = 0; i < o->n && p.k > 0; i += p.rows) {
        p.rows = bf16_least(o->n - i, BF16_LINE);
        bf16_lines(a, LDA, o->a, i, p.rows, p.k);
        for (ptrdiff_t j = 0; j < o->k; j += EL_PANEL) {
            p.n = bf16_least(o->k - j, EL_PANEL);
            bf16_pack_lines(panel, o->b, j, p.n, p.k);
            p.c = (float *)o->c + i * o->ldc + j;
            p.from = o->fresh ? NULL : p.c;
            p.ldf = p.ldc;
            bf16_multiply_lines(&p, o, &tile);
        }
    }
}

/* Denormals are 0 while the bodies run, which are functions of their own so
 * that no arithmetic moves across. */
enum { BF16_FLUSH = 0x8040 };

static void bf16_gemm(const el_gemm *g)
{
    if (g->k > 0 && g->m > 0) {
        const unsigned mode = _mm_getcsr();
        _mm_setcsr(mode | BF16_FLUSH);
        bf16_gemm_body(g);
        _mm_setcsr(mode);
    }
    if (g->k > 0 && g->epilogue == EL_PLAIN)
        return;
    el_gemm rest = *g;
    rest.k = 0;
    rest.init = g->k > 0 ? g->c : g->init;
    rest.ldi = g->k > 0 ? g->ldc : g->ldi;
    BF16_F32()->gemm(&rest);
}

static void bf16_outer(const el_outer *o)
{
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | BF16_FLUSH);
    bf16_outer_body(o);
    _mm_setcsr(mode);
    el_outer_total(o, BF16_F32()->add);
}

/* ---- Packing --------------------------------------------------------------*/

/* Words of steps [k0, k0 + VL) of VL outputs. */
V_INLINE void bf16_pack_block(uint32_t *out, const vf r[VL])
{
    _Pragma("GCC unroll 8") for (int d = 0; d < VL / 2; ++d) v_store_words(
        out + d * EL_PANEL, BF16_PAIR(r[BF16_LOW(d)], r[BF16_HIGH(d)]));
}

static void bf16_pack_rows(void *packed, const void *weights, ptrdiff_t ldw,
                           ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    uint32_t *out = packed;
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL)
        for (ptrdiff_t i = 0; i < padded; i += VL, out += VL / 2 * EL_PANEL)
            for (ptrdiff_t j = 0; j < EL_PANEL; j += VL) {
                const ptrdiff_t rows = i < k ? n - first - j : 0;
                const float *const w =
                    (const float *)weights + (first + j) * ldw + i;
                vf r[VL];
                for (int s = 0; s < VL; ++s)
                    r[s] = s < rows ? v_load(w + s * ldw, v_tail(k - i))
                                    : v_zero();
                v_transpose(r);
                bf16_pack_block(out + j, r);
            }
}

/* Words of rows' columns, steps [0, VL) of so many; n columns of a panel. */
V_INLINE void bf16_pack_steps(uint32_t *out, const float *const rows[VL],
                              ptrdiff_t steps, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < EL_PANEL; j += VL) {
        const vm m = v_tail(n - j);
        vf r[VL];
        for (int s = 0; s < VL; ++s)
            r[s] = s < steps ? v_load(rows[s] + j, m) : v_zero();
        bf16_pack_block(out + j, r);
    }
}

static void bf16_pack_columns(void *packed, const void *weights, ptrdiff_t ldw,
                              ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t i = 0; i < padded; i += VL)
        for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
            const float *rows[VL] = {0};
            for (ptrdiff_t s = 0; s < VL && i + s < k; ++s)
                rows[s] = (const float *)weights + (i + s) * ldw + first;
            bf16_pack_steps((uint32_t *)packed + first * padded / 2 +
                                i / 2 * EL_PANEL,
                            rows, k - i, n - first);
        }
}

/* A panel of columns [at, at + n) of k rows that lie anywhere. */
static void bf16_pack_lines(uint32_t *panel, const void *const *from,
                            ptrdiff_t at, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t i = 0; i < padded; i += VL) {
        const float *rows[VL] = {0};
        for (ptrdiff_t s = 0; s < VL && i + s < k; ++s)
            rows[s] = (const float *)from[i + s] + at;
        bf16_pack_steps(panel + i / 2 * EL_PANEL, rows, k - i, n);
    }
}

static void bf16_unpack_rows(void *weights, const void *panel, ptrdiff_t from,
                             ptrdiff_t to, ptrdiff_t k)
{
    uint32_t *w = weights; /* floats by their bits */
    for (ptrdiff_t j = from; j < to; ++j, w += k)
        for (ptrdiff_t i = 0; i < k; i += VL)
            for (int d = 0; d < VL / 2; ++d) {
                const uint32_t word =
                    ((const uint32_t *)panel)[(i / 2 + d) * EL_PANEL + j];
                const ptrdiff_t low = i + BF16_LOW(d), high = i + BF16_HIGH(d);
                if (low < k)
                    w[low] = word << 16;
                if (high < k)
                    w[high] = word & 0xffff0000;
            }
}

#define BF16_OVERLAY(table)                                                    \
    do {                                                                       \
        (table)->dtype = ELMAN_BF16;                                           \
        (table)->products = BF16_NAME;                                         \
        (table)->gemm = bf16_gemm;                                             \
        (table)->outer = bf16_outer;                                           \
        (table)->panel_bytes = el_panel_bytes_bf16;                            \
        (table)->pack_rows = bf16_pack_rows;                                   \
        (table)->pack_columns = bf16_pack_columns;                             \
        (table)->unpack_rows = bf16_unpack_rows;                               \
    } while (0)
