/* SPDX-License-Identifier: MIT */
/* test_c_source.c - rounded weights, constants, and what elman_c_write does
 * not take.  What the files compute: tests/csource. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "interop/c_source.h"
#include "kernels/int8.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *plain; /* one thread, the best level */

static int begin(void **state)
{
    plain = make_context(1, NULL);
    return folder_setup(state);
}

static int end(void **state)
{
    elman_context_destroy(&plain);
    return folder_teardown(state);
}

/* ---- Numbers --------------------------------------------------------------*/

enum { ROW = 9 };

/* Every weight becomes an integer times the scale, exactly, no further off than
 * half a scale; and that row is its own rounding. */
static void check_row(const float *row)
{
    const float scale = el_int8_scale(row, ROW);
    float rounded[ROW];
    for (int i = 0; i < ROW; ++i) {
        const int q = el_int8(row[i], scale);
        assert_in_range(q + 127, 0, 254);
        rounded[i] = (float)q * scale;
        assert_true((double)q * (double)scale == (double)rounded[i]);
        assert_true(fabs((double)row[i] - (double)rounded[i]) <=
                    (double)(scale > 0 ? scale : FLT_MIN) * 0.51);
    }
    assert_true(el_int8_scale(rounded, ROW) == scale);
    for (int i = 0; i < ROW; ++i)
        assert_true(el_int8(rounded[i], scale) == el_int8(row[i], scale));
}

static void test_int8(void **state)
{
    (void)state;
    draw d = {.stream = 71};
    float row[ROW] = {0};
    check_row(row);
    for (int round = 0; round < 3000; ++round) {
        const int exponent = (int)draw_below(&d, 250) - 125;
        for (int i = 0; i < ROW; ++i)
            row[i] = ldexpf(draw_number(&d, NUMBERS_PLAIN), exponent);
        check_row(row);
    }
    row[3] = FLT_MAX;
    check_row(row);
    row[3] = -FLT_MAX;
    check_row(row);
    for (int i = 0; i < ROW; ++i)
        row[i] = ldexpf(1 + (float)i, -149);
    check_row(row);
}

static void test_bfloat16(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t bits;
    } cases[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3f80},
                 {-2, 0xc000},
                 {0x1.01p0f, 0x3f80}, /* ties to even */
                 {0x1.03p0f, 0x3f82},
                 {0x1.010002p0f, 0x3f81},
                 {FLT_MAX, 0x7f7f},
                 {-FLT_MAX, 0xff7f},
                 {0x1p-149f, 0},
                 {0x1.8p-134f, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_int_equal(el_c_bfloat16(cases[i].value), cases[i].bits);
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float value = el_c_from_bfloat16((uint16_t)bits);
        if (isfinite(value))
            assert_int_equal(el_c_bfloat16(value), bits);
    }
}

/* A constant reads back as the number, by its bits. */
static void test_constants(void **state)
{
    (void)state;
    draw d = {.stream = 72};
    for (int i = 0; i < 2000; ++i) {
        el_buffer text = EL_BUFFER(plain);
        el_c_list list = {.out = &text};
        const float value = draw_number(&d, NUMBERS_SPECIAL);
        el_c_put_float(&list, value);
        assert_false(text.failed);
        assert_true(list.no_number == !isfinite(value));
        if (isfinite(value)) {
            char *rest;
            assert_true(same_float(strtof(text.data, &rest), value));
            assert_string_equal(rest, "f,");
        }
        el_buffer_free(&text);
    }
}

/* ---- Copies ---------------------------------------------------------------*/

static elman_network *make_network(elman_dtype dtype, int directions)
{
    elman_network_desc d = ELMAN_NETWORK_DESC;
    elman_network *n;
    d.rnn.cell = ELMAN_CELL_LSTM;
    d.rnn.dtype = dtype;
    d.rnn.bidirectional = directions == 2;
    d.rnn.input = 3;
    d.rnn.hidden = 5;
    d.outputs = 2;
    must(elman_network_create(plain, &d, &n));
    draw r = {.stream = 73};
    char *const w = elman_network_weights_begin(n);
    for (int64_t i = 0; i < elman_network_parameters(n); ++i)
        if (dtype == ELMAN_F32)
            ((float *)w)[i] = draw_number(&r, NUMBERS_PLAIN);
    elman_network_weights_end(n);
    return n;
}

/* Matrices change, biases do not; and a rounded network stays what it is. */
static void test_rounded(void **state)
{
    (void)state;
    elman_network *n = make_network(ELMAN_F32, 1);
    for (elman_c_weights to = ELMAN_C_F32; to <= ELMAN_C_INT8; ++to) {
        elman_network *once, *twice;
        must(elman_network_rounded(n, to, &once));
        must(elman_network_rounded(once, to, &twice));
        expect_same("weights", ELMAN_F32, elman_network_weights(twice),
                    elman_network_weights(once), elman_network_parameters(n));
        for (int v = 0; v < elman_network_view_count(n); ++v) {
            elman_view view;
            must(elman_network_view(n, v, &view));
            const bool same =
                memcmp((const float *)elman_network_weights(n) + view.offset,
                       (const float *)elman_network_weights(once) + view.offset,
                       (size_t)view.count * sizeof(float)) == 0;
            assert_true(same == (to == ELMAN_C_F32 || view.rank == 1));
        }
        elman_network_destroy(&once);
        elman_network_destroy(&twice);
    }
    elman_network_destroy(&n);
}

static void test_rounded_lm(void **state)
{
    (void)state;
    draw d = {.stream = 74};
    for (int i = 0; i < 20; ++i) {
        elman_lm_desc desc = letters_draw_desc(&d);
        elman_lm *lm = letters_lm(plain, &desc, 5), *copy;
        trying("%s", letters_name(&desc));
        must(elman_lm_rounded(lm, ELMAN_C_F32, &copy));
        expect_same("weights", ELMAN_F32, elman_lm_weights(copy),
                    elman_lm_weights(lm), elman_lm_parameters(lm));
        elman_lm_destroy(&copy);
        must(elman_lm_rounded(lm, ELMAN_C_INT8, &copy));
        assert_true(memcmp(elman_lm_weights(copy), elman_lm_weights(lm),
                           (size_t)elman_lm_parameters(lm) * sizeof(float)) !=
                    0);
        elman_lm_destroy(&copy);
        elman_lm_destroy(&lm);
    }
}

/* ---- What is not taken ----------------------------------------------------*/

static void test_arguments(void **state)
{
    (void)state;
    elman_network *n = make_network(ELMAN_F32, 1);
    elman_network *wide = make_network(ELMAN_F64, 1), *none = NULL;
    elman_network *both = make_network(ELMAN_F32, 2);
    elman_c_desc d = ELMAN_C_DESC;
    must_fail(elman_c_write(NULL, NULL, &d, "m.c"), ELMAN_EINVAL, "one must");
    must_fail(elman_c_write(NULL, n, NULL, "m.c"), ELMAN_EINVAL, "NULL");
    must_fail(elman_c_write(NULL, n, &d, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_c_write(NULL, n, &d, "m.cc"), ELMAN_EINVAL, "ends with .c");
    must_fail(elman_c_write(NULL, n, &d, "folder/.c"), ELMAN_EINVAL,
              "ends with .c");
    must_fail(elman_c_write(NULL, n, &d, "a\nb.c"), ELMAN_EINVAL, "#include");
    must_fail(elman_c_write(NULL, wide, &d, "m.c"), ELMAN_EUNSUPPORTED,
              "float64");
    must_fail(elman_c_write(NULL, both, &d, "m.c"), ELMAN_EUNSUPPORTED,
              "both directions");
    d.weights = (elman_c_weights)3;
    must_fail(elman_c_write(NULL, n, &d, "m.c"), ELMAN_EINVAL, "weights is 3");
    must_fail(elman_network_rounded(n, (elman_c_weights)-1, &none),
              ELMAN_EINVAL, "weights is -1");
    must_fail(elman_network_rounded(wide, ELMAN_C_INT8, &none),
              ELMAN_EUNSUPPORTED, "float64");
    assert_null(none);
    d = (elman_c_desc)ELMAN_C_DESC;
    d.name = "no name";
    must_fail(elman_c_write(NULL, n, &d, "m.c"), ELMAN_EINVAL, "no name for C");
    d.struct_size = 0;
    must_fail(elman_c_write(NULL, n, &d, "m.c"), ELMAN_EINVAL, "struct_size");
    assert_false(file_exists("m.c") || file_exists("m.h"));
    d = (elman_c_desc)ELMAN_C_DESC;
    d.remark = "a /* b */ c ?\?/ \n\t\x7f d";
    must(elman_c_write(NULL, n, &d, "m.c"));
    char *const text = file_read("m.c", NULL);
    assert_non_null(strstr(text, " * a /_ b *_ c ?_/ __ d\n"));
    free(text);
    elman_network_destroy(&n);
    elman_network_destroy(&wide);
    elman_network_destroy(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8),       cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_constants),  cmocka_unit_test(test_rounded),
        cmocka_unit_test(test_rounded_lm), cmocka_unit_test(test_arguments)};
    return cmocka_run_group_tests_name("c_source", tests, begin, end);
}
