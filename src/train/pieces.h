/* SPDX-License-Identifier: MIT */
/* pieces.h - how a text is cut into minibatches.
 *
 * Both ways begin an epoch at an offset drawn anew, as the book chapter has it
 * (less where the text is short), so that pieces are not cut at the same places
 * each time.
 *
 *   sequential  offset 0 ... T; what follows is cut into B rows of equal
 *               length; update i takes the i-th T tokens of each row, and the
 *               state is carried.
 *   random      offset 0 ... T-1; what follows is cut into pieces of T tokens;
 *               the epoch's updates take them B at a time in random order,
 *               from zero states.
 *
 * Each is a function of the seed and the update's number. */
#ifndef EL_PIECES_H
#define EL_PIECES_H

#include <elman.h>
#include <stdbool.h>

typedef struct el_pieces {
    int64_t tokens; /* of the text that is trained on */
    int64_t batch, steps;
    elman_sampling sampling;
    uint64_t seed;
    int64_t offsets; /* that may be drawn */
    int64_t updates; /* in an epoch */
} el_pieces;

/* False if the text is shorter than one minibatch; its tokens' predecessors
 * counted in, that takes batch * steps + 1 tokens. */
bool el_pieces_plan(el_pieces *p);
/* Where row `row` of update `update` of epoch `epoch` (both from 0) begins. */
int64_t el_pieces_first(const el_pieces *p, int64_t epoch, int64_t update,
                        int64_t row);

#endif
