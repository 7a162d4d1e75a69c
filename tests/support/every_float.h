/* SPDX-License-Identifier: MIT */
/* every_float.h - how wrong a function of one float is, over all floats. */
#ifndef TEST_EVERY_FLOAT_H
#define TEST_EVERY_FLOAT_H

#include "base/cpu.h"

#include <stdbool.h>

enum every_function { EVERY_EXP, EVERY_TANH, EVERY_SIGMOID, EVERY_LOG, EVERY };

extern const char *const every_name[EVERY];

/* Of results that should be normal numbers, and of those that should be
 * denormal or 0: the largest error in ulp, and where. */
typedef struct every_worst {
    double ulp;
    float at;
} every_worst;

typedef struct every_result {
    every_worst normal, denormal;
    /* Arguments of which NaN, infinity, zero or a sign came out wrong. */
    uint64_t wrong;
    float first_wrong;
    /* Arguments at which a level's bits are not the reference's (any NaN is
     * any other). */
    uint64_t differ[EL_LEVEL_COUNT];
    float first_different[EL_LEVEL_COUNT];
} every_result;

/* Takes the floats of which the bits are 0, stride, 2 stride, ...; those of log
 * are not negative.  The machine's libm, in double, is the oracle. */
every_result every_float(enum every_function function, uint32_t stride,
                         int threads);

/* What is documented: no error is larger.  Of sigmoid, denormal results may be
 * flushed (see every_float.c). */
extern const every_worst every_bound[EVERY][2];

/* Prints a line of a table; the first also prints its head. */
void every_print(enum every_function function, const every_result *result);
/* Whether a result keeps within what is documented. */
bool every_good(enum every_function function, const every_result *result);

#endif
