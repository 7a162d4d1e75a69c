/* SPDX-License-Identifier: MIT */
/* test_xent.c - softmax with cross-entropy against its definition. */
#include "support/expect.h"
#include "support/oracle.h"
#include "support/scratch.h"
#include "support/variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct problem {
    elman_xent_desc desc; /* but for dtype and class_weight */
    double *logits, *weight;
    int64_t *targets;
} problem;

static problem draw_problem(draw *d, int64_t rows, int64_t classes)
{
    static const double spreads[] = {1, 8, 60};
    problem p = {.desc = ELMAN_XENT_DESC};
    p.desc.rows = rows;
    p.desc.classes = classes;
    p.desc.reduction = draw_below(d, 2) ? ELMAN_MEAN : ELMAN_SUM;
    p.desc.scale = draw_below(d, 3) ? draw_between(d, 0.5, 2) : 0;
    p.desc.label_smoothing = draw_below(d, 3) ? 0 : draw_between(d, 0, 0.5);
    p.logits = scratch_draw(d, rows * classes, spreads[draw_below(d, 3)]);
    if (draw_below(d, 3) == 0) {
        p.weight = scratch_draw(d, classes, 1);
        for (int64_t j = 0; j < classes; ++j)
            p.weight[j] = fabs(p.weight[j]);
    }
    p.targets = scratch(rows, sizeof *p.targets);
    for (int64_t i = 0; i < rows; ++i)
        p.targets[i] =
            draw_below(d, 6) == 0 ? ELMAN_IGNORE : draw_below(d, classes);
    return p;
}

static void try_problem(const char *who, const problem *p)
{
    trying("%s: N %lld V %lld, %s, scale %g, smoothing %g, %s", who,
           (long long)p->desc.rows, (long long)p->desc.classes,
           p->desc.reduction == ELMAN_MEAN ? "mean" : "sum", p->desc.scale,
           p->desc.label_smoothing, p->weight ? "weights" : "no weights");
}

/* ---- By definition -------------------------------------------------------*/

/* Loss of row i is -sum over j of t_j u_j ln q_j, with q the softmax and t the
 * target distribution; its derivative by x_j is q_j (sum of t u) - t_j u_j. */
static double row_by_definition(const problem *p, int64_t i, double *dx)
{
    const int64_t V = p->desc.classes;
    const double e = p->desc.label_smoothing;
    double *const q = scratch_doubles(V);
    double loss = 0, total = 0;
    memset(dx, 0, (size_t)V * sizeof *dx);
    if (p->targets[i] == ELMAN_IGNORE)
        return 0;
    for (int64_t j = 0; j < V; ++j) {
        const double t = (j == p->targets[i] ? 1 - e : 0) + e / (double)V;
        const double tu = t * (p->weight ? p->weight[j] : 1);
        const double nll = oracle_softmax(p->logits + i * V, V, j, q);
        if (tu != 0)
            loss += tu * nll;
        total += tu;
        dx[j] -= tu;
    }
    for (int64_t j = 0; j < V; ++j)
        dx[j] += total * q[j];
    return loss;
}

typedef struct result {
    double *each, *dx, loss;
} result;

static result by_definition(const problem *p)
{
    const int64_t N = p->desc.rows, V = p->desc.classes;
    result r = {scratch_doubles(N), scratch_doubles(N * V), 0};
    double divisor = 0;
    for (int64_t i = 0; i < N; ++i) {
        r.each[i] = row_by_definition(p, i, r.dx + i * V);
        r.loss += r.each[i];
        if (p->targets[i] != ELMAN_IGNORE)
            divisor += p->weight ? p->weight[p->targets[i]] : 1;
    }
    const double factor = (p->desc.scale == 0 ? 1 : p->desc.scale) /
                          (p->desc.reduction == ELMAN_MEAN ? divisor : 1);
    r.loss *= factor;
    for (int64_t i = 0; i < N * V; ++i)
        r.dx[i] = r.dx[i] == 0 ? 0 : r.dx[i] * factor;
    return r;
}

/* ---- By the library ------------------------------------------------------*/

typedef struct answer {
    void *each, *dx;
    double loss;
} answer;

static answer solve(elman_context *context, const problem *p, elman_dtype dtype)
{
    const int64_t N = p->desc.rows, V = p->desc.classes;
    elman_xent_desc desc = p->desc;
    desc.dtype = dtype;
    desc.class_weight = scratch_as(dtype, p->weight, V);
    answer a = {scratch(N, elman_dtype_size(dtype)),
                scratch(N * V, elman_dtype_size(dtype)), 0};
    must(elman_cross_entropy(context, &desc,
                             scratch_as(dtype, p->logits, N * V), p->targets,
                             a.each, a.dx, &a.loss));
    return a;
}

static bool any_kept(const problem *p)
{
    for (int64_t i = 0; i < p->desc.rows; ++i)
        if (p->targets[i] != ELMAN_IGNORE)
            return true;
    return false;
}

static void test_random_problems(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    draw d = {.stream = 50};
    for (int k = 0; k < 150; ++k) {
        const problem p =
            draw_problem(&d, 1 + draw_below(&d, 12), 1 + draw_below(&d, 70));
        const int64_t N = p.desc.rows, V = p.desc.classes;
        if (!any_kept(&p))
            continue;
        const result r = by_definition(&p);
        for (elman_dtype dtype = ELMAN_F32; dtype <= ELMAN_F64; ++dtype) {
            const double tolerance = usual_tolerance(dtype);
            try_problem("random problem", &p);
            const answer a = solve(context, &p, dtype);
            /* Losses near 0 are rounding of 1. */
            expect_near("each", dtype, a.each, r.each, N, tolerance, 0.1);
            expect_near("dlogits", dtype, a.dx, r.dx, N * V, tolerance,
                        p.desc.reduction == ELMAN_SUM ? 0.1 : 0.1 / (double)N);
            expect_near("loss", ELMAN_F64, &a.loss, &r.loss, 1, tolerance, 0.2);
        }
        scratch_free(NULL);
    }
    elman_context_destroy(&context);
}

/* The same bits at every level and on any number of threads; in the place of
 * the logits; without what is unwanted; and for a row alone. */
static void test_same_bits(void **state)
{
    (void)state;
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 51};
    for (int k = 0; k < 20; ++k) {
        /* Every fourth is worth three threads. */
        problem p = k % 4 == 0 ? draw_problem(&d, 150, 90)
                               : draw_problem(&d, 1 + draw_below(&d, 20),
                                              1 + draw_below(&d, 200));
        const int64_t N = p.desc.rows, V = p.desc.classes;
        answer first = {0};
        for (int i = 0; i < count; ++i) {
            try_problem(list[i].name, &p);
            const answer a = solve(list[i].context, &p, ELMAN_F32);
            if (i == 0)
                first = a;
            expect_same("each", ELMAN_F32, a.each, first.each, N);
            expect_same("dlogits", ELMAN_F32, a.dx, first.dx, N * V);
            if (any_kept(&p))
                expect_same("loss", ELMAN_F64, &a.loss, &first.loss, 1);
        }
        elman_xent_desc desc = p.desc;
        desc.class_weight = scratch_as(ELMAN_F32, p.weight, V);
        float *const x = scratch_as(ELMAN_F32, p.logits, N * V);
        double loss;
        must(elman_cross_entropy(list[0].context, &desc, x, p.targets, NULL,
                                 NULL, &loss));
        if (any_kept(&p))
            expect_same("loss alone", ELMAN_F64, &loss, &first.loss, 1);
        must(elman_cross_entropy(list[0].context, &desc, x, p.targets, NULL, x,
                                 NULL));
        expect_same("dlogits in place", ELMAN_F32, x, first.dx, N * V);
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* ---- Special cases -------------------------------------------------------*/

static void test_nothing_kept(void **state)
{
    (void)state;
    trying("nothing kept");
    elman_context *context = make_context(1, NULL);
    elman_xent_desc desc = ELMAN_XENT_DESC;
    desc.rows = 2;
    desc.classes = 3;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const int64_t targets[2] = {ELMAN_IGNORE, ELMAN_IGNORE};
    float each[2] = {7, 7}, dx[6] = {7, 7, 7, 7, 7, 7};
    const float zeros[6] = {0};
    double loss = 7;
    must(elman_cross_entropy(context, &desc, x, targets, each, dx, &loss));
    assert_true(isnan(loss));
    expect_same("each", ELMAN_F32, each, zeros, 2);
    expect_same("dlogits", ELMAN_F32, dx, zeros, 6);
    desc.reduction = ELMAN_SUM;
    must(elman_cross_entropy(context, &desc, x, targets, each, dx, &loss));
    assert_true(loss == 0);
    desc.rows = 0;
    must(elman_cross_entropy(context, &desc, NULL, NULL, NULL, NULL, &loss));
    assert_true(loss == 0);
    elman_context_destroy(&context);
}

/* Logits of any size neither overflow nor lose the small losses. */
static void test_large_logits(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    const double x[4][3] = {
        {1e30, -1e30, 0}, {1000, 999, 998}, {-88, -89, -90}, {3e4, 0, -3e4}};
    const int64_t targets[4] = {0, 0, 1, 2};
    const double expected[4] = {0, log(1 + exp(-1) + exp(-2)),
                                1 + log(1 + exp(-1) + exp(-2)), 6e4};
    for (elman_dtype dtype = ELMAN_F32; dtype <= ELMAN_F64; ++dtype) {
        elman_xent_desc desc = ELMAN_XENT_DESC;
        desc.dtype = dtype;
        desc.classes = 3;
        desc.rows = 1;
        for (int i = 0; i < 4; ++i) {
            trying("large logits, row %d", i);
            double each[1], dx[3], loss;
            must(elman_cross_entropy(context, &desc, scratch_as(dtype, x[i], 3),
                                     &targets[i], each, dx, &loss));
            expect_close("loss", ELMAN_F64, &loss, &expected[i], 1,
                         usual_tolerance(dtype));
            double sum = 0;
            for (int j = 0; j < 3; ++j) {
                assert_true(isfinite(element(dtype, dx, j)));
                sum += element(dtype, dx, j);
            }
            assert_true(fabs(sum) < 1e-6);
        }
    }
    elman_context_destroy(&context);
}

/* Weights and smoothing cost no digits where logits are large. */
static void test_general_rows_are_as_exact(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    draw d = {.stream = 52};
    for (int k = 0; k < 30; ++k) {
        problem p = draw_problem(&d, 1, 2 + draw_below(&d, 30));
        const int64_t V = p.desc.classes;
        p.targets[0] = draw_below(&d, V);
        for (int64_t j = 0; j < V; ++j)
            p.logits[j] += 3000;
        p.desc.label_smoothing = 0;
        p.weight = scratch_doubles(V);
        for (int64_t j = 0; j < V; ++j)
            p.weight[j] = 1;
        for (int64_t j = 0; j < V; ++j) /* what float32 makes of it */
            p.logits[j] = (double)(float)p.logits[j];
        try_problem("large logits with weights", &p);
        const result r = by_definition(&p);
        const answer a = solve(context, &p, ELMAN_F32);
        expect_near("each", ELMAN_F32, a.each, r.each, 1, 1e-5, 0.1);
        expect_near("dlogits", ELMAN_F32, a.dx, r.dx, V, 1e-5, 0.1);
    }
    elman_context_destroy(&context);
}

static void test_not_finite(void **state)
{
    (void)state;
    trying("logits that are not finite");
    elman_context *context = make_context(1, NULL);
    elman_xent_desc desc = ELMAN_XENT_DESC;
    desc.rows = 2;
    desc.classes = 3;
    desc.reduction = ELMAN_SUM;
    const int64_t targets[2] = {0, 1};
    const float x[6] = {NAN, 1, 2, 1, 2, 3};
    float each[2], dx[6];
    double loss;
    must(elman_cross_entropy(context, &desc, x, targets, each, dx, &loss));
    assert_true(isnan(each[0]) && isnan(loss));
    const double nll = 1 + log(1 + exp(-1) + exp(-2));
    expect_close("the row beside it", ELMAN_F32, &each[1], &nll, 1, 1e-6);

    /* A class that is impossible. */
    const float y[6] = {-INFINITY, 0, 0, 0, -INFINITY, 0};
    const int64_t possible[2] = {1, 2};
    must(elman_cross_entropy(context, &desc, y, possible, each, dx, &loss));
    const double two[2] = {log(2), log(2)};
    expect_close("each", ELMAN_F32, each, two, 2, 1e-6);
    assert_true(dx[0] == 0 && dx[4] == 0);
    elman_context_destroy(&context);
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    elman_context *context = make_context(1, NULL);
    elman_xent_desc desc = ELMAN_XENT_DESC;
    desc.rows = 3;
    desc.classes = 4;
    float x[12] = {0};
    int64_t targets[3] = {0, 1, 4};
    double loss;
#define REFUSED(words)                                                         \
    must_fail(                                                                 \
        elman_cross_entropy(context, &desc, x, targets, NULL, NULL, &loss),    \
        ELMAN_EINVAL, words)
    REFUSED("target 2 is 4");
    targets[2] = -1;
    REFUSED("target 2 is -1");
    targets[2] = INT64_MIN;
    REFUSED("target 2");
    targets[2] = 3;
    desc.label_smoothing = 1.5;
    REFUSED("label_smoothing");
    desc.label_smoothing = NAN;
    REFUSED("label_smoothing");
    desc.label_smoothing = 0;
    desc.classes = 0;
    REFUSED("classes");
    desc.classes = 4;
    desc.rows = -1;
    REFUSED("rows");
    desc.rows = 3;
    desc.dtype = ELMAN_U8;
    REFUSED("dtype");
    desc.dtype = ELMAN_F32;
    desc.reduction = (elman_reduction)5;
    REFUSED("reduction");
    desc.reduction = ELMAN_MEAN;
    desc.struct_size = 0;
    REFUSED("struct_size");
    desc.struct_size = sizeof desc;
    must_fail(
        elman_cross_entropy(context, &desc, NULL, targets, NULL, NULL, &loss),
        ELMAN_EINVAL, "NULL");
    must_fail(elman_cross_entropy(NULL, &desc, x, targets, NULL, NULL, &loss),
              ELMAN_EINVAL, "NULL");
    must_fail(elman_cross_entropy(context, NULL, x, targets, NULL, NULL, &loss),
              ELMAN_EINVAL, "NULL");
    elman_context_destroy(&context);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_problems), TEST(same_bits),
        TEST(nothing_kept),    TEST(large_logits),
        TEST(not_finite),      TEST(general_rows_are_as_exact),
        TEST(mistakes),
    };
    return cmocka_run_group_tests_name("xent", tests, NULL, NULL);
}
