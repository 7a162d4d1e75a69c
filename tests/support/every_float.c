/* SPDX-License-Identifier: MIT */
#include "every_float.h"
#include "base/cpu.h"
#include "base/real.h"
#include "draw.h"
#include "kernels/kernels.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, THREADS = 64 };

typedef enum function_kind { EXP, TANH, SIGMOID, LOG, KINDS } function_kind;

static const char *const names[KINDS] = {"exp", "tanh", "sigmoid", "log"};

/* The largest error in ulp, and where. */
typedef struct worst_error {
    double ulp;
    float at;
} worst_error;

typedef struct measures {
    /* Of results that should be normal numbers; of those that should be
     * denormal or 0. */
    worst_error normal, denormal;
    /* Arguments of which NaN, infinity, zero or a sign came out wrong. */
    uint64_t wrong;
    float first_wrong;
    /* Arguments at which a level's bits are not the reference's (any NaN is
     * any other). */
    uint64_t differ[EL_LEVEL_COUNT];
    float first_different[EL_LEVEL_COUNT];
} measures;

static double exact(function_kind function, double x)
{
    switch (function) {
    case EXP:
        return exp(x);
    case TANH:
        return tanh(x);
    case SIGMOID:
        return 1 / (1 + exp(-x));
    case LOG:
    case KINDS:
        break;
    }
    return log(x);
}

static void compute(const el_kernels *table, function_kind function, float *y,
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
    case LOG:
    case KINDS:
        for (ptrdiff_t j = 0; j < n; ++j)
            y[j] = (float)el_log64((double)x[j]);
        break;
    }
}

/* What a float near x is a multiple of, upside down: 2^23 / 2^exponent of x,
 * and 2^149 where x is denormal. */
static double per_ulp(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t exponent = bits >> 52 & 0x7ff;
    if (exponent < 1023 - 126)
        exponent = 1023 - 126;
    bits = (1023 + 1023 + 23 - exponent) << 52;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static void note_wrong(measures *r, float x)
{
    if (r->wrong++ == 0)
        r->first_wrong = x;
}

static void measure(measures *r, float x, float y, double is)
{
    if (isnan(is) || isnan(y)) {
        if (!isnan(is) || !isnan(y))
            note_wrong(r, x);
        return;
    }
    if (!signbit(is) != !signbit(y) || (isinf(is) && !isinf(y)) ||
        (is == 0 && y != 0)) {
        note_wrong(r, x);
        return;
    }
    /* Past the largest float the next one would be 2^128. */
    const double got = isinf(y) ? copysign(0x1p128, is) : (double)y;
    const double beyond = fabs(is) > 0x1p128 ? copysign(0x1p128, is) : is;
    const double error =
        fabs(got - beyond) * per_ulp(fabs(beyond) < 0x1p128 ? beyond : FLT_MAX);
    worst_error *const worst = fabs(is) < FLT_MIN ? &r->denormal : &r->normal;
    if (error > worst->ulp) {
        worst->ulp = error;
        worst->at = x;
    }
}

static void compare(measures *r, int level, const float *x, const float *y,
                    const float *reference, int n)
{
    if (memcmp(y, reference, (size_t)n * sizeof *y) == 0)
        return;
    for (int j = 0; j < n; ++j)
        if (!same_float(y[j], reference[j]) && r->differ[level]++ == 0)
            r->first_different[level] = x[j];
}

/* Every so-manieth block of floats, begun from the given one. */
typedef struct worker {
    function_kind function;
    uint64_t stride, from, step;
    measures result;
    pthread_t thread;
} worker;

static void do_block(worker *w, uint64_t first, uint64_t end)
{
    float x[BLOCK], y[BLOCK], at_level[BLOCK];
    int n = 0;
    for (uint64_t bits = first; n < BLOCK && bits < end; bits += w->stride)
        x[n++] = float_from_bits((uint32_t)bits);
    el_kernels reference;
    el_kernels_c_f32(&reference);
    compute(&reference, w->function, y, x, n);
    for (int j = 0; j < n; ++j)
        measure(&w->result, x[j], y[j], exact(w->function, (double)x[j]));
    const int best = w->function == LOG ? EL_LEVEL_C : el_cpu_level();
    for (int level = EL_LEVEL_C + 1; level <= best; ++level) {
        compute(el_kernels_f32(level), w->function, at_level, x, n);
        compare(&w->result, level, x, at_level, y, n);
    }
}

static void *work(void *arg)
{
    worker *const w = arg;
    /* Of log, up to infinity and one NaN. */
    const uint64_t end = w->function == LOG ? 0x7f800002 : (uint64_t)1 << 32;
    const uint64_t block = BLOCK * w->stride;
    for (uint64_t first = w->from * block; first < end;
         first += w->step * block)
        do_block(w, first, end);
    return NULL;
}

static void worse(worst_error *a, const worst_error *b)
{
    if (b->ulp > a->ulp)
        *a = *b;
}

static void merge(measures *a, const measures *b)
{
    worse(&a->normal, &b->normal);
    worse(&a->denormal, &b->denormal);
    if (a->wrong == 0)
        a->first_wrong = b->first_wrong;
    a->wrong += b->wrong;
    for (int level = 0; level < EL_LEVEL_COUNT; ++level) {
        if (a->differ[level] == 0)
            a->first_different[level] = b->first_different[level];
        a->differ[level] += b->differ[level];
    }
}

static measures measure_all(function_kind function, uint32_t stride,
                            int threads)
{
    static worker workers[THREADS];
    threads = threads < THREADS ? threads : THREADS;
    bool started[THREADS];
    for (int i = 0; i < threads; ++i) {
        workers[i] = (worker){.function = function,
                              .stride = stride,
                              .from = (uint64_t)i,
                              .step = (uint64_t)threads};
        started[i] = i > 0 && pthread_create(&workers[i].thread, NULL, work,
                                             &workers[i]) == 0;
    }
    measures all = {.wrong = 0};
    for (int i = 0; i < threads; ++i) {
        if (started[i])
            pthread_join(workers[i].thread, NULL);
        else
            work(&workers[i]);
        merge(&all, &workers[i].result);
    }
    return all;
}

/* What is documented: no error of a normal result, and of a denormal one, is
 * larger.  Where exp(-x) overflows sigmoid gives 0; the truth is up to 2^-128
 * there. */
static const double bounds[KINDS][2] = {[EXP] = {1, 0.8},
                                        [TANH] = {2.5, 0},
                                        [SIGMOID] = {2.5, 0x1p21},
                                        [LOG] = {0.501, 0}};

static void print_line(function_kind function, const measures *r)
{
    printf("%-8s  %6.4f at %-15.9g  %12.4f at %-12.9g", names[function],
           r->normal.ulp, (double)r->normal.at, r->denormal.ulp,
           (double)r->denormal.at);
    for (int level = EL_LEVEL_C + 1; level <= (int)el_cpu_level(); ++level)
        if (function != LOG)
            printf("  %s %s", el_level_names[level],
                   r->differ[level] ? "DIFFERS" : "same");
    printf("\n");
    fflush(stdout);
}

static bool is_good(function_kind function, const measures *r)
{
    bool good = true;
    const char *const name = names[function];
    if (!(r->normal.ulp <= bounds[function][0] &&
          r->denormal.ulp <= bounds[function][1])) {
        printf("FAILED: %s: the errors are to be at most %g and %g ulp\n", name,
               bounds[function][0], bounds[function][1]);
        good = false;
    }
    if (r->wrong > 0) {
        printf("FAILED: %s: %" PRIu64 " results are wrong, that of %a first\n",
               name, r->wrong, (double)r->first_wrong);
        good = false;
    }
    for (int level = 0; level < EL_LEVEL_COUNT; ++level)
        if (r->differ[level] > 0) {
            printf("FAILED: %s: %s differs from the reference at %" PRIu64
                   " floats, %a first\n",
                   name, el_level_names[level], r->differ[level],
                   (double)r->first_different[level]);
            good = false;
        }
    return good;
}

bool every_report(uint32_t stride, int threads)
{
    bool good = true;
    printf("          largest error in ulp:\n"
           "function  normal results             denormal results and 0      "
           " bits beside the reference's\n");
    for (int f = 0; f < KINDS; ++f) {
        const function_kind function = (function_kind)f;
        const measures result = measure_all(function, stride, threads);
        print_line(function, &result);
        good = is_good(function, &result) && good;
    }
    printf("%s\n", good ? "passed" : "FAILED");
    return good;
}
