/* SPDX-License-Identifier: MIT */
/* checkpoint.c - goes on from a checkpoint; see checkpoint.h. */
#include "checkpoint.h"
#include "history.h"
#include "../io/safetensors.h"
#include "../model/lm_file.h"
#include "../model/model_file.h"
#include "../tensor/dtype.h"
#include "../text/corpus.h"

#include <stdio.h>
#include <string.h>

static const char all_names[] = ALL_NAMES;

static void options_in(elman_train_desc *d, const int64_t *integers,
                       const double *reals)
{
#define GET_INTEGER(name, field, type) d->field = (type)*integers++;
#define GET_REAL(name, field) d->field = *reals++;
    *d = (elman_train_desc)ELMAN_TRAIN_DESC;
    INTEGER_OPTIONS(GET_INTEGER)
    REAL_OPTIONS(GET_REAL)
    d->optimizer.dtype = d->model.dtype;
}

static elman_status compare_options(const char *path, const int64_t *was,
                                    const double *was_real,
                                    const elman_train_desc *now)
{
#define NAME_INTEGER(name, field, type) name,
#define NAME_REAL(name, field) name,
    static const char *const names[] = {INTEGER_OPTIONS(NAME_INTEGER)};
    static const char *const real_names[] = {REAL_OPTIONS(NAME_REAL)};
    int64_t integers[INTEGERS];
    double reals[REALS];
    options_out(now, integers, reals);
    for (int i = 0; i < INTEGERS - FREE_INTEGERS; ++i)
        if (integers[i] != was[i])
            return el_fail(ELMAN_EMISMATCH,
                           "%s: the checkpoint's %s is %lld, and now it is "
                           "%lld",
                           path, names[i], (long long)was[i],
                           (long long)integers[i]);
    for (int i = 0; i < REALS; ++i)
        if (memcmp(&reals[i], &was_real[i], sizeof *reals) != 0)
            return el_fail(ELMAN_EMISMATCH,
                           "%s: the checkpoint's %s is %.9g, and now it is "
                           "%.9g",
                           path, real_names[i], was_real[i], reals[i]);
    return ELMAN_OK;
}

/* ---- In -------------------------------------------------------------------*/

static elman_status take(const elman_tensors *file, const char *path,
                         const char *name, elman_dtype dtype, int64_t count,
                         void *out)
{
    const elman_tensor *t;
    if (!out)
        return ELMAN_OK;
    const elman_status s = el_model_find_tensor(file, path, name, &t);
    if (s)
        return s;
    if (t->dtype != dtype || t->count != count)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s does not have the size that the options "
                       "ask for",
                       path, name);
    memcpy(out, t->data, (size_t)count * el_dtype_size(dtype));
    return ELMAN_OK;
}

/* The place of a line among our names; -1: it is none of them. */
static int place_of(const char *line, size_t size)
{
    int place = 0;
    for (const char *at = all_names; *at; at = strchr(at, '\n') + 1, ++place)
        if (strncmp(at, line, size) == 0 && at[size] == '\n')
            return place;
    return -1;
}

/* Puts the file's numbers where we have them, by their names. */
static elman_status sort_numbers(const char *path, const elman_tensor *lines,
                                 const elman_tensor *from,
                                 const elman_tensor *from_reals,
                                 int64_t *integers, double *reals)
{
    const char *at = lines->data, *const end = at + lines->count;
    const int64_t count = from->count + from_reals->count;
    for (int64_t i = 0; i < count; ++i) {
        const char *const stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            return el_fail(ELMAN_EFORMAT,
                           "%s: the checkpoint does not name all its numbers",
                           path);
        const int place = place_of(at, (size_t)(stop - at));
        if (place < 0 || (place < ALL_INTEGERS) != (i < from->count))
            return el_fail(ELMAN_EFORMAT,
                           "%s: the checkpoint is of another version of elman "
                           "(its number %lld is one that this version does "
                           "not know)",
                           path, (long long)i);
        if (place < ALL_INTEGERS)
            integers[place] = ((const int64_t *)from->data)[i];
        else
            reals[place - ALL_INTEGERS] =
                ((const double *)from_reals->data)[i - from->count];
        at = stop + 1;
    }
    return ELMAN_OK;
}

/* What a file of an older version does not have is as it is by default. */
static elman_status read_numbers(const elman_tensors *file, const char *path,
                                 int64_t *integers, double *reals)
{
    const elman_tensor *const from = el_tensors_find(file, "trainer.integers");
    const elman_tensor *const real = el_tensors_find(file, "trainer.reals");
    const elman_tensor *const lines = el_tensors_find(file, "trainer.names");
    const elman_train_desc defaults = ELMAN_TRAIN_DESC;
    if (!from || !real)
        return el_fail(ELMAN_EFORMAT, "%s: this is not a checkpoint", path);
    if (!lines)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the checkpoint is of a version of elman before "
                       "0.1.0, which is needed to go on with it",
                       path);
    if (from->dtype != ELMAN_I64 || real->dtype != ELMAN_F64 ||
        lines->dtype != ELMAN_U8)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the checkpoint's numbers are of other types than "
                       "they should be",
                       path);
    memset(integers, 0, ALL_INTEGERS * sizeof *integers);
    memset(reals, 0, ALL_REALS * sizeof *reals);
    options_out(&defaults, integers, reals);
    const elman_status s =
        sort_numbers(path, lines, from, real, integers, reals);
    if (!s && !el_tensors_meta(file, "checksum"))
        return el_fail(ELMAN_EFORMAT, "%s: the checkpoint has no checksum",
                       path);
    return s;
}

/* The newest of path, path.1 and path.2 that is whole.  What was wrong with
 * those before it stays in elman_message(). */
static elman_status open_newest(const elman_context *context, const char *path,
                                elman_tensors **file, char *used, size_t size)
{
    char first[512] = "";
    elman_status failed = ELMAN_OK;
    for (int i = 0; i <= 2; ++i) {
        int length;
        if (i == 0)
            length = snprintf(used, size, "%s", path);
        else
            length = snprintf(used, size, "%s.%d", path, i);
        if (length < 0 || (size_t)length >= size)
            return el_fail(ELMAN_EINVAL, "the name %.100s... is too long",
                           path);
        int64_t integers[ALL_INTEGERS];
        double reals[ALL_REALS];
        elman_status s = el_tensors_read(context, used, file);
        if (!s) {
            s = read_numbers(*file, used, integers, reals);
            if (s)
                el_tensors_free(*file);
        }
        if (s == ELMAN_ENOMEM)
            return s;
        if (!s) {
            if (failed)
                el_fail(failed, "%s", first);
            return ELMAN_OK;
        }
        if (!failed) {
            failed = s;
            snprintf(first, sizeof first, "%s", elman_message());
        }
    }
    *file = NULL;
    return el_fail(failed, "%s", first);
}

static elman_status take_ids(elman_lm_state *state, const elman_tensors *file,
                             const char *path, int64_t count)
{
    const elman_tensor *t;
    if (count == 0)
        return ELMAN_OK;
    elman_status s = el_model_find_tensor(file, path, "trainer.ids", &t);
    if (s)
        return s;
    if (t->dtype != ELMAN_I32 || t->count != count)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor trainer.ids does not have the size that the "
                       "options ask for",
                       path);
    s = el_lm_state_write(state, t->data);
    return s ? el_fail_in(ELMAN_EFORMAT, path) : ELMAN_OK;
}

static elman_status restore(elman_trainer *t, const elman_tensors *file,
                            const char *path, const int64_t *integers,
                            const double *reals)
{
    const elman_dtype dtype = el_dtype_stored(t->lm->net.k->dtype);
    const int64_t P = t->lm->net.views.total;
    memcpy(&t->counters, integers + INTEGERS, sizeof t->counters);
    memcpy(&t->sums, reals + REALS, sizeof t->sums);
    t->optimizer->steps = integers[INTEGERS + COUNTS];
    elman_status s = ELMAN_OK;
    for (int i = INTEGERS; i <= INTEGERS + COUNTS; ++i)
        if (integers[i] < 0 || integers[i] >= (int64_t)1 << 62)
            return el_fail(ELMAN_EFORMAT, "%s: the counters are not sensible",
                           path);
    s = take(file, path, "trainer.m", dtype, P, t->optimizer->m);
    if (!s)
        s = take(file, path, "trainer.v", dtype, P, t->optimizer->v);
    if (!s && t->counters.best_epoch > 0)
        s = take(file, path, "trainer.best", dtype, P, t->best);
    if (!s)
        s = take(file, path, "trainer.average", dtype, P, t->average);
    for (int i = 0; !s && i < t->lm->net.views.count; ++i) {
        const elman_view *const v = &t->lm->net.views.list[i];
        s = take(file, path, v->name, dtype, v->count,
                 el_at(t->lm->net.k, t->lm->net.weights, v->offset));
    }
    if (!s && t->state) {
        const int64_t h = el_lm_state_h_count(t->state);
        const int64_t ids = el_lm_state_ids_count(t->state);
        s = take(file, path, "trainer.h", dtype, h,
                 h ? t->state->state.h : NULL);
        if (!s)
            s = take(file, path, "trainer.c", dtype,
                     el_lm_state_c_count(t->state), t->state->state.c);
        if (!s)
            s = take_ids(t->state, file, path, ids);
    }
    const char *const training = el_tensors_meta(file, "training");
    if (!s && training && (s = el_history_recall(t, training)) != ELMAN_OK)
        s = el_fail_in(s, path);
    if (!s)
        el_lm_pack(t->lm);
    return s;
}

/* The file's tensors are those of its metadata's model, and that must be the
 * options' before anything is made of the size they ask for. */
static elman_status compare_model(const elman_context *context,
                                  const elman_tensors *file, const char *path,
                                  const elman_lm_desc *now,
                                  const elman_vocab *vocab_now)
{
    elman_lm_desc was;
    elman_vocab *vocab;
    elman_status s = el_lm_read_meta(context, file, path, &was, &vocab);
    if (s)
        return s;
    if (was.dtype != now->dtype || el_lm_differs(&was, now).name)
        s = el_fail(ELMAN_EFORMAT,
                    "%s: the checkpoint's options and its metadata tell of "
                    "different models",
                    path);
    else if (!el_vocab_same(vocab, vocab_now))
        s = el_fail(ELMAN_EMISMATCH,
                    "%s: the checkpoint was made with another vocabulary "
                    "than the text was opened with",
                    path);
    el_vocab_free(vocab);
    return s;
}

elman_status el_checkpoint_resume(const elman_context *context,
                                  const elman_train_desc *desc,
                                  elman_text *text, elman_text *valid,
                                  const char *path, elman_trainer **out,
                                  char *used, size_t used_size, int64_t *mark)
{
    elman_tensors *file;
    elman_trainer *t = NULL;
    int64_t integers[ALL_INTEGERS];
    double reals[ALL_REALS];
    char passed_over[512] = "";
    elman_status s = open_newest(context, path, &file, used, used_size);
    if (s)
        return s;
    const bool fell_back = strcmp(used, path) != 0;
    if (fell_back)
        snprintf(passed_over, sizeof passed_over, "%s", elman_message());
    s = read_numbers(file, used, integers, reals);
    if (!s)
        s = compare_options(used, integers, reals, desc);
    const int64_t *const extras = integers + INTEGERS + COUNTS;
    if (!s)
        s = compare_model(context, file, used, &desc->model,
                          el_text_vocab(text));
    if (!s && extras[1] != (int64_t)el_text_fingerprint(text))
        s = el_fail(ELMAN_EMISMATCH,
                    "%s: the checkpoint was made with another text, or with "
                    "more or fewer tokens of it",
                    used);
    if (!s && extras[2] != (valid ? (int64_t)el_text_fingerprint(valid) : 0))
        s = el_fail(ELMAN_EMISMATCH,
                    "%s: the checkpoint was made with another text to "
                    "validate on",
                    used);
    if (!s)
        s = el_trainer_create(context, desc, text, valid, &t);
    if (!s)
        s = restore(t, file, used, integers, reals);
    el_tensors_free(file);
    if (s) {
        el_trainer_free(t);
        return s;
    }
    if (mark)
        *mark = extras[3];
    if (fell_back)
        el_fail(ELMAN_OK, "%s", passed_over);
    *out = t;
    return ELMAN_OK;
}

elman_status el_checkpoint_describe(const elman_context *context,
                                    const char *path, elman_train_desc *desc,
                                    elman_vocab **vocab)
{
    char used[4096];
    elman_tensors *file;
    int64_t integers[ALL_INTEGERS];
    double reals[ALL_REALS];
    elman_lm_desc model;
    elman_status s = open_newest(context, path, &file, used, sizeof used);
    if (s)
        return s;
    s = read_numbers(file, used, integers, reals);
    if (!s)
        s = el_lm_read_meta(context, file, used, &model, vocab);
    if (!s)
        options_in(desc, integers, reals);
    el_tensors_free(file);
    return s;
}
