/* SPDX-License-Identifier: MIT */
/* layer.c - what a layer is made of, and the packed copies of its weights. */
#include "cells.h"
#include "../base/plan.h"

#include <string.h>

void el_layer_shape(el_layer *layer, elman_cell cell)
{
    layer->ops = cell == ELMAN_CELL_LSTM  ? &el_lstm_ops
                 : cell != ELMAN_CELL_GRU ? &el_elman_ops
                 : layer->reset_before    ? &el_gru_before_ops
                                          : &el_gru_ops;
    const int64_t H = layer->hidden;
    layer->out = layer->proj > 0 ? layer->proj : H;
    layer->padded =
        layer->ops->slots == 0 ? H : (H + EL_PANEL - 1) / EL_PANEL * EL_PANEL;
}

int64_t el_layer_gates(const el_layer *layer)
{
    return layer->ops->gates;
}

bool el_layer_has_c(const el_layer *layer)
{
    return layer->ops->has_c;
}

/* Rows that are a multiple of 1 KiB apart would fall into the same few sets of
 * a cache. */
static int64_t apart(int64_t n)
{
    return n > 0 && n % 256 == 0 ? n + 16 : n;
}

/* Measured: bfloat16's T2 was 4 % faster with rows apart, float32's Q3 and T2
 * as much slower. */
int64_t el_layer_gate_row(const el_layer *layer)
{
    const int64_t n = layer->ops->slots * layer->padded;
    return layer->k->dtype == ELMAN_BF16 ? apart(n) : n;
}

int64_t el_layer_da_row(const el_layer *layer)
{
    return apart(layer->ops->da_slots * layer->hidden);
}

static int64_t rec_bytes(const el_layer *layer)
{
    return el_packed_bytes(layer->k, layer->ops->gates * layer->padded,
                           layer->out);
}

/* The GRU's way back is in two parts, r and z, then n. */
static int64_t back_gates(const el_layer *layer, int part)
{
    const int gates = layer->ops->gates;
    if (part == 0)
        return gates == 3 ? 2 : gates;
    return gates == 3 ? 1 : 0;
}

static int64_t back_part_bytes(const el_layer *layer, int part)
{
    return el_packed_bytes(layer->k, layer->out,
                           back_gates(layer, part) * layer->hidden);
}

static int64_t back_rec_bytes(const el_layer *layer)
{
    return back_part_bytes(layer, 0) + back_part_bytes(layer, 1);
}

int64_t el_recurrent_bytes(const el_layer *layer)
{
    if (!layer->recurrent)
        return 0;
    return rec_bytes(layer) + EL_BLOCK_EXTRA +
           (layer->trainable ? back_rec_bytes(layer) + EL_BLOCK_EXTRA : 0);
}

elman_status el_recurrent_create(const el_layer *layer, el_recurrent *out)
{
    const elman_context *const c = layer->context;
    *out = (el_recurrent){0};
    if (!layer->recurrent)
        return ELMAN_OK;
    const bool fine =
        (out->rec = el_alloc_array(c, rec_bytes(layer), 1)) &&
        (!layer->trainable ||
         (out->back_rec = el_alloc_array(c, back_rec_bytes(layer), 1)));
    if (fine)
        return ELMAN_OK;
    el_recurrent_free(layer, out);
    return ELMAN_ENOMEM;
}

void el_recurrent_free(const el_layer *layer, el_recurrent *r)
{
    el_free(layer->context, r->rec);
    el_free(layer->context, r->back_rec);
    *r = (el_recurrent){0};
}

/* Gate g of w [G*H,columns], packed for products with its transpose. */
static void pack_gates(const el_layer *layer, void *packed, const void *w,
                       int64_t columns)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    for (int64_t g = 0; g < layer->ops->gates; ++g)
        el_pack_rows(layer->context, k,
                     el_packed_at(k, packed, g * layer->padded, columns),
                     el_at(k, w, g * H * columns), columns, H, columns);
}

void el_recurrent_pack(const el_layer *layer, const el_recurrent *r,
                       const void *w_hh)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, P = layer->out;
    pack_gates(layer, r->rec, w_hh, P);
    if (!r->back_rec)
        return;
    const int64_t first = back_gates(layer, 0) * H;
    const int64_t second = back_gates(layer, 1) * H;
    el_pack_columns(layer->context, k, r->back_rec, w_hh, P, P, first);
    if (second > 0)
        el_pack_columns(layer->context, k,
                        (char *)r->back_rec + back_part_bytes(layer, 0),
                        el_at(k, w_hh, first * P), P, P, second);
}

el_layer el_layer_with(const el_layer *layer, const el_recurrent *r)
{
    el_layer with = *layer;
    with.rec = r->rec;
    with.back_rec = r->back_rec;
    return with;
}

/* Of what is lent others make the plan. */
static void plan_packed(el_plan *p, el_layer *layer)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden, P = layer->out;
    const int64_t G = layer->ops->gates, row = G * layer->padded;
    const bool dense = layer->slots == 0, trains = layer->trainable;
    const bool own = !layer->lent, proj = layer->proj > 0;
    const struct {
        void **at;
        bool wanted;
        int64_t bytes;
    } all[] = {
        {&layer->bias, layer->b_ih >= 0, row * (int64_t)k->size},
        {&layer->bias_n, layer->b_hh >= 0 && layer->ops == &el_gru_ops,
         H * (int64_t)k->size},
        {&layer->in, own && !dense, row * I * (int64_t)k->size},
        {&layer->in, own && dense, el_packed_bytes(k, row, I)},
        {&layer->back_in, trains && dense, el_packed_bytes(k, I, G * H)},
        {&layer->hr, own && proj, el_packed_bytes(k, P, H)},
        {&layer->back_hr, trains && proj, el_packed_bytes(k, H, P)},
        {&layer->rec, own && layer->recurrent, rec_bytes(layer)},
        {&layer->back_rec, trains && layer->recurrent, back_rec_bytes(layer)},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (all[i].wanted)
            el_want(p, all[i].at, all[i].bytes, 1, 1);
}

elman_status el_layer_create(el_layer *layer)
{
    el_plan p = {.context = layer->context, .allocate = true};
    plan_packed(&p, layer);
    return p.failed ? ELMAN_ENOMEM : ELMAN_OK;
}

static void forget_lent(el_layer *layer)
{
    if (layer->lent)
        layer->in = layer->rec = layer->hr = NULL;
}

void el_layer_free(el_layer *layer)
{
    forget_lent(layer);
    void **const all[] = {&layer->bias,     &layer->bias_n, &layer->in,
                          &layer->rec,      &layer->hr,     &layer->back_in,
                          &layer->back_rec, &layer->back_hr};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        el_free(layer->context, *all[i]);
        *all[i] = NULL;
    }
}

int64_t el_layer_bytes(const el_layer *layer)
{
    el_plan p = {.context = layer->context};
    el_layer same = *layer;
    plan_packed(&p, &same);
    return p.failed ? -1 : p.bytes;
}

/* Both biases of a gate come together before the products, but for the GRU's
 * b_hn, which the reset gate multiplies. */
void el_layer_pack_bias(el_layer *layer, const void *b_ih, const void *b_hh)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    const size_t bytes = (size_t)H * k->size;
    for (int64_t g = 0; layer->bias && g < layer->ops->gates; ++g) {
        void *const to = el_at(k, layer->bias, g * layer->padded);
        memcpy(to, el_at(k, b_ih, g * H), bytes);
        if (layer->b_hh < 0)
            continue;
        if (layer->bias_n && g == 2)
            memcpy(layer->bias_n, el_at(k, b_hh, g * H), bytes);
        else
            k->add(to, el_at(k, b_hh, g * H), H);
    }
}

void el_layer_pack(el_layer *layer, const void *weights)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden, P = layer->out;
    const int64_t G = layer->ops->gates;
    const void *const w_ih = el_at(k, weights, layer->w_ih);
    if (layer->bias)
        el_layer_pack_bias(layer, el_at(k, weights, layer->b_ih),
                           layer->b_hh >= 0 ? el_at(k, weights, layer->b_hh)
                                            : NULL);
    if (layer->slots == 0)
        pack_gates(layer, layer->in, w_ih, I);
    for (int64_t g = 0; layer->slots > 0 && g < G; ++g)
        k->transpose(el_at(k, layer->in, g * layer->padded), G * layer->padded,
                     el_at(k, w_ih, g * H * I), H, I);
    if (layer->back_in)
        el_pack_columns(layer->context, k, layer->back_in, w_ih, I, I, G * H);
    if (layer->recurrent)
        el_recurrent_pack(layer, &(el_recurrent){layer->rec, layer->back_rec},
                          el_at(k, weights, layer->w_hh));
    if (layer->proj > 0) {
        const void *const w_hr = el_at(k, weights, layer->w_hr);
        el_pack_rows(layer->context, k, layer->hr, w_hr, H, P, H);
        if (layer->back_hr)
            el_pack_columns(layer->context, k, layer->back_hr, w_hr, H, H, P);
    }
}

/* ---- Products that cells share --------------------------------------------*/

/* g, whose k and operands are set, for columns [u0,u1) of so many gates; c
 * begins with the first of them, and init, where it is one row, too. */
static void gates_product(const el_layer *layer, el_gemm g, int gates,
                          int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const bool whole = u0 == 0 && u1 == layer->hidden;
    const el_gemm all = g;
    const int parts = whole ? 1 : gates;
    g.n = whole ? gates * layer->padded : u1 - u0;
    for (int part = 0; part < parts; ++part) {
        const int i = g.backwards ? parts - 1 - part : part;
        const int64_t column = i * layer->padded + u0;
        g.w = el_packed_at(k, all.w, column, g.k);
        g.init = all.init ? el_at(k, all.init, column) : NULL;
        g.c = el_at(k, all.c, column);
        k->gemm(&g);
    }
}

void el_gates_product(const el_layer *layer, const el_step *s, int gates,
                      int64_t r0, int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t ld = el_layer_gate_row(layer);
    void *const c = el_at(k, s->gates, r0 * ld);
    if (s->apart)
        gates_product(layer,
                      (el_gemm){.m = r1 - r0,
                                .k = layer->input,
                                .a = s->x ? el_at(k, s->x, r0 * s->ldx) : NULL,
                                .lda = s->ldx,
                                .w = layer->in,
                                .init = layer->bias,
                                .c = c,
                                .ldc = ld},
                      layer->ops->gates, u0, u1);
    gates_product(layer,
                  (el_gemm){.m = r1 - r0,
                            .k = layer->out,
                            .a = el_at(k, s->h0, r0 * s->ldh0),
                            .lda = s->ldh0,
                            .w = layer->rec,
                            .init = c,
                            .ldi = ld,
                            .c = c,
                            .ldc = ld,
                            .backwards = s->backwards},
                  gates, u0, u1);
}

double el_step_work(const el_layer *layer, const el_step *s, int gates)
{
    const double wide = (double)(s->rows * layer->hidden);
    const double input =
        s->apart ? layer->ops->gates * (double)layer->input : 0;
    return 2 * wide * (gates * (double)(layer->out + 16) + input);
}

void el_state_product(const el_layer *layer, int64_t rows, const void *a,
                      int64_t lda, int64_t k, const void *w, const void *init,
                      void *dh)
{
    const int64_t P = layer->out;
    el_product(layer->context, layer->k,
               &(el_gemm){.m = rows,
                          .n = P,
                          .k = k,
                          .a = a,
                          .lda = lda,
                          .w = w,
                          .init = init,
                          .ldi = P,
                          .c = dh,
                          .ldc = P});
}
