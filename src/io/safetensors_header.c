/* SPDX-License-Identifier: MIT */
/* safetensors_header.c - reads the header of a file of tensors. */
#include "json.h"
#include "safetensors_inside.h"
#include "../tensor/dtype.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const el_dtype_name el_dtype_names[DTYPES] = {
    {"F32", ELMAN_F32}, {"F64", ELMAN_F64}, {"I64", ELMAN_I64},
    {"I32", ELMAN_I32}, {"I8", ELMAN_I8},   {"U8", ELMAN_U8}};

static uint64_t load_length(const unsigned char *bytes)
{
    uint64_t length;
    memcpy(&length, bytes, sizeof length);
    return length;
}

/* ---- The header -----------------------------------------------------------*/

static const char *header_text(const elman_tensors *t)
{
    return (const char *)t->bytes + LENGTH_SIZE;
}

elman_status el_tensors_check_head(const unsigned char *bytes, size_t size)
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

elman_status el_tensors_read_length(elman_tensors *t,
                                    const unsigned char *bytes)
{
    const elman_status status = el_tensors_check_head(bytes, t->size);
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

/* ---- Metadata -------------------------------------------------------------*/

static elman_status read_pair(elman_tensors *t, const el_json *json, int key)
{
    el_pair *const p = &t->pairs[t->pair_count];
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
        return el_tensors_twice("the member", METADATA);
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
    return el_tensors_sort_pairs(t);
}

/* ---- Tensors --------------------------------------------------------------*/

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

static elman_status read_description(const el_json *json, int object,
                                     el_entry *e)
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
    el_entry *const e = &t->entries[t->count];
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

static elman_status read_json(elman_tensors *t)
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

/* ---- Order ----------------------------------------------------------------*/

static elman_status check_places(const elman_tensors *t)
{
    int64_t end = 0;
    for (int i = 0; i < t->count; ++i) {
        const el_entry *const e = &t->entries[i];
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

elman_status el_tensors_read_header(elman_tensors *t)
{
    elman_status status = read_json(t);
    if (status == ELMAN_OK)
        status = el_tensors_sort(t);
    return status == ELMAN_OK ? check_places(t) : status;
}
