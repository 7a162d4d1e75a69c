/* SPDX-License-Identifier: MIT */
/* letters.h - small texts of a few letters, and models of them, in the folder
 * that the test runs in. */
#ifndef TEST_LETTERS_H
#define TEST_LETTERS_H

#include "draw.h"

#include <elman.h>

/* Writes `count` characters: letters of the first `letters` of the alphabet,
 * each mostly the one that follows from its forerunner.  All of them occur. */
void letters_write(const char *path, draw *d, int letters, int64_t count);
/* Opens it with a vocabulary of its own, or with the one given. */
elman_text *letters_open(elman_context *context, const char *path,
                         const elman_vocab *vocab);

/* Writes, opens, takes the vocabulary of letters + 1 tokens, makes a model
 * and draws its weights. */
elman_lm *letters_lm(elman_context *context, const elman_lm_desc *desc,
                     int letters);

/* Any model but large ones; f32. */
elman_lm_desc letters_draw_desc(draw *d);
/* In words, for `trying`. */
const char *letters_name(const elman_lm_desc *desc);

/* Ids 0 ... classes-1, some of them ELMAN_IGNORE where that is asked for. */
int32_t *letters_ids(draw *d, int64_t count, int64_t classes, bool ignore);

#endif
