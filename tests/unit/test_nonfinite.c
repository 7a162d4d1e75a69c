/* SPDX-License-Identifier: MIT */
/* test_nonfinite.c - updates that are not finite: found, named, and without a
 * trace in what is kept. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "../../src/optim/watch.h"
#include "../../src/train/trainer.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *context;

static int begin(void **state)
{
    context = make_context(1, NULL);
    return folder_setup(state);
}

static int end(void **state)
{
    elman_context_destroy(&context);
    return folder_teardown(state);
}

/* ---- The optimiser's watch -----------------------------------------------*/

enum { N = 600 }; /* more than two of its blocks */

static bool fine(elman_dtype dtype, const void *x)
{
    for (int64_t i = 0; x && i < N; ++i)
        if (!isfinite(element(dtype, x, i)))
            return false;
    return true;
}

typedef struct twin {
    elman_optimizer *o;
    void *weights;
} twin;

static bool twin_fine(const twin *t, elman_dtype dtype)
{
    return fine(dtype, t->weights) && fine(dtype, t->o->m) &&
           fine(dtype, t->o->v);
}

/* Any magnitude that the dtype has, mostly a usual one. */
static double draw_size(draw *d, elman_dtype dtype)
{
    const double most = dtype == ELMAN_F64 ? 1023 : 127;
    return draw_below(d, 3) ? 1 : exp2(draw_between(d, 0, (int)most));
}

/* One optimiser is watched, the other is not: they do the same as long as all
 * stays finite, and where the second one's numbers do not, the first one
 * refuses, and stands where it stood. */
static void test_watch(void **state)
{
    (void)state;
    draw d = {.stream = 120};
    int refusals = 0, updates = 0;
    for (int k = 0; k < 400; ++k) {
        const elman_dtype dtype = k % 2 ? ELMAN_F64 : ELMAN_F32;
        elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
        desc.kind = (elman_optimizer_kind)(k % 5);
        desc.dtype = dtype;
        desc.eps = draw_below(&d, 4) ? 1e-8 : 0;
        desc.clip = draw_below(&d, 2) ? 1 : 0;
        desc.weight_decay = draw_below(&d, 2) ? 0.1 * draw_size(&d, dtype) : 0;
        const double *const start =
            scratch_draw(&d, N, draw_below(&d, 4) ? 1 : 1e30);
        twin watched = {.weights = scratch_as(dtype, start, N)};
        twin other = {.weights = scratch_as(dtype, start, N)};
        el_watch watch = EL_WATCH;
        trying("kind %d, dtype %d, draw %d", desc.kind, dtype, k);
        must(elman_optimizer_create(context, &desc, N, &watched.o));
        must(elman_optimizer_create(context, &desc, N, &other.o));
        for (int step = 0; step < 8; ++step) {
            double *const g = scratch_draw(&d, N, 1);
            g[draw_below(&d, N)] *= draw_size(&d, dtype);
            const void *const grad = scratch_as(dtype, g, N);
            const double lr = 0.01 * draw_size(&d, dtype);
            void *const before = scratch(N, 8);
            double norm;
            memcpy(before, watched.weights, N * elman_dtype_size(dtype));
            const elman_status s = el_optimizer_step(
                watched.o, lr, watched.weights, grad, &norm, &watch);
            const elman_status plain = el_optimizer_step(
                other.o, lr, other.weights, grad, &norm, NULL);
            ++updates;
            assert_true(twin_fine(&watched, dtype));
            if (s) {
                ++refusals;
                assert_int_equal(s, ELMAN_ENONFINITE);
                expect_same("weights", dtype, watched.weights, before, N);
                assert_int_equal(watched.o->steps, step);
                assert_true(plain || !twin_fine(&other, dtype));
                assert_int_equal(watch.place < 0, plain != ELMAN_OK);
                if (!plain)
                    assert_true(
                        !isfinite(element(dtype, other.weights, watch.place)) ||
                        (other.o->m &&
                         !isfinite(element(dtype, other.o->m, watch.place))) ||
                        (other.o->v &&
                         !isfinite(element(dtype, other.o->v, watch.place))));
                break;
            }
            must(plain);
            expect_same("weights", dtype, watched.weights, other.weights, N);
        }
        elman_optimizer_destroy(&watched.o);
        elman_optimizer_destroy(&other.o);
        scratch_free(NULL);
    }
    assert_in_range(refusals, 40, 390);
    assert_true(updates > 800);
}

/* After a first look at all of them, usual updates need no other one: a weight
 * that has become infinite behind the watch's back is not noticed.  (A decay
 * that is added to the gradient, and divided by eps with it, makes bounds grow
 * fast, so that Adam and RMSprop look now and then.) */
static void test_watch_is_cheap(void **state)
{
    (void)state;
    for (int kind = ELMAN_SGD; kind <= ELMAN_RMSPROP; ++kind) {
        elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
        desc.kind = (elman_optimizer_kind)kind;
        desc.weight_decay =
            kind == ELMAN_ADAM || kind == ELMAN_RMSPROP ? 0 : 0.01;
        desc.clip = 1;
        float w[4] = {1, 2, 3, 4}, g[4] = {4, 3, 2, 1};
        elman_optimizer *o;
        el_watch watch = EL_WATCH;
        trying("kind %d", kind);
        must(elman_optimizer_create(context, &desc, 4, &o));
        must(el_optimizer_step(o, 0.01, w, g, NULL, &watch));
        assert_true(watch.weights < 10);
        w[3] = INFINITY;
        for (int i = 0; i < 10000; ++i)
            must(el_optimizer_step(o, 0.01, w, g, NULL, &watch));
        elman_optimizer_destroy(&o);
    }
}

/* ---- The trainer ---------------------------------------------------------*/

typedef struct scene {
    elman_text *text;
    elman_trainer *trainer;
} scene;

static scene open_scene(elman_sampling sampling, elman_nonfinite policy)
{
    draw d = {.stream = 121};
    scene s = {0};
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    letters_write("book.txt", &d, 7, 800);
    s.text = letters_open(context, "book.txt", NULL);
    desc.model.activation = ELMAN_RELU;
    desc.model.hidden = 6;
    desc.model.layers = 2;
    desc.loss = ELMAN_SUM;
    desc.optimizer.kind = ELMAN_ADAM;
    desc.schedule.lr = 0.01;
    desc.sampling = sampling;
    desc.batch = 3;
    desc.steps = 5;
    desc.epochs = 100;
    desc.on_nonfinite = policy;
    must(elman_trainer_create(context, &desc, s.text, NULL, &s.trainer));
    return s;
}

static void close_scene(scene *s)
{
    elman_trainer_destroy(&s->trainer);
    elman_text_close(&s->text);
}

static float *weights_named(scene *s, const char *name, int64_t *count)
{
    elman_view view;
    must(el_views_find(&s->trainer->lm->net.views, name, &view));
    *count = view.count;
    return (float *)s->trainer->lm->net.weights + view.offset;
}

/* Sets the first n weights of that name, or all for 0, and gives the old ones
 * back. */
static float *set(scene *s, const char *name, int n, float value)
{
    int64_t count;
    float *const w = weights_named(s, name, &count);
    float *const old = scratch(count, sizeof *old);
    for (int64_t i = 0; i < count; ++i) {
        old[i] = w[i];
        w[i] = n == 0 || i < n ? value : w[i];
    }
    el_lm_pack(s->trainer->lm);
    return old;
}

static void put_back(scene *s, const char *name, const float *old)
{
    int64_t count;
    float *const w = weights_named(s, name, &count);
    memcpy(w, old, (size_t)count * sizeof *w);
    el_lm_pack(s->trainer->lm);
}

static void step_fine(scene *s)
{
    elman_train_report r = ELMAN_TRAIN_REPORT;
    must(elman_trainer_step(s->trainer, &r));
    assert_null(r.nonfinite);
    assert_false(r.skipped);
}

static void same_files(const char *a, const char *b)
{
    size_t m, n;
    char *const x = file_read(a, &m), *const y = file_read(b, &n);
    assert_int_equal(m, n);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* The weights that make the next update ill, and what is then named. */
typedef struct ill {
    const char *what, *named;
    bool random; /* from zero states only */
    struct {
        const char *name;
        int n;
        float value;
    } set[5];
} ill;

static const ill ills[] = {
    {"the loss", "rnn.weight_hh_l0", false, {{"rnn.weight_hh_l0", 0, 1e20F}}},
    {"the loss", "rnn.weight_hh_l1", false, {{"rnn.weight_hh_l1", 0, 1e20F}}},
    {"the loss",
     "decoder.weight",
     false,
     {{"decoder.weight", 0, 3e38F}, {"rnn.bias_ih_l1", 0, 100}}},
    /* <unk> has all of the probability, so that the sum over time has one sign:
     * every term is finite. */
    {"the gradient",
     "decoder.weight",
     false,
     {{"rnn.bias_ih_l1", 0, 3e38F},
      {"rnn.weight_hh_l1", 0, 0},
      {"decoder.weight", 0, 1e-38F},
      {"decoder.bias", 1, 100}}},
    /* What begins at 1e-20 grows by 6e10 a step, five times; and so does, on
     * the way back, what begins at 1. */
    {"the gradient",
     "rnn.bias_hh_l1",
     true,
     {{"rnn.weight_hh_l1", 0, 1e10F},
      {"rnn.weight_ih_l1", 0, 0},
      {"rnn.bias_ih_l1", 0, 1e-20F},
      {"rnn.bias_hh_l1", 0, 0},
      {"decoder.weight", 6, 1}}},
};

static void poison(scene *s, const ill *i, float *old[5])
{
    for (int k = 0; k < 5 && i->set[k].name; ++k)
        old[k] = set(s, i->set[k].name, i->set[k].n, i->set[k].value);
}

static void heal(scene *s, const ill *i, float *const old[5])
{
    for (int k = 0; k < 5 && i->set[k].name; ++k)
        put_back(s, i->set[k].name, old[k]);
}

/* A stop leaves the trainer as it was, to the byte; and once what made the
 * update ill is gone, the run goes on as if it had never been. */
static void check_stop(elman_sampling sampling, const ill *i)
{
    scene s = open_scene(sampling, ELMAN_NONFINITE_STOP);
    scene same = open_scene(sampling, ELMAN_NONFINITE_STOP);
    elman_train_report r = ELMAN_TRAIN_REPORT;
    float *old[5];
    for (int k = 0; k < 3; ++k) {
        step_fine(&s);
        step_fine(&same);
    }
    poison(&s, i, old);
    must(elman_trainer_checkpoint(s.trainer, "before", 0));
    must_fail(elman_trainer_step(s.trainer, &r), ELMAN_ENONFINITE, i->named);
    assert_non_null(strstr(elman_message(), "update 4: "));
    assert_non_null(strstr(elman_message(), i->what));
    assert_string_equal(r.nonfinite, i->named);
    assert_int_equal(r.update, 4);
    assert_false(r.skipped);
    must(elman_trainer_checkpoint(s.trainer, "after", 0));
    same_files("before", "after");
    heal(&s, i, old);
    for (int k = 0; k < 3; ++k) {
        step_fine(&s);
        step_fine(&same);
    }
    must(elman_trainer_checkpoint(s.trainer, "after", 0));
    must(elman_trainer_checkpoint(same.trainer, "before", 0));
    same_files("before", "after");
    close_scene(&s);
    close_scene(&same);
}

static void test_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ills / sizeof *ills; ++i)
        for (int sampling = 0; sampling < 2; ++sampling) {
            trying("case %zu, sampling %d", i, sampling);
            if (sampling == ELMAN_RANDOM || !ills[i].random)
                check_stop((elman_sampling)sampling, &ills[i]);
        }
}

/* A skipped update counts, changes no weight, and begins from zeros. */
static void test_skip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ills / sizeof *ills; ++i) {
        const bool random = ills[i].random;
        scene s = open_scene(random ? ELMAN_RANDOM : ELMAN_SEQUENTIAL,
                             ELMAN_NONFINITE_SKIP);
        elman_train_report r = ELMAN_TRAIN_REPORT;
        float *old[5];
        trying("case %zu", i);
        step_fine(&s);
        const int64_t steps = s.trainer->optimizer->steps;
        poison(&s, &ills[i], old);
        const int64_t P = elman_lm_parameters(s.trainer->lm);
        float *const w = scratch(P, sizeof *w);
        memcpy(w, s.trainer->lm->net.weights, (size_t)P * sizeof *w);
        must(elman_trainer_step(s.trainer, &r));
        assert_true(r.skipped);
        assert_string_equal(r.nonfinite, ills[i].named);
        assert_int_equal(r.update, 2);
        assert_int_equal(r.tokens, 30);
        assert_int_equal(r.skipped_updates, 1);
        assert_true(isfinite(r.epoch_loss));
        expect_same("weights", ELMAN_F32, s.trainer->lm->net.weights, w, P);
        assert_int_equal(s.trainer->optimizer->steps, steps);
        for (int k = 0; !random && k < 2 * 3 * 6; ++k)
            assert_true(((const float *)s.trainer->state->state.h)[k] == 0);
        heal(&s, &ills[i], old);
        step_fine(&s);
        must(elman_trainer_save(s.trainer, "m"));
        close_scene(&s);
    }
}

/* A run that only skips ends. */
static void test_skip_ends(void **state)
{
    (void)state;
    scene s = open_scene(ELMAN_RANDOM, ELMAN_NONFINITE_SKIP);
    elman_train_report r = ELMAN_TRAIN_REPORT;
    trying("skipping");
    step_fine(&s);
    set(&s, "rnn.weight_hh_l0", 0, 1e20F);
    for (int k = 0; k < 100; ++k)
        must(elman_trainer_step(s.trainer, &r));
    assert_int_equal(r.skipped_updates, 100);
    must_fail(elman_trainer_step(s.trainer, &r), ELMAN_ENONFINITE,
              "100 updates before it");
    must(elman_trainer_checkpoint(s.trainer, "c", 0));
    close_scene(&s);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(watch), TEST(watch_is_cheap), TEST(stop),
        TEST(skip),  TEST(skip_ends),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
