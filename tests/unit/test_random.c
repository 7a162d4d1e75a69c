/* SPDX-License-Identifier: MIT */
/* test_random.c - random numbers: the known answers of Philox, moments, and
 * permutations that are permutations. */
#include "base/random.h"

#include <elman.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The known-answer vectors of Random123 for philox4x32, 10 rounds: four words
 * of counter, two of key, four of output.  Our counter is its words 0 and 1,
 * our stream its words 2 and 3, our seed its key; low words first. */
static void test_known_answers(void **state)
{
    (void)state;
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
         0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
         0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
        const uint32_t *const k = known[i];
        uint32_t out[4];
        el_philox((uint64_t)k[5] << 32 | k[4], (uint64_t)k[3] << 32 | k[2],
                  (uint64_t)k[1] << 32 | k[0], out);
        assert_memory_equal(out, k + 6, sizeof out);
    }
}

/* Four numbers of 32 bits come from each counter. */
static void test_words(void **state)
{
    (void)state;
    const uint64_t seed = 0x123456789abcdef0, stream = EL_STREAM(7, 9);
    assert_true(stream == 0x0000000700000009);
    for (uint64_t index = 0; index < 1000; ++index) {
        uint32_t four[4];
        el_philox(seed, stream, index / 4, four);
        const uint32_t word = el_random_u32(seed, stream, index);
        assert_true(word == four[index % 4]);
        const float uniform = elman_random_uniform(seed, stream, index);
        assert_true(uniform == (float)(word >> 8) / 16777216);
        assert_true(uniform >= 0 && uniform < 1);
        el_philox(seed, stream, index, four);
        const double wide = el_random_double(seed, stream, index);
        const uint64_t bits = ((uint64_t)four[0] << 32 | four[1]) >> 11;
        assert_true(wide == (double)bits / 9007199254740992);
        assert_true(wide >= 0 && wide < 1);
    }
}

/* Each argument matters: in all bits, and not in some mixture with another. */
static void test_arguments(void **state)
{
    (void)state;
    uint32_t seen[3 * 64 + 1];
    int count = 0;
    seen[count++] = el_random_u32(0, 0, 0);
    for (int bit = 0; bit < 64; ++bit) {
        const uint64_t one = (uint64_t)1 << bit;
        seen[count++] = el_random_u32(one, 0, 0);
        seen[count++] = el_random_u32(0, one, 0);
        seen[count++] = el_random_u32(0, 0, one);
    }
    for (int i = 0; i < count; ++i)
        for (int j = 0; j < i; ++j)
            assert_true(seen[i] != seen[j]);
}

enum { DRAWS = 1 << 20 };

/* Moments of n draws lie within five standard deviations of what they should
 * be: of a mean, sqrt(variance / n). */
static void assert_mean(double sum, double expected, double variance)
{
    const double mean = sum / DRAWS;
    if (!(fabs(mean - expected) <= 5 * sqrt(variance / DRAWS)))
        fail_msg("the mean is %g, not %g", mean, expected);
}

static void test_uniform(void **state)
{
    (void)state;
    enum { BINS = 256 };
    for (int kind = 0; kind < 2; ++kind) {
        double sum[3] = {0}, follow = 0, last = 0.5;
        int64_t bins[BINS] = {0};
        for (uint64_t i = 0; i < DRAWS; ++i) {
            const double x = kind ? el_random_double(5, 6, i)
                                  : (double)elman_random_uniform(5, 6, i);
            sum[0] += x;
            sum[1] += x * x;
            sum[2] += x * x * x;
            follow += (x - 0.5) * (last - 0.5);
            last = x;
            ++bins[(int)(x * BINS)];
        }
        assert_mean(sum[0], 1 / 2.0, 1 / 12.0);
        assert_mean(sum[1], 1 / 3.0, 4 / 45.0);
        assert_mean(sum[2], 1 / 4.0, 9 / 112.0);
        assert_mean(follow, 0, 1 / 144.0);
        /* chi square of 255 degrees: mean 255, standard deviation 22.6 */
        double chi = 0;
        for (int i = 0; i < BINS; ++i) {
            const double off = (double)bins[i] - DRAWS / BINS;
            chi += off * off / (DRAWS / BINS);
        }
        assert_true(chi > 255 - 5 * 22.6 && chi < 255 + 5 * 22.6);
    }
}

/* Box and Muller's formula, by the machine's libm. */
static void test_box_muller(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10000; ++i) {
        uint32_t four[4];
        el_philox(7, 8, i, four);
        const uint64_t a = (uint64_t)four[0] << 32 | four[1];
        const uint64_t b = (uint64_t)four[2] << 32 | four[3];
        const double u = (double)((a >> 11) + 1) / 9007199254740992;
        const double v = (double)(b >> 11) / 9007199254740992;
        const double z = sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
        assert_true(fabs(elman_random_normal(7, 8, i) - z) < 1e-14);
    }
}

static void test_normal(void **state)
{
    (void)state;
    double sum[5] = {0}, most = 0;
    int64_t within[4] = {0};
    for (uint64_t i = 0; i < DRAWS; ++i) {
        const double z = elman_random_normal(7, 8, i);
        assert_true(isfinite(z));
        for (int power = 1; power <= 4; ++power)
            sum[power] += pow(z, power);
        for (int limit = 1; limit <= 3; ++limit)
            within[limit] += fabs(z) < limit;
        most = fabs(z) > most ? fabs(z) : most;
    }
    /* E z^2k = 1 3 5 ... (2k - 1) */
    assert_mean(sum[1], 0, 1);
    assert_mean(sum[2], 1, 2);
    assert_mean(sum[3], 0, 15);
    assert_mean(sum[4], 3, 96);
    for (int limit = 1; limit <= 3; ++limit) {
        const double p = erf(limit / sqrt(2));
        assert_mean((double)within[limit], p, p * (1 - p));
    }
    assert_true(most > 4 && most < 7);
}

/* ---- Permutations --------------------------------------------------------*/

static void check_permutation(int64_t n)
{
    bool *const met = calloc((size_t)n, sizeof *met);
    assert_non_null(met);
    for (int64_t i = 0; i < n; ++i) {
        const int64_t to = el_random_permute(3, EL_STREAM(4, n), n, i);
        if (to < 0 || to >= n || met[to])
            fail_msg("of %lld: %lld goes to %lld", (long long)n, (long long)i,
                     (long long)to);
        met[to] = true;
    }
    free(met);
}

static void test_permutations(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 2000; ++n)
        check_permutation(n);
    check_permutation(65536);
    check_permutation(65537);
    check_permutation(100003);
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of so many draws from 10^9 about 20 would meet another, were they not of a
 * permutation. */
static void test_large_permutations(void **state)
{
    (void)state;
    enum { SOME = 200000 };
    static int64_t to[SOME];
    const int64_t ns[] = {1000000000, ((int64_t)1 << 40) + 1, (int64_t)1 << 62};
    for (int k = 0; k < 3; ++k) {
        const int64_t n = ns[k], step = n / SOME;
        double sum = 0;
        for (int64_t i = 0; i < SOME; ++i) {
            to[i] = el_random_permute(1, 2, n, i % 2 ? n - 1 - i * step : i);
            assert_true(to[i] >= 0 && to[i] < n);
            sum += (double)to[i] / (double)n;
        }
        qsort(to, SOME, sizeof *to, ascending);
        for (int64_t i = 1; i < SOME; ++i)
            assert_true(to[i] != to[i - 1]);
        assert_true(fabs(sum / SOME - 0.5) < 5 * sqrt(1 / 12.0 / SOME));
    }
}

/* Over many seeds every element goes to every place about equally often, and
 * streams are different orders. */
static void test_permutations_vary(void **state)
{
    (void)state;
    enum { SEEDS = 20000 };
    for (int64_t n = 2; n <= 12; n += 5)
        for (int64_t element = 0; element < n; ++element) {
            int64_t places[12] = {0};
            for (uint64_t seed = 0; seed < SEEDS; ++seed)
                ++places[el_random_permute(seed, 1, n, element)];
            double chi = 0;
            for (int64_t place = 0; place < n; ++place) {
                const double even = SEEDS / (double)n;
                const double off = (double)places[place] - even;
                chi += off * off / even;
            }
            const double degrees = (double)n - 1;
            assert_true(chi < degrees + 6 * sqrt(2 * degrees) + 10);
        }
    int64_t same = 0;
    for (int64_t i = 0; i < 1000; ++i)
        same += el_random_permute(1, 1, 1000, i) ==
                el_random_permute(1, 2, 1000, i);
    assert_true(same < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_box_muller),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_permutations),
        cmocka_unit_test(test_large_permutations),
        cmocka_unit_test(test_permutations_vary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
