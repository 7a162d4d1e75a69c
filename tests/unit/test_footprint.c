/* SPDX-License-Identifier: MIT */
/* test_footprint.c - what models say beforehand that they take is what the
 * allocator is asked for. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/sequences.h"
#include "test_folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Handles, names of tensors and a small vocabulary. */
enum { SLACK = 16000 };

static void expect_taken(int64_t said, long long taken, int64_t slack)
{
    if (taken < said || taken - said > slack)
        fail_trying("said %lld, took %lld", (long long)said, taken);
}

/* Weights and packed copies, and a tape to the byte. */
static void test_rnn(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    for (int i = 0; i < 60; ++i) {
        const problem p = problem_draw(&d, 150, 40);
        counting c = {0};
        elman_context *context = counting_context(&c);
        const long long start = c.bytes;
        elman_rnn *rnn = problem_rnn(context, &p, ELMAN_F32);
        const long long model = c.bytes - start;
        for (int inference = 0; inference < 2; ++inference) {
            elman_tape_desc desc = ELMAN_TAPE_DESC;
            elman_memory m = ELMAN_MEMORY;
            desc.steps = p.T;
            desc.batch = p.B;
            desc.inference_only = inference;
            problem_try(inference ? "memory, inference" : "memory", &p);
            must(elman_rnn_memory(rnn, &desc, &m));
            assert_true(m.total == m.weights + m.packed + m.tape);
            expect_taken(m.weights + m.packed, model, SLACK);
            assert_true(m.tape == elman_tape_bytes(rnn, &desc));
            const long long before = c.bytes;
            elman_tape *tape;
            must(elman_tape_create(rnn, &desc, &tape));
            expect_taken(m.tape, c.bytes - before, 0);
            elman_tape_destroy(&tape);
        }
        elman_rnn_destroy(&rnn);
        elman_context_destroy(&context);
        scratch_free(NULL);
    }
}

/* Language models of all cells: a training tape to the byte, an evaluation, a
 * state. */
static void test_lm(void **state)
{
    (void)state;
    const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_NONE,
                                ELMAN_CELL_LSTM, ELMAN_CELL_GRU};
    for (int i = 0; i < 16; ++i) {
        counting c = {0};
        elman_context *context = counting_context(&c);
        elman_lm_desc lm_desc = ELMAN_LM_DESC;
        lm_desc.cell = cells[i % 4];
        lm_desc.context = lm_desc.cell == ELMAN_CELL_NONE ? 3 : 0;
        lm_desc.hidden = 33;
        lm_desc.embed = i & 4 ? 9 : 0;
        lm_desc.dropout = i & 8 ? 0.2 : 0;
        lm_desc.layers = lm_desc.cell == ELMAN_CELL_NONE ? 1 : 2;
        lm_desc.weight_drop =
            i & 8 && lm_desc.cell != ELMAN_CELL_NONE ? 0.3 : 0;
        trying("memory of %s", letters_name(&lm_desc));
        const long long start = c.bytes;
        elman_lm *lm = letters_lm(context, &lm_desc, 7);
        const long long model = c.bytes - start;

        elman_tape_desc desc = ELMAN_TAPE_DESC;
        elman_optimizer_desc adam = ELMAN_OPTIMIZER_DESC;
        elman_memory m = ELMAN_MEMORY;
        elman_lm_tape *tape;
        elman_optimizer *optimizer;
        adam.kind = ELMAN_ADAM;
        desc.steps = 100;
        desc.batch = 5;
        must(elman_lm_memory(lm, &desc, &adam, &m));
        expect_taken(m.weights + m.packed, model, SLACK);
        assert_true(m.gradient == m.weights);
        long long before = c.bytes;
        elman_lm_state *carried;
        must(elman_lm_tape_create(lm, 100, 5, &tape));
        must(elman_lm_state_create(lm, 5, &carried));
        expect_taken(m.tape, c.bytes - before, 0);
        elman_lm_state_destroy(&carried);
        before = c.bytes;
        must(elman_optimizer_create(context, &adam, elman_lm_parameters(lm),
                                    &optimizer));
        expect_taken(m.optimizer, c.bytes - before, 0);
        elman_optimizer_destroy(&optimizer);
        elman_lm_tape_destroy(&tape);

        elman_text *text =
            letters_open(context, "letters.txt", elman_lm_vocab(lm));
        elman_lm_score score = ELMAN_LM_SCORE;
        desc.inference_only = 1;
        must(elman_lm_memory(lm, &desc, NULL, &m));
        before = c.bytes;
        c.most = before;
        must(elman_lm_eval(lm, text, 0, 7, &score));
        expect_taken(m.tape, c.most - before, 0);
        elman_text_close(&text);

        must(elman_lm_memory(lm, NULL, NULL, &m));
        before = c.bytes;
        must(elman_lm_state_create(lm, 1, &carried));
        expect_taken(m.tape, c.bytes - before, 0);
        elman_lm_state_destroy(&carried);
        elman_lm_destroy(&lm);
        elman_context_destroy(&context);
    }
}

/* A network's tape and its state. */
static void test_network(void **state)
{
    (void)state;
    for (int i = 0; i < 4; ++i) {
        trying("memory of a network, %d", i);
        counting c = {0};
        elman_context *context = counting_context(&c);
        elman_network_desc desc = ELMAN_NETWORK_DESC;
        elman_network *network;
        elman_memory m = ELMAN_MEMORY;
        desc.rnn.cell = ELMAN_CELL_GRU;
        desc.rnn.hidden = 20;
        desc.rnn.input = i & 1 ? 0 : 6;
        desc.vocab = i & 1 ? 11 : 0;
        desc.embed = i & 1 ? 6 : 0;
        desc.outputs = i & 2 ? 3 : 0;
        const long long start = c.bytes;
        must(elman_network_create(context, &desc, &network));
        must(elman_network_memory(network, 50, 4, &m));
        expect_taken(m.weights + m.packed, c.bytes - start, SLACK);
        long long before = c.bytes;
        elman_network_tape *tape;
        must(elman_network_tape_create(network, 50, 4, &tape));
        expect_taken(m.tape, c.bytes - before, 0);
        elman_network_tape_destroy(&tape);
        must(elman_network_memory(network, 0, 4, &m));
        before = c.bytes;
        elman_network_state *s;
        must(elman_network_state_create(network, 4, &s));
        expect_taken(m.tape, c.bytes - before, 0);
        elman_network_state_destroy(&s);
        elman_network_destroy(&network);
        elman_context_destroy(&context);
    }
}

/* The most that a trainer takes at once, its validation among it. */
static void test_trainer(void **state)
{
    (void)state;
    for (int i = 0; i < 8; ++i) {
        trying("memory of a trainer, %d", i);
        counting c = {0};
        draw d = {.stream = 2};
        elman_context *context = counting_context(&c);
        letters_write("text", &d, 9, 4000);
        elman_text *text = letters_open(context, "text", NULL);
        elman_train_desc desc = ELMAN_TRAIN_DESC;
        elman_train_report report = ELMAN_TRAIN_REPORT;
        elman_trainer *trainer;
        elman_memory m = ELMAN_MEMORY;
        desc.model.cell = ELMAN_CELL_LSTM;
        desc.model.hidden = 40;
        desc.model.embed = i & 1 ? 8 : 0;
        desc.optimizer.kind = i & 1 ? ELMAN_ADAM : ELMAN_SGD;
        desc.sampling = i & 2 ? ELMAN_RANDOM : ELMAN_SEQUENTIAL;
        desc.schedule.lr = 0.01;
        desc.batch = 8;
        desc.steps = 30;
        desc.epochs = 1;
        desc.valid_fraction = i & 2 ? 0.2 : 0;
        desc.average = i & 2 ? 0.9 : 0;
        desc.shards = i == 3 || i == 5 ? 4 : 1;
        if (i == 4)
            desc.back = 70;
        if (i == 5)
            desc.truncation = ELMAN_TRUNCATION_NONE;
        /* Within a budget, of all but weights and tokens. */
        if (i > 5) {
            desc.batch = 2;
            desc.steps = 700;
            desc.valid_fraction = 0.2;
            desc.average = 0;
            desc.sampling = ELMAN_SEQUENTIAL;
            desc.truncation =
                i == 7 ? ELMAN_TRUNCATION_NONE : ELMAN_TRUNCATION_REGULAR;
            desc.memory = 1100000;
        }
        const long long start = c.bytes;
        c.most = start;
        must(elman_trainer_create(context, &desc, text, NULL, &trainer));
        elman_trainer_memory(trainer, &m);
        if (i == 0) {
            elman_tape_desc size = ELMAN_TAPE_DESC;
            elman_memory same = ELMAN_MEMORY;
            size.steps = desc.steps;
            size.batch = desc.batch;
            must(elman_lm_memory(elman_trainer_lm(trainer), &size,
                                 &desc.optimizer, &same));
            assert_memory_equal(&m, &same, sizeof m);
        }
        do
            must(elman_trainer_step(trainer, &report));
        while (!report.done);
        expect_taken(m.total, c.most - start, SLACK);
        assert_true(m.total == m.weights + m.packed + m.gradient + m.optimizer +
                                   m.kept + m.tape + m.tokens);
        if (i > 5)
            assert_true(m.total - m.weights - m.tokens <= desc.memory);
        if (i == 6)
            assert_true(m.passes > 1);
        elman_trainer_destroy(&trainer);
        elman_text_close(&text);
        elman_context_destroy(&context);
    }
}

/* What cannot be counted, and what is wrong, is refused. */
static void test_refused(void **state)
{
    (void)state;
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_lm_desc lm_desc = ELMAN_LM_DESC;
    elman_tape_desc desc = ELMAN_TAPE_DESC;
    elman_memory m = ELMAN_MEMORY;
    lm_desc.hidden = 5;
    elman_lm *lm = letters_lm(context, &lm_desc, 4);
    trying("memory that cannot be counted");
    desc.batch = 1;
    must_fail(elman_lm_memory(lm, &desc, NULL, &m), ELMAN_EINVAL, "steps");
    desc.steps = (int64_t)1 << 60;
    must_fail(elman_lm_memory(lm, &desc, NULL, &m), ELMAN_ENOMEM, "counted");
    must_fail(elman_lm_memory(NULL, &desc, NULL, &m), ELMAN_EINVAL, "NULL");
    must_fail(elman_lm_memory(lm, &desc, NULL, NULL), ELMAN_EINVAL, "NULL");
    elman_lm_destroy(&lm);
    elman_context_destroy(&context);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(test_##name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rnn), TEST(lm), TEST(network), TEST(trainer), TEST(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
