/* SPDX-License-Identifier: MIT */
/* model_int8.h - weights of a byte in a model file: of a matrix NAME [rows,
 * columns] there are NAME, integers of dtype I8, and NAME_scale [rows], F32.
 * What is no matrix is F32, as in other models. */
#ifndef EL_MODEL_INT8_H
#define EL_MODEL_INT8_H

#include "network.h"

#define EL_SCALE_SUFFIX "_scale"

/* The tensors of a network of such weights, scales and vectors first. */
typedef struct el_int8_tensors {
    elman_tensor *list;
    int count;
    char *names;   /* what they are made of */
    float *floats; /* scales, and vectors */
    int8_t *integers;
} el_int8_tensors;

/* ELMAN_EINVAL: a weight is not finite. */
elman_status el_int8_make(const elman_network *network, el_int8_tensors *out);
void el_int8_free(const elman_network *network, el_int8_tensors *tensors);

/* Fills the matrix of a view from its two tensors.  ELMAN_EFORMAT,
 * naming it: one is missing or has another shape or dtype, or the numbers are
 * none that such weights are written as (el_int8_scale), so that they would not
 * be computed with as they are. */
elman_status el_int8_take(elman_network *network, const elman_tensors *file,
                          const char *path, const elman_view *view);
/* Whether it is the name of the scales of one of the matrices. */
bool el_int8_is_scale(const elman_network *network, const char *name);

#endif
