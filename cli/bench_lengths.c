/* SPDX-License-Identifier: MIT */
/* bench_lengths.c - `elman bench --workload lengths`: an LSTM 256 to 256 over
 * 32 sequences whose lengths are drawn evenly from 1 to 4,000.
 *
 *   lengths-forward, lengths-training
 *       columns after the seventh: microseconds with all lengths 4,000, the
 * ratio of the two times, and the sum of the lengths as a share of 32 * 4,000
 *   lengths-equal-forward, lengths-equal-training
 *       400 steps, all lengths 400: the ratio of the time with `lengths` to
 *       that without
 *
 * The two sides of a ratio run in turn; it is the median of the pairs'. */
#include "bench.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE = 256, BATCH = 32, LONG = 4000, SHORT = 400 };

typedef struct bed {
    elman_rnn *rnn;
    elman_tape *tape;
    int64_t steps;
    int64_t bytes; /* that the library takes */
    int training;
    void *x, *y, *dy, *dx, *grad;
} bed;

static void bed_free(bed *b)
{
    elman_tape_destroy(&b->tape);
    elman_rnn_destroy(&b->rnn);
    free(b->x);
    free(b->y);
    free(b->dy);
    free(b->dx);
    free(b->grad);
}

static int bed_make(bed *b, elman_context *context, elman_dtype dtype,
                    int64_t steps, int training)
{
    elman_rnn_desc rnn = ELMAN_RNN_DESC;
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    const int64_t count = steps * BATCH * SIZE;

    *b = (bed){.steps = steps, .training = training};
    rnn.cell = ELMAN_CELL_LSTM;
    rnn.dtype = dtype;
    rnn.input = rnn.hidden = SIZE;
    tape.steps = steps;
    tape.batch = BATCH;
    tape.inference_only = !training;
    if (elman_rnn_create(context, &rnn, &b->rnn) != ELMAN_OK)
        return complain_library();
    elman_rnn_init(b->rnn, 1);
    if (elman_tape_create(b->rnn, &tape, &b->tape) != ELMAN_OK)
        return complain_library();
    elman_memory memory = ELMAN_MEMORY;
    if (elman_rnn_memory(b->rnn, &tape, &memory) != ELMAN_OK)
        return complain_library();
    b->bytes = memory.total + (training ? memory.weights : 0);
    b->x = bench_draw(dtype, count, 1);
    b->y = bench_draw(dtype, count, 2);
    b->dy = bench_draw(dtype, training ? count : 1, 3);
    b->dx = bench_draw(dtype, training ? count : 1, 4);
    b->grad = bench_draw(dtype, elman_rnn_parameters(b->rnn), 5);
    if (b->x == NULL || b->y == NULL || b->dy == NULL || b->dx == NULL ||
        b->grad == NULL)
        return complain("memory ran out");
    return DONE;
}

static int run(bed *b, const int64_t *lengths, double *seconds)
{
    elman_sequences s = ELMAN_SEQUENCES;
    elman_gradients g = ELMAN_GRADIENTS;
    const double begin = now_seconds();

    s.steps = b->steps;
    s.batch = BATCH;
    s.lengths = lengths;
    s.x = b->x;
    s.y = b->y;
    g.dy = b->dy;
    g.dx = b->dx;
    g.grad = b->grad;
    if (elman_rnn_run(b->rnn, b->tape, &s) != ELMAN_OK ||
        (b->training && elman_rnn_run_back(b->rnn, b->tape, &g) != ELMAN_OK))
        return complain_library();
    *seconds = now_seconds() - begin;
    return DONE;
}

typedef struct pair {
    double one, other, ratio; /* medians; the ratio of each pair's times */
} pair;

/* Runs with both in turn, for about so many seconds. */
static int measure(bed *b, const int64_t *one, const int64_t *other,
                   double limit, pair *out)
{
    enum { MOST = 100, LEAST = 3 };
    double ones[MOST], others[MOST], ratios[MOST], ignored;
    int runs = 0;

    /* Once to touch the memory. */
    if (run(b, other, &ignored) != DONE)
        return FAILED;
    const double start = now_seconds();
    while (runs < MOST && (runs < LEAST || now_seconds() - start < limit)) {
        if (run(b, one, &ones[runs]) != DONE ||
            run(b, other, &others[runs]) != DONE)
            return FAILED;
        ratios[runs] = ones[runs] / others[runs];
        runs++;
    }
    out->one = bench_median(ones, runs);
    out->other = bench_median(others, runs);
    out->ratio = bench_median(ratios, runs);
    return DONE;
}

static double flops(double rows, int training)
{
    return 2 * rows * 4 * SIZE * (SIZE + SIZE) * (training ? 3 : 1);
}

static int unequal(elman_context *context, const bench_print *p, int training)
{
    int64_t lengths[BATCH];
    double sum = 0;
    pair times;
    bed b;

    for (int i = 0; i < BATCH; i++) {
        const float u = elman_random_uniform(1, 6, (uint64_t)i);
        lengths[i] = 1 + (int64_t)(u * LONG);
        sum += (double)lengths[i];
    }
    int status = bed_make(&b, context, p->dtype, LONG, training);
    if (status == DONE)
        status = measure(&b, lengths, NULL, 3, &times);
    if (status == DONE) {
        const double more[] = {times.other * 1e6, times.ratio,
                               sum / (BATCH * LONG)};
        bench_row(p, training ? "lengths-training" : "lengths-forward",
                  times.one, flops(sum, training), b.bytes, more, 3);
    }
    bed_free(&b);
    return status;
}

static int equal(elman_context *context, const bench_print *p, int training)
{
    int64_t lengths[BATCH];
    pair times;
    bed b;

    for (int i = 0; i < BATCH; i++)
        lengths[i] = SHORT;
    int status = bed_make(&b, context, p->dtype, SHORT, training);
    if (status == DONE)
        status = measure(&b, lengths, NULL, 4, &times);
    if (status == DONE)
        bench_row(p,
                  training ? "lengths-equal-training" : "lengths-equal-forward",
                  times.one, flops((double)BATCH * SHORT, training), b.bytes,
                  &times.ratio, 1);
    bed_free(&b);
    return status;
}

int bench_lengths(elman_context *context, const bench_print *p)
{
    int status = DONE;

    for (int training = 0; training < 2 && status == DONE; training++)
        status = unequal(context, p, training);
    for (int training = 0; training < 2 && status == DONE; training++)
        status = equal(context, p, training);
    return status;
}
