/* SPDX-License-Identifier: MIT */
/* A member waits for the next job by spinning for a while, since the next step
 * of a recurrence is microseconds away, and then sleeps.  After a fork the
 * child has no members: it starts its own when it first needs them. */
#include "team.h"
#include "cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* Some 100 microseconds and more; then a member sleeps. */
enum { SPINS = 4000 };
/* Who yields to another process is away for milliseconds, so that yielding is
 * for teams that have more threads than there are cores, or for long waits. */
enum { PATIENCE = 40000, PATIENCE_CROWDED = 1000 };

typedef struct member {
    pthread_t thread;
    el_team *team;
    int part;
    unsigned seen; /* the generation at which it was started */
} member;

struct el_team {
    int size;
    int patience; /* rounds of spinning before others are let run */
    elman_executor executor;

    /* The job at hand; written before `generation` is, read after it. */
    el_task *task;
    void *arg;
    int parts;
    _Alignas(64) _Atomic unsigned generation;
    _Alignas(64) _Atomic int running; /* members that have not finished */
    _Atomic bool stop;

    pthread_mutex_t caller; /* one job at a time, whoever calls */
    pthread_mutex_t mutex;  /* guards sleep and waking */
    pthread_cond_t wake;
    int sleeping;
    int started; /* members that run */
    _Atomic unsigned forks;
    member members[]; /* size - 1 */
};

static _Atomic unsigned forks_seen;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t renewal = PTHREAD_MUTEX_INITIALIZER;

/* In the child, which has one thread. */
static void count_fork(void)
{
    pthread_mutex_init(&renewal, NULL);
    atomic_fetch_add(&forks_seen, 1);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

static void relax(void)
{
#if EL_ARCH_X86
    __builtin_ia32_pause();
#elif EL_ARCH_ARM64
    __asm__ volatile("yield");
#endif
}

static void wait_a_little(const el_team *team, int round)
{
    if (round < team->patience)
        relax();
    else
        sched_yield();
}

static unsigned await_job(el_team *team, unsigned seen)
{
    unsigned now;
    for (int i = 0; i < SPINS; ++i) {
        now = atomic_load_explicit(&team->generation, memory_order_acquire);
        if (now != seen)
            return now;
        wait_a_little(team, i);
    }
    pthread_mutex_lock(&team->mutex);
    ++team->sleeping;
    while ((now = atomic_load(&team->generation)) == seen)
        pthread_cond_wait(&team->wake, &team->mutex);
    --team->sleeping;
    pthread_mutex_unlock(&team->mutex);
    return now;
}

static void *serve(void *arg)
{
    member *const self = arg;
    el_team *const team = self->team;
    el_fp_enter();
    for (unsigned seen = self->seen;;) {
        seen = await_job(team, seen);
        if (atomic_load(&team->stop))
            return NULL;
        if (self->part < team->parts)
            team->task(team->arg, self->part);
        atomic_fetch_sub_explicit(&team->running, 1, memory_order_release);
    }
}

static void announce(el_team *team)
{
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->generation, 1);
    if (team->sleeping > 0)
        pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

static void init_locks(el_team *team)
{
    pthread_mutex_init(&team->mutex, NULL);
    pthread_mutex_init(&team->caller, NULL);
    pthread_cond_init(&team->wake, NULL);
    atomic_store(&team->generation, 0);
    atomic_store(&team->running, 0);
    team->sleeping = 0;
    team->started = 0;
}

el_team *el_team_create(const elman_context *context, int threads,
                        const elman_executor *executor)
{
    const size_t size =
        sizeof(el_team) + (size_t)(threads - 1) * sizeof(member);
    el_team *const team = el_alloc(context, size);
    if (!team)
        return NULL;
    if (executor)
        team->executor = *executor;
    team->size = threads;
    team->patience = threads > el_cpu_cores() ? PATIENCE_CROWDED : PATIENCE;
    pthread_once(&watch_once, watch_forks);
    atomic_store(&team->forks, atomic_load(&forks_seen));
    init_locks(team);
    return team;
}

void el_team_destroy(const elman_context *context, el_team *team)
{
    if (!team)
        return;
    if (atomic_load(&team->forks) == atomic_load(&forks_seen)) {
        if (team->started > 0) {
            atomic_store(&team->stop, true);
            announce(team);
            for (int i = 0; i < team->started; ++i)
                pthread_join(team->members[i].thread, NULL);
        }
        pthread_cond_destroy(&team->wake);
        pthread_mutex_destroy(&team->mutex);
        pthread_mutex_destroy(&team->caller);
    }
    el_free(context, team);
}

int el_team_size(const el_team *team)
{
    return team->size;
}

/* A thread that cannot be started is done without. */
static void start_members(el_team *team)
{
    while (team->started < team->size - 1) {
        member *const m = &team->members[team->started];
        m->team = team;
        m->part = team->started + 1;
        m->seen = atomic_load(&team->generation);
        if (pthread_create(&m->thread, NULL, serve, m) != 0)
            break;
        ++team->started;
    }
}

/* Makes a team that was forked with the process ready for work; several
 * threads may be the first to have some. */
static void renew(el_team *team)
{
    pthread_mutex_lock(&renewal);
    const unsigned now = atomic_load(&forks_seen);
    if (atomic_load(&team->forks) != now) {
        init_locks(team);
        atomic_store(&team->forks, now);
    }
    pthread_mutex_unlock(&renewal);
}

typedef struct errand {
    el_task *task;
    void *arg;
} errand;

/* A caller's thread may have any floating-point modes. */
static void run_errand(void *arg, int part)
{
    const errand *const e = arg;
    const el_fp_mode found = el_fp_enter();
    e->task(e->arg, part);
    el_fp_leave(found);
}

void el_team_run(el_team *team, int parts, el_task *task, void *arg)
{
    if (parts <= 1) {
        if (parts == 1)
            task(arg, 0);
        return;
    }
    if (team->executor.run) {
        errand e = {task, arg};
        team->executor.run(team->executor.user, parts, run_errand, &e);
        return;
    }
    if (atomic_load(&team->forks) != atomic_load(&forks_seen))
        renew(team);
    /* Another thread's job is at hand: doing all of this one here beats
     * waiting for it. */
    if (pthread_mutex_trylock(&team->caller) != 0) {
        for (int part = 0; part < parts; ++part)
            task(arg, part);
        return;
    }
    if (team->started == 0)
        start_members(team);

    team->task = task;
    team->arg = arg;
    team->parts = parts;
    const int started = team->started;
    atomic_store_explicit(&team->running, started, memory_order_relaxed);
    announce(team);

    task(arg, 0);
    for (int part = started + 1; part < parts; ++part)
        task(arg, part);
    for (int i = 0;
         atomic_load_explicit(&team->running, memory_order_acquire) > 0; ++i)
        wait_a_little(team, i);
    pthread_mutex_unlock(&team->caller);
}

int el_team_parts(const el_team *team, double operations)
{
    /* A job's hand-over costs about half a microsecond, the time of some
     * 50,000 operations, and more where the other threads are busy: a part
     * should be worth ten of those. */
    const double worth = operations / 500e3;
    if (worth >= team->size)
        return team->size;
    return worth < 1 ? 1 : (int)worth;
}

void el_share(int64_t n, int64_t unit, int parts, int part, int64_t *from,
              int64_t *to)
{
    const int64_t units = (n + unit - 1) / unit;
    const int64_t each = units / parts, extra = units % parts;
    /* The last unit may be a part of one: whoever has it gets one more. */
    const int64_t plain = parts - extra;
    const int64_t first = part * each + (part > plain ? part - plain : 0);
    const int64_t last = first + each + (part >= plain);
    *from = first * unit < n ? first * unit : n;
    *to = last * unit < n ? last * unit : n;
}
