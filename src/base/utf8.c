/* SPDX-License-Identifier: MIT */
/* utf8.c - see utf8.h. */
#include "utf8.h"

#include <string.h>

/* The bytes of the character at p, of which there are size; 0 if none stands
 * there whole.  The second byte's range keeps out what is longer than it need
 * be, surrogates, and what lies above U+10FFFF. */
static inline size_t character(const unsigned char *p, size_t size)
{
    const unsigned lead = p[0];
    if (lead < 0x80)
        return 1;
    const size_t length = el_utf8_length(p[0]);
    if (lead < 0xc2 || lead > 0xf4 || length > size)
        return 0;
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; ++i)
        if (p[i] >> 6 != 2)
            return 0;
    return length;
}

size_t el_utf8_read(const char *p, size_t left, uint32_t *code)
{
    const unsigned char *const bytes = (const unsigned char *)p;
    const size_t length = character(bytes, left);
    *code = length > 1 ? bytes[0] & (0x7fu >> length) : bytes[0];
    for (size_t i = 1; i < length; ++i)
        *code = *code << 6 | (bytes[i] & 0x3f);
    return length;
}

/* Most texts are mostly ASCII, which goes eight bytes at a time. */
size_t el_utf8_whole(const char *bytes, size_t size)
{
    const uint64_t high_bits = 0x8080808080808080;
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if ((eight & high_bits) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const size_t length =
            character((const unsigned char *)bytes + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

/* Every byte but those that go on with a character begins one. */
int64_t el_utf8_count(const char *bytes, size_t size)
{
    int64_t count = 0;
    for (size_t i = 0; i < size; ++i)
        count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return count;
}

/* Of eight bytes those with the upper bits 10 go on with a character; their
 * number comes out of the topmost byte of a product. */
static int64_t begins(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t on = eight >> 7 & ~(eight >> 6) & ones;
    return 8 - (int64_t)(on * ones >> 56);
}

size_t el_utf8_skip(const char *bytes, size_t size, int64_t *count)
{
    int64_t left = *count;
    size_t at = 0;
    while (size - at >= sizeof(uint64_t) && left >= (int64_t)sizeof(uint64_t)) {
        uint64_t eight;
        memcpy(&eight, bytes + at, sizeof eight);
        left -= begins(eight);
        at += sizeof eight;
    }
    while (at < size && (left > 0 || (bytes[at] & 0xc0) == 0x80))
        left -= (bytes[at++] & 0xc0) != 0x80;
    *count -= left;
    return at;
}
