/* SPDX-License-Identifier: MIT */
/* every_float.h - how wrong a function of one float is, over all floats. */
#ifndef TEST_EVERY_FLOAT_H
#define TEST_EVERY_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

/* Measures exp, tanh and sigmoid, and log from 0 on, at the floats of which the
 * bits are 0, stride, 2 stride, ..., with the machine's libm, in double, as the
 * oracle; compares every level with the reference by its bits; prints a table;
 * and says whether all functions are what they are documented to be. */
bool every_report(uint32_t stride, int threads);

#endif
