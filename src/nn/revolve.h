/* SPDX-License-Identifier: MIT */
/* revolve.h - when to keep states, and when to compute them again: the binomial
 * schedule, which reverses a chain of equal parts with a given number of
 * snapshots in the fewest steps (Griewank and Walther, Algorithm 799: revolve,
 * ACM TOMS 26, 2000).
 *
 * A snapshot is the state before a part; one of them is that before the first.
 * Going back through a part is done once for each and not counted. */
#ifndef EL_REVOLVE_H
#define EL_REVOLVE_H

#include <stdint.h>

/* Parts that have to be run through, the first time among them, to reverse
 * `parts` of them with `snaps` snapshots; both at least 1. */
int64_t el_revolve_runs(int64_t parts, int64_t snaps);
/* How many parts, of at least 2, to run through from a snapshot before the next
 * one is taken; with one snapshot, all but the last. */
int64_t el_revolve_split(int64_t parts, int64_t snaps);

#endif
