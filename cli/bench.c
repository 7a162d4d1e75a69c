/* SPDX-License-Identifier: MIT */
/* bench.c - `elman bench`: how fast this machine runs the workloads.
 *
 *   S  one step a call, the state kept: what a live program does
 *   Q  a whole sequence, forward only
 *   T  forward and backward with gradients of inputs and weights, and the
 *      packing of the weights that follows an update
 *   lm-T  whole updates of language models: bench_lm.c
 *   lengths, long  bench_lengths.c, bench_long.c
 *
 * FLOPs are those of the matrix products, 2 B G H (I + H) a step, layer and
 * direction, G gates; three times that for training. */
#include "bench.h"
#include "cli.h"
#include "dtype.h"
#include "options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_options {
    const char *workload;
    bench_long_options shape; /* of `long`, and for all threads and isa */
    int dtype, tsv;
} bench_options;

#define AT(member) .offset = offsetof(bench_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_TEXT, 0, "workload", AT(workload), "NAME",
     .help = "only this one (default: all but `lengths` and `long`)"},
    {OPTION_INT, 0, "steps", AT(shape.steps), "N", .range = RANGE_FROM_1,
     .initial = "10000", .help = "of `long`: time steps"},
    {OPTION_BYTES, 0, "memory", AT(shape.memory), "BYTES", .initial = "0",
     .help = "of `long`: what it may take, such as 64M; 0: whatever it takes"},
    {OPTION_CHOICE, 0, "dtype", AT(dtype), .choices = DTYPE_CHOICES "|int8",
     .initial = "f32", .help = "arithmetic"},
    {OPTION_INT, 0, "threads", AT(shape.threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(shape.isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
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
    elman_cell cell;
    elman_activation activation;
    int64_t input, hidden;
    int layers, directions;
    int64_t batch, steps;
} workload;

#define TANH ELMAN_CELL_ELMAN, ELMAN_TANH
#define RELU ELMAN_CELL_ELMAN, ELMAN_RELU
#define LSTM ELMAN_CELL_LSTM, ELMAN_TANH
#define GRU ELMAN_CELL_GRU, ELMAN_TANH

static const workload workloads[] = {
    {"S1", STEP, TANH, 64, 256, 1, 1, 1, 1},
    {"S2", STEP, GRU, 64, 128, 1, 1, 1, 1},
    {"S3", STEP, LSTM, 128, 512, 2, 1, 1, 1},
    {"S4", STEP, LSTM, 1, 32, 1, 1, 1, 1},
    {"Q1", INFER, LSTM, 512, 512, 1, 1, 1, 100},
    {"Q2", INFER, LSTM, 650, 650, 2, 1, 20, 35},
    {"Q3", INFER, GRU, 1024, 1024, 1, 1, 64, 50},
    {"Q4", INFER, TANH, 512, 512, 1, 1, 32, 35},
    {"Q5", INFER, LSTM, 128, 256, 2, 2, 16, 100},
    {"T1", TRAIN, TANH, 28, 512, 1, 1, 32, 35},
    {"T2", TRAIN, LSTM, 65, 512, 2, 1, 50, 50},
    {"T3", TRAIN, LSTM, 650, 650, 2, 1, 20, 35},
    {"T4", TRAIN, GRU, 1024, 1024, 1, 1, 64, 50},
    {"T5", TRAIN, RELU, 20, 50, 2, 1, 32, 3},
    {"T6", TRAIN, LSTM, 256, 256, 1, 1, 64, 1000},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

enum { RUNS_MOST = 2000, RUNS_LEAST = 5, CALLS_A_RUN = 200 };
static const double seconds_a_workload = 3;

static const char lengths[] = "lengths", long_one[] = "long";

static double flops(const workload *w)
{
    const double B = (double)w->batch, H = (double)w->hidden;
    const double G = w->cell == ELMAN_CELL_LSTM  ? 4
                     : w->cell == ELMAN_CELL_GRU ? 3
                                                 : 1;
    const double first = (double)w->input + H;
    const double others = (w->directions * H + H) * (w->layers - 1);

    return 2 * B * G * H * (first + others) * w->directions * (double)w->steps *
           (w->purpose == TRAIN ? 3 : 1);
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
    int64_t bytes; /* that network, tape or state, and gradient take */
} bench;

/* Numbers uniform in [-1, 1). */
void *bench_draw(elman_dtype dtype, int64_t count, uint64_t stream)
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
    rnn.cell = w->cell;
    rnn.activation = w->activation;
    rnn.dtype = dtype;
    rnn.input = w->input;
    rnn.hidden = w->hidden;
    rnn.layers = w->layers;
    rnn.bidirectional = w->directions == 2;
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

    elman_memory memory = ELMAN_MEMORY;
    if (elman_rnn_memory(b->rnn, w->purpose == STEP ? NULL : &tape, &memory) !=
        ELMAN_OK)
        return complain_library();
    const int64_t parameters = elman_rnn_parameters(b->rnn);
    b->bytes = memory.total + (w->purpose == TRAIN ? memory.weights : 0);
    b->grad_bytes = (size_t)parameters * elman_dtype_size(dtype);
    const int64_t outputs = rows * w->hidden * w->directions;
    const int back = w->purpose == TRAIN;
    b->x = bench_draw(dtype, rows * w->input, 1);
    b->y = bench_draw(dtype, outputs, 2);
    b->dy = bench_draw(dtype, back ? outputs : 1, 3);
    b->dx = bench_draw(dtype, back ? rows * w->input : 1, 4);
    b->grad = bench_draw(dtype, back ? parameters : 1, 5);
    if (b->x == NULL || b->y == NULL || b->dy == NULL || b->dx == NULL ||
        b->grad == NULL)
        return complain("memory ran out");
    return DONE;
}

static int run_once(void *arg)
{
    bench *b = arg;
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

double bench_median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, by_size);
    return numbers[count / 2];
}

int bench_time(int (*run)(void *arg), void *arg, double *median)
{
    static double seconds[RUNS_MOST];
    int runs = 0;

    if (run(arg) != DONE)
        return FAILED;
    const double start = now_seconds();
    while (runs < RUNS_MOST) {
        const double begin = now_seconds();
        if (run(arg) != DONE)
            return FAILED;
        const double end = now_seconds();
        seconds[runs++] = end - begin;
        if (runs >= RUNS_LEAST && end - start >= seconds_a_workload)
            break;
    }
    *median = bench_median(seconds, runs);
    return DONE;
}

double bench_distance(const float *a, const float *b, int64_t count)
{
    double far = 0, all = 0;

    for (int64_t i = 0; i < count; i++) {
        const double off = (double)a[i] - (double)b[i];
        far += off * off;
        all += (double)b[i] * (double)b[i];
    }
    return all > 0 ? sqrt(far / all) : 0;
}

int bench_check(const char *name, const double errors[2])
{
    const double most = 0.1;

    if (errors[0] <= most && errors[1] <= most)
        return DONE;
    return complain("%s: its results are off by %g, and its gradient by %g, "
                    "beside float32's",
                    name, errors[0], errors[1]);
}

/* Errors of the first run beside float32's: of the outputs, and of the
 * gradient. */
static int bench_errors(bench *b, elman_context *context, double errors[2])
{
    const workload *w = b->w;
    const int64_t outputs = w->batch * w->steps * w->hidden * w->directions;
    bench full;
    int status = bench_make(&full, context, w, ELMAN_F32);

    if (status == DONE)
        status = run_once(&full);
    if (status == DONE)
        status = run_once(b);
    if (status == DONE) {
        errors[0] = bench_distance(b->y, full.y, outputs);
        errors[1] = w->purpose == TRAIN
                        ? bench_distance(b->grad, full.grad,
                                         elman_rnn_parameters(b->rnn))
                        : 0;
        status = bench_check(w->name, errors);
    }
    bench_free(&full);
    return status;
}

/* How many of them there are to print: only bfloat16 trains. */
static int error_count(elman_dtype dtype)
{
    return dtype == ELMAN_BF16 ? 2 : dtype == ELMAN_INT8 ? 1 : 0;
}

static void print_head(const bench_options *o, const elman_machine *m,
                       double ceiling)
{
    printf("# elman %s, %s, %s, %d threads\n", elman_version(), m->cpu, m->isa,
           m->threads);
    printf("# ceiling: %.1f GFLOP/s of float32 multiply-adds\n", ceiling);
    if (dtype_chosen(o->dtype) == ELMAN_BF16)
        printf("# products of bfloat16 by %s; behind the MiB the errors of the "
               "results (of lm-T, of the loss) and of the gradient beside "
               "float32's\n",
               m->bf16);
    if (dtype_chosen(o->dtype) == ELMAN_INT8)
        printf("# behind the MiB the error of the results beside float32's\n");
    printf(o->tsv ? "# %s\t%s\t%s\t%s\t%s\t%s\t%s\n"
                  : "# %-6s %-5s %7s %12s %9s %9s %9s\n",
           "name", "dtype", "threads", "median us", "GFLOP/s", "% ceiling",
           "MiB");
}

void bench_row_end(const bench_print *p, const char *name, double seconds,
                   double flops, int64_t bytes, const double *more, int count,
                   const char *word)
{
    const double gflops = flops / seconds / 1e9;

    printf(p->tsv ? "%s\t%s\t%d\t%.3f\t%.2f\t%.2f\t%.3f"
                  : "%-8s %-5s %7d %12.3f %9.2f %9.1f %9.2f",
           name, dtype_name(p->dtype), p->threads, seconds * 1e6, gflops,
           100 * gflops / p->ceiling, (double)bytes / 1048576);
    for (int i = 0; i < count; i++)
        printf(p->tsv ? "\t%.6g" : " %.6g", more[i]);
    if (word != NULL)
        printf(p->tsv ? "\t%s" : " %s", word);
    putchar('\n');
    fflush(stdout);
}

void bench_row(const bench_print *p, const char *name, double seconds,
               double flops, int64_t bytes, const double *more, int count)
{
    bench_row_end(p, name, seconds, flops, bytes, more, count, NULL);
}

static int bench_one(elman_context *context, const bench_options *o,
                     const workload *w, int threads, double ceiling)
{
    bench b;
    double median, errors[2];
    const elman_dtype dtype = dtype_chosen(o->dtype);
    int status = bench_make(&b, context, w, dtype);

    if (status == DONE && error_count(dtype) > 0)
        status = bench_errors(&b, context, errors);
    if (status == DONE)
        status = bench_time(run_once, &b, &median);
    if (status == DONE) {
        if (w->purpose == STEP)
            median /= CALLS_A_RUN;
        const bench_print p = {o->tsv, dtype, threads, ceiling};
        bench_row(&p, w->name, median, flops(w), b.bytes, errors,
                  error_count(dtype));
    }
    bench_free(&b);
    return status;
}

static int unknown_workload(const char *name)
{
    char names[256] = "";

    for (int i = 0; i < WORKLOADS; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s, ", workloads[i].name);
    }
    for (int i = 0; bench_lm_name(i) != NULL; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s, ", bench_lm_name(i));
    }
    strcat(names, lengths);
    strcat(names, ", ");
    strcat(names, long_one);
    return complain_usage("bench", "--workload '%s' is not known (there is %s)",
                          name, names);
}

/* Weights of a byte are for inference. */
static int can_run(const bench_options *o, purpose aim)
{
    return aim != TRAIN || dtype_chosen(o->dtype) != ELMAN_INT8;
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
        if (o->workload == NULL ? can_run(o, workloads[i].purpose)
                                : strcmp(o->workload, workloads[i].name) == 0)
            status =
                bench_one(context, o, &workloads[i], machine.threads, ceiling);
    const bench_print p = {o->tsv, dtype_chosen(o->dtype), machine.threads,
                           ceiling};
    if (status == DONE && can_run(o, TRAIN))
        status = bench_lm(context, &p, o->workload);
    if (status == DONE && o->workload != NULL &&
        strcmp(o->workload, lengths) == 0)
        status = bench_lengths(context, &p);
    if (status == DONE && o->workload != NULL &&
        strcmp(o->workload, long_one) == 0)
        status = bench_long(&p, &o->shape);
    return status;
}

/* Whether there is such a workload, and what it is for. */
static int is_known(const char *name, purpose *aim)
{
    *aim = TRAIN;
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(name, workloads[i].name) == 0) {
            *aim = workloads[i].purpose;
            return 1;
        }
    for (int i = 0; bench_lm_name(i) != NULL; i++)
        if (strcmp(name, bench_lm_name(i)) == 0)
            return 1;
    return strcmp(name, lengths) == 0 || strcmp(name, long_one) == 0;
}

int cmd_bench(int argc, char **argv)
{
    bench_options options = {0};
    arguments args;
    elman_context *context = NULL;
    int status = options_read(&bench_grammar, argc, argv, &options, &args);

    if (status != OPTIONS_READ)
        return status;
    purpose aim = STEP;
    if (options.workload != NULL && !is_known(options.workload, &aim))
        status = unknown_workload(options.workload);
    else if (!can_run(&options, aim))
        status = complain_usage("bench",
                                "--dtype int8 is for inference, and %s trains",
                                options.workload);
    else
        status =
            context_open(options.shape.threads, options.shape.isa, &context);
    if (status == DONE)
        status = bench_all(context, &options);
    elman_context_destroy(&context);
    arguments_free(&args);
    return status;
}
