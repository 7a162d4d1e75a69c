/* SPDX-License-Identifier: MIT */
/* onednn_peer.c - the workloads of `elman bench` on oneDNN 2.x, by its C API.
 *
 *     onednn_peer [--threads N] [--dtype f32|bf16]
 *
 * Says what it is, then reads rows of workloads.tsv and answers each with one
 * line: the median microseconds of half a second of runs (at least 3), or why
 * there are none.  Before a workload's first answer its output is compared with
 * a plain loop over the same weights, and gradients of float32 with differences
 * of the output.
 *
 * Layers of equal sizes are one primitive, others a chain of them.  The library
 * chooses the layout of the weights (format_tag_any).  Inference puts them into
 * it once, before the clock starts.  Training does it in every run, since an
 * update would have changed them, and clears the gradients, which oneDNN adds
 * to; all that is counted.  An update would work on gradients as they are: they
 * are not put back into any other layout.  In bf16 the network's input is bf16
 * already, and training keeps weights and gradients of float32. */
#define _POSIX_C_SOURCE 200809L

#include <dnnl.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTS = 4, CALLS_A_RUN = 200, STEPS_CHECKED = 3, GATES_MOST = 4 };
enum { RUNS_MOST = 4096, RUNS_LEAST = 3 };
static const double seconds_a_workload = 0.5;

typedef enum cell { TANH, RELU, GRU, LSTM, CELLS } cell;
static const char *const cell_names[] = {"tanh", "relu", "gru", "lstm"};
static const int64_t gates_of[] = {1, 1, 3, 4}, biases_of[] = {1, 1, 4, 4};

typedef enum purpose { STEP, INFER, TRAIN, PURPOSES } purpose;
static const char *const purpose_names[] = {"step", "infer", "train"};

typedef struct workload {
    char name[16];
    int cell, purpose;
    int64_t input, hidden, layers, directions, batch, steps;
} workload;

/* What a primitive reads and writes.  Names as in elman's equations: W for the
 * input, U for the state. */
enum { X, H0, C0, W, U, BIAS, Y, H1, C1, TENSORS };
static const int argument[TENSORS] = {
    DNNL_ARG_SRC_LAYER,     DNNL_ARG_SRC_ITER,     DNNL_ARG_SRC_ITER_C,
    DNNL_ARG_WEIGHTS_LAYER, DNNL_ARG_WEIGHTS_ITER, DNNL_ARG_BIAS,
    DNNL_ARG_DST_LAYER,     DNNL_ARG_DST_ITER,     DNNL_ARG_DST_ITER_C};
enum { DIFF = DNNL_ARG_DIFF_SRC_LAYER - DNNL_ARG_SRC_LAYER };

typedef struct arguments {
    dnnl_exec_arg_t list[3 * TENSORS];
    int count;
} arguments;

typedef struct copy {
    dnnl_primitive_t primitive;
    arguments args;
} copy;

/* Layers that one primitive runs. */
typedef struct part {
    int64_t layers, input;
    dnnl_memory_t plain[TENSORS]; /* float32 in the obvious layout */
    dnnl_memory_t forward[TENSORS], backward[TENSORS], diff[TENSORS];
    dnnl_primitive_t run, run_back;
    arguments args[2], back_args; /* a step's states change places */
    copy packing[4], feeding;
    int packings;
} part;

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_data_type_t dtype = dnnl_f32;
static workload w;
static part parts[PARTS];
static int part_count;
static uint64_t turn; /* of a step */

/* ---- What the library hands out ------------------------------------------*/

static dnnl_memory_t memories[256];
static dnnl_primitive_t primitives[64];
static int memory_count, primitive_count;

static void give_up(const char *what)
{
    printf("error: %s\n", what);
    exit(EXIT_FAILURE);
}

static void must(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success)
        give_up(what);
}

static void forget_workload(void)
{
    while (memory_count > 0)
        dnnl_memory_destroy(memories[--memory_count]);
    while (primitive_count > 0)
        dnnl_primitive_destroy(primitives[--primitive_count]);
    memset(parts, 0, sizeof parts);
    part_count = 0;
    w = (workload){0};
}

static dnnl_memory_t new_memory(const dnnl_memory_desc_t *d)
{
    dnnl_memory_t m;

    if (memory_count == (int)(sizeof memories / sizeof *memories))
        give_up("too many memories");
    must(dnnl_memory_create(&m, d, engine, DNNL_MEMORY_ALLOCATE), "memory");
    return memories[memory_count++] = m;
}

/* Takes the description over. */
static dnnl_primitive_t new_primitive(dnnl_primitive_desc_t d)
{
    dnnl_primitive_t p;

    if (primitive_count == (int)(sizeof primitives / sizeof *primitives))
        give_up("too many primitives");
    must(dnnl_primitive_create(&p, d), "a primitive");
    dnnl_primitive_desc_destroy(d);
    return primitives[primitive_count++] = p;
}

static const dnnl_memory_desc_t *desc_of(dnnl_memory_t m)
{
    const dnnl_memory_desc_t *d;

    must(dnnl_memory_get_memory_desc(m, &d), "the description of memory");
    return d;
}

static float *data_of(dnnl_memory_t m)
{
    void *data;

    must(dnnl_memory_get_data_handle(m, &data), "the data of memory");
    return data;
}

static int64_t count_of(dnnl_memory_t m)
{
    const dnnl_memory_desc_t *d = desc_of(m);
    int64_t count = 1;

    for (int i = 0; i < d->ndims; i++)
        count *= d->dims[i];
    return count;
}

static void clear(dnnl_memory_t m)
{
    memset(data_of(m), 0, dnnl_memory_desc_get_size(desc_of(m)));
}

static void add_argument(arguments *a, int which, dnnl_memory_t m)
{
    if (m != NULL)
        a->list[a->count++] = (dnnl_exec_arg_t){which, m};
}

static void execute(dnnl_primitive_t p, const arguments *a)
{
    must(dnnl_primitive_execute(p, stream, a->count, a->list), "execution");
}

static copy new_copy(dnnl_memory_t from, dnnl_memory_t to)
{
    dnnl_primitive_desc_t d;
    copy c = {0};

    must(dnnl_reorder_primitive_desc_create(&d, desc_of(from), engine,
                                            desc_of(to), engine, NULL),
         "a copy");
    c.primitive = new_primitive(d);
    add_argument(&c.args, DNNL_ARG_FROM, from);
    add_argument(&c.args, DNNL_ARG_TO, to);
    return c;
}

/* ---- Primitives ----------------------------------------------------------*/

static dnnl_memory_desc_t describe(int ndims, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;

    must(dnnl_memory_desc_init_by_tag(&d, ndims, dims, type, tag), "a layout");
    return d;
}

/* The tensors of a part; those that are not used stay empty. */
static void describe_all(const part *p, dnnl_data_type_t type, int any,
                         dnnl_memory_desc_t *d /* [TENSORS] */)
{
    const int64_t L = p->layers, D = w.directions, B = w.batch, T = w.steps,
                  I = p->input, H = w.hidden, G = gates_of[w.cell];
    const dnnl_dims_t x = {T, B, I}, y = {T, B, D * H}, h = {L, D, B, H},
                      b = {L, D, biases_of[w.cell], H};
    const dnnl_dims_t weights[] = {{L, D, I, G, H}, {L, D, H, G, H}};
    const dnnl_format_tag_t tag = any ? dnnl_format_tag_any : dnnl_ldigo;

    memset(d, 0, TENSORS * sizeof *d);
    d[X] = describe(3, x, type, dnnl_tnc);
    d[Y] = describe(3, y, type, dnnl_tnc);
    d[W] = describe(5, weights[0], type, tag);
    d[U] = describe(5, weights[1], type, tag);
    d[BIAS] = describe(4, b, dnnl_f32, dnnl_ldgo);
    if (w.purpose != INFER)
        d[H0] = describe(4, h, type, dnnl_ldnc);
    if (w.purpose != INFER && w.cell == LSTM)
        d[C0] = describe(4, h, dnnl_f32, dnnl_ldnc);
    if (w.purpose == STEP) {
        d[H1] = d[H0];
        d[C1] = d[C0];
    }
}

static dnnl_rnn_direction_t direction(void)
{
    return w.directions == 2 ? dnnl_bidirectional_concat
                             : dnnl_unidirectional_left2right;
}

static dnnl_status_t forward_desc(const dnnl_memory_desc_t *d,
                                  dnnl_rnn_desc_t *out)
{
    const dnnl_prop_kind_t kind =
        w.purpose == TRAIN ? dnnl_forward_training : dnnl_forward_inference;

    if (w.cell == LSTM)
        return dnnl_lstm_forward_desc_init(out, kind, direction(), &d[X],
                                           &d[H0], &d[C0], &d[W], &d[U],
                                           &d[BIAS], &d[Y], &d[H1], &d[C1], 0);
    if (w.cell == GRU)
        return dnnl_lbr_gru_forward_desc_init(out, kind, direction(), &d[X],
                                              &d[H0], &d[W], &d[U], &d[BIAS],
                                              &d[Y], &d[H1], 0);
    return dnnl_vanilla_rnn_forward_desc_init(
        out, kind, w.cell == RELU ? dnnl_eltwise_relu : dnnl_eltwise_tanh,
        direction(), &d[X], &d[H0], &d[W], &d[U], &d[BIAS], &d[Y], &d[H1], 0, 0,
        0);
}

static dnnl_status_t backward_desc(const dnnl_memory_desc_t *d,
                                   const dnnl_memory_desc_t *g,
                                   dnnl_rnn_desc_t *out)
{
    if (w.cell == LSTM)
        return dnnl_lstm_backward_desc_init(
            out, dnnl_backward, direction(), &d[X], &d[H0], &d[C0], &d[W],
            &d[U], &d[BIAS], &d[Y], &d[H1], &d[C1], &g[X], &g[H0], &g[C0],
            &g[W], &g[U], &g[BIAS], &g[Y], &g[H1], &g[C1], 0);
    if (w.cell == GRU)
        return dnnl_lbr_gru_backward_desc_init(
            out, dnnl_backward, direction(), &d[X], &d[H0], &d[W], &d[U],
            &d[BIAS], &d[Y], &d[H1], &g[X], &g[H0], &g[W], &g[U], &g[BIAS],
            &g[Y], &g[H1], 0);
    return dnnl_vanilla_rnn_backward_desc_init(
        out, dnnl_backward,
        w.cell == RELU ? dnnl_eltwise_relu : dnnl_eltwise_tanh, direction(),
        &d[X], &d[H0], &d[W], &d[U], &d[BIAS], &d[Y], &d[H1], &g[X], &g[H0],
        &g[W], &g[U], &g[BIAS], &g[Y], &g[H1], 0, 0, 0);
}

/* Memory as the primitive wants its argument, or NULL if it wants none. */
static dnnl_memory_t wanted(const_dnnl_primitive_desc_t d, int which)
{
    const dnnl_memory_desc_t *m =
        dnnl_primitive_desc_query_md(d, dnnl_query_exec_arg_md, which);

    return m == NULL || m->ndims == 0 ? NULL : new_memory(m);
}

/* The plain memory itself where the primitive takes it as it is. */
static dnnl_memory_t adopt(dnnl_memory_t plain, const_dnnl_primitive_desc_t d,
                           int which, copy *copies, int *count)
{
    const dnnl_memory_desc_t *m =
        dnnl_primitive_desc_query_md(d, dnnl_query_exec_arg_md, which);

    if (dnnl_memory_desc_equal(m, desc_of(plain)))
        return plain;
    const dnnl_memory_t own = new_memory(m);
    copies[(*count)++] = new_copy(plain, own);
    return own;
}

static void make_forward(part *p, const part *below, dnnl_primitive_desc_t d)
{
    int feedings = 0;

    for (int i = 0; i < TENSORS; i++)
        if (i == W || i == U)
            p->forward[i] =
                adopt(p->plain[i], d, argument[i], p->packing, &p->packings);
        else if (i == BIAS)
            p->forward[i] = p->plain[i];
        else if (i == X && below != NULL)
            p->forward[i] = below->forward[Y];
        else if (i == X)
            p->forward[i] =
                adopt(p->plain[i], d, argument[i], &p->feeding, &feedings);
        else
            p->forward[i] = wanted(d, argument[i]);
    for (int i = 0; i < TENSORS; i++) {
        const int other = i == H0   ? H1
                          : i == H1 ? H0
                          : i == C0 ? C1
                          : i == C1 ? C0
                                    : i;
        add_argument(&p->args[0], argument[i], p->forward[i]);
        add_argument(&p->args[1], argument[i], p->forward[other]);
        if ((i == H0 || i == C0) && p->forward[i] != NULL)
            clear(p->forward[i]);
    }
}

static void make_backward(part *p, const part *below, dnnl_primitive_desc_t d,
                          dnnl_memory_t workspace)
{
    for (int i = 0; i < TENSORS; i++) {
        p->backward[i] = i == W || i == U ? adopt(p->plain[i], d, argument[i],
                                                  p->packing, &p->packings)
                                          : p->forward[i];
        p->diff[i] = i == X && below != NULL ? below->diff[Y]
                                             : wanted(d, argument[i] + DIFF);
        add_argument(&p->back_args, argument[i], p->backward[i]);
        add_argument(&p->back_args, argument[i] + DIFF, p->diff[i]);
    }
    add_argument(&p->args[0], DNNL_ARG_WORKSPACE, workspace);
    add_argument(&p->back_args, DNNL_ARG_WORKSPACE, workspace);
}

/* 0 where the library has no such primitive. */
static int make_part(part *p, const part *below)
{
    dnnl_memory_desc_t plain[TENSORS], data[TENSORS], diff[TENSORS];
    dnnl_primitive_desc_t forward, backward;
    dnnl_rnn_desc_t rnn;

    describe_all(p, dnnl_f32, 0, plain);
    describe_all(p, dtype, 1, data);
    describe_all(p, dnnl_f32, 1, diff);
    for (int i = 0; i < TENSORS; i++)
        if (i == W || i == U || i == BIAS || (i == X && below == NULL))
            p->plain[i] = new_memory(&plain[i]);

    if (forward_desc(data, &rnn) != dnnl_success ||
        dnnl_primitive_desc_create(&forward, &rnn, NULL, engine, NULL) !=
            dnnl_success)
        return 0;
    make_forward(p, below, forward);
    if (w.purpose == TRAIN) {
        if (backward_desc(data, diff, &rnn) != dnnl_success ||
            dnnl_primitive_desc_create(&backward, &rnn, NULL, engine,
                                       forward) != dnnl_success) {
            dnnl_primitive_desc_destroy(forward);
            return 0;
        }
        make_backward(p, below, backward, wanted(forward, DNNL_ARG_WORKSPACE));
        p->run_back = new_primitive(backward);
    }
    p->run = new_primitive(forward);
    return 1;
}

static float draw(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) * 0x1p-23f - 1;
}

static void fill(dnnl_memory_t m, float bound)
{
    for (int64_t i = 0; i < count_of(m); i++)
        data_of(m)[i] = bound * draw();
}

static void feed(void)
{
    if (parts[0].feeding.primitive != NULL)
        execute(parts[0].feeding.primitive, &parts[0].feeding.args);
}

static void pack(const part *p)
{
    for (int i = 0; i < p->packings; i++)
        execute(p->packing[i].primitive, &p->packing[i].args);
}

static int make_workload(void)
{
    const float bound = 1 / sqrtf((float)w.hidden);
    int64_t input = w.input;

    for (int64_t done = 0; done < w.layers;) {
        part *p = &parts[part_count];
        const int one = input == w.hidden && w.directions == 1;

        if (part_count == PARTS)
            give_up("too many layers");
        p->layers = one ? w.layers - done : 1;
        p->input = input;
        if (!make_part(p, part_count > 0 ? p - 1 : NULL))
            return 0;
        fill(p->plain[W], bound);
        fill(p->plain[U], bound);
        fill(p->plain[BIAS], bound);
        pack(p);
        done += p->layers;
        input = w.directions * w.hidden;
        part_count++;
    }
    fill(parts[0].plain[X], 1);
    if (w.purpose == TRAIN)
        fill(parts[part_count - 1].diff[Y], 1);
    feed();
    turn = 0;
    return 1;
}

/* ---- Running -------------------------------------------------------------*/

static void forward(void)
{
    for (int i = 0; i < part_count; i++)
        execute(parts[i].run, &parts[i].args[turn & 1]);
    turn += w.purpose == STEP;
}

static void prepare(const part *p)
{
    pack(p);
    clear(p->diff[W]);
    clear(p->diff[U]);
    clear(p->diff[BIAS]);
}

static void run_once(void)
{
    const int calls = w.purpose == STEP ? CALLS_A_RUN : 1;

    for (int i = 0; i < part_count && w.purpose == TRAIN; i++)
        prepare(&parts[i]);
    for (int i = 0; i < calls; i++)
        forward();
    for (int i = part_count - 1; i >= 0 && w.purpose == TRAIN; i--)
        execute(parts[i].run_back, &parts[i].back_args);
    dnnl_stream_wait(stream);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure(void)
{
    static double seconds[RUNS_MOST];
    int runs = 0;

    run_once();
    for (const double start = now();
         runs < RUNS_LEAST ||
         (runs < RUNS_MOST && now() - start < seconds_a_workload);
         runs++) {
        const double begin = now();
        run_once();
        seconds[runs] = now() - begin;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_size);
    return seconds[runs / 2] / (w.purpose == STEP ? CALLS_A_RUN : 1);
}

/* ---- Is it the same work? ------------------------------------------------*/

static void *need(size_t count, size_t size)
{
    void *block = calloc(count, size);

    if (block == NULL)
        give_up("memory ran out");
    return block;
}

/* Any memory as float32 in the obvious layout, to be freed. */
static float *read_plain(dnnl_memory_t m, const dnnl_memory_desc_t *plain)
{
    const dnnl_memory_t to = new_memory(plain);
    const copy c = new_copy(m, to);
    const size_t bytes = dnnl_memory_desc_get_size(plain);
    float *out = need(1, bytes);

    execute(c.primitive, &c.args);
    dnnl_stream_wait(stream);
    memcpy(out, data_of(to), bytes);
    dnnl_primitive_destroy(primitives[--primitive_count]);
    dnnl_memory_destroy(memories[--memory_count]);
    return out;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One step of one sequence: a = W x, r = U h, b the bias, each [gates,H] in
 * oneDNN's order of the gates. */
static void plain_gates(const double *a, const double *r, const float *b,
                        double *h, double *c)
{
    const int64_t H = w.hidden;

    for (int64_t j = 0; j < H; j++) {
        double g[GATES_MOST];
        for (int64_t k = 0; k < gates_of[w.cell]; k++)
            g[k] = a[k * H + j] + r[k * H + j] + b[k * H + j];
        if (w.cell == TANH) {
            h[j] = tanh(g[0]);
        } else if (w.cell == RELU) {
            h[j] = g[0] > 0 ? g[0] : 0;
        } else if (w.cell == GRU) {
            const double u = sigmoid(g[0]), reset = sigmoid(g[1]);
            const double o = tanh(a[2 * H + j] + b[2 * H + j] +
                                  reset * (r[2 * H + j] + b[3 * H + j]));
            h[j] = u * h[j] + (1 - u) * o;
        } else {
            c[j] = sigmoid(g[1]) * c[j] + sigmoid(g[0]) * tanh(g[2]);
            h[j] = sigmoid(g[3]) * tanh(c[j]);
        }
    }
}

static void plain_product(const float *weights /* [rows,columns] */,
                          const double *x, int64_t rows, int64_t columns,
                          double *out)
{
    memset(out, 0, (size_t)columns * sizeof *out);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[j] += (double)weights[i * columns + j] * x[i];
}

/* One layer and direction of a part: x[T,I] to its columns of y[T,D*H]. */
static void plain_layer(const part *p, int64_t which, int64_t steps,
                        const double *x, double *y)
{
    const int64_t H = w.hidden, D = w.directions, I = p->input;
    const int64_t columns = gates_of[w.cell] * H, back = which % D;
    const float *weights = data_of(p->plain[W]) + which * I * columns;
    const float *recurrent = data_of(p->plain[U]) + which * H * columns;
    const float *bias = data_of(p->plain[BIAS]) + which * biases_of[w.cell] * H;
    double *a = need((size_t)(2 * columns + 2 * H), sizeof *a);
    double *r = a + columns, *h = r + columns, *c = h + H;

    for (int64_t step = 0; step < steps; step++) {
        const int64_t t = back ? steps - 1 - step : step;
        plain_product(weights, x + t * I, I, columns, a);
        plain_product(recurrent, h, H, columns, r);
        plain_gates(a, r, bias, h, c);
        memcpy(y + t * D * H + back * H, h, (size_t)H * sizeof *h);
    }
    free(a);
}

/* The last sequence of the batch through all layers: [steps,D*H], to be freed.
 * Its input is the same in all steps of a workload of one step. */
static double *plain_network(int64_t steps)
{
    const int64_t I = w.input, width = w.directions * w.hidden;
    const float *from = data_of(parts[0].plain[X]) + (w.batch - 1) * I;
    double *x = need((size_t)(steps * I), sizeof *x);

    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = 0; i < I; i++)
            x[t * I + i] = from[(w.steps > 1 ? t : 0) * w.batch * I + i];
    for (const part *p = parts; p < parts + part_count; p++)
        for (int64_t l = 0; l < p->layers; l++) {
            double *y = need((size_t)(steps * width), sizeof *y);
            for (int64_t d = 0; d < w.directions; d++)
                plain_layer(p, l * w.directions + d, steps, x, y);
            free(x);
            x = y;
        }
    return x;
}

static float *read_output(void)
{
    const part *last = &parts[part_count - 1];
    dnnl_memory_desc_t plain[TENSORS];

    describe_all(last, dnnl_f32, 0, plain);
    return read_plain(last->forward[Y], &plain[Y]);
}

/* The root of the mean square of the difference, as a share of the output's. */
static int output_is_right(void)
{
    const int64_t steps = w.purpose == STEP ? STEPS_CHECKED : w.steps;
    const int64_t width = w.directions * w.hidden;
    double *right = plain_network(steps), wrong = 0, all = 0;

    for (int64_t i = 0; i < steps / w.steps; i++)
        forward();
    float *y = read_output();
    for (int64_t t = steps - w.steps; t < steps; t++)
        for (int64_t i = 0; i < width; i++) {
            const int64_t row = (t - steps + w.steps) * w.batch + w.batch - 1;
            const double good = right[t * width + i];
            const double d = (double)y[row * width + i] - good;
            wrong += d * d;
            all += good * good;
        }
    free(right);
    free(y);
    return sqrt(wrong / all) < (dtype == dnnl_f32 ? 1e-5 : 0.05);
}

/* Sum of dy * y, whose gradient the backward pass computes. */
static double loss(void)
{
    const dnnl_memory_t dy = parts[part_count - 1].diff[Y];
    double sum = 0;

    feed();
    for (int i = 0; i < part_count; i++)
        pack(&parts[i]);
    forward();
    float *y = read_output();
    for (int64_t i = 0; i < count_of(dy); i++)
        sum += (double)y[i] * (double)data_of(dy)[i];
    free(y);
    return sum;
}

typedef struct variable {
    float *at, *gradient;
    int64_t count;
} variable;

static int list_variables(variable *list)
{
    static const int which[] = {X, W, U, BIAS};
    int count = 0;

    for (const part *p = parts; p < parts + part_count; p++)
        for (int i = p > parts; i < 4; i++) {
            const dnnl_memory_t m = p->plain[which[i]];
            list[count++] = (variable){
                data_of(m), read_plain(p->diff[which[i]], desc_of(m)),
                count_of(m)};
        }
    return count;
}

static void move(const variable *list, int count, double by)
{
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < list[k].count; i++)
            list[k].at[i] += (float)(by * (double)list[k].gradient[i]);
}

/* Along the gradient the loss changes by the gradient's square; the step is a
 * ten-thousandth of the weights' length. */
static int gradient_is_right(void)
{
    variable list[4 * PARTS];
    double square = 0, weights = 0;

    run_once();
    const int count = list_variables(list);
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < list[k].count; i++) {
            const double g = list[k].gradient[i], at = list[k].at[i];
            square += g * g;
            weights += k > 0 ? at * at : 0;
        }
    const double step = 1e-4 * sqrt(weights / square);
    move(list, count, step);
    const double up = loss();
    move(list, count, -2 * step);
    const double down = loss();
    move(list, count, step);
    loss();
    for (int k = 0; k < count; k++)
        free(list[k].gradient);
    return fabs((up - down) / (2 * step * square) - 1) <
           (w.cell == RELU ? 0.02 : 0.001);
}

/* ---- Questions and answers -----------------------------------------------*/

static int find(const char *const *names, int count, const char *name)
{
    int i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* 0 if the row is none of this peer's. */
static int read_row(const char *line, workload *out)
{
    char cell_name[16], purpose_name[16];

    if (sscanf(line,
               "%15s %15s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
               " %" SCNd64 " %" SCNd64 " %15s",
               out->name, cell_name, &out->input, &out->hidden, &out->layers,
               &out->directions, &out->batch, &out->steps, purpose_name) != 9)
        return 0;
    out->cell = find(cell_names, CELLS, cell_name);
    out->purpose = find(purpose_names, PURPOSES, purpose_name);
    return out->cell < CELLS && out->purpose < PURPOSES;
}

/* What keeps the workload from being timed, or NULL. */
static const char *begin_workload(const workload *new)
{
    const int bf16 = dnnl_cpu_isa_avx512_core_bf16;

    if (dtype == dnnl_bf16 && (dnnl_get_effective_cpu_isa() & bf16) != bf16)
        return "unsupported: this processor has no bf16";
    forget_workload();
    w = *new;
    if (!make_workload())
        return "unsupported: oneDNN has no such primitive";
    if (!output_is_right())
        return "error: the output differs from the plain loop's";
    if (w.purpose == TRAIN && dtype == dnnl_f32 && !gradient_is_right())
        return "error: the gradient differs from the output's differences";
    return NULL;
}

static void answer(const char *line)
{
    workload row = {0};
    const char *fault = "unsupported: no workload of this peer";

    if (read_row(line, &row))
        fault = strcmp(row.name, w.name) == 0 ? NULL : begin_workload(&row);
    if (fault != NULL) {
        printf("%s\n", fault);
        forget_workload();
    } else {
        printf("%.3f\n", 1e6 * measure());
    }
}

int main(int argc, char **argv)
{
    const dnnl_version_t *v = dnnl_version();
    char line[256];
    int threads = 1;

    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--threads") == 0)
            threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--dtype") == 0)
            dtype = strcmp(argv[i + 1], "bf16") == 0 ? dnnl_bf16 : dnnl_f32;
    omp_set_num_threads(threads);
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "the engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags),
         "the stream");
    printf("oneDNN %d.%d.%d\n", v->major, v->minor, v->patch);
    for (fflush(stdout); fgets(line, sizeof line, stdin); fflush(stdout))
        answer(line);
    forget_workload();
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return EXIT_SUCCESS;
}
