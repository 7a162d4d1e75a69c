/* SPDX-License-Identifier: MIT */
/* lm_eval.c - how well a model predicts a text. */
#include "lm.h"
#include "../text/corpus.h"

/* Losses are added one by one in the order of the text, so that the sum does
 * not depend on the pieces. */
enum { PIECE = 128 };

static const el_tape_size size = {
    .steps = PIECE, .batch = 1, .inference = true};

int64_t el_lm_eval_bytes(const elman_lm *lm)
{
    el_tape_cost cost;
    if (el_lm_tape_costs(lm, &size, &cost))
        return -1;
    return cost.bytes + el_lm_state_bytes(lm, 1);
}

elman_status el_lm_eval(const elman_lm *lm, elman_text *text, int64_t first,
                        int64_t count, elman_lm_score *out)
{
    const elman_vocab *const vocab = lm->vocab;
    const bool counts_unknown = vocab->level != ELMAN_BYTE;
    elman_lm_tape *tape = NULL;
    elman_lm_state *state = NULL;
    elman_status s = el_lm_tape_create(lm, &size, &tape);
    if (!s)
        s = el_lm_state_create(lm, 1, &state);
    if (s)
        goto end;

    int64_t unknown = 0;
    double nats = 0;
    for (int64_t at = 0; at < count - 1;) {
        const int64_t left = count - 1 - at;
        const int64_t steps = left < PIECE ? left : PIECE;
        int32_t ids[PIECE + 1];
        s = el_text_read(text, first + at, steps + 1, ids);
        if (s)
            goto end;
        elman_lm_batch batch = ELMAN_LM_BATCH;
        batch.steps = steps;
        batch.batch = 1;
        batch.ids = ids;
        batch.targets = ids + 1;
        double piece;
        el_lm_forward(lm, tape, &batch, state, &piece, NULL);
        for (int64_t i = 0; i < steps; ++i) {
            nats += tape->each[i];
            unknown += counts_unknown && ids[i + 1] == EL_UNK;
        }
        at += steps;
    }
    double chars = 0;
    s = el_text_chars_between(text, first + 1, count - 1, &chars);
    *out = (elman_lm_score){.struct_size = sizeof *out,
                            .tokens = count - 1,
                            .unknown = unknown,
                            .nats = nats,
                            .chars = chars};
end:
    el_lm_tape_free(tape);
    el_lm_state_free(state);
    return s;
}
