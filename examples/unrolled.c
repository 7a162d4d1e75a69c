/* SPDX-License-Identifier: MIT */
/* unrolled.c - a network of 4 inputs, 2 hidden units and 3 outputs over three
 * steps, as the Deep Learning Book unrolls it (Goodfellow, Bengio and Courville
 * 2016, chapter 10.2), every number beside its equation.
 *
 *   a_t = b + W h_{t-1} + U x_t            o_t = c + V h_t
 *   h_t = tanh(a_t)                        p_t = softmax(o_t)
 *   L = sum over t of -ln p_t[y_t]
 *
 * The library runs the recurrent layer (U is its weight_ih_l0, W its
 * weight_hh_l0, b its bias_ih_l0) and the losses; V and c are the caller's.
 * Then the book's back-propagation through time, equations 10.17 to 10.28, and
 * at the end every gradient again by finite differences. */
#include "example.h"

#include <math.h>

enum { T = 3, I = 4, H = 2, O = 3 };

static const double U[H][I] = {{0.5, -0.3, 0.8, 0.2}, {-0.6, 0.4, 0.1, 0.7}};
static const double W[H][H] = {{0.9, -0.4}, {0.3, 0.6}};
static const double b[H] = {0.1, -0.2};
static const double V[O][H] = {{1.2, -0.7}, {-0.5, 0.9}, {0.3, 0.4}};
static const double c[O] = {0.0, 0.1, -0.1};
/* The letters of a word, one-hot, and which of three is to follow each. */
static const double x[T][I] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
static const int64_t y[T] = {1, 2, 0};

typedef struct parameters {
    double U[H][I], W[H][H], b[H], V[O][H], c[O];
} parameters;
enum { COUNT = sizeof(parameters) / sizeof(double) };

typedef struct pass {
    double h[T][H], o[T][O], each[T], loss;
    double dO[T][O]; /* the gradient by o */
} pass;

static void set_weights(elman_rnn *rnn, const parameters *p)
{
    double *const block = elman_rnn_weights_begin(rnn);
    memcpy(block + find(rnn, "weight_ih_l0").offset, p->U, sizeof p->U);
    memcpy(block + find(rnn, "weight_hh_l0").offset, p->W, sizeof p->W);
    memcpy(block + find(rnn, "bias_ih_l0").offset, p->b, sizeof p->b);
    elman_rnn_weights_end(rnn);
}

static void forward(elman_context *context, elman_rnn *rnn, elman_tape *tape,
                    const parameters *p, pass *out)
{
    set_weights(rnn, p);
    must(elman_rnn_forward(rnn, tape, T, 1, x, NULL, out->h, NULL));
    for (int t = 0; t < T; ++t)
        for (int i = 0; i < O; ++i) {
            out->o[t][i] = p->c[i];
            for (int j = 0; j < H; ++j)
                out->o[t][i] += p->V[i][j] * out->h[t][j];
        }
    elman_xent_desc sum = ELMAN_XENT_DESC;
    sum.dtype = ELMAN_F64;
    sum.rows = T;
    sum.classes = O;
    sum.reduction = ELMAN_SUM;
    must(elman_cross_entropy(context, &sum, out->o, y, out->each, out->dO,
                             &out->loss));
}

/* Everything by L; dh [T,H] is what reaches each h_t in all. */
static void backward(const elman_rnn *rnn, elman_tape *tape,
                     const parameters *p, const pass *f, double dh[T][H],
                     parameters *g)
{
    double dy[T][H] = {{0}};
    memset(g, 0, sizeof *g);
    for (int t = 0; t < T; ++t)
        for (int i = 0; i < O; ++i) {
            g->c[i] += f->dO[t][i];
            for (int j = 0; j < H; ++j) {
                dy[t][j] += p->V[i][j] * f->dO[t][i];
                g->V[i][j] += f->dO[t][i] * f->h[t][j];
            }
        }
    double *const grad =
        calloc((size_t)elman_rnn_parameters(rnn), sizeof *grad);
    check(grad != NULL, "there is memory");
    must(elman_rnn_backward(rnn, tape, dy, NULL, NULL, NULL, grad));
    memcpy(g->U, grad + find(rnn, "weight_ih_l0").offset, sizeof g->U);
    memcpy(g->W, grad + find(rnn, "weight_hh_l0").offset, sizeof g->W);
    memcpy(g->b, grad + find(rnn, "bias_ih_l0").offset, sizeof g->b);
    free(grad);

    /* The book's recursion, which the library's gradients must agree with. */
    for (int t = T - 1; t >= 0; --t)
        for (int j = 0; j < H; ++j) {
            dh[t][j] = dy[t][j];
            for (int i = 0; t + 1 < T && i < H; ++i) {
                const double next = f->h[t + 1][i];
                dh[t][j] += p->W[i][j] * (1 - next * next) * dh[t + 1][i];
            }
        }
}

static void row(const char *equation, const double *v, int count)
{
    printf("  %-48s", equation);
    for (int i = 0; i < count; ++i)
        printf("%9.5f", v[i]);
    printf("\n");
}

static void print_forward(const pass *f)
{
    for (int t = 0; t < T; ++t) {
        double a[H], p[O];
        for (int j = 0; j < H; ++j)
            a[j] = atanh(f->h[t][j]);
        for (int i = 0; i < O; ++i)
            p[i] = f->dO[t][i] + (i == y[t] ? 1 : 0);
        printf("t = %d, x = letter %d, y = %d\n", t + 1, t, (int)y[t]);
        row(t > 0 ? "a_t = b + W h_{t-1} + U x_t" : "a_t = b + U x_t", a, H);
        row("h_t = tanh(a_t)", f->h[t], H);
        row("o_t = c + V h_t", f->o[t], O);
        row("p_t = softmax(o_t)", p, O);
        row("L_t = -ln p_t[y_t]", &f->each[t], 1);
    }
    printf("L = L_1 + L_2 + L_3 = %.6f, perplexity %.4f\n\n", f->loss,
           exp(f->loss / T));
}

static void print_backward(const pass *f, double dh[T][H], const parameters *g)
{
    for (int t = T - 1; t >= 0; --t) {
        printf("t = %d\n", t + 1);
        row("dL/do_t = p_t - 1[y_t]", f->dO[t], O);
        row(t == T - 1 ? "dL/dh_t = V' do_t"
                       : "dL/dh_t = W'(1 - h_{t+1}^2) dh_{t+1} + V' do_t",
            dh[t], H);
    }
    printf("sums over t\n");
    row("dL/dc = do_t", g->c, O);
    row("dL/db = (1 - h_t^2) dh_t", g->b, H);
    for (int i = 0; i < O; ++i)
        row(i ? "" : "dL/dV = do_t h_t'", g->V[i], H);
    for (int i = 0; i < H; ++i)
        row(i ? "" : "dL/dW = (1 - h_t^2) dh_t h_{t-1}'", g->W[i], H);
    for (int i = 0; i < H; ++i)
        row(i ? "" : "dL/dU = (1 - h_t^2) dh_t x_t'", g->U[i], I);
}

/* The largest difference between the gradients and central differences. */
static double from_differences(elman_context *context, elman_rnn *rnn,
                               elman_tape *tape, const parameters *p,
                               const parameters *g)
{
    const double step = 1e-5;
    double far = 0;
    for (int i = 0; i < COUNT; ++i) {
        parameters moved = *p;
        pass above, below;
        ((double *)&moved)[i] += step;
        forward(context, rnn, tape, &moved, &above);
        ((double *)&moved)[i] -= 2 * step;
        forward(context, rnn, tape, &moved, &below);
        const double slope = (above.loss - below.loss) / (2 * step);
        far = fmax(far, fabs(slope - ((const double *)g)[i]));
    }
    return far;
}

int main(void)
{
    elman_context *context;
    elman_rnn *rnn;
    elman_tape *tape;
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.dtype = ELMAN_F64;
    desc.input = I;
    desc.hidden = H;
    elman_tape_desc size = ELMAN_TAPE_DESC;
    size.steps = T;
    size.batch = 1;
    must(elman_context_create(NULL, &context));
    must(elman_rnn_create(context, &desc, &rnn));
    must(elman_tape_create(rnn, &size, &tape));

    parameters p, g;
    memcpy(p.U, U, sizeof U);
    memcpy(p.W, W, sizeof W);
    memcpy(p.b, b, sizeof b);
    memcpy(p.V, V, sizeof V);
    memcpy(p.c, c, sizeof c);

    pass f;
    double dh[T][H];
    forward(context, rnn, tape, &p, &f);
    print_forward(&f);
    backward(rnn, tape, &p, &f, dh, &g);
    print_backward(&f, dh, &g);

    /* db is the sum over t of (1 - h_t^2) dh_t: the book's, and ours. */
    for (int j = 0; j < H; ++j) {
        double sum = 0;
        for (int t = 0; t < T; ++t)
            sum += (1 - f.h[t][j] * f.h[t][j]) * dh[t][j];
        check(fabs(sum - g.b[j]) < 1e-14, "the book's recursion gives dL/db");
    }
    const double far = from_differences(context, rnn, tape, &p, &g);
    printf("from central differences, all %d numbers: at most %.0e\n", COUNT,
           far);
    check(far < 1e-9, "the gradients are those of L");

    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return 0;
}
