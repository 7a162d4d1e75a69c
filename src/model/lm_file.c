/* SPDX-License-Identifier: MIT */
#include "lm_file.h"
#include "model_file.h"
#include "../io/safetensors.h"

#include <string.h>

elman_status el_lm_write(const elman_lm *lm, const void *weights,
                         const elman_tensor *more, int more_count,
                         const char *path, int keep)
{
    const elman_lm_desc *const d = &lm->desc;
    const el_model_meta meta = {.kind = ELMAN_KIND_LM,
                                .cell = d->cell,
                                .activation = d->activation,
                                .hidden = d->hidden,
                                .layers = d->layers,
                                .embed = d->embed,
                                .context = d->context,
                                .proj = d->proj,
                                .reset_before = d->reset_before != 0,
                                .tie = d->tie != 0,
                                .products = lm->desc.dtype == ELMAN_BF16,
                                .level = lm->vocab->level,
                                .normalize = lm->vocab->normalize};
    el_buffer vocab = EL_BUFFER(lm->net.context);
    elman_status s;
    el_vocab_to_json(lm->vocab, &vocab);
    if (vocab.failed) {
        s = el_no_memory();
    } else {
        const char *const pairs[] = {"vocabulary", vocab.data, "training",
                                     lm->history};
        s = el_model_write(
            &(el_model_writing){.network = &lm->net,
                                .meta = &meta,
                                .weights = weights,
                                .more = more,
                                .more_count = more_count,
                                .pairs = pairs,
                                .pair_count = lm->history[0] ? 2 : 1},
            path, keep);
    }
    el_buffer_free(&vocab);
    return s;
}

/* ---- In -------------------------------------------------------------------*/

static elman_status read_vocab(const elman_context *context,
                               const elman_tensors *file, const char *path,
                               const el_model_meta *meta, elman_vocab **vocab)
{
    const char *const json = el_tensors_meta(file, "vocabulary");
    if (!json)
        return el_fail(ELMAN_EFORMAT, "%s: the metadata has no vocabulary",
                       path);
    const elman_status s = el_vocab_from_json(
        context, json, strlen(json), (elman_level)meta->level,
        (elman_normalize)meta->normalize, vocab);
    return s == ELMAN_EFORMAT ? el_fail_in(s, path) : s;
}

static elman_lm_desc desc_of(const el_model_meta *m)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    d.cell = (elman_cell)m->cell;
    d.activation = (elman_activation)m->activation;
    d.dtype = m->dtype;
    d.hidden = m->hidden;
    d.layers = (int)m->layers;
    d.embed = m->embed;
    d.context = m->context;
    d.proj = m->proj;
    d.reset_before = (int)m->reset_before;
    d.tie = (int)m->tie;
    return d;
}

elman_status el_lm_read_meta(const elman_context *context,
                             const elman_tensors *file, const char *path,
                             elman_lm_desc *desc, elman_vocab **vocab)
{
    el_model_meta meta = {.kind = ELMAN_KIND_LM};
    elman_status s = el_model_read_meta(file, path, &meta);
    if (s)
        return s;
    *desc = desc_of(&meta);
    if (!vocab)
        return ELMAN_OK;
    s = read_vocab(context, file, path, &meta, vocab);
    if (s)
        return s;
    meta.vocab = meta.outputs = (*vocab)->size;
    s = el_model_check_size(file, path, &meta);
    if (s) {
        el_vocab_free(*vocab);
        *vocab = NULL;
    }
    return s;
}

elman_status el_lm_from_tensors(const elman_context *context,
                                const elman_tensors *file, const char *path,
                                bool infers, elman_dtype dtype, elman_lm **out)
{
    el_model_meta meta = {.kind = ELMAN_KIND_LM};
    elman_vocab *vocab = NULL;
    elman_lm *lm = NULL;
    elman_status s = el_model_read_meta(file, path, &meta);
    if (!s)
        s = read_vocab(context, file, path, &meta, &vocab);
    if (!s) {
        meta.vocab = meta.outputs = vocab->size;
        s = el_model_check_size(file, path, &meta);
    }
    if (!s) {
        elman_lm_desc desc = desc_of(&meta);
        desc.inference_only = infers;
        if (dtype != ELMAN_DTYPE_OWN)
            desc.dtype = dtype;
        s = el_lm_create(context, &desc, vocab, &lm);
    }
    if (!s)
        s = el_model_take_weights(&lm->net, file, path, meta.dtype,
                                  EL_TRAINER_PREFIX);
    const char *const training = el_tensors_meta(file, "training");
    if (!s && training && (s = el_lm_take_history(lm, training)) != ELMAN_OK)
        s = el_fail_in(s, path);
    el_vocab_free(vocab);
    if (s) {
        el_lm_free(lm);
        return s;
    }
    *out = lm;
    return ELMAN_OK;
}
