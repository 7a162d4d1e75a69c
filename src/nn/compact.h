/* SPDX-License-Identifier: MIT */
/* compact.h - weights that lie in memory once: in one block, flat while they
 * are written, and else packed, in the same place.
 *
 * A panel takes as much as the rows that it is made of, or more, and panels
 * stand in the order of the flat block, so that packing from the last row to
 * the first one, and unpacking from the first one to the last, overwrites
 * nothing that is still to be read.  Biases are moved; what is computed with is
 * a sum of theirs, which a layer has of its own. */
#ifndef EL_COMPACT_H
#define EL_COMPACT_H

#include "stack.h"
#include "views.h"

typedef struct el_compact {
    const el_stack *stack; /* NULL: there is none */
    void *block, *strip;   /* the latter: a panel's rows */
    int64_t *at;           /* where the parts lie, packed, in bytes */
    int64_t total;         /* elements of the flat block */
    bool packed;
    _Atomic(void *) *copy; /* a flat one, to be read while all is packed */
} el_compact;

/* Of a stack whose layers are `lent` (el_layer); all zeros, flat. */
elman_status el_compact_create(el_stack *stack, int64_t total, el_compact *out);
void el_compact_free(el_compact *compact);
/* What it takes, the copy included. */
int64_t el_compact_bytes(const el_compact *compact);
/* The flat block, to write: nothing may run, and no copy be read. */
void *el_compact_open(el_compact *compact);
/* Packs it again, biases too. */
void el_compact_close(el_compact *compact);
/* A flat block to read, made when it is first asked for, by any thread; it
 * lasts until the weights are opened.  NULL with a sentence: memory ran out. */
const void *el_compact_read(const el_compact *compact);

#endif
