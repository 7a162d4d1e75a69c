/* SPDX-License-Identifier: MIT */
#include "revolve.h"

/* Parts that s snapshots can reverse while none is run through more than r
 * times: (s+r over s); no more than `most`. */
static int64_t reach(int64_t s, int64_t r, int64_t most)
{
    int64_t n = 1;
    if (r < 0 || s < 0)
        return 0;
    for (int64_t i = 1; i <= r; ++i) {
        if (__builtin_mul_overflow(n, s + i, &n))
            return most;
        n /= i;
        if (n >= most)
            return most;
    }
    return n;
}

/* The least r that reaches as far as that. */
static int64_t rounds(int64_t parts, int64_t snaps)
{
    int64_t r = 0;
    for (int64_t n = 1; n < parts;) {
        ++r;
        if (__builtin_mul_overflow(n, snaps + r, &n))
            break;
        n /= r;
    }
    return r;
}

/* r l - (s+r over s+1) */
int64_t el_revolve_runs(int64_t parts, int64_t snaps)
{
    if (snaps == 1)
        return parts * (parts - 1) / 2;
    const int64_t r = rounds(parts, snaps);
    return r * parts - reach(snaps + 1, r - 1, INT64_MAX);
}

/* Any number between two bounds does as well as any other; this is the larger
 * bound. */
int64_t el_revolve_split(int64_t parts, int64_t snaps)
{
    if (snaps == 1)
        return parts - 1;
    const int64_t r = rounds(parts, snaps);
    const int64_t some = reach(snaps, r - 1, parts);
    const int64_t others = parts - reach(snaps - 1, r - 1, parts);
    const int64_t split = some < others ? some : others;
    return split < 1 ? 1 : split;
}
