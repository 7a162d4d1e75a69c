/* SPDX-License-Identifier: MIT */
/* test_network.c - networks: their parts put together, whole and step by step;
 * their files. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *plain; /* one thread, the best level */

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

/* ---- Every kind ----------------------------------------------------------*/

/* Kind number i of KINDS: cells, directions, projections, and what stands
 * around them. */
enum { KINDS = 96, STEPS = 7, BATCH = 3 };

static elman_network_desc kind(int i)
{
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU, ELMAN_CELL_LSTM};
    elman_network_desc d = ELMAN_NETWORK_DESC;
    d.rnn.cell = cells[i % 4];
    d.rnn.proj = i % 4 == 3 ? 4 : 0;
    i /= 4;
    d.rnn.bidirectional = i % 2;
    i /= 2;
    const int around = i % 4; /* nothing, decoder, both, both tied */
    i /= 4;
    d.rnn.activation =
        d.rnn.cell == ELMAN_CELL_ELMAN && i == 1 ? ELMAN_RELU : ELMAN_TANH;
    d.rnn.reset_before = d.rnn.cell == ELMAN_CELL_GRU && i == 1;
    d.rnn.dtype = i == 2 ? ELMAN_F64 : ELMAN_F32;
    d.rnn.no_bias = d.no_decoder_bias = i == 2;
    d.rnn.layers = 1 + i % 2;
    d.rnn.hidden = 5;
    d.rnn.input = 3;
    const int64_t width = (d.rnn.proj > 0 ? d.rnn.proj : d.rnn.hidden) *
                          (d.rnn.bidirectional ? 2 : 1);
    if (around > 0)
        d.outputs = 6;
    if (around > 1) {
        d.vocab = 6;
        d.embed = around == 3 ? width : 3;
        d.rnn.input = 0;
        d.tie = around == 3;
    }
    return d;
}

static elman_network *make(const elman_network_desc *desc, draw *d)
{
    elman_network *n;
    must(elman_network_create(plain, desc, &n));
    const int64_t P = elman_network_parameters(n);
    const double *const w = scratch_draw(d, P, 0.7);
    void *const to = elman_network_weights_begin(n);
    memcpy(to, scratch_as(desc->rnn.dtype, w, P),
           (size_t)P * elman_dtype_size(desc->rnn.dtype));
    elman_network_weights_end(n);
    return n;
}

static elman_network_desc described(const elman_network *n)
{
    elman_network_desc d = ELMAN_NETWORK_DESC;
    elman_network_describe(n, &d);
    return d;
}

/* ---- Against its parts ---------------------------------------------------*/

/* The numbers of a view; NULL if there is none. */
static const void *part(const elman_network *n, const char *name)
{
    elman_view v;
    if (elman_network_find(n, name, &v) != ELMAN_OK)
        return NULL;
    return (const char *)elman_network_weights(n) +
           (size_t)v.offset * elman_dtype_size(described(n).rnn.dtype);
}

/* The stack alone, with the same weights. */
static elman_rnn *stack_of(const elman_network *n)
{
    const elman_network_desc d = described(n);
    elman_rnn *rnn;
    must(elman_rnn_create(plain, &d.rnn, &rnn));
    char *const to = elman_rnn_weights_begin(rnn);
    const size_t size = elman_dtype_size(d.rnn.dtype);
    for (int i = 0; i < elman_rnn_view_count(rnn); ++i) {
        elman_view v;
        char name[64];
        must(elman_rnn_view(rnn, i, &v));
        snprintf(name, sizeof name, "rnn.%s", v.name);
        const void *const from = part(n, name);
        assert_non_null(from);
        memcpy(to + (size_t)v.offset * size, from, (size_t)v.count * size);
    }
    elman_rnn_weights_end(rnn);
    return rnn;
}

/* Sequences drawn for a network, time first. */
typedef struct input {
    void *x;
    int32_t *ids;
} input;

static input draw_input(const elman_network *n, draw *d)
{
    const elman_network_desc desc = described(n);
    const int64_t rows = STEPS * BATCH;
    input in = {NULL, NULL};
    if (desc.embed == 0) {
        const int64_t count = rows * desc.rnn.input;
        in.x = scratch_as(desc.rnn.dtype, scratch_draw(d, count, 1), count);
        return in;
    }
    in.ids = scratch(rows, sizeof *in.ids);
    for (int64_t i = 0; i < rows; ++i)
        in.ids[i] = (int32_t)draw_below(d, desc.vocab);
    return in;
}

static elman_sequences sequences_of(const input *in, const int64_t *lengths,
                                    void *y)
{
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = STEPS;
    q.batch = BATCH;
    q.lengths = lengths;
    q.x = in->x;
    q.ids = in->ids;
    q.y = y;
    return q;
}

static void *run(const elman_network *n, const elman_sequences *q)
{
    elman_network_tape *tape;
    elman_sequences mine = *q;
    const int64_t count = q->steps * q->batch * elman_network_width(n);
    mine.y = scratch(count, elman_dtype_size(described(n).rnn.dtype));
    must(elman_network_tape_create(n, q->steps, q->batch, &tape));
    must(elman_network_run(n, tape, &mine));
    elman_network_tape_destroy(&tape);
    return mine.y;
}

/* What the stack by itself gives, [T,B,S*P] in doubles. */
static double *stack_output(const elman_network *n, const input *in,
                            const int64_t *lengths, int64_t width)
{
    const elman_network_desc d = described(n);
    const int64_t rows = STEPS * BATCH, E = d.embed;
    elman_rnn *rnn = stack_of(n);
    elman_tape *tape;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    tape_desc.steps = STEPS;
    tape_desc.batch = BATCH;
    tape_desc.inference_only = 1;
    const size_t size = elman_dtype_size(d.rnn.dtype);
    input dense = *in;
    if (E > 0) {
        const char *const table = part(n, "embedding.weight");
        dense = (input){scratch(rows * E, size), NULL};
        for (int64_t i = 0; i < rows; ++i)
            memcpy((char *)dense.x + (size_t)(i * E) * size,
                   table + (size_t)(in->ids[i] * E) * size, (size_t)E * size);
    }
    void *const y = scratch(rows * width, size);
    const elman_sequences q = sequences_of(&dense, lengths, y);
    must(elman_tape_create(rnn, &tape_desc, &tape));
    must(elman_rnn_run(rnn, tape, &q));
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    double *const out = scratch_doubles(rows * width);
    for (int64_t i = 0; i < rows * width; ++i)
        out[i] = element(d.rnn.dtype, y, i);
    return out;
}

/* y = h W' + b within each sequence, 0 past its end. */
static double *decoded(const elman_network *n, const double *h, int64_t width,
                       const int64_t *lengths)
{
    const elman_network_desc d = described(n);
    const int64_t O = elman_network_width(n);
    const void *const w =
        part(n, d.tie ? "embedding.weight" : "decoder.weight");
    const void *const b = part(n, "decoder.bias");
    double *const y = scratch_doubles(STEPS * BATCH * O);
    assert_true(!b == (d.no_decoder_bias != 0));
    for (int64_t row = 0; row < STEPS * BATCH; ++row)
        for (int64_t o = 0; o < O; ++o) {
            double sum = b ? element(d.rnn.dtype, b, o) : 0;
            for (int64_t j = 0; j < width; ++j)
                sum +=
                    h[row * width + j] * element(d.rnn.dtype, w, o * width + j);
            const bool inside = !lengths || row / BATCH < lengths[row % BATCH];
            y[row * O + o] = inside ? sum : 0;
        }
    return y;
}

static void test_parts(void **state)
{
    static const int64_t some[BATCH] = {4, 7, 0};
    draw d = {.stream = 120};
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        const elman_network_desc desc = kind(i);
        elman_network *n = make(&desc, &d);
        for (int k = 0; k < 2; ++k) {
            const int64_t *const lengths = k ? some : NULL;
            trying("kind %d, %s", i, k ? "with lengths" : "whole");
            const elman_rnn_desc r = described(n).rnn;
            const int64_t width =
                (r.proj > 0 ? r.proj : r.hidden) * (r.bidirectional ? 2 : 1);
            const input in = draw_input(n, &d);
            const elman_sequences q = sequences_of(&in, lengths, NULL);
            const void *const y = run(n, &q);
            const double *expected = stack_output(n, &in, lengths, width);
            if (desc.outputs > 0)
                expected = decoded(n, expected, width, lengths);
            expect_close("y", r.dtype, y, expected,
                         STEPS * BATCH * elman_network_width(n),
                         desc.outputs > 0 ? usual_tolerance(r.dtype) : 0);
        }
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
}

/* ---- The same bits -------------------------------------------------------*/

/* Sequence b alone, [T,1,.]. */
static input alone(const elman_network *n, const input *in, int64_t b)
{
    const elman_network_desc d = described(n);
    const size_t size = elman_dtype_size(d.rnn.dtype) * (size_t)d.rnn.input;
    input out = {in->x ? scratch(STEPS, size) : NULL,
                 in->ids ? scratch(STEPS, sizeof *in->ids) : NULL};
    for (int64_t t = 0; t < STEPS; ++t) {
        if (out.ids)
            out.ids[t] = in->ids[t * BATCH + b];
        else
            memcpy((char *)out.x + (size_t)t * size,
                   (const char *)in->x + (size_t)(t * BATCH + b) * size, size);
    }
    return out;
}

static void check_alone(const elman_network *n, const input *in,
                        const int64_t *lengths, const void *y, bool batch_first)
{
    const elman_dtype dtype = described(n).rnn.dtype;
    const int64_t O = elman_network_width(n);
    const size_t bytes = (size_t)O * elman_dtype_size(dtype);
    const void *const zeros = scratch(O, elman_dtype_size(dtype));
    for (int64_t b = 0; b < BATCH; ++b) {
        const input one = alone(n, in, b);
        elman_sequences q = sequences_of(&one, NULL, NULL);
        q.batch = 1;
        q.steps = lengths[b];
        const char *const single = lengths[b] > 0 ? run(n, &q) : NULL;
        for (int64_t t = 0; t < STEPS; ++t) {
            const int64_t row = batch_first ? b * STEPS + t : t * BATCH + b;
            expect_same(batch_first ? "y, batch first" : "y", dtype,
                        (const char *)y + (size_t)row * bytes,
                        t < lengths[b] ? single + (size_t)t * bytes : zeros, O);
        }
    }
}

/* Batch first: the same rows in another order, ids past an end out of range. */
static input turned(const elman_network *n, const input *in,
                    const int64_t *lengths)
{
    const elman_network_desc d = described(n);
    const size_t size = elman_dtype_size(d.rnn.dtype) * (size_t)d.rnn.input;
    input out = {in->x ? scratch(STEPS * BATCH, size) : NULL,
                 in->ids ? scratch(STEPS * BATCH, sizeof *in->ids) : NULL};
    for (int64_t b = 0; b < BATCH; ++b)
        for (int64_t t = 0; t < STEPS; ++t) {
            const int64_t to = b * STEPS + t, from = t * BATCH + b;
            if (out.ids)
                out.ids[to] = t < lengths[b] ? in->ids[from] : -5;
            else
                memcpy((char *)out.x + (size_t)to * size,
                       (const char *)in->x + (size_t)from * size, size);
        }
    return out;
}

static void test_batches(void **state)
{
    static const int64_t all[][BATCH] = {
        {7, 7, 7}, {3, 7, 5}, {5, 0, 2}, {4, 4, 4}, {0, 0, 0}};
    draw d = {.stream = 121};
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        const elman_network_desc desc = kind(i);
        elman_network *n = make(&desc, &d);
        const input in = draw_input(n, &d);
        for (int k = 0; k < 5; ++k) {
            trying("kind %d, lengths %d", i, k);
            elman_sequences q = sequences_of(&in, all[k], NULL);
            check_alone(n, &in, all[k], run(n, &q), false);
            const input other = turned(n, &in, all[k]);
            q = sequences_of(&other, all[k], NULL);
            q.batch_first = 1;
            check_alone(n, &in, all[k], run(n, &q), true);
        }
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
}

static void test_steps(void **state)
{
    draw d = {.stream = 122};
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        const elman_network_desc desc = kind(i);
        elman_network *n = make(&desc, &d);
        const elman_rnn_desc r = described(n).rnn;
        const int64_t O = elman_network_width(n);
        const size_t size = elman_dtype_size(r.dtype);
        const input in = draw_input(n, &d);
        elman_network_state *s;
        trying("kind %d, step by step", i);
        if (r.bidirectional) {
            must_fail(elman_network_state_create(n, BATCH, &s), ELMAN_EINVAL,
                      "two directions");
            elman_network_destroy(&n);
            scratch_free(NULL);
            continue;
        }
        elman_sequences q = sequences_of(&in, NULL, NULL);
        const char *const whole = run(n, &q);
        void *const y = scratch(BATCH * O, size);
        void *const h = scratch(r.layers * BATCH * r.hidden, size);
        void *const c = scratch(r.layers * BATCH * r.hidden, size);
        must(elman_network_state_create(n, BATCH, &s));
        for (int again = 0; again < 2; ++again) {
            for (int64_t t = 0; t < STEPS; ++t) {
                /* The state can be taken out and put back. */
                elman_network_state_read(s, h, c);
                elman_network_state_zero(s);
                elman_network_state_write(s, h, c);
                const size_t row = (size_t)(t * BATCH * r.input) * size;
                must(elman_network_step(n, s,
                                        in.x ? (const char *)in.x + row : NULL,
                                        in.ids ? in.ids + t * BATCH : NULL, y));
                expect_same("y", r.dtype, y,
                            whole + (size_t)(t * BATCH * O) * size, BATCH * O);
            }
            elman_network_state_zero(s);
        }
        elman_network_state_destroy(&s);
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
}

/* A network without input runs by itself. */
static void test_autonomous(void **state)
{
    draw d = {.stream = 123};
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    (void)state;
    trying("no input");
    desc.rnn.hidden = 4;
    desc.outputs = 2;
    elman_network *n = make(&desc, &d);
    const input none = {NULL, NULL};
    const elman_sequences q = sequences_of(&none, NULL, NULL);
    const float *const y = run(n, &q);
    elman_network_state *s;
    float row[BATCH * 2];
    must(elman_network_state_create(n, BATCH, &s));
    for (int64_t t = 0; t < STEPS; ++t) {
        must(elman_network_step(n, s, NULL, NULL, row));
        expect_same("y", ELMAN_F32, row, y + t * BATCH * 2, BATCH * 2);
    }
    elman_network_state_destroy(&s);
    elman_network_destroy(&n);
    scratch_free(NULL);
}

/* ---- The last step alone -------------------------------------------------*/

/* The same network with another choice of what it gives. */
static elman_network *giving(const elman_network *n, elman_decode decode)
{
    elman_network_desc d = described(n);
    elman_network *out;
    d.decode = decode;
    must(elman_network_create(plain, &d, &out));
    memcpy(elman_network_weights_begin(out), elman_network_weights(n),
           (size_t)elman_network_parameters(n) * elman_dtype_size(d.rnn.dtype));
    elman_network_weights_end(out);
    return out;
}

/* Row b is the last step of what a network that gives all steps has. */
static void check_last(const elman_network *n, const void *all, const void *y,
                       const int64_t *lengths)
{
    const elman_dtype dtype = described(n).rnn.dtype;
    const int64_t O = elman_network_width(n);
    const size_t bytes = (size_t)O * elman_dtype_size(dtype);
    for (int64_t b = 0; b < BATCH; ++b) {
        const int64_t length = lengths ? lengths[b] : STEPS;
        if (length > 0)
            expect_same("y", dtype, (const char *)y + (size_t)b * bytes,
                        (const char *)all +
                            (size_t)((length - 1) * BATCH + b) * bytes,
                        O);
    }
}

/* The first half of the last step and the second half of the first one, put
 * through the decoder; zeros of a sequence without a step. */
static double *expected_final(const elman_network *n, const double *steps,
                              int64_t width, const int64_t *lengths)
{
    double *const top = scratch_doubles(STEPS * BATCH * width);
    const int64_t half = described(n).rnn.bidirectional ? width / 2 : width;
    for (int64_t b = 0; b < BATCH; ++b) {
        const int64_t length = lengths ? lengths[b] : STEPS;
        for (int64_t j = 0; length > 0 && j < width; ++j) {
            const int64_t step = j < half ? length - 1 : 0;
            top[b * width + j] = steps[(step * BATCH + b) * width + j];
        }
    }
    return described(n).outputs > 0 ? decoded(n, top, width, NULL) : top;
}

static void check_decode(const elman_network *n, const input *in,
                         const int64_t *lengths)
{
    const elman_network_desc d = described(n);
    elman_network *last = giving(n, ELMAN_DECODE_LAST);
    elman_network *final = giving(n, ELMAN_DECODE_FINAL);
    const int64_t P = d.rnn.proj > 0 ? d.rnn.proj : d.rnn.hidden;
    const int64_t S = d.rnn.bidirectional ? 2 : 1;
    const int64_t states = d.rnn.layers * S * BATCH * P;
    void *const hT = scratch(states, elman_dtype_size(d.rnn.dtype));
    void *const all_hT = scratch(states, elman_dtype_size(d.rnn.dtype));
    elman_sequences q = sequences_of(in, lengths, NULL);
    q.hT = all_hT;
    check_last(n, run(n, &q), run(last, &q), lengths);
    q.hT = hT;
    const void *const y = run(final, &q);
    expect_same("hT", d.rnn.dtype, hT, all_hT, states);
    expect_close(
        "y of final states", d.rnn.dtype, y,
        expected_final(n, stack_output(n, in, lengths, S * P), S * P, lengths),
        BATCH * elman_network_width(n),
        d.outputs > 0 ? usual_tolerance(d.rnn.dtype) : 0);
    q.hT = NULL;
    expect_same("y without hT", d.rnn.dtype, run(final, &q), y,
                BATCH * elman_network_width(n));
    assert_int_equal(described(final).decode,
                     S == 2 ? ELMAN_DECODE_FINAL : ELMAN_DECODE_LAST);
    elman_network_destroy(&final);
    elman_network_destroy(&last);
}

static void test_decode(void **state)
{
    static const int64_t some[BATCH] = {4, 7, 0};
    draw d = {.stream = 128};
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        const elman_network_desc desc = kind(i);
        elman_network *n = make(&desc, &d);
        const input in = draw_input(n, &d);
        for (int k = 0; k < 2; ++k) {
            trying("kind %d, %s", i, k ? "with lengths" : "whole");
            check_decode(n, &in, k ? some : NULL);
        }
        const input other = turned(n, &in, some);
        elman_network *last = giving(n, ELMAN_DECODE_LAST);
        elman_sequences q = sequences_of(&in, some, NULL);
        const void *const y = run(last, &q);
        trying("kind %d, batch first", i);
        q = sequences_of(&other, some, NULL);
        q.batch_first = 1;
        expect_same("y", desc.rnn.dtype, run(last, &q), y,
                    BATCH * elman_network_width(n));
        elman_network_destroy(&last);
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
}

/* ---- Files ---------------------------------------------------------------*/

/* Loaded in any dtype: as a copy in that dtype runs, but that what is rounded
 * to bfloat16 is kept once, and not given away again. */
static void test_loaded(void **state)
{
    static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16,
                                         ELMAN_INT8};
    draw d = {.stream = 125};
    (void)state;
    for (int i = 0; i < KINDS * 16; i += 5) {
        const elman_dtype from = dtypes[i % 4], to = dtypes[i / 4 % 4];
        const elman_network_desc desc = kind(i / 16);
        elman_network *n = make(&desc, &d), *there, *copy, *loaded, *no;
        elman_memory once = ELMAN_MEMORY, plainly = ELMAN_MEMORY;
        trying("kind %d from dtype %d to %d", i / 16, from, to);
        must(elman_network_convert(n, from, &there));
        must(elman_network_save(there, "network"));
        must(elman_network_convert(there, to, &copy));
        must(elman_network_load_inference(plain, "network", to, &loaded));
        assert_int_equal(described(loaded).rnn.dtype, to);
        const input in = draw_input(copy, &d);
        const elman_sequences q = sequences_of(&in, NULL, NULL);
        expect_same("y", to == ELMAN_F64 ? to : ELMAN_F32, run(loaded, &q),
                    run(copy, &q), STEPS * BATCH * elman_network_width(n));
        must(elman_network_memory(loaded, 5, 3, &once));
        must(elman_network_memory(copy, 5, 3, &plainly));
        if (to == ELMAN_BF16) {
            must_fail(elman_network_save(loaded, "no"), ELMAN_EUNSUPPORTED,
                      "rounded to bfloat16");
            elman_onnx_desc onnx = ELMAN_ONNX_DESC;
            must_fail(elman_onnx_write(NULL, loaded, &onnx, "no"),
                      ELMAN_EUNSUPPORTED, "rounded to bfloat16");
            must_fail(elman_network_convert(loaded, ELMAN_F32, &no),
                      ELMAN_EUNSUPPORTED, "rounded to bfloat16");
        } else {
            assert_int_equal(once.total, plainly.total);
            must(elman_network_save(loaded, "again"));
            must(elman_network_save(copy, "wanted"));
            expect_same_files("again", "wanted");
        }
        elman_network_destroy(&loaded);
        elman_network_destroy(&copy);
        elman_network_destroy(&there);
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
    elman_network_desc large = ELMAN_NETWORK_DESC;
    elman_memory bytes = ELMAN_MEMORY;
    elman_network *n, *loaded;
    elman_tensors *file;
    elman_tensor weight;
    large.rnn.cell = ELMAN_CELL_GRU;
    large.rnn.input = large.rnn.hidden = 256;
    must(elman_network_create(plain, &large, &n));
    must(elman_network_save(n, "network"));
    must(elman_network_load_inference(plain, "network", ELMAN_BF16, &loaded));
    must(elman_network_memory(loaded, 0, 1, &bytes));
    assert_true((double)(bytes.weights + bytes.packed) <
                2.2 * (double)elman_network_parameters(n));
    elman_network_destroy(&loaded);
    elman_network_destroy(&n);
    must_fail(elman_network_load_inference(plain, "no", ELMAN_DTYPE_OWN, &n),
              ELMAN_EIO, "no");
    must_fail(elman_network_load_inference(plain, "network", ELMAN_I32, &n),
              ELMAN_EINVAL, "dtype is 3");
    /* What it is can be seen without reading it. */
    must(elman_tensors_peek(plain, "network", &file));
    assert_int_equal(elman_tensors_kind(file), ELMAN_KIND_NETWORK);
    must(elman_tensors_find(file, "rnn.weight_hh_l0", &weight));
    assert_true(weight.count > 0 && weight.data == NULL);
    elman_tensors_destroy(&file);
    must_fail(elman_tensors_peek(plain, "no", &file), ELMAN_EIO, "no");
}

static void test_files(void **state)
{
    draw d = {.stream = 124};
    (void)state;
    for (int i = 0; i < KINDS; ++i) {
        elman_network_desc desc = kind(i);
        desc.decode = (elman_decode)(i % 3);
        elman_network *n = make(&desc, &d), *again;
        elman_tensors *file;
        elman_lm *lm;
        size_t size, size_again;
        trying("the file of kind %d", i);
        must(elman_network_save(n, "network"));
        must(elman_network_load(plain, "network", &again));
        const elman_network_desc a = described(n), b = described(again);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(elman_network_parameters(n),
                         elman_network_parameters(again));
        expect_same("weights", desc.rnn.dtype, elman_network_weights(again),
                    elman_network_weights(n), elman_network_parameters(n));
        const input in = draw_input(n, &d);
        const elman_sequences q = sequences_of(&in, NULL, NULL);
        expect_same("y", desc.rnn.dtype, run(again, &q), run(n, &q),
                    STEPS * BATCH * elman_network_width(n));
        must(elman_network_save(again, "again"));
        char *const bytes = file_read("network", &size);
        char *const bytes_again = file_read("again", &size_again);
        assert_int_equal(size, size_again);
        assert_memory_equal(bytes, bytes_again, size);
        free(bytes);
        free(bytes_again);
        must(elman_tensors_read(plain, "network", &file));
        assert_int_equal(elman_tensors_kind(file), ELMAN_KIND_NETWORK);
        elman_tensors_destroy(&file);
        must_fail(elman_lm_load(plain, "network", &lm), ELMAN_EFORMAT,
                  "it is a network, not a language model");
        elman_network_destroy(&again);
        elman_network_destroy(&n);
        scratch_free(NULL);
    }
    elman_lm_desc lm_desc = ELMAN_LM_DESC;
    lm_desc.hidden = 4;
    elman_lm *lm = letters_lm(plain, &lm_desc, 3);
    elman_network *n;
    elman_tensors *file;
    trying("a language model");
    must(elman_lm_save(lm, "lm"));
    must_fail(elman_network_load(plain, "lm", &n), ELMAN_EFORMAT,
              "it is a language model, not a network");
    must(elman_tensors_read(plain, "lm", &file));
    assert_int_equal(elman_tensors_kind(file), ELMAN_KIND_LM);
    assert_int_equal(elman_tensors_kind(NULL), ELMAN_KIND_TENSORS);
    elman_tensors_destroy(&file);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

enum { PAIRS_MOST = 24, TENSORS_MOST = 24 };

typedef struct forgery {
    const char *meta[2 * PAIRS_MOST];
    elman_tensor tensors[TENSORS_MOST];
    int pairs, count;
} forgery;

static const char *const keys[] = {
    "format",       "kind",           "cell",      "activation", "hidden_size",
    "num_layers",   "embedding_size", "proj_size", "reset",      "tied",
    "input_size",   "bidirectional",  "bias",      "vocab_size", "output_size",
    "decoder_bias", "decode"};
enum { KEYS = sizeof keys / sizeof *keys };

static forgery copy_of(const elman_tensors *file)
{
    forgery f = {.count = elman_tensors_count(file)};
    for (int i = 0; i < KEYS; ++i) {
        f.meta[2 * f.pairs] = keys[i];
        f.meta[2 * f.pairs++ + 1] = elman_tensors_meta(file, keys[i]);
        assert_non_null(f.meta[2 * f.pairs - 1]);
    }
    for (int i = 0; i < f.count; ++i)
        must(elman_tensors_at(file, i, &f.tensors[i]));
    return f;
}

static void refuse(const forgery *f, const char *words)
{
    elman_network *n;
    must(elman_tensors_write(plain, "forged", f->tensors, f->count, f->meta,
                             f->pairs));
    must_fail(elman_network_load(plain, "forged", &n), ELMAN_EFORMAT, words);
    expect_sentence("elman_network_load", "forged");
    assert_null(n);
}

static void with_meta(const elman_tensors *file, const char *key,
                      const char *value, const char *words)
{
    forgery f = copy_of(file);
    trying("%s is %s", key, value);
    for (int i = 0; i < f.pairs; ++i)
        if (strcmp(f.meta[2 * i], key) == 0)
            f.meta[2 * i + 1] = value;
    refuse(&f, words);
}

static void without_meta(const elman_tensors *file, int key)
{
    static const char *const optional[] = {"proj_size", "reset", "tied",
                                           "decode"};
    forgery f = copy_of(file);
    trying("without %s", keys[key]);
    for (int i = 0; i < 4; ++i)
        if (strcmp(keys[key], optional[i]) == 0)
            return;
    --f.pairs;
    f.meta[2 * key] = f.meta[2 * f.pairs];
    f.meta[2 * key + 1] = f.meta[2 * f.pairs + 1];
    refuse(&f, keys[key]);
}

static void test_forgeries(void **state)
{
    draw d = {.stream = 125};
    elman_network_desc desc = kind(4 + 16); /* both directions, both around */
    (void)state;
    assert_true(desc.rnn.bidirectional && desc.embed > 0 && !desc.tie);
    elman_network *n = make(&desc, &d);
    elman_tensors *file;
    must(elman_network_save(n, "model"));
    must(elman_tensors_read(plain, "model", &file));
    for (int i = 0; i < KEYS; ++i) {
        without_meta(file, i);
        with_meta(file, keys[i], "", "");
        with_meta(file, keys[i], "nonsense", "");
        with_meta(file, keys[i], "-1", "");
    }
    with_meta(file, "hidden_size", "2000000000", "sizes");
    with_meta(file, "num_layers", "4000", "sizes");
    with_meta(file, "vocab_size", "2000000000", "sizes");
    with_meta(file, "output_size", "2000000000", "sizes");
    with_meta(file, "input_size", "2000000000", "embedding_size");
    with_meta(file, "vocab_size", "0", "vocab_size");
    with_meta(file, "cell", "none", "cell is none");
    with_meta(file, "cell", "lstm", "sizes");
    with_meta(file, "tied", "yes", "tied");
    with_meta(file, "reset", "before", "reset");
    with_meta(file, "proj_size", "2", "proj_size");
    with_meta(file, "bidirectional", "no", "decoder.weight");
    with_meta(file, "bias", "no", "not part of such a model");
    with_meta(file, "decoder_bias", "no", "decoder.bias");
    with_meta(file, "output_size", "0", "not part of such a model");

    forgery f = copy_of(file);
    trying("a tensor too few");
    f.tensors[0] = f.tensors[--f.count];
    refuse(&f, "");
    f = copy_of(file);
    trying("a tensor too many");
    f.tensors[f.count] = f.tensors[0];
    f.tensors[f.count++].name = "trainer.m";
    refuse(&f, "trainer.m");
    f = copy_of(file);
    trying("integers for weights");
    for (int i = 0; i < f.count; ++i)
        f.tensors[i].dtype = ELMAN_I32;
    refuse(&f, "rnn.weight_hh_l0 is not of floats");
    elman_tensors_destroy(&file);
    elman_network_destroy(&n);
    scratch_free(NULL);
}

/* ---- Callers' mistakes ---------------------------------------------------*/

static void test_arguments(void **state)
{
    draw d = {.stream = 126};
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_network *n = NULL, *other;
    (void)state;
    trying("wrong descriptors");
    desc.rnn.hidden = 4;
    desc.rnn.input = 3;
#define WRONG(change, words)                                                   \
    do {                                                                       \
        elman_network_desc w = desc;                                           \
        change;                                                                \
        must_fail(elman_network_create(plain, &w, &n), ELMAN_EINVAL, words);   \
        assert_null(n);                                                        \
    } while (0)
    WRONG(w.struct_size = 0, "struct_size");
    WRONG(w.rnn.struct_size = 0, "struct_size");
    WRONG(w.rnn.hidden = 0, "hidden");
    WRONG(w.rnn.single = 1, "single");
    WRONG(w.rnn.cell = ELMAN_CELL_NONE, "cell");
    WRONG(w.vocab = 5, "vocab");
    WRONG(w.embed = 5, "vocab");
    WRONG(w.vocab = 5; w.embed = 2, "input");
    WRONG(w.outputs = -1, "outputs");
    WRONG(w.tie = 1, "tie");
    WRONG(w.tie = 1; w.vocab = 5; w.rnn.input = 0; w.embed = 4;
          w.outputs = 4, "tie");
#undef WRONG
    must_fail(elman_network_create(NULL, &desc, &n), ELMAN_EINVAL, "NULL");
    must_fail(elman_network_create(plain, &desc, NULL), ELMAN_EINVAL, "NULL");

    n = make(&desc, &d);
    other = make(&desc, &d);
    elman_network_tape *tape;
    elman_network_state *s;
    float x[12] = {0}, y[16];
    int32_t ids[4] = {0};
    const int64_t lengths[2] = {3, 0};
    trying("wrong runs");
    must_fail(elman_network_tape_create(n, 0, 1, &tape), ELMAN_EINVAL, "steps");
    must_fail(elman_network_tape_create(n, 1, 0, &tape), ELMAN_EINVAL, "batch");
    must_fail(
        elman_network_tape_create(n, INT64_C(1) << 39, INT64_C(1) << 30, &tape),
        ELMAN_ENOMEM, "memory");
    must(elman_network_tape_create(n, 2, 2, &tape));
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = q.batch = 2;
    q.x = x;
    q.y = y;
    must(elman_network_run(n, tape, &q));
    must_fail(elman_network_run(other, tape, &q), ELMAN_EINVAL, "another");
#define WRONG(change, words)                                                   \
    do {                                                                       \
        elman_sequences w = q;                                                 \
        change;                                                                \
        must_fail(elman_network_run(n, tape, &w), ELMAN_EINVAL, words);        \
    } while (0)
    WRONG(w.steps = 3, "T is 3");
    WRONG(w.batch = 3, "B is 3");
    WRONG(w.lengths = lengths, "lengths[0]");
    WRONG(w.x = NULL, "x is NULL");
    WRONG(w.ids = ids, "ids");
    WRONG(w.y = x, "y is x");
    WRONG(w.c0 = x, "c0");
    WRONG(w.train = 1, "train");
#undef WRONG
    must(elman_network_state_create(n, 2, &s));
    must_fail(elman_network_step(other, s, x, NULL, y), ELMAN_EINVAL,
              "another");
    must_fail(elman_network_step(n, s, NULL, NULL, y), ELMAN_EINVAL, "x");
    must_fail(elman_network_step(n, s, x, ids, y), ELMAN_EINVAL, "ids");
    elman_network_state_destroy(&s);
    elman_network_tape_destroy(&tape);
    elman_network_destroy(&other);
    elman_network_destroy(&n);

    trying("wrong tokens");
    desc.rnn.input = 0;
    desc.vocab = 3;
    desc.embed = 2;
    n = make(&desc, &d);
    must(elman_network_tape_create(n, 2, 2, &tape));
    q.x = NULL;
    q.ids = ids;
    must(elman_network_run(n, tape, &q));
    ids[3] = 3;
    must_fail(elman_network_run(n, tape, &q), ELMAN_EINVAL, "id 3 is 3");
    ids[3] = -1;
    must_fail(elman_network_run(n, tape, &q), ELMAN_EINVAL, "id 3 is -1");
    q.x = x;
    must_fail(elman_network_run(n, tape, &q), ELMAN_EINVAL, "ids is NULL, or");
    must(elman_network_state_create(n, 2, &s));
    ids[1] = 9;
    must_fail(elman_network_step(n, s, NULL, ids, y), ELMAN_EINVAL, "id 1");
    elman_network_state_destroy(&s);
    elman_network_tape_destroy(&tape);
    elman_network_destroy(&n);
    scratch_free(NULL);

    elman_rnn_desc alone_desc = ELMAN_RNN_DESC;
    elman_rnn *rnn;
    elman_tape *rnn_tape;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    trying("tokens for a stack");
    alone_desc.hidden = 2;
    tape_desc.steps = tape_desc.batch = 2;
    must(elman_rnn_create(plain, &alone_desc, &rnn));
    must(elman_tape_create(rnn, &tape_desc, &rnn_tape));
    q = (elman_sequences)ELMAN_SEQUENCES;
    q.steps = q.batch = 2;
    q.ids = ids;
    must_fail(elman_rnn_run(rnn, rnn_tape, &q), ELMAN_EINVAL, "ids");
    elman_tape_destroy(&rnn_tape);
    elman_rnn_destroy(&rnn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_batches),
        cmocka_unit_test(test_steps),     cmocka_unit_test(test_autonomous),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_forgeries), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
