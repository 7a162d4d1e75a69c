/* SPDX-License-Identifier: MIT */
/* layer_back.c - a layer back through a run: the walk through the steps, and
 * the gradients of inputs and weights as products over many steps at once. */
#include "../base/team.h"
#include "layer_work.h"

#include <assert.h>
#include <string.h>

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
 * row `base` of the run.  It may be a part of a block of gradients, of which
 * others have come before, or will come. */
typedef struct back_at {
    el_block block;
    int64_t base;
    bool later, more;
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
    el_step_back s = {.step = el_step_at(layer, run, record, 0, t, b0, b1),
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
    const int64_t H = layer->hidden, da = el_layer_da_row(layer);
    const void *const dy = back->dy.p;
    el_product(
        layer->context, k,
        &(el_gemm){.m = el_rows(el_piece(run, at->block.begin, at->block.end)),
                   .n = H,
                   .a = back->da,
                   .lda = da,
                   .w = layer->in,
                   .init = dy ? el_at(k, dy, at->base * back->dy.ld) : NULL,
                   .ldi = back->dy.ld,
                   .c = back->da,
                   .ldc = da,
                   .epilogue =
                       layer->activation == ELMAN_RELU ? EL_DRELU : EL_DTANH,
                   .aux = el_at(k, record->h, at->base * record->ldh),
                   .ldaux = record->ldh});
}

/* ---- The gradients of the weights ------------------------------------------
 * Each is one product over all rows of a block of steps, while they are near:
 * where those are many, over one part of them after another.  The sums that a
 * part leaves to the next lie in the scratch, behind what all products share.
 */

/* How many rows are near: sums are read and written once a part, so that wider
 * layers, whose sums come from farther away, want larger ones. */
static int64_t near_rows(const el_layer *layer)
{
    return layer->hidden > 256 ? 2048 : 1024;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Into how many parts so many steps are cut.  What one-hot rows give is summed
 * block by block, and in bfloat16 rows go 32 at a time, counted from the
 * block's first one. */
static int64_t parts_of(const el_layer *layer, int64_t batch, int64_t steps)
{
    if (layer->slots > 0 || layer->k->dtype == ELMAN_BF16)
        return 1;
    const int64_t near = near_rows(layer);
    const int64_t most = near / batch > 1 ? near / batch : 1;
    return (steps + most - 1) / most;
}

int64_t el_layer_back_rows(const el_layer *layer, int64_t steps, int64_t batch)
{
    const int64_t some = smaller(steps, EL_BLOCK_STEPS);
    const int64_t near = near_rows(layer);
    const int64_t least = batch > near ? batch : near;
    return parts_of(layer, batch, some) > 1 ? smaller(some * batch, least)
                                            : some * batch;
}

/* Part number i of so many of a block, in the order of the chain. */
static back_at part_at(const el_layer *layer, el_run run, el_block block, int i,
                       int parts)
{
    back_at at = {.later = i > 0, .more = i + 1 < parts};
    int64_t from, to;
    el_share(block.end - block.begin, 1, parts,
             layer->reverse ? i : parts - 1 - i, &from, &to);
    at.block = (el_block){block.begin + from, block.begin + to};
    at.base = el_first_row(run, at.block.begin);
    return at;
}

/* What all products work in. */
static size_t shared_scratch(const el_layer *layer, el_run run)
{
    const elman_context *const c = layer->context;
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden, P = layer->out;
    const int64_t n = layer->ops->gates * H;
    size_t most = 0;
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

enum { OF_BIAS, OF_INPUT, OF_STATE, OF_Q, OF_PROJ, SUMS };

/* Where those of each kind begin in the scratch, and where it ends. */
static void place_sums(const el_layer *layer, el_run run, size_t at[SUMS + 1])
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden, P = layer->out;
    size_t bytes[SUMS] = {(size_t)(layer->ops->da_slots * H) * k->size};
    if (parts_of(layer, run.batch, smaller(run.steps, EL_BLOCK_STEPS)) > 1) {
        bytes[OF_INPUT] = el_gradient_sums(k, layer->ops->gates * H, I);
        for (int i = 0; layer->recurrent && i < 2; ++i)
            bytes[OF_STATE + i] =
                el_gradient_sums(k, layer->ops->rec[i].count * H, P);
        if (layer->proj > 0)
            bytes[OF_PROJ] = el_gradient_sums(k, P, H);
    }
    at[0] = (shared_scratch(layer, run) + 63) / 64 * 64;
    for (int i = 0; i < SUMS; ++i)
        at[i + 1] = at[i] + (bytes[i] + 63) / 64 * 64;
}

size_t el_layer_scratch(const el_layer *layer, el_run run)
{
    size_t at[SUMS + 1];
    place_sums(layer, run, at);
    return at[SUMS];
}

/* A gradient's product, of the part that the way back stands in. */
static void weight_gradient(const el_layer *layer, const el_layer_back *back,
                            const back_at *at, const size_t *sums,
                            el_gradient g)
{
    g.scratch = back->scratch;
    g.later = at->later;
    g.more = at->more;
    g.sums = (char *)back->scratch + *sums;
    el_product_gradient(layer->context, layer->k, &g);
}

static void input_gradient(const el_layer *layer, el_chain chain,
                           const el_input *input, const el_layer_back *back,
                           const back_at *at, const size_t *sums)
{
    const el_kernels *const k = layer->k;
    const int64_t I = layer->input, H = layer->hidden;
    const int64_t n = layer->ops->gates * H, da = el_layer_da_row(layer);
    void *const grad = el_at(k, back->grad, layer->w_ih);
    if (layer->slots == 0) {
        if (I > 0)
            weight_gradient(layer, back, at, &sums[OF_INPUT],
                            (el_gradient){.chain = chain,
                                          .n = n,
                                          .m = I,
                                          .a = back->da,
                                          .lda = da,
                                          .b = input->x,
                                          .grad = grad});
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
                               const el_layer_back *back, const back_at *at,
                               const size_t *sums)
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
        weight_gradient(
            layer, back, at, &sums[OF_STATE + i],
            (el_gradient){
                .chain = chain,
                .n = r.count * H,
                .m = P,
                .a = el_at(k, back->da, r.slot * H),
                .lda = el_layer_da_row(layer),
                .b = of_q ? q : state,
                .when = of_q             ? EL_NOW
                        : layer->reverse ? EL_AFTER
                                         : EL_BEFORE,
                .grad = el_at(k, back->grad, layer->w_hh + r.gate * H * P)});
    }
    if (layer->proj > 0)
        weight_gradient(
            layer, back, at, &sums[OF_PROJ],
            (el_gradient){.chain = chain,
                          .n = P,
                          .m = H,
                          .a = back->dproj,
                          .lda = P,
                          .b = {.p = record->m, .ld = H},
                          .grad = el_at(k, back->grad, layer->w_hr)});
}

/* Both biases have the same gradient, but the GRU's b_in and b_hn where the
 * reset gate stands between them. */
static void bias_gradient(const el_layer *layer, el_chain chain,
                          const el_layer_back *back, const back_at *at,
                          const size_t *sums)
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
                  .later = at->later,
                  .more = at->more,
                  .sums = (char *)back->scratch + sums[OF_BIAS]};
    void *const first = sum.sums;
    el_sum_gradient(layer->context, k, &sum);
    sum.n = H;
    for (int slot = 2; apart && slot < 4; ++slot) {
        sum.a = el_at(k, back->da, slot * H);
        sum.sums = el_at(k, first, slot * H);
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
    el_walk from = {0}, to = {0};
    g.c = back->gather;
    g.ldc = g.ldi = I;
    g.init = back->dx_add ? g.c : NULL;
    /* The rows are fetched even where they are not added to: that counts
     * them. */
    while ((g.m = el_move_rows(k, piece, &dx, I, g.c, false, &from)) > 0) {
        el_product(layer->context, k, &g);
        el_move_rows(k, piece, &dx, I, g.c, true, &to);
        g.a = el_at(k, g.a, g.m * da);
    }
}

/* One part of a block of steps: the walk, and then all products over it. */
static void part_back(const el_layer *layer, el_run run, const el_input *input,
                      const el_record *record, const el_layer_back *back,
                      const back_at *at, const size_t *sums)
{
    const el_chain chain = {
        .run = run, .reverse = layer->reverse, .part = at->block};
    if (layer->recurrent)
        walk_back(layer, run, record, back, at);
    else
        activation_back(layer, run, record, back, at);
    if (back->grad) {
        input_gradient(layer, chain, input, back, at, sums);
        if (layer->recurrent)
            recurrent_gradient(layer, chain, record, back, at, sums);
        if (layer->b_ih >= 0)
            bias_gradient(layer, chain, back, at, sums);
    }
    if (back->dx.p && layer->input > 0)
        input_back(layer, run, back, at);
    keep_edge(layer, run, back, at);
}

void el_layer_backward(const el_layer *layer, el_run run, const el_input *input,
                       const el_record *record, const el_layer_back *back)
{
    const el_kernels *const k = layer->k;
    const int64_t P = layer->out;
    const el_chain chain = {.run = run, .reverse = layer->reverse};
    el_block block = {0};
    size_t sums[SUMS + 1];
    place_sums(layer, run, sums);
    if (!back->later)
        begin_back(layer, run, back);
    while (el_next_block(&chain, &block)) {
        const int parts =
            (int)parts_of(layer, run.batch, block.end - block.begin);
        for (int i = 0; i < parts; ++i) {
            const back_at at = part_at(layer, run, block, i, parts);
            part_back(layer, run, input, record, back, &at, sums);
        }
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
