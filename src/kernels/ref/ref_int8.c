/* SPDX-License-Identifier: MIT */
/* ref_int8.c - weights of one byte in plain C; see ../int8.h. */
#include "../int8.h"
#include "real32.h"

#include <float.h>

/* ---- Weights --------------------------------------------------------------*/

/* Near the ends of what a float can be a scale is rounded down, or is the
 * smallest number of full precision; and where that leaves nothing of a row,
 * 0. */
float el_int8_scale(const float *row, int64_t count)
{
    float most = 0;
    for (int64_t i = 0; i < count; ++i) {
        if (!(fabsf(row[i]) <= FLT_MAX))
            return NAN;
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    }
    if (most < FLT_MIN / 2)
        return 0;
    int exponent;
    const double digits =
        ldexp(frexp((double)most / EL_INT8_MOST, &exponent), 16);
    double scale = ldexp(ceil(digits), exponent - 16);
    if (scale * EL_INT8_MOST > (double)FLT_MAX)
        scale = ldexp(floor(digits), exponent - 16);
    return scale < (double)FLT_MIN ? FLT_MIN : (float)scale;
}

int el_int8(float value, float scale)
{
    if (!(scale > 0))
        return 0;
    const double q = (double)value / (double)scale;
    const int whole = (int)(q < 0 ? q - 0.5 : q + 0.5);
    return whole < -EL_INT8_MOST  ? -EL_INT8_MOST
           : whole > EL_INT8_MOST ? EL_INT8_MOST
                                  : whole;
}

/* In a panel, where the weight of column k of output j is, and the scales. */
static ptrdiff_t weight_at(ptrdiff_t k, ptrdiff_t j)
{
    return k / 4 * 4 * EL_PANEL + 4 * j + k % 4;
}

static ptrdiff_t scales_at(ptrdiff_t k)
{
    return 4 * el_int8_quads(k) * EL_PANEL;
}

static ptrdiff_t panel_bytes(ptrdiff_t k)
{
    return scales_at(k) + EL_PANEL * (ptrdiff_t)sizeof(float);
}

static void pack_rows(void *packed, const void *weights, ptrdiff_t ldw,
                      ptrdiff_t n, ptrdiff_t k)
{
    uint8_t *panel = packed;
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
        float *const scales = (float *)(panel + scales_at(k));
        memset(panel, EL_INT8_EXCESS, (size_t)scales_at(k));
        memset(scales, 0, EL_PANEL * sizeof *scales);
        for (ptrdiff_t j = 0; j < EL_PANEL && first + j < n; ++j) {
            const float *const row = (const float *)weights + (first + j) * ldw;
            scales[j] = el_int8_scale(row, k);
            for (ptrdiff_t i = 0; i < k; ++i)
                panel[weight_at(i, j)] =
                    (uint8_t)(el_int8(row[i], scales[j]) + EL_INT8_EXCESS);
        }
        panel += panel_bytes(k);
    }
}

static void unpack_rows(void *weights, const void *packed, ptrdiff_t from,
                        ptrdiff_t to, ptrdiff_t k)
{
    const uint8_t *const panel = packed;
    const float *const scales = (const float *)(panel + scales_at(k));
    float *w = weights;
    for (ptrdiff_t j = from; j < to; ++j, w += k)
        for (ptrdiff_t i = 0; i < k; ++i)
            w[i] = (float)(panel[weight_at(i, j)] - EL_INT8_EXCESS) * scales[j];
}

/* ---- Products -------------------------------------------------------------*/

/* The scale of a row of a, and its integers. */
static float scale_of(const float *a, ptrdiff_t count)
{
    float most = 0;
    for (ptrdiff_t k = 0; k < count; ++k) {
        if (!(fabsf(a[k]) <= FLT_MAX))
            return NAN;
        most = fabsf(a[k]) > most ? fabsf(a[k]) : most;
    }
    const float scale = most / EL_INT8_MOST;
    return scale > FLT_MIN ? scale : FLT_MIN;
}

static int8_t integer_of(float a, float scale)
{
    return scale == scale ? (int8_t)(a * (1 / scale) + EL_ROUND - EL_ROUND) : 0;
}

/* Goes on in row c over the columns [from,to) of g and of row a. */
static void add_products(const el_gemm *g, const float *a, ptrdiff_t from,
                         ptrdiff_t to, float *c)
{
    int8_t q[EL_INT8_DEPTH];
    const float scale = scale_of(a + from, to - from);
    for (ptrdiff_t k = from; k < to; ++k)
        q[k - from] = integer_of(a[k], scale);
    for (ptrdiff_t j = 0; j < g->n; ++j) {
        const uint8_t *const panel =
            (const uint8_t *)g->w + j / EL_PANEL * panel_bytes(g->k);
        const ptrdiff_t at = j % EL_PANEL;
        int32_t sum = 0;
        for (ptrdiff_t k = from; k < to; ++k)
            sum += q[k - from] * (panel[weight_at(k, at)] - EL_INT8_EXCESS);
        const float u = ((const float *)(panel + scales_at(g->k)))[at];
        c[j] = fmaf((float)sum, scale * u, c[j]);
    }
}

/* The epilogue is that of a product of no columns. */
static void finish(const el_gemm *g)
{
    el_kernels f32;
    el_gemm end = *g;
    el_kernels_c_f32(&f32);
    end.k = 0;
    end.init = g->c;
    end.ldi = g->ldc;
    f32.gemm(&end);
}

static void gemm(const el_gemm *g)
{
    const float *const init = g->init;
    for (ptrdiff_t i = 0; i < g->m; ++i) {
        float *const c = (float *)g->c + i * g->ldc;
        for (ptrdiff_t j = 0; j < g->n; ++j)
            c[j] = init ? init[i * g->ldi + j] : 0;
        for (ptrdiff_t k = 0; k < g->k; k += EL_INT8_DEPTH)
            add_products(g, (const float *)g->a + i * g->lda, k,
                         g->k - k < EL_INT8_DEPTH ? g->k : k + EL_INT8_DEPTH,
                         c);
    }
    finish(g);
}

void el_kernels_int8_c(el_kernels *table)
{
    table->dtype = ELMAN_INT8;
    table->gemm = gemm;
    table->panel_bytes = panel_bytes;
    table->pack_rows = pack_rows;
    table->unpack_rows = unpack_rows;
}
