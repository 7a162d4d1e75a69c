/* SPDX-License-Identifier: MIT */
/* net.c - the book chapter's net(X, H), by the library and by plain loops.
 *
 *   H = relu(X W_xh + H W_hh)      O = relu(H W_hq)
 *
 * The shapes are the chapter's: a batch of 3, 1 input, 2 hidden units and 3
 * outputs.  The library keeps weights as PyTorch does, [outputs,inputs], which
 * is the transpose of the chapter's. */
#include "example.h"

#include <math.h>

enum { BATCH = 3, IN = 1, HIDDEN = 2, OUT = 3, CALLS = 3 };

static float W_xh[IN][HIDDEN], W_hh[HIDDEN][HIDDEN], W_hq[HIDDEN][OUT];

/* A relu layer; of its two matrices one or both are set, the other is 0. */
static elman_rnn *layer(elman_context *context, int64_t inputs, int64_t outputs,
                        const float *from_input, const float *from_state)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.activation = ELMAN_RELU;
    desc.input = inputs;
    desc.hidden = outputs;
    desc.no_bias = 1;
    elman_rnn *rnn;
    must(elman_rnn_create(context, &desc, &rnn));
    float *const weights = elman_rnn_weights_begin(rnn);
    float *const ih = weights + find(rnn, "weight_ih_l0").offset;
    float *const hh = weights + find(rnn, "weight_hh_l0").offset;
    for (int64_t j = 0; j < outputs; ++j) {
        for (int64_t i = 0; i < inputs; ++i)
            ih[j * inputs + i] = from_input[i * outputs + j];
        for (int64_t i = 0; from_state && i < outputs; ++i)
            hh[j * outputs + i] = from_state[i * outputs + j];
    }
    elman_rnn_weights_end(rnn);
    return rnn;
}

/* The output layer has no state of its own: the step from a zero state of a
 * recurrent layer is a fully connected layer. */
typedef struct network {
    elman_rnn *hidden, *output;
    elman_tape *hidden_tape, *output_tape;
} network;

static void net(const network *n, const float *X, float *H, float *O)
{
    must(elman_rnn_forward(n->hidden, n->hidden_tape, 1, BATCH, X, H, NULL, H));
    must(elman_rnn_forward(n->output, n->output_tape, 1, BATCH, H, NULL, O,
                           NULL));
}

/* The same in double, as one would write it down. */
static void plain_net(const float *X, double *H, double *O)
{
    for (int b = 0; b < BATCH; ++b) {
        double h[HIDDEN];
        for (int j = 0; j < HIDDEN; ++j) {
            double sum = 0;
            for (int i = 0; i < IN; ++i)
                sum += (double)X[b * IN + i] * (double)W_xh[i][j];
            for (int i = 0; i < HIDDEN; ++i)
                sum += H[b * HIDDEN + i] * (double)W_hh[i][j];
            h[j] = sum > 0 ? sum : 0;
        }
        for (int j = 0; j < HIDDEN; ++j)
            H[b * HIDDEN + j] = h[j];
        for (int q = 0; q < OUT; ++q) {
            double sum = 0;
            for (int j = 0; j < HIDDEN; ++j)
                sum += h[j] * (double)W_hq[j][q];
            O[b * OUT + q] = sum > 0 ? sum : 0;
        }
    }
}

static void print(const char *name, const float *x, int columns)
{
    printf("%s, shape (%d, %d)\n", name, BATCH, columns);
    for (int i = 0; i < BATCH * columns; ++i)
        printf("%9.4f%s", (double)x[i], (i + 1) % columns ? "" : "\n");
}

static double largest_difference(const float *x, const double *y, int count)
{
    double most = 0;
    for (int i = 0; i < count; ++i)
        most = fmax(most, fabs((double)x[i] - y[i]));
    return most;
}

int main(void)
{
    float X[BATCH * IN], H[BATCH * HIDDEN], O[BATCH * OUT];
    double exact_H[BATCH * HIDDEN], exact_O[BATCH * OUT];
    draw(&W_xh[0][0], IN * HIDDEN, 51);
    draw(&W_hh[0][0], HIDDEN * HIDDEN, 52);
    draw(&W_hq[0][0], HIDDEN * OUT, 53);
    draw(H, BATCH * HIDDEN, 54);
    for (int i = 0; i < BATCH * HIDDEN; ++i)
        exact_H[i] = (double)H[i];

    elman_context *context;
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    tape.steps = 1;
    tape.batch = BATCH;
    tape.inference_only = 1;
    must(elman_context_create(NULL, &context));
    network n = {layer(context, IN, HIDDEN, &W_xh[0][0], &W_hh[0][0]),
                 layer(context, HIDDEN, OUT, &W_hq[0][0], NULL), NULL, NULL};
    must(elman_tape_create(n.hidden, &tape, &n.hidden_tape));
    must(elman_tape_create(n.output, &tape, &n.output_tape));

    double off = 0;
    for (int call = 0; call < CALLS; ++call) {
        draw(X, BATCH * IN, 60 + (uint64_t)call);
        net(&n, X, H, O);
        plain_net(X, exact_H, exact_O);
        if (call == 0) {
            print("H", H, HIDDEN);
            print("O", O, OUT);
        }
        off = fmax(off, largest_difference(H, exact_H, BATCH * HIDDEN));
        off = fmax(off, largest_difference(O, exact_O, BATCH * OUT));
    }
    printf("%d calls, each from the state that the last one left: at most %.1g "
           "from plain loops in double\n",
           CALLS, off);
    check(off < 1e-5, "the library computes what the loops compute");

    elman_tape_destroy(&n.hidden_tape);
    elman_tape_destroy(&n.output_tape);
    elman_rnn_destroy(&n.hidden);
    elman_rnn_destroy(&n.output);
    elman_context_destroy(&context);
    return 0;
}
