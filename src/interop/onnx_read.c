/* SPDX-License-Identifier: MIT */
#include "onnx_read.h"
#include "../text/vocab.h"
#include "onnx_chain.h"
#include "onnx_write.h"

#include <stdio.h>
#include <string.h>

/* A language model's one-hot input as a network's has a table of its own. */
enum { IDENTITY_MOST = 4096 };

/* ---- Weights --------------------------------------------------------------*/

/* Gates in our order are those of ONNX with these numbers: LSTM i f g o of
 * i o f c, GRU r z n of z r h. */
static void copy_gates(const el_onnx_stage *layer, const el_onnx_constant *from,
                       size_t size, char *to)
{
    static const int order[][4] = {[ELMAN_CELL_ELMAN] = {0},
                                   [ELMAN_CELL_LSTM] = {0, 2, 3, 1},
                                   [ELMAN_CELL_GRU] = {1, 0, 2}};
    const int64_t H = layer->hidden, gates = from->shape[0] / H;
    for (int64_t g = 0; g < gates; ++g) {
        const int64_t place = layer->our_order ? g : order[layer->cell][g];
        const el_onnx_constant gate = el_onnx_sliced(from, 0, place * H, H);
        el_onnx_copy(&gate, to);
        to += (size_t)gate.count * size;
    }
}

/* Layer l, direction s; biases that are not there are zeros. */
static void copy_layer(const el_onnx_chain *c, const elman_network *n,
                       int64_t l, int s)
{
    const el_onnx_stage *const layer = c->layers[l];
    const el_onnx_direction *const one = &layer->direction[s];
    const struct {
        const char *name;
        const el_onnx_constant *from;
    } parts[] = {{"weight_ih", &one->weight_ih},
                 {"weight_hh", &one->weight_hh},
                 {"bias_ih", &one->bias_ih},
                 {"bias_hh", &one->bias_hh},
                 {"weight_hr", &one->weight_hr}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        elman_view view;
        char name[64];
        snprintf(name, sizeof name, "rnn.%s_l%lld%s", parts[i].name,
                 (long long)l, s > 0 ? "_reverse" : "");
        if (parts[i].from->rank == 0 ||
            el_views_find(&n->views, name, &view) != ELMAN_OK)
            continue;
        void *const to = el_at(n->k, n->weights, view.offset);
        if (parts[i].from == &one->weight_hr)
            el_onnx_copy(parts[i].from, to);
        else
            copy_gates(layer, parts[i].from, n->k->size, to);
    }
}

static void copy_identity(const elman_network *n, int64_t V)
{
    for (int64_t i = 0; i < V; ++i) {
        void *const one = el_at(n->k, n->weights, n->embedding + i * V + i);
        if (n->k->dtype == ELMAN_F64)
            *(double *)one = 1;
        else
            *(float *)one = 1;
    }
}

static void copy_weights(const el_onnx_chain *c, const elman_network *n)
{
    static const int64_t swap[] = {1, 0};
    el_onnx_constant turned;
    elman_view view;
    for (int64_t l = 0; l < c->count; ++l)
        for (int s = 0; s < c->layers[l]->directions; ++s)
            copy_layer(c, n, l, s);
    if (n->embedding >= 0 && c->tokens->work == EL_ONNX_EMBEDDING)
        el_onnx_copy(&c->tokens->matrix, el_at(n->k, n->weights, n->embedding));
    else if (n->embedding >= 0)
        copy_identity(n, c->tokens->width);
    if (c->product && !el_views_find(&n->views, "decoder.weight", &view)) {
        el_onnx_transposed(&c->product->matrix, swap, &turned);
        el_onnx_copy(&turned, el_at(n->k, n->weights, view.offset));
    }
    if (c->bias && !el_views_find(&n->views, "decoder.bias", &view))
        el_onnx_copy(&c->bias->matrix, el_at(n->k, n->weights, view.offset));
}

/* ---- A network ------------------------------------------------------------*/

static elman_status make_network(const el_onnx_chain *c, elman_network **out)
{
    elman_network *n;
    if (c->tokens && c->tokens->work == EL_ONNX_ONE_HOT &&
        c->tokens->width > IDENTITY_MOST)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "its input is one-hot, of %lld tokens (at most %d, "
                       "unless it is a language model of elman's)",
                       (long long)c->tokens->width, IDENTITY_MOST);
    const elman_status s =
        el_network_create(c->walk->context, &c->desc, false, &n);
    if (s)
        return s;
    if (!el_network_open(n)) {
        el_network_free(n);
        return ELMAN_ENOMEM;
    }
    copy_weights(c, n);
    el_network_pack(n);
    *out = n;
    return ELMAN_OK;
}

/* ---- A language model -----------------------------------------------------*/

static const char *meta_of(const ElOnnx__ModelProto *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata_props; ++i) {
        const ElOnnx__StringStringEntryProto *const one =
            model->metadata_props[i];
        if (one->key && strcmp(one->key, key) == 0)
            return one->value ? one->value : "";
    }
    return NULL;
}

static bool is_lm(const ElOnnx__ModelProto *model)
{
    const char *const format = meta_of(model, "format");
    const char *const kind = meta_of(model, "kind");
    return format && kind && strcmp(format, "elman") == 0 &&
           strcmp(kind, "language-model") == 0;
}

static elman_status find_word(const ElOnnx__ModelProto *model, const char *key,
                              const char *const *words, int *out)
{
    const char *const value = meta_of(model, key);
    for (*out = 0; words[*out]; ++*out)
        if (value && strcmp(value, words[*out]) == 0)
            return ELMAN_OK;
    return el_fail(ELMAN_EFORMAT,
                   "the metadata's %s is %.40s, which this "
                   "version does not know",
                   key, value ? value : "missing");
}

static elman_status read_vocab(const elman_context *context,
                               const ElOnnx__ModelProto *model,
                               elman_vocab **out)
{
    const char *const json = meta_of(model, "vocabulary");
    int level = 0, normalize = 0;
    elman_status s = find_word(model, "level", el_onnx_levels, &level);
    if (!s)
        s = find_word(model, "normalize", el_onnx_normalizations, &normalize);
    if (s)
        return s;
    if (!json)
        return el_fail(ELMAN_EFORMAT, "the metadata have no vocabulary");
    return el_vocab_from_json(context, json, strlen(json), (elman_level)level,
                              (elman_normalize)normalize, out);
}

static elman_status check_lm(const el_onnx_chain *c, const elman_vocab *vocab)
{
    const elman_network_desc *const d = &c->desc;
    if (d->rnn.bidirectional || d->rnn.no_bias || !c->bias ||
        d->decode != ELMAN_DECODE_ALL || d->outputs != vocab->size ||
        d->vocab != vocab->size)
        return el_fail(ELMAN_EFORMAT,
                       "the metadata say that it is a language model of %lld "
                       "tokens, and its graph is none",
                       (long long)vocab->size);
    return ELMAN_OK;
}

static elman_status make_lm(const el_onnx_chain *c,
                            const ElOnnx__ModelProto *model, elman_lm **out)
{
    const elman_rnn_desc *const r = &c->desc.rnn;
    const char *const training = meta_of(model, "training");
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_vocab *vocab = NULL;
    elman_lm *lm = NULL;
    elman_status s = read_vocab(c->walk->context, model, &vocab);
    if (!s)
        s = check_lm(c, vocab);
    d.cell = r->cell;
    d.activation = r->activation;
    d.dtype = r->dtype;
    d.hidden = r->hidden;
    d.layers = r->layers;
    d.proj = r->proj;
    d.reset_before = r->reset_before;
    d.embed =
        c->tokens && c->tokens->work == EL_ONNX_EMBEDDING ? c->desc.embed : 0;
    d.tie = c->desc.tie;
    if (!s)
        s = el_lm_create(c->walk->context, &d, vocab, &lm);
    if (!s && training)
        s = el_lm_take_history(lm, training);
    el_vocab_free(vocab);
    if (s) {
        el_lm_free(lm);
        return s;
    }
    copy_weights(c, &lm->net);
    el_lm_pack(lm);
    *out = lm;
    return ELMAN_OK;
}

/* ---- All of it ------------------------------------------------------------*/

elman_status el_onnx_take(const elman_context *context,
                          const ElOnnx__ModelProto *model, size_t size,
                          elman_lm **lm, elman_network **network)
{
    el_onnx_walk walk;
    el_onnx_chain c = {.layers = NULL};
    elman_status s = el_onnx_walk_all(context, model, size, &walk);
    if (!s)
        s = el_onnx_chain_make(&walk, size, &c);
    if (!s && lm && is_lm(model))
        s = make_lm(&c, model, lm);
    else if (!s)
        s = make_network(&c, network);
    el_free(context, c.layers);
    el_onnx_walk_free(&walk);
    return s;
}
