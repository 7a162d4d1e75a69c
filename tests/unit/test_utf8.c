/* SPDX-License-Identifier: MIT */
/* test_utf8.c - which bytes are characters. */
#include "../../src/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The bytes of a code point by the table of RFC 3629, without judgement. */
static size_t encode(uint32_t code, unsigned char out[4])
{
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const unsigned first = length == 2 ? 0xc0 : length == 3 ? 0xe0 : 0xf0;
    for (size_t i = length - 1; i > 0; --i, code >>= 6)
        out[i] = (unsigned char)(0x80 | (code & 0x3f));
    out[0] = (unsigned char)(first | code);
    return length;
}

static bool is_code_point(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static size_t whole(const unsigned char *bytes, size_t size)
{
    return el_utf8_whole((const char *)bytes, size);
}

/* Every code point, and every number that is none but could be written. */
static void test_code_points(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x200000; ++code) {
        unsigned char bytes[4];
        const size_t size = encode(code, bytes);
        const size_t expected = is_code_point(code) ? size : 0;
        if (whole(bytes, size) != expected)
            fail_msg("U+%04X", code);
        uint32_t got;
        if (el_utf8_read((char *)bytes, size, &got) != expected ||
            (expected && got != code))
            fail_msg("U+%04X: what is read", code);
        if (!expected)
            continue;
        if (el_utf8_length(bytes[0]) != size ||
            el_utf8_count((char *)bytes, size) != 1)
            fail_msg("U+%04X: its length", code);
        for (size_t cut = 1; cut < size; ++cut)
            if (whole(bytes, cut) != 0)
                fail_msg("U+%04X cut after %zu", code, cut);
    }
}

/* Strings of up to four bytes are characters only if they are what some code
 * point is written as. */
static void check_sequence(const unsigned char bytes[4], size_t size)
{
    uint32_t code = bytes[0];
    if (size > 1)
        code &= 0x7fu >> size;
    for (size_t i = 1; i < size; ++i)
        code = code << 6 | (bytes[i] & 0x3f);
    unsigned char again[4];
    const bool valid = is_code_point(code) && encode(code, again) == size &&
                       memcmp(again, bytes, size) == 0;
    const size_t got = whole(bytes, size);
    /* A string may begin with shorter characters. */
    if (valid != (got == size && el_utf8_count((char *)bytes, size) == 1))
        fail_msg("%02x %02x %02x %02x, the first %zu", bytes[0], bytes[1],
                 bytes[2], bytes[3], size);
}

static void test_sequences(void **state)
{
    (void)state;
    static const unsigned char odd[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                        0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe2,
                                        0xed, 0xf0, 0xf4, 0xff};
    const size_t n = sizeof odd;
    for (unsigned a = 0; a < 256; ++a)
        for (unsigned b = 0; b < 256; ++b)
            for (size_t i = 0; i < n * n; ++i) {
                const unsigned char bytes[4] = {
                    (unsigned char)a, (unsigned char)b, odd[i / n], odd[i % n]};
                for (size_t size = 1; size <= 4; ++size)
                    check_sequence(bytes, size);
            }
}

/* A bad byte is found at every place in and around the blocks of eight. */
static void test_places(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac",
                                             "\xf0\x9f\x98\x80"};
    for (size_t before = 0; before < 20; ++before)
        for (size_t after = 0; after < 20; ++after)
            for (int k = 0; k < 4; ++k) {
                char text[64] = "";
                memset(text, 'x', before);
                strcpy(text + before, characters[k]);
                const size_t size = strlen(text) + after;
                memset(text + size - after, 'y', after);
                assert_int_equal(el_utf8_whole(text, size), size);
                assert_int_equal(el_utf8_count(text, size), before + after + 1);
                text[before] = (char)0xff;
                assert_int_equal(el_utf8_whole(text, size), before);
            }
    assert_int_equal(el_utf8_whole("", 0), 0);
    assert_int_equal(el_utf8_count("", 0), 0);
}

/* As many bytes as the characters have, and no more characters than there are.
 */
static void test_skip(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9z\xe2\x82\xac\xf0\x9f\x98\x80 plain "
                               "ASCII that is longer than eight \xc3\xa9\xc3"
                               "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xe2\x82\xac.";
    const size_t size = sizeof text - 1;
    for (size_t from = 0; from < size; ++from) {
        if (((unsigned char)text[from] & 0xc0) == 0x80)
            continue;
        const int64_t all = el_utf8_count(text + from, size - from);
        for (int64_t n = 0; n < all + 3; ++n) {
            size_t expected = 0;
            int64_t count = n;
            for (int64_t i = 0; i < n && i < all; ++i)
                expected +=
                    el_utf8_length((unsigned char)text[from + expected]);
            assert_int_equal(el_utf8_skip(text + from, size - from, &count),
                             expected);
            assert_int_equal(count, n < all ? n : all);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code_points),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
