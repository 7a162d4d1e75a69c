/* SPDX-License-Identifier: MIT */
/* bench.h - what the files of `elman bench` share. */
#ifndef BENCH_H
#define BENCH_H

#include <elman.h>

/* Numbers uniform in [-1, 1), to be freed; NULL without memory. */
void *bench_draw(elman_dtype dtype, int64_t count, uint64_t stream);
/* Sorts the numbers. */
double bench_median(double *numbers, int count);

/* How a row is printed. */
typedef struct bench_print {
    int tsv;
    elman_dtype dtype;
    int threads;
    double ceiling; /* GFLOP/s */
} bench_print;

/* One row: the six columns, and more numbers behind them. */
void bench_row(const bench_print *p, const char *name, double seconds,
               double flops, const double *more, int count);

/* The workload `lengths`: what sequences of unequal lengths cost. */
int bench_lengths(elman_context *context, const bench_print *p);

#endif
