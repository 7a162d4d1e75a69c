/* SPDX-License-Identifier: MIT */
#include "pieces.h"
#include "../base/random.h"

bool el_pieces_plan(el_pieces *p)
{
    int64_t least;
    if (__builtin_mul_overflow(p->batch, p->steps, &least) ||
        p->tokens - 1 < least)
        return false;
    const int64_t spare = p->tokens - 1 - least;
    const int64_t most =
        p->sampling == ELMAN_SEQUENTIAL ? p->steps : p->steps - 1;
    p->offsets = 1 + (spare < most ? spare : most);
    /* What is there whatever the offset. */
    const int64_t left = p->tokens - 1 - (p->offsets - 1);
    p->updates = p->sampling == ELMAN_RANDOM ? left / p->steps / p->batch
                                             : left / p->batch / p->steps;
    return true;
}

static int64_t offset(const el_pieces *p, int64_t epoch)
{
    const double u = el_random_double(p->seed, EL_STREAM(EL_RANDOM_OFFSET, 0),
                                      (uint64_t)epoch);
    return (int64_t)(u * (double)p->offsets);
}

int64_t el_pieces_first(const el_pieces *p, int64_t epoch, int64_t update,
                        int64_t row)
{
    const int64_t begin = offset(p, epoch);
    const int64_t left = p->tokens - 1 - begin;
    if (p->sampling == ELMAN_SEQUENTIAL)
        return begin + row * (left / p->batch) + update * p->steps;
    const int64_t piece =
        el_random_permute(p->seed, EL_STREAM(EL_RANDOM_ORDER, epoch),
                          left / p->steps, update * p->batch + row);
    return begin + piece * p->steps;
}
