/* SPDX-License-Identifier: MIT */
#include "sequences.h"
#include "expect.h"
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const part_names[PARTS] = {"y",   "hT",  "cT",  "dx",
                                       "dh0", "dc0", "grad"};

sizes problem_sizes(const problem *p)
{
    const elman_rnn_desc *const d = &p->desc;
    return (sizes){.I = d->input,
                   .H = d->hidden,
                   .P = d->proj > 0 ? d->proj : d->hidden,
                   .S = d->bidirectional ? 2 : 1,
                   .L = d->layers,
                   .G = d->cell == ELMAN_CELL_LSTM  ? 4
                        : d->cell == ELMAN_CELL_GRU ? 3
                                                    : 1};
}

/* Numbers of the flat block that belong to one layer and direction. */
static int64_t layer_weights(const problem *p, int64_t n)
{
    const sizes s = problem_sizes(p);
    const int64_t in = n == 0 ? s.I : s.S * s.P;
    const int64_t biases = p->desc.no_bias ? 0 : 2 * s.G * s.H;
    return s.G * s.H * (in + s.P) + biases + (p->desc.proj > 0 ? s.P * s.H : 0);
}

static int64_t all_weights(const problem *p)
{
    const sizes s = problem_sizes(p);
    int64_t total = 0;
    for (int64_t n = 0; n < s.L; ++n)
        total += s.S * layer_weights(p, n);
    return total;
}

answer answer_room(const problem *p, elman_dtype dtype)
{
    const sizes s = problem_sizes(p);
    const int64_t rows = p->T * p->B, states = s.L * s.S * p->B;
    const bool lstm = p->desc.cell == ELMAN_CELL_LSTM;
    answer a = {.dtype = dtype,
                .count = {rows * s.S * s.P, states * s.P,
                          lstm ? states * s.H : 0, rows * s.I, states * s.P,
                          lstm ? states * s.H : 0, all_weights(p)}};
    for (int i = 0; i < PARTS; ++i)
        if (lstm || (i != CT && i != DC0))
            a.part[i] = scratch(a.count[i], elman_dtype_size(dtype));
    return a;
}

void problem_fill(problem *p, draw *d)
{
    const answer like = answer_room(p, ELMAN_F64);
    p->w =
        scratch_draw(d, like.count[GRAD], 1.2 / sqrt((double)p->desc.hidden));
    p->x = scratch_draw(d, like.count[DX], 1);
    p->h0 = scratch_draw(d, like.count[HT], 1);
    p->dy = scratch_draw(d, like.count[Y], 1);
    p->dhT = scratch_draw(d, like.count[HT], 1);
    if (p->desc.cell == ELMAN_CELL_LSTM) {
        p->c0 = scratch_draw(d, like.count[CT], 1);
        p->dcT = scratch_draw(d, like.count[CT], 1);
    }
}

/* Lengths of any kind: even ones, all shorter, zeros, in any order. */
static int64_t *draw_lengths(draw *d, int64_t T, int64_t B)
{
    const int64_t kind = draw_below(d, 6), some = draw_below(d, T + 1);
    int64_t *const lengths = scratch(B, sizeof *lengths);
    for (int64_t b = 0; b < B; ++b)
        lengths[b] = kind == 0   ? some
                     : kind == 1 ? T - draw_below(d, T < 3 ? T + 1 : 3)
                                 : draw_below(d, T + 1);
    return lengths;
}

problem problem_draw(draw *d, int64_t most_T, int64_t most_H)
{
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_LSTM, ELMAN_CELL_GRU};
    problem p = {.desc = ELMAN_RNN_DESC,
                 .T = 1 + draw_below(d, most_T),
                 .B = 1 + draw_below(d, 9),
                 .batch_first = (int)draw_below(d, 2)};
    p.desc.cell = cells[draw_below(d, 4)];
    p.desc.input = draw_below(d, 4) ? 1 + draw_below(d, 40) : 0;
    p.desc.hidden = 1 + draw_below(d, most_H);
    p.desc.layers = 1 + (int)draw_below(d, 3);
    p.desc.bidirectional = (int)draw_below(d, 2);
    p.desc.no_bias = draw_below(d, 4) == 0;
    if (p.desc.cell == ELMAN_CELL_LSTM && p.desc.hidden > 1 && draw_below(d, 2))
        p.desc.proj = 1 + draw_below(d, p.desc.hidden - 1);
    if (p.desc.cell == ELMAN_CELL_GRU)
        p.desc.reset_before = (int)draw_below(d, 2);
    if (draw_below(d, 4))
        p.lengths = draw_lengths(d, p.T, p.B);
    problem_fill(&p, d);
    if (draw_below(d, 4) == 0)
        p.h0 = p.c0 = NULL;
    if (draw_below(d, 5) == 0)
        p.dy = NULL;
    if (draw_below(d, 4) == 0)
        p.dhT = p.dcT = NULL;
    return p;
}

void problem_try(const char *who, const problem *p)
{
    static const char *const cells[] = {"elman", "none", "lstm", "gru"};
    const elman_rnn_desc *const d = &p->desc;
    char lengths[200] = "none given";
    for (int64_t b = 0, used = 0; p->lengths && b < p->B && used < 180; ++b)
        used += snprintf(lengths + used, sizeof lengths - (size_t)used, " %lld",
                         (long long)p->lengths[b]);
    trying("%s: %s%s%s, T %lld B %lld I %lld H %lld proj %lld L %d, %s, %s, "
           "h0 %s, dy %s, dhT %s, %s, lengths %s",
           who, cells[d->cell], d->activation == ELMAN_RELU ? " relu" : "",
           d->reset_before ? ", reset before" : "", (long long)p->T,
           (long long)p->B, (long long)d->input, (long long)d->hidden,
           (long long)d->proj, d->layers,
           d->bidirectional ? "two directions" : "one direction",
           d->no_bias ? "no bias" : "biases", p->h0 ? "given" : "NULL",
           p->dy ? "given" : "NULL", p->dhT ? "given" : "NULL",
           p->batch_first ? "batch first" : "time first", lengths);
}

int64_t problem_length(const problem *p, int64_t b)
{
    return p->lengths ? p->lengths[b] : p->T;
}

int64_t problem_row(const problem *p, int64_t t, int64_t b, int64_t width)
{
    return (p->batch_first ? b * p->T + t : t * p->B + b) * width;
}

/* ---- What the library makes of it
 * ------------------------------------------*/

elman_rnn *problem_rnn(elman_context *context, const problem *p,
                       elman_dtype dtype)
{
    elman_rnn_desc desc = p->desc;
    elman_rnn *rnn;
    desc.dtype = dtype;
    must(elman_rnn_create(context, &desc, &rnn));
    const int64_t count = elman_rnn_parameters(rnn);
    if (count != all_weights(p))
        fail_trying("the network has %lld parameters, not %lld",
                    (long long)count, (long long)all_weights(p));
    if (count > 0)
        memcpy(elman_rnn_weights_begin(rnn), scratch_as(dtype, p->w, count),
               (size_t)count * elman_dtype_size(dtype));
    elman_rnn_weights_end(rnn);
    return rnn;
}

elman_tape *problem_tape(const elman_rnn *rnn, const problem *p, int inference)
{
    elman_tape_desc desc = ELMAN_TAPE_DESC;
    elman_tape *tape;
    desc.steps = p->T;
    desc.batch = p->B;
    desc.memory = p->memory;
    desc.inference_only = inference;
    must(elman_tape_create(rnn, &desc, &tape));
    return tape;
}

void problem_run(const problem *p, elman_rnn *rnn, elman_tape *tape,
                 int inference, answer *a)
{
    const elman_dtype t = a->dtype;
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = p->T;
    q.batch = p->B;
    q.lengths = p->lengths;
    q.batch_first = p->batch_first;
    q.x = p->desc.input > 0 ? scratch_as(t, p->x, a->count[DX]) : NULL;
    q.h0 = scratch_as(t, p->h0, a->count[HT]);
    q.c0 = scratch_as(t, p->c0, a->count[CT]);
    q.y = a->part[Y];
    q.hT = a->part[HT];
    q.cT = a->part[CT];
    q.train = p->train;
    q.seed = p->seed;
    q.draw = p->draw;
    must(elman_rnn_run(rnn, tape, &q));
    if (!inference)
        problem_back(p, rnn, tape, a);
}

void problem_back(const problem *p, elman_rnn *rnn, elman_tape *tape, answer *a)
{
    const elman_dtype t = a->dtype;
    elman_gradients g = ELMAN_GRADIENTS;
    g.dy = scratch_as(t, p->dy, a->count[Y]);
    g.dhT = scratch_as(t, p->dhT, a->count[HT]);
    g.dcT = scratch_as(t, p->dcT, a->count[CT]);
    g.dx = a->part[DX];
    g.dh0 = a->part[DH0];
    g.dc0 = a->part[DC0];
    g.grad = a->part[GRAD];
    must(elman_rnn_run_back(rnn, tape, &g));
}

answer problem_solve(elman_context *context, const problem *p,
                     elman_dtype dtype, int inference)
{
    answer a = answer_room(p, dtype);
    elman_rnn *rnn = problem_rnn(context, p, dtype);
    elman_tape *tape = problem_tape(rnn, p, inference);
    problem_run(p, rnn, tape, inference, &a);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    return a;
}

void answers_same(const char *what, const answer *a, const answer *b, int first,
                  int last)
{
    for (int i = first; i <= last; ++i) {
        char name[80];
        snprintf(name, sizeof name, "%s, %s", what, part_names[i]);
        if (a->part[i] && b->part[i])
            expect_same(name, a->dtype, a->part[i], b->part[i], a->count[i]);
    }
}

/* ---- The textbook
 * -----------------------------------------------------------*/

/* One layer and direction: where its parameters begin. */
typedef struct part {
    const double *w_ih, *w_hh, *b_ih, *b_hh, *w_hr;
    int64_t in;
} part;

static part part_of(const problem *p, int64_t n, int64_t direction)
{
    const sizes s = problem_sizes(p);
    const double *w = p->w;
    for (int64_t i = 0; i < n; ++i)
        w += s.S * layer_weights(p, i);
    w += direction * layer_weights(p, n);
    part a = {.w_ih = w, .in = n == 0 ? s.I : s.S * s.P};
    a.w_hh = a.w_ih + s.G * s.H * a.in;
    w = a.w_hh + s.G * s.H * s.P;
    if (!p->desc.no_bias) {
        a.b_ih = w;
        a.b_hh = w + s.G * s.H;
        w += 2 * s.G * s.H;
    }
    a.w_hr = w;
    return a;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Row `row` of w, of n columns, times v. */
static double dot(const double *w, int64_t row, int64_t n, const double *v)
{
    double sum = 0;
    for (int64_t i = 0; i < n; ++i)
        sum += w[row * n + i] * v[i];
    return sum;
}

static double bias(const double *b, int64_t i)
{
    return b ? b[i] : 0;
}

/* h [P] and c [H] of one step; equations as elman.h has them. */
static void textbook_step(const problem *p, const part *a, const double *x,
                          double *h, double *c)
{
    const sizes s = problem_sizes(p);
    const int64_t H = s.H;
    double *const in = scratch_doubles(s.G * H);
    double *const rec = scratch_doubles(s.G * H);
    double *const next = scratch_doubles(H);
    for (int64_t i = 0; i < s.G * H; ++i) {
        in[i] = dot(a->w_ih, i, a->in, x) + bias(a->b_ih, i);
        rec[i] = dot(a->w_hh, i, s.P, h) + bias(a->b_hh, i);
    }
    double *const reset = scratch_doubles(H);
    for (int64_t i = 0; i < H && p->desc.reset_before; ++i)
        reset[i] = sigmoid(in[i] + rec[i]) * h[i];
    for (int64_t i = 0; i < H; ++i) {
        if (p->desc.cell == ELMAN_CELL_LSTM) {
            const double g = tanh(in[2 * H + i] + rec[2 * H + i]);
            c[i] = sigmoid(in[H + i] + rec[H + i]) * c[i] +
                   sigmoid(in[i] + rec[i]) * g;
            next[i] = sigmoid(in[3 * H + i] + rec[3 * H + i]) * tanh(c[i]);
        } else if (p->desc.cell == ELMAN_CELL_GRU) {
            const double z = sigmoid(in[H + i] + rec[H + i]);
            const double q = p->desc.reset_before
                                 ? dot(a->w_hh, 2 * H + i, H, reset) +
                                       bias(a->b_hh, 2 * H + i)
                                 : sigmoid(in[i] + rec[i]) * rec[2 * H + i];
            next[i] = (1 - z) * tanh(in[2 * H + i] + q) + z * h[i];
        } else {
            const double sum = in[i] + rec[i];
            next[i] =
                p->desc.activation == ELMAN_RELU ? fmax(sum, 0) : tanh(sum);
        }
    }
    for (int64_t i = 0; i < s.P; ++i)
        h[i] = p->desc.proj > 0 ? dot(a->w_hr, i, H, next) : next[i];
}

answer problem_textbook(const problem *p)
{
    const sizes s = problem_sizes(p);
    answer a = answer_room(p, ELMAN_F64);
    const int64_t W = s.S * s.P;
    for (int64_t b = 0; b < p->B; ++b) {
        const int64_t n = problem_length(p, b);
        double *in = scratch_doubles(p->T * s.I), *out = NULL;
        for (int64_t t = 0; t < n; ++t)
            memcpy(in + t * s.I, p->x + problem_row(p, t, b, s.I),
                   (size_t)s.I * sizeof *in);
        for (int64_t l = 0; l < s.L; ++l, in = out) {
            out = scratch_doubles(p->T * W);
            for (int64_t d = 0; d < s.S; ++d) {
                const part q = part_of(p, l, d);
                const int64_t at = (l * s.S + d) * p->B + b;
                double *const h = (double *)a.part[HT] + at * s.P;
                double *const c =
                    a.part[CT] ? (double *)a.part[CT] + at * s.H : NULL;
                if (p->h0)
                    memcpy(h, p->h0 + at * s.P, (size_t)s.P * sizeof *h);
                if (c && p->c0)
                    memcpy(c, p->c0 + at * s.H, (size_t)s.H * sizeof *c);
                for (int64_t i = 0; i < n; ++i) {
                    const int64_t t = d ? n - 1 - i : i;
                    textbook_step(p, &q, in + t * q.in, h, c);
                    memcpy(out + t * W + d * s.P, h, (size_t)s.P * sizeof *h);
                }
            }
        }
        for (int64_t t = 0; t < n; ++t)
            memcpy((double *)a.part[Y] + problem_row(p, t, b, W), in + t * W,
                   (size_t)W * sizeof *in);
    }
    return a;
}
