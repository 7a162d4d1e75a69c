/* SPDX-License-Identifier: MIT */
#include "compact.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* A matrix or a vector, and where it lies. */
typedef struct el_place {
    int64_t offset; /* in the flat block; -1: there is no such thing */
    int64_t gates, rows, columns;
    int64_t padded;      /* rows from gate to gate, in panels */
    const el_kernels *k; /* whose panels; NULL: rows as they are */
    void **packed;       /* what points to the panels */
    bool vector;
    bool again; /* the embedding, which is there as rows, too */
    int64_t at; /* in bytes */
} place;

/* In the order of the flat block: the embedding, the parts of layer after
 * layer, and the decoder's two. */
enum { W_IH, W_HH, B_IH, B_HH, W_HR, PARTS };
enum { AROUND = 3 };

static place vector_at(int64_t offset, int64_t count)
{
    return (place){.offset = offset,
                   .gates = 1,
                   .rows = count,
                   .columns = 1,
                   .vector = true};
}

/* ---- What there is --------------------------------------------------------*/

static void list_layer(const el_compact *c, el_layer *l, place *out)
{
    const elman_dtype wide = c->k->dtype == ELMAN_F64 ? ELMAN_F64 : ELMAN_F32;
    const int64_t G = el_layer_gates(l), H = l->hidden;
    out[W_IH] =
        (place){.offset = l->w_ih,
                .gates = G,
                .rows = H,
                .columns = l->input,
                .padded = l->padded,
                .k = l->slots > 0 ? el_context_kernels(c->context, wide) : c->k,
                .packed = &l->in};
    out[W_HH] = (place){.offset = l->w_hh,
                        .gates = G,
                        .rows = H,
                        .columns = l->out,
                        .padded = l->padded,
                        .k = c->k,
                        .packed = &l->rec};
    out[B_IH] = vector_at(l->b_ih, G * H);
    out[B_HH] = vector_at(l->b_hh, G * H);
    out[W_HR] = (place){.offset = l->w_hr,
                        .gates = 1,
                        .rows = l->out,
                        .columns = H,
                        .padded = l->out,
                        .k = c->k,
                        .packed = &l->hr};
}

static bool is_tied(const el_compact *c)
{
    const el_decoder *const d = c->parts.decoder;
    return d && c->parts.vocab > 0 && d->weight == 0;
}

/* An embedding that is the decoder's weight, too, lies in panels of floats and
 * doubles once; what they are rounded to is not what is looked up. */
static void list_places(el_compact *c)
{
    const el_compact_parts *const p = &c->parts;
    el_decoder *const d = p->decoder;
    place *const embedding = c->places;
    place *const weight = embedding + c->count - 2, *const bias = weight + 1;
    embedding->offset = weight->offset = bias->offset = -1;
    if (p->vocab > 0)
        *embedding = (place){.gates = 1, .rows = p->vocab, .columns = p->embed};
    for (int n = 0; n < p->stack->count; ++n)
        list_layer(c, &p->stack->layers[n], embedding + 1 + n * PARTS);
    if (!d)
        return;
    *weight = (place){.offset = d->weight,
                      .gates = 1,
                      .rows = d->classes,
                      .columns = d->hidden,
                      .padded = d->classes,
                      .k = c->k,
                      .packed = &d->out,
                      .again = is_tied(c)};
    *bias = vector_at(d->bias, d->classes);
    if (is_tied(c) && !c->narrow) {
        *embedding = *weight;
        embedding->again = false;
        weight->offset = -1;
    }
}

static int64_t place_bytes(const el_compact *c, const place *p)
{
    if (p->offset < 0)
        return 0;
    if (!p->k)
        return p->rows * p->columns * (int64_t)c->k->size;
    return el_packed_bytes(p->k, p->gates * p->padded, p->columns);
}

/* Places begin where a cache line does. */
static int64_t aligned(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void *start_of(const el_compact *c, const place *p)
{
    return (char *)c->block + p->at;
}

static elman_status make_block(el_compact *c)
{
    int64_t end = 0, longest = 0;
    for (int i = 0; i < c->count; ++i) {
        place *const p = &c->places[i];
        p->at = end;
        end += aligned(place_bytes(c, p));
        if (p->k && p->offset >= 0 && p->columns > longest)
            longest = p->columns;
    }
    if (!(c->block = el_alloc_array(c->context, end, 1)) ||
        !(c->strip =
              el_alloc_array(c->context, longest, EL_PANEL * c->k->size)))
        return ELMAN_ENOMEM;
    for (int i = 0; i < c->count; ++i)
        if (c->places[i].k && c->places[i].offset >= 0)
            *c->places[i].packed = start_of(c, &c->places[i]);
    return ELMAN_OK;
}

/* ---- Panels ---------------------------------------------------------------*/

/* Rows of panel n of a place: from which one on, how many, and where. */
typedef struct panel {
    int64_t first, rows;
    void *packed;
} panel;

static int64_t panels_of(const place *p)
{
    return p->gates * ((p->rows + EL_PANEL - 1) / EL_PANEL);
}

static panel panel_at(const el_compact *c, const place *p, int64_t n)
{
    const int64_t each = (p->rows + EL_PANEL - 1) / EL_PANEL;
    const int64_t gate = n / each, row = n % each * EL_PANEL;
    const int64_t left = p->rows - row;
    return (panel){.first = gate * p->rows + row,
                   .rows = left < EL_PANEL ? left : EL_PANEL,
                   .packed = el_packed_at(p->k, start_of(c, p),
                                          gate * p->padded + row, p->columns)};
}

static void *flat_at(const el_compact *c, const place *p, void *flat,
                     int64_t row)
{
    return el_at(c->k, flat, p->offset + row * p->columns);
}

static void pack(const el_compact *c, const place *p, const panel *a)
{
    p->k->pack_rows(a->packed, c->strip, p->columns, a->rows, p->columns);
}

static void pack_zeros(el_compact *c)
{
    for (int i = 0; i < c->count; ++i) {
        const place *const p = &c->places[i];
        for (int64_t n = 0; p->k && p->offset >= 0 && n < panels_of(p); ++n) {
            const panel a = panel_at(c, p, n);
            pack(c, p, &a);
        }
    }
}

elman_status el_compact_create(const el_compact_parts *parts, el_compact *out)
{
    const elman_context *const context = parts->stack->context;
    const el_kernels *const k = parts->stack->k;
    *out =
        (el_compact){.context = context,
                     .k = k,
                     .parts = *parts,
                     .narrow = k->dtype != ELMAN_F32 && k->dtype != ELMAN_F64,
                     .count = AROUND + PARTS * parts->stack->count};
    if (!(out->places =
              el_alloc_array(context, out->count, sizeof *out->places)) ||
        !(out->copy = el_alloc(context, sizeof *out->copy)))
        return ELMAN_ENOMEM;
    atomic_init(out->copy, NULL);
    list_places(out);
    const elman_status s = make_block(out);
    if (!s && out->narrow)
        pack_zeros(out);
    return s;
}

void el_compact_free(el_compact *c)
{
    const elman_context *const context = c->context;
    if (!context)
        return;
    if (c->copy)
        el_free(context, atomic_load(c->copy));
    el_free(context, (void *)c->copy);
    if (c->narrow)
        el_free(context, c->flat);
    el_free(context, c->block);
    el_free(context, c->strip);
    el_free(context, c->places);
    *c = (el_compact){0};
}

int64_t el_compact_bytes(const el_compact *c)
{
    const void *const all[] = {c->block,
                               c->strip,
                               c->places,
                               (void *)c->copy,
                               atomic_load(c->copy),
                               c->narrow ? c->flat : NULL};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        bytes += el_block_bytes(all[i]);
    return (int64_t)bytes;
}

/* ---- Open and closed ------------------------------------------------------*/

static size_t flat_bytes(const el_compact *c, const place *p)
{
    return (size_t)(p->gates * p->rows * p->columns) * c->k->size;
}

static void copy_flat(const el_compact *c, void *to)
{
    for (int i = 0; i < c->count; ++i) {
        const place *const p = &c->places[i];
        if (p->offset < 0 || p->again)
            continue;
        if (!p->k)
            memcpy(flat_at(c, p, to, 0), start_of(c, p), flat_bytes(c, p));
        for (int64_t n = 0; p->k && n < panels_of(p); ++n) {
            const panel a = panel_at(c, p, n);
            p->k->unpack_rows(flat_at(c, p, to, a.first), a.packed, 0, a.rows,
                              p->columns);
        }
    }
}

static void unpack_in_place(el_compact *c, const place *p)
{
    for (int64_t n = 0; n < panels_of(p); ++n) {
        const panel a = panel_at(c, p, n);
        memcpy(c->strip, a.packed, (size_t)p->k->panel_bytes(p->columns));
        p->k->unpack_rows(flat_at(c, p, c->block, a.first), c->strip, 0, a.rows,
                          p->columns);
    }
}

void *el_compact_open(el_compact *c)
{
    el_free(c->context, atomic_exchange(c->copy, NULL));
    if (c->flat)
        return c->flat;
    if (c->narrow) {
        c->flat = el_alloc_array(c->context, c->parts.total, c->k->size);
        if (c->flat)
            copy_flat(c, c->flat);
        return c->flat;
    }
    c->flat = c->block;
    for (int i = 0; i < c->count; ++i) {
        const place *const p = &c->places[i];
        if (p->offset >= 0 && p->k)
            unpack_in_place(c, p);
        else if (p->offset >= 0)
            memmove(flat_at(c, p, c->flat, 0), start_of(c, p),
                    flat_bytes(c, p));
    }
    return c->flat;
}

/* From the last panel to the first one. */
static void pack_place(el_compact *c, const place *p)
{
    for (int64_t n = panels_of(p) - 1; n >= 0; --n) {
        const panel a = panel_at(c, p, n);
        memcpy(c->strip, flat_at(c, p, c->flat, a.first),
               (size_t)(a.rows * p->columns) * c->k->size);
        pack(c, p, &a);
    }
}

void el_compact_close(el_compact *c)
{
    if (!c->flat)
        return;
    for (int i = c->count - 1; i >= 0; --i) {
        const place *const p = &c->places[i];
        if (p->offset >= 0 && p->k)
            pack_place(c, p);
        else if (p->offset >= 0)
            memmove(start_of(c, p), flat_at(c, p, c->flat, 0),
                    flat_bytes(c, p));
    }
    if (c->narrow)
        el_free(c->context, c->flat);
    c->flat = NULL;
    el_compact_settle(c);
}

void el_compact_settle(el_compact *c)
{
    const place *const bias = &c->places[c->count - 1];
    for (int n = 0; n < c->parts.stack->count; ++n) {
        el_layer *const l = &c->parts.stack->layers[n];
        const place *const p = &c->places[1 + n * PARTS];
        if (l->bias)
            el_layer_pack_bias(l, start_of(c, &p[B_IH]), start_of(c, &p[B_HH]));
    }
    if (bias->offset >= 0)
        el_decoder_pack_bias(c->parts.decoder, start_of(c, bias));
}

void el_compact_copy(const el_compact *c, void *to)
{
    if (c->flat)
        memcpy(to, c->flat, (size_t)c->parts.total * c->k->size);
    else
        copy_flat(c, to);
}

const void *el_compact_read(const el_compact *c)
{
    void *copy = atomic_load(c->copy);
    if (c->flat)
        return c->flat;
    if (copy)
        return copy;
    void *const mine = el_alloc_array(c->context, c->parts.total, c->k->size);
    if (!mine)
        return NULL;
    copy_flat(c, mine);
    if (atomic_compare_exchange_strong(c->copy, &copy, mine))
        return mine;
    el_free(c->context, mine);
    return copy;
}

/* ---- Some rows after the others -------------------------------------------*/

int64_t el_rows_at_once(const elman_view *view)
{
    const int64_t columns = view->rank > 1 ? view->shape[1] : 1;
    const int64_t rows = columns > 0 ? 16384 / columns : 1;
    return rows < EL_PANEL ? EL_PANEL : rows;
}

/* A view of no elements begins where the next one does. */
static bool holds(const place *p, const elman_view *view)
{
    return p->offset == view->offset && p->gates * p->rows == view->shape[0] &&
           p->vector == (view->rank == 1) &&
           (p->vector || p->columns == view->shape[1]);
}

/* Weights of a byte are what they are rounded to, wherever they lie. */
static void round_rows(const el_compact *c, const place *p, void *rows,
                       int64_t count)
{
    if (c->k->dtype == ELMAN_INT8 && !p->vector)
        el_round_rows(rows, count, p->columns);
}

static elman_status fill_rows(el_compact *c, const place *p,
                              const elman_view *view, el_rows_source *source,
                              void *arg)
{
    const int64_t all = view->shape[0], most = el_rows_at_once(view);
    for (int64_t row = 0; row < all; row += most) {
        const int64_t rows = all - row < most ? all - row : most;
        void *const to = el_at(c->k, start_of(c, p), row * p->columns);
        const elman_status s = source(arg, row, rows, to);
        if (s)
            return s;
        round_rows(c, p, to, rows);
    }
    return ELMAN_OK;
}

static elman_status fill_panels(el_compact *c, const place *p,
                                el_rows_source *source, void *arg)
{
    for (int64_t n = 0; n < panels_of(p); ++n) {
        const panel a = panel_at(c, p, n);
        const elman_status s = source(arg, a.first, a.rows, c->strip);
        if (s)
            return s;
        round_rows(c, p, c->strip, a.rows);
        pack(c, p, &a);
    }
    return ELMAN_OK;
}

elman_status el_compact_fill(el_compact *c, const elman_view *view,
                             el_rows_source *source, void *arg)
{
    elman_status s = ELMAN_OK;
    assert(!c->flat);
    for (int i = 0; !s && i < c->count; ++i) {
        const place *const p = &c->places[i];
        if (!holds(p, view))
            continue;
        s = p->k ? fill_panels(c, p, source, arg)
                 : fill_rows(c, p, view, source, arg);
    }
    return s;
}

void el_compact_rows(const el_compact *c, const elman_view *view, int64_t first,
                     int64_t rows, void *to)
{
    const place *p = c->places;
    while (!holds(p, view) || p->again)
        ++p;
    if (!p->k || c->flat) {
        const void *const from =
            c->flat ? flat_at(c, p, c->flat, first)
                    : el_at(c->k, start_of(c, p), first * p->columns);
        memcpy(to, from, (size_t)(rows * p->columns) * c->k->size);
        return;
    }
    const int64_t each = (p->rows + EL_PANEL - 1) / EL_PANEL;
    for (int64_t row = first, end = first + rows; row < end;) {
        const int64_t gate = row / p->rows, in_gate = row % p->rows;
        const panel a = panel_at(c, p, gate * each + in_gate / EL_PANEL);
        const int64_t from = row - a.first;
        const int64_t stop = end - a.first < a.rows ? end - a.first : a.rows;
        p->k->unpack_rows(el_at(c->k, to, (row - first) * p->columns), a.packed,
                          from, stop, p->columns);
        row = a.first + stop;
    }
}

void el_compact_embed(const el_compact *c, int64_t id, void *to)
{
    const place *const p = c->places;
    const int64_t E = p->columns;
    const size_t size = c->k->size;
    if (!p->k) {
        memcpy(to, el_at(c->k, start_of(c, p), id * E), (size_t)E * size);
        return;
    }
    const panel a = panel_at(c, p, id / EL_PANEL);
    const int64_t at = id % EL_PANEL;
    if (size == sizeof(float))
        for (int64_t e = 0; e < E; ++e)
            ((float *)to)[e] = ((const float *)a.packed)[e * EL_PANEL + at];
    else
        for (int64_t e = 0; e < E; ++e)
            ((double *)to)[e] = ((const double *)a.packed)[e * EL_PANEL + at];
}
