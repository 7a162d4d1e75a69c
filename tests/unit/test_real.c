/* SPDX-License-Identifier: MIT */
/* test_real.c - the elementary functions of doubles against the machine's, in
 * long double, on millions of arguments. */
#include "base/real.h"
#include "support/draw.h"
#include "support/fence.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct function {
    const char *name;
    double (*ours)(double);
    long double (*theirs)(long double);
    double bound; /* in ulp */
} function;

static const function exp_ = {"exp", el_exp64, expl, 1};
static const function expm1_ = {"expm1", el_expm1_64, expm1l, 2};
static const function log_ = {"log", el_log64, logl, 1};
static const function tanh_ = {"tanh", el_tanh64, tanhl, 2.6};
static const function cos_ = {"cos", el_cos64, cosl, 1.6};

/* The largest error met so far in one function. */
static double worst, worst_at;

static double ulp_of(long double x)
{
    int exponent;
    frexpl(x, &exponent);
    return ldexp(1, exponent > DBL_MIN_EXP ? exponent - 53 : DBL_MIN_EXP - 53);
}

static void check(const function *f, double x)
{
    const double got = f->ours(x);
    const long double is = f->theirs((long double)x);
    if (isnan(is) || fabsl(is) > (long double)DBL_MAX) {
        if (!same_double(got, (double)is))
            fail_trying("%s(%a) is %a, not %Lg", f->name, x, got, is);
        return;
    }
    const double error =
        (double)(fabsl((long double)got - is) / (long double)ulp_of(is));
    if (!(error <= f->bound))
        fail_trying("%s(%a) is %a, off by %.3f ulp", f->name, x, got, error);
    if (error > worst) {
        worst = error;
        worst_at = x;
    }
}

static void begin(const function *f, draw *d, uint64_t stream)
{
    *d = (draw){.stream = stream};
    worst = worst_at = 0;
    trying("%s", f->name);
    if (LDBL_MANT_DIG < 64) {
        print_message("skipped: long double is no wider than double here\n");
        skip();
    }
}

static void say(const function *f)
{
    print_message("             %s: at most %.3f ulp, at %.17g\n", f->name,
                  worst, worst_at);
}

/* A random sign, fraction and exponent in [low, high). */
static double any_magnitude(draw *d, int low, int high)
{
    const double fraction = draw_between(d, 1, 2) + draw_between(d, 0, 0x1p-30);
    const double x = ldexp(fraction, low + (int)draw_below(d, high - low));
    return draw_below(d, 2) ? x : -x;
}

/* All bits random, where draw_between has only 32 of them. */
static double any_between(draw *d, double from, double to)
{
    const double fine = (to - from) * 0x1p-32;
    return draw_between(d, from, to - fine) + draw_between(d, 0, fine);
}

enum { MANY = 300000 };

static void test_exp(void **state)
{
    (void)state;
    draw d;
    begin(&exp_, &d, 31);
    for (int i = 0; i < MANY; ++i) {
        check(&exp_, any_between(&d, -708, 709.79));
        check(&exp_, any_between(&d, -745.2, -708)); /* denormal results */
        check(&exp_, any_between(&d, -1, 1));
        check(&exp_, any_magnitude(&d, -60, 0));
    }
    const double ends[] = {0,      -0.0,      709.782712893384,
                           709.79, 710,       -745.13321910194122,
                           -745.2, -746,      1e300,
                           -1e300, INFINITY,  -INFINITY,
                           NAN,    0x1p-1074, -0x1p-1074};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        check(&exp_, ends[i]);
    say(&exp_);
}

static void test_expm1(void **state)
{
    (void)state;
    draw d;
    begin(&expm1_, &d, 32);
    for (int i = 0; i < MANY; ++i) {
        check(&expm1_, any_between(&d, -40, 40));
        check(&expm1_, any_between(&d, -1, 1));
        check(&expm1_, any_magnitude(&d, -60, 0));
    }
    check(&expm1_, 0);
    check(&expm1_, 40);
    check(&expm1_, -40);
    check(&expm1_, 0x1p-1074);
    say(&expm1_);
}

static void test_log(void **state)
{
    (void)state;
    draw d;
    begin(&log_, &d, 33);
    for (int i = 0; i < MANY; ++i) {
        check(&log_, fabs(any_magnitude(&d, -1022, 1023)));
        check(&log_, any_between(&d, 0.5, 2));
        check(&log_, 1 + any_magnitude(&d, -50, -4));
        check(&log_, ldexp((double)(draw_u32(&d) | 1), -1074));
    }
    const double ends[] = {1,
                           0.5,
                           2,
                           0x1p-1022,
                           0x1p-1074,
                           INFINITY,
                           DBL_MAX,
                           0,
                           -0.0,
                           NAN,
                           0x1.6a09e667f3bccp-1,
                           0x1.6a09e667f3bcdp-1};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        check(&log_, ends[i]);
    assert_true(isnan(el_log64(-1)));
    assert_true(isnan(el_log64(-INFINITY)));
    say(&log_);
}

static void test_tanh(void **state)
{
    (void)state;
    draw d;
    begin(&tanh_, &d, 34);
    for (int i = 0; i < MANY; ++i) {
        check(&tanh_, any_between(&d, -22, 22));
        check(&tanh_, any_between(&d, -1, 1));
        check(&tanh_, any_magnitude(&d, -60, 3));
    }
    const double ends[] = {0,   -0.0, 20,       -20,       1e300,
                           NAN, 19.1, INFINITY, -INFINITY, 0x1p-1074};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        check(&tanh_, ends[i]);
    assert_true(signbit(el_tanh64(-0.0)));
    assert_false(signbit(el_tanh64(0.0)));
    say(&tanh_);
}

static void test_cos(void **state)
{
    (void)state;
    draw d;
    begin(&cos_, &d, 35);
    for (int i = 0; i < MANY; ++i) {
        check(&cos_, any_between(&d, -100, 100));
        check(&cos_, any_between(&d, 0, 6.283185307179586));
        check(&cos_, any_magnitude(&d, -60, 0));
    }
    /* Near its zeros all that counts is how x is reduced; this x is the
     * nearest of all doubles below 100 to one. */
    check(&cos_, -0x1.6c6cbc45dc8dep5);
    const double quarter = 0x1.921fb54442d18p0;
    for (int n = -63; n <= 63; ++n)
        for (int i = 0; i < 2000; ++i)
            check(&cos_, n * quarter + any_magnitude(&d, -52, -3));
    for (int n = -63; n <= 63; ++n) {
        check(&cos_, n * quarter);
        check(&cos_, nextafter(n * quarter, 1000));
        check(&cos_, nextafter(n * quarter, -1000));
    }
    check(&cos_, 0);
    say(&cos_);
}

/* x^n for the powers that occur: each of the multiplications rounds, and a
 * square doubles the error that was there. */
static void test_powi(void **state)
{
    (void)state;
    draw d = {.stream = 36};
    const double bases[] = {0.9, 0.99, 0.999, 0.5, 1, 0, 1.5, -0.75};
    trying("powi");
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 2000; ++j) {
            const int64_t n =
                j < 100 ? j : draw_below(&d, bases[i] > 1 ? 1000 : 700000);
            const double got = el_powi64(bases[i], n);
            const long double is = powl((long double)bases[i], (long double)n);
            const long double bound =
                0x1p-53L * (long double)n * fabsl(is) + (long double)DBL_MIN;
            if (!(fabsl((long double)got - is) <= bound))
                fail_trying("%g^%lld is %.17g, not %.17Lg", bases[i],
                            (long long)n, got, is);
        }
    assert_true(el_powi64(0, 0) == 1);
    assert_true(el_powi64(-2, 3) == -8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp), cmocka_unit_test(test_expm1),
        cmocka_unit_test(test_log), cmocka_unit_test(test_tanh),
        cmocka_unit_test(test_cos), cmocka_unit_test(test_powi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
