/* SPDX-License-Identifier: MIT */
/* bench.h - what the files of `elman bench` share. */
#ifndef BENCH_H
#define BENCH_H

#include <elman.h>

/* Numbers uniform in [-1, 1), to be freed; NULL without memory. */
void *bench_draw(elman_dtype dtype, int64_t count, uint64_t stream);
/* Sorts the numbers. */
double bench_median(double *numbers, int count);

/* The median of the runs' seconds, over some seconds; the first run only warms
 * up. */
int bench_time(int (*run)(void *arg), void *arg, double *median);

/* The length of a - b beside that of b. */
double bench_distance(const float *a, const float *b, int64_t count);
/* DONE where these errors of bfloat16 are as they should be. */
int bench_check(const char *name, const double errors[2]);

/* How a row is printed. */
typedef struct bench_print {
    int tsv;
    elman_dtype dtype;
    int threads;
    double ceiling; /* GFLOP/s */
} bench_print;

/* One row: the six columns, the bytes that the library takes in MiB, and more
 * numbers behind them. */
void bench_row(const bench_print *p, const char *name, double seconds,
               double flops, int64_t bytes, const double *more, int count);

/* The same with a word behind them. */
void bench_row_end(const bench_print *p, const char *name, double seconds,
                   double flops, int64_t bytes, const double *more, int count,
                   const char *word);

/* The workload `lengths`: what sequences of unequal lengths cost. */
int bench_lengths(elman_context *context, const bench_print *p);

/* A vocabulary of so many words. */
int bench_vocab(elman_context *context, int64_t size, elman_vocab **out);

/* The workload `long`: a gradient through one sequence of so many steps, within
 * so many bytes beyond the weights and the text; 0: without a budget. */
typedef struct bench_long_options {
    int64_t steps, memory;
    int64_t threads;
    const char *isa;
} bench_long_options;
int bench_long(const bench_print *p, const bench_long_options *o);

/* Whole updates of language models: all of them, or the one of that name.  The
 * names, in order; NULL after the last. */
int bench_lm(elman_context *context, const bench_print *p, const char *name);
const char *bench_lm_name(int index);

#endif
