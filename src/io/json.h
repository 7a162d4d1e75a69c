/* SPDX-License-Identifier: MIT */
/* json.h - JSON in (over jsmn); out it goes by buffer.h. */
#ifndef EL_JSON_H
#define EL_JSON_H

#include "../base/context.h"

/* A value is the index of its token; -1 is no value, and every
 * function takes it, so that a chain of look-ups needs one check at its end. */
typedef struct el_json el_json;
enum el_json_type {
    EL_JSON_NONE,
    EL_JSON_OBJECT,
    EL_JSON_ARRAY,
    EL_JSON_STRING,
    EL_JSON_NUMBER,
    EL_JSON_BOOL,
    EL_JSON_NULL
};

/* Copies nothing: text must outlive it.  The text is one whole, strictly
 * checked JSON value, nested at most 100 deep; a key may be there twice.
 * ELMAN_EFORMAT, ELMAN_ENOMEM. */
elman_status el_json_parse(const elman_context *context, const char *text,
                           size_t size, el_json **out);
void el_json_free(const elman_context *context, el_json *json);

enum el_json_type el_json_type(const el_json *json, int value);
/* The root is value 0.  Members of an object and elements of an array, in
 * order: first_child, then next_sibling until -1.  For an object the children
 * are keys, and el_json_member_value(key) is what belongs to it. */
int el_json_first_child(const el_json *json, int value);
int el_json_next_sibling(const el_json *json, int value);
int el_json_member_value(const el_json *json, int key);
int el_json_length(const el_json *json, int value);
/* The value of a key of an object, -1 if there is none. */
int el_json_get(const el_json *json, int object, const char *key);

/* Where a value stands in the text, a string without its quotes; false for no
 * value. */
bool el_json_span(const el_json *json, int value, size_t *from, size_t *size);

/* True if value is a number that fits: an int64 is written without fraction
 * and exponent, a double is finite and has at most 512 characters. */
bool el_json_int64(const el_json *json, int value, int64_t *out);
bool el_json_double(const el_json *json, int value, double *out);
/* A string decoded to UTF-8 (\u escapes, surrogate pairs; \u0000 gives a NUL,
 * hence size) and zero-terminated; freed by el_free.  NULL: not a string, a
 * bad escape, or no memory. */
char *el_json_string(const elman_context *context, const el_json *json,
                     int value, size_t *size);
/* The same into room that is there; false if it does not fit with its zero. */
bool el_json_string_into(const el_json *json, int value, char *out, size_t room,
                         size_t *size);

#endif
