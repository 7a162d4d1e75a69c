/* SPDX-License-Identifier: MIT */
/* pickle_machine.h - the stack machine that a pickle is a program for. */
#ifndef EL_PICKLE_MACHINE_H
#define EL_PICKLE_MACHINE_H

#include "pickle.h"

/* What a GLOBAL's node has in integer where it is not on the list. */
enum { EL_PICKLE_FOREIGN = -1, EL_PICKLE_FOREIGN_CLASS = -2 };

typedef struct el_pickle_machine {
    el_pickle *tree;
    const unsigned char *at, *end;
    const el_pickle_global *list;
    int list_count;
    int32_t *stack, *memo;
    int64_t depth, stack_room, memo_count, memo_room;
    int64_t *marks; /* depths */
    int64_t mark_count, mark_room;
    int with; /* what the table says beside the opcode at hand */
    bool stopped;
} el_pickle_machine;

elman_status el_pickle_push(el_pickle_machine *m, int32_t value);
/* Makes a node and pushes it; NULL with the sentence kept.  What it points to
 * moves with the next one. */
el_pickle_node *el_pickle_push_node(el_pickle_machine *m, el_pickle_type type);
/* ELMAN_EFORMAT: nothing is on the stack, or nothing above the last mark. */
elman_status el_pickle_pop(el_pickle_machine *m, int32_t *value);
elman_status el_pickle_top(const el_pickle_machine *m, int32_t *value);
/* A container of what stands on the stack from a place on. */
elman_status el_pickle_gather(el_pickle_machine *m, el_pickle_type type,
                              int64_t from);
/* The pickle's bytes up to the next newline. */
elman_status el_pickle_take_line(el_pickle_machine *m, el_pickle_text *out);

static inline el_pickle_node *el_pickle_node_at(const el_pickle_machine *m,
                                                int32_t value)
{
    return &m->tree->nodes[value];
}

/* ---- Opcodes (pickle_calls.c) ---------------------------------------------*/

elman_status el_pickle_op_global(el_pickle_machine *m);
elman_status el_pickle_op_stack_global(el_pickle_machine *m);
elman_status el_pickle_op_reduce(el_pickle_machine *m);
elman_status el_pickle_op_newobj(el_pickle_machine *m);
elman_status el_pickle_op_build(el_pickle_machine *m);
elman_status el_pickle_op_persistent(el_pickle_machine *m);
/* At the end: ELMAN_EFORMAT where something foreign was named. */
elman_status el_pickle_check_globals(const el_pickle_machine *m);

#endif
