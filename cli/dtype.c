/* SPDX-License-Identifier: MIT */
#include "dtype.h"

static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16};
static const char *const names[] = {"f32", "f64", "bf16"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

elman_dtype dtype_chosen(int choice)
{
    return dtypes[choice];
}

int dtype_choice(elman_dtype dtype)
{
    int choice = 0;

    while (choice < DTYPES - 1 && dtypes[choice] != dtype)
        choice++;
    return choice;
}

const char *dtype_name(elman_dtype dtype)
{
    return names[dtype_choice(dtype)];
}

elman_dtype dtype_stored(elman_dtype dtype)
{
    return dtype == ELMAN_BF16 ? ELMAN_F32 : dtype;
}
