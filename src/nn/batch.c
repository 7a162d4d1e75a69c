/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include <string.h>

void el_batch_want(el_plan *p, el_batch *b, int64_t steps, int64_t sequences)
{
    el_want(p, &b->first, steps + 1, 1, sizeof *b->first);
    el_want(p, &b->order, sequences, 1, sizeof *b->order);
    el_want(p, &b->spare, sequences, 1, sizeof *b->spare);
    el_want(p, &b->length, sequences, 1, sizeof *b->length);
}

void el_batch_free(const elman_context *context, el_batch *b)
{
    el_free(context, b->first);
    el_free(context, b->order);
    el_free(context, b->spare);
    el_free(context, b->length);
}

/* Ranks: longest first, stable, by merging runs of 1, 2, 4, ... */
static void rank(el_batch *q, const int64_t *lengths)
{
    const int64_t B = q->batch;
    int32_t *from = q->order, *to = q->spare;
    for (int64_t b = 0; b < B; ++b)
        from[b] = (int32_t)b;
    for (int64_t width = 1; width < B; width *= 2) {
        for (int64_t begin = 0; begin < B; begin += 2 * width) {
            const int64_t middle = begin + width < B ? begin + width : B;
            const int64_t end = begin + 2 * width < B ? begin + 2 * width : B;
            int64_t i = begin, j = middle;
            for (int64_t b = begin; b < end; ++b) {
                const bool left =
                    i < middle &&
                    (j == end || lengths[from[i]] >= lengths[from[j]]);
                to[b] = left ? from[i++] : from[j++];
            }
        }
        int32_t *const last = from;
        from = to;
        to = last;
    }
    q->order = from;
    q->spare = to;
    for (int64_t b = 0; b < B; ++b)
        q->length[b] = lengths[q->order[b]];
}

void el_batch_set(el_batch *q, int64_t steps, int64_t sequences,
                  const int64_t *lengths, bool batch_first)
{
    q->steps = steps;
    q->batch = sequences;
    q->longest = steps;
    q->batch_first = batch_first && sequences > 1;
    q->unequal = false;
    bool sorted = true;
    for (int64_t b = 1; lengths && b < sequences; ++b) {
        q->unequal = q->unequal || lengths[b] != lengths[0];
        sorted = sorted && lengths[b] <= lengths[b - 1];
    }
    q->permuted = !sorted;
    if (q->unequal)
        rank(q, lengths);
    if (lengths)
        q->longest = q->unequal ? q->length[0] : lengths[0];
}

int64_t el_batch_length(const el_batch *q, int64_t b)
{
    return q->unequal ? q->length[b] : q->longest;
}

int64_t el_batch_alive(const el_batch *q, int64_t t)
{
    if (t >= q->longest)
        return 0;
    int64_t alive = q->batch;
    while (q->unequal && alive > 0 && q->length[alive - 1] <= t)
        --alive;
    return alive;
}

el_run el_batch_piece(el_batch *q, el_span at)
{
    el_run run = {at.to - at.from, q->batch, NULL};
    if (!q->unequal)
        return run;
    int64_t alive = q->batch;
    run.first = q->first;
    q->first[0] = 0;
    for (int64_t i = 0; i < run.steps; ++i) {
        while (alive > 0 && q->length[alive - 1] <= at.from + i)
            --alive;
        q->first[i + 1] = q->first[i] + alive;
    }
    return run;
}

const int32_t *el_batch_order(const el_batch *q)
{
    return q->permuted ? q->order : NULL;
}

el_seq el_batch_rows(const el_batch *q, const void *p, int64_t width)
{
    const int64_t B = q->batch;
    if (!p)
        return (el_seq){0};
    if (!q->batch_first && !q->unequal)
        return (el_seq){.p = (void *)p, .ld = width};
    return (el_seq){.p = (void *)p,
                    .ld = q->batch_first ? q->steps * width : width,
                    .step = q->batch_first ? width : B * width,
                    .order = el_batch_order(q)};
}

/* Sequences whose rows are packed are all of one length. */
el_seq el_rows_from(const el_batch *q, el_seq rows, int64_t step)
{
    if (rows.p)
        rows.p = el_at(q->k, rows.p,
                       step * (rows.step ? rows.step : q->batch * rows.ld));
    return rows;
}

void el_rows_out(const el_batch *q, el_run run, int64_t from, const void *rows,
                 int64_t ld, int64_t width, const el_seq *to)
{
    const el_kernels *const k = q->k;
    const size_t bytes = (size_t)width * k->size;
    if (to->step == 0 && ld == width && to->ld == width) {
        memcpy(el_at(k, to->p, from * q->batch * width), rows,
               (size_t)el_rows(run) * bytes);
        return;
    }
    const el_seq at = el_rows_from(q, *to, from);
    for (int64_t i = 0; i < run.steps; ++i)
        for (int64_t b = 0; b < el_active(run, i); ++b) {
            int64_t some;
            memcpy(el_seq_row(k, &at, run, EL_NOW, i, b, b + 1, &some),
                   el_at(k, rows, (el_first_row(run, i) + b) * ld), bytes);
        }
}

void el_batch_zero_padding(const el_batch *q, void *p, int64_t width)
{
    if (!p || width == 0)
        return;
    for (int64_t b = 0; b < q->batch; ++b) {
        const int64_t at = q->unequal ? q->order[b] : b;
        for (int64_t i = el_batch_length(q, b); i < q->steps; ++i)
            memset(
                el_at(q->k, p,
                      (q->batch_first ? at * q->steps + i : i * q->batch + at) *
                          width),
                0, (size_t)width * q->k->size);
    }
}

/* ---- States ---------------------------------------------------------------*/

el_states el_batch_states(const el_batch *q, const void *p, int i,
                          int64_t width)
{
    return (el_states){.p = p ? el_at(q->k, p, i * q->batch * width) : NULL,
                       .width = width,
                       .order = el_batch_order(q)};
}

void el_states_begin(const el_batch *q, const el_states *from, void *first,
                     int64_t ld)
{
    const size_t bytes = (size_t)from->width * q->k->size;
    for (int64_t b = 0; b < q->batch; ++b) {
        void *const to = el_at(q->k, first, (b - q->batch) * ld);
        if (from->p)
            memcpy(to, el_states_row(q->k, from, b), bytes);
        else
            memset(to, 0, bytes);
    }
}

/* The row of rank b's last state in the piece. */
static int64_t last_row(const el_batch *q, bool reverse, el_run run, el_span at,
                        int64_t b)
{
    int64_t n = el_batch_length(q, b);
    n = (n < at.to ? n : at.to) - at.from;
    if (n <= 0)
        return b - q->batch;
    return reverse ? b : el_first_row(run, n - 1) + b;
}

void el_states_end(const el_batch *q, bool reverse, el_run run, el_span at,
                   const void *first, int64_t ld, int64_t width,
                   const el_states *to)
{
    const el_kernels *const k = q->k;
    for (int64_t b = 0; b < q->batch; ++b) {
        const int64_t row = last_row(q, reverse, run, at, b);
        void *const out =
            to ? el_states_row(k, to, b) : el_at(k, first, (b - q->batch) * ld);
        const void *const in = el_at(k, first, row * ld);
        if (in != out)
            memcpy(out, in, (size_t)width * k->size);
    }
}
