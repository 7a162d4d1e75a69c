/* SPDX-License-Identifier: MIT */
/* pickle.h - Python's pickles, read and not run.
 *
 * A pickle is a program for a stack machine that may call any function it can
 * name.  This reader builds a tree instead: a call is a node that names its
 * function, and which functions may be named is the caller's list.  Opcodes are
 * those of protocols 2 to 4 that plain data and modules need; everything else
 * is refused by its name.  Memory is linear in the bytes of the pickle, and
 * nothing recurses. */
#ifndef EL_PICKLE_H
#define EL_PICKLE_H

#include "../base/context.h"

typedef enum el_pickle_type {
    EL_PICKLE_NONE,
    EL_PICKLE_BOOL,       /* integer: 0 or 1 */
    EL_PICKLE_INT,        /* integer */
    EL_PICKLE_REAL,       /* its value is not kept */
    EL_PICKLE_BIG,        /* an integer of more than 64 bits, likewise */
    EL_PICKLE_TEXT,       /* text; bytes as well */
    EL_PICKLE_TUPLE,      /* first, count */
    EL_PICKLE_LIST,       /* likewise; sets as well */
    EL_PICKLE_DICT,       /* likewise: keys and values in turn */
    EL_PICKLE_GLOBAL,     /* text: the module, name */
    EL_PICKLE_CALL,       /* what: a GLOBAL of the list; with: a TUPLE */
    EL_PICKLE_OBJECT,     /* what: a GLOBAL, the class; with: its state or -1 */
    EL_PICKLE_PERSISTENT, /* with: its id */
} el_pickle_type;

typedef struct el_pickle_text {
    const char *at; /* in the pickle's bytes, not zero-terminated */
    size_t size;
} el_pickle_text;

/* A value is the index of its node; what it holds comes by cells. */
typedef struct el_pickle_node {
    el_pickle_type type;
    int32_t first, last, count; /* cells; first is -1 if there is none */
    int32_t what, with;         /* nodes */
    int64_t integer;
    el_pickle_text text, name;
} el_pickle_node;

typedef struct el_pickle_cell {
    int32_t value, next; /* next is -1 at the end */
} el_pickle_cell;

typedef struct el_pickle {
    const elman_context *context;
    el_pickle_node *nodes;
    el_pickle_cell *cells;
    int64_t node_count, node_room, cell_count, cell_room;
    int32_t root;
} el_pickle;

/* How a global may be used. */
typedef enum el_pickle_use {
    EL_PICKLE_INERT, /* as a value only */
    EL_PICKLE_CALLED,
    EL_PICKLE_MAKES_DICT, /* called: a dict, of pairs if it has an argument */
    EL_PICKLE_MAKES_LIST, /* called: a set or list, likewise */
} el_pickle_use;
typedef struct el_pickle_global {
    const char *module;
    const char *name; /* NULL: any name of the module and of those below it */
    el_pickle_use use;
} el_pickle_global;

/* Reads a pickle of at most 16 MiB.  Globals that are not on the list may be
 * classes of objects, whose code is not needed, and nothing else.  The tree
 * points into bytes.  ELMAN_EFORMAT, ELMAN_ENOMEM. */
elman_status el_pickle_read(const elman_context *context, const void *bytes,
                            size_t size, const el_pickle_global *list,
                            int list_count, el_pickle *out);
void el_pickle_free(el_pickle *pickle);

const el_pickle_node *el_pickle_at(const el_pickle *pickle, int32_t value);
/* Element number index of a tuple, list or dict; -1 if there is none. */
int32_t el_pickle_item(const el_pickle *pickle, int32_t value, int index);
/* The value of a text key; the last one, where there are several; -1. */
int32_t el_pickle_get(const el_pickle *pickle, int32_t dict, const char *key);
bool el_pickle_text_is(el_pickle_text text, const char *word);

#endif
