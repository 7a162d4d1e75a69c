/* SPDX-License-Identifier: MIT */
/* pickle.c - see pickle.h.  Opcodes and what they do are those of CPython's
 * Lib/pickletools.py. */
#include "pickle_machine.h"

#include <string.h>

enum { SIZE_MOST = 1 << 24 };

/* ---- Room -----------------------------------------------------------------*/

/* Makes room for element number count; every one of them has cost at least one
 * byte of the pickle. */
static elman_status reserve(const el_pickle_machine *m, void **block,
                            int64_t count, int64_t *room, size_t size)
{
    if (count < *room)
        return ELMAN_OK;
    const int64_t more = *room > 0 ? 2 * *room : 64;
    void *const grown = el_grow(m->tree->context, *block, (size_t)*room * size,
                                (size_t)more * size);
    if (!grown)
        return ELMAN_ENOMEM;
    *block = grown;
    *room = more;
    return ELMAN_OK;
}

elman_status el_pickle_push(el_pickle_machine *m, int32_t value)
{
    void *block = m->stack;
    const elman_status s =
        reserve(m, &block, m->depth, &m->stack_room, sizeof *m->stack);
    m->stack = block;
    if (!s)
        m->stack[m->depth++] = value;
    return s;
}

el_pickle_node *el_pickle_push_node(el_pickle_machine *m, el_pickle_type type)
{
    el_pickle *const t = m->tree;
    void *block = t->nodes;
    const elman_status s =
        reserve(m, &block, t->node_count, &t->node_room, sizeof *t->nodes);
    t->nodes = block;
    if (s || el_pickle_push(m, (int32_t)t->node_count))
        return NULL;
    el_pickle_node *const node = &t->nodes[t->node_count++];
    *node = (el_pickle_node){
        .type = type, .first = -1, .last = -1, .what = -1, .with = -1};
    return node;
}

static elman_status append(el_pickle_machine *m, int32_t container,
                           int32_t value)
{
    el_pickle *const t = m->tree;
    void *block = t->cells;
    const elman_status s =
        reserve(m, &block, t->cell_count, &t->cell_room, sizeof *t->cells);
    t->cells = block;
    if (s)
        return s;
    el_pickle_node *const node = &t->nodes[container];
    const int32_t cell = (int32_t)t->cell_count++;
    t->cells[cell] = (el_pickle_cell){value, -1};
    if (node->count++ == 0)
        node->first = cell;
    else
        t->cells[node->last].next = cell;
    node->last = cell;
    return ELMAN_OK;
}

/* ---- The stack ------------------------------------------------------------*/

static int64_t fence(const el_pickle_machine *m)
{
    return m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0;
}

elman_status el_pickle_pop(el_pickle_machine *m, int32_t *value)
{
    *value = -1;
    if (m->depth <= fence(m))
        return el_fail(ELMAN_EFORMAT, "the pickle takes from an empty stack");
    *value = m->stack[--m->depth];
    return ELMAN_OK;
}

elman_status el_pickle_top(const el_pickle_machine *m, int32_t *value)
{
    *value = -1;
    if (m->depth <= fence(m))
        return el_fail(ELMAN_EFORMAT, "the pickle takes from an empty stack");
    *value = m->stack[m->depth - 1];
    return ELMAN_OK;
}

/* Takes the mark away: what was above it begins at *from. */
static elman_status pop_mark(el_pickle_machine *m, int64_t *from)
{
    *from = 0;
    if (m->mark_count == 0)
        return el_fail(ELMAN_EFORMAT, "the pickle has no mark where it needs "
                                      "one");
    *from = m->marks[--m->mark_count];
    return ELMAN_OK;
}

/* ---- Bytes of the pickle --------------------------------------------------*/

static elman_status take(el_pickle_machine *m, uint64_t size,
                         const unsigned char **out)
{
    *out = NULL;
    if (size > (uint64_t)(m->end - m->at))
        return el_fail(ELMAN_EFORMAT, "the pickle ends within an opcode");
    *out = m->at;
    m->at += size;
    return ELMAN_OK;
}

static elman_status take_number(el_pickle_machine *m, int size, uint64_t *out)
{
    const unsigned char *bytes;
    const elman_status s = take(m, (uint64_t)size, &bytes);
    *out = 0;
    for (int i = 0; !s && i < size; ++i)
        *out |= (uint64_t)bytes[i] << 8 * i;
    return s;
}

elman_status el_pickle_take_line(el_pickle_machine *m, el_pickle_text *out)
{
    const size_t left = (size_t)(m->end - m->at);
    const unsigned char *const end = left ? memchr(m->at, '\n', left) : NULL;
    *out = (el_pickle_text){NULL, 0};
    if (!end)
        return el_fail(ELMAN_EFORMAT, "the pickle ends within an opcode");
    *out = (el_pickle_text){(const char *)m->at, (size_t)(end - m->at)};
    m->at = end + 1;
    return ELMAN_OK;
}

/* ---- Opcodes: plain values -------------------------------------------------
 * Several opcodes share a function, and differ in m->with: of these it is a
 * value, or how many bytes a number, a length or an index has. */

static elman_status put_value(el_pickle_machine *m, el_pickle_type type,
                              int64_t integer)
{
    el_pickle_node *const node = el_pickle_push_node(m, type);
    if (!node)
        return ELMAN_ENOMEM;
    node->integer = integer;
    return ELMAN_OK;
}

static elman_status op_none(el_pickle_machine *m)
{
    return put_value(m, EL_PICKLE_NONE, 0);
}

static elman_status op_bool(el_pickle_machine *m)
{
    return put_value(m, EL_PICKLE_BOOL, m->with);
}

static elman_status op_int(el_pickle_machine *m)
{
    uint64_t number;
    const elman_status s = take_number(m, m->with, &number);
    if (s)
        return s;
    return put_value(m, EL_PICKLE_INT,
                     m->with == 4 ? (int32_t)number : (int64_t)number);
}

/* Two's complement of so many bytes. */
static elman_status op_long(el_pickle_machine *m)
{
    uint64_t length, number = 0;
    const unsigned char *bytes;
    elman_status s = take_number(m, m->with, &length);
    if (!s)
        s = take(m, length, &bytes);
    if (s)
        return s;
    if (length > 8)
        return put_value(m, EL_PICKLE_BIG, 0);
    for (uint64_t i = 0; i < length; ++i)
        number |= (uint64_t)bytes[i] << 8 * i;
    if (length > 0 && length < 8 && bytes[length - 1] >= 0x80)
        number |= ~UINT64_C(0) << 8 * length;
    return put_value(m, EL_PICKLE_INT, (int64_t)number);
}

static elman_status op_real(el_pickle_machine *m)
{
    const unsigned char *bytes;
    const elman_status s = take(m, 8, &bytes);
    return s ? s : put_value(m, EL_PICKLE_REAL, 0);
}

static elman_status op_text(el_pickle_machine *m)
{
    uint64_t length;
    const unsigned char *bytes;
    elman_status s = take_number(m, m->with, &length);
    if (!s)
        s = take(m, length, &bytes);
    if (s)
        return s;
    el_pickle_node *const node = el_pickle_push_node(m, EL_PICKLE_TEXT);
    if (!node)
        return ELMAN_ENOMEM;
    node->text = (el_pickle_text){(const char *)bytes, (size_t)length};
    return ELMAN_OK;
}

/* ---- Opcodes: containers ---------------------------------------------------
 * m->with: the type, of a tuple how many, or whether items have keys. */

static elman_status op_mark(el_pickle_machine *m)
{
    void *block = m->marks;
    const elman_status s =
        reserve(m, &block, m->mark_count, &m->mark_room, sizeof *m->marks);
    m->marks = block;
    if (!s)
        m->marks[m->mark_count++] = m->depth;
    return s;
}

elman_status el_pickle_gather(el_pickle_machine *m, el_pickle_type type,
                              int64_t from)
{
    const int64_t end = m->depth;
    elman_status s = el_pickle_push_node(m, type) ? ELMAN_OK : ELMAN_ENOMEM;
    if (s)
        return s;
    const int32_t made = m->stack[end];
    if (type == EL_PICKLE_DICT && (end - from) % 2 != 0)
        return el_fail(ELMAN_EFORMAT, "a key in the pickle has no value");
    for (int64_t i = from; !s && i < end; ++i)
        s = append(m, made, m->stack[i]);
    m->depth = from;
    return s ? s : el_pickle_push(m, made);
}

static elman_status op_gather(el_pickle_machine *m)
{
    int64_t from;
    const elman_status s = pop_mark(m, &from);
    return s ? s : el_pickle_gather(m, (el_pickle_type)m->with, from);
}

static elman_status op_tuple(el_pickle_machine *m)
{
    if (m->depth - fence(m) < m->with)
        return el_fail(ELMAN_EFORMAT, "the pickle takes from an empty stack");
    return el_pickle_gather(m, EL_PICKLE_TUPLE, m->depth - m->with);
}

static elman_status op_empty(el_pickle_machine *m)
{
    return el_pickle_gather(m, (el_pickle_type)m->with, m->depth);
}

/* Moves what stands on the stack from a place on into the container that is
 * below it.  Objects take items as dicts do. */
static elman_status move_into(el_pickle_machine *m, bool keyed, int64_t from)
{
    const int64_t end = m->depth;
    int32_t container;
    m->depth = from;
    elman_status s = el_pickle_top(m, &container);
    if (s)
        return s;
    const el_pickle_type type = el_pickle_node_at(m, container)->type;
    if (keyed ? type != EL_PICKLE_DICT && type != EL_PICKLE_OBJECT
              : type != EL_PICKLE_LIST)
        return el_fail(ELMAN_EFORMAT, "the pickle puts items into something "
                                      "that takes none");
    if (keyed && (end - from) % 2 != 0)
        return el_fail(ELMAN_EFORMAT, "a key in the pickle has no value");
    for (int64_t i = from; !s && i < end; ++i)
        s = append(m, container, m->stack[i]);
    return s;
}

static elman_status op_items(el_pickle_machine *m)
{
    int64_t from;
    const elman_status s = pop_mark(m, &from);
    return s ? s : move_into(m, m->with, from);
}

static elman_status op_item(el_pickle_machine *m)
{
    const int count = m->with ? 2 : 1;
    if (m->depth - fence(m) < count)
        return el_fail(ELMAN_EFORMAT, "the pickle takes from an empty stack");
    return move_into(m, m->with, m->depth - count);
}

/* ---- Opcodes: the stack and the memo --------------------------------------*/

static elman_status op_pop(el_pickle_machine *m)
{
    int32_t value;
    int64_t from;
    if (m->mark_count > 0 && m->depth == fence(m))
        return pop_mark(m, &from);
    return el_pickle_pop(m, &value);
}

static elman_status op_pop_mark(el_pickle_machine *m)
{
    int64_t from;
    const elman_status s = pop_mark(m, &from);
    if (!s)
        m->depth = from;
    return s;
}

static elman_status op_dup(el_pickle_machine *m)
{
    int32_t value;
    const elman_status s = el_pickle_top(m, &value);
    return s ? s : el_pickle_push(m, value);
}

/* Numbers come in turn, so that a large one does not ask for memory. */
static elman_status remember(el_pickle_machine *m, uint64_t number)
{
    int32_t value;
    void *block = m->memo;
    elman_status s = el_pickle_top(m, &value);
    if (!s && number > (uint64_t)m->memo_count)
        s = el_fail(ELMAN_EFORMAT,
                    "the pickle remembers number %llu where %lld would be next",
                    (unsigned long long)number, (long long)m->memo_count);
    if (!s)
        s = reserve(m, &block, m->memo_count, &m->memo_room, sizeof *m->memo);
    m->memo = block;
    if (s)
        return s;
    m->memo[number] = value;
    m->memo_count += number == (uint64_t)m->memo_count;
    return ELMAN_OK;
}

static elman_status op_memoize(el_pickle_machine *m)
{
    return remember(m, (uint64_t)m->memo_count);
}

static elman_status op_put(el_pickle_machine *m)
{
    uint64_t number;
    const elman_status s = take_number(m, m->with, &number);
    return s ? s : remember(m, number);
}

static elman_status op_get(el_pickle_machine *m)
{
    uint64_t number;
    const elman_status s = take_number(m, m->with, &number);
    if (s)
        return s;
    if (number >= (uint64_t)m->memo_count)
        return el_fail(ELMAN_EFORMAT,
                       "the pickle asks for number %llu, and remembers %lld",
                       (unsigned long long)number, (long long)m->memo_count);
    return el_pickle_push(m, m->memo[number]);
}

/* ---- The machine ----------------------------------------------------------*/

static elman_status op_proto(el_pickle_machine *m)
{
    uint64_t version;
    const elman_status s = take_number(m, 1, &version);
    if (!s && (version < 2 || version > 5))
        return el_fail(ELMAN_EFORMAT,
                       "the pickle is of protocol %d (2 to 5 are read)",
                       (int)version);
    return s;
}

static elman_status op_frame(el_pickle_machine *m)
{
    uint64_t size;
    return take_number(m, 8, &size);
}

static elman_status op_stop(el_pickle_machine *m)
{
    m->stopped = true;
    return el_pickle_pop(m, &m->tree->root);
}

/* Those without a function are refused by their names. */
static const struct opcode {
    const char *name;
    elman_status (*run)(el_pickle_machine *m);
    int with;
} opcodes[256] = {
    ['('] = {"MARK", op_mark, 0},
    ['.'] = {"STOP", op_stop, 0},
    ['0'] = {"POP", op_pop, 0},
    ['1'] = {"POP_MARK", op_pop_mark, 0},
    ['2'] = {"DUP", op_dup, 0},
    ['F'] = {"FLOAT", NULL, 0},
    ['I'] = {"INT", NULL, 0},
    ['J'] = {"BININT", op_int, 4},
    ['K'] = {"BININT1", op_int, 1},
    ['L'] = {"LONG", NULL, 0},
    ['M'] = {"BININT2", op_int, 2},
    ['N'] = {"NONE", op_none, 0},
    ['P'] = {"PERSID", NULL, 0},
    ['Q'] = {"BINPERSID", el_pickle_op_persistent, 0},
    ['R'] = {"REDUCE", el_pickle_op_reduce, 0},
    ['S'] = {"STRING", NULL, 0},
    ['T'] = {"BINSTRING", op_text, 4},
    ['U'] = {"SHORT_BINSTRING", op_text, 1},
    ['V'] = {"UNICODE", NULL, 0},
    ['X'] = {"BINUNICODE", op_text, 4},
    ['B'] = {"BINBYTES", op_text, 4},
    ['C'] = {"SHORT_BINBYTES", op_text, 1},
    ['G'] = {"BINFLOAT", op_real, 0},
    ['a'] = {"APPEND", op_item, false},
    ['b'] = {"BUILD", el_pickle_op_build, 0},
    ['c'] = {"GLOBAL", el_pickle_op_global, 0},
    ['d'] = {"DICT", op_gather, EL_PICKLE_DICT},
    ['}'] = {"EMPTY_DICT", op_empty, EL_PICKLE_DICT},
    ['e'] = {"APPENDS", op_items, false},
    ['g'] = {"GET", NULL, 0},
    ['h'] = {"BINGET", op_get, 1},
    ['i'] = {"INST", NULL, 0},
    ['j'] = {"LONG_BINGET", op_get, 4},
    ['l'] = {"LIST", op_gather, EL_PICKLE_LIST},
    [']'] = {"EMPTY_LIST", op_empty, EL_PICKLE_LIST},
    ['o'] = {"OBJ", NULL, 0},
    ['p'] = {"PUT", NULL, 0},
    ['q'] = {"BINPUT", op_put, 1},
    ['r'] = {"LONG_BINPUT", op_put, 4},
    ['s'] = {"SETITEM", op_item, true},
    ['t'] = {"TUPLE", op_gather, EL_PICKLE_TUPLE},
    [')'] = {"EMPTY_TUPLE", op_tuple, 0},
    ['u'] = {"SETITEMS", op_items, true},
    [0x80] = {"PROTO", op_proto, 0},
    [0x81] = {"NEWOBJ", el_pickle_op_newobj, 0},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x85] = {"TUPLE1", op_tuple, 1},
    [0x86] = {"TUPLE2", op_tuple, 2},
    [0x87] = {"TUPLE3", op_tuple, 3},
    [0x88] = {"NEWTRUE", op_bool, 1},
    [0x89] = {"NEWFALSE", op_bool, 0},
    [0x8a] = {"LONG1", op_long, 1},
    [0x8b] = {"LONG4", op_long, 4},
    [0x8c] = {"SHORT_BINUNICODE", op_text, 1},
    [0x8d] = {"BINUNICODE8", op_text, 8},
    [0x8e] = {"BINBYTES8", op_text, 8},
    [0x8f] = {"EMPTY_SET", op_empty, EL_PICKLE_LIST},
    [0x90] = {"ADDITEMS", op_items, false},
    [0x91] = {"FROZENSET", op_gather, EL_PICKLE_LIST},
    [0x92] = {"NEWOBJ_EX", NULL, 0},
    [0x93] = {"STACK_GLOBAL", el_pickle_op_stack_global, 0},
    [0x94] = {"MEMOIZE", op_memoize, 0},
    [0x95] = {"FRAME", op_frame, 0},
    [0x96] = {"BYTEARRAY8", NULL, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static elman_status run(el_pickle_machine *m)
{
    while (!m->stopped) {
        const unsigned char *byte;
        elman_status s = take(m, 1, &byte);
        if (s)
            return s;
        const struct opcode *const op = &opcodes[*byte];
        if (!op->name)
            return el_fail(ELMAN_EFORMAT,
                           "byte 0x%02x is no opcode of a pickle", *byte);
        if (!op->run)
            return el_fail(ELMAN_EFORMAT,
                           "the pickle has the opcode %s, which is refused",
                           op->name);
        m->with = op->with;
        s = op->run(m);
        if (s)
            return s;
    }
    if (m->at != m->end)
        return el_fail(ELMAN_EFORMAT, "bytes are left after the pickle");
    return el_pickle_check_globals(m);
}

elman_status el_pickle_read(const elman_context *context, const void *bytes,
                            size_t size, const el_pickle_global *list,
                            int list_count, el_pickle *out)
{
    *out = (el_pickle){.context = context, .root = -1};
    if (size > SIZE_MOST)
        return el_fail(ELMAN_EFORMAT,
                       "the pickle has %zu bytes (at most %d are read)", size,
                       SIZE_MOST);
    el_pickle_machine m = {.tree = out,
                           .at = bytes,
                           .end = (const unsigned char *)bytes + size,
                           .list = list,
                           .list_count = list_count};
    const elman_status s = run(&m);
    el_free(context, m.stack);
    el_free(context, m.memo);
    el_free(context, m.marks);
    if (s)
        el_pickle_free(out);
    return s;
}

void el_pickle_free(el_pickle *pickle)
{
    if (!pickle->context)
        return;
    el_free(pickle->context, pickle->nodes);
    el_free(pickle->context, pickle->cells);
    *pickle = (el_pickle){0};
}

/* ---- Looking
 * ---------------------------------------------------------------*/

const el_pickle_node *el_pickle_at(const el_pickle *pickle, int32_t value)
{
    return &pickle->nodes[value];
}

int32_t el_pickle_item(const el_pickle *pickle, int32_t value, int index)
{
    int32_t cell = pickle->nodes[value].first;
    while (cell >= 0 && index-- > 0)
        cell = pickle->cells[cell].next;
    return cell >= 0 ? pickle->cells[cell].value : -1;
}

int32_t el_pickle_get(const el_pickle *pickle, int32_t dict, const char *key)
{
    int32_t found = -1;
    for (int32_t cell = pickle->nodes[dict].first; cell >= 0;) {
        const el_pickle_cell *const name = &pickle->cells[cell];
        const el_pickle_cell *const value = &pickle->cells[name->next];
        const el_pickle_node *const node = &pickle->nodes[name->value];
        if (node->type == EL_PICKLE_TEXT && el_pickle_text_is(node->text, key))
            found = value->value;
        cell = value->next;
    }
    return found;
}
