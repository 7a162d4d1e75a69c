/* SPDX-License-Identifier: MIT */
/* lm_probe.c - how far back the gradient of a model's loss reaches.
 *
 * Positions t_0 < ... < t_{N-1} are spread over the text.  The state is carried
 * from the text's beginning to each of them, once; then the last K steps before
 * all of them are run side by side, and gone back through one by one. */
#include "lm.h"
#include "../nn/reach.h"
#include "../text/corpus.h"

#include <string.h>

typedef struct probe {
    const elman_lm *lm;
    elman_text *text;
    int64_t first, count, K, N;
    elman_lm_state *one;  /* of the walk through the text */
    elman_lm_state *many; /* at the N positions */
    el_reach reach;
    int32_t *row;     /* [K+1] */
    int32_t *ids;     /* [K,N] */
    int32_t *targets; /* [N] */
    double *each;     /* [N] */
    void *x;          /* [N,E]; NULL for one-hot input */
    void *logits;     /* [N,V] */
    void *sums;       /* [N,2] */
    void *scratch;    /* of the way back through the output layer */
    void *dy;         /* [N,P] */
} probe;

static void free_probe(probe *p)
{
    const elman_context *const c = p->lm->net.context;
    el_lm_state_free(p->one);
    el_lm_state_free(p->many);
    el_reach_free(&p->reach);
    el_free(c, p->row);
    el_free(c, p->ids);
    el_free(c, p->targets);
    el_free(c, p->each);
    el_free(c, p->x);
    el_free(c, p->logits);
    el_free(c, p->sums);
    el_free(c, p->scratch);
    el_free(c, p->dy);
}

static elman_status make_probe(probe *p)
{
    const elman_lm *const lm = p->lm;
    const elman_context *const c = lm->net.context;
    const size_t size = lm->net.k->size;
    const int64_t N = p->N, E = lm->desc.embed;
    const el_decoder *const d = &lm->net.decoder;
    int64_t ids, logits, x;
    if (__builtin_mul_overflow(p->K, N, &ids) ||
        __builtin_mul_overflow(N, lm->classes, &logits) ||
        __builtin_mul_overflow(N, E, &x))
        return el_no_memory();
    elman_status s = el_lm_state_create(lm, 1, &p->one);
    if (!s)
        s = el_lm_state_create(lm, N, &p->many);
    if (!s)
        s = el_reach_create(&lm->net.stack, p->K, N, &p->reach);
    if (s)
        return s;
    const bool fine =
        (p->row = el_alloc_array(c, p->K + 1, sizeof *p->row)) &&
        (p->ids = el_alloc_array(c, ids, sizeof *p->ids)) &&
        (p->targets = el_alloc_array(c, N, sizeof *p->targets)) &&
        (p->each = el_alloc_array(c, N, sizeof *p->each)) &&
        (x == 0 || (p->x = el_alloc_array(c, x, size))) &&
        (p->logits = el_alloc_array(c, logits, size)) &&
        (p->sums = el_alloc_array(c, 2 * N, size)) &&
        (p->scratch = el_alloc(c, el_loss_scratch(d, (el_run){1, N, NULL}))) &&
        (p->dy = el_alloc_array(c, N * lm->net.stack.width, size));
    return fine ? ELMAN_OK : ELMAN_ENOMEM;
}

/* The first of the K tokens before position i. */
static int64_t begin_of(const probe *p, int64_t i)
{
    const int64_t last = p->count - 1 - p->K;
    return p->first +
           (p->N > 1 ? (int64_t)((__int128)last * i / (p->N - 1)) : last);
}

/* Carries the state over tokens from ... to-1. */
static elman_status walk(probe *p, int64_t from, int64_t to)
{
    int32_t ids[256];
    while (from < to) {
        const int64_t some = to - from < 256 ? to - from : 256;
        const elman_status s = el_text_read(p->text, from, some, ids);
        if (s)
            return s;
        for (int64_t i = 0; i < some; ++i)
            el_lm_step(p->lm, p->one, ids + i, NULL);
        from += some;
    }
    return ELMAN_OK;
}

static void copy_column(const probe *p, void *to, const void *from,
                        int64_t width, int64_t i)
{
    const el_kernels *const k = p->lm->net.k;
    for (int n = 0; n < p->lm->net.stack.count; ++n)
        memcpy(el_at(k, to, (n * p->N + i) * width), el_at(k, from, n * width),
               (size_t)width * k->size);
}

/* States before the windows, and the windows themselves. */
static elman_status gather(probe *p)
{
    const el_stack *const stack = &p->lm->net.stack;
    int64_t at = p->first;
    for (int64_t i = 0; i < p->N; ++i) {
        const int64_t begin = begin_of(p, i);
        elman_status s = walk(p, at, begin);
        if (!s)
            s = el_text_read(p->text, begin, p->K + 1, p->row);
        if (s)
            return s;
        at = begin;
        copy_column(p, p->many->state.h, p->one->state.h, stack->out, i);
        if (p->many->state.c)
            copy_column(p, p->many->state.c, p->one->state.c,
                        stack->desc.hidden, i);
        for (int64_t t = 0; t < p->K; ++t)
            p->ids[t * p->N + i] = p->row[t];
        p->targets[i] = p->row[p->K];
    }
    return ELMAN_OK;
}

static void forward(probe *p)
{
    const elman_lm *const lm = p->lm;
    for (int64_t t = 0; t < p->K; ++t) {
        el_reach_keep(&p->reach, t, &p->many->state);
        el_lm_step(lm, p->many, p->ids + t * p->N, NULL);
    }
    const el_loss loss = {.decoder = &lm->net.decoder,
                          .rows = p->N,
                          .h = el_state_top(&p->many->state),
                          .targets = p->targets,
                          .logits = p->logits,
                          .sums = p->sums,
                          .each = p->each};
    el_loss_forward(&loss);
    el_loss_backward(&loss, &(el_loss_back){.run = {1, p->N, NULL},
                                            .scale = 1,
                                            .weights = lm->net.weights,
                                            .dh = p->dy,
                                            .scratch = p->scratch});
}

static void backward(probe *p, double *norms)
{
    const elman_lm *const lm = p->lm;
    const int64_t each = el_reach_kinds(&lm->net.stack) * p->N;
    el_reach_begin(&p->reach, p->dy);
    el_reach_norms(&p->reach, norms);
    for (int64_t k = 1; k <= p->K; ++k) {
        const int64_t t = p->K - k;
        const int32_t *const ids = p->ids + t * p->N;
        el_input input = {.ids = ids, .ids_stride = p->N};
        if (p->x) {
            el_network_embed(&lm->net, p->N, ids, p->x, lm->desc.embed);
            input = (el_input){.x = {.p = p->x, .ld = lm->desc.embed}};
        }
        el_reach_back(&p->reach, t, &input);
        el_reach_norms(&p->reach, norms + k * each);
    }
}

elman_status el_lm_probe(const elman_lm *lm, elman_text *text,
                         const elman_probe_desc *desc, double *norms)
{
    probe p = {.lm = lm,
               .text = text,
               .first = desc->first,
               .count = desc->count,
               .K = desc->steps,
               .N = desc->positions};
    elman_status s = make_probe(&p);
    if (!s)
        s = gather(&p);
    if (!s) {
        forward(&p);
        backward(&p, norms);
    }
    free_probe(&p);
    return s;
}
