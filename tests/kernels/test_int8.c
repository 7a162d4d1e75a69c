/* SPDX-License-Identifier: MIT */
/* test_int8.c - products with weights of one byte: every way that this machine
 * has gives the reference's bits, the reference is what int8.h says, and a row
 * that was rounded once stays as it is. */
#include "base/cpu.h"
#include "kernels/int8.h"
#include "support/draw.h"
#include "support/fence.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { A, W, FROM, AUX, EXPECTED, GOT, FENCES, FLOATS = 1 << 20 };
static fence fences[FENCES];

/* ---- Ways -----------------------------------------------------------------*/

typedef struct way {
    const char *name;
    int level; /* of the float32 table that it is laid over */
    void (*lay)(el_kernels *table);
    bool here;
    el_kernels table;
} way;

static el_kernels reference;
#if EL_ARCH_X86
static way ways[] = {
    {.name = "avx2", .level = EL_LEVEL_AVX2, .lay = el_kernels_int8_avx2},
    {.name = "avx2, VNNI",
     .level = EL_LEVEL_AVX2,
     .lay = el_kernels_int8_vnni_avx2},
    {.name = "avx512, VNNI",
     .level = EL_LEVEL_AVX512,
     .lay = el_kernels_int8_vnni_avx512}};
static bool is_here(int i)
{
    return i == 0   ? el_cpu_level() >= EL_LEVEL_AVX2
           : i == 1 ? el_cpu_avx_vnni()
                    : el_cpu_avx512_vnni();
}
#elif EL_ARCH_ARM64
static way ways[] = {
    {.name = "neon", .level = EL_LEVEL_NEON, .lay = el_kernels_int8_neon}};
static bool is_here(int i)
{
    return i == 0;
}
#else
static way ways[] = {{.name = "c", .lay = el_kernels_int8_c}};
static bool is_here(int i)
{
    return i == 0;
}
#endif
enum { WAYS = sizeof ways / sizeof *ways };

static void table_of(way *w)
{
    w->table = *el_kernels_f32(w->level);
    el_kernels_int8_c(&w->table);
    w->lay(&w->table);
}

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < FENCES; ++i)
        fence_create(&fences[i], FLOATS);
    el_kernels_c_f32(&reference);
    el_kernels_int8_c(&reference);
    print_message("seed %" PRIu64 ", ways", test_seed());
    for (int i = 0; i < WAYS; ++i) {
        ways[i].here = is_here(i);
        if (ways[i].here)
            table_of(&ways[i]);
        print_message(ways[i].here ? " %s" : " (%s: not on this machine)",
                      ways[i].name);
    }
    print_message("\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < FENCES; ++i)
        fence_destroy(&fences[i]);
    return 0;
}

/* ---- Products -------------------------------------------------------------*/

static matrix place(int index, draw *d, ptrdiff_t rows, ptrdiff_t columns)
{
    const ptrdiff_t more = draw_below(d, 2) ? draw_below(d, 20) : 0;
    return fence_place(&fences[index], rows, columns, columns + more,
                       draw_below(d, 2) ? draw_below(d, 20) : 0);
}

static matrix drawn(int index, draw *d, ptrdiff_t rows, ptrdiff_t columns,
                    numbers kind)
{
    const matrix m = place(index, d, rows, columns);
    matrix_draw(&m, d, kind);
    fence_lock(&fences[index]);
    return m;
}

/* Weights [n,k] packed by the reference, read-only, whose last panel ends where
 * the memory does. */
static matrix packed(draw *d, ptrdiff_t n, ptrdiff_t k, numbers kind)
{
    float *const w = calloc((size_t)(n * k + 1), sizeof *w);
    const ptrdiff_t floats = el_packed_bytes(&reference, n, k) / 4;
    assert_non_null(w);
    draw_numbers(d, kind, w, n * k);
    const matrix m = fence_place(&fences[W], 1, floats, floats, 0);
    reference.pack_rows(m.at, w, k, n, k);
    fence_lock(&fences[W]);
    free(w);
    return m;
}

enum { NO_INIT, ONE_ROW, FULL, IN_PLACE, INITS };

static el_gemm product(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                       numbers kind, int init)
{
    const matrix a = drawn(A, d, m, k, kind);
    const matrix w = packed(d, n, k, kind);
    const matrix from = drawn(FROM, d, init == ONE_ROW ? 1 : m, n, kind);
    const matrix aux = drawn(AUX, d, m, n, kind);
    el_gemm g = {.m = m,
                 .n = n,
                 .k = k,
                 .a = a.at,
                 .lda = a.stride,
                 .w = w.at,
                 .init = init == NO_INIT ? NULL : from.at,
                 .ldi = init == ONE_ROW ? 0 : from.stride,
                 .epilogue = (el_epilogue)draw_below(d, EL_DRELU + 1),
                 .backwards = draw_below(d, 2)};
    if (g.epilogue == EL_DTANH || g.epilogue == EL_DRELU) {
        g.aux = aux.at;
        g.ldaux = aux.stride;
    }
    return g;
}

static matrix run(const el_kernels *table, el_gemm g, int init, int index,
                  draw *d)
{
    const matrix c = place(index, d, g.m, g.n);
    if (init == IN_PLACE) {
        for (ptrdiff_t i = 0; i < g.m; ++i)
            for (ptrdiff_t j = 0; j < g.n; ++j)
                c.at[i * c.stride + j] = ((const float *)g.init)[i * g.ldi + j];
        g.init = c.at;
        g.ldi = c.stride;
    }
    g.c = c.at;
    g.ldc = c.stride;
    table->gemm(&g);
    return c;
}

static void check(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, numbers kind)
{
    const int init = (int)draw_below(d, INITS);
    const el_gemm g = product(d, m, n, k, kind, init);
    const matrix expected = run(&reference, g, init, EXPECTED, d);
    for (int i = 0; i < WAYS; ++i) {
        if (!ways[i].here)
            continue;
        trying("%s: m %td n %td k %td, init %d, epilogue %d, %s numbers",
               ways[i].name, m, n, k, init, (int)g.epilogue,
               numbers_name[kind]);
        const matrix got = run(&ways[i].table, g, init, GOT, d);
        matrix_check(&got, &expected);
    }
}

static const ptrdiff_t edges[] = {1,  2,  3,  7,  8,  9,  15, 16,  17,
                                  24, 31, 32, 33, 63, 64, 65, 100, 161};
enum { EDGES = sizeof edges / sizeof *edges };

static numbers any_numbers(draw *d)
{
    return (numbers)draw_below(d, NUMBERS_KINDS);
}

static void test_ways(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    for (ptrdiff_t m = 0; m <= 30; ++m)
        for (int e = 0; e < EDGES; ++e)
            check(&d, m, edges[e], draw_below(&d, 40), any_numbers(&d));
    for (ptrdiff_t k = 0; k <= 140; ++k)
        for (int i = 0; i < 4; ++i)
            check(&d, 1 + draw_below(&d, 20), 1 + draw_below(&d, 100), k,
                  any_numbers(&d));
}

/* So many rows that they come in chunks, so many columns that there are more
 * products than one. */
static void test_ways_large(void **state)
{
    (void)state;
    draw d = {.stream = 2};
    static const ptrdiff_t sizes[][3] = {
        {300, 33, 40},  {70, 40, 700}, {40, 33, 2047}, {20, 33, 2048},
        {17, 65, 2049}, {2, 70, 4096}, {1, 33, 10001}, {1, 512, 512},
        {3, 130, 1300}, {600, 9, 20},  {1, 32, 2052},  {5, 31, 6000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int kind = 0; kind < NUMBERS_KINDS; ++kind)
            check(&d, sizes[i][0], sizes[i][1], sizes[i][2], (numbers)kind);
}

/* The largest sums that there are: 127 * 127 * 2048 of either sign. */
static void test_extremes(void **state)
{
    (void)state;
    enum { N = 40, K = EL_INT8_DEPTH };
    static float w[N * K], a[2 * K], c[2][2 * N];
    draw d = {.stream = 3};
    for (int i = 0; i < N * K; ++i)
        w[i] = i / K % 2 ? -2.0f : 2.0f;
    for (int i = 0; i < 2 * K; ++i)
        a[i] = i < K ? 1.0f : -1.0f;
    void *const packed_w = malloc((size_t)el_packed_bytes(&reference, N, K));
    reference.pack_rows(packed_w, w, K, N, K);
    el_gemm g = {.m = 2,
                 .n = N,
                 .k = K,
                 .a = a,
                 .lda = K,
                 .w = packed_w,
                 .c = c[0],
                 .ldc = N};
    reference.gemm(&g);
    for (int j = 0; j < 2 * N; ++j) {
        const double sum = (j / N == j % N % 2 ? 2.0 : -2.0) * K;
        assert_true(fabs((double)c[0][j] / sum - 1) < 1e-4);
    }
    g.c = c[1];
    for (int i = 0; i < WAYS; ++i)
        if (ways[i].here) {
            memset(c[1], 0, sizeof c[1]);
            ways[i].table.gemm(&g);
            assert_memory_equal(c[1], c[0], sizeof c[0]);
        }
    free(packed_w);
    (void)d;
}

/* ---- What the reference is ------------------------------------------------*/

static float rounded(double x)
{
    return (float)x;
}

/* The scale of a row of a, and one of its integers, in other words than the
 * reference's: the nearest integer by nearbyint. */
static float activation_scale(const float *a, ptrdiff_t count)
{
    float most = 0;
    for (ptrdiff_t k = 0; k < count; ++k)
        most = fmaxf(most, fabsf(a[k]));
    return fmaxf(rounded((double)most / 127), FLT_MIN);
}

static double textbook(const float *a, const float *w, ptrdiff_t from,
                       ptrdiff_t to, float s, float u)
{
    double sum = 0;
    for (ptrdiff_t k = from; k < to; ++k) {
        const double q = nearbyint((double)(a[k] * (1 / s)));
        const double p = u > 0 ? round((double)w[k] / (double)u) : 0;
        assert_true(fabs(q) <= 127 && fabs(p) <= 127);
        sum += q * p;
    }
    return sum;
}

static void check_textbook(draw *d, ptrdiff_t n, ptrdiff_t k)
{
    float *const w = calloc((size_t)(n * k), sizeof *w);
    float *const a = calloc((size_t)k, sizeof *a);
    float *const c = calloc((size_t)n, sizeof *c);
    void *const p = malloc((size_t)el_packed_bytes(&reference, n, k));
    assert_true(w && a && c && p);
    draw_numbers(d, NUMBERS_PLAIN, w, n * k);
    draw_numbers(d, NUMBERS_PLAIN, a, k);
    reference.pack_rows(p, w, k, n, k);
    reference.gemm(&(el_gemm){
        .m = 1, .n = n, .k = k, .a = a, .lda = k, .w = p, .c = c, .ldc = n});
    for (ptrdiff_t j = 0; j < n; ++j) {
        const float *const row = w + j * k;
        const float u = el_int8_scale(row, k);
        float sum = 0;
        double exact = 0, bound = 0;
        for (ptrdiff_t from = 0; from < k; from += EL_INT8_DEPTH) {
            const ptrdiff_t to =
                k - from < EL_INT8_DEPTH ? k : from + EL_INT8_DEPTH;
            const float s = activation_scale(a + from, to - from);
            sum = fmaf(rounded(textbook(a, row, from, to, s, u)), s * u, sum);
            for (ptrdiff_t i = from; i < to; ++i) {
                const double x = (double)a[i], y = (double)row[i];
                exact += x * y;
                bound += 0.501 * (fabs(x) * (double)u + fabs(y) * (double)s) +
                         0.251 * (double)s * (double)u;
            }
        }
        if (float_bits(sum) != float_bits(c[j]))
            fail_msg("k %td: %a, not %a", k, (double)c[j], (double)sum);
        assert_true(fabs((double)c[j] - exact) <= bound + 1e-5);
    }
    free(w);
    free(a);
    free(c);
    free(p);
}

static void test_reference(void **state)
{
    (void)state;
    draw d = {.stream = 4};
    for (ptrdiff_t k = 1; k < 70; ++k)
        check_textbook(&d, 1 + draw_below(&d, 70), k);
    check_textbook(&d, 33, 512);
    check_textbook(&d, 3, 2048);
    check_textbook(&d, 3, 2049);
    check_textbook(&d, 5, 7000);
}

/* Whatever is not finite in a row of either side makes all it meets NaN. */
static void test_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    enum { N = 34, K = 37 };
    for (int i = 0; i < 3; ++i) {
        float w[N * K], a[2 * K], c[2 * N];
        draw d = {.stream = 5};
        draw_numbers(&d, NUMBERS_PLAIN, w, N * K);
        draw_numbers(&d, NUMBERS_PLAIN, a, 2 * K);
        w[33 * K + 5] = bad[i];
        a[K + 36] = bad[i];
        void *const p = malloc((size_t)el_packed_bytes(&reference, N, K));
        reference.pack_rows(p, w, K, N, K);
        reference.gemm(&(el_gemm){.m = 2,
                                  .n = N,
                                  .k = K,
                                  .a = a,
                                  .lda = K,
                                  .w = p,
                                  .c = c,
                                  .ldc = N});
        for (int j = 0; j < 2 * N; ++j)
            assert_int_equal(c[j] != c[j], j >= N || j == 33);
        free(p);
    }
}

/* ---- Rows of weights ------------------------------------------------------*/

/* Integers times the scale are floats, exactly, and make the same integers and
 * the same scale again. */
static void check_row(const float *row, ptrdiff_t count)
{
    float again[64];
    const float scale = el_int8_scale(row, count);
    assert_true(scale == scale && scale >= 0);
    /* The largest over 127, rounded up, but where the ends of the range are. */
    double most = 0;
    for (ptrdiff_t k = 0; k < count; ++k)
        most = fmax(most, fabs((double)row[k]));
    if (scale > FLT_MIN && most < 0.99 * (double)FLT_MAX)
        assert_true(127 * (double)scale >= most &&
                    127 * (double)scale <= most * (1 + 0x1p-15));
    for (ptrdiff_t k = 0; k < count; ++k) {
        const int q = el_int8(row[k], scale);
        const double exact = q * (double)scale;
        again[k] = (float)exact;
        assert_true((double)again[k] == exact);
        assert_true(fabs((double)row[k] - exact) <=
                    0.5 * (double)scale * (1 + 0x1p-16 * 127) + 0x1p-127);
    }
    const float second = el_int8_scale(again, count);
    if (float_bits(second) != float_bits(scale))
        fail_msg("the scale %a becomes %a", (double)scale, (double)second);
    for (ptrdiff_t k = 0; k < count; ++k)
        assert_int_equal(el_int8(again[k], second), el_int8(row[k], scale));
}

static void test_rows(void **state)
{
    (void)state;
    draw d = {.stream = 6};
    float row[64];
    for (int i = 0; i < 200000; ++i) {
        const ptrdiff_t count = 1 + draw_below(&d, i % 100 ? 6 : 64);
        draw_numbers(&d, any_numbers(&d), row, count);
        /* Any size that a float can have. */
        const int shift = (int)draw_below(&d, 280) - 150;
        for (ptrdiff_t k = 0; k < count; ++k) {
            row[k] = i % 2 ? ldexpf(row[k], shift) : row[k];
            if (!(fabsf(row[k]) <= FLT_MAX))
                row[k] = i % 3 ? FLT_MAX : FLT_MIN;
        }
        check_row(row, count);
    }
    const float ends[] = {FLT_MAX,     FLT_MIN,   FLT_MIN / 2,
                          FLT_MIN / 4, 0x1p-149f, 0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; ++j)
            check_row((float[]){ends[i], -ends[j]}, 2);
}

/* Packed again from what the packed ones stand for, weights are the same
 * bytes. */
static void test_packing(void **state)
{
    (void)state;
    draw d = {.stream = 7};
    enum { N = 70, K = 45 };
    float w[N * K];
    const size_t bytes = (size_t)el_packed_bytes(&reference, N, K);
    uint8_t *const once = malloc(bytes), *const twice = malloc(bytes);
    draw_numbers(&d, NUMBERS_WIDE, w, N * K);
    reference.pack_rows(once, w, K, N, K);
    for (int j = 0; j < N; ++j) {
        const uint8_t *const panel =
            once + j / EL_PANEL * reference.panel_bytes(K);
        const float u = ((const float *)(panel + (K + 3) / 4 * 128))[j % 32];
        assert_true(u == el_int8_scale(w + j * K, K));
        for (int k = 0; k < K; ++k)
            w[j * K + k] =
                (float)(panel[k / 4 * 128 + j % 32 * 4 + k % 4] - 128) * u;
    }
    reference.pack_rows(twice, w, K, N, K);
    assert_memory_equal(once, twice, bytes);
    free(once);
    free(twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),       cmocka_unit_test(test_ways_large),
        cmocka_unit_test(test_extremes),   cmocka_unit_test(test_reference),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_packing)};
    return cmocka_run_group_tests(tests, begin, end);
}
