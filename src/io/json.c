/* SPDX-License-Identifier: MIT */
/* json.c - see json.h.
 *
 * jsmn finds the tokens in one pass, but lets pass much that is no JSON: [1 2],
 * {"a"}, 01, whatever follows a NUL.  A text is therefore held to the grammar
 * of RFC 8259 first, and jsmn sees only what is right.  The grammar's depth is
 * bounded: it is checked by recursion, and jsmn goes from the end of every
 * object and array up through all that are open. */
#include "json.h"
#include "../base/utf8.h"
#include "c_locale.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

enum { DEPTH_MAX = 100, DIGITS_MAX = 512 };

/* ---- Characters ----------------------------------------------------------*/

static size_t utf8_write(uint32_t code, char *out)
{
    const size_t length = code < 0x80      ? 1
                          : code < 0x800   ? 2
                          : code < 0x10000 ? 3
                                           : 4;
    if (length == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = length - 1; i > 0; --i, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00u >> length & 0xff) | code);
    return length;
}

/* The four digits of \uXXXX; false if they are none. */
static bool hex4(const char *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

/* A \uXXXX, or two that are a surrogate pair; p stands on the backslash. */
static size_t unicode_escape(const char *p, size_t left, uint32_t *code)
{
    uint32_t low;
    if (left < 6 || !hex4(p + 2, code))
        return 0;
    if (*code < 0xd800 || *code > 0xdfff)
        return 6;
    if (*code > 0xdbff || left < 12 || p[6] != '\\' || p[7] != 'u' ||
        !hex4(p + 8, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *code = 0x10000 + ((*code - 0xd800) << 10 | (low - 0xdc00));
    return 12;
}

/* How many bytes the character at p takes in a JSON string; 0 if it may not
 * stand there. */
static size_t string_read(const char *p, size_t left, uint32_t *code)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if ((unsigned char)*p < 0x20)
        return 0;
    if (*p != '\\')
        return el_utf8_read(p, left, code);
    if (left < 2 || p[1] == '\0')
        return 0;
    if (p[1] == 'u')
        return unicode_escape(p, left, code);
    const char *const name = strchr(names, p[1]);
    if (!name)
        return 0;
    *code = (uint32_t)meant[name - names];
    return 2;
}

/* ---- The grammar -----------------------------------------------------*/

typedef struct scanner {
    const char *text;
    size_t size, at;
    int depth, tokens;
    const char *wrong;
} scanner;

static bool wrong(scanner *s, const char *sentence)
{
    s->wrong = sentence;
    return false;
}

/* The next byte, or -1 at the end. */
static int next(const scanner *s)
{
    return s->at < s->size ? (unsigned char)s->text[s->at] : -1;
}

static bool take(scanner *s, char c)
{
    const bool there = next(s) == (unsigned char)c;
    s->at += there;
    return there;
}

static void skip_blanks(scanner *s)
{
    while (take(s, ' ') || take(s, '\t') || take(s, '\n') || take(s, '\r'))
        ;
}

static bool scan_string(scanner *s)
{
    uint32_t code;
    if (!take(s, '"'))
        return wrong(s, "a string was expected");
    ++s->tokens;
    while (!take(s, '"')) {
        if (s->at == s->size)
            return wrong(s, "a string does not end");
        const size_t left = s->size - s->at;
        const size_t step = string_read(s->text + s->at, left, &code);
        if (step == 0)
            return wrong(s, next(s) == '\\'  ? "this is no escape"
                            : next(s) < 0x20 ? "a control character stands in "
                                               "a string"
                                             : "this is no UTF-8");
        s->at += step;
    }
    return true;
}

static bool scan_digits(scanner *s)
{
    const size_t from = s->at;
    while (next(s) >= '0' && next(s) <= '9')
        ++s->at;
    return s->at > from;
}

static bool scan_number(scanner *s)
{
    ++s->tokens;
    take(s, '-');
    if (!take(s, '0') && !scan_digits(s))
        return wrong(s, "a digit was expected");
    if (take(s, '.') && !scan_digits(s))
        return wrong(s, "a digit was expected");
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        if (!scan_digits(s))
            return wrong(s, "a digit was expected");
    }
    return true;
}

static bool scan_word(scanner *s, const char *word)
{
    const size_t size = strlen(word);
    if (s->size - s->at < size || memcmp(s->text + s->at, word, size) != 0)
        return wrong(s, "a value was expected");
    ++s->tokens;
    s->at += size;
    return true;
}

static bool scan_value(scanner *s);

static bool scan_member(scanner *s)
{
    if (!scan_string(s))
        return false;
    skip_blanks(s);
    if (!take(s, ':'))
        return wrong(s, "a colon was expected");
    skip_blanks(s);
    return scan_value(s);
}

/* An object or array from after its bracket on; end is the other bracket. */
static bool scan_list(scanner *s, char end)
{
    if (s->depth == DEPTH_MAX)
        return wrong(s, "it is nested too deeply");
    ++s->depth;
    ++s->tokens;
    skip_blanks(s);
    for (bool first = true; !take(s, end); first = false) {
        if (!first && !take(s, ','))
            return wrong(s, end == '}' ? "a comma or } was expected"
                                       : "a comma or ] was expected");
        skip_blanks(s);
        if (!(end == '}' ? scan_member(s) : scan_value(s)))
            return false;
        skip_blanks(s);
    }
    --s->depth;
    return true;
}

static bool scan_value(scanner *s)
{
    switch (next(s)) {
    case '{':
        ++s->at;
        return scan_list(s, '}');
    case '[':
        ++s->at;
        return scan_list(s, ']');
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    }
    if (next(s) == '-' || (next(s) >= '0' && next(s) <= '9'))
        return scan_number(s);
    return wrong(s, "a value was expected");
}

/* ---- The tokens ------------------------------------------------------*/

struct el_json {
    const char *text;
    jsmntok_t *tokens;
    int *sibling; /* the next one's index, or -1 */
    int count;
};

/* A value's siblings follow its own members, so the last one comes first here.
 * Until its own turn comes, a token's link holds its first child. */
static void link_siblings(el_json *json)
{
    for (int i = 0; i < json->count; ++i)
        json->sibling[i] = -1;
    for (int i = json->count - 1; i >= 0; --i) {
        const int parent = json->tokens[i].parent;
        json->sibling[i] = parent < 0 ? -1 : json->sibling[parent];
        if (parent >= 0)
            json->sibling[parent] = i;
    }
}

/* jsmn takes no number or word that nothing follows, so a text that is but one
 * gets its token here. */
static bool find_tokens(el_json *json, size_t first, size_t end)
{
    if (!strchr("{[\"", json->text[first])) {
        json->tokens[0] = (jsmntok_t){.type = JSMN_PRIMITIVE,
                                      .start = (int)first,
                                      .end = (int)end,
                                      .parent = -1};
        return true;
    }
    jsmn_parser parser;
    jsmn_init(&parser);
    return jsmn_parse(&parser, json->text, end, json->tokens,
                      (unsigned)json->count) == json->count;
}

elman_status el_json_parse(const elman_context *context, const char *text,
                           size_t size, el_json **out)
{
    *out = NULL;
    if (size > INT_MAX - 1)
        return el_fail(ELMAN_EFORMAT, "the JSON is longer than 2 GB");
    scanner s = {.text = text, .size = size};
    skip_blanks(&s);
    const size_t first = s.at;
    bool right = scan_value(&s);
    const size_t end = s.at;
    if (right) {
        skip_blanks(&s);
        right = s.at == size || wrong(&s, "something follows the value");
    }
    if (!right)
        return el_fail(ELMAN_EFORMAT, "the JSON is wrong at byte %zu: %s", s.at,
                       s.wrong);

    el_json *const json = el_alloc(context, sizeof *json);
    if (!json)
        return ELMAN_ENOMEM;
    elman_status status = ELMAN_OK;
    json->text = text;
    json->count = s.tokens;
    json->tokens = el_alloc_array(context, json->count, sizeof(jsmntok_t));
    json->sibling = el_alloc_array(context, json->count, sizeof(int));
    if (!json->tokens || !json->sibling)
        status = ELMAN_ENOMEM;
    else if (!find_tokens(json, first, end))
        status = el_fail(ELMAN_EFORMAT, "the JSON is wrong");
    if (status != ELMAN_OK) {
        el_json_free(context, json);
        return status;
    }
    link_siblings(json);
    *out = json;
    return ELMAN_OK;
}

void el_json_free(const elman_context *context, el_json *json)
{
    if (!json)
        return;
    el_free(context, json->tokens);
    el_free(context, json->sibling);
    el_free(context, json);
}

/* ---- Walking ---------------------------------------------------------*/

static const jsmntok_t *token_of(const el_json *json, int value)
{
    assert(value < json->count);
    return value < 0 ? NULL : &json->tokens[value];
}

enum el_json_type el_json_type(const el_json *json, int value)
{
    const jsmntok_t *const token = token_of(json, value);
    if (!token)
        return EL_JSON_NONE;
    if (token->type == JSMN_OBJECT)
        return EL_JSON_OBJECT;
    if (token->type == JSMN_ARRAY)
        return EL_JSON_ARRAY;
    if (token->type == JSMN_STRING)
        return EL_JSON_STRING;
    switch (json->text[token->start]) {
    case 't':
    case 'f':
        return EL_JSON_BOOL;
    case 'n':
        return EL_JSON_NULL;
    }
    return EL_JSON_NUMBER;
}

int el_json_length(const el_json *json, int value)
{
    const jsmntok_t *const token = token_of(json, value);
    return token && (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY)
               ? token->size
               : 0;
}

int el_json_first_child(const el_json *json, int value)
{
    return el_json_length(json, value) > 0 ? value + 1 : -1;
}

int el_json_next_sibling(const el_json *json, int value)
{
    return token_of(json, value) ? json->sibling[value] : -1;
}

/* A string that owns a token is a key. */
int el_json_member_value(const el_json *json, int key)
{
    const jsmntok_t *const token = token_of(json, key);
    return token && token->type == JSMN_STRING && token->size == 1 ? key + 1
                                                                   : -1;
}

bool el_json_span(const el_json *json, int value, size_t *from, size_t *size)
{
    const jsmntok_t *const token = token_of(json, value);
    if (!token)
        return false;
    *from = (size_t)token->start;
    *size = (size_t)(token->end - token->start);
    return true;
}

static bool string_equals(const el_json *json, int value, const char *text)
{
    const jsmntok_t *const token = token_of(json, value);
    const char *p = json->text + token->start;
    const char *const end = json->text + token->end;
    char bytes[4];
    while (p < end) {
        uint32_t code;
        p += string_read(p, (size_t)(end - p), &code);
        const size_t size = utf8_write(code, bytes);
        if (strncmp(text, bytes, size) != 0 || code == 0)
            return false;
        text += size;
    }
    return *text == '\0';
}

int el_json_get(const el_json *json, int object, const char *key)
{
    if (el_json_type(json, object) != EL_JSON_OBJECT)
        return -1;
    int child = el_json_first_child(json, object);
    while (child >= 0 && !string_equals(json, child, key))
        child = el_json_next_sibling(json, child);
    return el_json_member_value(json, child);
}

/* ---- Values ----------------------------------------------------------*/

/* Whole numbers written as such: neither 1.0 nor 1e3. */
bool el_json_int64(const el_json *json, int value, int64_t *out)
{
    if (el_json_type(json, value) != EL_JSON_NUMBER)
        return false;
    const jsmntok_t *const token = token_of(json, value);
    const char *p = json->text + token->start;
    const char *const end = json->text + token->end;
    const bool negative = *p == '-';
    int64_t sum = 0;
    for (p += negative; p < end; ++p) {
        const int digit = *p - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    *out = sum;
    return true;
}

bool el_json_double(const el_json *json, int value, double *out)
{
    if (el_json_type(json, value) != EL_JSON_NUMBER)
        return false;
    const jsmntok_t *const token = token_of(json, value);
    const size_t size = (size_t)(token->end - token->start);
    char digits[DIGITS_MAX + 1];
    if (size > DIGITS_MAX)
        return false;
    memcpy(digits, json->text + token->start, size);
    digits[size] = '\0';
    locale_t before;
    const locale_t c = el_c_locale_enter(&before);
    if (!c)
        return false;
    *out = strtod(digits, NULL);
    el_c_locale_leave(c, before);
    return isfinite(*out);
}

bool el_json_string_into(const el_json *json, int value, char *out, size_t room,
                         size_t *size)
{
    if (el_json_type(json, value) != EL_JSON_STRING)
        return false;
    const jsmntok_t *const token = token_of(json, value);
    const char *p = json->text + token->start;
    const char *const end = json->text + token->end;
    char bytes[4];
    size_t used = 0;
    while (p < end) {
        uint32_t code;
        p += string_read(p, (size_t)(end - p), &code);
        const size_t length = utf8_write(code, bytes);
        if (room - used < length)
            return false;
        memcpy(out + used, bytes, length);
        used += length;
    }
    if (used == room)
        return false;
    out[used] = '\0';
    *size = used;
    return true;
}

/* No escape is shorter than what it stands for. */
char *el_json_string(const elman_context *context, const el_json *json,
                     int value, size_t *size)
{
    if (el_json_type(json, value) != EL_JSON_STRING)
        return NULL;
    const jsmntok_t *const token = token_of(json, value);
    const size_t room = (size_t)(token->end - token->start) + 1;
    char *const text = el_alloc(context, room);
    if (text)
        el_json_string_into(json, value, text, room, size);
    return text;
}
