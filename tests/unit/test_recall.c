/* SPDX-License-Identifier: MIT */
/* test_recall.c - back-propagation within a budget: the bits are those of a
 * tape that keeps everything, the allocator is asked for no more than the
 * budget, and one that cannot do is refused with the least that would. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/sequences.h"
#include "support/variants.h"
#include "test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The number behind "would do is" in the sentence that refuses a budget. */
static int64_t least_said(void)
{
    const char *const place = strstr(elman_message(), "would do is ");
    if (!place)
        fail_trying("%s", elman_message());
    return strtoll(place + 12, NULL, 10);
}

static elman_tape_desc tape_of(const problem *p, int64_t memory)
{
    elman_tape_desc d = ELMAN_TAPE_DESC;
    d.steps = p->T;
    d.batch = p->B;
    d.memory = memory;
    return d;
}

/* The least budget, and what lies outside it. */
static int64_t least_memory(const elman_rnn *rnn, const problem *p,
                            int64_t *outside)
{
    elman_tape *tape;
    elman_memory m = ELMAN_MEMORY;
    elman_tape_desc d = tape_of(p, 1);
    must_fail(elman_tape_create(rnn, &d, &tape), ELMAN_EINVAL, "too little");
    d.memory = least_said();
    must(elman_rnn_memory(rnn, &d, &m));
    if (m.tape - m.outside > d.memory)
        fail_trying("the least was %lld, and %lld it takes",
                    (long long)d.memory, (long long)(m.tape - m.outside));
    *outside = m.outside;
    const int64_t least = d.memory--;
    must_fail(elman_tape_create(rnn, &d, &tape), ELMAN_EINVAL, "too little");
    return least;
}

/* The tape of a budget takes what it says, and gives the plain answer, run
 * after run and when it goes back twice. */
static void check_budget(counting *c, elman_rnn *rnn, problem p,
                         const answer *plain, int64_t outside)
{
    const elman_tape_desc d = tape_of(&p, p.memory);
    elman_memory m = ELMAN_MEMORY;
    must(elman_rnn_memory(rnn, &d, &m));
    const long long before = c->bytes;
    elman_tape *tape = problem_tape(rnn, &p, 0);
    if (c->bytes - before != m.tape || m.tape - m.outside > p.memory ||
        (m.passes > 1 && m.outside != outside))
        fail_trying("a budget of %lld: said %lld, took %lld",
                    (long long)p.memory, (long long)m.tape,
                    (long long)(c->bytes - before));
    for (int i = 0; i < 2; ++i) {
        char name[60];
        answer a = answer_room(&p, ELMAN_F32);
        snprintf(name, sizeof name, "memory %lld, passes %g, run %d",
                 (long long)p.memory, m.passes, i);
        problem_run(&p, rnn, tape, 0, &a);
        answers_same(name, plain, &a, 0, PARTS - 1);
    }
    answer again = answer_room(&p, ELMAN_F32);
    problem_back(&p, rnn, tape, &again);
    answers_same("gone back through twice", plain, &again, DX, PARTS - 1);
    elman_tape_destroy(&tape);
}

static void check_problem(draw *d, problem p)
{
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_rnn *rnn = problem_rnn(context, &p, ELMAN_F32);
    elman_tape_desc whole = tape_of(&p, 0);
    const answer plain = problem_solve(context, &p, ELMAN_F32, 0);
    int64_t outside;
    problem_try("budget", &p);
    const int64_t most = elman_tape_bytes(rnn, &whole);
    const int64_t least = least_memory(rnn, &p, &outside);
    p.memory = least;
    check_budget(&c, rnn, p, &plain, outside);
    for (int i = 0; i < 4 && least < most; ++i) {
        p.memory = least + draw_below(d, (most - least) / (1 + 3 * (i % 2)));
        check_budget(&c, rnn, p, &plain, outside);
    }
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    assert_int_equal(c.bytes, 0);
}

/* All cells, layers, directions, projections, lengths and layouts. */
static void test_any(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    for (int i = 0; i < 60; ++i) {
        check_problem(&d, problem_draw(&d, i % 3 ? 300 : 900, 20));
        scratch_free(NULL);
    }
}

/* The same with dropout between layers and of weights. */
static void test_dropout(void **state)
{
    (void)state;
    draw d = {.stream = 2};
    for (int i = 0; i < 40; ++i) {
        problem p = problem_draw(&d, 400, 20);
        p.train = 1;
        p.seed = (uint64_t)draw_below(&d, 1000);
        p.draw = (uint64_t)draw_below(&d, 1000);
        p.desc.dropout = i % 4 ? 0.3 : 0;
        p.desc.locked = i % 2;
        p.desc.weight_drop = i % 3 ? 0 : 0.4;
        check_problem(&d, p);
        scratch_free(NULL);
    }
}

/* Few sequences that are long, so that all kinds of schedule come up. */
static void test_long(void **state)
{
    (void)state;
    draw d = {.stream = 3};
    for (int i = 0; i < 12; ++i) {
        problem p = problem_draw(&d, 4, 6);
        p.T = 2000 + draw_below(&d, 2500);
        p.B = 1 + i % 2;
        p.desc.layers = 1 + i % 2;
        p.desc.bidirectional = i % 4 == 3;
        p.lengths = NULL;
        if (i % 3 == 1) {
            p.lengths = scratch(p.B, sizeof *p.lengths);
            for (int64_t b = 0; b < p.B; ++b)
                p.lengths[b] = draw_below(&d, p.T + 1);
        }
        problem_fill(&p, &d);
        check_problem(&d, p);
        scratch_free(NULL);
    }
}

/* ---- Language models ------------------------------------------------------*/

typedef struct piece {
    int64_t T, B, V;
    int32_t *ids, *targets;
    uint64_t draw;
} piece;

/* Two updates' worth: losses, kept targets, the carried state and the gradient,
 * which is added to. */
typedef struct lesson {
    double loss[2];
    int64_t kept[2];
    void *carried, *grad;
} lesson;

static elman_tape_desc lm_tape_of(const piece *q, int64_t memory)
{
    elman_tape_desc d = ELMAN_TAPE_DESC;
    d.steps = q->T;
    d.batch = q->B;
    d.memory = memory;
    return d;
}

static lesson learn(elman_lm *lm, const piece *q, int64_t memory)
{
    const elman_tape_desc d = lm_tape_of(q, memory);
    const int64_t P = elman_lm_parameters(lm);
    lesson l = {.carried = scratch(100000, 4), .grad = scratch(P, 4)};
    elman_lm_tape *tape;
    elman_lm_state *state;
    must(elman_lm_tape_make(lm, &d, &tape));
    must(elman_lm_state_create(lm, q->B, &state));
    for (int i = 0; i < 2; ++i) {
        elman_lm_batch batch = ELMAN_LM_BATCH;
        batch.steps = i == 0 ? q->T : (q->T + 1) / 2;
        batch.batch = q->B;
        batch.ids = q->ids;
        batch.targets = q->targets;
        batch.scale = 0.01;
        batch.train = 1;
        batch.seed = 3;
        batch.draw = q->draw + (uint64_t)i;
        batch.first_row = i;
        must(elman_lm_forward(lm, tape, &batch, state, &l.loss[i], &l.kept[i]));
        must(elman_lm_backward(lm, tape, l.grad));
    }
    elman_lm_state_read(state, l.carried);
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    return l;
}

static void check_lesson(counting *c, elman_lm *lm, const piece *q,
                         int64_t memory, const lesson *plain)
{
    const elman_tape_desc d = lm_tape_of(q, memory);
    elman_memory m = ELMAN_MEMORY;
    elman_lm_tape *tape;
    elman_lm_state *state;
    must(elman_lm_memory(lm, &d, NULL, &m));
    const long long before = c->bytes;
    must(elman_lm_tape_make(lm, &d, &tape));
    if (c->bytes - before > memory)
        fail_trying("a budget of %lld, took %lld", (long long)memory,
                    (long long)(c->bytes - before));
    must(elman_lm_state_create(lm, q->B, &state));
    assert_int_equal(c->bytes - before, m.tape);
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    const lesson l = learn(lm, q, memory);
    expect_same("loss", ELMAN_F64, l.loss, plain->loss, 2);
    expect_same("kept", ELMAN_F64, l.kept, plain->kept, 2);
    expect_same("state", ELMAN_F32, l.carried, plain->carried, 100000);
    expect_same("gradient", ELMAN_F32, l.grad, plain->grad,
                elman_lm_parameters(lm));
}

static void check_model(elman_context *context, counting *c, draw *d,
                        const elman_lm_desc *desc)
{
    elman_lm *lm = letters_lm(context, desc, 7);
    piece q = {.T = 1 + draw_below(d, 400),
               .B = 1 + draw_below(d, 5),
               .V = elman_vocab_size(elman_lm_vocab(lm)),
               .draw = (uint64_t)draw_below(d, 100)};
    elman_lm_tape *tape;
    q.ids = letters_ids(d, q.T * q.B, q.V, false);
    q.targets = letters_ids(d, q.T * q.B, q.V, true);
    const lesson plain = learn(lm, &q, 0);
    trying("budget of %s, T %lld B %lld, tie %d, dropout %g, weight drop %g",
           letters_name(desc), (long long)q.T, (long long)q.B, desc->tie,
           desc->dropout, desc->weight_drop);
    elman_tape_desc tiny = lm_tape_of(&q, 1);
    must_fail(elman_lm_tape_make(lm, &tiny, &tape), ELMAN_EINVAL, "too little");
    const int64_t least = least_said();
    check_lesson(c, lm, &q, least, &plain);
    for (int i = 0; i < 3; ++i)
        check_lesson(c, lm, &q, least + draw_below(d, least << i), &plain);
    tiny.memory = least - 1;
    must_fail(elman_lm_tape_make(lm, &tiny, &tape), ELMAN_EINVAL, "too little");
    elman_lm_destroy(&lm);
}

static void test_lm(void **state)
{
    (void)state;
    draw d = {.stream = 4};
    for (int i = 0; i < 60; ++i) {
        counting c = {0};
        elman_context *context = counting_context(&c);
        elman_lm_desc desc = letters_draw_desc(&d);
        if (desc.cell != ELMAN_CELL_NONE) {
            const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                        ELMAN_CELL_GRU};
            desc.cell = cells[i % 3];
            desc.activation = ELMAN_TANH;
            desc.weight_drop = i % 4 == 1 ? 0.3 : 0;
            desc.tie = i % 5 == 0;
            desc.embed = desc.tie ? desc.hidden : desc.embed;
        }
        desc.dropout = i % 2 ? 0.25 : 0;
        desc.locked = i % 4 == 3;
        desc.dtype = i % 6 == 4 ? ELMAN_BF16 : ELMAN_F32;
        check_model(context, &c, &d, &desc);
        elman_context_destroy(&context);
        scratch_free(NULL);
    }
}

/* Whatever the level and the number of threads. */
static void test_threads(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    for (int i = 0; i < 10; ++i) {
        problem p = problem_draw(&d, 500, 30);
        elman_context *one = make_context(1, NULL);
        const answer plain = problem_solve(one, &p, ELMAN_F32, 0);
        elman_rnn *rnn = problem_rnn(one, &p, ELMAN_F32);
        elman_tape_desc desc = tape_of(&p, 0);
        problem_try("budget on threads", &p);
        p.memory = elman_tape_bytes(rnn, &desc) * 3 / 4;
        elman_rnn_destroy(&rnn);
        elman_context_destroy(&one);
        elman_context *many = make_context(3, i % 2 ? "c" : NULL);
        rnn = problem_rnn(many, &p, ELMAN_F32);
        desc.memory = p.memory;
        if (elman_tape_bytes(rnn, &desc) > 0) {
            const answer a = problem_solve(many, &p, ELMAN_F32, 0);
            answers_same("three threads", &plain, &a, 0, PARTS - 1);
        }
        elman_rnn_destroy(&rnn);
        elman_context_destroy(&many);
        scratch_free(NULL);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(test_##name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any), TEST(dropout), TEST(long), TEST(lm), TEST(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
