/* SPDX-License-Identifier: MIT */
/* torch_tree.c - the tensors in the pickle of a file of torch.save, under the
 * paths to them. */
#include "../base/utf8.h"
#include "../tensor/dtype.h"
#include "torch_work.h"

#include <stdio.h>
#include <string.h>

enum {
    TENSORS_MOST = 1 << 16,
    DEPTH_MOST = 64,
    VISITS_MOST = 1 << 22, /* containers that are shared are met again */
};

static elman_status reserve(const el_torch_file *f, void **block, int64_t count,
                            int64_t *room, size_t size)
{
    if (count < *room)
        return ELMAN_OK;
    const int64_t more = *room > 0 ? 2 * *room : 16;
    void *const grown =
        el_grow(f->context, *block, (size_t)*room * size, (size_t)more * size);
    if (!grown)
        return ELMAN_ENOMEM;
    *block = grown;
    *room = more;
    return ELMAN_OK;
}

/* ---- The tree -------------------------------------------------------------*/

static const el_pickle_node *node_of(const el_torch_file *f, int32_t value)
{
    return el_pickle_at(&f->pickle, value);
}

static bool is_type(const el_torch_file *f, int32_t value, el_pickle_type type)
{
    return value >= 0 && node_of(f, value)->type == type;
}

static int32_t item(const el_torch_file *f, int32_t value, int index)
{
    return el_pickle_item(&f->pickle, value, index);
}

static bool calls(const el_torch_file *f, int32_t value, const char *name)
{
    return is_type(f, value, EL_PICKLE_CALL) &&
           el_pickle_text_is(node_of(f, node_of(f, value)->what)->name, name);
}

/* A path so far and one more part; false where that is too long, or no
 * text. */
static bool join(const char *path, el_pickle_text part, char *out)
{
    const size_t used = strlen(path), dot = used > 0;
    if (used + dot + part.size >= EL_TORCH_NAME_MOST ||
        memchr(part.at, 0, part.size) || !el_utf8_valid(part.at, part.size))
        return false;
    memcpy(out, path, used);
    memcpy(out + used, ".", dot);
    memcpy(out + used + dot, part.at, part.size);
    out[used + dot + part.size] = '\0';
    return true;
}

/* ---- A tensor of the tree -------------------------------------------------*/

static elman_status fail_tensor(const char *why)
{
    return el_fail(ELMAN_EFORMAT, "%s", why);
}

/* Numbers of a tuple or list, none negative. */
static elman_status take_numbers(const el_torch_file *f, int32_t value,
                                 int64_t *out, int *count)
{
    if (!is_type(f, value, EL_PICKLE_TUPLE) &&
        !is_type(f, value, EL_PICKLE_LIST))
        return fail_tensor("its shape or strides are no tuple");
    *count = node_of(f, value)->count;
    if (*count > EL_TORCH_RANK)
        return el_fail(ELMAN_EFORMAT, "it has %d dimensions (at most %d)",
                       *count, EL_TORCH_RANK);
    for (int i = 0; i < *count; ++i) {
        const int32_t n = item(f, value, i);
        if (!is_type(f, n, EL_PICKLE_INT) || node_of(f, n)->integer < 0)
            return fail_tensor("its shape or strides are no numbers from 0");
        out[i] = node_of(f, n)->integer;
    }
    return ELMAN_OK;
}

/* The numbers that the storage has: those of its pickle, which must be those
 * of the archive. */
static elman_status take_storage(const el_torch_file *f, int32_t value,
                                 el_torch_found *t, bool typed,
                                 int64_t *numbers)
{
    char name[EL_TORCH_NAME_MOST + 8];
    if (!is_type(f, value, EL_PICKLE_PERSISTENT))
        return fail_tensor("its storage is none of the file's");
    const int32_t id = node_of(f, value)->with;
    const int32_t word = is_type(f, id, EL_PICKLE_TUPLE) ? item(f, id, 0) : -1;
    const int32_t type = word >= 0 ? item(f, id, 1) : -1;
    const int32_t key = word >= 0 ? item(f, id, 2) : -1;
    const int32_t size = word >= 0 ? item(f, id, 4) : -1;
    if (!is_type(f, word, EL_PICKLE_TEXT) ||
        !el_pickle_text_is(node_of(f, word)->text, "storage") ||
        !is_type(f, type, EL_PICKLE_GLOBAL) ||
        !is_type(f, key, EL_PICKLE_TEXT) || !is_type(f, size, EL_PICKLE_INT) ||
        node_of(f, size)->integer < 0)
        return fail_tensor("its storage is not what torch.save writes");
    elman_status s = ELMAN_OK;
    el_torch_number kind = t->part.number;
    if (typed || !el_pickle_text_is(node_of(f, type)->name, "UntypedStorage"))
        s = el_torch_find(node_of(f, type)->name, true, &kind);
    if (s)
        return s;
    if (typed)
        t->part.number = kind;
    const el_pickle_text text = node_of(f, key)->text;
    if (text.size >= EL_TORCH_NAME_MOST || memchr(text.at, 0, text.size))
        return fail_tensor("its storage has no usable name");
    snprintf(name, sizeof name, "data/%.*s", (int)text.size, text.at);
    t->entry = el_torch_entry(f, name);
    uint64_t bytes;
    if (t->entry < 0)
        return fail_tensor("its storage is not in the file");
    s = el_archive_entry_size(f->archive, t->entry, &bytes);
    if (s)
        return s;
    *numbers = (int64_t)(bytes / el_torch_size(t->part.number));
    /* Untyped ones count bytes. */
    const int64_t said = node_of(f, size)->integer;
    if (typed ? bytes % el_torch_size(t->part.number) != 0 || *numbers != said
              : (int64_t)bytes != said)
        return fail_tensor("its storage has not the size that it should have");
    return ELMAN_OK;
}

/* Shape, strides and offset stay within the storage. */
static elman_status check_extent(el_torch_found *t, int64_t numbers)
{
    int64_t last = t->part.offset, bytes;
    if (!el_shape_size(t->part.shape, t->part.rank,
                       el_torch_dtype(t->part.number), &t->part.count,
                       &bytes) ||
        bytes > INT64_MAX - 8)
        return fail_tensor("its shape is too large");
    t->bytes = (bytes + 7) / 8 * 8;
    for (int i = 0; t->part.count > 0 && i < t->part.rank; ++i) {
        int64_t way;
        if (!el_mul(t->part.shape[i] - 1, t->part.stride[i], &way) ||
            !el_add(last, way, &last))
            return fail_tensor("its strides are too large");
    }
    if (t->part.count > 0 && last >= numbers)
        return fail_tensor("it reaches beyond its storage");
    return ELMAN_OK;
}

/* _rebuild_tensor[_v2|_v3](storage, offset, shape, strides, ...); v3 has the
 * dtype as number 6. */
static elman_status rebuild(const el_torch_file *f, int32_t call,
                            el_torch_found *t)
{
    const int32_t with = node_of(f, call)->with;
    const int32_t offset = item(f, with, 1);
    const bool typed = !calls(f, call, "_rebuild_tensor_v3");
    int64_t numbers = 0;
    int strides = 0;
    elman_status s = ELMAN_OK;
    if (!is_type(f, offset, EL_PICKLE_INT) || node_of(f, offset)->integer < 0)
        return fail_tensor("its offset is no number from 0");
    t->part.offset = node_of(f, offset)->integer;
    if (!typed) {
        const int32_t dtype = item(f, with, 6);
        s = is_type(f, dtype, EL_PICKLE_GLOBAL)
                ? el_torch_find(node_of(f, dtype)->name, false, &t->part.number)
                : fail_tensor("its dtype is none");
    }
    if (!s)
        s = take_storage(f, item(f, with, 0), t, typed, &numbers);
    if (!s)
        s = take_numbers(f, item(f, with, 2), t->part.shape, &t->part.rank);
    if (!s)
        s = take_numbers(f, item(f, with, 3), t->part.stride, &strides);
    if (!s && strides != t->part.rank)
        s = fail_tensor("its shape and strides are of different lengths");
    return s ? s : check_extent(t, numbers);
}

static bool is_rebuilt(const el_torch_file *f, int32_t value)
{
    return calls(f, value, "_rebuild_tensor") ||
           calls(f, value, "_rebuild_tensor_v2") ||
           calls(f, value, "_rebuild_tensor_v3");
}

/* The tensor that a parameter is; value itself where it is no parameter, -1
 * where it has none. */
static int32_t inside_parameter(const el_torch_file *f, int32_t value)
{
    if (calls(f, value, "_rebuild_parameter") ||
        calls(f, value, "_rebuild_parameter_with_state"))
        return item(f, node_of(f, value)->with, 0);
    return value;
}

static elman_status add_tensor(el_torch_file *f, int32_t call, const char *path)
{
    el_torch_found t = {.name = NULL};
    void *block = f->tensors;
    elman_status s = rebuild(f, call, &t);
    if (!s && f->count >= TENSORS_MOST)
        s = el_fail(ELMAN_EFORMAT, "there are more than %d tensors",
                    TENSORS_MOST);
    /* Tensors may share a storage, but not so often that a small file asks for
     * all memory. */
    if (!s && (!el_add(f->total, t.bytes, &f->total) ||
               (uint64_t)f->total / 64 > el_archive_size(f->archive)))
        s = fail_tensor("all tensors together are much larger than the file");
    if (!s)
        s = reserve(f, &block, f->count, &f->room, sizeof t);
    f->tensors = block;
    if (s)
        return s == ELMAN_ENOMEM ? s : el_fail_in(s, *path ? path : "tensor");
    t.name = el_strdup(f->context, path);
    if (!t.name)
        return ELMAN_ENOMEM;
    f->tensors[f->count++] = t;
    return ELMAN_OK;
}

/* ---- The walk -------------------------------------------------------------*/

static elman_status visit(el_torch_file *f, int32_t value, const char *path,
                          int depth);

static elman_status visit_dict(el_torch_file *f, int32_t dict, const char *path,
                               int depth)
{
    char name[EL_TORCH_NAME_MOST], number_text[24];
    const el_pickle_cell *const cells = f->pickle.cells;
    elman_status s = ELMAN_OK;
    for (int32_t cell = node_of(f, dict)->first; !s && cell >= 0;) {
        const el_pickle_cell *const key = &cells[cell];
        const el_pickle_cell *const value = &cells[key->next];
        const el_pickle_node *const node = node_of(f, key->value);
        el_pickle_text text = node->text;
        if (node->type != EL_PICKLE_TEXT) {
            snprintf(number_text, sizeof number_text, "%lld",
                     (long long)node->integer);
            text = (el_pickle_text){number_text, strlen(number_text)};
        }
        if (!join(path, text, name))
            return el_fail(ELMAN_EFORMAT,
                           "%.60s: a name in it is too long, or no text", path);
        s = visit(f, value->value, name, depth + 1);
        cell = value->next;
    }
    return s;
}

static elman_status visit_list(el_torch_file *f, int32_t list, const char *path,
                               int depth)
{
    char name[EL_TORCH_NAME_MOST], number_text[24];
    int32_t cell = node_of(f, list)->first;
    elman_status s = ELMAN_OK;
    for (int i = 0; !s && cell >= 0; ++i) {
        const int size = snprintf(number_text, sizeof number_text, "%d", i);
        if (!join(path, (el_pickle_text){number_text, (size_t)size}, name))
            return el_fail(ELMAN_EFORMAT, "%.60s: a name in it is too long",
                           path);
        s = visit(f, f->pickle.cells[cell].value, name, depth + 1);
        cell = f->pickle.cells[cell].next;
    }
    return s;
}

static elman_status add_meta(el_torch_file *f, const char *path,
                             const char *what, const el_pickle_text *parts,
                             int count)
{
    char key[EL_TORCH_NAME_MOST], value[EL_TORCH_NAME_MOST];
    size_t used = 0;
    const el_pickle_text last = {what, strlen(what)};
    if (!join(path, last, key))
        return ELMAN_OK;
    for (int i = 0; i < count; ++i) {
        if (used + parts[i].size + 2 > sizeof value)
            return ELMAN_OK;
        if (i > 0)
            value[used++] = '.';
        memcpy(value + used, parts[i].at, parts[i].size);
        used += parts[i].size;
    }
    value[used] = '\0';
    if (strlen(value) != used || !el_utf8_valid(value, used))
        return ELMAN_OK;
    void *block = f->meta;
    elman_status s =
        reserve(f, &block, f->meta_count + 1, &f->meta_room, sizeof *f->meta);
    f->meta = block;
    if (s)
        return s;
    char *const k = el_strdup(f->context, key);
    char *const v = el_strdup(f->context, value);
    f->meta[f->meta_count++] = k;
    f->meta[f->meta_count++] = v;
    return k && v ? ELMAN_OK : ELMAN_ENOMEM;
}

/* A module is its parameters, buffers and modules; of other objects nothing is
 * kept but the items that they have. */
static elman_status visit_object(el_torch_file *f, int32_t object,
                                 const char *path, int depth)
{
    static const char *const parts[] = {"_parameters", "_buffers", "_modules"};
    static const char *const words[] = {"mode", "nonlinearity"};
    const el_pickle_node *const node = node_of(f, object);
    const int32_t state = node->with;
    elman_status s = visit_dict(f, object, path, depth);
    if (s || !is_type(f, state, EL_PICKLE_DICT))
        return s;
    /* Looking for parts goes through all that it has, and it may be met
     * again. */
    f->visits += node_of(f, state)->count;
    if (el_pickle_get(&f->pickle, state, "_parameters") < 0)
        return ELMAN_OK;
    const el_pickle_node *const class = node_of(f, node->what);
    const el_pickle_text name[] = {class->text, class->name};
    s = add_meta(f, path, "class", name, 2);
    for (int i = 0; !s && i < 2; ++i) {
        const int32_t word = el_pickle_get(&f->pickle, state, words[i]);
        if (is_type(f, word, EL_PICKLE_TEXT))
            s = add_meta(f, path, words[i], &node_of(f, word)->text, 1);
    }
    for (int i = 0; !s && i < 3; ++i) {
        const int32_t part = el_pickle_get(&f->pickle, state, parts[i]);
        if (is_type(f, part, EL_PICKLE_DICT))
            s = visit_dict(f, part, path, depth);
    }
    return s;
}

static elman_status visit(el_torch_file *f, int32_t value, const char *path,
                          int depth)
{
    if (depth > DEPTH_MOST)
        return el_fail(ELMAN_EFORMAT,
                       "%.60s...: it is nested more than %d deep", path,
                       DEPTH_MOST);
    if (++f->visits > VISITS_MOST)
        return el_fail(ELMAN_EFORMAT, "%.60s: there is too much in it", path);
    value = inside_parameter(f, value);
    if (calls(f, value, "_rebuild_from_type_v2"))
        return el_fail(ELMAN_EUNSUPPORTED,
                       "%s: it is a tensor of a class of its own, or with "
                       "attributes (save it after .detach().clone())",
                       path);
    if (value < 0)
        return el_fail(ELMAN_EFORMAT, "%s: it is a parameter without a tensor",
                       path);
    if (is_rebuilt(f, value))
        return add_tensor(f, value, path);
    f->arrays += calls(f, value, "_reconstruct");
    switch (node_of(f, value)->type) {
    case EL_PICKLE_DICT:
        return visit_dict(f, value, path, depth);
    case EL_PICKLE_LIST:
    case EL_PICKLE_TUPLE:
        return visit_list(f, value, path, depth);
    case EL_PICKLE_OBJECT:
        return visit_object(f, value, path, depth);
    default:
        return ELMAN_OK;
    }
}

elman_status el_torch_walk(el_torch_file *f)
{
    return visit(f, f->pickle.root, "", 0);
}
