/* SPDX-License-Identifier: MIT */
/* recall.h - back-propagation through time in a given amount of memory: states
 * are kept at the edges of segments only, and what lies between them is
 * computed again on the way back.
 *
 * A lane is what can be run by itself from one end of the sequences to the
 * other: all layers of one direction, or, in two directions, one layer of one
 * of them.  Segments of a lane have numbers q in the order in which it runs
 * through them.  Some segments on end make a chunk: the way back keeps the
 * states before all segments of one chunk, and before some chunks (revolve.h).
 * Where one chunk is all, two passes forward are enough.
 *
 * Segments whose edges are known do not wait for each other.  They are computed
 * again side by side, as the sequences of one large batch, so that weights are
 * read once for all of them: with small batches that is what costs. */
#ifndef EL_RECALL_H
#define EL_RECALL_H

#include "tape_work.h"

/* One layer of a lane. */
typedef struct el_level {
    el_record near;                /* a block of steps */
    el_record far;                 /* segments side by side */
    void *dropped;                 /* near h as it goes to the next layer */
    void *dh, *end, *carry, *edge; /* of el_layer_back */
    void *aside;                   /* [G*H,P], where weights are dropped */
} el_level;

typedef struct el_recall {
    int lanes, depth; /* levels of each */
    int64_t segment;  /* steps, a multiple of EL_BLOCK_STEPS */
    int64_t side;     /* segments side by side at most; 0: one, of one block of
                       * steps, computed where it is gone back through */
    int64_t slots;    /* edges of each lane that are kept at once, */
    int64_t snaps;    /* of those, before chunks; 0: there is one chunk */
    int64_t slot;     /* elements of an edge */
    bool embeds;

    el_level *levels; /* [depth] */
    void *edges;      /* [lanes,slots,slot] */
    void *between;    /* [rows of a block,P] */
    void *x, *dx;     /* [rows of a block,I]; where it embeds */

    /* Segments side by side: sequence b of segment i is number i * B + b. */
    el_batch batch;
    el_run run;
    int64_t *lengths, *at, *later; /* by number; by rank: rows of x, and the
                                    * step that is the first */
    int32_t *rank, *sequence;      /* by number; by rank */
    int32_t *ids;                  /* one-hot rows */
    void *far_x, *far_dropped;     /* [rows,I], [rows,P] */

    /* Outside any budget, in two directions: what layers give to each other,
     * and its gradients. */
    void **kept; /* [L-1]: [T,B,S*P] */
    void *grads[2];

    /* Of the forward that is recorded. */
    const el_ends *ends;
    bool fresh; /* no edge has been given up since */
} el_recall;

/* In recall_plan.c: what to keep. */
int64_t el_recall_segments(int64_t steps, int64_t segment);

#endif
