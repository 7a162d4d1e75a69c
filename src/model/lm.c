/* SPDX-License-Identifier: MIT */
#include "lm.h"
#include "../base/random.h"
#include "../io/json.h"
#include "../nn/fill.h"

#include <string.h>

elman_status el_lm_set_history(elman_lm *lm, const char *json)
{
    char *const copy = el_strdup(lm->net.context, json);
    if (!copy)
        return ELMAN_ENOMEM;
    el_free(lm->net.context, lm->history);
    lm->history = copy;
    return ELMAN_OK;
}

elman_status el_lm_take_history(elman_lm *lm, const char *json)
{
    const elman_context *const c = lm->net.context;
    el_json *parsed;
    if (!json[0])
        return el_lm_set_history(lm, json);
    elman_status s = el_json_parse(c, json, strlen(json), &parsed);
    if (s)
        return el_fail_in(s, "the training history");
    if (el_json_type(parsed, 0) != EL_JSON_OBJECT)
        s = el_fail(ELMAN_EFORMAT, "the training history is no JSON object");
    el_json_free(c, parsed);
    return s ? s : el_lm_set_history(lm, json);
}

bool el_lm_infers(const elman_lm_desc *desc)
{
    return desc->inference_only || desc->dtype == ELMAN_INT8;
}

el_lm_difference el_lm_differs(const elman_lm_desc *a, const elman_lm_desc *b)
{
    const el_lm_difference all[] = {
        {"cell", a->cell, b->cell},
        {"activation", a->activation, b->activation},
        {"hidden", a->hidden, b->hidden},
        {"layers", a->layers, b->layers},
        {"embed", a->embed, b->embed},
        {"context", a->context, b->context},
        {"proj", a->proj, b->proj},
        {"reset_before", !!a->reset_before, !!b->reset_before},
        {"tie", !!a->tie, !!b->tie},
    };
    const size_t count = sizeof all / sizeof *all;
    size_t i = 0;
    while (i < count && all[i].a == all[i].b)
        ++i;
    return i < count ? all[i] : (el_lm_difference){.name = NULL};
}

static elman_status build(elman_lm *lm, const elman_vocab *vocab)
{
    const elman_context *const c = lm->net.context;
    const elman_lm_desc *const d = &lm->desc;
    const bool recurrent = d->cell != ELMAN_CELL_NONE;
    elman_status s = el_vocab_copy(c, vocab, &lm->vocab);
    if (s)
        return s;
    s = el_lm_set_history(lm, "");
    if (s)
        return s;
    lm->classes = vocab->size;
    lm->tokens = recurrent ? 1 : d->context;
    const int64_t width = d->embed > 0 ? d->embed : lm->classes;
    el_network_parts parts = {
        .vocab = lm->classes,
        .embed = d->embed,
        .stack = {.cell = d->cell,
                  .activation = d->activation,
                  .dtype = d->dtype,
                  .hidden = d->hidden,
                  .proj = d->proj,
                  .layers = d->layers,
                  .directions = 1,
                  .slots = d->embed > 0 ? 0 : lm->tokens,
                  .bias = true,
                  .trainable = !el_lm_infers(d),
                  .reset_before = d->reset_before,
                  .dropout = d->dropout,
                  .locked = d->locked,
                  .weight_drop = d->weight_drop,
                  .prefix = recurrent ? "rnn." : "hidden."},
        .outputs = lm->classes,
        .tie = d->tie,
        .decoder_bias = true,
        .once = el_lm_infers(d)};
    if (__builtin_mul_overflow(width, lm->tokens, &parts.stack.input))
        return el_fail(ELMAN_EINVAL, "the last %lld tokens are too many",
                       (long long)lm->tokens);
    return el_network_build(&lm->net, &parts);
}

elman_status el_lm_create(const elman_context *context,
                          const elman_lm_desc *desc, const elman_vocab *vocab,
                          elman_lm **out)
{
    elman_lm *const lm = el_alloc(context, sizeof *lm);
    if (!lm)
        return ELMAN_ENOMEM;
    lm->net.context = context;
    lm->desc = *desc;
    const elman_status s = build(lm, vocab);
    if (s) {
        el_lm_free(lm);
        return s;
    }
    el_lm_pack(lm);
    *out = lm;
    return ELMAN_OK;
}

void el_lm_free(elman_lm *lm)
{
    if (!lm)
        return;
    const elman_context *const c = lm->net.context;
    el_vocab_free(lm->vocab);
    el_free(c, lm->history);
    el_network_clear(&lm->net);
    el_free(c, lm);
}

elman_status el_lm_copy(const elman_lm *lm, elman_dtype dtype, elman_lm **out)
{
    elman_lm_desc desc = lm->desc;
    desc.dtype = dtype;
    return el_lm_copy_as(lm, &desc, out);
}

elman_status el_lm_copy_as(const elman_lm *lm, const elman_lm_desc *desc,
                           elman_lm **out)
{
    *out = NULL;
    elman_status s = el_lm_create(lm->net.context, desc, lm->vocab, out);
    if (!s)
        s = el_lm_set_history(*out, lm->history);
    if (!s)
        s = el_network_copy_weights(&(*out)->net, &lm->net);
    if (s) {
        el_lm_free(*out);
        *out = NULL;
    }
    return s;
}

elman_status el_lm_shape(const elman_lm *lm, elman_lm *out)
{
    const el_stack *const stack = &lm->net.stack;
    el_layer *const layers =
        el_alloc_array(lm->net.context, stack->count, sizeof *layers);
    if (!layers)
        return ELMAN_ENOMEM;
    for (int n = 0; n < stack->count; ++n) {
        layers[n] = stack->layers[n];
        layers[n].trainable = true;
        layers[n].lent = false;
    }
    *out = *lm;
    out->desc.inference_only = 0;
    out->net.compact = (el_compact){0};
    out->net.weights = NULL;
    out->net.decoder.lent = false;
    out->net.stack.layers = layers;
    out->net.stack.desc.trainable = true;
    out->net.stack.desc.lent = false;
    return ELMAN_OK;
}

void el_lm_shape_free(elman_lm *shape)
{
    el_free(shape->net.context, shape->net.stack.layers);
}

void el_lm_pack(elman_lm *lm)
{
    el_network_pack(&lm->net);
}

void el_lm_init(elman_lm *lm, uint64_t seed)
{
    const elman_lm_desc *const d = &lm->desc;
    if (!el_network_open(&lm->net))
        return;
    for (int i = 0; i < lm->net.views.count; ++i) {
        const elman_view *const view = &lm->net.views.list[i];
        void *const block = el_at(lm->net.k, lm->net.weights, view->offset);
        const uint64_t stream = EL_STREAM(EL_RANDOM_WEIGHTS, i);
        if (view->offset == lm->net.embedding && !d->tie) {
            el_fill_normal(lm->net.k, block, view->count, 1, seed, stream);
            continue;
        }
        /* One-hot parts bring one input each that is not zero. */
        int64_t inputs = lm->net.stack.width;
        if (strncmp(view->name, "hidden.", 7) == 0)
            inputs = lm->tokens * (d->embed > 0 ? d->embed : 1);
        else if (strncmp(view->name, "rnn.", 4) == 0)
            inputs = d->hidden;
        el_fill_uniform(lm->net.k, block, view->count, 1, inputs, seed, stream);
    }
    el_lm_pack(lm);
}
