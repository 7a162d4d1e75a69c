/* SPDX-License-Identifier: MIT */
#include "onnx_flow.h"
#include "../tensor/dtype.h"

#include <string.h>

static int begin_of(const el_onnx_flow *f, int d)
{
    return d > 0 ? f->ends[d - 1] : 0;
}

static int axes_in(const el_onnx_flow *f, int d)
{
    return f->ends[d] - begin_of(f, d);
}

static bool same_axis(el_onnx_axis a, el_onnx_axis b)
{
    return a.id == b.id && a.size == b.size;
}

/* One more dimension, of the axes from on. */
static bool add_group(el_onnx_flow *f, const el_onnx_axis *from, int count)
{
    if (f->rank == EL_ONNX_RANK || f->count + count > EL_ONNX_AXES)
        return false;
    memcpy(f->axes + f->count, from, (size_t)count * sizeof *from);
    f->count += count;
    f->ends[f->rank++] = f->count;
    return true;
}

bool el_onnx_flow_add(el_onnx_flow *f, int id, int64_t size)
{
    const el_onnx_axis axis = {id, size};
    return add_group(f, &axis, id >= 0 || size != 1);
}

bool el_onnx_flow_put(el_onnx_flow *f, int d, int id, int64_t size)
{
    const int at = begin_of(f, d);
    if (f->count == EL_ONNX_AXES)
        return false;
    memmove(f->axes + at + 1, f->axes + at,
            (size_t)(f->count - at) * sizeof *f->axes);
    f->axes[at] = (el_onnx_axis){id, size};
    ++f->count;
    for (int i = d; i < f->rank; ++i)
        ++f->ends[i];
    return true;
}

void el_onnx_flow_pop(el_onnx_flow *f)
{
    --f->rank;
    f->count = f->rank > 0 ? f->ends[f->rank - 1] : 0;
}

bool el_onnx_flow_set(el_onnx_flow *f, int d, int id, int64_t size)
{
    const int at = begin_of(f, d), end = f->ends[d], kept = size != 1;
    if (kept && at == end && f->count == EL_ONNX_AXES)
        return false;
    memmove(f->axes + at + kept, f->axes + end,
            (size_t)(f->count - end) * sizeof *f->axes);
    if (kept)
        f->axes[at] = (el_onnx_axis){id, size};
    for (int i = d; i < f->rank; ++i)
        f->ends[i] += kept - (end - at);
    f->count += kept - (end - at);
    return true;
}

const el_onnx_axis *el_onnx_flow_axis(const el_onnx_flow *f, int d)
{
    return d < f->rank && axes_in(f, d) == 1 ? &f->axes[begin_of(f, d)] : NULL;
}

bool el_onnx_flow_is_empty(const el_onnx_flow *f, int d)
{
    return axes_in(f, d) == 0;
}

el_onnx_size el_onnx_flow_size(const el_onnx_flow *f, int d)
{
    el_onnx_size out = {1, EL_ONNX_NO_AXIS, false, 0};
    const el_onnx_axis *const first = &f->axes[begin_of(f, d)];
    const int count = axes_in(f, d);
    if (count == 1 && first->size < 0)
        return (el_onnx_size){1, first->id, false, 0};
    if (count == 2 && first[0].size < 0 && first[1].size < 0)
        return (el_onnx_size){1, first[0].id, false, first[1].id + 1};
    for (int i = begin_of(f, d); i < f->ends[d]; ++i)
        if (f->axes[i].size < 0 ||
            !el_mul(out.value, f->axes[i].size, &out.value))
            out.unknown = true;
    return out;
}

bool el_onnx_flow_is_features(const el_onnx_flow *f, int d, int64_t directions,
                              int64_t features)
{
    const el_onnx_axis wanted[] = {{EL_ONNX_DIRECTIONS, directions},
                                   {EL_ONNX_FEATURES, features}};
    int at = begin_of(f, d);
    for (int i = 0; i < 2; ++i)
        if (wanted[i].size != 1 &&
            (at == f->ends[d] || !same_axis(f->axes[at++], wanted[i])))
            return false;
    return at == f->ends[d];
}

bool el_onnx_flow_same(const el_onnx_flow *a, const el_onnx_flow *b)
{
    if (a->rank != b->rank || a->count != b->count)
        return false;
    for (int d = 0; d < a->rank; ++d)
        if (a->ends[d] != b->ends[d])
            return false;
    for (int i = 0; i < a->count; ++i)
        if (!same_axis(a->axes[i], b->axes[i]))
            return false;
    return true;
}

bool el_onnx_flow_transpose(el_onnx_flow *f, const int64_t *perm)
{
    el_onnx_flow out = {0};
    unsigned seen = 0;
    for (int d = 0; d < f->rank; ++d) {
        if (perm[d] < 0 || perm[d] >= f->rank || (seen >> perm[d] & 1))
            return false;
        seen |= 1u << perm[d];
        const int from = (int)perm[d];
        add_group(&out, f->axes + begin_of(f, from), axes_in(f, from));
    }
    *f = out;
    return true;
}

/* Axes of inputs that are always 1 go with their dimension. */
bool el_onnx_flow_squeeze(el_onnx_flow *f, int d)
{
    for (int i = begin_of(f, d); i < f->ends[d]; ++i)
        if (f->axes[i].size != 1)
            return false;
    el_onnx_flow_set(f, d, EL_ONNX_NO_AXIS, 1);
    memmove(f->ends + d, f->ends + d + 1,
            (size_t)(f->rank - d - 1) * sizeof *f->ends);
    --f->rank;
    return true;
}

bool el_onnx_flow_unsqueeze(el_onnx_flow *f, int d)
{
    if (f->rank == EL_ONNX_RANK)
        return false;
    memmove(f->ends + d + 1, f->ends + d,
            (size_t)(f->rank - d) * sizeof *f->ends);
    f->ends[d] = begin_of(f, d);
    ++f->rank;
    return true;
}

/* ---- Reshape --------------------------------------------------------------*/

/* The same of axes that are free: one, or two in either order. */
static int take_free(const el_onnx_axis *axes, el_onnx_size size)
{
    const int other = size.by - 1;
    if (axes[0].size >= 0)
        return -1;
    if (size.by == 0)
        return axes[0].id == size.id ? 1 : -1;
    if (axes[1].size >= 0)
        return -1;
    return (axes[0].id == size.id && axes[1].id == other) ||
                   (axes[0].id == other && axes[1].id == size.id)
               ? 2
               : -1;
}

/* How many axes, at the front or at the back of those from `from` to `to`, make
 * a dimension of this size; -1: none do.  d is its place. */
static int take(const el_onnx_flow *f, el_onnx_size size, int d, int from,
                int to, bool back)
{
    const int left = to - from;
    int64_t product = 1;
    int used = 0;
    if (size.unknown)
        return -1;
    if (size.id != EL_ONNX_NO_AXIS) {
        const int count = size.by > 0 ? 2 : 1;
        return left < count
                   ? -1
                   : take_free(&f->axes[back ? to - count : from], size);
    }
    if (size.value == 0) {
        if (d >= f->rank || (back ? f->ends[d] != to : begin_of(f, d) != from))
            return -1;
        return axes_in(f, d) <= left ? axes_in(f, d) : -1;
    }
    while (used < left && (product < size.value || used == 0)) {
        const el_onnx_axis next = f->axes[back ? to - 1 - used : from + used];
        if (size.value == 1 && next.size != 1)
            break;
        if (next.size < 0 || !el_mul(product, next.size, &product))
            return -1;
        ++used;
    }
    return product == size.value ? used : -1;
}

bool el_onnx_flow_reshape(el_onnx_flow *f, const el_onnx_size *sizes, int count)
{
    int rest = count, from = 0, to = f->count, taken[EL_ONNX_RANK] = {0};
    el_onnx_flow out = {0};
    if (count > EL_ONNX_RANK)
        return false;
    for (int d = 0; d < count && rest == count; ++d) {
        if (sizes[d].value == -1 && sizes[d].id == EL_ONNX_NO_AXIS) {
            rest = d;
            break;
        }
        taken[d] = take(f, sizes[d], d, from, to, false);
        if (taken[d] < 0)
            return false;
        from += taken[d];
    }
    for (int d = count - 1; d > rest; --d) {
        taken[d] = take(f, sizes[d], d, from, to, true);
        if (taken[d] < 0)
            return false;
        to -= taken[d];
    }
    if (rest < count)
        taken[rest] = to - from;
    else if (from != to)
        return false;
    from = 0;
    for (int d = 0; d < count; ++d) {
        add_group(&out, f->axes + from, taken[d]);
        from += taken[d];
    }
    *f = out;
    return true;
}
