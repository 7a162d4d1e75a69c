/* SPDX-License-Identifier: MIT */
/* test_model_int8.c - networks whose weights are bytes: the same bits however
 * they are run, what they lose, their files, and what they cannot do. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/sequences.h"
#include "support/variants.h"
#include "test_folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

/* ---- Bits -----------------------------------------------------------------*/

static problem any_problem(draw *d, int64_t most_T, int64_t most_H)
{
    problem p = problem_draw(d, most_T, most_H);
    p.desc.inference_only = 1;
    return p;
}

static void test_variants(void **state)
{
    (void)state;
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 1};
    for (int i = 0; i < 30; ++i) {
        const problem p =
            i % 10 ? any_problem(&d, 30, 50) : any_problem(&d, 30, 200);
        problem_try("variants", &p);
        const answer first = problem_solve(list[0].context, &p, ELMAN_INT8, 1);
        for (int v = 1; v < count; ++v) {
            const answer other =
                problem_solve(list[v].context, &p, ELMAN_INT8, 1);
            answers_same(list[v].name, &first, &other, Y, CT);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* Each sequence alone. */
static void check_alone(const problem *p, const answer *all)
{
    const sizes s = problem_sizes(p);
    for (int64_t b = 0; b < p->B; ++b) {
        problem q = *p;
        q.B = 1;
        q.x += b * p->T * s.I;
        const answer one = problem_solve(plain, &q, ELMAN_INT8, 1);
        expect_same("a sequence alone", ELMAN_INT8, one.part[Y],
                    (const float *)all->part[Y] + b * p->T * s.S * s.P,
                    p->T * s.S * s.P);
    }
}

/* All in steps: [B,T,.] turned. */
static void check_steps(const problem *p, const answer *all)
{
    const sizes s = problem_sizes(p);
    float *const x = scratch(p->B * s.I, sizeof *x);
    float *const y = scratch(p->B * s.P, sizeof *y);
    elman_rnn *rnn = problem_rnn(plain, p, ELMAN_INT8);
    elman_state *now;
    must(elman_state_create(rnn, p->B, &now));
    for (int64_t t = 0; t < p->T; ++t) {
        for (int64_t i = 0; i < p->B * s.I; ++i)
            x[i] = (float)p->x[(i / s.I * p->T + t) * s.I + i % s.I];
        must(elman_rnn_step(rnn, now, s.I > 0 ? x : NULL, y));
        for (int64_t b = 0; b < p->B; ++b)
            expect_same("in steps", ELMAN_INT8, y + b * s.P,
                        (const float *)all->part[Y] + (b * p->T + t) * s.P,
                        s.P);
    }
    elman_state_destroy(&now);
    elman_rnn_destroy(&rnn);
}

static void test_cuts(void **state)
{
    (void)state;
    draw d = {.stream = 2};
    for (int i = 0; i < 60; ++i) {
        problem p = any_problem(&d, 20, 70);
        p.lengths = NULL;
        p.batch_first = 1;
        p.h0 = p.c0 = NULL;
        problem_try("cuts", &p);
        const answer all = problem_solve(plain, &p, ELMAN_INT8, 1);
        check_alone(&p, &all);
        if (!p.desc.bidirectional)
            check_steps(&p, &all);
        scratch_free(NULL);
    }
}

/* A step of float32, too, makes the products with x where it makes those with
 * h: at every level, on any number of threads, and large enough for these to
 * share it, it is what a run is. */
static void test_large_steps(void **state)
{
    (void)state;
    enum { I = 300, H = 200, T = 3 };
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 3};
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU, ELMAN_CELL_GRU,
                                       ELMAN_CELL_LSTM};
    for (int i = 0; i < 20; ++i) {
        problem p = {.desc = ELMAN_RNN_DESC, .T = T, .B = 1 + i % 2 * 6};
        p.desc.cell = cells[i % 5];
        p.desc.reset_before = i % 5 == 3;
        p.desc.proj = i % 5 == 4 ? 70 : 0;
        p.desc.layers = 2;
        p.desc.hidden = H;
        p.desc.input = i % 3 ? I : 0;
        p.desc.no_bias = i == 7;
        p.desc.inference_only = 1;
        p.batch_first = 1;
        problem_fill(&p, &d);
        p.h0 = p.c0 = NULL;
        const sizes s = problem_sizes(&p);
        const elman_dtype dtype = i / 10 ? ELMAN_INT8 : ELMAN_F32;
        const answer whole = problem_solve(plain, &p, dtype, 1);
        for (int v = 0; v < count; ++v) {
            problem_try(list[v].name, &p);
            elman_rnn *rnn = problem_rnn(list[v].context, &p, dtype);
            elman_state *now;
            float *const x = scratch(p.B * s.I, sizeof *x);
            float *const y = scratch(p.B * s.P, sizeof *y);
            must(elman_state_create(rnn, p.B, &now));
            for (int64_t t = 0; t < T; ++t) {
                for (int64_t k = 0; k < p.B * s.I; ++k)
                    x[k] = (float)p.x[(k / s.I * T + t) * s.I + k % s.I];
                must(elman_rnn_step(rnn, now, s.I > 0 ? x : NULL, y));
                for (int64_t b = 0; b < p.B; ++b)
                    expect_same(
                        "a step", dtype, y + b * s.P,
                        (const float *)whole.part[Y] + (b * T + t) * s.P, s.P);
            }
            elman_state_destroy(&now);
            elman_rnn_destroy(&rnn);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* ---- Numbers --------------------------------------------------------------*/

/* States are within a few hundredths of the textbook's: a byte holds two
 * digits. */
static void test_numbers(void **state)
{
    (void)state;
    draw d = {.stream = 4};
    for (int i = 0; i < 60; ++i) {
        problem p = any_problem(&d, 10, 40);
        problem_try("numbers", &p);
        const answer wanted = problem_textbook(&p);
        const answer got = problem_solve(plain, &p, ELMAN_INT8, 1);
        expect_near("y", ELMAN_INT8, got.part[Y], wanted.part[Y], got.count[Y],
                    0.1, 1);
        scratch_free(NULL);
    }
}

/* Whatever is written, weights_end leaves what a byte can hold, and that stays
 * as it is. */
static void test_weights(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    for (int i = 0; i < 20; ++i) {
        const problem p = any_problem(&d, 2, 40);
        elman_rnn *rnn = problem_rnn(plain, &p, ELMAN_INT8);
        const int64_t count = elman_rnn_parameters(rnn);
        const size_t size = (size_t)count * sizeof(float);
        float *const once = scratch(count, sizeof *once);
        memcpy(once, elman_rnn_weights(rnn), size);
        for (int64_t k = 0; k < count; ++k)
            assert_true(fabs((double)once[k] - p.w[k]) < 0.02);
        elman_rnn_weights_begin(rnn);
        elman_rnn_weights_end(rnn);
        assert_memory_equal(once, elman_rnn_weights(rnn), size);
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* ---- Files ----------------------------------------------------------------*/

static elman_network *make_network(elman_cell cell)
{
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_network *n;
    draw d = {.stream = 6};
    desc.rnn.cell = cell;
    desc.rnn.hidden = 37;
    desc.rnn.proj = cell == ELMAN_CELL_LSTM ? 9 : 0;
    desc.vocab = desc.outputs = 11;
    desc.embed = 5;
    must(elman_network_create(plain, &desc, &n));
    draw_numbers(&d, NUMBERS_PLAIN, elman_network_weights_begin(n),
                 elman_network_parameters(n));
    elman_network_weights_end(n);
    return n;
}

static void steps_of(const elman_network *n, float *y, int steps)
{
    elman_network_state *now;
    must(elman_network_state_create(n, 1, &now));
    for (int32_t t = 0; t < steps; ++t)
        must(elman_network_step(n, now, NULL, &(int32_t){t % 11}, y + 11 * t));
    elman_network_state_destroy(&now);
}

/* A file has all that the network computes with: what is read gives the same
 * bits, and is written as the same bytes. */
static void test_network_files(void **state)
{
    (void)state;
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU};
    enum { STEPS = 30 };
    for (int i = 0; i < 3; ++i) {
        elman_network *f32 = make_network(cells[i]), *n, *again, *wide, *back;
        float y[2][STEPS * 11];
        size_t bytes[2];
        must(elman_network_convert(f32, ELMAN_INT8, &n));
        must(elman_network_save(n, "a.safetensors"));
        must(elman_network_load(plain, "a.safetensors", &again));
        elman_network_desc desc = ELMAN_NETWORK_DESC;
        elman_network_describe(again, &desc);
        assert_int_equal(desc.rnn.dtype, ELMAN_INT8);
        steps_of(n, y[0], STEPS);
        steps_of(again, y[1], STEPS);
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        /* And through doubles. */
        must(elman_network_convert(again, ELMAN_F64, &wide));
        must(elman_network_convert(wide, ELMAN_INT8, &back));
        must(elman_network_save(back, "b.safetensors"));
        char *const a = file_read("a.safetensors", &bytes[0]);
        char *const b = file_read("b.safetensors", &bytes[1]);
        assert_int_equal(bytes[0], bytes[1]);
        assert_memory_equal(a, b, bytes[0]);
        assert_true(bytes[0] < (size_t)elman_network_parameters(n) * 2 + 4096);
        free(a);
        free(b);
        elman_network_destroy(&f32);
        elman_network_destroy(&n);
        elman_network_destroy(&again);
        elman_network_destroy(&wide);
        elman_network_destroy(&back);
    }
}

static elman_lm *make_lm(elman_dtype dtype, int64_t embed)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.cell = ELMAN_CELL_GRU;
    desc.hidden = 20;
    desc.embed = embed;
    desc.tie = embed == 20;
    elman_lm *const f32 = letters_lm(plain, &desc, 6);
    elman_lm *lm;
    must(elman_lm_convert(f32, dtype, &lm));
    elman_lm *gone = f32;
    elman_lm_destroy(&gone);
    return lm;
}

static void test_lm_files(void **state)
{
    (void)state;
    for (int64_t embed = 0; embed <= 20; embed += 10) {
        elman_lm *lm = make_lm(ELMAN_INT8, embed), *again;
        elman_lm_state *a, *b;
        float x[7], y[7];
        must(elman_lm_save(lm, "lm.safetensors"));
        must(elman_lm_load(plain, "lm.safetensors", &again));
        must(elman_lm_state_create(lm, 1, &a));
        must(elman_lm_state_create(again, 1, &b));
        for (int32_t t = 0; t < 40; ++t) {
            must(elman_lm_step(lm, a, &(int32_t){t % 7}, x));
            must(elman_lm_step(again, b, &(int32_t){t % 7}, y));
            assert_memory_equal(x, y, sizeof x);
        }
        elman_lm_state_destroy(&a);
        elman_lm_state_destroy(&b);
        elman_lm_destroy(&lm);
        elman_lm_destroy(&again);
    }
}

/* ---- Files that are not right ---------------------------------------------*/

enum { TENSORS = 32, PAIRS = 32 };

/* A network's file, to be spoilt and written again. */
typedef struct forgery {
    elman_tensors *file;
    elman_tensor list[TENSORS];
    int count;
    const char *pairs[2 * PAIRS];
    int used;
} forgery;

static void forge(forgery *f)
{
    static const char *const keys[] = {
        "format",      "kind",       "cell",           "activation",
        "hidden_size", "num_layers", "embedding_size", "proj_size",
        "reset",       "tied",       "input_size",     "bidirectional",
        "bias",        "vocab_size", "output_size",    "decoder_bias"};
    elman_network *f32 = make_network(ELMAN_CELL_ELMAN), *n;
    must(elman_network_convert(f32, ELMAN_INT8, &n));
    must(elman_network_save(n, "right.safetensors"));
    elman_network_destroy(&f32);
    elman_network_destroy(&n);
    must(elman_tensors_read(plain, "right.safetensors", &f->file));
    f->count = elman_tensors_count(f->file);
    f->used = 0;
    for (int i = 0; i < f->count; ++i)
        must(elman_tensors_at(f->file, i, &f->list[i]));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        f->pairs[f->used++] = keys[i];
        f->pairs[f->used++] = elman_tensors_meta(f->file, keys[i]);
    }
}

static elman_tensor *tensor(forgery *f, const char *name)
{
    for (int i = 0; i < f->count; ++i)
        if (strcmp(f->list[i].name, name) == 0)
            return &f->list[i];
    fail_msg("there is no %s", name);
    return NULL;
}

static void refuse(forgery *f, const char *words)
{
    elman_network *n;
    trying("a file that is refused with: %s", words);
    must(elman_tensors_write(plain, "wrong.safetensors", f->list, f->count,
                             f->pairs, f->used / 2));
    must_fail(elman_network_load(plain, "wrong.safetensors", &n), ELMAN_EFORMAT,
              words);
    elman_tensors_destroy(&f->file);
}

static void test_wrong_files(void **state)
{
    (void)state;
    enum { ROWS = 37 };
    static const char w[] = "rnn.weight_hh_l0";
    static const char s[] = "rnn.weight_hh_l0_scale";
    static const float bad[] = {NAN, INFINITY, -0.5F, 0, 1e-3F, 3e38F, 1e-45F};
    forgery f;
    float scales[ROWS];
    int8_t integers[ROWS * ROWS];

    /* Scales that are none, or of other weights. */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        forge(&f);
        memcpy(scales, tensor(&f, s)->data, sizeof scales);
        scales[36] = bad[i];
        tensor(&f, s)->data = scales;
        refuse(&f,
               "wrong.safetensors: row 36 of rnn.weight_hh_l0 and its scale");
    }
    /* Integers that no row has: -128, and none that is 127. */
    for (int i = 0; i < 2; ++i) {
        forge(&f);
        memcpy(integers, tensor(&f, w)->data, sizeof integers);
        if (i == 0)
            integers[2 * ROWS] = -128;
        for (int k = 0; i == 1 && k < ROWS; ++k)
            integers[2 * ROWS + k] /= 2;
        tensor(&f, w)->data = integers;
        refuse(&f, "row 2 of rnn.weight_hh_l0");
    }
    /* Shapes, dtypes, and what is missing or too much. */
    forge(&f);
    tensor(&f, s)->shape[0] = tensor(&f, s)->count = ROWS - 1;
    refuse(&f, "tensor rnn.weight_hh_l0_scale is not F32, one number for each");
    forge(&f);
    tensor(&f, s)->dtype = ELMAN_I32;
    refuse(&f, "tensor rnn.weight_hh_l0_scale is not F32");
    forge(&f);
    tensor(&f, w)->shape[0] = ROWS * ROWS;
    tensor(&f, w)->shape[1] = 1;
    refuse(&f, "tensor rnn.weight_hh_l0 is not I8 of the shape");
    forge(&f);
    tensor(&f, "decoder.weight")->dtype = ELMAN_U8;
    refuse(&f, "tensor decoder.weight is not I8");
    forge(&f);
    tensor(&f, w)->dtype = ELMAN_U8;
    refuse(&f, "rnn.weight_hh_l0 is not of floats");
    forge(&f);
    tensor(&f, s)->name = "rnn.weight_hh_l0_scales";
    refuse(&f, "there is no tensor rnn.weight_hh_l0_scale");
    forge(&f);
    f.list[f.count] = *tensor(&f, s);
    f.list[f.count++].name = "rnn.bias_hh_l0_scale";
    refuse(&f, "tensor rnn.bias_hh_l0_scale is not part of such a model");
    forge(&f);
    tensor(&f, "decoder.bias")->dtype = ELMAN_I32;
    refuse(&f, "tensor decoder.bias does not have the shape and dtype");
}

/* A weight that is not finite has no byte, and makes what it meets NaN. */
static void test_not_finite(void **state)
{
    (void)state;
    elman_network *f32 = make_network(ELMAN_CELL_ELMAN), *n;
    elman_view view;
    float y[11];
    must(elman_network_find(f32, "decoder.weight", &view));
    float *const w = elman_network_weights_begin(f32);
    w[view.offset + 3 * 37 + 1] = NAN;
    elman_network_weights_end(f32);
    must(elman_network_convert(f32, ELMAN_INT8, &n));
    steps_of(n, y, 1);
    for (int i = 0; i < 11; ++i)
        assert_int_equal(y[i] != y[i], i == 3);
    must_fail(elman_network_save(n, "nan.safetensors"), ELMAN_EINVAL,
              "row 3 of decoder.weight has a weight that is not finite");
    assert_int_equal(access("nan.safetensors", F_OK), -1);
    elman_network_destroy(&f32);
    elman_network_destroy(&n);
}

/* ---- What they cannot do --------------------------------------------------*/

static void test_no_training(void **state)
{
    (void)state;
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    elman_rnn *rnn;
    desc.dtype = ELMAN_INT8;
    desc.input = desc.hidden = 3;
    must_fail(elman_rnn_create(plain, &desc, &rnn), ELMAN_EINVAL,
              "weights of a byte are for inference: set inference_only");

    elman_lm *lm = make_lm(ELMAN_INT8, 0), *other;
    elman_lm_tape *tape;
    must_fail(elman_lm_tape_create(lm, 4, 2, &tape), ELMAN_EINVAL,
              "weights of a byte do not train");
    elman_memory memory = ELMAN_MEMORY;
    elman_tape_desc desc_of_tape = ELMAN_TAPE_DESC;
    desc_of_tape.steps = desc_of_tape.batch = 4;
    must_fail(elman_lm_memory(lm, &desc_of_tape, NULL, &memory), ELMAN_EINVAL,
              "weights of a byte do not train");
    must_fail(elman_lm_convert(lm, ELMAN_I8, &other), ELMAN_EINVAL, "dtype");
    assert_null(other);
    elman_c_desc c = ELMAN_C_DESC;
    must_fail(elman_c_write(lm, NULL, &c, "lm.c"), ELMAN_EUNSUPPORTED,
              "weights of a byte");

    draw d = {.stream = 7};
    letters_write("text.txt", &d, 6, 500);
    elman_text *text = letters_open(plain, "text.txt", NULL);
    elman_train_desc train = ELMAN_TRAIN_DESC;
    elman_trainer *trainer;
    train.model.hidden = 5;
    train.model.dtype = ELMAN_INT8;
    train.schedule.lr = 0.1;
    train.batch = train.steps = 2;
    train.epochs = 1;
    must_fail(elman_trainer_create(plain, &train, text, NULL, &trainer),
              ELMAN_EINVAL, "weights of a byte do not train");
    elman_text_close(&text);
    elman_lm_destroy(&lm);
}

/* ---- What they lose -------------------------------------------------------*/

/* A model that has learnt something foretells the text about as well. */
static void test_eval(void **state)
{
    (void)state;
    draw d = {.stream = 8};
    letters_write("learn.txt", &d, 9, 6000);
    elman_text *text = letters_open(plain, "learn.txt", NULL);
    elman_train_desc train = ELMAN_TRAIN_DESC;
    elman_trainer *trainer;
    train.model.cell = ELMAN_CELL_LSTM;
    train.model.hidden = 24;
    train.optimizer.kind = ELMAN_ADAM;
    train.schedule.lr = 0.01;
    train.batch = 8;
    train.steps = 16;
    train.epochs = 6;
    must(elman_trainer_create(plain, &train, text, NULL, &trainer));
    elman_train_report report = ELMAN_TRAIN_REPORT;
    do
        must(elman_trainer_step(trainer, &report));
    while (!report.done);
    elman_lm *small;
    elman_lm_score whole = ELMAN_LM_SCORE, bytes = ELMAN_LM_SCORE;
    must(elman_lm_convert(elman_trainer_lm(trainer), ELMAN_INT8, &small));
    must(elman_lm_eval(elman_trainer_lm(trainer), text, 0, 6000, &whole));
    must(elman_lm_eval(small, text, 0, 6000, &bytes));
    print_message("nats a token: %.4f, with bytes %.4f\n", whole.nats / 5999,
                  bytes.nats / 5999);
    assert_true(whole.nats < 0.8 * 5999 * log(9));
    assert_true(fabs(bytes.nats / whole.nats - 1) < 0.005);
    assert_true(bytes.nats != whole.nats);
    elman_lm_destroy(&small);
    elman_trainer_destroy(&trainer);
    elman_text_close(&text);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(variants),    TEST(cuts),        TEST(large_steps),
        TEST(numbers),     TEST(weights),     TEST(network_files),
        TEST(lm_files),    TEST(wrong_files), TEST(not_finite),
        TEST(no_training), TEST(eval)};
    return cmocka_run_group_tests(tests, begin, end);
}
