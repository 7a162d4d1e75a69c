/* SPDX-License-Identifier: MIT */
/* standalone.h - a main for a fuzzer that is built without libFuzzer.  It runs
 * the files it is given; without any it runs the fuzzer's own seeds and some
 * mutations of them, the same ones each time.  With libFuzzer the seeds are put
 * into the folder where that keeps what it finds. */
#ifndef FUZZ_STANDALONE_H
#define FUZZ_STANDALONE_H

#include "../../src/base/random.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fuzz_seed {
    const void *bytes;
    size_t size;
} fuzz_seed;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a check of a fuzzer's does when it fails, under libFuzzer too. */
#define FUZZ_CHECK(condition)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,       \
                    #condition);                                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* A tensor file of which the first 8 bytes are not the header's length, but
 * that of the data, so that a header may change its length and still be read;
 * with bit 63 set they are what the file says, but for that bit. */
static inline void fuzz_header_length(unsigned char *bytes, size_t size)
{
    uint64_t length;
    if (size < sizeof length)
        return;
    memcpy(&length, bytes, sizeof length);
    length = length >> 63 ? length << 1 >> 1
                          : size - 8 - (size_t)(length % (size - 7));
    memcpy(bytes, &length, sizeof length);
}

#ifdef FUZZ_STANDALONE
#define FUZZ_MAIN int main(int argc, char **argv)

enum { FUZZ_ROOM = 8192 };

typedef struct fuzz_input {
    uint8_t bytes[FUZZ_ROOM];
    size_t size;
    uint64_t drawn; /* numbers so far */
} fuzz_input;

static size_t fuzz_draw(fuzz_input *in, size_t below)
{
    return below ? el_random_u32(1, 0, in->drawn++) % below : 0;
}

/* Puts size bytes in place of the old ones, where there is room. */
static void fuzz_splice(fuzz_input *in, size_t at, size_t old,
                        const void *bytes, size_t size)
{
    uint8_t copy[FUZZ_ROOM];
    if (in->size - old + size > FUZZ_ROOM)
        return;
    memcpy(copy, bytes, size);
    memmove(in->bytes + at + size, in->bytes + at + old, in->size - at - old);
    memcpy(in->bytes + at, copy, size);
    in->size = in->size - old + size;
}

static void fuzz_mutate(fuzz_input *in)
{
    static const char *const words[] = {"\"",
                                        "\\",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "-",
                                        "0",
                                        "1",
                                        "9",
                                        " ",
                                        "\x80",
                                        "\xff",
                                        "null",
                                        "\\u0000",
                                        "\\ud83d",
                                        "9223372036854775807",
                                        "1e999",
                                        "\xe2\x82\xac",
                                        "\n"};
    const char *const word =
        words[fuzz_draw(in, sizeof words / sizeof words[0])];
    const size_t at = fuzz_draw(in, in->size + 1), left = in->size - at;
    const uint8_t byte = (uint8_t)fuzz_draw(in, 256);
    const size_t span = fuzz_draw(in, left < 32 ? left + 1 : 32);
    switch (fuzz_draw(in, 7)) {
    case 0:
        if (left > 0)
            in->bytes[at] ^= (uint8_t)(1u << (byte & 7));
        break;
    case 1:
        if (left > 0)
            in->bytes[at] = byte;
        break;
    case 2:
        fuzz_splice(in, at, 0, word, strlen(word));
        break;
    case 3:
        fuzz_splice(in, at, span, word, strlen(word));
        break;
    case 4:
        fuzz_splice(in, at, span, "", 0);
        break;
    case 5:
        fuzz_splice(in, fuzz_draw(in, in->size + 1), 0, in->bytes + at, span);
        break;
    case 6:
        if (byte < 32)
            in->size = at;
        break;
    }
}

/* In a block of its own, so that a sanitizer sees its ends. */
static void fuzz_run(const void *bytes, size_t size)
{
    uint8_t *const copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int fuzz_file(const char *path)
{
    static uint8_t bytes[1 << 24];
    FILE *const file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fuzz_run(bytes, size);
    return 0;
}

/* Each run changes a seed in 1, 2, 4 or 8 places. */
static int fuzz_main(int argc, char **argv, const fuzz_seed *seeds,
                     size_t count, int runs)
{
    static fuzz_input in;
    int status = 0;
    for (int i = 1; i < argc; ++i)
        status |= fuzz_file(argv[i]);
    if (argc > 1)
        return status;
    for (size_t i = 0; i < count; ++i)
        fuzz_run(seeds[i].bytes, seeds[i].size);
    for (int run = 0; run < runs; ++run) {
        const fuzz_seed *const seed = &seeds[fuzz_draw(&in, count)];
        memcpy(in.bytes, seed->bytes, seed->size);
        in.size = seed->size;
        for (int n = 1 << fuzz_draw(&in, 4); n > 0; --n)
            fuzz_mutate(&in);
        fuzz_run(in.bytes, in.size);
    }
    printf("%zu seeds, %d mutations\n", count, runs);
    return 0;
}

#else

/* libFuzzer calls it before it reads the folders that it is given. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_MAIN                                                              \
    static int begin_with_seeds(int argc, char **argv);                        \
    int LLVMFuzzerInitialize(int *argc, char ***argv)                          \
    {                                                                          \
        return begin_with_seeds(*argc, *argv);                                 \
    }                                                                          \
    static int begin_with_seeds(int argc, char **argv)

static inline int fuzz_main(int argc, char **argv, const fuzz_seed *seeds,
                            size_t count, int runs)
{
    const char *folder = NULL;
    char path[4096];
    (void)runs;
    for (int i = argc - 1; i > 0; --i)
        if (argv[i][0] != '-')
            folder = argv[i];
    for (size_t i = 0; folder && i < count; ++i) {
        snprintf(path, sizeof path, "%s/seed-%zu", folder, i);
        FILE *const file = fopen(path, "wb");
        if (!file)
            break;
        FUZZ_CHECK(fwrite(seeds[i].bytes, 1, seeds[i].size, file) ==
                   seeds[i].size);
        fclose(file);
    }
    return 0;
}

#endif
#endif
