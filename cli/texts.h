/* SPDX-License-Identifier: MIT */
/* texts.h - what `elman train` learns from, and what it is held to. */
#ifndef TEXTS_H
#define TEXTS_H

#include "progress.h"
#include "recipe.h"

typedef struct texts {
    /* Borrowed, and set before they are opened. */
    elman_context *context;
    const recipe *recipe;
    const arguments *args;
    progress *progress;
    int silent; /* 1: no progress is shown */

    const char **paths; /* of the text; what stdin brought is a file, too */
    elman_text *text, *valid; /* valid NULL: none was named */
} texts;

/* With a vocabulary, or NULL: one is made of the text.  Here and below DONE, or
 * the exit status with the sentence written. */
int texts_open(texts *t, const elman_vocab *known);
/* A checkpoint holds a vocabulary, not the options that made it; where those
 * are given again they must make the same one. */
int texts_check_vocab(const texts *t, const elman_vocab *vocab);
/* What of the text the model of --from does not know. */
int texts_judge_known(const texts *t);
/* What a new vocabulary cannot be good for, and what it may be bad at. */
int texts_judge_vocab(const texts *t);
void texts_close(texts *t);

#endif
