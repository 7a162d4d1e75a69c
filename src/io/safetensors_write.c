/* SPDX-License-Identifier: MIT */
/* safetensors_write.c - see safetensors_format.h and safetensors.h. */
#include "file.h"
#include "buffer.h"
#include "safetensors.h"
#include "safetensors_format.h"
#include "../tensor/dtype.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to be written, and how. */
typedef struct writing {
    const elman_context *context;
    const elman_tensor *tensors;
    int count;
    const char *const *keys_values;
    int pairs;
} writing;

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Fails where two of the names are one.  Sorts them. */
static elman_status check_unique(const char *kind, const char **names,
                                 size_t count)
{
    qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 1; i < count; ++i)
        if (strcmp(names[i - 1], names[i]) == 0)
            return el_fail(ELMAN_EINVAL, "%s is there twice",
                           el_label_of(kind, names[i]).text);
    return ELMAN_OK;
}

static elman_status check_names(const writing *w)
{
    const int64_t room =
        (w->count > w->pairs ? w->count : w->pairs) + INT64_C(1);
    const char **const names = el_alloc_array(w->context, room, sizeof *names);
    if (!names)
        return ELMAN_ENOMEM;
    for (int i = 0; i < w->count; ++i)
        names[i] = w->tensors[i].name;
    names[w->count] = METADATA;
    elman_status status = check_unique("tensor", names, (size_t)w->count + 1);
    if (status == ELMAN_OK) {
        for (int i = 0; i < w->pairs; ++i)
            names[i] = w->keys_values[2 * (size_t)i];
        names[w->pairs] = CHECKSUM;
        status = check_unique("metadata", names, (size_t)w->pairs + 1);
    }
    el_free(w->context, names);
    return status;
}

static void put_string(el_buffer *header, const char *text)
{
    el_buffer_json(header, text, strlen(text));
}

static void put_text(el_buffer *header, const char *text)
{
    el_buffer_add(header, text, strlen(text));
}

/* Returns where the checksum's digits are. */
static size_t put_metadata(el_buffer *header, const writing *w)
{
    put_text(header, "{\"" METADATA "\":{\"" CHECKSUM "\":\"");
    const size_t digits = header->size;
    put_text(header, NO_DIGITS);
    put_text(header, "\"");
    for (size_t i = 0; i < (size_t)w->pairs; ++i) {
        put_text(header, ",");
        put_string(header, w->keys_values[2 * i]);
        put_text(header, ":");
        put_string(header, w->keys_values[2 * i + 1]);
    }
    put_text(header, "}");
    return digits;
}

static const char *dtype_name(elman_dtype dtype)
{
    int i = 0;
    while (i < DTYPES - 1 && el_dtype_names[i].dtype != dtype)
        ++i;
    return el_dtype_names[i].name;
}

/* Puts one tensor's description and moves from to the end of its data. */
static elman_status put_tensor(el_buffer *header, const elman_tensor *tensor,
                               int64_t *from)
{
    int64_t count, bytes, to;
    if (!el_shape_size(tensor->shape, tensor->rank, tensor->dtype, &count,
                       &bytes) ||
        !el_add(*from, bytes, &to))
        return el_fail(ELMAN_EINVAL, "%s is too large",
                       el_label_of("tensor", tensor->name).text);
    assert(count == tensor->count && tensor->rank <= RANK_MAX);
    put_text(header, ",");
    put_string(header, tensor->name);
    el_buffer_format(header, ":{\"dtype\":\"%s\",\"shape\":[",
                     dtype_name(tensor->dtype));
    for (int i = 0; i < tensor->rank; ++i)
        el_buffer_format(header, "%s%" PRId64, i > 0 ? "," : "",
                         tensor->shape[i]);
    el_buffer_format(header, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}",
                     *from, to);
    *from = to;
    return ELMAN_OK;
}

/* The length and the header, padded so that data begin at a multiple of 8. */
static elman_status put_header(el_buffer *header, const writing *w,
                               size_t *digits)
{
    uint64_t length = 0;
    int64_t from = 0;
    el_buffer_add(header, &length, LENGTH_SIZE);
    *digits = put_metadata(header, w);
    for (int i = 0; i < w->count; ++i) {
        const elman_status status = put_tensor(header, &w->tensors[i], &from);
        if (status != ELMAN_OK)
            return status;
    }
    put_text(header, "}");
    while (!header->failed && header->size % ALIGNMENT != 0)
        put_text(header, " ");
    if (header->failed)
        return el_no_memory();
    length = header->size - LENGTH_SIZE;
    if (length > HEADER_MAX)
        return el_fail(ELMAN_EINVAL,
                       "names and metadata take %" PRIu64
                       " bytes, at most %d are allowed",
                       length, HEADER_MAX);
    memcpy(header->data, &length, LENGTH_SIZE);
    return ELMAN_OK;
}

/* The header and each tensor's data, and the checksum of all in its place. */
static elman_status make_parts(const writing *w, el_buffer *header,
                               size_t digits, el_part **out)
{
    char text[DIGITS + 1];
    el_part *const parts =
        el_alloc_array(w->context, w->count + INT64_C(1), sizeof *parts);
    if (!parts)
        return ELMAN_ENOMEM;
    parts[0] = (el_part){header->data, header->size};
    uint64_t crc = el_crc64(0, header->data, header->size);
    for (int i = 0; i < w->count; ++i) {
        const elman_tensor *const tensor = &w->tensors[i];
        const size_t size =
            (size_t)tensor->count * el_dtype_size(tensor->dtype);
        parts[i + 1] = (el_part){tensor->data, size};
        crc = el_crc64(crc, tensor->data, size);
    }
    snprintf(text, sizeof text, "%016" PRIx64, crc);
    memcpy(header->data + digits, text, DIGITS);
    *out = parts;
    return ELMAN_OK;
}

elman_status el_tensors_write(const elman_context *context, const char *path,
                              const elman_tensor *tensors, int count,
                              const char *const *keys_values, int pairs,
                              int keep)
{
    const writing w = {context, tensors, count, keys_values, pairs};
    el_buffer header = EL_BUFFER(context);
    el_part *parts = NULL;
    size_t digits;
    elman_status status = check_names(&w);
    if (status == ELMAN_OK)
        status = put_header(&header, &w, &digits);
    if (status == ELMAN_OK)
        status = make_parts(&w, &header, digits, &parts);
    if (status != ELMAN_OK)
        el_fail_in(status, path);
    else
        status = el_file_replace(context, path, parts, count + 1, keep);
    el_free(context, parts);
    el_buffer_free(&header);
    return status;
}
