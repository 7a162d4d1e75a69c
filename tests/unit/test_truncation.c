/* SPDX-License-Identifier: MIT */
/* test_truncation.c - where gradients are cut off in time: against textbooks,
 * against whole tapes by their bits, and in expectation. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/oracle_lm.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"
#include "train/trainer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LETTERS = 5 };

static elman_context *plain; /* one thread, the best level */

static int begin(void **state)
{
    plain = make_context(1, NULL);
    return folder_setup(state);
}

static int end(void **state)
{
    elman_context_destroy(&plain);
    return folder_teardown(state);
}

/* A text, and a trainer on it. */
typedef struct scene {
    elman_text *text;
    elman_trainer *trainer;
    int64_t P;
} scene;

static elman_train_desc small_desc(elman_cell cell, elman_dtype dtype)
{
    elman_train_desc d = ELMAN_TRAIN_DESC;
    d.model.cell = cell;
    d.model.dtype = dtype;
    d.model.hidden = 6;
    d.model.layers = 2;
    d.batch = 2;
    d.steps = 3;
    d.epochs = 1;
    d.loss = ELMAN_SUM;
    return d;
}

static scene open_scene(const elman_train_desc *desc, int64_t tokens)
{
    scene s = {.text = NULL};
    draw d = {.stream = 140};
    letters_write("book.txt", &d, LETTERS, tokens);
    s.text = letters_open(plain, "book.txt", NULL);
    must(elman_trainer_create(plain, desc, s.text, NULL, &s.trainer));
    s.P = elman_lm_parameters(elman_trainer_lm(s.trainer));
    return s;
}

static void close_scene(scene *s)
{
    elman_trainer_destroy(&s->trainer);
    elman_text_close(&s->text);
}

static elman_train_report step(scene *s)
{
    elman_train_report report = ELMAN_TRAIN_REPORT;
    must(elman_trainer_step(s->trainer, &report));
    return report;
}

/* The rows of an epoch: [T,B] from step `from` on, and one step later. */
static void read_rows(scene *s, int64_t epoch, int64_t from, int64_t T,
                      int32_t *ids, int32_t *targets)
{
    const int64_t B = s->trainer->desc.batch;
    int32_t *const row = scratch(T + 1, sizeof *row);
    for (int64_t b = 0; b < B; ++b) {
        const int64_t first = el_pieces_first(&s->trainer->pieces, epoch, 0, b);
        must(elman_text_read(s->text, first + from, T + 1, row));
        for (int64_t t = 0; t < T; ++t) {
            ids[t * B + b] = row[t];
            targets[t * B + b] = row[t + 1];
        }
    }
}

/* ---- An update for each piece --------------------------------------------*/

static void copy_lm(elman_lm *to, const elman_lm *from)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(from, &d);
    memcpy(elman_lm_weights_begin(to), elman_lm_weights(from),
           (size_t)elman_lm_parameters(from) * elman_dtype_size(d.dtype));
    elman_lm_weights_end(to);
}

/* Every update's gradient is that of the last k1 of k2 steps, from a state that
 * went on with the weights there were at each update. */
static void check_regular(elman_cell cell, int64_t k1, int64_t k2,
                          int64_t shards)
{
    elman_train_desc desc = small_desc(cell, ELMAN_F32);
    desc.steps = k1;
    desc.back = k2;
    desc.shards = shards;
    desc.model.dropout = k2 % 2 ? 0.3 : 0;
    desc.optimizer.kind = ELMAN_SGD;
    desc.schedule.lr = 0.5;
    desc.epochs = 2;
    trying("regular: cell %d, k1 %lld, k2 %lld, shards %lld", (int)cell,
           (long long)k1, (long long)k2, (long long)shards);
    scene s = open_scene(&desc, 101);
    const int64_t B = desc.batch;
    elman_lm *lm;
    elman_lm_tape *tape;
    elman_lm_state *state;
    must(elman_lm_create(plain, &desc.model, elman_text_vocab(s.text), &lm));
    must(elman_lm_tape_create(lm, k2, B, &tape));
    must(elman_lm_state_create(lm, B, &state));
    const int64_t updates = elman_trainer_epoch_updates(s.trainer);
    assert_true(updates > 3);
    int32_t *const ids = scratch(k2 * B, sizeof *ids);
    int32_t *const targets = scratch(k2 * B, sizeof *targets);
    float *const grad = scratch(s.P, sizeof *grad);
    char *const carried = scratch(1000, sizeof *carried);
    for (int64_t u = 0; u < 2 * updates; ++u) {
        const int64_t stop = (u % updates + 1) * k1;
        const int64_t from = stop > k2 ? stop - k2 : 0;
        const int64_t on = stop + k1 > k2 ? stop + k1 - k2 - from : 0;
        elman_lm_batch b = ELMAN_LM_BATCH;
        double loss;
        if (u % updates == 0)
            elman_lm_state_zero(state);
        copy_lm(lm, elman_trainer_lm(s.trainer));
        read_rows(&s, u / updates, from, stop - from, ids, targets);
        for (int64_t i = 0; i < (stop - from - k1) * B; ++i)
            targets[i] = ELMAN_IGNORE;
        b.batch = B;
        b.ids = ids;
        b.targets = targets;
        b.scale = 1 / (double)B;
        b.train = 1;
        b.draw = (uint64_t)u;
        elman_lm_state_read(state, carried);
        b.steps = stop - from;
        must(elman_lm_forward(lm, tape, &b, state, &loss, NULL));
        memset(grad, 0, (size_t)s.P * sizeof *grad);
        must(elman_lm_backward(lm, tape, grad));
        must(elman_lm_state_write(state, carried));
        b.steps = on;
        double unused;
        if (on > 0)
            must(elman_lm_forward(lm, tape, &b, state, &unused, NULL));
        const elman_train_report report = step(&s);
        assert_int_equal(report.tokens, (u + 1) * k1 * B);
        assert_int_equal(report.epoch_end, u % updates == updates - 1);
        const double got = report.loss * (double)(k1 * B);
        if (shards == 1) {
            expect_near("loss", ELMAN_F64, &got, &loss, 1, 1e-14, 1);
            expect_same("grad", ELMAN_F32, s.trainer->grad, grad, s.P);
        } else {
            double *const wide = scratch_doubles(s.P);
            for (int64_t i = 0; i < s.P; ++i)
                wide[i] = (double)grad[i];
            expect_near("loss", ELMAN_F64, &got, &loss, 1, 1e-6, 1);
            expect_close("grad", ELMAN_F32, s.trainer->grad, wide, s.P, 1e-5);
        }
    }
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    elman_lm_destroy(&lm);
    close_scene(&s);
    scratch_free(NULL);
}

static void test_regular(void **state)
{
    (void)state;
    const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                ELMAN_CELL_GRU};
    const int64_t pairs[][2] = {{4, 4}, {4, 5}, {4, 7},
                                {3, 8}, {1, 6}, {2, 48}};
    for (int c = 0; c < 3; ++c)
        for (int i = 0; i < 6; ++i)
            for (int64_t shards = 1; shards <= 2; ++shards)
                check_regular(cells[c], pairs[i][0], pairs[i][1], shards);
}

/* The same by the textbook: the state that the window begins from is the
 * oracle's own. */
static void test_regular_by_the_book(void **state)
{
    (void)state;
    enum { K1 = 4, K2 = 11, B = 2 };
    elman_train_desc desc = small_desc(ELMAN_CELL_ELMAN, ELMAN_F64);
    desc.steps = K1;
    desc.back = K2;
    trying("regular, by the book");
    scene s = open_scene(&desc, 101); /* lr is 0: the weights stay */
    double *const grad = scratch_doubles(s.P), *const hT = scratch_doubles(24);
    int32_t ids[101], targets[101];
    for (int64_t u = 0; u < elman_trainer_epoch_updates(s.trainer); ++u) {
        const int64_t stop = (u + 1) * K1, from = stop > K2 ? stop - K2 : 0;
        oracle_lm o = {.desc = desc.model,
                       .classes = LETTERS + 1,
                       .steps = from,
                       .batch = B,
                       .w = elman_lm_weights(elman_trainer_lm(s.trainer)),
                       .ids = ids,
                       .targets = targets,
                       .scale = 1.0 / B};
        double nearest;
        memset(hT, 0, 24 * sizeof *hT);
        if (from > 0) {
            read_rows(&s, 0, 0, from, ids, targets);
            oracle_lm_run(&o, NULL, NULL, hT, &nearest);
        }
        read_rows(&s, 0, from, stop - from, ids, targets);
        for (int64_t i = 0; i < (stop - from - K1) * B; ++i)
            targets[i] = ELMAN_IGNORE;
        o.steps = stop - from;
        o.h0 = hT;
        double loss = oracle_lm_run(&o, grad, NULL, NULL, &nearest);
        const double got = step(&s).loss * (K1 * B);
        expect_near("loss", ELMAN_F64, &got, &loss, 1, 1e-12, 1);
        expect_close("grad", ELMAN_F64, s.trainer->grad, grad, s.P, 1e-11);
    }
    close_scene(&s);
}

/* k2 = k1, said or not, and cuts that are certain are the same run. */
static void test_the_same_run(void **state)
{
    (void)state;
    elman_train_desc desc = small_desc(ELMAN_CELL_LSTM, ELMAN_F32);
    desc.model.dropout = 0.2;
    desc.schedule.lr = 0.5;
    desc.epochs = 3;
    trying("the same run");
    float *weights[3];
    for (int i = 0; i < 3; ++i) {
        desc.back = i == 1 ? desc.steps : 0;
        desc.truncation =
            i == 2 ? ELMAN_TRUNCATION_RANDOM : ELMAN_TRUNCATION_REGULAR;
        desc.cut = 1;
        scene s = open_scene(&desc, 101);
        while (!step(&s).done)
            ;
        weights[i] = scratch(s.P, sizeof(float));
        memcpy(weights[i], elman_lm_weights(elman_trainer_lm(s.trainer)),
               (size_t)s.P * sizeof(float));
        expect_same("weights", ELMAN_F32, weights[i], weights[0], s.P);
        close_scene(&s);
    }
}

/* ---- No truncation -------------------------------------------------------*/

/* The gradient of whole rows by one tape. */
static void *whole_gradient(scene *s, int64_t T, double scale, double *loss)
{
    const elman_train_desc *const d = &s->trainer->desc;
    const elman_lm *const lm = elman_trainer_lm(s->trainer);
    void *const grad = scratch(s->P, elman_dtype_size(d->model.dtype));
    int32_t *const ids = scratch(T * d->batch, sizeof *ids);
    int32_t *const targets = scratch(T * d->batch, sizeof *targets);
    elman_lm_tape *tape;
    elman_lm_batch b = ELMAN_LM_BATCH;
    must(elman_lm_tape_create(lm, T, d->batch, &tape));
    read_rows(s, 0, 0, T, ids, targets);
    b.steps = T;
    b.batch = d->batch;
    b.ids = ids;
    b.targets = targets;
    b.scale = scale;
    b.train = 1;
    must(elman_lm_forward(lm, tape, &b, NULL, loss, NULL));
    must(elman_lm_backward(lm, tape, grad));
    elman_lm_tape_destroy(&tape);
    return grad;
}

/* The least memory, or nearly, that such a trainer can do with. */
static int64_t least_memory(const elman_train_desc *desc, int64_t tokens)
{
    draw d = {.stream = 140};
    elman_train_desc tried = *desc;
    elman_trainer *trainer = NULL;
    letters_write("book.txt", &d, LETTERS, tokens);
    elman_text *text = letters_open(plain, "book.txt", NULL);
    for (tried.memory = 4000; !trainer; tried.memory += tried.memory / 8)
        if (!elman_trainer_create(plain, &tried, text, NULL, &trainer))
            break;
    elman_trainer_destroy(&trainer);
    elman_text_close(&text);
    return tried.memory;
}

/* Returns the passes forward for one backward. */
static double check_none(const elman_train_desc *desc, int64_t tokens)
{
    scene s = open_scene(desc, tokens);
    elman_memory memory = ELMAN_MEMORY;
    elman_trainer_memory(s.trainer, &memory);
    const int64_t T = (tokens - 1) / desc->batch, B = desc->batch;
    assert_int_equal(elman_trainer_epoch_updates(s.trainer), 1);
    double loss;
    const double scale =
        desc->loss == ELMAN_SUM ? 1 / (double)B : 1 / (double)(T * B);
    const void *const grad = whole_gradient(&s, T, scale, &loss);
    const elman_train_report report = step(&s);
    assert_int_equal(report.tokens, T * B);
    assert_int_equal(report.epoch_end, 1);
    const double got = report.loss * (double)(T * B);
    expect_near("loss", ELMAN_F64, &got, &loss, 1, 1e-14, fabs(loss));
    expect_same("grad", desc->model.dtype, s.trainer->grad, grad, s.P);
    close_scene(&s);
    scratch_free(NULL);
    return memory.passes;
}

static void test_none(void **state)
{
    (void)state;
    draw d = {.stream = 141};
    const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                ELMAN_CELL_GRU};
    for (int i = 0; i < 24; ++i) {
        elman_train_desc desc =
            small_desc(cells[i % 3], i % 4 == 3 ? ELMAN_F64 : ELMAN_F32);
        desc.truncation = ELMAN_TRUNCATION_NONE;
        desc.model.layers = 1 + (int)draw_below(&d, 3);
        desc.model.embed = draw_below(&d, 2) ? 4 : 0;
        desc.model.proj = desc.model.cell == ELMAN_CELL_LSTM && i % 2 ? 3 : 0;
        desc.model.dropout = i % 3 ? 0.3 : 0;
        desc.model.locked = i % 5 == 1;
        desc.model.weight_drop = i % 4 == 1 ? 0.3 : 0;
        desc.loss = i % 2 ? ELMAN_SUM : ELMAN_MEAN;
        desc.batch = 1 + draw_below(&d, 3);
        const int64_t tokens = i < 3 ? 40 : 300 + draw_below(&d, 1200);
        trying("none: cell %d, L %d, E %lld, B %lld, %lld tokens",
               (int)desc.model.cell, desc.model.layers,
               (long long)desc.model.embed, (long long)desc.batch,
               (long long)tokens);
        assert_true(check_none(&desc, tokens) == 1);
        if (tokens > 40) {
            desc.memory = least_memory(&desc, tokens);
            assert_true(check_none(&desc, tokens) > 1.5);
        }
    }
}

/* ---- Random truncation ---------------------------------------------------*/

/* An epoch with weights that stay: the sum of its updates' gradients, and by
 * bits after which pieces it was cut.  No epoch begins at an offset. */
static double *epoch_gradient(scene *s, uint32_t *pattern)
{
    double *const sum = scratch_doubles(s->P);
    elman_train_report report;
    *pattern = 0;
    do {
        report = step(s);
        const el_place *const p = &s->trainer->truncation.place;
        assert_int_equal(p->update, report.update - 1);
        if (p->to < s->trainer->pieces.updates)
            *pattern |= 1u << (p->to - 1);
        for (int64_t i = 0; i < s->P; ++i)
            sum[i] += ((const double *)s->trainer->grad)[i];
    } while (!report.epoch_end);
    return sum;
}

static scene open_random(elman_cell cell, double cut, int64_t k1,
                         int64_t pieces)
{
    elman_train_desc desc = small_desc(cell, ELMAN_F64);
    desc.truncation = ELMAN_TRUNCATION_RANDOM;
    desc.steps = k1;
    desc.cut = cut;
    desc.epochs = 1 << 14;
    scene s = open_scene(&desc, desc.batch * k1 * (pieces + 1) + 1);
    s.trainer->pieces.offsets = 1;
    assert_int_equal(s.trainer->pieces.updates, pieces);
    return s;
}

/* Over all ways to cut, each as likely as it is, the expectation is the whole
 * gradient: not nearly, but to the last digits. */
static void check_expectation(elman_cell cell, double cut)
{
    enum { PIECES = 4, WAYS = 1 << (PIECES - 1), K1 = 3 };
    trying("expectation: cell %d, cut %g", (int)cell, cut);
    scene s = open_random(cell, cut, K1, PIECES);
    double loss, worst = 0;
    const double *const whole =
        whole_gradient(&s, K1 * PIECES, 1 / (double)2, &loss);
    double *const mean = scratch_doubles(s.P);
    int seen = 0, got[WAYS] = {0};
    for (int epoch = 0; seen < WAYS && epoch < 2000; ++epoch) {
        uint32_t way;
        const double *const g = epoch_gradient(&s, &way);
        if (got[way]++)
            continue;
        ++seen;
        const int cuts = __builtin_popcount(way);
        const double p = pow(cut, cuts) * pow(1 - cut, PIECES - 1 - cuts);
        double off = 0;
        for (int64_t i = 0; i < s.P; ++i) {
            mean[i] += p * g[i];
            off = fmax(off, fabs(g[i] - whole[i]));
        }
        worst = fmax(worst, off);
    }
    assert_int_equal(seen, WAYS);
    assert_true(worst > 0.01); /* no single one of them is */
    expect_close("expectation", ELMAN_F64, mean, whole, s.P, 1e-12);
    close_scene(&s);
    scratch_free(NULL);
}

static void test_expectation(void **state)
{
    (void)state;
    check_expectation(ELMAN_CELL_ELMAN, 0.5);
    check_expectation(ELMAN_CELL_LSTM, 0.25);
    check_expectation(ELMAN_CELL_GRU, 0.7);
}

/* The same by drawing, after every step as the chapter has it: the mean of N
 * estimates lies within 5 of its standard errors of the whole gradient in every
 * parameter, where that of gradients which are cut at the same places without
 * the weights lies more than 20 away in some.  (5 is passed by chance once in
 * 1.7 million numbers.) */
static void test_mean_of_many(void **state)
{
    (void)state;
    enum { PIECES = 10, N = 3000 };
    trying("mean of many");
    scene s = open_random(ELMAN_CELL_ELMAN, 0.3, 1, PIECES);
    double loss, furthest = 0, biased = 0;
    const double *const whole = whole_gradient(&s, PIECES, 0.5, &loss);
    double *const sum[2] = {scratch_doubles(s.P), scratch_doubles(s.P)};
    double *const squares = scratch_doubles(s.P);
    for (int n = 0; n < N; ++n) {
        uint32_t way;
        const double *const g = epoch_gradient(&s, &way);
        for (int64_t i = 0; i < s.P; ++i) {
            sum[0][i] += g[i];
            squares[i] += (g[i] - whole[i]) * (g[i] - whole[i]);
        }
    }
    /* Without the weights: the trainer divides by 1 - c where it does not cut,
     * so that c = 0 there leaves the gradients of the segments alone. */
    for (int n = 0; n < 300; ++n) {
        elman_train_report report;
        do {
            const int64_t next = s.trainer->counters.update;
            el_truncation_place(s.trainer, next); /* drawn with the real c */
            s.trainer->desc.cut = 0;
            report = step(&s);
            s.trainer->desc.cut = 0.3;
            for (int64_t i = 0; i < s.P; ++i)
                sum[1][i] += ((const double *)s.trainer->grad)[i];
        } while (!report.epoch_end);
    }
    for (int64_t i = 0; i < s.P; ++i) {
        const double error = sqrt(squares[i]) / N;
        /* What a cut does not change, such as the decoder's part, has none. */
        if (error < 1e-9) {
            assert_true(fabs(sum[0][i] / N - whole[i]) < 1e-9);
        } else {
            furthest = fmax(furthest, fabs(sum[0][i] / N - whole[i]) / error);
            biased = fmax(biased, fabs(sum[1][i] / 300 - whole[i]) / error);
        }
    }
    print_message("             standard errors away: %.2f, and %.0f without "
                  "weights\n",
                  furthest, biased);
    assert_true(furthest < 5);
    assert_true(biased > 20);
    close_scene(&s);
}

/* What is drawn: cuts as often as they should be, others in every epoch and
 * for every seed; the run's updates are counted beforehand. */
static void test_cuts(void **state)
{
    (void)state;
    elman_train_desc desc = small_desc(ELMAN_CELL_ELMAN, ELMAN_F32);
    desc.truncation = ELMAN_TRUNCATION_RANDOM;
    desc.steps = 2;
    desc.cut = 0.2;
    desc.epochs = 60;
    trying("cuts");
    int64_t last_total = 0;
    for (uint64_t seed = 0; seed < 3; ++seed) {
        desc.seed = seed;
        scene s = open_scene(&desc, 240);
        const int64_t pieces = s.trainer->pieces.updates;
        const int64_t total = elman_trainer_total_updates(s.trainer);
        int64_t ends = 0, in_epoch = 0, updates = 0;
        elman_train_report report;
        for (report = step(&s); !report.done; report = step(&s)) {
            ++updates;
            ++in_epoch;
            if (!report.epoch_end)
                continue;
            assert_int_equal(in_epoch, elman_trainer_epoch_updates(s.trainer));
            in_epoch = 0;
            assert_int_equal(report.epoch, ++ends);
            assert_int_equal(report.tokens, ends * pieces * 2 * 2);
        }
        assert_int_equal(ends, 60);
        assert_int_equal(updates, total);
        /* Binomial: 5 standard deviations. */
        const double n = 60 * ((double)pieces - 1);
        const double cuts = (double)(updates - 60);
        assert_true(fabs(cuts - 0.2 * n) < 5 * sqrt(n * 0.2 * 0.8));
        assert_int_not_equal(total, last_total);
        last_total = total;
        close_scene(&s);
    }
    desc.updates = 17;
    scene s = open_scene(&desc, 240);
    assert_int_equal(elman_trainer_total_updates(s.trainer), 17);
    close_scene(&s);
    desc.epochs = (int64_t)1 << 40;
    s = open_scene(&desc, 240);
    assert_int_equal(elman_trainer_total_updates(s.trainer), 17);
    close_scene(&s);
}

/* ---- Going on, and mistakes ----------------------------------------------*/

static void test_resume(void **state)
{
    (void)state;
    const struct {
        elman_truncation how;
        int64_t back, shards;
    } runs[] = {{ELMAN_TRUNCATION_REGULAR, 10, 1},
                {ELMAN_TRUNCATION_REGULAR, 7, 2},
                {ELMAN_TRUNCATION_RANDOM, 0, 1},
                {ELMAN_TRUNCATION_RANDOM, 0, 2},
                {ELMAN_TRUNCATION_NONE, 0, 1}};
    for (int i = 0; i < 5; ++i) {
        elman_train_desc desc = small_desc(ELMAN_CELL_LSTM, ELMAN_F32);
        desc.truncation = runs[i].how;
        desc.back = runs[i].back;
        desc.shards = runs[i].shards;
        desc.schedule.lr = 0.3;
        desc.epochs = 5;
        desc.model.dropout = 0.2;
        trying("resume %d", i);
        scene s = open_scene(&desc, 90);
        const int64_t half = elman_trainer_total_updates(s.trainer) / 2;
        while (s.trainer->counters.update < half)
            step(&s);
        must(elman_trainer_checkpoint(s.trainer, "checkpoint", 0));
        while (!step(&s).done)
            ;
        elman_trainer *again;
        char used[64];
        must(elman_trainer_resume(plain, &desc, s.text, NULL, "checkpoint",
                                  &again, used, sizeof used, NULL));
        elman_train_report report = ELMAN_TRAIN_REPORT;
        while (!report.done)
            must(elman_trainer_step(again, &report));
        expect_same("weights", ELMAN_F32,
                    elman_lm_weights(elman_trainer_lm(again)),
                    elman_lm_weights(elman_trainer_lm(s.trainer)), s.P);
        elman_trainer_destroy(&again);
        desc.cut = 0.25;
        must_fail(elman_trainer_resume(plain, &desc, s.text, NULL, "checkpoint",
                                       &again, used, sizeof used, NULL),
                  ELMAN_EMISMATCH, "cut is 0.5, and now it is 0.25");
        close_scene(&s);
    }
}

/* Weights that fly away: the update is refused, and the trainer stands where it
 * stood before it, or it is skipped and the run comes to its end. */
static void test_not_finite(void **state)
{
    (void)state;
    for (int how = 0; how <= ELMAN_TRUNCATION_NONE; ++how) {
        elman_train_desc desc = small_desc(ELMAN_CELL_ELMAN, ELMAN_F32);
        desc.model.activation = ELMAN_RELU;
        desc.model.layers = 1;
        desc.truncation = (elman_truncation)how;
        desc.back = how == ELMAN_TRUNCATION_REGULAR ? 8 : 0;
        desc.schedule.lr = 1e30;
        desc.epochs = 5;
        desc.model.hidden = 32;
        trying("not finite: %d", how);
        scene s = open_scene(&desc, 90);
        elman_train_report report = ELMAN_TRAIN_REPORT;
        elman_status status;
        do
            status = elman_trainer_step(s.trainer, &report);
        while (!status && !report.done);
        assert_int_equal(status, ELMAN_ENONFINITE);
        assert_non_null(report.nonfinite);
        const int64_t made = s.trainer->counters.update;
        assert_int_equal(report.update, made + 1);
        char *const before = scratch(1000, 1), *const after = scratch(1000, 1);
        elman_lm_state_read(s.trainer->state, before);
        assert_int_equal(elman_trainer_step(s.trainer, &report),
                         ELMAN_ENONFINITE);
        elman_lm_state_read(s.trainer->state, after);
        assert_memory_equal(before, after, 1000);
        assert_int_equal(s.trainer->counters.update, made);
        close_scene(&s);
        desc.on_nonfinite = ELMAN_NONFINITE_SKIP;
        s = open_scene(&desc, 90);
        while (!(report = step(&s)).done)
            ;
        assert_true(report.skipped_updates > 0);
        close_scene(&s);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    const elman_train_desc good = small_desc(ELMAN_CELL_GRU, ELMAN_F32);
    scene s = open_scene(&good, 60);
    elman_trainer *t;
#define WRONG(words, ...)                                                      \
    do {                                                                       \
        elman_train_desc d = good;                                             \
        __VA_ARGS__;                                                           \
        must_fail(elman_trainer_create(plain, &d, s.text, NULL, &t),           \
                  ELMAN_EINVAL, words);                                        \
    } while (0)
    WRONG("truncation is 3", d.truncation = (elman_truncation)3);
    WRONG("back is 2", d.back = 2);
    WRONG("back is -1", d.back = -1);
    WRONG("back is 9", d.back = 9; d.truncation = ELMAN_TRUNCATION_RANDOM);
    WRONG("cut is 0 ", d.cut = 0);
    WRONG("cut is 1.1", d.cut = 1.1);
    WRONG("cut is nan", d.cut = NAN);
    WRONG("not adjacent", d.back = 9; d.sampling = ELMAN_RANDOM);
    WRONG("not adjacent", d.truncation = ELMAN_TRUNCATION_NONE;
          d.sampling = ELMAN_RANDOM);
    WRONG("no hidden state", d.truncation = ELMAN_TRUNCATION_RANDOM;
          d.model.cell = ELMAN_CELL_NONE; d.model.context = 2;
          d.model.layers = 1);
    WRONG("too many to draw", d.truncation = ELMAN_TRUNCATION_RANDOM;
          d.epochs = INT64_MAX);
    elman_train_desc d = good;
    d.truncation = ELMAN_TRUNCATION_NONE;
    d.batch = 60;
    must_fail(elman_trainer_create(plain, &d, s.text, NULL, &t), ELMAN_ETEXT,
              "60 sequences of 1 steps take 61");
    close_scene(&s);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(regular),      TEST(regular_by_the_book),
        TEST(the_same_run), TEST(none),
        TEST(expectation),  TEST(mean_of_many),
        TEST(cuts),         TEST(resume),
        TEST(not_finite),   TEST(mistakes),
    };
    return cmocka_run_group_tests_name("truncation", tests, begin, end);
}
