/* SPDX-License-Identifier: MIT */
/* drive.c - runs model.c over a file of steps and compares each output's bits
 * with those of another file: drive X.csv Y.csv.  A line is a step. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_line(FILE *file, float *values, int count)
{
    int i;
    for (i = 0; i < count; ++i) {
        double value;
        if (fscanf(file, i > 0 ? " ,%lf" : "%lf", &value) != 1)
            return 0;
        values[i] = (float)value;
    }
    return 1;
}

static void step(model_state *state, const float *x, float *y)
{
#ifdef MODEL_TOKENS
    model_step(state, (int32_t)x[0], y);
#elif MODEL_INPUTS > 0
    model_step(state, x, y);
#else
    (void)x;
    model_step(state, y);
#endif
}

#ifdef MODEL_TOKENS
enum { WIDTH = 1 };
#else
enum { WIDTH = MODEL_INPUTS };
#endif

int main(int argc, char **argv)
{
    static model_state state;
    static float x[WIDTH + 1], y[MODEL_OUTPUTS], want[MODEL_OUTPUTS];
    FILE *const in = argc == 3 ? fopen(argv[1], "r") : NULL;
    FILE *const out = argc == 3 ? fopen(argv[2], "r") : NULL;
    int t, i;
    if (in == NULL || out == NULL)
        return 2;
    model_init(&state);
    for (t = 0; read_line(out, want, MODEL_OUTPUTS); ++t) {
        if (!read_line(in, x, WIDTH))
            return 2;
        step(&state, x, y);
        for (i = 0; i < MODEL_OUTPUTS; ++i)
            if (memcmp(&y[i], &want[i], sizeof *y) != 0) {
                printf("step %d, output %d: %.9g, not %.9g\n", t, i,
                       (double)y[i], (double)want[i]);
                return 1;
            }
    }
    /* Without an output all goes on in the same way. */
    step(&state, x, NULL);
    return t > 0 ? 0 : 2;
}
