/* SPDX-License-Identifier: MIT */
#include "buffer.h"
#include "c_locale.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void el_buffer_free(el_buffer *buffer)
{
    el_free(buffer->context, buffer->data);
    *buffer = (el_buffer)EL_BUFFER(buffer->context);
}

/* Makes room for size more bytes and a zero. */
static bool reserve(el_buffer *buffer, size_t size)
{
    if (buffer->failed)
        return false;
    if (size < buffer->room - buffer->size)
        return true;
    const size_t most = SIZE_MAX / 2;
    char *data = NULL;
    if (size < most && buffer->size < most - size) {
        const size_t twice = buffer->room < most / 2 ? buffer->room * 2 : most;
        const size_t least = buffer->size + size + 1;
        const size_t room = least < 64 ? 64 : least < twice ? twice : least;
        data = el_grow(buffer->context, buffer->data, buffer->size, room);
        if (data) {
            buffer->data = data;
            buffer->room = room;
        }
    } else {
        el_no_memory();
    }
    buffer->failed = !data;
    return data != NULL;
}

void el_buffer_add(el_buffer *buffer, const void *bytes, size_t size)
{
    if (!reserve(buffer, size))
        return;
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

static void format_into(el_buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    if (size < 0)
        buffer->failed = true;
    else if (reserve(buffer, (size_t)size)) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void el_buffer_format(el_buffer *buffer, const char *format, ...)
{
    va_list args;
    locale_t before;
    const locale_t c = el_c_locale_enter(&before);
    if (!c) {
        el_no_memory();
        buffer->failed = true;
        return;
    }
    va_start(args, format);
    format_into(buffer, format, args);
    va_end(args);
    el_c_locale_leave(c, before);
}

/* The escape that must stand for a character, NULL if none need. */
static const char *escape_of(unsigned char c, char six[7])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    }
    if (c >= 0x20)
        return NULL;
    snprintf(six, 7, "\\u%04x", c);
    return six;
}

void el_buffer_json(el_buffer *buffer, const char *text, size_t size)
{
    char six[7];
    size_t from = 0;
    el_buffer_add(buffer, "\"", 1);
    for (size_t at = 0; at < size; ++at) {
        const char *const escape = escape_of((unsigned char)text[at], six);
        if (!escape)
            continue;
        el_buffer_add(buffer, text + from, at - from);
        el_buffer_add(buffer, escape, strlen(escape));
        from = at + 1;
    }
    if (size > from)
        el_buffer_add(buffer, text + from, size - from);
    el_buffer_add(buffer, "\"", 1);
}
