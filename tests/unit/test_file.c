/* SPDX-License-Identifier: MIT */
/* test_file.c - whole files. */
#include "test_context.h"
#include "test_folder.h"
#include "../../src/io/file.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <cmocka.h>

/* ---- Faults of the system ------------------------------------------------
 * This program's link and fsync stand before the C library's. */

static int link_error; /* 0: link works */
static int link_calls;
static int sync_error; /* 0: fsync works */
static int sync_calls;
static void (*on_sync)(void);

int link(const char *from, const char *to)
{
    ++link_calls;
    if (link_error) {
        errno = link_error;
        return -1;
    }
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fsync(int fd)
{
    ++sync_calls;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    if (on_sync)
        on_sync();
    if (sync_error == EINTR && sync_calls > 1)
        return 0;
    errno = sync_error;
    return sync_error ? -1 : 0;
}

static int setup(void **state)
{
    link_error = link_calls = sync_error = sync_calls = 0;
    on_sync = NULL;
    return folder_setup(state);
}

static elman_status replace(const char *path, const char *text, int keep)
{
    const el_part part = {text, strlen(text)};
    return el_file_replace(test_context(), path, &part, 1, keep);
}

static void replace_well(const char *path, const char *text, int keep)
{
    const int fd = next_descriptor();
    if (replace(path, text, keep) != ELMAN_OK)
        fail_msg("%s", elman_message());
    assert_int_equal(next_descriptor(), fd);
    assert_int_equal(test_live, 0);
}

static void replace_badly(const char *path, const char *sentence)
{
    const int fd = next_descriptor();
    assert_int_equal(replace(path, "bad", 0), ELMAN_EIO);
    assert_string_equal(elman_message(), sentence);
    assert_int_equal(next_descriptor(), fd);
    assert_int_equal(test_live, 0);
}

/* ---- CRC -----------------------------------------------------------------*/

static void test_crc_known(void **state)
{
    (void)state;
    static const unsigned char zeros[32];
    assert_true(el_crc64(0, "123456789", 9) == 0x995dc9bbdf1939fa);
    assert_true(el_crc64(0, "", 0) == 0);
    assert_true(el_crc64(0, NULL, 0) == 0);
    assert_true(el_crc64(0, "a", 1) == 0x330284772e652b05);
    assert_true(el_crc64(0, zeros, 32) != 0);
}

/* One bit at a time, as the definition has it. */
static uint64_t slow_crc(const unsigned char *p, size_t size)
{
    uint64_t crc = ~(uint64_t)0;
    for (size_t i = 0; i < size; ++i) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; ++bit)
            crc = crc >> 1 ^ (crc & 1 ? 0xc96c5795d7870f42 : 0);
    }
    return ~crc;
}

static void test_crc_parts(void **state)
{
    (void)state;
    unsigned char data[80];
    for (size_t i = 0; i < sizeof data; ++i)
        data[i] = (unsigned char)(i * i * 37 + 11);
    for (size_t from = 0; from < 8; ++from)
        for (size_t size = 0; size <= 64; ++size) {
            const uint64_t expected = slow_crc(data + from, size);
            for (size_t cut = 0; cut <= size; ++cut) {
                const uint64_t head = el_crc64(0, data + from, cut);
                assert_true(el_crc64(head, data + from + cut, size - cut) ==
                            expected);
            }
        }
}

/* ---- Reading -------------------------------------------------------------*/

static void read_badly(const char *path, const char *sentence)
{
    void *data;
    size_t size;
    const int fd = next_descriptor();
    assert_int_equal(el_file_read(test_context(), path, &data, &size),
                     ELMAN_EIO);
    assert_string_equal(elman_message(), sentence);
    assert_null(data);
    assert_int_equal(next_descriptor(), fd);
    assert_int_equal(test_live, 0);
}

static void test_read(void **state)
{
    (void)state;
    static const char content[] = "ab\0cd\n";
    void *data;
    size_t size;
    const int fd = next_descriptor();
    file_write("file", content, sizeof content);
    file_write("empty", "", 0);
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(el_file_read(test_context(), "link", &data, &size),
                     ELMAN_OK);
    assert_int_equal(size, sizeof content);
    assert_memory_equal(data, content, size);
    assert_int_equal((uintptr_t)data % 64, 0);
    el_free(test_context(), data);
    assert_int_equal(el_file_read(test_context(), "empty", &data, &size),
                     ELMAN_OK);
    assert_int_equal(size, 0);
    el_free(test_context(), data);
    assert_int_equal(next_descriptor(), fd);
    assert_int_equal(test_live, 0);
}

static void test_read_badly(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    file_write_text("file", "x");
    read_badly("none", "none: cannot be read: No such file or directory");
    read_badly("", ": cannot be read: No such file or directory");
    read_badly("file/x", "file/x: cannot be read: Not a directory");
    read_badly("folder", "folder: cannot be read: it is a folder");
    read_badly("pipe", "pipe: cannot be read: it is no regular file");
    read_badly("/dev/zero", "/dev/zero: cannot be read: it is no regular file");
}

static void test_head(void **state)
{
    (void)state;
    char bytes[6] = "......";
    size_t size;
    const int fd = next_descriptor();
    file_write_text("file", "abc");
    assert_int_equal(el_file_head("file", bytes, 2, &size), ELMAN_OK);
    assert_int_equal(size, 2);
    assert_memory_equal(bytes, "ab.", 3);
    assert_int_equal(el_file_head("file", bytes, 5, &size), ELMAN_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "abc.", 4);
    assert_int_equal(el_file_head(".", bytes, 5, &size), ELMAN_EIO);
    assert_string_equal(elman_message(), ".: cannot be read: it is a folder");
    assert_int_equal(next_descriptor(), fd);
}

static void test_read_no_memory(void **state)
{
    (void)state;
    void *data;
    size_t size;
    const int fd = next_descriptor();
    file_write_text("file", "x");
    test_fail_after(0);
    assert_int_equal(el_file_read(test_context(), "file", &data, &size),
                     ELMAN_ENOMEM);
    test_fail_never();
    assert_string_equal(elman_message(), "file: memory ran out");
    assert_null(data);
    assert_int_equal(next_descriptor(), fd);
}

/* The allocator runs between the look at the file's size and its reading. */
static void *shrinking_alloc(void *user, size_t size)
{
    (void)user;
    assert_int_equal(truncate("file", 3), 0);
    return test_alloc(NULL, size);
}

static void test_read_shrinking(void **state)
{
    (void)state;
    elman_context context = *test_context();
    void *data;
    size_t size;
    file_write_text("file", "0123456789");
    context.allocator.alloc = shrinking_alloc;
    assert_int_equal(el_file_read(&context, "file", &data, &size), ELMAN_EIO);
    assert_string_equal(elman_message(),
                        "file: the file shrank while it was read");
    assert_null(data);
    assert_int_equal(test_live, 0);
}

/* ---- Replacing: what is written ------------------------------------------*/

static void test_parts(void **state)
{
    (void)state;
    const el_part parts[] = {{"ab", 2}, {NULL, 0}, {"c", 1}, {"def", 3}};
    const el_part nul = {"\0x", 2};
    size_t size;
    assert_int_equal(el_file_replace(test_context(), "file", parts, 4, 0),
                     ELMAN_OK);
    assert_true(file_is("file", "abcdef"));
    assert_int_equal(sync_calls, 2); /* the file and its folder */
    assert_int_equal(el_file_replace(test_context(), "file", &nul, 1, 0),
                     ELMAN_OK);
    char *const text = file_read("file", &size);
    assert_int_equal(size, 2);
    assert_memory_equal(text, "\0x", 2);
    free(text);
    assert_int_equal(el_file_replace(test_context(), "file", NULL, 0, 0),
                     ELMAN_OK);
    assert_true(file_is("file", ""));
    assert_int_equal(folder_entries(".", false), 1);
}

static void test_other_folders(void **state)
{
    (void)state;
    char path[2 * NAME_ROOM];
    assert_int_equal(mkdir("sub", 0700), 0);
    replace_well("sub/file", "1", 0);
    assert_true(file_is("sub/file", "1"));
    replace_well("./sub/../sub//file", "2", 0);
    assert_true(file_is("sub/file", "2"));
    snprintf(path, sizeof path, "%s/sub/file", test_folder);
    replace_well(path, "3", 0);
    assert_true(file_is("sub/file", "3"));
    assert_int_equal(folder_entries("sub", false), 1);
}

static void test_permissions(void **state)
{
    (void)state;
    const mode_t before = umask(027);
    replace_well("new", "x", 0);
    assert_int_equal(file_mode("new"), 0640);
    umask(0);
    replace_well("open", "x", 0);
    assert_int_equal(file_mode("open"), 0666);
    assert_int_equal(chmod("open", 0600), 0);
    replace_well("open", "y", 0);
    assert_int_equal(file_mode("open"), 0600);
    assert_int_equal(chmod("open", 0444), 0);
    replace_well("open", "z", 1);
    assert_int_equal(file_mode("open"), 0444);
    assert_int_equal(file_mode("open.1"), 0444);
    umask(before);
}

/* A reader who has the old file open keeps it. */
static void test_old_reader(void **state)
{
    (void)state;
    char bytes[4] = "";
    file_write_text("file", "old");
    const int fd = open("file", O_RDONLY);
    replace_well("file", "new", 0);
    assert_int_equal(read(fd, bytes, 3), 3);
    assert_string_equal(bytes, "old");
    close(fd);
}

/* ---- Replacing: links ----------------------------------------------------*/

static void link_stays(const char *link, const char *target, const char *text)
{
    char points_to[NAME_ROOM] = "", before[NAME_ROOM] = "";
    assert_true(readlink(link, before, sizeof before - 1) > 0);
    replace_well(link, text, 0);
    assert_true(readlink(link, points_to, sizeof points_to - 1) > 0);
    assert_string_equal(points_to, before);
    assert_true(file_is(target, text));
}

static void test_links(void **state)
{
    (void)state;
    char path[2 * NAME_ROOM];
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(mkdir("b", 0700), 0);
    file_write_text("b/file", "old");
    snprintf(path, sizeof path, "%s/b/file", test_folder);
    assert_int_equal(symlink("../b/file", "a/relative"), 0);
    assert_int_equal(symlink(path, "a/absolute"), 0);
    assert_int_equal(symlink("a/relative", "chain"), 0);
    assert_int_equal(symlink("../b/fresh", "a/dangling"), 0);
    assert_int_equal(symlink("b", "folder"), 0);
    link_stays("a/relative", "b/file", "1");
    link_stays("a/absolute", "b/file", "2");
    link_stays("chain", "b/file", "3");
    link_stays("a/dangling", "b/fresh", "4");
    replace_well("folder/file", "5", 0);
    assert_true(file_is("b/file", "5"));
    assert_int_equal(folder_entries("a", false), 3);
    assert_int_equal(folder_entries("b", false), 2);
    assert_int_equal(folder_entries(".", false), 4);
    replace_well("chain", "6", 1);
    assert_true(file_is("b/file.1", "5"));
    assert_true(file_is("b/file", "6"));
}

static void test_links_nowhere(void **state)
{
    (void)state;
    assert_int_equal(symlink("y", "x"), 0);
    assert_int_equal(symlink("x", "y"), 0);
    assert_int_equal(symlink("none/file", "lost"), 0);
    replace_badly("x", "x: cannot be written: its symbolic links lead nowhere");
    replace_badly("lost", "lost: cannot be written: No such file or directory");
    assert_int_equal(folder_entries(".", false), 3);
}

/* ---- Replacing: temporaries ----------------------------------------------*/

static void test_leftover(void **state)
{
    (void)state;
    file_write_text("file", "old");
    file_write_text("file.tmp", "a long leftover of a killed process");
    replace_well("file", "new", 0);
    assert_true(file_is("file", "new"));
    assert_false(file_exists("file.tmp"));
    file_write_text("victim", "precious");
    assert_int_equal(symlink("victim", "file.tmp"), 0);
    replace_well("file", "newer", 0);
    assert_true(file_is("file", "newer"));
    assert_true(file_is("victim", "precious"));
    assert_int_equal(mkdir("file.tmp", 0700), 0);
    assert_int_equal(replace("file", "newest", 0), ELMAN_EIO);
    assert_true(file_is("file", "newer"));
}

static void other_process(void)
{
    if (sync_calls == 1) {
        unlink("file.tmp");
        file_write_text("file.tmp", "half of anot");
    }
}

static void test_other_process(void **state)
{
    (void)state;
    file_write_text("file", "old");
    on_sync = other_process;
    replace_badly("file",
                  "file: cannot be written: another process is writing it");
    assert_true(file_is("file", "old"));
    assert_true(file_is("file.tmp", "half of anot"));
}

/* ---- Replacing: faults ---------------------------------------------------*/

static void test_no_place(void **state)
{
    (void)state;
    char name[300];
    assert_int_equal(mkdir("folder", 0700), 0);
    replace_badly("folder", "folder: cannot be written: it is a folder");
    replace_badly("none/file",
                  "none/file: cannot be written: No such file or directory");
    replace_badly("", ": cannot be written: No such file or directory");
    file_write_text("file", "old");
    replace_badly("file/x", "file/x: cannot be written: Not a directory");
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(replace(name, "x", 0), ELMAN_EIO);
    assert_non_null(strstr(elman_message(), ": File name too long"));
    assert_true(file_is("file", "old"));
    assert_int_equal(folder_entries(".", false), 2);
}

static void test_read_only_folder(void **state)
{
    (void)state;
    const uid_t user = geteuid(), nobody = 65534;
    assert_int_equal(mkdir("folder", 0755), 0);
    file_write_text("folder/file", "old");
    assert_int_equal(chmod("folder", 0555), 0);
    if (user == 0)
        assert_int_equal(seteuid(nobody), 0);
    const elman_status status = replace("folder/file", "new", 2);
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    assert_int_equal(status, ELMAN_EIO);
    assert_string_equal(elman_message(),
                        "folder/file: cannot be written: Permission denied");
    assert_true(file_is("folder/file", "old"));
    assert_int_equal(folder_entries("folder", false), 1);
    assert_int_equal(chmod("folder", 0755), 0);
}

static void test_disk_full(void **state)
{
    (void)state;
    struct rlimit before, limit;
    file_write_text("file", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1000;
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static char big[100000];
    const el_part parts[] = {{big, 900}, {big, sizeof big}};
    const elman_status status =
        el_file_replace(test_context(), "file", parts, 2, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, ELMAN_EIO);
    assert_string_equal(elman_message(),
                        "file: cannot be written: File too large");
    assert_true(file_is("file", "old"));
    assert_int_equal(folder_entries(".", false), 1);
    assert_int_equal(test_live, 0);
}

static void test_sync_fails(void **state)
{
    (void)state;
    file_write_text("file", "old");
    sync_error = ENOSPC;
    replace_badly("file", "file: cannot be written: No space left on device");
    sync_error = EDQUOT;
    replace_badly("file", "file: cannot be written: Disk quota exceeded");
    sync_error = EIO;
    replace_badly("new", "new: cannot be written: Input/output error");
    assert_true(file_is("file", "old"));
    assert_int_equal(folder_entries(".", false), 1);
    sync_error = EINVAL;
    replace_well("file", "1", 0);
    sync_error = EINTR;
    sync_calls = 0;
    replace_well("file", "2", 0);
    assert_int_equal(sync_calls, 3);
    assert_true(file_is("file", "2"));
}

static void test_no_memory(void **state)
{
    (void)state;
    int64_t n = 0;
    file_write_text("target", "old");
    assert_int_equal(symlink("target", "file"), 0);
    for (;; ++n) {
        const int fd = next_descriptor();
        link_error = EPERM;
        test_fail_after(n);
        const elman_status status = replace("file", "new", 2);
        test_fail_never();
        assert_int_equal(next_descriptor(), fd);
        assert_int_equal(test_live, 0);
        assert_false(file_exists("target.tmp"));
        if (!test_failed) {
            assert_int_equal(status, ELMAN_OK);
            break;
        }
        assert_int_equal(status, ELMAN_ENOMEM);
        assert_non_null(strstr(elman_message(), ": memory ran out"));
        assert_true(file_is("file", "old"));
    }
    assert_true(n >= 7);
    assert_true(file_is("target", "new"));
}

/* ---- Keeping -------------------------------------------------------------*/

static ino_t file_number(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static void test_keep(void **state)
{
    (void)state;
    replace_well("file", "1", 2);
    assert_int_equal(folder_entries(".", false), 1);
    replace_well("file", "2", 2);
    assert_true(file_is("file.1", "1"));
    assert_int_equal(folder_entries(".", false), 2);
    replace_well("file", "3", 2);
    assert_true(file_is("file.1", "2"));
    assert_true(file_is("file.2", "1"));
    replace_well("file", "4", 2);
    assert_true(file_is("file", "4"));
    assert_true(file_is("file.1", "3"));
    assert_true(file_is("file.2", "2"));
    assert_int_equal(folder_entries(".", false), 3);
    replace_well("file", "5", 0);
    assert_true(file_is("file.1", "3"));
    const ino_t number = file_number("file");
    replace_well("file", "6", 1);
    assert_true(file_number("file.1") == number); /* a link, and no copy */
    assert_true(file_is("file.1", "5"));
    assert_true(file_is("file.2", "2"));
    replace_well("file", "7", 3);
    assert_true(file_is("file.1", "6"));
    assert_true(file_is("file.2", "5"));
    assert_true(file_is("file.3", "2"));
}

/* What is kept is not pushed out where there is nothing new to keep. */
static void test_keep_missing(void **state)
{
    (void)state;
    file_write_text("file.1", "1");
    file_write_text("file.2", "2");
    replace_well("file", "3", 2);
    assert_true(file_is("file.1", "1"));
    assert_true(file_is("file.2", "2"));
    assert_true(file_is("file", "3"));
}

/* Killed at each step between two renames, and then called again. */
static void test_keep_killed(void **state)
{
    (void)state;
    file_write_text("file", "3");
    file_write_text("file.2", "1");
    assert_int_equal(link("file", "file.1"), 0);
    file_write_text("file.tmp", "4");
    replace_well("file", "5", 2);
    assert_true(file_is("file", "5"));
    assert_true(file_is("file.1", "3"));
    assert_true(file_is("file.2", "1"));

    assert_int_equal(rename("file.1", "file.2"), 0);
    replace_well("file", "6", 2);
    assert_true(file_is("file", "6"));
    assert_true(file_is("file.1", "5"));
    assert_true(file_is("file.2", "3"));

    assert_int_equal(unlink("file.2"), 0);
    assert_int_equal(link("file.1", "file.2"), 0);
    replace_well("file", "7", 2);
    assert_true(file_is("file", "7"));
    assert_true(file_is("file.1", "6"));
    assert_true(file_is("file.2", "5"));
    assert_int_equal(folder_entries(".", false), 3);
}

static void test_keep_without_links(void **state)
{
    (void)state;
    link_error = EPERM;
    for (int i = 1; i <= 4; ++i) {
        const char text[] = {(char)('0' + i), '\0'};
        replace_well("file", text, 2);
    }
    assert_int_equal(link_calls, 3);
    assert_true(file_is("file", "4"));
    assert_true(file_is("file.1", "3"));
    assert_true(file_is("file.2", "2"));
    assert_int_equal(folder_entries(".", false), 3);
}

static void test_keep_fails(void **state)
{
    (void)state;
    file_write_text("file", "old");
    assert_int_equal(mkdir("file.1", 0700), 0);
    file_write_text("file.1/x", "x");
    assert_int_equal(replace("file", "new", 1), ELMAN_EIO);
    assert_non_null(strstr(elman_message(), "file.1: cannot be written: "));
    assert_true(file_is("file", "old"));
    assert_int_equal(folder_entries(".", false), 2);
}

/* ---- In place ------------------------------------------------------------*/

static void test_devices(void **state)
{
    (void)state;
    struct stat info;
    replace_well("/dev/null", "x", 2);
    replace_badly("/dev/full",
                  "/dev/full: cannot be written: No space left on device");
    assert_int_equal(symlink("/dev/full", "link"), 0);
    replace_badly("link", "link: cannot be written: No space left on device");
    assert_int_equal(stat("/dev/full", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_int_equal(folder_entries(".", false), 1);
}

enum { PIPED = 3000000 };

static void *slow_reader(void *arg)
{
    const struct timespec pause = {.tv_nsec = 200000};
    char *const data = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    const int fd = open("pipe", O_RDONLY);
    ssize_t n = 1;
    for (size_t done = 0; n > 0 && done < PIPED; done += (size_t)n) {
        nanosleep(&pause, NULL);
        n = read(fd, data + done, PIPED - done < 50000 ? PIPED - done : 50000);
    }
    close(fd);
    return NULL;
}

static volatile sig_atomic_t ticks;

static void on_tick(int number)
{
    (void)number;
    ++ticks;
}

/* Signals cut its writes short, and a pipe takes little at a time. */
static void test_pipe(void **state)
{
    (void)state;
    char *const out = malloc(PIPED), *const in = calloc(1, PIPED);
    const struct sigaction action = {.sa_handler = on_tick};
    struct sigaction before;
    const struct itimerval often = {.it_interval = {.tv_usec = 300},
                                    .it_value = {.tv_usec = 300}};
    const struct itimerval never = {.it_value = {.tv_usec = 0}};
    pthread_t reader;
    for (size_t i = 0; i < PIPED; ++i)
        out[i] = (char)(i * 7 + i / 251);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(pthread_create(&reader, NULL, slow_reader, in), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    const el_part parts[] = {{out, 1000}, {out + 1000, PIPED - 1000}};
    const elman_status status =
        el_file_replace(test_context(), "pipe", parts, 2, 2);
    setitimer(ITIMER_REAL, &never, NULL);
    pthread_join(reader, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(status, ELMAN_OK);
    assert_true(ticks > 0);
    assert_memory_equal(in, out, PIPED);
    assert_int_equal(folder_entries(".", false), 1);
    free(in);
    free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_known),
        cmocka_unit_test(test_crc_parts),
        TEST(test_read),
        TEST(test_read_badly),
        TEST(test_head),
        TEST(test_read_no_memory),
        TEST(test_read_shrinking),
        TEST(test_parts),
        TEST(test_other_folders),
        TEST(test_permissions),
        TEST(test_old_reader),
        TEST(test_links),
        TEST(test_links_nowhere),
        TEST(test_leftover),
        TEST(test_other_process),
        TEST(test_no_place),
        TEST(test_read_only_folder),
        TEST(test_disk_full),
        TEST(test_sync_fails),
        TEST(test_no_memory),
        TEST(test_keep),
        TEST(test_keep_missing),
        TEST(test_keep_killed),
        TEST(test_keep_without_links),
        TEST(test_keep_fails),
        TEST(test_devices),
        TEST(test_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
