/* SPDX-License-Identifier: MIT */
#include "golden.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void judge(golden *g, verdict v, const char *format, va_list args)
{
    if (g->verdict == GOLDEN_OK) {
        vsnprintf(g->why, sizeof g->why, format, args);
        g->verdict = v;
    }
}

bool golden_fail(golden *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    judge(g, GOLDEN_FAIL, format, args);
    va_end(args);
    return false;
}

bool golden_skip(golden *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    judge(g, GOLDEN_SKIP, format, args);
    va_end(args);
    return false;
}

bool golden_called(golden *g, const char *what, elman_status status)
{
    if (status == ELMAN_OK)
        return true;
    return golden_fail(g, "%s: %s", what, elman_message());
}

/* ---- Memory ---------------------------------------------------------------*/

struct room {
    struct room *next;
    void *memory;
};

void *golden_room(golden *g, int64_t count, size_t size)
{
    struct room *const room = malloc(sizeof *room);
    void *const memory = calloc(count > 0 ? (size_t)count : 1, size);
    if (!room || !memory) {
        free(room);
        free(memory);
        golden_fail(g, "memory ran out");
        return NULL;
    }
    *room = (struct room){g->rooms, memory};
    g->rooms = room;
    return memory;
}

void *golden_reals(golden *g, int64_t count)
{
    return golden_room(g, count, elman_dtype_size(g->dtype));
}

void golden_free(golden *g)
{
    while (g->rooms) {
        struct room *const next = g->rooms->next;
        free(g->rooms->memory);
        free(g->rooms);
        g->rooms = next;
    }
}

/* ---- Metadata -------------------------------------------------------------*/

bool golden_word(golden *g, const char *key, const char **out)
{
    *out = elman_tensors_meta(g->file, key);
    return *out ? true : golden_fail(g, "metadata has no %s", key);
}

bool golden_int(golden *g, const char *key, int64_t low, int64_t high,
                int64_t *out)
{
    const char *word;
    if (!golden_word(g, key, &word))
        return false;
    char *end;
    errno = 0;
    const long long value = strtoll(word, &end, 10);
    if (end == word || *end || errno || value < low || value > high)
        return golden_fail(g, "metadata: %s is %.40s (%lld to %lld)", key, word,
                           (long long)low, (long long)high);
    *out = value;
    return true;
}

bool golden_real(golden *g, const char *key, double *out)
{
    const char *const word = elman_tensors_meta(g->file, key);
    *out = 0;
    if (!word)
        return true;
    char *end;
    *out = strtod(word, &end);
    if (end == word || *end || !isfinite(*out))
        return golden_fail(g, "metadata: %s is %.40s (a number)", key, word);
    return true;
}

/* ---- Tensors --------------------------------------------------------------*/

bool golden_has(golden *g, const char *name)
{
    elman_tensor t;
    return elman_tensors_find(g->file, name, &t) == ELMAN_OK;
}

/* A single number may have any rank. */
static bool has_shape(const elman_tensor *t, int rank, const int64_t *shape)
{
    if (rank == 1 && shape[0] == 1 && t->count == 1)
        return true;
    if (t->rank != rank)
        return false;
    for (int i = 0; i < rank; ++i)
        if (t->shape[i] != shape[i])
            return false;
    return true;
}

static void write_shape(char *out, size_t size, int rank, const int64_t *shape)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < rank && n < size; ++i)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? "," : "",
                              (long long)shape[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static bool find(golden *g, const char *name, elman_dtype dtype, int rank,
                 const int64_t *shape, elman_tensor *out)
{
    static const char *const dtypes[] = {"F32", "F64", "I64"};
    if (elman_tensors_find(g->file, name, out) != ELMAN_OK)
        return golden_fail(g, "there is no tensor %s", name);
    if (out->dtype != dtype)
        return golden_fail(g, "%s is not %s", name, dtypes[dtype]);
    if (has_shape(out, rank, shape))
        return true;
    char is[128], should_be[128];
    write_shape(is, sizeof is, out->rank, out->shape);
    write_shape(should_be, sizeof should_be, rank, shape);
    return golden_fail(g, "%s has shape %s, not %s", name, is, should_be);
}

static bool find_real(golden *g, const char *name, int rank,
                      const int64_t *shape, elman_tensor *out)
{
    char whole[160];
    snprintf(whole, sizeof whole, "%s%s", name,
             g->dtype == ELMAN_F32 ? ".f32" : "");
    return find(g, whole, g->dtype, rank, shape, out);
}

const void *golden_input(golden *g, const char *name, int rank,
                         const int64_t *shape)
{
    elman_tensor t;
    return find_real(g, name, rank, shape, &t) ? t.data : NULL;
}

const int64_t *golden_integers(golden *g, const char *name, int rank,
                               const int64_t *shape, int64_t low, int64_t high)
{
    elman_tensor t;
    if (!find(g, name, ELMAN_I64, rank, shape, &t))
        return NULL;
    const int64_t *const x = t.data;
    for (int64_t i = 0; i < t.count; ++i)
        if (x[i] < low || x[i] > high) {
            golden_fail(g, "%s: element %lld is %lld (%lld to %lld)", name,
                        (long long)i, (long long)x[i], (long long)low,
                        (long long)high);
            return NULL;
        }
    return x;
}

int32_t *golden_ids(golden *g, const char *name, int rank, const int64_t *shape,
                    int64_t classes)
{
    const int64_t *const x =
        golden_integers(g, name, rank, shape, 0, classes - 1);
    int64_t count = 1;
    for (int i = 0; i < rank; ++i)
        count *= shape[i];
    int32_t *const ids = x ? golden_room(g, count, sizeof *ids) : NULL;
    for (int64_t i = 0; ids && i < count; ++i)
        ids[i] = (int32_t)x[i];
    return ids;
}

/* ---- Judging --------------------------------------------------------------*/

double golden_usual(const golden *g)
{
    return g->dtype == ELMAN_F64 ? 1e-10 : 1e-5;
}

static double element(elman_dtype dtype, const void *x, int64_t i)
{
    return dtype == ELMAN_F64 ? ((const double *)x)[i]
                              : (double)((const float *)x)[i];
}

/* 0 for the same infinity and for two NaN. */
static double difference(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    return fabs(a - b);
}

static bool note(golden *g, const char *name, double error, double tolerance,
                 bool absolute)
{
    const double share = error / tolerance;
    if (!(share <= g->worst[g->dtype].share)) {
        g->worst[g->dtype].share = share;
        g->worst[g->dtype].error = error;
        snprintf(g->worst[g->dtype].name, sizeof g->worst[g->dtype].name,
                 "%.60s", name);
    }
    if (share <= 1)
        return true;
    return golden_fail(g, "%s %s: error %.2e, tolerance %.0e%s",
                       g->dtype == ELMAN_F64 ? "f64" : "f32", name, error,
                       tolerance, absolute ? "" : " of the largest entry");
}

static bool judge_all(golden *g, const char *name, const elman_tensor *t,
                      elman_dtype dtype, const void *got, double tolerance,
                      bool absolute)
{
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < t->count; ++i) {
        const double expected = element(t->dtype, t->data, i);
        const double error = difference(element(dtype, got, i), expected);
        largest = isfinite(expected) ? fmax(largest, fabs(expected)) : largest;
        worst = isnan(error) ? INFINITY : fmax(worst, error);
    }
    absolute = absolute || largest == 0;
    return note(g, name, absolute ? worst : worst / largest, tolerance,
                absolute);
}

bool golden_close(golden *g, const char *name, int rank, const int64_t *shape,
                  const void *got, double tolerance)
{
    elman_tensor t;
    return find_real(g, name, rank, shape, &t) &&
           judge_all(g, name, &t, g->dtype, got, tolerance, false);
}

bool golden_close_doubles(golden *g, const char *name, int64_t count,
                          const double *got, double tolerance, bool absolute)
{
    elman_tensor t;
    return find_real(g, name, SHAPE(count), &t) &&
           judge_all(g, name, &t, ELMAN_F64, got, tolerance, absolute);
}

bool golden_same(golden *g, const char *what, const void *a, const void *b,
                 int64_t count)
{
    if (memcmp(a, b, (size_t)count * elman_dtype_size(g->dtype)) == 0)
        return true;
    return golden_fail(g, "%s %s has other bits",
                       g->dtype == ELMAN_F64 ? "f64" : "f32", what);
}
