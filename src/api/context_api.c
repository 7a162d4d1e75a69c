/* SPDX-License-Identifier: MIT */
#include "../base/context.h"
#include "../base/cpu.h"
#include "../base/random.h"
#include "../base/team.h"
#include "../kernels/int8.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_THREADS = 256 };

static void *plain_alloc(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void plain_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static void list_levels(char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (int level = 0; level <= (int)el_cpu_level() && n < size; ++level)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? " " : "",
                              el_level_names[level]);
}

static elman_status choose_level(const char *isa, elman_context *context)
{
    if (!isa)
        isa = getenv("ELMAN_ISA");
    context->level = el_cpu_level();
    if (!isa || !*isa)
        return ELMAN_OK;
    const int level = el_level_by_name(isa);
    EL_REQUIRE(level >= 0, "there is no cpu level %s (this machine has: %s)",
               isa, context->levels);
    if (level > context->level)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "this machine does not have cpu level %s (it has: %s)",
                       isa, context->levels);
    context->level = level;
    return ELMAN_OK;
}

elman_status elman_context_create(const elman_context_desc *desc,
                                  elman_context **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    elman_context_desc d = ELMAN_CONTEXT_DESC;
    elman_status s =
        desc ? el_take_desc(&d, sizeof d, desc, "elman_context_desc")
             : ELMAN_OK;
    if (s)
        return s;
    EL_REQUIRE(!d.allocator.alloc == !d.allocator.free,
               "an allocator needs both alloc and free");
    EL_REQUIRE(d.threads >= -1 && d.threads <= MOST_THREADS,
               "threads is %d (-1, or 0 to %d)", d.threads, MOST_THREADS);
    EL_REQUIRE(!d.executor.run || d.executor.threads >= 1,
               "an executor needs at least 1 thread");

    elman_context first = {.allocator = d.allocator};
    if (!first.allocator.alloc)
        first.allocator = (elman_allocator){plain_alloc, plain_free, NULL};
    list_levels(first.levels, sizeof first.levels);
    s = choose_level(d.isa, &first);
    if (s)
        return s;
    el_cpu_name(first.cpu, sizeof first.cpu);
    first.f32 = el_kernels_f32(first.level);
    first.bf16 = el_kernels_bf16(first.level);
    first.f64 = el_kernels_f64();
    first.int8 = el_kernels_int8(first.level);

    int threads = d.threads < 0 ? el_cpu_cores() : d.threads;
    if (d.executor.run)
        threads = d.executor.threads;
    threads = threads < 1 ? 1 : threads;
    threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    elman_context *const context = el_alloc(&first, sizeof *context);
    if (!context)
        return ELMAN_ENOMEM;
    *context = first;
    context->team = el_team_create(context, threads, &d.executor);
    if (!context->team) {
        el_free(&first, context);
        return ELMAN_ENOMEM;
    }
    *out = context;
    return ELMAN_OK;
}

void elman_context_destroy(elman_context **context)
{
    if (!context || !*context)
        return;
    const elman_context last = **context;
    el_team_destroy(&last, last.team);
    el_free(&last, *context);
    *context = NULL;
}

void elman_context_machine(const elman_context *context, elman_machine *out)
{
    if (!context || !out)
        return;
    const elman_machine machine = {.isa = el_level_names[context->level],
                                   .isa_all = context->levels,
                                   .cpu = context->cpu,
                                   .threads = el_team_size(context->team),
                                   .cores = el_cpu_cores(),
                                   .l1d = el_cpu_cache(1),
                                   .l2 = el_cpu_cache(2),
                                   .l3 = el_cpu_cache(3),
                                   .bf16 = context->bf16->products};
    el_give_struct(out, &machine, sizeof machine);
}

/* ---- The ceiling ----------------------------------------------------------*/

enum { PROBE_BYTES = 64 * 1024 };

typedef struct probe {
    const el_kernels *k;
    char *data;
    double count, done[MOST_THREADS];
} probe;

static void probe_part(void *arg, int part)
{
    probe *const p = arg;
    p->done[part] = p->k->probe(p->data + part * PROBE_BYTES, p->count);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

elman_status elman_context_ceiling(elman_context *context, double seconds,
                                   double *gflops)
{
    EL_REQUIRE(context && gflops, "context or gflops is NULL");
    EL_REQUIRE(seconds > 0 && seconds <= 60, "seconds is %g (above 0, to 60)",
               seconds);
    const int threads = el_team_size(context->team);
    probe p = {.k = context->f32, .count = 1e6};
    p.data = el_alloc_array(context, threads, PROBE_BYTES);
    if (!p.data)
        return ELMAN_ENOMEM;
    const uint64_t floats = (uint64_t)threads * PROBE_BYTES / sizeof(float);
    for (uint64_t i = 0; i < floats; ++i)
        ((float *)p.data)[i] = elman_random_uniform(0, 0, i) - 0.5f;
    double best = 0;
    const double end = seconds_now() + seconds;
    EL_COMPUTE(while (seconds_now() < end) {
        const double start = seconds_now();
        el_team_run(context->team, threads, probe_part, &p);
        const double taken = seconds_now() - start;
        double done = 0;
        for (int i = 0; i < threads; ++i)
            done += p.done[i];
        if (taken > 0 && 2e-9 * done / taken > best)
            best = 2e-9 * done / taken;
        if (taken < 5e-3)
            p.count *= 2;
    });
    el_free(context, p.data);
    *gflops = best;
    return ELMAN_OK;
}
