/* SPDX-License-Identifier: MIT */
/* test_kernels.c - every kernel at every level that this machine has gives the
 * reference's bits, and touches nothing that is not its own.
 *
 * Levels are compared with the reference only, never with each other; what the
 * reference is worth is for test_reference.c to say. */
#include "base/cpu.h"
#include "kernels/kernels.h"
#include "support/draw.h"
#include "support/fence.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FENCES = 8, ROOM = 1 << 19 };

static fence fences[FENCES];
static el_kernels reference;
static int best; /* level */

/* How often each level was compared in the test that runs. */
static int64_t compared;

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < FENCES; ++i)
        fence_create(&fences[i], ROOM);
    el_kernels_c_f32(&reference);
    best = el_cpu_level();
    print_message("seed %" PRIu64 ", levels", test_seed());
    for (int level = 0; level <= best; ++level)
        print_message(" %s", el_level_names[level]);
    for (int level = best + 1; level < EL_LEVEL_COUNT; ++level)
        print_message(" (no %s here)", el_level_names[level]);
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

static int begin_count(void **state)
{
    (void)state;
    compared = 0;
    return 0;
}

static int say_count(void **state)
{
    (void)state;
    print_message("             %" PRId64 " comparisons\n", compared);
    return 0;
}

/* Columns around every edge of a vector, a tile or a panel, at any level. */
static const ptrdiff_t edges[] = {1,  2,  3,  4,   5,   7,   8,   9,   12,  15,
                                  16, 17, 24, 25,  31,  32,  33,  40,  47,  48,
                                  49, 63, 64, 65,  72,  79,  80,  81,  95,  96,
                                  97, 112, 127, 128, 129, 144, 159, 160, 161};
enum { EDGES = sizeof edges / sizeof *edges };

static numbers any_numbers(draw *d)
{
    return (numbers)draw_below(d, NUMBERS_KINDS);
}

/* Half of all rows lie close together, and half of all matrices end where the
 * memory ends. */
static ptrdiff_t any_stride(draw *d, ptrdiff_t columns)
{
    return columns + (draw_below(d, 2) ? draw_below(d, 20) : 0);
}

static ptrdiff_t any_slack(draw *d)
{
    return draw_below(d, 2) ? draw_below(d, 20) : 0;
}

static matrix input(int index, draw *d, ptrdiff_t rows, ptrdiff_t columns,
                    numbers kind)
{
    const matrix m = fence_place(&fences[index], rows, columns,
                                 any_stride(d, columns), any_slack(d));
    matrix_draw(&m, d, kind);
    fence_lock(&fences[index]);
    return m;
}

/* ---- Products ------------------------------------------------------------*/

static const char *const epilogues[] = {"plain", "tanh", "relu", "dtanh",
                                        "drelu"};
static const char *const inits[] = {"no", "one-row", "full", "in-place"};
enum { NO_INIT, ONE_ROW, FULL, IN_PLACE, INITS };

static void check_gemm(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                       numbers kind)
{
    const el_epilogue epilogue = (el_epilogue)draw_below(d, EL_DRELU + 1);
    const int init = (int)draw_below(d, INITS);
    const matrix a = input(0, d, m, k, kind);
    const ptrdiff_t packed = el_packed_count(n, k);
    const matrix w = input(1, d, 1, packed, kind);
    const matrix from = input(2, d, init == ONE_ROW ? 1 : m, n, kind);
    const matrix aux = input(3, d, m, n, kind);
    const ptrdiff_t ldc = any_stride(d, n);
    const matrix expected = fence_place(&fences[4], m, n, ldc, any_slack(d));

    el_gemm g = {.m = m, .n = n, .k = k, .a = a.at, .lda = a.stride};
    g.w = w.at;
    if (init == ONE_ROW || init == FULL) {
        g.init = from.at;
        g.ldi = init == FULL ? from.stride : 0;
    }
    g.ldc = ldc;
    g.epilogue = epilogue;
    if (epilogue == EL_DTANH || epilogue == EL_DRELU) {
        g.aux = aux.at;
        g.ldaux = aux.stride;
    }
    for (int level = -1; level <= best; ++level) {
        trying("gemm %s: m %td n %td k %td, %s init, %s, %s numbers",
               level < 0 ? "reference" : el_level_names[level], m, n, k,
               inits[init], epilogues[epilogue], numbers_name[kind]);
        matrix c = expected;
        if (level >= 0)
            c = fence_place(&fences[5], m, n, ldc, any_slack(d));
        if (init == IN_PLACE) {
            matrix_copy(&c, &from);
            g.init = c.at;
            g.ldi = ldc;
        }
        g.c = c.at;
        (level < 0 ? &reference : el_kernels_f32(level))->gemm(&g);
        matrix_check(&c, &expected);
        compared += level >= 0;
    }
}

static void test_gemm(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    for (ptrdiff_t m = 1; m <= 30; ++m)
        for (int e = 0; e < EDGES; ++e)
            check_gemm(&d, m, edges[e], draw_below(&d, 24), any_numbers(&d));
    for (ptrdiff_t k = 0; k <= 70; ++k)
        for (int i = 0; i < 6; ++i)
            check_gemm(&d, 1 + draw_below(&d, 45), 1 + draw_below(&d, 170), k,
                       any_numbers(&d));
    for (ptrdiff_t m = 31; m <= 90; ++m)
        check_gemm(&d, m, edges[draw_below(&d, EDGES)], draw_below(&d, 12),
                   any_numbers(&d));
}

/* So many rows and steps that a product is cut into chunks of rows. */
static void test_gemm_large(void **state)
{
    (void)state;
    draw d = {.stream = 2};
    const ptrdiff_t sizes[][3] = {{57, 33, 2000}, {113, 17, 1300}, {25, 65, 3000},
                                  {49, 31, 2900}, {110, 33, 600},  {330, 48, 200},
                                  {1, 300, 1000}, {2, 129, 1000},  {64, 512, 5},
                                  {1200, 9, 60},  {13, 1000, 20},  {1, 8, 9000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int kind = NUMBERS_PLAIN; kind <= NUMBERS_TINY; ++kind)
            check_gemm(&d, sizes[i][0], sizes[i][1], sizes[i][2],
                       (numbers)kind);
}

/* A product of no rows, or of no columns, is nothing. */
static void test_gemm_empty(void **state)
{
    (void)state;
    draw d = {.stream = 3};
    for (int i = 0; i < 20; ++i) {
        check_gemm(&d, 0, draw_below(&d, 40), draw_below(&d, 3), NUMBERS_PLAIN);
        check_gemm(&d, draw_below(&d, 40), 0, draw_below(&d, 3), NUMBERS_PLAIN);
    }
}

static void check_outer(draw *d, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t k,
                        numbers kind)
{
    const matrix a = input(0, d, rows, n, kind);
    /* Rows of b may be read up to the next multiple of EL_PANEL columns; what
     * stands there is garbage. */
    const ptrdiff_t more = (EL_PANEL - k % EL_PANEL) % EL_PANEL;
    const matrix b = fence_place(&fences[1], rows, k, any_stride(d, k),
                                 more + any_slack(d));
    matrix_draw(&b, d, kind);
    fence_lock(&fences[1]);
    const matrix from = input(2, d, n, k, kind);
    const ptrdiff_t ldc = any_stride(d, k);
    const matrix expected = fence_place(&fences[4], n, k, ldc, any_slack(d));
    for (int level = -1; level <= best; ++level) {
        trying("outer %s: rows %td n %td k %td, %s numbers",
               level < 0 ? "reference" : el_level_names[level], rows, n, k,
               numbers_name[kind]);
        matrix c = expected;
        if (level >= 0)
            c = fence_place(&fences[5], n, k, ldc, any_slack(d));
        matrix_copy(&c, &from);
        const el_outer o = {.rows = rows, .n = n, .k = k,
                            .a = a.at, .lda = a.stride,
                            .b = b.at, .ldb = b.stride,
                            .c = c.at, .ldc = ldc};
        (level < 0 ? &reference : el_kernels_f32(level))->outer(&o);
        matrix_check(&c, &expected);
        compared += level >= 0;
    }
}

static void test_outer(void **state)
{
    (void)state;
    draw d = {.stream = 4};
    for (ptrdiff_t n = 1; n <= 30; ++n)
        for (int e = 0; e < EDGES; ++e)
            check_outer(&d, draw_below(&d, 20), n, edges[e], any_numbers(&d));
    for (ptrdiff_t rows = 0; rows <= 70; ++rows)
        for (int i = 0; i < 6; ++i)
            check_outer(&d, rows, 1 + draw_below(&d, 45),
                        1 + draw_below(&d, 170), any_numbers(&d));
    for (int kind = NUMBERS_PLAIN; kind <= NUMBERS_TINY; ++kind) {
        check_outer(&d, 2048, 29, 65, (numbers)kind);
        check_outer(&d, 100, 300, 45, (numbers)kind);
        check_outer(&d, 100, 13, 600, (numbers)kind);
    }
    check_outer(&d, 5, 0, 7, NUMBERS_PLAIN);
    check_outer(&d, 5, 7, 0, NUMBERS_PLAIN);
}

/* ---- Element by element --------------------------------------------------*/

/* Arguments at which a function changes its ways. */
static float any_argument(draw *d, numbers kind)
{
    static const float turns[] = {0,     0.34657359f, 10,   17,  87.336548f,
                                  88.5f, 88.722839f,  89,   103.97208f,
                                  105,   0.69314718f, 1e-8f};
    if (draw_below(d, 3) != 0)
        return draw_number(d, kind);
    const float x = turns[draw_below(d, sizeof turns / sizeof *turns)];
    const uint32_t bits = float_bits(x) + (uint32_t)draw_below(d, 9) - 4;
    const float y = float_from_bits(bits);
    return draw_below(d, 2) ? y : -y;
}

typedef void unary(void *y, const void *x, ptrdiff_t n);

static unary *choose(const el_kernels *table, int function)
{
    unary *const all[] = {table->exp, table->tanh, table->sigmoid};
    return all[function];
}

static void check_function(draw *d, int function, ptrdiff_t n, numbers kind)
{
    static const char *const names[] = {"exp", "tanh", "sigmoid"};
    const matrix x = fence_place(&fences[0], 1, n, n, any_slack(d));
    for (ptrdiff_t j = 0; j < n; ++j)
        x.at[j] = any_argument(d, kind);
    fence_lock(&fences[0]);
    const bool in_place = draw_below(d, 2);
    const matrix expected = fence_place(&fences[4], 1, n, n, any_slack(d));
    choose(&reference, function)(expected.at, x.at, n);
    for (int level = 0; level <= best; ++level) {
        trying("%s %s: n %td%s, %s numbers", names[function],
               el_level_names[level], n, in_place ? " in place" : "",
               numbers_name[kind]);
        const matrix y = fence_place(&fences[5], 1, n, n, any_slack(d));
        if (in_place)
            matrix_copy(&y, &x);
        choose(el_kernels_f32(level), function)(
            y.at, in_place ? y.at : x.at, n);
        matrix_check(&y, &expected);
        ++compared;
    }
}

static void test_functions(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    for (int function = 0; function < 3; ++function)
        for (ptrdiff_t n = 0; n <= 100; ++n)
            for (int kind = 0; kind < NUMBERS_KINDS; ++kind) {
                check_function(&d, function, n, (numbers)kind);
                check_function(&d, function, n, (numbers)kind);
            }
    for (int function = 0; function < 3; ++function)
        check_function(&d, function, 20000, NUMBERS_BITS);
}

static void check_add_rows(draw *d, ptrdiff_t rows, ptrdiff_t n, int way,
                           numbers kind)
{
    static const char *const names[] = {"add", "add_rows", "add_rows by index"};
    enum { MOST = 16 };
    const ptrdiff_t held = way == 2 ? MOST : rows;
    const matrix x = input(0, d, held, n, kind);
    int32_t *const index = (int32_t *)(void *)fence_place(
                               &fences[1], 1, rows, rows, 0).at;
    for (ptrdiff_t r = 0; r < rows; ++r)
        index[r] = (int32_t)draw_below(d, held);
    fence_lock(&fences[1]);
    const matrix from = input(2, d, 1, n, kind);
    const matrix expected = fence_place(&fences[4], 1, n, n, any_slack(d));
    for (int level = -1; level <= best; ++level) {
        const el_kernels *const table =
            level < 0 ? &reference : el_kernels_f32(level);
        trying("%s %s: rows %td n %td, %s numbers", names[way],
               level < 0 ? "reference" : el_level_names[level], rows, n,
               numbers_name[kind]);
        matrix y = expected;
        if (level >= 0)
            y = fence_place(&fences[5], 1, n, n, any_slack(d));
        matrix_copy(&y, &from);
        if (way == 0)
            table->add(y.at, x.at, n);
        else
            table->add_rows(y.at, x.at, x.stride, way == 2 ? index : NULL,
                            rows, n);
        matrix_check(&y, &expected);
        compared += level >= 0;
    }
}

static void test_add(void **state)
{
    (void)state;
    draw d = {.stream = 6};
    for (ptrdiff_t n = 0; n <= 100; ++n)
        for (int kind = 0; kind < NUMBERS_KINDS; ++kind) {
            check_add_rows(&d, 1, n, 0, (numbers)kind);
            check_add_rows(&d, draw_below(&d, 12), n, 1, (numbers)kind);
            check_add_rows(&d, draw_below(&d, 40), n, 2, (numbers)kind);
        }
    check_add_rows(&d, 700, 700, 1, NUMBERS_PLAIN);
    check_add_rows(&d, 3000, 129, 2, NUMBERS_PLAIN);
}

static void test_sum_squares(void **state)
{
    (void)state;
    draw d = {.stream = 7};
    for (ptrdiff_t i = 0; i <= 210; ++i) {
        const ptrdiff_t n = i <= 200 ? i : 1000 + draw_below(&d, 20000);
        for (int kind = 0; kind < NUMBERS_KINDS; ++kind) {
            const matrix x = input(0, &d, 1, n, (numbers)kind);
            const double expected = reference.sum_squares(x.at, n);
            for (int level = 0; level <= best; ++level) {
                trying("sum_squares %s: n %td, %s numbers",
                       el_level_names[level], n, numbers_name[kind]);
                const double got = el_kernels_f32(level)->sum_squares(x.at, n);
                if (!same_double(got, expected))
                    fail_trying("%a, not %a", got, expected);
                ++compared;
            }
        }
    }
}

/* ---- Softmax with cross-entropy ------------------------------------------*/

enum { SPREAD = NUMBERS_KINDS, DISTANT, EQUAL, NO_HOPE, LOGITS };

static const char *logits_name(int kind)
{
    static const char *const names[] = {"spread", "distant", "equal", "-inf"};
    return kind < NUMBERS_KINDS ? numbers_name[kind]
                                : names[kind - NUMBERS_KINDS];
}

static void draw_logits(draw *d, int kind, float *x, ptrdiff_t n)
{
    const float value = (float)draw_between(d, -10, 10);
    for (ptrdiff_t j = 0; j < n; ++j)
        switch (kind) {
        case SPREAD: /* as in a trained model */
            x[j] = (float)draw_between(d, -20, 20);
            break;
        case DISTANT: /* most probabilities are denormal or 0 */
            x[j] = (float)draw_between(d, -200, 0);
            break;
        case EQUAL:
            x[j] = value;
            break;
        case NO_HOPE:
            x[j] = draw_below(d, 4) ? -INFINITY : draw_number(d, NUMBERS_WIDE);
            break;
        default:
            x[j] = draw_number(d, (numbers)kind);
        }
}

static void check_xent(draw *d, ptrdiff_t classes, int kind)
{
    const matrix x = fence_place(&fences[0], 1, classes, classes, any_slack(d));
    draw_logits(d, kind, x.at, classes);
    fence_lock(&fences[0]);
    const matrix weight =
        fence_place(&fences[1], 1, classes, classes, any_slack(d));
    for (ptrdiff_t j = 0; j < classes; ++j)
        weight.at[j] = draw_below(d, 5) ? (float)draw_between(d, 0, 2) : 0;
    fence_lock(&fences[1]);
    const double scales[] = {1, 1.0 / 1120, 0, 0x1p-130, -3};
    const el_xent e = {
        .classes = classes,
        .weight = draw_below(d, 4) ? NULL : weight.at,
        .smoothing = draw_below(d, 4) ? 0 : draw_between(d, 0, 1),
        .scale = scales[draw_below(d, 5)],
    };
    int64_t target = draw_below(d, classes);
    switch (draw_below(d, 12)) {
    case 0:
        target = -1;
        break;
    case 1:
        target = ELMAN_IGNORE;
        break;
    case 2:
        target = 0;
        break;
    case 3:
        target = classes - 1;
        break;
    }
    const int way = (int)draw_below(d, 3);
    static const char *const ways[] = {"no dx", "dx", "dx is x"};
    const matrix expected =
        fence_place(&fences[4], 1, classes, classes, any_slack(d));
    double loss = 0;
    for (int level = -1; level <= best; ++level) {
        trying("xent %s: V %td, target %" PRId64 ", %s%s, smoothing %g, "
               "scale %g, %s, %s logits",
               level < 0 ? "reference" : el_level_names[level], classes, target,
               e.weight ? "weights, " : "", ways[way], e.smoothing, e.scale,
               ways[way], logits_name(kind));
        matrix dx = expected;
        if (level >= 0)
            dx = fence_place(&fences[5], 1, classes, classes, any_slack(d));
        const float *from = x.at;
        if (way == 2) {
            matrix_copy(&dx, &x);
            from = dx.at;
        }
        const double got =
            (level < 0 ? &reference : el_kernels_f32(level))
                ->xent(&e, from, target, way == 0 ? NULL : dx.at);
        if (level < 0)
            loss = got;
        if (!same_double(got, loss))
            fail_trying("the loss is %a, not %a", got, loss);
        matrix_check(&dx, &expected);
        compared += level >= 0;
    }
}

static void test_xent(void **state)
{
    (void)state;
    draw d = {.stream = 8};
    for (ptrdiff_t classes = 1; classes <= 200; ++classes)
        for (int i = 0; i < 3; ++i)
            for (int kind = 0; kind < LOGITS; ++kind)
                check_xent(&d, classes, kind);
    for (int i = 0; i < 2; ++i)
        for (int kind = 0; kind < LOGITS; ++kind)
            check_xent(&d, 10007, kind);
}

/* ---- Updates -------------------------------------------------------------*/

static void check_update(draw *d, elman_optimizer_kind optimizer, ptrdiff_t n,
                         numbers kind)
{
    static const char *const names[] = {"sgd", "momentum", "adam", "adamw",
                                        "rmsprop"};
    const bool adam = optimizer == ELMAN_ADAM || optimizer == ELMAN_ADAMW;
    const double steps = 1 + (double)draw_below(d, 1000);
    const el_update u = {
        .kind = optimizer,
        .lr = draw_between(d, 1e-4, 1),
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .alpha = 0.99,
        .eps = draw_below(d, 2) ? 1e-8 : 0,
        .weight_decay = draw_below(d, 2) ? 0 : draw_between(d, 0, 0.1),
        .grad_scale = draw_below(d, 2) ? 1 : draw_between(d, 0, 1),
        .correction1 = 1 - pow(0.9, steps),
        .correction2 = 1 - pow(0.999, steps),
    };
    const matrix g = input(0, d, 1, n, kind);
    const matrix start[3] = {input(1, d, 1, n, kind), input(2, d, 1, n, kind),
                             input(3, d, 1, n, kind)};
    /* Moments that a run could have; with bits of any kind any may come. */
    if (kind != NUMBERS_BITS && kind != NUMBERS_SPECIAL) {
        const matrix second = start[optimizer == ELMAN_RMSPROP ? 1 : 2];
        fence *const own = &fences[optimizer == ELMAN_RMSPROP ? 2 : 3];
        const matrix again =
            fence_place(own, 1, n, n, second.high - second.at - n);
        matrix_draw(&again, d, kind);
        for (ptrdiff_t j = 0; j < n; ++j)
            again.at[j] = fabsf(again.at[j]);
        fence_lock(own);
    }
    matrix expected[3] = {{0}};
    for (int level = -1; level <= best; ++level) {
        trying("update %s: %s, n %td, eps %g, decay %g, grad_scale %g, "
               "%s numbers",
               level < 0 ? "reference" : el_level_names[level],
               names[optimizer], n, u.eps, u.weight_decay, u.grad_scale,
               numbers_name[kind]);
        matrix out[3];
        for (int i = 0; i < 3; ++i) {
            /* Weights and two moments; a fence may hold one matrix only. */
            static fence more[6];
            static bool made;
            for (int f = 0; !made && f < 6; ++f)
                fence_create(&more[f], ROOM / 16);
            made = true;
            out[i] = fence_place(&more[level < 0 ? i : i + 3], 1, n, n,
                                 any_slack(d));
            matrix_copy(&out[i], &start[i]);
        }
        if (level < 0)
            memcpy(expected, out, sizeof out);
        (level < 0 ? &reference : el_kernels_f32(level))
            ->update(&u, out[0].at, g.at,
                     optimizer == ELMAN_SGD ? NULL : out[1].at,
                     adam ? out[2].at : NULL, n);
        for (int i = 0; i < 3; ++i)
            matrix_check(&out[i], &expected[i]);
        compared += level >= 0;
    }
}
