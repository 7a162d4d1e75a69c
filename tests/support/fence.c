/* SPDX-License-Identifier: MIT */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#include "fence.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { MARGIN = 64 }; /* floats of garbage before a matrix */

static const uint32_t garbage = 0x7fa5a5a5;

static char what[512];

static void (*handler)(int); /* cmocka's own, which fails the test */

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(2);
}

static void on_fault(int number)
{
    say(what);
    say(": touched memory that it may not\n");
    if (handler == SIG_DFL)
        _exit(1);
    handler(number);
}

/* cmocka sets its handler anew before every test. */
static void watch_faults(void)
{
    void (*const before)(int) = signal(SIGSEGV, on_fault);
    if (before != on_fault)
        handler = before;
}

void trying(const char *format, ...)
{
    watch_faults();
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
}

void fail_trying(const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fail_msg("%s: %s (ELMAN_TEST_SEED=%" PRIu64 ")", what, sentence,
             test_seed());
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* From the page of what was placed last up to the end. */
static void protect(fence *f, int protection)
{
    char *const end = (char *)(f->first + f->floats);
    char *const used = (char *)f->used;
    char *const from = used - (uintptr_t)used % page_size();
    assert_int_equal(mprotect(from, (size_t)(end - from), protection), 0);
}

void fence_create(fence *f, ptrdiff_t floats)
{
    const size_t page = page_size();
    const size_t size =
        ((size_t)floats * sizeof(float) + page - 1) / page * page;
    char *const memory = mmap(NULL, size + 2 * page, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    f->first = (float *)(void *)(memory + page);
    f->floats = (ptrdiff_t)(size / sizeof(float));
    f->used = f->first;
    protect(f, PROT_READ | PROT_WRITE);
}

void fence_destroy(fence *f)
{
    const size_t page = page_size();
    munmap((char *)f->first - page,
           (size_t)f->floats * sizeof(float) + 2 * page);
}

void fence_lock(fence *f)
{
    protect(f, PROT_READ);
}

static void fill_garbage(float *from, const float *to)
{
    for (; from < to; ++from)
        memcpy(from, &garbage, sizeof garbage);
}

matrix fence_place(fence *f, ptrdiff_t rows, ptrdiff_t columns,
                   ptrdiff_t stride, ptrdiff_t slack)
{
    const ptrdiff_t room = rows > 0 ? (rows - 1) * stride + columns : 0;
    assert_true(MARGIN + room + slack <= f->floats);
    protect(f, PROT_READ | PROT_WRITE);
    float *const end = f->first + f->floats;
    float *const at = end - slack - room;
    f->used = at - MARGIN;
    fill_garbage(f->used, end);
    return (matrix){at, rows, columns, stride, at - MARGIN, end};
}

void matrix_draw(const matrix *m, draw *d, numbers kind)
{
    for (ptrdiff_t i = 0; i < m->rows; ++i)
        draw_numbers(d, kind, m->at + i * m->stride, m->columns);
}

void matrix_copy(const matrix *to, const matrix *from)
{
    for (ptrdiff_t i = 0; i < to->rows; ++i)
        memcpy(to->at + i * to->stride, from->at + i * from->stride,
               (size_t)to->columns * sizeof(float));
}

static void check_garbage(const float *from, const float *to, const char *where)
{
    for (; from < to; ++from)
        if (float_bits(*from) != garbage)
            fail_trying("wrote %s", where);
}

static void check_surroundings(const matrix *m)
{
    const float *end = m->at;
    check_garbage(m->low, m->at, "before the matrix");
    for (ptrdiff_t i = 0; i < m->rows; ++i) {
        if (i > 0)
            check_garbage(end, m->at + i * m->stride, "between two rows");
        end = m->at + i * m->stride + m->columns;
    }
    check_garbage(end, m->high, "behind the matrix");
}

void matrix_check(const matrix *got, const matrix *expected)
{
    const size_t size = (size_t)got->columns * sizeof(float);
    for (ptrdiff_t i = 0; i < got->rows; ++i) {
        const float *const g = got->at + i * got->stride;
        const float *const e = expected->at + i * expected->stride;
        if (memcmp(g, e, size) == 0)
            continue;
        for (ptrdiff_t j = 0; j < got->columns; ++j)
            if (!same_float(g[j], e[j]))
                fail_trying("row %td, column %td is %a, not %a", i, j,
                            (double)g[j], (double)e[j]);
    }
    check_surroundings(got);
    check_surroundings(expected);
}
