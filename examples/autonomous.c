/* SPDX-License-Identifier: MIT */
/* autonomous.c - a system without input, s_t = f(s_{t-1}).
 *
 * Two units turn their state by a fixed angle and stretch it, and tanh holds it
 * in: wherever it starts, it ends up going round.  The trajectory is the same,
 * bit for bit, run at once, in pieces, or one step a call. */
#include "example.h"

enum { HIDDEN = 2, STEPS = 36, PIECE = 7, WIDTH = 61 };

/* 1.3 times a turn whose sine is 0.6 and whose cosine is 0.8. */
static const float turn[HIDDEN * HIDDEN] = {1.3f * 0.8f, -1.3f * 0.6f,
                                            1.3f * 0.6f, 1.3f * 0.8f};

static elman_rnn *make_system(elman_context *context)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = 0;
    desc.hidden = HIDDEN;
    desc.no_bias = 1;
    elman_rnn *rnn;
    must(elman_rnn_create(context, &desc, &rnn));
    float *const weights = elman_rnn_weights_begin(rnn);
    memcpy(weights + find(rnn, "weight_hh_l0").offset, turn, sizeof turn);
    elman_rnn_weights_end(rnn);
    return rnn;
}

/* A line from -1 to 1, with both units on it. */
static void plot(int t, const float *s)
{
    char line[WIDTH + 1];
    memset(line, ' ', WIDTH);
    line[WIDTH] = '\0';
    line[WIDTH / 2] = '|';
    for (int j = HIDDEN - 1; j >= 0; --j)
        line[(int)((s[j] + 1) / 2 * (WIDTH - 1) + 0.5f)] = (char)('1' + j);
    printf("%3d %7.4f %7.4f  %s\n", t, (double)s[0], (double)s[1], line);
}

int main(void)
{
    float start[HIDDEN], whole[STEPS][HIDDEN], pieces[STEPS][HIDDEN];
    float steps[STEPS][HIDDEN], s[HIDDEN];
    elman_context *context;
    elman_tape *tape;
    elman_state *state;
    must(elman_context_create(NULL, &context));
    elman_rnn *rnn = make_system(context);
    must(elman_state_create(rnn, 1, &state));
    elman_state_random(state, 0.1, 1);
    elman_state_read(state, start);

    elman_tape_desc desc = ELMAN_TAPE_DESC;
    desc.steps = STEPS;
    desc.batch = 1;
    desc.inference_only = 1;
    must(elman_tape_create(rnn, &desc, &tape));
    must(elman_rnn_forward(rnn, tape, STEPS, 1, NULL, start, whole, NULL));

    memcpy(s, start, sizeof s);
    for (int t = 0; t < STEPS; t += PIECE) {
        const int some = STEPS - t < PIECE ? STEPS - t : PIECE;
        must(elman_rnn_forward(rnn, tape, some, 1, NULL, s, pieces[t], s));
    }
    for (int t = 0; t < STEPS; ++t)
        must(elman_rnn_step(rnn, state, NULL, steps[t]));

    plot(0, start);
    for (int t = 0; t < STEPS; ++t)
        plot(t + 1, whole[t]);
    check(memcmp(pieces, whole, sizeof whole) == 0, "pieces give the whole");
    check(memcmp(steps, whole, sizeof whole) == 0, "steps give the whole");
    printf("the same bits at once, in pieces of %d, and one step a call\n",
           PIECE);

    elman_state_destroy(&state);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return 0;
}
