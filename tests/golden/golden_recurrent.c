/* SPDX-License-Identifier: MIT */
/* golden_recurrent.c - stacks of recurrent layers, forward and backward. */
#include "golden.h"

#include <stdio.h>
#include <string.h>

typedef struct net {
    elman_activation activation;
    int64_t T, B, D, H, L;
    int64_t bias;
    const char *x; /* NULL if D is 0 */
    const void *h0;
    elman_rnn *rnn;
    void *y, *hn; /* as the training tape had them */
} net;

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

/* What the library cannot do yet is passed over. */
static bool read_kind(golden *g, net *n)
{
    const char *cell;
    int64_t packed, bidirectional, projection = 0;
    if (!golden_word(g, "cell", &cell) ||
        !golden_int(g, "packed", 0, 1, &packed) ||
        !golden_int(g, "bidirectional", 0, 1, &bidirectional) ||
        (elman_tensors_meta(g->file, "proj_size") &&
         !golden_int(g, "proj_size", 0, 1 << 24, &projection)))
        return false;
    if (!is(cell, "rnn_tanh") && !is(cell, "rnn_relu"))
        return golden_skip(g, "cell %.40s is not built yet", cell);
    if (bidirectional)
        return golden_skip(g, "two directions are not built yet");
    if (packed)
        return golden_skip(g, "sequences of unequal lengths are not built yet");
    if (projection)
        return golden_fail(g, "a %s with a projection", cell);
    n->activation = is(cell, "rnn_relu") ? ELMAN_RELU : ELMAN_TANH;
    return true;
}

static bool has_inputs(golden *g, const net *n)
{
    char name[64];
    for (int64_t i = 0; i < n->L; ++i) {
        const int64_t in = i == 0 ? n->D : n->H;
        snprintf(name, sizeof name, "param.weight_ih_l%lld", (long long)i);
        if (!golden_input(g, name, SHAPE(n->H, in)))
            return false;
        snprintf(name, sizeof name, "param.weight_hh_l%lld", (long long)i);
        if (!golden_input(g, name, SHAPE(n->H, n->H)))
            return false;
    }
    return golden_input(g, "y", SHAPE(n->T, n->B, n->H)) &&
           golden_input(g, "hn", SHAPE(n->L, n->B, n->H));
}

static bool read_sizes(golden *g, net *n)
{
    const char *init;
    const int64_t most = 1 << 24;
    if (!golden_int(g, "input_size", 0, most, &n->D) ||
        !golden_int(g, "hidden_size", 1, most, &n->H) ||
        !golden_int(g, "num_layers", 1, 4096, &n->L) ||
        !golden_int(g, "bias", 0, 1, &n->bias) ||
        !golden_int(g, "seq_len", 1, most, &n->T) ||
        !golden_int(g, "batch", 1, most, &n->B) ||
        !golden_word(g, "init_state", &init) || !has_inputs(g, n))
        return false;
    n->x = golden_input(g, "x", SHAPE(n->T, n->B, n->D));
    if (!n->x)
        return false;
    n->x = n->D > 0 ? n->x : NULL;
    if (is(init, "given"))
        return (n->h0 = golden_input(g, "h0", SHAPE(n->L, n->B, n->H)));
    return is(init, "zero") ||
           golden_fail(g, "metadata: init_state is %.40s (given or zero)",
                       init);
}

/* Element `offset` of a block of the pass's dtype. */
static char *at(const golden *g, const void *block, int64_t offset)
{
    return (char *)block + offset * (int64_t)elman_dtype_size(g->dtype);
}

static bool load_weights(golden *g, const net *n)
{
    char *const weights = elman_rnn_weights_begin(n->rnn);
    for (int i = 0; i < elman_rnn_view_count(n->rnn); ++i) {
        elman_view v;
        char name[80];
        if (!golden_called(g, "view", elman_rnn_view(n->rnn, i, &v)))
            return false;
        snprintf(name, sizeof name, "param.%s", v.name);
        const void *const from = golden_input(g, name, v.rank, v.shape);
        if (!from)
            return false;
        memcpy(at(g, weights, v.offset), from,
               (size_t)v.count * elman_dtype_size(g->dtype));
    }
    elman_rnn_weights_end(n->rnn);
    return true;
}

static bool make_net(golden *g, net *n)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.activation = n->activation;
    desc.dtype = g->dtype;
    desc.input = n->D;
    desc.hidden = n->H;
    desc.layers = (int)n->L;
    desc.no_bias = !n->bias;
    return golden_called(g, "elman_rnn_create",
                         elman_rnn_create(g->context, &desc, &n->rnn)) &&
           load_weights(g, n);
}

static bool make_tape(golden *g, const net *n, int64_t steps, bool inference,
                      elman_tape **tape)
{
    elman_tape_desc desc = ELMAN_TAPE_DESC;
    desc.steps = steps;
    desc.batch = n->B;
    desc.inference_only = inference;
    return golden_called(g, "elman_tape_create",
                         elman_tape_create(n->rnn, &desc, tape));
}

static bool check_gradients(golden *g, const net *n, const void *grad)
{
    for (int i = 0; i < elman_rnn_view_count(n->rnn); ++i) {
        elman_view v;
        char name[80];
        if (!golden_called(g, "view", elman_rnn_view(n->rnn, i, &v)))
            return false;
        snprintf(name, sizeof name, "grad.%s", v.name);
        if (!golden_close(g, name, v.rank, v.shape, at(g, grad, v.offset),
                          golden_usual(g)))
            return false;
    }
    return true;
}

static bool check_training(golden *g, net *n, elman_tape *tape)
{
    const int64_t T = n->T, B = n->B, H = n->H, L = n->L;
    const void *const dy = golden_input(g, "dy", SHAPE(T, B, H));
    const void *const dhn = golden_input(g, "dhn", SHAPE(L, B, H));
    n->y = golden_reals(g, T * B * H);
    n->hn = golden_reals(g, L * B * H);
    void *const dx = golden_reals(g, T * B * n->D);
    void *const dh0 = golden_reals(g, L * B * H);
    void *const grad = golden_reals(g, elman_rnn_parameters(n->rnn));
    const double tolerance = golden_usual(g);
    return dy && dhn && n->y && n->hn && dx && dh0 && grad &&
           golden_called(g, "elman_rnn_forward",
                         elman_rnn_forward(n->rnn, tape, T, B, n->x, n->h0,
                                           n->y, n->hn)) &&
           golden_close(g, "y", SHAPE(T, B, H), n->y, tolerance) &&
           golden_close(g, "hn", SHAPE(L, B, H), n->hn, tolerance) &&
           golden_called(
               g, "elman_rnn_backward",
               elman_rnn_backward(n->rnn, tape, dy, dhn, dx, dh0, grad)) &&
           golden_close(g, "grad.x", SHAPE(T, B, n->D), dx, tolerance) &&
           (!n->h0 ||
            golden_close(g, "grad.h0", SHAPE(L, B, H), dh0, tolerance)) &&
           check_gradients(g, n, grad);
}

static bool run_piece(golden *g, const net *n, elman_tape *tape, int64_t from,
                      int64_t to, void *y, void *h)
{
    const char *const x = n->x ? at(g, n->x, from * n->B * n->D) : NULL;
    return from == to ||
           golden_called(g, "elman_rnn_forward",
                         elman_rnn_forward(n->rnn, tape, to - from, n->B, x, h,
                                           at(g, y, from * n->B * n->H), h));
}

/* From the initial state to `cut`, and from there to the end. */
static bool check_pieces(golden *g, const net *n, bool inference, int64_t cut)
{
    const int64_t cells = n->L * n->B * n->H;
    void *const y = golden_reals(g, n->T * n->B * n->H);
    void *const h = golden_reals(g, cells);
    elman_tape *tape;
    if (!y || !h || !make_tape(g, n, n->T, inference, &tape))
        return false;
    if (n->h0)
        memcpy(h, n->h0, (size_t)cells * elman_dtype_size(g->dtype));
    const bool fine = run_piece(g, n, tape, 0, cut, y, h) &&
                      run_piece(g, n, tape, cut, n->T, y, h);
    elman_tape_destroy(&tape);
    const char *const what = cut == 0    ? "an inference tape's"
                             : inference ? "an inference tape's, in two pieces,"
                                         : "in two pieces,";
    char name[80];
    snprintf(name, sizeof name, "%s y", what);
    if (!fine || !golden_same(g, name, y, n->y, n->T * n->B * n->H))
        return false;
    snprintf(name, sizeof name, "%s hn", what);
    return golden_same(g, name, h, n->hn, cells);
}

static bool check_steps(golden *g, const net *n)
{
    const int64_t row = n->B * n->H;
    void *const y = golden_reals(g, n->T * row);
    void *const h = golden_reals(g, n->L * row);
    elman_state *state;
    if (!y || !h ||
        !golden_called(g, "elman_state_create",
                       elman_state_create(n->rnn, n->B, &state)))
        return false;
    if (n->h0)
        elman_state_write(state, n->h0);
    bool fine = true;
    for (int64_t t = 0; fine && t < n->T; ++t) {
        const char *const x = n->x ? at(g, n->x, t * n->B * n->D) : NULL;
        fine =
            golden_called(g, "elman_rnn_step",
                          elman_rnn_step(n->rnn, state, x, at(g, y, t * row)));
    }
    elman_state_read(state, h);
    elman_state_destroy(&state);
    return fine && golden_same(g, "in steps, y", y, n->y, n->T * row) &&
           golden_same(g, "in steps, hn", h, n->hn, n->L * row);
}

bool golden_recurrent(golden *g)
{
    net n = {0};
    elman_tape *tape = NULL;
    const bool fine =
        read_kind(g, &n) && read_sizes(g, &n) && make_net(g, &n) &&
        make_tape(g, &n, n.T, false, &tape) && check_training(g, &n, tape) &&
        check_pieces(g, &n, true, 0) && check_pieces(g, &n, true, n.T / 2) &&
        check_pieces(g, &n, false, (n.T + 1) / 2) && check_steps(g, &n);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&n.rnn);
    return fine;
}
