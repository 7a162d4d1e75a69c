/* SPDX-License-Identifier: MIT */
/* test_quiet.c - stepping on one thread makes no system call: a child process
 * that the kernel ends at the first one steps a thousand times.  A lock that
 * has to wait, and memory that has to be asked for, are system calls too; the
 * allocator is counted besides. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include "support/counting.h"
#include "support/expect.h"

#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { STEPS = 1000, INPUT = 7, HIDDEN = 70, QUIET = 3, BROKEN = 4, NO = 5 };

/* Under a sanitizer the program itself calls the system. */
static bool sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#endif
#endif
    return false;
}

/* In the child.  Strict mode leaves read, write, exit and sigreturn. */
static void step_quietly(const elman_rnn *rnn, elman_state *state, bool noisy)
{
    static float x[INPUT], y[HIDDEN];
    int code = QUIET;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        _exit(NO);
    for (int i = 0; i < STEPS; ++i) {
        x[i % INPUT] = (float)i / STEPS;
        if (elman_rnn_step(rnn, state, x, y) != ELMAN_OK)
            code = BROKEN;
    }
    if (noisy)
        syscall(SYS_getppid);
    syscall(SYS_exit, code);
}

static int status_of_child(const elman_rnn *rnn, elman_state *state, bool noisy)
{
    int status;
    const pid_t child = fork();
    if (child == 0)
        step_quietly(rnn, state, noisy);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_cell(elman_rnn_desc desc, const char *name)
{
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_rnn *rnn;
    elman_state *state;
    trying("%s", name);
    desc.input = INPUT;
    desc.hidden = HIDDEN;
    desc.layers = 2;
    must(elman_rnn_create(context, &desc, &rnn));
    elman_rnn_init(rnn, 1);
    must(elman_state_create(rnn, 1, &state));
    const long long asked = atomic_load(&c.asked);
    float x[INPUT] = {0}, y[HIDDEN];
    for (int i = 0; i < 10; ++i)
        must(elman_rnn_step(rnn, state, x, y));
    assert_true(atomic_load(&c.asked) == asked);

    const int noisy = status_of_child(rnn, state, true);
    if (WIFEXITED(noisy) && WEXITSTATUS(noisy) == NO) {
        print_message("%s: seccomp is not to be had here\n", name);
    } else {
        assert_true(WIFSIGNALED(noisy) && WTERMSIG(noisy) == SIGKILL);
        const int quiet = status_of_child(rnn, state, false);
        if (!WIFEXITED(quiet) || WEXITSTATUS(quiet) != QUIET)
            fail_trying("stepping called the system");
    }
    elman_state_destroy(&state);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
}

static void test_stepping(void **state)
{
    (void)state;
    if (sanitized()) {
        print_message("under a sanitizer, nothing is quiet\n");
        skip();
    }
    elman_rnn_desc d = ELMAN_RNN_DESC;
    check_cell(d, "elman");
    d.cell = ELMAN_CELL_LSTM;
    check_cell(d, "lstm");
    d.proj = 33;
    check_cell(d, "lstm with a projection");
    d.proj = 0;
    d.cell = ELMAN_CELL_GRU;
    check_cell(d, "gru");
    d.reset_before = 1;
    check_cell(d, "gru, the reset before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stepping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
