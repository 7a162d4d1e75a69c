/* SPDX-License-Identifier: MIT */
/* print.c - runs model.c over a file of steps and prints the outputs:
 * print X.csv. */
#include "model.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static model_state state;
    static float x[MODEL_INPUTS], y[MODEL_OUTPUTS];
    FILE *const in = argc == 2 ? fopen(argv[1], "r") : NULL;
    int i, steps = 0;
    if (in == NULL)
        return 2;
    model_init(&state);
    for (;; ++steps) {
        for (i = 0; i < MODEL_INPUTS; ++i)
            if (fscanf(in, i > 0 ? " ,%f" : "%f", &x[i]) != 1)
                return steps > 0 ? 0 : 2;
        model_step(&state, x, y);
        for (i = 0; i < MODEL_OUTPUTS; ++i)
            printf("%.9g%c", (double)y[i], i + 1 < MODEL_OUTPUTS ? ',' : '\n');
    }
}
