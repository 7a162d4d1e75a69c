/* SPDX-License-Identifier: MIT */
/* test_state.c - recurrent layers one step a call. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ptrace */
#endif
#include "support/counting.h"
#include "support/expect.h"
#include "support/scratch.h"
#include "support/variants.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { I = 19, H = 43, L = 3, MOST = 5 };

static elman_rnn *make_rnn(elman_context *context, int64_t input)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = input;
    desc.hidden = H;
    desc.layers = L;
    elman_rnn *rnn;
    must(elman_rnn_create(context, &desc, &rnn));
    elman_rnn_init(rnn, 3);
    return rnn;
}

static void check_allocations(int64_t batch)
{
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_rnn *rnn = make_rnn(context, I);
    elman_state *s;
    must(elman_state_create(rnn, batch, &s));
    float x[MOST * I] = {0}, y[MOST * H], h[L * MOST * H];
    const long long before = c.asked;
    for (int t = 0; t < 100; ++t)
        must(elman_rnn_step(rnn, s, x, t % 2 ? y : NULL));
    elman_state_read(s, h);
    elman_state_write(s, h);
    elman_state_zero(s);
    elman_state_random(s, 1, 0);
    assert_int_equal(c.asked, before);

    elman_tape_desc desc = ELMAN_TAPE_DESC;
    desc.steps = 2;
    desc.batch = batch;
    elman_tape *tape;
    must(elman_tape_create(rnn, &desc, &tape));
    const long long made = c.asked;
    must(elman_rnn_forward(rnn, tape, 1, batch, x, NULL, y, NULL));
    must(elman_rnn_backward(rnn, tape, y, h, NULL, h, NULL));
    assert_int_equal(c.asked, made);
    elman_tape_destroy(&tape);
    elman_state_destroy(&s);
    elman_state_destroy(&s);
    elman_state_destroy(NULL);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    assert_int_equal(c.live, 0);
}

static void test_running_allocates_nothing(void **state)
{
    (void)state;
    trying("allocations");
    check_allocations(1);
    check_allocations(MOST);
}

/* ---- System calls --------------------------------------------------------*/

/* A child stops, makes so many steps, and ends. */
static void step_in_child(elman_rnn *rnn, elman_state *s, int steps)
{
    float x[I] = {0}, y[H];
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(2);
    raise(SIGSTOP);
    for (int t = 0; t < steps; ++t)
        if (elman_rnn_step(rnn, s, x, y))
            _exit(3);
    _exit(0);
}

/* How often the child enters or leaves the system; -1 if it may not be
 * watched. */
static int count_stops(elman_rnn *rnn, elman_state *s, int steps)
{
    int status, stops = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        step_in_child(rnn, s, steps);
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        ++stops;
        if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        return -1;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return stops;
}

static void test_steps_make_no_system_call(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    elman_rnn *rnn = make_rnn(context, I);
    elman_state *s;
    must(elman_state_create(rnn, 1, &s));
    const int none = count_stops(rnn, s, 0);
    const int many = none < 0 ? -1 : count_stops(rnn, s, 500);
    elman_state_destroy(&s);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    if (many < 0) {
        print_message("             no process may be watched here\n");
        skip();
    }
    assert_int_equal(many, none);
}

/* ---- Reading, writing, drawing -------------------------------------------*/

/* From any state on, a step is a forward pass of one step, at every level and
 * on any number of threads. */
static void test_step_is_forward(void **state)
{
    (void)state;
    draw d = {.stream = 40};
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    const int64_t cells = L * MOST * H;
    for (int64_t input = 0; input <= I; input += I) {
        float *const h =
            scratch_as(ELMAN_F32, scratch_draw(&d, cells, 1), cells);
        float *const x =
            input
                ? scratch_as(ELMAN_F32, scratch_draw(&d, MOST * I, 1), MOST * I)
                : NULL;
        float *const expected = scratch(cells, sizeof *expected);
        float *const last = scratch(MOST * H, sizeof *last);
        for (int i = 0; i < count; ++i) {
            trying("%s, input %d", list[i].name, (int)input);
            elman_rnn *rnn = make_rnn(list[i].context, input);
            elman_state *s;
            must(elman_state_create(rnn, MOST, &s));
            elman_state_write(s, h);
            float y[MOST * H], got[L * MOST * H];
            must(elman_rnn_step(rnn, s, x, y));
            elman_state_read(s, got);
            if (i == 0) {
                elman_tape_desc desc = ELMAN_TAPE_DESC;
                desc.steps = 1;
                desc.batch = MOST;
                elman_tape *tape;
                must(elman_tape_create(rnn, &desc, &tape));
                must(elman_rnn_forward(rnn, tape, 1, MOST, x, h, last,
                                       expected));
                elman_tape_destroy(&tape);
            }
            expect_same("y", ELMAN_F32, y, last, MOST * H);
            expect_same("h", ELMAN_F32, got, expected, cells);
            elman_state_destroy(&s);
            elman_rnn_destroy(&rnn);
        }
    }
    variants_destroy(list, count);
}

static void test_start_and_zero(void **state)
{
    (void)state;
    trying("zeros");
    elman_context *context = make_context(1, NULL);
    elman_rnn *rnn = make_rnn(context, I);
    elman_state *s;
    must(elman_state_create(rnn, 2, &s));
    float h[L * 2 * H], zeros[L * 2 * H] = {0}, x[2 * I] = {0};
    elman_state_read(s, h);
    expect_same("a new state", ELMAN_F32, h, zeros, L * 2 * H);
    must(elman_rnn_step(rnn, s, x, NULL));
    elman_state_read(s, h);
    assert_memory_not_equal(h, zeros, sizeof h);
    elman_state_zero(s);
    elman_state_read(s, h);
    expect_same("a state made zero", ELMAN_F32, h, zeros, L * 2 * H);
    elman_state_destroy(&s);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
}

static void check_moments(elman_rnn *rnn, elman_dtype dtype, double stddev)
{
    enum { B = 200 };
    const int64_t n = (int64_t)L * B * H;
    elman_state *s;
    must(elman_state_create(rnn, B, &s));
    void *const h = scratch(n, elman_dtype_size(dtype));
    void *const again = scratch(n, elman_dtype_size(dtype));
    elman_state_random(s, stddev, 11);
    elman_state_read(s, h);
    elman_state_zero(s);
    elman_state_random(s, stddev, 11);
    elman_state_read(s, again);
    expect_same("the same seed", dtype, again, h, n);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double value = element(dtype, h, i) / stddev;
        mean += value / (double)n;
        square += value * value / (double)n;
    }
    /* 25,800 numbers: five standard errors. */
    assert_true(fabs(mean) < 0.032);
    assert_true(fabs(square - 1) < 0.045);
    elman_state_random(s, stddev, 12);
    elman_state_read(s, again);
    assert_memory_not_equal(h, again, (size_t)n * elman_dtype_size(dtype));
    elman_state_destroy(&s);
}

static void test_random(void **state)
{
    (void)state;
    elman_context *context = make_context(1, NULL);
    for (elman_dtype dtype = ELMAN_F32; dtype <= ELMAN_F64; ++dtype) {
        trying("a random state");
        elman_rnn_desc desc = ELMAN_RNN_DESC;
        desc.dtype = dtype;
        desc.hidden = H;
        desc.layers = L;
        elman_rnn *rnn;
        must(elman_rnn_create(context, &desc, &rnn));
        check_moments(rnn, dtype, 1);
        check_moments(rnn, dtype, 0.25);
        elman_rnn_destroy(&rnn);
    }
    elman_context_destroy(&context);
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    elman_context *context = make_context(1, NULL);
    elman_rnn *rnn = make_rnn(context, I), *other = make_rnn(context, I);
    elman_state *s;
    must_fail(elman_state_create(rnn, 0, &s), ELMAN_EINVAL, "batch is 0");
    assert_null(s);
    must_fail(elman_state_create(NULL, 1, &s), ELMAN_EINVAL, "NULL");
    must_fail(elman_state_create(rnn, 1, NULL), ELMAN_EINVAL, "NULL");
    must(elman_state_create(rnn, 1, &s));
    float x[I] = {0};
    must_fail(elman_rnn_step(other, s, x, NULL), ELMAN_EINVAL,
              "another network");
    must_fail(elman_rnn_step(rnn, s, NULL, NULL), ELMAN_EINVAL, "x is NULL");
    must_fail(elman_rnn_step(NULL, s, x, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_rnn_step(rnn, NULL, x, NULL), ELMAN_EINVAL, "NULL");
    elman_state_destroy(&s);
    elman_rnn_destroy(&rnn);
    elman_rnn_destroy(&other);
    elman_context_destroy(&context);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(running_allocates_nothing),
        TEST(steps_make_no_system_call),
        TEST(step_is_forward),
        TEST(start_and_zero),
        TEST(random),
        TEST(mistakes),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
