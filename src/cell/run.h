/* SPDX-License-Identifier: MIT */
/* run.h - a batch of sequences as it is run: who is alive at which step, and
 * where the rows of a tensor lie.
 *
 * Sequences go by rank: longest first, those of one length in the caller's
 * order.  At step t the first el_active(t) of them are alive, and their rows
 * lie one after another, step after step ("packed"): no row stands for
 * padding. */
#ifndef EL_RUN_H
#define EL_RUN_H

#include "../kernels/kernels.h"

typedef struct el_run {
    int64_t steps, batch;
    const int64_t *first; /* [steps+1]: where the rows of each step begin,
                           * counted from any base; NULL: all are alive at
                           * every step */
} el_run;

static inline int64_t el_first_row(el_run run, int64_t t)
{
    return run.first ? run.first[t] - run.first[0] : t * run.batch;
}

/* Sequences alive at step t; none at and after the last one. */
static inline int64_t el_active(el_run run, int64_t t)
{
    if (t >= run.steps)
        return 0;
    return run.first ? run.first[t + 1] - run.first[t] : run.batch;
}

static inline int64_t el_rows(el_run run)
{
    return el_first_row(run, run.steps);
}

/* Steps [from, to) of a run. */
static inline el_run el_piece(el_run run, int64_t from, int64_t to)
{
    return (el_run){to - from, run.batch, run.first ? run.first + from : NULL};
}

/* p moved on by count elements. */
static inline void *el_at(const el_kernels *k, const void *p, int64_t count)
{
    return (char *)p + count * (int64_t)k->size;
}

/* Where the rows of a sequence of vectors lie. */
typedef struct el_seq {
    void *p;
    int64_t ld;           /* from a row to the next one of the same step */
    int64_t step;         /* from a step to the next; 0: rows are packed */
    const int32_t *order; /* where the sequence of each rank stands; NULL:
                           * at its rank */
    const int64_t *at;    /* where the first row of each rank lies, in elements;
                           * NULL: where order says */
} el_seq;

/* Which row belongs to (t, b): that of the step itself, or of the state before
 * it in either direction, initial states lying before the first row. */
typedef enum el_when { EL_NOW, EL_BEFORE, EL_AFTER } el_when;

/* The row of rank b at step t, and in *count how many ranks from b on have
 * theirs behind it, ld apart (at most to `end`). */
static inline void *el_seq_row(const el_kernels *k, const el_seq *s, el_run run,
                               el_when when, int64_t t, int64_t b, int64_t end,
                               int64_t *count)
{
    *count = end - b;
    if (s->step) {
        if (s->order || s->at)
            *count = 1;
        if (s->at)
            return el_at(k, s->p, t * s->step + s->at[b]);
        return el_at(k, s->p,
                     t * s->step + (s->order ? s->order[b] : b) * s->ld);
    }
    int64_t row = el_first_row(run, t);
    if (when == EL_BEFORE)
        row = t > 0 ? el_first_row(run, t - 1) : -run.batch;
    if (when == EL_AFTER) {
        const int64_t alive = el_active(run, t + 1);
        if (b < alive) {
            row = el_first_row(run, t + 1);
            *count = alive < end ? alive - b : end - b;
        } else {
            row = -run.batch;
        }
    }
    return el_at(k, s->p, (row + b) * s->ld);
}

/* The same, one block of rows a time step: the states of ranks. */
typedef struct el_states {
    void *p; /* NULL: there are none */
    int64_t width;
    const int32_t *order;
} el_states;

static inline void *el_states_row(const el_kernels *k, const el_states *s,
                                  int64_t b)
{
    return el_at(k, s->p, (s->order ? s->order[b] : b) * s->width);
}

#endif
