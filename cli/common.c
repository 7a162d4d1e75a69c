/* SPDX-License-Identifier: MIT */
/* common.c - sentences, stdin, stdout, the context and the clock. */
#include "cli.h"
#include "ranks.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *program_name = "elman";

/* ---- Sentences -----------------------------------------------------------*/

/* Where stdin was copied to; "" before that. */
static char stdin_path[32];

/* A sentence as it is shown: one line, even where a path has a newline in its
 * name, and without the name of the copy of stdin. */
static void make_shown(char *shown, size_t room, const char *text)
{
    const char *place = stdin_path[0] != '\0' ? strstr(text, stdin_path) : NULL;
    const int copy = place == text;

    snprintf(shown, room, "%s%s", copy ? "standard input" : "",
             text + (copy ? strlen(stdin_path) : 0));
    for (; *shown != '\0'; shown++)
        if ((unsigned char)*shown < 32 || *shown == 127)
            *shown = '?';
}

/* The last sentence of a process that does not speak for itself. */
static int keeping;
static char kept[4096];

void complaints_keep(void)
{
    keeping = 1;
}

void complaints_tell(int rank)
{
    keeping = 0;
    if (kept[0] != '\0')
        complain("rank %d: %s", rank, kept);
    kept[0] = '\0';
}

static void put_line(const char *command, const char *format, va_list list)
{
    char sentence[4096];
    char shown[sizeof sentence + 32];
    char line[sizeof shown + 64];

    vsnprintf(sentence, sizeof sentence, format, list);
    if (keeping) {
        snprintf(kept, sizeof kept, "%s", sentence);
        return;
    }
    make_shown(shown, sizeof shown, sentence);
    snprintf(line, sizeof line, "elman: %s%s%s\n",
             command != NULL ? command : "", command != NULL ? ": " : "",
             shown);
    /* In one piece: others may be writing there, too. */
    fwrite(line, 1, strlen(line), stderr);
}

int complain(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(NULL, format, list);
    va_end(list);
    return FAILED;
}

int complain_library(void)
{
    return complain("%s", elman_message());
}

int complain_usage(const char *command, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(command, format, list);
    va_end(list);
    return MISUSED;
}

/* ---- stdin ---------------------------------------------------------------*/

/* Who shares what stands on stdin; NULL: nobody. */
static const elman_ranks *sharing;

void input_share(const elman_ranks *ranks)
{
    sharing = ranks;
}

/* The next bytes of stdin, which rank 0 alone has where it is shared; errno is
 * set where their number is below 0. */
static ssize_t read_stdin(char *block, size_t room)
{
    const int reads = sharing == NULL || sharing->rank == 0;
    struct {
        int64_t size;
        int64_t error;
    } word = {0, 0};

    if (reads) {
        do {
            word.size = read(STDIN_FILENO, block, room);
        } while (word.size < 0 && errno == EINTR);
        word.error = errno;
    }
    if (sharing != NULL &&
        (ranks_spread(sharing, &word, sizeof word) != DONE ||
         (word.size > 0 && ranks_spread(sharing, block, word.size) != DONE))) {
        errno = EIO;
        return -1;
    }
    errno = (int)word.error;
    return (ssize_t)word.size;
}

/* Copies all of stdin to file; 0, or errno. */
static int copy_stdin(int file)
{
    static char block[1 << 16];

    for (;;) {
        const ssize_t size = read_stdin(block, sizeof block);
        if (size == 0)
            return 0;
        if (size < 0)
            return errno;
        for (ssize_t done = 0; done < size;) {
            const ssize_t part =
                write(file, block + done, (size_t)(size - done));
            if (part < 0 && errno != EINTR)
                return errno;
            done += part < 0 ? 0 : part;
        }
    }
}

/* The copy has no name, so that it goes with the process, however that ends;
 * the library opens it by the number of its descriptor. */
static const char *stdin_copy(void)
{
    const char *folder = getenv("TMPDIR");
    char name[4096];
    int error;

    if (stdin_path[0] != '\0') {
        complain("standard input can be read only once");
        return NULL;
    }
    if (folder == NULL || *folder == '\0')
        folder = "/tmp";
    snprintf(name, sizeof name, "%s/elman-stdin.XXXXXX", folder);
    const int file = mkstemp(name);
    if (file < 0) {
        complain("%s: no temporary file can be made there: %s", folder,
                 strerror(errno));
        return NULL;
    }
    unlink(name);
    error = copy_stdin(file);
    if (error != 0) {
        complain("standard input: could not be copied to %s: %s", folder,
                 strerror(error));
        close(file);
        return NULL;
    }
    snprintf(stdin_path, sizeof stdin_path, "/dev/fd/%d", file);
    return stdin_path;
}

const char *input_path(const char *operand)
{
    return strcmp(operand, "-") == 0 ? stdin_copy() : operand;
}

/* ---- stdout --------------------------------------------------------------*/

int finish_stdout(void)
{
    static int told;
    const int lost_before = ferror(stdout);

    if (told)
        return FAILED;
    errno = 0;
    if (fflush(stdout) == 0 && !lost_before)
        return DONE;
    told = 1;
    return complain("standard output: could not be written%s%s",
                    errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
}

/* ---- The context and the clock -------------------------------------------*/

int context_open(int64_t threads, const char *isa, elman_context **out)
{
    elman_context_desc desc = ELMAN_CONTEXT_DESC;

    desc.threads = threads == 0 ? -1 : (int)threads;
    desc.isa = isa;
    if (elman_context_create(&desc, out) != ELMAN_OK)
        return complain_library();
    return DONE;
}

double now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Numbers -------------------------------------------------------------*/

number_text grouped(int64_t value)
{
    number_text out;
    char digits[24];
    const int size = snprintf(digits, sizeof digits, "%lld", (long long)value);
    char *place = out.text;

    for (int i = 0; i < size; i++) {
        *place++ = digits[i];
        const int left = size - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            *place++ = ',';
    }
    *place = '\0';
    return out;
}

number_text sized(int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    number_text out;
    double size = (double)bytes / 1024;
    int unit = 0;

    while (unit < 3 && size >= 1000) {
        size /= 1024;
        unit++;
    }
    snprintf(out.text, sizeof out.text, size < 10 ? "%.2f %s" : "%.1f %s", size,
             units[unit]);
    return out;
}

number_text clock_time(double seconds)
{
    number_text out;
    const long long s = seconds < 1e9 ? (long long)(seconds + 0.5) : 999999999;

    if (s >= 3600)
        snprintf(out.text, sizeof out.text, "%lld:%02lld:%02lld", s / 3600,
                 s / 60 % 60, s % 60);
    else
        snprintf(out.text, sizeof out.text, "%lld:%02lld", s / 60, s % 60);
    return out;
}

number_text shortest(double value)
{
    number_text out;

    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out.text, sizeof out.text, "%.*g", digits, value);
        if (strtod(out.text, NULL) == value)
            break;
    }
    return out;
}

/* ---- JSON ----------------------------------------------------------------*/

static void put_quoted(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 32 || c == 127)
            fprintf(file, "\\u%04x", c);
        else
            putc(c, file);
    }
    putc('"', file);
}

static void json_key(json *j, const char *key)
{
    if (j->comma)
        fputs(", ", j->file);
    j->comma = 1;
    if (key != NULL) {
        put_quoted(j->file, key);
        fputs(": ", j->file);
    }
}

void json_open(json *j, const char *key, char bracket)
{
    json_key(j, key);
    putc(bracket, j->file);
    j->comma = 0;
}

void json_close(json *j, char bracket)
{
    putc(bracket, j->file);
    j->comma = 1;
}

void json_int(json *j, const char *key, int64_t value)
{
    json_key(j, key);
    fprintf(j->file, "%lld", (long long)value);
}

void json_real(json *j, const char *key, double value)
{
    json_key(j, key);
    fputs(isfinite(value) ? shortest(value).text : "null", j->file);
}

void json_bool(json *j, const char *key, int value)
{
    json_raw(j, key, value ? "true" : "false");
}

void json_text(json *j, const char *key, const char *text)
{
    json_key(j, key);
    put_quoted(j->file, text);
}

void json_raw(json *j, const char *key, const char *value)
{
    json_key(j, key);
    fputs(value, j->file);
}
