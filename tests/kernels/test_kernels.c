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

enum {
    INPUT = 0,    /* fences of so many inputs, */
    EXPECTED = 6, /* of what the reference writes, */
    OUTPUTS = 5,
    GOT = EXPECTED + OUTPUTS, /* and of what a level writes */
    FENCES = GOT + OUTPUTS,
    FLOATS = 1 << 19
};
static fence fences[FENCES];
static el_kernels reference;
static int best; /* level */
static matrix expected[OUTPUTS];

/* Comparisons of a level with the reference in the test that runs. */
static int64_t compared;

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < FENCES; ++i)
        fence_create(&fences[i], FLOATS);
    el_kernels_c_f32(&reference);
    best = el_cpu_level();
    print_message("seed %" PRIu64 ", levels", test_seed());
    for (int level = 0; level <= best; ++level)
        print_message(" %s", el_level_names[level]);
    for (int level = best + 1; level < EL_LEVEL_COUNT; ++level)
        print_message(" (%s: not on this machine)", el_level_names[level]);
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

/* Level c is the reference, as test_tables sees to. */
static const el_kernels *kernels_of(int level)
{
    return level == EL_LEVEL_C ? &reference : el_kernels_f32(level);
}

static const char *name_of(int level)
{
    return el_level_names[level];
}

/* Columns around every edge of a vector, a tile or a panel, at any level. */
static const ptrdiff_t edges[] = {1,  2,   3,   4,   5,   7,   8,   9,   12, 15,
                                  16, 17,  24,  25,  31,  32,  33,  40,  47, 48,
                                  49, 63,  64,  65,  72,  79,  80,  81,  95, 96,
                                  97, 112, 127, 128, 129, 144, 159, 160, 161};
enum { EDGES = sizeof edges / sizeof *edges };

static numbers any_numbers(draw *d)
{
    return (numbers)draw_below(d, NUMBERS_KINDS);
}

/* Half of all matrices are dense, and half end where the memory ends. */
static ptrdiff_t any_stride(draw *d, ptrdiff_t columns)
{
    return columns + (draw_below(d, 2) ? draw_below(d, 20) : 0);
}

static ptrdiff_t any_slack(draw *d)
{
    return draw_below(d, 2) ? draw_below(d, 20) : 0;
}

static ptrdiff_t packed_count(ptrdiff_t n, ptrdiff_t k)
{
    return el_packed_bytes(&reference, n, k) / (ptrdiff_t)sizeof(float);
}

static matrix input(int index, draw *d, ptrdiff_t rows, ptrdiff_t columns,
                    numbers kind)
{
    fence *const f = &fences[INPUT + index];
    const matrix m =
        fence_place(f, rows, columns, any_stride(d, columns), any_slack(d));
    matrix_draw(&m, d, kind);
    fence_lock(f);
    return m;
}

static matrix output(int level, int index, draw *d, ptrdiff_t rows,
                     ptrdiff_t columns, ptrdiff_t stride)
{
    fence *const f = &fences[(level == EL_LEVEL_C ? EXPECTED : GOT) + index];
    const matrix m = fence_place(f, rows, columns, stride, any_slack(d));
    if (level == EL_LEVEL_C)
        expected[index] = m;
    return m;
}

static void check_output(int level, int index, const matrix *m)
{
    matrix_check(m, &expected[index]);
    compared += level != EL_LEVEL_C;
}

/* ---- Products ------------------------------------------------------------*/

enum { NO_INIT, ONE_ROW, FULL, IN_PLACE, INITS };

static void check_gemm(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                       numbers kind)
{
    static const char *const inits[INITS] = {"no", "one-row", "full",
                                             "in-place"};
    static const char *const epilogues[] = {"plain", "tanh", "relu", "dtanh",
                                            "drelu"};
    const el_epilogue epilogue = (el_epilogue)draw_below(d, EL_DRELU + 1);
    const int init = (int)draw_below(d, INITS);
    const matrix a = input(0, d, m, k, kind);
    const matrix w = input(1, d, 1, packed_count(n, k), kind);
    const matrix from = input(2, d, init == ONE_ROW ? 1 : m, n, kind);
    const matrix aux = input(3, d, m, n, kind);

    el_gemm g = {.m = m, .n = n, .k = k, .a = a.at, .lda = a.stride};
    g.w = w.at;
    g.ldc = any_stride(d, n);
    g.backwards = draw_below(d, 2);
    g.epilogue = epilogue;
    if (epilogue == EL_DTANH || epilogue == EL_DRELU) {
        g.aux = aux.at;
        g.ldaux = aux.stride;
    }
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("gemm %s: m %td n %td k %td, %s init, %s, %s numbers",
               name_of(level), m, n, k, inits[init], epilogues[epilogue],
               numbers_name[kind]);
        const matrix c = output(level, 0, d, m, n, g.ldc);
        if (init == IN_PLACE) {
            matrix_copy(&c, &from);
            g.init = c.at;
            g.ldi = c.stride;
        } else if (init != NO_INIT) {
            g.init = from.at;
            g.ldi = init == ONE_ROW ? 0 : from.stride;
        }
        g.c = c.at;
        kernels_of(level)->gemm(&g);
        check_output(level, 0, &c);
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
    static const ptrdiff_t sizes[][3] = {
        {57, 33, 2000}, {113, 17, 1300}, {25, 65, 3000}, {49, 31, 2900},
        {110, 33, 600}, {330, 48, 200},  {1, 300, 1000}, {2, 129, 1000},
        {64, 512, 5},   {1200, 9, 60},   {13, 1000, 20}, {1, 8, 9000}};
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

/* Rows of a matrix, where they begin. */
static const void *const *rows_of(const matrix *m, const void **row)
{
    for (ptrdiff_t i = 0; i < m->rows; ++i)
        row[i] = m->at + i * m->stride;
    return row;
}

/* A chain of two calls, `cut` rows in the first one: from zero and into a total
 * where there are rows, or from what c holds; the next call's rows are named or
 * not. */
static void check_outer(draw *d, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t k,
                        numbers kind)
{
    const void *row_a[2 * EL_OUTER_ROWS], *row_b[2 * EL_OUTER_ROWS];
    const matrix a = input(0, d, rows, n, kind);
    const matrix b = input(1, d, rows, k, kind);
    const matrix from = input(2, d, n, k, kind);
    const matrix sum = input(3, d, n, k, kind);
    const ptrdiff_t ldc = any_stride(d, k), ldt = any_stride(d, k);
    const bool whole = rows > 1 && draw_below(d, 2) > 0;
    const ptrdiff_t cut = rows / 2;
    rows_of(&a, row_a);
    rows_of(&b, row_b);
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("outer %s: rows %td n %td k %td, %s numbers%s", name_of(level),
               rows, n, k, numbers_name[kind], whole ? ", whole" : "");
        const matrix c = output(level, 0, d, n, k, ldc);
        const matrix total = output(level, 1, d, n, k, ldt);
        matrix_copy(&c, &from);
        matrix_copy(&total, &sum);
        el_outer o = {.rows = cut,
                      .n = n,
                      .k = k,
                      .a = row_a,
                      .b = row_b,
                      .fresh = whole,
                      .c = c.at,
                      .ldc = ldc,
                      .ldt = ldt};
        if (2 * cut == rows) {
            o.soon_a = row_a + cut;
            o.soon_b = row_b + cut;
        }
        kernels_of(level)->outer(&o);
        o.rows = rows - cut;
        o.a = row_a + cut;
        o.b = row_b + cut;
        o.fresh = false;
        o.total = whole ? total.at : NULL;
        o.soon_a = o.soon_b = NULL;
        kernels_of(level)->outer(&o);
        if (whole)
            check_output(level, 1, &total);
        else
            check_output(level, 0, &c);
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
        check_outer(&d, 2 * EL_OUTER_ROWS, 29, 65, (numbers)kind);
        check_outer(&d, 100, 300, 45, (numbers)kind);
        check_outer(&d, 100, 13, 600, (numbers)kind);
    }
    check_outer(&d, 5, 0, 7, NUMBERS_PLAIN);
    check_outer(&d, 5, 7, 0, NUMBERS_PLAIN);
}

/* ---- Element by element --------------------------------------------------*/

/* Now and then an argument at which a function changes its ways. */
static float any_argument(draw *d, numbers kind)
{
    static const float turns[] = {0,          0.34657359f, 10,         17,
                                  87.336548f, 88.5f,       88.722839f, 89,
                                  103.97208f, 105,         0.6931472f, 1e-8f};
    if (draw_below(d, 3) != 0)
        return draw_number(d, kind);
    const float turn = turns[draw_below(d, sizeof turns / sizeof *turns)];
    const uint32_t near = float_bits(turn) + (uint32_t)draw_below(d, 9);
    const float x = float_from_bits(near - (turn > 0 ? 4 : 0));
    return draw_below(d, 2) ? x : -x;
}

enum { EXP, TANH, SIGMOID, FUNCTIONS };

static void apply(const el_kernels *table, int function, float *y,
                  const float *x, ptrdiff_t n)
{
    switch (function) {
    case EXP:
        table->exp(y, x, n);
        break;
    case TANH:
        table->tanh(y, x, n);
        break;
    case SIGMOID:
        table->sigmoid(y, x, n);
        break;
    }
}

static void check_function(draw *d, int function, ptrdiff_t n, numbers kind)
{
    static const char *const names[FUNCTIONS] = {"exp", "tanh", "sigmoid"};
    fence *const f = &fences[INPUT];
    const matrix x = fence_place(f, 1, n, n, any_slack(d));
    for (ptrdiff_t j = 0; j < n; ++j)
        x.at[j] = any_argument(d, kind);
    fence_lock(f);
    const bool in_place = draw_below(d, 2);
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("%s %s: n %td%s, %s numbers", names[function], name_of(level), n,
               in_place ? " in place" : "", numbers_name[kind]);
        const matrix y = output(level, 0, d, 1, n, n);
        if (in_place)
            matrix_copy(&y, &x);
        apply(kernels_of(level), function, y.at, in_place ? y.at : x.at, n);
        check_output(level, 0, &y);
    }
}

static void test_functions(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    for (int function = 0; function < FUNCTIONS; ++function) {
        for (ptrdiff_t n = 0; n <= 100; ++n)
            for (int kind = 0; kind < 2 * NUMBERS_KINDS; ++kind)
                check_function(&d, function, n, (numbers)(kind / 2));
        check_function(&d, function, 20000, NUMBERS_BITS);
    }
}

enum { ADD, MUL, ADD_ROWS, ADD_ROWS_BY_INDEX, ADDS };

static void check_add(draw *d, int way, ptrdiff_t rows, ptrdiff_t n,
                      numbers kind)
{
    static const char *const names[ADDS] = {"add", "mul", "add_rows",
                                            "add_rows by index"};
    const ptrdiff_t held = way == ADD_ROWS_BY_INDEX ? 16 : rows;
    const matrix x = input(0, d, held, n, kind);
    const matrix from = input(1, d, 1, n, kind);
    fence *const f = &fences[INPUT + 2];
    int32_t *const index = (void *)fence_place(f, 1, rows, rows, 0).at;
    for (ptrdiff_t r = 0; r < rows; ++r)
        index[r] = (int32_t)draw_below(d, held);
    fence_lock(f);
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("%s %s: rows %td n %td, %s numbers", names[way], name_of(level),
               rows, n, numbers_name[kind]);
        const matrix y = output(level, 0, d, 1, n, n);
        matrix_copy(&y, &from);
        if (way == ADD)
            kernels_of(level)->add(y.at, x.at, n);
        else if (way == MUL)
            kernels_of(level)->mul(y.at, x.at, n);
        else
            kernels_of(level)->add_rows(y.at, x.at, x.stride,
                                        way == ADD_ROWS_BY_INDEX ? index : NULL,
                                        rows, n);
        check_output(level, 0, &y);
    }
}

static void test_add(void **state)
{
    (void)state;
    draw d = {.stream = 6};
    for (ptrdiff_t n = 0; n <= 100; ++n)
        for (int i = 0; i < NUMBERS_KINDS; ++i) {
            const numbers kind = (numbers)i;
            check_add(&d, ADD, 1, n, kind);
            check_add(&d, MUL, 1, n, kind);
            check_add(&d, ADD_ROWS, draw_below(&d, 12), n, kind);
            check_add(&d, ADD_ROWS_BY_INDEX, draw_below(&d, 40), n, kind);
        }
    check_add(&d, ADD_ROWS, 700, 700, NUMBERS_PLAIN);
    check_add(&d, ADD_ROWS_BY_INDEX, 3000, 129, NUMBERS_PLAIN);
}

/* ---- Gates ---------------------------------------------------------------*/

typedef void gate_kernel(const el_gates *g);

enum { GATE_KERNELS = 8 };
static const char *const gate_names[GATE_KERNELS] = {
    "lstm",      "lstm_back", "gru",          "gru_back",
    "gru_reset", "gru_mix",   "gru_mix_back", "gru_reset_back"};

static gate_kernel *gates_of(const el_kernels *k, int which)
{
    gate_kernel *const all[GATE_KERNELS] = {
        k->lstm,      k->lstm_back, k->gru,          k->gru_back,
        k->gru_reset, k->gru_mix,   k->gru_mix_back, k->gru_reset_back};
    return all[which];
}

/* Gates of a row lie `gate` apart, those of the gradient `gate_da`; what lies
 * between them, too, must be as it was. */
static void check_gates(draw *d, int which, ptrdiff_t rows, ptrdiff_t units,
                        numbers kind)
{
    enum { GATES, C, H, CARRY, DA };
    const ptrdiff_t gate = any_stride(d, units), wide = any_stride(d, units);
    const ptrdiff_t columns[OUTPUTS] = {3 * gate + units, units, units, units,
                                        3 * wide + units};
    const matrix before = input(0, d, rows, units, kind);
    matrix from[OUTPUTS];
    for (int i = 0; i < OUTPUTS; ++i)
        from[i] = input(1 + i, d, rows, columns[i], kind);
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("%s %s: rows %td units %td, gates %td and %td apart, %s numbers",
               gate_names[which], name_of(level), rows, units, gate, wide,
               numbers_name[kind]);
        matrix m[OUTPUTS];
        for (int i = 0; i < OUTPUTS; ++i) {
            m[i] = output(level, i, d, rows, columns[i],
                          columns[i] + (i == GATES ? 3 : 0));
            matrix_copy(&m[i], &from[i]);
        }
        /* dh is read where h would be written. */
        const el_gates g = {.rows = rows,
                            .units = units,
                            .gates = m[GATES].at,
                            .ld = m[GATES].stride,
                            .gate = gate,
                            .before = before.at,
                            .ld_before = before.stride,
                            .c = m[C].at,
                            .ldc = m[C].stride,
                            .h = m[H].at,
                            .ldh = m[H].stride,
                            .dh = from[H].at,
                            .lddh = from[H].stride,
                            .carry = m[CARRY].at,
                            .ldcarry = m[CARRY].stride,
                            .da = m[DA].at,
                            .ldda = m[DA].stride,
                            .gate_da = wide};
        gates_of(kernels_of(level), which)(&g);
        for (int i = 0; i < OUTPUTS; ++i)
            check_output(level, i, &m[i]);
    }
}

static void test_gates(void **state)
{
    (void)state;
    draw d = {.stream = 11};
    for (int which = 0; which < GATE_KERNELS; ++which)
        for (ptrdiff_t units = 0; units <= 70; ++units)
            for (int kind = 0; kind < NUMBERS_KINDS; ++kind)
                check_gates(&d, which, 1 + draw_below(&d, 4), units,
                            (numbers)kind);
}

static void test_sum_squares(void **state)
{
    (void)state;
    draw d = {.stream = 7};
    for (ptrdiff_t i = 0; i <= 210; ++i)
        for (int kind = 0; kind < NUMBERS_KINDS; ++kind) {
            const ptrdiff_t n = i <= 200 ? i : 1000 + draw_below(&d, 20000);
            const matrix x = input(0, &d, 1, n, (numbers)kind);
            const double sum = reference.sum_squares(x.at, n);
            for (int level = EL_LEVEL_C + 1; level <= best; ++level) {
                trying("sum_squares %s: n %td, %s numbers", name_of(level), n,
                       numbers_name[kind]);
                const double got = kernels_of(level)->sum_squares(x.at, n);
                if (!same_double(got, sum))
                    fail_trying("%a, not %a", got, sum);
                ++compared;
            }
        }
}

/* ---- Softmax with cross-entropy ------------------------------------------*/

/* Logits may also be of any kind of numbers. */
enum { SPREAD = NUMBERS_KINDS, DISTANT, EQUAL, IMPOSSIBLE, LOGITS };

static const char *logits_name(int kind)
{
    static const char *const names[] = {"spread", "distant", "equal",
                                        "impossible"};
    return kind < SPREAD ? numbers_name[kind] : names[kind - SPREAD];
}

static void draw_logits(draw *d, int kind, float *x, ptrdiff_t n)
{
    const float value = (float)draw_between(d, -10, 10);
    for (ptrdiff_t j = 0; j < n; ++j)
        switch (kind) {
        case SPREAD: /* as in a trained model */
            x[j] = (float)draw_between(d, -20, 20);
            break;
        case DISTANT: /* most probabilities are denormal, or 0 */
            x[j] = (float)draw_between(d, -200, 0);
            break;
        case EQUAL:
            x[j] = value;
            break;
        case IMPOSSIBLE: /* most classes are */
            x[j] = draw_below(d, 4) ? -INFINITY : draw_number(d, NUMBERS_WIDE);
            break;
        default:
            x[j] = draw_number(d, (numbers)kind);
        }
}

static int64_t any_target(draw *d, int64_t classes)
{
    const int64_t target = draw_below(d, classes);
    const int64_t all[] = {-1, ELMAN_IGNORE, 0, classes - 1};
    const int64_t which = draw_below(d, 12);
    return which < 4 ? all[which] : target;
}

/* Column by column in pieces of any width, in place or not: the same as whole.
 */
static void check_xent_parts(int level, draw *d, const el_xent *e,
                             const matrix *x, int64_t target, double loss)
{
    const el_kernels *const k = kernels_of(level);
    const matrix dx = output(level, 1, d, 1, e->classes, e->classes);
    const bool in_place = draw_below(d, 2);
    float sums[2] = {-INFINITY}, lanes[EL_LANES] = {0};
    for (ptrdiff_t j = 0, n; j < e->classes; j += n) {
        n = 1 + draw_below(d, e->classes - j);
        k->xent_max(x->at + j, n, sums);
    }
    for (ptrdiff_t j = 0, n; j < e->classes; j += n) {
        n = EL_LANES * (1 + draw_below(d, 9));
        n = n < e->classes - j ? n : e->classes - j;
        k->xent_add(x->at + j, n, sums, lanes);
    }
    const double got = k->xent_loss(lanes, x->at + target, sums);
    if (!same_double(got, loss))
        fail_trying("the loss by sums is %a, not %a", got, loss);
    if (in_place)
        matrix_copy(&dx, x);
    for (ptrdiff_t j = 0, n; j < e->classes; j += n) {
        n = 1 + draw_below(d, e->classes - j);
        k->xent_columns(&(el_xent_columns){.n = n,
                                           .x = (in_place ? dx.at : x->at) + j,
                                           .sums = sums,
                                           .scale = e->scale,
                                           .target = target - j,
                                           .dx = dx.at + j});
    }
    matrix_check(&dx, &expected[0]);
    compared += level != EL_LEVEL_C;
}

static void check_xent(draw *d, ptrdiff_t classes, int kind)
{
    enum { NO_DX, DX, DX_IS_X, WAYS };
    static const char *const ways[WAYS] = {"no dx", "dx", "dx is x"};
    static const double scales[] = {1, 1.0 / 1120, 0, 0x1p-130, -3};
    const matrix x =
        fence_place(&fences[INPUT], 1, classes, classes, any_slack(d));
    draw_logits(d, kind, x.at, classes);
    fence_lock(&fences[INPUT]);
    const matrix weight =
        fence_place(&fences[INPUT + 1], 1, classes, classes, any_slack(d));
    for (ptrdiff_t j = 0; j < classes; ++j)
        weight.at[j] = draw_below(d, 5) ? (float)draw_between(d, 0, 2) : 0;
    fence_lock(&fences[INPUT + 1]);
    const el_xent e = {
        .classes = classes,
        .weight = draw_below(d, 4) ? NULL : weight.at,
        .smoothing = draw_below(d, 4) ? 0 : draw_between(d, 0, 1),
        .scale = scales[draw_below(d, 5)],
    };
    const int64_t target = any_target(d, classes);
    const int way = (int)draw_below(d, WAYS);
    double loss = 0;
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("xent %s: V %td, target %" PRId64 ", %s logits, %sweights, "
               "smoothing %g, scale %g, %s",
               name_of(level), classes, target, logits_name(kind),
               e.weight ? "" : "no ", e.smoothing, e.scale, ways[way]);
        const matrix dx = output(level, 0, d, 1, classes, classes);
        if (way == DX_IS_X)
            matrix_copy(&dx, &x);
        const double got =
            kernels_of(level)->xent(&e, way == DX_IS_X ? dx.at : x.at, target,
                                    way == NO_DX ? NULL : dx.at);
        if (level == EL_LEVEL_C)
            loss = got;
        if (!same_double(got, loss))
            fail_trying("the loss is %a, not %a", got, loss);
        check_output(level, 0, &dx);
        if (way != NO_DX && target >= 0 && !e.weight && e.smoothing == 0)
            check_xent_parts(level, d, &e, &x, target, loss);
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

static void check_update(draw *d, int optimizer, ptrdiff_t n, numbers kind)
{
    static const char *const names[] = {"sgd", "momentum", "adam", "adamw",
                                        "rmsprop"};
    const int moments[] = {0, 1, 2, 2, 1};
    const double steps = 1 + (double)draw_below(d, 1000);
    const el_update u = {
        .kind = (elman_optimizer_kind)optimizer,
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
    const matrix from[3] = {input(1, d, 1, n, kind), input(2, d, 1, n, kind),
                            input(3, d, 1, n, kind)};
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("update %s: %s, n %td, eps %g, decay %g, grad_scale %g, "
               "%s numbers",
               name_of(level), names[optimizer], n, u.eps, u.weight_decay,
               u.grad_scale, numbers_name[kind]);
        matrix out[3];
        for (int i = 0; i < 3; ++i) {
            out[i] = output(level, i, d, 1, n, n);
            matrix_copy(&out[i], &from[i]);
            /* A second moment is a mean of squares. */
            for (ptrdiff_t j = 0; i > 0 && kind < NUMBERS_SPECIAL && j < n; ++j)
                out[i].at[j] = fabsf(out[i].at[j]);
        }
        kernels_of(level)->update(&u, out[0].at, g.at,
                                  moments[optimizer] > 0 ? out[1].at : NULL,
                                  moments[optimizer] > 1 ? out[2].at : NULL, n);
        for (int i = 0; i < 3; ++i)
            check_output(level, i, &out[i]);
    }
}

static void test_update(void **state)
{
    (void)state;
    draw d = {.stream = 9};
    for (int optimizer = ELMAN_SGD; optimizer <= ELMAN_RMSPROP; ++optimizer) {
        for (ptrdiff_t n = 0; n <= 70; ++n)
            for (int kind = 0; kind < 2 * NUMBERS_KINDS; ++kind)
                check_update(&d, optimizer, n, (numbers)(kind / 2));
        check_update(&d, optimizer, 20000, NUMBERS_BITS);
    }
}

/* ---- Packing -------------------------------------------------------------*/

enum { PACK_ROWS, PACK_COLUMNS, TRANSPOSE, PACKINGS };

static void check_packing(draw *d, int way, ptrdiff_t n, ptrdiff_t k)
{
    static const char *const names[PACKINGS] = {"pack_rows", "pack_columns",
                                                "transpose"};
    const ptrdiff_t rows = way == PACK_COLUMNS ? k : n;
    const ptrdiff_t columns = way == PACK_COLUMNS ? n : k;
    const ptrdiff_t count = way == TRANSPOSE ? n * k : packed_count(n, k);
    fence *const f = &fences[INPUT];
    const matrix w = fence_place(
        f, rows, columns, way == TRANSPOSE ? columns : any_stride(d, columns),
        any_slack(d));
    matrix_draw(&w, d, NUMBERS_BITS);
    fence_lock(f);
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("%s %s: n %td k %td", names[way], name_of(level), n, k);
        const matrix out = output(level, 0, d, 1, count, count);
        const el_kernels *const table = kernels_of(level);
        if (way == PACK_ROWS)
            table->pack_rows(out.at, w.at, w.stride, n, k);
        else if (way == PACK_COLUMNS)
            table->pack_columns(out.at, w.at, w.stride, n, k);
        else
            table->transpose(out.at, n, w.at, n, k);
        check_output(level, 0, &out);
    }
}

static void test_packing(void **state)
{
    (void)state;
    draw d = {.stream = 10};
    for (int way = 0; way < PACKINGS; ++way) {
        for (ptrdiff_t n = 0; n <= 70; ++n)
            for (int i = 0; i < 4; ++i)
                check_packing(&d, way, n, draw_below(&d, 40));
        check_packing(&d, way, 300, 257);
    }
}

/* ---- The rest ------------------------------------------------------------*/

/* Stays inside its 32 KiB, does the work asked for, and can go on for ever:
 * what it leaves is as good an operand as what it found. */
static void test_probe(void **state)
{
    (void)state;
    draw d = {.stream = 11};
    enum { COUNT = 32 * 1024 / sizeof(float) };
    for (int level = EL_LEVEL_C; level <= best; ++level) {
        trying("probe %s", name_of(level));
        const matrix data = fence_place(&fences[GOT], 1, COUNT, COUNT, 0);
        matrix_draw(&data, &d, NUMBERS_PLAIN);
        for (int i = 0; i < 3; ++i) {
            const double done = kernels_of(level)->probe(data.at, 1e6);
            if (!(done >= 1e6 && done <= 1.1e6))
                fail_trying("it did %g multiply-adds of 1e6", done);
        }
        matrix_check(&data, &data);
        for (int i = 0; i < COUNT; ++i)
            if (!(fabsf(data.at[i]) <= 1))
                fail_trying("it leaves %a", (double)data.at[i]);
        ++compared;
    }
}

static void assert_same_kernels(const el_kernels *a, const el_kernels *b)
{
    const size_t head = offsetof(el_kernels, gemm);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->size, b->size);
    assert_memory_equal((const char *)a + head, (const char *)b + head,
                        sizeof *a - head);
}

/* Level c is the reference, and the levels above it are not. */
static void test_tables(void **state)
{
    (void)state;
    el_kernels wide;
    el_kernels_c_f64(&wide);
    assert_same_kernels(el_kernels_f32(EL_LEVEL_C), &reference);
    assert_same_kernels(el_kernels_f64(), &wide);
    assert_int_equal(wide.dtype, ELMAN_F64);
    assert_int_equal(wide.size, sizeof(double));
    for (int level = 0; level <= best; ++level) {
        const el_kernels *const table = el_kernels_f32(level);
        assert_int_equal(table->dtype, ELMAN_F32);
        assert_int_equal(table->size, sizeof(float));
        for (int lower = 0; lower < level; ++lower, ++compared)
            assert_ptr_not_equal(table->gemm, el_kernels_f32(lower)->gemm);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(test_##name, begin_count, say_count)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tables), TEST(gemm),      TEST(gemm_large), TEST(gemm_empty),
        TEST(outer),  TEST(functions), TEST(add),        TEST(sum_squares),
        TEST(xent),   TEST(update),    TEST(packing),    TEST(probe),
        TEST(gates),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
