/* SPDX-License-Identifier: MIT */
/* tensors_api.c - tensor files: arguments are checked here. */
#include "../io/json.h"
#include "../io/safetensors.h"
#include "../tensor/dtype.h"

#include <string.h>

enum { RANK_MAX = sizeof((elman_tensor *)0)->shape / sizeof(int64_t) };

size_t elman_dtype_size(elman_dtype dtype)
{
    return el_dtype_size(dtype);
}

static elman_status is_null(const char *argument)
{
    return el_fail(ELMAN_EINVAL, "%s is NULL", argument);
}

elman_status elman_tensors_read(elman_context *context, const char *path,
                                elman_tensors **out)
{
    if (!out)
        return is_null("out");
    *out = NULL;
    if (!context || !path)
        return is_null(context ? "path" : "context");
    return el_tensors_read(context, path, out);
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
    if (!tensors || !out)
        return is_null(tensors ? "out" : "tensors");
    if (index < 0 || index >= el_tensors_count(tensors))
        return el_fail(ELMAN_EINVAL, "there is no tensor %d (the file has %d)",
                       index, el_tensors_count(tensors));
    *out = *el_tensors_at(tensors, index);
    return ELMAN_OK;
}

elman_status elman_tensors_find(const elman_tensors *tensors, const char *name,
                                elman_tensor *out)
{
    if (!tensors || !name || !out)
        return is_null(!tensors ? "tensors" : name ? "out" : "name");
    const elman_tensor *const found = el_tensors_find(tensors, name);
    if (!found)
        return el_fail(ELMAN_EINVAL, "there is no tensor \"%s\"", name);
    *out = *found;
    return ELMAN_OK;
}

const char *elman_tensors_meta(const elman_tensors *tensors, const char *key)
{
    return tensors && key ? el_tensors_meta(tensors, key) : NULL;
}

static elman_status check_tensor(const elman_tensor *tensor, int index)
{
    const char *const name = tensor->name;
    int64_t count, bytes;
    if (!name || !el_json_is_utf8(name, strlen(name)))
        return el_fail(ELMAN_EINVAL, "tensor %d: its name is %s", index,
                       name ? "not valid UTF-8" : "NULL");
    if (tensor->rank < 0 || tensor->rank > RANK_MAX)
        return el_fail(ELMAN_EINVAL, "tensor \"%s\": its rank is %d (0 to %d)",
                       name, tensor->rank, RANK_MAX);
    if (el_dtype_size(tensor->dtype) == 0)
        return el_fail(ELMAN_EINVAL, "tensor \"%s\": %d is no dtype", name,
                       (int)tensor->dtype);
    if (!el_shape_size(tensor->shape, tensor->rank, tensor->dtype, &count,
                       &bytes))
        return el_fail(ELMAN_EINVAL,
                       "tensor \"%s\": its shape is negative or too large",
                       name);
    if (tensor->count != count)
        return el_fail(ELMAN_EINVAL,
                       "tensor \"%s\": its count is %lld, but its shape has "
                       "%lld elements",
                       name, (long long)tensor->count, (long long)count);
    if (!tensor->data && count > 0)
        return el_fail(ELMAN_EINVAL, "tensor \"%s\": its data are NULL", name);
    return ELMAN_OK;
}

static elman_status check_pair(const char *key, const char *value, int index)
{
    if (!key || !value)
        return el_fail(ELMAN_EINVAL, "metadata %d: its %s is NULL", index,
                       key ? "value" : "key");
    if (!el_json_is_utf8(key, strlen(key)) ||
        !el_json_is_utf8(value, strlen(value)))
        return el_fail(ELMAN_EINVAL, "metadata %d: it is not valid UTF-8",
                       index);
    return ELMAN_OK;
}

elman_status elman_tensors_write(elman_context *context, const char *path,
                                 const elman_tensor *tensors, int count,
                                 const char *const *keys_values, int pairs)
{
    if (!context || !path)
        return is_null(context ? "path" : "context");
    if (count < 0 || (!tensors && count > 0))
        return el_fail(ELMAN_EINVAL, "there are no %d tensors", count);
    if (pairs < 0 || (!keys_values && pairs > 0))
        return el_fail(ELMAN_EINVAL, "there are no %d pairs of metadata",
                       pairs);
    elman_status status = ELMAN_OK;
    for (int i = 0; i < count && status == ELMAN_OK; ++i)
        status = check_tensor(&tensors[i], i);
    for (int i = 0; i < pairs && status == ELMAN_OK; ++i)
        status = check_pair(keys_values[2 * (size_t)i],
                            keys_values[2 * (size_t)i + 1], i);
    if (status != ELMAN_OK)
        return status;
    return el_tensors_write(context, path, tensors, count, keys_values, pairs,
                            0);
}
