/* SPDX-License-Identifier: MIT */
/* ref_bf16.c - the products of bfloat16 in plain C: the definition. */
#include "../bf16.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint16_t rounded(float x)
{
    const uint32_t bits = bits_of(x), size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        return (uint16_t)((bits | 0x400000) >> 16);
    if (size < 0x800000)
        return (uint16_t)((bits & 0x80000000) >> 16);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widened(uint16_t x)
{
    return of_bits((uint32_t)x << 16);
}

static float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

/* Just below FLT_MIN the grid of denormals is coarser than that of a float
 * with any exponent: what rounds to FLT_MIN there may be tiny here, and is
 * looked at 2^24 times as large. */
static float chained(float a, float b, float sum)
{
    const float is = fmaf(a, b, sum);
    const float up = 0x1p24f;
    if (fabsf(is) == FLT_MIN && fabsf(fmaf(a * up, b, sum * up)) < FLT_MIN * up)
        return copysignf(0, is);
    return flushed(is);
}

/* Adding can give no denormal but an exact one. */
static float added(float a, float b)
{
    return flushed(flushed(a) + flushed(b));
}

/* The rows of a tile, one after another, for one output. */
typedef struct row {
    float even, odd, sum;
    ptrdiff_t k;
} row;

static void row_end(row *r)
{
    r->sum = added(r->sum, added(r->even, r->odd));
    r->even = r->odd = 0;
}

static void row_step(row *r, uint16_t a, uint16_t b)
{
    float *const chain = r->k++ % 2 ? &r->odd : &r->even;
    *chain = chained(flushed(widened(a)), flushed(widened(b)), *chain);
    if (r->k % EL_BF16_STEPS == 0)
        row_end(r);
}

static float row_sum(row *r)
{
    while (r->k % EL_BF16_STEPS != 0)
        row_step(r, 0, 0);
    return r->sum;
}

ptrdiff_t el_panel_bytes_bf16(ptrdiff_t k)
{
    return el_bf16_padded(k) * EL_PANEL * (ptrdiff_t)sizeof(uint16_t);
}

/* Of element (output j, step k) in a panel. */
static ptrdiff_t place(ptrdiff_t j, ptrdiff_t k)
{
    return (k / 2 * EL_PANEL + j) * 2 + k % 2;
}

static void pack(uint16_t *out, const float *w, ptrdiff_t from_output,
                 ptrdiff_t from_step, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
        for (ptrdiff_t j = 0; j < EL_PANEL; ++j)
            for (ptrdiff_t i = 0; i < padded; ++i)
                out[place(j, i)] =
                    first + j < n && i < k
                        ? rounded(w[(first + j) * from_output + i * from_step])
                        : 0;
        out += padded * EL_PANEL;
    }
}

static void pack_rows(void *packed, const void *w, ptrdiff_t ldw, ptrdiff_t n,
                      ptrdiff_t k)
{
    pack(packed, w, ldw, 1, n, k);
}

static void pack_columns(void *packed, const void *w, ptrdiff_t ldw,
                         ptrdiff_t n, ptrdiff_t k)
{
    pack(packed, w, 1, ldw, n, k);
}

void el_unpack_rows_bf16_c(void *weights, const void *panel, ptrdiff_t from,
                           ptrdiff_t to, ptrdiff_t k)
{
    float *w = weights;
    for (ptrdiff_t j = from; j < to; ++j, w += k)
        for (ptrdiff_t i = 0; i < k; ++i)
            w[i] = widened(((const uint16_t *)panel)[place(j, i)]);
}

/* What comes after the sum is float32's. */
static void finish(const el_gemm *g)
{
    el_gemm rest = *g;
    rest.k = 0;
    rest.init = g->k > 0 ? g->c : g->init;
    rest.ldi = g->k > 0 ? g->ldc : g->ldi;
    el_kernels_f32(0)->gemm(&rest);
}

void el_gemm_bf16_c(const el_gemm *g)
{
    const float *const a = g->a, *const init = g->init;
    float *const c = g->c;
    for (ptrdiff_t i = 0; i < g->m && g->k > 0; ++i)
        for (ptrdiff_t j = 0; j < g->n; ++j) {
            const uint16_t *const w =
                (const uint16_t *)g->w +
                j / EL_PANEL * el_bf16_padded(g->k) * EL_PANEL;
            row r = {.sum = init ? init[i * g->ldi + j] : 0};
            for (ptrdiff_t k = 0; k < g->k; ++k)
                row_step(&r, rounded(a[i * g->lda + k]),
                         w[place(j % EL_PANEL, k)]);
            c[i * g->ldc + j] = row_sum(&r);
        }
    if (g->k == 0 || g->epilogue != EL_PLAIN)
        finish(g);
}

void el_outer_bf16_c(const el_outer *o)
{
    float *const c = o->c, *const total = o->total;
    for (ptrdiff_t i = 0; i < o->n && o->rows > 0; ++i)
        for (ptrdiff_t j = 0; j < o->k; ++j) {
            row r = {.sum = o->fresh ? 0 : c[i * o->ldc + j]};
            for (ptrdiff_t k = 0; k < o->rows; ++k)
                row_step(&r, rounded(((const float *)o->a[k])[i]),
                         rounded(((const float *)o->b[k])[j]));
            const float sum = row_sum(&r);
            c[i * o->ldc + j] = sum;
            if (total)
                total[i * o->ldt + j] += sum;
        }
}

void el_kernels_bf16_c(el_kernels *table)
{
    table->dtype = ELMAN_BF16;
    table->products = "c";
    table->gemm = el_gemm_bf16_c;
    table->outer = el_outer_bf16_c;
    table->panel_bytes = el_panel_bytes_bf16;
    table->pack_rows = pack_rows;
    table->pack_columns = pack_columns;
    table->unpack_rows = el_unpack_rows_bf16_c;
}

/* ---- A look before a body is trusted --------------------------------------*/

enum { M = 21, N = 70, K = 75, PACKED = 96 * 96 };

static void some_numbers(float *x, int count, uint32_t *state)
{
    for (int i = 0; i < count; ++i) {
        *state = *state * 1664525 + 1013904223;
        const uint32_t exponent = 120 + (*state >> 24 & 7);
        x[i] = of_bits((*state >> 9 & 0x7fffff) | exponent << 23 |
                       (*state & 0x80000000));
    }
}

bool el_bf16_agrees(const el_kernels *table)
{
    float a[M * K], w[N * K], c[M * N], is[M * N];
    uint16_t packed[PACKED];
    uint32_t state = 1;
    some_numbers(a, M * K, &state);
    some_numbers(w, N * K, &state);
    a[5] = 0x1p-120f; /* some products are tiny, */
    w[7] = 0x1p-20f;
    a[6] = 0x1p-130f; /* and an operand is a denormal */
    el_gemm g = {.m = M, .n = N, .k = K, .a = a, .lda = K, .ldc = N};
    if (el_packed_bytes(table, N, K) > (ptrdiff_t)sizeof packed)
        return false;
    table->pack_rows(packed, w, K, N, K);
    g.w = packed;
    g.c = c;
    table->gemm(&g);
    pack_rows(packed, w, K, N, K);
    g.c = is;
    el_gemm_bf16_c(&g);
    return memcmp(c, is, sizeof c) == 0;
}
