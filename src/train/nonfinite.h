/* SPDX-License-Identifier: MIT */
/* nonfinite.h - updates whose numbers are infinite, or are none. */
#ifndef EL_NONFINITE_H
#define EL_NONFINITE_H

#include "trainer.h"

/* What a state carries, in bytes. */
size_t el_carried_bytes(const elman_lm_state *state);

/* The name of the first view whose weights are not finite; NULL: all are. */
const char *el_nonfinite_weights(const elman_lm *lm);

/* An update that is not to be made, behind its backward pass: its loss is not
 * finite or, where that is, the optimiser has refused it and trainer->watch
 * says why.  Names in the report where it began, and skips it (ELMAN_OK) or
 * puts the trainer back to where it stood before (ELMAN_ENONFINITE), as the
 * descriptor asks. */
elman_status el_trainer_refuse(elman_trainer *trainer, bool finite_loss,
                               elman_train_report *report);

#endif
