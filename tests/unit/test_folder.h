/* SPDX-License-Identifier: MIT */
/* test_folder.h - a folder of its own for every test, and its files. */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_ROOM = 1024 };

static char test_folder[NAME_ROOM];

/* Goes on where the last one was, in $WORK or /tmp. */
static inline int folder_setup(void **state)
{
    const char *const work = getenv("WORK");
    (void)state;
    snprintf(test_folder, sizeof test_folder, "%.900s/elman-XXXXXX",
             work ? work : "/tmp");
    return mkdtemp(test_folder) && chdir(test_folder) == 0 ? 0 : -1;
}

/* Entries of a folder but . and .., which are removed if asked. */
static inline int folder_entries(const char *path, bool remove)
{
    DIR *const folder = opendir(path);
    const struct dirent *entry;
    int count = 0;
    if (!folder)
        return -1;
    while ((entry = readdir(folder))) {
        char name[3 * NAME_ROOM];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ++count;
        snprintf(name, sizeof name, "%.2000s/%s", path, entry->d_name);
        if (remove && unlink(name) != 0) {
            folder_entries(name, true);
            rmdir(name);
        }
    }
    closedir(folder);
    return count;
}

static inline int folder_teardown(void **state)
{
    (void)state;
    folder_entries(test_folder, true);
    return chdir("/") == 0 && rmdir(test_folder) == 0 ? 0 : -1;
}

static inline void file_write(const char *path, const void *data, size_t size)
{
    FILE *const file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static inline void file_write_text(const char *path, const char *text)
{
    file_write(path, text, strlen(text));
}

/* The file's bytes and a zero, to be freed; NULL if it is not there. */
static inline char *file_read(const char *path, size_t *size)
{
    FILE *const file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t used = 0, room = 4096, n;
    char *text = malloc(room);
    while ((n = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += n;
        if (used + 1 == room)
            text = realloc(text, room *= 2);
    }
    fclose(file);
    text[used] = '\0';
    if (size)
        *size = used;
    return text;
}

static inline bool file_is(const char *path, const char *expected)
{
    char *const text = file_read(path, NULL);
    const bool same = text && strcmp(text, expected) == 0;
    free(text);
    return same;
}

static inline bool file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Of what a link points to; -1 if it is not there. */
static inline int file_mode(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int)(info.st_mode & 07777) : -1;
}

/* The next descriptor: it grows where one was left open. */
static inline int next_descriptor(void)
{
    const int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

/* The files that two networks, or language models, are saved in. */
#define expect_same_files(a, b)                                                \
    do {                                                                       \
        size_t a_size, b_size;                                                 \
        char *const x_ = file_read(a, &a_size);                                \
        char *const y_ = file_read(b, &b_size);                                \
        assert_int_equal(a_size, b_size);                                      \
        assert_memory_equal(x_, y_, a_size);                                   \
        free(x_);                                                              \
        free(y_);                                                              \
    } while (0)

#endif
