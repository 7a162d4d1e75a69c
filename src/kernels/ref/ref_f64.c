/* SPDX-License-Identifier: MIT */
/* ref_f64.c - the reference in float64. */
#include "../kernels.h"
#include "../../base/real.h"

#include <math.h>
#include <string.h>

static double sigmoid64(double x)
{
    return 1 / (1 + el_exp64(-x));
}

#define REAL double
#define NAME(op) el_##op##_c_f64
#define FMA fma
#define SQRT sqrt
#define EXP el_exp64
#define TANH el_tanh64
#define SIGMOID sigmoid64
#include "body.h"

void el_kernels_c_f64(el_kernels *table)
{
    *table = (el_kernels)TABLE(ELMAN_F64);
}
