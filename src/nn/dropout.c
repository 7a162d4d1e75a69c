/* SPDX-License-Identifier: MIT */
#include "dropout.h"
#include "../base/random.h"
#include "../base/team.h"

static uint64_t key_of(const el_draw *d, uint64_t stream)
{
    uint32_t bits[4];
    el_philox(d->seed, stream, d->draw, bits);
    return (uint64_t)bits[0] << 32 | bits[1];
}

uint64_t el_dropout_key(const el_draw *draw, int layer)
{
    return key_of(draw, EL_STREAM(EL_RANDOM_DROPOUT, layer));
}

uint64_t el_weight_drop_key(const el_draw *draw, int layer)
{
    return key_of(draw, EL_STREAM(EL_RANDOM_WEIGHT_DROP, layer));
}

/* Elements 0 ... n-1 of a mask: four of a block of random bits, dropped where
 * they are below p. */
static void drop(const el_kernels *k, double p, uint64_t key, uint64_t stream,
                 uint64_t first, int64_t n, const void *x, void *y)
{
    const uint32_t below = (uint32_t)(p * 0x1p32);
    const double keep = 1 / (1 - p);
    const float keep32 = (float)keep;
    for (int64_t j = 0; j < n; j += 4) {
        uint32_t bits[4];
        el_philox(key, stream, first + (uint64_t)(j / 4), bits);
        for (int64_t i = j; i < n && i < j + 4; ++i) {
            const bool stays = bits[i - j] >= below;
            if (k->size == sizeof(float))
                ((float *)y)[i] = stays ? ((const float *)x)[i] * keep32 : 0;
            else
                ((double *)y)[i] = stays ? ((const double *)x)[i] * keep : 0;
        }
    }
}

typedef struct job {
    const el_kernels *k;
    const el_dropout *d;
    el_run run;
    int64_t width, ldx, ldy;
    const void *x;
    void *y;
    int parts;
} job;

static void drop_part(void *arg, int part)
{
    const job *const j = arg;
    const uint64_t blocks = (uint64_t)(j->width + 3) / 4;
    int64_t from, to;
    el_share(j->run.steps, 1, j->parts, part, &from, &to);
    for (int64_t t = from; t < to; ++t)
        for (int64_t b = 0; b < el_active(j->run, t); ++b) {
            const int64_t row = el_first_row(j->run, t) + b;
            const int64_t sequence = j->d->order ? j->d->order[b] : b;
            const int64_t step =
                j->d->first_step + t + (j->d->steps ? j->d->steps[b] : 0);
            drop(j->k, j->d->p, j->d->key, (uint64_t)(j->d->first + sequence),
                 j->d->locked ? 0 : (uint64_t)step * blocks, j->width,
                 el_at(j->k, j->x, row * j->ldx),
                 el_at(j->k, j->y, row * j->ldy));
        }
}

void el_dropout_rows(const elman_context *context, const el_kernels *k,
                     const el_dropout *d, el_run run, int64_t width,
                     const void *x, int64_t ldx, void *y, int64_t ldy)
{
    const double work = 100.0 * (double)el_rows(run) * (double)width;
    job j = {k, d, run, width, ldx, ldy, x, y, 1};
    j.parts = el_team_parts(context->team, work);
    el_team_run(context->team, j.parts, drop_part, &j);
}

void el_drop_weights(const el_kernels *k, double p, uint64_t key, int64_t n,
                     const void *x, void *y)
{
    drop(k, p, key, 0, 0, n, x, y);
}
