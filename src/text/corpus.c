/* SPDX-License-Identifier: MIT */
/* corpus.c - see corpus.h.
 *
 * A text is read once from its beginning to its end, and what is kept of it is
 * an index: the places of tokens 0, s, 2s, ...  The stride s doubles whenever
 * the index is full (8 MiB), so that it does not grow with the text.  Reading
 * begins at the nearest place that is known, from where characters are only
 * counted; the place of a byte is known without. */
#include "corpus.h"
#include "../base/utf8.h"
#include "../io/file.h"
#include "stream.h"
#include "tokens.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    WINDOW = 1 << 16,
    MARKS = 1 << 20,
    FIRST_MARKS = 1024,
    FIRST_STRIDE = 64,
    RECENT = 1024, /* a power of two */
    CHUNK = 4096,  /* tokens that are looked at at a time */
    SPAN = 1 << 22 /* bytes between two words about progress */
};

/* Where cutting can go on: the offset in the stream times 2, plus the bit that
 * el_tokens needs. */
typedef int64_t place;

/* Where a token begins at which a reading ended not long ago. */
typedef struct cursor {
    int64_t token;
    place where;
} cursor;

struct elman_text {
    const elman_context *context;
    elman_vocab *vocab;
    el_stream stream;
    el_tokens cutter;
    int64_t at;    /* the next byte, and */
    int64_t token; /* the next token's number; -1 after a failure */
    int64_t tokens, chars, unknown;
    void (*progress)(void *user, int64_t done, int64_t total);
    void *progress_user;
    int64_t told; /* the place of which progress was told */
    bool summing;
    uint64_t sum;
    place *marks; /* of tokens 0, stride, 2 stride, ... */
    int64_t mark_count, mark_room, mark_limit, stride;
    cursor recent[RECENT]; /* by slot_of; token 0 is at place 0 indeed */
};

/* ---- Cutting -------------------------------------------------------------*/

static place place_now(const elman_text *text)
{
    return 2 * text->at + text->cutter.blank;
}

static void go_to(elman_text *text, int64_t token, place where)
{
    text->token = token;
    text->at = where / 2;
    el_tokens_resume(&text->cutter, where % 2);
}

static void tell(elman_text *text)
{
    if (!text->progress || text->at - text->told < SPAN)
        return;
    text->told = text->at;
    text->progress(text->progress_user, text->at, text->stream.size);
}

/* The next tokens, fewer at the text's end. */
static elman_status cut(elman_text *text, int64_t count, int32_t *ids,
                        int64_t *got)
{
    el_piece piece = {.ids = ids, .room = count};
    elman_status status = ELMAN_OK;
    while (piece.count < count && text->at < text->stream.size) {
        int64_t size;
        status = el_stream_bytes(&text->stream, text->at, &piece.in, &size);
        if (status)
            break;
        const char *const begin = piece.in;
        piece.end = piece.in + size;
        piece.last = text->at + size == text->stream.size;
        status = el_tokens_feed(&text->cutter, &piece);
        if (status == ELMAN_ETEXT)
            el_fail_in(status, el_stream_path(&text->stream, text->at));
        if (status)
            break;
        if (text->summing)
            text->sum = el_crc64(text->sum, begin, (size_t)(piece.in - begin));
        text->at += piece.in - begin;
        tell(text);
    }
    text->token = status ? -1 : text->token + piece.count;
    *got = piece.count;
    return status;
}

static elman_status fail_changed(const elman_text *text)
{
    return el_fail(ELMAN_EIO, "%s: the file changed while it was read",
                   el_stream_path(&text->stream, text->at));
}

/* The next tokens, all of which must be there. */
static elman_status cut_all(elman_text *text, int64_t count, int32_t *ids)
{
    int64_t got;
    const elman_status status = cut(text, count, ids, &got);
    if (status || got == count)
        return status;
    text->token = -1;
    return fail_changed(text);
}

/* What is known of the tokens that were cut is added up in counts, by id. */
static elman_status pass_over(elman_text *text, int64_t count, int64_t *counts)
{
    int32_t ids[CHUNK];
    while (count > 0) {
        const int64_t n = count < CHUNK ? count : CHUNK;
        const elman_status status = cut_all(text, n, ids);
        if (status)
            return status;
        for (int64_t i = 0; counts && i < n; ++i)
            ++counts[ids[i]];
        count -= n;
    }
    return ELMAN_OK;
}

/* The same for characters that no normalising changes, but that nothing is
 * looked up. */
static elman_status skip_chars(elman_text *text, int64_t count)
{
    while (count > 0) {
        const char *bytes;
        int64_t size, some = count;
        elman_status status =
            el_stream_bytes(&text->stream, text->at, &bytes, &size);
        if (!status && size == 0)
            status = fail_changed(text);
        if (status) {
            text->token = -1;
            return status;
        }
        text->at += (int64_t)el_utf8_skip(bytes, (size_t)size, &some);
        text->token += some;
        count -= some;
    }
    return ELMAN_OK;
}

/* ---- Places --------------------------------------------------------------*/

static int slot_of(int64_t token)
{
    return (int)((uint64_t)token * 0x9e3779b97f4a7c15 >> 54) & (RECENT - 1);
}

static void remember(elman_text *text)
{
    text->recent[slot_of(text->token)] =
        (cursor){.token = text->token, .where = place_now(text)};
}

static elman_status seek(elman_text *text, int64_t first)
{
    const cursor *const known = &text->recent[slot_of(first)];
    const int64_t mark = first / text->stride;
    const elman_vocab *const v = text->vocab;
    const bool plain = v->normalize == ELMAN_NORMALIZE_NONE;
    if (plain && v->level == ELMAN_BYTE) {
        go_to(text, first, 2 * first);
        return ELMAN_OK;
    }
    if (known->token == first)
        go_to(text, first, known->where);
    else if (text->token > first || text->token < mark * text->stride)
        go_to(text, mark * text->stride, text->marks[mark]);
    return plain && v->level == ELMAN_CHAR
               ? skip_chars(text, first - text->token)
               : pass_over(text, first - text->token, NULL);
}

static elman_status grow_marks(elman_text *text)
{
    const int64_t room =
        text->mark_room > 0 ? 2 * text->mark_room : FIRST_MARKS;
    const int64_t next = room < text->mark_limit ? room : text->mark_limit;
    place *const marks = el_grow(text->context, text->marks,
                                 (size_t)text->mark_count * sizeof *marks,
                                 (size_t)next * sizeof *marks);
    if (!marks)
        return ELMAN_ENOMEM;
    text->marks = marks;
    text->mark_room = next;
    return ELMAN_OK;
}

static void thin_marks(elman_text *text)
{
    text->mark_count /= 2;
    text->stride *= 2;
    for (int64_t i = 1; i < text->mark_count; ++i)
        text->marks[i] = text->marks[2 * i];
}

/* Called at tokens 0, stride, 2 stride, ...: the limit being even, the place
 * that finds the index full is one that the double stride keeps. */
static elman_status add_mark(elman_text *text)
{
    if (text->mark_count == text->mark_limit)
        thin_marks(text);
    if (text->mark_count == text->mark_room) {
        const elman_status status = grow_marks(text);
        if (status)
            return status;
    }
    assert(text->token == text->mark_count * text->stride);
    text->marks[text->mark_count++] = place_now(text);
    return ELMAN_OK;
}

/* ---- Opening -------------------------------------------------------------*/

static void count_ids(elman_text *text, const int32_t *ids, int64_t count,
                      bool building)
{
    if (building)
        for (int64_t i = 0; i < count; ++i)
            ++text->vocab->tokens[ids[i]].frequency;
    else if (text->vocab->level != ELMAN_BYTE)
        for (int64_t i = 0; i < count; ++i)
            text->unknown += ids[i] == EL_UNK;
}

/* The one pass from beginning to end. */
static elman_status scan(elman_text *text, int64_t max_tokens, bool building)
{
    int32_t ids[CHUNK];
    int64_t got = 0, want = 0;
    elman_status status = add_mark(text);
    while (!status && got == want) {
        const int64_t most = max_tokens > 0 ? max_tokens : INT64_MAX;
        const int64_t left = most - text->token;
        want = text->stride - text->token % text->stride;
        want = want < CHUNK ? want : CHUNK;
        want = want < left ? want : left;
        if (want == 0)
            break;
        status = cut(text, want, ids, &got);
        if (status)
            break;
        count_ids(text, ids, got, building);
        if (got > 0 && text->token % text->stride == 0)
            status = add_mark(text);
    }
    text->tokens = text->token;
    text->chars = text->cutter.chars;
    text->stream.size = text->at;
    text->stream.checked = true;
    return status;
}

/* The files' bytes are summed up to the last token's end; what else makes the
 * tokens what they are is added in words. */
static void finish_fingerprint(elman_text *text, int64_t max_tokens)
{
    char words[96];
    const int size = snprintf(
        words, sizeof words, "level %d normalize %d max_tokens %" PRId64,
        (int)text->vocab->level, (int)text->vocab->normalize, max_tokens);
    text->summing = false;
    text->sum = el_crc64(text->sum, words, (size_t)size);
}

/* Replaces the vocabulary that holds all that was met by the text's own. */
static elman_status build_vocab(elman_text *text, const elman_text_desc *desc)
{
    elman_vocab *const all = text->vocab;
    elman_vocab *chosen = NULL;
    int64_t *held = NULL;
    elman_status status = ELMAN_OK;
    const int64_t count = el_text_held_out(text->tokens, desc->held_out);
    text->cutter.grow = NULL;
    text->told = 0;
    if (count > 0) {
        held = el_alloc_array(text->context, all->size, sizeof *held);
        status = held ? seek(text, text->tokens - count) : ELMAN_ENOMEM;
        if (!status)
            status = pass_over(text, count, held);
    }
    if (!status)
        status = el_vocab_select(all, held, desc->min_count, desc->vocab_size,
                                 &chosen);
    el_free(text->context, held);
    if (status)
        return status;
    for (int64_t id = 0; id < all->size && all->level != ELMAN_BYTE; ++id) {
        const el_token *const t = &all->tokens[id];
        if (el_vocab_find(chosen, all->bytes + t->offset, t->size) <= EL_UNK)
            text->unknown += t->frequency;
    }
    el_tokens_free(&text->cutter);
    el_tokens_begin(&text->cutter, chosen, NULL);
    go_to(text, 0, 0);
    text->vocab = chosen;
    el_vocab_free(all);
    return ELMAN_OK;
}

static elman_status make_vocab(elman_text *text, const elman_text_desc *desc)
{
    if (desc->vocab)
        return el_vocab_copy(text->context, desc->vocab, &text->vocab);
    return el_vocab_create(text->context, desc->level, desc->normalize,
                           &text->vocab);
}

static elman_status fail_empty(const elman_text *text,
                               const elman_text_desc *desc)
{
    return el_fail(ELMAN_ETEXT, "%s%s: the text %s", desc->paths[0],
                   desc->path_count > 1 ? " and the files after it" : "",
                   text->at == 0 ? "is empty" : "has no token in it");
}

static elman_status open_text(elman_text *text, const elman_text_desc *desc,
                              int64_t window)
{
    elman_status status = make_vocab(text, desc);
    if (status)
        return status;
    const bool utf8 = text->vocab->level != ELMAN_BYTE;
    el_tokens_begin(&text->cutter, text->vocab,
                    desc->vocab ? NULL : text->vocab);
    status = el_stream_open(&text->stream, text->context, desc->paths,
                            desc->path_count, utf8, window);
    if (status)
        return status;
    text->progress = desc->progress;
    text->progress_user = desc->progress_user;
    text->summing = true;
    status = scan(text, desc->max_tokens, !desc->vocab);
    if (!status && text->tokens == 0)
        status = fail_empty(text, desc);
    if (status)
        return status;
    finish_fingerprint(text, desc->max_tokens);
    if (!desc->vocab)
        status = build_vocab(text, desc);
    text->progress = NULL;
    return status;
}

elman_status el_text_open_with(const elman_context *context,
                               const elman_text_desc *desc, int64_t window,
                               int64_t marks, elman_text **out)
{
    assert(marks >= 2 && marks % 2 == 0);
    elman_text *const text = el_alloc(context, sizeof *text);
    *out = NULL;
    if (!text)
        return ELMAN_ENOMEM;
    text->context = context;
    text->mark_limit = marks;
    text->stride = FIRST_STRIDE;
    const elman_status status = open_text(text, desc, window);
    if (status)
        el_text_close(text);
    else
        *out = text;
    return status;
}

elman_status el_text_open(const elman_context *context,
                          const elman_text_desc *desc, elman_text **out)
{
    return el_text_open_with(context, desc, WINDOW, MARKS, out);
}

void el_text_close(elman_text *text)
{
    if (!text)
        return;
    el_stream_close(&text->stream);
    el_tokens_free(&text->cutter);
    el_vocab_free(text->vocab);
    el_free(text->context, text->marks);
    el_free(text->context, text);
}

/* ---- Using ---------------------------------------------------------------*/

int64_t el_text_tokens(const elman_text *text)
{
    return text->tokens;
}

int64_t el_text_chars(const elman_text *text)
{
    return text->chars;
}

int64_t el_text_unknown(const elman_text *text)
{
    return text->unknown;
}

const elman_vocab *el_text_vocab(const elman_text *text)
{
    return text->vocab;
}

uint64_t el_text_fingerprint(const elman_text *text)
{
    return text->sum;
}

/* Inputs and targets overlap by a token, so that the next reading may well
 * begin at the last token of this one: both places are remembered. */
elman_status el_text_read(elman_text *text, int64_t first, int64_t count,
                          int32_t *ids)
{
    assert(first >= 0 && count >= 0 && first <= text->tokens - count);
    if (count == 0)
        return ELMAN_OK;
    elman_status status = seek(text, first);
    if (!status)
        status = cut_all(text, count - 1, ids);
    if (status)
        return status;
    remember(text);
    status = cut_all(text, 1, ids + count - 1);
    if (!status)
        remember(text);
    return status;
}

elman_status el_text_chars_between(elman_text *text, int64_t first,
                                   int64_t count, double *chars)
{
    assert(first >= 0 && count >= 0 && first <= text->tokens - count);
    elman_status status = seek(text, first);
    const int64_t before = text->cutter.chars;
    if (!status)
        status = pass_over(text, count, NULL);
    *chars = (double)(text->cutter.chars - before);
    return status;
}

int64_t el_text_held_out(int64_t tokens, double fraction)
{
    const int64_t count = (int64_t)((double)tokens * fraction);
    return count < tokens ? count : tokens - 1;
}
