/* SPDX-License-Identifier: MIT */
#include "trainer.h"
#include "history.h"
#include "nonfinite.h"
#include "../model/lm_file.h"
#include "../optim/schedule.h"
#include "../text/corpus.h"

#include <math.h>
#include <string.h>

/* ---- Making ---------------------------------------------------------------*/

static elman_status divide_text(elman_trainer *t)
{
    const elman_train_desc *const d = &t->desc;
    const int64_t tokens = el_text_tokens(t->text);
    int64_t held = 0;
    if (t->valid) {
        t->valid_count = el_text_tokens(t->valid);
    } else if (d->valid_fraction > 0) {
        held = el_text_held_out(tokens, d->valid_fraction);
        t->valid_first = tokens - held;
        t->valid_count = held;
    }
    if ((t->valid || d->valid_fraction > 0) && t->valid_count < 2)
        return el_fail(ELMAN_ETEXT, "%lld tokens to validate on (2 are needed)",
                       (long long)t->valid_count);
    el_truncation_plan(t, tokens - held);
    t->pieces = (el_pieces){.tokens = tokens - held,
                            .batch = d->batch,
                            .steps = t->truncation.steps,
                            .sampling = d->sampling,
                            .seed = d->seed};
    if (!el_pieces_plan(&t->pieces))
        return el_fail(ELMAN_ETEXT,
                       "the text is shorter than one minibatch: %lld tokens, "
                       "and %lld sequences of %lld steps take %lld",
                       (long long)t->pieces.tokens, (long long)d->batch,
                       (long long)t->pieces.steps,
                       (long long)(d->batch * t->pieces.steps + 1));
    t->total = d->updates > 0 ? d->updates : INT64_MAX;
    if (d->epochs == 0)
        return ELMAN_OK;
    return el_truncation_updates(t, d->epochs, t->total, &t->total);
}

static elman_status make_parts(elman_trainer *t)
{
    const elman_context *const c = t->context;
    const elman_train_desc *const d = &t->desc;
    elman_status s = el_lm_create(c, &d->model, el_text_vocab(t->text), &t->lm);
    if (s)
        return s;
    const int64_t P = t->lm->net.views.total;
    const size_t size = t->lm->net.k->size;
    s = el_optimizer_create(c, &d->optimizer, P, &t->optimizer);
    if (!s && d->sampling == ELMAN_SEQUENTIAL)
        s = el_lm_state_create(t->lm, d->batch, &t->state);
    if (!s)
        s = el_shards_create(t);
    if (!s &&
        ((t->state &&
          !(t->carried = el_alloc(c, el_carried_bytes(t->state)))) ||
         (t->valid_count > 0 && !(t->best = el_alloc_array(c, P, size))) ||
         (d->average > 0 && !(t->average = el_alloc_array(c, P, size)))))
        s = ELMAN_ENOMEM;
    return s;
}

static size_t weights_size(const elman_trainer *t)
{
    return (size_t)t->lm->net.views.total * t->lm->net.k->size;
}

/* Draws them, or takes those of a model that is gone on from. */
static elman_status begin_weights(elman_trainer *t)
{
    const elman_lm *const from = t->desc.from;
    t->desc.from = NULL;
    if (!from) {
        el_lm_init(t->lm, t->desc.seed);
        return ELMAN_OK;
    }
    const elman_status s = el_network_copy_weights(&t->lm->net, &from->net);
    if (s)
        return s;
    const char *const name = el_nonfinite_weights(t->lm);
    if (name)
        return el_fail(ELMAN_ENONFINITE,
                       "%s of the model to go on from has a number that is "
                       "not finite%s",
                       name,
                       t->desc.model.dtype != from->desc.dtype
                           ? ", or is too large for the new dtype"
                           : "");
    return el_history_follow(t, from->history);
}

elman_status el_trainer_create(const elman_context *context,
                               const elman_train_desc *desc, elman_text *text,
                               elman_text *valid, elman_trainer **out)
{
    elman_trainer *const t = el_alloc(context, sizeof *t);
    if (!t)
        return ELMAN_ENOMEM;
    t->context = context;
    t->desc = *desc;
    t->text = text;
    t->valid = valid;
    t->sums.best_loss = t->sums.last_valid = t->sums.last_loss = NAN;
    t->end_loss = NAN;
    t->watch = (el_watch)EL_WATCH;
    elman_status s = divide_text(t);
    if (!s)
        s = make_parts(t);
    if (!s)
        s = begin_weights(t);
    if (s) {
        el_trainer_free(t);
        return s;
    }
    if (t->average)
        memcpy(t->average, t->lm->net.weights, weights_size(t));
    *out = t;
    return ELMAN_OK;
}

void el_trainer_free(elman_trainer *t)
{
    if (!t)
        return;
    const elman_context *const c = t->context;
    el_shards_free(t);
    el_lm_state_free(t->state);
    el_optimizer_free(t->optimizer);
    el_lm_free(t->lm);
    el_free(c, t->best);
    el_free(c, t->average);
    el_free(c, t->carried);
    el_free(c, t->origin);
    el_free(c, t);
}

/* Whole rows do not ask for all their memory at once, where nothing is said:
 * the least of 64 MB, 128 MB, ... with which every step is computed again only
 * once.  0: all of it, then.  No bit depends on it. */
static int64_t memory_of_rows(const elman_lm *lm, el_tape_size size)
{
    for (int64_t tape = (int64_t)1 << 26; tape < (int64_t)1 << 50; tape *= 2) {
        el_tape_cost cost;
        size.memory = size.besides + tape;
        if (!el_lm_tape_costs(lm, &size, &cost) && cost.passes <= 2)
            return size.memory;
    }
    return 0;
}

el_tape_size el_trainer_tape(const elman_trainer *t)
{
    const elman_lm *const lm = t->lm;
    const elman_train_desc *const d = &t->desc;
    const el_shards *const shards = &t->shards;
    const int64_t weights = el_network_weights_bytes(&lm->net);
    const int64_t carried =
        t->state ? (int64_t)el_carried_bytes(t->state) + EL_BLOCK_EXTRA : 0;
    int64_t blocks = 1 + (t->valid_count > 0) + (d->average > 0);
    for (int64_t n = shards->count; n > 1; n /= 2)
        ++blocks;
    el_tape_size size = {
        .steps = t->truncation.hold,
        .batch = shards->rows,
        .memory = d->memory,
        .besides =
            el_network_packed_bytes(&lm->net) + blocks * weights +
            el_group_bytes(&shards->group) + carried +
            el_optimizer_bytes(t->context, &d->optimizer, lm->net.views.total)};
    if (t->valid_count > 0)
        size.besides += el_lm_eval_bytes(lm);
    if (t->state)
        size.besides += el_lm_state_bytes(lm, d->batch);
    if (t->state && d->shards > 1)
        size.besides += el_lm_state_bytes(lm, shards->rows);
    /* States between the pieces of a segment, and what goes back over a border;
     * its length is drawn, and these are of one that is not long. */
    if (t->truncation.on)
        size.besides += 10 * carried;
    if (d->truncation == ELMAN_TRUNCATION_NONE && d->memory == 0)
        size.memory = memory_of_rows(lm, size);
    return size;
}

void el_trainer_memory(const elman_trainer *t, elman_memory *out)
{
    const elman_lm *const lm = t->lm;
    const elman_train_desc *const d = &t->desc;
    const int64_t measuring = t->valid_count > 0 ? el_lm_eval_bytes(lm) : 0;
    const int64_t state = t->state ? el_lm_state_bytes(lm, d->batch) : 0;
    const int64_t shard =
        t->shards.state ? el_lm_state_bytes(lm, t->shards.rows) : 0;
    const el_tape_size size = el_trainer_tape(t);
    el_tape_cost cost = {0};
    el_lm_tape_costs(lm, &size, &cost);
    *out = (elman_memory){
        .weights = el_network_weights_bytes(&lm->net),
        .packed = el_network_packed_bytes(&lm->net),
        .gradient = el_shards_gradient_bytes(&t->shards) +
                    el_group_bytes(&t->shards.group),
        .optimizer =
            el_optimizer_bytes(t->context, &d->optimizer, lm->net.views.total),
        .kept = (int64_t)(el_block_bytes(t->best) + el_block_bytes(t->average) +
                          el_block_bytes(t->carried)),
        .tape = cost.bytes + state + shard + measuring +
                el_truncation_states_bytes(t),
        .outside = cost.outside,
        .tokens = el_shards_tokens_bytes(t->truncation.on ? 1 : d->steps,
                                         t->shards.count * t->shards.rows) +
                  el_truncation_tokens_bytes(t),
        .passes = cost.passes};
}

/* ---- One update -----------------------------------------------------------*/

static double learning_rate(const elman_trainer *t)
{
    elman_schedule schedule = t->desc.schedule;
    if (schedule.kind == ELMAN_COSINE && schedule.total == 0)
        schedule.total = t->total;
    return el_schedule_rate(&schedule, t->counters.update,
                            t->counters.halvings);
}

/* The weights that are validated and kept. */
static const void *kept_weights(const elman_trainer *t)
{
    return t->average ? t->average : t->lm->net.weights;
}

/* After an update: a -= (1 - d) (a - w).  The gradient is no longer needed, and
 * holds the difference. */
static void average_weights(elman_trainer *t)
{
    const el_kernels *const k = t->lm->net.k;
    const int64_t P = t->lm->net.views.total;
    const double u = (double)t->counters.update;
    const double early = (1 + u) / (10 + u);
    const double decay = early < t->desc.average ? early : t->desc.average;
    el_update u_minus = {.kind = ELMAN_SGD, .lr = 1, .grad_scale = 1};
    memcpy(t->grad, t->average, weights_size(t));
    k->update(&u_minus, t->grad, t->lm->net.weights, NULL, NULL, P);
    u_minus.lr = 1 - decay;
    k->update(&u_minus, t->average, t->grad, NULL, NULL, P);
}

/* Puts the average in the model's place, or back what the gradient's memory
 * kept meanwhile. */
static void show_average(elman_trainer *t, bool show)
{
    void *const weights = t->lm->net.weights;
    if (show)
        memcpy(t->grad, weights, weights_size(t));
    memcpy(weights, show ? t->average : t->grad, weights_size(t));
    el_lm_pack(t->lm);
}

static elman_status measure_here(elman_trainer *t, double *loss)
{
    elman_lm_score score = ELMAN_LM_SCORE;
    elman_text *const text = t->valid ? t->valid : t->text;
    if (t->average)
        show_average(t, true);
    const elman_status s =
        el_lm_eval(t->lm, text, t->valid_first, t->valid_count, &score);
    if (t->average)
        show_average(t, false);
    if (!s)
        *loss = score.nats / (double)score.tokens;
    return s;
}

/* One pass over a text cannot be shared: rank 0 makes it, and tells. */
static elman_status measure(elman_trainer *t, double *loss)
{
    el_group *const g = &t->shards.group;
    *loss = 0;
    const elman_status s = g->rank == 0 ? measure_here(t, loss) : ELMAN_OK;
    return el_group_follow(g, s, loss);
}

/* Keeps the best weights, and counts validations without improvement. */
static elman_status validate(elman_trainer *t, int64_t epoch)
{
    double loss;
    const elman_status s = measure(t, &loss);
    if (s)
        return s;
    t->sums.last_valid = loss;
    if (isfinite(loss) &&
        (t->counters.best_epoch == 0 || loss < t->sums.best_loss)) {
        t->sums.best_loss = loss;
        t->counters.best_epoch = epoch;
        t->counters.stalls = t->counters.waiting = 0;
        memcpy(t->best, kept_weights(t), weights_size(t));
        return ELMAN_OK;
    }
    ++t->counters.waiting;
    const int64_t patience =
        t->desc.schedule.patience > 0 ? t->desc.schedule.patience : 1;
    if (++t->counters.stalls >= patience) {
        t->counters.stalls = 0;
        ++t->counters.halvings;
    }
    return ELMAN_OK;
}

static bool ends_epoch(const elman_trainer *t, const el_place *place)
{
    return place->to == t->pieces.updates;
}

/* The run's end in the middle of an epoch is validated as well, once. */
static elman_status conclude(elman_trainer *t)
{
    if (t->counters.update != t->total || t->valid_count == 0 ||
        !isnan(t->end_loss))
        return ELMAN_OK;
    const el_place last = el_truncation_place(t, t->total - 1);
    return ends_epoch(t, &last) ? ELMAN_OK : measure(t, &t->end_loss);
}

bool el_trainer_ends_best(const elman_trainer *t)
{
    return isfinite(t->end_loss) &&
           !(t->counters.best_epoch > 0 && t->sums.best_loss <= t->end_loss);
}

elman_status el_trainer_step(elman_trainer *t, elman_train_report *report)
{
    el_counters *const c = &t->counters;
    el_sums *const sums = &t->sums;
    *report = (elman_train_report)ELMAN_TRAIN_REPORT;
    report->valid_loss = NAN;
    report->done = c->update >= t->total ||
                   (t->desc.stop_after > 0 && c->waiting >= t->desc.stop_after);
    const int64_t done =
        report->done && c->update > 0 ? c->update - 1 : c->update;
    const el_place place = el_truncation_place(t, done);
    const int64_t epoch = place.epoch;
    if (!report->done) {
        const int64_t tokens = el_truncation_steps(t, &place) * t->desc.batch;
        const bool last = ends_epoch(t, &place);
        double nats;
        elman_status s = el_shards_read(t, &place);
        if (place.from == 0 && !s) {
            c->epoch_tokens = 0;
            sums->epoch_nats = 0;
            if (t->state)
                el_lm_state_zero(t->state);
        }
        if (t->state)
            el_lm_state_read(t->state, t->carried);
        s = el_shards_gradient(t, s, &nats);
        if (s)
            return s;
        report->lr = learning_rate(t);
        report->loss = nats / (double)tokens;
        report->grad_norm = NAN;
        const bool finite = isfinite(nats);
        if (finite)
            s = el_optimizer_step(t->optimizer, report->lr, t->lm->net.weights,
                                  t->grad, &report->grad_norm, &t->watch);
        if (s && s != ELMAN_ENONFINITE)
            return s;
        if (!finite || s) {
            s = el_trainer_refuse(t, finite, report);
            if (s)
                return s;
        } else {
            el_lm_pack(t->lm);
            if (t->average)
                average_weights(t);
            c->in_a_row = 0;
            c->epoch_tokens += tokens;
            sums->epoch_nats += nats;
        }
        sums->last_loss = report->loss;
        ++c->update;
        c->tokens += tokens;
        report->epoch_end = last || c->update == t->total;
        if (last && t->valid_count > 0) {
            s = validate(t, epoch + 1);
            if (s)
                return s;
            report->valid_loss = sums->last_valid;
        }
    }
    const bool concluded = !isnan(t->end_loss);
    const elman_status s = conclude(t);
    if (s)
        return s;
    if (!concluded && !isnan(t->end_loss))
        report->valid_loss = t->end_loss;
    report->update = c->update;
    report->epoch = epoch + 1;
    report->tokens = c->tokens;
    report->loss = sums->last_loss;
    report->epoch_loss = sums->epoch_nats / (double)c->epoch_tokens;
    report->best_valid_loss =
        el_trainer_ends_best(t) ? t->end_loss : sums->best_loss;
    report->best_epoch = el_trainer_ends_best(t) ? epoch + 1 : c->best_epoch;
    report->skipped_updates = c->skipped;
    return ELMAN_OK;
}

/* ---- What is left behind --------------------------------------------------*/

static elman_status save(elman_trainer *t, const char *path)
{
    /* The note is a part of what is saved; nothing that runs reads it. */
    const elman_status s = el_trainer_note(t);
    if (s)
        return s;
    const bool best = t->counters.best_epoch > 0 && !el_trainer_ends_best(t);
    return el_lm_write(t->lm, best ? t->best : t->average, NULL, 0, path, 0);
}

elman_status el_trainer_save(elman_trainer *t, const char *path)
{
    el_group *const g = &t->shards.group;
    return el_group_agree(g, g->rank == 0 ? save(t, path) : ELMAN_OK);
}

elman_status el_trainer_checkpoint(elman_trainer *t, const char *path,
                                   int64_t mark)
{
    el_group *const g = &t->shards.group;
    elman_status s = el_shards_collect(t);
    if (s)
        return s;
    if (g->rank == 0)
        s = el_checkpoint_write(t, path, mark);
    return el_group_agree(g, s);
}

elman_status el_trainer_snapshot(elman_trainer *t, int64_t mark,
                                 elman_snapshot **snapshot)
{
    elman_status s = el_shards_collect(t);
    if (!s)
        s = el_group_agree(&t->shards.group,
                           el_snapshot_take(t, mark, snapshot));
    return s;
}

elman_status el_trainer_meet(const elman_context *context,
                             const elman_ranks *ranks, elman_status mine,
                             elman_trainer **trainer)
{
    el_group g;
    elman_status s = el_group_create(context, ranks, 0, 1, &g);
    if (!s && g.ranks)
        s = el_group_compare(&g, mine,
                             mine ? 0 : el_checkpoint_fingerprint(*trainer),
                             "texts, options, models or checkpoints");
    else if (!s)
        s = mine;
    el_group_free(&g);
    if (s && !mine) {
        el_trainer_free(*trainer);
        *trainer = NULL;
    }
    return s;
}
