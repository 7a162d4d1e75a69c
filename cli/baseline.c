/* SPDX-License-Identifier: MIT */
/* baseline.c - guessing, frequencies, pairs.
 *
 *   guessing  p(b)   = 1 / V
 *   unigram   p(b)   = (n(b) + 1) / (n + V)
 *   bigram    p(b|a) = (n(ab) + 1) / (n(a) + V)
 *
 * The ones are Laplace's: no token of the held-out text is impossible. */
#include "baseline.h"

#include "cli.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK = 4096 };

typedef struct counts {
    int64_t size;    /* V */
    int64_t total;   /* n */
    int64_t *single; /* [V] n(b) */
    int64_t *before; /* [V] n(a): a stood before another token */
    int64_t *pair;   /* [V,V] n(ab); NULL: too many */
    double unigram;  /* sums of -ln p over the held-out tokens */
    double bigram;
} counts;

static void count(counts *c, int32_t a, int32_t b)
{
    c->before[a]++;
    if (c->pair != NULL)
        c->pair[a * c->size + b]++;
}

static void measure(counts *c, int32_t a, int32_t b)
{
    const double V = (double)c->size;

    c->unigram -= log(((double)c->single[b] + 1) / ((double)c->total + V));
    if (c->pair != NULL)
        c->bigram -= log(((double)c->pair[a * c->size + b] + 1) /
                         ((double)c->before[a] + V));
}

/* Calls each for all neighbours of the text, in order. */
static int for_pairs(elman_text *text, counts *c,
                     void (*each)(counts *c, int32_t a, int32_t b))
{
    int32_t ids[CHUNK];
    const int64_t tokens = elman_text_tokens(text);

    for (int64_t first = 0; first + 1 < tokens; first += CHUNK - 1) {
        const int64_t left = tokens - first;
        const int64_t size = left < CHUNK ? left : CHUNK;
        if (elman_text_read(text, first, size, ids) != ELMAN_OK)
            return complain_library();
        for (int64_t i = 1; i < size; i++)
            each(c, ids[i - 1], ids[i]);
    }
    return DONE;
}

static int for_tokens(elman_text *text, counts *c)
{
    int32_t ids[CHUNK];
    const int64_t tokens = elman_text_tokens(text);

    for (int64_t first = 0; first < tokens; first += CHUNK) {
        const int64_t left = tokens - first;
        const int64_t size = left < CHUNK ? left : CHUNK;
        if (elman_text_read(text, first, size, ids) != ELMAN_OK)
            return complain_library();
        for (int64_t i = 0; i < size; i++)
            c->single[ids[i]]++;
    }
    c->total = tokens;
    return DONE;
}

static int make_tables(counts *c)
{
    const size_t V = (size_t)c->size;
    const int pairs = c->size <= BASELINE_BIGRAM_MOST;

    c->single = calloc(V, sizeof *c->single);
    c->before = calloc(V, sizeof *c->before);
    c->pair = pairs ? calloc(V * V, sizeof *c->pair) : NULL;
    if (c->single == NULL || c->before == NULL || (pairs && c->pair == NULL))
        return complain("memory ran out");
    return DONE;
}

int baseline_measure(elman_text *train, elman_text *held_out, baseline *out)
{
    counts c = {.size = elman_vocab_size(elman_text_vocab(train))};
    const double predicted = (double)(elman_text_tokens(held_out) - 1);
    int status = make_tables(&c);

    if (status == DONE)
        status = for_tokens(train, &c);
    if (status == DONE)
        status = for_pairs(train, &c, count);
    if (status == DONE)
        status = for_pairs(held_out, &c, measure);
    out->guessing = (double)c.size;
    out->unigram = exp(c.unigram / predicted);
    out->bigram = c.pair != NULL ? exp(c.bigram / predicted) : NAN;
    free(c.single);
    free(c.before);
    free(c.pair);
    return status;
}
