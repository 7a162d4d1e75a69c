/* SPDX-License-Identifier: MIT */
/* test_reference.c - the reference itself, in both dtypes, against textbook
 * loops in a wider type, and its gradients against finite differences. */
#include "kernels/kernels.h"
#include "support/draw.h"
#include "support/fence.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define REAL float
#define WIDE double
#define NAME(op) op##_f32
#define TABLE el_kernels_f32(0)
#define ROUND 0x1p-24
#define FUNCTION(name) name
#include "textbook_tmpl.h"
#undef REAL
#undef WIDE
#undef NAME
#undef TABLE
#undef ROUND
#undef FUNCTION

#define REAL double
#define WIDE long double
#define NAME(op) op##_f64
#define TABLE el_kernels_f64()
#define ROUND 0x1p-53L
#define FUNCTION(name) name##l
#include "textbook_tmpl.h"

/* The gradient is the loss's: a check that no formula enters. */
static void check_differences(draw *d, int64_t classes)
{
    enum { MOST = 40 };
    const double h = 0x1p-13;
    double x[MOST], weight[MOST], dx[MOST];
    for (int64_t j = 0; j < classes; ++j) {
        x[j] = draw_between(d, -4, 4);
        weight[j] = draw_between(d, 0, 2);
    }
    const el_xent e = {
        .classes = classes,
        .weight = draw_below(d, 2) ? weight : NULL,
        .smoothing = draw_below(d, 2) ? draw_between(d, 0, 1) : 0,
        .scale = draw_between(d, 0.1, 2),
    };
    const int64_t target = draw_below(d, classes);
    const el_kernels *const table = el_kernels_f64();
    table->xent(&e, x, target, dx);
    for (int64_t j = 0; j < classes; ++j) {
        trying("xent's gradient: V %" PRId64 ", weights %d, smoothing %g, j "
               "%" PRId64,
               classes, e.weight != NULL, e.smoothing, j);
        const double at = x[j];
        x[j] = at + h;
        const double above = table->xent(&e, x, target, NULL);
        x[j] = at - h;
        const double below = table->xent(&e, x, target, NULL);
        x[j] = at;
        near_f64(dx[j], (long double)(e.scale * (above - below) / (2 * h)),
                 1e-8L);
    }
}

static void test_differences(void **state)
{
    (void)state;
    draw d = {.stream = 27};
    for (int64_t classes = 1; classes <= 40; ++classes)
        for (int i = 0; i < 20; ++i)
            check_differences(&d, classes);
}

/* An ignored row costs nothing and teaches nothing. */
static void test_ignored(void **state)
{
    (void)state;
    const float x[3] = {1, 2, 3};
    float dx[3] = {4, 5, 6};
    const el_xent e = {.classes = 3, .scale = 1};
    assert_true(el_kernels_f32(0)->xent(&e, x, ELMAN_IGNORE, dx) == 0);
    for (int j = 0; j < 3; ++j)
        assert_true(dx[j] == 0);
}

#define BOTH(name) cmocka_unit_test(name##_f32), cmocka_unit_test(name##_f64)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(gemm),
        BOTH(outer),
        BOTH(functions),
        BOTH(sums),
        BOTH(xent),
        BOTH(update),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
