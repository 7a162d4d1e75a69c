/* SPDX-License-Identifier: MIT */
/* example.h - what the examples share: one way to fail, and a text that is
 * always there. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <elman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call that fails ends the example with the library's own sentence. */
static inline void must(elman_status status)
{
    if (status == ELMAN_OK)
        return;
    fprintf(stderr, "%s\n", elman_message());
    exit(1);
}

/* So does a claim that does not hold: every example checks what it says. */
static inline void check(int holds, const char *claim)
{
    if (holds)
        return;
    fprintf(stderr, "this does not hold: %s\n", claim);
    exit(1);
}

/* Numbers of the standard normal distribution; another stream, others. */
static inline void draw(float *x, int64_t count, uint64_t stream)
{
    for (int64_t i = 0; i < count; ++i)
        x[i] = (float)elman_random_normal(0, stream, (uint64_t)i);
}

/* Where a named weight lies in the flat block of a layer. */
static inline elman_view find(const elman_rnn *rnn, const char *name)
{
    elman_view view;
    must(elman_rnn_find(rnn, name, &view));
    return view;
}

/* The library's own header, beside the folder of this file: some 30,000
 * characters of C and English to learn from. */
static inline const char *some_text(void)
{
    static char path[4096];
    const char *const slash = strrchr(__FILE__, '/');
    const int folder = slash ? (int)(slash + 1 - __FILE__) : 0;
    snprintf(path, sizeof path, "%.*s../include/elman.h", folder, __FILE__);
    return path;
}

#endif
