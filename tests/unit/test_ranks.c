/* SPDX-License-Identifier: MIT */
/* test_ranks.c - a run of training that is shared by ranks, which are threads
 * here: each has a context, texts and a trainer of its own, and reaches the
 * others through elman_ranks alone. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp, barriers */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/variants.h"
#include "base/context.h"
#include "test_folder.h"
#include "train/ranks.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TOKENS = 4000, MOST = 8, UPDATES = 5 };

/* ---- Ranks that are threads ----------------------------------------------*/

typedef struct hub {
    pthread_barrier_t all;
    const char *send[MOST];
    const int64_t *first[MOST];
    char *block[MOST];
} hub;

typedef struct rank {
    hub *hub;
    elman_ranks ranks;
    elman_train_desc desc;
    const char *text, *checkpoint; /* checkpoint NULL: a new run */
    const char *from;              /* a model that is gone on from, or NULL */
    int64_t updates;               /* that are made here */
    int breaks; /* calls until the others are lost; 0: never */
    bool spoil; /* the text is cut off when the trainer has been made */
    /* What became of it. */
    elman_status status;
    char sentence[256];
    double loss[UPDATES];
    double valid;
} rank;

static int lost(rank *r)
{
    return r->breaks > 0 && --r->breaks == 0;
}

static int exchange(void *user, const void *send, const int64_t *first,
                    void *receive)
{
    rank *const r = user;
    hub *const h = r->hub;
    const int me = r->ranks.rank;
    const int64_t n = first[me + 1] - first[me];
    if (lost(r))
        return 1;
    h->send[me] = send;
    h->first[me] = first;
    pthread_barrier_wait(&h->all);
    for (int i = 0; i < r->ranks.ranks; ++i)
        if (n > 0)
            memcpy((char *)receive + i * n, h->send[i] + h->first[i][me],
                   (size_t)n);
    pthread_barrier_wait(&h->all);
    return 0;
}

static int gather(void *user, void *block, const int64_t *first)
{
    rank *const r = user;
    hub *const h = r->hub;
    if (lost(r))
        return 1;
    h->block[r->ranks.rank] = block;
    pthread_barrier_wait(&h->all);
    for (int i = 0; i < r->ranks.ranks; ++i)
        if (i != r->ranks.rank && first[i + 1] > first[i])
            memcpy((char *)block + first[i], h->block[i] + first[i],
                   (size_t)(first[i + 1] - first[i]));
    pthread_barrier_wait(&h->all);
    return 0;
}

static elman_status make(rank *r, elman_context *context, elman_text *text,
                         elman_trainer **out)
{
    char used[64];
    elman_lm *from = NULL;
    elman_status s = ELMAN_OK;
    if (r->from && (s = elman_lm_load(context, r->from, &from)) != ELMAN_OK)
        abort();
    r->desc.from = from;
    s = r->checkpoint
            ? elman_trainer_resume(context, &r->desc, text, NULL, r->checkpoint,
                                   out, used, sizeof used, NULL)
            : elman_trainer_create(context, &r->desc, text, NULL, out);
    elman_lm_destroy(&from);
    return s;
}

static elman_status run(rank *r, elman_context *context, elman_text *text)
{
    elman_trainer *trainer = NULL;
    elman_train_report report = ELMAN_TRAIN_REPORT;
    elman_status s = make(r, context, text, &trainer);
    if (!s && r->spoil && truncate(r->text, 10) != 0)
        abort();
    for (int64_t i = 0; !s && i < r->updates; ++i) {
        s = elman_trainer_step(trainer, &report);
        if (!s)
            r->loss[report.update - 1] = report.loss;
        r->valid = report.valid_loss;
    }
    if (!s)
        s = elman_trainer_checkpoint(trainer, "checkpoint", 0);
    if (!s)
        s = elman_trainer_save(trainer, "model");
    elman_trainer_destroy(&trainer);
    return s;
}

static void *live(void *arg)
{
    rank *const r = arg;
    elman_context *context = make_context(1, NULL);
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text;
    desc.paths = &r->text;
    desc.path_count = 1;
    if (elman_text_open(context, &desc, &text) != ELMAN_OK)
        abort();
    r->status = run(r, context, text);
    snprintf(r->sentence, sizeof r->sentence, "%s", elman_message());
    elman_text_close(&text);
    elman_context_destroy(&context);
    return NULL;
}

/* Ranks that are all like the first one; change says in what they are not. */
static void each_thread(rank *list, int count, rank like,
                        void (*change)(rank *list), void *(*life)(void *))
{
    hub h;
    pthread_t threads[MOST];
    pthread_barrier_init(&h.all, NULL, (unsigned)count);
    for (int i = 0; i < count; ++i) {
        list[i] = like;
        list[i].hub = &h;
        list[i].ranks = (elman_ranks)ELMAN_RANKS;
        list[i].ranks.rank = i;
        list[i].ranks.ranks = count;
        list[i].ranks.user = &list[i];
        list[i].ranks.exchange = exchange;
        list[i].ranks.gather = gather;
        list[i].desc.ranks = &list[i].ranks;
    }
    if (change)
        change(list);
    for (int i = 0; i < count; ++i)
        if (pthread_create(&threads[i], NULL, life, &list[i]) != 0)
            abort();
    for (int i = 0; i < count; ++i)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&h.all);
}

static void together(rank *list, int count, rank like,
                     void (*change)(rank *list))
{
    each_thread(list, count, like, change, live);
}

/* ---- Runs ----------------------------------------------------------------*/

static void write_text(const char *path)
{
    static char letters[TOKENS];
    uint32_t x = 1;
    for (int i = 0; i < TOKENS; ++i) {
        x = x * 1664525 + 1013904223;
        letters[i] = "abcdefghij "[(x >> 16) % 11];
    }
    file_write(path, letters, sizeof letters);
}

static int begin(void **state)
{
    if (folder_setup(state) != 0)
        return -1;
    write_text("text");
    return 0;
}

static rank usual(void)
{
    rank r = {.text = "text", .updates = UPDATES};
    r.desc = (elman_train_desc)ELMAN_TRAIN_DESC;
    r.desc.model.cell = ELMAN_CELL_LSTM;
    r.desc.model.hidden = 13;
    r.desc.model.layers = 2;
    r.desc.model.dropout = 0.3;
    r.desc.optimizer.kind = ELMAN_ADAM;
    r.desc.optimizer.clip = 0.1;
    r.desc.schedule.lr = 0.01;
    r.desc.batch = 16;
    r.desc.steps = 30;
    r.desc.updates = UPDATES;
    r.desc.shards = 8;
    r.desc.valid_fraction = 0.1;
    return r;
}

/* The bytes of a file, compared with those of another run. */
static void expect_file(const char *path, const char *bytes, size_t size)
{
    size_t now_size;
    char *const now = file_read(path, &now_size);
    assert_non_null(now);
    assert_int_equal(now_size, size);
    assert_memory_equal(now, bytes, size);
    free(now);
}

static void check_same(rank like)
{
    rank one, list[MOST];
    size_t size = 0, kept_size = 0;
    together(&one, 1, like, NULL);
    assert_int_equal(one.status, ELMAN_OK);
    char *const model = file_read("model", &size);
    char *const kept = file_read("checkpoint", &kept_size);
    for (int count = 2; count <= MOST; count *= 2) {
        trying("%d ranks", count);
        together(list, count, like, NULL);
        for (int i = 0; i < count; ++i) {
            if (list[i].status)
                fail_msg("rank %d: %s", i, list[i].sentence);
            assert_memory_equal(list[i].loss, one.loss, sizeof one.loss);
            assert_memory_equal(&list[i].valid, &one.valid, sizeof one.valid);
        }
        expect_file("model", model, size);
        expect_file("checkpoint", kept, kept_size);
    }
    free(model);
    free(kept);
}

static void test_same_bits(void **state)
{
    (void)state;
    rank r = usual();
    check_same(r);
    r.desc.sampling = ELMAN_RANDOM;
    r.desc.average = 0.9;
    r.desc.valid_fraction = 0;
    check_same(r);
    r = usual();
    r.desc.model = (elman_lm_desc)ELMAN_LM_DESC;
    r.desc.model.cell = ELMAN_CELL_NONE;
    r.desc.model.hidden = 5;
    r.desc.model.context = 3;
    r.desc.model.embed = 4;
    check_same(r);
    r = usual();
    r.desc.model.cell = ELMAN_CELL_GRU;
    r.desc.model.dtype = ELMAN_F64;
    check_same(r);
}

/* ---- Sums ----------------------------------------------------------------*/

enum { ELEMENTS = 1000 };

/* Numbers whose sum depends on the order. */
static float number(int from, int i)
{
    return elman_random_uniform(7, (uint64_t)from, (uint64_t)i) *
           (i % 3 ? 1e4F : 1e-3F);
}

static void *sum_up(void *arg)
{
    rank *const r = arg;
    elman_context *context = make_context(1, NULL);
    float block[ELEMENTS];
    el_group g;
    r->status = el_group_create(context, &r->ranks, ELEMENTS, 4, &g);
    for (int64_t segment = 1; !r->status && segment < 2 * ELEMENTS;
         segment = 2 * segment + 1) {
        g.segment = segment;
        for (int i = 0; i < ELEMENTS; ++i)
            block[i] = number(r->ranks.rank, i);
        r->status = el_group_sum(&g, context->f32, block, ELEMENTS);
        for (int i = 0; i < ELEMENTS; ++i) {
            float tree[MOST];
            for (int k = 0; k < r->ranks.ranks; ++k)
                tree[k] = number(k, i);
            for (int n = r->ranks.ranks; n > 1; n /= 2)
                for (int k = 0; k < n / 2; ++k)
                    tree[k] = tree[2 * k] + tree[2 * k + 1];
            if (memcmp(&tree[0], &block[i], sizeof(float)) != 0)
                r->breaks = 1;
        }
    }
    el_group_free(&g);
    elman_context_destroy(&context);
    return NULL;
}

/* However the gradient is cut into segments, and these into slices, some of
 * which are empty. */
static void test_sums(void **state)
{
    (void)state;
    rank list[MOST];
    for (int count = 2; count <= MOST; count *= 2) {
        each_thread(list, count, (rank){0}, NULL, sum_up);
        for (int i = 0; i < count; ++i) {
            assert_int_equal(list[i].status, ELMAN_OK);
            assert_int_equal(list[i].breaks, 0);
        }
    }
}

/* ---- Checkpoints ---------------------------------------------------------*/

/* A checkpoint of two ranks, in the middle of carried states, goes on with
 * four, and with one. */
static void test_resume(void **state)
{
    (void)state;
    rank like = usual(), list[MOST];
    size_t size = 0;
    together(list, 1, like, NULL);
    char *const model = file_read("model", &size);
    for (int count = 1; count <= 4; count *= 4) {
        rank part = like;
        part.updates = 2;
        together(list, 2, part, NULL);
        assert_int_equal(list[0].status, ELMAN_OK);
        part.checkpoint = "checkpoint";
        part.updates = UPDATES - 2;
        together(list, count, part, NULL);
        if (list[0].status)
            fail_msg("%s", list[0].sentence);
        expect_file("model", model, size);
    }
    free(model);
}

/* ---- Failures ------------------------------------------------------------*/

/* Where it began is looked for in the rows of all. */
static void test_not_finite(void **state)
{
    (void)state;
    rank one, list[MOST], r = usual();
    r.desc.model.cell = ELMAN_CELL_ELMAN;
    r.desc.model.activation = ELMAN_RELU;
    r.desc.optimizer.kind = ELMAN_SGD;
    r.desc.optimizer.clip = 0;
    r.desc.schedule.lr = 1e30;
    for (int random = 0; random < 2; ++random) {
        r.desc.sampling = random ? ELMAN_RANDOM : ELMAN_SEQUENTIAL;
        r.desc.on_nonfinite = ELMAN_NONFINITE_STOP;
        together(&one, 1, r, NULL);
        assert_int_equal(one.status, ELMAN_ENONFINITE);
        together(list, 4, r, NULL);
        for (int i = 0; i < 4; ++i) {
            assert_int_equal(list[i].status, ELMAN_ENONFINITE);
            assert_string_equal(list[i].sentence, one.sentence);
        }
        r.desc.on_nonfinite = ELMAN_NONFINITE_SKIP;
        r.desc.valid_fraction = 0;
        check_same(r);
    }
}

static void expect_all(const rank *list, int count, elman_status status,
                       const char *word)
{
    for (int i = 0; i < count; ++i) {
        if (list[i].status != status || !strstr(list[i].sentence, word))
            fail_msg("rank %d: %s: %s", i, elman_status_name(list[i].status),
                     list[i].sentence);
    }
}

static void change_rate(rank *list)
{
    list[3].desc.schedule.lr = 0.02;
}

static void change_text(rank *list)
{
    file_write_text("other", "abcdefghij ");
    list[1].text = "other";
}

static void spoil_text(rank *list)
{
    write_text("spoiled");
    list[2].text = "spoiled";
    list[2].spoil = true;
}

static void break_off(rank *list)
{
    for (int i = 0; i < 4; ++i)
        list[i].breaks = 9;
}

static void test_failures(void **state)
{
    (void)state;
    rank list[MOST], r = usual();
    together(list, 4, r, change_rate);
    expect_all(list, 4, ELMAN_EMISMATCH, "rank 3 has other");
    together(list, 4, r, change_text);
    expect_all(list, 4, ELMAN_ETEXT, "tokens to validate on");
    together(list, 4, r, spoil_text);
    expect_all(list, 4, list[2].status, "spoiled: ");
    assert_int_not_equal(list[0].status, ELMAN_OK);
    together(list, 4, r, break_off);
    expect_all(list, 4, ELMAN_EIO, "other ranks cannot be reached");
    r.checkpoint = "nowhere";
    together(list, 4, r, NULL);
    expect_all(list, 4, ELMAN_EIO, "nowhere");
}

static void leave_out(rank *list)
{
    list[0].ranks.gather = NULL;
    list[1].ranks.struct_size = 0;
}

static void outside(rank *list)
{
    list[0].ranks.rank = 2;
    list[1].ranks.ranks = 16;
}

static void test_refused(void **state)
{
    (void)state;
    rank list[MOST];
    together(list, 2, usual(), leave_out);
    expect_all(list, 2, ELMAN_EINVAL, "elman_ranks");
    together(list, 2, usual(), outside);
    expect_all(list, 2, ELMAN_EINVAL, "this is rank");
}

/* ---- From a model --------------------------------------------------------*/

static void change_weights(rank *list)
{
    list[2].from = "later";
}

static void change_network(rank *list)
{
    list[1].from = "wide";
}

/* A model that was made before, by one rank, is all ranks' beginning. */
static void test_from(void **state)
{
    (void)state;
    rank list[MOST], r = usual();
    r.desc.model.hidden = 14;
    together(list, 1, r, NULL);
    assert_int_equal(rename("model", "wide"), 0);
    r = usual();
    together(list, 1, r, NULL);
    assert_int_equal(rename("model", "base"), 0);
    r.from = "base";
    r.desc.seed = 5;
    check_same(r);
    assert_int_equal(rename("model", "later"), 0);
    together(list, 4, r, change_weights);
    expect_all(list, 4, ELMAN_EMISMATCH, "rank 2 has other");
    together(list, 4, r, change_network);
    expect_all(list, 4, ELMAN_EMISMATCH, "hidden of the model to go on from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_resume),    cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_failures),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_from),
    };
    return cmocka_run_group_tests(tests, begin, folder_teardown);
}
