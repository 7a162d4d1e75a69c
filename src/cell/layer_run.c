/* SPDX-License-Identifier: MIT */
/* layer_run.c - a layer over a run: the input's products over many steps at
 * once, the walk through the steps, and back again. */
#include "cells.h"

#include <assert.h>
#include <string.h>

/* ---- The input's part -----------------------------------------------------*/

static void copy_rows(const el_kernels *k, void *to, int64_t ldto,
                      const void *from, int64_t ld, int64_t rows, int64_t width)
{
    for (int64_t i = 0; i < rows; ++i)
        memcpy(el_at(k, to, i * ldto), el_at(k, from, i * ld),
               (size_t)width * k->size);
}

/* Walks over rows that are not packed, EL_GATHER_ROWS at a time. */
typedef struct walk {
    int64_t t, b;
} walk;

/* Moves rows between x and the packed `buffer`, from where the walk stands;
 * gives how many there were, 0 at the end of the run. */
static int64_t move_rows(const el_kernels *k, el_run run, const el_seq *x,
                         int64_t width, void *buffer, bool out, walk *w)
{
    int64_t rows = 0;
    while (w->t < run.steps && rows < EL_GATHER_ROWS) {
        const int64_t alive = el_active(run, w->t);
        const int64_t room = EL_GATHER_ROWS - rows, left = alive - w->b;
        int64_t some;
        void *const row = el_seq_row(k, x, run, EL_NOW, w->t, w->b,
                                     left < room ? alive : w->b + room, &some);
        void *const here = el_at(k, buffer, rows * width);
        if (some > 0 && out)
            copy_rows(k, row, x->ld, here, width, some, width);
        else if (some > 0)
            copy_rows(k, here, width, row, x->ld, some, width);
        rows += some;
        w->b += some;
        if (w->b == alive) {
            ++w->t;
            w->b = 0;
        }
    }
    return rows;
}

/* a = x W_ih' + b of all rows of a run; a [rows,.], lda apart. */
static void project(const el_layer *layer, el_run run, const el_input *input,
                    void *gather, void *a, int64_t lda, el_epilogue epilogue)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input;
    const int64_t n = layer->ops->gates * layer->padded;
    el_gemm g = {.m = el_rows(run),
                 .n = n,
                 .k = I,
                 .a = input->x.p,
                 .lda = input->x.ld,
                 .w = layer->in,
                 .init = layer->bias,
                 .c = a,
                 .ldc = lda,
                 .epilogue = epilogue};
    if (layer->slots == 0 && (input->x.step == 0 || I == 0)) {
        el_product(layer->context, k, &g);
        return;
    }
    if (layer->slots == 0) {
        walk w = {0};
        g.a = gather;
        g.lda = I;
        while ((g.m = move_rows(k, run, &input->x, I, gather, false, &w)) > 0) {
            el_product(layer->context, k, &g);
            g.c = el_at(k, g.c, g.m * lda);
        }
        return;
    }
    const int64_t vocab = I / layer->slots;
    for (int64_t s = 0; s < layer->slots; ++s)
        el_lookup(k, g.m, n, s == 0 ? layer->bias : a,
                  el_at(k, layer->in, s * vocab * n),
                  input->ids + s * input->ids_stride, a, lda);
    if (epilogue != EL_PLAIN) {
        g.k = 0;
        g.init = a;
        g.ldi = lda;
        el_product(layer->context, k, &g);
    }
}

static el_epilogue phi(const el_layer *layer)
{
    return layer->activation == ELMAN_RELU ? EL_RELU : EL_TANH;
}

/* ---- Forward --------------------------------------------------------------*/

/* Where the rows before those of (t, b) begin; b and all after it have theirs
 * in one place. */
static int64_t row_before(const el_layer *layer, el_run run, int64_t t,
                          int64_t b)
{
    if (layer->reverse)
        return b < el_active(run, t + 1) ? el_first_row(run, t + 1) + b
                                         : b - run.batch;
    return t > 0 ? el_first_row(run, t - 1) + b : b - run.batch;
}

/* Ranks [b0,b1) of step t; gates and m begin with row `base`. */
static el_step step_at(const el_layer *layer, el_run run,
                       const el_record *record, int64_t base, int64_t t,
                       int64_t b0, int64_t b1)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    const int64_t row = el_first_row(run, t) + b0;
    const int64_t before = row_before(layer, run, t, b0);
    el_step s = {.rows = b1 - b0,
                 .h0 = el_at(k, record->h, before * record->ldh),
                 .ldh0 = record->ldh,
                 .h = el_at(k, record->h, row * record->ldh),
                 .ldh = record->ldh};
    if (record->c) {
        s.c0 = el_at(k, record->c, before * H);
        s.c = el_at(k, record->c, row * H);
    }
    if (record->gates)
        s.gates =
            el_at(k, record->gates, (row - base) * el_layer_gate_row(layer));
    if (record->m)
        s.m = el_at(k, record->m, (row - base) * H);
    return s;
}

/* The ranks of a step part at those that are alive at t + 1 as well: the
 * others end there, or, in the reverse direction, begin. */
static void step_forward(const el_layer *layer, el_run run,
                         const el_record *record, int64_t base, int64_t t)
{
    const int64_t alive = el_active(run, t);
    const int64_t cut = layer->reverse ? el_active(run, t + 1) : alive;
    if (cut > 0) {
        const el_step s = step_at(layer, run, record, base, t, 0, cut);
        layer->ops->forward(layer, &s);
    }
    if (cut < alive) {
        const el_step s = step_at(layer, run, record, base, t, cut, alive);
        layer->ops->forward(layer, &s);
    }
}

static el_input input_at(const el_layer *layer, el_run run,
                         const el_input *input, int64_t t)
{
    const el_kernels *const k = layer->k;
    const int64_t row = el_first_row(run, t);
    el_input at = *input;
    if (at.x.p)
        at.x.p = el_at(k, at.x.p, at.x.step ? t * at.x.step : row * at.x.ld);
    at.ids = at.ids ? at.ids + row : NULL;
    return at;
}

void el_layer_forward(const el_layer *layer, el_run run, const el_input *input,
                      const el_record *record)
{
    const el_kernels *const k = layer->k;
    const int64_t T = run.steps;
    const bool all = record->window >= T;
    for (int64_t done = 0, some; done < T; done += some) {
        some = T - done < record->ahead ? T - done : record->ahead;
        const int64_t from = layer->reverse ? T - done - some : done;
        const int64_t first = el_first_row(run, from);
        const int64_t base = all ? 0 : first;
        const el_input in = input_at(layer, run, input, from);
        const el_run piece = el_piece(run, from, from + some);
        if (record->gates)
            project(layer, piece, &in, record->gather,
                    el_at(k, record->gates,
                          (first - base) * el_layer_gate_row(layer)),
                    el_layer_gate_row(layer), EL_PLAIN);
        else
            project(layer, piece, &in, record->gather,
                    el_at(k, record->h, first * record->ldh), record->ldh,
                    layer->recurrent ? EL_PLAIN : phi(layer));
        for (int64_t i = 0; layer->recurrent && i < some; ++i)
            step_forward(layer, run, record, base,
                         layer->reverse ? from + some - 1 - i : from + i);
    }
}

void el_layer_step(const el_layer *layer, int64_t batch, const el_input *input,
                   const el_one_step *one)
{
    const el_run run = {.steps = 1, .batch = batch};
    el_step s = {.rows = batch,
                 .x = input->x.p,
                 .ldx = input->x.ld,
                 .h0 = one->h0,
                 .ldh0 = layer->out,
                 .c0 = one->c0,
                 .h = one->h,
                 .ldh = layer->out,
                 .c = one->c,
                 .gates = one->gates,
                 .m = one->m};
    const bool gates = layer->ops->slots > 0;
    s.apart = layer->recurrent && layer->slots == 0;
    if (!s.apart)
        project(layer, run, input, NULL, gates ? s.gates : s.h,
                gates ? el_layer_gate_row(layer) : layer->out,
                layer->recurrent ? EL_PLAIN : phi(layer));
    if (layer->recurrent)
        layer->ops->forward(layer, &s);
}

/* ---- Back -----------------------------------------------------------------*/

/* What arrives on the states of ranks [b0,b1) of step t but through the next
 * step: dy, and on a last step dhT.  A cell whose state goes on past the
 * products as well finds all that in its carry. */
static const void *arriving(const el_layer *layer, el_run run,
                            const el_layer_back *back, int64_t t, int64_t b0,
                            int64_t b1, bool last, int64_t *ld)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out;
    const void *const more = layer->ops->carries   ? back->carry
                             : last && back->dhT.p ? back->end
                                                   : NULL;
    int64_t some = 0;
    void *row = NULL;
    if (back->dy.p)
        row = el_seq_row(k, &back->dy, run, EL_NOW, t, b0, b1, &some);
    *ld = back->dy.ld;
    if (!more && (!row || some == b1 - b0))
        return row;
    void *const dh = el_at(k, back->dh, b0 * P);
    *ld = P;
    if (!row)
        return el_at(k, more, b0 * P);
    for (int64_t b = b0; b < b1; ++b) {
        void *const to = el_at(k, back->dh, b * P);
        row = el_seq_row(k, &back->dy, run, EL_NOW, t, b, b1, &some);
        memcpy(to, row, (size_t)P * k->size);
        if (more)
            k->add(to, el_at(k, more, b * P), P);
    }
    return dh;
}

/* Where the way back stands: in which block of steps, whose rows begin with
 * row `base` of the run. */
typedef struct back_at {
    el_block block;
    int64_t base;
} back_at;

/* Ranks that are alive at step t, or after the last one. */
static int64_t alive_at(el_run run, const el_layer_back *back, int64_t t)
{
    return t < run.steps ? el_active(run, t) : back->after;
}

static void step_back(const el_layer *layer, el_run run,
                      const el_record *record, const el_layer_back *back,
                      const back_at *at, int64_t t, int64_t b0, int64_t b1)
{
    if (b0 == b1)
        return;
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, P = layer->out;
    const int64_t da = el_layer_da_row(layer);
    const int64_t row = el_first_row(run, t) + b0 - at->base;
    const bool more =
        layer->reverse ? t > 0 || back->later : b0 < alive_at(run, back, t + 1);
    const int64_t next = layer->reverse ? t - 1 : t + 1;
    el_step_back s = {.step = step_at(layer, run, record, 0, t, b0, b1),
                      .da = el_at(k, back->da, row * da),
                      .dh = el_at(k, back->dh, b0 * P),
                      .dm = el_at(k, back->dm, b0 * H),
                      .carry = el_at(k, back->carry, b0 * H)};
    if (more && next >= at->block.begin && next < at->block.end)
        s.next =
            el_at(k, back->da, (el_first_row(run, next) + b0 - at->base) * da);
    else if (more)
        s.next = el_at(k, back->edge, b0 * da);
    if (back->dproj)
        s.dproj = el_at(k, back->dproj, row * P);
    s.init = arriving(layer, run, back, t, b0, b1, !more, &s.ldinit);
    layer->ops->backward(layer, &s);
}

static void states_in(const el_kernels *k, const el_states *from, void *to,
                      int64_t batch, int64_t width)
{
    const size_t bytes = (size_t)width * k->size;
    if (!from->p)
        memset(to, 0, (size_t)batch * bytes);
    for (int64_t b = 0; from->p && b < batch; ++b)
        memcpy(el_at(k, to, b * width), el_states_row(k, from, b), bytes);
}

static void states_out(const el_kernels *k, const el_states *to,
                       const void *from, int64_t batch, int64_t width)
{
    for (int64_t b = 0; to->p && b < batch; ++b)
        memcpy(el_states_row(k, to, b), el_at(k, from, b * width),
               (size_t)width * k->size);
}

static void begin_back(const el_layer *layer, el_run run,
                       const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out;
    states_in(k, &back->dhT, back->end, run.batch, P);
    if (layer->ops->has_c)
        states_in(k, &back->dcT, back->carry, run.batch, layer->hidden);
    if (layer->ops->carries)
        states_in(k, &back->dhT, back->carry, run.batch, P);
}

/* dh_0 = what came past the products + da_1 W_hh, of ranks [b0,b1), whose first
 * step is t.  No later step works in their rows of dh. */
static void initial_states(const el_layer *layer, el_run run,
                           const el_layer_back *back, const back_at *at,
                           int64_t t, int64_t b0, int64_t b1)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out;
    const size_t bytes = (size_t)((b1 - b0) * P) * k->size;
    void *const dh = el_at(k, back->dh, b0 * P);
    if (b0 == b1)
        return;
    if (layer->ops->carries)
        memcpy(dh, el_at(k, back->carry, b0 * P), bytes);
    else
        memset(dh, 0, bytes);
    layer->ops->to_state(
        layer, b1 - b0,
        el_at(k, back->da,
              (el_first_row(run, t) + b0 - at->base) * el_layer_da_row(layer)),
        dh);
}

static void walk_back(const el_layer *layer, el_run run,
                      const el_record *record, const el_layer_back *back,
                      const back_at *at)
{
    const int64_t steps = at->block.end - at->block.begin;
    const el_chain chain = {.run = run, .reverse = layer->reverse};
    for (int64_t i = 0; i < steps; ++i) {
        const int64_t t = el_block_step(&chain, at->block, i);
        const int64_t alive = el_active(run, t);
        const int64_t cut = alive_at(run, back, t + 1);
        step_back(layer, run, record, back, at, t, 0, cut);
        step_back(layer, run, record, back, at, t, cut, alive);
        if (back->dh0.p && layer->reverse)
            initial_states(layer, run, back, at, t, cut, alive);
        else if (back->dh0.p && t == 0 && !back->more)
            initial_states(layer, run, back, at, t, 0, alive);
    }
}

/* The rows of the block's last step, for the block that comes next. */
static void keep_edge(const el_layer *layer, el_run run,
                      const el_layer_back *back, const back_at *at)
{
    const el_kernels *const k = layer->k;
    const int64_t da = el_layer_da_row(layer);
    const int64_t t = layer->reverse ? at->block.end - 1 : at->block.begin;
    if (back->more || (layer->reverse ? at->block.end < run.steps : t > 0))
        memcpy(back->edge,
               el_at(k, back->da, (el_first_row(run, t) - at->base) * da),
               (size_t)(el_active(run, t) * da) * k->size);
}

/* Without a recurrent part all steps are alike. */
static void activation_back(const el_layer *layer, el_run run,
                            const el_record *record, const el_layer_back *back,
                            const back_at *at)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    const void *const dy = back->dy.p;
    el_product(
        layer->context, k,
        &(el_gemm){.m = el_rows(el_piece(run, at->block.begin, at->block.end)),
                   .n = H,
                   .a = back->da,
                   .lda = H,
                   .w = layer->in,
                   .init = dy ? el_at(k, dy, at->base * back->dy.ld) : NULL,
                   .ldi = back->dy.ld,
                   .c = back->da,
                   .ldc = H,
                   .epilogue =
                       layer->activation == ELMAN_RELU ? EL_DRELU : EL_DTANH,
                   .aux = el_at(k, record->h, at->base * record->ldh),
                   .ldaux = record->ldh});
}

/* ---- The gradients of the weights ------------------------------------------
 * Each is one product over all rows of a block of steps, while they are near.
 */

static void input_gradient(const el_layer *layer, el_chain chain,
                           const el_input *input, const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    const int64_t n = layer->ops->gates * H, da = el_layer_da_row(layer);
    void *const grad = el_at(k, back->grad, layer->w_ih);
    if (layer->slots == 0) {
        if (I > 0)
            el_product_gradient(layer->context, k,
                                &(el_gradient){.chain = chain,
                                               .n = n,
                                               .m = I,
                                               .a = back->da,
                                               .lda = da,
                                               .b = input->x,
                                               .grad = grad,
                                               .scratch = back->scratch});
        return;
    }
    assert(!chain.reverse && !chain.run.first);
    const int64_t vocab = I / layer->slots;
    const int64_t begin = chain.part.begin;
    const int32_t *const ids = input->ids + el_first_row(chain.run, begin);
    for (int64_t s = 0; s < layer->slots; ++s)
        el_lookup_gradient(
            k, &(el_lookup_gradient_args){
                   .run = el_piece(chain.run, begin, chain.part.end),
                   .vocab = vocab,
                   .n = n,
                   .ids = ids + s * input->ids_stride,
                   .a = back->da,
                   .lda = da,
                   .grad = el_at(k, grad, s * vocab),
                   .id_stride = 1,
                   .stride = I,
                   .scratch = back->scratch});
}

static void recurrent_gradient(const el_layer *layer, el_chain chain,
                               const el_record *record,
                               const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, P = layer->out;
    const el_seq state = {.p = record->h, .ld = record->ldh};
    const el_seq q = {
        .p = record->gates ? el_at(k, record->gates, 3 * layer->padded) : NULL,
        .ld = el_layer_gate_row(layer)};
    for (int i = 0; i < 2; ++i) {
        const el_gate_range r = layer->ops->rec[i];
        const bool of_q = layer->ops->rec_of_q[i];
        if (r.count == 0)
            continue;
        el_product_gradient(
            layer->context, k,
            &(el_gradient){
                .chain = chain,
                .n = r.count * H,
                .m = P,
                .a = el_at(k, back->da, r.slot * H),
                .lda = el_layer_da_row(layer),
                .b = of_q ? q : state,
                .when = of_q             ? EL_NOW
                        : layer->reverse ? EL_AFTER
                                         : EL_BEFORE,
                .grad = el_at(k, back->grad, layer->w_hh + r.gate * H * P),
                .scratch = back->scratch});
    }
    if (layer->proj > 0)
        el_product_gradient(
            layer->context, k,
            &(el_gradient){.chain = chain,
                           .n = P,
                           .m = H,
                           .a = back->dproj,
                           .lda = P,
                           .b = {.p = record->m, .ld = H},
                           .grad = el_at(k, back->grad, layer->w_hr),
                           .scratch = back->scratch});
}

/* Both biases have the same gradient, but the GRU's b_in and b_hn where the
 * reset gate stands between them. */
static void bias_gradient(const el_layer *layer, el_chain chain,
                          const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden, da = el_layer_da_row(layer);
    const bool apart = layer->ops == &el_gru_ops;
    const int64_t both = (apart ? 2 : layer->ops->gates) * H;
    void *const ih = el_at(k, back->grad, layer->b_ih);
    void *const hh =
        layer->b_hh >= 0 ? el_at(k, back->grad, layer->b_hh) : NULL;
    el_sum sum = {.chain = chain,
                  .n = both,
                  .a = back->da,
                  .lda = da,
                  .grad = ih,
                  .grad2 = hh,
                  .scratch = back->scratch};
    el_sum_gradient(layer->context, k, &sum);
    sum.n = H;
    for (int slot = 2; apart && slot < 4; ++slot) {
        sum.a = el_at(k, back->da, slot * H);
        sum.grad = el_at(k, slot == 2 ? ih : hh, 2 * H);
        sum.grad2 = NULL;
        el_sum_gradient(layer->context, k, &sum);
    }
}

/* dx = da W_ih */
static void input_back(const el_layer *layer, el_run run,
                       const el_layer_back *back, const back_at *at)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, da = el_layer_da_row(layer);
    const el_run piece = el_piece(run, at->block.begin, at->block.end);
    el_seq dx = back->dx;
    dx.p =
        el_at(k, dx.p, dx.step ? at->block.begin * dx.step : at->base * dx.ld);
    el_gemm g = {.m = el_rows(piece),
                 .n = I,
                 .k = layer->ops->gates * layer->hidden,
                 .a = back->da,
                 .lda = da,
                 .w = layer->back_in,
                 .c = dx.p,
                 .ldc = dx.ld};
    if (dx.step == 0) {
        g.init = back->dx_add ? g.c : NULL;
        g.ldi = g.ldc;
        el_product(layer->context, k, &g);
        return;
    }
    walk from = {0}, to = {0};
    g.c = back->gather;
    g.ldc = g.ldi = I;
    g.init = back->dx_add ? g.c : NULL;
    /* The rows are fetched even where they are not added to: that counts
     * them. */
    while ((g.m = move_rows(k, piece, &dx, I, g.c, false, &from)) > 0) {
        el_product(layer->context, k, &g);
        move_rows(k, piece, &dx, I, g.c, true, &to);
        g.a = el_at(k, g.a, g.m * da);
    }
}

void el_layer_backward(const el_layer *layer, el_run run, const el_input *input,
                       const el_record *record, const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out;
    el_chain chain = {.run = run, .reverse = layer->reverse};
    back_at at = {0};
    if (!back->later)
        begin_back(layer, run, back);
    while (el_next_block(&(el_chain){.run = run, .reverse = layer->reverse},
                         &at.block)) {
        at.base = el_first_row(run, at.block.begin);
        chain.part = at.block;
        if (layer->recurrent)
            walk_back(layer, run, record, back, &at);
        else
            activation_back(layer, run, record, back, &at);
        if (back->grad) {
            input_gradient(layer, chain, input, back);
            if (layer->recurrent)
                recurrent_gradient(layer, chain, record, back);
            if (layer->b_ih >= 0)
                bias_gradient(layer, chain, back);
        }
        if (back->dx.p && layer->input > 0)
            input_back(layer, run, back, &at);
        keep_edge(layer, run, back, &at);
    }
    /* Sequences without a step: seen where step 0 is. */
    if (layer->reverse ? !back->later : !back->more) {
        const int64_t begun = run.steps > 0 ? el_active(run, 0) : 0;
        memcpy(el_at(k, back->dh, begun * P), el_at(k, back->end, begun * P),
               (size_t)((run.batch - begun) * P) * k->size);
    }
    if (back->more)
        return;
    states_out(k, &back->dh0, back->dh, run.batch, P);
    states_out(k, &back->dc0, back->carry, run.batch, layer->hidden);
}

int64_t el_layer_back_rows(int64_t steps, int64_t batch)
{
    return (steps < EL_BLOCK_STEPS ? steps : EL_BLOCK_STEPS) * batch;
}

size_t el_layer_scratch(const el_layer *layer, el_run run)
{
    const elman_context *const c = layer->context;
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden, P = layer->out;
    const int64_t n = layer->ops->gates * H;
    size_t most = (size_t)n * k->size;
#define WANTS(bytes)                                                           \
    do {                                                                       \
        const size_t wanted = (bytes);                                         \
        most = wanted > most ? wanted : most;                                  \
    } while (0)
    if (layer->recurrent)
        for (int i = 0; i < 2; ++i)
            if (layer->ops->rec[i].count > 0)
                WANTS(
                    el_gradient_scratch(c, k, layer->ops->rec[i].count * H, P));
    if (layer->proj > 0)
        WANTS(el_gradient_scratch(c, k, P, H));
    if (layer->slots > 0)
        WANTS(el_lookup_scratch(k, run, I / layer->slots, n));
    else if (I > 0)
        WANTS(el_gradient_scratch(c, k, n, I));
#undef WANTS
    return most;
}
