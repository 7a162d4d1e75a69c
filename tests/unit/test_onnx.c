/* SPDX-License-Identifier: MIT */
/* test_onnx.c - ONNX: what is written comes back; graphs as others write them;
 * what is refused, and that it says why.  tests/onnx compares with ONNX Runtime
 * and with PyTorch. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/counting.h"
#include "support/expect.h"
#include "support/graphs.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static elman_context *plain;

static int begin(void **state)
{
    plain = make_context(1, NULL);
    return folder_setup(state);
}

static int end(void **state)
{
    elman_context_destroy(&plain);
    return folder_teardown(state);
}

/* ---- There and back ------------------------------------------------------*/

enum { KINDS = 160 };

/* Cells with projections, directions, biases, and what stands around them. */
static elman_network_desc kind(int i)
{
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU};
    elman_network_desc d = ELMAN_NETWORK_DESC;
    d.decode = (elman_decode)(i % 7 % 3);
    d.rnn.cell = cells[i % 5];
    d.rnn.proj = i % 5 == 3 ? 4 : 0;
    d.rnn.reset_before = i % 5 == 4;
    i /= 5;
    d.rnn.bidirectional = i % 2;
    i /= 2;
    d.rnn.no_bias = i % 2;
    d.rnn.activation =
        d.rnn.cell == ELMAN_CELL_ELMAN && i % 2 == 1 ? ELMAN_RELU : ELMAN_TANH;
    i /= 2;
    d.rnn.layers = 1 + 2 * (i % 2);
    i /= 2;
    d.rnn.dtype = i % 4 == 2 ? ELMAN_F64 : ELMAN_F32;
    d.rnn.hidden = 5;
    d.rnn.input = 3;
    const int64_t width = (d.rnn.proj > 0 ? d.rnn.proj : d.rnn.hidden) *
                          (d.rnn.bidirectional ? 2 : 1);
    if (i > 0) {
        d.outputs = 6;
        d.no_decoder_bias = d.rnn.no_bias;
    }
    if (i > 1) {
        d.vocab = 6;
        d.embed = i == 3 ? width : 3;
        d.rnn.input = 0;
        d.tie = i == 3;
    }
    return d;
}

static elman_network *make(elman_context *context,
                           const elman_network_desc *desc, draw *d)
{
    elman_network *n;
    must(elman_network_create(context, desc, &n));
    const int64_t P = elman_network_parameters(n);
    const double *const w = scratch_draw(d, P, 0.7);
    void *const to = elman_network_weights_begin(n);
    memcpy(to, scratch_as(desc->rnn.dtype, w, P),
           (size_t)P * elman_dtype_size(desc->rnn.dtype));
    elman_network_weights_end(n);
    return n;
}

static void test_networks(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        draw d = {.stream = (uint64_t)i};
        const elman_network_desc desc = kind(i);
        elman_network *n = make(plain, &desc, &d), *back;
        elman_lm *lm;
        must(elman_network_save(n, "n.safetensors"));
        for (int lengths = 0; lengths < 2; ++lengths) {
            elman_onnx_desc o = ELMAN_ONNX_DESC;
            o.lengths = lengths;
            if (lengths && desc.rnn.proj > 0) {
                must_fail(elman_onnx_write(NULL, n, &o, "p.onnx"),
                          ELMAN_EUNSUPPORTED, "which has no lengths");
                continue;
            }
            if (lengths && desc.rnn.bidirectional &&
                desc.decode == ELMAN_DECODE_LAST) {
                must_fail(elman_onnx_write(NULL, n, &o, "p.onnx"),
                          ELMAN_EUNSUPPORTED, "its final states are");
                continue;
            }
            must(elman_onnx_write(NULL, n, &o, "n.onnx"));
            must(elman_onnx_read(plain, "n.onnx", &lm, &back));
            assert_null(lm);
            must(elman_network_save(back, "back.safetensors"));
            expect_same_files("n.safetensors", "back.safetensors");
            elman_network_destroy(&back);
        }
        elman_network_destroy(&n);
    }
    assert_int_equal(access("p.onnx", F_OK), -1);
}

static void test_models(void **state)
{
    const elman_onnx_desc o = ELMAN_ONNX_DESC;
    int met = 0;
    (void)state;
    for (int i = 0; i < 60; ++i) {
        draw d = {.stream = (uint64_t)i};
        const elman_lm_desc desc = letters_draw_desc(&d);
        elman_lm *lm = letters_lm(plain, &desc, 5), *back;
        elman_network *n;
        trying("%s", letters_name(&desc));
        if (desc.cell == ELMAN_CELL_NONE) {
            must_fail(elman_onnx_write(lm, NULL, &o, "none.onnx"),
                      ELMAN_EUNSUPPORTED, "has no hidden state");
            elman_lm_destroy(&lm);
            continue;
        }
        must(elman_lm_save(lm, "lm.safetensors"));
        must(elman_onnx_write(lm, NULL, &o, "lm.onnx"));
        must(elman_onnx_read(plain, "lm.onnx", &back, &n));
        assert_null(n);
        must(elman_lm_save(back, "back.safetensors"));
        expect_same_files("lm.safetensors", "back.safetensors");
        /* As a network it takes tokens, too. */
        must(elman_onnx_read(plain, "lm.onnx", NULL, &n));
        elman_network_desc nd = ELMAN_NETWORK_DESC;
        elman_network_describe(n, &nd);
        assert_int_equal(nd.vocab, 6);
        assert_int_equal(nd.embed, desc.embed > 0 ? desc.embed : 6);
        elman_network_destroy(&n);
        elman_lm_destroy(&back);
        elman_lm_destroy(&lm);
        ++met;
    }
    assert_true(met > 10);
}

/* Every allocation fails once, and nothing is left. */
static void test_memory(void **state)
{
    static const int kinds[] = {1, 68, 93, 153};
    const elman_onnx_desc o = ELMAN_ONNX_DESC;
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        counting c = {0};
        elman_context *context = counting_context(&c);
        draw d = {.stream = i};
        const elman_network_desc desc = kind(kinds[i]);
        elman_network *n = make(context, &desc, &d), *back = NULL;
        const long long live = c.live;
        elman_status s = ELMAN_ENOMEM;
        for (int k = 1; s == ELMAN_ENOMEM; ++k) {
            c.fail = c.asked + k;
            s = elman_onnx_write(NULL, n, &o, "n.onnx");
            assert_int_equal(c.live, live);
        }
        c.fail = 0;
        must(s);
        s = ELMAN_ENOMEM;
        for (int k = 1; s == ELMAN_ENOMEM; ++k) {
            c.fail = c.asked + k;
            s = elman_onnx_read(context, "n.onnx", NULL, &back);
            if (s != ELMAN_OK)
                assert_int_equal(c.live, live);
        }
        c.fail = 0;
        must(s);
        elman_network_destroy(&back);
        elman_network_destroy(&n);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
    }
}

/* ---- Graphs as others write them -------------------------------------------
 * x [T,B,3] enters, H is 4, and an LSTM has 16 rows. */

static void add_weights(graph *m, int directions, int rows)
{
    GRAPH_REALS(m, "W", directions, rows, 3);
    GRAPH_REALS(m, "R", directions, rows, 4);
    GRAPH_REALS(m, "B", directions, 2 * rows);
}

static ElOnnx__NodeProto *add_lstm(graph *m, char *x, char *y)
{
    ElOnnx__NodeProto *const n = GRAPH_NODE(
        m, "LSTM", GRAPH_NAMES(x, "W", "R", "B"), GRAPH_NAMES(y, "h", "c"));
    el_onnx_set_int(&m->b, n, "hidden_size", 4);
    return n;
}

static void add_x(graph *m)
{
    GRAPH_INPUT(m, "x", GRAPH_FLOAT, -1, -1, 3);
}

static void add_plain(graph *m)
{
    add_x(m);
    add_weights(m, 1, 16);
    add_lstm(m, "x", "Y");
    GRAPH_INTEGERS(m, "one", 1);
    GRAPH_NODE(m, "Squeeze", GRAPH_NAMES("Y", "one"), GRAPH_NAMES("y"));
    graph_output(m, "y");
}

static elman_network *read_graph(graph *m)
{
    elman_network *n;
    assert_false(m->b.failed);
    must(graph_parse(m, NULL, &n));
    return n;
}

/* The view's numbers are those of a constant of graph_reals, at: their places
 * in it, one after another. */
static void expect_view(const elman_network *n, const char *name, int64_t from,
                        int64_t count, int64_t at)
{
    elman_view v;
    must(elman_network_find(n, name, &v));
    const float *const w = elman_network_weights(n);
    for (int64_t i = 0; i < count; ++i)
        assert_true(w[v.offset + from + i] == (float)((at + i) % 7 - 3) / 8);
}

static void test_gates(void **state)
{
    graph m;
    (void)state;
    graph_begin(&m, plain, 14);
    add_plain(&m);
    /* The hidden size is R's where no attribute says it. */
    m.g->node[0]->n_attribute = 0;
    elman_network *n = read_graph(&m);
    /* i f g o of i o f c. */
    expect_view(n, "rnn.weight_ih_l0", 0, 12, 0);
    expect_view(n, "rnn.weight_ih_l0", 12, 12, 24);
    expect_view(n, "rnn.weight_ih_l0", 24, 12, 36);
    expect_view(n, "rnn.weight_ih_l0", 36, 12, 12);
    expect_view(n, "rnn.bias_hh_l0", 0, 4, 16);
    expect_view(n, "rnn.bias_hh_l0", 12, 4, 20);
    elman_network_destroy(&n);
}

/* Two nodes of one direction each, put side by side. */
static void test_halves(void **state)
{
    (void)state;
    for (int axis = 1; axis < 3; ++axis) {
        graph m;
        graph_begin(&m, plain, 11);
        add_x(&m);
        add_weights(&m, 1, 16);
        add_lstm(&m, "x", "Yf");
        ElOnnx__NodeProto *const back = GRAPH_NODE(
            &m, "LSTM", GRAPH_NAMES("x", "W2", "R2", "B2"), GRAPH_NAMES("Yb"));
        GRAPH_REALS(&m, "W2", 1, 16, 3);
        GRAPH_REALS(&m, "R2", 1, 16, 4);
        GRAPH_REALS(&m, "B2", 1, 32);
        el_onnx_set_int(&m.b, back, "hidden_size", 4);
        el_onnx_set_text(&m.b, back, "direction", "reverse");
        if (axis == 1) {
            el_onnx_set_int(&m.b,
                            GRAPH_NODE(&m, "Concat", GRAPH_NAMES("Yf", "Yb"),
                                       GRAPH_NAMES("Y")),
                            "axis", 1);
            el_onnx_set_ints(
                &m.b,
                GRAPH_NODE(&m, "Transpose", GRAPH_NAMES("Y"), GRAPH_NAMES("Z")),
                "perm", (int64_t[]){0, 2, 1, 3}, 4);
            GRAPH_INTEGERS(&m, "flat", 0, 0, 8);
            GRAPH_NODE(&m, "Reshape", GRAPH_NAMES("Z", "flat"),
                       GRAPH_NAMES("y"));
        } else {
            /* Axes as an attribute, of before opset 13. */
            el_onnx_set_ints(
                &m.b,
                GRAPH_NODE(&m, "Squeeze", GRAPH_NAMES("Yf"), GRAPH_NAMES("f")),
                "axes", (int64_t[]){1}, 1);
            el_onnx_set_ints(
                &m.b,
                GRAPH_NODE(&m, "Squeeze", GRAPH_NAMES("Yb"), GRAPH_NAMES("b")),
                "axes", (int64_t[]){-3}, 1);
            el_onnx_set_int(&m.b,
                            GRAPH_NODE(&m, "Concat", GRAPH_NAMES("f", "b"),
                                       GRAPH_NAMES("y")),
                            "axis", -1);
        }
        graph_output(&m, "y");
        elman_network *n = read_graph(&m);
        elman_network_desc d = ELMAN_NETWORK_DESC;
        elman_network_describe(n, &d);
        assert_int_equal(d.rnn.bidirectional, 1);
        expect_view(n, "rnn.weight_ih_l0_reverse", 36, 12, 12);
        elman_network_destroy(&n);
    }
}

/* Rows of all steps and sequences, a product of matrices, and back. */
static void add_gemm(graph *m, char *weight, int transposed, char *last)
{
    add_x(m);
    add_weights(m, 1, 16);
    add_lstm(m, "x", "Y");
    GRAPH_INTEGERS(m, "rows", -1, 4);
    GRAPH_REALS(m, "weight", 5, 4);
    GRAPH_REALS(m, "turned", 4, 5);
    GRAPH_REALS(m, "bias", 5);
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("Y", "rows"), GRAPH_NAMES("flat"));
    ElOnnx__NodeProto *const n = GRAPH_NODE(
        m, "Gemm", GRAPH_NAMES("flat", weight, "bias"), GRAPH_NAMES("product"));
    if (transposed)
        el_onnx_set_int(&m->b, n, "transB", 1);
    GRAPH_NODE(m, "Shape", GRAPH_NAMES("x"), GRAPH_NAMES("sizes"));
    GRAPH_INTEGERS(m, "T", 0);
    GRAPH_INTEGERS(m, "B_", 1);
    GRAPH_INTEGERS(m, "five", 5);
    GRAPH_NODE(m, "Gather", GRAPH_NAMES("sizes", "T"), GRAPH_NAMES("steps"));
    GRAPH_NODE(m, "Gather", GRAPH_NAMES("sizes", "B_"), GRAPH_NAMES("batch"));
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "Concat", GRAPH_NAMES("steps", "batch", last),
                               GRAPH_NAMES("shape")),
                    "axis", 0);
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("product", "shape"), GRAPH_NAMES("y"));
    graph_output(m, "y");
}

static void test_gemm(void **state)
{
    (void)state;
    for (int transposed = 0; transposed < 2; ++transposed) {
        graph m;
        graph_begin(&m, plain, 14);
        add_gemm(&m, transposed ? "weight" : "turned", transposed, "five");
        elman_network *n = read_graph(&m);
        assert_int_equal(elman_network_width(n), 5);
        expect_view(n, "decoder.weight", 0, 1, 0);
        expect_view(n, "decoder.weight", 1, 1, transposed ? 1 : 5);
        expect_view(n, "decoder.bias", 0, 5, 0);
        elman_network_destroy(&n);
    }
}

/* Numbers as lists, and as nodes. */
static void test_numbers(void **state)
{
    graph m;
    (void)state;
    graph_begin(&m, plain, 14);
    add_plain(&m);
    for (size_t i = 0; i < m.g->n_initializer; ++i) {
        ElOnnx__TensorProto *const t = m.g->initializer[i];
        if (t->data_type != GRAPH_FLOAT)
            continue;
        t->has_raw_data = 0;
        t->n_float_data = t->raw_data.len / 4;
        t->float_data = (float *)t->raw_data.data;
    }
    /* B is a node's, and what was a list of three ends before it. */
    ElOnnx__TensorProto *const B = m.g->initializer[2];
    m.g->initializer[2] = m.g->initializer[--m.g->n_initializer];
    ElOnnx__NodeProto *const constant =
        GRAPH_NODE(&m, "Constant", GRAPH_NAMES(NULL), GRAPH_NAMES("B"));
    ElOnnx__AttributeProto *const a = el_onnx_make(&m.b, sizeof *a);
    ElOnnx__AttributeProto *list[] = {a};
    el_onnx__attribute_proto__init(a);
    a->name = "value";
    a->t = B;
    constant->attribute = list;
    constant->n_attribute = 1;
    ElOnnx__NodeProto *const last = m.g->node[m.g->n_node - 1];
    for (size_t i = m.g->n_node - 1; i > 0; --i)
        m.g->node[i] = m.g->node[i - 1];
    m.g->node[0] = last;
    elman_network *n = read_graph(&m);
    expect_view(n, "rnn.weight_ih_l0", 12, 12, 24);
    expect_view(n, "rnn.bias_hh_l0", 0, 4, 16);
    elman_network_destroy(&n);
}

/* A float that float16 and bfloat16 have as well. */
static uint16_t narrow(float x, bool brain)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (brain || x == 0)
        return (uint16_t)(bits >> 16);
    return (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 23 & 255) - 112) << 10 |
                      (bits >> 13 & 1023));
}

/* All floats as numbers of two bytes, one behind the other or, as lists have
 * them, each in an integer. */
static void make_narrow(graph *m, bool brain, bool listed)
{
    for (size_t i = 0; i < m->g->n_initializer; ++i) {
        ElOnnx__TensorProto *const t = m->g->initializer[i];
        if (t->data_type != GRAPH_FLOAT)
            continue;
        const size_t count = t->raw_data.len / 4;
        const float *const from = (const float *)(void *)t->raw_data.data;
        uint16_t *const raw = el_onnx_make(&m->b, count * sizeof *raw);
        int32_t *const list = el_onnx_make(&m->b, count * sizeof *list);
        for (size_t k = 0; k < count; ++k) {
            raw[k] = narrow(from[k], brain);
            list[k] = raw[k];
        }
        t->raw_data = (ProtobufCBinaryData){2 * count, (uint8_t *)raw};
        t->data_type = brain ? EL_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16
                             : EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
        if (!listed)
            continue;
        t->has_raw_data = 0;
        t->n_int32_data = count;
        t->int32_data = list;
    }
    m->g->input[0]->type->tensor_type->elem_type =
        m->g->initializer[0]->data_type;
}

static void test_narrow(void **state)
{
    (void)state;
    for (int i = 0; i < 4; ++i) {
        graph m;
        trying("numbers of two bytes %d", i);
        graph_begin(&m, plain, 14);
        add_plain(&m);
        make_narrow(&m, i & 1, i & 2);
        elman_network *n = read_graph(&m);
        expect_view(n, "rnn.weight_ih_l0", 12, 12, 24);
        expect_view(n, "rnn.bias_hh_l0", 0, 4, 16);
        elman_network_destroy(&n);
    }
}

/* ---- The last step alone
 * ----------------------------------------------------*/

/* Row number `index` of the first dimension. */
static void add_row(graph *m, char *from, char *to, int64_t index)
{
    char *const name = el_onnx_text(&m->b, "%s_index", to);
    el_onnx_integer_constant(&m->b, m->g, name, index);
    GRAPH_NODE(m, "Gather", GRAPH_NAMES(from, name), GRAPH_NAMES(to));
}

static void last_step(graph *m)
{
    add_plain(m);
    add_row(m, "y", "z", -1);
}

static void last_slice(graph *m)
{
    add_plain(m);
    GRAPH_INTEGERS(m, "from", -1);
    GRAPH_INTEGERS(m, "to", INT64_MAX);
    GRAPH_INTEGERS(m, "axis", 0);
    GRAPH_NODE(m, "Slice", GRAPH_NAMES("y", "from", "to", "axis"),
               GRAPH_NAMES("kept"));
    GRAPH_NODE(m, "Squeeze", GRAPH_NAMES("kept", "axis"), GRAPH_NAMES("z"));
}

static void last_state(graph *m)
{
    add_plain(m);
    add_row(m, "h", "z", -1);
}

/* Two layers, whose states are one. */
static void last_of_two(graph *m)
{
    add_plain(m);
    GRAPH_REALS(m, "W2", 1, 16, 4);
    ElOnnx__NodeProto *const n = GRAPH_NODE(
        m, "LSTM", GRAPH_NAMES("y", "W2", "R", "B"), GRAPH_NAMES("Y2", "h2"));
    el_onnx_set_int(&m->b, n, "hidden_size", 4);
    el_onnx_set_int(
        &m->b,
        GRAPH_NODE(m, "Concat", GRAPH_NAMES("h", "h2"), GRAPH_NAMES("hT")),
        "axis", 0);
    add_row(m, "hT", "z", 1);
}

/* The states of both directions side by side: rows -2 and -1. */
static void last_of_both(graph *m)
{
    add_x(m);
    add_weights(m, 2, 16);
    el_onnx_set_text(&m->b, add_lstm(m, "x", "Y"), "direction",
                     "bidirectional");
    add_row(m, "h", "forward", -2);
    add_row(m, "h", "backward", -1);
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "Concat", GRAPH_NAMES("forward", "backward"),
                               GRAPH_NAMES("z")),
                    "axis", 1);
}

static void last_turned(graph *m)
{
    add_x(m);
    add_weights(m, 2, 16);
    el_onnx_set_text(&m->b, add_lstm(m, "x", "Y"), "direction",
                     "bidirectional");
    el_onnx_set_ints(
        &m->b,
        GRAPH_NODE(m, "Transpose", GRAPH_NAMES("h"), GRAPH_NAMES("turned")),
        "perm", (int64_t[]){1, 0, 2}, 3);
    GRAPH_INTEGERS(m, "flat", 0, -1);
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("turned", "flat"), GRAPH_NAMES("z"));
}

static void test_last(void **state)
{
    static const struct {
        void (*add)(graph *m);
        elman_decode decode;
        int layers;
    } cases[] = {{last_step, ELMAN_DECODE_LAST, 1},
                 {last_slice, ELMAN_DECODE_LAST, 1},
                 {last_state, ELMAN_DECODE_LAST, 1},
                 {last_of_two, ELMAN_DECODE_LAST, 2},
                 {last_of_both, ELMAN_DECODE_FINAL, 1},
                 {last_turned, ELMAN_DECODE_FINAL, 1}};
    (void)state;
    for (int i = 0; i < 12; ++i) {
        elman_network_desc d = ELMAN_NETWORK_DESC;
        graph m;
        trying("case %d", i);
        graph_begin(&m, plain, 14);
        cases[i / 2].add(&m);
        const bool final = cases[i / 2].decode == ELMAN_DECODE_FINAL;
        if (i % 2) {
            GRAPH_REALS(&m, "M", final ? 8 : 4, 5);
            GRAPH_NODE(&m, "MatMul", GRAPH_NAMES("z", "M"), GRAPH_NAMES("p"));
        }
        m.g->n_output = 0;
        graph_output(&m, i % 2 ? "p" : "z");
        elman_network *n = read_graph(&m);
        elman_network_describe(n, &d);
        assert_int_equal(d.decode, cases[i / 2].decode);
        assert_int_equal(d.rnn.layers, cases[i / 2].layers);
        assert_int_equal(elman_network_width(n), i % 2 ? 5 : final ? 8 : 4);
        elman_network_destroy(&n);
    }
}

/* ---- What is refused
 * -------------------------------------------------------*/

static void plain_lstm(graph *m, ElOnnx__NodeProto **n)
{
    add_x(m);
    add_weights(m, 1, 16);
    *n = add_lstm(m, "x", "Y");
    graph_output(m, "Y");
}

static void set_clip(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_int(&m->b, n, "clip", 1);
}

static void set_activation(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_texts(&m->b, n, "activations", "Sigmoid", 3);
}

static void set_input_forget(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_int(&m->b, n, "input_forget", 1);
}

static void set_layout(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_int(&m->b, n, "layout", 1);
}

static void set_unknown(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_int(&m->b, n, "zoneout", 1);
}

static void set_hidden(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    n->attribute[0]->i = 5;
}

static void set_domain(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    n->domain = "com.example";
}

static void set_reverse(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_text(&m->b, n, "direction", "reverse");
}

static void set_peepholes(graph *m)
{
    add_x(m);
    add_weights(m, 1, 16);
    GRAPH_REALS(m, "P", 1, 12);
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "LSTM",
                               GRAPH_NAMES("x", "W", "R", "B", "", "", "", "P"),
                               GRAPH_NAMES("Y")),
                    "hidden_size", 4);
    graph_output(m, "Y");
}

static void set_start(graph *m)
{
    add_x(m);
    add_weights(m, 1, 16);
    GRAPH_REALS(m, "start", 1, 1, 4);
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "LSTM",
                               GRAPH_NAMES("x", "W", "R", "B", "", "start"),
                               GRAPH_NAMES("Y")),
                    "hidden_size", 4);
    graph_output(m, "Y");
}

static void add_relu(graph *m)
{
    add_plain(m);
    GRAPH_NODE(m, "Relu", GRAPH_NAMES("y"), GRAPH_NAMES("z"));
}

static void add_before(graph *m)
{
    add_x(m);
    GRAPH_REALS(m, "M", 3, 3);
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("x", "M"), GRAPH_NAMES("z"));
}

static void add_two(graph *m)
{
    add_plain(m);
    GRAPH_REALS(m, "M", 4, 4);
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("y", "M"), GRAPH_NAMES("one_"));
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("one_", "M"), GRAPH_NAMES("two"));
}

static void add_skip(graph *m)
{
    add_plain(m);
    GRAPH_REALS(m, "M", 4, 4);
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("y", "M"), GRAPH_NAMES("one_"));
    GRAPH_NODE(m, "Add", GRAPH_NAMES("one_", "y"), GRAPH_NAMES("sum"));
}

static void add_beside(graph *m)
{
    add_plain(m);
    add_lstm(m, "x", "Y2")->n_output = 1;
}

static void add_transposed(graph *m)
{
    add_plain(m);
    el_onnx_set_ints(
        &m->b, GRAPH_NODE(m, "Transpose", GRAPH_NAMES("y"), GRAPH_NAMES("z")),
        "perm", (int64_t[]){1, 0, 2}, 3);
    GRAPH_REALS(m, "W2", 1, 16, 4);
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "LSTM", GRAPH_NAMES("z", "W2", "R", "B"),
                               GRAPH_NAMES("Y2")),
                    "hidden_size", 4);
}

static void add_mixed(graph *m)
{
    add_x(m);
    GRAPH_REALS(m, "W", 2, 16, 3);
    GRAPH_REALS(m, "R", 2, 16, 4);
    GRAPH_REALS(m, "B", 2, 32);
    el_onnx_set_text(&m->b, add_lstm(m, "x", "Y"), "direction",
                     "bidirectional");
    /* The directions inside the features, and not the other way round. */
    el_onnx_set_ints(
        &m->b, GRAPH_NODE(m, "Transpose", GRAPH_NAMES("Y"), GRAPH_NAMES("Z")),
        "perm", (int64_t[]){0, 2, 3, 1}, 4);
    GRAPH_INTEGERS(m, "flat", 0, 0, -1);
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("Z", "flat"), GRAPH_NAMES("y"));
    graph_output(m, "y");
}

static void add_wrong_W(graph *m)
{
    add_x(m);
    GRAPH_REALS(m, "W", 1, 12, 3);
    GRAPH_REALS(m, "R", 1, 16, 4);
    GRAPH_REALS(m, "B", 1, 32);
    add_lstm(m, "x", "Y");
}

static void add_wide(graph *m)
{
    GRAPH_INPUT(m, "x", GRAPH_FLOAT, -1, -1, 4);
    add_weights(m, 1, 16);
    add_lstm(m, "x", "Y");
}

static void add_late(graph *m)
{
    add_x(m);
    add_weights(m, 1, 16);
    add_lstm(m, "z", "Y");
    GRAPH_NODE(m, "Identity", GRAPH_NAMES("x"), GRAPH_NAMES("z"));
}

static void add_again(graph *m)
{
    add_plain(m);
    GRAPH_NODE(m, "Identity", GRAPH_NAMES("x"), GRAPH_NAMES("y"));
}

static void add_middle(graph *m)
{
    add_plain(m);
    GRAPH_REALS(m, "M", 4, 2);
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("y", "M"), GRAPH_NAMES("z"));
    graph_output(m, "z");
}

static void add_states(graph *m)
{
    add_x(m);
    add_weights(m, 1, 16);
    GRAPH_REALS(m, "W2", 1, 16, 4);
    GRAPH_INPUT(m, "h0", GRAPH_FLOAT, 2, -1, 4);
    GRAPH_NODE(m, "Split", GRAPH_NAMES("h0"), GRAPH_NAMES("a", "b"));
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "LSTM",
                               GRAPH_NAMES("x", "W", "R", "B", "", "b"),
                               GRAPH_NAMES("Y")),
                    "hidden_size", 4);
    GRAPH_INTEGERS(m, "one", 1);
    GRAPH_NODE(m, "Squeeze", GRAPH_NAMES("Y", "one"), GRAPH_NAMES("y"));
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "LSTM",
                               GRAPH_NAMES("y", "W2", "R", "B", "", "a"),
                               GRAPH_NAMES("Y2")),
                    "hidden_size", 4);
    graph_output(m, "Y2");
}

static void set_external(graph *m)
{
    add_plain(m);
    m->g->initializer[0]->has_data_location = 1;
    m->g->initializer[0]->data_location =
        EL_ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static void set_unsigned(graph *m)
{
    add_plain(m);
    m->g->initializer[0]->data_type = EL_ONNX__TENSOR_PROTO__DATA_TYPE__UINT64;
}

static void add_step_of_lengths(graph *m)
{
    add_x(m);
    GRAPH_INPUT(m, "lengths", GRAPH_INT32, -1);
    add_weights(m, 1, 16);
    ElOnnx__NodeProto *const n =
        GRAPH_NODE(m, "LSTM", GRAPH_NAMES("x", "W", "R", "B", "lengths"),
                   GRAPH_NAMES("Y"));
    el_onnx_set_int(&m->b, n, "hidden_size", 4);
    add_row(m, "Y", "step", -1);
    graph_output(m, "step");
}

static void add_cells(graph *m)
{
    add_plain(m);
    add_row(m, "c", "cell", -1);
    GRAPH_REALS(m, "M", 4, 5);
    GRAPH_NODE(m, "MatMul", GRAPH_NAMES("cell", "M"), GRAPH_NAMES("z"));
    graph_output(m, "z");
}

/* 512 layers of the same weights, of 2 MiB. */
static void add_many(graph *m)
{
    GRAPH_INPUT(m, "x", GRAPH_FLOAT, -1, -1, 256);
    GRAPH_REALS(m, "W", 1, 1024, 256);
    GRAPH_REALS(m, "R", 1, 1024, 256);
    GRAPH_INTEGERS(m, "one", 1);
    char *from = "x";
    for (int i = 0; i < 512; ++i) {
        char *const Y = el_onnx_text(&m->b, "Y%d", i);
        char *const y = el_onnx_text(&m->b, "y%d", i);
        el_onnx_set_int(
            &m->b,
            GRAPH_NODE(m, "LSTM", GRAPH_NAMES(from, "W", "R"), GRAPH_NAMES(Y)),
            "hidden_size", 256);
        GRAPH_NODE(m, "Squeeze", GRAPH_NAMES(Y, "one"), GRAPH_NAMES(y));
        from = y;
    }
    graph_output(m, from);
}

/* Large zeros that a thousand nodes ask for. */
static void add_looks(graph *m)
{
    const size_t count = 1 << 19;
    char *from = "x";
    add_x(m);
    add_weights(m, 1, 16);
    int32_t *const zeros = el_onnx_make(&m->b, count * sizeof *zeros);
    el_onnx_initializer(&m->b, m->g, "zeros", GRAPH_INT32, (int64_t[]){count},
                        1, zeros, count * sizeof *zeros);
    for (int i = 0; i < 1000; ++i) {
        char *const y = el_onnx_text(&m->b, "d%d", i);
        GRAPH_NODE(m, "Dropout", GRAPH_NAMES(from, "", "zeros"),
                   GRAPH_NAMES(y));
        from = y;
    }
    add_lstm(m, from, "Y");
    graph_output(m, "Y");
}

static void add_second(graph *m)
{
    add_plain(m);
    add_row(m, "y", "step", -2);
    graph_output(m, "step");
}

static void set_short(graph *m)
{
    add_plain(m);
    m->g->initializer[0]->raw_data.len -= 4;
}

static void set_huge(graph *m)
{
    add_plain(m);
    m->g->initializer[0]->dims[0] = INT64_MAX;
}

static void set_opset(graph *m)
{
    add_plain(m);
    m->model->opset_import[0]->version = 99;
}

static void set_twice(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_int(&m->b, n, "hidden_size", 4);
}

static void set_wrong_type(graph *m)
{
    ElOnnx__NodeProto *n;
    plain_lstm(m, &n);
    el_onnx_set_text(&m->b, n, "layout", "0");
}

static void set_no_output(graph *m)
{
    add_plain(m);
    m->g->n_output = 0;
}

static void set_nothing(graph *m)
{
    add_x(m);
}

/* A type that is a list of a list of ... */
static void set_deep(graph *m)
{
    ElOnnx__TypeProto *type = NULL;
    add_plain(m);
    for (int i = 0; i < 100; ++i) {
        ElOnnx__TypeProto *const outer = el_onnx_make(&m->b, sizeof *outer);
        ElOnnx__TypeProto__Sequence *const list =
            el_onnx_make(&m->b, sizeof *list);
        el_onnx__type_proto__init(outer);
        el_onnx__type_proto__sequence__init(list);
        list->elem_type = type;
        outer->value_case = EL_ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
        outer->sequence_type = list;
        type = outer;
    }
    m->g->output[0]->type = type;
}

static void test_refused(void **state)
{
    static const struct {
        const char *sentence;
        void (*add)(graph *m);
    } cases[] = {
        {"FILE: node Y (LSTM): its attribute clip is not read", set_clip},
        {"node Y (LSTM): its activations are not those", set_activation},
        {"node Y (LSTM): its attribute input_forget is not 0",
         set_input_forget},
        {"node Y (LSTM): its attribute layout is not 0", set_layout},
        {"node Y (LSTM): its attribute zoneout is not read", set_unknown},
        {"node Y (LSTM): dimension 1 of its W is 16 (and not 20)", set_hidden},
        {"node Y (LSTM): it is an operator of com.example", set_domain},
        {"layer 0 runs backwards alone", set_reverse},
        {"node Y (LSTM): it has peepholes, P", set_peepholes},
        {"node Y (LSTM): its initial state, start, is neither zeros",
         set_start},
        {"node z (Relu): the operator is not one of those", add_relu},
        {"node z (MatMul): what is multiplied, x, is not all", add_before},
        {"node two (MatMul): what is multiplied, one_, is not all", add_two},
        {"node sum (Add): input 1, y, is no constant", add_skip},
        {"its layers do not stand one upon the other: several", add_beside},
        {"node Y2 (LSTM): it runs over other dimensions", add_transposed},
        {"output y is neither what the last layer gives", add_mixed},
        {"node Y (LSTM): dimension 1 of its W is 12 (and not 16)", add_wrong_W},
        {"node Y (LSTM): the last dimension of what enters it, x, is not",
         add_wide},
        {"node Y (LSTM): its input z is not there when", add_late},
        {"tensor y is there twice", add_again},
        {"output y is neither what the last layer gives", add_middle},
        {"input h0 does not hold one initial state for each layer", add_states},
        {"tensor W: its numbers are in another file", set_external},
        {"tensor W: its numbers are of type UINT64", set_unsigned},
        {"its network would be much larger than the file", add_many},
        {"(Dropout): it is for training", add_looks},
        {"node step (Gather): it takes one step of all sequences, and they "
         "have lengths",
         add_step_of_lengths},
        {"node z (MatMul): what is multiplied, cell", add_cells},
        {"node step (Gather): what it makes of y cannot be followed",
         add_second},
        {"tensor W: it has not as many numbers", set_short},
        {"tensor W: its sizes are negative, or too large", set_huge},
        {"it is of opset 99 (7 to 24 are read)", set_opset},
        {"node Y (LSTM): its attribute hidden_size is there twice", set_twice},
        {"node Y (LSTM): its attribute layout is not 0", set_wrong_type},
        {"its graph has no output", set_no_output},
        {"there is no recurrent layer in it", set_nothing},
        {"nested more than 32 deep", set_deep},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        graph m;
        elman_network *n;
        graph_begin(&m, plain, 14);
        cases[i].add(&m);
        assert_false(m.b.failed);
        must_fail(graph_parse(&m, NULL, &n), ELMAN_EFORMAT, cases[i].sentence);
        assert_null(n);
    }
}

/* Bytes that are no messages, and files that are not there. */
static void test_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},
        {"x", 1},
        {"\x08\x07\x3a", 3},     /* a graph without its size */
        {"\x3a\x7f", 2},         /* or with more than there is */
        {"\x3a\x02\x0a\x05", 4}, /* likewise of a node in it */
        {"\x0b", 1},             /* a group */
        {"\x00\x00", 2},         /* field 0 */
        {"\x3a\x00\x3a\x00", 4}, /* two graphs */
        {"\x12\x02\xff\xfe", 4}, /* a name that is no text */
        {"\x12\x02\x61\x00", 4}, /* or has a zero in it */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
    };
    elman_network *n = NULL;
    elman_lm *lm = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        must_fail(el_onnx_parse(plain, "FILE", cases[i].bytes, cases[i].size,
                                &lm, &n),
                  ELMAN_EFORMAT, "FILE: ");
    must_fail(elman_onnx_read(plain, "nowhere.onnx", &lm, &n), ELMAN_EIO,
              "nowhere.onnx: ");
    assert_null(n);
    assert_null(lm);
}

static void test_arguments(void **state)
{
    elman_network_desc desc = kind(1);
    const elman_onnx_desc o = ELMAN_ONNX_DESC;
    elman_onnx_desc empty = {0};
    draw d = {0};
    (void)state;
    elman_network *n = make(plain, &desc, &d);
    must_fail(elman_onnx_write(NULL, NULL, &o, "n.onnx"), ELMAN_EINVAL,
              "one must be NULL");
    must_fail(elman_onnx_write(NULL, n, &empty, "n.onnx"), ELMAN_EINVAL,
              "struct_size");
    must_fail(elman_onnx_write(NULL, n, &o, "nowhere/n.onnx"), ELMAN_EIO,
              "nowhere/n.onnx");
    must_fail(elman_onnx_read(plain, "n.onnx", NULL, NULL), ELMAN_EINVAL,
              "network is NULL");
    elman_network_destroy(&n);
    desc = (elman_network_desc)ELMAN_NETWORK_DESC;
    desc.rnn.hidden = 3;
    n = make(plain, &desc, &d);
    must_fail(elman_onnx_write(NULL, n, &o, "n.onnx"), ELMAN_EUNSUPPORTED,
              "n.onnx: the network has no input");
    elman_network_destroy(&n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

static int end_test(void **state)
{
    return scratch_free(state) | end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_networks), TEST(test_models), TEST(test_memory),
        TEST(test_gates),    TEST(test_halves), TEST(test_gemm),
        TEST(test_numbers),  TEST(test_narrow), TEST(test_last),
        TEST(test_refused),  TEST(test_bytes),  TEST(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
