/* SPDX-License-Identifier: MIT */
/* layer.c - a recurrent layer of one's own: what does a sensor say next?
 *
 *   h_t = tanh(x_t W_ih' + b_ih + h_{t-1} W_hh' + b_hh)      p_t = h_t u + c
 *
 * x is a sine with noise on it, and p_t foretells x_{t+1}.  The layer, its
 * gradients and the optimizer are the library's; the read-out u, c and the
 * error are the caller's. */
#include "example.h"

#include <math.h>

enum { T = 40, B = 16, H = 16, UPDATES = 1000 };

static const double noise = 0.2;

/* Measurements of B sensors, each at a phase of its own. */
static void measure(float x[T + 1][B], uint64_t when)
{
    for (int b = 0; b < B; ++b) {
        const double phase =
            6.2832 * (double)elman_random_uniform(1, when, (uint64_t)b);
        for (int t = 0; t <= T; ++t) {
            const uint64_t index = (uint64_t)(t * B + b);
            x[t][b] = (float)(sin(0.3 * t + phase) +
                              noise * elman_random_normal(2, when, index));
        }
    }
}

/* p_t of every row of y, and what is wrong with it: gives the mean square
 * error, its gradient by y, and adds its gradient by the read-out. */
static double read_out(const float out[H + 1], float y[T][B][H],
                       float x[T + 1][B], float dy[T][B][H], float dout[H + 1])
{
    double sum = 0;
    for (int t = 0; t < T; ++t)
        for (int b = 0; b < B; ++b) {
            float p = out[H];
            for (int j = 0; j < H; ++j)
                p += out[j] * y[t][b][j];
            const float error = p - x[t + 1][b];
            const float slope = 2 * error / (T * B);
            for (int j = 0; j < H; ++j) {
                dy[t][b][j] = slope * out[j];
                dout[j] += slope * y[t][b][j];
            }
            dout[H] += slope;
            sum += (double)error * (double)error;
        }
    return sum / (T * B);
}

/* What one gets by saying that nothing changes. */
static double error_of_standing_still(float x[T + 1][B])
{
    double sum = 0;
    for (int t = 0; t < T; ++t)
        for (int b = 0; b < B; ++b)
            sum += pow((double)(x[t][b] - x[t + 1][b]), 2);
    return sum / (T * B);
}

int main(void)
{
    static float x[T + 1][B], y[T][B][H], dy[T][B][H];
    float out[H + 1] = {0}, dout[H + 1];

    elman_context *context;
    elman_rnn *rnn;
    elman_tape *tape;
    elman_optimizer *optimizer, *out_optimizer;
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = 1;
    desc.hidden = H;
    elman_tape_desc size = ELMAN_TAPE_DESC;
    size.steps = T;
    size.batch = B;
    elman_optimizer_desc adam = ELMAN_OPTIMIZER_DESC;
    adam.kind = ELMAN_ADAM;
    adam.clip = 1;

    must(elman_context_create(NULL, &context));
    must(elman_rnn_create(context, &desc, &rnn));
    elman_rnn_init(rnn, 0);
    must(elman_tape_create(rnn, &size, &tape));
    const int64_t P = elman_rnn_parameters(rnn);
    must(elman_optimizer_create(context, &adam, P, &optimizer));
    must(elman_optimizer_create(context, &adam, H + 1, &out_optimizer));
    float *const grad = malloc((size_t)P * sizeof *grad);
    check(grad != NULL, "there is memory");

    printf("update  mean square error\n");
    for (uint64_t update = 0; update < UPDATES; ++update) {
        measure(x, update);
        memset(grad, 0, (size_t)P * sizeof *grad);
        memset(dout, 0, sizeof dout);
        must(elman_rnn_forward(rnn, tape, T, B, x, NULL, y, NULL));
        const double error = read_out(out, y, x, dy, dout);
        must(elman_rnn_backward(rnn, tape, dy, NULL, NULL, NULL, grad));
        must(elman_optimizer_step(optimizer, 0.005,
                                  elman_rnn_weights_begin(rnn), grad, NULL));
        elman_rnn_weights_end(rnn);
        must(elman_optimizer_step(out_optimizer, 0.005, out, dout, NULL));
        if (update % 100 == 0)
            printf("%6d  %.4f\n", (int)update, error);
    }

    measure(x, UPDATES);
    must(elman_rnn_forward(rnn, tape, T, B, x, NULL, y, NULL));
    const double error = read_out(out, y, x, dy, dout);
    const double still = error_of_standing_still(x);
    printf("on a new measurement %.4f; saying that nothing changes %.4f; the "
           "noise alone %.4f\n",
           error, still, noise * noise);
    check(error < still / 2, "the layer has learned how a sine goes on");

    free(grad);
    elman_optimizer_destroy(&optimizer);
    elman_optimizer_destroy(&out_optimizer);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return 0;
}
