/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <string.h>

elman_status el_network_build(elman_network *n, const el_network_parts *parts)
{
    const elman_context *const c = n->context;
    elman_status s = ELMAN_OK;
    n->k = el_context_kernels(c, parts->stack.dtype);
    n->stack.context = c;
    n->embedding = -1;
    n->embed = parts->embed;
    if (parts->embed > 0)
        s = el_views_add(c, &n->views, "embedding.", "weight", parts->vocab,
                         parts->embed, &n->embedding);
    if (!s)
        s = el_stack_create(c, &parts->stack, &n->views, &n->stack);
    if (s)
        return s;
    n->width = parts->outputs > 0 ? parts->outputs : n->stack.width;
    if (parts->outputs > 0)
        s = el_decoder_create(
            c, n->k,
            &(el_decoder_desc){.hidden = n->stack.width,
                               .classes = parts->outputs,
                               .tied = parts->tie ? n->embedding : -1,
                               .bias = parts->decoder_bias},
            &n->views, &n->decoder);
    if (s)
        return s;
    n->weights = el_alloc_array(c, n->views.total, n->k->size);
    return n->weights ? ELMAN_OK : ELMAN_ENOMEM;
}

void el_network_clear(elman_network *n)
{
    el_views_free(n->context, &n->views);
    el_stack_free(&n->stack);
    el_decoder_free(&n->decoder);
    el_free(n->context, n->weights);
}

int64_t el_network_weights_bytes(const elman_network *n)
{
    return (int64_t)el_block_bytes(n->weights);
}

int64_t el_network_packed_bytes(const elman_network *n)
{
    return el_stack_bytes(&n->stack) + el_decoder_bytes(&n->decoder);
}

void el_network_pack(elman_network *n)
{
    if (n->k->dtype == ELMAN_INT8)
        el_views_round(&n->views, n->weights);
    el_stack_pack(&n->stack, n->weights);
    if (n->decoder.context)
        el_decoder_pack(&n->decoder, n->weights);
}

elman_status el_network_create(const elman_context *context,
                               const elman_network_desc *desc,
                               elman_network **out)
{
    const elman_rnn_desc *const d = &desc->rnn;
    const el_network_parts parts = {
        .vocab = desc->vocab,
        .embed = desc->embed,
        .stack = {.cell = d->cell,
                  .activation = d->activation,
                  .dtype = d->dtype,
                  .input = d->input,
                  .hidden = d->hidden,
                  .proj = d->proj,
                  .layers = d->layers,
                  .directions = d->bidirectional ? 2 : 1,
                  .bias = !d->no_bias,
                  .reset_before = d->reset_before,
                  .prefix = "rnn."},
        .outputs = desc->outputs,
        .tie = desc->tie,
        .decoder_bias = !desc->no_decoder_bias};
    elman_network *const n = el_alloc(context, sizeof *n);
    if (!n)
        return ELMAN_ENOMEM;
    n->context = context;
    n->desc = *desc;
    if (desc->decode == ELMAN_DECODE_FINAL && !d->bidirectional)
        n->desc.decode = ELMAN_DECODE_LAST;
    const elman_status s = el_network_build(n, &parts);
    if (s) {
        el_network_free(n);
        return s;
    }
    el_network_pack(n);
    *out = n;
    return ELMAN_OK;
}

void el_network_free(elman_network *n)
{
    if (!n)
        return;
    el_network_clear(n);
    el_free(n->context, n);
}

void el_network_copy_weights(elman_network *n, const elman_network *from)
{
    const int64_t count = n->views.total;
    const bool wide = from->k->dtype == ELMAN_F64;
    if (wide == (n->k->dtype == ELMAN_F64))
        memcpy(n->weights, from->weights, (size_t)count * n->k->size);
    else if (wide)
        for (int64_t i = 0; i < count; ++i)
            ((float *)n->weights)[i] =
                (float)((const double *)from->weights)[i];
    else
        for (int64_t i = 0; i < count; ++i)
            ((double *)n->weights)[i] =
                (double)((const float *)from->weights)[i];
    el_network_pack(n);
}

elman_status el_network_copy(const elman_network *n, elman_dtype dtype,
                             elman_network **out)
{
    elman_network_desc desc = n->desc;
    desc.rnn.dtype = dtype;
    const elman_status s = el_network_create(n->context, &desc, out);
    if (!s)
        el_network_copy_weights(*out, n);
    return s;
}

void el_network_embed(const elman_network *n, int64_t count, const int32_t *ids,
                      void *x, int64_t ldx)
{
    const el_kernels *const k = n->k;
    const size_t bytes = (size_t)n->embed * k->size;
    const void *const table = el_at(k, n->weights, n->embedding);
    for (int64_t i = 0; i < count; ++i) {
        void *const to = el_at(k, x, i * ldx);
        if (ids[i] >= 0)
            memcpy(to, el_at(k, table, ids[i] * n->embed), bytes);
        else
            memset(to, 0, bytes);
    }
}
