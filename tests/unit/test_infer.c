/* SPDX-License-Identifier: MIT */
/* test_infer.c - language models that only infer have their weights in memory
 * once, and compute, are read and are written as those that train. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/variants.h"
#include "test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LETTERS = 25, CLASSES = LETTERS + 1, STEPS = 30 };

static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16,
                                     ELMAN_INT8};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

static elman_context *plain; /* one thread, the best level */

static int begin(void **state)
{
    (void)state;
    plain = make_context(1, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    elman_context_destroy(&plain);
    return 0;
}

/* All cells; one-hot, embedded and tied; sizes around those of panels. */
static elman_lm_desc kind(int i)
{
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU, ELMAN_CELL_NONE};
    static const int64_t sizes[] = {20, 32, 45};
    elman_lm_desc d = ELMAN_LM_DESC;
    d.cell = cells[i % 4];
    d.context = d.cell == ELMAN_CELL_NONE ? 3 : 0;
    d.layers = d.cell == ELMAN_CELL_NONE ? 1 : 2;
    d.hidden = sizes[i / 4 % 3];
    d.embed = i / 12 == 0 ? 0 : i / 12 == 1 ? 11 : d.hidden;
    d.tie = i / 12 == 2 && d.context == 0;
    if (d.cell == ELMAN_CELL_LSTM && d.hidden == 45 && !d.tie)
        d.proj = 9;
    return d;
}
enum { KINDS = 36 };

static elman_lm *model(elman_context *context, int i, elman_dtype dtype)
{
    const elman_lm_desc desc = kind(i);
    elman_lm *f32 = letters_lm(context, &desc, LETTERS), *lm;
    trying("%s, hidden %lld, dtype %d", letters_name(&desc),
           (long long)desc.hidden, dtype);
    must(elman_lm_convert(f32, dtype, &lm));
    elman_lm_destroy(&f32);
    return lm;
}

static size_t number_size(const elman_lm *lm)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    return d.dtype == ELMAN_F64 ? sizeof(double) : sizeof(float);
}

/* Bits of logits step by step, of losses over a whole text. */
static void same_results(const elman_lm *a, const elman_lm *b)
{
    const size_t size = number_size(a);
    elman_lm_state *sa, *sb;
    double x[2 * CLASSES], y[2 * CLASSES];
    must(elman_lm_state_create(a, 2, &sa));
    must(elman_lm_state_create(b, 2, &sb));
    for (int32_t t = 0; t < STEPS; ++t) {
        const int32_t ids[] = {7 * t % CLASSES, 11 * t % CLASSES};
        must(elman_lm_step(a, sa, ids, x));
        must(elman_lm_step(b, sb, ids, y));
        expect_same("logits", size == sizeof(double) ? ELMAN_F64 : ELMAN_F32, y,
                    x, 2 * CLASSES);
    }
    elman_lm_state_destroy(&sa);
    elman_lm_state_destroy(&sb);
    draw d = {.stream = 3};
    letters_write("long.txt", &d, LETTERS, 300);
    elman_text *text = letters_open(plain, "long.txt", elman_lm_vocab(a));
    elman_lm_score p = ELMAN_LM_SCORE, q = ELMAN_LM_SCORE;
    must(elman_lm_eval(a, text, 0, 300, &p));
    must(elman_lm_eval(b, text, 0, 300, &q));
    assert_memory_equal(&p.nats, &q.nats, sizeof p.nats);
    elman_text_close(&text);
}

static void same_weights(const elman_lm *a, const void *weights)
{
    assert_non_null(weights);
    assert_memory_equal(elman_lm_weights(a), weights,
                        (size_t)elman_lm_parameters(a) * number_size(a));
}

/* Loaded for inference alone: the same results, and the same again after the
 * weights were opened; weights to read, to write over and to save. */
static void test_same(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS * DTYPES; i += 3) {
        const elman_dtype dtype = dtypes[i % DTYPES];
        const bool rounded = dtype == ELMAN_BF16;
        elman_lm *lm = model(plain, i / DTYPES, dtype), *infers;
        must(elman_lm_save(lm, "model"));
        must(elman_lm_load_inference(plain, "model", ELMAN_DTYPE_OWN, &infers));
        elman_lm_desc d = ELMAN_LM_DESC;
        elman_lm_describe(infers, &d);
        assert_int_equal(d.inference_only, 1);
        assert_int_equal(d.dtype, dtype);
        same_results(lm, infers);
        if (!rounded)
            same_weights(lm, elman_lm_weights(infers));
        for (int turn = 0; turn < 2; ++turn) {
            void *const open = elman_lm_weights_begin(infers);
            assert_non_null(open);
            assert_ptr_equal(open, elman_lm_weights_begin(infers));
            assert_ptr_equal(open, elman_lm_weights(infers));
            if (!rounded)
                same_weights(lm, open);
            elman_lm_weights_end(infers);
            elman_lm_weights_end(infers);
            same_results(lm, infers);
        }
        if (rounded) {
            must_fail(elman_lm_save(infers, "again"), ELMAN_EUNSUPPORTED,
                      "rounded to bfloat16");
        } else {
            must(elman_lm_save(infers, "again"));
            expect_same_files("model", "again");
        }
        elman_lm_destroy(&infers);
        elman_lm_destroy(&lm);
    }
}

/* From one dtype to another, each of them either way, by a copy and while it is
 * loaded: the same as of models that train. */
static void test_convert(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i += 7)
        for (int k = 0; k < DTYPES * DTYPES; ++k) {
            const elman_dtype from = dtypes[k % DTYPES],
                              to = dtypes[k / DTYPES];
            elman_lm *lm = model(plain, i, from), *infers, *a, *b;
            must(elman_lm_save(lm, "model"));
            must(elman_lm_load_inference(plain, "model", ELMAN_DTYPE_OWN,
                                         &infers));
            if (from == ELMAN_BF16 && to != from) {
                must_fail(elman_lm_convert(infers, to, &b), ELMAN_EUNSUPPORTED,
                          "rounded to bfloat16");
            } else {
                must(elman_lm_convert(infers, to, &b));
                must(elman_lm_convert(lm, to, &a));
                same_results(a, b);
                elman_lm_destroy(&a);
                elman_lm_destroy(&b);
            }
            elman_lm_destroy(&infers);
            must(elman_lm_load_inference(plain, "model", to, &infers));
            must(elman_lm_convert(lm, to, &a));
            same_results(a, infers);
            elman_lm_destroy(&a);
            elman_lm_destroy(&infers);
            elman_lm_destroy(&lm);
        }
}

/* What it takes is little more than the weights, while it is loaded, too, and
 * is what it says; what it says about training is what a model takes that
 * trains. */
static void test_taken(void **state)
{
    enum { SLACK = 16000, PIECE = 1 << 16 };
    static const int kinds[] = {1, 13, 25};
    (void)state;
    for (int i = 0; i < 3 * DTYPES; ++i) {
        const elman_dtype dtype = dtypes[i % DTYPES];
        elman_lm_desc desc = kind(kinds[i / DTYPES]);
        desc.hidden = 256;
        desc.embed = desc.tie ? 256 : desc.embed > 0 ? 100 : 0;
        elman_lm *f32 = letters_lm(plain, &desc, LETTERS), *lm, *infers;
        trying("memory of %s, dtype %d", letters_name(&desc), dtype);
        must(elman_lm_convert(f32, dtype, &lm));
        must(elman_lm_save(i % 2 ? lm : f32, "model"));
        const int64_t count = elman_lm_parameters(lm);
        const int64_t each = dtype == ELMAN_F64    ? 8
                             : dtype == ELMAN_BF16 ? 2
                             : dtype == ELMAN_INT8 ? 1
                                                   : 4;
        /* What is looked up is of floats. */
        const int64_t rows = (desc.embed > 0 ? desc.embed : 1024) * CLASSES * 4;
        counting c = {0};
        elman_context *context = counting_context(&c);
        const long long before = c.bytes;
        must(elman_lm_load_inference(context, "model", dtype, &infers));
        const long long taken = c.bytes - before;
        elman_memory m = ELMAN_MEMORY, other = ELMAN_MEMORY;
        elman_tape_desc size = ELMAN_TAPE_DESC;
        must(elman_lm_memory(infers, NULL, NULL, &m));
        assert_true(taken >= m.weights + m.packed);
        assert_true(taken - m.weights - m.packed < SLACK);
        assert_true(taken < count * each + rows + count * each / 8 + PIECE);
        assert_true(c.most - before < taken + PIECE + SLACK);
        size.steps = 20;
        size.batch = 3;
        if (dtype != ELMAN_INT8) {
            must(elman_lm_memory(lm, &size, NULL, &other));
            must(elman_lm_memory(infers, &size, NULL, &m));
            assert_memory_equal(&m, &other, sizeof m);
        }
        elman_lm_destroy(&infers);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
        elman_lm_destroy(&lm);
        elman_lm_destroy(&f32);
    }
}

/* Every allocation fails once: nothing is left, and nothing is lost. */
static void test_faults(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * DTYPES; ++i) {
        elman_lm *lm = model(plain, 1 + 12 * (i / DTYPES), dtypes[i % DTYPES]);
        must(elman_lm_save(lm, "model"));
        counting c = {0};
        elman_context *context = counting_context(&c);
        const long long live = c.live;
        elman_lm *infers = NULL;
        elman_status s = ELMAN_ENOMEM;
        for (int k = 1; s == ELMAN_ENOMEM; ++k) {
            c.fail = c.asked + k;
            s = elman_lm_load_inference(context, "model", ELMAN_DTYPE_OWN,
                                        &infers);
            assert_true(s == ELMAN_OK || c.live == live);
        }
        must(s);
        c.fail = c.asked + 1;
        assert_null(elman_lm_weights(infers));
        assert_non_null(strstr(elman_message(), "memory"));
        c.fail = c.asked + 1;
        if (!elman_lm_weights_begin(infers))
            assert_non_null(strstr(elman_message(), "memory"));
        elman_lm_weights_end(infers);
        c.fail = 0;
        same_results(lm, infers);
        elman_lm_destroy(&infers);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
        elman_lm_destroy(&lm);
    }
}

/* A model that only infers is made and drawn, too; it does not train, and what
 * looks at gradients makes a copy that does. */
static void test_made(void **state)
{
    (void)state;
    elman_lm_desc desc = kind(1);
    elman_lm *lm = letters_lm(plain, &desc, LETTERS), *infers;
    elman_lm_tape *tape;
    double a[8], b[8];
    trying("a model that is made for inference");
    desc.inference_only = 1;
    must(elman_lm_create(plain, &desc, elman_lm_vocab(lm), &infers));
    elman_lm_init(lm, 5);
    elman_lm_init(infers, 5);
    same_results(lm, infers);
    must_fail(elman_lm_tape_create(infers, 3, 2, &tape), ELMAN_EINVAL,
              "inference only");
    elman_probe_desc probe = ELMAN_PROBE_DESC;
    probe.count = 50;
    probe.steps = 1;
    probe.positions = 1;
    elman_text *text = letters_open(plain, "long.txt", elman_lm_vocab(lm));
    must(elman_lm_probe(lm, text, &probe, a));
    must(elman_lm_probe(infers, text, &probe, b));
    assert_memory_equal(a, b, sizeof a);
    elman_train_desc train = ELMAN_TRAIN_DESC;
    elman_trainer *trainer;
    train.model = desc;
    train.batch = 2;
    train.steps = 3;
    train.epochs = 1;
    must_fail(elman_trainer_create(plain, &train, text, NULL, &trainer),
              ELMAN_EINVAL, "inference only");
    elman_lm_destroy(&infers);
    must_fail(
        elman_lm_load_inference(plain, "nothing", ELMAN_DTYPE_OWN, &infers),
        ELMAN_EIO, "nothing");
    must_fail(elman_lm_load_inference(plain, "nothing", ELMAN_I64, &infers),
              ELMAN_EINVAL, "dtype is 2");
    elman_text_close(&text);
    elman_lm_destroy(&lm);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(test_##name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same), TEST(convert), TEST(taken), TEST(faults), TEST(made),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
