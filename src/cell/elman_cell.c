/* SPDX-License-Identifier: MIT */
/* elman_cell.c - one step of the Elman cell.
 *
 *   h_t = phi(x_t W_ih' + b_ih + b_hh + h_{t-1} W_hh')
 *
 * Nothing but h_t is kept: phi' is a function of it. */
#include "cells.h"

typedef struct pass {
    const el_layer *layer;
    const el_step *s;
} pass;

/* h holds x W_ih' + b, or gets it here. */
static void forward_block(void *arg, int64_t r0, int64_t r1, int64_t u0,
                          int64_t u1)
{
    const pass *const p = arg;
    const el_layer *const layer = p->layer;
    const el_kernels *const k = layer->k;
    const el_step *const s = p->s;
    const int64_t H = layer->hidden;
    el_gemm g = {.m = r1 - r0,
                 .n = u1 - u0,
                 .c = el_at(k, s->h, r0 * s->ldh + u0),
                 .ldc = s->ldh,
                 .backwards = s->backwards};
    if (s->apart) {
        g.k = layer->input;
        g.a = s->x ? el_at(k, s->x, r0 * s->ldx) : NULL;
        g.lda = s->ldx;
        g.w = el_packed_at(k, layer->in, u0, g.k);
        g.init = layer->bias ? el_at(k, layer->bias, u0) : NULL;
        k->gemm(&g);
    }
    g.k = H;
    g.a = el_at(k, s->h0, r0 * s->ldh0);
    g.lda = s->ldh0;
    g.w = el_packed_at(k, layer->rec, u0, H);
    g.init = g.c;
    g.ldi = s->ldh;
    g.epilogue = layer->activation == ELMAN_RELU ? EL_RELU : EL_TANH;
    k->gemm(&g);
}

static void forward(const el_layer *layer, const el_step *s)
{
    pass p = {layer, s};
    el_blocks(layer->context, el_step_work(layer, s, 1), s->rows, layer->hidden,
              forward_block, &p);
}

/* da_t = (dy_t + da_{t+1} W_hh) phi'(a_t) */
static void backward(const el_layer *layer, const el_step_back *b)
{
    const int64_t H = layer->hidden, da = el_layer_da_row(layer);
    el_product(layer->context, layer->k,
               &(el_gemm){.m = b->step.rows,
                          .n = H,
                          .k = b->next ? H : 0,
                          .a = b->next,
                          .lda = da,
                          .w = layer->back_rec,
                          .init = b->init,
                          .ldi = b->ldinit,
                          .c = b->da,
                          .ldc = da,
                          .epilogue = layer->activation == ELMAN_RELU
                                          ? EL_DRELU
                                          : EL_DTANH,
                          .aux = b->step.h,
                          .ldaux = b->step.ldh,
                          .backwards = b->step.backwards});
}

static void to_state(const el_layer *layer, int64_t rows, const void *da,
                     void *dh)
{
    el_state_product(layer, rows, da, el_layer_da_row(layer), layer->hidden,
                     layer->back_rec, dh, dh);
}

const el_cell_ops el_elman_ops = {.gates = 1,
                                  .da_slots = 1,
                                  .rec = {{0, 0, 1}},
                                  .forward = forward,
                                  .backward = backward,
                                  .to_state = to_state};
