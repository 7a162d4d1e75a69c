/* SPDX-License-Identifier: MIT */
/* tensors.c - tensors and metadata in their order, whoever made them, and what
 * is asked of them. */
#include "safetensors.h"
#include "safetensors_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

el_label el_label_of(const char *kind, const char *name)
{
    el_label out;
    const bool cut = strlen(name) > 64;
    int kept = cut ? 60 : 64;
    while (cut && kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
        --kept; /* A character is not cut in two. */
    snprintf(out.text, sizeof out.text, "%s \"%.*s%s\"", kind, kept, name,
             cut ? "..." : "");
    for (char *p = out.text; *p; ++p)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return out;
}

elman_status el_tensors_twice(const char *kind, const char *name)
{
    return el_fail(ELMAN_EFORMAT, "%s is there twice",
                   el_label_of(kind, name).text);
}

/* ---- Order ----------------------------------------------------------------*/

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const el_pair *)a)->key, ((const el_pair *)b)->key);
}

elman_status el_tensors_sort_pairs(elman_tensors *t)
{
    qsort(t->pairs, (size_t)t->pair_count, sizeof *t->pairs, compare_pairs);
    for (int i = 1; i < t->pair_count; ++i)
        if (compare_pairs(&t->pairs[i - 1], &t->pairs[i]) == 0)
            return el_tensors_twice("metadata", t->pairs[i].key);
    return ELMAN_OK;
}

/* Those without data come before the one whose data begin where theirs do. */
static int compare_places(const void *a, const void *b)
{
    const el_entry *const x = a, *const y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

static int compare_names(const void *a, const void *b)
{
    const el_entry *const *const x = a, *const *const y = b;
    return strcmp((*x)->tensor.name, (*y)->tensor.name);
}

elman_status el_tensors_sort(elman_tensors *t)
{
    t->by_name = el_alloc_array(t->context, t->count, sizeof *t->by_name);
    if (!t->by_name)
        return ELMAN_ENOMEM;
    qsort(t->entries, (size_t)t->count, sizeof *t->entries, compare_places);
    for (int i = 0; i < t->count; ++i)
        t->by_name[i] = &t->entries[i];
    qsort(t->by_name, (size_t)t->count, sizeof *t->by_name, compare_names);
    for (int i = 1; i < t->count; ++i)
        if (compare_names(&t->by_name[i - 1], &t->by_name[i]) == 0)
            return el_tensors_twice("tensor", t->by_name[i]->tensor.name);
    return ELMAN_OK;
}

/* ---- Made otherwise -------------------------------------------------------*/

static const char *copy_string(elman_tensors *t, const char *text)
{
    char *const copy = t->strings + t->used;
    const size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    t->used += size;
    return copy;
}

static elman_status fill(elman_tensors *t, const elman_tensor *list, int count,
                         const char *const *keys_values, int pairs)
{
    size_t room = 0;
    for (int i = 0; i < count; ++i)
        room += strlen(list[i].name) + 1;
    for (size_t i = 0; i < 2 * (size_t)pairs; ++i)
        room += strlen(keys_values[i]) + 1;
    t->strings = el_alloc(t->context, room);
    t->entries = el_alloc_array(t->context, count, sizeof *t->entries);
    t->pairs = el_alloc_array(t->context, pairs, sizeof *t->pairs);
    if (!t->strings || !t->entries || !t->pairs)
        return ELMAN_ENOMEM;
    for (int i = 0; i < count; ++i) {
        t->entries[i] = (el_entry){.tensor = list[i], .from = i, .to = i};
        t->entries[i].tensor.name = copy_string(t, list[i].name);
    }
    t->count = count;
    for (size_t i = 0; i < (size_t)pairs; ++i) {
        t->pairs[i].key = copy_string(t, keys_values[2 * i]);
        t->pairs[i].value = copy_string(t, keys_values[2 * i + 1]);
    }
    t->pair_count = pairs;
    const elman_status status = el_tensors_sort_pairs(t);
    return status == ELMAN_OK ? el_tensors_sort(t) : status;
}

elman_status el_tensors_make(const elman_context *context,
                             const elman_tensor *list, int count,
                             const char *const *keys_values, int pairs,
                             void *block, elman_tensors **out)
{
    *out = NULL;
    elman_tensors *const t = el_alloc(context, sizeof *t);
    if (!t) {
        el_free(context, block);
        return ELMAN_ENOMEM;
    }
    t->context = context;
    t->bytes = block;
    const elman_status status = fill(t, list, count, keys_values, pairs);
    if (status != ELMAN_OK) {
        el_tensors_free(t);
        return status;
    }
    *out = t;
    return ELMAN_OK;
}

void el_tensors_free(elman_tensors *tensors)
{
    if (!tensors)
        return;
    const elman_context *const context = tensors->context;
    el_free(context, tensors->bytes);
    el_free(context, tensors->strings);
    el_free(context, tensors->entries);
    el_free(context, tensors->by_name);
    el_free(context, tensors->pairs);
    el_free(context, tensors->moved);
    el_file_close(tensors->file);
    el_free(context, tensors);
}

/* ---- Looking up -----------------------------------------------------------*/

int el_tensors_count(const elman_tensors *tensors)
{
    return tensors->count;
}

const elman_tensor *el_tensors_at(const elman_tensors *tensors, int index)
{
    assert(index >= 0 && index < tensors->count);
    return &tensors->entries[index].tensor;
}

const elman_tensor *el_tensors_find(const elman_tensors *tensors,
                                    const char *name)
{
    const el_entry wanted = {.tensor = {.name = name}};
    const el_entry *const key = &wanted;
    el_entry *const *const found =
        bsearch(&key, tensors->by_name, (size_t)tensors->count,
                sizeof *tensors->by_name, compare_names);
    return found ? &(*found)->tensor : NULL;
}

const char *el_tensors_meta(const elman_tensors *tensors, const char *key)
{
    const el_pair wanted = {.key = key};
    if (tensors->pair_count == 0)
        return NULL;
    const el_pair *const found =
        bsearch(&wanted, tensors->pairs, (size_t)tensors->pair_count,
                sizeof *tensors->pairs, compare_pairs);
    return found ? found->value : NULL;
}
