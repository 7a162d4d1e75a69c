/* SPDX-License-Identifier: MIT */
/* test_revolve.c - the schedule is as good as the best that a search over all
 * schedules finds. */
#include "nn/revolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PARTS = 120, SNAPS = 12 };

static int64_t best[SNAPS + 1][PARTS + 1];

/* From a snapshot, some parts are run through; the rest is reversed with one
 * snapshot fewer, and then those parts with all of them. */
static void search(void)
{
    for (int s = 1; s <= SNAPS; ++s)
        for (int l = 2; l <= PARTS; ++l) {
            best[s][l] = s == 1 ? (int64_t)l * (l - 1) / 2 : INT64_MAX;
            for (int i = 1; s > 1 && i < l; ++i) {
                const int64_t runs = i + best[s - 1][l - i] + best[s][i];
                if (runs < best[s][l])
                    best[s][l] = runs;
            }
        }
}

/* What following the splits takes. */
static int64_t follow(int64_t parts, int64_t snaps)
{
    if (parts == 1)
        return 0;
    if (snaps == 1)
        return parts - 1 + follow(parts - 1, 1);
    const int64_t split = el_revolve_split(parts, snaps);
    assert_in_range(split, 1, parts - 1);
    return split + follow(parts - split, snaps - 1) + follow(split, snaps);
}

static void test_best(void **state)
{
    (void)state;
    search();
    for (int s = 1; s <= SNAPS; ++s)
        for (int l = 1; l <= PARTS; ++l) {
            assert_int_equal(el_revolve_runs(l, s), best[s][l]);
            assert_int_equal(follow(l, s), best[s][l]);
        }
}

static void test_large(void **state)
{
    (void)state;
    assert_int_equal(el_revolve_runs((int64_t)1 << 40, 64) > 0, 1);
    assert_int_equal(el_revolve_runs(1000, 1000), 999);
    assert_int_equal(el_revolve_runs(1000, 999), 999);
    assert_int_equal(el_revolve_split(((int64_t)1 << 40), 2) > 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
