/* SPDX-License-Identifier: MIT */
/* counting.h - an allocator that counts, and that fails when it is told to. */
#ifndef TEST_COUNTING_H
#define TEST_COUNTING_H

#include <elman.h>
#include <stdatomic.h>

typedef struct counting {
    atomic_llong asked; /* allocations so far, those that failed too */
    atomic_llong live;  /* blocks */
    atomic_llong bytes; /* in them */
    atomic_llong most;  /* bytes there ever were at once */
    atomic_llong fail;  /* this allocation fails, counted from 1; 0: none */
    int fail_after;     /* 1: and so do all after it */
} counting;

elman_allocator counting_allocator(counting *c);

/* A context of one thread whose memory it is. */
elman_context *counting_context(counting *c);

#endif
