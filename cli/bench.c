/* SPDX-License-Identifier: MIT */
/* bench.c - `elman bench`: how fast this machine runs the workloads.
 *
 *   S  one step a call, the state kept: what a live program does
 *   Q  a whole sequence, forward only
 *   T  forward and backward with gradients of inputs and weights, and the
 *      packing of the weights that follows an update
 *
 * FLOPs are those of the matrix products, 2 B H (I + H) a step and layer,
 * three times that for training. */
#include "cli.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

typedef struct bench_options {
    const char *workload, *isa;
    int64_t threads;
    int dtype, tsv;
} bench_options;

#define AT(member) .offset = offsetof(bench_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_TEXT, 0, "workload", AT(workload), "NAME",
     .help = "only this one (default: all)"},
    {OPTION_CHOICE, 0, "dtype", AT(dtype), .choices = "f32|f64",
     .later = "bf16", .initial = "f32", .help = "arithmetic"},
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2 or avx512 (default: ELMAN_ISA, or the best)"},
    {OPTION_FLAG, 0, "tsv", AT(tsv), .help = "tabs between the columns"},
};
/* clang-format on */

static const grammar bench_grammar = {
    .command = "bench",
    .operands = "",
    .summary = "Measures workloads against the ceiling: this machine's fused "
               "multiply-adds in\nfloat32, measured in the same run.",
    .example = "  elman bench --workload T1 --threads 1",
    GRAMMAR_OPTIONS(table),
    .least = 0,
    .most = 0,
};

typedef enum purpose { STEP, INFER, TRAIN } purpose;

typedef struct workload {
    const char *name;
    purpose purpose;
    elman_activation activation;
    int64_t input, hidden;
    int layers;
    int64_t batch, steps;
} workload;

static const workload workloads[] = {
    {"S1", STEP, ELMAN_TANH, 64, 256, 1, 1, 1},
    {"Q4", INFER, ELMAN_TANH, 512, 512, 1, 32, 35},
    {"T1", TRAIN, ELMAN_TANH, 28, 512, 1, 32, 35},
    {"T5", TRAIN, ELMAN_RELU, 20, 50, 2, 32, 3},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

enum { RUNS_MOST = 2000, RUNS_LEAST = 5, CALLS_A_RUN = 200 };
static const double seconds_a_workload = 3;

static double flops(const workload *w)
{
    const double B = (double)w->batch, H = (double)w->hidden;
    const double first = 2 * B * H * ((double)w->input + H);
    const double others = 2 * B * H * (H + H) * (w->layers - 1);

    return (first + others) * (double)w->steps * (w->purpose == TRAIN ? 3 : 1);
}

/* ---- One workload, ready to run ------------------------------------------*/

typedef struct bench {
    const workload *w;
    elman_dtype dtype;
    elman_rnn *rnn;
    elman_tape *tape;
    elman_state *state;
    void *x, *y, *dy, *dx, *grad;
    size_t grad_bytes;
} bench;

/* Numbers uniform in [-1, 1). */
static void *draw(elman_dtype dtype, int64_t count, uint64_t stream)
{
    void *block = malloc((size_t)count * elman_dtype_size(dtype));

    for (int64_t i = 0; block != NULL && i < count; i++) {
        const float u = elman_random_uniform(1, stream, (uint64_t)i);
        if (dtype == ELMAN_F64)
            ((double *)block)[i] = 2 * (double)u - 1;
        else
            ((float *)block)[i] = 2 * u - 1;
    }
    return block;
}

static void bench_free(bench *b)
{
    elman_tape_destroy(&b->tape);
    elman_state_destroy(&b->state);
    elman_rnn_destroy(&b->rnn);
    free(b->x);
    free(b->y);
    free(b->dy);
    free(b->dx);
    free(b->grad);
}

static int bench_make(bench *b, elman_context *context, const workload *w,
                      elman_dtype dtype)
{
    elman_rnn_desc rnn = ELMAN_RNN_DESC;
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    const int64_t rows = w->batch * w->steps;

    *b = (bench){.w = w, .dtype = dtype};
    rnn.activation = w->activation;
    rnn.dtype = dtype;
    rnn.input = w->input;
    rnn.hidden = w->hidden;
    rnn.layers = w->layers;
    rnn.inference_only = w->purpose != TRAIN;
    if (elman_rnn_create(context, &rnn, &b->rnn) != ELMAN_OK)
        return complain_library();
    elman_rnn_init(b->rnn, 1);

    tape.steps = w->steps;
    tape.batch = w->batch;
    tape.inference_only = w->purpose != TRAIN;
    if (w->purpose == STEP
            ? elman_state_create(b->rnn, w->batch, &b->state) != ELMAN_OK
            : elman_tape_create(b->rnn, &tape, &b->tape) != ELMAN_OK)
        return complain_library();

    const int64_t parameters = elman_rnn_parameters(b->rnn);
    b->grad_bytes = (size_t)parameters * elman_dtype_size(dtype);
    b->x = draw(dtype, rows * w->input, 1);
    b->y = draw(dtype, rows * w->hidden, 2);
    b->dy = draw(dtype, rows * w->hidden, 3);
    b->dx = draw(dtype, rows * w->input, 4);
    b->grad = draw(dtype, parameters, 5);
    if (b->x == NULL || b->y == NULL || b->dy == NULL || b->dx == NULL ||
        b->grad == NULL)
        return complain("memory ran out");
    return DONE;
}

static int run_once(bench *b)
{
    const workload *w = b->w;

    if (w->purpose == STEP) {
        for (int i = 0; i < CALLS_A_RUN; i++)
            if (elman_rnn_step(b->rnn, b->state, b->x, b->y) != ELMAN_OK)
                return complain_library();
        return DONE;
    }
    if (w->purpose == TRAIN) {
        elman_rnn_weights_begin(b->rnn);
        elman_rnn_weights_end(b->rnn);
        memset(b->grad, 0, b->grad_bytes);
    }
    if (elman_rnn_forward(b->rnn, b->tape, w->steps, w->batch, b->x, NULL, b->y,
                          NULL) != ELMAN_OK ||
        (w->purpose == TRAIN &&
         elman_rnn_backward(b->rnn, b->tape, b->dy, NULL, b->dx, NULL,
                            b->grad) != ELMAN_OK))
        return complain_library();
    return DONE;
}

/* ---- Measuring -----------------------------------------------------------*/

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of the runs' seconds; the first run only warms up. */
static int measure(bench *b, double *median)
{
    static double seconds[RUNS_MOST];
    int runs = 0;

    if (run_once(b) != DONE)
        return FAILED;
    const double start = now_seconds();
    while (runs < RUNS_MOST) {
        const double begin = now_seconds();
        if (run_once(b) != DONE)
            return FAILED;
        const double end = now_seconds();
        seconds[runs++] = end - begin;
        if (runs >= RUNS_LEAST && end - start >= seconds_a_workload)
            break;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_size);
    *median = seconds[runs / 2];
    if (b->w->purpose == STEP)
        *median /= CALLS_A_RUN;
    return DONE;
}

static void print_head(const bench_options *o, const elman_machine *m,
                       double ceiling)
{
    printf("# elman %s, %s, %s, %d threads\n", elman_version(), m->cpu, m->isa,
           m->threads);
    printf("# ceiling: %.1f GFLOP/s of float32 multiply-adds\n", ceiling);
    printf(o->tsv ? "# %s\t%s\t%s\t%s\t%s\t%s\n"
                  : "# %-6s %-5s %7s %12s %9s %9s\n",
           "name", "dtype", "threads", "median us", "GFLOP/s", "% ceiling");
}

static int bench_one(elman_context *context, const bench_options *o,
                     const workload *w, int threads, double ceiling)
{
    bench b;
    double median;
    int status = bench_make(&b, context, w, (elman_dtype)o->dtype);

    if (status == DONE)
        status = measure(&b, &median);
    if (status == DONE) {
        const double gflops = flops(w) / median / 1e9;
        printf(o->tsv ? "%s\t%s\t%d\t%.3f\t%.2f\t%.2f\n"
                      : "%-8s %-5s %7d %12.3f %9.2f %9.1f\n",
               w->name, o->dtype == ELMAN_F64 ? "f64" : "f32", threads,
               median * 1e6, gflops, 100 * gflops / ceiling);
        fflush(stdout);
    }
    bench_free(&b);
    return status;
}

static int unknown_workload(const char *name)
{
    char names[256] = "";

    for (int i = 0; i < WORKLOADS; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, i > 0 ? ", %s" : "%s",
                 workloads[i].name);
    }
    return complain_usage("bench", "--workload '%s' is not known (there is %s)",
                          name, names);
}

static int bench_all(elman_context *context, const bench_options *o)
{
    elman_machine machine = ELMAN_MACHINE;
    double ceiling;
    int status = DONE;

    elman_context_machine(context, &machine);
    if (elman_context_ceiling(context, 0.5, &ceiling) != ELMAN_OK)
        return complain_library();
    print_head(o, &machine, ceiling);
    for (int i = 0; i < WORKLOADS && status == DONE; i++)
        if (o->workload == NULL || strcmp(o->workload, workloads[i].name) == 0)
            status =
                bench_one(context, o, &workloads[i], machine.threads, ceiling);
    return status;
}

static int is_known(const char *name)
{
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(name, workloads[i].name) == 0)
            return 1;
    return 0;
}

int cmd_bench(int argc, char **argv)
{
    bench_options options = {0};
    arguments args;
    elman_context *context = NULL;
    int status = options_read(&bench_grammar, argc, argv, &options, &args);

    if (status != OPTIONS_READ)
        return status;
    if (options.workload != NULL && !is_known(options.workload))
        status = unknown_workload(options.workload);
    else
        status = context_open(options.threads, options.isa, &context);
    if (status == DONE)
        status = bench_all(context, &options);
    elman_context_destroy(&context);
    arguments_free(&args);
    return status;
}
