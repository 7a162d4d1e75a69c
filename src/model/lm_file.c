/* SPDX-License-Identifier: MIT */
#include "lm_file.h"
#include "../io/safetensors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const cells[] = {"elman", "none", "lstm", "gru", NULL};
static const char *const resets[] = {"after", "before", NULL};
static const char *const truths[] = {"no", "yes", NULL};
static const char *const activations[] = {"tanh", "relu", NULL};
static const char *const levels[] = {"char", "word", "byte", NULL};
static const char *const normalizations[] = {"none", "letters", NULL};

/* ---- Out ------------------------------------------------------------------*/

enum { META = 15, NUMBER_ROOM = 24 };

elman_status el_lm_write(const elman_lm *lm, const void *weights,
                         const elman_tensor *more, int more_count,
                         const char *path, int keep)
{
    const elman_context *const c = lm->context;
    const elman_lm_desc *const d = &lm->desc;
    el_buffer vocab = EL_BUFFER(c);
    const int count = lm->views.count + more_count;
    elman_tensor *const list = el_alloc_array(c, count, sizeof *list);
    elman_status s = list ? ELMAN_OK : ELMAN_ENOMEM;
    el_vocab_to_json(lm->vocab, &vocab);
    if (vocab.failed || s) {
        s = el_no_memory();
        goto end;
    }
    for (int i = 0; i < lm->views.count; ++i) {
        const elman_view *const v = &lm->views.list[i];
        list[i] = (elman_tensor){
            .name = v->name,
            .dtype = lm->k->dtype,
            .rank = v->rank,
            .shape = {v->shape[0], v->shape[1]},
            .count = v->count,
            .data = el_at(lm->k, weights ? weights : lm->weights, v->offset)};
    }
    for (int i = 0; i < more_count; ++i)
        list[lm->views.count + i] = more[i];

    char hidden[NUMBER_ROOM], layers[NUMBER_ROOM], embed[NUMBER_ROOM];
    char context[NUMBER_ROOM], proj[NUMBER_ROOM];
    snprintf(hidden, sizeof hidden, "%lld", (long long)d->hidden);
    snprintf(layers, sizeof layers, "%d", d->layers);
    snprintf(embed, sizeof embed, "%lld", (long long)d->embed);
    snprintf(context, sizeof context, "%lld", (long long)d->context);
    snprintf(proj, sizeof proj, "%lld", (long long)d->proj);
    const char *const meta[2 * META] = {
        "format",         "elman",
        "kind",           "language-model",
        "cell",           cells[d->cell],
        "activation",     activations[d->activation],
        "hidden_size",    hidden,
        "num_layers",     layers,
        "embedding_size", embed,
        "context_size",   context,
        "proj_size",      proj,
        "reset",          resets[d->reset_before != 0],
        "tied",           truths[d->tie != 0],
        "level",          levels[lm->vocab->level],
        "normalize",      normalizations[lm->vocab->normalize],
        "vocabulary",     vocab.data,
        "training",       lm->history};
    s = el_tensors_write(c, path, list, count, meta,
                         lm->history[0] ? META : META - 1, keep);
end:
    el_buffer_free(&vocab);
    el_free(c, list);
    return s;
}

/* ---- In -------------------------------------------------------------------*/

elman_status el_lm_find_tensor(const elman_tensors *file, const char *path,
                               const char *name, const elman_tensor **out)
{
    *out = el_tensors_find(file, name);
    return *out ? ELMAN_OK
                : el_fail(ELMAN_EFORMAT, "%s: there is no tensor %s", path,
                          name);
}

static elman_status meta_word(const elman_tensors *file, const char *path,
                              const char *key, const char *const *words,
                              int *out)
{
    const char *const value = el_tensors_meta(file, key);
    for (int i = 0; value && words[i]; ++i)
        if (strcmp(value, words[i]) == 0) {
            *out = i;
            return ELMAN_OK;
        }
    if (!value)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata has no %s: this is not a model of "
                       "elman's",
                       path, key);
    return el_fail(ELMAN_EFORMAT,
                   "%s: the metadata's %s is \"%.40s\", which "
                   "this version does not know",
                   path, key, value);
}

static elman_status meta_number(const elman_tensors *file, const char *path,
                                const char *key, int64_t least, int64_t most,
                                int64_t *out)
{
    const char *const value = el_tensors_meta(file, key);
    char *end = NULL;
    const long long number = value ? strtoll(value, &end, 10) : 0;
    if (!value || end == value || *end || number < least || number > most)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's %s is %s%.40s%s (a whole number "
                       "from %lld to %lld)",
                       path, key, value ? "\"" : "", value ? value : "missing",
                       value ? "\"" : "", (long long)least, (long long)most);
    *out = number;
    return ELMAN_OK;
}

/* What of the metadata does not go together. */
static elman_status check_shape(const char *path, const elman_lm_desc *d)
{
    const int64_t out = d->proj > 0 ? d->proj : d->hidden;
    const bool gated = d->cell == ELMAN_CELL_LSTM || d->cell == ELMAN_CELL_GRU;
    if (d->proj > 0 && (d->cell != ELMAN_CELL_LSTM || d->proj >= d->hidden))
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's proj_size is %lld (0, or for an "
                       "LSTM less than hidden_size, %lld)",
                       path, (long long)d->proj, (long long)d->hidden);
    if (d->tie && (d->embed != out || d->context > 1))
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's tied is yes, and embedding_size is "
                       "%lld (it must then be %lld)",
                       path, (long long)d->embed, (long long)out);
    if (d->reset_before && d->cell != ELMAN_CELL_GRU)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's reset is before (only a GRU has a "
                       "reset gate)",
                       path);
    if (gated && d->activation != ELMAN_TANH)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's activation is relu (the LSTM and "
                       "the GRU have tanh)",
                       path);
    return ELMAN_OK;
}

elman_status el_lm_read_meta(const elman_context *context,
                             const elman_tensors *file, const char *path,
                             elman_lm_desc *desc, elman_vocab **vocab)
{
    static const char *const formats[] = {"elman", NULL};
    static const char *const kinds[] = {"language-model", NULL};
    const int64_t most = (int64_t)1 << 31;
    int word = 0, cell = 0, activation = 0, level = 0, normalize = 0;
    int64_t layers = 0;
    *desc = (elman_lm_desc)ELMAN_LM_DESC;
    elman_status s = meta_word(file, path, "format", formats, &word);
    if (!s)
        s = meta_word(file, path, "kind", kinds, &word);
    if (!s)
        s = meta_word(file, path, "cell", cells, &cell);
    if (!s)
        s = meta_word(file, path, "activation", activations, &activation);
    if (!s)
        s = meta_word(file, path, "level", levels, &level);
    if (!s)
        s = meta_word(file, path, "normalize", normalizations, &normalize);
    if (!s)
        s = meta_number(file, path, "hidden_size", 1, most, &desc->hidden);
    if (!s)
        s = meta_number(file, path, "num_layers", 1, 4096, &layers);
    if (!s)
        s = meta_number(file, path, "embedding_size", 0, most, &desc->embed);
    if (!s)
        s = meta_number(file, path, "context_size",
                        cell == ELMAN_CELL_NONE ? 1 : 0,
                        cell == ELMAN_CELL_NONE ? 1 << 20 : 0, &desc->context);
    /* What the first files did not say. */
    if (!s && el_tensors_meta(file, "proj_size"))
        s = meta_number(file, path, "proj_size", 0, most, &desc->proj);
    if (!s && el_tensors_meta(file, "reset"))
        s = meta_word(file, path, "reset", resets, &desc->reset_before);
    if (!s && el_tensors_meta(file, "tied"))
        s = meta_word(file, path, "tied", truths, &desc->tie);
    if (s)
        return s;
    desc->cell = (elman_cell)cell;
    desc->activation = (elman_activation)activation;
    desc->layers = (int)layers;
    if (cell == ELMAN_CELL_NONE && layers != 1)
        return el_fail(ELMAN_EFORMAT,
                       "%s: a model without a hidden state has 1 layer, not "
                       "%lld",
                       path, (long long)layers);
    s = check_shape(path, desc);
    if (s)
        return s;
    const elman_tensor *decoder;
    s = el_lm_find_tensor(file, path, "decoder.bias", &decoder);
    if (s)
        return s;
    desc->dtype = decoder->dtype;
    if (desc->dtype != ELMAN_F32 && desc->dtype != ELMAN_F64)
        return el_fail(ELMAN_EFORMAT, "%s: decoder.bias is not of floats",
                       path);
    if (!vocab)
        return ELMAN_OK;
    const char *const json = el_tensors_meta(file, "vocabulary");
    if (!json)
        return el_fail(ELMAN_EFORMAT, "%s: the metadata has no vocabulary",
                       path);
    s = el_vocab_from_json(context, json, strlen(json), (elman_level)level,
                           (elman_normalize)normalize, vocab);
    return s == ELMAN_EFORMAT ? el_fail_in(s, path) : s;
}

/* Sizes in the metadata must not make us allocate what the file cannot fill:
 * the parameters' number is estimated before anything is made. */
static elman_status check_size(const elman_tensors *file, const char *path,
                               const elman_lm_desc *d, int64_t classes)
{
    const double H = (double)d->hidden, V = (double)classes;
    const double P = d->proj > 0 ? (double)d->proj : H;
    const double I = d->embed > 0 ? (double)d->embed : V;
    const double G = d->cell == ELMAN_CELL_LSTM  ? 4
                     : d->cell == ELMAN_CELL_GRU ? 3
                                                 : 1;
    double wanted = V + (d->tie ? 0 : V * P) + (d->embed > 0 ? V * I : 0);
    if (d->cell == ELMAN_CELL_NONE)
        wanted += H * I * (double)d->context + H;
    else
        wanted += G * H * (I + P + 2) + (d->layers - 1) * G * H * (2 * P + 2) +
                  (d->proj > 0 ? d->layers * P * H : 0);
    double there = 0;
    for (int i = 0; i < el_tensors_count(file); ++i)
        there += (double)el_tensors_at(file, i)->count;
    if (wanted > there)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the sizes in the metadata ask for %.0f parameters, "
                       "and the file has %.0f numbers",
                       path, wanted, there);
    return ELMAN_OK;
}

static bool same_shape(const elman_tensor *t, const elman_view *v)
{
    if (t->rank != v->rank)
        return false;
    for (int i = 0; i < v->rank; ++i)
        if (t->shape[i] != v->shape[i])
            return false;
    return true;
}

static elman_status take_weights(elman_lm *lm, const elman_tensors *file,
                                 const char *path)
{
    for (int i = 0; i < lm->views.count; ++i) {
        const elman_view *const view = &lm->views.list[i];
        const elman_tensor *t;
        const elman_status s = el_lm_find_tensor(file, path, view->name, &t);
        if (s)
            return s;
        if (t->dtype != lm->k->dtype || !same_shape(t, view))
            return el_fail(ELMAN_EFORMAT,
                           "%s: tensor %s does not have the shape and dtype "
                           "that the metadata asks for",
                           path, view->name);
        memcpy(el_at(lm->k, lm->weights, view->offset), t->data,
               (size_t)t->count * lm->k->size);
    }
    const size_t prefix = sizeof EL_TRAINER_PREFIX - 1;
    for (int i = 0; i < el_tensors_count(file); ++i) {
        const char *const name = el_tensors_at(file, i)->name;
        elman_view view;
        if (strncmp(name, EL_TRAINER_PREFIX, prefix) != 0 &&
            el_views_find(&lm->views, name, &view))
            return el_fail(ELMAN_EFORMAT,
                           "%s: tensor %.100s is not part of such a model",
                           path, name);
    }
    return ELMAN_OK;
}

/* Who shows it may take it for JSON. */
static elman_status take_history(elman_lm *lm, const elman_tensors *file,
                                 const char *path)
{
    const char *const training = el_tensors_meta(file, "training");
    el_json *json;
    if (!training)
        return ELMAN_OK;
    elman_status s =
        el_json_parse(lm->context, training, strlen(training), &json);
    if (s)
        return el_fail(s, "%s: the metadata's training: %s", path,
                       elman_message());
    if (el_json_type(json, 0) != EL_JSON_OBJECT)
        s = el_fail(ELMAN_EFORMAT,
                    "%s: the metadata's training is not a JSON object", path);
    el_json_free(lm->context, json);
    return s ? s : el_lm_set_history(lm, training);
}

elman_status el_lm_from_tensors(const elman_context *context,
                                const elman_tensors *file, const char *path,
                                elman_lm **out)
{
    elman_lm_desc desc;
    elman_vocab *vocab = NULL;
    elman_lm *lm = NULL;
    elman_status s = el_lm_read_meta(context, file, path, &desc, &vocab);
    if (!s)
        s = check_size(file, path, &desc, vocab->size);
    if (!s)
        s = el_lm_create(context, &desc, vocab, &lm);
    if (!s)
        s = take_weights(lm, file, path);
    if (!s)
        s = take_history(lm, file, path);
    el_vocab_free(vocab);
    if (s) {
        el_lm_free(lm);
        return s;
    }
    el_lm_pack(lm);
    *out = lm;
    return ELMAN_OK;
}
