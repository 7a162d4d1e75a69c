/* SPDX-License-Identifier: MIT */
/* test_vocab.c - vocabularies: adding, choosing, JSON, encoding. */
#include "test_context.h"
#include "../support/draw.h"
#include "../../src/text/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static elman_vocab *create(elman_level level)
{
    elman_vocab *v;
    assert_int_equal(
        el_vocab_create(test_context(), level, ELMAN_NORMALIZE_NONE, &v),
        ELMAN_OK);
    return v;
}

static int32_t add(elman_vocab *v, const char *token, int64_t frequency)
{
    int32_t id;
    assert_int_equal(el_vocab_add(v, token, strlen(token), &id), ELMAN_OK);
    v->tokens[id].frequency = frequency;
    return id;
}

static int32_t find(const elman_vocab *v, const char *token)
{
    return el_vocab_find(v, token, strlen(token));
}

static bool token_is(const elman_vocab *v, int32_t id, const char *bytes,
                     size_t size)
{
    size_t got;
    const char *const token = elman_vocab_token(v, id, &got);
    return token && got == size && memcmp(token, bytes, size) == 0;
}

static void release(elman_vocab *v)
{
    elman_vocab_destroy(&v);
    assert_null(v);
    assert_int_equal(test_live, 0);
}

/* ---- Adding and finding --------------------------------------------------*/

static void test_first(void **state)
{
    (void)state;
    elman_vocab *v = create(ELMAN_CHAR);
    assert_int_equal(elman_vocab_size(v), 1);
    assert_true(token_is(v, 0, "<unk>", 5));
    assert_int_equal(find(v, "<unk>"), 0);
    assert_int_equal(find(v, "a"), -1);
    release(v);
    v = create(ELMAN_BYTE);
    assert_int_equal(elman_vocab_size(v), 256);
    for (int i = 0; i < 256; ++i) {
        const char byte = (char)i;
        assert_true(token_is(v, i, &byte, 1));
        assert_int_equal(el_vocab_find(v, &byte, 1), i);
    }
    assert_int_equal(find(v, "<unk>"), -1);
    release(v);
}

static size_t name_of(int number, char name[64])
{
    /* Lengths on both sides of the hash's words, and common beginnings. */
    memset(name, 'x', 64);
    const int size = snprintf(name, 32, "%d", number);
    name[size] = 'x';
    return (size_t)(size + number % 19);
}

static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    elman_vocab *const v = create(ELMAN_WORD);
    char name[64];
    for (int i = 0; i < COUNT; ++i) {
        int32_t id;
        const size_t size = name_of(i, name);
        assert_int_equal(el_vocab_find(v, name, size), -1);
        assert_int_equal(el_vocab_add(v, name, size, &id), ELMAN_OK);
        assert_int_equal(id, i + 1);
    }
    elman_vocab *copy;
    assert_int_equal(el_vocab_copy(test_context(), v, &copy), ELMAN_OK);
    el_vocab_free(v);
    for (int i = 0; i < COUNT; ++i) {
        const size_t size = name_of(i, name);
        assert_int_equal(el_vocab_find(copy, name, size), i + 1);
        assert_true(token_is(copy, i + 1, name, size));
    }
    assert_int_equal(elman_vocab_size(copy), COUNT + 1);
    release(copy);
}

/* ---- Choosing ------------------------------------------------------------*/

static elman_vocab *select_from(const elman_vocab *all, const int64_t *without,
                                int64_t min_count, int64_t vocab_size)
{
    elman_vocab *v;
    assert_int_equal(el_vocab_select(all, without, min_count, vocab_size, &v),
                     ELMAN_OK);
    return v;
}

/* The tokens in order of id, with their frequencies. */
static void expect_tokens(elman_vocab *v, const char *expected)
{
    char got[1024] = "";
    for (int32_t id = 0; id < elman_vocab_size(v); ++id) {
        size_t size;
        const char *const token = elman_vocab_token(v, id, &size);
        const size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%.*s:%lld",
                 id > 0 ? " " : "", (int)size, token,
                 (long long)elman_vocab_frequency(v, id));
        assert_int_equal(el_vocab_find(v, token, size), id);
    }
    assert_string_equal(got, expected);
    el_vocab_free(v);
}

static void test_words(void **state)
{
    (void)state;
    elman_vocab *const all = create(ELMAN_WORD);
    all->tokens[EL_UNK].frequency = 7;
    add(all, "pear", 2);
    add(all, "apple", 2);
    add(all, "fig", 5);
    add(all, "apples", 2);
    add(all, "nut", 1);
    expect_tokens(select_from(all, NULL, 0, 0),
                  "<unk>:7 fig:5 apple:2 apples:2 pear:2 nut:1");
    expect_tokens(select_from(all, NULL, 2, 0),
                  "<unk>:8 fig:5 apple:2 apples:2 pear:2");
    expect_tokens(select_from(all, NULL, 3, 0), "<unk>:14 fig:5");
    expect_tokens(select_from(all, NULL, 0, 3), "<unk>:12 fig:5 apple:2");
    expect_tokens(select_from(all, NULL, 0, 1), "<unk>:19");
    expect_tokens(select_from(all, NULL, 9, 0), "<unk>:19");
    expect_tokens(select_from(all, NULL, 2, 100),
                  "<unk>:8 fig:5 apple:2 apples:2 pear:2");
    const int64_t without[] = {1, 2, 0, 4, 0, 0};
    expect_tokens(select_from(all, without, 0, 0),
                  "<unk>:6 apple:2 apples:2 fig:1 nut:1");
    expect_tokens(select_from(all, without, 2, 0), "<unk>:8 apple:2 apples:2");
    release(all);
}

static void test_chars(void **state)
{
    (void)state;
    elman_vocab *const all = create(ELMAN_CHAR);
    add(all, "\xf0\x9f\x98\x80", 4);
    add(all, "b", 1);
    add(all, "\xef\xbf\xbd", 4);
    add(all, "a", 1);
    add(all, "\xc3\xa9", 9);
    expect_tokens(select_from(all, NULL, 0, 0),
                  "<unk>:0 a:1 b:1 \xc3\xa9:9 \xef\xbf\xbd:4 "
                  "\xf0\x9f\x98\x80:4");
    expect_tokens(select_from(all, NULL, 0, 5),
                  "<unk>:1 a:1 \xc3\xa9:9 \xef\xbf\xbd:4 \xf0\x9f\x98\x80:4");
    expect_tokens(select_from(all, NULL, 2, 3),
                  "<unk>:6 \xc3\xa9:9 \xef\xbf\xbd:4");
    release(all);
}

static void test_bytes(void **state)
{
    (void)state;
    int64_t without[256] = {[65] = 3};
    elman_vocab *const all = create(ELMAN_BYTE);
    all->tokens[65].frequency = 10;
    all->tokens[0].frequency = 4;
    elman_vocab *const v = select_from(all, without, 0, 0);
    assert_int_equal(elman_vocab_size(v), 256);
    assert_int_equal(elman_vocab_frequency(v, 65), 7);
    assert_int_equal(elman_vocab_frequency(v, 0), 4);
    assert_int_equal(elman_vocab_frequency(v, 1), 0);
    el_vocab_free(v);
    release(all);
}

/* ---- JSON ----------------------------------------------------------------*/

static elman_status from_json(const char *json, size_t size, elman_level level,
                              elman_vocab **out)
{
    *out = (elman_vocab *)&size;
    return el_vocab_from_json(test_context(), json, size, level,
                              ELMAN_NORMALIZE_LETTERS, out);
}

static void round_trip(elman_vocab *v, const char *expected)
{
    el_buffer out = EL_BUFFER(test_context());
    elman_vocab *again;
    el_vocab_to_json(v, &out);
    assert_false(out.failed);
    if (expected)
        assert_string_equal(out.data, expected);
    assert_int_equal(from_json(out.data, out.size, v->level, &again), ELMAN_OK);
    assert_int_equal(elman_vocab_size(again), elman_vocab_size(v));
    assert_int_equal(elman_vocab_level(again), v->level);
    assert_int_equal(elman_vocab_normalize(again), ELMAN_NORMALIZE_LETTERS);
    for (int32_t id = 0; id < v->size; ++id) {
        size_t size;
        const char *const token = elman_vocab_token(v, id, &size);
        assert_true(token_is(again, id, token, size));
        assert_int_equal(el_vocab_find(again, token, size), id);
        assert_int_equal(elman_vocab_frequency(again, id), 0);
    }
    el_buffer_free(&out);
    el_vocab_free(again);
    release(v);
}

static void test_json(void **state)
{
    (void)state;
    int32_t id;
    elman_vocab *v = create(ELMAN_CHAR);
    assert_int_equal(el_vocab_add(v, "\0", 1, &id), ELMAN_OK);
    add(v, "\"", 3);
    add(v, "\\", 3);
    add(v, "\n", 3);
    add(v, "\xc3\xa9", 3);
    add(v, "\xf0\x9f\x98\x80", 3);
    round_trip(v, "[\"<unk>\",\"\\u0000\",\"\\\"\",\"\\\\\",\"\\n\","
                  "\"\xc3\xa9\",\"\xf0\x9f\x98\x80\"]");
    v = create(ELMAN_WORD);
    add(v, "<eos>", 1);
    assert_int_equal(el_vocab_add(v, "a\0b", 3, &id), ELMAN_OK);
    assert_int_equal(el_vocab_add(v, "a\0", 2, &id), ELMAN_OK);
    add(v, "\"q\"", 1);
    round_trip(v, "[\"<unk>\",\"<eos>\",\"a\\u0000b\",\"a\\u0000\","
                  "\"\\\"q\\\"\"]");
    round_trip(create(ELMAN_WORD), "[\"<unk>\"]");
    round_trip(create(ELMAN_BYTE), NULL);
}

static void test_json_any_characters(void **state)
{
    (void)state;
    elman_vocab *const v = create(ELMAN_CHAR);
    draw d = {.stream = 1};
    for (int i = 0; i < 3000; ++i) {
        const uint32_t code = (uint32_t)draw_below(&d, 0x800);
        char bytes[3];
        int32_t id;
        const int size =
            code < 0x80 ? snprintf(bytes, 3, "%c", (int)code)
                        : snprintf(bytes, 3, "%c%c", (int)(0xc0 | code >> 6),
                                   (int)(0x80 | (code & 0x3f)));
        if (el_vocab_find(v, bytes, (size_t)size) < 0)
            assert_int_equal(el_vocab_add(v, bytes, (size_t)size, &id),
                             ELMAN_OK);
    }
    assert_true(elman_vocab_size(v) > 1000);
    round_trip(v, NULL);
}

static void refuse(const char *json, elman_level level, const char *sentence)
{
    elman_vocab *v;
    const elman_status status = from_json(json, strlen(json), level, &v);
    if (status != ELMAN_EFORMAT || v || !strstr(elman_message(), sentence))
        fail_msg("%s: status %d, %s", json, status, elman_message());
    assert_int_equal(test_live, 0);
}

static void test_json_refused(void **state)
{
    (void)state;
    const elman_level c = ELMAN_CHAR, w = ELMAN_WORD, b = ELMAN_BYTE;
    refuse("", w, "");
    refuse("[\"<unk>\"", w, "");
    refuse("[\"<unk>\",\"\\ud800\"]", w, "");
    refuse("[\"<unk>\",\"\xff\"]", w, "UTF-8");
    refuse("{}", w, "the vocabulary is not an array");
    refuse("3", w, "the vocabulary is not an array");
    refuse("[]", w, "the vocabulary is empty");
    refuse("[\"a\"]", w, "token 0 of the vocabulary is not <unk>");
    refuse("[\"a\",\"<unk>\"]", c, "token 0 of the vocabulary is not <unk>");
    refuse("[\"<unk>\",1]", w, "token 1 of the vocabulary is not a string");
    refuse("[\"<unk>\",[\"a\"]]", w, "token 1 of the vocabulary is not a str");
    refuse("[\"<unk>\",\"a\",\"b\",\"a\"]", w,
           "token 3 of the vocabulary is "
           "there twice");
    refuse("[\"<unk>\",\"a\",\"\\u0061\"]", c,
           "token 2 of the vocabulary is "
           "there twice");
    refuse("[\"<unk>\",\"<unk>\"]", w,
           "token 1 of the vocabulary is there "
           "twice");
    refuse("[\"<unk>\",\"<unk>\"]", c,
           "token 1 of the vocabulary is there "
           "twice");
    refuse("[\"<unk>\",\"\"]", w, "token 1 of the vocabulary is empty");
    refuse("[\"<unk>\",\"\"]", c, "token 1 of the vocabulary is empty");
    refuse("[\"<unk>\",\"ab\"]", c,
           "token 1 of the vocabulary is not one "
           "character");
    refuse("[\"<unk>\",\"e\xcc\x81\"]", c,
           "token 1 of the vocabulary is not "
           "one character");
    refuse("[0,1,2]", b, "the vocabulary of bytes is not 0 ... 255");
    refuse("[0,2]", b, "the vocabulary of bytes is not 0 ... 255");
    refuse("[\"<unk>\"]", b, "the vocabulary of bytes is not 0 ... 255");
}

static void test_json_bytes_too_many(void **state)
{
    (void)state;
    char json[2048] = "[0";
    for (int i = 1; i < 257; ++i)
        snprintf(json + strlen(json), 16, ",%d", i);
    strcat(json, "]");
    refuse(json, ELMAN_BYTE, "the vocabulary of bytes is not 0 ... 255");
}

/* ---- Encoding ------------------------------------------------------------*/

static elman_vocab *from(const char *json, elman_level level,
                         elman_normalize normalize)
{
    elman_vocab *v;
    if (el_vocab_from_json(test_context(), json, strlen(json), level, normalize,
                           &v))
        fail_msg("%s", elman_message());
    return v;
}

/* The ids as text: "1 2 0". */
static void expect_ids(const elman_vocab *v, const char *text, size_t size,
                       const char *expected)
{
    int32_t ids[64], few[64];
    int64_t count, again;
    char got[512] = "";
    assert_int_equal(elman_vocab_encode(v, text, size, ids, 64, &count),
                     ELMAN_OK);
    for (int64_t i = 0; i < count; ++i)
        snprintf(got + strlen(got), 16, i > 0 ? " %d" : "%d", ids[i]);
    assert_string_equal(got, expected);
    for (int64_t room = 0; room < count; ++room) {
        few[room] = 12345;
        assert_int_equal(
            elman_vocab_encode(v, text, size, room ? few : NULL, room, &again),
            ELMAN_OK);
        assert_int_equal(again, count);
        assert_memory_equal(few, ids, (size_t)room * sizeof *ids);
        assert_int_equal(few[room], 12345);
    }
}

#define EXPECT_IDS(v, text, expected)                                          \
    expect_ids(v, text, sizeof text - 1, expected)

static void test_encode_words(void **state)
{
    (void)state;
    elman_vocab *v = from("[\"<unk>\",\"<eos>\",\"a\",\"bc\"]", ELMAN_WORD,
                          ELMAN_NORMALIZE_NONE);
    EXPECT_IDS(v, "", "");
    EXPECT_IDS(v, " \t\r\v\f", "");
    EXPECT_IDS(v, "a bc", "2 3");
    EXPECT_IDS(v, " a\tbc \r\n", "2 3 1");
    EXPECT_IDS(v, "\n\na\n", "1 1 2 1");
    EXPECT_IDS(v, "abc bca A a", "0 0 0 2");
    EXPECT_IDS(v, "<unk> <eos> <unk>a", "0 1 0");
    EXPECT_IDS(v, "a\0bc bc", "0 3");
    EXPECT_IDS(v,
               "a\xc2\xa0"
               "bc",
               "0");
    release(v);
    v = from("[\"<unk>\",\"a\",\"bc\"]", ELMAN_WORD, ELMAN_NORMALIZE_LETTERS);
    EXPECT_IDS(v, "A, Bc!\nbC42a", "1 2 2 1");
    EXPECT_IDS(v,
               "\xc3\xa9"
               "a",
               "1");
    EXPECT_IDS(v, "<eos>", "0");
    release(v);
}

static void test_encode_characters(void **state)
{
    (void)state;
    elman_vocab *v = from("[\"<unk>\",\"\\n\",\"a\",\"\xc3\xa9\"]", ELMAN_CHAR,
                          ELMAN_NORMALIZE_NONE);
    EXPECT_IDS(v, "a\xc3\xa9\nb\xe2\x82\xac\n\n", "2 3 1 0 0 1 1");
    EXPECT_IDS(v, "\0a", "0 2");
    release(v);
    v = from("[\"<unk>\",\" \",\"a\",\"b\"]", ELMAN_CHAR,
             ELMAN_NORMALIZE_LETTERS);
    EXPECT_IDS(v, "a B", "2 1 3");
    EXPECT_IDS(v, "\n..A\xc3\xa9\xc3\xa9--b! ", "1 2 1 3 1");
    EXPECT_IDS(v, "abc", "2 3 0");
    EXPECT_IDS(v, "\xe2\x82\xac", "1");
    release(v);
}

static void test_encode_bytes(void **state)
{
    (void)state;
    elman_vocab *v = create(ELMAN_BYTE);
    EXPECT_IDS(v, "a\xff\0\n", "97 255 0 10");
    v->normalize = ELMAN_NORMALIZE_LETTERS;
    EXPECT_IDS(v, "A\xff\xff b", "97 32 98");
    release(v);
}

/* More tokens than the room that encoding uses for what does not fit. */
static void test_encode_long(void **state)
{
    (void)state;
    enum { SIZE = 5000, ROOM = 100 };
    elman_vocab *v =
        from("[\"<unk>\",\"a\",\"b\"]", ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    char text[SIZE];
    int32_t ids[SIZE];
    int64_t count;
    for (int i = 0; i < SIZE; ++i)
        text[i] = "abc"[i % 3];
    for (int64_t room = 0; room < SIZE; room += 127) {
        assert_int_equal(elman_vocab_encode(v, text, SIZE, ids, room, &count),
                         ELMAN_OK);
        assert_int_equal(count, SIZE);
    }
    release(v);
    /* A word without end, known or not, is one token. */
    v = from("[\"<unk>\",\"ab\"]", ELMAN_WORD, ELMAN_NORMALIZE_LETTERS);
    assert_int_equal(elman_vocab_encode(v, text, SIZE, ids, 1, &count),
                     ELMAN_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], EL_UNK);
    release(v);
}

static void test_encode_refused(void **state)
{
    (void)state;
    elman_vocab *v = create(ELMAN_CHAR);
    int32_t ids[8];
    int64_t count;
    assert_int_equal(elman_vocab_encode(v, "ab\xe2\x82", 4, ids, 8, &count),
                     ELMAN_ETEXT);
    assert_string_equal(elman_message(),
                        "the text is not valid UTF-8 (byte 0xe2, after 2 "
                        "bytes that are)");
    assert_int_equal(elman_vocab_encode(NULL, "a", 1, ids, 8, &count),
                     ELMAN_EINVAL);
    assert_int_equal(elman_vocab_encode(v, NULL, 1, ids, 8, &count),
                     ELMAN_EINVAL);
    assert_int_equal(elman_vocab_encode(v, "a", 1, NULL, 8, &count),
                     ELMAN_EINVAL);
    assert_int_equal(elman_vocab_encode(v, "a", 1, ids, -1, &count),
                     ELMAN_EINVAL);
    assert_int_equal(elman_vocab_encode(v, "a", 1, ids, 8, NULL), ELMAN_EINVAL);
    assert_int_equal(elman_vocab_encode(v, NULL, 0, NULL, 0, &count), ELMAN_OK);
    assert_int_equal(count, 0);
    release(v);
}

/* ---- The public look -----------------------------------------------------*/

static void test_public(void **state)
{
    (void)state;
    size_t size = 9;
    elman_vocab *v = create(ELMAN_CHAR);
    assert_null(elman_vocab_token(v, -1, &size));
    assert_int_equal(size, 0);
    assert_null(elman_vocab_token(v, 1, NULL));
    assert_non_null(elman_vocab_token(v, 0, NULL));
    assert_int_equal(elman_vocab_frequency(v, 1), 0);
    assert_int_equal(elman_vocab_frequency(v, -1), 0);
    release(v);
    assert_int_equal(elman_vocab_size(NULL), 0);
    assert_null(elman_vocab_token(NULL, 0, &size));
    assert_int_equal(elman_vocab_frequency(NULL, 0), 0);
    elman_vocab_destroy(NULL);
    v = NULL;
    elman_vocab_destroy(&v);
}

/* ---- Memory --------------------------------------------------------------*/

/* All that allocates, one after another. */
static elman_status use_memory(void)
{
    static const char json[] = "[\"<unk>\",\"a\",\"bc\"]";
    elman_vocab *v = NULL, *copy = NULL, *chosen = NULL;
    el_buffer out = EL_BUFFER(test_context());
    int32_t ids[4];
    int64_t count;
    elman_status status = from_json(json, sizeof json - 1, ELMAN_WORD, &v);
    for (int i = 0; i < 600 && !status; ++i) {
        char name[64];
        int32_t id;
        status = el_vocab_add(v, name, name_of(i, name), &id);
        v->tokens[v->size - 1].frequency = i;
    }
    if (!status)
        status = el_vocab_copy(test_context(), v, &copy);
    if (!status)
        status = el_vocab_select(copy, NULL, 3, 300, &chosen);
    if (!status)
        status = elman_vocab_encode(chosen, "1xx bc", 6, ids, 4, &count);
    if (!status) {
        el_vocab_to_json(chosen, &out);
        status = out.failed ? ELMAN_ENOMEM : ELMAN_OK;
    }
    el_buffer_free(&out);
    el_vocab_free(chosen);
    el_vocab_free(copy);
    el_vocab_free(v);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    int64_t n = 0;
    do {
        test_fail_after(n++);
        const elman_status status = use_memory();
        test_fail_never();
        assert_int_equal(status, test_failed ? ELMAN_ENOMEM : ELMAN_OK);
        assert_int_equal(test_live, 0);
    } while (test_failed);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_chars),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_any_characters),
        cmocka_unit_test(test_json_refused),
        cmocka_unit_test(test_json_bytes_too_many),
        cmocka_unit_test(test_encode_words),
        cmocka_unit_test(test_encode_characters),
        cmocka_unit_test(test_encode_bytes),
        cmocka_unit_test(test_encode_long),
        cmocka_unit_test(test_encode_refused),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
