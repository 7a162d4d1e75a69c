/* SPDX-License-Identifier: MIT */
/* buffer.h - text that grows. */
#ifndef EL_BUFFER_H
#define EL_BUFFER_H

#include "../base/context.h"

/* A failure to grow is remembered, so that only the end need be checked. */
typedef struct el_buffer {
    const elman_context *context;
    char *data; /* zero-terminated once anything was added */
    size_t size, room;
    bool failed;
} el_buffer;

#define EL_BUFFER(context_)                                                    \
    {                                                                          \
        .context = (context_)                                                  \
    }
void el_buffer_free(el_buffer *buffer);
void el_buffer_add(el_buffer *buffer, const void *bytes, size_t size);
void el_buffer_format(el_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; text is UTF-8, NUL becomes \u0000. */
void el_buffer_json(el_buffer *buffer, const char *text, size_t size);

#endif
