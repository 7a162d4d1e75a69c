/* SPDX-License-Identifier: MIT */
/* schedule.c - learning rates over time. */
#include "schedule.h"
#include "../base/real.h"

double el_schedule_rate(const elman_schedule *s, int64_t update,
                        int64_t halvings)
{
    switch (s->kind) {
    case ELMAN_STEP:
        if (s->every <= 0)
            return s->lr;
        return s->lr *
               el_powi64(s->gamma > 0 ? s->gamma : 0.1, update / s->every);
    case ELMAN_COSINE: {
        if (update < s->warmup)
            return s->lr * (double)(update + 1) / (double)s->warmup;
        const int64_t span = s->total - s->warmup;
        const int64_t done = update - s->warmup;
        const double pi = 0x1.921fb54442d18p1;
        if (span <= 0 || done >= span)
            return s->lr * s->floor;
        const double wave = el_cos64(pi * ((double)done / (double)span));
        return s->lr * (s->floor + (1 - s->floor) * (0.5 * (1 + wave)));
    }
    case ELMAN_HALVE:
        return s->lr * el_powi64(0.5, halvings);
    case ELMAN_CONSTANT:
        break;
    }
    return s->lr;
}
