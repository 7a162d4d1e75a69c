/* SPDX-License-Identifier: MIT */
/* utf8.h - what is a character, by RFC 3629: shortest form, no surrogates,
 * nothing above U+10FFFF. */
#ifndef EL_UTF8_H
#define EL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at p takes, of those that are left (one at
 * least), and its code point; 0 if none stands there whole. */
size_t el_utf8_read(const char *p, size_t left, uint32_t *code);

/* How many of the bytes, from the first one on, are whole characters. */
size_t el_utf8_whole(const char *bytes, size_t size);

static inline bool el_utf8_valid(const char *bytes, size_t size)
{
    return el_utf8_whole(bytes, size) == size;
}

/* The code points of valid UTF-8. */
int64_t el_utf8_count(const char *bytes, size_t size);

/* The bytes that the first *count characters of valid UTF-8 take, or all that
 * are there; *count becomes how many those are. */
size_t el_utf8_skip(const char *bytes, size_t size, int64_t *count);

/* The bytes of a valid character that begins with this one. */
static inline size_t el_utf8_length(unsigned char lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

#endif
