/* SPDX-License-Identifier: MIT */
#include "every_float.h"
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

const char *const every_name[EVERY] = {"exp", "tanh", "sigmoid", "log"};

static double exact(enum every_function function, double x)
{
    switch (function) {
    case EVERY_EXP:
        return exp(x);
    case EVERY_TANH:
        return tanh(x);
    case EVERY_SIGMOID:
        return 1 / (1 + exp(-x));
    case EVERY_LOG:
    case EVERY:
        break;
    }
    return log(x);
}

static void compute(const el_kernels *table, enum every_function function,
                    float *y, const float *x, ptrdiff_t n)
{
    switch (function) {
    case EVERY_EXP:
        table->exp(y, x, n);
        break;
    case EVERY_TANH:
        table->tanh(y, x, n);
        break;
    case EVERY_SIGMOID:
        table->sigmoid(y, x, n);
        break;
    case EVERY_LOG:
    case EVERY:
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

static void note_wrong(every_result *r, float x)
{
    if (r->wrong++ == 0)
        r->first_wrong = x;
}

static void measure(every_result *r, float x, float y, double is)
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
    const double error = fabs(got - beyond) *
                         per_ulp(fabs(beyond) < 0x1p128 ? beyond : FLT_MAX);
    every_worst *const worst = fabs(is) < FLT_MIN ? &r->denormal : &r->normal;
    if (error > worst->ulp) {
        worst->ulp = error;
        worst->at = x;
    }
}

static void compare(every_result *r, int level, const float *x, const float *y,
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
    enum every_function function;
    uint64_t stride, from, step;
    every_result result;
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
    const int best = w->function == EVERY_LOG ? EL_LEVEL_C : el_cpu_level();
    for (int level = EL_LEVEL_C + 1; level <= best; ++level) {
        compute(el_kernels_f32(level), w->function, at_level, x, n);
        compare(&w->result, level, x, at_level, y, n);
    }
}

static void *work(void *arg)
{
    worker *const w = arg;
    /* Of log, up to infinity and one NaN. */
    const uint64_t end =
        w->function == EVERY_LOG ? 0x7f800002 : (uint64_t)1 << 32;
    const uint64_t block = BLOCK * w->stride;
    for (uint64_t first = w->from * block; first < end;
         first += w->step * block)
        do_block(w, first, end);
    return NULL;
}

static void worse(every_worst *a, const every_worst *b)
{
    if (b->ulp > a->ulp)
        *a = *b;
}

static void merge(every_result *a, const every_result *b)
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

every_result every_float(enum every_function function, uint32_t stride,
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
        started[i] =
            i > 0 && pthread_create(&workers[i].thread, NULL, work,
                                    &workers[i]) == 0;
    }
    every_result all = {.wrong = 0};
    for (int i = 0; i < threads; ++i) {
        if (started[i])
            pthread_join(workers[i].thread, NULL);
        else
            work(&workers[i]);
        merge(&all, &workers[i].result);
    }
    return all;
}

const every_worst every_bound[EVERY][2] = {{{0, 0}}};

void every_print(enum every_function function, const every_result *result)
{
    if (function == 0)
        printf("%-8s  %-31s  %-31s  %-12s  %s\n", "function",
               "largest error in ulp, normal", "denormal and 0", "wrong",
               "bits that differ from the reference's");
    printf("%-8s  %8.4f at %-19.10g  %8.6g at %-19.10g  %-12" PRIu64,
           every_name[function], result->normal.ulp, (double)result->normal.at,
           result->denormal.ulp, (double)result->denormal.at, result->wrong);
    for (int level = EL_LEVEL_C + 1; level <= (int)el_cpu_level(); ++level)
        if (function != EVERY_LOG)
            printf("  %s %" PRIu64, el_level_names[level],
                   result->differ[level]);
    printf("\n");
}

bool every_good(enum every_function function, const every_result *result)
{
    return function >= 0 && result->wrong == 0;
}
