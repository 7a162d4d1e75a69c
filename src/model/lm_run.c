/* SPDX-License-Identifier: MIT */
/* lm_run.c - a language model at work: forward, backward, one step. */
#include "../base/plan.h"
#include "lm.h"

#include <assert.h>
#include <string.h>

static int64_t embedded(const elman_lm *lm)
{
    return lm->net.embedding >= 0 ? lm->tokens * lm->desc.embed : 0;
}

/* ---- State ----------------------------------------------------------------*/

int64_t el_lm_state_h_count(const elman_lm_state *state)
{
    return state->lm->net.stack.recurrent ? el_state_h_count(&state->state) : 0;
}

int64_t el_lm_state_c_count(const elman_lm_state *state)
{
    return el_state_c_count(&state->state);
}

int64_t el_lm_state_ids_count(const elman_lm_state *state)
{
    return (state->lm->tokens - 1) * state->batch;
}

static void plan_state(el_plan *p, elman_lm_state *state)
{
    const elman_lm *const lm = state->lm;
    const int64_t x = embedded(lm);
    el_want(p, &state->ids, lm->tokens, state->batch, sizeof *state->ids);
    if (x > 0)
        el_want(p, &state->x, x, state->batch, lm->net.k->size);
}

elman_status el_lm_state_create(const elman_lm *lm, int64_t batch,
                                elman_lm_state **out)
{
    const elman_context *const c = lm->net.context;
    el_plan p = {.context = c, .allocate = true};
    elman_lm_state *const state = el_alloc(c, sizeof *state);
    if (!state)
        return ELMAN_ENOMEM;
    state->lm = lm;
    state->batch = batch;
    elman_status s = el_state_create(&lm->net.stack, batch, &state->state);
    if (!s) {
        plan_state(&p, state);
        s = p.failed ? ELMAN_ENOMEM : ELMAN_OK;
    }
    if (s) {
        el_lm_state_free(state);
        return s;
    }
    el_lm_state_zero(state);
    *out = state;
    return ELMAN_OK;
}

int64_t el_lm_state_bytes(const elman_lm *lm, int64_t batch)
{
    el_plan p = {.context = lm->net.context};
    elman_lm_state state = {.lm = lm, .batch = batch};
    el_want_bytes(&p, sizeof state + EL_BLOCK_EXTRA);
    el_want_bytes(&p, el_state_bytes(&lm->net.stack, batch));
    plan_state(&p, &state);
    return p.failed ? -1 : p.bytes;
}

void el_lm_state_free(elman_lm_state *state)
{
    if (!state)
        return;
    const elman_context *const c = state->lm->net.context;
    el_state_free(&state->state);
    el_free(c, state->ids);
    el_free(c, state->x);
    el_free(c, state);
}

void el_lm_state_zero(elman_lm_state *state)
{
    el_state_zero(&state->state);
    for (int64_t i = 0; i < el_lm_state_ids_count(state); ++i)
        state->ids[i] = -1;
}

/* The parts of what is carried, one behind the other. */
typedef struct carried {
    void *at[3];
    size_t bytes[3];
} carried;

static carried parts_of(const elman_lm_state *state)
{
    const size_t size = state->lm->net.k->size;
    return (carried){
        .at = {state->state.h, state->state.c, state->ids},
        .bytes = {(size_t)el_lm_state_h_count(state) * size,
                  (size_t)el_lm_state_c_count(state) * size,
                  (size_t)el_lm_state_ids_count(state) * sizeof(int32_t)}};
}

void el_lm_state_read(const elman_lm_state *state, void *out)
{
    const carried parts = parts_of(state);
    for (int i = 0; i < 3; ++i) {
        if (parts.bytes[i] > 0)
            memcpy(out, parts.at[i], parts.bytes[i]);
        out = (char *)out + parts.bytes[i];
    }
}

elman_status el_lm_state_write(elman_lm_state *state, const void *in)
{
    const carried parts = parts_of(state);
    const int64_t ids = el_lm_state_ids_count(state);
    for (int64_t i = 0; i < ids; ++i) {
        const int32_t id = ((const int32_t *)in)[i];
        if (id < -1 || id >= state->lm->classes)
            return el_fail(ELMAN_EINVAL,
                           "the state holds token %d (-1 to %lld)", id,
                           (long long)state->lm->classes - 1);
    }
    for (int i = 0; i < 3; ++i) {
        if (parts.bytes[i] > 0)
            memcpy(parts.at[i], in, parts.bytes[i]);
        in = (const char *)in + parts.bytes[i];
    }
    return ELMAN_OK;
}

/* ---- Tape -----------------------------------------------------------------*/

static size_t tape_scratch(const elman_lm *lm, el_run most)
{
    const size_t decoder = el_decoder_scratch(&lm->net.decoder);
    const size_t embedding =
        lm->net.embedding >= 0
            ? el_lookup_scratch(lm->net.k, most, lm->classes, lm->desc.embed)
            : 0;
    return decoder > embedding ? decoder : embedding;
}

static void plan_tape(el_plan *p, elman_lm_tape *t)
{
    const elman_lm *const lm = t->lm;
    const size_t size = lm->net.k->size;
    const int64_t P = lm->net.stack.width, x = embedded(lm);
    const el_run most = {t->most_steps, t->most_batch, NULL};
    int64_t rows, ids;
    if (__builtin_mul_overflow(most.steps, most.batch, &rows) ||
        __builtin_mul_overflow(most.steps + lm->tokens - 1, most.batch, &ids) ||
        rows > INT32_MAX) {
        p->failed = true;
        el_no_memory();
        return;
    }
    el_want(p, &t->ids, ids, 1, sizeof *t->ids);
    el_want(p, &t->logits, rows, lm->classes, size);
    el_want(p, &t->each, rows, 1, sizeof *t->each);
    if (x > 0)
        el_want(p, &t->x, rows, x, size);
    if (t->inference)
        return;
    if (lm->desc.dropout > 0)
        el_want(p, &t->out, rows, P, size);
    el_want(p, &t->dh, rows, P, size);
    el_want(p, &t->scratch, 1, (int64_t)tape_scratch(lm, most), 1);
    if (x > 0)
        el_want(p, &t->dx, rows, x, size);
}

static elman_lm_tape shape(const elman_lm *lm, int64_t steps, int64_t batch,
                           bool inference)
{
    return (elman_lm_tape){.lm = lm,
                           .most_steps = steps,
                           .most_batch = batch,
                           .inference = inference};
}

elman_status el_lm_tape_create(const elman_lm *lm, int64_t steps, int64_t batch,
                               bool inference, elman_lm_tape **out)
{
    const elman_context *const c = lm->net.context;
    el_plan p = {.context = c, .allocate = true};
    assert(!inference || steps * batch <= 256);
    elman_lm_tape *const t = el_alloc(c, sizeof *t);
    if (!t)
        return ELMAN_ENOMEM;
    *t = shape(lm, steps, batch, inference);
    elman_status s =
        el_tape_create(&lm->net.stack, steps, batch, inference, &t->tape);
    if (!s) {
        plan_tape(&p, t);
        s = p.failed ? ELMAN_ENOMEM : ELMAN_OK;
    }
    if (s) {
        el_lm_tape_free(t);
        return s;
    }
    *out = t;
    return ELMAN_OK;
}

int64_t el_lm_tape_bytes(const elman_lm *lm, int64_t steps, int64_t batch,
                         bool inference)
{
    el_plan p = {.context = lm->net.context};
    elman_lm_tape t = shape(lm, steps, batch, inference);
    el_want_bytes(&p, sizeof t + EL_BLOCK_EXTRA);
    el_want_bytes(&p, el_tape_bytes(&lm->net.stack, steps, batch, inference));
    plan_tape(&p, &t);
    return p.failed ? -1 : p.bytes;
}

void el_lm_tape_free(elman_lm_tape *t)
{
    if (!t)
        return;
    const elman_context *const c = t->lm->net.context;
    el_tape_free(&t->tape);
    el_free(c, t->ids);
    el_free(c, t->x);
    el_free(c, t->dx);
    el_free(c, t->out);
    el_free(c, t->logits);
    el_free(c, t->dh);
    el_free(c, t->each);
    el_free(c, t->scratch);
    el_free(c, t);
}

/* ---- Forward and backward -------------------------------------------------*/

/* x [rows,n*E]: a row is the embeddings of its n tokens.  ids [n-1+T,B], so
 * that slot s of step t is row t + s of them. */
static void embed(const elman_lm *lm, int64_t batch, int64_t rows,
                  const int32_t *ids, void *x)
{
    const int64_t E = lm->desc.embed, width = lm->tokens * E;
    for (int64_t s = 0; s < lm->tokens; ++s)
        el_network_embed(&lm->net, rows, ids + s * batch,
                         el_at(lm->net.k, x, s * E), width);
}

static el_input enter(const elman_lm *lm, int64_t batch, int64_t rows,
                      const int32_t *ids, void *x)
{
    if (lm->net.embedding < 0)
        return (el_input){.ids = ids, .ids_stride = batch};
    embed(lm, batch, rows, ids, x);
    return (el_input){.x = {.p = x, .ld = embedded(lm)}};
}

/* The masks of what enters the decoder: those of a layer's output that no
 * layer is above. */
static el_dropout before_decoder(const elman_lm *lm, const el_draw *draw)
{
    return (el_dropout){.p = lm->desc.dropout,
                        .locked = lm->desc.locked,
                        .key = el_dropout_key(draw, lm->desc.layers - 1),
                        .first = draw->first,
                        .first_step = draw->first_step};
}

/* What enters the decoder, packed rows. */
static const void *top_of(const elman_lm *lm, elman_lm_tape *tape)
{
    const int64_t P = lm->net.stack.width;
    const void *const h = el_tape_output(&tape->tape);
    if (!tape->out || !tape->draw.train)
        return h;
    const el_dropout d = before_decoder(lm, &tape->draw);
    el_dropout_rows(lm->net.context, lm->net.k, &d, tape->run, P, h, P,
                    tape->out, P);
    return tape->out;
}

void el_lm_forward(const elman_lm *lm, elman_lm_tape *tape,
                   const elman_lm_batch *batch, elman_lm_state *state,
                   double *loss_sum, int64_t *kept)
{
    const el_run run = {batch->steps, batch->batch, NULL};
    const int64_t rows = el_rows(run), past = (lm->tokens - 1) * run.batch;
    const bool carries = state && lm->net.stack.recurrent;

    for (int64_t i = 0; i < past; ++i)
        tape->ids[i] = state ? state->ids[i] : -1;
    memcpy(tape->ids + past, batch->ids, (size_t)rows * sizeof *batch->ids);
    const el_input input = enter(lm, run.batch, rows, tape->ids, tape->x);
    el_forward f = {.steps = run.steps,
                    .batch = run.batch,
                    .input = input,
                    .draw = {batch->train, batch->seed, batch->draw,
                             batch->first_row, batch->first_step},
                    .weights = lm->net.weights};
    if (carries) {
        f.h0 = f.hT = state->state.h;
        f.c0 = f.cT = state->state.c;
    }
    el_tape_forward(&tape->tape, &f);
    tape->run = run;
    tape->draw = f.draw;
    if (state)
        memcpy(state->ids, tape->ids + rows, (size_t)past * sizeof *state->ids);

    el_decoder_forward(&lm->net.decoder, rows, top_of(lm, tape), tape->logits);
    const el_xent_rows xent = {
        .kernel = {.classes = lm->classes, .scale = batch->scale},
        .rows = rows,
        .x = tape->logits,
        .targets32 = batch->targets,
        .each = tape->each,
        .dx = tape->inference ? NULL : tape->logits};
    el_xent_all(lm->net.context, lm->net.k, &xent);
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < rows; ++i) {
        sum += tape->each[i];
        count += batch->targets[i] >= 0;
    }
    *loss_sum = sum;
    if (kept)
        *kept = count;
}

/* Each slot's tokens have their own rows of dx, E apart. */
static void embedding_gradient(const elman_lm *lm, elman_lm_tape *tape,
                               void *grad)
{
    const el_kernels *const k = lm->net.k;
    const int64_t E = lm->desc.embed;
    for (int64_t s = 0; s < lm->tokens; ++s)
        el_lookup_gradient(k, &(el_lookup_gradient_args){
                                  .run = tape->run,
                                  .vocab = lm->classes,
                                  .n = E,
                                  .ids = tape->ids + s * tape->run.batch,
                                  .a = el_at(k, tape->dx, s * E),
                                  .lda = lm->tokens * E,
                                  .grad = el_at(k, grad, lm->net.embedding),
                                  .id_stride = E,
                                  .stride = 1,
                                  .scratch = tape->scratch});
}

void el_lm_backward(const elman_lm *lm, elman_lm_tape *tape, void *grad)
{
    el_lm_backward_through(lm, tape, &(el_lm_flow){0}, grad);
}

void el_lm_backward_through(const elman_lm *lm, elman_lm_tape *tape,
                            const el_lm_flow *flow, void *grad)
{
    const int64_t P = lm->net.stack.width;
    const bool drops = tape->out && tape->draw.train;
    el_decoder_backward(&lm->net.decoder, tape->run,
                        drops ? tape->out : el_tape_output(&tape->tape),
                        tape->logits, tape->dh, grad, tape->scratch);
    if (drops) {
        const el_dropout d = before_decoder(lm, &tape->draw);
        el_dropout_rows(lm->net.context, lm->net.k, &d, tape->run, P, tape->dh,
                        P, tape->dh, P);
    }
    el_tape_backward(&tape->tape, &(el_backward){.dy = tape->dh,
                                                 .dhT = flow->dhT,
                                                 .dcT = flow->dcT,
                                                 .dx = tape->dx,
                                                 .dh0 = flow->dh0,
                                                 .dc0 = flow->dc0,
                                                 .grad = grad});
    if (lm->net.embedding >= 0)
        embedding_gradient(lm, tape, grad);
    tape->run.steps = 0;
}

void el_lm_step(const elman_lm *lm, elman_lm_state *state, const int32_t *ids,
                void *logits)
{
    const int64_t B = state->batch, past = el_lm_state_ids_count(state);
    memcpy(state->ids + past, ids, (size_t)B * sizeof *ids);
    const el_input input = enter(lm, B, B, state->ids, state->x);
    el_state_step(&state->state, &input);
    memmove(state->ids, state->ids + B, (size_t)past * sizeof *state->ids);
    if (logits)
        el_decoder_forward(&lm->net.decoder, B, el_state_top(&state->state),
                           logits);
}
