/* SPDX-License-Identifier: MIT */
/* test_optimizer.c - optimisers against their formulas, and learning rates. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/scratch.h"
#include "support/variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const kind_names[] = {"sgd", "momentum", "adam", "adamw",
                                         "rmsprop"};

static void try_desc(const char *who, const elman_optimizer_desc *o, int64_t n)
{
    trying("%s: %s of %lld, weight decay %g, clip %g", who, kind_names[o->kind],
           (long long)n, o->weight_decay, o->clip);
}

/* ---- The formulas of elman.h, in double ----------------------------------*/

typedef struct book {
    const elman_optimizer_desc *o;
    int64_t count, t;
    double *p, *m, *v;
} book;

static double norm_of(const double *g, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; ++i)
        sum += g[i] * g[i];
    return sqrt(sum);
}

static void update_by_the_book(book *b, double lr, const double *grad)
{
    const elman_optimizer_desc *const o = b->o;
    const double norm = norm_of(grad, b->count);
    const double factor = o->clip > 0 ? fmin(1, o->clip / (norm + 1e-6)) : 1;
    const double t = (double)++b->t;
    for (int64_t i = 0; i < b->count; ++i) {
        double *const p = &b->p[i], *const m = &b->m[i], *const v = &b->v[i];
        double g = grad[i] * factor;
        if (o->kind == ELMAN_ADAMW)
            *p -= lr * o->weight_decay * *p;
        else
            g += o->weight_decay * *p;
        switch (o->kind) {
        case ELMAN_SGD:
            *p -= lr * g;
            break;
        case ELMAN_MOMENTUM:
            *m = o->momentum * *m + g;
            *p -= lr * *m;
            break;
        case ELMAN_RMSPROP:
            *v = o->alpha * *v + (1 - o->alpha) * g * g;
            *p -= lr * g / (sqrt(*v) + o->eps);
            break;
        case ELMAN_ADAM:
        case ELMAN_ADAMW:
            *m = o->beta1 * *m + (1 - o->beta1) * g;
            *v = o->beta2 * *v + (1 - o->beta2) * g * g;
            *p -= lr / (1 - pow(o->beta1, t)) * *m /
                  (sqrt(*v) / sqrt(1 - pow(o->beta2, t)) + o->eps);
            break;
        }
    }
}

static elman_optimizer_desc draw_desc(draw *d, elman_optimizer_kind kind,
                                      elman_dtype dtype)
{
    elman_optimizer_desc o = ELMAN_OPTIMIZER_DESC;
    o.kind = kind;
    o.dtype = dtype;
    if (draw_below(d, 2)) {
        o.momentum = draw_between(d, 0, 0.95);
        o.beta1 = draw_between(d, 0, 0.95);
        o.beta2 = draw_between(d, 0.5, 0.9999);
        o.alpha = draw_between(d, 0.5, 0.999);
        o.eps = draw_between(d, 1e-8, 1e-4);
    }
    o.weight_decay = draw_below(d, 2) ? draw_between(d, 0, 0.1) : 0;
    o.clip = draw_below(d, 2) ? draw_between(d, 0.1, 20) : 0;
    return o;
}

/* grad of one update: sizes differ from update to update, so that clipping
 * strikes now and then. */
static double *draw_grad(draw *d, int64_t n)
{
    return scratch_draw(d, n, draw_below(d, 2) ? 0.1 : 2);
}

static void check_formula(elman_context *context, draw *d,
                          elman_optimizer_kind kind, elman_dtype dtype)
{
    /* Division by the root of a moment magnifies the rounding of gradients
     * that nearly cancel; among few elements none does by much. */
    const bool adaptive = kind > ELMAN_MOMENTUM;
    const int64_t n = adaptive || draw_below(d, 3)
                          ? 1 + draw_below(d, 300)
                          : 16380 + draw_below(d, 20000);
    const elman_optimizer_desc desc = draw_desc(d, kind, dtype);
    try_desc("formula", &desc, n);
    book b = {.o = &desc,
              .count = n,
              .p = scratch_draw(d, n, 1),
              .m = scratch_doubles(n),
              .v = scratch_doubles(n)};
    void *const w = scratch_as(dtype, b.p, n);
    elman_optimizer *o;
    must(elman_optimizer_create(context, &desc, n, &o));
    for (int step = 0; step < 12; ++step) {
        const double lr = draw_between(d, 0, 0.1);
        const double *const grad = draw_grad(d, n);
        void *const g = scratch_as(dtype, grad, n);
        double norm;
        must(elman_optimizer_step(o, lr, w, g, step % 2 ? &norm : NULL));
        expect_same("grad", dtype, g, scratch_as(dtype, grad, n), n);
        const double expected = norm_of(grad, n);
        if (step % 2)
            expect_close("norm", ELMAN_F64, &norm, &expected, 1, 1e-12);
        update_by_the_book(&b, lr, grad);
    }
    const double tolerance = adaptive             ? 10 * usual_tolerance(dtype)
                             : dtype == ELMAN_F64 ? 1e-13
                                                  : 1e-6;
    expect_near("weights", dtype, w, b.p, n, tolerance, 1);
    elman_optimizer_destroy(&o);
}

static void test_formulas(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    draw d = {.stream = 60};
    for (int i = 0; i < 120; ++i) {
        check_formula(context, &d, (elman_optimizer_kind)(i % 5),
                      i % 2 ? ELMAN_F64 : ELMAN_F32);
        scratch_free(NULL);
    }
    elman_context_destroy(&context);
}

/* ---- Bits ----------------------------------------------------------------*/

static void run_steps(elman_context *context, const elman_optimizer_desc *desc,
                      const float *grads, int64_t n, float *w, double *norms)
{
    elman_optimizer *o;
    must(elman_optimizer_create(context, desc, n, &o));
    for (int step = 0; step < 3; ++step)
        must(elman_optimizer_step(o, 0.01, w, grads + step * n, &norms[step]));
    elman_optimizer_destroy(&o);
}

static void test_same_bits(void **state)
{
    (void)state;
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 61};
    static const int64_t sizes[] = {1, 15, 1000, 16384, 16385, 70001};
    for (int k = 0; k < 30; ++k) {
        const int64_t n = sizes[k % 6];
        const elman_optimizer_desc desc =
            draw_desc(&d, (elman_optimizer_kind)(k % 5), ELMAN_F32);
        const float *const grads =
            scratch_as(ELMAN_F32, scratch_draw(&d, 3 * n, 1), 3 * n);
        const double *const start = scratch_draw(&d, n, 1);
        float *first = NULL;
        double norms[2][3];
        for (int i = 0; i < count; ++i) {
            try_desc(list[i].name, &desc, n);
            float *const w = scratch_as(ELMAN_F32, start, n);
            run_steps(list[i].context, &desc, grads, n, w, norms[i > 0]);
            first = i == 0 ? w : first;
            expect_same("weights", ELMAN_F32, w, first, n);
            expect_same("norms", ELMAN_F64, norms[i > 0], norms[0], 3);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* A gradient that is not finite changes neither weights nor moments: what
 * follows is as if it had never been. */
static void test_not_finite(void **state)
{
    (void)state;
    enum { N = 70 };
    elman_context *context = make_context(1, NULL);
    draw d = {.stream = 62};
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 30; ++k) {
        const elman_dtype dtype = k % 2 ? ELMAN_F64 : ELMAN_F32;
        const elman_optimizer_desc desc =
            draw_desc(&d, (elman_optimizer_kind)(k % 5), dtype);
        try_desc("not finite", &desc, N);
        const double *const start = scratch_draw(&d, N, 1);
        void *w[2] = {scratch_as(dtype, start, N), scratch_as(dtype, start, N)};
        double *const grad = scratch_draw(&d, N, 1);
        void *const good = scratch_as(dtype, grad, N);
        grad[draw_below(&d, N)] = bad[k % 3];
        void *const ill = scratch_as(dtype, grad, N);
        for (int i = 0; i < 2; ++i) {
            elman_optimizer *o;
            double norm;
            must(elman_optimizer_create(context, &desc, N, &o));
            for (int step = 0; step < 3; ++step) {
                if (i == 1)
                    must_fail(elman_optimizer_step(o, 0.1, w[i], ill, &norm),
                              ELMAN_ENONFINITE, "not finite");
                must(elman_optimizer_step(o, 0.1, w[i], good, &norm));
            }
            elman_optimizer_destroy(&o);
        }
        expect_same("weights", dtype, w[1], w[0], N);
        scratch_free(NULL);
    }
    elman_context_destroy(&context);
}

static void test_running_allocates_nothing(void **state)
{
    (void)state;
    trying("allocations");
    counting c = {0};
    elman_context *context = counting_context(&c);
    for (int kind = ELMAN_SGD; kind <= ELMAN_RMSPROP; ++kind) {
        elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
        desc.kind = (elman_optimizer_kind)kind;
        elman_optimizer *o;
        must(elman_optimizer_create(context, &desc, 9, &o));
        const long long before = c.asked;
        float w[9] = {0}, g[9] = {1};
        must(elman_optimizer_step(o, 0.1, w, g, NULL));
        assert_int_equal(c.asked, before);
        elman_optimizer_destroy(&o);
        elman_optimizer_destroy(&o);
    }
    elman_optimizer_destroy(NULL);
    elman_context_destroy(&context);
    assert_int_equal(c.live, 0);
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    elman_context *context = make_context(1, NULL);
    elman_optimizer *o;
    const struct {
        size_t offset;
        double value;
        const char *words;
    } wrong[] = {
        {offsetof(elman_optimizer_desc, momentum), -0.1, "momentum"},
        {offsetof(elman_optimizer_desc, momentum), 1, "momentum"},
        {offsetof(elman_optimizer_desc, beta1), 1, "beta1"},
        {offsetof(elman_optimizer_desc, beta2), NAN, "beta2"},
        {offsetof(elman_optimizer_desc, alpha), 2, "alpha"},
        {offsetof(elman_optimizer_desc, eps), -1, "eps"},
        {offsetof(elman_optimizer_desc, weight_decay), -1, "weight_decay"},
        {offsetof(elman_optimizer_desc, clip), INFINITY, "clip"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
        memcpy((char *)&desc + wrong[i].offset, &wrong[i].value,
               sizeof(double));
        must_fail(elman_optimizer_create(context, &desc, 3, &o), ELMAN_EINVAL,
                  wrong[i].words);
        assert_null(o);
    }
    elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
    must_fail(elman_optimizer_create(context, &desc, -1, &o), ELMAN_EINVAL,
              "count");
    must_fail(elman_optimizer_create(NULL, &desc, 1, &o), ELMAN_EINVAL, "NULL");
    desc.kind = (elman_optimizer_kind)9;
    must_fail(elman_optimizer_create(context, &desc, 1, &o), ELMAN_EINVAL,
              "kind");
    desc.kind = ELMAN_SGD;
    desc.dtype = ELMAN_I32;
    must_fail(elman_optimizer_create(context, &desc, 1, &o), ELMAN_EINVAL,
              "dtype");
    desc.dtype = ELMAN_F32;
    must(elman_optimizer_create(context, &desc, 1, &o));
    float w = 1, g = 1;
    must_fail(elman_optimizer_step(o, -1, &w, &g, NULL), ELMAN_EINVAL, "lr");
    must_fail(elman_optimizer_step(o, NAN, &w, &g, NULL), ELMAN_EINVAL, "lr");
    must_fail(elman_optimizer_step(o, 1, NULL, &g, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_optimizer_step(o, 1, &w, NULL, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_optimizer_step(NULL, 1, &w, &g, NULL), ELMAN_EINVAL,
              "NULL");
    assert_true(w == 1);
    elman_optimizer_destroy(&o);
    elman_context_destroy(&context);
}

/* ---- Learning rates ------------------------------------------------------*/

static void expect_rate(const elman_schedule *s, int64_t update,
                        int64_t halvings, double expected)
{
    trying("schedule %d, update %lld, halvings %lld", s->kind,
           (long long)update, (long long)halvings);
    const double rate = elman_schedule_rate(s, update, halvings);
    expect_close("rate", ELMAN_F64, &rate, &expected, 1, 1e-14);
}

static void test_schedules(void **state)
{
    (void)state;
    elman_schedule s = ELMAN_SCHEDULE;
    s.lr = 0.4;
    expect_rate(&s, 0, 0, 0.4);
    expect_rate(&s, 1000000, 3, 0.4);

    s.kind = ELMAN_STEP;
    s.every = 10;
    expect_rate(&s, 9, 0, 0.4);
    expect_rate(&s, 10, 0, 0.04);
    expect_rate(&s, 39, 0, 0.4e-3);
    s.gamma = 0.5;
    expect_rate(&s, 20, 0, 0.1);

    s.kind = ELMAN_HALVE;
    expect_rate(&s, 500, 0, 0.4);
    expect_rate(&s, 500, 1, 0.2);
    expect_rate(&s, 0, 3, 0.05);

    /* Linear up to lr, then half a cosine down to floor lr at total. */
    s.kind = ELMAN_COSINE;
    s.warmup = 4;
    s.total = 104;
    s.floor = 0.1;
    expect_rate(&s, 0, 0, 0.1);
    expect_rate(&s, 1, 0, 0.2);
    expect_rate(&s, 3, 0, 0.4);
    expect_rate(&s, 4, 0, 0.4);
    expect_rate(&s, 54, 0, 0.4 * 0.55);
    expect_rate(&s, 29, 0, 0.4 * (0.1 + 0.45 * (1 + sqrt(0.5))));
    expect_rate(&s, 104, 0, 0.04);
    expect_rate(&s, 1000, 0, 0.04);
    s.warmup = 0;
    s.floor = 0;
    expect_rate(&s, 0, 0, 0.4);
    expect_rate(&s, 52, 0, 0.2);
    expect_rate(&s, 104, 0, 0);
    double last = 1;
    for (int64_t i = 0; i <= 104; ++i) {
        const double rate = elman_schedule_rate(&s, i, 0);
        assert_true(rate <= last && rate >= 0);
        last = rate;
    }
    assert_true(isnan(elman_schedule_rate(NULL, 0, 0)));
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(formulas),   TEST(same_bits),
        TEST(not_finite), TEST(running_allocates_nothing),
        TEST(mistakes),   TEST(schedules),
    };
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
