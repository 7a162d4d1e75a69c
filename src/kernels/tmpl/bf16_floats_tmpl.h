/* SPDX-License-Identifier: MIT */
/* bf16_floats_tmpl.h - products of bfloat16 by fused multiply-adds of floats:
 * a is kept as rounded floats, and words of weights are widened as they are
 * read. */

typedef float bf16_a;
enum { BF16_A_ROW = EL_BF16_STEPS, BF16_STEPS = 2, BF16_LINE = 112 };
#define BF16_NAME "fma"
#define BF16_LOW(d) (2 * (d))
#define BF16_HIGH(d) (2 * (d) + 1)
#define BF16_PAIR(low, high) v_words(low, high)

/* As far ahead as the products of float32 (products_tmpl.h). */
enum { BF16_FAR = 128 * EL_PANEL };

#define BF16_STEP(rows, groups)                                                \
    {                                                                          \
        vw x[8];                                                               \
        const uint32_t *const words = w + s / 2 * EL_PANEL;                    \
        _Pragma("GCC unroll 4") for (int q = 0; q < (groups); ++q)             \
        {                                                                      \
            __builtin_prefetch(words + group_at[q] + BF16_FAR, 0, 2);          \
            if (BF16_GROUP * sizeof(float) > 64)                               \
                __builtin_prefetch(words + group_at[q] + BF16_FAR + VL, 0, 2); \
            x[2 * q] = v_load_words(words + group_at[q]);                      \
            x[2 * q + 1] = v_load_words(words + group_at[q] + VL);             \
        }                                                                      \
        _Pragma("GCC unroll 8") for (int i = 0; i < (rows); ++i)               \
        {                                                                      \
            const vf y = v_set(BF16_A(i, s));                                  \
            _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)     \
                even[i][v] = v_fma(y, v_low(x[v]), even[i][v]);                \
        }                                                                      \
        _Pragma("GCC unroll 8") for (int i = 0; i < (rows); ++i)               \
        {                                                                      \
            const vf y = v_set(BF16_A(i, s + 1));                              \
            _Pragma("GCC unroll 8") for (int v = 0; v < 2 * (groups); ++v)     \
                odd[i][v] = v_fma(y, v_high(x[v]), odd[i][v]);                 \
        }                                                                      \
    }

static void bf16_rows(float *to, ptrdiff_t ldto, const float *a, ptrdiff_t lda,
                      ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t i = 0; i < n; ++i)
        for (ptrdiff_t j = 0; j < padded; j += VL) {
            const vf x =
                j < k ? v_load(a + i * lda + j, v_tail(k - j)) : v_zero();
            v_store_all(to + i * ldto + j, v_rounded(x));
        }
}

static void bf16_lines(float *to, ptrdiff_t ldto, const void *const *a,
                       ptrdiff_t at, ptrdiff_t n, ptrdiff_t k)
{
    const ptrdiff_t padded = el_bf16_padded(k);
    for (ptrdiff_t j = 0; j < padded; ++j)
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const vf x =
                j < k ? v_load((const float *)a[j] + at + i, v_tail(n - i))
                      : v_zero();
            v_store_all(to + j * ldto + i, v_rounded(x));
        }
}
