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
 * A part owns tiles of the gradient.  For each block of steps it gathers
 * SLICE rows at a time, in the order of the chain, of the tile's columns of a
 * and of b, and multiplies those slices out of L2 into a tile of its own. */
enum { TILE = 256, SLICE = 128 };

typedef struct tiling {
    int64_t n, m;         /* tile sizes */
    int64_t down, across; /* tiles */
    int64_t lda, ldb;     /* of the slices */
} tiling;

/* Strides that are no power of two keep the rows of a slice from falling into
 * the same sets of a cache. */
static int64_t slice_stride(int64_t width)
{
    return (width + EL_PANEL - 1) / EL_PANEL * EL_PANEL + EL_PANEL / 2;
}

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
    t.lda = slice_stride(t.n);
    t.ldb = slice_stride(t.m);
    return t;
}

static int64_t part_scratch(const tiling *t)
{
    return SLICE * (t->lda + t->ldb) + t->n * t->m;
}

typedef struct gradient_job {
    const el_kernels *k;
    const el_gradient *g;
    tiling t;
    int parts;
} gradient_job;

static void gather(const el_kernels *k, void *to, int64_t ldto,
                   const void *from, int64_t ld, int64_t rows, int64_t columns)
{
    const size_t bytes = (size_t)columns * k->size;
    for (int64_t i = 0; i < rows; ++i)
        memcpy(el_at(k, to, i * ldto), el_at(k, from, i * ld), bytes);
}

static void gradient_tile(const gradient_job *job, void *scratch, int64_t i0,
                          int64_t j0)
{
    const el_kernels *const k = job->k;
    const el_gradient *const g = job->g;
    const tiling *const t = &job->t;
    const int64_t n = g->n - i0 < t->n ? g->n - i0 : t->n;
    const int64_t m = g->m - j0 < t->m ? g->m - j0 : t->m;
    const el_run run = g->chain.run;
    void *const a = scratch;
    void *const b = el_at(k, a, SLICE * t->lda);
    void *const c = el_at(k, b, SLICE * t->ldb);
    el_outer outer = {.n = n,
                      .k = m,
                      .a = a,
                      .lda = t->lda,
                      .b = b,
                      .ldb = t->ldb,
                      .c = c,
                      .ldc = m};

    el_block block = {0};
    while (el_next_block(&g->chain, &block)) {
        memset(c, 0, (size_t)(n * m) * k->size);
        outer.rows = 0;
        for (int64_t s = 0; s < block.end - block.begin; ++s) {
            const int64_t step = el_block_step(&g->chain, block, s);
            const int64_t row = row_of(&g->chain, step);
            const int64_t rows = el_active(run, step);
            for (int64_t done = 0, some; done < rows; done += some) {
                const int64_t room = SLICE - outer.rows;
                const void *const from =
                    el_seq_row(k, &g->b, run, g->when, step, done,
                               rows - done < room ? rows : done + room, &some);
                gather(k, el_at(k, a, outer.rows * t->lda), t->lda,
                       el_at(k, g->a, (row + done) * g->lda + i0), g->lda, some,
                       n);
                gather(k, el_at(k, b, outer.rows * t->ldb), t->ldb,
                       el_at(k, from, j0), g->b.ld, some, m);
                outer.rows += some;
                if (outer.rows == SLICE) {
                    k->outer(&outer);
                    outer.rows = 0;
                }
            }
        }
        if (outer.rows > 0)
            k->outer(&outer);
        for (int64_t i = 0; i < n; ++i)
            k->add(el_at(k, g->grad, (i0 + i) * g->m + j0), el_at(k, c, i * m),
                   m);
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
    void *const total = el_at(k, sum->scratch, from);
    el_block block = {0};
    while (el_next_block(&sum->chain, &block)) {
        memset(total, 0, (size_t)n * k->size);
        for (int64_t s = 0; s < block.end - block.begin; ++s) {
            const int64_t step = el_block_step(&sum->chain, block, s);
            k->add_rows(
                total,
                el_at(k, sum->a, row_of(&sum->chain, step) * sum->lda + from),
                sum->lda, NULL, el_active(run, step), n);
        }
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
