/* SPDX-License-Identifier: MIT */
#include "../base/cpu.h"
#include "../text/corpus.h"
#include "../text/vocab.h"
#include "../train/trainer.h"
#include "check.h"
#include "checks.h"

#include <math.h>

static elman_status check_schedule(const elman_schedule *s)
{
    EL_REQUIRE(s->kind >= ELMAN_CONSTANT && s->kind <= ELMAN_HALVE,
               "the schedule's kind is %d", s->kind);
    EL_REQUIRE(s->lr >= 0 && s->lr < INFINITY, "lr is %g (0 or more)", s->lr);
    EL_REQUIRE(s->gamma >= 0 && s->gamma < INFINITY, "gamma is %g (0 or more)",
               s->gamma);
    EL_REQUIRE(s->floor >= 0 && s->floor <= 1, "floor is %g (0 to 1)",
               s->floor);
    EL_REQUIRE(s->every >= 0 && s->warmup >= 0 && s->total >= 0 &&
                   s->patience >= 0,
               "every, warmup, total and patience are 0 or more");
    return ELMAN_OK;
}

static elman_status check_truncation(const elman_train_desc *d)
{
    const elman_truncation how = d->truncation;
    EL_REQUIRE(how >= ELMAN_TRUNCATION_REGULAR && how <= ELMAN_TRUNCATION_NONE,
               "truncation is %d (one of elman_truncation)", how);
    EL_REQUIRE(d->cut > 0 && d->cut <= 1, "cut is %g (above 0, at most 1)",
               d->cut);
    EL_REQUIRE(
        d->back == 0 || (how == ELMAN_TRUNCATION_REGULAR &&
                         d->back >= d->steps && d->back < (int64_t)1 << 31),
        "back is %lld (0, or with ELMAN_TRUNCATION_REGULAR %lld or more, "
        "which is steps, below 2^31)",
        (long long)d->back, (long long)d->steps);
    EL_REQUIRE(how == ELMAN_TRUNCATION_REGULAR
                   ? d->back <= d->steps || d->sampling == ELMAN_SEQUENTIAL
                   : d->sampling == ELMAN_SEQUENTIAL,
               "sampling is ELMAN_RANDOM, and gradients would go back over "
               "pieces that are not adjacent");
    EL_REQUIRE((how == ELMAN_TRUNCATION_REGULAR && d->back <= d->steps) ||
                   d->model.cell != ELMAN_CELL_NONE,
               "the model has no hidden state, and nothing goes back in time");
    return ELMAN_OK;
}

/* Descriptors that stand in another one are as large as ours: the outer size
 * tells which version the caller knows. */
static elman_status take(elman_train_desc *d, const elman_train_desc *desc)
{
    *d = (elman_train_desc)ELMAN_TRAIN_DESC;
    elman_status s = el_take_desc(d, sizeof *d, desc, "elman_train_desc");
    if (!s)
        s = el_check_lm_desc(&d->model);
    if (!s)
        s = el_check_trains(&d->model);
    if (!s) {
        d->optimizer.dtype = d->model.dtype;
        s = el_check_optimizer(&d->optimizer);
    }
    if (!s)
        s = check_schedule(&d->schedule);
    if (s)
        return s;
    EL_REQUIRE(d->loss == ELMAN_MEAN || d->loss == ELMAN_SUM,
               "loss is %d (ELMAN_MEAN or ELMAN_SUM)", d->loss);
    EL_REQUIRE(d->sampling == ELMAN_SEQUENTIAL || d->sampling == ELMAN_RANDOM,
               "sampling is %d (ELMAN_SEQUENTIAL or ELMAN_RANDOM)",
               d->sampling);
    EL_REQUIRE(d->batch >= 1 && d->batch < (int64_t)1 << 24 && d->steps >= 1 &&
                   d->steps < (int64_t)1 << 31,
               "batch and steps are %lld and %lld (at least 1, below 2^24 and "
               "2^31)",
               (long long)d->batch, (long long)d->steps);
    if (d->shards == 0)
        d->shards = 1;
    EL_REQUIRE(d->shards > 0 && (d->shards & (d->shards - 1)) == 0 &&
                   d->batch % d->shards == 0,
               "shards is %lld (a power of two that divides the batch, which "
               "is %lld)",
               (long long)d->shards, (long long)d->batch);
    s = check_truncation(d);
    if (s)
        return s;
    EL_REQUIRE(d->epochs >= 0 && d->updates >= 0 &&
                   (d->epochs > 0 || d->updates > 0),
               "epochs and updates are %lld and %lld (one of them above 0)",
               (long long)d->epochs, (long long)d->updates);
    EL_REQUIRE(d->average >= 0 && d->average < 1,
               "average is %g (0 or more, below 1)", d->average);
    EL_REQUIRE(d->on_nonfinite == ELMAN_NONFINITE_STOP ||
                   d->on_nonfinite == ELMAN_NONFINITE_SKIP,
               "on_nonfinite is %d (ELMAN_NONFINITE_STOP or "
               "ELMAN_NONFINITE_SKIP)",
               d->on_nonfinite);
    EL_REQUIRE(d->stop_after >= 0, "stop_after is %lld (0 or more)",
               (long long)d->stop_after);
    EL_REQUIRE(d->memory >= 0, "memory is %lld (0 or more)",
               (long long)d->memory);
    EL_REQUIRE(d->valid_fraction >= 0 && d->valid_fraction < 1,
               "valid_fraction is %g (0 or more, below 1)", d->valid_fraction);
    return ELMAN_OK;
}

static elman_status check_texts(const elman_train_desc *d,
                                const elman_text *text, const elman_text *valid)
{
    EL_REQUIRE(!valid || d->valid_fraction == 0,
               "a text to validate on and valid_fraction are both given");
    EL_REQUIRE(valid || d->valid_fraction > 0 ||
                   d->schedule.kind != ELMAN_HALVE,
               "halving the learning rate needs a validation");
    EL_REQUIRE(valid || d->valid_fraction > 0 || d->stop_after == 0,
               "stop_after needs a validation");
    EL_REQUIRE(!valid ||
                   el_vocab_same(el_text_vocab(valid), el_text_vocab(text)),
               "the text to validate on was not opened with the text's "
               "vocabulary");
    return ELMAN_OK;
}

/* A model whose weights are there as they are, for the same network and the
 * same tokens. */
static elman_status check_from(const elman_train_desc *d,
                               const elman_text *text)
{
    const elman_lm *const from = d->from;
    if (!from)
        return ELMAN_OK;
    EL_REQUIRE(from->desc.dtype != ELMAN_INT8,
               "the model to go on from is of ELMAN_INT8 (weights of a byte do "
               "not train; elman_lm_convert makes floats of them)");
    const elman_status s = el_check_exact(&from->net);
    if (s)
        return s;
    const el_lm_difference other = el_lm_differs(&from->desc, &d->model);
    if (other.name)
        return el_fail(ELMAN_EMISMATCH,
                       "%s of the model to go on from is %lld, and %lld in the "
                       "descriptor (elman_lm_describe fills it in)",
                       other.name, (long long)other.a, (long long)other.b);
    if (!el_vocab_same(el_text_vocab(text), from->vocab))
        return el_fail(ELMAN_EMISMATCH,
                       "the text was not opened with the vocabulary of the "
                       "model to go on from");
    return ELMAN_OK;
}

static elman_status check_ranks(const elman_train_desc *d)
{
    const elman_ranks *const r = d->ranks;
    if (!r)
        return ELMAN_OK;
    EL_REQUIRE(r->struct_size == sizeof *r,
               "struct_size of elman_ranks is not set (begin with its macro)");
    EL_REQUIRE(r->ranks >= 1 && r->rank >= 0 && r->rank < r->ranks &&
                   d->shards % r->ranks == 0,
               "this is rank %d of %d (a number that divides shards, which is "
               "%lld)",
               r->rank, r->ranks, (long long)d->shards);
    EL_REQUIRE(r->ranks == 1 || (r->exchange && r->gather),
               "exchange or gather of elman_ranks is NULL");
    return ELMAN_OK;
}

elman_status elman_trainer_create(elman_context *context,
                                  const elman_train_desc *desc,
                                  elman_text *text, elman_text *valid,
                                  elman_trainer **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc && text, "context, desc or text is NULL");
    elman_train_desc d;
    elman_status s = take(&d, desc);
    if (!s)
        s = check_ranks(&d);
    if (s)
        return s;
    s = check_texts(&d, text, valid);
    if (!s)
        s = check_from(&d, text);
    if (!s)
        EL_COMPUTE(s = el_trainer_create(context, &d, text, valid, out));
    return el_trainer_meet(context, d.ranks, s, out);
}

void elman_trainer_destroy(elman_trainer **trainer)
{
    if (!trainer)
        return;
    el_trainer_free(*trainer);
    *trainer = NULL;
}

elman_status elman_trainer_step(elman_trainer *trainer,
                                elman_train_report *report)
{
    EL_REQUIRE(trainer, "trainer is NULL");
    elman_train_report r;
    elman_status s;
    EL_COMPUTE(s = el_trainer_step(trainer, &r));
    if ((!s || s == ELMAN_ENONFINITE) && report)
        el_give_struct(report, &r, sizeof r);
    return s;
}

int64_t elman_trainer_epoch_updates(const elman_trainer *trainer)
{
    return trainer ? el_truncation_epoch_updates(trainer) : 0;
}

int64_t elman_trainer_total_updates(const elman_trainer *trainer)
{
    return trainer ? trainer->total : 0;
}

const elman_lm *elman_trainer_lm(const elman_trainer *trainer)
{
    return trainer ? trainer->lm : NULL;
}

elman_status elman_trainer_save(const elman_trainer *trainer, const char *path)
{
    EL_REQUIRE(trainer && path, "trainer or path is NULL");
    return el_trainer_save((elman_trainer *)trainer, path);
}

elman_status elman_trainer_checkpoint(const elman_trainer *trainer,
                                      const char *path, int64_t mark)
{
    EL_REQUIRE(trainer && path, "trainer or path is NULL");
    return el_trainer_checkpoint((elman_trainer *)trainer, path, mark);
}

elman_status elman_trainer_snapshot(const elman_trainer *trainer, int64_t mark,
                                    elman_snapshot **snapshot)
{
    EL_REQUIRE(trainer && snapshot, "trainer or snapshot is NULL");
    return el_trainer_snapshot((elman_trainer *)trainer, mark, snapshot);
}

elman_status elman_snapshot_write(const elman_snapshot *snapshot,
                                  const char *path)
{
    EL_REQUIRE(snapshot && path, "snapshot or path is NULL");
    return el_snapshot_write(snapshot, path);
}

void elman_snapshot_destroy(elman_snapshot **snapshot)
{
    if (!snapshot)
        return;
    el_snapshot_free(*snapshot);
    *snapshot = NULL;
}

elman_status elman_trainer_resume(elman_context *context,
                                  const elman_train_desc *desc,
                                  elman_text *text, elman_text *valid,
                                  const char *path, elman_trainer **out,
                                  char *used, size_t used_size, int64_t *mark)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc && text && path && used,
               "context, desc, text, path or used is NULL");
    elman_train_desc d;
    elman_status s = take(&d, desc);
    if (!s)
        s = check_ranks(&d);
    if (s)
        return s;
    d.from = NULL;
    s = check_texts(&d, text, valid);
    if (!s)
        EL_COMPUTE(s = el_checkpoint_resume(context, &d, text, valid, path, out,
                                            used, used_size, mark));
    return el_trainer_meet(context, d.ranks, s, out);
}

elman_status elman_checkpoint_describe(elman_context *context, const char *path,
                                       elman_train_desc *desc,
                                       elman_vocab **vocab)
{
    if (vocab)
        *vocab = NULL;
    EL_REQUIRE(context && path && desc, "context, path or desc is NULL");
    elman_train_desc d = ELMAN_TRAIN_DESC;
    elman_status s = el_checkpoint_describe(context, path, &d, vocab);
    if (s)
        return s;
    elman_train_desc checked;
    if (take(&checked, &d)) {
        if (vocab)
            elman_vocab_destroy(vocab);
        return el_fail_in(ELMAN_EFORMAT, path);
    }
    el_give_struct(desc, &d, sizeof d);
    return ELMAN_OK;
}
