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

/* Numbers of one dtype as those of another. */
void dtype_cast(const void *from, elman_dtype from_type, void *to,
                elman_dtype to_type, int64_t count);
/* Element i of a file's tensor. */
double dtype_number_at(const elman_tensor *tensor, int64_t i);
/* Makes a model of this dtype of the one that is not NULL, with its weights;
 * nothing is done where it is of that dtype.  FAILED with the sentence
 * written, and the model as it was. */
int dtype_remake(elman_dtype dtype, elman_lm **lm, elman_network **network);

/* Loads a model for inference, as --dtype says: a place among the choices, or
 * -1 where it was not given. */
int dtype_load_lm(elman_context *context, const char *path, int choice,
                  elman_lm **lm);
int dtype_load_network(elman_context *context, const char *path, int choice,
                       elman_network **network);

/* The row of --dtype in such a command's table. */
#define DTYPE_OPTION(offset_)                                                  \
    {                                                                          \
        .kind = OPTION_CHOICE, .name = "dtype", .offset = (offset_),           \
        .choices = DTYPE_CHOICES "|int8",                                      \
        .help = "arithmetic (default: the model's own)"                        \
    }

#endif
