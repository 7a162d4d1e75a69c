/* SPDX-License-Identifier: MIT */
#include "elman_cell.h"

#include <string.h>

elman_status el_layer_create(el_layer *layer)
{
    const elman_context *const c = layer->context;
    const size_t size = layer->k->size;
    const int64_t I = layer->input, H = layer->hidden;
    const bool dense = layer->slots == 0;
    bool fine = true;
#define MAKE(field, wanted, count)                                             \
    if (wanted)                                                                \
    fine = (layer->field = el_alloc_array(c, (count), size)) && fine
    MAKE(bias, layer->b_ih >= 0, H);
    MAKE(in, true, dense ? el_packed_count(H, I) : H * I);
    MAKE(rec, layer->recurrent, el_packed_count(H, H));
    MAKE(back_in, layer->trainable && dense, el_packed_count(I, H));
    MAKE(back_rec, layer->trainable && layer->recurrent, el_packed_count(H, H));
#undef MAKE
    return fine ? ELMAN_OK : ELMAN_ENOMEM;
}

void el_layer_free(el_layer *layer)
{
    void **const all[] = {&layer->bias, &layer->in, &layer->rec,
                          &layer->back_in, &layer->back_rec};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        el_free(layer->context, *all[i]);
        *all[i] = NULL;
    }
}

void el_layer_pack(el_layer *layer, const void *weights)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    const void *const w_ih = el_at(k, weights, layer->w_ih);
    if (layer->bias) {
        memcpy(layer->bias, el_at(k, weights, layer->b_ih),
               (size_t)H * k->size);
        if (layer->b_hh >= 0)
            k->add(layer->bias, el_at(k, weights, layer->b_hh), H);
    }
    if (layer->slots > 0)
        k->transpose(layer->in, w_ih, H, I);
    else
        k->pack_rows(layer->in, w_ih, I, H, I);
    if (layer->back_in)
        k->pack_columns(layer->back_in, w_ih, I, I, H);
    if (layer->recurrent) {
        const void *const w_hh = el_at(k, weights, layer->w_hh);
        k->pack_rows(layer->rec, w_hh, H, H, H);
        if (layer->back_rec)
            k->pack_columns(layer->back_rec, w_hh, H, H, H);
    }
}

static el_epilogue phi(const el_layer *layer)
{
    return layer->activation == ELMAN_RELU ? EL_RELU : EL_TANH;
}

static el_epilogue dphi(const el_layer *layer)
{
    return layer->activation == ELMAN_RELU ? EL_DRELU : EL_DTANH;
}

/* a = x W_ih' + b, for all steps at once. */
static void project(const el_layer *layer, el_run run, const el_input *input,
                    void *a, el_epilogue epilogue)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    const int64_t rows = el_rows(run);
    el_gemm g = {.m = rows,
                 .n = H,
                 .k = I,
                 .a = input->x,
                 .lda = I,
                 .w = layer->in,
                 .init = layer->bias,
                 .c = a,
                 .ldc = H,
                 .epilogue = epilogue};
    if (layer->slots == 0) {
        el_product(layer->context, k, &g);
        return;
    }
    const int64_t vocab = I / layer->slots;
    for (int64_t s = 0; s < layer->slots; ++s)
        el_lookup(k, rows, H, s == 0 ? layer->bias : a,
                  el_at(k, layer->in, s * vocab * H),
                  input->ids + s * input->ids_stride, a);
    if (epilogue != EL_PLAIN) {
        g.k = 0;
        g.init = a;
        g.ldi = H;
        el_product(layer->context, k, &g);
    }
}

/* h_t = phi(a_t + h_{t-1} W_hh'); next holds a_t, and becomes h_t. */
static void recur(const el_layer *layer, int64_t rows, const void *h,
                  void *next)
{
    const int64_t H = layer->hidden;
    const el_gemm g = {.m = rows,
                       .n = H,
                       .k = H,
                       .a = h,
                       .lda = H,
                       .w = layer->rec,
                       .init = next,
                       .ldi = H,
                       .c = next,
                       .ldc = H,
                       .epilogue = phi(layer)};
    el_product(layer->context, layer->k, &g);
}

void el_layer_forward(const el_layer *layer, el_run run, const el_input *input,
                      void *h)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    void *const first = el_at(k, h, run.batch * H);
    project(layer, run, input, first, layer->recurrent ? EL_PLAIN : phi(layer));
    for (int64_t t = 0; layer->recurrent && t < run.steps; ++t) {
        void *const next = el_at(k, first, el_first_row(run, t) * H);
        recur(layer, el_active(run, t), el_at(k, next, -run.batch * H), next);
    }
}

void el_layer_step(const el_layer *layer, int64_t batch, const el_input *input,
                   const void *h, void *next)
{
    const el_run one = {1, batch};
    project(layer, one, input, next, layer->recurrent ? EL_PLAIN : phi(layer));
    if (layer->recurrent)
        recur(layer, batch, h, next);
}

/* da_t = (dy_t + da_{t+1} W_hh) phi'(a_t), from the last step back; the final
 * state's gradient arrives at the last step. */
static void recur_back(const el_layer *layer, el_run run, const void *h,
                       const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    for (int64_t t = run.steps - 1; t >= 0; --t) {
        const int64_t row = el_first_row(run, t), n = el_active(run, t);
        const bool last = t == run.steps - 1;
        void *const da = el_at(k, back->da, row * H);
        const void *init = back->dy ? el_at(k, back->dy, row * H) : NULL;
        if (last && back->dhT) {
            const size_t bytes = (size_t)(n * H) * k->size;
            if (init)
                memcpy(da, init, bytes);
            else
                memset(da, 0, bytes);
            k->add(da, back->dhT, n * H);
            init = da;
        }
        const el_gemm g = {.m = n,
                           .n = H,
                           .k = last ? 0 : H,
                           .a = el_at(k, da, last ? 0 : run.batch * H),
                           .lda = H,
                           .w = layer->back_rec,
                           .init = init,
                           .ldi = H,
                           .c = da,
                           .ldc = H,
                           .epilogue = dphi(layer),
                           .aux = el_at(k, h, (row + run.batch) * H),
                           .ldaux = H};
        el_product(layer->context, k, &g);
    }
}

/* Without a recurrent part all steps are alike. */
static void activation_back(const el_layer *layer, el_run run, const void *h,
                            const el_layer_back *back)
{
    const int64_t H = layer->hidden;
    const el_gemm g = {.m = el_rows(run),
                       .n = H,
                       .k = 0,
                       .a = back->da,
                       .lda = H,
                       .w = layer->in,
                       .init = back->dy,
                       .ldi = H,
                       .c = back->da,
                       .ldc = H,
                       .epilogue = dphi(layer),
                       .aux = el_at(layer->k, h, run.batch * H),
                       .ldaux = H};
    el_product(layer->context, layer->k, &g);
}

static void weight_gradients(const el_layer *layer, el_run run,
                             const el_input *input, const void *h,
                             const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    void *const w_ih = el_at(k, back->grad, layer->w_ih);
    if (layer->slots > 0) {
        const int64_t vocab = I / layer->slots;
        for (int64_t s = 0; s < layer->slots; ++s)
            el_lookup_gradient(k, &(el_lookup_gradient_args){
                                      .run = run,
                                      .vocab = vocab,
                                      .n = H,
                                      .ids = input->ids + s * input->ids_stride,
                                      .a = back->da,
                                      .lda = H,
                                      .grad = el_at(k, w_ih, s * vocab),
                                      .id_stride = 1,
                                      .stride = I,
                                      .scratch = back->scratch});
    } else if (I > 0) {
        el_product_gradient(layer->context, k,
                            &(el_gradient){.run = run,
                                           .n = H,
                                           .m = I,
                                           .a = back->da,
                                           .b = input->x,
                                           .grad = w_ih,
                                           .scratch = back->scratch});
    }
    if (layer->recurrent)
        el_product_gradient(
            layer->context, k,
            &(el_gradient){.run = run,
                           .n = H,
                           .m = H,
                           .a = back->da,
                           .b = h,
                           .grad = el_at(k, back->grad, layer->w_hh),
                           .scratch = back->scratch});
    if (layer->b_ih >= 0)
        el_sum_gradient(k, run, back->da, H, el_at(k, back->grad, layer->b_ih),
                        layer->b_hh >= 0 ? el_at(k, back->grad, layer->b_hh)
                                         : NULL,
                        back->scratch);
}

void el_layer_backward(const el_layer *layer, el_run run, const el_input *input,
                       const void *h, const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    if (layer->recurrent)
        recur_back(layer, run, h, back);
    else
        activation_back(layer, run, h, back);
    if (back->grad)
        weight_gradients(layer, run, input, h, back);
    el_gemm g = {.k = H, .a = back->da, .lda = H};
    if (back->dh0) { /* dh_0 = da_1 W_hh */
        g.m = run.batch;
        g.n = g.ldc = H;
        g.w = layer->back_rec;
        g.c = back->dh0;
        el_product(layer->context, k, &g);
    }
    if (back->dx && I > 0) { /* dx = da W_ih */
        g.m = el_rows(run);
        g.n = g.ldc = I;
        g.w = layer->back_in;
        g.c = back->dx;
        el_product(layer->context, k, &g);
    }
}

size_t el_layer_scratch(const el_layer *layer, el_run run)
{
    const elman_context *const c = layer->context;
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    size_t most = el_gradient_scratch(c, k, H, layer->recurrent ? H : 1);
    const size_t in = layer->slots > 0
                          ? el_lookup_scratch(k, run, I / layer->slots, H)
                          : el_gradient_scratch(c, k, H, I > 0 ? I : 1);
    most = in > most ? in : most;
    const size_t bias = (size_t)H * k->size;
    return bias > most ? bias : most;
}
