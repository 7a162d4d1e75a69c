/* SPDX-License-Identifier: MIT */
/* corpus.h - a text as numbered tokens: elman_text_* below the argument
 * checks; see elman.h. */
#ifndef EL_CORPUS_H
#define EL_CORPUS_H

#include "vocab.h"

elman_status el_text_open(const elman_context *context,
                          const elman_text_desc *desc, elman_text **out);
/* The same with other sizes, for tests: window in bytes (at least 4), and how
 * many places the index has room for (even, at least 2). */
elman_status el_text_open_with(const elman_context *context,
                               const elman_text_desc *desc, int64_t window,
                               int64_t marks, elman_text **out);
void el_text_close(elman_text *text);

int64_t el_text_tokens(const elman_text *text);
int64_t el_text_chars(const elman_text *text);
int64_t el_text_unknown(const elman_text *text);
const elman_vocab *el_text_vocab(const elman_text *text);
uint64_t el_text_fingerprint(const elman_text *text);

elman_status el_text_read(elman_text *text, int64_t first, int64_t count,
                          int32_t *ids);

/* The code points, as elman_text_chars counts them, that tokens first ...
 * first+count-1 stand for, known or unknown: the text itself is read again.
 * Over a whole text, and over the sum of its parts, this is elman_text_chars.
 *
 * At level byte every token counts 1.  At level word the text is taken to have
 * one blank between two words of a line and none elsewhere: a word counts its
 * code points, and 1 more where it follows another word; <eos> counts 1. */
elman_status el_text_chars_between(elman_text *text, int64_t first,
                                   int64_t count, double *chars);

/* How many of so many tokens at the end a fraction in [0, 1) holds out; never
 * all of them. */
int64_t el_text_held_out(int64_t tokens, double fraction);

#endif
