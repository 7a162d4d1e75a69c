/* SPDX-License-Identifier: MIT */
#include "npy.h"
#include "../tensor/dtype.h"
#include "file.h"
#include "safetensors.h"

#include <stdio.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum {
    MAGIC = sizeof magic - 1,
    RANK_MOST = 8,
    HEADER_MOST = 1 << 16,
    ALIGNMENT = 64
};

static const struct {
    const char *name;
    elman_dtype dtype;
} descrs[] = {{"<f4", ELMAN_F32},
              {"<f8", ELMAN_F64},
              {"<i4", ELMAN_I32},
              {"<i8", ELMAN_I64},
              {"|u1", ELMAN_U8}};
enum { DESCRS = sizeof descrs / sizeof *descrs };

/* ---- The header -----------------------------------------------------------*/

typedef struct header {
    const char *at, *end;
    elman_tensor tensor;
    bool column_major;
    bool has_descr, has_order, has_shape;
} header;

static void skip_blanks(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n'))
        ++h->at;
}

static bool take(header *h, char c)
{
    skip_blanks(h);
    if (h->at >= h->end || *h->at != c)
        return false;
    ++h->at;
    return true;
}

static bool take_word(header *h, const char *word)
{
    const size_t size = strlen(word);
    skip_blanks(h);
    if ((size_t)(h->end - h->at) < size || memcmp(h->at, word, size) != 0)
        return false;
    h->at += size;
    return true;
}

/* A string in quotes of either kind, without escapes. */
static bool take_string(header *h, char *out, size_t room)
{
    skip_blanks(h);
    if (h->at >= h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    const char quote = *h->at++;
    size_t used = 0;
    while (h->at < h->end && *h->at != quote && used + 1 < room)
        out[used++] = *h->at++;
    out[used] = '\0';
    return take(h, quote);
}

static bool take_number(header *h, int64_t *out)
{
    bool any = false;
    *out = 0;
    skip_blanks(h);
    for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; ++h->at) {
        any = true;
        if (!el_mul(*out, 10, out) || !el_add(*out, *h->at - '0', out))
            return false;
    }
    return any;
}

static elman_status take_shape(header *h)
{
    elman_tensor *const t = &h->tensor;
    if (!take(h, '('))
        return el_fail(ELMAN_EFORMAT, "its shape is no tuple");
    while (!take(h, ')')) {
        if (t->rank == RANK_MOST)
            return el_fail(ELMAN_EFORMAT,
                           "its shape has more than %d dimensions", RANK_MOST);
        if (!take_number(h, &t->shape[t->rank]))
            return el_fail(ELMAN_EFORMAT, "its shape has something that is no "
                                          "number from 0 to 2^63 - 1");
        ++t->rank;
        if (take(h, ','))
            continue;
        if (!take(h, ')'))
            return el_fail(ELMAN_EFORMAT, "its shape does not end");
        break;
    }
    return ELMAN_OK;
}

static elman_status take_descr(header *h)
{
    char name[16];
    if (!take_string(h, name, sizeof name))
        return el_fail(ELMAN_EFORMAT, "its descr is no short string");
    for (int i = 0; i < DESCRS; ++i)
        if (strcmp(name, descrs[i].name) == 0) {
            h->tensor.dtype = descrs[i].dtype;
            return ELMAN_OK;
        }
    for (char *p = name; *p; ++p)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    return el_fail(ELMAN_EFORMAT,
                   "its numbers are %s (<f4, <f8, <i4, <i8 and |u1 can be "
                   "read)",
                   name);
}

static elman_status take_member(header *h)
{
    char key[16];
    elman_status s = ELMAN_OK;
    if (!take_string(h, key, sizeof key) || !take(h, ':'))
        return el_fail(ELMAN_EFORMAT, "its header is no dictionary of NumPy's");
    if (strcmp(key, "descr") == 0 && !h->has_descr) {
        h->has_descr = true;
        s = take_descr(h);
    } else if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        s = take_shape(h);
    } else if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->column_major = take_word(h, "True");
        if (!h->column_major && !take_word(h, "False"))
            s = el_fail(ELMAN_EFORMAT,
                        "its fortran_order is neither True nor False");
    } else {
        s = el_fail(ELMAN_EFORMAT, "its header has a key that should not be "
                                   "there");
    }
    return s;
}

static elman_status read_header(header *h)
{
    if (!take(h, '{'))
        return el_fail(ELMAN_EFORMAT, "its header is no dictionary");
    while (!take(h, '}')) {
        const elman_status s = take_member(h);
        if (s)
            return s;
        if (take(h, ','))
            continue;
        if (!take(h, '}'))
            return el_fail(ELMAN_EFORMAT, "its header does not end");
        break;
    }
    skip_blanks(h);
    if (h->at != h->end || !h->has_descr || !h->has_order || !h->has_shape)
        return el_fail(ELMAN_EFORMAT, "its header needs descr, fortran_order "
                                      "and shape, and nothing else");
    return ELMAN_OK;
}

/* Sets h to the header's text, and *data to where the numbers begin. */
static elman_status find_header(const unsigned char *bytes, size_t size,
                                header *h, size_t *data)
{
    if (size < MAGIC + 4 || memcmp(bytes, magic, MAGIC) != 0)
        return el_fail(ELMAN_EFORMAT, "it is no .npy file");
    const int version = bytes[MAGIC];
    const size_t width = version == 1 ? 2 : 4;
    if (version < 1 || version > 3)
        return el_fail(ELMAN_EFORMAT,
                       "it is a .npy file of version %d (1 to 3 are read)",
                       version);
    const size_t from = MAGIC + 2 + width;
    size_t length = 0;
    if (size < from)
        return el_fail(ELMAN_EFORMAT, "it ends within its header");
    for (size_t i = 0; i < width; ++i)
        length |= (size_t)bytes[MAGIC + 2 + i] << 8 * i;
    if (length > HEADER_MOST || length > size - from)
        return el_fail(ELMAN_EFORMAT,
                       "its header would have %zu bytes (at most %d, and %zu "
                       "are there)",
                       length, HEADER_MOST, size - from);
    h->at = (const char *)bytes + from;
    h->end = h->at + length;
    *data = from + length;
    return ELMAN_OK;
}

/* ---- Numbers --------------------------------------------------------------*/

/* The first index runs fastest in from, the last one in to. */
static void transpose(const elman_tensor *t, const unsigned char *from,
                      unsigned char *to)
{
    const size_t size = el_dtype_size(t->dtype);
    int64_t index[RANK_MOST] = {0}, stride[RANK_MOST], at = 0, step = 1;
    for (int d = 0; d < t->rank; ++d) {
        stride[d] = step;
        step *= t->shape[d];
    }
    for (int64_t i = 0; i < t->count; ++i) {
        memcpy(to + (size_t)i * size, from + (size_t)at * size, size);
        for (int d = t->rank - 1; d >= 0; --d) {
            at += stride[d];
            if (++index[d] < t->shape[d])
                break;
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

/* bytes are left to the caller; the numbers have a block of their own. */
static elman_status parse(const elman_context *context,
                          const unsigned char *bytes, size_t size,
                          elman_tensors **out)
{
    header h = {.tensor = {.name = "array"}};
    elman_tensor *const t = &h.tensor;
    int64_t wanted;
    size_t data = 0;
    elman_status s = find_header(bytes, size, &h, &data);
    if (!s)
        s = read_header(&h);
    if (s)
        return s;
    if (!el_shape_size(t->shape, t->rank, t->dtype, &t->count, &wanted) ||
        (uint64_t)wanted != size - data)
        return el_fail(ELMAN_EFORMAT,
                       "its shape does not fit the %zu bytes of numbers that "
                       "it has",
                       size - data);
    unsigned char *const block = el_alloc(context, (size_t)wanted);
    if (!block)
        return ELMAN_ENOMEM;
    if (h.column_major)
        transpose(t, bytes + data, block);
    else if (wanted > 0)
        memcpy(block, bytes + data, (size_t)wanted);
    t->data = block;
    return el_tensors_make(context, t, 1, NULL, 0, block, out);
}

elman_status el_npy_parse(const elman_context *context, const char *name,
                          void *bytes, size_t size, elman_tensors **out)
{
    *out = NULL;
    const elman_status s = parse(context, bytes, size, out);
    el_free(context, bytes);
    return s ? el_fail_in(s, name) : ELMAN_OK;
}

elman_status el_npy_read(const elman_context *context, const char *path,
                         elman_tensors **out)
{
    unsigned char head[MAGIC];
    void *bytes;
    size_t size;
    *out = NULL;
    elman_status s = el_file_head(path, head, sizeof head, &size);
    if (s)
        return s;
    if (size < sizeof head || memcmp(head, magic, MAGIC) != 0)
        return el_fail(ELMAN_EFORMAT, "%s: it is no .npy file", path);
    s = el_file_read(context, path, &bytes, &size);
    return s ? s : el_npy_parse(context, path, bytes, size, out);
}

elman_status el_npy_write(const elman_context *context, const char *path,
                          const elman_tensor *tensor)
{
    /* Eight dimensions of 20 digits fit. */
    char text[8 * ALIGNMENT] = {0};
    const size_t from = MAGIC + 4;
    const char *descr = "";
    for (int i = 0; i < DESCRS; ++i)
        if (descrs[i].dtype == tensor->dtype)
            descr = descrs[i].name;
    memcpy(text, magic, MAGIC);
    text[MAGIC] = 1;
    size_t used =
        from + (size_t)snprintf(text + from, sizeof text - from,
                                "{'descr': '%s', 'fortran_order': False, "
                                "'shape': (",
                                descr);
    for (int i = 0; i < tensor->rank; ++i)
        used += (size_t)snprintf(text + used, sizeof text - used, "%lld,%s",
                                 (long long)tensor->shape[i],
                                 i + 1 < tensor->rank ? " " : "");
    used += (size_t)snprintf(text + used, sizeof text - used, "), }");
    while ((used + 1) % ALIGNMENT != 0)
        text[used++] = ' ';
    text[used++] = '\n';
    text[MAGIC + 2] = (char)((used - from) & 0xff);
    text[MAGIC + 3] = (char)((used - from) >> 8);
    const el_part parts[] = {
        {text, used},
        {tensor->data, (size_t)tensor->count * el_dtype_size(tensor->dtype)}};
    return el_file_replace(context, path, parts, 2, 0);
}
