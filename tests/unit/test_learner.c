/* SPDX-License-Identifier: MIT */
/* test_learner.c - a model that goes on learning foretells as elman_lm_eval
 * does and learns as a loop through the public functions does, however its
 * stream is cut, and can be put back. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "test_folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LETTERS = 9, CLASSES = LETTERS + 1, COUNT = 230 };

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

static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* The stream of all tests here: other letters follow one another than in the
 * model's own text. */
static const int32_t *stream(void)
{
    static int32_t ids[COUNT];
    for (int t = 0; t < COUNT; ++t)
        ids[t] = 1 + (t * t / 3 + t / 20) % LETTERS;
    return ids;
}

static elman_learner_desc draw_learner(draw *d)
{
    static const elman_optimizer_kind kinds[] = {
        ELMAN_SGD, ELMAN_MOMENTUM, ELMAN_ADAM, ELMAN_ADAMW, ELMAN_RMSPROP};
    static const int64_t steps[] = {1, 7, 20, 32, 100};
    elman_learner_desc desc = ELMAN_LEARNER_DESC;
    desc.optimizer.kind = kinds[draw_below(d, 5)];
    desc.steps = steps[draw_below(d, 5)];
    desc.lr = desc.optimizer.kind <= ELMAN_MOMENTUM ? 0.1 : 0.003;
    desc.pull = draw_below(d, 2) ? 0.02 : 0;
    return desc;
}

static int64_t bytes_of(const elman_lm *lm)
{
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    return elman_lm_parameters(lm) * (d.dtype == ELMAN_F64 ? 8 : 4);
}

static void *weights_of(const elman_lm *lm)
{
    void *const copy = scratch(bytes_of(lm), 1);
    memcpy(copy, elman_lm_weights(lm), (size_t)bytes_of(lm));
    return copy;
}

static void expect_weights(const char *what, const elman_lm *lm,
                           const void *wanted)
{
    trying("%s", what);
    assert_memory_equal(elman_lm_weights(lm), wanted, (size_t)bytes_of(lm));
}

/* ---- A loop of one's own -------------------------------------------------*/

static void pull_all(elman_lm *lm, elman_dtype dtype, const void *first,
                     double pull)
{
    void *const w = elman_lm_weights_begin(lm);
    for (int64_t i = 0; i < elman_lm_parameters(lm); ++i) {
        if (dtype == ELMAN_F64) {
            double *const x = (double *)w + i;
            const double away = ((const double *)first)[i] - *x;
            *x += pull * away;
        } else {
            float *const x = (float *)w + i;
            const float away = ((const float *)first)[i] - *x;
            const float back = (float)pull * away;
            *x += back;
        }
    }
    elman_lm_weights_end(lm);
}

/* The same in pieces of desc.steps, the last one not learned. */
static void by_hand(elman_lm *lm, const elman_learner_desc *desc, double *nats)
{
    const int32_t *const ids = stream();
    elman_lm_desc d = ELMAN_LM_DESC;
    elman_lm_describe(lm, &d);
    const void *const first = weights_of(lm);
    void *const grad = scratch(bytes_of(lm), 1);
    elman_optimizer_desc o = desc->optimizer;
    o.dtype = d.dtype;
    elman_optimizer *optimizer;
    elman_lm_tape *tape;
    elman_lm_state *state;
    must(
        elman_optimizer_create(plain, &o, elman_lm_parameters(lm), &optimizer));
    must(elman_lm_tape_create(lm, desc->steps, 1, &tape));
    must(elman_lm_state_create(lm, 1, &state));
    *nats = 0;
    for (int64_t at = 0; at < COUNT - 1; at += desc->steps) {
        const int64_t left = COUNT - 1 - at;
        elman_lm_batch batch = ELMAN_LM_BATCH;
        batch.steps = left < desc->steps ? left : desc->steps;
        batch.batch = 1;
        batch.ids = ids + at;
        batch.targets = ids + at + 1;
        batch.scale = 1 / (double)desc->steps;
        double sum;
        must(elman_lm_forward(lm, tape, &batch, state, &sum, NULL));
        *nats += sum;
        if (batch.steps < desc->steps)
            break;
        memset(grad, 0, (size_t)bytes_of(lm));
        must(elman_lm_backward(lm, tape, grad));
        must(elman_optimizer_step(optimizer, desc->lr,
                                  elman_lm_weights_begin(lm), grad, NULL));
        elman_lm_weights_end(lm);
        if (desc->pull > 0)
            pull_all(lm, d.dtype, first, desc->pull);
    }
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    elman_optimizer_destroy(&optimizer);
}

/* Reads the stream in calls of any sizes, the most being `most`; each of
 * [COUNT] out. */
static double read_all(elman_learner *learner, draw *d, int64_t most,
                       double *each)
{
    double sum = 0;
    for (int64_t at = 0; at < COUNT;) {
        const int64_t left = COUNT - at, some = 1 + draw_below(d, most);
        const int64_t n = some < left ? some : left;
        must(elman_learner_read(learner, stream() + at, n, each + at));
        at += n;
    }
    assert_true(each[0] == 0);
    for (int64_t t = 0; t < COUNT; ++t)
        sum += each[t];
    return sum;
}

static void test_by_hand(void **state)
{
    (void)state;
    draw d = {.stream = 311};
    variant list[MOST_VARIANTS];
    const int variants = variants_create(list);
    for (int k = 0; k < 12; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = dtypes[k % DTYPES];
        const elman_learner_desc how = draw_learner(&d);
        elman_lm *lm = letters_lm(plain, &desc, LETTERS);
        double wanted, whole[COUNT], cut[COUNT];
        trying("by hand, %s", letters_name(&desc));
        by_hand(lm, &how, &wanted);
        const void *const learned = weights_of(lm);
        elman_lm_destroy(&lm);
        for (int i = 0; i < variants; ++i) {
            elman_learner *learner;
            lm = letters_lm(list[i].context, &desc, LETTERS);
            trying("%s, %s, steps %lld, optimizer %d, pull %g", list[i].name,
                   letters_name(&desc), (long long)how.steps,
                   (int)how.optimizer.kind, how.pull);
            must(elman_learner_create(lm, &how, &learner));
            must(elman_learner_read(learner, stream(), COUNT, whole));
            const void *const once = weights_of(lm);
            assert_memory_equal(once, learned, (size_t)bytes_of(lm));
            assert_int_equal(elman_learner_updates(learner),
                             (COUNT - 1) / how.steps);
            elman_learner_reset(learner);
            assert_int_equal(elman_learner_updates(learner), 0);
            const double sum = read_all(learner, &d, 1 + i * 9, cut);
            expect_same("losses", ELMAN_F64, cut, whole, COUNT);
            assert_true(fabs(sum - wanted) <= 1e-12 * wanted);
            expect_weights("cut", lm, learned);
            elman_learner_destroy(&learner);
            elman_lm_destroy(&lm);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, variants);
}

/* ---- Without learning ----------------------------------------------------*/

static void test_still(void **state)
{
    (void)state;
    draw d = {.stream = 312};
    letters_write("book.txt", &d, LETTERS, 500);
    for (int k = 0; k < 9; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = dtypes[k % DTYPES];
        elman_learner_desc how = draw_learner(&d);
        how.lr = 0;
        elman_lm *lm = letters_lm(plain, &desc, LETTERS);
        elman_text *text = letters_open(plain, "book.txt", elman_lm_vocab(lm));
        elman_learner *learner;
        elman_lm_score plainly = ELMAN_LM_SCORE, still = ELMAN_LM_SCORE;
        const void *const before = weights_of(lm);
        trying("lr 0, %s", letters_name(&desc));
        must(elman_lm_eval(lm, text, 3, 450, &plainly));
        must(elman_learner_create(lm, &how, &learner));
        must(elman_learner_read(learner, stream(), 50, NULL));
        must(elman_learner_eval(learner, text, 3, 450, &still));
        expect_same("nats", ELMAN_F64, &still.nats, &plainly.nats, 1);
        assert_int_equal(still.tokens, plainly.tokens);
        assert_true(still.chars == plainly.chars);
        expect_weights("weights", lm, before);
        must_fail(elman_learner_eval(learner, text, 0, 1, &still), ELMAN_ETEXT,
                  "1 token");
        must_fail(elman_learner_eval(learner, text, 100, 450, &still),
                  ELMAN_EINVAL, "500");
        elman_learner_destroy(&learner);
        elman_text_close(&text);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
}

/* Pulled back whole, weights return to where they were. */
static void test_pull(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_learner_desc how = ELMAN_LEARNER_DESC;
    desc.hidden = 20;
    how.lr = 0.001;
    elman_lm *lm = letters_lm(plain, &desc, LETTERS);
    const float *const before = weights_of(lm);
    double far[2];
    for (int whole = 0; whole < 2; ++whole) {
        elman_learner *learner;
        how.pull = whole;
        must(elman_learner_create(lm, &how, &learner));
        must(elman_learner_read(learner, stream(), COUNT, NULL));
        far[whole] = 0;
        for (int64_t i = 0; i < elman_lm_parameters(lm); ++i)
            far[whole] =
                fmax(far[whole],
                     fabs((double)((const float *)elman_lm_weights(lm))[i] -
                          (double)before[i]));
        elman_learner_reset(learner);
        elman_learner_destroy(&learner);
    }
    expect_weights("reset", lm, before);
    assert_true(far[0] > 1e-3 && far[1] < 1e-6);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

/* Weights as large as may be, of a token that never comes, change their signs:
 * what is then between them and where they were is larger than any number. */
static void test_far(void **state)
{
    (void)state;
    for (int k = 0; k < DTYPES; ++k) {
        elman_lm_desc desc = ELMAN_LM_DESC;
        elman_learner_desc how = ELMAN_LEARNER_DESC;
        desc.dtype = dtypes[k];
        desc.hidden = 16;
        desc.embed = 8;
        how.optimizer.kind = ELMAN_ADAMW;
        how.optimizer.weight_decay = 2000;
        how.lr = 0.001;
        how.steps = 50;
        how.pull = 0.25;
        elman_lm *lm = letters_lm(plain, &desc, LETTERS);
        const bool wide = desc.dtype == ELMAN_F64;
        const double far = wide ? 1.5e308 : 3e38;
        void *const w = elman_lm_weights_begin(lm);
        for (int i = 0; i < desc.embed; ++i) { /* <unk>'s */
            const double x = i % 2 ? far : -far;
            if (wide)
                ((double *)w)[i] = x;
            else
                ((float *)w)[i] = (float)x;
        }
        elman_lm_weights_end(lm);
        elman_learner *learner;
        trying("dtype %d", (int)desc.dtype);
        must(elman_learner_create(lm, &how, &learner));
        must(elman_learner_read(learner, stream(), 51, NULL));
        assert_int_equal(elman_learner_updates(learner), 1);
        const void *const now = elman_lm_weights(lm);
        for (int i = 0; i < desc.embed; ++i) {
            const double x = wide ? ((const double *)now)[i]
                                  : (double)((const float *)now)[i];
            const double wanted = (i % 2 ? -far : far) / 2;
            assert_true(fabs(x - wanted) <= 1e-6 * far);
        }
        elman_learner_destroy(&learner);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
}

/* ---- What it is for ------------------------------------------------------*/

/* A stream that repeats itself is foretold better and better, by a model that
 * nobody has trained; and another stream after it as by the weights that it
 * left. */
static void test_learns(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_learner_desc how = ELMAN_LEARNER_DESC;
    enum { LONG = 4000 };
    int32_t *const ids = scratch(LONG, sizeof *ids);
    double *const nats = scratch_doubles(LONG);
    for (int t = 0; t < LONG; ++t)
        ids[t] = 1 + "012834506"[t % 9] - '0';
    desc.cell = ELMAN_CELL_GRU;
    desc.hidden = 32;
    how.lr = 0.003;
    elman_lm *lm = letters_lm(plain, &desc, LETTERS);
    elman_learner *learner;
    must(elman_learner_create(lm, &how, &learner));
    must(elman_learner_read(learner, ids, LONG, nats));
    double first = 0, last = 0;
    for (int t = 1; t <= 300; ++t) {
        first += nats[t] / 300;
        last += nats[LONG - t] / 300;
    }
    assert_true(first > 1 && last < 0.1);
    elman_learner_begin(learner);
    must(elman_learner_read(learner, ids, 300, nats));
    double again = 0;
    for (int t = 100; t < 300; ++t)
        again += nats[t] / 200;
    assert_true(again < 0.1);
    elman_learner_destroy(&learner);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

static double loss_of(const double *logits, int32_t target)
{
    double sum = 0;
    for (int i = 0; i < CLASSES; ++i)
        sum += exp(logits[i] - logits[target]);
    return log(sum);
}

/* What comes next is what the loss of the next token is made of, and looking
 * changes nothing. */
static void test_next(void **state)
{
    (void)state;
    draw d = {.stream = 313};
    for (int k = 0; k < 8; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = ELMAN_F64;
        const elman_learner_desc how = draw_learner(&d);
        double logits[CLASSES], unlooked[COUNT], looked[COUNT];
        elman_lm *lm = letters_lm(plain, &desc, LETTERS);
        elman_learner *learner;
        trying("next, %s", letters_name(&desc));
        must(elman_learner_create(lm, &how, &learner));
        must(elman_learner_read(learner, stream(), COUNT, unlooked));
        elman_learner_reset(learner);
        must_fail(elman_learner_next(learner, logits), ELMAN_EINVAL,
                  "no token");
        for (int t = 0; t < COUNT; ++t) {
            must(elman_learner_read(learner, stream() + t, 1, looked + t));
            if (t > 0)
                assert_true(fabs(looked[t] - loss_of(logits, stream()[t])) <
                            1e-10);
            must(elman_learner_next(learner, logits));
        }
        expect_same("losses", ELMAN_F64, looked, unlooked, COUNT);
        elman_learner_destroy(&learner);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
}

/* ---- Streams ------------------------------------------------------------*/

/* A stream that is begun in the middle of a piece is a new one, a refused token
 * is as if it had not been asked for, and after a text the next tokens are
 * those that follow it. */
static void test_streams(void **state)
{
    (void)state;
    draw d = {.stream = 314};
    letters_write("book.txt", &d, LETTERS, 300);
    for (int k = 0; k < 8; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        const elman_learner_desc how = draw_learner(&d);
        desc.dtype = dtypes[k % DTYPES];
        elman_lm *lm = letters_lm(plain, &desc, LETTERS);
        elman_text *text = letters_open(plain, "book.txt", elman_lm_vocab(lm));
        elman_learner *learner;
        elman_lm_score score = ELMAN_LM_SCORE;
        int32_t ids[300];
        double wanted[300], nats[300], sum = 0;
        const int32_t strange[] = {1, -1};
        trying("streams, %s", letters_name(&desc));
        must(elman_text_read(text, 0, 300, ids));
        must(elman_learner_create(lm, &how, &learner));
        must(elman_learner_read(learner, ids, 300, wanted));
        const void *const learned = weights_of(lm);
        elman_learner_reset(learner);
        must(elman_learner_read(learner, ids + 7, how.steps, NULL));
        elman_learner_begin(learner);
        must(elman_learner_read(learner, ids, 40, nats));
        must_fail(elman_learner_read(learner, strange, 2, NULL), ELMAN_EINVAL,
                  "-1");
        must(elman_learner_read(learner, NULL, 0, nats + 40));
        must(elman_learner_read(learner, ids + 40, 260, nats + 40));
        expect_same("losses", ELMAN_F64, nats, wanted, 300);
        expect_weights("learned", lm, learned);
        elman_learner_reset(learner);
        must(elman_learner_read(learner, ids + 9, how.steps, NULL));
        must(elman_learner_eval(learner, text, 0, 201, &score));
        for (int t = 1; t < 201; ++t)
            sum += wanted[t];
        assert_true(score.nats == sum && score.tokens == 200);
        must(elman_learner_read(learner, ids + 201, 99, nats + 201));
        expect_same("behind the text", ELMAN_F64, nats + 201, wanted + 201, 99);
        elman_learner_destroy(&learner);
        elman_text_close(&text);
        elman_lm_destroy(&lm);
        scratch_free(NULL);
    }
}

/* What it says that it takes is what it asks for, and reading asks for nothing.
 */
static void test_memory(void **state)
{
    (void)state;
    draw d = {.stream = 314};
    for (int k = 0; k < 9; ++k) {
        elman_lm_desc desc = letters_draw_desc(&d);
        desc.dtype = dtypes[k % DTYPES];
        const elman_learner_desc how = draw_learner(&d);
        counting c = {0};
        elman_context *context = counting_context(&c);
        elman_lm *lm = letters_lm(context, &desc, LETTERS);
        elman_learner *learner;
        elman_memory m = ELMAN_MEMORY;
        trying("memory, %s", letters_name(&desc));
        const long long before = c.bytes;
        must(elman_learner_create(lm, &how, &learner));
        const long long taken = c.bytes - before;
        elman_learner_memory(learner, &m);
        const int64_t said = m.total - m.weights - m.packed;
        assert_true(m.weights >= bytes_of(lm) && m.gradient >= bytes_of(lm));
        assert_true(taken <= said && said - taken < 4096);
        const long long asked = c.asked;
        must(elman_learner_read(learner, stream(), COUNT, NULL));
        elman_learner_reset(learner);
        assert_int_equal(c.asked, asked);
        elman_learner_destroy(&learner);
        elman_lm_destroy(&lm);
        elman_context_destroy(&context);
        assert_int_equal(c.live, 0);
        scratch_free(NULL);
    }
}

/* ---- What goes wrong -----------------------------------------------------*/

static void test_nonfinite(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_learner_desc how = ELMAN_LEARNER_DESC;
    double nats[COUNT], again[COUNT];
    desc.activation = ELMAN_RELU;
    desc.hidden = 16;
    how.optimizer.kind = ELMAN_SGD;
    how.optimizer.clip = 0;
    how.steps = 10;
    how.lr = 1e30;
    how.pull = 0;
    elman_lm *lm = letters_lm(plain, &desc, LETTERS);
    const void *const before = weights_of(lm);
    elman_learner *learner;
    must(elman_learner_create(lm, &how, &learner));
    must(elman_learner_read(learner, stream(), 10, nats));
    must_fail(elman_learner_read(learner, stream() + 10, 100, NULL),
              ELMAN_ENONFINITE, "not finite");
    must_fail(elman_learner_read(learner, stream(), 1, NULL), ELMAN_EINVAL,
              "elman_learner_begin");
    must_fail(elman_learner_next(learner, nats), ELMAN_EINVAL, "stream");
    for (int64_t i = 0; i < elman_lm_parameters(lm); ++i)
        assert_true(isfinite(((const float *)elman_lm_weights(lm))[i]));
    elman_learner_reset(learner);
    expect_weights("reset", lm, before);
    must(elman_learner_read(learner, stream(), 10, again));
    expect_same("losses", ELMAN_F64, again, nats, 10);
    elman_learner_destroy(&learner);
    elman_lm_destroy(&lm);
    scratch_free(NULL);
}

static void test_refused(void **state)
{
    (void)state;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 8;
    elman_lm *lm = letters_lm(plain, &desc, LETTERS);
    elman_lm *bytes, *infers;
    elman_learner *learner = (elman_learner *)&desc;
    must(elman_lm_convert(lm, ELMAN_INT8, &bytes));
    must(elman_lm_save(lm, "model"));
    must(elman_lm_load_inference(plain, "model", ELMAN_DTYPE_OWN, &infers));
    const elman_learner_desc fine = ELMAN_LEARNER_DESC;
    must_fail(elman_learner_create(bytes, &fine, &learner), ELMAN_EINVAL,
              "INT8");
    assert_null(learner);
    must_fail(elman_learner_create(infers, &fine, &learner), ELMAN_EINVAL,
              "inference");
    must_fail(elman_learner_create(NULL, &fine, &learner), ELMAN_EINVAL,
              "NULL");
    elman_learner_desc wrong = fine;
    wrong.lr = NAN;
    must_fail(elman_learner_create(lm, &wrong, &learner), ELMAN_EINVAL, "lr");
    wrong = fine;
    wrong.pull = 1.5;
    must_fail(elman_learner_create(lm, &wrong, &learner), ELMAN_EINVAL, "pull");
    wrong = fine;
    wrong.steps = 0;
    must_fail(elman_learner_create(lm, &wrong, &learner), ELMAN_EINVAL,
              "steps");
    wrong = fine;
    wrong.optimizer.alpha = 2;
    must_fail(elman_learner_create(lm, &wrong, &learner), ELMAN_EINVAL,
              "alpha");
    wrong = fine;
    wrong.struct_size = 0;
    must_fail(elman_learner_create(lm, &wrong, &learner), ELMAN_EINVAL,
              "elman_learner_desc");

    must(elman_learner_create(lm, &fine, &learner));
    const int32_t strange[] = {1, 2, CLASSES};
    must_fail(elman_learner_read(learner, strange, 3, NULL), ELMAN_EINVAL,
              "token 2");
    must_fail(elman_learner_read(learner, NULL, 1, NULL), ELMAN_EINVAL, "NULL");
    must(elman_learner_read(learner, NULL, 0, NULL));
    elman_learner_destroy(&learner);
    assert_null(learner);
    elman_learner_destroy(&learner);
    elman_lm_destroy(&infers);
    elman_lm_destroy(&bytes);
    elman_lm_destroy(&lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand), cmocka_unit_test(test_still),
        cmocka_unit_test(test_pull),    cmocka_unit_test(test_far),
        cmocka_unit_test(test_learns),  cmocka_unit_test(test_next),
        cmocka_unit_test(test_streams), cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_memory),  cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
