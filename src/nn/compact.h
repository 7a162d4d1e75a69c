/* SPDX-License-Identifier: MIT */
/* compact.h - weights that lie in memory once, packed where products read them.
 *
 * Panels of floats and doubles take as much as the rows that they are made of,
 * or more, and stand in the order of the flat block: so they are packed and
 * unpacked in its place, from the last row to the first one and from the first
 * one to the last, which overwrites nothing that is still to be read.  Panels
 * of fewer bytes have a block of their own, and the flat one is there only
 * while it is written.  Biases are moved; what is computed with is a sum of
 * theirs, which a layer has of its own. */
#ifndef EL_COMPACT_H
#define EL_COMPACT_H

#include "decoder.h"
#include "stack.h"
#include "views.h"

/* What lies in it.  Layers and decoder are `lent`. */
typedef struct el_compact_parts {
    el_stack *stack;
    el_decoder *decoder;  /* NULL: there is none */
    int64_t vocab, embed; /* V, E: an embedding [V,E] begins the flat block; 0,
                           * 0: there is none */
    int64_t total;        /* elements of the flat block */
} el_compact_parts;

struct el_place;

typedef struct el_compact {
    const elman_context *context; /* NULL: there is none */
    const el_kernels *k;
    el_compact_parts parts;
    bool narrow; /* panels are smaller than what they are made of */
    struct el_place *places;
    int count;
    void *block, *strip; /* the latter: a panel's rows */
    void *flat;          /* while it is open; of floats and doubles the block */
    _Atomic(void *) *copy; /* a flat one, to be read while all is packed */
} el_compact;

/* All zeros, packed. */
elman_status el_compact_create(const el_compact_parts *parts, el_compact *out);
void el_compact_free(el_compact *compact);
/* What it takes, all copies included. */
int64_t el_compact_bytes(const el_compact *compact);
/* The flat block, to write: nothing may run, and no copy be read.  NULL with a
 * sentence, of narrow panels: memory ran out. */
void *el_compact_open(el_compact *compact);
/* Packs it again, biases too. */
void el_compact_close(el_compact *compact);
/* A flat block to read, made when it is first asked for, by any thread; it
 * lasts until the weights are opened.  NULL with a sentence: memory ran out. */
const void *el_compact_read(const el_compact *compact);
/* The same to a flat block of the caller's. */
void el_compact_copy(const el_compact *compact, void *to);

/* Gives rows [first, first + rows) of a view, dense. */
typedef elman_status el_rows_source(void *arg, int64_t first, int64_t rows,
                                    void *to);
/* Rows that are moved at once where nothing else says how many. */
int64_t el_rows_at_once(const elman_view *view);
/* Fills a view's weights while all is packed, some rows after the others; of
 * weights of a byte rounded.  Once all have been, el_compact_settle. */
elman_status el_compact_fill(el_compact *compact, const elman_view *view,
                             el_rows_source *source, void *arg);
void el_compact_settle(el_compact *compact);
/* The other way. */
void el_compact_rows(const el_compact *compact, const elman_view *view,
                     int64_t first, int64_t rows, void *to);

/* Row id of the embedding [E]. */
void el_compact_embed(const el_compact *compact, int64_t id, void *to);

#endif
