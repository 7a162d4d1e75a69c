/* SPDX-License-Identifier: MIT */
/* vocab.h - the tokens of a text and their numbers. */
#ifndef EL_VOCAB_H
#define EL_VOCAB_H

#include "../io/buffer.h"

enum { EL_UNK = 0 }; /* at levels char and word */

/* A token is its bytes: those of one character, of a word, or one byte. */
typedef struct el_token {
    size_t offset, size; /* in elman_vocab's bytes */
    uint64_t hash;
    int64_t frequency;
} el_token;

struct elman_vocab {
    const elman_context *context;
    elman_level level;
    elman_normalize normalize;
    el_token *tokens; /* in order of id */
    int64_t size, room;
    char *bytes; /* of all tokens, one after another */
    size_t bytes_size, bytes_room;
    int32_t *slots; /* the hash table: id + 1, or 0 where nothing is */
    int64_t slot_count;
    size_t longest;      /* bytes of the longest token */
    int32_t single[256]; /* the id of a token of one byte; -1: there is none */
};

/* A vocabulary to be added to: <unk> alone, or at level byte all 256. */
elman_status el_vocab_create(const elman_context *context, elman_level level,
                             elman_normalize normalize, elman_vocab **out);
elman_status el_vocab_copy(const elman_context *context,
                           const elman_vocab *vocab, elman_vocab **out);
void el_vocab_free(elman_vocab *vocab);

/* The same tokens in the same order, of one level, normalised alike. */
bool el_vocab_same(const elman_vocab *a, const elman_vocab *b);

/* Adds a token that is not there yet. */
elman_status el_vocab_add(elman_vocab *vocab, const char *token, size_t size,
                          int32_t *id);
/* -1 if the token is not there (not mapped to <unk>). */
int32_t el_vocab_find(const elman_vocab *vocab, const char *token, size_t size);

/* The vocabulary of a text, from all that was met in it.  A token's frequency
 * is that in all, less without[id] where without is not NULL.  Tokens rarer
 * than min_count (0 means 1) are left out, and of the others but the
 * vocab_size - 1 most frequent ones (0: none), the first by their bytes where
 * that ties; <unk> has the frequencies of what was left out.  Ids go by bytes
 * at level char, which is the order of code points, and at level word by
 * frequency, most frequent first, and then by bytes. */
elman_status el_vocab_select(const elman_vocab *all, const int64_t *without,
                             int64_t min_count, int64_t vocab_size,
                             elman_vocab **out);

/* The vocabulary as it stands in a model's metadata: a JSON array in order of
 * id, strings at levels char and word, the numbers 0 ... 255 at level byte (raw
 * bytes are no UTF-8).  Frequencies are not kept. */
void el_vocab_to_json(const elman_vocab *vocab, el_buffer *out);
/* ELMAN_EFORMAT: not such an array, a token twice, invalid UTF-8, a char-level
 * token that is not one code point (but for "<unk>" at id 0), not 256 bytes. */
elman_status el_vocab_from_json(const elman_context *context, const char *json,
                                size_t size, elman_level level,
                                elman_normalize normalize, elman_vocab **out);

#endif
