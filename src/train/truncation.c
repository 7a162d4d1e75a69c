/* SPDX-License-Identifier: MIT */
#include "../base/random.h"
#include "../text/corpus.h"
#include "trainer.h"

#include <math.h>
#include <string.h>

static bool is_random(const elman_trainer *t)
{
    return t->desc.truncation == ELMAN_TRUNCATION_RANDOM;
}

static bool is_regular(const elman_trainer *t)
{
    return t->desc.truncation == ELMAN_TRUNCATION_REGULAR;
}

static int64_t steps_back(const elman_trainer *t)
{
    return t->desc.back > 0 ? t->desc.back : t->desc.steps;
}

/* ---- The plan -------------------------------------------------------------*/

void el_truncation_plan(elman_trainer *t, int64_t tokens)
{
    el_truncation *const c = &t->truncation;
    c->steps = c->hold = t->desc.steps;
    c->place.update = -1;
    c->on = true;
    if (is_regular(t)) {
        c->hold = steps_back(t);
        c->on = c->hold > c->steps;
    } else if (!is_random(t)) {
        c->steps = (tokens - 1) / t->desc.batch;
        c->hold = c->steps = c->steps > 0 ? c->steps : 1;
    }
}

/* ---- Which pieces an update is about --------------------------------------*/

static int64_t pieces_of(const elman_trainer *t)
{
    return t->pieces.updates;
}

/* Where the segment that begins at piece `from` is cut. */
static int64_t next_cut(const elman_trainer *t, int64_t epoch, int64_t from)
{
    const uint64_t stream = EL_STREAM(EL_RANDOM_CUT, epoch);
    for (++from; from < pieces_of(t); ++from)
        if (el_random_double(t->desc.seed, stream, (uint64_t)from) <
            t->desc.cut)
            break;
    return from;
}

static el_place first_place(const elman_trainer *t)
{
    return (el_place){.to = next_cut(t, 0, 0)};
}

static void advance(const elman_trainer *t, el_place *p)
{
    ++p->update;
    p->from = p->to;
    if (p->from == pieces_of(t)) {
        ++p->epoch;
        p->from = 0;
    }
    p->to = next_cut(t, p->epoch, p->from);
}

el_place el_truncation_place(elman_trainer *t, int64_t update)
{
    el_place *const p = &t->truncation.place;
    if (!is_random(t))
        return (el_place){.update = update,
                          .epoch = update / pieces_of(t),
                          .from = update % pieces_of(t),
                          .to = update % pieces_of(t) + 1};
    if (p->update < 0 || p->update > update)
        *p = first_place(t);
    while (p->update < update)
        advance(t, p);
    return *p;
}

/* So many that they can be drawn in a few seconds. */
static const int64_t most_pieces = (int64_t)1 << 28;

elman_status el_truncation_updates(elman_trainer *t, int64_t epochs,
                                   int64_t most, int64_t *updates)
{
    int64_t pieces;
    const bool many =
        __builtin_mul_overflow(epochs, pieces_of(t), &pieces) != 0;
    *updates = most;
    if (!is_random(t)) {
        if (!many && pieces < most)
            *updates = pieces;
        return ELMAN_OK;
    }
    if (most > most_pieces && (many || pieces > most_pieces))
        return el_fail(ELMAN_EINVAL,
                       "%lld epochs of %lld pieces are too many to draw where "
                       "they are cut (updates may be limited)",
                       (long long)epochs, (long long)pieces_of(t));
    el_place p = first_place(t);
    while (p.epoch < epochs && p.update < most)
        advance(t, &p);
    *updates = p.update;
    return ELMAN_OK;
}

int64_t el_truncation_epoch_updates(const elman_trainer *t)
{
    const el_place *const at = &t->truncation.place;
    const int64_t epoch = at->update < 0 ? 0 : at->epoch;
    int64_t count = 0;
    if (!is_random(t))
        return pieces_of(t);
    for (int64_t from = 0; from < pieces_of(t); ++count)
        from = next_cut(t, epoch, from);
    return count;
}

int64_t el_truncation_steps(const elman_trainer *t, const el_place *p)
{
    return (p->to - p->from) * t->truncation.steps;
}

double el_truncation_mean_steps(const elman_trainer *t)
{
    const double steps = (double)t->truncation.steps;
    return is_random(t) ? steps / t->desc.cut : steps;
}

/* ---- Memory ---------------------------------------------------------------*/

/* What it held is lost. */
static elman_status make_room(const elman_context *c, void *at, int64_t *room,
                              int64_t wanted, int64_t each, size_t size)
{
    void *block;
    int64_t count;
    memcpy(&block, at, sizeof block);
    if (wanted <= *room)
        return ELMAN_OK;
    el_free(c, block);
    if (*room > 0 && wanted < 2 * *room)
        wanted = 2 * *room;
    *room = 0;
    block = NULL;
    const bool fits = !__builtin_mul_overflow(wanted, each, &count);
    if (fits)
        block = el_alloc_array(c, count, size);
    memcpy(at, &block, sizeof block);
    if (!block)
        return fits ? ELMAN_ENOMEM : el_no_memory();
    *room = wanted;
    return ELMAN_OK;
}

/* For an update whose losses, and the steps before them, are so many. */
static elman_status make_rooms(elman_trainer *t, int64_t steps)
{
    const elman_context *const c = t->context;
    const el_shards *const s = &t->shards;
    el_truncation *const n = &t->truncation;
    const int64_t pieces = (steps + n->hold - 1) / n->hold;
    elman_status status = make_room(c, &n->ids, &n->room, steps + 1,
                                    s->count * s->rows, sizeof *n->ids);
    if (!status)
        status = make_room(c, &n->states, &n->most, pieces + 2,
                           (int64_t)n->state_size, 1);
    return status;
}

elman_status el_truncation_create(elman_trainer *t)
{
    const elman_context *const c = t->context;
    const el_stack *const stack = &t->lm->net.stack;
    const el_shards *const s = &t->shards;
    el_truncation *const n = &t->truncation;
    const size_t size = t->lm->net.k->size;
    if (!n->on)
        return ELMAN_OK;
    const elman_lm_state *const state = s->state ? s->state : t->state;
    const int64_t h = el_lm_state_h_count(state);
    const int64_t cells = el_lm_state_c_count(state);
    n->state_size = (size_t)(h + cells) * size;
    if (is_regular(t)) {
        if (!(n->targets =
                  el_alloc_array(c, n->hold * s->rows, sizeof *n->targets)))
            return ELMAN_ENOMEM;
        return make_rooms(t, n->hold);
    }
    if (!is_random(t))
        return make_rooms(t, n->steps);
    if (!(n->dh =
              el_alloc_array(c, s->rows * stack->count * stack->out, size)) ||
        (cells > 0 && !(n->dc = el_alloc_array(c, cells, size))))
        return ELMAN_ENOMEM;
    return make_rooms(t, 4 * n->steps);
}

void el_truncation_free(elman_trainer *t)
{
    const elman_context *const c = t->context;
    el_truncation *const n = &t->truncation;
    el_free(c, n->ids);
    el_free(c, n->targets);
    el_free(c, n->states);
    el_free(c, n->dh);
    el_free(c, n->dc);
}

int64_t el_truncation_states_bytes(const elman_trainer *t)
{
    const el_truncation *const n = &t->truncation;
    return (int64_t)(el_block_bytes(n->states) + el_block_bytes(n->dh) +
                     el_block_bytes(n->dc));
}

int64_t el_truncation_tokens_bytes(const elman_trainer *t)
{
    const el_truncation *const n = &t->truncation;
    return (int64_t)(el_block_bytes(n->ids) + el_block_bytes(n->targets));
}

/* ---- Reading --------------------------------------------------------------*/

static int32_t *ids_of(const elman_trainer *t, int64_t own)
{
    const el_truncation *const n = &t->truncation;
    return n->ids + own * t->shards.rows * (n->read + 1);
}

/* A row's tokens, into a column. */
static elman_status read_row(elman_trainer *t, int64_t first, int32_t *column)
{
    const el_truncation *const n = &t->truncation;
    int32_t some[256];
    for (int64_t at = 0; at <= n->read;) {
        const int64_t left = n->read + 1 - at;
        const int64_t count = left < 256 ? left : 256;
        const elman_status s =
            el_text_read(t->text, first + n->begin + at, count, some);
        if (s)
            return s;
        for (int64_t i = 0; i < count; ++i)
            column[(at + i) * t->shards.rows] = some[i];
        at += count;
    }
    return ELMAN_OK;
}

elman_status el_truncation_read(elman_trainer *t, const el_place *place)
{
    el_truncation *const n = &t->truncation;
    const el_shards *const s = &t->shards;
    const int64_t end = place->to * n->steps;
    n->begin = place->from * n->steps;
    if (is_regular(t))
        n->begin = end > n->hold ? end - n->hold : 0;
    n->read = end - n->begin;
    elman_status status = make_rooms(t, n->read);
    for (int64_t i = 0; !status && i < s->count * s->rows; ++i) {
        const int64_t row = s->first * s->rows + i;
        status = read_row(t, el_pieces_first(&t->pieces, place->epoch, 0, row),
                          ids_of(t, i / s->rows) + i % s->rows);
    }
    return status;
}

/* ---- Running --------------------------------------------------------------*/

static void keep_state(const elman_trainer *t, const elman_lm_state *state,
                       int64_t i)
{
    const el_truncation *const n = &t->truncation;
    el_lm_state_read(state, n->states + (size_t)i * n->state_size);
}

/* It was read from a state, and is fit to be one. */
static void put_state(const elman_trainer *t, elman_lm_state *state, int64_t i)
{
    const el_truncation *const n = &t->truncation;
    el_lm_state_write(state, n->states + (size_t)i * n->state_size);
}

/* k2 > k1: the losses of the last k1 of `read` steps.  The next update begins
 * `on` steps later, from the state that this one's weights have there. */
static double run_window(elman_trainer *t, int64_t own, elman_lm_batch batch,
                         elman_lm_state *state, void *grad)
{
    const el_truncation *const n = &t->truncation;
    const int64_t rows = batch.batch, early = n->read - n->steps;
    const int64_t next = n->begin + n->read + n->steps - n->hold;
    const int64_t on = next > n->begin ? next - n->begin : 0;
    double nats;
    batch.ids = ids_of(t, own);
    batch.targets = n->targets;
    for (int64_t i = 0; i < n->read * rows; ++i)
        n->targets[i] = i < early * rows ? ELMAN_IGNORE : batch.ids[i + rows];
    keep_state(t, state, 0);
    keep_state(t, state, 1);
    if (on > 0) {
        batch.steps = on;
        el_lm_forward(t->lm, t->shards.tape, &batch, state, &nats, NULL);
        keep_state(t, state, 1);
        put_state(t, state, 0);
    }
    batch.steps = n->read;
    el_lm_forward(t->lm, t->shards.tape, &batch, state, &nats, NULL);
    /* Where a loss is not finite, the state that led there is looked at. */
    if (isfinite(nats))
        put_state(t, state, 1);
    el_lm_backward(t->lm, t->shards.tape, grad);
    return nats;
}

static void multiply(const el_kernels *k, void *x, int64_t count, double by)
{
    for (int64_t i = 0; i < count; ++i)
        if (k->dtype == ELMAN_F64)
            ((double *)x)[i] *= by;
        else
            ((float *)x)[i] *= (float)by;
}

/* One piece of a segment forward; without truncation that is the row. */
static double run_piece(elman_trainer *t, int64_t own, elman_lm_batch *batch,
                        elman_lm_state *state, int64_t piece)
{
    const el_truncation *const n = &t->truncation;
    const int64_t at = piece * n->hold;
    double nats;
    batch->ids = ids_of(t, own) + at * batch->batch;
    batch->targets = batch->ids + batch->batch;
    batch->steps = n->hold;
    batch->first_step = at;
    el_lm_forward(t->lm, t->shards.tape, batch, state, &nats, NULL);
    return nats;
}

static double run_segment(elman_trainer *t, int64_t own, elman_lm_batch batch,
                          elman_lm_state *state, void *grad)
{
    const el_truncation *const n = &t->truncation;
    const el_kernels *const k = t->lm->net.k;
    const int64_t pieces = n->read / n->hold;
    const double weight = 1 / (1 - t->desc.cut);
    const int64_t h = el_lm_state_h_count(state);
    const int64_t cells = el_lm_state_c_count(state);
    double nats = 0;
    for (int64_t i = 0; i < pieces; ++i) {
        keep_state(t, state, i);
        nats += run_piece(t, own, &batch, state, i);
    }
    keep_state(t, state, pieces);
    el_lm_flow flow = {.dh0 = n->dh, .dc0 = n->dc};
    for (int64_t i = pieces - 1; i >= 0; --i) {
        if (i < pieces - 1) {
            put_state(t, state, i);
            run_piece(t, own, &batch, state, i);
            multiply(k, n->dh, h, weight);
            multiply(k, n->dc, cells, weight);
            flow.dhT = n->dh;
            flow.dcT = n->dc;
        }
        el_lm_backward_through(t->lm, t->shards.tape, &flow, grad);
    }
    put_state(t, state, pieces);
    return nats;
}

double el_truncation_run(elman_trainer *t, int64_t own, elman_lm_batch batch,
                         elman_lm_state *state, void *grad)
{
    return is_regular(t) ? run_window(t, own, batch, state, grad)
                         : run_segment(t, own, batch, state, grad);
}
