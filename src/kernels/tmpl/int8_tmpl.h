/* SPDX-License-Identifier: MIT */
/* int8_tmpl.h - products with weights of one byte.  Reference:
 * ../ref/ref_int8.c; what they are: ../int8.h.
 *
 * A vector of weights is four columns k of each of VL outputs; a step
 * multiplies it with four bytes of a row of a, the same for all lanes, and adds
 * the four products to the lane's sum.  Sums are exact, so that those of few
 * rows may lie in several phases, which are added at the end: a tile of one row
 * then reads its panel as it lies in memory, and still has sums enough to keep
 * the multipliers busy. */
#include "../int8.h"

#include <float.h>
#include <string.h>

enum {
    PANEL_VECTORS = EL_PANEL / VL,
    QUAD = 4 * EL_PANEL, /* bytes of a panel's four columns */
    ROOM = 32 * 1024,    /* bytes of rows of a, on the stack */
    ROWS_MOST = 256,
    FAR_BYTES = 1024
};

/* Rows of a as bytes, and what they are multiplied with. */
typedef struct bytes {
    const el_gemm *g;
    const void *init; /* as el_gemm's, of these rows and columns of a */
    ptrdiff_t ldi;
    ptrdiff_t first, quads; /* columns of a, four at a time */
    ptrdiff_t top, ld;      /* row of g that is the first here */
    int8_t *q;
    float *scale;
    int32_t *sum;
    const uint8_t *panel; /* that is at hand */
} bytes;

/* One row; q has room for whole vectors. */
static void EL_KERNEL(quantise)(const float *a, ptrdiff_t count, int8_t *q,
                                float *scale, int32_t *sum)
{
    vi most = vi_set(0), total = vi_set(0);
    for (ptrdiff_t k = 0; k < count; k += VL)
        most = vi_max(most, v_magnitude(v_load(a + k, v_tail(count - k))));
    const int32_t bits = vi_most(most);
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    if (!(largest <= FLT_MAX)) {
        memset(q, 0, (size_t)((count + VL - 1) / VL * VL));
        *scale = largest - largest;
        *sum = 0;
        return;
    }
    const float s = largest / EL_INT8_MOST;
    *scale = s > FLT_MIN ? s : FLT_MIN;
    const vf inverse = v_set(1 / *scale);
    for (ptrdiff_t k = 0; k < count; k += VL) {
        const vf x = v_mul(v_load(a + k, v_tail(count - k)), inverse);
        const vi whole = v_round(x);
        total = vi_add(total, whole);
        vi_store_bytes(q + k, whole);
    }
    *sum = vi_sum(total);
}

/* sums[row][column] of so many rows and vectors of columns. */
V_INLINE void bytes_tile(const int rows, const int vectors, const int phases,
                         const bytes *b, ptrdiff_t i0, ptrdiff_t j0,
                         int32_t *sums)
{
    const uint8_t *w = b->panel + b->first / 4 * QUAD + j0 * 4;
    const int8_t *a = b->q + i0 * b->ld;
    vi acc[V_BYTE_ROWS][8];
#define EACH_ROW _Pragma("GCC unroll 16") for (int i = 0; i < rows; ++i)
#define EACH_VECTOR _Pragma("GCC unroll 8") for (int v = 0; v < vectors; ++v)
    EACH_ROW
    _Pragma("GCC unroll 8") for (int v = 0; v < vectors * phases; ++v)
        acc[i][v] = vi_set(v < vectors ? V_EXCESS * b->sum[i0 + i] : 0);
    ptrdiff_t k = 0;
    for (; k + phases <= b->quads; k += phases) {
        _Pragma("GCC unroll 4") for (int p = 0; p < phases; ++p)
        {
            if (vectors == PANEL_VECTORS) {
                __builtin_prefetch(w + FAR_BYTES + p * QUAD, 0, 3);
                __builtin_prefetch(w + FAR_BYTES + p * QUAD + 64, 0, 3);
            }
            vb x[8];
            EACH_VECTOR
            x[v] = vb_load(w + p * QUAD + v * VL * 4);
            EACH_ROW
            {
                const vi y = vi_quad(a + i * b->ld + 4 * p);
                EACH_VECTOR
                acc[i][p * vectors + v] =
                    vb_dot(acc[i][p * vectors + v], x[v], y);
            }
        }
        w += phases * QUAD;
        a += phases * 4;
    }
    for (; phases > 1 && k < b->quads; ++k, w += QUAD, a += 4)
        EACH_ROW
    EACH_VECTOR
    acc[i][v] =
        vb_dot(acc[i][v], vb_load(w + v * VL * 4), vi_quad(a + i * b->ld));
    EACH_ROW
    _Pragma("GCC unroll 8") for (int v = vectors; v < vectors * phases; ++v)
        acc[i][v % vectors] = vi_add(acc[i][v % vectors], acc[i][v]);
    EACH_ROW
    EACH_VECTOR
    vi_store(sums + i * EL_PANEL + j0 + v * VL, acc[i][v]);
#undef EACH_ROW
#undef EACH_VECTOR
}

/* c = init + float(sums) (s u), of the panel whose first column is j. */
static void EL_KERNEL(bytes_out)(const bytes *b, ptrdiff_t i0, ptrdiff_t rows,
                                 ptrdiff_t j, const int32_t *sums)
{
    const el_gemm *const g = b->g;
    const float *const scales =
        (const float *)(b->panel + el_int8_quads(g->k) * QUAD);
    const ptrdiff_t columns = g->n - j < EL_PANEL ? g->n - j : EL_PANEL;
    for (ptrdiff_t i = 0; i < rows; ++i, sums += EL_PANEL) {
        const ptrdiff_t row = b->top + i0 + i;
        const vf s = v_set(b->scale[i0 + i]);
        float *const c = (float *)g->c + row * g->ldc + j;
        const float *const init =
            b->init ? (const float *)b->init + row * b->ldi + j : NULL;
        for (ptrdiff_t v = 0; v < columns; v += VL) {
            const vm m = v_tail(columns - v);
            const vf from = init ? v_load(init + v, m) : v_zero();
            const vf u = v_mul(s, v_load_all(scales + v));
            v_store(c + v, m, v_fma(vi_float(vi_load(sums + v)), u, from));
        }
    }
}

/* A function for each number of rows: with all tiles in one, compilers run out
 * of registers. */
#define BYTES_TILES(rows)                                                      \
    static __attribute__((noinline)) void EL_KERNEL(bytes_##rows)(             \
        const bytes *b, ptrdiff_t i0, ptrdiff_t columns, int32_t *sums)        \
    {                                                                          \
        for (ptrdiff_t j = 0; j < columns; j += V_BYTE_VECTORS(rows) * VL)     \
            bytes_tile(rows, V_BYTE_VECTORS(rows), V_BYTE_PHASES(rows), b, i0, \
                       j, sums);                                               \
    }
BYTES_TILES(1)
BYTES_TILES(2)
BYTES_TILES(3)
BYTES_TILES(4)
#if V_BYTE_ROWS >= 6
BYTES_TILES(5)
BYTES_TILES(6)
#endif
#if V_BYTE_ROWS >= 14
BYTES_TILES(7)
BYTES_TILES(8)
BYTES_TILES(9)
BYTES_TILES(10)
BYTES_TILES(11)
BYTES_TILES(12)
BYTES_TILES(13)
BYTES_TILES(14)
#endif

static void (*const EL_KERNEL(bytes_rows)[])(const bytes *b, ptrdiff_t i0,
                                             ptrdiff_t columns,
                                             int32_t *sums) = {
    EL_KERNEL(bytes_1),  EL_KERNEL(bytes_2),  EL_KERNEL(bytes_3),
    EL_KERNEL(bytes_4),
#if V_BYTE_ROWS >= 6
    EL_KERNEL(bytes_5),  EL_KERNEL(bytes_6),
#endif
#if V_BYTE_ROWS >= 14
    EL_KERNEL(bytes_7),  EL_KERNEL(bytes_8),  EL_KERNEL(bytes_9),
    EL_KERNEL(bytes_10), EL_KERNEL(bytes_11), EL_KERNEL(bytes_12),
    EL_KERNEL(bytes_13), EL_KERNEL(bytes_14),
#endif
};

/* So many rows from b->top on, which are in q: a panel stays in L1 while they
 * pass over it, in blocks of nearly equal height. */
static void EL_KERNEL(bytes_chunk)(bytes *b, ptrdiff_t rows)
{
    _Alignas(64) int32_t sums[V_BYTE_ROWS * EL_PANEL];
    const ptrdiff_t panel_bytes =
        el_int8_quads(b->g->k) * QUAD + EL_PANEL * (ptrdiff_t)sizeof(float);
    b->panel = b->g->w;
    for (ptrdiff_t j = 0; j < b->g->n; j += EL_PANEL) {
        const ptrdiff_t columns = b->g->n - j;
        for (ptrdiff_t i = 0, some; i < rows; i += some) {
            const ptrdiff_t blocks = (rows - i + V_BYTE_ROWS - 1) / V_BYTE_ROWS;
            some = (rows - i + blocks - 1) / blocks;
            EL_KERNEL(bytes_rows)
            [some - 1](b, i, columns < EL_PANEL ? columns : EL_PANEL, sums);
            EL_KERNEL(bytes_out)(b, i, some, j, sums);
        }
        b->panel += panel_bytes;
    }
}

static void EL_KERNEL(gemm_int8)(const el_gemm *g)
{
    _Alignas(64) int8_t q[ROOM];
    float scale[ROWS_MOST];
    int32_t sum[ROWS_MOST];
    bytes b = {.g = g,
               .init = g->init,
               .ldi = g->ldi,
               .q = q,
               .scale = scale,
               .sum = sum};
    for (; b.first < g->k; b.first += EL_INT8_DEPTH) {
        const ptrdiff_t left = g->k - b.first;
        const ptrdiff_t depth = left < EL_INT8_DEPTH ? left : EL_INT8_DEPTH;
        b.quads = el_int8_quads(depth);
        b.ld = (depth + 15) / 16 * 16;
        ptrdiff_t most = ROOM / b.ld;
        most = most < ROWS_MOST ? most : ROWS_MOST;
        for (b.top = 0; b.top < g->m; b.top += most) {
            const ptrdiff_t rows = g->m - b.top < most ? g->m - b.top : most;
            const float *const a =
                (const float *)g->a + b.top * g->lda + b.first;
            for (ptrdiff_t i = 0; i < rows; ++i)
                EL_KERNEL(quantise)
            (a + i * g->lda, depth, q + i * b.ld, &scale[i], &sum[i]);
            EL_KERNEL(bytes_chunk)(&b, rows);
        }
        b.init = g->c;
        b.ldi = g->ldc;
    }
    if (g->k > 0 && g->epilogue == EL_PLAIN)
        return;
    /* What is left is a product of no columns. */
    el_gemm end = *g;
    end.k = 0;
    end.init = b.init;
    end.ldi = b.ldi;
    el_kernels_f32(V_LEVEL)->gemm(&end);
}

void EL_KERNEL(kernels_int8)(el_kernels *table)
{
    table->gemm = EL_KERNEL(gemm_int8);
}
