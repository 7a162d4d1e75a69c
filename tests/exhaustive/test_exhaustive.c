/* SPDX-License-Identifier: MIT */
/* test_exhaustive.c - the error of exp, tanh, sigmoid and log over all floats,
 * and the equality of all levels there.
 *
 *   test_exhaustive [--stride N]      every N-th float only */
#include "base/cpu.h"
#include "support/every_float.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments)
{
    long stride = 1;
    if (count == 3 && strcmp(arguments[1], "--stride") == 0)
        stride = strtol(arguments[2], NULL, 10);
    if ((count != 1 && count != 3) || stride < 1 || stride > 1 << 24) {
        fprintf(stderr, "usage: test_exhaustive [--stride N]\n");
        return 2;
    }
    return every_report((uint32_t)stride, el_cpu_cores()) ? 0 : 1;
}
