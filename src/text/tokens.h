/* SPDX-License-Identifier: MIT */
/* tokens.h - cuts a text that comes in pieces into tokens.
 *
 * char  every character is a token.
 * byte  every byte is one.
 * word  what stands between blanks (blank, tab, CR, VT, FF) is a token, and so
 *       is every line's end: <eos>.
 *
 * ELMAN_NORMALIZE_LETTERS makes A-Z lower case and every run of anything but
 * letters one blank, also at the text's beginning and end; at level word there
 * is then no <eos>.  It knows ASCII only: other letters are no letters.
 *
 * A token's place is where its last byte ends.  Cutting can go on from any
 * token's place, given one bit: el_tokens.blank, as it stood there. */
#ifndef EL_TOKENS_H
#define EL_TOKENS_H

#include "vocab.h"

typedef struct el_tokens {
    const elman_vocab *vocab;
    elman_vocab *grow; /* vocab, if what it lacks is added to it; NULL if that
                        * is <unk> */
    bool blank;    /* letters: the last character was the blank of a run, which
                    * may go on.  word: the last token was a word, and a blank
                    * stands before the next one. */
    int64_t chars; /* code points of all tokens so far; at level byte bytes.
                    * At level word those of the words, with one blank between
                    * two words of a line, and 1 for <eos>. */
    char *word;    /* the beginning of a word whose end is yet to come, */
    size_t size, room; /* cut off where no token is as long */
    int64_t points;    /* and all its code points */
    char fold[256]; /* what a byte stands for after normalising; a blank, if it
                     * parts words */
} el_tokens;

typedef struct el_piece {
    const char *in, *end; /* the text's next bytes; in is moved behind those
                           * that were taken.  UTF-8, unless at level byte, and
                           * not cut inside a character */
    bool last;            /* the text ends with this piece */
    int32_t *ids;         /* [room] out */
    int64_t room, count;  /* how many tokens are wanted, how many came */
} el_piece;

/* vocab is borrowed.  Nothing is allocated until a word is cut. */
void el_tokens_begin(el_tokens *tokens, const elman_vocab *vocab,
                     elman_vocab *grow);
void el_tokens_free(el_tokens *tokens);
/* Goes on from another token's place. */
void el_tokens_resume(el_tokens *tokens, bool blank);

/* Takes bytes until room tokens have come, and then ends at the last one's
 * place, or until none are left. */
elman_status el_tokens_feed(el_tokens *tokens, el_piece *piece);

/* A whole text in memory: elman_vocab_encode.  A byte order mark is a character
 * like any other here. */
elman_status el_tokens_encode(const elman_vocab *vocab, const char *text,
                              size_t size, int32_t *ids, int64_t capacity,
                              int64_t *count);

#endif
