/* SPDX-License-Identifier: MIT */
/* consume.c - what a stranger's first program does: it asks for the version,
 * makes a layer and runs one step. */
#include <elman.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "consume: %s\n", elman_message());
    return 1;
}

int main(void)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    elman_context *context = NULL;
    elman_rnn *rnn = NULL;
    elman_state *state = NULL;
    const float x[3] = {1, 2, 3};
    float y[5] = {1, 1, 1, 1, 1};

    desc.input = 3;
    desc.hidden = 5;
    if (elman_context_create(NULL, &context) ||
        elman_rnn_create(context, &desc, &rnn) ||
        elman_state_create(rnn, 1, &state) || elman_rnn_step(rnn, state, x, y))
        return failed();
    printf("elman %s: %d parameters\n", elman_version(),
           (int)elman_rnn_parameters(rnn));
    const int right = elman_rnn_parameters(rnn) == 5 * 3 + 5 * 5 + 5 + 5 &&
                      y[0] == 0 && y[4] == 0;

    elman_state_destroy(&state);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return right ? 0 : 1;
}
