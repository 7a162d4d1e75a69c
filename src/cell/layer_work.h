/* SPDX-License-Identifier: MIT */
/* layer_work.h - what the two ways through a layer have in common. */
#ifndef EL_LAYER_WORK_H
#define EL_LAYER_WORK_H

#include "cells.h"

/* Walks over rows that are not packed, EL_GATHER_ROWS at a time. */
typedef struct el_walk {
    int64_t t, b;
} el_walk;

/* Moves rows between x and the packed `buffer`, from where the walk stands;
 * gives how many there were, 0 at the end of the run. */
int64_t el_move_rows(const el_kernels *k, el_run run, const el_seq *x,
                     int64_t width, void *buffer, bool out, el_walk *w);

/* Ranks [b0,b1) of step t; gates and m begin with row `base`. */
el_step el_step_at(const el_layer *layer, el_run run, const el_record *record,
                   int64_t base, int64_t t, int64_t b0, int64_t b1);

#endif
