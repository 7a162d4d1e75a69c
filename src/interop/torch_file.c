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
#include "../io/file.h"
#include "../io/safetensors.h"
#include "torch_work.h"

#include <stdio.h>
#include <string.h>

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
    /* Numbers and arrays of NumPy 1 and 2, as checkpoints hold them next to
     * tensors.  They are passed over: no number of them is looked at. */
    {"numpy", "dtype", EL_PICKLE_CALLED},
    {"numpy", "ndarray", EL_PICKLE_INERT},
    {"numpy.core.multiarray", "scalar", EL_PICKLE_CALLED},
    {"numpy.core.multiarray", "_reconstruct", EL_PICKLE_CALLED},
    {"numpy._core.multiarray", "scalar", EL_PICKLE_CALLED},
    {"numpy._core.multiarray", "_reconstruct", EL_PICKLE_CALLED},
    /* How protocol 2 writes bytes, and none of them: encode(TEXT, "latin1")
     * and bytes(). */
    {"_codecs", "encode", EL_PICKLE_CALLED},
    {"__builtin__", "bytes", EL_PICKLE_CALLED},
    /* Activations, types and the like that modules keep by name. */
    {"torch", NULL, EL_PICKLE_INERT},
};
enum { GLOBALS = sizeof globals / sizeof *globals };

/* ---- The file -------------------------------------------------------------*/

/* Entries are called NAME/data.pkl and so on, with the same NAME. */
static elman_status find_pickle(el_torch_file *f, int64_t *pickle)
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

int64_t el_torch_entry(const el_torch_file *f, const char *name)
{
    char whole[2 * EL_TORCH_NAME_MOST + 16];
    snprintf(whole, sizeof whole, "%s%s", f->prefix, name);
    return el_archive_find(f->archive, whole);
}

static elman_status read_entry(const el_torch_file *f, int64_t entry,
                               void **bytes, uint64_t *size)
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

static elman_status read_byte_order(el_torch_file *f)
{
    const int64_t entry = el_torch_entry(f, "byteorder");
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

static elman_status read_pickle(el_torch_file *f)
{
    int64_t entry;
    uint64_t size = 0;
    elman_status s = find_pickle(f, &entry);
    if (!s && el_torch_entry(f, "constants.pkl") >= 0)
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

/* ---- Storages -------------------------------------------------------------*/

/* Reads a storage once.  Entries of an honest archive do not overlap, so that
 * together they are smaller than it. */
static elman_status load_storage(el_torch_file *f, const el_torch_found *t)
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

static elman_status make_tensors(el_torch_file *f, elman_tensors **out)
{
    const elman_context *const c = f->context;
    elman_tensor *const list = el_alloc_array(c, f->count, sizeof *list);
    char *const block = el_alloc(c, (size_t)f->total);
    int64_t used = 0;
    f->storages =
        el_alloc_array(c, el_archive_count(f->archive), sizeof *f->storages);
    elman_status s = list && block && f->storages ? ELMAN_OK : ELMAN_ENOMEM;
    for (int64_t i = 0; !s && i < f->count; ++i) {
        const el_torch_found *const t = &f->tensors[i];
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

static void clear(el_torch_file *f)
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

static elman_status read_all(el_torch_file *f, elman_tensors **out)
{
    elman_status s = read_pickle(f);
    if (!s)
        s = el_torch_walk(f);
    if (!s && f->count == 0)
        s = el_fail(ELMAN_EFORMAT, "there is no tensor in it%s",
                    f->arrays > 0 ? ", but arrays of NumPy (torch.from_numpy "
                                    "makes tensors of them)"
                                  : "");
    return s ? s : make_tensors(f, out);
}

/* Takes the archive over. */
static elman_status read_archive(const elman_context *context, const char *name,
                                 el_archive *archive, elman_tensors **out)
{
    el_torch_file f = {.context = context, .archive = archive};
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
