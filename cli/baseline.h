/* SPDX-License-Identifier: MIT */
/* baseline.h - what simple counting reaches on the same tokens. */
#ifndef BASELINE_H
#define BASELINE_H

#include <elman.h>

typedef struct baseline {
    double guessing; /* perplexity of every token being as likely, */
    double unigram;  /* of tokens as frequent as in the training text, */
    double bigram;   /* and as frequent after the token before; NaN if the
                      * vocabulary is too large for a table of pairs */
} baseline;

enum { BASELINE_BIGRAM_MOST = 4096 }; /* tokens in such a vocabulary */

/* Counts on train, measures on held_out, from its second token on; both must
 * have been opened with the same vocabulary.  FAILED with the sentence
 * written. */
int baseline_measure(elman_text *train, elman_text *held_out, baseline *out);

#endif
