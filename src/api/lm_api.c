/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../io/safetensors.h"
#include "../model/lm.h"
#include "../model/lm_file.h"
#include "../text/corpus.h"
#include "../text/vocab.h"
#include "check.h"
#include "checks.h"

/* What they have in common with layers alone. */
static elman_status check_layers(elman_lm_desc *d)
{
    elman_rnn_desc r = ELMAN_RNN_DESC;
    r.cell = d->cell;
    r.activation = d->activation;
    r.dtype = d->dtype;
    r.hidden = d->hidden;
    r.layers = d->layers;
    r.proj = d->proj;
    r.reset_before = d->reset_before;
    r.dropout = d->dropout;
    r.weight_drop = d->weight_drop;
    const elman_status s = el_check_layers(&r);
    d->layers = r.layers;
    return s;
}

elman_status el_check_trains(const elman_lm_desc *d)
{
    EL_REQUIRE(d->dtype != ELMAN_INT8,
               "the model is of ELMAN_INT8 (weights of a byte do not train)");
    EL_REQUIRE(!d->inference_only,
               "the model is for inference only (its weights lie as inference "
               "reads them)");
    return ELMAN_OK;
}

elman_status el_check_lm_desc(elman_lm_desc *d)
{
    EL_REQUIRE(d->cell >= ELMAN_CELL_ELMAN && d->cell <= ELMAN_CELL_GRU,
               "cell is %d (one of elman_cell)", d->cell);
    const elman_status s = check_layers(d);
    if (s)
        return s;
    EL_REQUIRE(d->embed >= 0 && d->embed < EL_MOST_SIZE,
               "embed is %lld (0 or more, below 2^31)", (long long)d->embed);
    const int64_t out = d->proj > 0 ? d->proj : d->hidden;
    EL_REQUIRE(!d->tie || d->context <= 1,
               "tie is set, and context is %lld (1 at most, so that one "
               "embedding is all that enters)",
               (long long)d->context);
    EL_REQUIRE(!d->tie || d->embed == out,
               "tie is set (embed, %lld, must then be what the network gives, "
               "%lld)",
               (long long)d->embed, (long long)out);
    EL_REQUIRE(d->weight_drop == 0 || d->cell != ELMAN_CELL_NONE,
               "weight_drop is %g (0 without a hidden state, where there are "
               "no recurrent weights)",
               d->weight_drop);
    if (d->cell == ELMAN_CELL_NONE) {
        EL_REQUIRE(d->context >= 1 && d->context <= 1 << 20,
                   "context is %lld (1 to %d without a hidden state)",
                   (long long)d->context, 1 << 20);
        EL_REQUIRE(d->layers == 1,
                   "layers is %d (a model without a hidden state has 1)",
                   d->layers);
    } else {
        EL_REQUIRE(d->context == 0,
                   "context is %lld (0: a recurrent network has no such limit)",
                   (long long)d->context);
    }
    return ELMAN_OK;
}

elman_status elman_lm_create(elman_context *context, const elman_lm_desc *desc,
                             const elman_vocab *vocab, elman_lm **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc && vocab, "context, desc or vocab is NULL");
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_lm_desc");
    if (!s)
        s = el_check_lm_desc(&d);
    return s ? s : el_lm_create(context, &d, vocab, out);
}

void elman_lm_destroy(elman_lm **lm)
{
    if (!lm)
        return;
    el_lm_free(*lm);
    *lm = NULL;
}

static elman_status load(elman_context *context, const char *path, bool infers,
                         elman_dtype dtype, elman_lm **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    elman_tensors *file;
    elman_status s = el_check_loaded(dtype);
    if (!s)
        s = el_tensors_open(context, path, &file);
    if (s)
        return s;
    EL_COMPUTE(s = el_lm_from_tensors(context, file, path, infers, dtype, out));
    el_tensors_free(file);
    return s;
}

elman_status elman_lm_load(elman_context *context, const char *path,
                           elman_lm **out)
{
    return load(context, path, false, ELMAN_DTYPE_OWN, out);
}

elman_status elman_lm_load_inference(elman_context *context, const char *path,
                                     elman_dtype dtype, elman_lm **out)
{
    return load(context, path, true, dtype, out);
}

elman_status elman_lm_save(const elman_lm *lm, const char *path)
{
    EL_REQUIRE(lm && path, "lm or path is NULL");
    elman_status s = el_check_exact(&lm->net);
    if (!s)
        EL_COMPUTE(s = el_lm_write(lm, NULL, NULL, 0, path, 0));
    return s;
}

elman_status elman_lm_convert(const elman_lm *lm, elman_dtype dtype,
                              elman_lm **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(lm, "lm is NULL");
    elman_lm_desc d = lm->desc;
    d.dtype = dtype;
    elman_status s = el_check_lm_desc(&d);
    if (!s && dtype != lm->desc.dtype)
        s = el_check_exact(&lm->net);
    if (!s)
        EL_COMPUTE(s = el_lm_copy(lm, dtype, out));
    return s;
}

void elman_lm_describe(const elman_lm *lm, elman_lm_desc *out)
{
    if (lm && out)
        el_give_struct(out, &lm->desc, sizeof lm->desc);
}

const elman_vocab *elman_lm_vocab(const elman_lm *lm)
{
    return lm ? lm->vocab : NULL;
}

const char *elman_lm_history(const elman_lm *lm)
{
    return lm ? lm->history : "";
}

elman_status elman_lm_set_history(elman_lm *lm, const char *json)
{
    EL_REQUIRE(lm && json, "lm or json is NULL");
    return el_lm_take_history(lm, json);
}

int64_t elman_lm_parameters(const elman_lm *lm)
{
    return lm ? lm->net.views.total : 0;
}

int elman_lm_view_count(const elman_lm *lm)
{
    return lm ? lm->net.views.count : 0;
}

elman_status elman_lm_view(const elman_lm *lm, int index, elman_view *out)
{
    EL_REQUIRE(lm && out, "lm or out is NULL");
    return el_views_at(&lm->net.views, index, out);
}

const void *elman_lm_weights(const elman_lm *lm)
{
    const void *weights = NULL;
    if (lm)
        EL_COMPUTE(weights = el_network_read(&lm->net));
    return weights;
}

void *elman_lm_weights_begin(elman_lm *lm)
{
    void *weights = NULL;
    if (lm)
        EL_COMPUTE(weights = el_network_open(&lm->net));
    return weights;
}

void elman_lm_weights_end(elman_lm *lm)
{
    if (lm)
        EL_COMPUTE(el_lm_pack(lm));
}

void elman_lm_init(elman_lm *lm, uint64_t seed)
{
    if (lm)
        EL_COMPUTE(el_lm_init(lm, seed));
}

/* ---- Running --------------------------------------------------------------*/

elman_status elman_lm_tape_create(const elman_lm *lm, int64_t steps,
                                  int64_t batch, elman_lm_tape **out)
{
    elman_tape_desc d = ELMAN_TAPE_DESC;
    d.steps = steps;
    d.batch = batch;
    return elman_lm_tape_make(lm, &d, out);
}

elman_status elman_lm_tape_make(const elman_lm *lm, const elman_tape_desc *desc,
                                elman_lm_tape **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(lm && desc, "lm or desc is NULL");
    elman_status s = el_check_trains(&lm->desc);
    if (s)
        return s;
    el_tape_size size;
    s = el_take_tape_size(&size, desc);
    if (s)
        return s;
    EL_REQUIRE(!size.inference, "inference_only is set (a tape is for training "
                                "here, elman_lm_eval for inference)");
    return el_lm_tape_create(lm, &size, out);
}

void elman_lm_tape_destroy(elman_lm_tape **tape)
{
    if (!tape)
        return;
    el_lm_tape_free(*tape);
    *tape = NULL;
}

elman_status elman_lm_state_create(const elman_lm *lm, int64_t batch,
                                   elman_lm_state **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(lm, "lm is NULL");
    EL_REQUIRE(batch >= 1, "batch is %lld (at least 1)", (long long)batch);
    return el_lm_state_create(lm, batch, out);
}

void elman_lm_state_destroy(elman_lm_state **state)
{
    if (!state)
        return;
    el_lm_state_free(*state);
    *state = NULL;
}

void elman_lm_state_zero(elman_lm_state *state)
{
    if (state)
        el_lm_state_zero(state);
}

elman_status el_check_ids(const elman_lm *lm, const int32_t *ids, int64_t count,
                          bool may_ignore)
{
    for (int64_t i = 0; i < count; ++i)
        EL_REQUIRE((ids[i] >= 0 && ids[i] < lm->classes) ||
                       (may_ignore && ids[i] == ELMAN_IGNORE),
                   "token %lld is %d (0 to %lld%s)", (long long)i, ids[i],
                   (long long)lm->classes - 1,
                   may_ignore ? ", or ELMAN_IGNORE" : "");
    return ELMAN_OK;
}

void elman_lm_state_read(const elman_lm_state *state, void *carried)
{
    if (state && carried)
        el_lm_state_read(state, carried);
}

elman_status elman_lm_state_write(elman_lm_state *state, const void *carried)
{
    EL_REQUIRE(state && carried, "state or carried is NULL");
    return el_lm_state_write(state, carried);
}

elman_status elman_lm_forward(const elman_lm *lm, elman_lm_tape *tape,
                              const elman_lm_batch *batch,
                              elman_lm_state *state, double *loss_sum,
                              int64_t *kept)
{
    EL_REQUIRE(lm && tape && batch && loss_sum,
               "lm, tape, batch or loss_sum is NULL");
    EL_REQUIRE(tape->lm == lm && (!state || state->lm == lm),
               "the tape or the state was made for another model");
    elman_lm_batch b = ELMAN_LM_BATCH;
    elman_status s = el_take_desc(&b, sizeof b, batch, "elman_lm_batch");
    if (s)
        return s;
    EL_REQUIRE(b.ids && b.targets, "ids or targets is NULL");
    EL_REQUIRE(b.steps >= 1 && b.steps <= tape->most_steps && b.batch >= 1 &&
                   b.batch <= tape->most_batch,
               "steps and batch are %lld and %lld (the tape was made for 1 to "
               "%lld and 1 to %lld)",
               (long long)b.steps, (long long)b.batch,
               (long long)tape->most_steps, (long long)tape->most_batch);
    EL_REQUIRE(!state || state->batch == b.batch,
               "the state is of %lld sequences, the batch of %lld",
               state ? (long long)state->batch : 0, (long long)b.batch);
    EL_REQUIRE(b.first_row >= 0 && b.first_row < (int64_t)1 << 32,
               "first_row is %lld (0 to 2^32-1)", (long long)b.first_row);
    EL_REQUIRE(b.first_step >= 0 && b.first_step < (int64_t)1 << 48,
               "first_step is %lld (0 to 2^48-1)", (long long)b.first_step);
    s = el_check_ids(lm, b.ids, b.steps * b.batch, false);
    if (!s)
        s = el_check_ids(lm, b.targets, b.steps * b.batch, true);
    if (s)
        return s;
    EL_COMPUTE(el_lm_forward(lm, tape, &b, state, loss_sum, kept));
    return ELMAN_OK;
}

elman_status elman_lm_backward(const elman_lm *lm, elman_lm_tape *tape,
                               void *grad)
{
    EL_REQUIRE(lm && tape && grad, "lm, tape or grad is NULL");
    EL_REQUIRE(tape->lm == lm, "the tape was made for another model");
    EL_REQUIRE(tape->run.steps > 0, "the tape holds no forward pass");
    EL_COMPUTE(el_lm_backward(lm, tape, grad));
    return ELMAN_OK;
}

elman_status elman_lm_step(const elman_lm *lm, elman_lm_state *state,
                           const int32_t *ids, void *logits)
{
    EL_REQUIRE(lm && state && ids, "lm, state or ids is NULL");
    EL_REQUIRE(state->lm == lm, "the state was made for another model");
    const elman_status s = el_check_ids(lm, ids, state->batch, false);
    if (s)
        return s;
    EL_COMPUTE(el_lm_step(lm, state, ids, logits));
    return ELMAN_OK;
}

static elman_status check_part(const elman_lm *lm, const elman_text *text,
                               int64_t first, int64_t count)
{
    EL_REQUIRE(first >= 0 && count >= 0 &&
                   first <= elman_text_tokens(text) - count,
               "tokens %lld to %lld are not all in the text, which has %lld",
               (long long)first, (long long)(first + count - 1),
               (long long)elman_text_tokens(text));
    EL_REQUIRE(el_vocab_same(el_text_vocab(text), lm->vocab),
               "the text was not opened with the model's vocabulary");
    return ELMAN_OK;
}

elman_status el_check_scored(const elman_lm *lm, const elman_text *text,
                             int64_t first, int64_t count)
{
    const elman_status bad = check_part(lm, text, first, count);
    if (bad)
        return bad;
    if (count < 2)
        return el_fail(ELMAN_ETEXT,
                       "the text has %lld tokens (2 are needed to "
                       "predict one)",
                       (long long)count);
    return ELMAN_OK;
}

elman_status elman_lm_eval(const elman_lm *lm, elman_text *text, int64_t first,
                           int64_t count, elman_lm_score *out)
{
    EL_REQUIRE(lm && text && out, "lm, text or out is NULL");
    elman_status s = el_check_scored(lm, text, first, count);
    if (s)
        return s;
    elman_lm_score score;
    EL_COMPUTE(s = el_lm_eval(lm, text, first, count, &score));
    if (!s)
        el_give_struct(out, &score, sizeof score);
    return s;
}

elman_status elman_lm_probe(const elman_lm *lm, elman_text *text,
                            const elman_probe_desc *desc, double *norms)
{
    EL_REQUIRE(lm && text && desc && norms, "lm, text, desc or norms is NULL");
    elman_probe_desc d = ELMAN_PROBE_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_probe_desc");
    if (!s)
        s = check_part(lm, text, d.first, d.count);
    if (s)
        return s;
    EL_REQUIRE(d.steps >= 1 && d.positions >= 1,
               "steps and positions are %lld and %lld (at least 1)",
               (long long)d.steps, (long long)d.positions);
    if (!lm->net.stack.recurrent)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the model has no hidden state: its gradient reaches "
                       "back over %lld tokens, and not one step further",
                       (long long)lm->tokens);
    if (d.steps >= d.count || d.positions > d.count - d.steps)
        return el_fail(ELMAN_ETEXT,
                       "the text has %lld tokens, which is too few to look "
                       "back over %lld steps from %lld places",
                       (long long)d.count, (long long)d.steps,
                       (long long)d.positions);
    EL_REQUIRE(lm->desc.dtype != ELMAN_INT8,
               "the model is of ELMAN_INT8 (weights of a byte have no "
               "gradient)");
    elman_lm *copy = NULL;
    elman_lm_desc trains = lm->desc;
    trains.inference_only = 0;
    EL_COMPUTE({
        if (lm->desc.inference_only)
            s = el_lm_copy_as(lm, &trains, &copy);
        if (!s)
            s = el_lm_probe(copy ? copy : lm, text, &d, norms);
        el_lm_free(copy);
    });
    return s;
}

elman_status elman_lm_choose(const elman_lm *lm, const elman_sampler *sampler,
                             const void *logits, double uniform, int32_t *id)
{
    EL_REQUIRE(lm && sampler && logits && id,
               "lm, sampler, logits or id is NULL");
    elman_sampler d = ELMAN_SAMPLER;
    elman_status s = el_take_desc(&d, sizeof d, sampler, "elman_sampler");
    if (s)
        return s;
    EL_REQUIRE(d.greedy || d.temperature > 0, "temperature is %g (above 0)",
               d.temperature);
    EL_REQUIRE(d.top_k >= 0, "top_k is %lld (0 for all, or more)",
               (long long)d.top_k);
    EL_REQUIRE(d.top_p >= 0 && d.top_p <= 1, "top_p is %g (0 to 1)", d.top_p);
    EL_REQUIRE(uniform >= 0 && uniform < 1,
               "uniform is %g (0 or more, below 1)", uniform);
    EL_COMPUTE(s = el_lm_choose(lm, &d, logits, uniform, id));
    return s;
}
