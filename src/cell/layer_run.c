/* SPDX-License-Identifier: MIT */
/* layer_run.c - a layer over a run: the input's products over many steps at
 * once, and the walk through the steps. */
#include "layer_work.h"

#include <string.h>

/* ---- The input's part -----------------------------------------------------*/

static void copy_rows(const el_kernels *k, void *to, int64_t ldto,
                      const void *from, int64_t ld, int64_t rows, int64_t width)
{
    for (int64_t i = 0; i < rows; ++i)
        memcpy(el_at(k, to, i * ldto), el_at(k, from, i * ld),
               (size_t)width * k->size);
}

int64_t el_move_rows(const el_kernels *k, el_run run, const el_seq *x,
                     int64_t width, void *buffer, bool out, el_walk *w)
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
        el_walk w = {0};
        g.a = gather;
        g.lda = I;
        while ((g.m = el_move_rows(k, run, &input->x, I, gather, false, &w)) >
               0) {
            el_product(layer->context, k, &g);
            g.c = el_at(k, g.c, g.m * lda);
        }
        return;
    }
    const int64_t vocab = I / layer->slots;
    for (int64_t s = 0; s < layer->slots; ++s) {
        const int32_t *const ids = input->ids + s * input->ids_stride;
        const void *const init = s == 0 ? layer->bias : a;
        if (layer->lent)
            el_lookup_panels(k, g.m, n, init,
                             el_at(k, layer->in, s * vocab * EL_PANEL), I, ids,
                             a, lda);
        else
            el_lookup(k, g.m, n, init, el_at(k, layer->in, s * vocab * n), ids,
                      a, lda);
    }
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

/* Few rows wait for weights that come from far away.  Every other step reads
 * them backwards, and finds in L2 those that the step before it read last. */
enum { FEW_ROWS = 8 };

el_step el_step_at(const el_layer *layer, el_run run, const el_record *record,
                   int64_t base, int64_t t, int64_t b0, int64_t b1)
{
    const el_kernels *const k = layer->k;
    const int64_t H = layer->hidden;
    const int64_t row = el_first_row(run, t) + b0;
    const int64_t before = row_before(layer, run, t, b0);
    el_step s = {.rows = b1 - b0,
                 .h0 = el_at(k, record->h, before * record->ldh),
                 .ldh0 = record->ldh,
                 .h = el_at(k, record->h, row * record->ldh),
                 .ldh = record->ldh,
                 .backwards = t % 2 != 0 && b1 - b0 <= FEW_ROWS};
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
        const el_step s = el_step_at(layer, run, record, base, t, 0, cut);
        layer->ops->forward(layer, &s);
    }
    if (cut < alive) {
        const el_step s = el_step_at(layer, run, record, base, t, cut, alive);
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
