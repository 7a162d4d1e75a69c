/* SPDX-License-Identifier: MIT */
/* test_torch_file.c - what torch.save writes, made by hand: numbers, strides,
 * names, and what is refused.  tests/golden/from_torch.py has PyTorch itself
 * write such files. */
#include "interop/torch_file.h"
#include "io/safetensors.h"
#include "test_context.h"

#include "support/expect.h"
#include "support/forge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static forged pickle, file;

static elman_status parse(const void *storage, size_t size, elman_tensors **out)
{
    file.size = 0;
    forged_torch(&file, pickle.bytes, pickle.size, storage, size);
    assert_false(pickle.full || file.full);
    return el_torch_parse(test_context(), "FILE", file.bytes, file.size, out);
}

/* Without libzip there is nothing to test but that it says so. */
static bool without_libzip(void)
{
    static bool known, without;
    elman_tensors *none;
    if (!known) {
        pickle.size = 0;
        forged_text(&pickle, "\x80\x02N.");
        without = parse("", 0, &none) == ELMAN_EUNSUPPORTED;
        expect_sentence("el_torch_parse", without ? "without libzip" : "FILE");
        known = true;
    }
    return without;
}

static elman_tensors *read_dict(const pickled *list, int count,
                                const void *storage, size_t size)
{
    elman_tensors *out;
    pickle.size = 0;
    pickle_dict(&pickle, list, count);
    must(parse(storage, size, &out));
    assert_int_equal(el_tensors_count(out), count);
    return out;
}

/* ---- Numbers -------------------------------------------------------------*/

static void test_strides(void **state)
{
    static const float stored[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    static const pickled list[] = {
        {"whole", "FloatStorage", 12, 0, {3, 4}, {4, 1}, 2},
        {"turned", "FloatStorage", 12, 0, {4, 3}, {1, 4}, 2},
        {"part", "FloatStorage", 12, 5, {2, 2}, {4, 1}, 2},
        {"one", "FloatStorage", 12, 11, {0}, {0}, 0},
        {"spread", "FloatStorage", 12, 3, {2, 3}, {1, 0}, 2},
        {"nothing", "FloatStorage", 12, 99, {0, 5}, {5, 1}, 2},
        {"deep", "FloatStorage", 12, 1, {2, 1, 2}, {6, 50, 2}, 3}};
    static const struct {
        int count;
        float values[12];
    } wanted[] = {{12, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
                  {12, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
                  {4, {5, 6, 9, 10}},
                  {1, {11}},
                  {6, {3, 3, 3, 4, 4, 4}},
                  {0, {0}},
                  {4, {1, 3, 7, 9}}};
    (void)state;
    if (without_libzip())
        skip();
    elman_tensors *const out = read_dict(list, 7, stored, sizeof stored);
    for (int i = 0; i < 7; ++i) {
        trying("%s", list[i].name);
        const elman_tensor *const t = el_tensors_at(out, i);
        assert_string_equal(t->name, list[i].name);
        assert_int_equal(t->dtype, ELMAN_F32);
        assert_int_equal(t->rank, list[i].rank);
        assert_memory_equal(t->shape, list[i].shape, sizeof list[i].shape);
        assert_int_equal(t->count, wanted[i].count);
        assert_true((uintptr_t)t->data % 8 == 0);
        expect_same("numbers", ELMAN_F32, t->data, wanted[i].values, t->count);
    }
    el_tensors_free(out);
    assert_int_equal(test_live, 0);
}

/* One number of a storage, of so many bytes. */
static elman_tensors *one(const char *storage, uint64_t bits, int size)
{
    const pickled t = {"n", storage, 1, 0, {1}, {1}, 1};
    unsigned char bytes[8];
    for (int i = 0; i < size; ++i)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    return read_dict(&t, 1, bytes, (size_t)size);
}

static void check_float(const char *storage, uint64_t bits, int size,
                        float wanted)
{
    trying("%s 0x%llx", storage, (unsigned long long)bits);
    elman_tensors *const out = one(storage, bits, size);
    const elman_tensor *const t = el_tensors_at(out, 0);
    assert_int_equal(t->dtype, ELMAN_F32);
    expect_same("the number", ELMAN_F32, t->data, &wanted, 1);
    el_tensors_free(out);
}

static void check_integer(const char *storage, uint64_t bits, int size,
                          elman_dtype dtype, int64_t wanted)
{
    trying("%s 0x%llx", storage, (unsigned long long)bits);
    elman_tensors *const out = one(storage, bits, size);
    const elman_tensor *const t = el_tensors_at(out, 0);
    assert_int_equal(t->dtype, dtype);
    int64_t got = 0;
    if (dtype == ELMAN_I64)
        memcpy(&got, t->data, 8);
    else
        got = dtype == ELMAN_I32 ? *(const int32_t *)t->data
                                 : *(const uint8_t *)t->data;
    assert_int_equal(got, wanted);
    el_tensors_free(out);
}

static void test_numbers(void **state)
{
    (void)state;
    if (without_libzip())
        skip();
    check_float("FloatStorage", 0x3f800000, 4, 1);
    check_float("HalfStorage", 0x3c00, 2, 1);
    check_float("HalfStorage", 0xc500, 2, -5);
    check_float("HalfStorage", 0x7bff, 2, 65504);
    check_float("HalfStorage", 0x0400, 2, 0x1p-14f);
    check_float("HalfStorage", 0x0001, 2, 0x1p-24f);
    check_float("HalfStorage", 0x83ff, 2, -0x3ffp-24f);
    check_float("HalfStorage", 0x8000, 2, -0.0f);
    check_float("HalfStorage", 0x7c00, 2, INFINITY);
    check_float("HalfStorage", 0xfc00, 2, -INFINITY);
    check_float("HalfStorage", 0x7e00, 2, NAN);
    check_float("BFloat16Storage", 0x3f80, 2, 1);
    check_float("BFloat16Storage", 0xc0a0, 2, -5);
    check_float("BFloat16Storage", 0x0001, 2, 0x1p-133f);
    check_float("BFloat16Storage", 0xff80, 2, -INFINITY);
    check_integer("LongStorage", 0x8000000000000001, 8, ELMAN_I64,
                  INT64_MIN + 1);
    check_integer("IntStorage", 0xfffffffe, 4, ELMAN_I32, -2);
    check_integer("ShortStorage", 0xfffe, 2, ELMAN_I32, -2);
    check_integer("CharStorage", 0x80, 1, ELMAN_I32, -128);
    check_integer("ByteStorage", 0x80, 1, ELMAN_U8, 128);
    check_integer("BoolStorage", 0x01, 1, ELMAN_U8, 1);
    trying("DoubleStorage");
    elman_tensors *const out = one("DoubleStorage", 0xbff8000000000000, 8);
    assert_int_equal(el_tensors_at(out, 0)->dtype, ELMAN_F64);
    assert_true(*(const double *)el_tensors_at(out, 0)->data == -1.5);
    el_tensors_free(out);
    assert_int_equal(test_live, 0);
}

/* ---- Names ---------------------------------------------------------------*/

static const pickled weight = {"weight", "FloatStorage", 2, 0, {2}, {1}, 1};

static void begin_object(const char *class)
{
    forged_text(&pickle, "c__main__\n");
    forged_text(&pickle, class);
    forged_text(&pickle, "\n)\x81}(");
}

static void test_names(void **state)
{
    static const float two[2] = {1, 2};
    static const char *const names[] = {"net.0.weight", "net.1", "net.7.a",
                                        "net.b"};
    elman_tensors *out;
    (void)state;
    if (without_libzip())
        skip();
    /* {"net": [{"weight": t}, t, ...]} by dicts, lists, numbers and an object
     * that is no module but has items. */
    trying("containers in containers");
    pickle.size = 0;
    forged_text(&pickle, "\x80\x02}");
    pickle_text(&pickle, "net");
    forged_text(&pickle, "}(K\1");
    pickle_tensor(&pickle, &weight);
    forged_number(&pickle, 'K', 1);
    forged_number(&pickle, 0, 1);
    forged_text(&pickle, "}");
    pickle_text(&pickle, "weight");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "s"
                         "K\x07"
                         "c__main__\nBag\n)\x81");
    pickle_text(&pickle, "a");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "s");
    pickle_text(&pickle, "b");
    forged_text(&pickle, "ctorch._utils\n_rebuild_parameter\n(");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "\x88NtRus.");
    must(parse(two, sizeof two, &out));
    assert_int_equal(el_tensors_count(out), 4);
    for (int i = 0; i < 4; ++i)
        assert_non_null(el_tensors_find(out, names[i]));
    el_tensors_free(out);

    trying("a module");
    pickle.size = 0;
    forged_text(&pickle, "\x80\x02");
    begin_object("Net");
    pickle_text(&pickle, "other");
    pickle_tensor(&pickle, &weight);
    pickle_text(&pickle, "mode");
    pickle_text(&pickle, "RNN_RELU");
    pickle_text(&pickle, "_parameters");
    forged_text(&pickle, "}");
    pickle_text(&pickle, "w");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "s");
    pickle_text(&pickle, "_buffers");
    forged_text(&pickle, "}");
    pickle_text(&pickle, "v");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "s");
    pickle_text(&pickle, "_modules");
    forged_text(&pickle, "}");
    pickle_text(&pickle, "in");
    begin_object("Sub");
    pickle_text(&pickle, "_parameters");
    forged_text(&pickle, "}");
    pickle_text(&pickle, "w");
    pickle_tensor(&pickle, &weight);
    forged_text(&pickle, "sub"
                         "s"
                         "ub.");
    must(parse(two, sizeof two, &out));
    assert_int_equal(el_tensors_count(out), 3);
    assert_non_null(el_tensors_find(out, "w"));
    assert_non_null(el_tensors_find(out, "v"));
    assert_non_null(el_tensors_find(out, "in.w"));
    assert_string_equal(el_tensors_meta(out, "class"), "__main__.Net");
    assert_string_equal(el_tensors_meta(out, "mode"), "RNN_RELU");
    assert_string_equal(el_tensors_meta(out, "in.class"), "__main__.Sub");
    assert_null(el_tensors_meta(out, "in.mode"));
    el_tensors_free(out);
    assert_int_equal(test_live, 0);
}

/* What lies beside the state dict of a checkpoint is passed over, and only
 * that. */
static void test_numpy(void **state)
{
    static const float two[2] = {1, 2};
    static const char *const cores[] = {"core", "_core"};
    elman_tensors *out;
    (void)state;
    if (without_libzip())
        skip();
    for (int i = 0; i < 2; ++i) {
        trying("numpy.%s", cores[i]);
        pickle.size = 0;
        forged_text(&pickle, "\x80\x02}(");
        pickle_text(&pickle, "epoch");
        pickle_numpy_number(&pickle, cores[i]);
        pickle_text(&pickle, "losses");
        pickle_numpy_array(&pickle, cores[i]);
        pickle_text(&pickle, "digest");
        pickle_bytes(&pickle, "x");
        pickle_text(&pickle, "none");
        forged_text(&pickle, "c__builtin__\nbytes\n)R");
        pickle_text(&pickle, "model");
        forged_text(&pickle, "}");
        pickle_text(&pickle, "weight");
        pickle_tensor(&pickle, &weight);
        forged_text(&pickle, "su.");
        must(parse(two, sizeof two, &out));
        assert_int_equal(el_tensors_count(out), 1);
        assert_non_null(el_tensors_find(out, "model.weight"));
        el_tensors_free(out);

        pickle.size = 0;
        forged_text(&pickle, "\x80\x02}");
        pickle_text(&pickle, "weight");
        pickle_numpy_array(&pickle, cores[i]);
        forged_text(&pickle, "s.");
        must_fail(parse("", 0, &out), ELMAN_EFORMAT,
                  "there is no tensor in it, but arrays of NumPy");
    }
    assert_int_equal(test_live, 0);
}

/* ---- What is refused -----------------------------------------------------*/

static void no(const char *code, const char *words)
{
    elman_tensors *out;
    static const float four[4] = {0};
    trying("%s", words);
    pickle.size = 0;
    forged_text(&pickle, code);
    must_fail(parse(four, sizeof four, &out), ELMAN_EFORMAT, words);
    expect_sentence("el_torch_parse", "FILE: ");
    assert_null(out);
    assert_int_equal(test_live, 0);
}

static void no_tensor(pickled t, const char *words)
{
    elman_tensors *out;
    static const float four[4] = {0};
    trying("%s", words);
    t.name = "name";
    t.storage = t.storage ? t.storage : "FloatStorage";
    pickle.size = 0;
    pickle_dict(&pickle, &t, 1);
    must_fail(parse(four, sizeof four, &out), ELMAN_EFORMAT, words);
    expect_sentence("el_torch_parse", "FILE: ");
    assert_null(out);
    assert_int_equal(test_live, 0);
}

static void test_refused(void **state)
{
    (void)state;
    if (without_libzip())
        skip();
    no("\x80\x02"
       "cposix\nsystem\nX\4\0",
       "ends within");
    no("\x80\x02"
       "cposix\nsystem\n)R.",
       "the pickle calls posix.system, which is refused");
    no("\x80\x02]cposix\nsystem\na.",
       "the pickle names posix.system, which is refused");
    no("\x80\x04U\2osU\6system\x93)R.", "the pickle calls os.system");
    no("\x80\x02"
       "cbuiltins\neval\n)R.",
       "builtins.eval");
    no("\x80\x02"
       "ctorch\nload\n)R.",
       "torch.load");
    no("\x80\x02"
       "ccollections\nOrderedDict\n]\x85R.",
       "collections.OrderedDict");
    no("\x80\x02"
       "ctorchx\ny\n.",
       "torchx.y");
    no("\x80\x02"
       "cnumpy.core.multiarray\nfromstring\n)R.",
       "the pickle calls numpy.core.multiarray.fromstring, which is refused");
    no("\x80\x02"
       "cnumpy\nndarray\n)R.",
       "the pickle calls numpy.ndarray, which is refused");
    no("\x80\x02"
       "cnumpy._core.multiarray.scalar\nx\n)R.",
       "multiarray.scalar.x, which is refused");
    no("\x80\x02"
       "c_codecs\ndecode\n)R.",
       "the pickle calls _codecs.decode, which is refused");
    no("I1\n.", "opcode INT");
    no("\x80\x02\x92.", "opcode NEWOBJ_EX");
    no("\x80\x02N.", "there is no tensor in it");
    no("\x80\x02r\xff\xff\xff\x7f.", "empty stack");
    no("\x80\x02Nr\xff\xff\xff\x7f.", "remembers number");
    no("\x80\x02]q\1.", "remembers number 1");
    no("\x80\x02}q", "ends within");

    no_tensor((pickled){.numbers = 4, .shape = {5}, .stride = {1}, .rank = 1},
              "name: it reaches beyond");
    no_tensor(
        (pickled){
            .numbers = 4, .shape = {1}, .stride = {1}, .rank = 1, .offset = 4},
        "reaches beyond");
    no_tensor((pickled){.numbers = 4, .shape = {-1}, .stride = {1}, .rank = 1},
              "no numbers from 0");
    no_tensor((pickled){.numbers = 4, .shape = {1}, .stride = {-1}, .rank = 1},
              "no numbers from 0");
    no_tensor((pickled){.numbers = 4, .offset = -1}, "offset");
    no_tensor((pickled){.numbers = -1}, "torch.save writes");
    no_tensor((pickled){.numbers = 5}, "has not the size");
    no_tensor((pickled){.numbers = INT64_MAX}, "has not the size");
    no_tensor(
        (pickled){
            .numbers = 4, .shape = {INT64_MAX, 2}, .stride = {0, 0}, .rank = 2},
        "too large");
    no_tensor((pickled){.numbers = 4,
                        .shape = {3, 3},
                        .stride = {INT64_MAX, INT64_MAX},
                        .rank = 2},
              "strides are too large");
    no_tensor((pickled){.numbers = 4,
                        .shape = {INT64_C(1) << 33},
                        .stride = {0},
                        .rank = 1},
              "much larger than the file");
    no_tensor((pickled){.numbers = 4, .storage = "QInt8Storage"},
              "QInt8Storage, which is not read");
    no_tensor((pickled){.numbers = 2, .storage = "FloatStorage"},
              "has not the size");
}

static void test_containers(void **state)
{
    static const struct {
        elman_status status;
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {{ELMAN_EFORMAT, "", 0, "torch.save did not write it"},
                 {ELMAN_EFORMAT, "PK\3\4", 4, ""},
                 {ELMAN_EFORMAT, "PK\5\6", 4, ""},
                 {ELMAN_EFORMAT, "{\"a\":1}", 7, "torch.save did not write it"},
                 {ELMAN_EUNSUPPORTED,
                  "\x80\2\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", 15,
                  "before 1.6"}};
    static const forged_entry none[] = {{"readme", "x", 1}};
    static const forged_entry script[] = {{"a/data.pkl", "\x80\2N.", 4},
                                          {"a/constants.pkl", "\x80\2N.", 4}};
    elman_tensors *out;
    (void)state;
    if (without_libzip())
        skip();
    for (int i = 0; i < 5; ++i) {
        trying("file %d", i);
        must_fail(el_torch_parse(test_context(), "FILE", files[i].bytes,
                                 files[i].size, &out),
                  files[i].status, files[i].words);
        expect_sentence("el_torch_parse", "FILE: ");
    }
    trying("other archives");
    file.size = 0;
    forged_zip(&file, none, 1);
    must_fail(
        el_torch_parse(test_context(), "FILE", file.bytes, file.size, &out),
        ELMAN_EFORMAT, "there is no data.pkl");
    file.size = 0;
    forged_zip(&file, script, 2);
    must_fail(
        el_torch_parse(test_context(), "FILE", file.bytes, file.size, &out),
        ELMAN_EUNSUPPORTED, "TorchScript");

    trying("an archive that is cut or damaged");
    static const float two[2] = {1, 2};
    pickle.size = 0;
    pickle_dict(&pickle, &weight, 1);
    must(parse(two, sizeof two, &out));
    el_tensors_free(out);
    for (size_t size = 0; size < file.size; ++size)
        assert_int_not_equal(
            el_torch_parse(test_context(), "FILE", file.bytes, size, &out),
            ELMAN_OK);
    for (size_t i = 0; i < file.size; ++i) {
        file.bytes[i] ^= 0x55;
        if (el_torch_parse(test_context(), "FILE", file.bytes, file.size,
                           &out) == ELMAN_OK)
            el_tensors_free(out);
        file.bytes[i] ^= 0x55;
        assert_int_equal(test_live, 0);
    }
}

/* An object of many attributes that a list has again and again. */
static void test_again(void **state)
{
    elman_tensors *out;
    (void)state;
    if (without_libzip())
        skip();
    pickle.size = 0;
    forged_text(&pickle, "\x80\x02](c__main__\nNet\n)\x81q");
    forged_number(&pickle, 0, 1);
    forged_text(&pickle, "}(");
    for (int i = 0; i < 1000; ++i) {
        pickle_text(&pickle, "k");
        forged_text(&pickle, "N");
    }
    forged_text(&pickle, "ub");
    for (int i = 0; i < 4000; ++i) {
        forged_text(&pickle, "h");
        forged_number(&pickle, 0, 1);
    }
    forged_text(&pickle, "e.");
    must_fail(parse("", 0, &out), ELMAN_EFORMAT, "there is too much in it");
    assert_int_equal(test_live, 0);
}

/* What PyTorch 2.7 and later put beside the tensors. */
static void test_newer(void **state)
{
    static const float two[2] = {1, 2};
    static const unsigned char turned[8] = {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0};
    elman_tensors *out;
    (void)state;
    if (without_libzip())
        skip();
    for (int big = 0; big < 2; ++big) {
        pickle.size = 0;
        pickle_dict(&pickle, &weight, 1);
        const forged_entry entries[] = {
            {"net/data.pkl", pickle.bytes, pickle.size},
            {"net/.format_version", "1", 1},
            {"net/.storage_alignment", "64", 2},
            {"net/byteorder", big ? "big" : "little", big ? 3 : 6},
            {"net/data/0", big ? (const void *)turned : two, sizeof two},
            {"net/version", "3\n", 2},
            {"net/.data/serialization_id", "0636924217311110", 16}};
        trying("newer files, %s-endian", big ? "big" : "little");
        file.size = 0;
        forged_zip_aligned(&file, entries, 7);
        assert_false(file.full);
        must(el_torch_parse(test_context(), "FILE", file.bytes, file.size,
                            &out));
        assert_int_equal(el_tensors_count(out), 1);
        expect_same("numbers", ELMAN_F32, el_tensors_at(out, 0)->data, two, 2);
        el_tensors_free(out);
    }
    assert_int_equal(test_live, 0);
}

static void test_memory(void **state)
{
    static const float two[2] = {1, 2};
    elman_tensors *out;
    int64_t n = 0;
    (void)state;
    if (without_libzip())
        skip();
    pickle.size = 0;
    pickle_dict(&pickle, &weight, 1);
    do {
        trying("allocation %lld", (long long)n);
        test_fail_after(n++);
        const elman_status s = parse(two, sizeof two, &out);
        test_fail_never();
        assert_int_equal(s, test_failed ? ELMAN_ENOMEM : ELMAN_OK);
        if (!s)
            el_tensors_free(out);
        assert_int_equal(test_live, 0);
    } while (test_failed);
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strides),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_newer),
        cmocka_unit_test(test_again),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
