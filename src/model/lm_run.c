/* SPDX-License-Identifier: MIT */
/* lm_run.c - a language model at work: forward, backward, one step. */
#include "../base/plan.h"
#include "lm_work.h"

#include <string.h>

int64_t el_lm_embedded(const elman_lm *lm)
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
    const int64_t x = el_lm_embedded(lm);
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
    return (el_input){.x = {.p = x, .ld = el_lm_embedded(lm)}};
}

/* The masks are those of a layer's output that no layer is above. */
void el_lm_drop(elman_lm_tape *tape, int64_t from, el_run run, const void *x,
                void *y)
{
    const elman_lm *const lm = tape->lm;
    const int64_t P = lm->net.stack.width;
    const el_dropout d = {.p = lm->desc.dropout,
                          .locked = lm->desc.locked,
                          .key =
                              el_dropout_key(&tape->draw, lm->desc.layers - 1),
                          .first = tape->draw.first,
                          .first_step = tape->draw.first_step + from};
    el_dropout_rows(lm->net.context, lm->net.k, &d, run, P, x, P, y, P);
}

bool el_lm_drops(const elman_lm_tape *tape)
{
    return tape->out && tape->draw.train;
}

el_loss el_lm_loss(const elman_lm_tape *tape, int64_t rows, const void *h,
                   const int32_t *targets)
{
    return (el_loss){.decoder = &tape->lm->net.decoder,
                     .rows = rows,
                     .h = h,
                     .targets = targets,
                     .logits = tape->logits,
                     .sums = tape->sums,
                     .each = tape->each};
}

void el_lm_losses(elman_lm_tape *tape, const el_loss *loss)
{
    el_loss_forward(loss);
    for (int64_t i = 0; i < loss->rows; ++i)
        tape->sum += loss->each[i];
}

void el_lm_forward(const elman_lm *lm, elman_lm_tape *tape,
                   const elman_lm_batch *batch, elman_lm_state *state,
                   double *loss_sum, int64_t *kept)
{
    const el_run run = {batch->steps, batch->batch, NULL};
    const int64_t rows = el_rows(run), past = (lm->tokens - 1) * run.batch;
    const bool carries = state && lm->net.stack.recurrent;
    const bool recalls = tape->tape.recall != NULL;
    const el_ends ends = el_lm_ends(tape);

    for (int64_t i = 0; i < past; ++i)
        tape->ids[i] = state ? state->ids[i] : -1;
    if (tape->ids)
        memcpy(tape->ids + past, batch->ids, (size_t)rows * sizeof *batch->ids);
    tape->tokens = tape->ids ? tape->ids : batch->ids;
    tape->targets = tape->aims ? tape->aims : batch->targets;
    if (tape->aims)
        memcpy(tape->aims, batch->targets, (size_t)rows * sizeof *tape->aims);
    tape->scale = batch->scale;
    tape->sum = 0;
    tape->draw = (el_draw){batch->train, batch->seed, batch->draw,
                           batch->first_row, batch->first_step};
    el_forward f = {.steps = run.steps,
                    .batch = run.batch,
                    .draw = tape->draw,
                    .weights = lm->net.weights,
                    .ends = recalls ? &ends : NULL};
    if (!recalls || lm->net.embedding < 0)
        f.input = enter(lm, run.batch, rows, tape->tokens, tape->x);
    if (carries) {
        f.h0 = f.hT = state->state.h;
        f.c0 = f.cT = state->state.c;
    }
    el_tape_forward(&tape->tape, &f);
    tape->run = run;
    if (past > 0 && state)
        memcpy(state->ids, tape->ids + rows, (size_t)past * sizeof *state->ids);
    if (!recalls) {
        const void *h = el_tape_output(&tape->tape);
        if (el_lm_drops(tape))
            el_lm_drop(tape, 0, run, h, tape->out);
        const el_loss loss = el_lm_loss(
            tape, rows, el_lm_drops(tape) ? tape->out : h, batch->targets);
        el_lm_losses(tape, &loss);
    }
    *loss_sum = tape->sum;
    int64_t count = 0;
    for (int64_t i = 0; i < rows; ++i)
        count += batch->targets[i] >= 0;
    if (kept)
        *kept = count;
}

/* Each slot's tokens have their own rows of dx, E apart. */
void el_lm_embedding_gradient(elman_lm_tape *tape, int64_t from, el_run run,
                              const void *dx)
{
    const elman_lm *const lm = tape->lm;
    const el_kernels *const k = lm->net.k;
    const int64_t E = lm->desc.embed, B = run.batch;
    for (int64_t s = 0; s < lm->tokens; ++s)
        el_lookup_gradient(k,
                           &(el_lookup_gradient_args){
                               .run = run,
                               .vocab = lm->classes,
                               .n = E,
                               .ids = tape->tokens + (from + s) * B,
                               .a = el_at(k, dx, s * E),
                               .lda = lm->tokens * E,
                               .grad = el_at(k, tape->grad, lm->net.embedding),
                               .id_stride = E,
                               .stride = 1,
                               .scratch = tape->scratch});
}

/* Back through the output layer, steps [begin,end). */
static void output_back(elman_lm_tape *tape, el_block steps, bool dh, bool grad)
{
    const elman_lm *const lm = tape->lm;
    const int64_t row = steps.begin * tape->run.batch;
    const int64_t width = lm->net.stack.width;
    const void *const h =
        el_lm_drops(tape) ? tape->out : el_tape_output(&tape->tape);
    const el_loss loss = el_lm_loss(tape, el_rows(tape->run), h, tape->targets);
    el_loss_backward(
        &loss, &(el_loss_back){
                   .run = el_piece(tape->run, steps.begin, steps.end),
                   .first = row,
                   .scale = tape->scale,
                   .weights = lm->net.weights,
                   .dh = dh ? el_at(lm->net.k, tape->dh, row * width) : NULL,
                   .grad = grad ? tape->grad : NULL,
                   .scratch = tape->scratch});
}

/* Where more than one thing adds to an embedding's row, they do so block of
 * steps by block, as a tape does that computes again: a tied output layer, then
 * slot after slot. */
static void table_gradients(elman_lm_tape *tape, bool output)
{
    const elman_lm *const lm = tape->lm;
    const el_chain chain = {.run = tape->run};
    const int64_t B = tape->run.batch;
    el_block block = {0};
    while (el_next_block(&chain, &block)) {
        const el_run run = el_piece(tape->run, block.begin, block.end);
        if (output)
            output_back(tape, block, false, true);
        el_lm_embedding_gradient(
            tape, block.begin, run,
            el_at(lm->net.k, tape->dx, block.begin * B * el_lm_embedded(lm)));
    }
}

void el_lm_backward(const elman_lm *lm, elman_lm_tape *tape, void *grad)
{
    el_lm_backward_through(lm, tape, &(el_lm_flow){0}, grad);
}

void el_lm_backward_through(const elman_lm *lm, elman_lm_tape *tape,
                            const el_lm_flow *flow, void *grad)
{
    const el_ends ends = el_lm_ends(tape);
    el_backward b = {.dhT = flow->dhT,
                     .dcT = flow->dcT,
                     .dh0 = flow->dh0,
                     .dc0 = flow->dc0,
                     .grad = grad};
    tape->grad = grad;
    if (tape->tape.recall) {
        b.ends = &ends;
        el_tape_backward(&tape->tape, &b);
        tape->run.steps = 0;
        return;
    }
    const el_block all = {0, tape->run.steps};
    const bool later = lm->desc.tie && all.end > EL_BLOCK_STEPS;
    output_back(tape, all, true, !later);
    if (el_lm_drops(tape))
        el_lm_drop(tape, 0, tape->run, tape->dh, tape->dh);
    b.dy = tape->dh;
    b.dx = tape->dx;
    el_tape_backward(&tape->tape, &b);
    if (lm->net.embedding >= 0)
        table_gradients(tape, later);
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
