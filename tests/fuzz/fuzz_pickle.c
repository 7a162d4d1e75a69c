/* SPDX-License-Identifier: MIT */
/* fuzz_pickle.c - any bytes as a pickle: what is taken is a tree that can be
 * looked at, and took no more memory than its bytes account for. */
#include "../unit/test_context.h"
#include "../../src/interop/pickle.h"
#include "../support/forge.h"
#include "standalone.h"

static const el_pickle_global list[] = {
    {"collections", "OrderedDict", EL_PICKLE_MAKES_DICT},
    {"builtins", "set", EL_PICKLE_MAKES_LIST},
    {"torch._utils", "_rebuild_tensor_v2", EL_PICKLE_CALLED},
    {"numpy", "dtype", EL_PICKLE_CALLED},
    {"numpy", "ndarray", EL_PICKLE_INERT},
    {"numpy.core.multiarray", "scalar", EL_PICKLE_CALLED},
    {"numpy._core.multiarray", "_reconstruct", EL_PICKLE_CALLED},
    {"_codecs", "encode", EL_PICKLE_CALLED},
    {"torch", NULL, EL_PICKLE_INERT}};

static size_t touched;

static void check_text(el_pickle_text text, const uint8_t *data, size_t size)
{
    FUZZ_CHECK(text.size <= size);
    FUZZ_CHECK(text.size == 0 ||
               ((const uint8_t *)text.at >= data &&
                (const uint8_t *)text.at + text.size <= data + size));
    for (size_t i = 0; i < text.size; ++i)
        touched += (unsigned char)text.at[i];
}

static bool is_node(const el_pickle *p, int32_t value)
{
    return value >= 0 && value < p->node_count;
}

static bool may_be_called(el_pickle_text name)
{
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i)
        if (list[i].use == EL_PICKLE_CALLED &&
            el_pickle_text_is(name, list[i].name))
            return true;
    return false;
}

static void check_node(const el_pickle *p, const el_pickle_node *node,
                       const uint8_t *data, size_t size)
{
    int32_t cell = node->first;
    check_text(node->text, data, size);
    check_text(node->name, data, size);
    for (int32_t i = 0; i < node->count; ++i) {
        FUZZ_CHECK(cell >= 0 && cell < p->cell_count);
        FUZZ_CHECK(is_node(p, p->cells[cell].value));
        cell = p->cells[cell].next;
    }
    FUZZ_CHECK(cell == -1);
    if (node->type == EL_PICKLE_DICT || node->type == EL_PICKLE_OBJECT)
        FUZZ_CHECK(node->count % 2 == 0);
    if (node->type == EL_PICKLE_CALL) {
        FUZZ_CHECK(is_node(p, node->what) && is_node(p, node->with));
        const el_pickle_node *const g = el_pickle_at(p, node->what);
        FUZZ_CHECK(g->type == EL_PICKLE_GLOBAL && may_be_called(g->name));
        FUZZ_CHECK(el_pickle_at(p, node->with)->type == EL_PICKLE_TUPLE);
    }
    if (node->type == EL_PICKLE_OBJECT)
        FUZZ_CHECK(is_node(p, node->what));
    if (node->type == EL_PICKLE_PERSISTENT)
        FUZZ_CHECK(is_node(p, node->with));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    el_pickle pickle;
    const elman_status status =
        el_pickle_read(test_context(), data, size, list,
                       sizeof list / sizeof list[0], &pickle);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT);
    if (status == ELMAN_OK) {
        FUZZ_CHECK(is_node(&pickle, pickle.root));
        FUZZ_CHECK(pickle.node_count <= (int64_t)size);
        FUZZ_CHECK(pickle.cell_count <= (int64_t)size);
        for (int64_t i = 0; i < pickle.node_count; ++i)
            check_node(&pickle, &pickle.nodes[i], data, size);
        if (el_pickle_at(&pickle, pickle.root)->type == EL_PICKLE_DICT)
            el_pickle_get(&pickle, pickle.root, "a");
        el_pickle_item(&pickle, pickle.root, 3);
    }
    el_pickle_free(&pickle);
    FUZZ_CHECK(test_live == 0);
    return 0;
}

#define SEED(text)                                                             \
    {                                                                          \
        text, sizeof text - 1                                                  \
    }

FUZZ_MAIN
{
    static forged dict, numpy;
    static const pickled tensors[] = {
        {"a", "FloatStorage", 6, 0, {2, 3}, {3, 1}, 2},
        {"b", "HalfStorage", 6, 1, {3}, {2}, 1}};
    pickle_dict(&dict, tensors, 2);
    forged_text(&numpy, "\x80\x02(");
    pickle_numpy_number(&numpy, "core");
    pickle_numpy_array(&numpy, "_core");
    forged_text(&numpy, "t.");
    const fuzz_seed seeds[] = {
        {dict.bytes, dict.size},
        {numpy.bytes, numpy.size},
        SEED("\x80\x02}(X\1\0\0\0aK\1M\2\1J\xff\xff\xff\xffNu."),
        SEED("\x80\x04\x95\1\0\0\0\0\0\0\0]\x94(\x8c\1a\x94\x88\x89"
             "G\0\0\0\0\0\0\0\0\x8a\2\xff\x7f\x8b\1\0\0\0\5e."),
        SEED("\x80\x02"
             "c__main__\nNet\n)\x81q\0}q\1X\1\0\0\0xK\1sb."),
        SEED("\x80\x04\x8c\x05torch\x8c\x04tanh\x93\x94h\0\x86."),
        SEED("\x80\x02"
             "cbuiltins\nset\n]q\0X\1\0\0\0aa\x85R0h\0(h\0NNt2\x87Q."),
        SEED("\x80\x04\x8f(K\1K\2\x90(K\3l(K\4d01.")};
    return fuzz_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], 200000);
}
