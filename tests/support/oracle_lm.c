/* SPDX-License-Identifier: MIT */
#include "oracle_lm.h"
#include "scratch.h"

#include <math.h>
#include <string.h>

/* Where the parts of the block begin. */
typedef struct layout {
    int64_t width;  /* of a token: E, or V */
    int64_t tokens; /* that enter at one step */
    int64_t hidden_weight, hidden_bias, decoder_weight, decoder_bias, end;
} layout;

static bool recurrent(const oracle_lm *o)
{
    return o->desc.cell != ELMAN_CELL_NONE;
}

static oracle stack_of(const oracle_lm *o, int64_t width)
{
    return (oracle){.activation = o->desc.activation,
                    .steps = o->steps,
                    .batch = o->batch,
                    .input = width,
                    .hidden = o->desc.hidden,
                    .layers = o->desc.layers ? o->desc.layers : 1,
                    .bias = true};
}

static layout layout_of(const oracle_lm *o)
{
    const int64_t V = o->classes, H = o->desc.hidden;
    layout l = {.width = o->desc.embed ? o->desc.embed : V,
                .tokens = recurrent(o) ? 1 : o->desc.context};
    const oracle stack = stack_of(o, l.width);
    l.hidden_weight = o->desc.embed ? V * o->desc.embed : 0;
    l.hidden_bias = l.hidden_weight + H * l.tokens * l.width;
    l.decoder_weight = recurrent(o)
                           ? l.hidden_weight + oracle_parameters(&stack)
                           : l.hidden_bias + H;
    l.decoder_bias = l.decoder_weight + V * H;
    l.end = l.decoder_bias + V;
    return l;
}

/* The token `back` steps before step t of sequence b; -1: there is none. */
static int32_t token(const oracle_lm *o, int64_t t, int64_t b, int64_t back,
                     int64_t tokens)
{
    const int64_t at = t - back;
    if (at >= 0)
        return o->ids[at * o->batch + b];
    return o->past ? o->past[(tokens - 1 + at) * o->batch + b] : -1;
}

/* x [T,B,n*I]: rows of the last n tokens, the oldest first. */
static double *make_rows(const oracle_lm *o, const layout *l)
{
    const int64_t columns = l->tokens * l->width;
    double *const x = scratch_doubles(o->steps * o->batch * columns);
    for (int64_t t = 0; t < o->steps; ++t)
        for (int64_t b = 0; b < o->batch; ++b)
            for (int64_t s = 0; s < l->tokens; ++s) {
                const int32_t id = token(o, t, b, l->tokens - 1 - s, l->tokens);
                double *const row =
                    x + (t * o->batch + b) * columns + s * l->width;
                if (id >= 0 && o->desc.embed)
                    memcpy(row, o->w + id * l->width,
                           (size_t)l->width * sizeof *row);
                else if (id >= 0)
                    row[id] = 1;
            }
    return x;
}

static void embedding_gradient(const oracle_lm *o, const layout *l,
                               const double *dx, double *grad)
{
    const int64_t columns = l->tokens * l->width;
    for (int64_t t = 0; t < o->steps; ++t)
        for (int64_t b = 0; b < o->batch; ++b)
            for (int64_t s = 0; s < l->tokens; ++s) {
                const int32_t id = token(o, t, b, l->tokens - 1 - s, l->tokens);
                const double *const row =
                    dx + (t * o->batch + b) * columns + s * l->width;
                for (int64_t i = 0; id >= 0 && i < l->width; ++i)
                    grad[id * l->width + i] += row[i];
            }
}

/* y = x W' + b, and back. */
static void linear(const double *x, const double *w, const double *b,
                   int64_t rows, int64_t in, int64_t out, double *y)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < out; ++j) {
            double sum = b[j];
            for (int64_t i = 0; i < in; ++i)
                sum += x[r * in + i] * w[j * in + i];
            y[r * out + j] = sum;
        }
}

static void linear_back(const double *x, const double *w, const double *dy,
                        int64_t rows, int64_t in, int64_t out, double *dx,
                        double *dw, double *db)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < out; ++j) {
            const double d = dy[r * out + j];
            db[j] += d;
            for (int64_t i = 0; i < in; ++i) {
                dw[j * in + i] += d * x[r * in + i];
                dx[r * in + i] += d * w[j * in + i];
            }
        }
}

/* The loss of the rows; logits become their gradient. */
static double losses(const oracle_lm *o, double *logits)
{
    const int64_t V = o->classes;
    double *const q = scratch_doubles(V);
    double sum = 0;
    for (int64_t r = 0; r < o->steps * o->batch; ++r) {
        const int32_t target = o->targets[r];
        double *const row = logits + r * V;
        if (target != ELMAN_IGNORE)
            sum += oracle_softmax(row, V, target, q);
        for (int64_t j = 0; j < V; ++j)
            row[j] = target == ELMAN_IGNORE
                         ? 0
                         : o->scale * (q[j] - (j == target ? 1 : 0));
    }
    return sum;
}

double oracle_lm_run(const oracle_lm *o, double *grad, double *logits,
                     double *hT, double *nearest)
{
    const layout l = layout_of(o);
    const oracle stack = stack_of(o, l.width);
    const int64_t rows = o->steps * o->batch, V = o->classes;
    const int64_t H = o->desc.hidden, in = l.tokens * l.width;
    const double *const w = o->w;
    double *const x = make_rows(o, &l);
    double *const h = recurrent(o) ? scratch_doubles(oracle_states(&stack))
                                   : scratch_doubles(rows * H);
    const double *y = h;
    if (recurrent(o)) {
        *nearest = oracle_forward(&stack, w + l.hidden_weight, x, o->h0, h);
        y = oracle_y(&stack, h);
        if (hT)
            oracle_hT(&stack, h, hT);
    } else {
        *nearest = INFINITY;
        linear(x, w + l.hidden_weight, w + l.hidden_bias, rows, in, H, h);
        for (int64_t i = 0; i < rows * H; ++i) {
            *nearest = fmin(*nearest, fabs(h[i]));
            h[i] =
                o->desc.activation == ELMAN_RELU ? fmax(h[i], 0) : tanh(h[i]);
        }
    }
    double *const d = scratch_doubles(rows * V);
    linear(y, w + l.decoder_weight, w + l.decoder_bias, rows, H, V, d);
    if (logits)
        memcpy(logits, d, (size_t)(rows * V) * sizeof *d);
    const double loss = losses(o, d);
    if (!grad)
        return loss;

    memset(grad, 0, (size_t)l.end * sizeof *grad);
    double *const dy = scratch_doubles(rows * H);
    double *const dx = scratch_doubles(rows * in);
    linear_back(y, w + l.decoder_weight, d, rows, H, V, dy,
                grad + l.decoder_weight, grad + l.decoder_bias);
    if (recurrent(o)) {
        double *const dh0 = scratch_doubles(stack.layers * o->batch * H);
        oracle_backward(&stack, w + l.hidden_weight, x, h, dy, NULL, dx, dh0,
                        grad + l.hidden_weight);
    } else {
        for (int64_t i = 0; i < rows * H; ++i)
            dy[i] *= o->desc.activation == ELMAN_RELU ? (y[i] > 0 ? 1 : 0)
                                                      : 1 - y[i] * y[i];
        linear_back(x, w + l.hidden_weight, dy, rows, in, H, dx,
                    grad + l.hidden_weight, grad + l.hidden_bias);
    }
    if (o->desc.embed)
        embedding_gradient(o, &l, dx, grad);
    return loss;
}
