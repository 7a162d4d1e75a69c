/* SPDX-License-Identifier: MIT */
#include "ranks.h"
#include "../base/team.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a gradient that are summed at a time. */
enum { SEGMENT = 1 << 26, UNIT = 16, SENTENCE = 512 };
/* The most that a call moves. */
static const int64_t most_bytes = (int64_t)1 << 30;

static elman_status lost(const el_group *g)
{
    return el_fail(ELMAN_EIO,
                   "the other ranks cannot be reached (this is rank "
                   "%d of %d)",
                   g->rank, g->count);
}

static int64_t ceiling(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit;
}

/* Slices of a segment are whole units, but for the last; whose they are is
 * el_share's. */
static int64_t largest_slice(const el_group *g, int64_t count)
{
    return ceiling(ceiling(count, UNIT), g->count) * UNIT;
}

elman_status el_group_create(const elman_context *context,
                             const elman_ranks *ranks, int64_t count,
                             size_t size, el_group *g)
{
    *g = (el_group){.context = context, .count = 1};
    if (!ranks || ranks->ranks == 1)
        return ELMAN_OK;
    g->ranks = ranks;
    g->rank = ranks->rank;
    g->count = ranks->ranks;
    if (!(g->first = el_alloc_array(context, g->count + 1, sizeof *g->first)) ||
        !(g->words = el_alloc_array(context, g->count, sizeof *g->words)))
        return ELMAN_ENOMEM;
    g->segment = SEGMENT / (int64_t)size;
    const int64_t most = g->segment < count ? g->segment : count;
    if (count > 0 && !(g->receive = el_alloc_array(
                           context, g->count * largest_slice(g, most), size)))
        return ELMAN_ENOMEM;
    return ELMAN_OK;
}

void el_group_free(el_group *g)
{
    if (!g->ranks)
        return;
    el_free(g->context, g->first);
    el_free(g->context, g->words);
    el_free(g->context, g->receive);
}

/* ---- Words ----------------------------------------------------------------*/

static elman_status gather_equal(el_group *g, void *block, int64_t each)
{
    for (int r = 0; r <= g->count; ++r)
        g->first[r] = r * each;
    return g->ranks->gather(g->ranks->user, block, g->first) ? lost(g)
                                                             : ELMAN_OK;
}

/* What rank `from` has in block, on all. */
static elman_status spread(el_group *g, int from, void *block, int64_t bytes)
{
    for (int r = 0; r <= g->count; ++r)
        g->first[r] = r <= from ? 0 : bytes;
    return g->ranks->gather(g->ranks->user, block, g->first) ? lost(g)
                                                             : ELMAN_OK;
}

/* The sentence of the first rank that failed, on all. */
static elman_status blame(el_group *g)
{
    char sentence[SENTENCE] = "";
    int from = 0;
    while (g->words[from].status == ELMAN_OK)
        ++from;
    const elman_status status = (elman_status)g->words[from].status;
    if (g->rank == from)
        snprintf(sentence, sizeof sentence, "%s", elman_message());
    const elman_status s = spread(g, from, sentence, SENTENCE);
    if (s)
        return s;
    sentence[SENTENCE - 1] = '\0';
    if (from == 0)
        return el_fail(status, "%s", sentence);
    return el_fail(status, "rank %d: %s", from, sentence);
}

static elman_status say(el_group *g, elman_status mine, uint64_t value)
{
    g->words[g->rank] = (el_word){mine, value};
    const elman_status s = gather_equal(g, g->words, sizeof *g->words);
    if (s)
        return s;
    for (int r = 0; r < g->count; ++r)
        if (g->words[r].status != ELMAN_OK)
            return blame(g);
    return ELMAN_OK;
}

elman_status el_group_agree(el_group *g, elman_status mine)
{
    return g->ranks ? say(g, mine, 0) : mine;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double value_of(const el_group *g, int rank)
{
    double value;
    memcpy(&value, &g->words[rank].value, sizeof value);
    return value;
}

elman_status el_group_total(el_group *g, elman_status mine, double *value)
{
    if (!g->ranks)
        return mine;
    const elman_status s = say(g, mine, bits_of(*value));
    if (s)
        return s;
    for (int step = 1; step < g->count; step *= 2)
        for (int r = 0; r < g->count; r += 2 * step)
            g->words[r].value = bits_of(value_of(g, r) + value_of(g, r + step));
    *value = value_of(g, 0);
    return ELMAN_OK;
}

int64_t el_group_least(el_group *g, int64_t value)
{
    if (!g->ranks || say(g, ELMAN_OK, (uint64_t)value))
        return value;
    for (int r = 0; r < g->count; ++r)
        if ((int64_t)g->words[r].value < value)
            value = (int64_t)g->words[r].value;
    return value;
}

int64_t el_group_bytes(const el_group *g)
{
    return (int64_t)(el_block_bytes(g->first) + el_block_bytes(g->words) +
                     el_block_bytes(g->receive));
}

elman_status el_group_follow(el_group *g, elman_status mine, double *value)
{
    if (!g->ranks)
        return mine;
    const elman_status s = say(g, mine, bits_of(*value));
    if (!s)
        *value = value_of(g, 0);
    return s;
}

elman_status el_group_compare(el_group *g, elman_status mine, uint64_t value,
                              const char *what)
{
    if (!g->ranks)
        return mine;
    const elman_status s = say(g, mine, value);
    for (int r = 1; !s && r < g->count; ++r)
        if (g->words[r].value != g->words[0].value)
            return el_fail(ELMAN_EMISMATCH, "rank %d has other %s than rank 0",
                           r, what);
    return s;
}

/* ---- Sums -----------------------------------------------------------------*/

typedef struct addition {
    const el_kernels *k;
    void *to;
    const void *from;
    int64_t count;
    int parts;
} addition;

static void *element(const el_kernels *k, const void *p, int64_t i)
{
    return (char *)p + i * (int64_t)k->size;
}

static void add_part(void *arg, int part)
{
    const addition *const a = arg;
    int64_t from, to;
    el_share(a->count, 1024, a->parts, part, &from, &to);
    if (from < to)
        a->k->add(element(a->k, a->to, from), element(a->k, a->from, from),
                  to - from);
}

void el_add_to(const elman_context *context, const el_kernels *k, void *to,
               const void *from, int64_t count)
{
    addition a = {k, to, from, count,
                  el_team_parts(context->team, 16.0 * (double)count)};
    el_team_run(context->team, a.parts, add_part, &a);
}

/* Every rank finishes the tree on a slice of its own. */
static elman_status sum_segment(el_group *g, const el_kernels *k, char *grad,
                                int64_t count)
{
    const int64_t size = (int64_t)k->size;
    int64_t from, to;
    for (int r = 0; r < g->count; ++r) {
        el_share(count, UNIT, g->count, r, &from, &to);
        g->first[r] = from * size;
        g->first[r + 1] = to * size;
    }
    el_share(count, UNIT, g->count, g->rank, &from, &to);
    const int64_t n = to - from;
    const elman_ranks *const ranks = g->ranks;
    if (ranks->exchange(ranks->user, grad, g->first, g->receive))
        return lost(g);
    for (int step = 1; n > 0 && step < g->count; step *= 2)
        for (int r = 0; r < g->count; r += 2 * step)
            el_add_to(g->context, k, element(k, g->receive, r * n),
                      element(k, g->receive, (r + step) * n), n);
    memcpy(grad + from * size, g->receive, (size_t)(n * size));
    return ranks->gather(ranks->user, grad, g->first) ? lost(g) : ELMAN_OK;
}

elman_status el_group_sum(el_group *g, const el_kernels *k, void *grad,
                          int64_t count)
{
    elman_status s = ELMAN_OK;
    if (!g->ranks)
        return ELMAN_OK;
    for (int64_t from = 0; !s && from < count; from += g->segment) {
        const int64_t left = count - from;
        s = sum_segment(g, k, element(k, grad, from),
                        left < g->segment ? left : g->segment);
    }
    return s;
}

/* A plane that is too large for one call. */
static elman_status spread_each(el_group *g, char *plane, int64_t bytes)
{
    elman_status s = ELMAN_OK;
    for (int r = 0; r < g->count; ++r)
        for (int64_t at = 0; !s && at < bytes; at += most_bytes) {
            const int64_t left = bytes - at;
            s = spread(g, r, plane + r * bytes + at,
                       left < most_bytes ? left : most_bytes);
        }
    return s;
}

elman_status el_group_gather(el_group *g, void *block, int64_t planes,
                             int64_t bytes)
{
    elman_status s = ELMAN_OK;
    if (!g->ranks || bytes == 0)
        return ELMAN_OK;
    for (int64_t i = 0; !s && i < planes; ++i) {
        char *const plane = (char *)block + i * g->count * bytes;
        if (bytes <= most_bytes / g->count)
            s = gather_equal(g, plane, bytes);
        else
            s = spread_each(g, plane, bytes);
    }
    return s;
}
