/* SPDX-License-Identifier: MIT */
/* vocab.h - the tokens of a text and their numbers. */
#ifndef EL_VOCAB_H
#define EL_VOCAB_H

#include "../io/json.h"

enum { EL_UNK = 0 }; /* at levels char and word */

elman_status el_vocab_copy(const elman_context *context,
                           const elman_vocab *vocab, elman_vocab **out);
void el_vocab_free(elman_vocab *vocab);
/* The vocabulary as it stands in a model's metadata: a JSON array in order of
 * id, strings at levels char and word, the numbers 0 ... 255 at level byte (raw
 * bytes are no UTF-8).  Frequencies are not kept. */
void el_vocab_to_json(const elman_vocab *vocab, el_buffer *out);
/* ELMAN_EFORMAT: not such an array, a token twice, invalid UTF-8, a char-level
 * token that is not one code point (but for "<unk>" at id 0), not 256 bytes. */
elman_status el_vocab_from_json(const elman_context *context, const char *json,
                                size_t size, elman_level level,
                                elman_normalize normalize, elman_vocab **out);
/* -1 if the token is not there (not mapped to <unk>). */
int32_t el_vocab_find(const elman_vocab *vocab, const char *token, size_t size);

#endif
