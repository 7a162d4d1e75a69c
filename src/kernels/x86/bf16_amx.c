/* SPDX-License-Identifier: MIT */
/* bf16_amx.c - the products of bfloat16 by AMX: 32 x 32 outputs in four tiles,
 * from two tiles of a and two of a panel.
 *
 * What is no whole tile of c passes through memory of 16 x 16.  Packed weights
 * are those of level avx512, whose kernel takes products of a few rows: they
 * wait for the weights alone. */
#include "../bf16.h"
#include "../../base/cpu.h"
#include "tiles.h"

#include <string.h>

enum {
    SIDE = 16, /* rows and columns of a tile of c */
    FEW = 4,   /* rows */
    ROOM = 16 * 1024,
    MOST_ROWS = 96,
};

/* Rows and columns of one product; see bf16_tmpl.h. */
typedef struct part {
    ptrdiff_t rows, n, k;
    const uint32_t *a; /* [rows up to a whole tile,lda] */
    ptrdiff_t lda;
    const uint32_t *w;
    ptrdiff_t panel;
    const float *from;
    ptrdiff_t ldf;
    float *c;
    ptrdiff_t ldc;
} part;

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* left in pieces of nearly one size, none above `most`: the next one's. */
static ptrdiff_t share(ptrdiff_t left, ptrdiff_t most)
{
    const ptrdiff_t pieces = (left + most - 1) / most;
    return (left + pieces - 1) / pieces;
}

static void copy_edge(float *to, ptrdiff_t ldto, const float *from,
                      ptrdiff_t ldf, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < least(rows, SIDE); ++i)
        memcpy(to + i * ldto, from + i * ldf,
               (size_t)least(columns, SIDE) * sizeof(float));
}

/* Tile t of c and what it starts from; a tile's number is a constant of the
 * instruction. */
#define TILE_OF_C(t, i, j, edge)                                               \
    do {                                                                       \
        const ptrdiff_t rows_ = p->rows - (i), columns_ = p->n - (j);          \
        const float *const from_ =                                             \
            p->from ? p->from + (i)*p->ldf + (j) : NULL;                       \
        if (!from_ || rows_ <= 0 || columns_ <= 0) {                           \
            TILE_ZERO(t);                                                      \
        } else if (rows_ >= SIDE && columns_ >= SIDE) {                        \
            TILE_LOAD(t, from_, p->ldf *(ptrdiff_t)sizeof(float));             \
        } else {                                                               \
            memset(edge, 0, sizeof(edge));                                     \
            copy_edge(edge, SIDE, from_, p->ldf, rows_, columns_);             \
            TILE_LOAD(t, edge, SIDE *(ptrdiff_t)sizeof(float));                \
        }                                                                      \
    } while (0)

#define TILE_TO_C(t, i, j, edge)                                               \
    do {                                                                       \
        const ptrdiff_t rows_ = p->rows - (i), columns_ = p->n - (j);          \
        float *const c_ = p->c + (i)*p->ldc + (j);                             \
        if (rows_ >= SIDE && columns_ >= SIDE) {                               \
            TILE_STORE(t, c_, p->ldc *(ptrdiff_t)sizeof(float));               \
        } else if (rows_ > 0 && columns_ > 0) {                                \
            TILE_STORE(t, edge, SIDE *(ptrdiff_t)sizeof(float));               \
            copy_edge(c_, p->ldc, edge, SIDE, rows_, columns_);                \
        }                                                                      \
    } while (0)

/* 32 columns of a panel, and 32 rows, or 16. */
static void four_tiles(const part *p, ptrdiff_t i, ptrdiff_t j)
{
    _Alignas(64) float edge[SIDE * SIDE];
    const ptrdiff_t a_stride = p->lda * (ptrdiff_t)sizeof(uint32_t);
    const ptrdiff_t w_stride = EL_PANEL * (ptrdiff_t)sizeof(uint32_t);
    const uint32_t *const a = p->a + i * p->lda;
    const uint32_t *const w = p->w + j / EL_PANEL * p->panel;
    TILE_OF_C(0, i, j, edge);
    TILE_OF_C(1, i, j + SIDE, edge);
    TILE_OF_C(2, i + SIDE, j, edge);
    TILE_OF_C(3, i + SIDE, j + SIDE, edge);
    const bool both = i + SIDE < p->rows;
    const ptrdiff_t words =
        (p->k + EL_BF16_STEPS - 1) / EL_BF16_STEPS * EL_BF16_WORDS;
    for (ptrdiff_t d = 0; d < words; d += EL_BF16_WORDS) {
        TILE_LOAD(4, a + d, a_stride);
        TILE_LOAD(6, w + d * EL_PANEL, w_stride);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(7, w + d * EL_PANEL + SIDE, w_stride);
        TILE_DOT(1, 4, 7);
        if (both) {
            TILE_LOAD(5, a + SIDE * p->lda + d, a_stride);
            TILE_DOT(2, 5, 6);
            TILE_DOT(3, 5, 7);
        }
    }
    TILE_TO_C(0, i, j, edge);
    TILE_TO_C(1, i, j + SIDE, edge);
    TILE_TO_C(2, i + SIDE, j, edge);
    TILE_TO_C(3, i + SIDE, j + SIDE, edge);
}

static void multiply(const part *p)
{
    for (ptrdiff_t j = 0; j < p->n; j += EL_PANEL)
        for (ptrdiff_t i = 0; i < p->rows; i += 2 * SIDE)
            four_tiles(p, i, j);
}

/* What lies behind the last row of a, up to a whole tile. */
static void clear_rows(uint32_t *a, const part *p)
{
    const ptrdiff_t whole = (p->rows + SIDE - 1) / SIDE * SIDE;
    memset(a + p->rows * p->lda, 0,
           (size_t)((whole - p->rows) * p->lda) * sizeof *a);
}

static void begin(void)
{
    tile_config config = {.palette = 1};
    for (int t = 0; t < 8; ++t) {
        config.row_bytes[t] = 64;
        config.rows[t] = SIDE;
    }
    TILES_BEGIN(&config);
}

/* How a product is cut; see bf16_tmpl.h.  Tiles are so fast that putting a into
 * its form weighs more than elsewhere. */
typedef struct cut {
    ptrdiff_t columns, rows, steps;
} cut;

static cut cut_of(const el_gemm *g)
{
    enum { NEAR_C = 1024, NEAR_W = 512 * 1024, LEAST = 4 * EL_PANEL };
    const ptrdiff_t padded = el_bf16_padded(g->k);
    const ptrdiff_t rows = share(g->m, MOST_ROWS);
    const ptrdiff_t whole = (rows + SIDE - 1) / SIDE * SIDE;
    const ptrdiff_t room = (ROOM / whole - SIDE) / EL_BF16_WORDS;
    const ptrdiff_t some = share(padded / EL_BF16_STEPS, room);
    cut c = {g->n, rows, some * EL_BF16_STEPS};
    if (rows < g->m)
        c.columns = NEAR_W / padded / LEAST * LEAST;
    else if (c.steps < padded)
        c.columns = NEAR_C;
    c.columns = c.columns < LEAST ? LEAST : c.columns;
    return c;
}

/* Columns [j, j + n) of the product, j a multiple of EL_PANEL. */
static void columns(const el_gemm *g, const cut *c, uint32_t *a, ptrdiff_t j,
                    ptrdiff_t n)
{
    const ptrdiff_t padded = el_bf16_padded(g->k);
    const uint32_t *const w = (const uint32_t *)g->w + j * padded / 2;
    part p = {.n = n,
              .a = a,
              .lda = c->steps / 2 + SIDE,
              .panel = padded / 2 * EL_PANEL,
              .ldc = g->ldc};
    for (ptrdiff_t i = 0; i < g->m; i += p.rows) {
        p.rows = least(c->rows, g->m - i);
        p.c = (float *)g->c + i * g->ldc + j;
        p.from = g->init ? (const float *)g->init + i * g->ldi + j : NULL;
        p.ldf = g->ldi;
        clear_rows(a, &p);
        for (ptrdiff_t k = 0; k < g->k; k += p.k) {
            p.k = least(c->steps, g->k - k);
            el_bf16_rows_avx512(a, p.lda, (const float *)g->a + i * g->lda + k,
                                g->lda, p.rows, p.k);
            p.w = w + k / 2 * EL_PANEL;
            multiply(&p);
            p.from = p.c;
            p.ldf = p.ldc;
        }
    }
}

static void gemm_body(const el_gemm *g)
{
    _Alignas(64) uint32_t a[ROOM];
    const cut c = cut_of(g);
    for (ptrdiff_t j = 0; j < g->n; j += c.columns)
        columns(g, &c, a, j, least(c.columns, g->n - j));
}

static void outer_body(const el_outer *o)
{
    enum { LDA = EL_OUTER_ROWS / 2 + SIDE };
    _Alignas(64) uint32_t a[ROOM];
    _Alignas(64) float b[EL_OUTER_ROWS * EL_PANEL];
    _Alignas(64) uint32_t panel[EL_OUTER_ROWS / 2 * EL_PANEL];
    part p = {.k = o->rows,
              .a = a,
              .lda = LDA,
              .w = panel,
              .ldc = o->ldc,
              .ldf = o->ldc};
    for (ptrdiff_t i = 0; i < o->n && p.k > 0; i += p.rows) {
        p.rows = share(o->n - i, ROOM / LDA / SIDE * SIDE);
        clear_rows(a, &p);
        el_bf16_turned_avx512(a, LDA, o->a, i, p.rows, p.k);
        for (ptrdiff_t j = 0; j < o->k; j += EL_PANEL) {
            p.n = least(o->k - j, EL_PANEL);
            el_outer_panel(b, o, j);
            el_pack_columns_bf16_avx512(panel, b, EL_PANEL, p.n, p.k);
            p.c = (float *)o->c + i * o->ldc + j;
            p.from = o->fresh ? NULL : p.c;
            multiply(&p);
        }
    }
}

static void gemm(const el_gemm *g)
{
    if (g->m <= FEW || g->k == 0) {
        el_gemm_bf16_avx512(g);
        return;
    }
    begin();
    gemm_body(g);
    TILES_END();
    if (g->epilogue == EL_PLAIN)
        return;
    el_gemm rest = *g;
    rest.k = 0;
    rest.init = g->c;
    rest.ldi = g->ldc;
    el_gemm_bf16_avx512(&rest);
}

static void outer(const el_outer *o)
{
    begin();
    outer_body(o);
    TILES_END();
    el_outer_total(o, el_kernels_f32(EL_LEVEL_AVX512)->add);
}

void el_kernels_bf16_amx(el_kernels *table)
{
    table->dtype = ELMAN_BF16;
    table->products = "amx";
    table->gemm = gemm;
    table->outer = outer;
    table->panel_bytes = el_panel_bytes_bf16;
    table->pack_rows = el_pack_rows_bf16_avx512;
    table->unpack_rows = el_unpack_rows_bf16_c;
    table->pack_columns = el_pack_columns_bf16_avx512;
}
