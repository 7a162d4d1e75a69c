/* SPDX-License-Identifier: MIT */
/* test_memory.c - memory that is aligned, cleared, refused and given back, and
 * floating-point modes that are given back too. */
#include "base/context.h"
#include "base/cpu.h"
#include "support/draw.h"

#include <elman.h>
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if EL_ARCH_X86
#include <xmmintrin.h>
#endif

/* An allocator that gives blocks at odd addresses full of garbage, counts them
 * and fails when it is told to. */
typedef struct ledger {
    int64_t held, asked;
    size_t largest;
    size_t shift;
    bool empty;
} ledger;

enum { HEAD = 64 };

static void *take(void *user, size_t size)
{
    ledger *const l = user;
    ++l->asked;
    l->largest = size > l->largest ? size : l->largest;
    if (l->empty)
        return NULL;
    char *const block = malloc(size + HEAD);
    if (!block)
        return NULL;
    memset(block, 0xa5, size + HEAD);
    const size_t shift = l->shift++ % (HEAD - 1);
    block[shift] = (char)shift;
    ++l->held;
    return block + shift + 1;
}

static void give(void *user, void *block)
{
    ledger *const l = user;
    char *const end = block;
    --l->held;
    free(end - 1 - end[-1]);
}

static elman_context context_of(ledger *l)
{
    return (elman_context){.allocator = {take, give, l}};
}

static bool is_zero(const char *block, size_t size)
{
    for (size_t i = 0; i < size; ++i)
        if (block[i] != 0)
            return false;
    return true;
}

/* Wherever the caller's block begins. */
static void test_aligned_and_cleared(void **state)
{
    (void)state;
    ledger l = {0};
    const elman_context context = context_of(&l);
    for (size_t size = 0; size < 300; ++size) {
        char *const block = el_alloc(&context, size);
        assert_non_null(block);
        assert_true((uintptr_t)block % 64 == 0);
        assert_true(is_zero(block, size));
        memset(block, 0x5a, size);
        el_free(&context, block);
    }
    float *const array = el_alloc_array(&context, 1000, sizeof(float));
    assert_non_null(array);
    assert_true((uintptr_t)array % 64 == 0);
    assert_true(is_zero((char *)array, 1000 * sizeof(float)));
    el_free(&context, array);
    el_free(&context, NULL);
    assert_true(l.held == 0);
}

static void test_overflow(void **state)
{
    (void)state;
    ledger l = {0};
    const elman_context context = context_of(&l);
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63,
                            SIZE_MAX - 71};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        assert_null(el_alloc(&context, sizes[i]));
    assert_null(el_alloc_array(&context, -1, 1));
    assert_null(el_alloc_array(&context, INT64_MIN, 0));
    assert_null(el_alloc_array(&context, INT64_MAX, 4));
    assert_null(el_alloc_array(&context, (int64_t)1 << 61, 8));
    assert_null(el_alloc_array(&context, ((int64_t)1 << 62) + 1, 4));
    assert_null(el_alloc_array(&context, INT64_MAX, SIZE_MAX));
    assert_string_equal(elman_message(), "memory ran out");
    /* The caller's allocator never heard of any of them. */
    assert_true(l.asked == 0);
    void *const none = el_alloc_array(&context, 0, SIZE_MAX);
    assert_non_null(none);
    el_free(&context, none);
    assert_true(l.held == 0);
}

static void test_failing(void **state)
{
    (void)state;
    ledger l = {.empty = true};
    const elman_context context = context_of(&l);
    el_fail(ELMAN_EIO, "something else");
    assert_null(el_alloc(&context, 10));
    assert_string_equal(elman_message(), "memory ran out");
    assert_null(el_alloc_array(&context, 10, 10));
    assert_null(el_grow(&context, NULL, 0, 10));
    assert_null(el_strdup(&context, "text"));
    assert_true(l.asked == 4);
    assert_true(l.held == 0);
}

static void test_grow(void **state)
{
    (void)state;
    ledger l = {0};
    const elman_context context = context_of(&l);
    char *block = el_grow(&context, NULL, 0, 10);
    assert_non_null(block);
    memcpy(block, "0123456789", 10);
    block = el_grow(&context, block, 10, 1000);
    assert_non_null(block);
    assert_memory_equal(block, "0123456789", 10);
    assert_true(is_zero(block + 10, 990));
    assert_true(l.held == 1);
    /* One that cannot grow stays as it was, and the caller's. */
    l.empty = true;
    assert_null(el_grow(&context, block, 1000, 2000));
    assert_null(el_grow(&context, block, 1000, SIZE_MAX));
    assert_memory_equal(block, "0123456789", 10);
    l.empty = false;
    block = el_grow(&context, block, 1000, 4);
    assert_memory_equal(block, "0123", 4);
    el_free(&context, block);
    char *const copy = el_strdup(&context, "a sentence");
    assert_string_equal(copy, "a sentence");
    el_free(&context, copy);
    assert_true(l.held == 0);
}

/* ---- Floating-point modes ------------------------------------------------*/

/* At run time, whatever the compiler knows of its operands. */
static volatile float one = 1, tiny = 0x1p-126f, smallest = 0x1p-149f,
                      little = 0x1p-30f, zero = 0;

/* Plain IEEE arithmetic: nearest, nothing flushed, no trap.  By bits, since a
 * mode that takes denormals for zeros compares them so, too. */
static void assert_plain(void)
{
    assert_true(float_bits(tiny * 0.5f) == 0x00400000);
    assert_true(float_bits(smallest * 2) == 0x00000002);
    assert_true(float_bits(smallest + smallest) == 0x00000002);
    assert_true(one + little == 1);
    assert_true(one - little == 1);
    assert_true(-one + little == -1);
    assert_true(isinf(one / zero));
}

static void test_rounding(void **state)
{
    (void)state;
    const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    const float sums[] = {1, 0x1.000002p0f, 1, 1};
    const float differences[] = {1, 1, 0x1.fffffep-1f, 0x1.fffffep-1f};
    for (int i = 0; i < 4; ++i) {
        assert_int_equal(fesetround(modes[i]), 0);
        const el_fp_mode found = el_fp_enter();
        volatile float inside = one + little, below = one - little;
        volatile float halved = tiny * 0.5f;
        el_fp_leave(found);
        volatile float outside = one + little, outside_below = one - little;
        const int mode = fegetround();
        fesetround(FE_TONEAREST);
        assert_true(inside == 1 && below == 1 && halved == 0x1p-127f);
        assert_int_equal(mode, modes[i]);
        assert_true(outside == sums[i]);
        assert_true(outside_below == differences[i]);
    }
}

#if EL_ARCH_X86 || EL_ARCH_ARM64
#if EL_ARCH_X86
typedef unsigned modes;
enum { FLAGS = 0x3f, DAZ = 0x40, TRAPS = 0x1f80, UP = 0x4000, FTZ = 0x8000 };
static const modes plain = TRAPS, flushing = TRAPS | FTZ;
static const modes strange[] = {TRAPS,
                                TRAPS | FTZ,
                                TRAPS | DAZ,
                                TRAPS | FTZ | DAZ | UP,
                                TRAPS & ~(unsigned)_MM_MASK_DIV_ZERO,
                                FTZ | DAZ};

static modes get_modes(void)
{
    return _mm_getcsr() & ~(modes)FLAGS;
}

static void set_modes(modes m)
{
    _mm_setcsr(m);
}
#else
typedef uint64_t modes;
enum { UP = 1 << 22, FZ = 1 << 24, DN = 1 << 25 };
static const modes plain = 0, flushing = FZ;
static const modes strange[] = {0, FZ, DN, UP, FZ | DN | UP};

static modes get_modes(void)
{
    modes m;
    __asm__ volatile("mrs %0, fpcr" : "=r"(m));
    return m;
}

static void set_modes(modes m)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(m));
}
#endif

/* At run time, between two calls that set modes. */
static uint32_t half_of_tiny(void)
{
    volatile float half = tiny * 0.5f;
    return float_bits(half);
}

static void test_modes(void **state)
{
    (void)state;
    const modes before = get_modes();
    for (size_t i = 0; i < sizeof strange / sizeof *strange; ++i) {
        set_modes(strange[i]);
        const el_fp_mode found = el_fp_enter();
        const modes inside = get_modes();
        assert_plain();
        el_fp_leave(found);
        const modes after = get_modes();
        set_modes(before);
        assert_true(inside == plain);
        assert_true(after == strange[i]);
    }
    /* One inside another: only the outermost gives back. */
    set_modes(flushing);
    const el_fp_mode outer = el_fp_enter();
    const el_fp_mode inner = el_fp_enter();
    el_fp_leave(inner);
    assert_plain();
    el_fp_leave(outer);
    const uint32_t flushed = half_of_tiny();
    const modes after = get_modes();
    set_modes(before);
    assert_true(flushed == 0);
    assert_true(after == flushing);
    assert_plain();
}
#else
static void test_modes(void **state)
{
    (void)state;
    assert_plain();
    print_message("skipped: what else there is to be set is not known here\n");
    skip();
}
#endif

/* ---- The machine ---------------------------------------------------------*/

static void test_machine(void **state)
{
    (void)state;
    const int level = (int)el_cpu_level();
    assert_in_range(level, 0, EL_LEVEL_COUNT - 1);
    for (int i = 0; i < EL_LEVEL_COUNT; ++i)
        assert_int_equal(el_level_by_name(el_level_names[i]), i);
    assert_int_equal(el_level_by_name(EL_ARCH_X86 ? "neon" : "avx2"),
                     EL_LEVEL_COUNT);
    assert_int_equal(el_level_by_name("avx"), -1);
    assert_int_equal(el_level_by_name(""), -1);
    char name[64], shorter[4];
    el_cpu_name(name, sizeof name);
    assert_true(strlen(name) < sizeof name);
    memset(shorter, 'x', sizeof shorter);
    el_cpu_name(shorter, sizeof shorter);
    assert_true(shorter[3] == 0);
    assert_true(strncmp(shorter, name, 3) == 0);
    assert_true(el_cpu_cores() >= 1);
    for (int cache = 1; cache <= 3; ++cache)
        assert_true(el_cpu_cache(cache) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_and_cleared),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
