/* SPDX-License-Identifier: MIT */
#include "xent.h"
#include "../base/team.h"

typedef struct job {
    const el_kernels *k;
    const el_xent_rows *x;
    int parts;
} job;

static void xent_part(void *arg, int part)
{
    const job *const j = arg;
    const el_xent_rows *const x = j->x;
    const int64_t bytes = x->kernel.classes * (int64_t)j->k->size;
    int64_t from, to;
    el_share(x->rows, 1, j->parts, part, &from, &to);
    for (int64_t i = from; i < to; ++i) {
        const int64_t target = x->targets64 ? x->targets64[i] : x->targets32[i];
        x->each[i] =
            j->k->xent(&x->kernel, (const char *)x->x + i * bytes, target,
                       x->dx ? (char *)x->dx + i * bytes : NULL);
    }
}

void el_xent_all(const elman_context *context, const el_kernels *k,
                 const el_xent_rows *x)
{
    const double work = 60.0 * (double)x->rows * (double)x->kernel.classes;
    job j = {k, x, el_team_parts(context->team, work)};
    el_team_run(context->team, j.parts, xent_part, &j);
}
