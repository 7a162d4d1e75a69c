/* SPDX-License-Identifier: MIT */
#include "views.h"
#include "../kernels/int8.h"

#include <stdio.h>
#include <string.h>

/* No block is larger than this, so that sizes in bytes and packed copies
 * never overflow. */
static const int64_t most_elements = (int64_t)1 << 48;

elman_status el_views_add(const elman_context *context, el_views *views,
                          const char *prefix, const char *name, int64_t rows,
                          int64_t columns, int64_t *offset)
{
    int64_t count = rows, total;
    if ((columns >= 0 && __builtin_mul_overflow(rows, columns, &count)) ||
        __builtin_add_overflow(views->total, count, &total) ||
        total > most_elements)
        return el_fail(ELMAN_ENOMEM, "%s%s would be too large", prefix, name);
    if (views->count == views->room) {
        const size_t size = sizeof *views->list;
        const int room = views->room ? 2 * views->room : 16;
        elman_view *const list =
            el_grow(context, views->list, (size_t)views->count * size,
                    (size_t)room * size);
        if (!list)
            return ELMAN_ENOMEM;
        views->list = list;
        views->room = room;
    }
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    elman_view *const view = &views->list[views->count];
    *view = (elman_view){.name = el_strdup(context, whole),
                         .rank = columns >= 0 ? 2 : 1,
                         .shape = {rows, columns >= 0 ? columns : 0},
                         .offset = views->total,
                         .count = count};
    if (!view->name)
        return ELMAN_ENOMEM;
    ++views->count;
    *offset = views->total;
    views->total = total;
    return ELMAN_OK;
}

void el_views_free(const elman_context *context, el_views *views)
{
    for (int i = 0; i < views->count; ++i)
        el_free(context, (void *)views->list[i].name);
    el_free(context, views->list);
    *views = (el_views){0};
}

elman_status el_views_at(const el_views *views, int index, elman_view *out)
{
    if (index < 0 || index >= views->count)
        return el_fail(ELMAN_EINVAL, "there is no view %d (there are %d)",
                       index, views->count);
    *out = views->list[index];
    return ELMAN_OK;
}

elman_status el_views_find(const el_views *views, const char *name,
                           elman_view *out)
{
    for (int i = 0; i < views->count; ++i)
        if (strcmp(views->list[i].name, name) == 0)
            return el_views_at(views, i, out);
    return el_fail(ELMAN_EINVAL, "there is no view named %s", name);
}

void el_round_rows(float *weights, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; ++r) {
        float *const row = weights + r * columns;
        const float scale = el_int8_scale(row, columns);
        for (int64_t i = 0; scale == scale && i < columns; ++i)
            row[i] = (float)el_int8(row[i], scale) * scale;
    }
}

void el_views_round(const el_views *views, float *weights)
{
    for (int v = 0; v < views->count; ++v) {
        const elman_view *const view = &views->list[v];
        if (view->rank == 2)
            el_round_rows(weights + view->offset, view->shape[0],
                          view->shape[1]);
    }
}
