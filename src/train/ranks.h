/* SPDX-License-Identifier: MIT */
/* ranks.h - what a trainer says to the other processes of its run.
 *
 * All functions but the last are calls that every rank makes; alone they cost
 * nothing. */
#ifndef EL_RANKS_H
#define EL_RANKS_H

#include "../base/context.h"
#include "../kernels/kernels.h"

/* A rank's word to the others. */
typedef struct el_word {
    int64_t status;
    uint64_t value;
} el_word;

typedef struct el_group {
    const elman_context *context;
    const elman_ranks *ranks; /* NULL: alone */
    int rank, count;
    int64_t *first;  /* [count+1] */
    el_word *words;  /* [count] */
    int64_t segment; /* elements of a gradient that are summed at a time */
    char *receive;   /* of el_group_sum: room for a segment; NULL: none */
} el_group;

/* Memory for sums of `count` elements is made too, where that is not 0. */
elman_status el_group_create(const elman_context *context,
                             const elman_ranks *ranks, int64_t count,
                             size_t size, el_group *out);
void el_group_free(el_group *g);

/* What it takes. */
int64_t el_group_bytes(const el_group *g);

/* Fails on all ranks if it failed on one, with the first one's sentence. */
elman_status el_group_agree(el_group *g, elman_status mine);
/* Likewise; *value becomes the sum of all ranks', in a binary tree of them. */
elman_status el_group_total(el_group *g, elman_status mine, double *value);
/* Likewise; *value becomes rank 0's. */
elman_status el_group_follow(el_group *g, elman_status mine, double *value);
/* Likewise; fails if the values differ. */
elman_status el_group_compare(el_group *g, elman_status mine, uint64_t value,
                              const char *what);

/* The smallest of all ranks' values, none of which is below 0. */
int64_t el_group_least(el_group *g, int64_t value);

/* grad [count] becomes the sum of all ranks', in the same tree. */
elman_status el_group_sum(el_group *g, const el_kernels *k, void *grad,
                          int64_t count);
/* Of `planes` planes of count * bytes each, `bytes` behind one another are
 * those of rank 0, 1, ..., and afterwards all ranks'. */
elman_status el_group_gather(el_group *g, void *block, int64_t planes,
                             int64_t bytes);

/* to += from, spread over the team. */
void el_add_to(const elman_context *context, const el_kernels *k, void *to,
               const void *from, int64_t count);

#endif
