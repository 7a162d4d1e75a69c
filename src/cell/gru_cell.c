/* SPDX-License-Identifier: MIT */
/* gru_cell.c - one step of the GRU cell (Cho et al. 2014).
 *
 *   r_t, z_t = sigmoid of x_t W_ih' + b_ih + h_{t-1} W_hh' + b_hh
 *   n_t = tanh(x_t W_in' + b_in + r_t (h_{t-1} W_hn' + b_hn))
 *   h_t = (1 - z_t) n_t + z_t h_{t-1}
 *
 * as PyTorch and cuDNN have it, or, with the reset before the product, as the
 * paper and older weights have it,
 *
 *   n_t = tanh(x_t W_in' + b_in + b_hn + (r_t h_{t-1}) W_hn')
 *
 * Gates lie in the order r z n q; what q is stands in kernels.h. */
#include "cells.h"

typedef struct pass {
    const el_layer *layer;
    const el_step *s;
    const el_step_back *b;
} pass;

static el_gates gates_at(const el_layer *layer, const el_step *s, int64_t r0,
                         int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t ld = el_layer_gate_row(layer);
    return (el_gates){.rows = r1 - r0,
                      .units = u1 - u0,
                      .gates = el_at(k, s->gates, r0 * ld + u0),
                      .ld = ld,
                      .gate = layer->padded,
                      .before = el_at(k, s->h0, r0 * s->ldh0 + u0),
                      .ld_before = s->ldh0,
                      .h = el_at(k, s->h, r0 * s->ldh + u0),
                      .ldh = s->ldh};
}

static el_gates gates_back_at(const el_layer *layer, const el_step_back *b,
                              int64_t r0, int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_da_row(layer);
    el_gates g = gates_at(layer, &b->step, r0, r1, u0, u1);
    g.dh = el_at(k, b->dh, r0 * H + u0);
    g.lddh = H;
    g.carry = el_at(k, b->carry, r0 * H + u0);
    g.ldcarry = H;
    g.da = el_at(k, b->da, r0 * ld + u0);
    g.ldda = ld;
    g.gate_da = H;
    return g;
}

/* Where the packed copies of W_hn begin. */
static void *rec_n(const el_layer *layer)
{
    return el_packed_at(layer->k, layer->rec, 2 * layer->padded, layer->hidden);
}

static void *back_rec_n(const el_layer *layer)
{
    const int64_t H = layer->hidden;
    return (char *)layer->back_rec + el_packed_bytes(layer->k, H, 2 * H);
}

/* dh_t = dy_t + what came past the products + [da_r da_z] of t+1 times W_hh;
 * then, with `all`, + da_q W_hn */
static void arrive(const el_layer *layer, const el_step_back *b, bool all,
                   int64_t r0, int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_da_row(layer);
    el_gemm g = {.m = r1 - r0,
                 .n = u1 - u0,
                 .k = b->next ? 2 * H : 0,
                 .a = b->next ? el_at(k, b->next, r0 * ld) : NULL,
                 .lda = ld,
                 .w = el_packed_at(k, layer->back_rec, u0, 2 * H),
                 .init =
                     b->init ? el_at(k, b->init, r0 * b->ldinit + u0) : NULL,
                 .ldi = b->ldinit,
                 .c = el_at(k, b->dh, r0 * H + u0),
                 .ldc = H,
                 .backwards = b->step.backwards};
    k->gemm(&g);
    if (!b->next || !all)
        return;
    g.k = H;
    g.a = el_at(k, b->next, r0 * ld + 3 * H);
    g.w = el_packed_at(k, back_rec_n(layer), u0, H);
    g.init = g.c;
    g.ldi = H;
    k->gemm(&g);
}

static double work(const el_layer *layer, int64_t rows, int gates)
{
    const int64_t H = layer->hidden;
    return 2.0 * gates * (double)(rows * H) * (double)(H + 16);
}

/* ---- The reset after the product ------------------------------------------*/

static void after_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                        int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_gate_row(layer);
    const el_gemm n = {
        .m = r1 - r0,
        .n = u1 - u0,
        .k = H,
        .a = el_at(k, p->s->h0, r0 * p->s->ldh0),
        .lda = p->s->ldh0,
        .w = el_packed_at(k, rec_n(layer), u0, H),
        .init = layer->bias_n ? el_at(k, layer->bias_n, u0) : NULL,
        .c = el_at(k, p->s->gates, r0 * ld + 3 * layer->padded + u0),
        .ldc = ld,
        .backwards = p->s->backwards};
    if (n.backwards)
        k->gemm(&n);
    el_gates_product(layer, p->s, 2, r0, r1, u0, u1);
    if (!n.backwards)
        k->gemm(&n);
    const el_gates g = gates_at(layer, p->s, r0, r1, u0, u1);
    k->gru(&g);
}

static void after(const el_layer *layer, const el_step *s)
{
    pass p = {.layer = layer, .s = s};
    el_blocks(layer->context, el_step_work(layer, s, 3), s->rows, layer->hidden,
              after_block, &p);
}

static void after_back_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                             int64_t u1)
{
    const pass *const p = arg;
    arrive(p->layer, p->b, true, r0, r1, u0, u1);
    const el_gates g = gates_back_at(p->layer, p->b, r0, r1, u0, u1);
    p->layer->k->gru_back(&g);
}

static void after_back(const el_layer *layer, const el_step_back *b)
{
    pass p = {.layer = layer, .b = b};
    el_blocks(layer->context, work(layer, b->step.rows, 3), b->step.rows,
              layer->hidden, after_back_block, &p);
}

static void after_to_state(const el_layer *layer, int64_t rows, const void *da,
                           void *dh)
{
    const int64_t H = layer->hidden, ld = el_layer_da_row(layer);
    el_state_product(layer, rows, da, ld, 2 * H, layer->back_rec, dh, dh);
    el_state_product(layer, rows, el_at(layer->k, da, 3 * H), ld, H,
                     back_rec_n(layer), dh, dh);
}

/* ---- The reset before the product -----------------------------------------*/

static void reset_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                        int64_t u1)
{
    const pass *const p = arg;
    el_gates_product(p->layer, p->s, 2, r0, r1, u0, u1);
    const el_gates g = gates_at(p->layer, p->s, r0, r1, u0, u1);
    p->layer->k->gru_reset(&g);
}

/* n_t: the sum goes on with (r_t h_{t-1}) W_hn' */
static void mix_block(void *arg, int64_t r0, int64_t r1, int64_t u0, int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_gate_row(layer);
    void *const row = el_at(k, p->s->gates, r0 * ld);
    void *const n = el_at(k, row, 2 * layer->padded + u0);
    k->gemm(&(el_gemm){.m = r1 - r0,
                       .n = u1 - u0,
                       .k = H,
                       .a = el_at(k, row, 3 * layer->padded),
                       .lda = ld,
                       .w = el_packed_at(k, rec_n(layer), u0, H),
                       .init = n,
                       .ldi = ld,
                       .c = n,
                       .ldc = ld});
    const el_gates g = gates_at(layer, p->s, r0, r1, u0, u1);
    k->gru_mix(&g);
}

static void before(const el_layer *layer, const el_step *s)
{
    pass p = {.layer = layer, .s = s};
    el_blocks(layer->context, el_step_work(layer, s, 2), s->rows, layer->hidden,
              reset_block, &p);
    el_blocks(layer->context, work(layer, s->rows, 1), s->rows, layer->hidden,
              mix_block, &p);
}

static void mix_back_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                           int64_t u1)
{
    const pass *const p = arg;
    arrive(p->layer, p->b, false, r0, r1, u0, u1);
    const el_gates g = gates_back_at(p->layer, p->b, r0, r1, u0, u1);
    p->layer->k->gru_mix_back(&g);
}

/* The gradient of r_t h_{t-1} is da_n W_hn. */
static void reset_back_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                             int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_da_row(layer);
    k->gemm(&(el_gemm){.m = r1 - r0,
                       .n = u1 - u0,
                       .k = H,
                       .a = el_at(k, p->b->da, r0 * ld + 2 * H),
                       .lda = ld,
                       .w = el_packed_at(k, back_rec_n(layer), u0, H),
                       .c = el_at(k, p->b->dh, r0 * H + u0),
                       .ldc = H});
    const el_gates g = gates_back_at(layer, p->b, r0, r1, u0, u1);
    k->gru_reset_back(&g);
}

static void before_back(const el_layer *layer, const el_step_back *b)
{
    const int64_t rows = b->step.rows;
    pass p = {.layer = layer, .b = b};
    el_blocks(layer->context, work(layer, rows, 2), rows, layer->hidden,
              mix_back_block, &p);
    el_blocks(layer->context, work(layer, rows, 1), rows, layer->hidden,
              reset_back_block, &p);
}

static void before_to_state(const el_layer *layer, int64_t rows, const void *da,
                            void *dh)
{
    el_state_product(layer, rows, da, el_layer_da_row(layer), 2 * layer->hidden,
                     layer->back_rec, dh, dh);
}

const el_cell_ops el_gru_ops = {.gates = 3,
                                .slots = 4,
                                .da_slots = 4,
                                .carries = true,
                                .rec = {{0, 0, 2}, {3, 2, 1}},
                                .forward = after,
                                .backward = after_back,
                                .to_state = after_to_state};

const el_cell_ops el_gru_before_ops = {.gates = 3,
                                       .slots = 4,
                                       .da_slots = 3,
                                       .carries = true,
                                       .rec = {{0, 0, 2}, {2, 2, 1}},
                                       .rec_of_q = {false, true},
                                       .forward = before,
                                       .backward = before_back,
                                       .to_state = before_to_state};
