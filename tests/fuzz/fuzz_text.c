/* SPDX-License-Identifier: MIT */
/* fuzz_text.c - a vocabulary's JSON, and texts of any bytes.
 *
 * The first byte of an input says the level, the normalisation and what is
 * done; the second one how texts are cut into pieces; the rest is the JSON or
 * the text. */
#include "../unit/test_context.h"
#include "../../src/text/tokens.h"
#include "../../src/base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_text: %s\n", what);
    abort();
}

/* ---- Texts ---------------------------------------------------------------*/

/* How long the next piece of a text is. */
typedef struct knife {
    uint32_t state;
    bool resume; /* cutting begins anew at every token's place */
} knife;

static size_t next_length(knife *k)
{
    k->state = k->state * 1664525 + 1013904223;
    return 4 + (k->state >> 24) % (1 + (k->state >> 20) % 16);
}

/* Cuts text into tokens, of which there are at most as many as bytes, giving
 * it in pieces and asking for few tokens at a time. */
static int64_t cut_in_pieces(const elman_vocab *v, const char *text,
                             size_t size, knife *k, int32_t *ids,
                             int64_t *chars)
{
    el_tokens cutter;
    int64_t count = 0;
    size_t at = 0;
    el_tokens_begin(&cutter, v, NULL);
    while (at < size) {
        size_t length = next_length(k);
        length = length < size - at ? length : size - at;
        if (v->level != ELMAN_BYTE)
            length = el_utf8_whole(text + at, length);
        require(length > 0, "a valid text has an invalid piece");
        const int64_t room = 1 + (int64_t)next_length(k) % 3;
        el_piece piece = {.in = text + at,
                          .end = text + at + length,
                          .last = at + length == size,
                          .ids = ids + count,
                          .room = room};
        require(!el_tokens_feed(&cutter, &piece), "cutting failed");
        require(piece.count <= room, "there are more tokens than asked for");
        require(piece.in <= piece.end, "more bytes than there are were taken");
        require(piece.in == piece.end || piece.count == room,
                "bytes were left, and room for tokens too");
        at = (size_t)(piece.in - text);
        count += piece.count;
        if (k->resume && piece.count == room) {
            const bool blank = cutter.blank;
            el_tokens_resume(&cutter, blank);
        }
    }
    *chars = cutter.chars;
    el_tokens_free(&cutter);
    return count;
}

/* Every way of cutting gives the same tokens. */
static void check_cutting(const elman_vocab *v, const char *text, size_t size,
                          knife k)
{
    int32_t *const whole = malloc((size + 1) * sizeof *whole);
    int32_t *const pieces = malloc((size + 1) * sizeof *pieces);
    int64_t count, chars[2];
    require(whole && pieces, "no memory");
    require(!elman_vocab_encode(v, text, size, whole, (int64_t)size, &count),
            "encoding failed");
    require(count <= (int64_t)size, "there are more tokens than bytes");
    for (int64_t i = 0; i < count; ++i)
        require(whole[i] >= 0 && whole[i] < v->size, "an id is out of range");
    for (int resume = 0; resume < 2; ++resume) {
        k.resume = resume;
        const int64_t again =
            cut_in_pieces(v, text, size, &k, pieces, &chars[resume]);
        require(again == count, "pieces give another number of tokens");
        require(!memcmp(whole, pieces, (size_t)count * sizeof *whole),
                "pieces give other tokens");
    }
    require(chars[0] == chars[1] && chars[0] <= (int64_t)size,
            "the characters are counted wrongly");
    free(whole);
    free(pieces);
}

/* The vocabulary of all that is in the text. */
static elman_vocab *gather(const char *text, size_t size, elman_level level,
                           elman_normalize normalize)
{
    int32_t ids[16];
    elman_vocab *v;
    el_tokens cutter;
    require(!el_vocab_create(test_context(), level, normalize, &v),
            "no vocabulary");
    el_tokens_begin(&cutter, v, v);
    el_piece piece = {
        .in = text, .end = text + size, .last = true, .ids = ids, .room = 16};
    do {
        piece.count = 0;
        require(!el_tokens_feed(&cutter, &piece), "gathering failed");
        for (int64_t i = 0; i < piece.count; ++i)
            ++v->tokens[ids[i]].frequency;
    } while (piece.count == piece.room);
    el_tokens_free(&cutter);
    return v;
}

static void try_text(const char *text, size_t size, elman_level level,
                     elman_normalize normalize, knife k)
{
    elman_vocab *chosen;
    int64_t count;
    if (level != ELMAN_BYTE) {
        const size_t whole = el_utf8_whole(text, size);
        elman_vocab *const v = gather("", 0, level, normalize);
        const elman_status status =
            elman_vocab_encode(v, text, size, NULL, 0, &count);
        require(status == (whole < size ? ELMAN_ETEXT : ELMAN_OK),
                "invalid UTF-8 was taken, or valid UTF-8 refused");
        el_vocab_free(v);
        size = whole;
    }
    elman_vocab *const v = gather(text, size, level, normalize);
    check_cutting(v, text, size, k);
    require(!el_vocab_select(v, NULL, level == ELMAN_BYTE ? 0 : 2, 0, &chosen),
            "choosing failed");
    check_cutting(chosen, text, size, k);
    el_vocab_free(chosen);
    el_vocab_free(v);
}

/* ---- JSON ----------------------------------------------------------------*/

static void try_json(const char *json, size_t size, elman_level level,
                     elman_normalize normalize, knife k)
{
    elman_vocab *v, *again;
    el_buffer out = EL_BUFFER(test_context());
    const elman_status status =
        el_vocab_from_json(test_context(), json, size, level, normalize, &v);
    require(status == ELMAN_OK || status == ELMAN_EFORMAT,
            "a vocabulary failed in an odd way");
    if (status)
        return;
    el_vocab_to_json(v, &out);
    require(!out.failed, "a vocabulary was not written");
    require(!el_vocab_from_json(test_context(), out.data, out.size, level,
                                normalize, &again),
            "what was written was not read");
    require(v->size == again->size && v->bytes_size == again->bytes_size &&
                !memcmp(v->bytes, again->bytes, v->bytes_size),
            "what was written is not what was read");
    check_cutting(v, out.data, out.size, k);
    el_buffer_free(&out);
    el_vocab_free(again);
    el_vocab_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const elman_level level = (elman_level)((data[0] & 3) % 3);
    const elman_normalize normalize = (elman_normalize)(data[0] >> 2 & 1);
    const knife k = {.state = data[1]};
    const char *const rest = (const char *)data + 2;
    if (data[0] >> 3 & 1)
        try_json(rest, size - 2, level, normalize, k);
    else
        try_text(rest, size - 2, level, normalize, k);
    require(test_live == 0, "memory is left");
    return 0;
}

#ifdef FUZZ_STANDALONE

/* ---- Without libFuzzer: files, or changes to what is below ---------------*/

enum { LONGEST = 4096 };

static const char *const seeds[] = {
    "\x08z[\"<unk>\",\"a\",\"\\u0000\",\"\\ud83d\\ude00\",\"\xc3\xa9\"]",
    "\x09z[\"<unk>\",\"<eos>\",\"the\",\"\\\"time\\\"\",\"traveller\",\"a\"]",
    "\x0az[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]",
    "\x0d!  [ \"<unk>\" , \"the\" , \"of\" ]  ",
    "\x01zthe time <unk> traveller\n(for so it\t will\r\n\v\fbe <eos>\n",
    "\x05!The Time Traveller (for so\xe2\x80\x94it will be) of him.\n\n ",
    "\x04!\xc3\xa9t\xc3\xa9 \xf0\x9f\x98\x80\xf0\x9f\x98\x80 -- A-Z, a..z",
    "\x04z\xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 \xff \xe2\x82",
    "\x06zBytes\xff\xfe of \x80 any kind",
};

static uint64_t random_state = 1;

static size_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (size_t)(random_state >> 33) % n;
}

/* Changes a byte, takes some away, or says some again somewhere else. */
static size_t change(uint8_t *bytes, size_t size)
{
    const size_t at = random_below(size), from = random_below(size);
    size_t n = 1 + random_below(16);
    switch (random_below(4)) {
    case 0:
        bytes[at] = (uint8_t)random_below(256);
        break;
    case 1:
        bytes[at] ^= (uint8_t)(1 << random_below(8));
        break;
    case 2:
        n = n < size - at ? n : size - at - 1;
        memmove(bytes + at, bytes + at + n, size - at - n);
        return size - n;
    default:
        n = n < size - from ? n : size - from;
        n = n < LONGEST - size ? n : LONGEST - size;
        memmove(bytes + at + n, bytes + at, size - at);
        memmove(bytes + at, bytes + from, n);
        return size + n;
    }
    return size;
}

static void run_changes(double seconds)
{
    static uint8_t bytes[LONGEST];
    const clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    const size_t seed_count = sizeof seeds / sizeof *seeds;
    long count = 0;
    for (; clock() < end; ++count) {
        const char *const seed = seeds[random_below(seed_count)];
        size_t size = strlen(seed);
        memcpy(bytes, seed, size);
        for (size_t n = random_below(12); n > 0 && size > 1; --n)
            size = change(bytes, size);
        /* A block of its own, so that a sanitizer sees its end. */
        uint8_t *const copy = malloc(size);
        require(copy, "no memory");
        memcpy(copy, bytes, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    printf("fuzz_text: %ld inputs\n", count);
}

static void run_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *const file = fopen(path, "rb");
    require(file, "a file cannot be opened");
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; ++i)
        run_file(argv[i]);
    if (argc == 1)
        run_changes(2);
    return 0;
}

#endif
