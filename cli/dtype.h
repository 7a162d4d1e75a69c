/* SPDX-License-Identifier: MIT */
/* dtype.h - kinds of arithmetic, by the names that options and reports give
 * them. */
#ifndef DTYPE_H
#define DTYPE_H

#include <elman.h>

#define DTYPE_CHOICES "f32|f64|bf16"

/* Of a place among the choices, and back. */
elman_dtype dtype_chosen(int choice);
int dtype_choice(elman_dtype dtype);
/* "f32" */
const char *dtype_name(elman_dtype dtype);
/* What its numbers are in memory and in files. */
elman_dtype dtype_stored(elman_dtype dtype);

#endif
