/* SPDX-License-Identifier: MIT */
#include "decoder.h"
#include "../base/plan.h"

#include <string.h>

/* Of the block that begins with a class. */
static int64_t block_width(const el_decoder *d, int64_t class)
{
    const int64_t left = d->classes - class;
    return left < EL_DECODER_BLOCK ? left : EL_DECODER_BLOCK;
}

static void plan_packed(el_plan *p, el_decoder *d)
{
    if (!d->lent)
        el_want(p, &d->out, el_packed_bytes(d->k, d->classes, d->hidden), 1, 1);
    if (d->bias >= 0)
        el_want(p, &d->bias_row, d->classes, 1, d->k->size);
}

elman_status el_decoder_create(const elman_context *context,
                               const el_kernels *k, const el_decoder_desc *desc,
                               el_views *views, el_decoder *out)
{
    const int64_t hidden = desc->hidden, classes = desc->classes;
    *out = (el_decoder){.context = context,
                        .k = k,
                        .hidden = hidden,
                        .classes = classes,
                        .weight = desc->tied,
                        .bias = -1,
                        .lent = desc->lent};
    elman_status s = ELMAN_OK;
    if (desc->tied < 0)
        s = el_views_add(context, views, "decoder.", "weight", classes, hidden,
                         &out->weight);
    if (!s && desc->bias)
        s = el_views_add(context, views, "decoder.", "bias", classes, -1,
                         &out->bias);
    if (s)
        return s;
    el_plan p = {.context = context, .allocate = true};
    plan_packed(&p, out);
    if (!p.failed)
        return ELMAN_OK;
    el_decoder_free(out);
    return ELMAN_ENOMEM;
}

void el_decoder_free(el_decoder *d)
{
    if (!d->context)
        return;
    if (!d->lent)
        el_free(d->context, d->out);
    el_free(d->context, d->bias_row);
    *d = (el_decoder){0};
}

int64_t el_decoder_bytes(const el_decoder *d)
{
    el_plan p = {.context = d->context};
    el_decoder same = *d;
    if (d->context)
        plan_packed(&p, &same);
    return p.bytes;
}

void el_decoder_pack_bias(el_decoder *d, const void *bias)
{
    if (d->bias_row)
        memcpy(d->bias_row, bias, (size_t)d->classes * d->k->size);
}

void el_decoder_pack(el_decoder *d, const void *weights)
{
    const void *const w = el_at(d->k, weights, d->weight);
    el_pack_rows(d->context, d->k, d->out, w, d->hidden, d->classes, d->hidden);
    if (d->bias_row)
        el_decoder_pack_bias(d, el_at(d->k, weights, d->bias));
}

/* Of classes [from, from + n); logits are ldc apart. */
static el_gemm forward_product(const el_decoder *d, int64_t from, int64_t n,
                               int64_t rows, const void *h, void *logits,
                               int64_t ldc)
{
    return (el_gemm){.m = rows,
                     .n = n,
                     .k = d->hidden,
                     .a = h,
                     .lda = d->hidden,
                     .w = el_packed_at(d->k, d->out, from, d->hidden),
                     .init =
                         d->bias_row ? el_at(d->k, d->bias_row, from) : NULL,
                     .c = logits,
                     .ldc = ldc};
}

void el_decoder_forward(const el_decoder *d, int64_t rows, const void *h,
                        void *logits)
{
    const el_gemm g =
        forward_product(d, 0, d->classes, rows, h, logits, d->classes);
    el_product(d->context, d->k, &g);
}

void el_decoder_block(const el_decoder *d, int64_t class, int64_t rows,
                      const void *h, void *logits, bool shared)
{
    const int64_t wide = block_width(d, class);
    const el_gemm g = forward_product(d, class, wide, rows, h, logits, wide);
    if (shared)
        el_product(d->context, d->k, &g);
    else
        d->k->gemm(&g);
}

int64_t el_decoder_block_bytes(const el_decoder *d)
{
    return el_packed_bytes(d->k, d->hidden, block_width(d, 0));
}

void el_decoder_pack_block(const el_decoder *d, const void *weights,
                           int64_t class, int64_t from, int64_t to,
                           void *packed)
{
    const el_kernels *const k = d->k;
    const int64_t H = d->hidden, wide = block_width(d, class);
    k->pack_columns(el_packed_at(k, packed, from, wide),
                    el_at(k, weights, d->weight + class * H + from), H,
                    to - from, wide);
}

void el_decoder_back_block(const el_decoder *d, const el_decoder_back *b)
{
    const int64_t wide = block_width(d, b->class);
    void *const dh = el_at(d->k, b->dh, b->from);
    d->k->gemm(&(el_gemm){.m = b->rows,
                          .n = b->to - b->from,
                          .k = wide,
                          .a = b->dlogits,
                          .lda = b->ldd,
                          .w = el_packed_at(d->k, b->packed, b->from, wide),
                          .init = b->class > 0 ? dh : NULL,
                          .ldi = d->hidden,
                          .c = dh,
                          .ldc = d->hidden});
}
