/* SPDX-License-Identifier: MIT */
/* snapshot.c - the whole state of training into a file, at once or by way of a
 * copy; see checkpoint.h. */
#include "../io/file.h"
#include "../model/lm_file.h"
#include "../tensor/dtype.h"
#include "../text/corpus.h"
#include "checkpoint.h"

#include <string.h>

static const char all_names[] = ALL_NAMES;

/* ---- What is written ------------------------------------------------------*/

typedef struct parts {
    int64_t integers[ALL_INTEGERS];
    double reals[ALL_REALS];
    elman_tensor list[MORE_TENSORS];
    int count;
} parts;

static void add_tensor(parts *to, const char *name, elman_dtype dtype,
                       int64_t count, const void *data)
{
    if (!data || count == 0)
        return;
    to->list[to->count++] = (elman_tensor){.name = name,
                                           .dtype = dtype,
                                           .rank = 1,
                                           .shape = {count},
                                           .count = count,
                                           .data = data};
}

static void numbers_out(const elman_trainer *t, int64_t mark, int64_t *integers,
                        double *reals)
{
    int64_t *const extras = integers + INTEGERS + COUNTS;
    options_out(&t->desc, integers, reals);
    memcpy(integers + INTEGERS, &t->counters, sizeof t->counters);
    memcpy(reals + REALS, &t->sums, sizeof t->sums);
    extras[0] = t->optimizer->steps;
    extras[1] = (int64_t)el_text_fingerprint(t->text);
    extras[2] = t->valid ? (int64_t)el_text_fingerprint(t->valid) : 0;
    extras[3] = mark;
}

static void gather(const elman_trainer *t, int64_t mark, parts *p)
{
    const elman_dtype dtype = el_dtype_stored(t->lm->net.k->dtype);
    const int64_t P = t->lm->net.views.total;
    numbers_out(t, mark, p->integers, p->reals);
    p->count = 0;
    add_tensor(p, "trainer.integers", ELMAN_I64, ALL_INTEGERS, p->integers);
    add_tensor(p, "trainer.reals", ELMAN_F64, ALL_REALS, p->reals);
    add_tensor(p, "trainer.m", dtype, P, t->optimizer->m);
    add_tensor(p, "trainer.v", dtype, P, t->optimizer->v);
    add_tensor(p, "trainer.best", dtype, P,
               t->counters.best_epoch > 0 ? t->best : NULL);
    add_tensor(p, "trainer.average", dtype, P, t->average);
    if (t->state) {
        add_tensor(p, "trainer.h", dtype, el_lm_state_h_count(t->state),
                   t->state->state.h);
        add_tensor(p, "trainer.c", dtype, el_lm_state_c_count(t->state),
                   t->state->state.c);
        add_tensor(p, "trainer.ids", ELMAN_I32, el_lm_state_ids_count(t->state),
                   t->state->ids);
    }
    add_tensor(p, "trainer.names", ELMAN_U8, sizeof all_names - 1, all_names);
}

elman_status el_checkpoint_write(const elman_trainer *t, const char *path,
                                 int64_t mark)
{
    parts p;
    gather(t, mark, &p);
    return el_lm_write(t->lm, NULL, p.list, p.count, path, KEPT);
}

uint64_t el_checkpoint_fingerprint(const elman_trainer *t)
{
    const size_t bytes = (size_t)t->lm->net.views.total * t->lm->net.k->size;
    const void *const blocks[] = {t->lm->net.weights, t->optimizer->m,
                                  t->optimizer->v, t->average};
    int64_t integers[ALL_INTEGERS];
    double reals[ALL_REALS];
    numbers_out(t, 0, integers, reals);
    uint64_t crc = el_crc64(0, integers, sizeof integers);
    crc = el_crc64(crc, reals, sizeof reals);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; ++i)
        if (blocks[i])
            crc = el_crc64(crc, blocks[i], bytes);
    return crc;
}

/* ---- By way of a copy -----------------------------------------------------*/

struct elman_snapshot {
    const elman_context *context;
    const elman_lm *lm; /* the trainer's: its weights are not read any more */
    parts parts;        /* whose tensors lie in room, */
    void *weights;      /* as these do */
    bool other;         /* another rank writes, and this one has nothing */
    char *room;
    size_t size;
};

enum { ALIGNMENT = 64 };

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t bytes_of(const elman_tensor *t)
{
    return (size_t)t->count * el_dtype_size(t->dtype);
}

/* Whether a tensor's data are the trainer's. */
static bool is_foreign(const parts *p, const elman_tensor *t)
{
    return t->data != p->integers && t->data != p->reals &&
           t->data != all_names;
}

static elman_status make_room(elman_snapshot *s, size_t size)
{
    if (size <= s->size)
        return ELMAN_OK;
    el_free(s->context, s->room);
    s->size = 0;
    s->room = el_alloc(s->context, size);
    if (!s->room)
        return ELMAN_ENOMEM;
    s->size = size;
    return ELMAN_OK;
}

static elman_status copy_into(elman_snapshot *s, const elman_trainer *t,
                              int64_t mark)
{
    parts *const p = &s->parts;
    const size_t weights = (size_t)t->lm->net.views.total * t->lm->net.k->size;
    size_t size = aligned(weights);
    s->weights = NULL;
    gather(t, mark, p);
    if (t->best && t->counters.best_epoch == 0) /* There will be one. */
        size += aligned(weights);
    for (int i = 0; i < p->count; ++i)
        size += is_foreign(p, &p->list[i]) ? aligned(bytes_of(&p->list[i])) : 0;
    const elman_status status = make_room(s, size);
    if (status)
        return status;
    char *at = s->room;
    memcpy(at, t->lm->net.weights, weights);
    at += aligned(weights);
    for (int i = 0; i < p->count; ++i) {
        elman_tensor *const x = &p->list[i];
        if (is_foreign(p, x)) {
            x->data = memcpy(at, x->data, bytes_of(x));
            at += aligned(bytes_of(x));
        }
    }
    s->weights = s->room;
    return ELMAN_OK;
}

elman_status el_snapshot_take(const elman_trainer *t, int64_t mark,
                              elman_snapshot **snapshot)
{
    elman_snapshot *s = *snapshot;
    if (!s) {
        s = el_alloc(t->context, sizeof *s);
        if (!s)
            return ELMAN_ENOMEM;
        s->context = t->context;
    }
    s->lm = t->lm;
    s->other = t->shards.group.rank > 0;
    const elman_status status = s->other ? ELMAN_OK : copy_into(s, t, mark);
    if (status && !*snapshot)
        el_snapshot_free(s);
    else
        *snapshot = s;
    return status;
}

elman_status el_snapshot_write(const elman_snapshot *s, const char *path)
{
    if (s->other)
        return ELMAN_OK;
    if (!s->weights)
        return el_fail(ELMAN_EINVAL, "there is nothing in the snapshot");
    return el_lm_write(s->lm, s->weights, s->parts.list, s->parts.count, path,
                       KEPT);
}

void el_snapshot_free(elman_snapshot *s)
{
    if (!s)
        return;
    el_free(s->context, s->room);
    el_free(s->context, s);
}
