/* SPDX-License-Identifier: MIT */
/* test_shards.c - the gradient of a batch in shards: the tree, the masks and
 * the states, put together here by the public functions. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"
#include "train/pieces.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TOKENS = 3000, B = 8, T = 70, UPDATES = 3 };

static elman_context *plain;
static elman_text *text;

static int begin(void **state)
{
    char letters[TOKENS];
    uint32_t x = 1;
    if (folder_setup(state) != 0)
        return -1;
    for (int i = 0; i < TOKENS; ++i) {
        x = x * 1664525 + 1013904223;
        letters[i] = "abcdefghij "[(x >> 16) % 11];
    }
    file_write("text", letters, sizeof letters);
    plain = make_context(1, NULL);
    const char *const path = "text";
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = &path;
    desc.path_count = 1;
    must(elman_text_open(plain, &desc, &text));
    return 0;
}

static int end(void **state)
{
    elman_text_close(&text);
    elman_context_destroy(&plain);
    return folder_teardown(state);
}

static elman_train_desc describe(int64_t shards)
{
    elman_train_desc d = ELMAN_TRAIN_DESC;
    d.model.cell = ELMAN_CELL_LSTM;
    d.model.hidden = 19;
    d.model.layers = 2;
    d.model.embed = 7;
    d.model.dropout = 0.3;
    d.model.weight_drop = 0.1;
    d.optimizer.kind = ELMAN_ADAM;
    d.optimizer.clip = 0.1;
    d.schedule.lr = 0.01;
    d.batch = B;
    d.steps = T;
    d.updates = UPDATES;
    d.seed = 5;
    d.shards = shards;
    return d;
}

/* ---- What a trainer should do --------------------------------------------*/

typedef struct whole {
    const elman_train_desc *desc;
    const elman_lm *lm;
    elman_lm_tape *tape;
    elman_lm_state *states[B]; /* a shard's each; NULL where none is carried */
    el_pieces pieces;
    int64_t update;
} whole;

/* The rows of shard `shard` as they stand in the text. */
static void read_rows(const whole *w, int64_t shard, int32_t *ids,
                      int32_t *targets)
{
    const int64_t rows = B / w->desc->shards;
    int32_t row[T + 1];
    for (int64_t b = 0; b < rows; ++b) {
        must(elman_text_read(
            text, el_pieces_first(&w->pieces, 0, w->update, shard * rows + b),
            T + 1, row));
        for (int i = 0; i < T; ++i) {
            ids[i * rows + b] = row[i];
            targets[i * rows + b] = row[i + 1];
        }
    }
}

/* sum(first, n) = sum(first, n/2) + sum(first + n/2, n/2) */
static void sum(const whole *w, int64_t first, int64_t n, void *grad,
                double *nats)
{
    const int64_t P = elman_lm_parameters(w->lm);
    const size_t size = elman_dtype_size(w->desc->model.dtype);
    memset(grad, 0, (size_t)P * size);
    if (n > 1) {
        void *const other = scratch(P, size);
        double more;
        sum(w, first, n / 2, grad, nats);
        sum(w, first + n / 2, n / 2, other, &more);
        *nats += more;
        for (int64_t i = 0; i < P; ++i)
            if (size == sizeof(float))
                ((float *)grad)[i] += ((float *)other)[i];
            else
                ((double *)grad)[i] += ((double *)other)[i];
        return;
    }
    int32_t ids[T * B], targets[T * B];
    elman_lm_batch batch = ELMAN_LM_BATCH;
    read_rows(w, first, ids, targets);
    batch.steps = T;
    batch.batch = B / w->desc->shards;
    batch.ids = ids;
    batch.targets = targets;
    batch.scale = 1 / (double)(T * B);
    batch.train = 1;
    batch.seed = w->desc->seed;
    batch.draw = (uint64_t)w->update;
    batch.first_row = first * batch.batch;
    must(
        elman_lm_forward(w->lm, w->tape, &batch, w->states[first], nats, NULL));
    must(elman_lm_backward(w->lm, w->tape, grad));
}

/* A trainer beside an optimizer that is given the sums made here. */
static void check_tree(const elman_train_desc *d)
{
    elman_trainer *trainer;
    elman_lm_tape *tape;
    elman_optimizer *optimizer;
    must(elman_trainer_create(plain, d, text, NULL, &trainer));
    const elman_lm *const lm = elman_trainer_lm(trainer);
    const int64_t P = elman_lm_parameters(lm);
    const size_t bytes = (size_t)P * elman_dtype_size(d->model.dtype);
    elman_optimizer_desc o = d->optimizer;
    o.dtype = d->model.dtype;
    must(elman_optimizer_create(plain, &o, P, &optimizer));
    must(elman_lm_tape_create(lm, T, B / d->shards, &tape));
    whole w = {.desc = d,
               .lm = lm,
               .tape = tape,
               .pieces = {.tokens = TOKENS,
                          .batch = B,
                          .steps = T,
                          .sampling = d->sampling,
                          .seed = d->seed}};
    assert_true(el_pieces_plan(&w.pieces));
    if (d->sampling == ELMAN_SEQUENTIAL)
        for (int64_t i = 0; i < d->shards; ++i)
            must(elman_lm_state_create(lm, B / d->shards, &w.states[i]));
    void *const expected = scratch(P, bytes / (size_t)P);
    void *const grad = scratch(P, bytes / (size_t)P);
    memcpy(expected, elman_lm_weights(lm), bytes);
    for (; w.update < UPDATES; ++w.update) {
        elman_train_report report = ELMAN_TRAIN_REPORT;
        double nats, norm;
        sum(&w, 0, d->shards, grad, &nats);
        must(elman_optimizer_step(optimizer, d->schedule.lr, expected, grad,
                                  &norm));
        must(elman_trainer_step(trainer, &report));
        assert_memory_equal(elman_lm_weights(lm), expected, bytes);
        assert_true(report.loss == nats / (T * B));
        assert_true(report.grad_norm == norm);
    }
    for (int64_t i = 0; i < d->shards; ++i)
        elman_lm_state_destroy(&w.states[i]);
    elman_lm_tape_destroy(&tape);
    elman_optimizer_destroy(&optimizer);
    elman_trainer_destroy(&trainer);
    scratch_free(NULL);
}

static void test_tree(void **state)
{
    (void)state;
    for (int64_t shards = 1; shards <= B; shards *= 2)
        for (int random = 0; random < 2; ++random) {
            elman_train_desc d = describe(shards);
            d.sampling = random ? ELMAN_RANDOM : ELMAN_SEQUENTIAL;
            trying("%lld shards, sampling %d", (long long)shards, random);
            check_tree(&d);
            d.model.cell = random ? ELMAN_CELL_GRU : ELMAN_CELL_ELMAN;
            d.model.locked = 1;
            d.model.dtype = random ? ELMAN_F64 : ELMAN_F32;
            check_tree(&d);
        }
    elman_train_desc d = describe(4);
    d.model = (elman_lm_desc)ELMAN_LM_DESC;
    d.model.cell = ELMAN_CELL_NONE;
    d.model.context = 3;
    d.model.hidden = 9;
    d.model.embed = 5;
    check_tree(&d);
}

/* Another shape is another sum: a test that compares equal things sees
 * nothing. */
static void test_shards_matter(void **state)
{
    (void)state;
    char *last = NULL;
    size_t bytes = 0;
    for (int64_t shards = 1; shards <= B; shards *= 2) {
        const elman_train_desc d = describe(shards);
        elman_trainer *trainer;
        must(elman_trainer_create(plain, &d, text, NULL, &trainer));
        must(elman_trainer_step(trainer, NULL));
        const elman_lm *const lm = elman_trainer_lm(trainer);
        bytes = (size_t)elman_lm_parameters(lm) * sizeof(float);
        if (last)
            assert_memory_not_equal(last, elman_lm_weights(lm), bytes);
        else
            last = malloc(bytes);
        memcpy(last, elman_lm_weights(lm), bytes);
        elman_trainer_destroy(&trainer);
    }
    free(last);
}

static void test_refused(void **state)
{
    (void)state;
    static const int64_t wrong[] = {-1, 3, 6, 16, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        const elman_train_desc d = describe(wrong[i]);
        elman_trainer *trainer;
        assert_int_equal(elman_trainer_create(plain, &d, text, NULL, &trainer),
                         ELMAN_EINVAL);
        assert_non_null(strstr(elman_message(), "shards"));
        assert_null(trainer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_shards_matter),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
