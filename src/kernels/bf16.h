/* SPDX-License-Identifier: MIT */
/* bf16.h - products of bfloat16 with sums in float32 (ELMAN_BF16).
 *
 * A table of this dtype is float32's but for gemm, outer and the packed
 * weights.  Both operands of a product are rounded to bfloat16 (the upper half
 * of a float, nearest, ties to even; a denormal becomes 0 of its sign), and
 * then it is what Intel's TDPBF16PS computes (Software Developer's Manual,
 * volume 2): for every 32 steps of k, as many zeros behind the last one as are
 * missing,
 *
 *   even = 0;  even = fma(a[0], w[0], even), fma(a[2], w[2], even), ... a[30]
 *   odd  = 0;  odd  = fma(a[1], w[1], odd),  fma(a[3], w[3], odd),  ... a[31]
 *   c = c + (even + odd)
 *
 * each operation in float32, rounded to nearest even, denormal operands taken
 * as 0, a result that is tiny after rounding flushed to 0 of its sign.  Every
 * body below gives these bits. */
#ifndef EL_BF16_H
#define EL_BF16_H

#include "kernels.h"

enum {
    EL_BF16_STEPS = 32, /* of k, in one row of a tile */
    EL_BF16_WORDS = 16  /* of 32 bits, two steps each, that these are */
};

static inline ptrdiff_t el_bf16_padded(ptrdiff_t k)
{
    return (k + EL_BF16_STEPS - 1) / EL_BF16_STEPS * EL_BF16_STEPS;
}

/* Lays the products of one body over a table of float32. */
void el_kernels_bf16_c(el_kernels *table);
void el_kernels_bf16_avx2(el_kernels *table);
void el_kernels_bf16_avx512(el_kernels *table);
/* By VDPBF16PS, which takes two steps of a chain at once. */
void el_kernels_bf16_dot_avx512(el_kernels *table);
/* By AMX's tiles. */
void el_kernels_bf16_amx(el_kernels *table);

/* The definition; panels are [k/2][32][2], k padded to whole rows of a tile,
 * and so are those of avx2, avx512 and AMX. */
void el_gemm_bf16_c(const el_gemm *g);
void el_outer_bf16_c(const el_outer *o);
ptrdiff_t el_panel_bytes_bf16(ptrdiff_t k);
void el_unpack_rows_bf16_c(void *w, const void *panel, ptrdiff_t from,
                           ptrdiff_t to, ptrdiff_t k);

/* What AMX's body takes from those of AVX-512 and of AVX512-BF16.
 *   rows   to[i][k] = a[i][k] rounded, zeros up to a whole row of a tile
 *   turned to[i][r] = a[r][at + i] likewise, i < n, r < k
 * rows of `to` being ldto words apart, two steps a word, the first one below.
 */
void el_gemm_bf16_avx512(const el_gemm *g);
void el_bf16_rows_avx512(uint32_t *to, ptrdiff_t ldto, const float *a,
                         ptrdiff_t lda, ptrdiff_t n, ptrdiff_t k);
void el_bf16_turned_avx512(uint32_t *to, ptrdiff_t ldto, const void *const *a,
                           ptrdiff_t at, ptrdiff_t n, ptrdiff_t k);
void el_pack_rows_bf16_avx512(void *packed, const void *w, ptrdiff_t ldw,
                              ptrdiff_t n, ptrdiff_t k);
void el_pack_columns_bf16_avx512(void *packed, const void *w, ptrdiff_t ldw,
                                 ptrdiff_t n, ptrdiff_t k);

/* The end of an outer product: c to the total, where there is one. */
static inline void el_outer_total(const el_outer *o,
                                  void (*add)(void *, const void *, ptrdiff_t))
{
    for (ptrdiff_t i = 0; o->total && i < o->n; ++i)
        add((float *)o->total + i * o->ldt, (const float *)o->c + i * o->ldc,
            o->k);
}

/* Small products by the table and by the definition: the same bits? */
bool el_bf16_agrees(const el_kernels *table);

#endif
