/* SPDX-License-Identifier: MIT */
/* lm_score.h - the score of a text, whatever it is that predicts it. */
#ifndef EL_LM_SCORE_H
#define EL_LM_SCORE_H

#include "lm.h"

enum { EL_SCORE_STEPS = 128 }; /* the most that are asked for at once */

/* nats [steps] out: -ln p of ids[1] ... ids[steps], each given all before it,
 * from where the call before stopped; ids[0] is that one's last. */
typedef elman_status el_lm_scorer(void *arg, const int32_t *ids, int64_t steps,
                                  double *nats);

/* See elman_lm_eval. */
elman_status el_lm_score_text(const elman_lm *lm, elman_text *text,
                              int64_t first, int64_t count,
                              el_lm_scorer *scorer, void *arg,
                              elman_lm_score *out);

#endif
