/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_READ "cannot be read"
#define NOT_WRITTEN "cannot be written"

enum {
    LINKS_MAX = 40,     /* as Linux has it */
    LINK_ROOM = 4096,   /* bytes of a symbolic link's text */
    WRITE_MAX = 1 << 30 /* bytes a call; Linux takes less than 2^31 */
};

/* ---- CRC-64/XZ -----------------------------------------------------------
 * Slicing by 8 (Kounavis and Berry 2005): table[k][b] is the remainder of byte
 * b with k zero bytes after it, so that eight bytes take eight look-ups that do
 * not wait for each other. */

static uint64_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
    const uint64_t polynomial = 0xc96c5795d7870f42; /* reflected */
    for (unsigned b = 0; b < 256; ++b) {
        uint64_t crc = b;
        for (int bit = 0; bit < 8; ++bit)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; ++k)
        for (unsigned b = 0; b < 256; ++b) {
            const uint64_t crc = table[k - 1][b];
            table[k][b] = crc >> 8 ^ table[0][crc & 0xff];
        }
}

static uint64_t load_le64(const unsigned char *p)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; --i)
        word = word << 8 | p[i];
    return word;
}

uint64_t el_crc64(uint64_t crc, const void *data, size_t size)
{
    const unsigned char *p = data;
    pthread_once(&table_once, make_table);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        crc ^= load_le64(p);
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^
              table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24 & 0xff] ^
              table[3][crc >> 32 & 0xff] ^ table[2][crc >> 40 & 0xff] ^
              table[1][crc >> 48 & 0xff] ^ table[0][crc >> 56];
    }
    for (; size > 0; --size, ++p)
        crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

/* ---- Small things --------------------------------------------------------*/

/* "path: what: the system's reason", from errno. */
static elman_status fail_errno(const char *path, const char *what)
{
    const int error = errno;
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    return el_fail(ELMAN_EIO, "%s: %s: %s", path, what, reason);
}

static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* How much of path is its folder, with the last slash. */
static size_t folder_size(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* ---- Reading -------------------------------------------------------------*/

/* Without O_NONBLOCK opening a pipe would wait for somebody to write. */
static elman_status open_regular(const char *path, int *fd, struct stat *info)
{
    *fd = open_again(path, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0)
        return fail_errno(path, NOT_READ);
    elman_status status = ELMAN_OK;
    if (fstat(*fd, info) != 0)
        status = fail_errno(path, NOT_READ);
    else if (S_ISDIR(info->st_mode))
        status = el_fail(ELMAN_EIO, "%s: " NOT_READ ": it is a folder", path);
    else if (!S_ISREG(info->st_mode))
        status =
            el_fail(ELMAN_EIO, "%s: " NOT_READ ": it is no regular file", path);
    if (status != ELMAN_OK)
        close(*fd);
    return status;
}

static elman_status read_all(int fd, const char *path, char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(path, NOT_READ);
        if (n == 0)
            return el_fail(ELMAN_EIO, "%s: the file shrank while it was read",
                           path);
        done += (size_t)n;
    }
    return ELMAN_OK;
}

elman_status el_file_read(const elman_context *context, const char *path,
                          void **data, size_t *size)
{
    int fd;
    struct stat info;
    *data = NULL;
    *size = 0;
    elman_status status = open_regular(path, &fd, &info);
    if (status != ELMAN_OK)
        return status;
    if ((uintmax_t)info.st_size <= SIZE_MAX)
        *data = el_alloc(context, (size_t)info.st_size);
    if (!*data)
        status = el_fail_in(el_no_memory(), path);
    else
        status = read_all(fd, path, *data, (size_t)info.st_size);
    close(fd);
    if (status != ELMAN_OK) {
        el_free(context, *data);
        *data = NULL;
        return status;
    }
    *size = (size_t)info.st_size;
    return ELMAN_OK;
}

elman_status el_file_head(const char *path, void *data, size_t room,
                          size_t *size)
{
    int fd;
    struct stat info;
    elman_status status = open_regular(path, &fd, &info);
    if (status != ELMAN_OK)
        return status;
    *size = (uintmax_t)info.st_size < room ? (size_t)info.st_size : room;
    status = read_all(fd, path, data, *size);
    close(fd);
    return status;
}

/* ---- Reading in parts ----------------------------------------------------*/

struct el_file {
    const elman_context *context;
    int fd;
    struct stat info;
    char *path;
};

elman_status el_file_open(const elman_context *context, const char *path,
                          el_file **out)
{
    *out = NULL;
    el_file *const file = el_alloc(context, sizeof *file);
    if (!file)
        return el_fail_in(ELMAN_ENOMEM, path);
    file->context = context;
    file->fd = -1;
    elman_status status = ELMAN_OK;
    if (!(file->path = el_strdup(context, path)))
        status = el_fail_in(ELMAN_ENOMEM, path);
    else
        status = open_regular(path, &file->fd, &file->info);
    if (status != ELMAN_OK) {
        file->fd = -1;
        el_file_close(file);
        return status;
    }
    *out = file;
    return ELMAN_OK;
}

void el_file_close(el_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    el_free(file->context, file->path);
    el_free(file->context, file);
}

int64_t el_file_size(const el_file *file)
{
    return (int64_t)file->info.st_size;
}

elman_status el_file_part(const el_file *file, int64_t from, void *to,
                          size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pread(file->fd, (char *)to + done, size - done,
                                (off_t)from + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(file->path, NOT_READ);
        if (n == 0)
            return el_fail(ELMAN_EIO, "%s: the file shrank while it was read",
                           file->path);
        done += (size_t)n;
    }
    return ELMAN_OK;
}

elman_status el_file_same(const el_file *file)
{
    const struct stat *const old = &file->info;
    struct stat now;
    if (fstat(file->fd, &now) != 0)
        return fail_errno(file->path, NOT_READ);
    if (now.st_size == old->st_size &&
        now.st_mtim.tv_sec == old->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == old->st_mtim.tv_nsec)
        return ELMAN_OK;
    return el_fail(ELMAN_EIO, "%s: the file changed while it was read",
                   file->path);
}

/* ---- Writing -------------------------------------------------------------*/

static bool write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        const ssize_t n = write(fd, p, size < WRITE_MAX ? size : WRITE_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_parts(int fd, const el_part *parts, int count)
{
    for (int i = 0; i < count; ++i)
        if (!write_all(fd, parts[i].data, parts[i].size))
            return false;
    return true;
}

/* A file system that knows no syncing (EINVAL) has done what it can. */
static bool sync_file(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL;
}

/* Closes fd also where it says that a signal came. */
static bool close_file(int fd)
{
    return close(fd) == 0 || errno == EINTR;
}

static elman_status write_in_place(const char *path, const el_part *parts,
                                   int count)
{
    const int fd = open_again(path, O_WRONLY, 0);
    if (fd < 0)
        return fail_errno(path, NOT_WRITTEN);
    elman_status status = ELMAN_OK;
    if (!write_parts(fd, parts, count))
        status = fail_errno(path, NOT_WRITTEN);
    if (!close_file(fd) && status == ELMAN_OK)
        status = fail_errno(path, NOT_WRITTEN);
    return status;
}

/* ---- Replacing -----------------------------------------------------------*/

/* One call of el_file_replace. */
typedef struct replacing {
    const elman_context *context;
    const char *path; /* as the caller wrote it, for sentences */
    char *target;     /* path, behind all symbolic links */
    char *temporary;  /* target.tmp */
    struct stat old;  /* of target, where */
    bool exists;
    struct stat fresh; /* of the temporary */
} replacing;

static elman_status fail_path(const char *path, const char *reason)
{
    return el_fail(ELMAN_EIO, "%s: " NOT_WRITTEN ": %s", path, reason);
}

/* What the symbolic link at *target points to takes its place. */
static elman_status follow_link(replacing *r, const char *link, size_t size)
{
    const size_t folder = link[0] == '/' ? 0 : folder_size(r->target);
    char *const next = el_alloc(r->context, folder + size + 1);
    if (!next)
        return el_fail_in(ELMAN_ENOMEM, r->path);
    memcpy(next, r->target, folder);
    memcpy(next + folder, link, size);
    el_free(r->context, r->target);
    r->target = next;
    return ELMAN_OK;
}

/* By hand, because realpath knows no link to what is not there yet. */
static elman_status find_target(replacing *r)
{
    char link[LINK_ROOM];
    r->target = el_strdup(r->context, r->path);
    if (!r->target)
        return el_fail_in(ELMAN_ENOMEM, r->path);
    for (int links = 0;; ++links) {
        const ssize_t size = readlink(r->target, link, sizeof link);
        if (size <= 0)
            return ELMAN_OK;
        if (links == LINKS_MAX || size == sizeof link)
            return fail_path(r->path, "its symbolic links lead nowhere");
        const elman_status status = follow_link(r, link, (size_t)size);
        if (status != ELMAN_OK)
            return status;
    }
}

static elman_status name_temporary(replacing *r)
{
    static const char ending[] = ".tmp";
    const size_t size = strlen(r->target);
    r->temporary = el_alloc(r->context, size + sizeof ending);
    if (!r->temporary)
        return el_fail_in(ELMAN_ENOMEM, r->path);
    memcpy(r->temporary, r->target, size);
    memcpy(r->temporary + size, ending, sizeof ending);
    return ELMAN_OK;
}

/* Writes the temporary, which begins as a new file: what is there may be
 * another's leftover, or a trap of symbolic links.  It gets the permissions of
 * the file that it is to replace. */
static elman_status write_temporary(replacing *r, const el_part *parts,
                                    int count)
{
    if (unlink(r->temporary) != 0 && errno != ENOENT)
        return fail_errno(r->path, NOT_WRITTEN);
    const int fd = open_again(r->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0)
        return fail_errno(r->path, NOT_WRITTEN);
    elman_status status = ELMAN_OK;
    if ((r->exists && fchmod(fd, r->old.st_mode & 0777) != 0) ||
        !write_parts(fd, parts, count) || !sync_file(fd) ||
        fstat(fd, &r->fresh) != 0)
        status = fail_errno(r->path, NOT_WRITTEN);
    if (!close_file(fd) && status == ELMAN_OK)
        status = fail_errno(r->path, NOT_WRITTEN);
    if (status != ELMAN_OK)
        unlink(r->temporary);
    return status;
}

/* Not every file system has hard links. */
static elman_status link_or_copy(const elman_context *context, const char *from,
                                 const char *to)
{
    el_part whole;
    void *data;
    if (link(from, to) == 0)
        return ELMAN_OK;
    elman_status status = el_file_read(context, from, &data, &whole.size);
    if (status != ELMAN_OK)
        return status;
    whole.data = data;
    status = el_file_replace(context, to, &whole, 1, 0);
    el_free(context, data);
    return status;
}

/* path.k-1 becomes path.k and so on.  Then path becomes path.1, whose name must
 * be free: renaming one name of a file to another one of it does nothing. */
static elman_status shift_names(const replacing *r, int keep, char *newer,
                                char *older, size_t room)
{
    struct stat info;
    snprintf(newer, room, "%s.1", r->target);
    if (lstat(newer, &info) == 0 && same_file(&info, &r->old))
        return ELMAN_OK; /* A call was killed after it had done this. */
    for (int k = keep; k > 1; --k) {
        snprintf(newer, room, "%s.%d", r->target, k - 1);
        snprintf(older, room, "%s.%d", r->target, k);
        if (rename(newer, older) != 0 && errno != ENOENT)
            return fail_errno(older, NOT_WRITTEN);
    }
    snprintf(newer, room, "%s.1", r->target);
    if (unlink(newer) != 0 && errno != ENOENT)
        return fail_errno(newer, NOT_WRITTEN);
    return link_or_copy(r->context, r->target, newer);
}

static elman_status keep_old(const replacing *r, int keep)
{
    const size_t room = strlen(r->target) + 16;
    char *const newer = el_alloc(r->context, room);
    char *const older = el_alloc(r->context, room);
    const elman_status status = newer && older
                                    ? shift_names(r, keep, newer, older, room)
                                    : el_fail_in(ELMAN_ENOMEM, r->path);
    el_free(r->context, newer);
    el_free(r->context, older);
    return status;
}

/* Best effort: by now path is the new file, and no failure could undo that.
 * Takes the file's name off the path. */
static void sync_folder(char *path)
{
    const size_t size = folder_size(path);
    path[size] = '\0';
    const int fd = open_again(size > 0 ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        sync_file(fd);
        close(fd);
    }
}

/* Puts the temporary where it belongs, unless another process has meanwhile
 * begun to write the same path and taken the name. */
static elman_status move_in(replacing *r, int keep)
{
    struct stat info;
    if (lstat(r->temporary, &info) != 0 || !same_file(&info, &r->fresh))
        return fail_path(r->path, "another process is writing it");
    elman_status status = ELMAN_OK;
    if (keep > 0 && r->exists)
        status = keep_old(r, keep);
    if (status == ELMAN_OK && rename(r->temporary, r->target) != 0)
        status = fail_errno(r->path, NOT_WRITTEN);
    if (status != ELMAN_OK)
        unlink(r->temporary);
    else
        sync_folder(r->target);
    return status;
}

elman_status el_file_replace(const elman_context *context, const char *path,
                             const el_part *parts, int count, int keep)
{
    replacing r = {.context = context, .path = path};
    r.exists = stat(path, &r.old) == 0;
    if (r.exists && S_ISDIR(r.old.st_mode))
        return fail_path(path, "it is a folder");
    if (r.exists && !S_ISREG(r.old.st_mode))
        return write_in_place(path, parts, count);
    elman_status status = find_target(&r);
    if (status == ELMAN_OK)
        status = name_temporary(&r);
    if (status == ELMAN_OK)
        status = write_temporary(&r, parts, count);
    if (status == ELMAN_OK)
        status = move_in(&r, keep);
    el_free(context, r.target);
    el_free(context, r.temporary);
    return status;
}
