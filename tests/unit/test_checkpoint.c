/* SPDX-License-Identifier: MIT */
/* test_checkpoint.c - checkpoints: damaged in any byte, cut at any byte, of
 * other versions. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *context;
static elman_text *text;
static elman_train_desc desc;

static int begin(void **state)
{
    context = make_context(1, NULL);
    const int failed = folder_setup(state);
    draw d = {.stream = 130};
    letters_write("book.txt", &d, 5, 200);
    text = letters_open(context, "book.txt", NULL);
    desc = (elman_train_desc)ELMAN_TRAIN_DESC;
    desc.model.hidden = 3;
    desc.optimizer.kind = ELMAN_ADAM;
    desc.schedule.lr = 0.01;
    desc.batch = 2;
    desc.steps = 5;
    desc.epochs = 3;
    return failed;
}

static int end(void **state)
{
    elman_text_close(&text);
    elman_context_destroy(&context);
    return folder_teardown(state);
}

/* Two checkpoints, a step apart; the one before is c.1. */
static elman_trainer *write_two(void)
{
    elman_trainer *t;
    elman_train_report r = ELMAN_TRAIN_REPORT;
    must(elman_trainer_create(context, &desc, text, NULL, &t));
    for (int i = 1; i <= 2; ++i) {
        must(elman_trainer_step(t, &r));
        must(elman_trainer_checkpoint(t, "c", i));
    }
    return t;
}

/* c is passed over, with one sentence, and c.1 is gone on from. */
static void expect_fall_back(void)
{
    elman_trainer *t = NULL;
    char used[64];
    int64_t mark = 0;
    must(elman_trainer_resume(context, &desc, text, NULL, "c", &t, used,
                              sizeof used, &mark));
    elman_trainer_destroy(&t);
    if (strcmp(used, "c.1") != 0)
        fail_trying("%s was used", used);
    assert_int_equal(mark, 1);
    assert_memory_equal(elman_message(), "c: ", 3);
    assert_null(strchr(elman_message(), '\n'));
}

/* Whatever byte is another one. */
static void test_every_byte(void **state)
{
    (void)state;
    elman_trainer *t = write_two();
    size_t size = 0;
    char *const bytes = file_read("c", &size);
    draw d = {.stream = 131};
    elman_trainer_destroy(&t);
    for (size_t i = 0; i < size; ++i) {
        const char was = bytes[i];
        const int flip = i % 2 ? 0xff : 1 << draw_below(&d, 8);
        trying("byte %zu of %zu, flipped by %02x", i, size, (unsigned)flip);
        bytes[i] = (char)(was ^ flip);
        file_write("c", bytes, size);
        expect_fall_back();
        bytes[i] = was;
    }
    file_write("c", bytes, size);
    free(bytes);
}

static void test_every_length(void **state)
{
    (void)state;
    elman_trainer *t = write_two();
    size_t size = 0;
    char *const bytes = file_read("c", &size);
    elman_trainer_destroy(&t);
    for (size_t i = 0; i < size; i += i < 64 ? 1 : 7) {
        trying("%zu bytes of %zu", i, size);
        file_write("c", bytes, i);
        expect_fall_back();
    }
    unlink("c");
    trying("no file");
    expect_fall_back();
    free(bytes);
}

/* ---- By way of a copy ----------------------------------------------------*/

static void same_files(const char *x, const char *y)
{
    size_t m = 0, n = 0;
    char *const a = file_read(x, &m), *const b = file_read(y, &n);
    assert_int_equal(m, n);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void *write_snapshot(void *snapshot)
{
    return elman_snapshot_write(snapshot, "copied") == ELMAN_OK ? snapshot
                                                                : NULL;
}

/* Written by another thread while the trainer goes on, it is what a checkpoint
 * would have been; and so again, in the same memory. */
static void test_snapshots(void **state)
{
    (void)state;
    elman_trainer *t;
    elman_snapshot *s = NULL;
    elman_train_report r = ELMAN_TRAIN_REPORT;
    elman_train_desc d = desc;
    d.valid_fraction = 0.2;
    d.average = 0.9;
    trying("snapshots");
    must(elman_trainer_create(context, &d, text, NULL, &t));
    for (int i = 0; i < 20; ++i) {
        pthread_t thread;
        void *written;
        must(elman_trainer_checkpoint(t, "direct", i));
        must(elman_trainer_snapshot(t, i, &s));
        assert_int_equal(pthread_create(&thread, NULL, write_snapshot, s), 0);
        must(elman_trainer_step(t, &r));
        must(elman_trainer_step(t, &r));
        assert_int_equal(pthread_join(thread, &written), 0);
        assert_ptr_equal(written, s);
        same_files("direct", "copied");
    }
    assert_true(r.best_epoch > 0);
    must_fail(elman_trainer_snapshot(NULL, 0, &s), ELMAN_EINVAL, "NULL");
    must_fail(elman_trainer_snapshot(t, 0, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_snapshot_write(NULL, "copied"), ELMAN_EINVAL, "NULL");
    must_fail(elman_snapshot_write(s, NULL), ELMAN_EINVAL, "NULL");
    must_fail(elman_snapshot_write(s, "no/such/folder"), ELMAN_EIO,
              "no/such/folder");
    elman_snapshot_destroy(&s);
    assert_null(s);
    elman_snapshot_destroy(&s);
    elman_snapshot_destroy(NULL);
    elman_trainer_destroy(&t);
}

/* ---- Other versions ------------------------------------------------------*/

/* Writes c anew as it is, but for its numbers and their names. */
static void rewrite(const char *names, int64_t names_size,
                    const int64_t *integers, int64_t count)
{
    elman_tensors *file;
    elman_tensor list[40];
    static const char *const keys[] = {
        "format",     "kind",  "cell",      "activation",     "hidden_size",
        "num_layers", "level", "normalize", "embedding_size", "context_size",
        "proj_size",  "reset", "tied",      "vocabulary",     "training"};
    const char *pairs[2 * sizeof keys / sizeof *keys];
    int tensors = 0, used = 0;
    must(elman_tensors_read(context, "c", &file));
    for (int i = 0; i < elman_tensors_count(file); ++i) {
        elman_tensor *const x = &list[tensors++];
        must(elman_tensors_at(file, i, x));
        if (strcmp(x->name, "trainer.names") == 0) {
            x->data = names;
            x->count = x->shape[0] = names_size;
            tensors -= names == NULL;
        } else if (strcmp(x->name, "trainer.integers") == 0) {
            x->data = integers;
            x->count = x->shape[0] = count;
        }
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
        if (elman_tensors_meta(file, keys[i])) {
            pairs[used++] = keys[i];
            pairs[used++] = elman_tensors_meta(file, keys[i]);
        }
    must(elman_tensors_write(context, "new", list, tensors, pairs, used / 2));
    elman_tensors_destroy(&file);
    assert_int_equal(rename("new", "c"), 0);
}

static void expect_refused(const char *words)
{
    elman_train_desc d = ELMAN_TRAIN_DESC;
    unlink("c.1");
    unlink("c.2");
    must_fail(elman_checkpoint_describe(context, "c", &d, NULL), ELMAN_EFORMAT,
              words);
}

static void resume_is(const elman_trainer *expected)
{
    elman_trainer *t = NULL;
    char used[64];
    must(elman_trainer_resume(context, &desc, text, NULL, "c", &t, used,
                              sizeof used, NULL));
    assert_string_equal(used, "c");
    must(elman_trainer_checkpoint(t, "got", 2));
    must(elman_trainer_checkpoint(expected, "expected", 2));
    same_files("got", "expected");
    elman_trainer_destroy(&t);
}

static void test_versions(void **state)
{
    (void)state;
    elman_trainer *t = write_two();
    elman_tensors *file;
    elman_tensor x;
    trying("versions");
    must(elman_tensors_read(context, "c", &file));
    must(elman_tensors_find(file, "trainer.names", &x));
    const int64_t size = x.count;
    char *const names = scratch(size + 10, 1), *const other = scratch(size, 1);
    memcpy(names, x.data, (size_t)size);
    must(elman_tensors_find(file, "trainer.integers", &x));
    const int64_t count = x.count;
    int64_t *const integers = scratch(count + 1, sizeof *integers);
    memcpy(integers, x.data, (size_t)count * sizeof *integers);
    elman_tensors_destroy(&file);

    /* As it is; in another order; and one of an older version, which did not
     * have the first number, whose value is the default. */
    rewrite(names, size, integers, count);
    resume_is(t);
    const char *const second = strchr(names, '\n') + 1;
    const int64_t head = second - names, rest = size - head;
    const char *const reals = strstr(names, "dropout\n");
    const int64_t part = reals - second;
    memcpy(other, second, (size_t)part);
    memcpy(other + part, names, (size_t)head);
    memcpy(other + part + head, reals, (size_t)(size - part - head));
    integers[count] = integers[0];
    rewrite(other, size, integers + 1, count);
    resume_is(t);
    assert_int_equal(integers[0], 0);
    rewrite(second, rest, integers + 1, count - 1);
    resume_is(t);

    /* A number that nobody knows, a real among the integers, names that end
     * too early, and none. */
    memcpy(other, names, (size_t)size);
    other[0] = 'q';
    rewrite(other, size, integers, count);
    expect_refused("of another version");
    rewrite(reals, size - (reals - names), integers, 1);
    expect_refused("of another version");
    rewrite(names, size - 1, integers, count);
    expect_refused("does not name all its numbers");
    rewrite(names, 0, integers, count);
    expect_refused("does not name all its numbers");
    rewrite(NULL, 0, integers, count);
    expect_refused("before 0.1.0");
    elman_trainer_destroy(&t);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_byte),
        TEST(every_length),
        TEST(snapshots),
        TEST(versions),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
