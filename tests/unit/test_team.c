/* SPDX-License-Identifier: MIT */
/* test_team.c - every part runs exactly once, whoever calls, on however many
 * threads, before a fork and after it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setattr_default_np */
#endif
#include "base/cpu.h"
#include "base/team.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

static void *take(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void give(void *user, void *block)
{
    (void)user;
    free(block);
}

static const elman_context context = {.allocator = {take, give, NULL}};

enum { PARTS = 64 };

/* What parts leave behind: how often each one ran, and plain memory that only
 * the team's own ordering protects. */
typedef struct count {
    _Atomic int times[PARTS];
    int64_t value[PARTS];
} count;

static void do_part(void *arg, int part)
{
    count *const c = arg;
    atomic_fetch_add(&c->times[part], 1);
    for (int i = 0; i < 50; ++i)
        c->value[part] += part + 1;
}

/* Runs and checks; no assertion, since it is called on any thread. */
static bool runs_once(el_team *team, int parts)
{
    count c = {.value = {0}};
    el_team_run(team, parts, do_part, &c);
    for (int part = 0; part < PARTS; ++part) {
        const int times = atomic_load(&c.times[part]);
        if (times != (part < parts) ||
            c.value[part] != (int64_t)50 * (part + 1) * (part < parts))
            return false;
    }
    return true;
}

static void test_every_part_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; ++threads) {
        el_team *const team = el_team_create(&context, threads, NULL);
        assert_non_null(team);
        assert_int_equal(el_team_size(team), threads);
        for (int parts = 0; parts <= 20; ++parts)
            for (int i = 0; i < 5; ++i)
                assert_true(runs_once(team, parts));
        assert_true(runs_once(team, PARTS));
        el_team_destroy(&context, team);
    }
}

/* Members that have gone to sleep wake up again. */
static void test_after_a_pause(void **state)
{
    (void)state;
    el_team *const team = el_team_create(&context, 3, NULL);
    for (int i = 0; i < 20; ++i) {
        const struct timespec pause = {.tv_nsec = 5000000};
        assert_true(runs_once(team, 3));
        nanosleep(&pause, NULL);
        assert_true(runs_once(team, 7));
    }
    el_team_destroy(&context, team);
}

static void test_create_destroy(void **state)
{
    (void)state;
    for (int i = 0; i < 200; ++i) {
        el_team *const team = el_team_create(&context, 1 + i % 4, NULL);
        if (i % 3)
            assert_true(runs_once(team, 4));
        el_team_destroy(&context, team);
    }
    el_team_destroy(&context, NULL);
}

/* The threads are really there: parts that wait for each other get through. */
typedef struct meeting {
    _Atomic int arrived;
    int expected;
    pthread_t thread[8];
} meeting;

static void meet(void *arg, int part)
{
    meeting *const m = arg;
    m->thread[part] = pthread_self();
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < m->expected)
        sched_yield();
}

static void test_threads_are_used(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 8; threads += 3) {
        el_team *const team = el_team_create(&context, threads, NULL);
        for (int i = 0; i < 20; ++i) {
            meeting m = {.expected = threads};
            el_team_run(team, threads, meet, &m);
            assert_true(pthread_equal(m.thread[0], pthread_self()));
            for (int a = 0; a < threads; ++a)
                for (int b = 0; b < a; ++b)
                    assert_false(pthread_equal(m.thread[a], m.thread[b]));
        }
        el_team_destroy(&context, team);
    }
}

/* ---- More than one caller ------------------------------------------------*/

typedef struct nest {
    el_team *team;
    int depth;
    _Atomic int good, bad;
} nest;

static void do_nested(void *arg, int part)
{
    nest *const n = arg;
    (void)part;
    atomic_fetch_add(runs_once(n->team, 5) ? &n->good : &n->bad, 1);
}

static void do_more_nested(void *arg, int part)
{
    nest *const n = arg;
    (void)part;
    el_team_run(n->team, 3, do_nested, n);
}

static void test_nested(void **state)
{
    (void)state;
    el_team *const team = el_team_create(&context, 4, NULL);
    for (int i = 0; i < 100; ++i) {
        nest n = {.team = team};
        el_team_run(team, 6, do_more_nested, &n);
        assert_int_equal(atomic_load(&n.good), 18);
        assert_int_equal(atomic_load(&n.bad), 0);
    }
    el_team_destroy(&context, team);
}

static void *call_often(void *arg)
{
    nest *const n = arg;
    for (int i = 0; i < 300; ++i)
        atomic_fetch_add(runs_once(n->team, 1 + i % 9) ? &n->good : &n->bad, 1);
    return NULL;
}

static void call_together(nest *n, int callers)
{
    pthread_t thread[8];
    for (int i = 0; i < callers; ++i)
        if (pthread_create(&thread[i], NULL, call_often, n) != 0)
            abort();
    for (int i = 0; i < callers; ++i)
        pthread_join(thread[i], NULL);
}

static void test_concurrent_callers(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; ++threads) {
        nest n = {.team = el_team_create(&context, threads, NULL)};
        call_together(&n, 4);
        assert_int_equal(atomic_load(&n.good), 4 * 300);
        assert_int_equal(atomic_load(&n.bad), 0);
        el_team_destroy(&context, n.team);
    }
}

/* ---- The caller's own threads --------------------------------------------*/

typedef struct piece {
    void (*task)(void *arg, int index);
    void *arg;
    int index;
} piece;

static void *do_piece(void *arg)
{
    const piece *const p = arg;
    fesetround(FE_UPWARD);
    p->task(p->arg, p->index);
    return fegetround() == FE_UPWARD ? NULL : arg;
}

typedef struct crew {
    int jobs, spoilt;
} crew;

/* A thread for each part, the last part first; each in a mode of its own. */
static void run_crew(void *user, int n, void (*task)(void *arg, int index),
                     void *arg)
{
    crew *const c = user;
    pthread_t thread[PARTS];
    piece pieces[PARTS];
    for (int i = n - 1; i >= 0; --i) {
        pieces[i] = (piece){task, arg, i};
        if (pthread_create(&thread[i], NULL, do_piece, &pieces[i]) != 0)
            abort();
    }
    for (int i = 0; i < n; ++i) {
        void *result;
        pthread_join(thread[i], &result);
        c->spoilt += result != NULL;
    }
    ++c->jobs;
}

static volatile float one = 1, little = 0x1p-30f;

static void add_a_little(void *arg, int part)
{
    volatile float *const sums = arg;
    sums[part] = one + little;
}

static void test_executor(void **state)
{
    (void)state;
    crew c = {0};
    const elman_executor executor = {3, run_crew, &c};
    el_team *const team = el_team_create(&context, executor.threads, &executor);
    for (int parts = 0; parts <= 12; ++parts)
        assert_true(runs_once(team, parts));
    assert_int_equal(c.jobs, 11); /* one part is a plain call */
    /* A part computes by our rules, and leaves the thread's as they were. */
    float sums[8] = {0};
    el_team_run(team, 8, add_a_little, sums);
    for (int i = 0; i < 8; ++i)
        assert_true(sums[i] == 1);
    assert_int_equal(c.spoilt, 0);
    el_team_destroy(&context, team);
}

/* The team's own threads do not inherit the modes of who started them. */
static void test_modes_of_members(void **state)
{
    (void)state;
    el_team *const team = el_team_create(&context, 4, NULL);
    float sums[4] = {0};
    fesetround(FE_UPWARD);
    el_team_run(team, 4, add_a_little, sums);
    const int mode = fegetround();
    fesetround(FE_TONEAREST);
    assert_int_equal(mode, FE_UPWARD);
    for (int i = 1; i < 4; ++i)
        assert_true(sums[i] == 1);
    el_team_destroy(&context, team);
}

/* ---- What goes wrong around it -------------------------------------------*/

/* A child, which has one thread, uses what its parent made. */
static void in_child(el_team *team)
{
    nest n = {.team = team};
    alarm(60);
    call_together(&n, 3);
    bool good = atomic_load(&n.good) == 3 * 300;
    for (int parts = 0; parts <= 10; ++parts)
        good = runs_once(team, parts) && good;
    const pid_t grandchild = fork();
    if (grandchild == 0) {
        const bool fine = runs_once(team, 5);
        el_team_destroy(&context, team);
        _exit(fine ? 0 : 1);
    }
    int status;
    waitpid(grandchild, &status, 0);
    good = good && status == 0;
    el_team_destroy(&context, team);
    _exit(good ? 0 : 1);
}

static void test_fork(void **state)
{
    (void)state;
    if (UNDER_TSAN) {
        print_message("skipped: ThreadSanitizer takes a thread that a child "
                      "starts for one of its parent's\n");
        skip();
    }
    const char *const cross = getenv("ELMAN_CROSS");
    if (cross && *cross) {
        print_message("skipped: qemu ends a child that starts a thread\n");
        skip();
    }
    el_team *const team = el_team_create(&context, 3, NULL);
    for (int i = 0; i < 10; ++i) {
        assert_true(runs_once(team, 4));
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            in_child(team);
        assert_true(runs_once(team, 4));
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    /* A child that never runs anything can still destroy. */
    const pid_t child = fork();
    if (child == 0) {
        el_team_destroy(&context, team);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_true(runs_once(team, 4));
    el_team_destroy(&context, team);
}

/* Where no thread can be had the caller does everything; later, when threads
 * can be had again, no part of an old job is done once more. */
#ifdef __GLIBC__
static void test_no_threads(void **state)
{
    (void)state;
    pthread_attr_t usual, impossible;
    assert_int_equal(pthread_getattr_default_np(&usual), 0);
    assert_int_equal(pthread_getattr_default_np(&impossible), 0);
    assert_int_equal(pthread_attr_setstacksize(&impossible, (size_t)1 << 50),
                     0);
    for (int i = 0; i < 300; ++i) {
        el_team *const team = el_team_create(&context, 3, NULL);
        static count old;
        memset(&old, 0, sizeof old);
        assert_int_equal(pthread_setattr_default_np(&impossible), 0);
        el_team_run(team, 3, do_part, &old);
        assert_int_equal(pthread_setattr_default_np(&usual), 0);
        meeting m = {.expected = 3};
        el_team_run(team, 3, meet, &m);
        for (int part = 0; part < 3; ++part)
            assert_int_equal(atomic_load(&old.times[part]), 1);
        assert_true(runs_once(team, 3));
        el_team_destroy(&context, team);
    }
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&impossible);
}
#else
static void test_no_threads(void **state)
{
    (void)state;
    print_message("skipped: only glibc can be made to refuse threads\n");
    skip();
}
#endif

static void *no_memory(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void test_no_memory(void **state)
{
    (void)state;
    const elman_context poor = {.allocator = {no_memory, give, NULL}};
    assert_null(el_team_create(&poor, 3, NULL));
    assert_string_equal(elman_message(), "memory ran out");
}

/* ---- Shares --------------------------------------------------------------*/

static void check_shares(int64_t n, int64_t unit, int parts)
{
    int64_t next = 0, least = n, most = 0;
    for (int part = 0; part < parts; ++part) {
        int64_t from, to;
        el_share(n, unit, parts, part, &from, &to);
        assert_true(from == next && to >= from && to <= n);
        assert_true(from % unit == 0 || from == n);
        next = to;
        /* In units, the last of which may be a short one. */
        const int64_t size = (to - from + unit - 1) / unit;
        least = size < least ? size : least;
        most = size > most ? size : most;
    }
    assert_true(next == n);
    assert_true(most - least <= 1);
}

static void test_share(void **state)
{
    (void)state;
    for (int64_t n = 0; n <= 100; ++n)
        for (int64_t unit = 1; unit <= 33; unit += unit < 4 ? 1 : 7)
            for (int parts = 1; parts <= 13; ++parts)
                check_shares(n, unit, parts);
    check_shares((int64_t)1 << 50, 64, 7);
    check_shares(((int64_t)1 << 50) + 1, 1, 8);
}

static void test_parts(void **state)
{
    (void)state;
    el_team *const team = el_team_create(&context, 6, NULL);
    int last = 1;
    assert_int_equal(el_team_parts(team, 0), 1);
    for (double operations = 1; operations < 1e20; operations *= 1.5) {
        const int parts = el_team_parts(team, operations);
        assert_in_range(parts, last, 6);
        last = parts;
    }
    assert_int_equal(last, 6);
    el_team_destroy(&context, team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part_once),
        cmocka_unit_test(test_after_a_pause),
        cmocka_unit_test(test_create_destroy),
        cmocka_unit_test(test_threads_are_used),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_concurrent_callers),
        cmocka_unit_test(test_executor),
        cmocka_unit_test(test_modes_of_members),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_no_threads),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
