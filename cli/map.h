/* SPDX-License-Identifier: MIT */
/* map.h - tensors by name on their way to a network: map.c finds out whose
 * names they are and what their shapes say, made.c makes it. */
#ifndef MAP_H
#define MAP_H

#include "convert.h"

enum { NAME_MOST = 512, LIST_MOST = 3000 };

typedef struct mapping {
    const conversion *c;
    const elman_tensors *file;
    int count;
    unsigned char *used;       /* by tensor */
    char rnn[NAME_MOST];       /* before "weight_hh_l0" */
    int single;                /* 1: names of one cell, without "_l0" */
    char embedding[NAME_MOST]; /* the tensor; "" without */
    char decoder[NAME_MOST];   /* before ".weight"; "" without */
    elman_network_desc desc;
} mapping;

/* A list for a sentence, which may not grow without end. */
typedef struct names {
    char text[LIST_MOST];
    size_t used;
    int count, left_out;
} names;

void add_name(names *n, const char *name);
/* " and 7 more", or nothing. */
number_text left_out(const names *n);

/* Tensor number i; 0 if there is none. */
int tensor_at(const mapping *m, int i, elman_tensor *t);
/* The number of the tensor whose name these two parts make; -1: none has. */
int tensor_find(const mapping *m, const char *before, const char *name,
                elman_tensor *t);
/* The name in the file of a view, "embedding.weight" or the like. */
void source_name(const mapping *m, const char *view, char *out);

/* Makes the network, or the language model, of what was found, with all
 * weights. */
int make_mapped(mapping *m, conversion *c);

#endif
