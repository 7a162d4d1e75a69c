/* SPDX-License-Identifier: MIT */
/* vocab.c - see vocab.h. */
#include "vocab.h"
#include "../base/utf8.h"
#include "../io/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char unk[] = "<unk>";
enum { UNK_SIZE = sizeof unk - 1, BYTES = 256 };

/* ---- The hash table ------------------------------------------------------
 * Open addressing, at most half full, whose slots are searched one after
 * another from a token's hash on. */

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15;
    return x ^ x >> 32;
}

static uint64_t hash_of(const char *bytes, size_t size)
{
    uint64_t hash = size, word;
    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash ^ word);
    }
    word = 0;
    for (size_t i = 0; i < size; ++i)
        word = word << 8 | (unsigned char)bytes[i];
    return mix(mix(hash ^ word));
}

static bool is_token(const elman_vocab *v, const el_token *token,
                     const char *bytes, size_t size, uint64_t hash)
{
    return token->hash == hash && token->size == size &&
           memcmp(v->bytes + token->offset, bytes, size) == 0;
}

/* The slot that holds the token, or the free one where it belongs. */
static int64_t slot_of(const elman_vocab *v, const char *bytes, size_t size,
                       uint64_t hash)
{
    const uint64_t mask = (uint64_t)v->slot_count - 1;
    uint64_t slot = hash & mask;
    while (v->slots[slot] != 0 &&
           !is_token(v, &v->tokens[v->slots[slot] - 1], bytes, size, hash))
        slot = (slot + 1) & mask;
    return (int64_t)slot;
}

static elman_status grow_slots(elman_vocab *v)
{
    const int64_t count = 2 * v->slot_count;
    int32_t *const slots = el_alloc_array(v->context, count, sizeof *slots);
    if (!slots)
        return ELMAN_ENOMEM;
    for (int64_t id = 0; id < v->size; ++id) {
        uint64_t slot = v->tokens[id].hash & ((uint64_t)count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & ((uint64_t)count - 1);
        slots[slot] = (int32_t)id + 1;
    }
    el_free(v->context, v->slots);
    v->slots = slots;
    v->slot_count = count;
    return ELMAN_OK;
}

static elman_status grow_tokens(elman_vocab *v)
{
    const size_t size = (size_t)v->size * sizeof *v->tokens;
    el_token *const tokens = el_grow(v->context, v->tokens, size, 2 * size);
    if (!tokens)
        return ELMAN_ENOMEM;
    v->tokens = tokens;
    v->room *= 2;
    return ELMAN_OK;
}

static elman_status grow_bytes(elman_vocab *v, size_t size)
{
    if (size > SIZE_MAX / 4 - v->bytes_room)
        return el_no_memory();
    const size_t room = 2 * (v->bytes_room + size);
    char *const bytes = el_grow(v->context, v->bytes, v->bytes_size, room);
    if (!bytes)
        return ELMAN_ENOMEM;
    v->bytes = bytes;
    v->bytes_room = room;
    return ELMAN_OK;
}

static elman_status make_room(elman_vocab *v, size_t size)
{
    elman_status status = ELMAN_OK;
    if (v->size == INT32_MAX - 1)
        return el_fail(ELMAN_ETEXT, "there are more than %d different tokens",
                       INT32_MAX - 1);
    if (v->size == v->room)
        status = grow_tokens(v);
    if (!status && 2 * (v->size + 1) > v->slot_count)
        status = grow_slots(v);
    if (!status && size > v->bytes_room - v->bytes_size)
        status = grow_bytes(v, size);
    return status;
}

elman_status el_vocab_add(elman_vocab *vocab, const char *token, size_t size,
                          int32_t *id)
{
    const elman_status status = make_room(vocab, size);
    if (status)
        return status;
    const uint64_t hash = hash_of(token, size);
    const int64_t slot = slot_of(vocab, token, size, hash);
    assert(vocab->slots[slot] == 0);
    *id = (int32_t)vocab->size++;
    vocab->tokens[*id] =
        (el_token){.offset = vocab->bytes_size, .size = size, .hash = hash};
    memcpy(vocab->bytes + vocab->bytes_size, token, size);
    vocab->bytes_size += size;
    vocab->slots[slot] = *id + 1;
    if (size > vocab->longest)
        vocab->longest = size;
    if (size == 1)
        vocab->single[(unsigned char)*token] = *id;
    return ELMAN_OK;
}

int32_t el_vocab_find(const elman_vocab *vocab, const char *token, size_t size)
{
    if (size == 1)
        return vocab->single[(unsigned char)*token];
    return vocab->slots[slot_of(vocab, token, size, hash_of(token, size))] - 1;
}

/* ---- Life ----------------------------------------------------------------*/

/* The rooms are powers of two, and token and byte rooms are never 0. */
static elman_vocab *allocate(const elman_context *context, int64_t room,
                             size_t bytes_room, int64_t slot_count)
{
    elman_vocab *const v = el_alloc(context, sizeof *v);
    if (!v)
        return NULL;
    v->context = context;
    v->room = room;
    v->bytes_room = bytes_room;
    v->slot_count = slot_count;
    v->tokens = el_alloc_array(context, room, sizeof *v->tokens);
    v->bytes = el_alloc(context, bytes_room);
    v->slots = el_alloc_array(context, slot_count, sizeof *v->slots);
    if (!v->tokens || !v->bytes || !v->slots) {
        el_vocab_free(v);
        return NULL;
    }
    return v;
}

static elman_status add_first(elman_vocab *v)
{
    int32_t id;
    if (v->level != ELMAN_BYTE)
        return el_vocab_add(v, unk, UNK_SIZE, &id);
    elman_status status = ELMAN_OK;
    for (int i = 0; i < BYTES && !status; ++i) {
        const char byte = (char)i;
        status = el_vocab_add(v, &byte, 1, &id);
    }
    return status;
}

elman_status el_vocab_create(const elman_context *context, elman_level level,
                             elman_normalize normalize, elman_vocab **out)
{
    elman_vocab *const v = allocate(context, BYTES, BYTES, 2 * BYTES);
    *out = NULL;
    if (!v)
        return ELMAN_ENOMEM;
    v->level = level;
    v->normalize = normalize;
    for (int i = 0; i < BYTES; ++i)
        v->single[i] = -1;
    const elman_status status = add_first(v);
    if (status) {
        el_vocab_free(v);
        return status;
    }
    *out = v;
    return ELMAN_OK;
}

elman_status el_vocab_copy(const elman_context *context,
                           const elman_vocab *vocab, elman_vocab **out)
{
    elman_vocab *const v =
        allocate(context, vocab->room, vocab->bytes_room, vocab->slot_count);
    *out = v;
    if (!v)
        return ELMAN_ENOMEM;
    elman_vocab whole = *vocab;
    whole.context = context;
    whole.tokens = v->tokens;
    whole.bytes = v->bytes;
    whole.slots = v->slots;
    *v = whole;
    memcpy(v->tokens, vocab->tokens, (size_t)v->size * sizeof *v->tokens);
    memcpy(v->bytes, vocab->bytes, v->bytes_size);
    memcpy(v->slots, vocab->slots, (size_t)v->slot_count * sizeof *v->slots);
    return ELMAN_OK;
}

bool el_vocab_same(const elman_vocab *a, const elman_vocab *b)
{
    if (a == b)
        return true;
    if (a->level != b->level || a->normalize != b->normalize ||
        a->size != b->size || a->bytes_size != b->bytes_size)
        return false;
    for (int64_t i = 0; i < a->size; ++i)
        if (a->tokens[i].offset != b->tokens[i].offset ||
            a->tokens[i].size != b->tokens[i].size)
            return false;
    return a->bytes_size == 0 || memcmp(a->bytes, b->bytes, a->bytes_size) == 0;
}

void el_vocab_free(elman_vocab *vocab)
{
    if (!vocab)
        return;
    const elman_context *const context = vocab->context;
    el_free(context, vocab->tokens);
    el_free(context, vocab->bytes);
    el_free(context, vocab->slots);
    el_free(context, vocab);
}

/* ---- Selecting -----------------------------------------------------------*/

typedef struct candidate {
    const char *bytes;
    size_t size;
    int64_t frequency;
} candidate;

static int by_bytes(const void *left, const void *right)
{
    const candidate *const a = left, *const b = right;
    const int order =
        memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static int by_frequency(const void *left, const void *right)
{
    const candidate *const a = left, *const b = right;
    if (a->frequency != b->frequency)
        return a->frequency < b->frequency ? 1 : -1;
    return by_bytes(left, right);
}

/* All tokens but <unk>, with their frequencies; returns how many. */
static int64_t list_candidates(const elman_vocab *all, const int64_t *without,
                               candidate *list)
{
    const int64_t first = all->level == ELMAN_BYTE ? 0 : EL_UNK + 1;
    for (int64_t id = first; id < all->size; ++id) {
        const el_token *const t = &all->tokens[id];
        list[id - first] = (candidate){
            .bytes = all->bytes + t->offset,
            .size = t->size,
            .frequency = t->frequency - (without ? without[id] : 0)};
    }
    return all->size - first;
}

/* Sorts the list into the order of ids and returns how many of it stay. */
static int64_t choose(candidate *list, int64_t count, elman_level level,
                      int64_t min_count, int64_t vocab_size)
{
    if (level == ELMAN_BYTE)
        return count;
    qsort(list, (size_t)count, sizeof *list, by_frequency);
    const int64_t least = min_count > 1 ? min_count : 1;
    int64_t kept = 0;
    while (kept < count && list[kept].frequency >= least)
        ++kept;
    if (vocab_size > 0 && kept > vocab_size - 1)
        kept = vocab_size - 1;
    if (level == ELMAN_CHAR)
        qsort(list, (size_t)kept, sizeof *list, by_bytes);
    return kept;
}

static elman_status add_chosen(elman_vocab *v, const candidate *list,
                               int64_t kept)
{
    for (int64_t i = 0; i < kept; ++i) {
        int32_t id = (int32_t)i;
        elman_status status = ELMAN_OK;
        if (v->level != ELMAN_BYTE)
            status = el_vocab_add(v, list[i].bytes, list[i].size, &id);
        if (status)
            return status;
        v->tokens[id].frequency = list[i].frequency;
    }
    return ELMAN_OK;
}

elman_status el_vocab_select(const elman_vocab *all, const int64_t *without,
                             int64_t min_count, int64_t vocab_size,
                             elman_vocab **out)
{
    elman_vocab *v = NULL;
    elman_status status = ELMAN_ENOMEM;
    candidate *const list =
        el_alloc_array(all->context, all->size, sizeof *list);
    *out = NULL;
    if (!list)
        goto done;
    const int64_t count = list_candidates(all, without, list);
    const int64_t kept = choose(list, count, all->level, min_count, vocab_size);
    status = el_vocab_create(all->context, all->level, all->normalize, &v);
    if (!status)
        status = add_chosen(v, list, kept);
    if (status)
        goto done;
    if (all->level != ELMAN_BYTE) {
        int64_t *const unknown = &v->tokens[EL_UNK].frequency;
        *unknown = all->tokens[EL_UNK].frequency;
        if (without)
            *unknown -= without[EL_UNK];
        for (int64_t i = kept; i < count; ++i)
            *unknown += list[i].frequency;
    }
    *out = v;
    v = NULL;
done:
    el_vocab_free(v);
    el_free(all->context, list);
    return status;
}

/* ---- JSON ----------------------------------------------------------------*/

void el_vocab_to_json(const elman_vocab *vocab, el_buffer *out)
{
    el_buffer_add(out, "[", 1);
    for (int64_t id = 0; id < vocab->size; ++id) {
        const el_token *const t = &vocab->tokens[id];
        if (id > 0)
            el_buffer_add(out, ",", 1);
        if (vocab->level == ELMAN_BYTE)
            el_buffer_format(out, "%d", (int)id);
        else
            el_buffer_json(out, vocab->bytes + t->offset, t->size);
    }
    el_buffer_add(out, "]", 1);
}

static elman_status check_byte(const el_json *json, int value, int64_t id)
{
    int64_t number;
    if (!el_json_int64(json, value, &number) || number != id)
        return el_fail(ELMAN_EFORMAT,
                       "the vocabulary of bytes is not 0 ... 255");
    return ELMAN_OK;
}

static elman_status check_token(const elman_vocab *v, const char *token,
                                size_t size, int64_t id)
{
    const bool is_unk = size == UNK_SIZE && memcmp(token, unk, UNK_SIZE) == 0;
    const char *wrong = NULL;
    if (id == EL_UNK && !is_unk)
        wrong = "is not <unk>";
    else if (size == 0)
        wrong = "is empty";
    else if (el_utf8_whole(token, size) < size)
        wrong = "is not valid UTF-8";
    else if (id != EL_UNK && el_vocab_find(v, token, size) >= 0)
        wrong = "is there twice";
    else if (id != EL_UNK && v->level == ELMAN_CHAR &&
             el_utf8_count(token, size) != 1)
        wrong = "is not one character";
    if (wrong)
        return el_fail(ELMAN_EFORMAT, "token %lld of the vocabulary %s",
                       (long long)id, wrong);
    return ELMAN_OK;
}

/* room [room_size] is for the token's bytes. */
static elman_status read_token(elman_vocab *v, const el_json *json, int value,
                               int64_t id, char *room, size_t room_size)
{
    int32_t new_id;
    size_t size;
    if (v->level == ELMAN_BYTE)
        return check_byte(json, value, id);
    if (!el_json_string_into(json, value, room, room_size, &size))
        return el_fail(ELMAN_EFORMAT,
                       "token %lld of the vocabulary is not a string",
                       (long long)id);
    const elman_status status = check_token(v, room, size, id);
    if (status || id == EL_UNK)
        return status;
    return el_vocab_add(v, room, size, &new_id);
}

static elman_status read_tokens(elman_vocab *v, const el_json *json, char *room,
                                size_t room_size)
{
    int64_t id = 0;
    if (el_json_type(json, 0) != EL_JSON_ARRAY)
        return el_fail(ELMAN_EFORMAT, "the vocabulary is not an array");
    for (int value = el_json_first_child(json, 0); value >= 0;
         value = el_json_next_sibling(json, value)) {
        const elman_status status =
            read_token(v, json, value, id++, room, room_size);
        if (status)
            return status;
    }
    if (v->level == ELMAN_BYTE && id != BYTES)
        return el_fail(ELMAN_EFORMAT,
                       "the vocabulary of bytes is not 0 ... 255");
    if (id == 0)
        return el_fail(ELMAN_EFORMAT, "the vocabulary is empty");
    return ELMAN_OK;
}

/* A string's bytes are never more than its JSON's. */
elman_status el_vocab_from_json(const elman_context *context, const char *json,
                                size_t size, elman_level level,
                                elman_normalize normalize, elman_vocab **out)
{
    elman_vocab *v = NULL;
    el_json *parsed = NULL;
    char *room = NULL;
    *out = NULL;
    elman_status status = el_json_parse(context, json, size, &parsed);
    if (status)
        goto done;
    status = el_vocab_create(context, level, normalize, &v);
    if (status)
        goto done;
    room = el_alloc(context, size + 1);
    status = room ? read_tokens(v, parsed, room, size + 1) : ELMAN_ENOMEM;
    if (status)
        goto done;
    *out = v;
    v = NULL;
done:
    el_vocab_free(v);
    el_free(context, room);
    el_json_free(context, parsed);
    return status;
}
