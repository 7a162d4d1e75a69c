/* SPDX-License-Identifier: MIT */
/* test_json.c - JSON in and out. */
#include "test_context.h"
#include "../../src/base/utf8.h"
#include "../../src/io/buffer.h"
#include "../../src/io/json.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static el_json *parse_bytes(const char *text, size_t size)
{
    el_json *json;
    const elman_status status =
        el_json_parse(test_context(), text, size, &json);
    if (status != ELMAN_OK)
        fail_msg("%.60s: %s", text, elman_message());
    return json;
}

static el_json *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void refuse_bytes(const char *text, size_t size, const char *sentence)
{
    el_json *json = (el_json *)&json;
    const elman_status status =
        el_json_parse(test_context(), text, size, &json);
    if (status != ELMAN_EFORMAT)
        fail_msg("not refused: %.60s", text);
    assert_null(json);
    assert_string_equal(elman_message(), sentence);
}

static void refuse(const char *text, const char *sentence)
{
    refuse_bytes(text, strlen(text), sentence);
}

static void release(el_json *json)
{
    el_json_free(test_context(), json);
    assert_int_equal(test_live, 0);
}

/* ---- The grammar ---------------------------------------------------------*/

static void test_right(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "42",
        "1.5",
        "1e5",
        "1E-05",
        "0.0e+0",
        "true",
        "false",
        "null",
        " null\n",
        "[ ]",
        "{\t}",
        "[1,2]",
        "[[],{}]",
        "[1 , 2]",
        "\"\x7f\"",
        "\r\n7",
        "{\"\":\"\"}",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\uDE00\"",
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i)
        release(parse(texts[i]));
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "0: a value was expected"},
        {"  ", "2: a value was expected"},
        {"[", "1: a value was expected"},
        {"]", "0: a value was expected"},
        {"[1", "2: a comma or ] was expected"},
        {"[1}", "2: a comma or ] was expected"},
        {"[1 2]", "3: a comma or ] was expected"},
        {"[1,]", "3: a value was expected"},
        {"[,1]", "1: a value was expected"},
        {"[1:2]", "2: a comma or ] was expected"},
        {"{", "1: a string was expected"},
        {"{1:2}", "1: a string was expected"},
        {"{a:2}", "1: a string was expected"},
        {"{\"a\"}", "4: a colon was expected"},
        {"{\"a\" \"b\"}", "5: a colon was expected"},
        {"{\"a\":}", "5: a value was expected"},
        {"{\"a\":1,}", "7: a string was expected"},
        {"{\"a\":1 \"b\":2}", "7: a comma or } was expected"},
        {"{\"a\":\"b\":\"c\"}", "8: a comma or } was expected"},
        {"{\"a\":1]", "6: a comma or } was expected"},
        {"{[]:1}", "1: a string was expected"},
        {"01", "1: something follows the value"},
        {"1 2", "2: something follows the value"},
        {"{}x", "2: something follows the value"},
        {"[]]", "2: something follows the value"},
        {"+1", "0: a value was expected"},
        {"-", "1: a digit was expected"},
        {"-a", "1: a digit was expected"},
        {"1.", "2: a digit was expected"},
        {".5", "0: a value was expected"},
        {"1.e5", "2: a digit was expected"},
        {"1e", "2: a digit was expected"},
        {"1e+", "3: a digit was expected"},
        {"1ee5", "2: a digit was expected"},
        {"0x10", "1: something follows the value"},
        {"NaN", "0: a value was expected"},
        {"Infinity", "0: a value was expected"},
        {"-Infinity", "1: a digit was expected"},
        {"nul", "0: a value was expected"},
        {"nulL", "0: a value was expected"},
        {"truee", "4: something follows the value"},
        {"True", "0: a value was expected"},
        {"'a'", "0: a value was expected"},
        {"\"a", "2: a string does not end"},
        {"\"a\\", "2: this is no escape"},
        {"\"a\\\"", "4: a string does not end"},
        {"\"\\x41\"", "1: this is no escape"},
        {"\"\\u12\"", "1: this is no escape"},
        {"\"\\u12g4\"", "1: this is no escape"},
        {"\"\\u", "1: this is no escape"},
        {"\"\\ud800\"", "1: this is no escape"},
        {"\"\\ud800x\"", "1: this is no escape"},
        {"\"\\ud800\\n....\"", "1: this is no escape"},
        {"\"\\ud800\\ud800\"", "1: this is no escape"},
        {"\"\\ud800\\ue000\"", "1: this is no escape"},
        {"\"\\ude00\"", "1: this is no escape"},
        {"\"\n\"", "1: a control character stands in a string"},
        {"\"\x1f\"", "1: a control character stands in a string"},
        {"\"\x80\"", "1: this is no UTF-8"},
        {"\"\xc3\"", "1: this is no UTF-8"},
        {"\"\xc3(\"", "1: this is no UTF-8"},
        {"\"\xc3\xc3\"", "1: this is no UTF-8"},
        {"\"\xe2\x82\xff\"", "1: this is no UTF-8"},
        {"\"\xc0\x80\"", "1: this is no UTF-8"},
        {"\"\xc1\xbf\"", "1: this is no UTF-8"},
        {"\"\xe0\x9f\xbf\"", "1: this is no UTF-8"},
        {"\"\xf0\x8f\xbf\xbf\"", "1: this is no UTF-8"},
        {"\"\xed\xa0\x80\"", "1: this is no UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "1: this is no UTF-8"},
        {"\"\xf8\x88\x80\x80\x80\"", "1: this is no UTF-8"},
        {"\"\xff\"", "1: this is no UTF-8"},
        {"\xef\xbb\xbf{}", "0: a value was expected"},
        {"[1]/**/", "3: something follows the value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        char sentence[128];
        snprintf(sentence, sizeof sentence, "the JSON is wrong at byte %s",
                 cases[i].sentence);
        refuse(cases[i].text, sentence);
    }
    assert_int_equal(test_live, 0);
}

/* jsmn takes a NUL for the end. */
static void test_nul(void **state)
{
    (void)state;
    refuse_bytes("[]\0x", 4,
                 "the JSON is wrong at byte 2: something follows the value");
    refuse_bytes("\"a\0b\"", 5,
                 "the JSON is wrong at byte 2: a control "
                 "character stands in a string");
    refuse_bytes("[\0]", 3,
                 "the JSON is wrong at byte 1: a value was expected");
    refuse_bytes("\"\\\0\"", 4,
                 "the JSON is wrong at byte 1: this is no escape");
}

/* Every text that is cut off is wrong, and reading stops at its end. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\\ud83d\\ude00\xf0\x9f\x98\x80\":[-1.5e+3,true,false,null,{}]}";
    for (size_t size = 0; size < sizeof text - 1; ++size) {
        char *const part = malloc(size + 1);
        el_json *json;
        memcpy(part, text, size);
        char *const tight = malloc(size ? size : 1);
        memcpy(tight, part, size);
        assert_int_equal(el_json_parse(test_context(), tight, size, &json),
                         ELMAN_EFORMAT);
        free(tight);
        free(part);
    }
    release(parse(text));
}

static void test_deep(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    static char text[MANY];
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    el_json *const json = parse_bytes(text, 200);
    assert_int_equal(el_json_length(json, 98), 1);
    assert_int_equal(el_json_length(json, 99), 0);
    release(json);
    memset(text, '[', MANY);
    refuse_bytes(text, MANY,
                 "the JSON is wrong at byte 101: it is nested too deeply");
    for (size_t i = 0; i < MANY; ++i)
        text[i] = "{\"a\":"[i % 5];
    refuse_bytes(text, MANY,
                 "the JSON is wrong at byte 501: it is nested too deeply");
}

/* ---- Walking -------------------------------------------------------------*/

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum el_json_type type;
    } cases[] = {{"{}", EL_JSON_OBJECT},   {"[]", EL_JSON_ARRAY},
                 {"\"\"", EL_JSON_STRING}, {" -1 ", EL_JSON_NUMBER},
                 {"7", EL_JSON_NUMBER},    {"true", EL_JSON_BOOL},
                 {"false", EL_JSON_BOOL},  {"null", EL_JSON_NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        el_json *const json = parse(cases[i].text);
        assert_int_equal(el_json_type(json, 0), cases[i].type);
        assert_int_equal(el_json_next_sibling(json, 0), -1);
        assert_int_equal(el_json_first_child(json, 0), -1);
        assert_int_equal(el_json_member_value(json, 0), -1);
        assert_int_equal(el_json_length(json, 0), 0);
        release(json);
    }
}

static void test_walk(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "c", "d"};
    static const int lengths[] = {2, 0, 1, 0};
    size_t from, size;
    const char *const text =
        "{\"a\":[[1,[2]],3],\"b\":\"x\",\"c\":{\"d\":{}},\"d\":null}";
    el_json *const json = parse(text);
    int i = 0;
    assert_int_equal(el_json_length(json, 0), 4);
    for (int key = el_json_first_child(json, 0); key >= 0;
         key = el_json_next_sibling(json, key), ++i) {
        const int value = el_json_member_value(json, key);
        assert_true(el_json_span(json, key, &from, &size));
        assert_int_equal(size, 1);
        assert_memory_equal(text + from, keys[i], 1);
        assert_int_equal(el_json_length(json, key), 0);
        assert_int_equal(el_json_length(json, value), lengths[i]);
        assert_int_equal(el_json_get(json, 0, keys[i]), value);
    }
    assert_int_equal(i, 4);
    const int inner = el_json_first_child(json, el_json_get(json, 0, "a"));
    assert_int_equal(el_json_type(json, inner), EL_JSON_ARRAY);
    const int three = el_json_next_sibling(json, inner);
    assert_int_equal(el_json_type(json, three), EL_JSON_NUMBER);
    assert_int_equal(el_json_next_sibling(json, three), -1);
    const int d = el_json_get(json, el_json_get(json, 0, "c"), "d");
    assert_int_equal(el_json_type(json, d), EL_JSON_OBJECT);
    release(json);
}

static void test_no_value(void **state)
{
    (void)state;
    el_json *const json = parse("[1]");
    char text[4];
    size_t size;
    int64_t integer;
    double number;
    assert_int_equal(el_json_get(json, 0, "a"), -1);
    assert_int_equal(el_json_get(json, -1, "a"), -1);
    assert_int_equal(el_json_type(json, -1), EL_JSON_NONE);
    assert_int_equal(el_json_first_child(json, -1), -1);
    assert_int_equal(el_json_next_sibling(json, -1), -1);
    assert_int_equal(el_json_member_value(json, -1), -1);
    assert_int_equal(el_json_length(json, -1), 0);
    assert_false(el_json_int64(json, -1, &integer));
    assert_false(el_json_double(json, -1, &number));
    assert_false(el_json_span(json, -1, &size, &size));
    assert_null(el_json_string(test_context(), json, -1, &size));
    assert_null(el_json_string(test_context(), json, 0, &size));
    assert_false(el_json_string_into(json, -1, text, sizeof text, &size));
    release(json);
}

static void test_get_escaped(void **state)
{
    (void)state;
    el_json *const json = parse("{\"a\\u0000\":0,\"a\":1,\"\\u0061b\":2,"
                                "\"\":3,\"\\u20ac\":4,\"a\":5}");
    static const char *const keys[] = {"a", "ab", "", "\xe2\x82\xac"};
    for (int i = 0; i < 4; ++i) {
        int64_t value = -1;
        assert_true(el_json_int64(json, el_json_get(json, 0, keys[i]), &value));
        assert_int_equal(value, i + 1);
    }
    assert_int_equal(el_json_get(json, 0, "abc"), -1);
    assert_int_equal(el_json_get(json, 0, "\xe2\x82"), -1);
    release(json);
}

/* What is quadratic takes minutes here, and not milliseconds. */
static void test_wide(void **state)
{
    (void)state;
    enum { MEMBERS = 200000 };
    el_buffer text = EL_BUFFER(test_context());
    const clock_t start = clock();
    for (int i = 0; i < MEMBERS; ++i)
        el_buffer_format(&text, "%c\"k%d\":[[%d]]", i ? ',' : '{', i, i);
    el_buffer_add(&text, "}", 1);
    assert_false(text.failed);
    el_json *const json = parse_bytes(text.data, text.size);
    int count = 0;
    for (int key = el_json_first_child(json, 0); key >= 0;
         key = el_json_next_sibling(json, key), ++count) {
        const int value = el_json_member_value(json, key);
        int64_t number;
        const int element =
            el_json_first_child(json, el_json_first_child(json, value));
        assert_true(el_json_int64(json, element, &number));
        assert_int_equal(number, count);
    }
    assert_int_equal(count, MEMBERS);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(seconds < 10);
    el_buffer_free(&text);
    release(json);
}

/* ---- Values --------------------------------------------------------------*/

static void test_int64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"18446744073709551616", false, 0},
                 {"99999999999999999999", false, 0},
                 {"1.0", false, 0},
                 {"1e3", false, 0},
                 {"\"1\"", false, 0},
                 {"true", false, 0},
                 {"[1]", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        el_json *const json = parse(cases[i].text);
        int64_t value = 0;
        assert_int_equal(el_json_int64(json, 0, &value), cases[i].fits);
        if (cases[i].fits)
            assert_true(value == cases[i].value);
        release(json);
    }
}

static void check_doubles(void)
{
    static const struct {
        const char *text;
        bool fits;
        double value;
    } cases[] = {{"1.5", true, 1.5},
                 {"-2.5e-3", true, -2.5e-3},
                 {"0.1", true, 0.1},
                 {"1.7976931348623157e308", true, 1.7976931348623157e308},
                 {"4.9406564584124654e-324", true, 0x1p-1074},
                 {"1e-999", true, 0},
                 {"1e999", false, 0},
                 {"-1e999", false, 0},
                 {"null", false, 0},
                 {"\"1\"", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        el_json *const json = parse(cases[i].text);
        double value = 0;
        assert_int_equal(el_json_double(json, 0, &value), cases[i].fits);
        if (cases[i].fits)
            assert_true(value == cases[i].value);
        release(json);
    }
}

static void check_double_text(void)
{
    el_buffer text = EL_BUFFER(test_context());
    el_buffer_format(&text, "%.17g", 0.5);
    assert_string_equal(text.data, "0.5");
    el_buffer_free(&text);
}

static void test_double(void **state)
{
    (void)state;
    check_doubles();
    check_double_text();
    char text[600];
    double value;
    memset(text, '1', sizeof text);
    el_json *json = parse_bytes(text, 300);
    assert_true(el_json_double(json, 0, &value));
    release(json);
    json = parse_bytes(text, 513);
    assert_false(el_json_double(json, 0, &value));
    release(json);
}

/* A host's locale may have a decimal comma.  Where none is installed, one is
 * made; that takes a name relative to LOCPATH. */
static const char *set_comma(void)
{
    const char *const set = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    const char *const work = getenv("WORK");
    char command[1200];
    if (set || !work)
        return set;
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 '%.1000s/de_DE.UTF-8' 2>/dev/null",
             work);
    if (system(command) != 0)
        return NULL;
    setenv("LOCPATH", work, 1);
    return setlocale(LC_NUMERIC, "de_DE.UTF-8");
}

static void test_locale(void **state)
{
    (void)state;
    if (!set_comma()) {
        print_message("skipped: no locale with a decimal comma is here\n");
        skip();
    }
    char comma[8];
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    assert_string_equal(comma, "0,5");
    check_doubles();
    check_double_text();
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    assert_string_equal(comma, "0,5");
    setlocale(LC_NUMERIC, "C");
}

static void test_strings(void **state)
{
    (void)state;
    static const char expected[] = "\"\\/\b\f\n\r\t\0A\xc3\xa9\xe2\x82\xac"
                                   "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\x7f";
    const size_t expected_size = sizeof expected - 1;
    el_json *const json =
        parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u0041\xc3\xa9\\u20aC"
              "\\ud83d\\uDE00\\udbff\\udfff\x7f\"");
    size_t size = 0;
    char *const text = el_json_string(test_context(), json, 0, &size);
    assert_non_null(text);
    assert_int_equal(size, expected_size);
    assert_memory_equal(text, expected, expected_size + 1);
    el_free(test_context(), text);

    for (size_t room = 0; room <= expected_size + 1; ++room) {
        char *const out = malloc(room ? room : 1);
        const bool fits = el_json_string_into(json, 0, out, room, &size);
        assert_int_equal(fits, room > expected_size);
        if (fits)
            assert_memory_equal(out, expected, expected_size + 1);
        free(out);
    }
    release(json);
}

/* Every 61st character there and back. */
static void test_round_trip(void **state)
{
    (void)state;
    char bytes[4];
    for (uint32_t code = 0; code < 0x110000; code += code < 0x3000 ? 1 : 61) {
        if (code >> 11 == 0x1b)
            continue;
        size_t size = 0;
        char in[24], back[8];
        el_buffer out = EL_BUFFER(test_context());
        if (code < 0x10000)
            snprintf(in, sizeof in, "\"\\u%04x\"", code);
        else
            snprintf(in, sizeof in, "\"\\u%04x\\u%04x\"",
                     0xd800 + ((code - 0x10000) >> 10),
                     0xdc00 + ((code - 0x10000) & 0x3ff));
        el_json *json = parse(in);
        assert_true(el_json_string_into(json, 0, back, sizeof back, &size));
        el_json_free(test_context(), json);
        assert_true(size <= sizeof bytes);
        memcpy(bytes, back, size);
        assert_true(el_utf8_valid(bytes, size));
        assert_false(size > 1 && el_utf8_valid(bytes, size - 1));

        el_buffer_json(&out, bytes, size);
        json = parse_bytes(out.data, out.size);
        size_t again = 0;
        assert_true(el_json_string_into(json, 0, back, sizeof back, &again));
        assert_int_equal(again, size);
        assert_memory_equal(back, bytes, size);
        el_buffer_free(&out);
        release(json);
    }
}

/* ---- Out -----------------------------------------------------------------*/

static void test_buffer(void **state)
{
    (void)state;
    el_buffer out = EL_BUFFER(test_context());
    assert_null(out.data);
    el_buffer_add(&out, NULL, 0);
    assert_string_equal(out.data, "");
    el_buffer_json(&out, "a\"b\\c\n\r\t\x01\x1f\x7f/\0z", 14);
    assert_string_equal(out.data, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\x7f/"
                                  "\\u0000z\"");
    const size_t before = out.size;
    for (int i = 0; i < 1000; ++i)
        el_buffer_format(&out, "%d,%s;", i % 10, "xyz");
    assert_int_equal(out.size, before + 6000);
    assert_int_equal(strlen(out.data), out.size);
    assert_string_equal(out.data + out.size - 6, "9,xyz;");
    el_buffer_free(&out);
    assert_null(out.data);
    assert_int_equal(test_live, 0);
}

static void test_buffer_too_large(void **state)
{
    (void)state;
    el_buffer out = EL_BUFFER(test_context());
    el_buffer_add(&out, "abc", 3);
    el_buffer_add(&out, "x", SIZE_MAX - 2);
    assert_true(out.failed);
    assert_string_equal(elman_message(), "memory ran out");
    el_buffer_add(&out, "d", 1);
    assert_string_equal(out.data, "abc");
    el_buffer_free(&out);
    assert_int_equal(test_live, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    el_json *json;
    size_t size;
    int failures = 0;
    for (int64_t n = 0;; ++n, ++failures) {
        test_fail_after(n);
        const elman_status status =
            el_json_parse(test_context(), "[1,\"a\"]", 7, &json);
        if (!test_failed) {
            assert_int_equal(status, ELMAN_OK);
            break;
        }
        assert_int_equal(status, ELMAN_ENOMEM);
        assert_string_equal(elman_message(), "memory ran out");
        assert_null(json);
        assert_int_equal(test_live, 0);
    }
    assert_int_equal(failures, 3);
    test_fail_after(0);
    assert_null(el_json_string(test_context(), json, 2, &size));
    test_fail_never();
    release(json);

    for (int64_t n = 0;; ++n) {
        el_buffer out = EL_BUFFER(test_context());
        test_fail_after(n);
        for (int i = 0; i < 100; ++i) {
            el_buffer_format(&out, "%d", i);
            el_buffer_json(&out, "abc", 3);
        }
        assert_int_equal(out.failed, test_failed);
        el_buffer_free(&out);
        assert_int_equal(test_live, 0);
        if (!test_failed)
            break;
    }
    test_fail_never();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_no_value),
        cmocka_unit_test(test_get_escaped),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_int64),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_locale),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_too_large),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
