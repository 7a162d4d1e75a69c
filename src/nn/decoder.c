/* SPDX-License-Identifier: MIT */
#include "decoder.h"

#include <string.h>

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
                        .bias = -1};
    elman_status s = ELMAN_OK;
    if (desc->tied < 0)
        s = el_views_add(context, views, "decoder.", "weight", classes, hidden,
                         &out->weight);
    if (!s && desc->bias)
        s = el_views_add(context, views, "decoder.", "bias", classes, -1,
                         &out->bias);
    if (s)
        return s;
    const int64_t forward = el_packed_bytes(k, classes, hidden);
    const int64_t backward = el_packed_bytes(k, hidden, classes);
    if ((out->out = el_alloc_array(context, forward, 1)) &&
        (!desc->trainable ||
         (out->back = el_alloc_array(context, backward, 1))) &&
        (!desc->bias ||
         (out->bias_row = el_alloc_array(context, classes, k->size))))
        return ELMAN_OK;
    el_decoder_free(out);
    return ELMAN_ENOMEM;
}

void el_decoder_free(el_decoder *d)
{
    if (!d->context)
        return;
    el_free(d->context, d->out);
    el_free(d->context, d->back);
    el_free(d->context, d->bias_row);
    *d = (el_decoder){0};
}

int64_t el_decoder_bytes(const el_decoder *d)
{
    return (int64_t)(el_block_bytes(d->out) + el_block_bytes(d->back) +
                     el_block_bytes(d->bias_row));
}

void el_decoder_pack(el_decoder *d, const void *weights)
{
    const void *const w = el_at(d->k, weights, d->weight);
    el_pack_rows(d->context, d->k, d->out, w, d->hidden, d->classes, d->hidden);
    if (d->back)
        el_pack_columns(d->context, d->k, d->back, w, d->hidden, d->hidden,
                        d->classes);
    if (d->bias_row)
        memcpy(d->bias_row, el_at(d->k, weights, d->bias),
               (size_t)d->classes * d->k->size);
}

void el_decoder_forward(const el_decoder *d, int64_t rows, const void *h,
                        void *logits)
{
    el_product(d->context, d->k,
               &(el_gemm){.m = rows,
                          .n = d->classes,
                          .k = d->hidden,
                          .a = h,
                          .lda = d->hidden,
                          .w = d->out,
                          .init = d->bias_row,
                          .c = logits,
                          .ldc = d->classes});
}

void el_decoder_backward(const el_decoder *d, int64_t rows, const void *dlogits,
                         void *dh)
{
    el_product(d->context, d->k,
               &(el_gemm){.m = rows,
                          .n = d->hidden,
                          .k = d->classes,
                          .a = dlogits,
                          .lda = d->classes,
                          .w = d->back,
                          .c = dh,
                          .ldc = d->hidden});
}

void el_decoder_gradient(const el_decoder *d, el_run run, const void *h,
                         const void *dlogits, void *grad, void *scratch)
{
    const el_chain chain = {.run = run};
    el_product_gradient(d->context, d->k,
                        &(el_gradient){.chain = chain,
                                       .n = d->classes,
                                       .m = d->hidden,
                                       .a = dlogits,
                                       .lda = d->classes,
                                       .b = {.p = (void *)h, .ld = d->hidden},
                                       .grad = el_at(d->k, grad, d->weight),
                                       .scratch = scratch});
    el_sum_gradient(d->context, d->k,
                    &(el_sum){.chain = chain,
                              .n = d->classes,
                              .a = dlogits,
                              .lda = d->classes,
                              .grad = el_at(d->k, grad, d->bias),
                              .scratch = scratch});
}

size_t el_decoder_scratch(const el_decoder *d)
{
    const size_t product =
        el_gradient_scratch(d->context, d->k, d->classes, d->hidden);
    const size_t bias = (size_t)d->classes * d->k->size;
    return product > bias ? product : bias;
}
