/* SPDX-License-Identifier: MIT */
/* archive.h - zip archives to read, by libzip: entries are bytes by name, and
 * nothing is ever unpacked to disk.  Without libzip opening is
 * ELMAN_EUNSUPPORTED, and says so. */
#ifndef EL_ARCHIVE_H
#define EL_ARCHIVE_H

#include "../base/context.h"

typedef struct el_archive el_archive;

/* name stands in messages. */
elman_status el_archive_open(const elman_context *context, const char *path,
                             el_archive **out);
/* From memory, which is borrowed. */
elman_status el_archive_open_bytes(const elman_context *context,
                                   const char *name, const void *bytes,
                                   size_t size, el_archive **out);
void el_archive_close(el_archive *archive);

/* Bytes of the whole archive. */
uint64_t el_archive_size(const el_archive *archive);
int64_t el_archive_count(const el_archive *archive);
/* The name of entry 0 ... count - 1, "" if it has none that can be read. */
const char *el_archive_name(const el_archive *archive, int64_t index);
/* The entry of this name, -1 if there is none. */
int64_t el_archive_find(const el_archive *archive, const char *name);
/* Its size as the archive has it; ELMAN_EFORMAT: it is compressed or
 * encrypted, or larger than the whole archive. */
elman_status el_archive_entry_size(const el_archive *archive, int64_t index,
                                   uint64_t *size);
/* All of an entry whose size was asked for, into room for so many bytes.
 * ELMAN_EFORMAT: it ends before, or its checksum does not match. */
elman_status el_archive_read(const el_archive *archive, int64_t index,
                             void *data, uint64_t size);

#endif
