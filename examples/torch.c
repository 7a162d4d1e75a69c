/* SPDX-License-Identifier: MIT */
/* torch.c - the calls that the page of torch.nn.RNN shows, in C.
 *
 *   rnn = nn.RNN(20, 50)          rnn = nn.RNN(20, 50, 2)
 *   x  = torch.randn(3, 32, 20)   x  = torch.randn(3, 32, 20)
 *   h0 = torch.randn(1, 32, 50)   h0 = torch.randn(2, 32, 50)
 *   y, hn = rnn(x, h0)            y, hn = rnn(x, h0)
 *
 * with the same names and shapes of all weights, and what must hold of the
 * answers: the last row of y is the last layer's state, and every state is what
 * the formula gives, written out here in double. */
#include "example.h"

#include <math.h>

enum { T = 3, B = 32, I = 20, H = 50, MOST_LAYERS = 2 };

/* h_t = tanh(x_t W_ih' + b_ih + h_{t-1} W_hh' + b_hh), layer after layer, for
 * sequence b; gives how far y [T,B,H] is from it at most. */
static double from_the_formula(const elman_rnn *rnn, int layers, int b,
                               const float *x, const float *h0, const float *y)
{
    const float *const weights = elman_rnn_weights(rnn);
    double h[MOST_LAYERS][H], next[H], far = 0;
    for (int l = 0; l < layers; ++l)
        for (int j = 0; j < H; ++j)
            h[l][j] = (double)h0[(l * B + b) * H + j];
    for (int t = 0; t < T; ++t) {
        for (int l = 0; l < layers; ++l) {
            const elman_view *v[4];
            elman_view view[4];
            for (int i = 0; i < 4; ++i) {
                must(elman_rnn_view(rnn, 4 * l + i, &view[i]));
                v[i] = &view[i];
            }
            const float *const w_ih = weights + v[0]->offset;
            const float *const w_hh = weights + v[1]->offset;
            const int inputs = (int)v[0]->shape[1];
            for (int j = 0; j < H; ++j) {
                double sum = (double)weights[v[2]->offset + j] +
                             (double)weights[v[3]->offset + j];
                for (int i = 0; i < inputs; ++i)
                    sum +=
                        (double)w_ih[j * inputs + i] *
                        (l > 0 ? h[l - 1][i] : (double)x[(t * B + b) * I + i]);
                for (int i = 0; i < H; ++i)
                    sum += (double)w_hh[j * H + i] * h[l][i];
                next[j] = tanh(sum);
            }
            memcpy(h[l], next, sizeof next);
        }
        for (int j = 0; j < H; ++j)
            far = fmax(far,
                       fabs((double)y[(t * B + b) * H + j] - h[layers - 1][j]));
    }
    return far;
}

static void page(elman_context *context, int layers)
{
    static float x[T * B * I], h0[MOST_LAYERS * B * H];
    static float y[T * B * H], hn[MOST_LAYERS * B * H];
    elman_rnn *rnn;
    elman_tape *tape;

    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = I;
    desc.hidden = H;
    desc.layers = layers;
    must(elman_rnn_create(context, &desc, &rnn));
    elman_rnn_init(rnn, 0);

    elman_tape_desc size = ELMAN_TAPE_DESC;
    size.steps = T;
    size.batch = B;
    must(elman_tape_create(rnn, &size, &tape));

    draw(x, T * B * I, 1);
    draw(h0, layers * B * H, 2);
    must(elman_rnn_forward(rnn, tape, T, B, x, h0, y, hn));

    printf("RNN(%d, %d, %d): x (%d, %d, %d), h0 (%d, %d, %d)\n", I, H, layers,
           T, B, I, layers, B, H);
    for (int i = 0; i < elman_rnn_view_count(rnn); ++i) {
        elman_view v;
        must(elman_rnn_view(rnn, i, &v));
        printf(v.rank == 2 ? "  %-14s (%d, %d)\n" : "  %-14s (%d)\n", v.name,
               (int)v.shape[0], (int)v.shape[v.rank - 1]);
    }
    printf("  y (%d, %d, %d), hn (%d, %d, %d)\n", T, B, H, layers, B, H);
    check(memcmp(y + (T - 1) * B * H, hn + (layers - 1) * B * H,
                 B * H * sizeof *y) == 0,
          "the last row of y is the last layer's state");
    double far = 0;
    for (int b = 0; b < B; ++b)
        far = fmax(far, from_the_formula(rnn, layers, b, x, h0, y));
    printf("  y[2][0] = %.4f %.4f %.4f ...; at most %.0e from the formula\n",
           (double)y[2 * B * H], (double)y[2 * B * H + 1],
           (double)y[2 * B * H + 2], far);
    check(far < 1e-6, "every state is what the formula gives");

    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
}

int main(void)
{
    elman_context *context;
    must(elman_context_create(NULL, &context));
    page(context, 1);
    page(context, 2);
    elman_context_destroy(&context);
    return 0;
}
