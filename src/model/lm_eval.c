/* SPDX-License-Identifier: MIT */
/* lm_eval.c - how well a model predicts a text. */
#include "lm_score.h"
#include "../text/corpus.h"

#include <string.h>

/* Losses are added one by one in the order of the text, so that the sum does
 * not depend on the pieces. */
elman_status el_lm_score_text(const elman_lm *lm, elman_text *text,
                              int64_t first, int64_t count,
                              el_lm_scorer *scorer, void *arg,
                              elman_lm_score *out)
{
    const bool counts_unknown = lm->vocab->level != ELMAN_BYTE;
    int64_t unknown = 0;
    double nats = 0, chars = 0;
    for (int64_t at = 0; at < count - 1;) {
        const int64_t left = count - 1 - at;
        const int64_t steps = left < EL_SCORE_STEPS ? left : EL_SCORE_STEPS;
        int32_t ids[EL_SCORE_STEPS + 1];
        double each[EL_SCORE_STEPS];
        elman_status s = el_text_read(text, first + at, steps + 1, ids);
        if (!s)
            s = scorer(arg, ids, steps, each);
        if (s)
            return s;
        for (int64_t i = 0; i < steps; ++i) {
            nats += each[i];
            unknown += counts_unknown && ids[i + 1] == EL_UNK;
        }
        at += steps;
    }
    const elman_status s =
        el_text_chars_between(text, first + 1, count - 1, &chars);
    *out = (elman_lm_score){.struct_size = sizeof *out,
                            .tokens = count - 1,
                            .unknown = unknown,
                            .nats = nats,
                            .chars = chars};
    return s;
}

static const el_tape_size size = {
    .steps = EL_SCORE_STEPS, .batch = 1, .inference = true};

int64_t el_lm_eval_bytes(const elman_lm *lm)
{
    el_tape_cost cost;
    if (el_lm_tape_costs(lm, &size, &cost))
        return -1;
    return cost.bytes + el_lm_state_bytes(lm, 1);
}

typedef struct walk {
    const elman_lm *lm;
    elman_lm_tape *tape;
    elman_lm_state *state;
} walk;

static elman_status score(void *arg, const int32_t *ids, int64_t steps,
                          double *nats)
{
    const walk *const w = arg;
    elman_lm_batch batch = ELMAN_LM_BATCH;
    double sum;
    batch.steps = steps;
    batch.batch = 1;
    batch.ids = ids;
    batch.targets = ids + 1;
    el_lm_forward(w->lm, w->tape, &batch, w->state, &sum, NULL);
    memcpy(nats, w->tape->each, (size_t)steps * sizeof *nats);
    return ELMAN_OK;
}

elman_status el_lm_eval(const elman_lm *lm, elman_text *text, int64_t first,
                        int64_t count, elman_lm_score *out)
{
    walk w = {.lm = lm};
    elman_status s = el_lm_tape_create(lm, &size, &w.tape);
    if (!s)
        s = el_lm_state_create(lm, 1, &w.state);
    if (!s)
        s = el_lm_score_text(lm, text, first, count, score, &w, out);
    el_lm_tape_free(w.tape);
    el_lm_state_free(w.state);
    return s;
}
