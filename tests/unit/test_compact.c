/* SPDX-License-Identifier: MIT */
/* test_compact.c - weights of a network that only infers lie in memory once,
 * and are what they were: in results, read, opened and written again. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/scratch.h"
#include "support/sequences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void same_weights(const char *what, elman_dtype dtype, const void *got,
                         const problem *p, int64_t count)
{
    expect_same(what, dtype, got, scratch_as(dtype, p->w, count), count);
}

/* The same results as of a network that trains, before and after its weights
 * were read, opened and closed. */
static void test_same(void **state)
{
    (void)state;
    const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16};
    draw d = {.stream = 1};
    for (int i = 0; i < 150; ++i) {
        const elman_dtype dtype = dtypes[i % 3];
        counting c = {0};
        elman_context *context = counting_context(&c);
        problem p = problem_draw(&d, 12, 90);
        p.train = 0;
        const answer expected = problem_solve(context, &p, dtype, 1);
        p.desc.inference_only = 1;
        problem_try("compact", &p);
        elman_rnn *rnn = problem_rnn(context, &p, dtype);
        const int64_t count = elman_rnn_parameters(rnn);
        elman_tape *tape = problem_tape(rnn, &p, 1);
        for (int turn = 0; turn < 3; ++turn) {
            answer got = answer_room(&p, dtype);
            problem_run(&p, rnn, tape, 1, &got);
            answers_same("compact", &got, &expected, Y, CT);
            if (turn == 0)
                same_weights("read", dtype, elman_rnn_weights(rnn), &p, count);
            same_weights("opened", dtype, elman_rnn_weights_begin(rnn), &p,
                         count);
            if (turn == 1)
                elman_rnn_weights_begin(rnn);
            elman_rnn_weights_end(rnn);
            elman_rnn_weights_end(rnn);
        }
        same_weights("read at last", dtype, elman_rnn_weights(rnn), &p, count);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
        scratch_free(NULL);
    }
}

/* Less than a network that trains by far, never twice the weights, and what it
 * says; a copy that is read is counted. */
static void test_taken(void **state)
{
    (void)state;
    enum { SLACK = 16000 };
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    elman_memory m = ELMAN_MEMORY;
    elman_rnn *rnn;
    desc.cell = ELMAN_CELL_LSTM;
    desc.input = desc.hidden = 256;
    desc.layers = 2;
    desc.inference_only = 1;
    const long long before = c.bytes;
    must(elman_rnn_create(context, &desc, &rnn));
    elman_rnn_init(rnn, 1);
    const int64_t flat = elman_rnn_parameters(rnn) * (int64_t)sizeof(float);
    must(elman_rnn_memory(rnn, NULL, &m));
    const long long taken = c.bytes - before;
    assert_true(taken - (m.weights + m.packed) >= 0);
    assert_true(taken - (m.weights + m.packed) < SLACK);
    assert_true(c.most - before < flat + flat / 8);

    /* Reading fails and leaves nothing behind, and then it does not. */
    c.fail = c.asked + 1;
    assert_null(elman_rnn_weights(rnn));
    assert_non_null(strstr(elman_message(), "memory"));
    assert_true(c.bytes - before == taken);
    c.fail = 0;
    const void *const copy = elman_rnn_weights(rnn);
    assert_non_null(copy);
    assert_ptr_equal(elman_rnn_weights(rnn), copy);
    must(elman_rnn_memory(rnn, NULL, &m));
    assert_true(m.weights + m.packed > 2 * flat);
    assert_true(c.bytes - before >= taken + flat);
    elman_rnn_weights_begin(rnn);
    assert_true(c.bytes - before == taken);
    elman_rnn_weights_end(rnn);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    assert_int_equal(c.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_same, scratch_free),
        cmocka_unit_test_teardown(test_taken, scratch_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
