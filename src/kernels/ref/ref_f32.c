/* SPDX-License-Identifier: MIT */
/* ref_f32.c - the reference in float32: level `c`. */
#include "../kernels.h"
#include "../../base/real.h"
#include "real32.h"

#define REAL float
#define NAME(op) el_##op##_c
#define FMA fmaf
#define SQRT sqrtf
#define EXP exp_f32
#define TANH tanh_f32
#define SIGMOID sigmoid_f32
#include "body.h"

void el_kernels_c_f32(el_kernels *table)
{
    *table = (el_kernels)TABLE(ELMAN_F32);
}
