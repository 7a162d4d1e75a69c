/* SPDX-License-Identifier: MIT */
/* ranks.c - the wing is found and opened, and one rank speaks for all. */
#include "ranks.h"

#include "cli.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where it is installed, from where the command is. */
#ifndef ELMAN_WINGS
#define ELMAN_WINGS "../lib/elman"
#endif

/* What mpirun of Open MPI, and srun and others by PMI and PMIx, tell a process:
 * its rank, and how many there are (PMIx does not say). */
static const struct {
    const char *rank, *ranks;
} told[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI_RANK", "PMI_SIZE"},
    {"PMIX_RANK", NULL},
};

static int number_of(const char *name)
{
    const char *text = name != NULL ? getenv(name) : NULL;

    return text != NULL ? atoi(text) : -1;
}

/* The place in the list of those who started this process; -1: nobody did. */
static int starter(void)
{
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (number_of(told[i].rank) >= 0)
            return number_of(told[i].ranks) == 1 ? -1 : (int)i;
    return -1;
}

int ranks_look(void)
{
    const int who = starter();
    const int rank = who < 0 ? 0 : number_of(told[who].rank);

    if (rank > 0)
        complaints_keep();
    return rank;
}

/* Whether there is a wing in a folder, seen from the one of this program. */
static int wing_in(const char *folder, char *path, size_t room)
{
    const ssize_t size = readlink("/proc/self/exe", path, room - 1);

    if (size <= 0)
        return 0;
    path[size] = '\0';
    char *name = strrchr(path, '/') + 1;
    room -= (size_t)(name - path);
    return (size_t)snprintf(name, room, "%s/libelman-mpi.so", folder) < room &&
           access(path, F_OK) == 0;
}

static int open_wing(elman_ranks *out)
{
    int (*begin)(elman_ranks *, char *, size_t);
    char path[4096], why[256];

    if (!wing_in(".", path, sizeof path) &&
        !wing_in(ELMAN_WINGS, path, sizeof path))
        return complain("several processes were started, and this elman has no "
                        "MPI: there is no %s (docs/many-machines.md says how "
                        "to build it)",
                        path);
    /* MPI opens parts of its own, which look for its names. */
    void *const wing = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    void *const symbol = wing != NULL ? dlsym(wing, "elman_ranks_begin") : NULL;
    if (symbol == NULL)
        return complain("%s", dlerror());
    memcpy(&begin, &symbol, sizeof begin);
    if (begin(out, why, sizeof why) != 0)
        return complain("%s: %s", path, why);
    return DONE;
}

int ranks_begin(elman_ranks *out)
{
    *out = (elman_ranks)ELMAN_RANKS;
    return starter() < 0 ? DONE : open_wing(out);
}

/* ---- Words between ranks -------------------------------------------------*/

int ranks_spread(const elman_ranks *ranks, void *block, int64_t bytes)
{
    int64_t *first;
    int status;

    if (ranks->ranks == 1)
        return DONE;
    first = calloc((size_t)ranks->ranks + 1, sizeof *first);
    if (first == NULL)
        return FAILED;
    for (int i = 1; i <= ranks->ranks; i++)
        first[i] = bytes;
    status = ranks->gather(ranks->user, block, first) == 0 ? DONE : FAILED;
    free(first);
    return status;
}

int ranks_most(const elman_ranks *ranks, int mine)
{
    const int count = ranks->ranks;
    int most = mine;

    if (count == 1)
        return mine;
    int64_t *const first = calloc((size_t)count + 1, sizeof *first);
    char *const all = calloc((size_t)count, 1);
    if (first != NULL && all != NULL) {
        for (int i = 0; i <= count; i++)
            first[i] = i;
        all[ranks->rank] = (char)mine;
        if (ranks->gather(ranks->user, all, first) == 0)
            for (int i = 0; i < count; i++)
                most = all[i] > most ? all[i] : most;
    }
    free(first);
    free(all);
    return most;
}

/* Another rank failed, and has a sentence where this one has none. */
static int followed;

int ranks_follow(int status)
{
    if (status != DONE)
        return status;
    followed = 1;
    return FAILED;
}

int ranks_agree(const elman_ranks *ranks, int status)
{
    return ranks_most(ranks, status) == DONE ? DONE : ranks_follow(status);
}

/* ---- The end -------------------------------------------------------------*/

int ranks_end(const elman_ranks *ranks, int status)
{
    const int failed = status != DONE && !followed;
    int speaker = -1;

    if (ranks->end == NULL) { /* alone, or not connected */
        complaints_tell(ranks_look());
        return status;
    }
    if (ranks->end(ranks->user, failed, &speaker) == 0) {
        if (speaker == ranks->rank)
            complaints_tell(ranks->rank);
        return status;
    }
    complaints_tell(ranks->rank);
    fflush(stdout);
    ranks->abandon(ranks->user, status != DONE ? status : FAILED);
    return status;
}
