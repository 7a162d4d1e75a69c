/* SPDX-License-Identifier: MIT */
/* stream.c - see stream.h.
 *
 * Files are read with pread and never mapped: a mapped file that shrinks ends
 * in a signal, where pread says that it has come to the end. */
#include "stream.h"
#include "../base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A jump is followed by small readings, which grow as long as one follows the
 * other: cursors that take turns do not fill the whole window each time. */
enum { FIRST_STEP = 1024 };

typedef struct el_file {
    char *path;
    int fd; /* -1: not open */
    bool known;
    dev_t device; /* that these belong to the same file, if known, */
    ino_t inode;
    int64_t begin; /* where it begins in the stream, */
    int64_t size;  /* its share of it, */
    int64_t skip;  /* and the bytes before that: a byte order mark */
} el_file;

/* ---- Files ---------------------------------------------------------------*/

static elman_status fail_file(const el_file *file, const char *why)
{
    return el_fail(ELMAN_EIO, "%s: cannot be read: %s", file->path, why);
}

static elman_status fail_errno(const el_file *file)
{
    const int error = errno;
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    return fail_file(file, reason);
}

/* Reads size bytes from offset on, or fewer at the file's end. */
static elman_status read_at(const el_file *file, int64_t offset, char *bytes,
                            int64_t size, int64_t *count)
{
    *count = 0;
    while (*count < size) {
        const ssize_t n = pread(file->fd, bytes + *count,
                                (size_t)(size - *count), offset + *count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(file);
        if (n == 0)
            break;
        *count += n;
    }
    return ELMAN_OK;
}

/* Takes down what the file is, or looks whether it is still the same one. */
static elman_status identify(el_file *file)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return fail_errno(file);
    if (S_ISDIR(info.st_mode))
        return fail_file(file, "it is a folder");
    if (!S_ISREG(info.st_mode))
        return fail_file(file, "it is no regular file");
    if (!file->known) {
        file->device = info.st_dev;
        file->inode = info.st_ino;
        file->size = info.st_size;
        file->known = true;
    }
    if (file->device != info.st_dev || file->inode != info.st_ino)
        return el_fail(ELMAN_EIO, "%s: the file changed while it was read",
                       file->path);
    return ELMAN_OK;
}

static void close_slot(el_stream *s, int slot)
{
    if (s->open[slot] < 0)
        return;
    el_file *const file = &s->files[s->open[slot]];
    close(file->fd);
    file->fd = -1;
    s->open[slot] = -1;
}

/* Without O_NONBLOCK opening a pipe would wait for somebody to write. */
static elman_status make_open(el_stream *s, int index)
{
    el_file *const file = &s->files[index];
    if (file->fd >= 0)
        return ELMAN_OK;
    const int slot = s->next_open;
    s->next_open = (slot + 1) % EL_STREAM_OPEN;
    close_slot(s, slot);
    do
        file->fd =
            open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0)
        return fail_errno(file);
    s->open[slot] = index;
    return identify(file);
}

/* ---- Opening -------------------------------------------------------------*/

static elman_status pass_mark(el_file *file)
{
    char mark[3];
    int64_t count;
    const elman_status status = read_at(file, 0, mark, 3, &count);
    if (!status && count == 3 && memcmp(mark, "\xef\xbb\xbf", 3) == 0 &&
        file->size >= 3) {
        file->skip = 3;
        file->size -= 3;
    }
    return status;
}

static elman_status add_file(el_stream *s, const char *path)
{
    const int64_t most = INT64_MAX / 4;
    el_file *const file = &s->files[s->file_count];
    file->fd = -1;
    file->path = el_strdup(s->context, path);
    if (!file->path)
        return ELMAN_ENOMEM;
    ++s->file_count;
    elman_status status = make_open(s, s->file_count - 1);
    if (!status && s->utf8)
        status = pass_mark(file);
    if (status)
        return status;
    if (file->size > most - s->size)
        return fail_file(file, "it is too long");
    file->begin = s->size;
    s->size += file->size;
    return ELMAN_OK;
}

elman_status el_stream_open(el_stream *stream, const elman_context *context,
                            const char *const *paths, int count, bool utf8,
                            int64_t window)
{
    assert(count > 0 && window >= 4);
    *stream = (el_stream){.context = context, .utf8 = utf8, .room = window};
    for (int slot = 0; slot < EL_STREAM_OPEN; ++slot)
        stream->open[slot] = -1;
    stream->files = el_alloc_array(context, count, sizeof *stream->files);
    stream->window = el_alloc_array(context, window, 1);
    elman_status status =
        stream->files && stream->window ? ELMAN_OK : ELMAN_ENOMEM;
    for (int i = 0; i < count && !status; ++i)
        status = add_file(stream, paths[i]);
    if (status)
        el_stream_close(stream);
    return status;
}

void el_stream_close(el_stream *stream)
{
    if (!stream->context)
        return;
    for (int slot = 0; slot < EL_STREAM_OPEN; ++slot)
        close_slot(stream, slot);
    for (int i = 0; i < stream->file_count; ++i)
        el_free(stream->context, stream->files[i].path);
    el_free(stream->context, stream->files);
    el_free(stream->context, stream->window);
    *stream = (el_stream){0};
}

/* ---- Reading -------------------------------------------------------------*/

/* The last file that begins at this place or before it: those of no bytes that
 * begin there too come earlier. */
static int file_at(const el_stream *s, int64_t at)
{
    int low = 0, high = s->file_count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (s->files[middle].begin <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

const char *el_stream_path(const el_stream *stream, int64_t at)
{
    return stream->files[file_at(stream, at)].path;
}

/* The lines are counted only now, when the window is no longer needed. */
static elman_status fail_utf8(el_stream *s, const el_file *file, int64_t offset,
                              unsigned char byte)
{
    int64_t line = 1, count = 0;
    for (int64_t at = 0; at < offset; at += count) {
        const int64_t left = offset - at;
        const int64_t size = left < s->room ? left : s->room;
        if (read_at(file, at, s->window, size, &count) || count == 0)
            break;
        for (int64_t i = 0; i < count; ++i)
            line += s->window[i] == '\n';
    }
    return el_fail(ELMAN_ETEXT,
                   "%s: line %lld: the text is not valid UTF-8 (byte 0x%02x)",
                   file->path, (long long)line, byte);
}

/* A character that the window cuts is left for the next filling; one that the
 * file's end cuts is found to be invalid then. */
static elman_status fill(el_stream *s, int64_t at)
{
    const int index = file_at(s, at);
    const el_file *const file = &s->files[index];
    const bool goes_on = at == s->from + s->filled && s->step > 0;
    const int64_t step = goes_on ? 2 * s->step : FIRST_STEP;
    const int64_t end = file->begin + file->size;
    const int64_t left = (end < s->size ? end : s->size) - at;
    const int64_t offset = at - file->begin + file->skip;
    int64_t count = 0;
    s->step = step < s->room ? step : s->room;
    s->from = at;
    s->filled = 0;
    const int64_t size = left < s->step ? left : s->step;
    elman_status status = make_open(s, index);
    if (!status)
        status = read_at(file, offset, s->window, size, &count);
    if (status)
        return status;
    if (count < size)
        return el_fail(ELMAN_EIO, "%s: the file shrank while it was read",
                       file->path);
    if (s->utf8)
        count = (int64_t)el_utf8_whole(s->window, (size_t)count);
    if (count == 0 && s->checked)
        return el_fail(ELMAN_EIO, "%s: the file changed while it was read",
                       file->path);
    if (count == 0)
        return fail_utf8(s, file, offset, (unsigned char)s->window[0]);
    s->filled = count;
    return ELMAN_OK;
}

elman_status el_stream_bytes(el_stream *stream, int64_t at, const char **bytes,
                             int64_t *size)
{
    *size = 0;
    *bytes = stream->window;
    if (at >= stream->size)
        return ELMAN_OK;
    if (at < stream->from || at >= stream->from + stream->filled) {
        const elman_status status = fill(stream, at);
        if (status)
            return status;
    }
    const int64_t end = stream->from + stream->filled;
    *bytes = stream->window + (at - stream->from);
    *size = (end < stream->size ? end : stream->size) - at;
    return ELMAN_OK;
}
