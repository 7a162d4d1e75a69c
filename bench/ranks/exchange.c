/* SPDX-License-Identifier: MIT */
/* exchange.c - what a gradient's way between ranks takes, without a training:
 *
 *     mpirun -n 2 exchange libelman-mpi.so BYTES ROUNDS
 *
 * The calls are those of the trainer: slices to their ranks, where they are
 * added, and back to all; a segment of at most 64 MiB at a time.  Prints
 * milliseconds, the median of the rounds: of that, and of a word to all. */
#include <elman.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEGMENT = 1 << 26 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int segment(const elman_ranks *r, char *block, int64_t bytes,
                   int64_t *first, char *receive)
{
    const int64_t n = bytes / 4 / r->ranks;
    float *const sums = (float *)receive;
    for (int i = 0; i <= r->ranks; ++i)
        first[i] = 4 * n * i;
    if (r->exchange(r->user, block, first, receive) != 0)
        return 1;
    for (int step = 1; step < r->ranks; step *= 2)
        for (int i = 0; i < r->ranks; i += 2 * step)
            for (int64_t j = 0; j < n; ++j)
                sums[i * n + j] += sums[(i + step) * n + j];
    memcpy(block + first[r->rank], receive, (size_t)(4 * n));
    return r->gather(r->user, block, first) != 0;
}

static int once(const elman_ranks *r, char *block, int64_t bytes,
                int64_t *first, char *receive)
{
    int failed = 0;
    for (int64_t at = 0; at < bytes && !failed; at += SEGMENT) {
        const int64_t left = bytes - at;
        failed = segment(r, block + at, left < SEGMENT ? left : SEGMENT, first,
                         receive);
    }
    return failed;
}

static int word(const elman_ranks *r, char *words, int64_t *first)
{
    for (int i = 0; i <= r->ranks; ++i)
        first[i] = 16 * i;
    return r->gather(r->user, words, first);
}

static int measure(const elman_ranks *r, int64_t bytes, int rounds)
{
    int64_t *const first = calloc((size_t)r->ranks + 1, sizeof *first);
    char *const block = calloc((size_t)bytes, 1);
    char *const receive = aligned_alloc(64, SEGMENT);
    char *const words = calloc((size_t)r->ranks, 16);
    double *const large = calloc((size_t)rounds, sizeof *large);
    double *const small = calloc((size_t)rounds, sizeof *small);
    int failed = !first || !block || !receive || !words || !large || !small;
    /* Memory that was never written is one page of zeros. */
    if (!failed) {
        memset(block, 1, (size_t)bytes);
        memset(receive, 1, SEGMENT);
    }
    for (int i = -2; i < rounds && !failed; ++i) {
        const double begin = now();
        failed = once(r, block, bytes, first, receive);
        const double middle = now();
        failed = failed || word(r, words, first);
        if (i >= 0) {
            large[i] = middle - begin;
            small[i] = now() - middle;
        }
    }
    if (!failed && r->rank == 0) {
        qsort(large, (size_t)rounds, sizeof *large, compare);
        qsort(small, (size_t)rounds, sizeof *small, compare);
        printf("%d ranks, %lld bytes: %.3f ms; a word: %.4f ms\n", r->ranks,
               (long long)bytes, large[rounds / 2], small[rounds / 2]);
    }
    free(first);
    free(block);
    free(receive);
    free(words);
    free(large);
    free(small);
    return failed;
}

int main(int argc, char **argv)
{
    const int64_t bytes = argc == 4 ? atoll(argv[2]) : 0;
    const int rounds = argc == 4 ? atoi(argv[3]) : 0;
    elman_ranks ranks = ELMAN_RANKS;
    char why[256] = "";
    int (*begin)(elman_ranks *, char *, size_t);
    int speaker;
    if (bytes < 1 || rounds < 1) {
        fprintf(stderr, "usage: exchange WING BYTES ROUNDS\n");
        return 2;
    }
    void *const wing = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    void *const symbol = wing ? dlsym(wing, "elman_ranks_begin") : NULL;
    if (!symbol) {
        fprintf(stderr, "exchange: %s\n", dlerror());
        return 1;
    }
    memcpy(&begin, &symbol, sizeof begin);
    if (begin(&ranks, why, sizeof why) != 0) {
        fprintf(stderr, "exchange: %s\n", why);
        return 1;
    }
    const int failed = measure(&ranks, bytes, rounds);
    ranks.end(ranks.user, failed, &speaker);
    return failed;
}
