/* SPDX-License-Identifier: MIT */
/* test_from.c - training that begins with a model's weights: as the run that
 * never ended, as a loop of one's own, after a stop, and refused. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* One minibatch is all of the text, so that an epoch is an update, and all
 * epochs are alike. */
enum { LETTERS = 6, BATCH = 3, STEPS = 7, TOKENS = BATCH * STEPS + 1 };

static elman_context *context;
static elman_text *text;  /* of one minibatch */
static elman_text *other; /* of several, with the same vocabulary */

static int begin(void **state)
{
    context = make_context(1, NULL);
    const int failed = folder_setup(state);
    draw d = {.stream = 140};
    letters_write("book.txt", &d, LETTERS, TOKENS);
    text = letters_open(context, "book.txt", NULL);
    letters_write("other.txt", &d, LETTERS, 300);
    other = letters_open(context, "other.txt", elman_text_vocab(text));
    return failed;
}

static int end(void **state)
{
    elman_text_close(&other);
    elman_text_close(&text);
    elman_context_destroy(&context);
    return folder_teardown(state);
}

static elman_train_desc usual(void)
{
    elman_train_desc d = ELMAN_TRAIN_DESC;
    d.model.cell = ELMAN_CELL_LSTM;
    d.model.hidden = 5;
    d.model.layers = 2;
    d.model.embed = 4;
    d.schedule.lr = 0.5;
    d.batch = BATCH;
    d.steps = STEPS;
    d.updates = 3;
    d.seed = 3;
    return d;
}

static size_t bytes_of(const elman_lm *lm)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    return (size_t)elman_lm_parameters(lm) * (d.dtype == ELMAN_F64 ? 8 : 4);
}

static void expect_weights(const elman_lm *got, const elman_lm *wanted)
{
    assert_int_equal(bytes_of(got), bytes_of(wanted));
    assert_memory_equal(elman_lm_weights(got), elman_lm_weights(wanted),
                        bytes_of(got));
}

static void advance(elman_trainer *t, int updates)
{
    elman_train_report r = ELMAN_TRAIN_REPORT;
    for (int i = 0; i < updates; ++i) {
        must(elman_trainer_step(t, &r));
        assert_int_equal(r.done, 0);
    }
}

/* A model of this kind after so many updates, by way of a file. */
static elman_lm *trained(const elman_train_desc *desc, int updates)
{
    elman_trainer *t;
    elman_lm *lm;
    must(elman_trainer_create(context, desc, text, NULL, &t));
    advance(t, updates);
    must(elman_trainer_save(t, "model"));
    elman_trainer_destroy(&t);
    must(elman_lm_load(context, "model", &lm));
    return lm;
}

static elman_lm *converted(const elman_lm *lm, elman_dtype dtype)
{
    elman_lm *to;
    must(elman_lm_convert(lm, dtype, &to));
    return to;
}

/* ---- What it begins with -------------------------------------------------*/

/* Whatever the network, and whatever it is to compute in. */
static void test_weights(void **state)
{
    (void)state;
    const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16};
    draw d = {.stream = 141};
    for (int i = 0; i < 60; ++i) {
        elman_train_desc desc = usual();
        desc.model = letters_draw_desc(&d);
        desc.model.dtype = dtypes[i % 3];
        desc.average = i % 2 ? 0.9 : 0;
        trying("%d, %s", i, letters_name(&desc.model));
        elman_lm *lm;
        elman_trainer *t;
        must(
            elman_lm_create(context, &desc.model, elman_text_vocab(text), &lm));
        elman_lm_init(lm, 77);
        desc.from = lm;
        desc.model.dtype = dtypes[i / 3 % 3];
        elman_lm *wanted = converted(lm, desc.model.dtype);
        must(elman_trainer_create(context, &desc, text, NULL, &t));
        elman_lm_destroy(&lm); /* Borrowed no longer. */
        expect_weights(elman_trainer_lm(t), wanted);
        /* What is saved is the average, where there is one. */
        must(elman_trainer_save(t, "begun"));
        must(elman_lm_load(context, "begun", &lm));
        expect_weights(lm, wanted);
        elman_trainer_destroy(&t);
        elman_lm_destroy(&wanted);
        elman_lm_destroy(&lm);
    }
}

/* Two runs, one after the other, are one run where nothing but the weights is
 * carried over from update to update. */
static void test_goes_on(void **state)
{
    (void)state;
    const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16};
    for (int i = 0; i < 3; ++i) {
        elman_train_desc desc = usual();
        desc.model.dtype = dtypes[i];
        trying("going on, %d", i);
        elman_lm *whole = trained(&desc, 3), *first = trained(&desc, 1);
        desc.from = first;
        desc.seed = 99; /* Of nothing that is drawn here. */
        elman_lm *both = trained(&desc, 2);
        expect_weights(both, whole);
        elman_lm_destroy(&both);
        elman_lm_destroy(&first);
        elman_lm_destroy(&whole);
    }
}

/* Adam by the functions of the library, from moments of zero. */
static void by_hand(elman_lm *lm, const elman_train_desc *desc, int updates)
{
    const int64_t P = elman_lm_parameters(lm);
    elman_lm_tape *tape;
    elman_optimizer *adam;
    int32_t read[TOKENS], ids[STEPS * BATCH], targets[STEPS * BATCH];
    float *const grad = scratch(P, sizeof *grad);
    must(elman_lm_tape_create(lm, STEPS, BATCH, &tape));
    must(elman_optimizer_create(context, &desc->optimizer, P, &adam));
    must(elman_text_read(text, 0, TOKENS, read));
    for (int t = 0; t < STEPS; ++t)
        for (int b = 0; b < BATCH; ++b) {
            ids[t * BATCH + b] = read[b * STEPS + t];
            targets[t * BATCH + b] = read[b * STEPS + t + 1];
        }
    for (int i = 0; i < updates; ++i) {
        elman_lm_batch batch = ELMAN_LM_BATCH;
        double loss;
        batch.steps = STEPS;
        batch.batch = BATCH;
        batch.ids = ids;
        batch.targets = targets;
        batch.scale = 1.0 / (STEPS * BATCH);
        must(elman_lm_forward(lm, tape, &batch, NULL, &loss, NULL));
        memset(grad, 0, (size_t)P * sizeof *grad);
        must(elman_lm_backward(lm, tape, grad));
        must(elman_optimizer_step(adam, desc->schedule.lr,
                                  elman_lm_weights_begin(lm), grad, NULL));
        elman_lm_weights_end(lm);
    }
    elman_optimizer_destroy(&adam);
    elman_lm_tape_destroy(&tape);
}

static void test_by_hand(void **state)
{
    (void)state;
    elman_train_desc desc = usual();
    desc.optimizer.kind = ELMAN_ADAM;
    desc.optimizer.clip = 0.3;
    desc.schedule.lr = 0.01;
    trying("by hand");
    elman_lm *first = trained(&desc, 2);
    desc.from = first;
    elman_lm *got = trained(&desc, 3);
    by_hand(first, &desc, 3);
    expect_weights(got, first);
    elman_lm_destroy(&got);
    elman_lm_destroy(&first);
}

/* ---- After a stop --------------------------------------------------------*/

/* A checkpoint has the weights: from is not even looked at. */
static void test_resume(void **state)
{
    (void)state;
    elman_train_desc desc = usual();
    elman_lm *first = trained(&desc, 2), *begun;
    elman_trainer *t;
    char used[64];
    desc.optimizer.kind = ELMAN_ADAM;
    desc.schedule.lr = 0.01;
    desc.model.dropout = 0.3;
    desc.average = 0.9;
    desc.valid_fraction = 0.2;
    desc.updates = 23;
    desc.from = first;
    trying("a run of its own");
    must(elman_trainer_create(context, &desc, other, NULL, &t));
    advance(t, 9);
    must(elman_trainer_checkpoint(t, "c", 0));
    advance(t, 14);
    must(elman_trainer_save(t, "whole"));
    must(elman_trainer_checkpoint(t, "whole-c", 0));
    elman_trainer_destroy(&t);

    trying("resumed");
    elman_lm_destroy(&first); /* desc.from points to nothing now. */
    must(elman_trainer_resume(context, &desc, other, NULL, "c", &t, used,
                              sizeof used, NULL));
    must(elman_trainer_checkpoint(t, "c-again", 0));
    expect_same_files("c", "c-again");
    advance(t, 14);
    must(elman_trainer_save(t, "again"));
    must(elman_trainer_checkpoint(t, "again-c", 0));
    expect_same_files("whole", "again");
    expect_same_files("whole-c", "again-c");
    elman_trainer_destroy(&t);

    /* A checkpoint is a model, too, and may be gone on from as one. */
    must(elman_lm_load(context, "c", &begun));
    desc.from = begun;
    must(elman_trainer_create(context, &desc, other, NULL, &t));
    expect_weights(elman_trainer_lm(t), begun);
    elman_trainer_destroy(&t);
    elman_lm_destroy(&begun);
}

/* ---- What is told of it --------------------------------------------------*/

/* Goes on from lm for an update, and gives what has become of it. */
static elman_lm *gone_on(elman_lm *lm)
{
    elman_train_desc desc = usual();
    desc.from = lm;
    elman_lm *next = trained(&desc, 1);
    elman_lm_destroy(&lm);
    return next;
}

static void expect_history(const elman_lm *lm, const char *words)
{
    if (!strstr(elman_lm_history(lm), words))
        fail_trying("the history is %s, without %s", elman_lm_history(lm),
                    words);
}

static void test_history(void **state)
{
    (void)state;
    elman_train_desc desc = usual();
    trying("histories");
    elman_lm *lm = trained(&desc, 2);
    assert_null(strstr(elman_lm_history(lm), "from"));
    lm = gone_on(lm);
    expect_history(lm, ", \"runs\": 2, \"from\": {\"updates\": 2, ");
    const size_t size = strlen(elman_lm_history(lm));
    for (int i = 3; i <= 12; ++i) {
        char runs[64];
        lm = gone_on(lm);
        snprintf(runs, sizeof runs, ", \"runs\": %d, \"from\": {", i);
        expect_history(lm, runs);
        assert_true(strlen(elman_lm_history(lm)) < size + 20);
    }
    /* Another program's: nothing is known, or more than is kept. */
    must(elman_lm_set_history(lm, ""));
    lm = gone_on(lm);
    expect_history(lm, ", \"runs\": 1, \"from\": {}}");
    must(elman_lm_set_history(
        lm, "{ \"a\\\"b\":[1,{\"runs\":9}],\"by\" : \"x\\u00e4\\\"\" ,"
            "\"deep\":{\"a\":1}, \"runs\":-4,\"n\":null}"));
    lm = gone_on(lm);
    expect_history(lm, ", \"runs\": 2, \"from\": {\"by\": \"x\\u00e4\\\"\", "
                       "\"runs\": -4, \"n\": null}}");
    char *const large = scratch(100000, 1);
    size_t used = (size_t)sprintf(large, "{\"runs\": 5");
    for (int i = 0; i < 3000; ++i)
        used += (size_t)sprintf(large + used, ", \"key %d\": %d", i, i);
    sprintf(large + used, "}");
    must(elman_lm_set_history(lm, large));
    lm = gone_on(lm);
    expect_history(lm, ", \"runs\": 6, \"from\": {\"runs\": 5, \"key 0\": 0, ");
    assert_true(strlen(elman_lm_history(lm)) < 4000);
    elman_lm_destroy(&lm);
}

/* ---- Memory --------------------------------------------------------------*/

/* Nothing is kept of the model but a line. */
static void test_memory(void **state)
{
    (void)state;
    enum { LINE = 2048 };
    counting c = {0};
    elman_context *counted = counting_context(&c);
    elman_text *book = letters_open(counted, "book.txt", NULL);
    elman_train_desc desc = usual();
    elman_memory drawn = ELMAN_MEMORY, gone = ELMAN_MEMORY;
    elman_lm *lm;
    elman_trainer *t;
    desc.model.hidden = 60;
    trying("memory");
    must(elman_lm_create(counted, &desc.model, elman_text_vocab(book), &lm));
    long long before = c.bytes;
    must(elman_trainer_create(counted, &desc, book, NULL, &t));
    const long long plain = c.bytes - before;
    elman_trainer_memory(t, &drawn);
    elman_trainer_destroy(&t);
    desc.from = lm;
    before = c.bytes;
    must(elman_trainer_create(counted, &desc, book, NULL, &t));
    elman_trainer_memory(t, &gone);
    assert_memory_equal(&drawn, &gone, sizeof drawn);
    assert_true(c.bytes - before - plain < LINE);
    elman_trainer_destroy(&t);
    assert_int_equal(c.bytes, before);
    elman_lm_destroy(&lm);
    elman_text_close(&book);
    elman_context_destroy(&counted);
}

/* ---- Refused -------------------------------------------------------------*/

static void refuse(const elman_train_desc *desc, elman_text *of,
                   elman_status status, const char *words)
{
    elman_trainer *t;
    trying("refused: %s", words);
    must_fail(elman_trainer_create(context, desc, of, NULL, &t), status, words);
    assert_null(t);
}

static void test_other_networks(void **state)
{
    (void)state;
    elman_train_desc desc = usual(), d;
    elman_lm *lm = trained(&desc, 1), *tied;
    desc.from = lm;
#define REFUSE(field, value, words)                                            \
    do {                                                                       \
        d = desc;                                                              \
        d.model.field = (value);                                               \
        refuse(&d, text, ELMAN_EMISMATCH,                                      \
               words " (elman_lm_describe fills it in)");                      \
    } while (0)
    REFUSE(cell, ELMAN_CELL_GRU,
           "cell of the model to go on from is 2, and 3 in the descriptor");
    REFUSE(hidden, 6,
           "hidden of the model to go on from is 5, and 6 in the "
           "descriptor");
    REFUSE(layers, 1,
           "layers of the model to go on from is 2, and 1 in the "
           "descriptor");
    REFUSE(embed, 0,
           "embed of the model to go on from is 4, and 0 in the "
           "descriptor");
    REFUSE(proj, 2,
           "proj of the model to go on from is 0, and 2 in the "
           "descriptor");
#undef REFUSE
    d = desc;
    d.model.embed = d.model.hidden;
    d.model.tie = 1;
    refuse(&d, text, ELMAN_EMISMATCH, "embed of the model");
    must(elman_lm_create(context, &d.model, elman_text_vocab(text), &tied));
    d.from = tied;
    d.model.tie = 0;
    refuse(&d, text, ELMAN_EMISMATCH, "tie of the model to go on from is 1");
    elman_lm_destroy(&tied);

    /* Another vocabulary, of as many tokens. */
    file_write_text("capitals.txt", "ABCDEFABCDEFABCDEFABCDEF");
    elman_text *capitals = letters_open(context, "capitals.txt", NULL);
    assert_int_equal(elman_vocab_size(elman_text_vocab(capitals)),
                     elman_vocab_size(elman_text_vocab(text)));
    refuse(&desc, capitals, ELMAN_EMISMATCH,
           "the text was not opened with the vocabulary of the model");
    elman_text_close(&capitals);
    elman_lm_destroy(&lm);
}

/* Weights that are rounded are no beginning; those that lie for inference
 * are, if they are whole. */
static void test_inference(void **state)
{
    (void)state;
    elman_train_desc desc = usual();
    elman_lm *lm = trained(&desc, 1), *infers;
    elman_trainer *t;
    elman_lm *bytes = converted(lm, ELMAN_INT8);
    desc.from = bytes;
    refuse(&desc, text, ELMAN_EINVAL, "ELMAN_INT8");
    elman_lm_destroy(&bytes);

    must(elman_lm_load_inference(context, "model", ELMAN_DTYPE_OWN, &infers));
    desc.from = infers;
    must(elman_trainer_create(context, &desc, text, NULL, &t));
    expect_weights(elman_trainer_lm(t), lm);
    elman_trainer_destroy(&t);
    elman_lm_describe(infers, &desc.model);
    refuse(&desc, text, ELMAN_EINVAL, "the model is for inference only");
    elman_lm_destroy(&infers);

    elman_lm *narrow = converted(lm, ELMAN_BF16);
    must(elman_lm_save(narrow, "narrow"));
    must(elman_lm_load_inference(context, "narrow", ELMAN_DTYPE_OWN, &infers));
    desc = usual();
    desc.from = infers;
    refuse(&desc, text, ELMAN_EUNSUPPORTED, "rounded to bfloat16");
    elman_lm_destroy(&infers);
    elman_lm_destroy(&narrow);
    elman_lm_destroy(&lm);
}

/* A trainer's weights are finite, those that no gradient reaches as well. */
static void test_not_finite(void **state)
{
    (void)state;
    elman_train_desc desc = usual();
    desc.model.dtype = ELMAN_F64;
    elman_lm *lm = trained(&desc, 1);
    elman_view view;
    desc.from = lm;
    desc.model.dtype = ELMAN_F32;
    must(elman_lm_view(lm, 0, &view));
    assert_string_equal(view.name, "embedding.weight");
    double *weights = elman_lm_weights_begin(lm);
    weights[view.offset] = 1e39;
    elman_lm_weights_end(lm);
    refuse(&desc, text, ELMAN_ENONFINITE,
           "embedding.weight of the model to go on from has a number that is "
           "not finite, or is too large for the new dtype");
    desc.model.dtype = ELMAN_F64;
    elman_trainer *t;
    must(elman_trainer_create(context, &desc, text, NULL, &t));
    elman_trainer_destroy(&t);
    must(elman_lm_view(lm, elman_lm_view_count(lm) - 1, &view));
    weights = elman_lm_weights_begin(lm);
    weights[view.offset] = NAN;
    elman_lm_weights_end(lm);
    refuse(&desc, text, ELMAN_ENONFINITE, "decoder.bias of the model");
    elman_lm_destroy(&lm);
}

#define TEST(name) cmocka_unit_test_teardown(name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_weights),   TEST(test_goes_on),        TEST(test_by_hand),
        TEST(test_resume),    TEST(test_history),        TEST(test_memory),
        TEST(test_inference), TEST(test_other_networks), TEST(test_not_finite),
    };
    return cmocka_run_group_tests_name("from", tests, begin, end);
}
