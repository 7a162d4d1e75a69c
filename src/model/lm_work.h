/* SPDX-License-Identifier: MIT */
/* lm_work.h - what a language model's runs have in common, whether all steps
 * are held or one piece after another. */
#ifndef EL_LM_WORK_H
#define EL_LM_WORK_H

#include "lm.h"

/* Numbers that enter the stack where there is an embedding: n*E, else 0. */
int64_t el_lm_embedded(const elman_lm *lm);
/* Whether this call drops what enters the decoder; y = x with its masks, rows
 * of a piece that begins with step `from`. */
bool el_lm_drops(const elman_lm_tape *tape);
void el_lm_drop(elman_lm_tape *tape, int64_t from, el_run run, const void *x,
                void *y);
/* What enters the decoder, h [rows,P], and what it gives, kept by the tape. */
el_loss el_lm_loss(const elman_lm_tape *tape, int64_t rows, const void *h,
                   const int32_t *targets);
/* Forward; the losses are added to the tape's sum one by one. */
void el_lm_losses(elman_lm_tape *tape, const el_loss *loss);
/* Of a piece that begins with step `from`, a multiple of EL_BLOCK_STEPS. */
void el_lm_embedding_gradient(elman_lm_tape *tape, int64_t from, el_run run,
                              const void *dx);

/* What stands below and above the stack of a tape that computes again. */
el_ends el_lm_ends(elman_lm_tape *tape);

#endif
