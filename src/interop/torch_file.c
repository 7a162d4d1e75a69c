/* SPDX-License-Identifier: MIT */
/* torch_file.c - see torch_file.h.  The format is that of PyTorch's
 * torch/serialization.py and torch/_utils.py: a zip archive that stores its
 * entries as they are,
 *
 *   NAME/data.pkl     a pickle; a tensor is a call of _rebuild_tensor_v2, and
 *                     its numbers are a storage, named by a persistent id
 *                     ('storage', torch.FloatStorage, KEY, DEVICE, NUMBERS)
 *   NAME/data/KEY     the bytes of a storage
 *   NAME/byteorder    "little" or "big"; little where it is not there
 *
 * where several tensors may lie in one storage, at any offset and strides. */
#include "torch_file.h"
#include "../io/archive.h"
#include "../io/file.h"
#include "../io/json.h"
#include "../io/safetensors.h"
#include "../tensor/dtype.h"
#include "pickle.h"
#include "torch_numbers.h"

#include <stdio.h>
#include <string.h>

enum {
    TENSORS_MOST = 1 << 16,
    DEPTH_MOST = 64,
    VISITS_MOST = 1 << 22, /* containers that are shared are met again */
    NAME_MOST = 512
};

/* ---- What may be named ----------------------------------------------------*/

static const el_pickle_global globals[] = {
    {"collections", "OrderedDict", EL_PICKLE_MAKES_DICT},
    {"collections", "defaultdict", EL_PICKLE_MAKES_DICT},
    {"__builtin__", "set", EL_PICKLE_MAKES_LIST},
    {"builtins", "set", EL_PICKLE_MAKES_LIST},
    /* How functions of torch that are no Python are named: getattr(torch...,
     * NAME), which is kept as it is and never looked up. */
    {"__builtin__", "getattr", EL_PICKLE_CALLED},
    {"builtins", "getattr", EL_PICKLE_CALLED},
    {"__builtin__", "dict", EL_PICKLE_INERT},
    {"builtins", "dict", EL_PICKLE_INERT},
    {"torch._utils", "_rebuild_tensor", EL_PICKLE_CALLED},
    {"torch._utils", "_rebuild_tensor_v2", EL_PICKLE_CALLED},
    {"torch._utils", "_rebuild_tensor_v3", EL_PICKLE_CALLED},
    {"torch._utils", "_rebuild_parameter", EL_PICKLE_CALLED},
    {"torch._utils", "_rebuild_parameter_with_state", EL_PICKLE_CALLED},
    {"torch._tensor", "_rebuild_from_type_v2", EL_PICKLE_CALLED},
    {"torch", "device", EL_PICKLE_CALLED},
    {"torch", "Size", EL_PICKLE_CALLED},
    /* Activations, types and the like that modules keep by name. */
    {"torch", NULL, EL_PICKLE_INERT},
};
enum { GLOBALS = sizeof globals / sizeof *globals };

/* ---- The file -------------------------------------------------------------*/

typedef struct found_tensor {
    char *name;
    el_torch_part part;
    int64_t bytes; /* of what it becomes, rounded up to 8 */
    int64_t entry; /* of its storage */
} found_tensor;

typedef struct torch_file {
    const elman_context *context;
    el_archive *archive;
    char prefix[NAME_MOST]; /* "NAME/" */
    bool big;               /* the first byte of a number is its highest */
    void *bytes;            /* of the pickle */
    el_pickle pickle;
    int64_t visits;
    found_tensor *tensors;
    int64_t count, room, total;
    char **meta; /* keys and values in turn, owned */
    int64_t meta_count, meta_room;
    void **storages; /* by entry; NULL: not read yet */
    uint64_t stored; /* bytes of them */
} torch_file;

static elman_status reserve(const torch_file *f, void **block, int64_t count,
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

/* Entries are called NAME/data.pkl and so on, with the same NAME. */
static elman_status find_pickle(torch_file *f, int64_t *pickle)
{
    *pickle = -1;
    static const char tail[] = "data.pkl";
    const size_t tail_size = sizeof tail - 1;
    for (int64_t i = 0; i < el_archive_count(f->archive); ++i) {
        const char *const name = el_archive_name(f->archive, i);
        const char *const slash = strchr(name, '/');
        if (!slash || strcmp(slash + 1, tail) != 0 ||
            strlen(name) >= sizeof f->prefix)
            continue;
        memcpy(f->prefix, name, strlen(name) - tail_size);
        *pickle = i;
        return ELMAN_OK;
    }
    return el_fail(ELMAN_EFORMAT, "it is a zip archive, but there is no "
                                  "data.pkl in it: torch.save did not write "
                                  "it");
}

static int64_t find_entry(const torch_file *f, const char *name)
{
    char whole[2 * NAME_MOST + 16];
    snprintf(whole, sizeof whole, "%s%s", f->prefix, name);
    return el_archive_find(f->archive, whole);
}

static elman_status read_entry(const torch_file *f, int64_t entry, void **bytes,
                               uint64_t *size)
{
    *bytes = NULL;
    elman_status s = el_archive_entry_size(f->archive, entry, size);
    if (s)
        return s;
    *bytes = el_alloc(f->context, (size_t)*size);
    if (!*bytes)
        return ELMAN_ENOMEM;
    s = el_archive_read(f->archive, entry, *bytes, *size);
    if (s) {
        el_free(f->context, *bytes);
        *bytes = NULL;
    }
    return s;
}

static elman_status read_byte_order(torch_file *f)
{
    const int64_t entry = find_entry(f, "byteorder");
    void *bytes;
    uint64_t size;
    if (entry < 0)
        return ELMAN_OK;
    elman_status s = read_entry(f, entry, &bytes, &size);
    if (s)
        return s;
    f->big = size == 3 && memcmp(bytes, "big", 3) == 0;
    if (!f->big && (size != 6 || memcmp(bytes, "little", 6) != 0))
        s = el_fail(ELMAN_EFORMAT, "its byteorder is neither little nor big");
    el_free(f->context, bytes);
    return s;
}

static elman_status read_pickle(torch_file *f)
{
    int64_t entry;
    uint64_t size = 0;
    elman_status s = find_pickle(f, &entry);
    if (!s && find_entry(f, "constants.pkl") >= 0)
        s = el_fail(ELMAN_EUNSUPPORTED,
                    "it is a TorchScript archive (load it with torch.jit.load "
                    "and torch.save its state_dict())");
    if (!s)
        s = read_entry(f, entry, &f->bytes, &size);
    if (!s)
        s = el_pickle_read(f->context, f->bytes, (size_t)size, globals, GLOBALS,
                           &f->pickle);
    return s ? s : read_byte_order(f);
}

/* ---- The tree -------------------------------------------------------------*/

static const el_pickle_node *node_of(const torch_file *f, int32_t value)
{
    return el_pickle_at(&f->pickle, value);
}

static bool is_type(const torch_file *f, int32_t value, el_pickle_type type)
{
    return value >= 0 && node_of(f, value)->type == type;
}

static int32_t item(const torch_file *f, int32_t value, int index)
{
    return el_pickle_item(&f->pickle, value, index);
}

static bool calls(const torch_file *f, int32_t value, const char *name)
{
    return is_type(f, value, EL_PICKLE_CALL) &&
           el_pickle_text_is(node_of(f, node_of(f, value)->what)->name, name);
}

/* A path so far and one more part; false where that is too long, or no
 * text. */
static bool join(const char *path, el_pickle_text part, char *out)
{
    const size_t used = strlen(path), dot = used > 0;
    if (used + dot + part.size >= NAME_MOST || memchr(part.at, 0, part.size) ||
        !el_json_is_utf8(part.at, part.size))
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
static elman_status take_numbers(const torch_file *f, int32_t value,
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
static elman_status take_storage(const torch_file *f, int32_t value,
                                 found_tensor *t, bool typed, int64_t *numbers)
{
    char name[NAME_MOST + 8];
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
    if (text.size >= NAME_MOST || memchr(text.at, 0, text.size))
        return fail_tensor("its storage has no usable name");
    snprintf(name, sizeof name, "data/%.*s", (int)text.size, text.at);
    t->entry = find_entry(f, name);
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
static elman_status check_extent(found_tensor *t, int64_t numbers)
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
static elman_status rebuild(const torch_file *f, int32_t call, found_tensor *t)
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

static bool is_rebuilt(const torch_file *f, int32_t value)
{
    return calls(f, value, "_rebuild_tensor") ||
           calls(f, value, "_rebuild_tensor_v2") ||
           calls(f, value, "_rebuild_tensor_v3");
}

/* The tensor that a parameter is; value itself where it is no parameter, -1
 * where it has none. */
static int32_t inside_parameter(const torch_file *f, int32_t value)
{
    if (calls(f, value, "_rebuild_parameter") ||
        calls(f, value, "_rebuild_parameter_with_state"))
        return item(f, node_of(f, value)->with, 0);
    return value;
}

static elman_status add_tensor(torch_file *f, int32_t call, const char *path)
{
    found_tensor t = {.name = NULL};
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

static elman_status visit(torch_file *f, int32_t value, const char *path,
                          int depth);

static elman_status visit_dict(torch_file *f, int32_t dict, const char *path,
                               int depth)
{
    char name[NAME_MOST], number_text[24];
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

static elman_status visit_list(torch_file *f, int32_t list, const char *path,
                               int depth)
{
    char name[NAME_MOST], number_text[24];
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

static elman_status add_meta(torch_file *f, const char *path, const char *what,
                             const el_pickle_text *parts, int count)
{
    char key[NAME_MOST], value[NAME_MOST];
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
    if (strlen(value) != used || !el_json_is_utf8(value, used))
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
static elman_status visit_object(torch_file *f, int32_t object,
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

static elman_status visit(torch_file *f, int32_t value, const char *path,
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

/* ---- Storages -------------------------------------------------------------*/

/* Reads a storage once.  Entries of an honest archive do not overlap, so that
 * together they are smaller than it. */
static elman_status load_storage(torch_file *f, const found_tensor *t)
{
    uint64_t size;
    if (f->storages[t->entry])
        return ELMAN_OK;
    elman_status s = el_archive_entry_size(f->archive, t->entry, &size);
    if (s)
        return s;
    f->stored += size;
    if (f->stored > el_archive_size(f->archive))
        return el_fail(ELMAN_EFORMAT, "%s: storages lie over one another",
                       t->name);
    s = read_entry(f, t->entry, &f->storages[t->entry], &size);
    return s == ELMAN_EFORMAT ? el_fail_in(s, t->name) : s;
}

static elman_status make_tensors(torch_file *f, elman_tensors **out)
{
    const elman_context *const c = f->context;
    elman_tensor *const list = el_alloc_array(c, f->count, sizeof *list);
    char *const block = el_alloc(c, (size_t)f->total);
    int64_t used = 0;
    f->storages =
        el_alloc_array(c, el_archive_count(f->archive), sizeof *f->storages);
    elman_status s = list && block && f->storages ? ELMAN_OK : ELMAN_ENOMEM;
    for (int64_t i = 0; !s && i < f->count; ++i) {
        const found_tensor *const t = &f->tensors[i];
        s = load_storage(f, t);
        if (s)
            break;
        el_torch_put(&t->part, f->big, f->storages[t->entry], block + used);
        list[i] = (elman_tensor){.name = t->name,
                                 .dtype = el_torch_dtype(t->part.number),
                                 .rank = t->part.rank,
                                 .count = t->part.count,
                                 .data = block + used};
        memcpy(list[i].shape, t->part.shape, sizeof t->part.shape);
        used += t->bytes;
    }
    if (s)
        el_free(c, block);
    else
        s = el_tensors_make(c, list, (int)f->count,
                            (const char *const *)f->meta,
                            (int)(f->meta_count / 2), block, out);
    el_free(c, list);
    return s;
}

/* ---- All of it ------------------------------------------------------------*/

static void clear(torch_file *f)
{
    const elman_context *const c = f->context;
    for (int64_t i = 0; i < f->count; ++i)
        el_free(c, f->tensors[i].name);
    for (int64_t i = 0; i < f->meta_count; ++i)
        el_free(c, f->meta[i]);
    for (int64_t i = 0; f->storages && i < el_archive_count(f->archive); ++i)
        el_free(c, f->storages[i]);
    el_free(c, f->tensors);
    el_free(c, f->meta);
    el_free(c, f->storages);
    el_free(c, f->bytes);
    el_pickle_free(&f->pickle);
    el_archive_close(f->archive);
}

static elman_status read_all(torch_file *f, elman_tensors **out)
{
    elman_status s = read_pickle(f);
    if (!s)
        s = visit(f, f->pickle.root, "", 0);
    if (!s && f->count == 0)
        s = el_fail(ELMAN_EFORMAT, "there is no tensor in it");
    return s ? s : make_tensors(f, out);
}

/* Takes the archive over. */
static elman_status read_archive(const elman_context *context, const char *name,
                                 el_archive *archive, elman_tensors **out)
{
    torch_file f = {.context = context, .archive = archive};
    const elman_status s = read_all(&f, out);
    clear(&f);
    return s ? el_fail_in(s, name) : ELMAN_OK;
}

/* What a file that is no zip archive is. */
static elman_status check_head(const char *name, const unsigned char *head,
                               size_t size)
{
    /* The pickle of a number that such files begin with. */
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc};
    if (size >= 4 && memcmp(head, "PK", 2) == 0)
        return ELMAN_OK;
    if (size >= sizeof legacy && memcmp(head, legacy, sizeof legacy) == 0)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "%s: it is in the format of PyTorch before 1.6 (write "
                       "it anew: torch.save(torch.load(FILE), FILE))",
                       name);
    return el_fail(ELMAN_EFORMAT,
                   "%s: torch.save did not write it (it is no zip archive)",
                   name);
}

elman_status el_torch_read(const elman_context *context, const char *path,
                           elman_tensors **out)
{
    unsigned char head[8];
    size_t size;
    el_archive *archive;
    *out = NULL;
    elman_status s = el_file_head(path, head, sizeof head, &size);
    if (!s)
        s = check_head(path, head, size);
    if (!s)
        s = el_archive_open(context, path, &archive);
    return s ? s : read_archive(context, path, archive, out);
}

elman_status el_torch_parse(const elman_context *context, const char *name,
                            const void *bytes, size_t size, elman_tensors **out)
{
    el_archive *archive;
    *out = NULL;
    elman_status s = check_head(name, bytes, size);
    if (!s)
        s = el_archive_open_bytes(context, name, bytes, size, &archive);
    return s ? s : read_archive(context, name, archive, out);
}
