/* SPDX-License-Identifier: MIT */
#include "variants.h"
#include "base/cpu.h"
#include "expect.h"

#include <stdio.h>

/* Backwards, and on the thread that asks: an order that no team has. */
static void run_backwards(void *user, int n, void (*task)(void *, int),
                          void *arg)
{
    (void)user;
    while (n-- > 0)
        task(arg, n);
}

elman_context *make_context(int threads, const char *isa)
{
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    desc.threads = threads;
    desc.isa = isa;
    elman_context *context;
    must(elman_context_create(&desc, &context));
    return context;
}

int variants_create(variant list[MOST_VARIANTS])
{
    int n = 0;
    for (int level = 0; level <= (int)el_cpu_level(); ++level)
        for (int threads = 1; threads <= 3; ++threads) {
            variant *const v = &list[n++];
            v->context = make_context(threads, el_level_names[level]);
            snprintf(v->name, sizeof v->name, "%s, %d threads",
                     el_level_names[level], threads);
        }
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    desc.executor = (elman_executor){.threads = 5, .run = run_backwards};
    must(elman_context_create(&desc, &list[n].context));
    snprintf(list[n].name, sizeof list[n].name, "executor of 5");
    return n + 1;
}

void variants_destroy(variant *list, int count)
{
    for (int i = 0; i < count; ++i)
        elman_context_destroy(&list[i].context);
}
