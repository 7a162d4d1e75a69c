/* SPDX-License-Identifier: MIT */
/* learner.h - a model that learns from the stream that it foretells;
 * elman_learner_* below the argument checks. */
#ifndef EL_LEARNER_H
#define EL_LEARNER_H

#include "../model/lm.h"
#include "../optim/optimizer.h"

struct elman_learner {
    elman_lm *lm; /* borrowed */
    elman_learner_desc desc;
    elman_optimizer *optimizer;
    el_watch watch;
    elman_lm_tape *tape;
    elman_lm_state *state; /* behind the tokens that have been scored */
    void *begun;           /* what the state carried before the piece at hand */
    void *now;             /* the same, while it looks one step ahead */
    void *first;           /* [P]: w0 */
    double largest;        /* magnitude in it */
    void *grad;            /* [P] */
    int32_t *ids; /* [steps+1]: the token before the piece, then those that have
                   * been read of it */
    int64_t read; /* of the piece, all of them scored; -1: no token yet */
    int64_t updates;
    bool failed; /* the stream is over */
};

/* desc has been checked, and the model trains. */
elman_status el_learner_create(elman_lm *lm, const elman_learner_desc *desc,
                               elman_learner **out);
void el_learner_free(elman_learner *learner);
elman_status el_learner_read(elman_learner *learner, const int32_t *ids,
                             int64_t count, double *nats);
/* A token has been read. */
void el_learner_next(elman_learner *learner, void *logits);
void el_learner_begin(elman_learner *learner);
void el_learner_reset(elman_learner *learner);
/* All but the total. */
void el_learner_memory(const elman_learner *learner, elman_memory *out);
elman_status el_learner_eval(elman_learner *learner, elman_text *text,
                             int64_t first, int64_t count, elman_lm_score *out);

#endif
