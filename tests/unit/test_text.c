/* SPDX-License-Identifier: MIT */
/* test_text.c - texts read through a window, against the same text cut in
 * memory by a few plain loops. */
#include "test_context.h"
#include "../support/draw.h"
#include "../../src/text/corpus.h"
#include "../../src/text/stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- Files ---------------------------------------------------------------*/

enum { PATHS = 100 };
static char folder[512];
static char names[PATHS][600];
static const char *paths[PATHS];

static int first_free; /* descriptor */

static int free_descriptor(void)
{
    const int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static int make_folder(void **state)
{
    (void)state;
    first_free = free_descriptor();
    const char *const work = getenv("WORK");
    snprintf(folder, sizeof folder, "%s/text.XXXXXX", work ? work : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    for (int i = 0; i < PATHS; ++i) {
        snprintf(names[i], sizeof names[i], "%s/%d.txt", folder, i);
        paths[i] = names[i];
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (int i = 0; i < PATHS; ++i)
        remove(names[i]);
    return rmdir(folder);
}

static void add_bytes(int file, const char *mode, const char *bytes,
                      size_t size)
{
    FILE *const f = fopen(paths[file], mode);
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_file(int file, const char *bytes, size_t size)
{
    add_bytes(file, "wb", bytes, size);
}

#define WRITE(file, text) write_file(file, text, sizeof text - 1)

/* "FOLDER/file.txt: sentence" is what was said. */
static void expect_sentence(int file, const char *sentence)
{
    char expected[1024];
    snprintf(expected, sizeof expected, "%s: %s", paths[file], sentence);
    assert_string_equal(elman_message(), expected);
}

/* ---- The oracle ----------------------------------------------------------
 * Cuts a whole text in memory.  A token is its bytes. */

enum { MOST_TOKENS = 40000, MOST_BYTES = 40000 };

typedef struct token {
    char bytes[80];
    int size;
    int64_t chars;
} token;

typedef struct oracle {
    token list[MOST_TOKENS];
    int count;
} oracle;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool begins_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* re.sub('[^A-Za-z]+', ' ', text).lower() */
static size_t letters(const char *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; ++i)
        if (is_letter(text[i]))
            out[n++] = (char)(text[i] | 0x20);
        else if (n == 0 || out[n - 1] != ' ')
            out[n++] = ' ';
    return n;
}

static token *push(oracle *o)
{
    assert_true(o->count < MOST_TOKENS);
    token *const t = &o->list[o->count++];
    *t = (token){.chars = 1};
    return t;
}

static void push_byte(token *t, char byte)
{
    assert_true(t->size < (int)sizeof t->bytes);
    t->bytes[t->size++] = byte;
}

static void cut_chars(oracle *o, const char *text, size_t size, bool bytes)
{
    token *t = NULL;
    for (size_t i = 0; i < size; ++i) {
        if (bytes || begins_char(text[i]))
            t = push(o);
        push_byte(t, text[i]);
    }
}

static void cut_words(oracle *o, const char *text, size_t size)
{
    token *t = NULL;
    bool after_word = false;
    for (size_t i = 0; i < size; ++i) {
        if (text[i] == '\n') {
            t = push(o);
            memcpy(t->bytes, "<eos>", 5);
            t->size = 5;
            t = NULL;
            after_word = false;
        } else if (is_blank(text[i])) {
            t = NULL;
        } else {
            if (!t) {
                t = push(o);
                t->chars = after_word;
                after_word = true;
            }
            push_byte(t, text[i]);
            t->chars += begins_char(text[i]);
        }
    }
}

static void cut_text(oracle *o, const char *text, size_t size,
                     elman_level level, elman_normalize normalize)
{
    static char plain[MOST_BYTES];
    o->count = 0;
    if (normalize == ELMAN_NORMALIZE_LETTERS) {
        size = letters(text, size, plain);
        text = plain;
    }
    if (level == ELMAN_WORD)
        cut_words(o, text, size);
    else
        cut_chars(o, text, size, level == ELMAN_BYTE);
}

static bool same_token(const token *t, const char *bytes, size_t size)
{
    return (size_t)t->size == size && memcmp(t->bytes, bytes, size) == 0;
}

/* ---- Random texts --------------------------------------------------------*/

static size_t draw_text(draw *d, char *out, size_t items)
{
    static const char *const parts[] = {
        "a",        "b",     "C",        "Z",
        " ",        "  ",    "\n",       "\t",
        "\r\n",     "\v\f",  "\xc3\xa9", "\xe2\x82\xac",
        "-",        "<unk>", "<eos>",    "\xf0\x9f\x98\x80",
        "word",     "42",    " of ",     "\xef\xbb\xbf",
        "\xc2\xa0", "<unk",  " z ",      "averylongword"};
    const int64_t n = sizeof parts / sizeof *parts;
    /* Few kinds make texts of one kind: all blanks, one long word... */
    const int64_t kinds = 1 + draw_below(d, n);
    const int64_t begin = draw_below(d, n);
    size_t size = 0;
    int joined = 0;
    for (size_t i = 0; i < items; ++i) {
        const char *part = parts[(begin + draw_below(d, kinds)) % n];
        /* Words stay within the oracle's bounds. */
        joined = is_blank(*part) || *part == '\n' ? 0 : joined + 1;
        if (joined == 5) {
            part = " ";
            joined = 0;
        }
        if (draw_below(d, 50) == 0)
            out[size++] = '\0';
        memcpy(out + size, part, strlen(part));
        size += strlen(part);
    }
    return size;
}

/* Writes the text to some files, cut between characters; those of them that
 * are to be UTF-8 may begin with a mark.  Returns how many files. */
static int write_files(draw *d, const char *text, size_t size, bool utf8)
{
    static char bytes[MOST_BYTES + 3];
    const int count = 1 + (int)draw_below(d, 4);
    size_t at = 0;
    for (int i = 0; i < count; ++i) {
        size_t end = size;
        if (i < count - 1)
            end = at + (size_t)draw_below(d, (int64_t)(size - at) + 1);
        while (utf8 && end < size && !begins_char(text[end]))
            ++end;
        const bool mark =
            utf8 && (draw_below(d, 4) == 0 ||
                     (end - at >= 3 && !memcmp(text + at, "\xef\xbb\xbf", 3)));
        if (mark)
            memcpy(bytes, "\xef\xbb\xbf", 3);
        memcpy(bytes + (mark ? 3 : 0), text + at, end - at);
        write_file(i, bytes, end - at + (mark ? 3 : 0));
        at = end;
    }
    return count;
}

/* ---- Checks against the oracle -------------------------------------------*/

static elman_text *open_with(const elman_text_desc *desc, int64_t window,
                             int64_t marks)
{
    elman_text *text;
    if (el_text_open_with(test_context(), desc, window, marks, &text))
        fail_msg("seed %llu: %s", (unsigned long long)test_seed(),
                 elman_message());
    return text;
}

static void expect_token(const elman_vocab *vocab, const token *expected,
                         int32_t id, int64_t number)
{
    size_t size;
    const char *const got = elman_vocab_token(vocab, id, &size);
    if (got && same_token(expected, got, size))
        return;
    const int32_t known =
        el_vocab_find(vocab, expected->bytes, (size_t)expected->size);
    if (id != EL_UNK || known >= 0)
        fail_msg("seed %llu: token %lld is id %d, not \"%.*s\"",
                 (unsigned long long)test_seed(), (long long)number, id,
                 expected->size, expected->bytes);
}

static void check_cut(elman_text *text, const oracle *o, int64_t first,
                      int64_t count)
{
    static int32_t ids[MOST_TOKENS + 1];
    ids[count] = 777;
    if (elman_text_read(text, first, count, ids))
        fail_msg("seed %llu: %s", (unsigned long long)test_seed(),
                 elman_message());
    for (int64_t i = 0; i < count; ++i)
        expect_token(elman_text_vocab(text), &o->list[first + i], ids[i],
                     first + i);
    assert_int_equal(ids[count], 777);
}

static void check_chars(elman_text *text, const oracle *o, int64_t first,
                        int64_t count)
{
    double chars, expected = 0;
    assert_int_equal(el_text_chars_between(text, first, count, &chars),
                     ELMAN_OK);
    for (int64_t i = 0; i < count; ++i)
        expected += (double)o->list[first + i].chars;
    if (chars != expected)
        fail_msg("seed %llu: %g characters, not %g",
                 (unsigned long long)test_seed(), chars, expected);
}

/* Cuts anywhere, and cursors that take turns, some of them re-reading the last
 * token as the inputs of a model re-read the last target. */
static void check_reading(draw *d, elman_text *text, const oracle *o)
{
    enum { CURSORS = 8 };
    int64_t at[CURSORS];
    check_cut(text, o, 0, o->count);
    for (int i = 0; i < 40; ++i) {
        const int64_t first = draw_below(d, o->count + 1);
        const int64_t left = o->count - first;
        const int64_t count = draw_below(d, (left < 300 ? left : 300) + 1);
        check_cut(text, o, first, count);
        check_chars(text, o, first, count);
    }
    check_chars(text, o, 0, o->count);
    for (int c = 0; c < CURSORS; ++c)
        at[c] = c * o->count / CURSORS;
    for (int step = 0; step < 20; ++step)
        for (int c = 0; c < CURSORS; ++c) {
            const int64_t left = o->count - at[c];
            const int64_t count = left < 7 ? left : 7;
            check_cut(text, o, at[c], count);
            at[c] += count - (c % 2 && count > 1);
        }
}

static int64_t frequency_in(const oracle *o, int64_t count, const char *bytes,
                            size_t size)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; ++i)
        n += same_token(&o->list[i], bytes, size);
    return n;
}

/* The vocabulary holds the tokens of the first count, each with its frequency
 * and in the right order, and lacks only those that are rarer than any of it
 * or than min_count. */
static void check_vocab(const elman_vocab *v, const oracle *o, int64_t count,
                        int64_t min_count, int64_t vocab_size)
{
    int64_t sum = 0, least = INT64_MAX;
    for (int32_t id = 0; id < v->size; ++id) {
        const el_token *const t = &v->tokens[id];
        const char *const bytes = v->bytes + t->offset;
        sum += t->frequency;
        if (id == EL_UNK)
            continue;
        const el_token *const before = &v->tokens[id - 1];
        const char *const before_bytes = v->bytes + before->offset;
        assert_int_equal(t->frequency, frequency_in(o, count, bytes, t->size));
        assert_true(t->frequency >= 1 && t->frequency >= min_count);
        least = t->frequency < least ? t->frequency : least;
        if (id == EL_UNK + 1)
            continue;
        const size_t shorter = t->size < before->size ? t->size : before->size;
        const int order = memcmp(before_bytes, bytes, shorter);
        const bool ascends =
            order < 0 || (order == 0 && before->size < t->size);
        if (v->level == ELMAN_CHAR)
            assert_true(ascends);
        else
            assert_true(before->frequency > t->frequency ||
                        (before->frequency == t->frequency && ascends));
    }
    assert_int_equal(sum, count);
    assert_true(vocab_size == 0 || v->size <= vocab_size);
    const bool full = vocab_size > 0 && v->size == vocab_size;
    for (int64_t i = 0; i < count; ++i) {
        const token *const t = &o->list[i];
        if (el_vocab_find(v, t->bytes, (size_t)t->size) >= 0)
            continue;
        const int64_t n = frequency_in(o, count, t->bytes, (size_t)t->size);
        assert_true(n < min_count || (full && n <= least));
    }
}

static void check_text(elman_text *text, const oracle *o)
{
    const elman_vocab *const v = elman_text_vocab(text);
    int64_t chars = 0, unknown = 0;
    for (int i = 0; i < o->count; ++i) {
        const token *const t = &o->list[i];
        chars += t->chars;
        unknown += el_vocab_find(v, t->bytes, (size_t)t->size) <= EL_UNK &&
                   v->level != ELMAN_BYTE;
    }
    assert_int_equal(elman_text_tokens(text), o->count);
    assert_int_equal(elman_text_chars(text), chars);
    assert_int_equal(elman_text_unknown(text), unknown);
}

static void check_byte_vocab(const elman_vocab *v, const oracle *o,
                             int64_t count)
{
    assert_int_equal(v->size, 256);
    for (int32_t id = 0; id < 256; ++id) {
        const char byte = (char)id;
        assert_int_equal(v->tokens[id].frequency,
                         frequency_in(o, count, &byte, 1));
    }
}

static void check_encoding(elman_text *text, const char *bytes, size_t size)
{
    static int32_t read[MOST_TOKENS], encoded[MOST_TOKENS];
    const int64_t tokens = elman_text_tokens(text);
    int64_t count;
    assert_int_equal(elman_text_read(text, 0, tokens, read), ELMAN_OK);
    assert_int_equal(elman_vocab_encode(elman_text_vocab(text), bytes, size,
                                        encoded, MOST_TOKENS, &count),
                     ELMAN_OK);
    assert_true(count >= tokens); /* max_tokens */
    assert_memory_equal(read, encoded, (size_t)tokens * sizeof *read);
}

static int64_t either(draw *d, const int64_t *values, int64_t count)
{
    return values[draw_below(d, count)];
}

static void check_random(draw *d)
{
    static const int64_t windows[] = {4, 5, 6, 7, 16, 61, 1000, 1 << 16};
    static const int64_t marks[] = {2, 4, 6, 100, 1 << 17};
    static const int64_t sizes[] = {0, 0, 1, 2, 5, 12};
    static const double fractions[] = {0, 0, 0.1, 0.5, 0.99};
    static char bytes[MOST_BYTES];
    static oracle o;
    elman_text_desc desc = ELMAN_TEXT_DESC;
    const size_t size = draw_text(d, bytes, (size_t)draw_below(d, 2000));
    desc.level = (elman_level)draw_below(d, 3);
    desc.normalize = (elman_normalize)draw_below(d, 2);
    desc.paths = paths;
    desc.path_count = write_files(d, bytes, size, desc.level != ELMAN_BYTE);
    cut_text(&o, bytes, size, desc.level, desc.normalize);
    if (draw_below(d, 3) == 0) {
        desc.max_tokens = 1 + draw_below(d, o.count + 10);
        o.count = o.count < desc.max_tokens ? o.count : (int)desc.max_tokens;
    }
    if (desc.level != ELMAN_BYTE) {
        desc.min_count = draw_below(d, 5);
        desc.vocab_size = either(d, sizes, 6);
    }
    desc.held_out = fractions[draw_below(d, 5)];
    elman_text *text;
    if (o.count == 0) {
        assert_int_equal(el_text_open_with(test_context(), &desc, 4, 2, &text),
                         ELMAN_ETEXT);
        return;
    }
    text = open_with(&desc, either(d, windows, 8), either(d, marks, 5));
    const elman_vocab *const v = elman_text_vocab(text);
    const int64_t kept = o.count - el_text_held_out(o.count, desc.held_out);
    check_text(text, &o);
    if (desc.level == ELMAN_BYTE)
        check_byte_vocab(v, &o, kept);
    else
        check_vocab(v, &o, kept, desc.min_count, desc.vocab_size);
    check_reading(d, text, &o);
    check_encoding(text, bytes, size);

    /* The same text with the vocabulary given, and through another window. */
    desc.vocab = v;
    elman_text *again =
        open_with(&desc, either(d, windows, 8), either(d, marks, 5));
    check_text(again, &o);
    check_reading(d, again, &o);
    assert_int_equal(elman_text_fingerprint(again),
                     elman_text_fingerprint(text));
    elman_text_close(&again);
    elman_text_close(&text);
}

static void test_random(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)test_seed());
    for (uint64_t i = 0; i < 300; ++i) {
        draw d = {.stream = 100 + i};
        check_random(&d);
        if (test_live != 0)
            fail_msg("seed %llu, text %llu: %lld blocks are left",
                     (unsigned long long)test_seed(), (unsigned long long)i,
                     (long long)test_live);
    }
}

/* ---- Known texts ---------------------------------------------------------*/

static int begin(void **state)
{
    (void)state;
    test_live = 0;
    test_fail_never();
    return 0;
}

static elman_text *open_level(int files, elman_level level,
                              elman_normalize normalize)
{
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = files;
    desc.level = level;
    desc.normalize = normalize;
    elman_text *text;
    if (elman_text_open(test_context(), &desc, &text))
        fail_msg("%s", elman_message());
    return text;
}

static void close_text(elman_text *text)
{
    elman_text_close(&text);
    assert_null(text);
    assert_int_equal(test_live, 0);
}

/* All tokens, with a bar between them. */
static void expect_text(elman_text *text, const char *expected)
{
    static int32_t ids[1000];
    char got[2000] = "";
    const int64_t count = elman_text_tokens(text);
    assert_int_equal(elman_text_read(text, 0, count, ids), ELMAN_OK);
    for (int64_t i = 0; i < count; ++i) {
        size_t size;
        const char *const bytes =
            elman_vocab_token(elman_text_vocab(text), ids[i], &size);
        const size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%.*s", i > 0 ? "|" : "",
                 (int)size, bytes);
    }
    assert_string_equal(got, expected);
}

static void test_levels(void **state)
{
    (void)state;
    WRITE(0, "\n-It\xc3\xa9 is;\r\n\nI\t");
    elman_text *text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    expect_text(text, "\n|-|I|t|\xc3\xa9| |i|s|;|\r|\n|\n|I|\t");
    assert_int_equal(elman_text_chars(text), 14);
    close_text(text);
    text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_LETTERS);
    expect_text(text, " |i|t| |i|s| |i| ");
    assert_int_equal(elman_text_chars(text), 9);
    close_text(text);
    text = open_level(1, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    expect_text(text, "<eos>|-It\xc3\xa9|is;|<eos>|<eos>|I");
    /* "\n" "-It\xc3\xa9 is;" "\n" "\n" "I" */
    assert_int_equal(elman_text_chars(text), 12);
    close_text(text);
    text = open_level(1, ELMAN_WORD, ELMAN_NORMALIZE_LETTERS);
    expect_text(text, "it|is|i");
    assert_int_equal(elman_text_chars(text), 7); /* "it is i" */
    close_text(text);
    text = open_level(1, ELMAN_BYTE, ELMAN_NORMALIZE_NONE);
    expect_text(text, "\n|-|I|t|\xc3|\xa9| |i|s|;|\r|\n|\n|I|\t");
    assert_int_equal(elman_text_chars(text), 15);
    assert_int_equal(elman_text_unknown(text), 0);
    close_text(text);
    text = open_level(1, ELMAN_BYTE, ELMAN_NORMALIZE_LETTERS);
    expect_text(text, " |i|t| |i|s| |i| ");
    close_text(text);
}

/* A word and a run of blanks go on from file to file; marks are passed over,
 * but not at level byte. */
static void test_files(void **state)
{
    (void)state;
    WRITE(0, "\xef\xbb\xbfone t");
    WRITE(1, "");
    WRITE(2, "\xef\xbb\xbfwo \xef\xbb\xbf");
    WRITE(3, "\xef\xbb\xbf");
    WRITE(4, "\xef\xbb");
    elman_text *text = open_level(4, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    expect_text(text, "one|two|\xef\xbb\xbf");
    close_text(text);
    text = open_level(4, ELMAN_CHAR, ELMAN_NORMALIZE_LETTERS);
    expect_text(text, "o|n|e| |t|w|o| ");
    close_text(text);
    text = open_level(1, ELMAN_BYTE, ELMAN_NORMALIZE_NONE);
    expect_text(text, "\xef|\xbb|\xbf|o|n|e| |t");
    close_text(text);
}

static void test_fingerprint(void **state)
{
    (void)state;
    uint64_t seen[16];
    int count = 0;
    WRITE(0, "some words and some more\n");
    for (int level = 0; level < 3; ++level)
        for (int normalize = 0; normalize < 2; ++normalize) {
            elman_text *const text =
                open_level(1, (elman_level)level, (elman_normalize)normalize);
            seen[count++] = elman_text_fingerprint(text);
            close_text(text);
        }
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 1;
    desc.max_tokens = 3;
    elman_text *text = open_with(&desc, 4, 2);
    seen[count++] = elman_text_fingerprint(text);
    close_text(text);
    /* What lies beyond the last token that is wanted does not count. */
    WRITE(0, "some WORDS and some more\n");
    text = open_with(&desc, 64, 2);
    assert_int_equal(elman_text_fingerprint(text), seen[count - 1]);
    close_text(text);
    text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    seen[count++] = elman_text_fingerprint(text);
    close_text(text);
    for (int i = 0; i < count; ++i)
        for (int j = 0; j < i; ++j)
            assert_true(seen[i] != seen[j]);
}

static void test_held_out(void **state)
{
    (void)state;
    assert_int_equal(el_text_held_out(100, 0), 0);
    assert_int_equal(el_text_held_out(100, 0.1), 10);
    assert_int_equal(el_text_held_out(109, 0.1), 10);
    assert_int_equal(el_text_held_out(1, 0.99), 0);
    assert_int_equal(el_text_held_out(1000003, 0.99999999999999989), 1000002);
    WRITE(0, "aaaabbbcca");
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 1;
    desc.held_out = 0.3;
    elman_text *const text = open_with(&desc, 4, 2);
    expect_text(text, "a|a|a|a|b|b|b|<unk>|<unk>|a");
    assert_int_equal(elman_text_unknown(text), 2);
    assert_int_equal(elman_vocab_size(elman_text_vocab(text)), 3);
    assert_int_equal(elman_vocab_frequency(elman_text_vocab(text), 1), 4);
    close_text(text);
}

/* More files than are kept open. */
static void test_many_files(void **state)
{
    (void)state;
    enum { FILES = PATHS - 1 };
    int32_t ids[FILES];
    for (int i = 0; i < PATHS; ++i) {
        const char byte = (char)i;
        write_file(i, &byte, 1);
    }
    elman_text *const text =
        open_level(FILES, ELMAN_BYTE, ELMAN_NORMALIZE_NONE);
    for (int step = 1; step < FILES; step += 17)
        for (int i = 0, at = 0; i < FILES; ++i, at = (at + step) % FILES) {
            assert_int_equal(elman_text_read(text, at, 1, ids), ELMAN_OK);
            assert_int_equal(ids[0], at);
        }
    /* Another file that has taken the name is found out. */
    assert_int_equal(rename(paths[FILES], paths[0]), 0);
    assert_int_equal(elman_text_read(text, 1, FILES - 1, ids), ELMAN_OK);
    assert_int_equal(elman_text_read(text, 0, 1, ids), ELMAN_EIO);
    expect_sentence(0, "the file changed while it was read");
    close_text(text);
}

/* ---- What is wrong with files --------------------------------------------*/

static elman_status try_open(elman_level level, int files)
{
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text = (elman_text *)&desc;
    desc.paths = paths;
    desc.path_count = files;
    desc.level = level;
    const elman_status status = elman_text_open(test_context(), &desc, &text);
    if (status)
        assert_null(text);
    elman_text_close(&text);
    assert_int_equal(test_live, 0);
    return status;
}

static void test_refused(void **state)
{
    (void)state;
    remove(paths[0]);
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_EIO);
    expect_sentence(0, "cannot be read: No such file or directory");
    mkdir(paths[0], 0777);
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_EIO);
    expect_sentence(0, "cannot be read: it is a folder");
    rmdir(paths[0]);
    mkfifo(paths[0], 0666);
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_EIO);
    expect_sentence(0, "cannot be read: it is no regular file");
    remove(paths[0]);
    WRITE(0, "");
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_ETEXT);
    expect_sentence(0, "the text is empty");
    WRITE(0, "\xef\xbb\xbf");
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_ETEXT);
    expect_sentence(0, "the text is empty");
    assert_int_equal(try_open(ELMAN_BYTE, 1), ELMAN_OK);
    WRITE(1, "");
    assert_int_equal(try_open(ELMAN_CHAR, 2), ELMAN_ETEXT);
    assert_non_null(strstr(elman_message(),
                           "0.txt and the files after it: the text is empty"));
    WRITE(0, " \t ");
    assert_int_equal(try_open(ELMAN_WORD, 1), ELMAN_ETEXT);
    expect_sentence(0, "the text has no token in it");
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_OK);
}

/* A bad byte is found between any two characters, whatever the window, with
 * its file and line. */
static void check_invalid(const char *bad, int64_t window)
{
    static const char good[] = "ab\n\xc3\xa9\xe2\x82\xac\n\xf0\x9f\x98\x80 \n";
    const size_t size = sizeof good - 1, bad_size = strlen(bad);
    for (size_t at = 0; at <= size; ++at) {
        char bytes[64], sentence[128];
        int line = 1;
        if (at < size && !begins_char(good[at]))
            continue;
        for (size_t i = 0; i < at; ++i)
            line += good[i] == '\n';
        memcpy(bytes, good, at);
        memcpy(bytes + at, bad, bad_size);
        memcpy(bytes + at + bad_size, good + at, size - at);
        write_file(1, bytes, size + bad_size);
        elman_text_desc desc = ELMAN_TEXT_DESC;
        elman_text *text;
        desc.paths = paths;
        desc.path_count = 3;
        assert_int_equal(
            el_text_open_with(test_context(), &desc, window, 2, &text),
            ELMAN_ETEXT);
        snprintf(sentence, sizeof sentence,
                 "line %d: the text is not valid UTF-8 (byte 0x%02x)", line,
                 (unsigned char)*bad);
        expect_sentence(1, sentence);
        /* It does not matter where nobody reads. */
        desc.max_tokens = 20;
        desc.path_count = 1;
        assert_int_equal(
            el_text_open_with(test_context(), &desc, window, 2, &text),
            ELMAN_OK);
        el_text_close(text);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xff",
                                      "\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf5\x80\x80\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\xe2"};
    WRITE(0, "a first file\nthat is long enough");
    WRITE(2, "and a last one");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        check_invalid(bad[i], 4);
        check_invalid(bad[i], 7);
        check_invalid(bad[i], 1 << 16);
    }
    WRITE(1, "any \xff byte");
    assert_int_equal(try_open(ELMAN_BYTE, 3), ELMAN_OK);
    assert_int_equal(try_open(ELMAN_WORD, 3), ELMAN_ETEXT);
    /* No character goes on into the next file. */
    WRITE(0, "x\xc3");
    WRITE(1, "\xa9");
    assert_int_equal(try_open(ELMAN_CHAR, 2), ELMAN_ETEXT);
    expect_sentence(0, "line 1: the text is not valid UTF-8 (byte 0xc3)");
}

/* A byte that nobody reads does no harm, however large the window. */
static void test_invalid_beyond(void **state)
{
    (void)state;
    WRITE(0, "abc def\xff");
    for (int64_t window = 4; window < 20; ++window)
        for (int64_t most = 1; most < 10; ++most) {
            elman_text_desc desc = ELMAN_TEXT_DESC;
            elman_text *text;
            desc.paths = paths;
            desc.path_count = 1;
            desc.max_tokens = most;
            assert_int_equal(
                el_text_open_with(test_context(), &desc, window, 2, &text),
                most <= 7 ? ELMAN_OK : ELMAN_ETEXT);
            el_text_close(text);
            /* A word's end must be seen. */
            desc.level = ELMAN_WORD;
            assert_int_equal(
                el_text_open_with(test_context(), &desc, window, 2, &text),
                most <= 1 ? ELMAN_OK : ELMAN_ETEXT);
            el_text_close(text);
        }
}

/* A word of which a vocabulary could not be made in little memory. */
static void test_endless_word(void **state)
{
    (void)state;
    enum { MOST = 1 << 20 };
    char *const bytes = malloc(MOST + 1);
    memset(bytes, 'x', MOST + 1);
    WRITE(0, "some words ");
    add_bytes(0, "ab", bytes, MOST);
    assert_int_equal(try_open(ELMAN_WORD, 1), ELMAN_OK);
    add_bytes(0, "ab", bytes, 1);
    assert_int_equal(try_open(ELMAN_WORD, 1), ELMAN_ETEXT);
    expect_sentence(0, "a word is longer than 1048576 bytes (without blanks it "
                       "is no text of words)");
    assert_int_equal(try_open(ELMAN_CHAR, 1), ELMAN_OK);
    free(bytes);
}

/* ---- Progress ------------------------------------------------------------*/

typedef struct heard {
    int words;
    int64_t last, total;
    bool fell; /* once, for what is held out */
} heard;

static void listen(void *user, int64_t done, int64_t total)
{
    heard *const h = user;
    ++h->words;
    h->fell = h->fell || done < h->last;
    h->last = done;
    h->total = total;
    assert_true(done > 0 && done <= total);
}

/* The word is had every four million bytes, of all files together. */
static void test_progress(void **state)
{
    (void)state;
    enum { SIZE = 9000000 };
    char *const bytes = malloc(SIZE);
    for (int i = 0; i < SIZE; ++i)
        bytes[i] = "lorem ipsum\n"[i % 12];
    write_file(0, bytes, SIZE);
    write_file(1, bytes, SIZE);
    for (int level = 0; level < 3; ++level)
        for (int held = 0; held < 2; ++held) {
            elman_text_desc desc = ELMAN_TEXT_DESC;
            elman_text *text;
            heard h = {0};
            desc.paths = paths;
            desc.path_count = 2;
            desc.level = (elman_level)level;
            desc.held_out = held ? 0.5 : 0;
            desc.progress = listen;
            desc.progress_user = &h;
            assert_int_equal(el_text_open(test_context(), &desc, &text),
                             ELMAN_OK);
            assert_int_equal(h.total, 2 * SIZE);
            assert_in_range(h.words, held ? 6 : 4, held ? 7 : 4);
            assert_true(h.last > 2 * SIZE - (6 << 20));
            assert_int_equal(h.fell, held);
            el_text_close(text);
        }
    free(bytes);
}

/* ---- Files that do not stay what they were -------------------------------*/

enum { LONG = 200000 };

static char *long_text(void)
{
    static char bytes[LONG];
    for (int i = 0; i < LONG; ++i)
        bytes[i] = "lorem ipsum\n"[i % 12];
    return bytes;
}

static void test_shrinking(void **state)
{
    (void)state;
    static int32_t ids[LONG], before[LONG];
    write_file(0, long_text(), LONG);
    elman_text *const text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    assert_int_equal(elman_text_tokens(text), LONG);
    assert_int_equal(elman_text_read(text, 0, LONG, before), ELMAN_OK);
    assert_int_equal(truncate(paths[0], LONG / 2), 0);
    assert_int_equal(elman_text_read(text, 0, LONG, ids), ELMAN_EIO);
    expect_sentence(0, "the file shrank while it was read");
    assert_int_equal(elman_text_read(text, LONG - 5, 5, ids), ELMAN_EIO);
    expect_sentence(0, "the file shrank while it was read");
    double chars;
    assert_int_equal(el_text_chars_between(text, 0, LONG, &chars), ELMAN_EIO);
    /* What is still there can be read, after failures too. */
    assert_int_equal(elman_text_read(text, 10, 1000, ids), ELMAN_OK);
    assert_memory_equal(ids, before + 10, 1000 * sizeof *ids);
    assert_int_equal(truncate(paths[0], 0), 0);
    assert_int_equal(elman_text_read(text, LONG - 5, 5, ids), ELMAN_EIO);
    expect_sentence(0, "the file shrank while it was read");
    close_text(text);
}

/* What lies behind the last token that is wanted is never missed. */
static void test_shrinking_beyond(void **state)
{
    (void)state;
    static int32_t ids[10000];
    write_file(0, long_text(), LONG);
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 1;
    desc.max_tokens = 10000;
    elman_text *const text = open_with(&desc, 4096, 100);
    assert_int_equal(truncate(paths[0], 10000), 0);
    assert_int_equal(elman_text_read(text, 5000, 5000, ids), ELMAN_OK);
    assert_int_equal(elman_text_read(text, 0, 10000, ids), ELMAN_OK);
    close_text(text);
}

static void test_growing(void **state)
{
    (void)state;
    static int32_t ids[LONG], before[LONG];
    write_file(0, long_text(), LONG);
    elman_text *const text = open_level(1, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    const int64_t count = elman_text_tokens(text);
    assert_int_equal(elman_text_read(text, 0, count, before), ELMAN_OK);
    add_bytes(0, "ab", "more\n", 5);
    assert_int_equal(elman_text_read(text, 0, count, ids), ELMAN_OK);
    assert_memory_equal(ids, before, (size_t)count * sizeof *ids);
    close_text(text);
}

static void test_changing(void **state)
{
    (void)state;
    static int32_t ids[LONG];
    char *const bytes = long_text();
    write_file(0, bytes, LONG);
    elman_text *text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    bytes[LONG / 2] = (char)0xff;
    write_file(0, bytes, LONG);
    assert_int_equal(elman_text_read(text, 0, LONG, ids), ELMAN_EIO);
    expect_sentence(0, "the file changed while it was read");
    /* A place that was a character's beginning no longer is one. */
    for (int i = 0; i < LONG; ++i)
        bytes[i] = i < LONG / 3 * 3 ? "\xe2\x82\xac"[i % 3] : '\n';
    write_file(0, bytes, LONG);
    assert_int_equal(elman_text_read(text, LONG / 2 + 1, 10, ids), ELMAN_EIO);
    expect_sentence(0, "the file changed while it was read");
    /* As many bytes, but fewer characters. */
    assert_int_equal(elman_text_read(text, 0, LONG, ids), ELMAN_EIO);
    expect_sentence(0, "the file changed while it was read");
    close_text(text);
    write_file(0, long_text(), LONG);
    text = open_level(1, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    memset(bytes, ' ', LONG);
    write_file(0, bytes, LONG);
    assert_int_equal(elman_text_read(text, 0, elman_text_tokens(text), ids),
                     ELMAN_EIO);
    expect_sentence(0, "the file changed while it was read");
    close_text(text);
}

/* ---- Arguments -----------------------------------------------------------*/

static void refuse_desc(const elman_text_desc *desc, const char *sentence)
{
    elman_text *text = (elman_text *)&text;
    assert_int_equal(elman_text_open(test_context(), desc, &text),
                     ELMAN_EINVAL);
    assert_null(text);
    if (!strstr(elman_message(), sentence))
        fail_msg("\"%s\", not \"%s\"", elman_message(), sentence);
    assert_int_equal(test_live, 0);
}

#define REFUSE(change, sentence)                                               \
    do {                                                                       \
        elman_text_desc desc_ = ELMAN_TEXT_DESC;                               \
        desc_.paths = paths;                                                   \
        desc_.path_count = 1;                                                  \
        desc_.change;                                                          \
        refuse_desc(&desc_, sentence);                                         \
    } while (0)

static void test_arguments(void **state)
{
    (void)state;
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text = NULL;
    int32_t ids[4];
    WRITE(0, "abc");
    REFUSE(struct_size = 0, "struct_size of elman_text_desc is not set");
    REFUSE(paths = NULL, "there is no path to a text");
    REFUSE(path_count = 0, "there is no path to a text");
    REFUSE(level = (elman_level)3, "level is 3");
    REFUSE(normalize = (elman_normalize)2, "normalize is 2");
    REFUSE(max_tokens = -1, "max_tokens is -1");
    REFUSE(held_out = 1, "held_out is 1");
    REFUSE(held_out = -0.5, "held_out is -0.5");
    REFUSE(held_out = 0.0 / 0.0, "held_out is");
    REFUSE(min_count = -1, "min_count is -1");
    REFUSE(vocab_size = -1, "vocab_size is -1");
    REFUSE(level = ELMAN_BYTE; desc_.vocab_size = 9, "vocabulary of bytes");
    REFUSE(level = ELMAN_BYTE; desc_.min_count = 2, "vocabulary of bytes");
    const char *const hole[] = {NULL};
    REFUSE(paths = hole, "path 0 of the text is NULL");
    desc.paths = paths;
    desc.path_count = 1;
    assert_int_equal(elman_text_open(NULL, &desc, &text), ELMAN_EINVAL);
    assert_int_equal(elman_text_open(test_context(), NULL, &text),
                     ELMAN_EINVAL);
    assert_int_equal(elman_text_open(test_context(), &desc, NULL),
                     ELMAN_EINVAL);
    text = open_level(1, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    assert_int_equal(elman_text_read(NULL, 0, 1, ids), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, 0, 1, NULL), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, -1, 1, ids), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, 0, -1, ids), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, 0, 4, ids), ELMAN_EINVAL);
    assert_string_equal(elman_message(), "4 tokens from token 0 on are not in "
                                         "the text (it has 3)");
    assert_int_equal(elman_text_read(text, 4, 0, ids), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, 1, INT64_MAX, ids), ELMAN_EINVAL);
    assert_int_equal(elman_text_read(text, 3, 0, NULL), ELMAN_OK);
    close_text(text);
    assert_int_equal(elman_text_tokens(NULL), 0);
    assert_null(elman_text_vocab(NULL));
    elman_text_close(NULL);
}

/* ---- Memory --------------------------------------------------------------*/

static elman_status use_text(elman_level level, const elman_vocab *vocab)
{
    static int32_t ids[9999];
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text;
    desc.paths = paths;
    desc.path_count = 2;
    desc.level = level;
    desc.vocab = vocab;
    desc.held_out = 0.25;
    desc.min_count = level == ELMAN_BYTE ? 0 : 2;
    elman_status status =
        el_text_open_with(test_context(), &desc, 64, 2048, &text);
    if (!status)
        status = elman_text_read(text, 777, 9999, ids);
    elman_text_close(&text);
    return status;
}

static void check_memory(elman_level level, const elman_vocab *vocab)
{
    const int64_t before = test_live;
    int64_t n = 0;
    do {
        test_fail_after(n++);
        const elman_status status = use_text(level, vocab);
        test_fail_never();
        assert_int_equal(status, test_failed ? ELMAN_ENOMEM : ELMAN_OK);
        assert_int_equal(test_live, before);
    } while (test_failed);
    assert_true(n > 10);
}

static void test_no_memory(void **state)
{
    (void)state;
    /* Many words, so that everything grows. */
    static char bytes[LONG];
    draw d = {.stream = 7};
    size_t size = 0;
    while (size < 100000)
        size += (size_t)snprintf(bytes + size, 24, "w%d\xc3\xa9 ",
                                 (int)draw_below(&d, 3000));
    write_file(0, bytes, size);
    write_file(1, bytes, size);
    check_memory(ELMAN_CHAR, NULL);
    check_memory(ELMAN_WORD, NULL);
    check_memory(ELMAN_BYTE, NULL);
    elman_text *const text = open_level(1, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    check_memory(ELMAN_WORD, elman_text_vocab(text));
    close_text(text);
}

/* A reading that fails half-way leaves nothing behind.  The window's end cuts
 * a second word of a line, so that a wrong place gives wrong words. */
static void test_after_no_memory(void **state)
{
    (void)state;
    static int32_t before[1000], ids[1000];
    elman_text_desc desc = ELMAN_TEXT_DESC;
    write_file(0, long_text(), LONG);
    desc.paths = paths;
    desc.path_count = 1;
    desc.level = ELMAN_WORD;
    elman_text *text = open_with(&desc, 46, 10000);
    assert_int_equal(elman_text_read(text, 0, 1000, before), ELMAN_OK);
    close_text(text);
    for (int64_t first = 0; first < 100; ++first) {
        text = open_with(&desc, 46, 10000);
        test_fail_after(0);
        assert_int_equal(elman_text_read(text, 0, 1000, ids), ELMAN_ENOMEM);
        test_fail_never();
        assert_int_equal(elman_text_read(text, first, 100, ids), ELMAN_OK);
        assert_memory_equal(ids, before + first, 100 * sizeof *ids);
        close_text(text);
    }
}

/* ---- Real texts ----------------------------------------------------------*/

static const char *shared(const char *name)
{
    static char path[1024];
    const char *const root = getenv("ELMAN_SHARED");
    snprintf(path, sizeof path, "%s/data/%s", root ? root : "../shared", name);
    if (access(path, R_OK) == 0)
        return path;
    print_message("skipped: %s is not there\n", path);
    return NULL;
}

static elman_text *open_shared(const char *path, elman_level level,
                               elman_normalize normalize)
{
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text;
    desc.paths = &path;
    desc.path_count = 1;
    desc.level = level;
    desc.normalize = normalize;
    if (elman_text_open(test_context(), &desc, &text))
        fail_msg("%s", elman_message());
    return text;
}

/* The book chapter has 173,428 characters and a vocabulary of 28. */
static void test_book(void **state)
{
    (void)state;
    const char *const path = shared("timemachine/timemachine.txt");
    static int32_t ids[60];
    size_t size;
    if (!path)
        skip();
    elman_text *text = open_shared(path, ELMAN_CHAR, ELMAN_NORMALIZE_LETTERS);
    const elman_vocab *v = elman_text_vocab(text);
    assert_int_equal(elman_text_tokens(text), 173428);
    assert_int_equal(elman_text_chars(text), 173428);
    assert_int_equal(elman_text_unknown(text), 0);
    assert_int_equal(elman_vocab_size(v), 28);
    for (int32_t id = 1; id < 28; ++id)
        assert_int_equal(*elman_vocab_token(v, id, &size),
                         " abcdefghijklmnopqrstuvwxyz"[id - 1]);
    assert_int_equal(elman_text_read(text, 0, 60, ids), ELMAN_OK);
    for (int i = 0; i < 60; ++i)
        assert_int_equal(*elman_vocab_token(v, ids[i], &size),
                         "the time machine by h g wells i the time traveller "
                         "for so it"[i]);
    close_text(text);
    text = open_shared(path, ELMAN_WORD, ELMAN_NORMALIZE_LETTERS);
    v = elman_text_vocab(text);
    assert_int_equal(elman_text_tokens(text), 32775);
    assert_int_equal(elman_vocab_size(v), 4580);
    assert_int_equal(elman_vocab_frequency(v, 1), 2261);
    assert_memory_equal(elman_vocab_token(v, 1, &size), "the", 3);
    assert_int_equal(elman_vocab_frequency(v, 10), 440);
    assert_memory_equal(elman_vocab_token(v, 10, &size), "my", 2);
    /* All but the blank that ends the text. */
    assert_int_equal(elman_text_chars(text), 173427);
    close_text(text);
    text = open_shared(path, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    assert_int_equal(elman_text_tokens(text), 178979);
    assert_int_equal(elman_vocab_size(elman_text_vocab(text)), 71);
    close_text(text);
}

static void test_wikitext(void **state)
{
    (void)state;
    const char *const path = shared("wikitext-2/valid.txt");
    if (!path)
        skip();
    elman_text *text = open_shared(path, ELMAN_WORD, ELMAN_NORMALIZE_NONE);
    const elman_vocab *const v = elman_text_vocab(text);
    assert_int_equal(elman_text_tokens(text), 217646);
    assert_int_equal(elman_vocab_size(v), 13777);
    assert_int_equal(elman_text_unknown(text), 11718);
    assert_int_equal(elman_vocab_frequency(v, EL_UNK), 11718);
    assert_int_equal(elman_vocab_frequency(v, el_vocab_find(v, "<eos>", 5)),
                     3760);
    close_text(text);
    text = open_shared(path, ELMAN_CHAR, ELMAN_NORMALIZE_NONE);
    assert_int_equal(elman_text_tokens(text), 1120192);
    close_text(text);
}

/* The last test: all files were closed, after every failure too. */
static void test_closed(void **state)
{
    (void)state;
    assert_int_equal(free_descriptor(), first_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random, begin),
        cmocka_unit_test_setup(test_levels, begin),
        cmocka_unit_test_setup(test_files, begin),
        cmocka_unit_test_setup(test_fingerprint, begin),
        cmocka_unit_test_setup(test_held_out, begin),
        cmocka_unit_test_setup(test_many_files, begin),
        cmocka_unit_test_setup(test_refused, begin),
        cmocka_unit_test_setup(test_invalid, begin),
        cmocka_unit_test_setup(test_invalid_beyond, begin),
        cmocka_unit_test_setup(test_endless_word, begin),
        cmocka_unit_test_setup(test_progress, begin),
        cmocka_unit_test_setup(test_shrinking, begin),
        cmocka_unit_test_setup(test_shrinking_beyond, begin),
        cmocka_unit_test_setup(test_growing, begin),
        cmocka_unit_test_setup(test_changing, begin),
        cmocka_unit_test_setup(test_arguments, begin),
        cmocka_unit_test_setup(test_no_memory, begin),
        cmocka_unit_test_setup(test_after_no_memory, begin),
        cmocka_unit_test_setup(test_book, begin),
        cmocka_unit_test_setup(test_wikitext, begin),
        cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
