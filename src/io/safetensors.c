/* SPDX-License-Identifier: MIT */
/* safetensors.c - tensors as a file has them: reading, and what is read.  See
 * safetensors_format.h, safetensors.h and elman.h. */
#include "safetensors.h"
#include "safetensors_inside.h"
#include "../tensor/dtype.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are little-endian in files, and are used as they lie there"
#endif

enum { PIECE = 1 << 16 }; /* bytes that are read at once to sum them up */

/* ---- Data -----------------------------------------------------------------*/

static bool is_askew(const elman_tensors *t, const el_entry *e)
{
    const size_t place = LENGTH_SIZE + t->header + (size_t)e->from;
    return place % el_dtype_size(e->tensor.dtype) != 0;
}

static size_t moved_size(const el_entry *e)
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
        el_entry *const e = &t->entries[i];
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
    elman_status status = el_tensors_read_header(t);
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
    elman_status status = el_tensors_read_length(t, t->bytes);
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
    status = el_tensors_check_head(head, size);
    if (status != ELMAN_OK)
        return el_fail_in(status, path);
    status = el_file_read(context, path, &bytes, &size);
    if (status != ELMAN_OK)
        return status;
    return el_tensors_parse(context, path, bytes, size, out);
}

/* ---- Kept open ------------------------------------------------------------*/

static elman_status open_head(elman_tensors *t)
{
    unsigned char head[LENGTH_SIZE + 1];
    const size_t some = t->size < sizeof head ? t->size : sizeof head;
    elman_status status = el_file_part(t->file, 0, head, some);
    if (status == ELMAN_OK)
        status = el_tensors_read_length(t, head);
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
    const el_entry *const e = (const el_entry *)tensor; /* its first member */
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
