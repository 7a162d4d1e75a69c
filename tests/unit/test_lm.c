/* SPDX-License-Identifier: MIT */
/* test_lm.c - language models: their numbers, their bits, their files. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/oracle_lm.h"
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

static int64_t classes_of(const elman_lm *lm)
{
    return elman_vocab_size(elman_lm_vocab(lm));
}

static elman_dtype dtype_of(const elman_lm *lm)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_lm_describe(lm, &desc);
    return desc.dtype;
}

static double *weights_of(const elman_lm *lm)
{
    const int64_t P = elman_lm_parameters(lm);
    double *const w = scratch_doubles(P);
    for (int64_t i = 0; i < P; ++i)
        w[i] = element(dtype_of(lm), elman_lm_weights(lm), i);
    return w;
}

/* ---- Against the textbook ------------------------------------------------*/

typedef struct piece {
    int64_t T, B;
    int32_t *ids, *targets;
} piece;

static piece draw_piece(draw *d, int64_t T, int64_t B, int64_t classes)
{
    return (piece){T, B, letters_ids(d, T * B, classes, false),
                   letters_ids(d, T * B, classes, true)};
}

static double run_piece(const elman_lm *lm, elman_lm_tape *tape,
                        elman_lm_state *state, const piece *p, double scale,
                        void *grad)
{
    elman_lm_batch batch = ELMAN_LM_BATCH;
    batch.steps = p->T;
    batch.batch = p->B;
    batch.ids = p->ids;
    batch.targets = p->targets;
    batch.scale = scale;
    double loss;
    int64_t kept, count = 0;
    must(elman_lm_forward(lm, tape, &batch, state, &loss, &kept));
    for (int64_t i = 0; i < p->T * p->B; ++i)
        count += p->targets[i] != ELMAN_IGNORE;
    assert_int_equal(kept, count);
    if (grad)
        must(elman_lm_backward(lm, tape, grad));
    return loss;
}

/* Gradients of one parameter that nearly cancel are measured by the largest
 * of all. */
static void compare_gradients(const elman_lm *lm, const void *got,
                              const double *expected)
{
    const elman_dtype dtype = dtype_of(lm);
    double largest = 0;
    for (int64_t i = 0; i < elman_lm_parameters(lm); ++i)
        largest = fmax(largest, fabs(expected[i]));
    for (int i = 0; i < elman_lm_view_count(lm); ++i) {
        elman_view v;
        must(elman_lm_view(lm, i, &v));
        expect_near(v.name, dtype,
                    (const char *)got +
                        (size_t)v.offset * elman_dtype_size(dtype),
                    expected + v.offset, v.count, usual_tolerance(dtype),
                    v.count < 32 ? largest : 0.01 * largest);
    }
}

/* Two pieces of a text, the state carried from the first to the second. */
static void check_by_the_book(draw *d, elman_dtype dtype)
{
    elman_lm_desc desc = letters_draw_desc(d);
    desc.dtype = dtype;
    elman_lm *lm = letters_lm(plain, &desc, 1 + (int)draw_below(d, 20));
    const int64_t V = classes_of(lm), B = 1 + draw_below(d, 6);
    const int64_t P = elman_lm_parameters(lm);
    const int64_t T = draw_below(d, 4) ? 9 : 80;
    trying("by the book: %s, V %lld B %lld", letters_name(&desc), (long long)V,
           (long long)B);
    elman_lm_tape *tape;
    elman_lm_state *state;
    must(elman_lm_tape_create(lm, T, B, &tape));
    must(elman_lm_state_create(lm, B, &state));
    const int64_t past = desc.context ? desc.context - 1 : 0;
    int32_t *const before = scratch(past * B, sizeof *before);
    for (int64_t i = 0; i < past * B; ++i)
        before[i] = -1;
    double *const hT =
        scratch_doubles((desc.layers ? desc.layers : 1) * B * desc.hidden);
    double nearest = INFINITY;
    for (int i = 0; i < 2; ++i) {
        const piece p = draw_piece(d, 1 + draw_below(d, T), B, V);
        const oracle_lm o = {.desc = desc,
                             .classes = V,
                             .steps = p.T,
                             .batch = B,
                             .w = weights_of(lm),
                             .h0 = hT,
                             .past = before,
                             .ids = p.ids,
                             .targets = p.targets,
                             .scale = 0.3};
        double *const expected = scratch_doubles(P);
        double near;
        const double loss = oracle_lm_run(&o, expected, NULL, hT, &near);
        nearest = fmin(nearest, near);
        void *const grad = scratch(P, elman_dtype_size(dtype));
        const double got = run_piece(lm, tape, state, &p, 0.3, grad);
        expect_near("loss", ELMAN_F64, &got, &loss, 1, usual_tolerance(dtype),
                    1);
        if (desc.activation != ELMAN_RELU ||
            nearest > 0.2 * usual_tolerance(dtype))
            compare_gradients(lm, grad, expected);
        for (int64_t k = 0; k < past * B; ++k) {
            const int64_t at = p.T * B + k - past * B;
            before[k] = at >= 0 ? p.ids[at] : before[k + p.T * B];
        }
    }
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

static void test_by_the_book(void **state)
{
    (void)state;
    draw d = {.stream = 70};
    for (int i = 0; i < 80; ++i)
        check_by_the_book(&d, i % 2 ? ELMAN_F64 : ELMAN_F32);
}

/* ---- The same bits -------------------------------------------------------*/

static void test_threads_and_levels(void **state)
{
    (void)state;
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 71};
    for (int k = 0; k < 14; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        int64_t T = 1 + draw_below(&d, 70), B = 1 + draw_below(&d, 9);
        if (k < 4) { /* worth several threads in every part */
            desc.hidden = 130;
            T = 5;
            B = 30;
        }
        const piece p = draw_piece(&d, T, B, 27);
        float *first = NULL;
        double loss = 0;
        for (int i = 0; i < count; ++i) {
            trying("%s: %s", list[i].name, letters_name(&desc));
            elman_lm *lm = letters_lm(list[i].context, &desc, 26);
            const int64_t P = elman_lm_parameters(lm);
            float *const grad = scratch(P, sizeof *grad);
            elman_lm_tape *tape;
            must(elman_lm_tape_create(lm, T, B, &tape));
            const double got = run_piece(lm, tape, NULL, &p, 0.01, grad);
            if (i == 0) {
                first = grad;
                loss = got;
            }
            expect_same("loss", ELMAN_F64, &got, &loss, 1);
            expect_same("grad", ELMAN_F32, grad, first, P);
            elman_lm_tape_destroy(&tape);
            elman_lm_destroy(&lm);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* Losses of p's sequence b, one after another, by steps of one token: logits
 * of elman_lm_step, losses of elman_cross_entropy. */
static double loss_in_steps(const elman_lm *lm, const piece *p, int64_t b)
{
    const int64_t V = classes_of(lm);
    elman_xent_desc desc = ELMAN_XENT_DESC;
    desc.dtype = dtype_of(lm);
    desc.rows = 1;
    desc.classes = V;
    desc.reduction = ELMAN_SUM;
    elman_lm_state *state;
    must(elman_lm_state_create(lm, 1, &state));
    void *const logits = scratch(V, elman_dtype_size(desc.dtype));
    double sum = 0;
    for (int64_t t = 0; t < p->T; ++t) {
        const int64_t target = p->targets[t * p->B + b];
        double loss;
        must(elman_lm_step(lm, state, &p->ids[t * p->B + b], logits));
        must(elman_cross_entropy(plain, &desc, logits, &target, NULL, NULL,
                                 &loss));
        sum += loss;
    }
    elman_lm_state_destroy(&state);
    return sum;
}

/* A sequence's loss is the same in a batch, alone, and one step at a time;
 * whole, and in two pieces with the state carried. */
static void test_splits(void **state)
{
    (void)state;
    draw d = {.stream = 72};
    for (int k = 0; k < 30; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = k % 5 == 4 ? ELMAN_F64 : ELMAN_F32;
        elman_lm *lm = letters_lm(plain, &desc, 9);
        const int64_t T = 2 + draw_below(&d, 70), B = 1 + draw_below(&d, 5);
        trying("splits: %s, T %lld B %lld", letters_name(&desc), (long long)T,
               (long long)B);
        const piece p = draw_piece(&d, T, B, classes_of(lm));
        elman_lm_tape *tape;
        must(elman_lm_tape_create(lm, T, B, &tape));
        for (int64_t b = 0; b < B; ++b) {
            /* The others' targets are left out, so that sums are of the same
             * numbers in the same order. */
            piece mine = p;
            mine.targets = scratch(T * B, sizeof *mine.targets);
            for (int64_t i = 0; i < T * B; ++i)
                mine.targets[i] = i % B == b ? p.targets[i] : ELMAN_IGNORE;
            const double whole = run_piece(lm, tape, NULL, &mine, 1, NULL);
            const double steps = loss_in_steps(lm, &p, b);
            expect_same("in steps", ELMAN_F64, &steps, &whole, 1);

            piece alone = {T, 1, scratch(T, sizeof *alone.ids),
                           scratch(T, sizeof *alone.targets)};
            for (int64_t t = 0; t < T; ++t) {
                alone.ids[t] = p.ids[t * B + b];
                alone.targets[t] = p.targets[t * B + b];
            }
            const double single = run_piece(lm, tape, NULL, &alone, 1, NULL);
            expect_same("alone", ELMAN_F64, &single, &whole, 1);

            /* All the losses of a piece are in one sum; the last one's, which
             * all before it shape, stands alone. */
            const int64_t cut = 1 + draw_below(&d, T - 1);
            for (int64_t t = 0; t < T - 1; ++t)
                alone.targets[t] = ELMAN_IGNORE;
            const double last = run_piece(lm, tape, NULL, &alone, 1, NULL);
            elman_lm_state *carried;
            must(elman_lm_state_create(lm, 1, &carried));
            const piece one = {cut, 1, alone.ids, alone.targets};
            const piece two = {T - cut, 1, alone.ids + cut,
                               alone.targets + cut};
            const double first = run_piece(lm, tape, carried, &one, 1, NULL);
            const double second = run_piece(lm, tape, carried, &two, 1, NULL);
            assert_true(first == 0);
            expect_same("in two pieces", ELMAN_F64, &second, &last, 1);
            elman_lm_state_destroy(&carried);
        }
        elman_lm_tape_destroy(&tape);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
}

/* ---- Evaluation ----------------------------------------------------------*/

static void test_eval(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    draw d = {.stream = 73};
    variant list[MOST_VARIANTS];
    const int variants = variants_create(list);
    letters_write("book.txt", &d, 12, COUNT); /* 9 of which the model knows */
    for (int k = 0; k < 8; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        for (int i = 0; i < variants; ++i) {
            elman_context *const context = list[i].context;
            trying("eval, %s: %s", list[i].name, letters_name(&desc));
            elman_lm *lm = letters_lm(context, &desc, 9);
            elman_text *text =
                letters_open(context, "book.txt", elman_lm_vocab(lm));
            int32_t ids[COUNT];
            must(elman_text_read(text, 0, COUNT, ids));
            const int64_t first = i % 2 ? 0 : 37, count = COUNT - 2 * first;
            const piece p = {count - 1, 1, ids + first, ids + first + 1};
            elman_lm_score score = ELMAN_LM_SCORE;
            must(elman_lm_eval(lm, text, first, count, &score));
            const double nats = loss_in_steps(lm, &p, 0);
            expect_same("nats", ELMAN_F64, &score.nats, &nats, 1);
            int64_t unknown = 0;
            for (int64_t t = 0; t < p.T; ++t)
                unknown += p.targets[t] == 0;
            assert_true(unknown > 0);
            assert_int_equal(score.unknown, unknown);
            assert_int_equal(score.tokens, count - 1);
            assert_true(score.chars == (double)(count - 1));
            must_fail(elman_lm_eval(lm, text, 0, 1, &score), ELMAN_ETEXT,
                      "1 token");
            must_fail(elman_lm_eval(lm, text, 1, COUNT, &score), ELMAN_EINVAL,
                      "700");
            must_fail(elman_lm_eval(lm, text, -1, 5, &score), ELMAN_EINVAL,
                      "tokens");
            elman_text_close(&text);
            elman_lm_destroy(&lm);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, variants);
}

/* ---- Files ---------------------------------------------------------------*/

static void expect_same_models(const elman_lm *a, const elman_lm *b)
{
    elman_lm_desc one = ELMAN_LM_DESC, two = ELMAN_LM_DESC;
    elman_lm_describe(a, &one);
    elman_lm_describe(b, &two);
    assert_int_equal(one.cell, two.cell);
    assert_int_equal(one.activation, two.activation);
    assert_int_equal(one.dtype, two.dtype);
    assert_int_equal(one.hidden, two.hidden);
    assert_int_equal(one.layers, two.layers);
    assert_int_equal(one.embed, two.embed);
    assert_int_equal(one.context, two.context);
    assert_int_equal(elman_lm_parameters(a), elman_lm_parameters(b));
    expect_same("weights", one.dtype, elman_lm_weights(a), elman_lm_weights(b),
                elman_lm_parameters(a));
    assert_string_equal(elman_lm_history(a), elman_lm_history(b));
    assert_int_equal(classes_of(a), classes_of(b));
    for (int32_t id = 0; id < classes_of(a); ++id) {
        size_t n, m;
        const char *const x = elman_vocab_token(elman_lm_vocab(a), id, &n);
        const char *const y = elman_vocab_token(elman_lm_vocab(b), id, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
    }
}

static void test_save_and_load(void **state)
{
    (void)state;
    draw d = {.stream = 74};
    elman_context *c = make_context(3, "c");
    for (int k = 0; k < 16; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = k % 4 == 3 ? ELMAN_F64 : ELMAN_F32;
        trying("save and load: %s", letters_name(&desc));
        elman_lm *lm = letters_lm(plain, &desc, 5), *again;
        must(elman_lm_save(lm, "model"));
        must(elman_lm_load(c, "model", &again));
        expect_same_models(lm, again);
        must(elman_lm_save(again, "model again"));
        expect_same_files("model", "model again");
        const piece p = draw_piece(&d, 8, 1, classes_of(lm));
        const double one = loss_in_steps(lm, &p, 0);
        const double two = loss_in_steps(again, &p, 0);
        expect_same("loss", ELMAN_F64, &two, &one, 1);
        elman_lm_destroy(&again);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
    elman_context_destroy(&c);
}

static void test_save_fails_whole(void **state)
{
    (void)state;
    trying("saving where one cannot");
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 4;
    elman_lm *lm = letters_lm(plain, &desc, 5), *other;
    folder_entries(".", true);
    must_fail(elman_lm_save(lm, "nowhere/model"), ELMAN_EIO, "nowhere/model");
    must_fail(elman_lm_save(lm, ""), ELMAN_EIO, "");
    must_fail(elman_lm_save(NULL, "model"), ELMAN_EINVAL, "NULL");
    must_fail(elman_lm_save(lm, NULL), ELMAN_EINVAL, "NULL");
    assert_int_equal(folder_entries(".", false), 0);
    must(elman_lm_save(lm, "model"));
    must(elman_lm_save(lm, "model"));
    assert_int_equal(folder_entries(".", false), 1);
    must_fail(elman_lm_load(plain, "nothing", &other), ELMAN_EIO, "nothing");
    must_fail(elman_lm_load(plain, ".", &other), ELMAN_EIO, ".");
    must_fail(elman_lm_load(NULL, "model", &other), ELMAN_EINVAL, "NULL");
    assert_null(other);
    elman_lm_destroy(&lm);
}

/* Loading damaged bytes fails with a sentence that names the file, or gives
 * the very same model (where the damage only hid the checksum). */
static bool load_damaged(const elman_lm *lm, const char *bytes, size_t size)
{
    elman_lm *other;
    file_write("damaged", bytes, size);
    const elman_status s = elman_lm_load(plain, "damaged", &other);
    if (s) {
        assert_null(other);
        expect_sentence("elman_lm_load", "damaged");
        if (s != ELMAN_EFORMAT)
            fail_trying("status %s: %s", elman_status_name(s), elman_message());
        return false;
    }
    expect_same("weights", ELMAN_F32, elman_lm_weights(other),
                elman_lm_weights(lm), elman_lm_parameters(lm));
    elman_lm_destroy(&other);
    return true;
}

static void test_damage(void **state)
{
    (void)state;
    draw d = {.stream = 75};
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 3;
    desc.embed = 2;
    elman_lm *lm = letters_lm(plain, &desc, 4);
    must(elman_lm_save(lm, "model"));
    size_t size = 0;
    char *const bytes = file_read("model", &size);
    for (size_t n = 0; n < size; n += n < 200 ? 1 : 7) {
        trying("cut to %zu bytes", n);
        if (load_damaged(lm, bytes, n))
            fail_trying("loaded");
    }
    int loaded = 0;
    for (size_t n = 0; n < size; ++n) {
        const char was = bytes[n];
        trying("another byte at %zu", n);
        bytes[n] = (char)(was ^ (1 << draw_below(&d, 8)));
        loaded += load_damaged(lm, bytes, size);
        bytes[n] = was;
    }
    assert_true(loaded <= 8); /* the letters of "checksum" */
    trying("no damage");
    assert_true(load_damaged(lm, bytes, size));
    free(bytes);
    elman_lm_destroy(&lm);
}

/* ---- Files that are whole, but wrong -------------------------------------*/

enum { MOST_TENSORS = 16, MOST_META = 16 };

typedef struct forgery {
    elman_tensor tensors[MOST_TENSORS];
    int count;
    const char *meta[2 * MOST_META];
    int pairs;
} forgery;

static const char *const meta_keys[] = {
    "format",      "kind",       "cell",           "activation",
    "hidden_size", "num_layers", "embedding_size", "context_size",
    "level",       "normalize",  "vocabulary"};

static forgery copy_of(const elman_tensors *file)
{
    forgery f = {.count = elman_tensors_count(file)};
    assert_true(f.count <= MOST_TENSORS);
    for (int i = 0; i < f.count; ++i)
        must(elman_tensors_at(file, i, &f.tensors[i]));
    for (size_t i = 0; i < sizeof meta_keys / sizeof *meta_keys; ++i) {
        f.meta[2 * f.pairs] = meta_keys[i];
        f.meta[2 * f.pairs + 1] = elman_tensors_meta(file, meta_keys[i]);
        assert_non_null(f.meta[2 * f.pairs + 1]);
        ++f.pairs;
    }
    return f;
}

static void refuse(const forgery *f, const char *words)
{
    elman_lm *lm;
    must(elman_tensors_write(plain, "forged", f->tensors, f->count, f->meta,
                             f->pairs));
    must_fail(elman_lm_load(plain, "forged", &lm), ELMAN_EFORMAT, words);
    expect_sentence("elman_lm_load", "forged");
    assert_null(lm);
}

static void with_meta(const elman_tensors *file, const char *key,
                      const char *value, const char *words)
{
    forgery f = copy_of(file);
    trying("%s is %s", key, value ? value : "missing");
    for (int i = 0; i < f.pairs; ++i)
        if (strcmp(f.meta[2 * i], key) == 0) {
            f.meta[2 * i + 1] = value;
            if (!value) {
                --f.pairs;
                f.meta[2 * i] = f.meta[2 * f.pairs];
                f.meta[2 * i + 1] = f.meta[2 * f.pairs + 1];
            }
            refuse(&f, words);
            return;
        }
    fail_trying("there is no such key");
}

static elman_tensor *find(forgery *f, const char *name)
{
    for (int i = 0; i < f->count; ++i)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    fail_trying("there is no tensor %s", name);
    return NULL;
}

static void test_forgeries(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 6;
    elman_lm *lm = letters_lm(plain, &desc, 4);
    must(elman_lm_save(lm, "model"));
    elman_tensors *file;
    must(elman_tensors_read(plain, "model", &file));
    forgery f = copy_of(file);
    trying("the file written again");
    elman_lm *again;
    must(elman_tensors_write(plain, "forged", f.tensors, f.count, f.meta,
                             f.pairs));
    must(elman_lm_load(plain, "forged", &again));
    expect_same_models(again, lm);
    elman_lm_destroy(&again);

    for (size_t i = 0; i < sizeof meta_keys / sizeof *meta_keys; ++i) {
        with_meta(file, meta_keys[i], NULL, meta_keys[i]);
        with_meta(file, meta_keys[i], "", "");
        with_meta(file, meta_keys[i], "nonsense", "");
        with_meta(file, meta_keys[i], "-1", "");
    }
    with_meta(file, "hidden_size", "7", "");
    with_meta(file, "hidden_size", "2000000000", "");
    with_meta(file, "hidden_size", "99999999999999999999999", "hidden_size");
    with_meta(file, "hidden_size", "6.0", "hidden_size");
    with_meta(file, "num_layers", "2", "");
    with_meta(file, "num_layers", "4000", "");
    with_meta(file, "embedding_size", "5", "");
    with_meta(file, "context_size", "3", "context_size");
    with_meta(file, "cell", "none", "");
    with_meta(file, "cell", "peephole", "peephole");
    with_meta(file, "cell", "lstm", "sizes");
    with_meta(file, "level", "byte", "");
    with_meta(file, "vocabulary", "[\"<unk>\",\"a\",\"b\",\"c\"]", "");
    with_meta(file, "vocabulary", "[\"<unk>\",\"a\",\"b\",\"c\",\"c\"]", "");
    with_meta(file, "vocabulary", "[\"<unk>\",\"a\",\"b\",\"c\",\"dd\"]", "");
    with_meta(file, "vocabulary", "[\"<unk>\",\"a\",\"b\",\"c\",\"d\"", "");
    with_meta(file, "vocabulary", "[1,2,3,4,5]", "");
    with_meta(file, "vocabulary", "[]", "");
    with_meta(file, "vocabulary", "{}", "");

    f = copy_of(file);
    trying("a tensor too few");
    *find(&f, "rnn.bias_hh_l0") = f.tensors[--f.count];
    refuse(&f, "");
    f = copy_of(file);
    trying("a tensor too many");
    f.tensors[f.count] = *find(&f, "decoder.bias");
    f.tensors[f.count++].name = "something.else";
    refuse(&f, "something.else");
    f = copy_of(file);
    trying("a tensor turned round");
    find(&f, "decoder.weight")->shape[0] = 6;
    find(&f, "decoder.weight")->shape[1] = 5;
    refuse(&f, "decoder.weight");
    f = copy_of(file);
    trying("a tensor of another rank");
    find(&f, "decoder.bias")->rank = 2;
    find(&f, "decoder.bias")->shape[1] = 1;
    refuse(&f, "decoder.bias");
    f = copy_of(file);
    trying("integers for weights");
    find(&f, "rnn.weight_hh_l0")->dtype = ELMAN_I32;
    refuse(&f, "rnn.weight_hh_l0");
    f = copy_of(file);
    trying("integers for decoder.weight");
    find(&f, "decoder.weight")->dtype = ELMAN_I32;
    refuse(&f, "decoder.weight");
    elman_tensors_destroy(&file);
    elman_lm_destroy(&lm);
}

/* ---- Choosing ------------------------------------------------------------*/

/* The definition, by brute force; sets *margin to how far the choice is from
 * another one. */
static int32_t choose(const elman_sampler *s, const double *logits, int64_t V,
                      double u, double *margin)
{
    double p[64], total = 0;
    bool in[64];
    for (int64_t i = 0; i < V; ++i) {
        p[i] = exp(logits[i] / s->temperature);
        total += p[i];
        in[i] = true;
    }
    for (int64_t i = 0; i < V; ++i) {
        int64_t larger = 0;
        double sum = 0;
        for (int64_t j = 0; j < V; ++j)
            if (p[j] > p[i] || (p[j] == p[i] && j < i)) {
                ++larger;
                sum += p[j];
            }
        if (s->top_p > 0 && s->top_p < 1)
            *margin = fmin(*margin, fabs(sum / total - s->top_p));
        in[i] = !(s->top_k > 0 && larger >= s->top_k) &&
                !(s->top_p > 0 && s->top_p < 1 && sum >= s->top_p * total);
    }
    total = 0;
    for (int64_t i = 0; i < V; ++i)
        total += in[i] ? p[i] : 0;
    double running = 0;
    int32_t id = -1;
    for (int64_t i = 0; i < V; ++i) {
        running += in[i] ? p[i] / total : 0;
        if (id < 0 && running > u)
            id = (int32_t)i;
        *margin = fmin(*margin, fabs(running - u));
    }
    return id;
}

static void test_choose(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 1;
    draw d = {.stream = 76};
    int compared = 0;
    for (int k = 0; k < 2000; ++k) {
        desc.dtype = k % 2 ? ELMAN_F64 : ELMAN_F32;
        elman_lm *lm =
            k % 100 < 2 ? letters_lm(plain, &desc, 1 + (k / 100) % 26) : NULL;
        static elman_lm *kept[2];
        if (lm) {
            elman_lm_destroy(&kept[k % 2]);
            kept[k % 2] = lm;
        }
        lm = kept[k % 2];
        const int64_t V = classes_of(lm);
        elman_sampler s = ELMAN_SAMPLER;
        s.temperature = draw_between(&d, 0.2, 2);
        s.top_k = draw_below(&d, 3) ? 0 : 1 + draw_below(&d, V + 2);
        s.top_p = draw_below(&d, 3) ? 0 : draw_between(&d, 0.01, 1);
        const double *const logits = scratch_draw(&d, V, 4);
        const double u = draw_between(&d, 0, 1);
        void *const x = scratch_as(desc.dtype, logits, V);
        double margin = 1;
        const int32_t expected = choose(&s, logits, V, u, &margin);
        int32_t id;
        must(elman_lm_choose(lm, &s, x, u, &id));
        trying("choose of %lld, temperature %g, top_k %lld, top_p %g, u %g",
               (long long)V, s.temperature, (long long)s.top_k, s.top_p, u);
        if (margin > 1e-9) {
            ++compared;
            if (id != expected)
                fail_trying("%d, not %d", id, expected);
        }
        int64_t best = 0;
        for (int64_t i = 0; i < V; ++i)
            best = logits[i] > logits[best] ? i : best;
        s.greedy = 1;
        must(elman_lm_choose(lm, &s, x, u, &id));
        assert_int_equal(id, best);
        if (k >= 1998)
            elman_lm_destroy(&kept[k % 2]);
        scratch_free(NULL);
    }
    assert_true(compared > 1900);
}

static void test_choose_at_the_edges(void **state)
{
    (void)state;
    trying("choosing at the edges");
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 1;
    elman_lm *lm = letters_lm(plain, &desc, 3);
    elman_sampler s = ELMAN_SAMPLER;
    int32_t id;
    /* Halves: a running sum must exceed the number. */
    const float two[4] = {-INFINITY, 1, -INFINITY, 1};
    must(elman_lm_choose(lm, &s, two, 0, &id));
    assert_int_equal(id, 1);
    must(elman_lm_choose(lm, &s, two, 0.49, &id));
    assert_int_equal(id, 1);
    must(elman_lm_choose(lm, &s, two, 0.5, &id));
    assert_int_equal(id, 3);
    must(elman_lm_choose(lm, &s, two, 1 - 0x1p-53, &id));
    assert_int_equal(id, 3);
    s.top_k = 1; /* of equals, the first */
    must(elman_lm_choose(lm, &s, two, 0.9, &id));
    assert_int_equal(id, 1);
    s.top_k = 0;
    s.top_p = 0.3;
    must(elman_lm_choose(lm, &s, two, 0.9, &id));
    assert_int_equal(id, 1);
    s.top_p = 0;
    const float large[4] = {1e38f, 3e38f, -3e38f, 0};
    must(elman_lm_choose(lm, &s, large, 0.999, &id));
    assert_int_equal(id, 1);
    s.temperature = 1e-30;
    const float near[4] = {1, 2, 1.9999f, 0};
    must(elman_lm_choose(lm, &s, near, 0.999, &id));
    assert_int_equal(id, 1);
    s.temperature = 1;

    const float bad[4] = {0, NAN, 1, 2};
    must_fail(elman_lm_choose(lm, &s, bad, 0.5, &id), ELMAN_EINVAL, "logits");
    s.greedy = 1;
    must_fail(elman_lm_choose(lm, &s, bad, 0.5, &id), ELMAN_EINVAL, "logits");
    s.greedy = 0;
    must_fail(elman_lm_choose(lm, &s, two, 1, &id), ELMAN_EINVAL, "uniform");
    must_fail(elman_lm_choose(lm, &s, two, -0.1, &id), ELMAN_EINVAL, "uniform");
    must_fail(elman_lm_choose(lm, &s, two, NAN, &id), ELMAN_EINVAL, "uniform");
    s.temperature = 0;
    must_fail(elman_lm_choose(lm, &s, two, 0, &id), ELMAN_EINVAL,
              "temperature");
    s.temperature = NAN;
    must_fail(elman_lm_choose(lm, &s, two, 0, &id), ELMAN_EINVAL,
              "temperature");
    s.temperature = 1;
    s.top_k = -1;
    must_fail(elman_lm_choose(lm, &s, two, 0, &id), ELMAN_EINVAL, "top_k");
    s.top_k = 0;
    s.top_p = 1.1;
    must_fail(elman_lm_choose(lm, &s, two, 0, &id), ELMAN_EINVAL, "top_p");
    elman_lm_destroy(&lm);
}

/* ---- Weights -------------------------------------------------------------*/

static void expect_uniform(const elman_lm *lm, const char *name, double bound)
{
    for (int i = 0; i < elman_lm_view_count(lm); ++i) {
        elman_view v;
        must(elman_lm_view(lm, i, &v));
        if (strcmp(v.name, name) != 0)
            continue;
        const float *const w = (const float *)elman_lm_weights(lm) + v.offset;
        double low = 0, high = 0;
        for (int64_t j = 0; j < v.count; ++j) {
            low = fmin(low, (double)w[j]);
            high = fmax(high, (double)w[j]);
        }
        trying("%s lies in [%g, %g]", name, low, high);
        assert_true(low >= -bound && low < -0.9 * bound);
        assert_true(high <= bound && high > 0.9 * bound);
        return;
    }
    fail_trying("there is no %s", name);
}

static void test_init(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 100;
    desc.embed = 30;
    desc.layers = 2;
    elman_lm *lm = letters_lm(plain, &desc, 26), *other;
    const int64_t V = 27, P = elman_lm_parameters(lm);
    assert_int_equal(P, V * 30 + 100 * 30 + 3 * 10000 + 400 + V * 100 + V);
    expect_uniform(lm, "rnn.weight_ih_l0", 0.1);
    expect_uniform(lm, "rnn.weight_hh_l1", 0.1);
    expect_uniform(lm, "rnn.bias_hh_l0", 0.1);
    expect_uniform(lm, "decoder.weight", 0.1);
    const float *const w = elman_lm_weights(lm);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < V * 30; ++i) { /* the embedding stands first */
        mean += (double)w[i] / (double)(V * 30);
        square += (double)(w[i] * w[i]) / (double)(V * 30);
    }
    assert_true(fabs(mean) < 0.15 && fabs(square - 1) < 0.25);
    other = letters_lm(plain, &desc, 26);
    expect_same("the same seed", ELMAN_F32, elman_lm_weights(other), w, P);
    elman_lm_init(other, 6);
    assert_memory_not_equal(elman_lm_weights(other), w, (size_t)P * 4);
    elman_lm_destroy(&other);
    elman_lm_destroy(&lm);

    desc = (elman_lm_desc)ELMAN_LM_DESC;
    desc.cell = ELMAN_CELL_NONE;
    desc.hidden = 64;
    desc.context = 4;
    lm = letters_lm(plain, &desc, 26);
    expect_uniform(lm, "hidden.weight", 0.5);
    expect_uniform(lm, "hidden.bias", 0.5);
    elman_lm_destroy(&lm);
}

static void test_step_allocates_nothing(void **state)
{
    (void)state;
    draw d = {.stream = 77};
    for (int k = 0; k < 12; ++k) {
        counting c = {0};
        elman_context *context = counting_context(&c);
        const elman_lm_desc desc = letters_draw_desc(&d);
        trying("allocations: %s", letters_name(&desc));
        elman_lm *lm = letters_lm(context, &desc, 8);
        const int64_t P = elman_lm_parameters(lm);
        const piece p = draw_piece(&d, 5, 3, 9);
        elman_lm_state *s;
        elman_lm_tape *tape;
        must(elman_lm_state_create(lm, 3, &s));
        must(elman_lm_tape_create(lm, 5, 3, &tape));
        float logits[3 * 9];
        float *const grad = scratch(P, sizeof *grad);
        const long long before = c.asked;
        must(elman_lm_step(lm, s, p.ids, logits));
        must(elman_lm_step(lm, s, p.ids, NULL));
        elman_lm_state_zero(s);
        run_piece(lm, tape, s, &p, 1, grad);
        assert_int_equal(c.asked, before);
        elman_lm_tape_destroy(&tape);
        elman_lm_state_destroy(&s);
        elman_lm_destroy(&lm);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
        scratch_free(NULL);
    }
}

/* ---- Mistakes ------------------------------------------------------------*/

static void refuse_desc(elman_lm_desc desc, const char *words)
{
    elman_lm_desc small = ELMAN_LM_DESC;
    small.hidden = 1;
    elman_lm *like = letters_lm(plain, &small, 2), *lm;
    must_fail(elman_lm_create(plain, &desc, elman_lm_vocab(like), &lm),
              ELMAN_EINVAL, words);
    assert_null(lm);
    elman_lm_destroy(&like);
}

static void test_descriptors(void **state)
{
    (void)state;
    trying("descriptors");
    elman_lm_desc d = ELMAN_LM_DESC;
    refuse_desc(d, "hidden is 0");
    d.hidden = 3;
    d.embed = -1;
    refuse_desc(d, "embed");
    d.embed = 0;
    d.context = 2;
    refuse_desc(d, "context");
    d.cell = ELMAN_CELL_NONE;
    d.context = 0;
    refuse_desc(d, "context");
    d.context = 2;
    d.layers = 2;
    refuse_desc(d, "layers");
    d.layers = -1;
    refuse_desc(d, "layers");
    d.layers = 1;
    d.dtype = ELMAN_U8;
    refuse_desc(d, "dtype");
    d.dtype = ELMAN_F32;
    d.activation = (elman_activation)3;
    refuse_desc(d, "activation");
    d.activation = ELMAN_TANH;
    d.cell = (elman_cell)7;
    refuse_desc(d, "cell");
    d.cell = ELMAN_CELL_NONE;
    d.struct_size = 3;
    refuse_desc(d, "struct_size");
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 4;
    elman_lm *lm = letters_lm(plain, &desc, 3);
    elman_lm *other = letters_lm(plain, &desc, 3);
    elman_lm_tape *tape;
    elman_lm_state *s;
    must_fail(elman_lm_tape_create(lm, 0, 2, &tape), ELMAN_EINVAL, "steps");
    must_fail(elman_lm_tape_create(lm, 2, 0, &tape), ELMAN_EINVAL, "batch");
    must_fail(elman_lm_tape_create(lm, INT64_MAX, 2, &tape), ELMAN_ENOMEM,
              "memory");
    must_fail(elman_lm_state_create(lm, 0, &s), ELMAN_EINVAL, "batch");
    must_fail(elman_lm_state_create(lm, INT64_MAX, &s), ELMAN_ENOMEM, "memory");
    must(elman_lm_tape_create(lm, 3, 2, &tape));
    must(elman_lm_state_create(lm, 2, &s));
    float grad[200] = {0};
    assert_true(elman_lm_parameters(lm) <= 200);
    must_fail(elman_lm_backward(lm, tape, grad), ELMAN_EINVAL, "no forward");

    int32_t ids[6] = {0, 1, 2, 3, 0, 1}, targets[6] = {0};
    elman_lm_batch b = ELMAN_LM_BATCH;
    b.steps = 3;
    b.batch = 2;
    b.ids = ids;
    b.targets = targets;
    double loss;
#define REFUSED(words)                                                         \
    must_fail(elman_lm_forward(lm, tape, &b, s, &loss, NULL), ELMAN_EINVAL,    \
              words)
    ids[5] = 4;
    REFUSED("token 5 is 4");
    ids[5] = ELMAN_IGNORE;
    REFUSED("token 5");
    ids[5] = 1;
    targets[4] = -1;
    REFUSED("4 is -1");
    targets[4] = 0;
    b.steps = 4;
    REFUSED("steps");
    b.steps = 3;
    b.batch = 1;
    REFUSED("2 sequences");
    b.batch = 2;
    b.ids = NULL;
    REFUSED("NULL");
    b.ids = ids;
    must_fail(elman_lm_forward(other, tape, &b, NULL, &loss, NULL),
              ELMAN_EINVAL, "another model");
    must(elman_lm_forward(lm, tape, &b, s, &loss, NULL));
    must_fail(elman_lm_backward(lm, tape, NULL), ELMAN_EINVAL, "NULL");
    must(elman_lm_backward(lm, tape, grad));
    must_fail(elman_lm_backward(lm, tape, grad), ELMAN_EINVAL, "no forward");
    ids[1] = 4;
    must_fail(elman_lm_step(lm, s, ids, NULL), ELMAN_EINVAL, "token 1 is 4");
    must_fail(elman_lm_step(other, s, ids, NULL), ELMAN_EINVAL,
              "another model");
    elman_lm_tape_destroy(&tape);
    elman_lm_tape_destroy(&tape);
    elman_lm_tape_destroy(NULL);
    elman_lm_state_destroy(&s);
    elman_lm_state_destroy(&s);
    elman_lm_state_destroy(NULL);
    elman_lm_destroy(&other);
    elman_lm_destroy(&lm);
    elman_lm_destroy(&lm);
    elman_lm_destroy(NULL);
    assert_int_equal(elman_lm_parameters(NULL), 0);
    assert_string_equal(elman_lm_history(NULL), "");
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_the_book),   TEST(threads_and_levels),
        TEST(splits),        TEST(eval),
        TEST(save_and_load), TEST(save_fails_whole),
        TEST(damage),        TEST(forgeries),
        TEST(choose),        TEST(choose_at_the_edges),
        TEST(init),          TEST(step_allocates_nothing),
        TEST(descriptors),   TEST(mistakes),
    };
    return cmocka_run_group_tests_name("lm", tests, begin, end);
}
