/* SPDX-License-Identifier: MIT */
/* test_bf16.c - every body of the products of bfloat16 gives the reference's
 * bits, and touches nothing that is not its own; the reference is what Intel's
 * manual says of TDPBF16PS.  AMX's body runs on its own
 * tiles where there are some; on machines without AMX both its source and what
 * the compiler made of it run on tiles that are arrays. */
#include "base/cpu.h"
#include "kernels/bf16.h"
#include "support/amx_trap.h"
#include "support/draw.h"
#include "support/fence.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if EL_ARCH_X86
#include <immintrin.h>

#define EL_TILES_IN_C
#define el_kernels_bf16_amx kernels_in_c
void kernels_in_c(el_kernels *table);
#include "kernels/x86/bf16_amx.c"
#undef el_kernels_bf16_amx

/* ---- Tiles ----------------------------------------------------------------
 * As the manual has them; only the first eight of each field count. */

static tile_config current;
static union {
    float sums[16][16];
    uint32_t words[16][16];
} tiles[8];

static bool begun(int t)
{
    return current.palette == 1 && current.rows[t] <= 16 &&
           current.row_bytes[t] <= 64;
}

void tiles_begin(const tile_config *config)
{
    assert_int_equal(current.palette, 0);
    current = *config;
    memset(tiles, 0, sizeof tiles);
}

void tiles_end(void)
{
    memset(&current, 0, sizeof current);
}

void tile_zero(int t)
{
    assert_true(begun(t));
    memset(&tiles[t], 0, sizeof tiles[t]);
}

void tile_load(int t, const void *from, int64_t stride)
{
    tile_zero(t);
    for (int i = 0; i < current.rows[t]; ++i)
        memcpy(tiles[t].words[i], (const char *)from + i * stride,
               current.row_bytes[t]);
}

void tile_store(int t, void *to, int64_t stride)
{
    assert_true(begun(t));
    for (int i = 0; i < current.rows[t]; ++i)
        memcpy((char *)to + i * stride, tiles[t].words[i],
               current.row_bytes[t]);
}

static __attribute__((target("fma"))) float fused(float a, float b, float c)
{
    return _mm_cvtss_f32(
        _mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

static __attribute__((noinline)) void dot_flushed(int c, int a, int b)
{
    for (int m = 0; m < current.rows[c]; ++m) {
        float temp[32] = {0};
        for (int k = 0; k < current.row_bytes[a] / 4; ++k)
            for (int n = 0; n < current.row_bytes[c] / 4; ++n) {
                const uint32_t x = tiles[a].words[m][k];
                const uint32_t y = tiles[b].words[k][n];
                temp[2 * n] = fused(float_from_bits(x << 16),
                                    float_from_bits(y << 16), temp[2 * n]);
                temp[2 * n + 1] =
                    fused(float_from_bits(x & 0xffff0000),
                          float_from_bits(y & 0xffff0000), temp[2 * n + 1]);
            }
        for (int n = 0; n < current.row_bytes[c] / 4; ++n)
            tiles[c].sums[m][n] += temp[2 * n] + temp[2 * n + 1];
    }
}

void tile_dot(int c, int a, int b)
{
    assert_true(begun(c) && begun(a) && begun(b));
    assert_true(c != a && a != b && b != c);
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
    dot_flushed(c, a, b);
    _mm_setcsr(mode);
}

static void tiles_configure(const void *config)
{
    tile_config c;
    memcpy(&c, config, sizeof c);
    tiles_begin(&c);
}

/* AMX's instructions, done by the above. */
static bool trap(void)
{
    return amx_trap(&(amx_tiles){.begin = tiles_configure,
                                 .end = tiles_end,
                                 .zero = tile_zero,
                                 .load = tile_load,
                                 .store = tile_store,
                                 .dot = tile_dot});
}

/* What runs the tests takes the signal for every one of them. */
static el_kernels compiled;

static void trapped_gemm(const el_gemm *g)
{
    trap();
    compiled.gemm(g);
}

static void trapped_outer(const el_outer *o)
{
    trap();
    compiled.outer(o);
}

static void kernels_trapped(el_kernels *table)
{
    el_kernels_bf16_amx(table);
    compiled = *table;
    table->gemm = trapped_gemm;
    table->outer = trapped_outer;
}
#endif

/* ---- Bodies ---------------------------------------------------------------*/

typedef struct body {
    const char *name;
    el_kernels table;
} body;

enum { MOST_BODIES = 6 };
static body bodies[MOST_BODIES];
static int count;
static el_kernels reference;

static void have(const char *name, int level, void (*overlay)(el_kernels *))
{
    bodies[count].name = name;
    bodies[count].table = *el_kernels_f32(level);
    overlay(&bodies[count++].table);
    print_message(" %s", name);
}

enum { FENCES = 8, FLOATS = 1 << 20 }; /* 17,000 rows, 39 floats apart */
enum { A, W, PACKED, FROM, AUX, EXPECTED, GOT, AGAIN };
static fence fences[FENCES];

static int begin_tests(void **state)
{
    (void)state;
    for (int i = 0; i < FENCES; ++i)
        fence_create(&fences[i], FLOATS);
    reference = *el_kernels_f32(EL_LEVEL_C);
    el_kernels_bf16_c(&reference);
    print_message("seed %" PRIu64 ", bodies", test_seed());
    have("best", el_cpu_level(), el_kernels_bf16_c);
    bodies[0].table = *el_kernels_bf16(el_cpu_level());
#if EL_ARCH_X86
    if (el_cpu_level() >= EL_LEVEL_AVX2)
        have("avx2", EL_LEVEL_AVX2, el_kernels_bf16_avx2);
    if (el_cpu_level() >= EL_LEVEL_AVX512) {
        have("avx512", EL_LEVEL_AVX512, el_kernels_bf16_avx512);
        if (el_cpu_bf16())
            have("tiles", EL_LEVEL_AVX512, kernels_in_c);
        if (el_cpu_bf16_dot())
            have("dot", EL_LEVEL_AVX512, el_kernels_bf16_dot_avx512);
        if (el_cpu_amx())
            have("amx", EL_LEVEL_AVX512, el_kernels_bf16_amx);
        else if (el_cpu_bf16() && trap())
            have("amx, trapped", EL_LEVEL_AVX512, kernels_trapped);
    }
#endif
    print_message("\n");
    return 0;
}

static int end_tests(void **state)
{
    (void)state;
    print_message("%ld instructions of AMX were trapped\n", amx_trapped());
    for (int i = 0; i < FENCES; ++i)
        fence_destroy(&fences[i]);
    return 0;
}

static numbers any_numbers(draw *d)
{
    return (numbers)draw_below(d, NUMBERS_KINDS);
}

static ptrdiff_t any_stride(draw *d, ptrdiff_t columns)
{
    return columns + (draw_below(d, 2) ? draw_below(d, 20) : 0);
}

static ptrdiff_t any_slack(draw *d)
{
    return draw_below(d, 2) ? draw_below(d, 20) : 0;
}

/* Numbers, half the time of few bits and one size, whose products end where
 * floats do: 2^-126. */
static void draw_matrix(const matrix *m, draw *d, numbers kind)
{
    matrix_draw(m, d, kind);
    if (kind != NUMBERS_TINY || draw_below(d, 2))
        return;
    for (ptrdiff_t i = 0; i < m->rows; ++i)
        for (ptrdiff_t j = 0; j < m->columns; ++j)
            m->at[i * m->stride + j] =
                ldexpf((float)(draw_below(d, 512) - 256), -72);
}

static matrix input(int index, draw *d, ptrdiff_t rows, ptrdiff_t columns,
                    numbers kind)
{
    const matrix m = fence_place(&fences[index], rows, columns,
                                 any_stride(d, columns), any_slack(d));
    draw_matrix(&m, d, kind);
    fence_lock(&fences[index]);
    return m;
}

/* w [n,k], packed by this table from its rows or from its columns. */
static matrix packed(const el_kernels *table, const matrix *w, ptrdiff_t n,
                     ptrdiff_t k, bool rows)
{
    const ptrdiff_t floats =
        el_packed_bytes(table, n, k) / (ptrdiff_t)sizeof(float);
    const matrix m = fence_place(&fences[PACKED], 1, floats, floats, 0);
    (rows ? table->pack_rows : table->pack_columns)(m.at, w->at, w->stride, n,
                                                    k);
    fence_lock(&fences[PACKED]);
    return m;
}

enum { NO_INIT, ONE_ROW, FULL, IN_PLACE, INITS };

static void check_gemm(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                       numbers kind)
{
    static const char *const inits[INITS] = {"no", "one-row", "full",
                                             "in-place"};
    const bool rows = draw_below(d, 2);
    const int init = (int)draw_below(d, INITS);
    const matrix a = input(A, d, m, k, kind);
    const matrix w = input(W, d, rows ? n : k, rows ? k : n, kind);
    const matrix from = input(FROM, d, init == ONE_ROW ? 1 : m, n, kind);
    const matrix aux = input(AUX, d, m, n, kind);
    const ptrdiff_t ldc = any_stride(d, n), slack = any_slack(d);
    el_gemm g = {.m = m, .n = n, .k = k, .a = a.at, .lda = a.stride};
    g.epilogue = (el_epilogue)draw_below(d, EL_DRELU + 1);
    g.backwards = draw_below(d, 2);
    if (g.epilogue == EL_DTANH || g.epilogue == EL_DRELU) {
        g.aux = aux.at;
        g.ldaux = aux.stride;
    }
    matrix expected = {0};
    for (int i = -1; i < count; ++i) {
        const el_kernels *const table = i < 0 ? &reference : &bodies[i].table;
        trying("gemm %s: m %td n %td k %td, %s init, epilogue %d, %s numbers",
               i < 0 ? "c" : bodies[i].name, m, n, k, inits[init],
               (int)g.epilogue, numbers_name[kind]);
        const matrix c =
            fence_place(&fences[i < 0 ? EXPECTED : GOT], m, n, ldc, slack);
        g.w = packed(table, &w, n, k, rows).at;
        if (init == IN_PLACE) {
            matrix_copy(&c, &from);
            g.init = c.at;
            g.ldi = c.stride;
        } else if (init != NO_INIT) {
            g.init = from.at;
            g.ldi = init == ONE_ROW ? 0 : from.stride;
        }
        g.c = c.at;
        g.ldc = ldc;
        table->gemm(&g);
        if (i < 0)
            expected = c;
        else
            matrix_check(&c, &expected);
    }
}

static void test_gemm(void **state)
{
    (void)state;
    draw d = {.stream = 61};
    for (ptrdiff_t m = 1; m <= 20; ++m)
        for (int i = 0; i < 40; ++i)
            check_gemm(&d, m, 1 + draw_below(&d, 140), draw_below(&d, 40),
                       any_numbers(&d));
    for (ptrdiff_t k = 0; k <= 100; ++k)
        for (int i = 0; i < 4; ++i)
            check_gemm(&d, 1 + draw_below(&d, 40), 1 + draw_below(&d, 100), k,
                       any_numbers(&d));
    for (ptrdiff_t m = 31; m <= 150; m += 7)
        check_gemm(&d, m, 1 + draw_below(&d, 80), draw_below(&d, 70),
                   any_numbers(&d));
    check_gemm(&d, 0, 7, 5, NUMBERS_PLAIN);
    check_gemm(&d, 7, 0, 5, NUMBERS_PLAIN);
}

/* So many steps that a product is cut into parts. */
static void test_gemm_large(void **state)
{
    (void)state;
    draw d = {.stream = 62};
    static const ptrdiff_t sizes[][3] = {
        {1, 65, 3000},   {1, 20, 17000},  {6, 33, 5000}, {64, 40, 1000},
        {97, 17, 700},   {200, 33, 290},  {2, 300, 900}, {5, 130, 2100},
        {150, 700, 600}, {100, 200, 2500}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        check_gemm(&d, sizes[i][0], sizes[i][1], sizes[i][2],
                   (numbers)draw_below(&d, NUMBERS_ZEROS));
}

/* Of EL_OUTER_ROWS rows a call, in the first one from zero and in the last one
 * into a total, or from what c holds. */
static void outer_chain(const el_kernels *table, el_outer o, ptrdiff_t rows,
                        void *total)
{
    const bool whole = total && rows > 0;
    for (ptrdiff_t r = 0; r < rows; r += o.rows) {
        o.rows = rows - r < EL_OUTER_ROWS ? rows - r : EL_OUTER_ROWS;
        o.fresh = whole && r == 0;
        o.total = whole && r + o.rows == rows ? total : NULL;
        const size_t bytes = (size_t)o.rows * sizeof *o.a;
        const void **const soon = malloc(2 * bytes);
        assert_non_null(soon);
        memcpy(soon, o.b, bytes); /* a block of exactly so many */
        memcpy(soon + o.rows, o.a, bytes);
        o.soon_b = soon;
        o.soon_a = soon + o.rows;
        table->outer(&o);
        free(soon);
        o.a += o.rows;
        o.b += o.rows;
    }
}

static void check_outer(draw *d, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t k,
                        numbers kind)
{
    const void *row_a[3 * EL_OUTER_ROWS], *row_b[3 * EL_OUTER_ROWS];
    const matrix a = input(A, d, rows, n, kind);
    const matrix b = input(W, d, rows, k, kind);
    const matrix from = input(FROM, d, n, k, kind);
    const ptrdiff_t ldc = any_stride(d, k), slack = any_slack(d);
    const bool whole = draw_below(d, 2) > 0;
    float *const sums = calloc((size_t)(n * k + 1), sizeof *sums);
    assert_non_null(sums);
    for (ptrdiff_t r = 0; r < rows; ++r) {
        row_a[r] = a.at + r * a.stride;
        row_b[r] = b.at + r * b.stride;
    }
    matrix expected = {0};
    for (int i = -1; i < count; ++i) {
        const el_kernels *const table = i < 0 ? &reference : &bodies[i].table;
        trying("outer %s: rows %td n %td k %td, %s numbers",
               i < 0 ? "c" : bodies[i].name, rows, n, k, numbers_name[kind]);
        const matrix c =
            fence_place(&fences[i < 0 ? EXPECTED : GOT], n, k, ldc, slack);
        matrix_copy(&c, &from);
        const el_outer o = {.n = n,
                            .k = k,
                            .a = row_a,
                            .b = row_b,
                            .c = whole ? sums : c.at,
                            .ldc = whole ? k : ldc,
                            .ldt = ldc};
        outer_chain(table, o, rows, whole ? c.at : NULL);
        if (i < 0)
            expected = c;
        else
            matrix_check(&c, &expected);
    }
    free(sums);
}

static void test_outer(void **state)
{
    (void)state;
    draw d = {.stream = 63};
    for (ptrdiff_t rows = 0; rows <= 70; ++rows)
        for (int i = 0; i < 6; ++i)
            check_outer(&d, rows, 1 + draw_below(&d, 45),
                        1 + draw_below(&d, 100), any_numbers(&d));
    for (int kind = NUMBERS_PLAIN; kind <= NUMBERS_TINY; ++kind) {
        check_outer(&d, 300, 29, 65, (numbers)kind);
        check_outer(&d, 130, 250, 35, (numbers)kind);
    }
    check_outer(&d, 5, 0, 7, NUMBERS_PLAIN);
    check_outer(&d, 5, 7, 0, NUMBERS_PLAIN);
}

/* Both ways of packing give the same. */
static void test_packing(void **state)
{
    (void)state;
    draw d = {.stream = 64};
    enum { MOST = 80 };
    static float w[MOST * MOST], turned[MOST * MOST];
    for (int round = 0; round < 100; ++round) {
        const ptrdiff_t n = draw_below(&d, MOST), k = draw_below(&d, MOST);
        draw_numbers(&d, NUMBERS_BITS, w, n * k);
        for (ptrdiff_t i = 0; i < n * k; ++i)
            turned[i % k * n + i / k] = w[i];
        for (int i = -1; i < count; ++i) {
            const el_kernels *const table =
                i < 0 ? &reference : &bodies[i].table;
            trying("packing %s: n %td k %td", i < 0 ? "c" : bodies[i].name, n,
                   k);
            const ptrdiff_t floats =
                el_packed_bytes(table, n, k) / (ptrdiff_t)sizeof(float);
            const matrix one = fence_place(&fences[GOT], 1, floats, floats, 0);
            const matrix two =
                fence_place(&fences[AGAIN], 1, floats, floats, 0);
            table->pack_rows(one.at, w, k, n, k);
            table->pack_columns(two.at, turned, n, n, k);
            assert_memory_equal(one.at, two.at, (size_t)floats * sizeof(float));
            matrix_check(&one, &two);
        }
    }
}

/* ---- The reference --------------------------------------------------------*/

/* The bfloat16 that is nearest, found by trying those around it. */
static float nearest(float x)
{
    const uint32_t below = float_bits(x) & 0xffff0000;
    if (isnan(x))
        return x;
    if (fabsf(x) < 0x1p-126f)
        return copysignf(0, x);
    const float low = float_from_bits(below);
    if (isinf(x) || low == x)
        return x;
    /* Where the next one is infinite, that is 2^128 for this. */
    const uint32_t above = below + 0x10000;
    const double high = isinf(float_from_bits(above))
                            ? copysign(0x1p128, (double)x)
                            : (double)float_from_bits(above);
    const double down = fabs((double)x - (double)low);
    const double up = fabs(high - (double)x);
    const bool even = (below >> 16) % 2 == 0;
    return down < up || (down == up && even) ? low : float_from_bits(above);
}

static void test_rounding(void **state)
{
    (void)state;
    draw d = {.stream = 65};
    for (int i = 0; i < 200000; ++i) {
        float x = draw_number(&d, i % 3 ? NUMBERS_BITS : NUMBERS_SPECIAL);
        if (i % 4 == 0)
            x = float_from_bits((float_bits(x) & 0xffff0000) |
                                (0x7fff + (uint32_t)draw_below(&d, 3)));
        uint32_t panel[EL_BF16_WORDS * EL_PANEL];
        reference.pack_rows(panel, &x, 1, 1, 1);
        trying("rounding %a", (double)x);
        if (!same_float(float_from_bits(panel[0] << 16), nearest(x)))
            fail_trying("gives %a", (double)float_from_bits(panel[0] << 16));
    }
}

/* The definition in a wider type, in which nothing here is rounded before the
 * end of a step. */
static float textbook(const float *a, const float *w, ptrdiff_t k, float sum)
{
    for (ptrdiff_t top = 0; top < k; top += 32) {
        float chain[2] = {0, 0};
        for (ptrdiff_t i = top; i < k && i < top + 32; ++i)
            chain[i % 2] = (float)((long double)chain[i % 2] +
                                   (long double)nearest(a[i]) *
                                       (long double)nearest(w[i]));
        sum += chain[0] + chain[1];
    }
    return sum;
}

static void test_reference(void **state)
{
    (void)state;
    draw d = {.stream = 66};
    enum { M = 3, N = 35, K = 140 };
    static float a[M * K], w[N * K], from[N], c[M * N], p[64 * K];
    for (int round = 0; round < 60; ++round) {
        const ptrdiff_t k = 1 + draw_below(&d, K - 40);
        draw_numbers(&d, NUMBERS_PLAIN, a, M * k);
        draw_numbers(&d, NUMBERS_PLAIN, w, N * k);
        draw_numbers(&d, NUMBERS_PLAIN, from, N);
        reference.pack_rows(p, w, k, N, k);
        reference.gemm(&(el_gemm){.m = M,
                                  .n = N,
                                  .k = k,
                                  .a = a,
                                  .lda = k,
                                  .w = p,
                                  .init = from,
                                  .c = c,
                                  .ldc = N});
        for (int i = 0; i < M * N; ++i) {
            trying("definition: k %td, element %d", k, i);
            const float is =
                textbook(a + i / N * k, w + i % N * k, k, from[i % N]);
            if (!same_float(c[i], is))
                fail_trying("gives %a, not %a", (double)c[i], (double)is);
        }
    }
}

/* What is tiny is tiny after rounding, as if exponents had no end: 2^-126 less
 * half of the last place below it stays, and less anything more is 0. */
static void test_tiny(void **state)
{
    (void)state;
    static const struct {
        float by, is; /* times 2^-75 */
    } cases[] = {{0x1p-74f, 0},
                 {0x1p-75f, 0},
                 {0x1.02p-76f, 0},
                 {0x1p-76f, 0x1p-126f},
                 {0x1p-77f, 0x1p-126f},
                 {-0x1p-75f, 0x1p-126f},
                 {-0x1p-74f, 0x1.000002p-126f}};
    for (size_t t = 0; t < sizeof cases / sizeof *cases; ++t)
        for (int i = -1; i < count; ++i)
            for (int sign = -1; sign <= 1; sign += 2) {
                const el_kernels *const table =
                    i < 0 ? &reference : &bodies[i].table;
                const float size = (float)sign;
                const float a[3] = {size * 0x1p-63f, 0, size * 0x1p-75f};
                const float w[3] = {0x1p-63f, 0, -cases[t].by};
                uint32_t panel[EL_BF16_WORDS * EL_PANEL];
                float c;
                table->pack_rows(panel, w, 3, 1, 3);
                table->gemm(&(el_gemm){.m = 1,
                                       .n = 1,
                                       .k = 3,
                                       .a = a,
                                       .lda = 3,
                                       .w = panel,
                                       .c = &c,
                                       .ldc = 1});
                trying("%s: 2^-126 less %a", i < 0 ? "c" : bodies[i].name,
                       (double)cases[t].by * 0x1p-75);
                if (c != size * cases[t].is)
                    fail_trying("is %a", (double)c);
            }
}

/* A body that computes something else is not taken. */
static void other_gemm(const el_gemm *g)
{
    reference.gemm(g);
    ((float *)g->c)[g->ldc + 3] *= 1.0000002f;
}

static void test_agrees(void **state)
{
    (void)state;
    el_kernels other = reference;
    assert_true(el_bf16_agrees(&reference));
    for (int i = 0; i < count; ++i)
        assert_true(el_bf16_agrees(&bodies[i].table));
    other.gemm = other_gemm;
    assert_false(el_bf16_agrees(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),   cmocka_unit_test(test_reference),
        cmocka_unit_test(test_tiny),       cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_packing),    cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gemm_large), cmocka_unit_test(test_outer),
    };
    return cmocka_run_group_tests(tests, begin_tests, end_tests);
}
