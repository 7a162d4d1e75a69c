/* SPDX-License-Identifier: MIT */
#include "expect.h"
#include "scratch.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <string.h>

void expect_status(const char *call, elman_status got, elman_status expected)
{
    if (got == expected)
        return;
    fail_trying("%s is %s, not %s (%s)", call, elman_status_name(got),
                elman_status_name(expected), got ? elman_message() : "-");
}

void expect_sentence(const char *call, const char *words)
{
    const char *const m = elman_message();
    const size_t n = strlen(m);
    if (n == 0 || m[n - 1] == '.' || isspace((unsigned char)m[n - 1]))
        fail_trying("%s: no sentence, or one that ends badly: \"%s\"", call, m);
    if (!strstr(m, words))
        fail_trying("%s: \"%s\" does not say \"%s\"", call, m, words);
}

double usual_tolerance(elman_dtype dtype)
{
    return dtype == ELMAN_F64 ? 1e-10 : 1e-5;
}

double expect_near(const char *what, elman_dtype dtype, const void *got,
                   const double *expected, int64_t count, double tolerance,
                   double scale)
{
    double largest = scale, worst = 0;
    int64_t where = 0;
    for (int64_t i = 0; i < count; ++i) {
        const double error = fabs(element(dtype, got, i) - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        if (!(error <= worst)) {
            worst = error;
            where = i;
            if (isnan(error))
                break;
        }
    }
    /* Below FLT_MIN float32 underflows gradually. */
    double limit = tolerance * (largest > 0 ? largest : 1);
    if (dtype == ELMAN_F32)
        limit = fmax(limit, (double)FLT_MIN);
    if (!(worst <= limit))
        fail_trying("%s, %s: element %lld is %.17g, not %.17g (off by %.3g, "
                    "at most %.3g)",
                    what, dtype == ELMAN_F64 ? "f64" : "f32", (long long)where,
                    element(dtype, got, where), expected[where], worst, limit);
    return largest > 0 ? worst / largest : worst;
}

double expect_close(const char *what, elman_dtype dtype, const void *got,
                    const double *expected, int64_t count, double tolerance)
{
    return expect_near(what, dtype, got, expected, count, tolerance, 0);
}

void expect_same(const char *what, elman_dtype dtype, const void *got,
                 const void *expected, int64_t count)
{
    const size_t size = elman_dtype_size(dtype);
    if (count == 0 || memcmp(got, expected, (size_t)count * size) == 0)
        return;
    for (int64_t i = 0; i < count; ++i) {
        const char *const g = (const char *)got + (size_t)i * size;
        const char *const e = (const char *)expected + (size_t)i * size;
        if (memcmp(g, e, size) != 0)
            fail_trying("%s, %s: element %lld is %a, not %a", what,
                        dtype == ELMAN_F64 ? "f64" : "f32", (long long)i,
                        element(dtype, got, i), element(dtype, expected, i));
    }
}
