/* SPDX-License-Identifier: MIT */
/* oracle_lm.h - a language model as a textbook has it, in double and in plain
 * loops: every one-hot row is made, every product is a dot product. */
#ifndef TEST_ORACLE_LM_H
#define TEST_ORACLE_LM_H

#include "oracle.h"

/* Parameters lie in one block in the order of elman.h.  past: the tokens
 * before the first, [n-1,B], -1 for none, for ELMAN_CELL_NONE; h0 [L,B,H] the
 * state before it otherwise; either may be NULL. */
typedef struct oracle_lm {
    elman_lm_desc desc;
    int64_t classes, steps, batch;
    const double *w, *h0;
    const int32_t *past, *ids, *targets;
    double scale; /* of the gradient */
} oracle_lm;

/* Loss sum over the kept targets.  grad [P] is overwritten; logits [T,B,V] and
 * hT [L,B,H] receive what the forward pass ended with.  Any of the three may
 * be NULL.  *nearest is the smallest magnitude of what phi was applied to. */
double oracle_lm_run(const oracle_lm *o, double *grad, double *logits,
                     double *hT, double *nearest);

#endif
