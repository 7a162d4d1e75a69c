/* SPDX-License-Identifier: MIT */
/* tensors_api.c - tensor files, from the outside. */
#include "check.h"
#include "../base/utf8.h"
#include "../io/npy.h"
#include "../io/safetensors.h"
#include "../model/model_file.h"
#include "../tensor/dtype.h"

size_t elman_dtype_size(elman_dtype dtype)
{
    return el_dtype_size(dtype);
}

elman_status elman_tensors_read(elman_context *context, const char *path,
                                elman_tensors **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    return el_tensors_read(context, path, out);
}

elman_status elman_tensors_peek(elman_context *context, const char *path,
                                elman_tensors **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    return el_tensors_open(context, path, out);
}

void elman_tensors_destroy(elman_tensors **tensors)
{
    if (!tensors)
        return;
    el_tensors_free(*tensors);
    *tensors = NULL;
}

int elman_tensors_count(const elman_tensors *tensors)
{
    return tensors ? el_tensors_count(tensors) : 0;
}

elman_status elman_tensors_at(const elman_tensors *tensors, int index,
                              elman_tensor *out)
{
    EL_REQUIRE(tensors && out, "tensors or out is NULL");
    const int count = el_tensors_count(tensors);
    EL_REQUIRE(index >= 0 && index < count,
               "there is no tensor %d (the file has %d)", index, count);
    *out = *el_tensors_at(tensors, index);
    return ELMAN_OK;
}

elman_status elman_tensors_find(const elman_tensors *tensors, const char *name,
                                elman_tensor *out)
{
    EL_REQUIRE(tensors && name && out, "tensors, name or out is NULL");
    const elman_tensor *const found = el_tensors_find(tensors, name);
    EL_REQUIRE(found, "there is no tensor \"%s\"", name);
    *out = *found;
    return ELMAN_OK;
}

const char *elman_tensors_meta(const elman_tensors *tensors, const char *key)
{
    return tensors && key ? el_tensors_meta(tensors, key) : NULL;
}

elman_kind elman_tensors_kind(const elman_tensors *tensors)
{
    return tensors ? el_model_kind(tensors) : ELMAN_KIND_TENSORS;
}

static elman_status check_tensor(const elman_tensor *t, int index)
{
    const int most = sizeof t->shape / sizeof t->shape[0];
    int64_t count, bytes;
    EL_REQUIRE(t->name, "tensor %d: its name is NULL", index);
    EL_REQUIRE(el_utf8_valid(t->name, strlen(t->name)),
               "tensor %d: its name is not valid UTF-8", index);
    EL_REQUIRE(t->rank >= 0 && t->rank <= most,
               "tensor \"%s\": its rank is %d (0 to %d)", t->name, t->rank,
               most);
    EL_REQUIRE(
        el_dtype_size(t->dtype) > 0 && t->dtype == el_dtype_stored(t->dtype),
        "tensor \"%s\": %d is no dtype of a file", t->name, (int)t->dtype);
    EL_REQUIRE(el_shape_size(t->shape, t->rank, t->dtype, &count, &bytes),
               "tensor \"%s\": its shape is negative or too large", t->name);
    EL_REQUIRE(t->count == count,
               "tensor \"%s\": its count is %lld, but its shape has %lld "
               "elements",
               t->name, (long long)t->count, (long long)count);
    EL_REQUIRE(t->data || count == 0, "tensor \"%s\": its data are NULL",
               t->name);
    return ELMAN_OK;
}

static elman_status check_pair(const char *key, const char *value, int index)
{
    EL_REQUIRE(key && value, "metadata %d: its key or value is NULL", index);
    EL_REQUIRE(el_utf8_valid(key, strlen(key)) &&
                   el_utf8_valid(value, strlen(value)),
               "metadata %d: it is not valid UTF-8", index);
    return ELMAN_OK;
}

elman_status elman_tensors_write(elman_context *context, const char *path,
                                 const elman_tensor *tensors, int count,
                                 const char *const *keys_values, int pairs)
{
    EL_REQUIRE(context && path, "context or path is NULL");
    EL_REQUIRE(count >= 0, "count is %d (0 or more)", count);
    EL_REQUIRE(pairs >= 0, "pairs is %d (0 or more)", pairs);
    EL_REQUIRE(tensors || count == 0, "tensors is NULL");
    EL_REQUIRE(keys_values || pairs == 0, "keys_values is NULL");
    for (int i = 0; i < count; ++i) {
        const elman_status status = check_tensor(&tensors[i], i);
        if (status != ELMAN_OK)
            return status;
    }
    for (int i = 0; i < pairs; ++i) {
        const char *const *const pair = keys_values + 2 * (size_t)i;
        const elman_status status = check_pair(pair[0], pair[1], i);
        if (status != ELMAN_OK)
            return status;
    }
    return el_tensors_write(context, path, tensors, count, keys_values, pairs,
                            0);
}

elman_status elman_tensors_read_npy(elman_context *context, const char *path,
                                    elman_tensors **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    return el_npy_read(context, path, out);
}

elman_status elman_tensor_write_npy(elman_context *context, const char *path,
                                    const elman_tensor *tensor)
{
    EL_REQUIRE(context && path && tensor, "context, path or tensor is NULL");
    elman_tensor t = *tensor;
    t.name = "array";
    const elman_status status = check_tensor(&t, 0);
    return status == ELMAN_OK ? el_npy_write(context, path, &t) : status;
}
