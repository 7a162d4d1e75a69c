/* SPDX-License-Identifier: MIT */
/* torch_work.h - a file of torch.save while it is read. */
#ifndef EL_TORCH_WORK_H
#define EL_TORCH_WORK_H

#include "../io/archive.h"
#include "pickle.h"
#include "torch_numbers.h"

enum { EL_TORCH_NAME_MOST = 512 };

typedef struct el_torch_found {
    char *name;
    el_torch_part part;
    int64_t bytes; /* of what it becomes, rounded up to 8 */
    int64_t entry; /* of its storage */
} el_torch_found;

typedef struct el_torch_file {
    const elman_context *context;
    el_archive *archive;
    char prefix[EL_TORCH_NAME_MOST]; /* "NAME/" */
    bool big;    /* the first byte of a number is its highest */
    void *bytes; /* of the pickle */
    el_pickle pickle;
    int64_t visits, arrays; /* arrays: of NumPy, which were passed over */
    el_torch_found *tensors;
    int64_t count, room, total;
    char **meta; /* keys and values in turn, owned */
    int64_t meta_count, meta_room;
    void **storages; /* by entry; NULL: not read yet */
    uint64_t stored; /* bytes of them */
} el_torch_file;

/* The entry "NAME/name" of the archive; -1: there is none. */
int64_t el_torch_entry(const el_torch_file *file, const char *name);
/* All tensors of the pickle, and what modules say of themselves. */
elman_status el_torch_walk(el_torch_file *file);

#endif
