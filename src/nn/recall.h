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

/* Segments of so many steps. */
static inline int64_t el_recall_segments(int64_t steps, int64_t segment)
{
    return (steps + segment - 1) / segment;
}

static inline int64_t el_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A lane at work. */
typedef struct el_lane {
    el_tape *t;
    el_recall *r;
    int first; /* its first layer among the stack's */
    bool reverse;
    el_input input; /* of all steps */
    void *edges;    /* [slots,slot] */
    int64_t segments, chunks;
    el_seq out;  /* where h of the last level goes on the way forward; p is NULL
                  * if nowhere */
    bool leaves; /* and whether it goes to the ends */

    /* On the way back. */
    const el_backward *b;
    el_seq dy, dx;
    bool dx_add, follows; /* a block has been gone back through before */
} el_lane;

/* Steps of segment q. */
el_span el_lane_segment(const el_lane *lane, int64_t q);
/* Moves the states before the near block to or from an edge. */
void el_lane_move_edge(el_lane *lane, int64_t slot, bool save);
/* Whether what level n gives is dropped from, and y = x with its masks, rows of
 * the near block, which begins with step `from`. */
bool el_lane_drops(const el_lane *lane, int n);
void el_lane_drop(const el_lane *lane, int n, int64_t from, const void *x,
                  void *y);
/* x of a run whose first step is `from`, from the ends; `at` is the row of each
 * rank at step 0, NULL: its rank. */
void el_lane_enter(const el_lane *lane, el_run run, const int64_t *at,
                   int64_t from, void *x);

/* Computes segments [q,q+count) again, whose edges begin with that slot. */
void el_side_run(el_lane *lane, int64_t q, int64_t count, int64_t slot);
/* Block `at` of segment i among those, whose steps are `whole`, becomes the
 * near one. */
void el_side_fetch(el_lane *lane, int64_t i, el_span whole, el_span at,
                   int64_t slot);

#endif
