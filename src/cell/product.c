/* SPDX-License-Identifier: MIT */
#include "product.h"
#include "../base/team.h"

#include <string.h>

bool el_next_block(const el_chain *chain, el_block *block)
{
    const int64_t least = chain->part.begin;
    const int64_t most =
        chain->part.end > 0 ? chain->part.end : chain->run.steps;
    const bool first = block->end == 0;
    if (chain->reverse) {
        block->begin = first ? least : block->end;
        block->end = (block->begin / EL_BLOCK_STEPS + 1) * EL_BLOCK_STEPS;
        block->end = block->end < most ? block->end : most;
    } else {
        block->end = first ? most : block->begin;
        block->begin = (block->end - 1) / EL_BLOCK_STEPS * EL_BLOCK_STEPS;
        block->begin = block->begin > least ? block->begin : least;
    }
    return block->begin < block->end;
}

/* The row, in what holds the rows of the chain's part, of a step's first. */
static int64_t row_of(const el_chain *chain, int64_t step)
{
    return el_first_row(chain->run, step) -
           el_first_row(chain->run, chain->part.begin);
}

/* How many rows the chain's part has. */
static double rows_of(const el_chain *chain)
{
    const int64_t end =
        chain->part.end > 0 ? chain->part.end : chain->run.steps;
    return (double)row_of(chain, end);
}

typedef struct spread {
    const el_kernels *k;
    const el_gemm *g;
    int parts;
    bool by_rows;
} spread;

static void gemm_part(void *arg, int part)
{
    const spread *const s = arg;
    const el_kernels *const k = s->k;
    el_gemm g = *s->g;
    int64_t from, to;
    if (s->by_rows) {
        el_share(g.m, 1, s->parts, part, &from, &to);
        g.m = to - from;
        g.a = el_at(k, g.a, from * g.lda);
        g.c = el_at(k, g.c, from * g.ldc);
        g.init = g.init ? el_at(k, g.init, from * g.ldi) : NULL;
        g.aux = g.aux ? el_at(k, g.aux, from * g.ldaux) : NULL;
    } else {
        el_share(g.n, EL_PANEL, s->parts, part, &from, &to);
        g.n = to - from;
        g.w = el_packed_at(k, g.w, from, g.k);
        g.c = el_at(k, g.c, from);
        g.init = g.init ? el_at(k, g.init, from) : NULL;
        g.aux = g.aux ? el_at(k, g.aux, from) : NULL;
    }
    if (g.m > 0 && g.n > 0)
        k->gemm(&g);
}

/* Columns are split where every part gets about the same number of panels: a
 * thread then meets the same weights in every step of a recurrence, and keeps
 * them in its own cache.  Else rows. */
static bool split_rows(int64_t rows, int64_t columns, int parts)
{
    const int64_t panels = (columns + EL_PANEL - 1) / EL_PANEL;
    const bool even = panels % parts == 0 || panels >= 6 * parts;
    return !even && rows >= 4 * parts;
}

void el_product(const elman_context *context, const el_kernels *k,
                const el_gemm *g)
{
    const double work = 2.0 * (double)g->m * (double)g->n * (double)(g->k + 8);
    const int parts = el_team_parts(context->team, work);
    if (parts == 1) {
        k->gemm(g);
        return;
    }
    spread s = {k, g, parts, split_rows(g->m, g->n, parts)};
    el_team_run(context->team, parts, gemm_part, &s);
}

typedef struct packing {
    const el_kernels *k;
    void *packed;
    const void *w;
    int64_t ldw, n, depth;
    int parts;
    bool rows;
} packing;

static void pack_part(void *arg, int part)
{
    const packing *const p = arg;
    const el_kernels *const k = p->k;
    int64_t from, to;
    el_share(p->n, EL_PANEL, p->parts, part, &from, &to);
    void *const packed = el_packed_at(k, p->packed, from, p->depth);
    if (from < to && p->rows)
        k->pack_rows(packed, el_at(k, p->w, from * p->ldw), p->ldw, to - from,
                     p->depth);
    else if (from < to)
        k->pack_columns(packed, el_at(k, p->w, from), p->ldw, to - from,
                        p->depth);
}

static void pack_all(const elman_context *context, packing p)
{
    p.parts =
        el_team_parts(context->team, 50.0 * (double)p.n * (double)p.depth);
    el_team_run(context->team, p.parts, pack_part, &p);
}

void el_pack_rows(const elman_context *context, const el_kernels *k,
                  void *packed, const void *w, int64_t ldw, int64_t n,
                  int64_t depth)
{
    pack_all(context, (packing){k, packed, w, ldw, n, depth, 1, true});
}

void el_pack_columns(const elman_context *context, const el_kernels *k,
                     void *packed, const void *w, int64_t ldw, int64_t n,
                     int64_t depth)
{
    pack_all(context, (packing){k, packed, w, ldw, n, depth, 1, false});
}

typedef struct blocks {
    int64_t rows, units;
    int parts;
    bool by_rows;
    el_block_task *task;
    void *arg;
} blocks;

static void block_part(void *arg, int part)
{
    const blocks *const b = arg;
    int64_t r0 = 0, r1 = b->rows, u0 = 0, u1 = b->units;
    if (b->by_rows)
        el_share(b->rows, 1, b->parts, part, &r0, &r1);
    else
        el_share(b->units, EL_PANEL, b->parts, part, &u0, &u1);
    if (r0 < r1 && u0 < u1)
        b->task(b->arg, r0, r1, u0, u1);
}

void el_blocks(const elman_context *context, double operations, int64_t rows,
               int64_t units, el_block_task *task, void *arg)
{
    const int parts = el_team_parts(context->team, operations);
    if (parts == 1) {
        task(arg, 0, rows, 0, units);
        return;
    }
    blocks b = {rows, units, parts, split_rows(rows, units, parts), task, arg};
    el_team_run(context->team, parts, block_part, &b);
}

/* ---- Gradients of weights -------------------------------------------------
 * A part owns tiles of the gradient.  For each block of steps it takes slices
 * of some rows, in the order of the chain, and multiplies the tile's columns of
 * them into a tile of its own, out of L2: the rows of a slice are asked for
 * while the one before it is multiplied. */
enum { TILE = 256, SLICE = EL_OUTER_ROWS };

typedef struct tiling {
    int64_t n, m;         /* tile sizes */
    int64_t down, across; /* tiles */
} tiling;

static int64_t tile_width(int64_t n)
{
    const int64_t tiles = (n + TILE - 1) / TILE;
    const int64_t even = (n + tiles - 1) / tiles;
    return (even + EL_PANEL - 1) / EL_PANEL * EL_PANEL;
}

static tiling tile(int parts, int64_t n, int64_t m)
{
    tiling t = {.n = tile_width(n), .m = tile_width(m)};
    t.across = (m + t.m - 1) / t.m;
    t.down = (n + t.n - 1) / t.n;
    while (t.down * t.across % parts != 0 && t.n > 2 * EL_PANEL) {
        t.n -= EL_PANEL;
        t.down = (n + t.n - 1) / t.n;
    }
    return t;
}

static int64_t part_scratch(const tiling *t)
{
    return t->n * t->m;
}

typedef struct gradient_job {
    const el_kernels *k;
    const el_gradient *g;
    tiling t;
    int parts;
} gradient_job;

/* Rows of a chain, one slice after another: where the tile's columns of them
 * begin. */
typedef struct slice {
    int64_t rows;
    bool first, last; /* of a block */
    const void *a[SLICE], *b[SLICE];
} slice;

typedef struct slices {
    const el_kernels *k;
    const el_gradient *g;
    int64_t i0, j0;
    el_block block;
    int64_t step, row; /* where it stands: a step of the block, a row of it */
} slices;

/* Puts rows of one step, from s->row on, into the slice. */
static void take_rows(slices *s, slice *out)
{
    const el_kernels *const k = s->k;
    const el_gradient *const g = s->g;
    const el_run run = g->chain.run;
    const int64_t step = el_block_step(&g->chain, s->block, s->step);
    const int64_t rows = el_active(run, step), room = SLICE - out->rows;
    const int64_t end = rows - s->row < room ? rows : s->row + room;
    const void *a =
        el_at(k, g->a, (row_of(&g->chain, step) + s->row) * g->lda + s->i0);
    while (s->row < end) {
        int64_t some;
        const void *b =
            el_seq_row(k, &g->b, run, g->when, step, s->row, end, &some);
        b = el_at(k, b, s->j0);
        for (int64_t i = 0; i < some; ++i) {
            out->a[out->rows] = a;
            out->b[out->rows++] = b;
            a = el_at(k, a, g->lda);
            b = el_at(k, b, g->b.ld);
        }
        s->row += some;
    }
    if (s->row == rows) {
        ++s->step;
        s->row = 0;
    }
}

/* No rows: the chain is at its end. */
static void next_slice(slices *s, slice *out)
{
    out->rows = 0;
    out->first = s->step == s->block.end - s->block.begin;
    if (out->first) {
        s->step = 0;
        if (!el_next_block(&s->g->chain, &s->block))
            return;
    }
    while (out->rows < SLICE && s->step < s->block.end - s->block.begin)
        take_rows(s, out);
    out->last = s->step == s->block.end - s->block.begin;
    for (int64_t i = out->rows; out->rows > 0 && i < SLICE; ++i) {
        out->a[i] = out->a[out->rows - 1];
        out->b[i] = out->b[out->rows - 1];
    }
}

/* As with el_layer_da_row: not a multiple of 1 KiB. */
static int64_t sums_row(int64_t m)
{
    return m % 256 == 0 ? m + 16 : m;
}

static void gradient_tile(const gradient_job *job, void *scratch, int64_t i0,
                          int64_t j0)
{
    const el_kernels *const k = job->k;
    const el_gradient *const g = job->g;
    const tiling *const t = &job->t;
    void *const grad = el_at(k, g->grad, i0 * g->m + j0);
    slices walk = {.k = k, .g = g, .i0 = i0, .j0 = j0};
    slice two[2], *now = &two[0], *next = &two[1];
    el_outer outer = {.n = g->n - i0 < t->n ? g->n - i0 : t->n,
                      .k = g->m - j0 < t->m ? g->m - j0 : t->m,
                      .ldt = g->m};
    outer.c = scratch;
    outer.ldc = outer.k;
    if (g->later || g->more) {
        outer.ldc = sums_row(g->m);
        outer.c = el_at(k, g->sums, i0 * outer.ldc + j0);
    }
    next_slice(&walk, now);
    while (now->rows > 0) {
        next_slice(&walk, next);
        outer.rows = now->rows;
        outer.a = now->a;
        outer.b = now->b;
        outer.fresh = now->first && !g->later;
        outer.total = now->last && !g->more ? grad : NULL;
        outer.soon_a = next->rows > 0 ? next->a : NULL;
        outer.soon_b = next->rows > 0 ? next->b : NULL;
        k->outer(&outer);
        slice *const done = now;
        now = next;
        next = done;
    }
}

static void gradient_part(void *arg, int part)
{
    const gradient_job *const job = arg;
    void *const scratch =
        el_at(job->k, job->g->scratch, part * part_scratch(&job->t));
    int64_t from, to;
    el_share(job->t.down * job->t.across, 1, job->parts, part, &from, &to);
    for (int64_t i = from; i < to; ++i)
        gradient_tile(job, scratch, i / job->t.across * job->t.n,
                      i % job->t.across * job->t.m);
}

size_t el_gradient_scratch(const elman_context *context, const el_kernels *k,
                           int64_t n, int64_t m)
{
    const int size = el_team_size(context->team);
    size_t most = 0;
    for (int parts = 1; parts <= size; ++parts) {
        const tiling t = tile(parts, n, m);
        const size_t bytes = (size_t)parts * (size_t)part_scratch(&t) * k->size;
        most = bytes > most ? bytes : most;
    }
    return most;
}

size_t el_gradient_sums(const el_kernels *k, int64_t n, int64_t m)
{
    return (size_t)(n * sums_row(m)) * k->size;
}

void el_product_gradient(const elman_context *context, const el_kernels *k,
                         const el_gradient *g)
{
    const double work = 2.0 * rows_of(&g->chain) * (double)g->n * (double)g->m;
    const int parts = el_team_parts(context->team, work);
    gradient_job job = {k, g, tile(parts, g->n, g->m), parts};
    el_team_run(context->team, parts, gradient_part, &job);
}

typedef struct sum_job {
    const el_kernels *k;
    const el_sum *sum;
    int parts;
} sum_job;

static void sum_part(void *arg, int part)
{
    const sum_job *const job = arg;
    const el_kernels *const k = job->k;
    const el_sum *const sum = job->sum;
    const el_run run = sum->chain.run;
    int64_t from, to;
    el_share(sum->n, EL_PANEL, job->parts, part, &from, &to);
    const int64_t n = to - from;
    if (n == 0)
        return;
    void *const total = el_at(k, sum->sums, from);
    el_block block = {0};
    while (el_next_block(&sum->chain, &block)) {
        if (!sum->later)
            memset(total, 0, (size_t)n * k->size);
        for (int64_t s = 0; s < block.end - block.begin; ++s) {
            const int64_t step = el_block_step(&sum->chain, block, s);
            k->add_rows(
                total,
                el_at(k, sum->a, row_of(&sum->chain, step) * sum->lda + from),
                sum->lda, NULL, el_active(run, step), n);
        }
        if (sum->more)
            continue;
        if (sum->grad)
            k->add(el_at(k, sum->grad, from), total, n);
        if (sum->grad2)
            k->add(el_at(k, sum->grad2, from), total, n);
    }
}

void el_sum_gradient(const elman_context *context, const el_kernels *k,
                     const el_sum *sum)
{
    const double work = 20.0 * (double)el_rows(sum->chain.run) * (double)sum->n;
    sum_job job = {k, sum, el_team_parts(context->team, work)};
    el_team_run(context->team, job.parts, sum_part, &job);
}
