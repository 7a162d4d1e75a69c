/* SPDX-License-Identifier: MIT */
#include "archive.h"

#ifndef ELMAN_LIBZIP

static elman_status without(void)
{
    return el_fail(ELMAN_EUNSUPPORTED,
                   "this library was built without libzip, and cannot open "
                   "zip archives (install libzip-dev and build it anew)");
}

elman_status el_archive_open(const elman_context *context, const char *path,
                             el_archive **out)
{
    (void)context;
    *out = NULL;
    without();
    return el_fail_in(ELMAN_EUNSUPPORTED, path);
}

elman_status el_archive_open_bytes(const elman_context *context,
                                   const char *name, const void *bytes,
                                   size_t size, el_archive **out)
{
    (void)bytes;
    (void)size;
    return el_archive_open(context, name, out);
}

void el_archive_close(el_archive *archive)
{
    (void)archive;
}

uint64_t el_archive_size(const el_archive *archive)
{
    (void)archive;
    return 0;
}

int64_t el_archive_count(const el_archive *archive)
{
    (void)archive;
    return 0;
}

const char *el_archive_name(const el_archive *archive, int64_t index)
{
    (void)archive;
    (void)index;
    return "";
}

int64_t el_archive_find(const el_archive *archive, const char *name)
{
    (void)archive;
    (void)name;
    return -1;
}

elman_status el_archive_entry_size(const el_archive *archive, int64_t index,
                                   uint64_t *size)
{
    (void)archive;
    (void)index;
    (void)size;
    return without();
}

elman_status el_archive_read(const el_archive *archive, int64_t index,
                             void *data, uint64_t size)
{
    (void)archive;
    (void)index;
    (void)data;
    (void)size;
    return without();
}

#else

#include "file.h"

#include <string.h>
#include <zip.h>

struct el_archive {
    const elman_context *context;
    zip_t *zip;
    uint64_t size;
};

/* Takes the source over. */
static elman_status open_source(const elman_context *context, const char *name,
                                zip_source_t *source, zip_error_t *error,
                                el_archive **out)
{
    el_archive *const a = el_alloc(context, sizeof *a);
    zip_stat_t stat;
    *out = NULL;
    if (!a) {
        zip_source_free(source);
        return ELMAN_ENOMEM;
    }
    a->context = context;
    zip_stat_init(&stat);
    if (!source || zip_source_stat(source, &stat) != 0)
        goto failed;
    a->size = stat.size;
    a->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, error);
    if (!a->zip)
        goto failed;
    *out = a;
    return ELMAN_OK;
failed:
    zip_source_free(source);
    el_free(context, a);
    return el_fail(ELMAN_EFORMAT,
                   "%s: it is no zip archive that can be read "
                   "(%s)",
                   name, zip_error_strerror(error));
}

elman_status el_archive_open(const elman_context *context, const char *path,
                             el_archive **out)
{
    char first;
    size_t some;
    zip_error_t error;
    *out = NULL;
    /* Directories and devices are told here, with the system's own reason. */
    elman_status s = el_file_head(path, &first, sizeof first, &some);
    if (s)
        return s;
    zip_error_init(&error);
    s = open_source(context, path, zip_source_file_create(path, 0, -1, &error),
                    &error, out);
    zip_error_fini(&error);
    return s;
}

elman_status el_archive_open_bytes(const elman_context *context,
                                   const char *name, const void *bytes,
                                   size_t size, el_archive **out)
{
    zip_error_t error;
    zip_error_init(&error);
    const elman_status s = open_source(
        context, name, zip_source_buffer_create(bytes, size, 0, &error), &error,
        out);
    zip_error_fini(&error);
    return s;
}

void el_archive_close(el_archive *archive)
{
    if (!archive)
        return;
    zip_discard(archive->zip);
    el_free(archive->context, archive);
}

uint64_t el_archive_size(const el_archive *archive)
{
    return archive->size;
}

int64_t el_archive_count(const el_archive *archive)
{
    return zip_get_num_entries(archive->zip, 0);
}

const char *el_archive_name(const el_archive *archive, int64_t index)
{
    const char *const name =
        zip_get_name(archive->zip, (zip_uint64_t)index, ZIP_FL_ENC_RAW);
    return name ? name : "";
}

int64_t el_archive_find(const el_archive *archive, const char *name)
{
    return zip_name_locate(archive->zip, name, ZIP_FL_ENC_RAW);
}

elman_status el_archive_entry_size(const el_archive *archive, int64_t index,
                                   uint64_t *size)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &stat) != 0 ||
        (stat.valid & needed) != needed)
        return el_fail(ELMAN_EFORMAT, "%.100s has no size",
                       el_archive_name(archive, index));
    if (stat.comp_method != ZIP_CM_STORE ||
        ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) &&
         stat.encryption_method != ZIP_EM_NONE))
        return el_fail(ELMAN_EFORMAT,
                       "%.100s is compressed or encrypted (what is read here "
                       "is stored as it is)",
                       el_archive_name(archive, index));
    if (stat.size > archive->size)
        return el_fail(ELMAN_EFORMAT, "%.100s is larger than the archive",
                       el_archive_name(archive, index));
    *size = stat.size;
    return ELMAN_OK;
}

elman_status el_archive_read(const el_archive *archive, int64_t index,
                             void *data, uint64_t size)
{
    uint64_t done = 0;
    zip_int64_t part = 0;
    char more;
    zip_file_t *const file =
        zip_fopen_index(archive->zip, (zip_uint64_t)index, 0);
    while (file && done < size &&
           (part = zip_fread(file, (char *)data + done, size - done)) > 0)
        done += (uint64_t)part;
    /* The end is where libzip compares the checksum. */
    if (file && done == size)
        part = zip_fread(file, &more, 1);
    if (file)
        zip_fclose(file);
    if (file && done == size && part == 0)
        return ELMAN_OK;
    return el_fail(ELMAN_EFORMAT, "%.100s is damaged",
                   el_archive_name(archive, index));
}

#endif
