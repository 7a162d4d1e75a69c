/* SPDX-License-Identifier: MIT */
/* text_api.c - elman_vocab_* and elman_text_*: argument checks. */
#include "../text/corpus.h"
#include "../text/tokens.h"
#include "check.h"

/* ---- Vocabularies --------------------------------------------------------*/

int64_t elman_vocab_size(const elman_vocab *vocab)
{
    return vocab ? vocab->size : 0;
}

elman_level elman_vocab_level(const elman_vocab *vocab)
{
    return vocab ? vocab->level : ELMAN_CHAR;
}

elman_normalize elman_vocab_normalize(const elman_vocab *vocab)
{
    return vocab ? vocab->normalize : ELMAN_NORMALIZE_NONE;
}

const char *elman_vocab_token(const elman_vocab *vocab, int32_t id,
                              size_t *size)
{
    const bool there = vocab && id >= 0 && id < vocab->size;
    if (size)
        *size = there ? vocab->tokens[id].size : 0;
    return there ? vocab->bytes + vocab->tokens[id].offset : NULL;
}

int64_t elman_vocab_frequency(const elman_vocab *vocab, int32_t id)
{
    const bool there = vocab && id >= 0 && id < vocab->size;
    return there ? vocab->tokens[id].frequency : 0;
}

elman_status elman_vocab_encode(const elman_vocab *vocab, const char *text,
                                size_t size, int32_t *ids, int64_t capacity,
                                int64_t *count)
{
    EL_REQUIRE(vocab && count, "vocab or count is NULL");
    *count = 0;
    EL_REQUIRE(text || size == 0, "text is NULL");
    EL_REQUIRE(capacity >= 0, "capacity is %lld (0 or more)",
               (long long)capacity);
    EL_REQUIRE(ids || capacity == 0, "ids is NULL");
    return el_tokens_encode(vocab, text, size, ids, capacity, count);
}

elman_status elman_vocab_from_json(elman_context *context, const char *json,
                                   size_t size, elman_level level,
                                   elman_normalize normalize, elman_vocab **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && json, "context or json is NULL");
    EL_REQUIRE(level >= ELMAN_CHAR && level <= ELMAN_BYTE,
               "level is %d (one of elman_level)", (int)level);
    EL_REQUIRE(normalize == ELMAN_NORMALIZE_NONE ||
                   normalize == ELMAN_NORMALIZE_LETTERS,
               "normalize is %d (one of elman_normalize)", (int)normalize);
    return el_vocab_from_json(context, json, size, level, normalize, out);
}

void elman_vocab_destroy(elman_vocab **vocab)
{
    if (!vocab)
        return;
    el_vocab_free(*vocab);
    *vocab = NULL;
}

/* ---- Texts ---------------------------------------------------------------*/

static elman_status check_level(const elman_text_desc *d)
{
    EL_REQUIRE(d->level == ELMAN_CHAR || d->level == ELMAN_WORD ||
                   d->level == ELMAN_BYTE,
               "level is %d (ELMAN_CHAR, ELMAN_WORD or ELMAN_BYTE)", d->level);
    EL_REQUIRE(d->normalize == ELMAN_NORMALIZE_NONE ||
                   d->normalize == ELMAN_NORMALIZE_LETTERS,
               "normalize is %d (ELMAN_NORMALIZE_NONE or "
               "ELMAN_NORMALIZE_LETTERS)",
               d->normalize);
    EL_REQUIRE(d->held_out >= 0 && d->held_out < 1,
               "held_out is %g (at least 0, less than 1)", d->held_out);
    EL_REQUIRE(d->min_count >= 0, "min_count is %lld (0 or more)",
               (long long)d->min_count);
    EL_REQUIRE(d->vocab_size >= 0, "vocab_size is %lld (0 or more)",
               (long long)d->vocab_size);
    EL_REQUIRE(d->level != ELMAN_BYTE ||
                   (d->min_count <= 1 && d->vocab_size == 0),
               "min_count or vocab_size is set, but a vocabulary of bytes has "
               "all 256");
    return ELMAN_OK;
}

static elman_status check_desc(const elman_text_desc *d)
{
    EL_REQUIRE(d->paths && d->path_count >= 1, "there is no path to a text");
    for (int i = 0; i < d->path_count; ++i)
        EL_REQUIRE(d->paths[i], "path %d of the text is NULL", i);
    EL_REQUIRE(d->max_tokens >= 0, "max_tokens is %lld (0 or more)",
               (long long)d->max_tokens);
    return d->vocab ? ELMAN_OK : check_level(d);
}

elman_status elman_text_open(elman_context *context,
                             const elman_text_desc *desc, elman_text **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc, "context or desc is NULL");
    elman_text_desc d = ELMAN_TEXT_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_text_desc");
    if (!s)
        s = check_desc(&d);
    return s ? s : el_text_open(context, &d, out);
}

void elman_text_close(elman_text **text)
{
    if (!text)
        return;
    el_text_close(*text);
    *text = NULL;
}

int64_t elman_text_tokens(const elman_text *text)
{
    return text ? el_text_tokens(text) : 0;
}

int64_t elman_text_chars(const elman_text *text)
{
    return text ? el_text_chars(text) : 0;
}

int64_t elman_text_unknown(const elman_text *text)
{
    return text ? el_text_unknown(text) : 0;
}

const elman_vocab *elman_text_vocab(const elman_text *text)
{
    return text ? el_text_vocab(text) : NULL;
}

uint64_t elman_text_fingerprint(const elman_text *text)
{
    return text ? el_text_fingerprint(text) : 0;
}

elman_status elman_text_read(elman_text *text, int64_t first, int64_t count,
                             int32_t *ids)
{
    EL_REQUIRE(text, "text is NULL");
    EL_REQUIRE(ids || count == 0, "ids is NULL");
    const int64_t tokens = el_text_tokens(text);
    EL_REQUIRE(first >= 0 && first <= tokens && count >= 0 &&
                   count <= tokens - first,
               "%lld tokens from token %lld on are not in the text (it has "
               "%lld)",
               (long long)count, (long long)first, (long long)tokens);
    return el_text_read(text, first, count, ids);
}
