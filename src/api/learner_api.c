/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../text/corpus.h"
#include "../train/learner.h"
#include "check.h"
#include "checks.h"

#include <math.h>

static elman_status check(const elman_learner_desc *d)
{
    EL_REQUIRE(d->lr >= 0 && d->lr < INFINITY, "lr is %g (0 or more)", d->lr);
    EL_REQUIRE(d->pull >= 0 && d->pull <= 1, "pull is %g (0 to 1)", d->pull);
    EL_REQUIRE(d->steps >= 1 && d->steps < EL_MOST_SIZE,
               "steps is %lld (at least 1, below 2^31)", (long long)d->steps);
    return el_check_optimizer(&d->optimizer);
}

elman_status elman_learner_create(elman_lm *lm, const elman_learner_desc *desc,
                                  elman_learner **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(lm && desc, "lm or desc is NULL");
    elman_learner_desc d = ELMAN_LEARNER_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_learner_desc");
    if (!s)
        s = el_check_trains(&lm->desc);
    d.optimizer.dtype = lm->desc.dtype;
    if (!s)
        s = check(&d);
    if (!s)
        EL_COMPUTE(s = el_learner_create(lm, &d, out));
    return s;
}

void elman_learner_destroy(elman_learner **learner)
{
    if (!learner)
        return;
    el_learner_free(*learner);
    *learner = NULL;
}

elman_status elman_learner_read(elman_learner *learner, const int32_t *ids,
                                int64_t count, double *nats)
{
    EL_REQUIRE(learner && count >= 0 && (ids || count == 0),
               "learner or ids is NULL, or count is below 0");
    EL_REQUIRE(!learner->failed,
               "the stream ended with a loss or a gradient that was not finite "
               "(elman_learner_begin or _reset begins another)");
    elman_status s = el_check_ids(learner->lm, ids, count, false);
    if (!s)
        EL_COMPUTE(s = el_learner_read(learner, ids, count, nats));
    return s;
}

elman_status elman_learner_next(elman_learner *learner, void *logits)
{
    EL_REQUIRE(learner && logits, "learner or logits is NULL");
    EL_REQUIRE(learner->read >= 0 && !learner->failed,
               "the stream has no token yet, or was ended by one that could "
               "not be learned");
    EL_COMPUTE(el_learner_next(learner, logits));
    return ELMAN_OK;
}

void elman_learner_begin(elman_learner *learner)
{
    if (learner)
        el_learner_begin(learner);
}

void elman_learner_reset(elman_learner *learner)
{
    if (learner)
        EL_COMPUTE(el_learner_reset(learner));
}

int64_t elman_learner_updates(const elman_learner *learner)
{
    return learner ? learner->updates : 0;
}

elman_status elman_learner_eval(elman_learner *learner, elman_text *text,
                                int64_t first, int64_t count,
                                elman_lm_score *out)
{
    EL_REQUIRE(learner && text && out, "learner, text or out is NULL");
    elman_status s = el_check_scored(learner->lm, text, first, count);
    if (s)
        return s;
    elman_lm_score score;
    EL_COMPUTE(s = el_learner_eval(learner, text, first, count, &score));
    if (!s)
        el_give_struct(out, &score, sizeof score);
    return s;
}
