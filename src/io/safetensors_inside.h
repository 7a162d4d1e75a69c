/* SPDX-License-Identifier: MIT */
/* safetensors_inside.h - what is read of a file of tensors, and its header's
 * reader; see safetensors_format.h. */
#ifndef EL_SAFETENSORS_INSIDE_H
#define EL_SAFETENSORS_INSIDE_H

#include "file.h"
#include "safetensors_format.h"

/* A tensor as it stands in the header. */
typedef struct el_entry {
    elman_tensor tensor;
    int64_t from, to; /* its data_offsets */
} el_entry;

typedef struct el_pair {
    const char *key, *value;
} el_pair;

struct elman_tensors {
    const elman_context *context;
    unsigned char *bytes; /* the file, or, where it is kept open, its head */
    size_t size;          /* of the whole file */
    el_file *file;        /* NULL: all of it is in memory */
    size_t header;        /* bytes */
    size_t checksum;      /* where in the file its digits are; 0: nowhere */
    char *strings;        /* names, keys and values, zero-terminated */
    size_t used;          /* of the strings */
    el_entry *entries;    /* in order of their data */
    el_entry **by_name;
    int count;
    el_pair *pairs; /* in order of their keys */
    int pair_count;
    unsigned char *moved; /* the tensors that lie askew in bytes */
};

/* What is there, in order; fails where a name or a key is there twice. */
elman_status el_tensors_sort(elman_tensors *t);
elman_status el_tensors_sort_pairs(elman_tensors *t);
/* 'KIND "name" is there twice': ELMAN_EFORMAT. */
elman_status el_tensors_twice(const char *kind, const char *name);

/* What a file's first bytes say, be they all of it or not. */
elman_status el_tensors_check_head(const unsigned char *bytes, size_t size);
/* The same of t's, whose size is known; the header's length. */
elman_status el_tensors_read_length(elman_tensors *t,
                                    const unsigned char *bytes);
/* The header, which is in bytes: strings, entries, pairs, in their order, and
 * whether the tensors' data are those that the file has. */
elman_status el_tensors_read_header(elman_tensors *t);

#endif
