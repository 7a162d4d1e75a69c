/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where a layer's parameters begin in a block; -1: it has no biases. */
typedef struct layer {
    int64_t input, w_ih, w_hh, b_ih, b_hh, end;
} layer;

static layer layer_of(const oracle *o, int n)
{
    const int64_t H = o->hidden;
    layer l = {.end = 0, .b_ih = -1, .b_hh = -1};
    for (int i = 0; i <= n; ++i) {
        l.input = i == 0 ? o->input : H;
        l.w_ih = l.end;
        l.w_hh = l.w_ih + H * l.input;
        l.end = l.w_hh + H * H;
        if (o->bias) {
            l.b_ih = l.end;
            l.b_hh = l.b_ih + H;
            l.end = l.b_hh + H;
        }
    }
    return l;
}

int64_t oracle_parameters(const oracle *o)
{
    return layer_of(o, o->layers - 1).end;
}

static int64_t layer_states(const oracle *o)
{
    return (o->steps + 1) * o->batch * o->hidden;
}

int64_t oracle_states(const oracle *o)
{
    return o->layers * layer_states(o);
}

const double *oracle_y(const oracle *o, const double *h)
{
    return h + (o->layers - 1) * layer_states(o) + o->batch * o->hidden;
}

void oracle_hT(const oracle *o, const double *h, double *hT)
{
    const int64_t cells = o->batch * o->hidden;
    for (int n = 0; n < o->layers; ++n)
        memcpy(hT + n * cells, h + n * layer_states(o) + o->steps * cells,
               (size_t)cells * sizeof *h);
}

static double phi(const oracle *o, double a)
{
    return o->activation == ELMAN_RELU ? fmax(a, 0) : tanh(a);
}

/* phi'(a), from phi(a) */
static double dphi(const oracle *o, double h)
{
    if (o->activation == ELMAN_RELU)
        return h > 0 ? 1 : 0;
    return 1 - h * h;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; ++i)
        sum += a[i] * b[i];
    return sum;
}

double oracle_forward(const oracle *o, const double *w, const double *x,
                      const double *h0, double *h)
{
    const int64_t B = o->batch, H = o->hidden;
    double nearest = INFINITY;
    for (int n = 0; n < o->layers; ++n) {
        const layer l = layer_of(o, n);
        double *const state = h + n * layer_states(o);
        if (h0)
            memcpy(state, h0 + n * B * H, (size_t)(B * H) * sizeof *h);
        else
            memset(state, 0, (size_t)(B * H) * sizeof *h);
        for (int64_t t = 0; t < o->steps; ++t)
            for (int64_t b = 0; b < B; ++b)
                for (int64_t j = 0; j < H; ++j) {
                    const double *const in = x + (t * B + b) * l.input;
                    const double *const last = state + (t * B + b) * H;
                    double a = dot(w + l.w_ih + j * l.input, in, l.input) +
                               dot(w + l.w_hh + j * H, last, H);
                    if (o->bias)
                        a += w[l.b_ih + j] + w[l.b_hh + j];
                    state[((t + 1) * B + b) * H + j] = phi(o, a);
                    nearest = fmin(nearest, fabs(a));
                }
        x = state + B * H;
    }
    return nearest;
}

/* One layer.  dy [T,B,H] comes in; dx [T,B,I] and dh [B,H], which comes in as
 * the final state's gradient and goes out as the initial state's. */
static void layer_backward(const oracle *o, int n, const double *w,
                           const double *x, const double *h, const double *dy,
                           double *dx, double *dh, double *grad)
{
    const layer l = layer_of(o, n);
    const int64_t B = o->batch, H = o->hidden, I = l.input;
    double *const da = malloc((size_t)H * sizeof *da);
    for (int64_t t = o->steps - 1; t >= 0; --t)
        for (int64_t b = 0; b < B && da; ++b) {
            const int64_t row = t * B + b;
            const double *const last = h + row * H;
            const double *const now = h + (row + B) * H;
            for (int64_t j = 0; j < H; ++j)
                da[j] = ((dy ? dy[row * H + j] : 0) + dh[b * H + j]) *
                        dphi(o, now[j]);
            memset(dx + row * I, 0, (size_t)I * sizeof *dx);
            memset(dh + b * H, 0, (size_t)H * sizeof *dh);
            for (int64_t j = 0; j < H; ++j) {
                for (int64_t i = 0; i < I; ++i) {
                    grad[l.w_ih + j * I + i] += da[j] * x[row * I + i];
                    dx[row * I + i] += da[j] * w[l.w_ih + j * I + i];
                }
                for (int64_t i = 0; i < H; ++i) {
                    grad[l.w_hh + j * H + i] += da[j] * last[i];
                    dh[b * H + i] += da[j] * w[l.w_hh + j * H + i];
                }
                if (o->bias) {
                    grad[l.b_ih + j] += da[j];
                    grad[l.b_hh + j] += da[j];
                }
            }
        }
    free(da);
}

void oracle_backward(const oracle *o, const double *w, const double *x,
                     const double *h, const double *dy, const double *dhT,
                     double *dx, double *dh0, double *grad)
{
    const int64_t cells = o->batch * o->hidden;
    const size_t rows = (size_t)(o->steps * cells) * sizeof(double);
    double *const above = malloc(rows), *const below = malloc(rows);
    if (dhT)
        memcpy(dh0, dhT, (size_t)(o->layers * cells) * sizeof *dh0);
    else
        memset(dh0, 0, (size_t)(o->layers * cells) * sizeof *dh0);
    memset(grad, 0, (size_t)oracle_parameters(o) * sizeof *grad);
    for (int n = o->layers - 1; n >= 0 && above && below; --n) {
        const double *const in =
            n == 0 ? x : h + (n - 1) * layer_states(o) + cells;
        layer_backward(o, n, w, in, h + n * layer_states(o), dy,
                       n == 0 ? dx : below, dh0 + n * cells, grad);
        if (n > 0)
            memcpy(above, below, rows);
        dy = above;
    }
    free(above);
    free(below);
}

double oracle_softmax(const double *x, int64_t classes, int64_t target,
                      double *q)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < classes; ++j)
        max = fmax(max, x[j]);
    for (int64_t j = 0; j < classes; ++j)
        sum += exp(x[j] - max);
    for (int64_t j = 0; j < classes; ++j)
        q[j] = exp(x[j] - max) / sum;
    return log(sum) + max - x[target];
}
