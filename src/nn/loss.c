/* SPDX-License-Identifier: MIT */
#include "loss.h"
#include "../base/team.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where the logits of a row are, in the block that begins with a class. */
static void *logits_at(const el_loss *l, int64_t row, int64_t class)
{
    const int64_t left = l->decoder->classes - class;
    return el_at(l->decoder->k, l->logits,
                 class * l->rows + row * smaller(left, EL_DECODER_BLOCK));
}

/* ---- Forward --------------------------------------------------------------*/

typedef struct forward_job {
    const el_loss *l;
    bool made; /* the logits are there */
    int parts;
} forward_job;

/* So few rows that the lanes of their sums are near. */
enum { SOME = 64 };

static void add_rows(const el_loss *l, int64_t first, int64_t rows)
{
    const el_kernels *const k = l->decoder->k;
    const int64_t V = l->decoder->classes;
    double lanes[SOME][EL_LANES] = {{0}};
    for (int64_t j = 0; j < V; j += EL_DECODER_BLOCK)
        for (int64_t i = 0; i < rows; ++i)
            k->xent_add(logits_at(l, first + i, j),
                        smaller(EL_DECODER_BLOCK, V - j),
                        el_at(k, l->sums, 2 * (first + i)), lanes[i]);
    for (int64_t i = first; i < first + rows; ++i) {
        const int64_t target = l->targets[i] < 0 ? 0 : l->targets[i];
        const int64_t class = target / EL_DECODER_BLOCK * EL_DECODER_BLOCK;
        const double loss = k->xent_loss(
            lanes[i - first], el_at(k, logits_at(l, i, class), target - class),
            el_at(k, l->sums, 2 * i));
        l->each[i] = l->targets[i] < 0 ? 0 : loss;
    }
}

static void put_lowest(const el_kernels *k, void *at)
{
    if (k->size == sizeof(float))
        *(float *)at = -INFINITY;
    else
        *(double *)at = -INFINITY;
}

static void forward_part(void *arg, int part)
{
    const forward_job *const j = arg;
    const el_loss *const l = j->l;
    const el_decoder *const d = l->decoder;
    const el_kernels *const k = d->k;
    int64_t from, to;
    el_share(l->rows, 1, j->parts, part, &from, &to);
    for (int64_t i = from; i < to; ++i)
        put_lowest(k, el_at(k, l->sums, 2 * i));
    for (int64_t c = 0; c < d->classes && from < to; c += EL_DECODER_BLOCK) {
        if (!j->made)
            el_decoder_block(d, c, to - from, el_at(k, l->h, from * d->hidden),
                             logits_at(l, from, c), false);
        for (int64_t i = from; i < to; ++i)
            k->xent_max(logits_at(l, i, c),
                        smaller(EL_DECODER_BLOCK, d->classes - c),
                        el_at(k, l->sums, 2 * i));
    }
    for (int64_t i = from; i < to; i += SOME)
        add_rows(l, i, smaller(SOME, to - i));
}

/* Threads share rows, or, where these are few, first the classes. */
void el_loss_forward(const el_loss *l)
{
    enum { FEW = 16 };
    const el_decoder *const d = l->decoder;
    el_team *const team = d->context->team;
    const double size = (double)l->rows * (double)d->classes;
    forward_job j = {.l = l, .made = l->rows < FEW * el_team_size(team)};
    for (int64_t c = 0; j.made && c < d->classes; c += EL_DECODER_BLOCK)
        el_decoder_block(d, c, l->rows, l->h, logits_at(l, 0, c), true);
    j.parts =
        el_team_parts(team, size * (j.made ? 30 : 2 * (double)d->hidden + 30));
    el_team_run(team, j.parts, forward_part, &j);
}

/* ---- Backward -------------------------------------------------------------
 * Of each block of 64 steps the rows go in the order of the chains, the last
 * step first.  In a round some of the rows, in that order, meet a block of
 * classes: the gradient of their logits is made, and used at once for the
 * weights of the classes, whose sums go on from round to round, and for dh,
 * whose sums go on from block to block.  Threads share the rows of a round, and
 * of the one before it the weights and dh. */

enum {
    TILE = 256, /* columns that a product for the weights takes at most */
    ROWS = 256  /* of a round that are a thread's */
};

/* Strides that are no power of two. */
static int64_t stride(int64_t width)
{
    return (width + EL_PANEL - 1) / EL_PANEL * EL_PANEL + EL_PANEL / 2;
}

typedef struct room {
    int64_t rows, ldd, ldh; /* of a round, and from row to row of d and h */
    int64_t all;            /* rows of a block of steps */
} room;

static room room_of(const el_decoder *d, el_run run)
{
    const int64_t all = smaller(run.steps, EL_BLOCK_STEPS) * run.batch;
    const int64_t ldd = stride(smaller(d->classes, EL_DECODER_BLOCK));
    return (room){.rows = smaller(all, ROWS * el_team_size(d->context->team)),
                  .ldd = ldd,
                  .ldh = stride(d->hidden),
                  .all = all};
}

typedef struct turn {
    int64_t class, wide; /* a block of classes; wide 0: there is none */
    int64_t at, some;    /* rows of the block of steps */
    void *d;             /* [room.rows,ldd]: the gradient of their logits */
    void *w;             /* the block's weights, packed */
} turn;

typedef struct back_job {
    const el_loss *l;
    const el_loss_back *b;
    const el_kernels *k;
    room room;
    el_block steps;
    int64_t rows;   /* of that block of steps */
    void *d[2];     /* of one round and of the next */
    void *w[2];     /* of one block of classes and of the next */
    void *h;        /* [all,ldh] */
    void *sum;      /* [classes of a block,ldh]: of weights */
    void *bias;     /* [classes of a block] */
    turn now, next; /* what is used, and what is made */
    int parts;
} back_job;

/* The round after another; {0} comes before the first. */
static turn turn_after(const back_job *j, turn t)
{
    const int64_t V = j->l->decoder->classes;
    t.at += t.some;
    if (t.at == j->rows || t.wide == 0) {
        t.class += t.wide;
        t.at = 0;
        t.wide = smaller(EL_DECODER_BLOCK, V - t.class);
        t.w = j->w[t.w == j->w[0]];
    }
    t.some = smaller(j->room.rows, j->rows - t.at);
    t.d = j->d[t.d == j->d[0]];
    return t;
}

/* Where row i of the block of steps, in the order of the chain, lies among all
 * rows. */
static int64_t row_at(const back_job *j, int64_t i)
{
    const int64_t B = j->b->run.batch;
    return j->b->first + (j->steps.end - 1 - i / B) * B + i % B;
}

/* The weights of the next round, if they are others than now. */
static void pack_part(const back_job *j, int part)
{
    const turn *const t = &j->next;
    int64_t from, to;
    el_share(j->l->decoder->hidden, EL_PANEL, j->parts, part, &from, &to);
    if (t->at == 0 && from < to)
        el_decoder_pack_block(j->l->decoder, j->b->weights, t->class, from, to,
                              t->w);
}

/* The gradient of its logits and, the first time, its rows of h. */
static void logits_part(const back_job *j, int part)
{
    const turn *const t = &j->next;
    const el_loss *const l = j->l;
    const el_kernels *const k = j->k;
    const int64_t H = l->decoder->hidden;
    int64_t from, to;
    el_share(t->some, 1, j->parts, part, &from, &to);
    for (int64_t i = from; i < to; ++i) {
        const int64_t row = row_at(j, t->at + i);
        const el_xent_columns c = {.n = t->wide,
                                   .x = logits_at(l, row, t->class),
                                   .sums = el_at(k, l->sums, 2 * row),
                                   .scale = j->b->scale,
                                   .target = l->targets[row] - t->class,
                                   .dx = el_at(k, t->d, i * j->room.ldd)};
        if (l->targets[row] < 0)
            memset(c.dx, 0, (size_t)t->wide * k->size);
        else
            k->xent_columns(&c);
        if (t->class == 0 && j->b->grad)
            memcpy(el_at(k, j->h, (t->at + i) * j->room.ldh),
                   el_at(k, l->h, row * H), (size_t)H * k->size);
    }
}

/* Whether these are the block of steps' last rows. */
static bool is_last(const back_job *j)
{
    return j->now.at + j->now.some == j->rows;
}

/* The sums of the weights of classes [from,to) of the block, columns [m0,m1),
 * go on over the rows at hand. */
static void weights_tile(const back_job *j, int64_t from, int64_t to,
                         int64_t m0, int64_t m1)
{
    const turn *const t = &j->now;
    const el_kernels *const k = j->k;
    const el_decoder *const d = j->l->decoder;
    const int64_t n = to - from, m = m1 - m0, ldh = j->room.ldh;
    void *const grad =
        el_at(k, j->b->grad, d->weight + (t->class + from) * d->hidden + m0);
    el_outer o = {.n = n,
                  .k = m,
                  .c = el_at(k, j->sum, from * ldh + m0),
                  .ldc = ldh,
                  .ldt = d->hidden};
    for (int64_t r = 0; r < t->some; r += o.rows) {
        const void *a[EL_OUTER_ROWS], *b[EL_OUTER_ROWS];
        o.rows = smaller(EL_OUTER_ROWS, t->some - r);
        for (int64_t i = 0; i < o.rows; ++i) {
            a[i] = el_at(k, t->d, (r + i) * j->room.ldd + from);
            b[i] = el_at(k, j->h, (t->at + r + i) * ldh + m0);
        }
        o.a = a;
        o.b = b;
        o.fresh = t->at + r == 0;
        o.total = is_last(j) && r + o.rows == t->some ? grad : NULL;
        k->outer(&o);
    }
}

/* Likewise those of the biases. */
static void bias_part(const back_job *j, int64_t from, int64_t to)
{
    const turn *const t = &j->now;
    const el_kernels *const k = j->k;
    const int64_t n = to - from;
    void *const sum = el_at(k, j->bias, from);
    if (t->at == 0)
        memset(sum, 0, (size_t)n * k->size);
    k->add_rows(sum, el_at(k, t->d, from), j->room.ldd, NULL, t->some, n);
    if (is_last(j))
        k->add(el_at(k, j->b->grad, j->l->decoder->bias + t->class + from), sum,
               n);
}

/* Parts share panels of classes in tiles of columns, one tile after another. */
static void weights_part(const back_job *j, int part)
{
    const int64_t H = j->l->decoder->hidden, tiles = (H + TILE - 1) / TILE;
    const int64_t even = (H + tiles - 1) / tiles;
    const int64_t m = (even + EL_PANEL - 1) / EL_PANEL * EL_PANEL;
    const int64_t panels = (j->now.wide + EL_PANEL - 1) / EL_PANEL;
    int64_t unit, end;
    el_share(tiles * panels, 1, j->parts, part, &unit, &end);
    for (int64_t next; unit < end; unit = next) {
        const int64_t tile = unit / panels, first = tile * panels;
        next = smaller(end, first + panels);
        const int64_t from = (unit - first) * EL_PANEL;
        const int64_t to = smaller((next - first) * EL_PANEL, j->now.wide);
        if (tile * m < H)
            weights_tile(j, from, to, tile * m, smaller(tile * m + m, H));
        if (tile == 0)
            bias_part(j, from, to);
    }
}

/* Parts share columns, as the layer below does, where each gets as many. */
static void dh_part(const back_job *j, int part)
{
    const turn *const t = &j->now;
    const el_decoder *const d = j->l->decoder;
    const int64_t H = d->hidden, panels = (H + EL_PANEL - 1) / EL_PANEL;
    int64_t r0 = 0, r1 = t->some, from = 0, to = H;
    if (panels % j->parts == 0)
        el_share(H, EL_PANEL, j->parts, part, &from, &to);
    else
        el_share(t->some, 1, j->parts, part, &r0, &r1);
    const int64_t first = j->steps.begin * j->b->run.batch + t->at + r0;
    const el_decoder_back back = {.class = t->class,
                                  .packed = t->w,
                                  .from = from,
                                  .to = to,
                                  .rows = r1 - r0,
                                  .dlogits =
                                      el_at(j->k, t->d, r0 * j->room.ldd),
                                  .ldd = j->room.ldd,
                                  .dh = el_at(j->k, j->b->dh, first * H)};
    if (r0 < r1 && from < to)
        el_decoder_back_block(d, &back);
}

static void round_part(void *arg, int part)
{
    const back_job *const j = arg;
    if (j->now.wide > 0 && j->b->grad)
        weights_part(j, part);
    if (j->now.wide > 0 && j->b->dh)
        dh_part(j, part);
    if (j->next.wide > 0 && j->b->dh)
        pack_part(j, part);
    if (j->next.wide > 0)
        logits_part(j, part);
}

static void swap(char *a, char *b, size_t size)
{
    char some[1024];
    for (size_t n; size > 0; size -= n, a += n, b += n) {
        n = size < sizeof some ? size : sizeof some;
        memcpy(some, a, n);
        memcpy(a, b, n);
        memcpy(b, some, n);
    }
}

/* Rows of dh in their own order again: steps change places. */
static void order_back(void *arg, int part)
{
    const back_job *const j = arg;
    const el_kernels *const k = j->k;
    const int64_t H = j->l->decoder->hidden, B = j->b->run.batch;
    int64_t from, to;
    el_share(H, EL_PANEL, j->parts, part, &from, &to);
    int64_t a = j->steps.begin * B, z = (j->steps.end - 1) * B;
    for (; a < z && from < to; a += B, z -= B)
        for (int64_t i = 0; i < B; ++i)
            swap(el_at(k, j->b->dh, (a + i) * H + from),
                 el_at(k, j->b->dh, (z + i) * H + from),
                 (size_t)(to - from) * k->size);
}

static void back_block(back_job *j)
{
    el_team *const team = j->l->decoder->context->team;
    const double H = (double)j->l->decoder->hidden;
    j->now = (turn){0};
    j->next = turn_after(j, j->now);
    do {
        const turn *const t = j->now.wide > 0 ? &j->now : &j->next;
        j->parts =
            el_team_parts(team, 2 * (double)t->some * (double)t->wide * H);
        el_team_run(team, j->parts, round_part, j);
        j->now = j->next;
        j->next = turn_after(j, j->next);
    } while (j->now.wide > 0);
    j->parts = el_team_parts(team, 4 * (double)j->rows * H);
    if (j->b->dh)
        el_team_run(team, j->parts, order_back, j);
}

void el_loss_backward(const el_loss *l, const el_loss_back *b)
{
    const el_chain chain = {.run = b->run};
    const el_kernels *const k = l->decoder->k;
    back_job j = {.l = l, .b = b, .k = k, .room = room_of(l->decoder, b->run)};
    assert(!b->run.first && b->first + el_rows(b->run) <= l->rows);
    void *at = b->scratch;
    for (int i = 0; i < 2; ++i) {
        j.w[i] = at;
        j.d[i] = (char *)at + el_decoder_block_bytes(l->decoder);
        at = el_at(k, j.d[i], j.room.rows * j.room.ldd);
    }
    j.h = at;
    j.sum = el_at(k, j.h, j.room.all * j.room.ldh);
    j.bias = el_at(k, j.sum, j.room.ldd * j.room.ldh);
    while (el_next_block(&chain, &j.steps)) {
        j.rows = (j.steps.end - j.steps.begin) * b->run.batch;
        back_block(&j);
    }
}

size_t el_loss_scratch(const el_decoder *d, el_run most)
{
    const room r = room_of(d, most);
    const int64_t numbers =
        2 * r.rows * r.ldd + r.all * r.ldh + r.ldd * r.ldh + r.ldd;
    return (size_t)numbers * d->k->size + 2 * (size_t)el_decoder_block_bytes(d);
}
