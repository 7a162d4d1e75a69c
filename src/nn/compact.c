/* SPDX-License-Identifier: MIT */
#include "compact.h"

#include <stdatomic.h>
#include <string.h>

/* A weight or a bias of a layer. */
typedef struct part {
    int64_t offset; /* in the flat block; -1: the layer has none */
    int64_t gates, rows, columns;
    int64_t padded; /* rows from gate to gate, packed; 0: a bias */
    void **packed;  /* what points to it in the layer; NULL: a bias */
} part;

enum { PARTS = 5 }; /* of a layer, in the order of the flat block */

static part part_of(const el_stack *stack, int index)
{
    el_layer *const l = &stack->layers[index / PARTS];
    const int64_t G = el_layer_gates(l), H = l->hidden;
    const part parts[PARTS] = {
        {l->w_ih, G, H, l->input, l->padded, &l->in},
        {l->w_hh, G, H, l->out, l->padded, &l->rec},
        {l->b_ih, 1, G * H, 1, 0, NULL},
        {l->b_hh, 1, G * H, 1, 0, NULL},
        {l->w_hr, 1, l->out, H, l->out, &l->hr},
    };
    return parts[index % PARTS];
}

static int64_t packed_bytes(const el_kernels *k, const part *p)
{
    if (p->offset < 0)
        return 0;
    if (!p->packed)
        return p->rows * (int64_t)k->size;
    return el_packed_bytes(k, p->gates * p->padded, p->columns);
}

/* Parts begin where a cache line does. */
static int64_t aligned(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int parts_of(const el_compact *c)
{
    return PARTS * c->stack->count;
}

elman_status el_compact_create(el_stack *stack, int64_t total, el_compact *out)
{
    const elman_context *const context = stack->context;
    const el_kernels *const k = stack->k;
    const int count = PARTS * stack->count;
    int64_t end = 0, longest = 0;
    *out = (el_compact){.stack = stack, .total = total};
    if (!(out->at = el_alloc_array(context, count, sizeof *out->at)) ||
        !(out->copy = el_alloc(context, sizeof *out->copy)))
        return ELMAN_ENOMEM;
    for (int i = 0; i < count; ++i) {
        const part p = part_of(stack, i);
        out->at[i] = end;
        end += aligned(packed_bytes(k, &p));
        if (p.packed && p.offset >= 0 && p.columns > longest)
            longest = p.columns;
    }
    atomic_init(out->copy, NULL);
    if (!(out->block = el_alloc_array(context, end, 1)) ||
        !(out->strip = el_alloc_array(context, longest, EL_PANEL * k->size)))
        return ELMAN_ENOMEM;
    for (int i = 0; i < count; ++i) {
        const part p = part_of(stack, i);
        if (p.packed && p.offset >= 0)
            *p.packed = (char *)out->block + out->at[i];
    }
    return ELMAN_OK;
}

void el_compact_free(el_compact *c)
{
    if (!c->stack)
        return;
    const elman_context *const context = c->stack->context;
    if (c->copy)
        el_free(context, atomic_load(c->copy));
    el_free(context, (void *)c->copy);
    el_free(context, c->block);
    el_free(context, c->strip);
    el_free(context, c->at);
    *c = (el_compact){0};
}

int64_t el_compact_bytes(const el_compact *c)
{
    return (int64_t)(el_block_bytes(c->block) + el_block_bytes(c->strip) +
                     el_block_bytes(c->at) + el_block_bytes(c->copy) +
                     el_block_bytes(atomic_load(c->copy)));
}

/* ---- Panels ---------------------------------------------------------------*/

/* Rows of panel n of a part, and where they are, flat and packed. */
typedef struct panel {
    int64_t rows, flat; /* elements */
    void *packed;
} panel;

static int64_t panels_of(const part *p)
{
    return p->gates * ((p->rows + EL_PANEL - 1) / EL_PANEL);
}

static panel panel_at(const el_compact *c, int i, const part *p, int64_t n)
{
    const el_kernels *const k = c->stack->k;
    const int64_t each = (p->rows + EL_PANEL - 1) / EL_PANEL;
    const int64_t gate = n / each, row = n % each * EL_PANEL;
    const int64_t left = p->rows - row;
    return (panel){.rows = left < EL_PANEL ? left : EL_PANEL,
                   .flat = p->offset + (gate * p->rows + row) * p->columns,
                   .packed = el_packed_at(k, (char *)c->block + c->at[i],
                                          gate * p->padded + row, p->columns)};
}

static void pack_part(el_compact *c, int i, const part *p)
{
    const el_kernels *const k = c->stack->k;
    for (int64_t n = panels_of(p) - 1; n >= 0; --n) {
        const panel a = panel_at(c, i, p, n);
        memcpy(c->strip, el_at(k, c->block, a.flat),
               (size_t)(a.rows * p->columns) * k->size);
        k->pack_rows(a.packed, c->strip, p->columns, a.rows, p->columns);
    }
}

/* to [rows,columns] of a panel [columns][32] */
static void unpack_panel(const el_kernels *k, void *to, const void *from,
                         int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < columns; ++j)
            memcpy(el_at(k, to, r * columns + j),
                   el_at(k, from, j * EL_PANEL + r), k->size);
}

static void unpack_part(const el_compact *c, int i, const part *p)
{
    const el_kernels *const k = c->stack->k;
    for (int64_t n = 0; n < panels_of(p); ++n) {
        const panel a = panel_at(c, i, p, n);
        memcpy(c->strip, a.packed, (size_t)k->panel_bytes(p->columns));
        unpack_panel(k, el_at(k, c->block, a.flat), c->strip, a.rows,
                     p->columns);
    }
}

/* ---- Open and closed ------------------------------------------------------*/

void *el_compact_open(el_compact *c)
{
    const el_kernels *const k = c->stack->k;
    el_free(c->stack->context, atomic_exchange(c->copy, NULL));
    for (int i = 0; c->packed && i < parts_of(c); ++i) {
        const part p = part_of(c->stack, i);
        if (p.offset < 0)
            continue;
        if (p.packed)
            unpack_part(c, i, &p);
        else
            memmove(el_at(k, c->block, p.offset), (char *)c->block + c->at[i],
                    (size_t)p.rows * k->size);
    }
    c->packed = false;
    return c->block;
}

void el_compact_close(el_compact *c)
{
    const el_kernels *const k = c->stack->k;
    if (c->packed)
        return;
    for (int n = 0; n < c->stack->count; ++n)
        el_layer_pack(&c->stack->layers[n], c->block);
    for (int i = parts_of(c) - 1; i >= 0; --i) {
        const part p = part_of(c->stack, i);
        if (p.offset < 0)
            continue;
        if (p.packed)
            pack_part(c, i, &p);
        else
            memmove((char *)c->block + c->at[i], el_at(k, c->block, p.offset),
                    (size_t)p.rows * k->size);
    }
    c->packed = true;
}

static void copy_flat(const el_compact *c, void *to)
{
    const el_kernels *const k = c->stack->k;
    for (int i = 0; i < parts_of(c); ++i) {
        const part p = part_of(c->stack, i);
        if (p.offset >= 0 && !p.packed)
            memcpy(el_at(k, to, p.offset), (char *)c->block + c->at[i],
                   (size_t)p.rows * k->size);
        for (int64_t n = 0; p.offset >= 0 && p.packed && n < panels_of(&p);
             ++n) {
            const panel a = panel_at(c, i, &p, n);
            unpack_panel(k, el_at(k, to, a.flat), a.packed, a.rows, p.columns);
        }
    }
}

const void *el_compact_read(const el_compact *c)
{
    const elman_context *const context = c->stack->context;
    void *copy = atomic_load(c->copy);
    if (!c->packed)
        return c->block;
    if (copy)
        return copy;
    void *const mine = el_alloc_array(context, c->total, c->stack->k->size);
    if (!mine)
        return NULL;
    copy_flat(c, mine);
    if (atomic_compare_exchange_strong(c->copy, &copy, mine))
        return mine;
    el_free(context, mine);
    return copy;
}
