/* SPDX-License-Identifier: MIT */
/* consume.c - what a stranger's first program does: it makes a layer, runs a
 * few steps, and prints what came out to the last bit. */
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
    float y[35];
    int i;

    desc.cell = ELMAN_CELL_LSTM;
    desc.input = 3;
    desc.hidden = 35;
    if (elman_context_create(NULL, &context) ||
        elman_rnn_create(context, &desc, &rnn) ||
        elman_state_create(rnn, 1, &state))
        return failed();
    elman_rnn_init(rnn, 1);
    for (i = 0; i < 20; i++)
        if (elman_rnn_step(rnn, state, x, y))
            return failed();

    printf("elman %s: %d parameters,", elman_version(),
           (int)elman_rnn_parameters(rnn));
    for (i = 0; i < 35; i++)
        printf(" %a", y[i]);
    printf("\n");
    elman_state_destroy(&state);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return 0;
}
