/* SPDX-License-Identifier: MIT */
/* test_pieces.c - minibatches cover what they should, and nothing twice. */
#include "train/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static el_pieces plan(int64_t tokens, int64_t batch, int64_t steps,
                      elman_sampling sampling)
{
    el_pieces p = {.tokens = tokens,
                   .batch = batch,
                   .steps = steps,
                   .sampling = sampling,
                   .seed = 7};
    assert_true(el_pieces_plan(&p));
    return p;
}

/* Every piece, with the token that follows it, lies inside the text, and no
 * token is predicted twice in an epoch. */
static void check_epoch(const el_pieces *p, int64_t epoch)
{
    char *const seen = calloc((size_t)p->tokens, 1);
    assert_non_null(seen);
    for (int64_t u = 0; u < p->updates; ++u)
        for (int64_t b = 0; b < p->batch; ++b) {
            const int64_t first = el_pieces_first(p, epoch, u, b);
            assert_in_range(first, 0, p->tokens - 1 - p->steps);
            for (int64_t i = 0; i < p->steps; ++i) {
                assert_int_equal(seen[first + 1 + i], 0);
                seen[first + 1 + i] = 1;
            }
        }
    free(seen);
}

static void test_cover(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {{2, 1, 1},     {50, 3, 4},   {13, 3, 4},
                                {14, 3, 4},    {997, 8, 16}, {10000, 32, 35},
                                {1121, 32, 35}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int s = 0; s < 2; ++s) {
            const el_pieces p =
                plan(sizes[i][0], sizes[i][1], sizes[i][2], (elman_sampling)s);
            assert_true(p.updates >= 1);
            for (int64_t epoch = 0; epoch < 40; ++epoch)
                check_epoch(&p, epoch);
        }
}

/* The book chapter's 10,000 tokens, 32 by 35: eight updates an epoch. */
static void test_chapter(void **state)
{
    (void)state;
    assert_int_equal(plan(10000, 32, 35, ELMAN_SEQUENTIAL).updates, 8);
    assert_int_equal(plan(10000, 32, 35, ELMAN_RANDOM).updates, 8);
}

/* What a row carries on from is where its last piece ended. */
static void test_sequential_is_adjacent(void **state)
{
    (void)state;
    const el_pieces p = plan(997, 8, 16, ELMAN_SEQUENTIAL);
    for (int64_t epoch = 0; epoch < 20; ++epoch)
        for (int64_t b = 0; b < p.batch; ++b)
            for (int64_t u = 1; u < p.updates; ++u)
                assert_int_equal(el_pieces_first(&p, epoch, u, b),
                                 el_pieces_first(&p, epoch, u - 1, b) +
                                     p.steps);
}

static void test_offsets_are_drawn(void **state)
{
    (void)state;
    const el_pieces p = plan(10000, 32, 35, ELMAN_SEQUENTIAL);
    char seen[36] = {0};
    int different = 0;
    for (int64_t epoch = 0; epoch < 1000; ++epoch) {
        const int64_t first = el_pieces_first(&p, epoch, 0, 0);
        assert_in_range(first, 0, 35);
        different += !seen[first];
        seen[first] = 1;
    }
    assert_int_equal(different, 36);
}

static void test_too_short(void **state)
{
    (void)state;
    el_pieces p = {
        .tokens = 1120, .batch = 32, .steps = 35, .sampling = ELMAN_SEQUENTIAL};
    assert_false(el_pieces_plan(&p));
    p.batch = INT64_MAX;
    assert_false(el_pieces_plan(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_chapter),
        cmocka_unit_test(test_sequential_is_adjacent),
        cmocka_unit_test(test_offsets_are_drawn),
        cmocka_unit_test(test_too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
