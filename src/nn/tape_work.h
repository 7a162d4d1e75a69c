/* SPDX-License-Identifier: MIT */
/* tape_work.h - what a tape that keeps everything and one that computes again
 * have in common. */
#ifndef EL_TAPE_WORK_H
#define EL_TAPE_WORK_H

#include "tape.h"

/* Steps for which products over all rows are worth while. */
int64_t el_tape_window(int64_t steps, int64_t batch);
/* Working memory of the way back, which no block of steps leaves to the next:
 * for so many steps at once. */
void el_tape_want_work(el_plan *plan, el_tape *tape, int64_t steps);

/* Takes the sequences and the draw of a call. */
void el_tape_begin(el_tape *tape, const el_forward *f);
/* Layer i with the weights that this call computes with. */
el_layer el_tape_layer(const el_tape *tape, int i);
/* The masks of what layer n gives to the next. */
el_dropout el_tape_between(const el_tape *tape, int n);
/* The gradient of dropped weights goes through the mask; what the caller's
 * block held waits in `aside` [G*H,P] meanwhile. */
void el_tape_set_aside(const el_tape *tape, int i, void *grad, void *aside,
                       bool back);

/* ---- recall.c
 * --------------------------------------------------------------*/

elman_status el_recall_costs(el_tape *tape, const el_tape_size *size,
                             el_tape_cost *out);
elman_status el_recall_create(el_tape *tape, const el_tape_size *size);
/* None is fine. */
void el_recall_free(el_tape *tape);
void el_recall_forward(el_tape *tape, const el_forward *f);
void el_recall_backward(el_tape *tape, const el_backward *b);

#endif
