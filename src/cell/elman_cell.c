/* SPDX-License-Identifier: MIT */
/* elman_cell.c - one step of the Elman cell.
 *
 *   h_t = phi(x_t W_ih' + b_ih + b_hh + h_{t-1} W_hh')
 *
 * Nothing but h_t is kept: phi' is a function of it. */
#include "cells.h"

/* h holds x W_ih' + b. */
static void forward(const el_layer *layer, const el_step *s)
{
    const int64_t H = layer->hidden;
    el_product(layer->context, layer->k,
               &(el_gemm){.m = s->rows,
                          .n = H,
                          .k = H,
                          .a = s->h0,
                          .lda = s->ldh0,
                          .w = layer->rec,
                          .init = s->h,
                          .ldi = s->ldh,
                          .c = s->h,
                          .ldc = s->ldh,
                          .epilogue = layer->activation == ELMAN_RELU
                                          ? EL_RELU
                                          : EL_TANH});
}

/* da_t = (dy_t + da_{t+1} W_hh) phi'(a_t) */
static void backward(const el_layer *layer, const el_step_back *b)
{
    const int64_t H = layer->hidden;
    el_product(layer->context, layer->k,
               &(el_gemm){.m = b->step.rows,
                          .n = H,
                          .k = b->next ? H : 0,
                          .a = b->next,
                          .lda = H,
                          .w = layer->back_rec,
                          .init = b->init,
                          .ldi = b->ldinit,
                          .c = b->da,
                          .ldc = H,
                          .epilogue = layer->activation == ELMAN_RELU
                                          ? EL_DRELU
                                          : EL_DTANH,
                          .aux = b->step.h,
                          .ldaux = b->step.ldh});
}

static void to_state(const el_layer *layer, int64_t rows, const void *da,
                     void *dh)
{
    el_state_product(layer, rows, da, layer->hidden, layer->hidden,
                     layer->back_rec, dh, dh);
}

const el_cell_ops el_elman_ops = {.gates = 1,
                                  .da_slots = 1,
                                  .rec = {{0, 0, 1}},
                                  .forward = forward,
                                  .backward = backward,
                                  .to_state = to_state};
