/* SPDX-License-Identifier: MIT */
/* test_average.c - the moving average of the weights is that of elman.h's
 * formula over the weights that each update left, and is what is saved. */
#include "test_folder.h"

#include <elman.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { UPDATES = 40 };

static void ok(elman_status s)
{
    if (s != ELMAN_OK)
        fail_msg("%s", elman_message());
}

static void write_text(void)
{
    char text[4001];
    for (int i = 0; i < 4000; ++i)
        text[i] = "the cat sat on a mat. "[(i + i / 37) % 22];
    text[4000] = '\0';
    file_write_text("text", text);
}

/* The file's weights against `average`, the run's own against `last`. */
static void check_saved(elman_context *context, const char *path, int64_t P,
                        const double *average, const float *last)
{
    elman_lm *saved;
    double far = 0;
    ok(elman_lm_load(context, path, &saved));
    const float *const w = elman_lm_weights(saved);
    for (int64_t i = 0; i < P; ++i) {
        assert_true(fabs(w[i] - average[i]) < 2e-6);
        far = fmax(far, fabs(average[i] - last[i]));
    }
    /* Or the test could not tell one from the other. */
    assert_true(far > 1e-3);
    elman_lm_destroy(&saved);
}

static void run(double decay, double valid_fraction)
{
    elman_context *context;
    elman_text *text;
    elman_trainer *trainer;
    elman_text_desc text_desc = ELMAN_TEXT_DESC;
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    const char *const paths[] = {"text"};
    ok(elman_context_create(NULL, &context));
    text_desc.held_out = valid_fraction;
    text_desc.paths = paths;
    text_desc.path_count = 1;
    ok(elman_text_open(context, &text_desc, &text));
    desc.model.cell = ELMAN_CELL_GRU;
    desc.model.hidden = 24;
    desc.optimizer.kind = ELMAN_ADAM;
    desc.schedule.lr = 0.01;
    desc.batch = 4;
    desc.steps = 10;
    desc.updates = UPDATES;
    desc.valid_fraction = valid_fraction;
    desc.average = decay;
    ok(elman_trainer_create(context, &desc, text, NULL, &trainer));

    const elman_lm *const lm = elman_trainer_lm(trainer);
    const int64_t P = elman_lm_parameters(lm);
    double *const average = malloc((size_t)P * sizeof *average);
    assert_non_null(average);
    for (int64_t i = 0; i < P; ++i)
        average[i] = ((const float *)elman_lm_weights(lm))[i];
    for (int u = 0; u < UPDATES; ++u) {
        elman_train_report report = ELMAN_TRAIN_REPORT;
        ok(elman_trainer_step(trainer, &report));
        const double d = fmin(decay, (1.0 + u) / (10.0 + u));
        const float *const w = elman_lm_weights(lm);
        for (int64_t i = 0; i < P; ++i)
            average[i] += (1 - d) * (w[i] - average[i]);
    }
    ok(elman_trainer_save(trainer, "model"));
    check_saved(context, "model", P, average, elman_lm_weights(lm));
    free(average);
    elman_trainer_destroy(&trainer);
    elman_text_close(&text);
    elman_context_destroy(&context);
}

static void test_average(void **state)
{
    (void)state;
    write_text();
    run(0.9, 0);
    run(0.5, 0);
}

/* A validation at the run's end measures the average and goes on unharmed: it
 * is the best one, and is saved. */
static void test_validated(void **state)
{
    (void)state;
    write_text();
    run(0.9, 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_average, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(test_validated, folder_setup,
                                        folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
