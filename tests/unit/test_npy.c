/* SPDX-License-Identifier: MIT */
/* test_npy.c - arrays in NumPy's format. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include "io/npy.h"
#include "io/safetensors.h"
#include "test_context.h"
#include "test_folder.h"

#include "support/expect.h"
#include "support/forge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_status parse(const void *bytes, size_t size, elman_tensors **out)
{
    void *const copy = el_alloc(test_context(), size);
    if (!copy)
        return ELMAN_ENOMEM;
    if (size > 0)
        memcpy(copy, bytes, size);
    return el_npy_parse(test_context(), "FILE", copy, size, out);
}

/* A file of version 1 with this header and these numbers. */
static elman_status parse_header(const char *header, const void *data,
                                 size_t size, elman_tensors **out)
{
    static forged f;
    f.size = 0;
    forged_text(&f, "\x93NUMPY\1");
    forged_number(&f, 0, 1);
    forged_number(&f, strlen(header), 2);
    forged_text(&f, header);
    forged_add(&f, data, size);
    assert_false(f.full);
    return parse(f.bytes, f.size, out);
}

#define HEADER(descr, order, shape)                                            \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }"

static void check(const char *header, const void *data, size_t size,
                  elman_dtype dtype, int rank, const int64_t *shape,
                  const void *wanted)
{
    elman_tensors *out;
    trying("%s", header);
    must(parse_header(header, data, size, &out));
    const elman_tensor *const t = el_tensors_at(out, 0);
    assert_string_equal(t->name, "array");
    assert_int_equal(t->dtype, dtype);
    assert_int_equal(t->rank, rank);
    for (int i = 0; i < rank; ++i)
        assert_int_equal(t->shape[i], shape[i]);
    if (size > 0)
        assert_memory_equal(t->data, wanted, size);
    el_tensors_free(out);
    assert_int_equal(test_live, 0);
}

static void test_read(void **state)
{
    static const float f4[6] = {0, 1, 2, 3, 4, 5};
    static const float turned[6] = {0, 2, 4, 1, 3, 5};
    static const double f8[1] = {-1.5};
    static const int32_t i4[2] = {-7, 8};
    static const int64_t i8[2] = {INT64_MIN, INT64_MAX};
    static const unsigned char u1[3] = {0, 128, 255};
    static const int64_t s23[] = {2, 3}, s2[] = {2}, s3[] = {3},
                         s12[] = {1, 2, 1}, s07[] = {0, 7};
    (void)state;
    check(HEADER("<f4", "False", "(2, 3)"), f4, 24, ELMAN_F32, 2, s23, f4);
    check(HEADER("<f4", "True", "(2, 3)"), f4, 24, ELMAN_F32, 2, s23, turned);
    check(HEADER("<f8", "False", "()"), f8, 8, ELMAN_F64, 0, NULL, f8);
    check(HEADER("<i4", "True", "(2,)"), i4, 8, ELMAN_I32, 1, s2, i4);
    check(HEADER("<i8", "False", "(1, 2, 1)"), i8, 16, ELMAN_I64, 3, s12, i8);
    check(HEADER("|u1", "False", "(3,)"), u1, 3, ELMAN_U8, 1, s3, u1);
    check(HEADER("<f4", "True", "(0, 7)"), NULL, 0, ELMAN_F32, 2, s07, NULL);
    check("{\"shape\":(3),\"descr\":\"|u1\",\"fortran_order\":False}   \n", u1,
          3, ELMAN_U8, 1, s3, u1);
}

static void no(const char *header, size_t size, const char *words)
{
    elman_tensors *out;
    static const char zeros[64];
    trying("%s", header);
    must_fail(parse_header(header, zeros, size, &out), ELMAN_EFORMAT, words);
    expect_sentence("el_npy_parse", "FILE: ");
    assert_null(out);
    assert_int_equal(test_live, 0);
}

static void test_refused(void **state)
{
    elman_tensors *out;
    (void)state;
    no(HEADER("<f4", "False", "(2, 3)"), 23, "does not fit");
    no(HEADER("<f4", "False", "(2, 3)"), 25, "does not fit");
    no(HEADER("<f4", "False", "(4611686018427387904, 4)"), 0, "does not fit");
    no(HEADER("<f4", "False", "(4611686018427387904, 4, 0)"), 0,
       "does not fit");
    no(HEADER("<f4", "False", "(9223372036854775808,)"), 0, "no number");
    no(HEADER("<f4", "False", "(-1,)"), 0, "no number");
    no(HEADER("<f4", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, "more than 8");
    no(HEADER("<f4", "False", "(1"), 4, "shape");
    no(HEADER("<f4", "False", "1"), 4, "no tuple");
    no(HEADER("<f4", "No", "(1,)"), 4, "neither True nor False");
    no(HEADER(">f4", "False", "(1,)"), 4, ">f4");
    no(HEADER("<f2", "False", "(1,)"), 2, "<f2");
    no(HEADER("|O", "False", "(1,)"), 8, "|O");
    no("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4,
       "no short string");
    no("{'descr': '<f4', 'fortran_order': False, }", 4, "needs descr");
    no("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", 4, "should not");
    no("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4,
       "should not");
    no("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4,
       "nothing else");
    no("{'descr': '<f4'", 4, "does not end");
    no("", 4, "no dictionary");

    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {{"", 0, "no .npy file"},
                 {"\x93NUMPY", 6, "no .npy file"},
                 {"\x93NUMPX\1\0\2\0{}", 12, "no .npy file"},
                 {"\x93NUMPY\4\0\2\0\0\0{}", 14, "version 4"},
                 {"\x93NUMPY\2\0\2\0", 10, "ends within its header"},
                 {"\x93NUMPY\1\0\xff\xff{}", 12, "header would have 65535"},
                 {"\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, "4294967295"}};
    for (int i = 0; i < 7; ++i) {
        trying("file %d", i);
        must_fail(parse(files[i].bytes, files[i].size, &out), ELMAN_EFORMAT,
                  files[i].words);
    }
    assert_int_equal(test_live, 0);
}

static void test_write(void **state)
{
    static const int64_t i8[6] = {1, -2, 3, -4, 5, -6};
    static const char head[] =
        "\x93NUMPY\1\0v\0{'descr': '<i8', 'fortran_order': False, 'shape': (2, "
        "3,), }";
    const elman_tensor t = {.name = "x",
                            .dtype = ELMAN_I64,
                            .rank = 2,
                            .shape = {2, 3},
                            .count = 6,
                            .data = i8};
    elman_tensors *out;
    size_t size;
    (void)state;
    trying("writing");
    must(el_npy_write(test_context(), "file.npy", &t));
    char *const bytes = file_read("file.npy", &size);
    assert_int_equal(size, 128 + sizeof i8);
    assert_memory_equal(bytes, head, sizeof head - 1);
    assert_int_equal(bytes[127], '\n');
    free(bytes);
    must(el_npy_read(test_context(), "file.npy", &out));
    assert_memory_equal(el_tensors_at(out, 0)->data, i8, sizeof i8);
    el_tensors_free(out);

    trying("the widest shape");
    elman_tensor wide = {.name = "x", .dtype = ELMAN_U8, .rank = 8};
    for (int i = 0; i < 8; ++i)
        wide.shape[i] = i == 3 ? 0 : INT64_MAX / 2;
    must(el_npy_write(test_context(), "wide.npy", &wide));
    must_fail(el_npy_read(test_context(), "wide.npy", &out), ELMAN_EFORMAT,
              "does not fit");
    must_fail(el_npy_read(test_context(), "none.npy", &out), ELMAN_EIO,
              "none.npy");
    file_write_text("text.npy", "not one");
    must_fail(el_npy_read(test_context(), "text.npy", &out), ELMAN_EFORMAT,
              "text.npy: it is no .npy file");
    assert_int_equal(test_live, 0);
}

static void test_memory(void **state)
{
    static const float f4[6] = {0, 1, 2, 3, 4, 5};
    elman_tensors *out;
    int64_t n = 0;
    (void)state;
    do {
        trying("allocation %lld", (long long)n);
        test_fail_after(n++);
        const elman_status s =
            parse_header(HEADER("<f4", "True", "(2, 3)"), f4, 24, &out);
        test_fail_never();
        assert_int_equal(s, test_failed ? ELMAN_ENOMEM : ELMAN_OK);
        if (!s)
            el_tensors_free(out);
        assert_int_equal(test_live, 0);
    } while (test_failed);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
