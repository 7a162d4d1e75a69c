/* SPDX-License-Identifier: MIT */
/* safetensors.c - tensors as a file has them: reading, and what is read.  See
 * safetensors_format.h, safetensors.h and elman.h. */
#include "safetensors.h"
#include "file.h"
#include "json.h"
#include "safetensors_format.h"
#include "../tensor/dtype.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are little-endian in files, and are used as they lie there"
#endif

enum { PIECE = 1 << 16 }; /* bytes that are read at once to sum them up */

const el_dtype_name el_dtype_names[DTYPES] = {
    {"F32", ELMAN_F32}, {"F64", ELMAN_F64}, {"I64", ELMAN_I64},
    {"I32", ELMAN_I32}, {"I8", ELMAN_I8},   {"U8", ELMAN_U8}};

typedef struct entry {
    elman_tensor tensor;
    int64_t from, to; /* its data_offsets */
} entry;

typedef struct pair {
    const char *key, *value;
} pair;

struct elman_tensors {
    const elman_context *context;
    unsigned char *bytes; /* the file, or, where it is kept open, its head */
    size_t size;          /* of the whole file */
    el_file *file;        /* NULL: all of it is in memory */
    size_t header;        /* bytes */
    size_t checksum;      /* where in the file its digits are; 0: nowhere */
    char *strings;        /* names, keys and values, zero-terminated */
    size_t used;          /* of the strings */
    entry *entries;       /* in order of their data */
    entry **by_name;
    int count;
    pair *pairs; /* in order of their keys */
    int pair_count;
    unsigned char *moved; /* the tensors that lie askew in bytes */
};

/* ---- Small things --------------------------------------------------------*/

el_label el_label_of(const char *kind, const char *name)
{
    el_label out;
    const bool cut = strlen(name) > 64;
    int kept = cut ? 60 : 64;
    while (cut && kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
        --kept; /* A character is not cut in two. */
    snprintf(out.text, sizeof out.text, "%s \"%.*s%s\"", kind, kept, name,
             cut ? "..." : "");
    for (char *p = out.text; *p; ++p)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return out;
}

static elman_status fail_twice(const char *kind, const char *name)
{
    return el_fail(ELMAN_EFORMAT, "%s is there twice",
                   el_label_of(kind, name).text);
}

static uint64_t load_length(const unsigned char *bytes)
{
    uint64_t length;
    memcpy(&length, bytes, sizeof length);
    return length;
}

/* ---- Reading: the header -------------------------------------------------*/

static const char *header_text(const elman_tensors *t)
{
    return (const char *)t->bytes + LENGTH_SIZE;
}

/* What a file's first bytes say, be they all of it or not. */
static elman_status check_head(const unsigned char *bytes, size_t size)
{
    if (size < LENGTH_SIZE)
        return el_fail(ELMAN_EFORMAT,
                       "it is no safetensors file (it has %zu bytes)", size);
    const uint64_t length = load_length(bytes);
    if (memcmp(bytes, "PK\3\4", 4) == 0)
        return el_fail(ELMAN_EFORMAT,
                       "it is no safetensors file, but a zip archive, such as "
                       "torch.save writes (elman convert makes a model of it)");
    if (length > HEADER_MAX)
        return el_fail(ELMAN_EFORMAT,
                       "it is no safetensors file (its header would be %" PRIu64
                       " bytes long, at most %d are allowed)",
                       length, HEADER_MAX);
    if (length == 0 || (size > LENGTH_SIZE && bytes[LENGTH_SIZE] != '{'))
        return el_fail(ELMAN_EFORMAT, "it is no safetensors file (its header "
                                      "does not begin with {)");
    return ELMAN_OK;
}

static elman_status read_length(elman_tensors *t, const unsigned char *bytes)
{
    const elman_status status = check_head(bytes, t->size);
    if (status != ELMAN_OK)
        return status;
    const uint64_t length = load_length(bytes);
    if (length > t->size - LENGTH_SIZE)
        return el_fail(ELMAN_EFORMAT,
                       "the file ends within its header (%zu bytes of %" PRIu64
                       ")",
                       t->size, length + LENGTH_SIZE);
    t->header = (size_t)length;
    return ELMAN_OK;
}

/* A string's two quotes leave it room for its final zero, so that all strings
 * of a header fit into as many bytes as it has. */
static elman_status keep_string(elman_tensors *t, const el_json *json,
                                int value, const char **out)
{
    char *const text = t->strings + t->used;
    size_t size;
    *out = text;
    if (!el_json_string_into(json, value, text, t->header - t->used, &size))
        return el_fail(ELMAN_EFORMAT, "a string was expected");
    if (memchr(text, 0, size))
        return el_fail(ELMAN_EFORMAT, "%s holds a NUL",
                       el_label_of("the string", text).text);
    t->used += size + 1;
    return ELMAN_OK;
}

/* ---- Reading: metadata ---------------------------------------------------*/

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

static elman_status sort_pairs(elman_tensors *t)
{
    qsort(t->pairs, (size_t)t->pair_count, sizeof *t->pairs, compare_pairs);
    for (int i = 1; i < t->pair_count; ++i)
        if (compare_pairs(&t->pairs[i - 1], &t->pairs[i]) == 0)
            return fail_twice("metadata", t->pairs[i].key);
    return ELMAN_OK;
}

static elman_status read_pair(elman_tensors *t, const el_json *json, int key)
{
    pair *const p = &t->pairs[t->pair_count];
    const int value = el_json_member_value(json, key);
    elman_status status = keep_string(t, json, key, &p->key);
    if (status != ELMAN_OK)
        return status;
    status = keep_string(t, json, value, &p->value);
    if (status != ELMAN_OK)
        return el_fail_in(status, el_label_of("metadata", p->key).text);
    if (strcmp(p->key, CHECKSUM) == 0) {
        size_t from, size;
        el_json_span(json, value, &from, &size);
        /* Other than 16 digits will not match, wherever they are looked for. */
        t->checksum = LENGTH_SIZE + from;
    }
    ++t->pair_count;
    return ELMAN_OK;
}

static elman_status read_metadata(elman_tensors *t, const el_json *json,
                                  int object)
{
    if (t->pairs)
        return fail_twice("the member", METADATA);
    if (el_json_type(json, object) != EL_JSON_OBJECT)
        return el_fail(ELMAN_EFORMAT, METADATA " is no object");
    t->pairs = el_alloc_array(t->context, el_json_length(json, object),
                              sizeof *t->pairs);
    if (!t->pairs)
        return ELMAN_ENOMEM;
    for (int key = el_json_first_child(json, object); key >= 0;
         key = el_json_next_sibling(json, key)) {
        const elman_status status = read_pair(t, json, key);
        if (status != ELMAN_OK)
            return status;
    }
    return sort_pairs(t);
}

/* ---- Reading: tensors ----------------------------------------------------*/

static elman_status read_dtype(const el_json *json, int value, elman_dtype *out)
{
    char name[24];
    size_t size;
    if (!el_json_string_into(json, value, name, sizeof name, &size))
        return el_fail(ELMAN_EFORMAT, "its dtype is no short string");
    for (int i = 0; i < DTYPES; ++i)
        if (strcmp(name, el_dtype_names[i].name) == 0) {
            *out = el_dtype_names[i].dtype;
            return ELMAN_OK;
        }
    return el_fail(ELMAN_EFORMAT,
                   "its %s cannot be read (F32, F64, I64, I32, I8 and U8 can)",
                   el_label_of("dtype", name).text);
}

/* The numbers of an array, none negative. */
static elman_status read_numbers(const el_json *json, int array,
                                 const char *what, int most, int64_t *out)
{
    if (el_json_type(json, array) != EL_JSON_ARRAY)
        return el_fail(ELMAN_EFORMAT, "its %s is no array", what);
    if (el_json_length(json, array) > most)
        return el_fail(ELMAN_EFORMAT,
                       "its %s has %d numbers (at most %d are allowed)", what,
                       el_json_length(json, array), most);
    for (int child = el_json_first_child(json, array); child >= 0;
         child = el_json_next_sibling(json, child), ++out)
        if (!el_json_int64(json, child, out) || *out < 0)
            return el_fail(ELMAN_EFORMAT,
                           "its %s has a value that is no number from 0 to "
                           "2^63 - 1",
                           what);
    return ELMAN_OK;
}

static elman_status read_description(const el_json *json, int object, entry *e)
{
    elman_tensor *const tensor = &e->tensor;
    const int dtype = el_json_get(json, object, "dtype");
    const int shape = el_json_get(json, object, "shape");
    const int offsets = el_json_get(json, object, "data_offsets");
    int64_t bytes, span[2];
    if (el_json_length(json, object) != 3 || dtype < 0 || shape < 0 ||
        offsets < 0)
        return el_fail(ELMAN_EFORMAT, "it needs dtype, shape and data_offsets, "
                                      "and nothing else");
    elman_status status = read_dtype(json, dtype, &tensor->dtype);
    if (status == ELMAN_OK)
        status = read_numbers(json, shape, "shape", RANK_MAX, tensor->shape);
    if (status == ELMAN_OK)
        status = read_numbers(json, offsets, "data_offsets", 2, span);
    if (status != ELMAN_OK)
        return status;
    tensor->rank = el_json_length(json, shape);
    if (el_json_length(json, offsets) != 2)
        return el_fail(ELMAN_EFORMAT, "its data_offsets are not two");
    e->from = span[0];
    e->to = span[1];
    if (!el_shape_size(tensor->shape, tensor->rank, tensor->dtype,
                       &tensor->count, &bytes))
        return el_fail(ELMAN_EFORMAT, "its shape is too large");
    if (e->to - e->from != bytes)
        return el_fail(ELMAN_EFORMAT,
                       "its shape takes %" PRId64
                       " bytes, but its data go from %" PRId64 " to %" PRId64,
                       bytes, e->from, e->to);
    return ELMAN_OK;
}

static elman_status read_member(elman_tensors *t, const el_json *json, int key)
{
    const int value = el_json_member_value(json, key);
    const char *name;
    elman_status status = keep_string(t, json, key, &name);
    if (status != ELMAN_OK)
        return status;
    if (strcmp(name, METADATA) == 0)
        return read_metadata(t, json, value);
    entry *const e = &t->entries[t->count];
    e->tensor.name = name;
    status = read_description(json, value, e);
    if (status != ELMAN_OK)
        return el_fail_in(status, el_label_of("tensor", name).text);
    ++t->count;
    return ELMAN_OK;
}

static elman_status read_members(elman_tensors *t, const el_json *json)
{
    t->strings = el_alloc(t->context, t->header);
    t->entries =
        el_alloc_array(t->context, el_json_length(json, 0), sizeof *t->entries);
    if (!t->strings || !t->entries)
        return ELMAN_ENOMEM;
    for (int key = el_json_first_child(json, 0); key >= 0;
         key = el_json_next_sibling(json, key)) {
        const elman_status status = read_member(t, json, key);
        if (status != ELMAN_OK)
            return status;
    }
    return ELMAN_OK;
}

static elman_status read_header(elman_tensors *t)
{
    el_json *json;
    elman_status status =
        el_json_parse(t->context, header_text(t), t->header, &json);
    if (status == ELMAN_EFORMAT)
        return el_fail_in(status, "header");
    if (status == ELMAN_OK)
        status = read_members(t, json);
    el_json_free(t->context, json);
    return status;
}

/* ---- Reading: order ------------------------------------------------------*/

/* Those without data come before the one whose data begin where theirs do. */
static int compare_places(const void *a, const void *b)
{
    const entry *const x = a, *const y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

static int compare_names(const void *a, const void *b)
{
    const entry *const *const x = a, *const *const y = b;
    return strcmp((*x)->tensor.name, (*y)->tensor.name);
}

static elman_status check_places(const elman_tensors *t)
{
    int64_t end = 0;
    for (int i = 0; i < t->count; ++i) {
        const entry *const e = &t->entries[i];
        if (e->from != end)
            return el_fail(ELMAN_EFORMAT,
                           "%s: its data begin at %" PRId64 ", but what is "
                           "before them ends at %" PRId64,
                           el_label_of("tensor", e->tensor.name).text, e->from,
                           end);
        end = e->to;
    }
    const size_t there = t->size - LENGTH_SIZE - t->header;
    if ((uint64_t)end > there)
        return el_fail(ELMAN_EFORMAT,
                       "the file ends within its data (%zu bytes of %" PRId64
                       ")",
                       there, end);
    if ((uint64_t)end < there)
        return el_fail(ELMAN_EFORMAT, "%zu bytes follow the last tensor's data",
                       there - (size_t)end);
    return ELMAN_OK;
}

static elman_status sort_entries(elman_tensors *t)
{
    t->by_name = el_alloc_array(t->context, t->count, sizeof *t->by_name);
    if (!t->by_name)
        return ELMAN_ENOMEM;
    qsort(t->entries, (size_t)t->count, sizeof *t->entries, compare_places);
    for (int i = 0; i < t->count; ++i)
        t->by_name[i] = &t->entries[i];
    qsort(t->by_name, (size_t)t->count, sizeof *t->by_name, compare_names);
    for (int i = 1; i < t->count; ++i)
        if (compare_names(&t->by_name[i - 1], &t->by_name[i]) == 0)
            return fail_twice("tensor", t->by_name[i]->tensor.name);
    return ELMAN_OK;
}

/* ---- Reading: data -------------------------------------------------------*/

static bool is_askew(const elman_tensors *t, const entry *e)
{
    const size_t place = LENGTH_SIZE + t->header + (size_t)e->from;
    return place % el_dtype_size(e->tensor.dtype) != 0;
}

static size_t moved_size(const entry *e)
{
    return ((size_t)(e->to - e->from) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Points every tensor to its data, or to a copy where they are not aligned. */
static elman_status place_data(elman_tensors *t)
{
    const unsigned char *const data = t->bytes + LENGTH_SIZE + t->header;
    size_t room = 0;
    for (int i = 0; i < t->count; ++i)
        room += is_askew(t, &t->entries[i]) ? moved_size(&t->entries[i]) : 0;
    t->moved = el_alloc(t->context, room);
    if (!t->moved)
        return ELMAN_ENOMEM;
    unsigned char *next = t->moved;
    for (int i = 0; i < t->count; ++i) {
        entry *const e = &t->entries[i];
        e->tensor.data = data + e->from;
        if (is_askew(t, e)) {
            memcpy(next, data + e->from, (size_t)(e->to - e->from));
            e->tensor.data = next;
            next += moved_size(e);
        }
    }
    return ELMAN_OK;
}

/* Goes on through the data. */
static elman_status sum_data(const elman_tensors *t, uint64_t *crc)
{
    size_t at = LENGTH_SIZE + t->header;
    if (!t->file) {
        *crc = el_crc64(*crc, t->bytes + at, t->size - at);
        return ELMAN_OK;
    }
    unsigned char *const piece = el_alloc(t->context, PIECE);
    elman_status status = piece ? ELMAN_OK : ELMAN_ENOMEM;
    while (status == ELMAN_OK && at < t->size) {
        const size_t size = t->size - at < PIECE ? t->size - at : PIECE;
        status = el_file_part(t->file, (int64_t)at, piece, size);
        if (status == ELMAN_OK)
            *crc = el_crc64(*crc, piece, size);
        at += size;
    }
    el_free(t->context, piece);
    return status;
}

static elman_status sum_with_zeros(const elman_tensors *t, uint64_t *crc)
{
    const unsigned char *const rest = t->bytes + t->checksum + DIGITS;
    const unsigned char *const end = t->bytes + LENGTH_SIZE + t->header;
    *crc = el_crc64(0, t->bytes, t->checksum);
    *crc = el_crc64(*crc, NO_DIGITS, DIGITS);
    *crc = el_crc64(*crc, rest, (size_t)(end - rest));
    return sum_data(t, crc);
}

static elman_status check_checksum(const elman_tensors *t)
{
    char digits[DIGITS + 1];
    uint64_t crc;
    if (t->checksum == 0)
        return ELMAN_OK;
    if (LENGTH_SIZE + t->header - t->checksum >= DIGITS) {
        const elman_status status = sum_with_zeros(t, &crc);
        if (status != ELMAN_OK)
            return status;
        snprintf(digits, sizeof digits, "%016" PRIx64, crc);
        if (strcmp(digits, el_tensors_meta(t, CHECKSUM)) == 0)
            return ELMAN_OK;
    }
    return el_fail(ELMAN_EFORMAT,
                   "the file is damaged (its checksum does not match; remove "
                   "the metadata entry \"" CHECKSUM "\" if another program "
                   "rewrote it)");
}

/* The length has been read. */
static elman_status parse(elman_tensors *t)
{
    elman_status status = read_header(t);
    if (status == ELMAN_OK)
        status = sort_entries(t);
    if (status == ELMAN_OK)
        status = check_places(t);
    if (status == ELMAN_OK)
        status = check_checksum(t);
    if (status == ELMAN_OK && !t->file)
        status = place_data(t);
    return status;
}

elman_status el_tensors_parse(const elman_context *context, const char *name,
                              void *bytes, size_t size, elman_tensors **out)
{
    *out = NULL;
    elman_tensors *const t = el_alloc(context, sizeof *t);
    if (!t) {
        el_free(context, bytes);
        return el_fail_in(ELMAN_ENOMEM, name);
    }
    t->context = context;
    t->bytes = bytes;
    t->size = size;
    elman_status status = read_length(t, t->bytes);
    if (status == ELMAN_OK)
        status = parse(t);
    if (status != ELMAN_OK) {
        el_tensors_free(t);
        return el_fail_in(status, name);
    }
    *out = t;
    return ELMAN_OK;
}

/* A foreign file may be larger than the memory there is. */
elman_status el_tensors_read(const elman_context *context, const char *path,
                             elman_tensors **out)
{
    unsigned char head[LENGTH_SIZE + 1];
    void *bytes;
    size_t size;
    *out = NULL;
    elman_status status = el_file_head(path, head, sizeof head, &size);
    if (status != ELMAN_OK)
        return status;
    status = check_head(head, size);
    if (status != ELMAN_OK)
        return el_fail_in(status, path);
    status = el_file_read(context, path, &bytes, &size);
    if (status != ELMAN_OK)
        return status;
    return el_tensors_parse(context, path, bytes, size, out);
}

/* ---- Kept open -----------------------------------------------------------*/

static elman_status open_head(elman_tensors *t)
{
    unsigned char head[LENGTH_SIZE + 1];
    const size_t some = t->size < sizeof head ? t->size : sizeof head;
    elman_status status = el_file_part(t->file, 0, head, some);
    if (status == ELMAN_OK)
        status = read_length(t, head);
    if (status != ELMAN_OK)
        return status;
    t->bytes = el_alloc(t->context, LENGTH_SIZE + t->header);
    if (!t->bytes)
        return ELMAN_ENOMEM;
    return el_file_part(t->file, 0, t->bytes, LENGTH_SIZE + t->header);
}

/* What el_file_part says begins with the path. */
elman_status el_tensors_open(const elman_context *context, const char *path,
                             elman_tensors **out)
{
    *out = NULL;
    elman_tensors *const t = el_alloc(context, sizeof *t);
    if (!t)
        return el_fail_in(ELMAN_ENOMEM, path);
    t->context = context;
    elman_status status = el_file_open(context, path, &t->file);
    if (status != ELMAN_OK) {
        el_tensors_free(t);
        return status;
    }
    t->size = (size_t)el_file_size(t->file);
    status = open_head(t);
    if (status == ELMAN_OK)
        status = parse(t);
    if (status != ELMAN_OK) {
        el_tensors_free(t);
        return status == ELMAN_EIO ? status : el_fail_in(status, path);
    }
    *out = t;
    return ELMAN_OK;
}

elman_status el_tensors_pull(const elman_tensors *t, const elman_tensor *tensor,
                             int64_t first, int64_t count, void *to)
{
    const entry *const e = (const entry *)tensor; /* its first member */
    const int64_t size = (int64_t)el_dtype_size(tensor->dtype);
    assert(first >= 0 && count >= 0 && first <= tensor->count - count);
    if (count == 0)
        return ELMAN_OK;
    if (t->file)
        return el_file_part(
            t->file, LENGTH_SIZE + (int64_t)t->header + e->from + first * size,
            to, (size_t)(count * size));
    memcpy(to, (const char *)tensor->data + first * size,
           (size_t)(count * size));
    return ELMAN_OK;
}

elman_status el_tensors_same(const elman_tensors *t)
{
    return t->file ? el_file_same(t->file) : ELMAN_OK;
}

/* ---- Made otherwise ------------------------------------------------------*/

static const char *copy_string(elman_tensors *t, const char *text)
{
    char *const copy = t->strings + t->used;
    const size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    t->used += size;
    return copy;
}

static elman_status fill(elman_tensors *t, const elman_tensor *list, int count,
                         const char *const *keys_values, int pairs)
{
    size_t room = 0;
    for (int i = 0; i < count; ++i)
        room += strlen(list[i].name) + 1;
    for (size_t i = 0; i < 2 * (size_t)pairs; ++i)
        room += strlen(keys_values[i]) + 1;
    t->strings = el_alloc(t->context, room);
    t->entries = el_alloc_array(t->context, count, sizeof *t->entries);
    t->pairs = el_alloc_array(t->context, pairs, sizeof *t->pairs);
    if (!t->strings || !t->entries || !t->pairs)
        return ELMAN_ENOMEM;
    for (int i = 0; i < count; ++i) {
        t->entries[i] = (entry){.tensor = list[i], .from = i, .to = i};
        t->entries[i].tensor.name = copy_string(t, list[i].name);
    }
    t->count = count;
    for (size_t i = 0; i < (size_t)pairs; ++i) {
        t->pairs[i].key = copy_string(t, keys_values[2 * i]);
        t->pairs[i].value = copy_string(t, keys_values[2 * i + 1]);
    }
    t->pair_count = pairs;
    const elman_status status = sort_pairs(t);
    return status == ELMAN_OK ? sort_entries(t) : status;
}

elman_status el_tensors_make(const elman_context *context,
                             const elman_tensor *list, int count,
                             const char *const *keys_values, int pairs,
                             void *block, elman_tensors **out)
{
    *out = NULL;
    elman_tensors *const t = el_alloc(context, sizeof *t);
    if (!t) {
        el_free(context, block);
        return ELMAN_ENOMEM;
    }
    t->context = context;
    t->bytes = block;
    const elman_status status = fill(t, list, count, keys_values, pairs);
    if (status != ELMAN_OK) {
        el_tensors_free(t);
        return status;
    }
    *out = t;
    return ELMAN_OK;
}

void el_tensors_free(elman_tensors *tensors)
{
    if (!tensors)
        return;
    const elman_context *const context = tensors->context;
    el_free(context, tensors->bytes);
    el_free(context, tensors->strings);
    el_free(context, tensors->entries);
    el_free(context, tensors->by_name);
    el_free(context, tensors->pairs);
    el_free(context, tensors->moved);
    el_file_close(tensors->file);
    el_free(context, tensors);
}

/* ---- Looking up ----------------------------------------------------------*/

int el_tensors_count(const elman_tensors *tensors)
{
    return tensors->count;
}

const elman_tensor *el_tensors_at(const elman_tensors *tensors, int index)
{
    assert(index >= 0 && index < tensors->count);
    return &tensors->entries[index].tensor;
}

const elman_tensor *el_tensors_find(const elman_tensors *tensors,
                                    const char *name)
{
    const entry wanted = {.tensor = {.name = name}};
    const entry *const key = &wanted;
    entry *const *const found =
        bsearch(&key, tensors->by_name, (size_t)tensors->count,
                sizeof *tensors->by_name, compare_names);
    return found ? &(*found)->tensor : NULL;
}

const char *el_tensors_meta(const elman_tensors *tensors, const char *key)
{
    const pair wanted = {.key = key};
    if (tensors->pair_count == 0)
        return NULL;
    const pair *const found =
        bsearch(&wanted, tensors->pairs, (size_t)tensors->pair_count,
                sizeof *tensors->pairs, compare_pairs);
    return found ? found->value : NULL;
}
