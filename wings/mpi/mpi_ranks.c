/* SPDX-License-Identifier: MIT */
/* mpi_ranks.c - elman_ranks by MPI: the shared library that `elman train`
 * opens where mpirun or srun started it.
 *
 * It knows <elman.h> and MPI, and nothing knows it: who opens it asks for
 * elman_ranks_begin. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <elman.h>

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds that a rank which failed gives the others to end as well, and
 * between two looks at whether they have. */
static const double patience = 5, look = 1e-3;

typedef struct wing {
    MPI_Comm work, end; /* of their own, so that no call meets another's */
    int ranks;
    int *counts, *places, *came, *from; /* [ranks] each */
} wing;

static wing only; /* there is one MPI in a process */

/* ---- Bytes ---------------------------------------------------------------*/

/* Counts and places are ints, which 2^30 bytes do not leave. */
static int take(const int64_t *first, int ranks, int *counts, int *places)
{
    for (int r = 0; r < ranks; ++r) {
        const int64_t count = first[r + 1] - first[r];
        if (count < 0 || first[r + 1] > (int64_t)1 << 30)
            return -1;
        counts[r] = (int)count;
        places[r] = (int)first[r];
    }
    return 0;
}

static int exchange(void *user, const void *send, const int64_t *first,
                    void *receive)
{
    const wing *const w = user;
    int rank;
    if (take(first, w->ranks, w->counts, w->places) != 0 ||
        MPI_Comm_rank(w->work, &rank) != MPI_SUCCESS)
        return -1;
    for (int r = 0; r < w->ranks; ++r) {
        w->came[r] = w->counts[rank];
        w->from[r] = r * w->counts[rank];
    }
    return MPI_Alltoallv(send, w->counts, w->places, MPI_BYTE, receive, w->came,
                         w->from, MPI_BYTE, w->work) == MPI_SUCCESS
               ? 0
               : -1;
}

static int gather(void *user, void *block, const int64_t *first)
{
    const wing *const w = user;
    if (take(first, w->ranks, w->counts, w->places) != 0)
        return -1;
    return MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, block, w->counts,
                          w->places, MPI_BYTE, w->work) == MPI_SUCCESS
               ? 0
               : -1;
}

/* ---- The end -------------------------------------------------------------*/

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A rank that waits here, for minutes perhaps, sleeps. */
static int end(void *user, int failed, int *speaker)
{
    const wing *const w = user;
    const struct timespec nap = {0, (long)(1e9 * look)};
    const double begin = now();
    MPI_Request request;
    int mine, first, all = 0;
    if (MPI_Comm_rank(w->end, &mine) != MPI_SUCCESS)
        return -1;
    if (!failed)
        mine = INT_MAX;
    if (MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, w->end, &request) !=
        MPI_SUCCESS)
        return -1;
    for (;;) {
        if (MPI_Test(&request, &all, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return -1;
        if (all)
            break;
        if (failed && now() - begin > patience)
            return -1;
        nanosleep(&nap, NULL);
    }
    *speaker = first == INT_MAX ? -1 : first;
    return MPI_Finalize() == MPI_SUCCESS ? 0 : -1;
}

static void abandon(void *user, int status)
{
    (void)user;
    MPI_Abort(MPI_COMM_WORLD, status);
    _Exit(status);
}

/* ---- The beginning -------------------------------------------------------*/

/* The cores that this process may use, shared evenly with the ranks of this
 * machine that may use some of them as well: one that mpirun has bound has its
 * own. */
static int cores_of(MPI_Comm machine)
{
    cpu_set_t mine, common;
    int count = 0, sharing = 0, cores = 1;
    MPI_Comm_size(machine, &count);
    cpu_set_t *const all = calloc((size_t)count, sizeof *all);
    if (!all)
        return 1;
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) != 0)
        CPU_SET(0, &mine);
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE,
                  machine);
    for (int i = 0; i < count; ++i) {
        CPU_AND(&common, &mine, &all[i]);
        sharing += CPU_COUNT(&common) > 0;
    }
    if (sharing > 0)
        cores = CPU_COUNT(&mine) / sharing;
    free(all);
    return cores > 0 ? cores : 1;
}

static int refuse(char *why, size_t room, const char *sentence)
{
    snprintf(why, room, "%s", sentence);
    return -1;
}

/* Fills out in; not 0, with a sentence, if there is no MPI to be had. */
int elman_ranks_begin(elman_ranks *out, char *why, size_t room);

__attribute__((visibility("default"))) int
elman_ranks_begin(elman_ranks *out, char *why, size_t room)
{
    int given, rank;
    MPI_Comm machine;
    if (out->struct_size != sizeof *out)
        return refuse(why, room, "it is of another version than the command");
    /* It ends the process, with words of its own, where it fails. */
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) !=
            MPI_SUCCESS ||
        given < MPI_THREAD_FUNNELED)
        return refuse(why, room, "this MPI cannot be used beside threads");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &only.ranks);
    MPI_Comm_dup(MPI_COMM_WORLD, &only.work);
    MPI_Comm_dup(MPI_COMM_WORLD, &only.end);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank,
                        MPI_INFO_NULL, &machine);
    const size_t n = (size_t)only.ranks;
    int *const room_of_ints = calloc(4 * n, sizeof *room_of_ints);
    if (!room_of_ints)
        return refuse(why, room, "memory ran out");
    only.counts = room_of_ints;
    only.places = room_of_ints + n;
    only.came = room_of_ints + 2 * n;
    only.from = room_of_ints + 3 * n;
    out->cores = cores_of(machine);
    MPI_Comm_free(&machine);
    MPI_Comm_set_errhandler(only.work, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(only.end, MPI_ERRORS_RETURN);
    out->rank = rank;
    out->ranks = only.ranks;
    out->user = &only;
    out->exchange = exchange;
    out->gather = gather;
    out->end = end;
    out->abandon = abandon;
    return 0;
}
