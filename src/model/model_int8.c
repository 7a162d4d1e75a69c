/* SPDX-License-Identifier: MIT */
#include "model_int8.h"
#include "../io/safetensors.h"
#include "../kernels/int8.h"
#include "model_file.h"

#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 96 };

static void scale_name(const elman_view *view, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%s" EL_SCALE_SUFFIX, view->name);
}

/* ---- Out ------------------------------------------------------------------*/

static elman_status make_rows(const elman_network *n, const elman_view *view,
                              float *scales, int8_t *integers)
{
    const int64_t columns = view->shape[1];
    const float *row = (const float *)n->weights + view->offset;
    for (int64_t r = 0; r < view->shape[0]; ++r) {
        scales[r] = el_int8_scale(row, columns);
        if (scales[r] != scales[r])
            return el_fail(ELMAN_EINVAL,
                           "row %lld of %s has a weight that is not finite, "
                           "which is no byte",
                           (long long)r, view->name);
        for (int64_t i = 0; i < columns; ++i)
            integers[i] = (int8_t)el_int8(row[i], scales[r]);
        row += columns;
        integers += columns;
    }
    return ELMAN_OK;
}

/* Counts matrices, and their rows and elements. */
static void measure(const elman_network *n, int *matrices, int64_t *rows,
                    int64_t *elements)
{
    *matrices = 0;
    *rows = *elements = 0;
    for (int i = 0; i < n->views.count; ++i) {
        const elman_view *const view = &n->views.list[i];
        if (view->rank != 2)
            continue;
        ++*matrices;
        *rows += view->shape[0];
        *elements += view->count;
    }
}

static elman_tensor tensor_of(const elman_view *view, elman_dtype dtype,
                              int rank, const void *data)
{
    elman_tensor t = {.name = view->name,
                      .dtype = dtype,
                      .rank = rank,
                      .shape = {view->shape[0], view->shape[1]},
                      .count = rank < view->rank ? view->shape[0] : view->count,
                      .data = data};
    return t;
}

/* The list is filled from both ends, matrices from the middle on. */
static elman_status fill(const elman_network *n, int first, el_int8_tensors *t)
{
    float *scales = t->scales;
    int8_t *integers = t->integers;
    char *name = t->names;
    int floats = 0, bytes = first;
    for (int i = 0; i < n->views.count; ++i) {
        const elman_view *const view = &n->views.list[i];
        if (view->rank != 2) {
            t->list[floats++] =
                tensor_of(view, ELMAN_F32, view->rank,
                          (const float *)n->weights + view->offset);
            continue;
        }
        const elman_status s = make_rows(n, view, scales, integers);
        if (s)
            return s;
        scale_name(view, name);
        t->list[floats] = tensor_of(view, ELMAN_F32, 1, scales);
        t->list[floats++].name = name;
        t->list[bytes++] = tensor_of(view, ELMAN_I8, 2, integers);
        name += NAME_ROOM;
        scales += view->shape[0];
        integers += view->count;
    }
    return ELMAN_OK;
}

elman_status el_int8_make(const elman_network *n, el_int8_tensors *out)
{
    const elman_context *const c = n->context;
    int matrices;
    int64_t rows, elements;
    measure(n, &matrices, &rows, &elements);
    *out = (el_int8_tensors){.count = n->views.count + matrices};
    elman_status s = ELMAN_ENOMEM;
    if ((out->list = el_alloc_array(c, out->count, sizeof *out->list)) &&
        (out->names = el_alloc_array(c, matrices, NAME_ROOM)) &&
        (out->scales = el_alloc_array(c, rows, sizeof *out->scales)) &&
        (out->integers = el_alloc_array(c, elements, 1)))
        s = fill(n, n->views.count, out);
    if (s)
        el_int8_free(n, out);
    return s;
}

void el_int8_free(const elman_network *n, el_int8_tensors *t)
{
    el_free(n->context, t->list);
    el_free(n->context, t->names);
    el_free(n->context, t->scales);
    el_free(n->context, t->integers);
    *t = (el_int8_tensors){0};
}

/* ---- In -------------------------------------------------------------------*/

static elman_status take_row(float *row, const int8_t *integers, float scale,
                             int64_t columns)
{
    for (int64_t i = 0; i < columns; ++i)
        row[i] = (float)integers[i] * scale;
    bool same = el_int8_scale(row, columns) == scale;
    for (int64_t i = 0; same && i < columns; ++i)
        same = el_int8(row[i], scale) == integers[i];
    return same ? ELMAN_OK : ELMAN_EFORMAT;
}

elman_status el_int8_take(elman_network *n, const elman_tensors *file,
                          const char *path, const elman_view *view)
{
    const int64_t rows = view->shape[0], columns = view->shape[1];
    const elman_tensor *integers, *scales;
    char name[NAME_ROOM];
    scale_name(view, name);
    elman_status s = el_model_find_tensor(file, path, view->name, &integers);
    if (!s)
        s = el_model_find_tensor(file, path, name, &scales);
    if (s)
        return s;
    if (integers->dtype != ELMAN_I8 || integers->rank != 2 ||
        integers->shape[0] != rows || integers->shape[1] != columns)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s is not I8 of the shape that the metadata "
                       "asks for",
                       path, view->name);
    if (scales->dtype != ELMAN_F32 || scales->rank != 1 ||
        scales->shape[0] != rows)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s is not F32, one number for each row of "
                       "%s",
                       path, name, view->name);
    float *const w = (float *)n->weights + view->offset;
    for (int64_t r = 0; !s && r < rows; ++r)
        if (take_row(w + r * columns,
                     (const int8_t *)integers->data + r * columns,
                     ((const float *)scales->data)[r], columns))
            s = el_fail(ELMAN_EFORMAT,
                        "%s: row %lld of %s and its scale, %g, are no weights "
                        "of a byte (the largest is 127 or -127, and a scale "
                        "has 16 binary digits)",
                        path, (long long)r, view->name,
                        (double)((const float *)scales->data)[r]);
    return s;
}

bool el_int8_is_scale(const elman_network *n, const char *name)
{
    for (int i = 0; i < n->views.count; ++i) {
        char scale[NAME_ROOM];
        if (n->views.list[i].rank != 2)
            continue;
        scale_name(&n->views.list[i], scale);
        if (strcmp(name, scale) == 0)
            return true;
    }
    return false;
}
