/* SPDX-License-Identifier: MIT */
/* test_unpack.c - rows that are unpacked are what was packed, or what that was
 * rounded to: the same numbers at every level, which packed again give the same
 * panel, and nothing is written but they. */
#include "base/cpu.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"
#include "support/draw.h"
#include "support/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 80 }; /* columns */

/* Rows [from,to) of n by `table`, as those of the reference of its dtype. */
static void check(const el_kernels *table, const el_kernels *reference, draw *d,
                  ptrdiff_t n, ptrdiff_t k)
{
    const size_t size = table->size, row = (size_t)k * size;
    const size_t bytes = (size_t)table->panel_bytes(k);
    unsigned char *const w = malloc(EL_PANEL * row + 1);
    unsigned char *const all = malloc(EL_PANEL * row + 1);
    unsigned char *const some = malloc((EL_PANEL + 2) * row + 2);
    void *const panel = aligned_alloc(64, (bytes + 127) / 64 * 64);
    void *const again = aligned_alloc(64, (bytes + 127) / 64 * 64);
    const ptrdiff_t from = draw_below(d, n),
                    to = from + draw_below(d, n - from) + 1;
    for (ptrdiff_t i = 0; i < n * k; ++i) {
        const double x = draw_between(d, -2, 2);
        if (size == sizeof(double))
            ((double *)(void *)w)[i] = x;
        else
            ((float *)(void *)w)[i] = (float)x;
    }
    reference->pack_rows(panel, w, k, n, k);
    reference->unpack_rows(all, panel, 0, n, k);
    table->pack_rows(panel, w, k, n, k);
    memset(some, 0x5a, (EL_PANEL + 2) * row + 2);
    table->unpack_rows(some + row, panel, from, to, k);
    for (size_t i = 0; i < row; ++i)
        if (some[i] != 0x5a || some[row * (size_t)(to - from + 1) + i] != 0x5a)
            fail_trying("it wrote beyond its rows");
    if (memcmp(some + row, all + row * (size_t)from,
               row * (size_t)(to - from)) != 0)
        fail_trying("rows %td to %td of %td are others", from, to, n);
    table->pack_rows(again, all, k, n, k);
    if (memcmp(panel, again, bytes) != 0)
        fail_trying("packed again, %td rows of %td are others", n, k);
    free(w);
    free(all);
    free(some);
    free(panel);
    free(again);
}

static void check_all(const char *name, const el_kernels *table,
                      const el_kernels *reference)
{
    draw d = {.stream = 1};
    for (ptrdiff_t n = 1; n <= EL_PANEL; ++n)
        for (int i = 0; i < 6; ++i) {
            const ptrdiff_t k = draw_below(&d, MOST) + 1;
            trying("%s, %td rows of %td", name, n, k);
            check(table, reference, &d, n, k);
        }
}

static void test_tables(void **state)
{
    (void)state;
    for (int level = EL_LEVEL_C; level <= (int)el_cpu_level(); ++level) {
        check_all("f32", el_kernels_f32(level), el_kernels_f32(EL_LEVEL_C));
        check_all("bf16", el_kernels_bf16(level), el_kernels_bf16(EL_LEVEL_C));
        check_all("int8", el_kernels_int8(level), el_kernels_int8(EL_LEVEL_C));
    }
    check_all("f64", el_kernels_f64(), el_kernels_f64());
}

/* Those that a better one stands in front of, too. */
static void test_bodies(void **state)
{
    (void)state;
#if EL_ARCH_X86
    el_kernels table;
    if (el_cpu_level() >= EL_LEVEL_AVX2) {
        table = *el_kernels_f32(EL_LEVEL_AVX2);
        el_kernels_bf16_avx2(&table);
        check_all("bf16, avx2", &table, el_kernels_bf16(EL_LEVEL_C));
    }
    if (el_cpu_level() >= EL_LEVEL_AVX512) {
        table = *el_kernels_f32(EL_LEVEL_AVX512);
        el_kernels_bf16_avx512(&table);
        check_all("bf16, avx512", &table, el_kernels_bf16(EL_LEVEL_C));
        if (el_cpu_bf16_dot())
            el_kernels_bf16_dot_avx512(&table);
        el_kernels_bf16_amx(&table);
        check_all("bf16, AMX", &table, el_kernels_bf16(EL_LEVEL_C));
    }
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
