/* SPDX-License-Identifier: MIT */
/* lstm_cell.c - one step of the LSTM cell (Hochreiter and Schmidhuber 1997,
 * with the forget gate of Gers et al. 2000), and of the one with a projection
 * (Sak et al. 2014).
 *
 *   i_t, f_t, o_t = sigmoid, g_t = tanh of x_t W_ih' + b + h_{t-1} W_hh'
 *   c_t = f_t c_{t-1} + i_t g_t
 *   m_t = o_t tanh(c_t)
 *   h_t = m_t, or m_t W_hr'
 *
 * Gates lie in the order i f g o. */
#include "cells.h"

typedef struct pass {
    const el_layer *layer;
    const el_step *s;
    const el_step_back *b;
    const void *dm;
    int64_t lddm;
} pass;

static el_gates gates_at(const el_layer *layer, const el_step *s, int64_t r0,
                         int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_gate_row(layer);
    return (el_gates){.rows = r1 - r0,
                      .units = u1 - u0,
                      .gates = el_at(k, s->gates, r0 * ld + u0),
                      .ld = ld,
                      .gate = layer->padded,
                      .before = el_at(k, s->c0, r0 * H + u0),
                      .ld_before = H,
                      .c = el_at(k, s->c, r0 * H + u0),
                      .ldc = H};
}

static void forward_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                          int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const el_step *const s = p->s;
    el_gates_product(layer, s, 4, r0, r1, u0, u1);
    el_gates g = gates_at(layer, s, r0, r1, u0, u1);
    g.ldh = layer->proj ? layer->hidden : s->ldh;
    g.h = el_at(k, layer->proj ? s->m : s->h, r0 * g.ldh + u0);
    k->lstm(&g);
}

static void forward(const el_layer *layer, const el_step *s)
{
    const int64_t H = layer->hidden, P = layer->out;
    pass p = {.layer = layer, .s = s};
    el_blocks(layer->context, el_step_work(layer, s, 4), s->rows, H,
              forward_block, &p);
    if (layer->proj)
        el_product(layer->context, layer->k,
                   &(el_gemm){.m = s->rows,
                              .n = P,
                              .k = H,
                              .a = s->m,
                              .lda = H,
                              .w = layer->hr,
                              .c = s->h,
                              .ldc = s->ldh});
}

/* dh_t = dy_t + da_{t+1} W_hh, of units [u0,u1) */
static void arrive(const el_layer *layer, const el_step_back *b, void *dh,
                   int64_t r0, int64_t r1, int64_t u0, int64_t u1)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out, ld = el_layer_da_row(layer);
    const int64_t steps = 4 * layer->hidden;
    k->gemm(&(el_gemm){.m = r1 - r0,
                       .n = u1 - u0,
                       .k = b->next ? steps : 0,
                       .a = b->next ? el_at(k, b->next, r0 * ld) : NULL,
                       .lda = ld,
                       .w = el_packed_at(k, layer->back_rec, u0, steps),
                       .init = b->init ? el_at(k, b->init, r0 * b->ldinit + u0)
                                       : NULL,
                       .ldi = b->ldinit,
                       .c = el_at(k, dh, r0 * P + u0),
                       .ldc = P,
                       .backwards = b->step.backwards});
}

/* The way back through the gates, from dm_t. */
static el_gates gates_back_at(const pass *p, const void *dm, int64_t r0,
                              int64_t r1, int64_t u0, int64_t u1)
{
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, ld = el_layer_da_row(layer);
    el_gates g = gates_at(layer, &p->b->step, r0, r1, u0, u1);
    g.dh = el_at(k, dm, r0 * H + u0);
    g.lddh = H;
    g.carry = el_at(k, p->b->carry, r0 * H + u0);
    g.ldcarry = H;
    g.da = el_at(k, p->b->da, r0 * ld + u0);
    g.ldda = ld;
    g.gate_da = H;
    return g;
}

static void backward_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                           int64_t u1)
{
    const pass *const p = arg;
    const el_gates g = gates_back_at(p, p->b->dh, r0, r1, u0, u1);
    arrive(p->layer, p->b, p->b->dh, r0, r1, u0, u1);
    p->layer->k->lstm_back(&g);
}

static void projected_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                            int64_t u1)
{
    const pass *const p = arg;
    arrive(p->layer, p->b, p->b->dproj, r0, r1, u0, u1);
}

/* dm_t = dh_t W_hr */
static void unprojected_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                              int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, P = layer->out;
    const el_gates gates = gates_back_at(p, p->b->dm, r0, r1, u0, u1);
    k->gemm(&(el_gemm){.m = r1 - r0,
                       .n = u1 - u0,
                       .k = P,
                       .a = el_at(k, p->b->dproj, r0 * P),
                       .lda = P,
                       .w = el_packed_at(k, layer->back_hr, u0, P),
                       .c = el_at(k, p->b->dm, r0 * H + u0),
                       .ldc = H});
    k->lstm_back(&gates);
}

static void backward(const el_layer *layer, const el_step_back *b)
{
    const int64_t H = layer->hidden, P = layer->out, rows = b->step.rows;
    const double through = 8.0 * (double)(rows * H) * (double)(P + 16);
    pass p = {.layer = layer, .b = b};
    if (!layer->proj) {
        el_blocks(layer->context, through, rows, H, backward_block, &p);
        return;
    }
    el_blocks(layer->context, through, rows, P, projected_block, &p);
    el_blocks(layer->context, 2.0 * (double)(rows * H) * (double)(P + 16), rows,
              H, unprojected_block, &p);
}

static void to_state(const el_layer *layer, int64_t rows, const void *da,
                     void *dh)
{
    el_state_product(layer, rows, da, el_layer_da_row(layer), 4 * layer->hidden,
                     layer->back_rec, dh, dh);
}

const el_cell_ops el_lstm_ops = {.gates = 4,
                                 .slots = 4,
                                 .da_slots = 4,
                                 .has_c = true,
                                 .rec = {{0, 0, 4}},
                                 .forward = forward,
                                 .backward = backward,
                                 .to_state = to_state};
