/* SPDX-License-Identifier: MIT */
/* views.h - the named parts of a flat block of weights. */
#ifndef EL_VIEWS_H
#define EL_VIEWS_H

#include "../base/context.h"

typedef struct el_views {
    elman_view *list; /* names are owned */
    int count, room;
    int64_t total; /* elements of the block */
} el_views;

/* Appends "prefix" "name" of shape [rows] or, with columns >= 0, [rows,
 * columns]; *offset is where it begins.  ELMAN_ENOMEM also where the block's
 * size would overflow. */
elman_status el_views_add(const elman_context *context, el_views *views,
                          const char *prefix, const char *name, int64_t rows,
                          int64_t columns, int64_t *offset);
void el_views_free(const elman_context *context, el_views *views);
elman_status el_views_at(const el_views *views, int index, elman_view *out);
/* What weights of a byte make of a block of floats: the rows of its matrices
 * become integers times their scales (kernels/int8.h), but for those with an
 * element that is not finite.  A second time changes nothing. */
void el_views_round(const el_views *views, float *weights);
/* The same of so many rows of a matrix. */
void el_round_rows(float *weights, int64_t rows, int64_t columns);
elman_status el_views_find(const el_views *views, const char *name,
                           elman_view *out);

#endif
