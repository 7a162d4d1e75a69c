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

/* row: room for one. */
static elman_status make_rows(const elman_network *n, const elman_view *view,
                              float *row, float *scales, int8_t *integers)
{
    const int64_t columns = view->shape[1];
    for (int64_t r = 0; r < view->shape[0]; ++r) {
        el_network_rows(n, view, r, 1, row);
        scales[r] = el_int8_scale(row, columns);
        if (scales[r] != scales[r])
            return el_fail(ELMAN_EINVAL,
                           "row %lld of %s has a weight that is not finite, "
                           "which is no byte",
                           (long long)r, view->name);
        for (int64_t i = 0; i < columns; ++i)
            integers[i] = (int8_t)el_int8(row[i], scales[r]);
        integers += columns;
    }
    return ELMAN_OK;
}

/* What is to be made room for. */
typedef struct room {
    int matrices;
    int64_t floats, integers, longest; /* of a row */
} room;

static room measure(const elman_network *n)
{
    room r = {0};
    for (int i = 0; i < n->views.count; ++i) {
        const elman_view *const view = &n->views.list[i];
        r.floats += view->shape[0];
        if (view->rank != 2)
            continue;
        ++r.matrices;
        r.integers += view->count;
        if (view->shape[1] > r.longest)
            r.longest = view->shape[1];
    }
    return r;
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
static elman_status fill(const elman_network *n, float *row, el_int8_tensors *t)
{
    float *next = t->floats;
    int8_t *integers = t->integers;
    char *name = t->names;
    int floats = 0, bytes = n->views.count;
    for (int i = 0; i < n->views.count; ++i) {
        const elman_view *const view = &n->views.list[i];
        const int64_t rows = view->shape[0];
        elman_tensor *const first = &t->list[floats++];
        *first = tensor_of(view, ELMAN_F32, 1, next);
        if (view->rank != 2) {
            el_network_rows(n, view, 0, rows, next);
            next += rows;
            continue;
        }
        const elman_status s = make_rows(n, view, row, next, integers);
        if (s)
            return s;
        scale_name(view, name);
        first->name = name;
        t->list[bytes++] = tensor_of(view, ELMAN_I8, 2, integers);
        name += NAME_ROOM;
        next += rows;
        integers += view->count;
    }
    return ELMAN_OK;
}

elman_status el_int8_make(const elman_network *n, el_int8_tensors *out)
{
    const elman_context *const c = n->context;
    const room r = measure(n);
    float *const row = el_alloc_array(c, r.longest, sizeof *row);
    *out = (el_int8_tensors){.count = n->views.count + r.matrices};
    elman_status s = ELMAN_ENOMEM;
    if (row && (out->list = el_alloc_array(c, out->count, sizeof *out->list)) &&
        (out->names = el_alloc_array(c, r.matrices, NAME_ROOM)) &&
        (out->floats = el_alloc_array(c, r.floats, sizeof *out->floats)) &&
        (out->integers = el_alloc_array(c, r.integers, 1)))
        s = fill(n, row, out);
    el_free(c, row);
    if (s)
        el_int8_free(n, out);
    return s;
}

void el_int8_free(const elman_network *n, el_int8_tensors *t)
{
    el_free(n->context, t->list);
    el_free(n->context, t->names);
    el_free(n->context, t->floats);
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

/* A matrix in a file. */
typedef struct pair {
    const elman_tensors *file;
    const char *path;
    const elman_view *view;
    const elman_tensor *integers, *scales;
    int8_t *rows; /* room for as many as are asked for at once, */
    float *scale; /* and for their scales */
} pair;

static elman_status give_rows(void *arg, int64_t first, int64_t rows, void *to)
{
    const pair *const p = arg;
    const int64_t columns = p->view->shape[1];
    elman_status s = el_tensors_pull(p->file, p->scales, first, rows, p->scale);
    if (!s)
        s = el_tensors_pull(p->file, p->integers, first * columns,
                            rows * columns, p->rows);
    for (int64_t r = 0; !s && r < rows; ++r)
        if (take_row((float *)to + r * columns, p->rows + r * columns,
                     p->scale[r], columns))
            s = el_fail(
                ELMAN_EFORMAT,
                "%s: row %lld of %s and its scale, %g, are no weights of a "
                "byte (the largest is 127 or -127, and a scale has 16 binary "
                "digits)",
                p->path, (long long)(first + r), p->view->name,
                (double)p->scale[r]);
    return s;
}

/* Finds both of them. */
static elman_status find_pair(pair *p)
{
    const elman_view *const view = p->view;
    const int64_t rows = view->shape[0], columns = view->shape[1];
    char name[NAME_ROOM];
    scale_name(view, name);
    elman_status s =
        el_model_find_tensor(p->file, p->path, view->name, &p->integers);
    if (!s)
        s = el_model_find_tensor(p->file, p->path, name, &p->scales);
    if (s)
        return s;
    if (p->integers->dtype != ELMAN_I8 || p->integers->rank != 2 ||
        p->integers->shape[0] != rows || p->integers->shape[1] != columns)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s is not I8 of the shape that the metadata "
                       "asks for",
                       p->path, view->name);
    if (p->scales->dtype != ELMAN_F32 || p->scales->rank != 1 ||
        p->scales->shape[0] != rows)
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s is not F32, one number for each row of "
                       "%s",
                       p->path, name, view->name);
    return ELMAN_OK;
}

elman_status el_int8_take(elman_network *n, const elman_tensors *file,
                          const char *path, const elman_view *view)
{
    pair p = {.file = file, .path = path, .view = view};
    elman_status s = find_pair(&p);
    if (s)
        return s;
    const int64_t most = el_rows_at_once(view);
    p.rows = el_alloc_array(n->context, most * view->shape[1], 1);
    p.scale = el_alloc_array(n->context, most, sizeof *p.scale);
    s = p.rows && p.scale ? el_network_fill(n, view, ELMAN_F32, give_rows, &p)
                          : ELMAN_ENOMEM;
    el_free(n->context, p.rows);
    el_free(n->context, p.scale);
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
