/* SPDX-License-Identifier: MIT */
/* golden_recurrent.c - stacks of recurrent layers, forward and backward. */
#include "golden.h"

#include <stdio.h>
#include <string.h>

typedef struct net {
    elman_cell cell;
    elman_activation activation;
    int64_t T, B, D, H, L;
    int64_t proj, P; /* what a direction gives: proj, or H */
    int64_t S;       /* directions */
    int64_t bias, packed;
    const char *x; /* NULL if D is 0 */
    const void *h0, *c0;
    const int64_t *lengths;
    elman_rnn *rnn;
    void *y, *hn, *cn; /* as the training tape had them */
} net;

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

static bool read_kind(golden *g, net *n)
{
    const char *cell;
    int64_t two;
    if (!golden_word(g, "cell", &cell) ||
        !golden_int(g, "packed", 0, 1, &n->packed) ||
        !golden_int(g, "bidirectional", 0, 1, &two) ||
        (elman_tensors_meta(g->file, "proj_size") &&
         !golden_int(g, "proj_size", 0, 1 << 24, &n->proj)))
        return false;
    n->S = two ? 2 : 1;
    n->activation = is(cell, "rnn_relu") ? ELMAN_RELU : ELMAN_TANH;
    n->cell = is(cell, "lstm")  ? ELMAN_CELL_LSTM
              : is(cell, "gru") ? ELMAN_CELL_GRU
                                : ELMAN_CELL_ELMAN;
    if (n->cell == ELMAN_CELL_ELMAN && !is(cell, "rnn_tanh") &&
        !is(cell, "rnn_relu"))
        return golden_skip(g, "cell %.40s is not built yet", cell);
    return n->proj == 0 || n->cell == ELMAN_CELL_LSTM ||
           golden_fail(g, "a %s with a projection", cell);
}

static int64_t gates(const net *n)
{
    return n->cell == ELMAN_CELL_LSTM ? 4 : n->cell == ELMAN_CELL_GRU ? 3 : 1;
}

/* All of it is there, in its shape, before a network is made of it. */
static bool has_inputs(golden *g, const net *n)
{
    char name[64];
    for (int64_t i = 0; i < n->L; ++i) {
        const int64_t in = i == 0 ? n->D : n->S * n->P;
        snprintf(name, sizeof name, "param.weight_ih_l%lld", (long long)i);
        if (!golden_input(g, name, SHAPE(gates(n) * n->H, in)))
            return false;
        snprintf(name, sizeof name, "param.weight_hh_l%lld", (long long)i);
        if (!golden_input(g, name, SHAPE(gates(n) * n->H, n->P)))
            return false;
    }
    return golden_input(g, "y", SHAPE(n->T, n->B, n->S * n->P)) &&
           golden_input(g, "hn", SHAPE(n->L * n->S, n->B, n->P));
}

static bool read_states(golden *g, net *n)
{
    const char *init;
    if (!golden_word(g, "init_state", &init))
        return false;
    if (is(init, "zero"))
        return true;
    if (!is(init, "given"))
        return golden_fail(g, "metadata: init_state is %.40s (given or zero)",
                           init);
    n->h0 = golden_input(g, "h0", SHAPE(n->L * n->S, n->B, n->P));
    if (n->cell != ELMAN_CELL_LSTM)
        return n->h0;
    n->c0 = golden_input(g, "c0", SHAPE(n->L * n->S, n->B, n->H));
    return n->h0 && n->c0;
}

static bool read_sizes(golden *g, net *n)
{
    const int64_t most = 1 << 24;
    if (!golden_int(g, "input_size", 0, most, &n->D) ||
        !golden_int(g, "hidden_size", 1, most, &n->H) ||
        !golden_int(g, "num_layers", 1, 4096, &n->L) ||
        !golden_int(g, "bias", 0, 1, &n->bias) ||
        !golden_int(g, "seq_len", 1, most, &n->T) ||
        !golden_int(g, "batch", 1, most, &n->B))
        return false;
    n->P = n->proj > 0 ? n->proj : n->H;
    if (!has_inputs(g, n) || !read_states(g, n))
        return false;
    if (n->packed) {
        const int32_t *const ids =
            golden_ids(g, "lengths", SHAPE(n->B), n->T + 1);
        int64_t *const lengths = golden_room(g, n->B, sizeof *lengths);
        for (int64_t b = 0; ids && lengths && b < n->B; ++b)
            lengths[b] = ids[b];
        n->lengths = lengths;
        if (!ids || !lengths)
            return false;
    }
    n->x = golden_input(g, "x", SHAPE(n->T, n->B, n->D));
    if (!n->x)
        return false;
    n->x = n->D > 0 ? n->x : NULL;
    return true;
}

/* Element `offset` of a block of the pass's dtype. */
static char *at(const golden *g, const void *block, int64_t offset)
{
    return (char *)block + offset * (int64_t)elman_dtype_size(g->dtype);
}

/* Room for what comes out: NaN until something does. */
static void *nothing_yet(golden *g, int64_t count)
{
    void *const out = golden_reals(g, count);
    if (out)
        memset(out, 0xff, (size_t)count * elman_dtype_size(g->dtype));
    return out;
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
    desc.cell = n->cell;
    desc.activation = n->activation;
    desc.dtype = g->dtype;
    desc.input = n->D;
    desc.hidden = n->H;
    desc.proj = n->proj;
    desc.layers = (int)n->L;
    desc.bidirectional = n->S == 2;
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

/* Past a sequence's end the block [T,B,width] is 0, without any tolerance. */
static bool zero_past_ends(golden *g, const net *n, const char *name,
                           const void *block, int64_t width)
{
    const void *const zeros = golden_reals(g, width);
    const size_t size = (size_t)width * elman_dtype_size(g->dtype);
    if (!zeros || !block)
        return false;
    for (int64_t t = 0; n->lengths && t < n->T; ++t)
        for (int64_t b = 0; b < n->B; ++b)
            if (t >= n->lengths[b] &&
                memcmp(at(g, block, (t * n->B + b) * width), zeros, size) != 0)
                return golden_fail(g, "%s is not 0 past the end of sequence %d",
                                   name, (int)b);
    return true;
}

/* Both of what the file has and of what we got, which are close. */
static bool close_and_zero(golden *g, const net *n, const char *name,
                           const void *got, int64_t width)
{
    const int64_t shape[] = {n->T, n->B, width};
    return golden_close(g, name, 3, shape, got, golden_usual(g)) &&
           zero_past_ends(g, n, name, golden_input(g, name, 3, shape), width) &&
           zero_past_ends(g, n, name, got, width);
}

static bool check_training(golden *g, net *n, elman_tape *tape)
{
    const int64_t T = n->T, B = n->B, H = n->H, P = n->P, W = n->S * n->P;
    const int64_t rows = n->L * n->S;
    const bool lstm = n->cell == ELMAN_CELL_LSTM;
    elman_sequences q = ELMAN_SEQUENCES;
    elman_gradients d = ELMAN_GRADIENTS;
    q.steps = T;
    q.batch = B;
    q.lengths = n->lengths;
    q.x = n->x;
    q.h0 = n->h0;
    q.c0 = n->c0;
    q.y = n->y = nothing_yet(g, T * B * W);
    q.hT = n->hn = nothing_yet(g, rows * B * P);
    d.dy = golden_input(g, "dy", SHAPE(T, B, W));
    d.dhT = golden_input(g, "dhn", SHAPE(rows, B, P));
    d.dx = nothing_yet(g, T * B * n->D);
    d.dh0 = nothing_yet(g, rows * B * P);
    d.grad = golden_reals(g, elman_rnn_parameters(n->rnn));
    if (!n->y || !n->hn || !d.dy || !d.dhT || !d.dx || !d.dh0 || !d.grad)
        return false;
    if (lstm) {
        q.cT = n->cn = nothing_yet(g, rows * B * H);
        d.dcT = golden_input(g, "dcn", SHAPE(rows, B, H));
        d.dc0 = nothing_yet(g, rows * B * H);
        if (!n->cn || !d.dcT || !d.dc0)
            return false;
    }
    const double tolerance = golden_usual(g);
    return golden_called(g, "elman_rnn_run", elman_rnn_run(n->rnn, tape, &q)) &&
           close_and_zero(g, n, "y", n->y, W) &&
           golden_close(g, "hn", SHAPE(rows, B, P), n->hn, tolerance) &&
           (!lstm ||
            golden_close(g, "cn", SHAPE(rows, B, H), n->cn, tolerance)) &&
           golden_called(g, "elman_rnn_run_back",
                         elman_rnn_run_back(n->rnn, tape, &d)) &&
           close_and_zero(g, n, "grad.x", d.dx, n->D) &&
           (!n->h0 ||
            golden_close(g, "grad.h0", SHAPE(rows, B, P), d.dh0, tolerance)) &&
           (!n->c0 ||
            golden_close(g, "grad.c0", SHAPE(rows, B, H), d.dc0, tolerance)) &&
           check_gradients(g, n, d.grad);
}

/* Steps [from,to), of sequences of one length, from the states h and c on. */
static bool run_piece(golden *g, const net *n, elman_tape *tape, int64_t from,
                      int64_t to, void *y, void *h, void *c)
{
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = to - from;
    q.batch = n->B;
    q.lengths = n->lengths;
    q.x = n->x ? at(g, n->x, from * n->B * n->D) : NULL;
    q.y = at(g, y, from * n->B * n->S * n->P);
    q.h0 = q.hT = h;
    q.c0 = q.cT = c;
    return from == to ||
           golden_called(g, "elman_rnn_run", elman_rnn_run(n->rnn, tape, &q));
}

static void *copy_state(golden *g, const void *from, int64_t count)
{
    void *const to = golden_reals(g, count);
    if (to && from)
        memcpy(to, from, (size_t)count * elman_dtype_size(g->dtype));
    return to;
}

/* From the initial state to `cut`, and from there to the end. */
static bool check_pieces(golden *g, const net *n, bool inference, int64_t cut)
{
    const int64_t rows = n->L * n->S, count = n->T * n->B * n->S * n->P;
    const int64_t hs = rows * n->B * n->P, cs = rows * n->B * n->H;
    const bool lstm = n->cell == ELMAN_CELL_LSTM;
    void *const y = nothing_yet(g, count);
    void *const h = copy_state(g, n->h0, hs);
    void *const c = lstm ? copy_state(g, n->c0, cs) : NULL;
    elman_tape *tape;
    if (!y || !h || (lstm && !c) || !make_tape(g, n, n->T, inference, &tape))
        return false;
    const bool fine = run_piece(g, n, tape, 0, cut, y, h, c) &&
                      run_piece(g, n, tape, cut, n->T, y, h, c);
    elman_tape_destroy(&tape);
    const char *const what = cut == 0    ? "an inference tape's"
                             : inference ? "an inference tape's, in two pieces,"
                                         : "in two pieces,";
    char name[80];
    snprintf(name, sizeof name, "%s y", what);
    if (!fine || !golden_same(g, name, y, n->y, count))
        return false;
    snprintf(name, sizeof name, "%s hn", what);
    if (!golden_same(g, name, h, n->hn, hs))
        return false;
    snprintf(name, sizeof name, "%s cn", what);
    return !lstm || golden_same(g, name, c, n->cn, cs);
}

static bool check_steps(golden *g, const net *n)
{
    const int64_t row = n->B * n->P, hs = n->L * row;
    const bool lstm = n->cell == ELMAN_CELL_LSTM;
    void *const y = nothing_yet(g, n->T * row);
    void *const h = nothing_yet(g, hs);
    void *const c = nothing_yet(g, n->L * n->B * n->H);
    elman_state *state;
    if (!y || !h || !c ||
        !golden_called(g, "elman_state_create",
                       elman_state_create(n->rnn, n->B, &state)))
        return false;
    if (n->h0)
        elman_state_write(state, n->h0);
    if (n->c0)
        elman_state_write_c(state, n->c0);
    bool fine = true;
    for (int64_t t = 0; fine && t < n->T; ++t) {
        const char *const x = n->x ? at(g, n->x, t * n->B * n->D) : NULL;
        fine =
            golden_called(g, "elman_rnn_step",
                          elman_rnn_step(n->rnn, state, x, at(g, y, t * row)));
    }
    elman_state_read(state, h);
    elman_state_read_c(state, c);
    elman_state_destroy(&state);
    return fine && golden_same(g, "in steps, y", y, n->y, n->T * row) &&
           golden_same(g, "in steps, hn", h, n->hn, hs) &&
           (!lstm ||
            golden_same(g, "in steps, cn", c, n->cn, n->L * n->B * n->H));
}

bool golden_recurrent(golden *g)
{
    net n = {0};
    elman_tape *tape = NULL;
    bool fine = read_kind(g, &n) && read_sizes(g, &n) && make_net(g, &n) &&
                make_tape(g, &n, n.T, false, &tape) &&
                check_training(g, &n, tape) && check_pieces(g, &n, true, 0);
    /* What may be cut: sequences of one length in one direction. */
    if (fine && n.S == 1 && !n.packed)
        fine = check_pieces(g, &n, true, n.T / 2) &&
               check_pieces(g, &n, false, (n.T + 1) / 2) && check_steps(g, &n);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&n.rnn);
    return fine;
}
