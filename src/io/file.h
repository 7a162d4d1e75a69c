/* SPDX-License-Identifier: MIT */
/* file.h - whole files: read, replaced whole or not at all, summed. */
#ifndef EL_FILE_H
#define EL_FILE_H

#include "../base/context.h"

/* CRC-64/XZ; start from 0 and feed the result back in for the next part.
 * "123456789" gives 0x995dc9bbdf1939fa. */
uint64_t el_crc64(uint64_t crc, const void *data, size_t size);

/* Reads a regular file, 64-byte aligned; freed by el_free.  ELMAN_EIO with
 * "path: why" (also for directories and for files that shrink meanwhile). */
elman_status el_file_read(const elman_context *context, const char *path,
                          void **data, size_t *size);

/* The first bytes of such a file, as many as there are room for, to tell a
 * foreign file before all of it is read. */
elman_status el_file_head(const char *path, void *data, size_t room,
                          size_t *size);

/* A regular file that stays open, to be read in parts. */
typedef struct el_file el_file;
elman_status el_file_open(const elman_context *context, const char *path,
                          el_file **out);
void el_file_close(el_file *file);
int64_t el_file_size(const el_file *file);
/* size bytes from byte `from` on.  Any thread may call it. */
elman_status el_file_part(const el_file *file, int64_t from, void *to,
                          size_t size);
/* ELMAN_EIO: somebody has written to it since it was opened. */
elman_status el_file_same(const el_file *file);

typedef struct el_part {
    const void *data;
    size_t size;
} el_part;

/* Writes the parts one after another to a temporary file in path's folder,
 * syncs it, renames it to path and syncs the folder.  On failure path is as it
 * was and the temporary is gone.  keep > 0: before the rename, path.1 becomes
 * path.2 and so on up to path.keep, and path itself becomes path.1 by a hard
 * link or copy, so that path never is missing.  A temporary left by a killed
 * process is written over by the next one.  A path that is a device or a pipe
 * ("/dev/stdout", "/dev/null") is written in place. */
elman_status el_file_replace(const elman_context *context, const char *path,
                             const el_part *parts, int count, int keep);

#endif
