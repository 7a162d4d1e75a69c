/* SPDX-License-Identifier: MIT */
/* fuzz_json.c - any bytes as JSON: what is taken can be walked, read, and
 * written again. */
#include "../unit/test_context.h"
#include "../../src/base/utf8.h"
#include "../../src/io/buffer.h"
#include "../../src/io/json.h"
#include "standalone.h"

#include <math.h>

static void check_string(const el_json *json, int value)
{
    elman_context *const context = test_context();
    size_t size, again_size;
    char *const text = el_json_string(context, json, value, &size);
    FUZZ_CHECK(text && el_utf8_valid(text, size) && text[size] == '\0');
    el_buffer out = EL_BUFFER(context);
    el_json *written;
    el_buffer_json(&out, text, size);
    FUZZ_CHECK(el_json_parse(context, out.data, out.size, &written) ==
               ELMAN_OK);
    char *const again = el_json_string(context, written, 0, &again_size);
    FUZZ_CHECK(again && size == again_size && memcmp(text, again, size) == 0);
    el_free(context, again);
    el_json_free(context, written);
    el_buffer_free(&out);
    el_free(context, text);
}

/* Its span is JSON by itself, and of the same type. */
static void check_number(const el_json *json, const char *text, int value)
{
    el_json *alone;
    size_t from, size;
    int64_t integer, same_integer;
    double number, same_number;
    FUZZ_CHECK(el_json_span(json, value, &from, &size));
    FUZZ_CHECK(el_json_parse(test_context(), text + from, size, &alone) ==
               ELMAN_OK);
    FUZZ_CHECK(el_json_type(alone, 0) == EL_JSON_NUMBER);
    if (el_json_double(json, value, &number))
        FUZZ_CHECK(isfinite(number) && el_json_double(alone, 0, &same_number) &&
                   number == same_number);
    if (el_json_int64(json, value, &integer))
        FUZZ_CHECK(el_json_int64(alone, 0, &same_integer) &&
                   integer == same_integer);
    el_json_free(test_context(), alone);
}

/* Returns how many tokens the value has. */
static int check_value(const el_json *json, const char *text, int value)
{
    const enum el_json_type type = el_json_type(json, value);
    int children = 0, tokens = 1;
    FUZZ_CHECK(type != EL_JSON_NONE);
    if (type == EL_JSON_STRING)
        check_string(json, value);
    if (type == EL_JSON_NUMBER)
        check_number(json, text, value);
    for (int child = el_json_first_child(json, value); child >= 0;
         child = el_json_next_sibling(json, child), ++children) {
        const int member = el_json_member_value(json, child);
        FUZZ_CHECK(child == value + tokens);
        FUZZ_CHECK((member >= 0) == (type == EL_JSON_OBJECT));
        tokens += check_value(json, text, child);
        if (member >= 0)
            tokens += check_value(json, text, member);
    }
    FUZZ_CHECK(children == el_json_length(json, value));
    return tokens;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    el_json *json;
    const char *const text = (const char *)data;
    const elman_status status =
        el_json_parse(test_context(), text, size, &json);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT);
    FUZZ_CHECK((status == ELMAN_OK) == (json != NULL));
    if (json)
        check_value(json, text, 0);
    el_json_free(test_context(), json);
    FUZZ_CHECK(test_live == 0);
    return 0;
}

#define SEED(text)                                                             \
    {                                                                          \
        text, sizeof text - 1                                                  \
    }

FUZZ_MAIN
{
    static const fuzz_seed seeds[] = {
        SEED("{}"),
        SEED("[1,-2.5e+3,0,1e-5,true,false,null,\"\"]"),
        SEED("{\"a\":{\"b\":[{\"c\":[[]]}]},\"d\":\"x\",\"e\":12}"),
        SEED("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00\xc3\xa9\xe2\x82"
             "\xac\xf0\x9f\x98\x80\""),
        SEED(" [ 9223372036854775807 , -9223372036854775808 ]\n"),
        SEED("[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]")};
    return fuzz_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], 200000);
}
