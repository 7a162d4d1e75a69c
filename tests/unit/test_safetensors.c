/* SPDX-License-Identifier: MIT */
/* test_safetensors.c - tensor files: what is written is read back, and what is
 * wrong is refused with the sentence that says what. */
#include "test_context.h"
#include "test_folder.h"
#include "../../src/io/file.h"
#include "../../src/io/safetensors.h"
#include "../../src/tensor/dtype.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

/* ---- Files made by hand --------------------------------------------------*/

/* The length, the header, and so many bytes of data: 0, 1, 2, ... */
static void *make_file(const char *header, size_t data, size_t *size)
{
    const uint64_t length = strlen(header);
    *size = 8 + (size_t)length + data;
    unsigned char *const bytes = el_alloc(test_context(), *size);
    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    for (size_t i = 0; i < data; ++i)
        bytes[8 + length + i] = (unsigned char)i;
    return bytes;
}

static elman_status parse(const char *header, size_t data, elman_tensors **out)
{
    size_t size;
    void *const bytes = make_file(header, data, &size);
    return el_tensors_parse(test_context(), "m", bytes, size, out);
}

static elman_tensors *parse_well(const char *header, size_t data)
{
    elman_tensors *file;
    if (parse(header, data, &file) != ELMAN_OK)
        fail_msg("%s: %s", header, elman_message());
    return file;
}

static void release(elman_tensors *file)
{
    elman_tensors_destroy(&file);
    assert_null(file);
    assert_int_equal(test_live, 0);
}

static void refuse(const char *header, size_t data, const char *sentence)
{
    elman_tensors *file = (elman_tensors *)&file;
    if (parse(header, data, &file) != ELMAN_EFORMAT)
        fail_msg("not refused: %s", header);
    assert_null(file);
    assert_string_equal(elman_message(), sentence);
    assert_int_equal(test_live, 0);
}

static void refuse_bytes(const void *bytes, size_t size, const char *sentence)
{
    elman_tensors *file;
    void *const copy = el_alloc(test_context(), size);
    memcpy(copy, bytes, size);
    assert_int_equal(el_tensors_parse(test_context(), "m", copy, size, &file),
                     ELMAN_EFORMAT);
    if (sentence)
        assert_string_equal(elman_message(), sentence);
    assert_int_equal(test_live, 0);
}

static elman_tensor find(const elman_tensors *file, const char *name)
{
    elman_tensor tensor;
    if (elman_tensors_find(file, name, &tensor) != ELMAN_OK)
        fail_msg("%s", elman_message());
    assert_string_equal(tensor.name, name);
    assert_int_equal((uintptr_t)tensor.data % el_dtype_size(tensor.dtype), 0);
    return tensor;
}

/* ---- What is right -------------------------------------------------------*/

static void test_empty(void **state)
{
    (void)state;
    elman_tensor tensor;
    elman_tensors *file = parse_well("{}", 0);
    assert_int_equal(elman_tensors_count(file), 0);
    assert_null(elman_tensors_meta(file, "a"));
    assert_int_equal(elman_tensors_find(file, "a", &tensor), ELMAN_EINVAL);
    release(file);
    file = parse_well("{\"__metadata__\":{}}      ", 0);
    assert_int_equal(elman_tensors_count(file), 0);
    assert_null(elman_tensors_meta(file, ""));
    release(file);
}

static void test_read_all(void **state)
{
    (void)state;
    elman_tensors *const file = parse_well(
        "{\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"__metadata__\":{\"z\":\"\",\"key\":\"v\\u0061lue \\u20ac\",\"\":"
        "\"e\"},"
        "\"\":{\"shape\":[],\"dtype\":\"U8\",\"data_offsets\":[24,25]},"
        "\"a\\u0062\":{\"data_offsets\":[25,25],\"shape\":[4,0],\"dtype\":"
        "\"I64\"}}",
        25);
    elman_tensor t;
    assert_int_equal(elman_tensors_count(file), 3);
    assert_string_equal(elman_tensors_meta(file, "key"), "value \xe2\x82\xac");
    assert_string_equal(elman_tensors_meta(file, "z"), "");
    assert_string_equal(elman_tensors_meta(file, ""), "e");
    assert_null(elman_tensors_meta(file, "b"));
    t = find(file, "b");
    assert_int_equal(t.dtype, ELMAN_F32);
    assert_int_equal(t.rank, 2);
    assert_int_equal(t.shape[0], 2);
    assert_int_equal(t.shape[1], 3);
    assert_int_equal(t.count, 6);
    for (int i = 0; i < 24; ++i)
        assert_int_equal(((const unsigned char *)t.data)[i], i);
    t = find(file, "");
    assert_int_equal(t.rank, 0);
    assert_int_equal(t.count, 1);
    assert_int_equal(*(const unsigned char *)t.data, 24);
    t = find(file, "ab");
    assert_int_equal(t.count, 0);
    assert_int_equal(elman_tensors_at(file, 2, &t), ELMAN_OK);
    assert_string_equal(t.name, "ab");
    release(file);
}

/* The header's order is not the data's, and nothing is where it should be. */
static void test_askew(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[5,21]},"
        "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"z\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[5,5]},"
        "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[1,5]}}"};
    static const char *const order[] = {"u", "i", "z", "d"};
    char header[400];
    for (int blanks = 0; blanks < 8; ++blanks) {
        elman_tensor t;
        snprintf(header, sizeof header, "%s%.*s", headers[0], blanks,
                 "        ");
        elman_tensors *const file = parse_well(header, 21);
        for (int i = 0; i < 4; ++i) {
            assert_int_equal(elman_tensors_at(file, i, &t), ELMAN_OK);
            assert_string_equal(t.name, order[i]);
            find(file, order[i]);
        }
        t = find(file, "d");
        for (int i = 0; i < 16; ++i)
            assert_int_equal(((const unsigned char *)t.data)[i], i + 5);
        t = find(file, "i");
        assert_int_equal(*(const int32_t *)t.data, 0x04030201);
        release(file);
    }
}

/* ---- What is wrong -------------------------------------------------------*/

#define NOT_ONE "m: it is no safetensors file "

static void test_length(void **state)
{
    (void)state;
    unsigned char bytes[64] = {0};
    uint64_t length = 0;
    refuse_bytes(bytes, 0, NOT_ONE "(it has 0 bytes)");
    refuse_bytes(bytes, 7, NOT_ONE "(it has 7 bytes)");
    refuse_bytes(bytes, 8, NOT_ONE "(its header does not begin with {)");
    length = 2;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, "{}", 2);
    refuse_bytes(bytes, 8,
                 "m: the file ends within its header (8 bytes of 10)");
    refuse_bytes(bytes, 9,
                 "m: the file ends within its header (9 bytes of 10)");
    refuse_bytes(bytes, 11, "m: 1 bytes follow the last tensor's data");
    length = 100000001;
    memcpy(bytes, &length, 8);
    refuse_bytes(bytes, 64,
                 NOT_ONE "(its header would be 100000001 bytes long, at most "
                         "100000000 are allowed)");
    length = UINT64_MAX;
    memcpy(bytes, &length, 8);
    refuse_bytes(bytes, 64,
                 NOT_ONE "(its header would be 18446744073709551615 bytes "
                         "long, at most 100000000 are allowed)");
    refuse_bytes("PK\3\4 and so on", 13,
                 "m: it is no safetensors file, but a zip archive, such as "
                 "torch.save writes (elman convert makes a model of it)");
    refuse_bytes("\x89PNG\r\n\x1a\n and so on", 18, NULL);
}

static void test_header(void **state)
{
    (void)state;
    refuse("[]", 0, NOT_ONE "(its header does not begin with {)");
    refuse(" {}", 0, NOT_ONE "(its header does not begin with {)");
    refuse("{", 0,
           "m: header: the JSON is wrong at byte 1: a string was expected");
    refuse("{}x", 0,
           "m: header: the JSON is wrong at byte 2: something follows the "
           "value");
    refuse("{\"a\":1}", 0,
           "m: tensor \"a\": it needs dtype, shape and data_offsets, and "
           "nothing else");
    refuse("{\"a\\u0000b\":1}", 0, "m: the string \"a\" holds a NUL");
}

static void test_metadata(void **state)
{
    (void)state;
    refuse("{\"__metadata__\":[]}", 0, "m: __metadata__ is no object");
    refuse("{\"__metadata__\":null}", 0, "m: __metadata__ is no object");
    refuse("{\"__metadata__\":{\"a\":1}}", 0,
           "m: metadata \"a\": a string was expected");
    refuse("{\"__metadata__\":{\"a\":{}}}", 0,
           "m: metadata \"a\": a string was expected");
    refuse("{\"__metadata__\":{\"a\":\"b\\u0000c\"}}", 0,
           "m: metadata \"a\": the string \"b\" holds a NUL");
    refuse("{\"__metadata__\":{\"a\\u0000\":\"b\"}}", 0,
           "m: the string \"a\" holds a NUL");
    refuse("{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\",\"\\u0061\":\"1\"}}", 0,
           "m: metadata \"a\" is there twice");
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0,
           "m: the member \"__metadata__\" is there twice");
}

/* One tensor "w" with what is given, and its data. */
static void refuse_tensor(const char *members, size_t data,
                          const char *sentence)
{
    char header[400], full[400];
    snprintf(header, sizeof header, "{\"w\":{%s}}", members);
    snprintf(full, sizeof full, "m: tensor \"w\": %s", sentence);
    refuse(header, data, full);
}

#define PARTS "it needs dtype, shape and data_offsets, and nothing else"
#define NO_NUMBER "has a value that is no number from 0 to 2^63 - 1"

static void test_description(void **state)
{
    (void)state;
    refuse("{\"w\":[]}", 0, "m: tensor \"w\": " PARTS);
    refuse_tensor("", 0, PARTS);
    refuse_tensor("\"dtype\":\"F32\",\"shape\":[1]", 4, PARTS);
    refuse_tensor("\"dtype\":\"F32\",\"data_offsets\":[0,4]", 4, PARTS);
    refuse_tensor("\"shape\":[1],\"data_offsets\":[0,4]", 4, PARTS);
    refuse_tensor("\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1]", 4, PARTS);
    refuse_tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
                  "\"x\":1",
                  4, PARTS);
    refuse_tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
                  "\"dtype\":\"F32\"",
                  4, PARTS);
}

#define W(dtype, shape, offsets)                                               \
    "\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets

static void test_dtype(void **state)
{
    (void)state;
    static const char *const others[] = {"BOOL", "U16", "F8_E5M2", "F8_E4M3",
                                         "I16",  "i8",  "F16",     "BF16",
                                         "U32",  "U64", "f32",     ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; ++i) {
        char members[200], sentence[200];
        snprintf(members, sizeof members,
                 "\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,4]",
                 others[i]);
        snprintf(sentence, sizeof sentence,
                 "its dtype \"%s\" cannot be read (F32, F64, I64, I32, I8 and "
                 "U8 can)",
                 others[i]);
        refuse_tensor(members, 4, sentence);
    }
    refuse_tensor(W("4", "[1]", "[0,4]"), 4, "its dtype is no short string");
    refuse_tensor(W("\"abcdefghijklmnopqrstuvwxyz\"", "[1]", "[0,4]"), 4,
                  "its dtype is no short string");
}

static void test_shape(void **state)
{
    (void)state;
    refuse_tensor(W("\"F32\"", "1", "[0,4]"), 4, "its shape is no array");
    refuse_tensor(W("\"F32\"", "{\"a\":1}", "[0,4]"), 4,
                  "its shape is no array");
    refuse_tensor(W("\"F32\"", "[\"1\"]", "[0,4]"), 4, "its shape " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[-1]", "[0,4]"), 4, "its shape " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[1.0]", "[0,4]"), 4, "its shape " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[[1]]", "[0,4]"), 4, "its shape " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[9223372036854775808]", "[0,4]"), 4,
                  "its shape " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4,
                  "its shape has 9 numbers (at most 8 are allowed)");
    refuse_tensor(W("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0,
                  "its shape is too large");
    refuse_tensor(W("\"F32\"", "[9223372036854775807]", "[0,4]"), 4,
                  "its shape is too large");
    refuse_tensor(W("\"F64\"", "[2305843009213693952]", "[0,0]"), 0,
                  "its shape is too large");
}

static void test_offsets(void **state)
{
    (void)state;
    refuse_tensor(W("\"F32\"", "[1]", "4"), 4, "its data_offsets is no array");
    refuse_tensor(W("\"F32\"", "[1]", "[4]"), 4,
                  "its data_offsets are not two");
    refuse_tensor(W("\"F32\"", "[1]", "[]"), 4, "its data_offsets are not two");
    refuse_tensor(W("\"F32\"", "[1]", "[0,2,4]"), 4,
                  "its data_offsets has 3 numbers (at most 2 are allowed)");
    refuse_tensor(W("\"F32\"", "[1]", "[-4,0]"), 4,
                  "its data_offsets " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[1]", "[0,4e0]"), 4,
                  "its data_offsets " NO_NUMBER);
    refuse_tensor(W("\"F32\"", "[1]", "[0,5]"), 5,
                  "its shape takes 4 bytes, but its data go from 0 to 5");
    refuse_tensor(W("\"F32\"", "[1]", "[4,0]"), 4,
                  "its shape takes 4 bytes, but its data go from 4 to 0");
    refuse_tensor(W("\"F32\"", "[0]", "[4,0]"), 4,
                  "its shape takes 0 bytes, but its data go from 4 to 0");
    refuse_tensor(
        W("\"U8\"", "[9223372036854775807]", "[0,9223372036854775806]"), 4,
        "its shape takes 9223372036854775807 bytes, but its data go "
        "from 0 to 9223372036854775806");
    refuse_tensor(W("\"F32\"", "[1]", "[4,8]"), 8,
                  "its data begin at 4, but what is before them ends at 0");
    refuse("{\"w\":{" W("\"F32\"", "[1]", "[0,4]") "}}", 3,
           "m: the file ends within its data (3 bytes of 4)");
    refuse("{\"w\":{" W("\"U8\"", "[9223372036854775807]",
                        "[0,9223372036854775807]") "}}",
           4,
           "m: the file ends within its data (4 bytes of "
           "9223372036854775807)");
    refuse("{\"w\":{" W("\"F32\"", "[1]", "[0,4]") "}}", 5,
           "m: 1 bytes follow the last tensor's data");
}

#define TENSOR(name, offsets) "\"" name "\":{" W("\"F32\"", "[1]", offsets) "}"

static void test_places(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "[0,4]") "," TENSOR("b", "[8,12]") "}", 12,
           "m: tensor \"b\": its data begin at 8, but what is before them ends "
           "at 4");
    refuse("{" TENSOR("a", "[0,4]") "," TENSOR("b", "[2,6]") "}", 6,
           "m: tensor \"b\": its data begin at 2, but what is before them ends "
           "at 4");
    refuse("{" TENSOR("b", "[0,4]") "," TENSOR("a", "[0,4]") "}", 4,
           "m: tensor \"b\": its data begin at 0, but what is before them ends "
           "at 4");
    refuse("{" TENSOR("a", "[0,4]") "," TENSOR("b", "[4,8]") "," TENSOR(
               "\\u0061", "[8,12]") "}",
           12, "m: tensor \"a\" is there twice");
}

/* What a file says is not obeyed by a terminal, and does not fill the line. */
static void test_labels(void **state)
{
    (void)state;
    refuse("{\"\\u001b[2J\\u007f\":1}", 0, "m: tensor \"?[2J?\": " PARTS);
    refuse("{\"0123456789012345678901234567890123456789012345678901234567"
           "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\":1}",
           0,
           "m: tensor \"012345678901234567890123456789012345678901234567890123"
           "4567...\": " PARTS);
    refuse("{\"01234567890123456789012345678901234567890123456789012345678901"
           "23\":1}",
           0,
           "m: tensor \"012345678901234567890123456789012345678901234567890123"
           "4567890123\": " PARTS);
}

/* ---- Writing -------------------------------------------------------------*/

static const double doubles[6] = {0.1, -0.0, DBL_MAX, INFINITY, 0x1p-1074, 6};
static const float floats[3] = {0.1f, -0.0f, 0x1p-149f};
static const int64_t longs[2] = {INT64_MIN, INT64_MAX};
static const int32_t ints[1] = {-2};
static const unsigned char bytes[5] = {0, 1, 127, 128, 255};

static const elman_tensor samples[] = {
    {"d", ELMAN_F64, 2, {2, 3}, 6, doubles},
    {"l", ELMAN_I64, 1, {2}, 2, longs},
    {"none", ELMAN_F32, 3, {2, 0, 7}, 0, NULL},
    {"f \"\xe2\x82\xac\"\n", ELMAN_F32, 8, {1, 1, 1, 1, 3, 1, 1, 1}, 3, floats},
    {"i", ELMAN_I32, 0, {0}, 1, ints},
    {"", ELMAN_U8, 1, {5}, 5, bytes},
    {"c", ELMAN_I8, 1, {5}, 5, bytes}};
enum { SAMPLES = sizeof samples / sizeof samples[0], PAIRS = 3 };

static const char *const pairs[2 * PAIRS] = {
    "kind", "a \"test\" \\ \xf0\x9f\x98\x80\x01\x7f", "", "empty", "z", ""};

static void write_samples(const char *path)
{
    if (elman_tensors_write(test_context(), path, samples, SAMPLES, pairs,
                            PAIRS) != ELMAN_OK)
        fail_msg("%s", elman_message());
    assert_int_equal(test_live, 0);
}

static elman_tensors *read_well(const char *path)
{
    elman_tensors *file;
    if (elman_tensors_read(test_context(), path, &file) != ELMAN_OK)
        fail_msg("%s", elman_message());
    return file;
}

static void check_samples(const elman_tensors *file)
{
    assert_int_equal(elman_tensors_count(file), SAMPLES);
    for (int i = 0; i < SAMPLES; ++i) {
        const elman_tensor *const w = &samples[i];
        elman_tensor at;
        const elman_tensor t = find(file, w->name);
        assert_int_equal(elman_tensors_at(file, i, &at), ELMAN_OK);
        assert_memory_equal(&t, &at, sizeof t);
        assert_int_equal(t.dtype, w->dtype);
        assert_int_equal(t.rank, w->rank);
        assert_memory_equal(t.shape, w->shape, sizeof t.shape);
        assert_int_equal(t.count, w->count);
        if (w->count > 0)
            assert_memory_equal(t.data, w->data,
                                (size_t)t.count * el_dtype_size(t.dtype));
    }
    for (int i = 0; i < PAIRS; ++i)
        assert_string_equal(elman_tensors_meta(file, pairs[2 * i]),
                            pairs[2 * i + 1]);
}

static void test_round_trip(void **state)
{
    (void)state;
    size_t size = 0, again_size = 0;
    write_samples("file");
    elman_tensors *const file = read_well("file");
    check_samples(file);
    release(file);
    write_samples("again");
    char *const text = file_read("file", &size);
    char *const again = file_read("again", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(text, again, size);
    free(text);
    free(again);
}

/* The bytes themselves: these files outlive the program. */
static void test_bytes(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"__metadata__\":{\"checksum\":\"CCCCCCCCCCCCCCCC\",\"a\":\"b\"},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
        "\"s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]}}      ";
    static const float w[2] = {1, -2};
    static const char *const a[2] = {"a", "b"};
    const elman_tensor list[] = {{"w", ELMAN_F32, 2, {2, 1}, 2, w},
                                 {"s", ELMAN_U8, 0, {0}, 1, "\x05"}};
    const size_t header = sizeof expected - 1;
    char digits[17];
    size_t size = 0;
    uint64_t length;
    assert_int_equal(elman_tensors_write(test_context(), "file", list, 2, a, 1),
                     ELMAN_OK);
    char *const text = file_read("file", &size);
    assert_int_equal(size, 8 + header + 9);
    assert_int_equal((8 + header) % 8, 0);
    memcpy(&length, text, 8);
    assert_int_equal(length, header);
    assert_memory_equal(text + 8 + header, "\0\0\x80\x3f\0\0\0\xc0\x05", 9);
    char *const place = text + 8 + (strchr(expected, 'C') - expected);
    memcpy(digits, place, 16);
    digits[16] = '\0';
    memset(place, '0', 16);
    char sum[17];
    snprintf(sum, sizeof sum, "%016" PRIx64, el_crc64(0, text, size));
    assert_string_equal(digits, sum);
    memset(place, 'C', 16);
    assert_memory_equal(text + 8, expected, header);
    free(text);
}

/* Only where the word "checksum" itself is hit is nothing left to compare; all
 * else must still be right then. */
static void check_flipped(const char *text, size_t size, bool in_word)
{
    elman_tensors *file;
    void *const copy = el_alloc(test_context(), size);
    memcpy(copy, text, size);
    const elman_status status =
        el_tensors_parse(test_context(), "m", copy, size, &file);
    if (status == ELMAN_OK && in_word) {
        check_samples(file);
        assert_null(elman_tensors_meta(file, "checksum"));
        el_tensors_free(file);
    } else {
        assert_int_equal(status, ELMAN_EFORMAT);
    }
    assert_int_equal(test_live, 0);
}

/* Whatever bit is wrong, wherever the file ends: it is noticed. */
static void test_damage(void **state)
{
    (void)state;
    size_t size = 0;
    write_samples("file");
    char *const text = file_read("file", &size);
    const size_t word = 8 + strlen("{\"__metadata__\":{\"");
    assert_memory_equal(text + word, "checksum", 8);
    for (size_t i = 0; i < size; ++i)
        for (int bit = 0; bit < 8; ++bit) {
            text[i] = (char)(text[i] ^ 1 << bit);
            check_flipped(text, size, i - word < 8);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    for (size_t cut = 0; cut < size; ++cut)
        refuse_bytes(text, cut, NULL);
    refuse_bytes(text, size + 1, NULL);
    text[size - 1] ^= 1;
    refuse_bytes(text, size,
                 "m: the file is damaged (its checksum does not match; remove "
                 "the metadata entry \"checksum\" if another program rewrote "
                 "it)");
    free(text);
}

static void test_checksum(void **state)
{
    (void)state;
    static const char sentence[] =
        "m: the file is damaged (its checksum does not match; remove the "
        "metadata entry \"checksum\" if another program rewrote it)";
    refuse("{\"__metadata__\":{\"checksum\":\"0123456789abcdef\"}}", 0,
           sentence);
    refuse("{\"__metadata__\":{\"checksum\":\"\"}}", 0, sentence);
    refuse("{\"__metadata__\":{\"checksum\":\"0123456789ABCDEF0\"}}", 0,
           sentence);
    release(parse_well("{\"__metadata__\":{\"Checksum\":\"\"}}", 0));
}

static void test_keep(void **state)
{
    (void)state;
    for (int i = 0; i < 4; ++i) {
        const elman_tensor t = {"n", ELMAN_I32, 0, {0}, 1, &i};
        assert_int_equal(
            el_tensors_write(test_context(), "file", &t, 1, NULL, 0, 2),
            ELMAN_OK);
    }
    static const char *const paths[] = {"file.2", "file.1", "file"};
    for (int i = 0; i < 3; ++i) {
        elman_tensors *const file = read_well(paths[i]);
        assert_int_equal(*(const int32_t *)find(file, "n").data, i + 1);
        release(file);
    }
    assert_int_equal(folder_entries(".", false), 3);
}

static void test_empty_write(void **state)
{
    (void)state;
    assert_int_equal(
        elman_tensors_write(test_context(), "file", NULL, 0, NULL, 0),
        ELMAN_OK);
    elman_tensors *const file = read_well("file");
    assert_int_equal(elman_tensors_count(file), 0);
    assert_int_equal(strlen(elman_tensors_meta(file, "checksum")), 16);
    release(file);
}

/* ---- Callers' mistakes ---------------------------------------------------*/

static void refuse_write(const elman_tensor *tensors, int count,
                         const char *const *keys_values, int pair_count,
                         const char *sentence)
{
    assert_int_equal(elman_tensors_write(test_context(), "file", tensors, count,
                                         keys_values, pair_count),
                     ELMAN_EINVAL);
    assert_string_equal(elman_message(), sentence);
    assert_int_equal(folder_entries(".", false), 0);
    assert_int_equal(test_live, 0);
}

static void test_wrong_tensors(void **state)
{
    (void)state;
    const elman_tensor right = {"w", ELMAN_U8, 1, {1}, 1, "x"};
    elman_tensor t = right;
    t.name = NULL;
    refuse_write(&t, 1, NULL, 0, "tensor 0: its name is NULL");
    t.name = "\xff";
    refuse_write(&t, 1, NULL, 0, "tensor 0: its name is not valid UTF-8");
    t.name = "__metadata__";
    refuse_write(&t, 1, NULL, 0,
                 "file: tensor \"__metadata__\" is there twice");
    t = right;
    t.rank = 9;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": its rank is 9 (0 to 8)");
    t.rank = -1;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": its rank is -1 (0 to 8)");
    t = right;
    t.dtype = (elman_dtype)8;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": 8 is no dtype of a file");
    t.dtype = ELMAN_BF16;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": 5 is no dtype of a file");
    t.dtype = ELMAN_INT8;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": 6 is no dtype of a file");
    t = right;
    t.shape[0] = -1;
    refuse_write(&t, 1, NULL, 0,
                 "tensor \"w\": its shape is negative or too large");
    t.rank = 2;
    t.shape[0] = t.shape[1] = INT64_C(1) << 32;
    refuse_write(&t, 1, NULL, 0,
                 "tensor \"w\": its shape is negative or too large");
    t = right;
    t.shape[0] = 2;
    refuse_write(&t, 1, NULL, 0,
                 "tensor \"w\": its count is 1, but its shape has 2 elements");
    t = right;
    t.data = NULL;
    refuse_write(&t, 1, NULL, 0, "tensor \"w\": its data are NULL");
    const elman_tensor twice[] = {right, right};
    refuse_write(twice, 2, NULL, 0, "file: tensor \"w\" is there twice");
}

static void test_wrong_metadata(void **state)
{
    (void)state;
    static const char *const checksum[] = {"checksum", "1"};
    static const char *const twice[] = {"a", "1", "b", "2", "a", "3"};
    static const char *const no_value[] = {"a", NULL}, *const no_key[] = {NULL,
                                                                          "a"};
    static const char *const bad[] = {"a", "\xc3("}, *const worse[] = {
                                                         "\xed\xa0\x80", "a"};
    refuse_write(NULL, 0, checksum, 1,
                 "file: metadata \"checksum\" is there twice");
    refuse_write(NULL, 0, twice, 3, "file: metadata \"a\" is there twice");
    refuse_write(NULL, 0, no_value, 1, "metadata 0: its key or value is NULL");
    refuse_write(NULL, 0, no_key, 1, "metadata 0: its key or value is NULL");
    refuse_write(NULL, 0, bad, 1, "metadata 0: it is not valid UTF-8");
    refuse_write(NULL, 0, worse, 1, "metadata 0: it is not valid UTF-8");
    refuse_write(NULL, -1, NULL, 0, "count is -1 (0 or more)");
    refuse_write(NULL, 1, NULL, 0, "tensors is NULL");
    refuse_write(NULL, 0, NULL, -1, "pairs is -1 (0 or more)");
    refuse_write(NULL, 0, NULL, 1, "keys_values is NULL");
}

static void test_too_large(void **state)
{
    (void)state;
    enum { LONG = 100000001 };
    const int64_t most = INT64_MAX;
    const elman_tensor huge[] = {{"a", ELMAN_U8, 1, {most}, most, "x"},
                                 {"b", ELMAN_U8, 1, {1}, 1, "x"}};
    refuse_write(huge, 2, NULL, 0, "file: tensor \"b\" is too large");
    char *const value = malloc(LONG);
    memset(value, 'x', LONG);
    value[LONG - 1] = '\0';
    const char *const pair[] = {"a", value};
    refuse_write(NULL, 0, pair, 1,
                 "file: names and metadata take 100000056 bytes, at most "
                 "100000000 are allowed");
    free(value);
}

static void test_null(void **state)
{
    (void)state;
    elman_context *const c = test_context();
    elman_tensors *file = (elman_tensors *)&file;
    elman_tensor t;
    assert_int_equal(elman_tensors_read(c, NULL, &file), ELMAN_EINVAL);
    assert_null(file);
    assert_string_equal(elman_message(), "context or path is NULL");
    assert_int_equal(elman_tensors_read(NULL, "x", &file), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_read(c, "x", NULL), ELMAN_EINVAL);
    assert_string_equal(elman_message(), "out is NULL");
    assert_int_equal(elman_tensors_write(c, NULL, NULL, 0, NULL, 0),
                     ELMAN_EINVAL);
    assert_int_equal(elman_tensors_write(NULL, "x", NULL, 0, NULL, 0),
                     ELMAN_EINVAL);
    assert_int_equal(elman_tensors_count(NULL), 0);
    assert_int_equal(elman_tensors_at(NULL, 0, &t), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_find(NULL, "x", &t), ELMAN_EINVAL);
    assert_null(elman_tensors_meta(NULL, "x"));
    elman_tensors_destroy(NULL);
    file = NULL;
    elman_tensors_destroy(&file);

    file = parse_well("{" TENSOR("a", "[0,4]") "}", 4);
    assert_int_equal(elman_tensors_at(file, 0, NULL), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_at(file, 1, &t), ELMAN_EINVAL);
    assert_string_equal(elman_message(),
                        "there is no tensor 1 (the file has 1)");
    assert_int_equal(elman_tensors_at(file, -1, &t), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_find(file, NULL, &t), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_find(file, "a", NULL), ELMAN_EINVAL);
    assert_int_equal(elman_tensors_find(file, "b", &t), ELMAN_EINVAL);
    assert_string_equal(elman_message(), "there is no tensor \"b\"");
    assert_null(elman_tensors_meta(file, NULL));
    release(file);
}

static void test_dtype_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {4, 8, 8, 4, 1, 4, 4, 1, 0};
    for (int i = 0; i < 9; ++i)
        assert_int_equal(elman_dtype_size((elman_dtype)i), sizes[i]);
    assert_int_equal(elman_dtype_size((elman_dtype)-1), 0);
}

/* ---- Faults --------------------------------------------------------------*/

static void test_io_errors(void **state)
{
    (void)state;
    elman_tensors *file;
    assert_int_equal(elman_tensors_read(test_context(), "none", &file),
                     ELMAN_EIO);
    assert_string_equal(elman_message(),
                        "none: cannot be read: No such file or directory");
    assert_null(file);
    assert_int_equal(elman_tensors_write(test_context(), "/dev/full", samples,
                                         SAMPLES, pairs, PAIRS),
                     ELMAN_EIO);
    assert_string_equal(
        elman_message(),
        "/dev/full: cannot be written: No space left on device");
    file_write_text("text", "It was the best of times, it was the worst.");
    assert_int_equal(elman_tensors_read(test_context(), "text", &file),
                     ELMAN_EFORMAT);
    assert_int_equal(strncmp(elman_message(), "text: it is no safetensors", 26),
                     0);
    assert_int_equal(test_live, 0);
}

/* As large as no memory is: its first bytes are enough. */
static void test_read_foreign(void **state)
{
    (void)state;
    elman_tensors *file;
    file_write_text("movie", "RIFF____AVI LIST");
    if (truncate("movie", (off_t)1 << 42) != 0)
        assert_int_equal(truncate("movie", 1 << 30), 0);
    test_fail_after(0);
    const elman_status status =
        elman_tensors_read(test_context(), "movie", &file);
    test_fail_never();
    assert_false(test_failed);
    assert_int_equal(status, ELMAN_EFORMAT);
    assert_string_equal(elman_message(),
                        "movie: it is no safetensors file (its header would be "
                        "6872316419196209490 bytes long, at most 100000000 are "
                        "allowed)");
}

static void test_read_no_memory(void **state)
{
    (void)state;
    int64_t n = 0;
    write_samples("file");
    for (;; ++n) {
        elman_tensors *file;
        const int fd = next_descriptor();
        test_fail_after(n);
        const elman_status status =
            elman_tensors_read(test_context(), "file", &file);
        test_fail_never();
        assert_int_equal(next_descriptor(), fd);
        if (!test_failed) {
            assert_int_equal(status, ELMAN_OK);
            check_samples(file);
            release(file);
            break;
        }
        assert_int_equal(status, ELMAN_ENOMEM);
        assert_string_equal(elman_message(), "file: memory ran out");
        assert_null(file);
        assert_int_equal(test_live, 0);
    }
    assert_true(n >= 9);
}

static void test_write_no_memory(void **state)
{
    (void)state;
    int64_t n = 0;
    file_write_text("file", "old");
    for (;; ++n) {
        const int fd = next_descriptor();
        test_fail_after(n);
        const elman_status status = el_tensors_write(
            test_context(), "file", samples, SAMPLES, pairs, PAIRS, 1);
        test_fail_never();
        assert_int_equal(next_descriptor(), fd);
        assert_int_equal(test_live, 0);
        if (!test_failed) {
            assert_int_equal(status, ELMAN_OK);
            break;
        }
        assert_int_equal(status, ELMAN_ENOMEM);
        assert_string_equal(elman_message(), "file: memory ran out");
        assert_true(file_is("file", "old"));
        assert_int_equal(folder_entries(".", false), 1);
    }
    assert_true(n >= 8);
    elman_tensors *const file = read_well("file");
    check_samples(file);
    release(file);
    assert_true(file_is("file.1", "old"));
}

/* ---- Many ----------------------------------------------------------------*/

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    elman_tensor *const list = calloc(MANY, sizeof *list);
    char(*const names)[16] = calloc(MANY, sizeof *names);
    int32_t *const values = calloc(MANY, sizeof *values);
    const clock_t start = clock();
    for (int i = 0; i < MANY; ++i) {
        values[i] = i;
        snprintf(names[i], sizeof names[i], "t%d", (i * 7919) % MANY);
        list[i] = (elman_tensor){names[i], ELMAN_I32, 1, {1}, 1, &values[i]};
    }
    assert_int_equal(
        elman_tensors_write(test_context(), "file", list, MANY, NULL, 0),
        ELMAN_OK);
    elman_tensors *const file = read_well("file");
    assert_int_equal(elman_tensors_count(file), MANY);
    for (int i = 0; i < MANY; ++i)
        assert_int_equal(*(const int32_t *)find(file, names[i]).data, i);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
    release(file);
    free(list);
    free(names);
    free(values);
}

/* ---- Files of others -----------------------------------------------------*/

/* NAME.f32 is NAME, rounded. */
static void check_rounded(const elman_tensors *file, const elman_tensor *exact)
{
    char name[200];
    elman_tensor rounded;
    snprintf(name, sizeof name, "%s.f32", exact->name);
    rounded = find(file, name);
    assert_int_equal(rounded.dtype, ELMAN_F32);
    assert_int_equal(rounded.count, exact->count);
    const double *const x = exact->data;
    const float *const y = rounded.data;
    for (int64_t i = 0; i < exact->count; ++i)
        assert_true((float)x[i] == y[i]);
}

static void check_golden(const char *path)
{
    elman_tensors *file = read_well(path);
    int doubles_seen = 0;
    assert_non_null(elman_tensors_meta(file, "kind"));
    for (int i = 0; i < elman_tensors_count(file); ++i) {
        elman_tensor t;
        assert_int_equal(elman_tensors_at(file, i, &t), ELMAN_OK);
        find(file, t.name);
        if (t.dtype == ELMAN_F64) {
            check_rounded(file, &t);
            ++doubles_seen;
        }
    }
    assert_true(doubles_seen > 0);
    release(file);
}

static void test_golden(void **state)
{
    (void)state;
    static const char ending[] = ".safetensors";
    const char *const shared = getenv("ELMAN_SHARED");
    char path[3 * NAME_ROOM];
    snprintf(path, sizeof path, "%.1000s/golden", shared ? shared : "");
    DIR *const folder = shared ? opendir(path) : NULL;
    if (!folder) {
        print_message("skipped: there are no golden files here\n");
        skip();
        return;
    }
    const struct dirent *entry;
    int count = 0;
    while ((entry = readdir(folder))) {
        const size_t size = strlen(entry->d_name);
        if (size < sizeof ending ||
            strcmp(entry->d_name + size - sizeof ending + 1, ending) != 0)
            continue;
        snprintf(path, sizeof path, "%.1000s/golden/%s", shared, entry->d_name);
        check_golden(path);
        ++count;
    }
    closedir(folder);
    print_message("%d golden files read\n", count);
    assert_true(count > 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_read_all),
        cmocka_unit_test(test_askew),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_dtype),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_labels),
        TEST(test_round_trip),
        TEST(test_bytes),
        TEST(test_damage),
        cmocka_unit_test(test_checksum),
        TEST(test_keep),
        TEST(test_empty_write),
        TEST(test_wrong_tensors),
        TEST(test_wrong_metadata),
        TEST(test_too_large),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_dtype_sizes),
        TEST(test_io_errors),
        TEST(test_read_foreign),
        TEST(test_read_no_memory),
        TEST(test_write_no_memory),
        TEST(test_many),
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
