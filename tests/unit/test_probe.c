/* SPDX-License-Identifier: MIT */
/* test_probe.c - how far back the gradient reaches, against finite differences
 * and where it is known exactly. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <math.h>
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

static int kinds_of(const elman_lm_desc *desc)
{
    return desc->cell == ELMAN_CELL_LSTM ? 2 * desc->layers : desc->layers;
}

static double *probe(const elman_lm *lm, elman_text *text, int64_t first,
                     int64_t count, int64_t K, int64_t N)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    elman_probe_desc desc = ELMAN_PROBE_DESC;
    desc.first = first;
    desc.count = count;
    desc.steps = K;
    desc.positions = N;
    double *const norms = scratch_doubles((K + 1) * kinds_of(&d) * N);
    must(elman_lm_probe(lm, text, &desc, norms));
    return norms;
}

/* Any model that has a state. */
static elman_lm_desc draw_desc(draw *d)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                ELMAN_CELL_GRU};
    desc.cell = cells[draw_below(d, 3)];
    desc.hidden = 2 + draw_below(d, 6);
    desc.layers = 1 + (int)draw_below(d, 3);
    desc.embed = draw_below(d, 2) ? 1 + draw_below(d, 5) : 0;
    if (desc.cell == ELMAN_CELL_LSTM && draw_below(d, 2))
        desc.proj = 1 + draw_below(d, desc.hidden - 1);
    if (desc.cell == ELMAN_CELL_GRU)
        desc.reset_before = (int)draw_below(d, 2);
    if (draw_below(d, 3) == 0) {
        desc.tie = 1;
        desc.embed = desc.proj > 0 ? desc.proj : desc.hidden;
    }
    return desc;
}

static const char *name_of(const elman_lm_desc *d)
{
    static char name[128];
    snprintf(name, sizeof name, "cell %d, H %lld P %lld L %d E %lld tie %d",
             (int)d->cell, (long long)d->hidden, (long long)d->proj, d->layers,
             (long long)d->embed, d->tie);
    return name;
}

/* ---- Finite differences --------------------------------------------------*/

/* A state that is carried, taken apart. */
typedef struct parts {
    int64_t P, H, h, all; /* widths; elements of h, and of h and c */
} parts;

static parts parts_of(const elman_lm_desc *d)
{
    parts p = {.P = d->proj > 0 ? d->proj : d->hidden, .H = d->hidden};
    p.h = d->layers * p.P;
    p.all = p.h + (d->cell == ELMAN_CELL_LSTM ? d->layers * p.H : 0);
    return p;
}

static int kind_of(const parts *p, const elman_lm_desc *d, int64_t element)
{
    return (int)(element < p->h ? element / p->P
                                : d->layers + (element - p->h) / p->H);
}

/* -ln p of ids[K] after ids[0] ... ids[K-1], from this state; with K = 0 the
 * state is that of the last step, and the decoder is written out. */
static double loss_from(const elman_lm *lm, elman_lm_state *state,
                        const double *carried, const int32_t *ids, int64_t K)
{
    const int64_t V = elman_vocab_size(elman_lm_vocab(lm));
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    const parts p = parts_of(&d);
    double logits[32], sum = 0;
    assert_true(V <= 32);
    must(elman_lm_state_write(state, carried));
    for (int64_t t = 0; t < K; ++t)
        must(elman_lm_step(lm, state, ids + t, logits));
    if (K == 0) {
        const double *const w = elman_lm_weights(lm);
        elman_view v[2] = {{0}};
        for (int i = 0; i < elman_lm_view_count(lm); ++i) {
            elman_view view;
            must(elman_lm_view(lm, i, &view));
            if (!strcmp(view.name,
                        d.tie ? "embedding.weight" : "decoder.weight"))
                v[0] = view;
            if (!strcmp(view.name, "decoder.bias"))
                v[1] = view;
        }
        for (int64_t i = 0; i < V; ++i) {
            logits[i] = w[v[1].offset + i];
            for (int64_t j = 0; j < p.P; ++j)
                logits[i] +=
                    w[v[0].offset + i * p.P + j] * carried[p.h - p.P + j];
        }
    }
    for (int64_t i = 0; i < V; ++i)
        sum += exp(logits[i] - logits[ids[K]]);
    return log(sum);
}

static void check_differences(draw *d)
{
    enum { COUNT = 40, K = 6, N = 3, FIRST = 4 };
    elman_lm_desc desc = draw_desc(d);
    desc.dtype = ELMAN_F64;
    trying("differences: %s", name_of(&desc));
    elman_lm *lm = letters_lm(plain, &desc, 7);
    letters_write("book.txt", d, 7, COUNT);
    elman_text *text = letters_open(plain, "book.txt", elman_lm_vocab(lm));
    const double *const norms = probe(lm, text, FIRST, COUNT - FIRST, K, N);
    const int kinds = kinds_of(&desc);
    const parts p = parts_of(&desc);
    double *const carried = scratch_doubles(p.all);
    int32_t ids[COUNT];
    elman_lm_state *state;
    must(elman_lm_state_create(lm, 1, &state));
    must(elman_text_read(text, 0, COUNT, ids));
    for (int n = 0; n < N; ++n) {
        /* The last step of place n, and what follows it. */
        const int64_t t = FIRST + (COUNT - FIRST - 1 - K) * n / (N - 1) + K - 1;
        for (int k = 0; k <= K; ++k) {
            double squares[16] = {0}, expected[16], got[16];
            elman_lm_state_zero(state);
            for (int64_t i = FIRST; i <= t - k; ++i)
                must(elman_lm_step(lm, state, ids + i, NULL));
            elman_lm_state_read(state, carried);
            for (int64_t i = 0; i < p.all; ++i) {
                const double was = carried[i], eps = 1e-5;
                double side[2];
                for (int s = 0; s < 2; ++s) {
                    carried[i] = was + (s ? eps : -eps);
                    side[s] = loss_from(lm, state, carried, ids + t - k + 1, k);
                }
                carried[i] = was;
                const double slope = (side[1] - side[0]) / (2 * eps);
                squares[kind_of(&p, &desc, i)] += slope * slope;
            }
            for (int i = 0; i < kinds; ++i) {
                expected[i] = sqrt(squares[i]);
                got[i] = norms[(k * kinds + i) * N + n];
            }
            expect_near("norms", ELMAN_F64, got, expected, kinds, 1e-7, 1e-2);
        }
    }
    elman_lm_state_destroy(&state);
    elman_text_close(&text);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

static void test_differences(void **state)
{
    (void)state;
    draw d = {.stream = 130};
    for (int i = 0; i < 40; ++i)
        check_differences(&d);
}

/* ---- Where the norm is known ---------------------------------------------*/

/* relu of sums that are greater than 0 is linear: h_t = W h_{t-1} + b, and the
 * gradient k steps back is (W')^k dh.  W is `scale` times a permutation, so
 * that the norm is scale^k that of dh, exactly where scale is a
 * power of 2. */
static void check_linear(double scale, elman_dtype dtype)
{
    enum { H = 5, K = 60, COUNT = 80, N = 4 };
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.activation = ELMAN_RELU;
    desc.dtype = dtype;
    desc.hidden = H;
    desc.layers = 1;
    trying("linear: %g, dtype %d", scale, (int)dtype);
    elman_lm *lm = letters_lm(plain, &desc, 3);
    const int64_t V = elman_vocab_size(elman_lm_vocab(lm));
    double *const w = scratch_doubles(elman_lm_parameters(lm));
    for (int i = 0; i < elman_lm_view_count(lm); ++i) {
        elman_view v;
        must(elman_lm_view(lm, i, &v));
        for (int64_t j = 0; j < v.count; ++j) {
            double *const at = w + v.offset + j;
            if (!strcmp(v.name, "rnn.weight_hh_l0"))
                *at = (j / H + 2) % H == j % H ? scale : 0;
            else if (!strcmp(v.name, "rnn.bias_ih_l0"))
                *at = ldexp(1, -70); /* small, so that no logit saturates */
            else if (!strcmp(v.name, "decoder.weight"))
                *at = 0.25 + (double)(j % (V + 2));
        }
    }
    void *const block = elman_lm_weights_begin(lm);
    memcpy(block, scratch_as(dtype, w, elman_lm_parameters(lm)),
           (size_t)elman_lm_parameters(lm) * elman_dtype_size(dtype));
    elman_lm_weights_end(lm);
    draw d = {.stream = 131};
    letters_write("book.txt", &d, 3, COUNT);
    elman_text *text = letters_open(plain, "book.txt", elman_lm_vocab(lm));
    const double *const norms = probe(lm, text, 0, COUNT, K, N);
    const bool exact = scale == 0.5 || scale == 1 || scale == 2;
    for (int n = 0; n < N; ++n) {
        assert_true(norms[n] > 0.01);
        for (int k = 1; k <= K; ++k) {
            const double expected = norms[n] * pow(scale, k);
            /* After H turns every element is back at its place in the sum. */
            if (k % H == 0 && exact)
                expect_same("norm", ELMAN_F64, &norms[k * N + n], &expected, 1);
            expect_close("norm", ELMAN_F64, &norms[k * N + n], &expected, 1,
                         exact                ? 1e-15
                         : dtype == ELMAN_F64 ? 1e-13
                                              : 1e-5);
        }
    }
    elman_text_close(&text);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

static void test_linear(void **state)
{
    (void)state;
    const double scales[] = {0.5, 1, 2, 0.3, 1.3};
    for (int i = 0; i < 5; ++i) {
        check_linear(scales[i], ELMAN_F64);
        check_linear(scales[i], ELMAN_F32);
    }
}

/* ---- The same bits -------------------------------------------------------*/

static void test_same_bits(void **state)
{
    (void)state;
    enum { COUNT = 250, K = 20, N = 9 };
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 132};
    letters_write("book.txt", &d, 9, COUNT);
    for (int round = 0; round < 6; ++round) {
        elman_lm_desc desc = draw_desc(&d);
        if (round == 0) { /* worth several threads */
            desc.hidden = 130;
            desc.proj = 0;
            desc.embed = desc.tie ? desc.hidden : desc.embed;
        }
        const int kinds = kinds_of(&desc);
        const double *first = NULL;
        for (int i = 0; i < count; ++i) {
            trying("%s: %s", list[i].name, name_of(&desc));
            elman_lm *lm = letters_lm(list[i].context, &desc, 9);
            elman_text *text =
                letters_open(list[i].context, "book.txt", elman_lm_vocab(lm));
            const double *const norms = probe(lm, text, 0, COUNT, K, N);
            first = first ? first : norms;
            expect_same("norms", ELMAN_F64, norms, first, (K + 1) * kinds * N);
            /* A place looked back from alone is the last of many. */
            const double *const alone = probe(lm, text, 0, COUNT, K, 1);
            for (int64_t k = 0; k < (K + 1) * kinds; ++k)
                expect_same("alone", ELMAN_F64, &alone[k],
                            &first[k * N + N - 1], 1);
            elman_text_close(&text);
            elman_lm_destroy(&lm);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* ---- Mistakes ------------------------------------------------------------*/

static void test_mistakes(void **state)
{
    (void)state;
    draw d = {.stream = 133};
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 3;
    elman_lm *lm = letters_lm(plain, &desc, 4);
    letters_write("book.txt", &d, 4, 20);
    elman_text *text = letters_open(plain, "book.txt", elman_lm_vocab(lm));
    letters_write("other.txt", &d, 5, 20);
    elman_text *other = letters_open(plain, "other.txt", NULL);
    double norms[200];
    elman_probe_desc p = ELMAN_PROBE_DESC;
    p.count = 20;
    p.steps = 5;
    p.positions = 15;
    must(elman_lm_probe(lm, text, &p, norms));
    must_fail(elman_lm_probe(lm, text, &p, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_lm_probe(lm, text, NULL, norms), ELMAN_EINVAL, "NULL");
    p.positions = 16;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_ETEXT, "16 places");
    p.positions = 0;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_EINVAL, "at least 1");
    p.positions = 1;
    p.steps = 19;
    must(elman_lm_probe(lm, text, &p, norms));
    p.steps = 20;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_ETEXT, "20 steps");
    p.steps = INT64_MAX;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_ETEXT, "too few");
    p.steps = 5;
    p.first = 1;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_EINVAL, "tokens 1");
    p.first = 0;
    must_fail(elman_lm_probe(lm, other, &p, norms), ELMAN_EINVAL, "vocabulary");
    p.struct_size = 4;
    must_fail(elman_lm_probe(lm, text, &p, norms), ELMAN_EINVAL,
              "elman_probe_desc");
    p.struct_size = sizeof p;
    desc.cell = ELMAN_CELL_NONE;
    desc.context = 3;
    elman_lm *none = letters_lm(plain, &desc, 4);
    must_fail(elman_lm_probe(none, text, &p, norms), ELMAN_EUNSUPPORTED,
              "3 tokens");
    elman_lm_destroy(&none);
    elman_text_close(&other);
    elman_text_close(&text);
    elman_lm_destroy(&lm);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(differences),
        TEST(linear),
        TEST(same_bits),
        TEST(mistakes),
    };
    return cmocka_run_group_tests_name("probe", tests, begin, end);
}
