/* SPDX-License-Identifier: MIT */
/* tokens.c - see tokens.h. */
#include "tokens.h"
#include "../base/utf8.h"

#include <string.h>

static const char eos[] = "<eos>";
enum {
    EOS_SIZE = sizeof eos - 1,
    WORD_MOST = 1 << 20 /* bytes of a word that becomes a token */
};

static char folded(const elman_vocab *vocab, char c)
{
    if (vocab->normalize == ELMAN_NORMALIZE_LETTERS) {
        const bool upper = c >= 'A' && c <= 'Z';
        return upper ? (char)(c - 'A' + 'a') : c >= 'a' && c <= 'z' ? c : ' ';
    }
    const bool blank = c == '\t' || c == '\r' || c == '\v' || c == '\f';
    return vocab->level == ELMAN_WORD && blank ? ' ' : c;
}

void el_tokens_begin(el_tokens *tokens, const elman_vocab *vocab,
                     elman_vocab *grow)
{
    *tokens = (el_tokens){.vocab = vocab, .grow = grow};
    for (int i = 0; i < 256; ++i)
        tokens->fold[i] = folded(vocab, (char)i);
}

void el_tokens_free(el_tokens *tokens)
{
    el_free(tokens->vocab ? tokens->vocab->context : NULL, tokens->word);
    *tokens = (el_tokens){0};
}

void el_tokens_resume(el_tokens *tokens, bool blank)
{
    tokens->blank = blank;
    tokens->size = 0;
    tokens->points = 0;
}

static elman_status look_up(el_tokens *t, const char *bytes, size_t size,
                            int32_t *id)
{
    *id = el_vocab_find(t->vocab, bytes, size);
    if (*id < 0 && t->grow)
        return el_vocab_add(t->grow, bytes, size, id);
    if (*id < 0)
        *id = EL_UNK;
    return ELMAN_OK;
}

/* ---- Characters and bytes ------------------------------------------------*/

static elman_status feed_plain(el_tokens *t, el_piece *piece)
{
    const bool chars = t->vocab->level == ELMAN_CHAR;
    const char *in = piece->in, *const end = piece->end;
    int64_t n = piece->count;
    elman_status status = ELMAN_OK;
    while (in < end && n < piece->room && !status) {
        const unsigned char lead = (unsigned char)*in;
        const size_t size = chars ? el_utf8_length(lead) : 1;
        int32_t id = t->vocab->single[lead];
        if (id < 0)
            status = look_up(t, in, size, &id);
        piece->ids[n++] = id;
        in += size;
    }
    piece->in = in;
    piece->count = n;
    return status;
}

/* Characters of more than a byte are taken whole, so that no token's place is
 * inside one. */
static elman_status feed_letters(el_tokens *t, el_piece *piece)
{
    const bool chars = t->vocab->level == ELMAN_CHAR;
    const char *in = piece->in, *const end = piece->end;
    int64_t n = piece->count;
    elman_status status = ELMAN_OK;
    while (in < end && n < piece->room && !status) {
        const unsigned char lead = (unsigned char)*in;
        const char c = t->fold[lead];
        in += chars ? el_utf8_length(lead) : 1;
        if (c == ' ' && t->blank)
            continue;
        t->blank = c == ' ';
        int32_t id = t->vocab->single[(unsigned char)c];
        if (id < 0)
            status = look_up(t, &c, 1, &id);
        piece->ids[n++] = id;
    }
    piece->in = in;
    piece->count = n;
    return status;
}

/* ---- Words ---------------------------------------------------------------*/

/* Keeps the beginning of a word.  Where nothing is added to the vocabulary, a
 * word that is longer than all tokens by a byte will not be found, however it
 * goes on: so no word takes much memory. */
static elman_status keep(el_tokens *t, const char *bytes, size_t size)
{
    const elman_context *const context = t->vocab->context;
    t->points += el_utf8_count(bytes, size);
    if (!t->grow && size > t->vocab->longest + 1 - t->size)
        size = t->vocab->longest + 1 - t->size;
    if (t->grow && size > WORD_MOST - t->size)
        return el_fail(ELMAN_ETEXT,
                       "a word is longer than %d bytes (without blanks it is "
                       "no text of words)",
                       WORD_MOST);
    if (size > t->room - t->size) {
        if (size > SIZE_MAX / 4 - t->size)
            return el_no_memory();
        const size_t room = 2 * (t->size + size);
        char *const word = el_grow(context, t->word, t->size, room);
        if (!word)
            return ELMAN_ENOMEM;
        t->word = word;
        t->room = room;
    }
    for (size_t i = 0; i < size; ++i)
        t->word[t->size++] = t->fold[(unsigned char)bytes[i]];
    return ELMAN_OK;
}

/* A word that lies in the piece as it is need not be copied. */
static elman_status give_word(el_tokens *t, const char *bytes, size_t size,
                              int32_t *id)
{
    elman_status status = ELMAN_OK;
    int64_t points = 0;
    if (t->size == 0 && size <= WORD_MOST &&
        t->vocab->normalize == ELMAN_NORMALIZE_NONE) {
        points = el_utf8_count(bytes, size);
    } else {
        status = keep(t, bytes, size);
        bytes = t->word;
        size = t->size;
        points = t->points;
    }
    if (!status)
        status = look_up(t, bytes, size, id);
    t->chars += points + t->blank;
    el_tokens_resume(t, true);
    return status;
}

static elman_status give_eos(el_tokens *t, int32_t *id)
{
    t->chars += 1;
    t->blank = false;
    return look_up(t, eos, EOS_SIZE, id);
}

static elman_status feed_words(el_tokens *t, el_piece *piece)
{
    const char *const fold = t->fold, *const end = piece->end;
    elman_status status = ELMAN_OK;
    while (piece->count < piece->room && !status) {
        const char *in = piece->in;
        if (t->size == 0)
            while (in < end && fold[(unsigned char)*in] == ' ')
                ++in;
        const char *const word = in;
        while (in < end && fold[(unsigned char)*in] != ' ' && *in != '\n')
            ++in;
        const size_t size = (size_t)(in - word);
        piece->in = in;
        if (in == end && !piece->last)
            return keep(t, word, size);
        if (t->size > 0 || size > 0) {
            status = give_word(t, word, size, &piece->ids[piece->count++]);
        } else if (in < end) {
            ++piece->in;
            status = give_eos(t, &piece->ids[piece->count++]);
        } else {
            break;
        }
    }
    return status;
}

elman_status el_tokens_feed(el_tokens *tokens, el_piece *piece)
{
    const elman_vocab *const vocab = tokens->vocab;
    if (vocab->level == ELMAN_WORD)
        return feed_words(tokens, piece);
    const int64_t before = piece->count;
    const elman_status status = vocab->normalize == ELMAN_NORMALIZE_LETTERS
                                    ? feed_letters(tokens, piece)
                                    : feed_plain(tokens, piece);
    tokens->chars += piece->count - before;
    return status;
}

/* ---- A whole text --------------------------------------------------------*/

static elman_status check_utf8(const char *text, size_t size)
{
    const size_t whole = el_utf8_whole(text, size);
    if (whole == size)
        return ELMAN_OK;
    return el_fail(ELMAN_ETEXT,
                   "the text is not valid UTF-8 (byte 0x%02x, after %llu "
                   "bytes that are)",
                   (unsigned char)text[whole], (unsigned long long)whole);
}

/* What does not fit is cut into a room that is used again and again. */
elman_status el_tokens_encode(const elman_vocab *vocab, const char *text,
                              size_t size, int32_t *ids, int64_t capacity,
                              int64_t *count)
{
    int32_t spare[256];
    el_tokens tokens;
    elman_status status = ELMAN_OK;
    *count = 0;
    if (size == 0)
        return ELMAN_OK;
    if (vocab->level != ELMAN_BYTE)
        status = check_utf8(text, size);
    el_piece piece = {.in = text,
                      .end = text + size,
                      .last = true,
                      .ids = ids,
                      .room = capacity};
    el_tokens_begin(&tokens, vocab, NULL);
    while (!status) {
        status = el_tokens_feed(&tokens, &piece);
        *count += piece.count;
        if (piece.count < piece.room)
            break;
        piece.ids = spare;
        piece.room = sizeof spare / sizeof *spare;
        piece.count = 0;
    }
    el_tokens_free(&tokens);
    return status;
}
