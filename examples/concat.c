/* SPDX-License-Identifier: MIT */
/* concat.c - X W_xh + H W_hh is [X H][W_xh; W_hh].
 *
 * The chapter shows it with X [3,1], W_xh [1,4], H [3,4] and W_hh [4,4]: two
 * products added, or one product of what is put side by side.  On paper they
 * are equal.  In floating point a sum of two rounded products is not quite the
 * one product; but the library never adds two products.  Each output is one
 * chain of fused multiply-adds, which runs through the inputs and then goes on
 * through the state: the concatenated product itself, bit for bit, although
 * nothing is ever copied together. */
#include "example.h"

#include <math.h>

enum { BATCH = 3, IN = 1, HIDDEN = 4, BOTH = IN + HIDDEN };

/* Sets every row of a weight [HIDDEN,inputs] to the columns first ...
 * first+inputs-1 of w [BOTH,HIDDEN], which is [W_xh; W_hh]. */
static void set(float *weight, int64_t inputs, const float *w, int first,
                float sign)
{
    for (int j = 0; j < HIDDEN; ++j)
        for (int64_t i = 0; i < inputs; ++i)
            weight[j * inputs + i] = sign * w[(first + i) * HIDDEN + j];
}

/* One step of a layer of so many inputs, begun from H, or from zeros where H is
 * NULL: its input weights are the first rows of w, and its state weights are
 * the rest, where there is one.  relu keeps what is positive; the layer with
 * all signs turned has the rest, and relu(s) - relu(-s) is s. */
static void step(elman_context *context, int64_t inputs, const float *w,
                 const float *x, const float *H, float *out)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.activation = ELMAN_RELU;
    desc.input = inputs;
    desc.hidden = HIDDEN;
    desc.no_bias = 1;
    memset(out, 0, BATCH * HIDDEN * sizeof *out);
    for (int sign = 1; sign >= -1; sign -= 2) {
        elman_rnn *rnn;
        elman_state *state;
        float y[BATCH * HIDDEN];
        must(elman_rnn_create(context, &desc, &rnn));
        float *const weights = elman_rnn_weights_begin(rnn);
        set(weights + find(rnn, "weight_ih_l0").offset, inputs, w, 0,
            (float)sign);
        if (H)
            set(weights + find(rnn, "weight_hh_l0").offset, HIDDEN, w, IN,
                (float)sign);
        elman_rnn_weights_end(rnn);
        must(elman_state_create(rnn, BATCH, &state));
        if (H)
            elman_state_write(state, H);
        must(elman_rnn_step(rnn, state, x, y));
        for (int i = 0; i < BATCH * HIDDEN; ++i)
            out[i] += (float)sign * y[i];
        elman_state_destroy(&state);
        elman_rnn_destroy(&rnn);
    }
}

/* A chain over columns first ... last-1 of x, begun from zero. */
static float chain(const float *x, const float *w, int j, int first, int last)
{
    float sum = 0;
    for (int k = first; k < last; ++k)
        sum = fmaf(x[k], w[k * HIDDEN + j], sum);
    return sum;
}

static void print(const char *what, const float *x)
{
    printf("%s\n", what);
    for (int i = 0; i < BATCH * HIDDEN; ++i)
        printf("%11.7f%s", (double)x[i], (i + 1) % HIDDEN ? "" : "\n");
}

static int differing(const float *x, const float *y)
{
    int count = 0;
    for (int i = 0; i < BATCH * HIDDEN; ++i)
        count += memcmp(&x[i], &y[i], sizeof *x) != 0;
    return count;
}

int main(void)
{
    float X[BATCH * IN], H[BATCH * HIDDEN], XH[BATCH * BOTH];
    float w[BOTH * HIDDEN]; /* [W_xh; W_hh] */
    float two[BATCH * HIDDEN], one[BATCH * HIDDEN];
    float one_chain[BATCH * HIDDEN], added[BATCH * HIDDEN];
    draw(X, BATCH * IN, 1);
    draw(H, BATCH * HIDDEN, 2);
    draw(w, BOTH * HIDDEN, 3);
    for (int b = 0; b < BATCH; ++b) {
        memcpy(XH + b * BOTH, X + b * IN, IN * sizeof *X);
        memcpy(XH + b * BOTH + IN, H + b * HIDDEN, HIDDEN * sizeof *H);
    }

    elman_context *context;
    must(elman_context_create(NULL, &context));
    step(context, IN, w, X, H, two);
    step(context, BOTH, w, XH, NULL, one);
    elman_context_destroy(&context);
    for (int i = 0; i < BATCH * HIDDEN; ++i) {
        const float *const row = XH + i / HIDDEN * BOTH;
        const int j = i % HIDDEN;
        one_chain[i] = chain(row, w, j, 0, BOTH);
        added[i] = chain(row, w, j, 0, IN) + chain(row, w, j, IN, BOTH);
    }

    print("X W_xh + H W_hh, a step from the state H:", two);
    print("[X H][W_xh; W_hh], a step from a zero state:", one);
    printf("outputs whose bits differ: %d of %d\n", differing(two, one),
           BATCH * HIDDEN);
    printf("from one chain of fused multiply-adds, written out: %d\n",
           differing(two, one_chain));
    printf("from two products, rounded and then added: %d\n",
           differing(two, added));
    check(differing(two, one) == 0, "both are the same product");
    check(differing(two, one_chain) == 0, "an output is one chain");
    return 0;
}
