/* SPDX-License-Identifier: MIT */
/* pickle_calls.c - opcodes that name something, call it, or make an object:
 * nodes, every one of them. */
#include "pickle_machine.h"

#include <string.h>

static bool starts_with(el_pickle_text text, const char *word)
{
    const size_t size = strlen(word);
    return text.size >= size && memcmp(text.at, word, size) == 0;
}

bool el_pickle_text_is(el_pickle_text text, const char *word)
{
    return text.size == strlen(word) && starts_with(text, word);
}

static bool is_listed(const el_pickle_global *g, el_pickle_text module,
                      el_pickle_text name)
{
    const size_t size = strlen(g->module);
    if (g->name)
        return el_pickle_text_is(module, g->module) &&
               el_pickle_text_is(name, g->name);
    return starts_with(module, g->module) &&
           (module.size == size || module.at[size] == '.');
}

static elman_status put_global(el_pickle_machine *m, el_pickle_text module,
                               el_pickle_text name)
{
    int found = EL_PICKLE_FOREIGN;
    for (int i = 0; found < 0 && i < m->list_count; ++i)
        if (is_listed(&m->list[i], module, name))
            found = i;
    el_pickle_node *const node = el_pickle_push_node(m, EL_PICKLE_GLOBAL);
    if (!node)
        return ELMAN_ENOMEM;
    node->text = module;
    node->name = name;
    node->integer = found;
    return ELMAN_OK;
}

elman_status el_pickle_op_global(el_pickle_machine *m)
{
    el_pickle_text module, name;
    elman_status s = el_pickle_take_line(m, &module);
    if (!s)
        s = el_pickle_take_line(m, &name);
    return s ? s : put_global(m, module, name);
}

elman_status el_pickle_op_stack_global(el_pickle_machine *m)
{
    int32_t module, name;
    elman_status s = el_pickle_pop(m, &name);
    if (!s)
        s = el_pickle_pop(m, &module);
    if (s)
        return s;
    if (el_pickle_node_at(m, module)->type != EL_PICKLE_TEXT ||
        el_pickle_node_at(m, name)->type != EL_PICKLE_TEXT)
        return el_fail(ELMAN_EFORMAT, "a global's name in the pickle is no "
                                      "text");
    return put_global(m, el_pickle_node_at(m, module)->text,
                      el_pickle_node_at(m, name)->text);
}

/* A name as a sentence may have it. */
typedef struct printable {
    char text[128];
} printable;

static printable name_of(const el_pickle_node *g)
{
    printable out;
    size_t used = 0;
    const el_pickle_text parts[] = {g->text, {".", 1}, g->name};
    for (int p = 0; p < 3; ++p)
        for (size_t i = 0; i < parts[p].size && i < 60; ++i) {
            const char c = parts[p].at[i];
            out.text[used++] = c > ' ' && c < 127 ? c : '?';
        }
    out.text[used] = '\0';
    return out;
}

static elman_status refuse_call(const el_pickle_node *g)
{
    return el_fail(ELMAN_EFORMAT,
                   "the pickle calls %s, which is refused (only what tensors "
                   "need is read, and nothing is run)",
                   name_of(g).text);
}

/* Arguments of a call, and what is called. */
static elman_status pop_call(el_pickle_machine *m, int32_t *what, int32_t *with)
{
    elman_status s = el_pickle_pop(m, with);
    if (!s)
        s = el_pickle_pop(m, what);
    if (s)
        return s;
    if (el_pickle_node_at(m, *what)->type != EL_PICKLE_GLOBAL ||
        el_pickle_node_at(m, *with)->type != EL_PICKLE_TUPLE)
        return el_fail(ELMAN_EFORMAT,
                       "the pickle calls something that is no global");
    return ELMAN_OK;
}

/* Whether there are no arguments but perhaps one global. */
static bool has_no_items(const el_pickle_machine *m,
                         const el_pickle_node *arguments)
{
    const el_pickle *const t = m->tree;
    return arguments->count == 0 ||
           (arguments->count == 1 &&
            t->nodes[t->cells[arguments->first].value].type ==
                EL_PICKLE_GLOBAL);
}

/* A call is never made: it becomes a node. */
elman_status el_pickle_op_reduce(el_pickle_machine *m)
{
    int32_t what, with;
    const elman_status s = pop_call(m, &what, &with);
    if (s)
        return s;
    const el_pickle_node *const g = el_pickle_node_at(m, what);
    const el_pickle_node *const arguments = el_pickle_node_at(m, with);
    const el_pickle_use use =
        g->integer < 0 ? EL_PICKLE_INERT : m->list[g->integer].use;
    if (use == EL_PICKLE_MAKES_DICT && has_no_items(m, arguments))
        return el_pickle_gather(m, EL_PICKLE_DICT, m->depth);
    if (use == EL_PICKLE_MAKES_LIST && arguments->count == 0)
        return el_pickle_gather(m, EL_PICKLE_LIST, m->depth);
    if (use == EL_PICKLE_MAKES_LIST && arguments->count == 1) {
        const int32_t list = m->tree->cells[arguments->first].value;
        if (el_pickle_node_at(m, list)->type == EL_PICKLE_LIST)
            return el_pickle_push(m, list);
    }
    if (use != EL_PICKLE_CALLED)
        return refuse_call(g);
    el_pickle_node *const node = el_pickle_push_node(m, EL_PICKLE_CALL);
    if (!node)
        return ELMAN_ENOMEM;
    node->what = what;
    node->with = with;
    return ELMAN_OK;
}

/* Of any class: an object is what is kept of it, and its code is not run. */
elman_status el_pickle_op_newobj(el_pickle_machine *m)
{
    int32_t what, with;
    const elman_status s = pop_call(m, &what, &with);
    if (s)
        return s;
    el_pickle_node *const g = el_pickle_node_at(m, what);
    if (g->integer == EL_PICKLE_FOREIGN)
        g->integer = EL_PICKLE_FOREIGN_CLASS;
    el_pickle_node *const node = el_pickle_push_node(m, EL_PICKLE_OBJECT);
    if (!node)
        return ELMAN_ENOMEM;
    node->what = what;
    return ELMAN_OK;
}

/* What else has a state (an OrderedDict with attributes) loses it. */
elman_status el_pickle_op_build(el_pickle_machine *m)
{
    int32_t state, object;
    elman_status s = el_pickle_pop(m, &state);
    if (!s)
        s = el_pickle_top(m, &object);
    if (s)
        return s;
    el_pickle_node *const node = el_pickle_node_at(m, object);
    if (node->type == EL_PICKLE_OBJECT && node->with < 0)
        node->with = state;
    else if (node->type != EL_PICKLE_DICT && node->type != EL_PICKLE_CALL)
        s = el_fail(ELMAN_EFORMAT, "the pickle gives a state to something that "
                                   "has none");
    return s;
}

elman_status el_pickle_op_persistent(el_pickle_machine *m)
{
    int32_t id;
    const elman_status s = el_pickle_pop(m, &id);
    if (s)
        return s;
    el_pickle_node *const node = el_pickle_push_node(m, EL_PICKLE_PERSISTENT);
    if (!node)
        return ELMAN_ENOMEM;
    node->with = id;
    return ELMAN_OK;
}

/* Globals that are not on the list are fine as classes alone. */
elman_status el_pickle_check_globals(const el_pickle_machine *m)
{
    for (int64_t i = 0; i < m->tree->node_count; ++i) {
        const el_pickle_node *const node = &m->tree->nodes[i];
        if (node->type == EL_PICKLE_GLOBAL &&
            node->integer == EL_PICKLE_FOREIGN)
            return el_fail(ELMAN_EFORMAT,
                           "the pickle names %s, which is refused",
                           name_of(node).text);
    }
    return ELMAN_OK;
}
