/* SPDX-License-Identifier: MIT */
/* stream.h - files as one stream of bytes, read through a window.
 *
 * The stream is what the files held when it was opened: what is appended later
 * is not part of it.  Where it is UTF-8, a byte order mark at a file's
 * beginning is passed over, and no character goes on from one file into the
 * next. */
#ifndef EL_STREAM_H
#define EL_STREAM_H

#include "../base/context.h"

struct el_file;

enum { EL_STREAM_OPEN = 64 }; /* files that are open at a time */

typedef struct el_stream {
    const elman_context *context;
    struct el_file *files; /* [file_count] */
    int file_count;
    int open[EL_STREAM_OPEN]; /* files, -1: none; taken in turn */
    int next_open;
    bool utf8;
    bool checked;       /* the whole stream was once read: any fault from now on
                         * means that a file was changed */
    int64_t size;       /* may be made smaller */
    char *window;       /* [room] */
    int64_t room, step; /* step: how much the last filling asked for */
    int64_t from, filled; /* the window begins here in the stream */
} el_stream;

/* window is in bytes, at least 4.  A stream that could not be opened need not
 * be closed. */
elman_status el_stream_open(el_stream *stream, const elman_context *context,
                            const char *const *paths, int count, bool utf8,
                            int64_t window);
void el_stream_close(el_stream *stream);

/* Some bytes from this place on, at least a character, but none at the end;
 * they stand until the next call.
 * ELMAN_ETEXT: invalid UTF-8.  ELMAN_EIO: a file cannot be read, or it shrank
 * or changed. */
elman_status el_stream_bytes(el_stream *stream, int64_t at, const char **bytes,
                             int64_t *size);

/* The path of the file in which a place lies. */
const char *el_stream_path(const el_stream *stream, int64_t at);

#endif
