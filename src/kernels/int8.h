/* SPDX-License-Identifier: MIT */
/* int8.h - products with weights of one byte: what they are, once for every
 * level.
 *
 * A row of weights is integers w_k in [-127, 127] times a scale u, made when it
 * is packed.  A row of a is made so, too, when a product meets it:
 *
 *   s = max |a_k| / 127, but FLT_MIN at least
 *   q_k = a_k (1 / s), to nearest, ties to even
 *
 * and an output is
 *
 *   c = init + float(sum of q_k w_k) (s u)
 *
 * where the sum is exact, whatever its order, its float and s u are rounded
 * once each, and the rest is one fused multiply-add.  Rows of more than
 * EL_INT8_DEPTH columns are a chain of such products, over so many columns
 * each.  Where a row has an element that is not finite its scale is NaN. */
#ifndef EL_INT8_H
#define EL_INT8_H

#include "kernels.h"

#include <stdint.h>

enum {
    EL_INT8_MOST = 127,
    EL_INT8_DEPTH = 2048,
    EL_INT8_EXCESS = 128 /* packed bytes are w + 128, without a sign */
};

/* The scale of a row of weights is its largest element over 127, rounded up to
 * 16 binary digits.  An integer of 7 digits times that is a float, exactly, so
 * that a row which is read back from its integers has the same scale and the
 * same integers. */
float el_int8_scale(const float *row, int64_t count);
int el_int8(float value, float scale);

/* Packed weights are panels of EL_PANEL outputs: [k/4][32][4] bytes, k rounded
 * up, zeros where there is no weight, and then the panel's 32 scales. */
static inline ptrdiff_t el_int8_quads(ptrdiff_t k)
{
    return (k + 3) / 4;
}

/* The tables: those of float32 with the products and the packing of these
 * weights in their places.  They go forward only. */
const el_kernels *el_kernels_int8(int level);
void el_kernels_int8_c(el_kernels *table);
void el_kernels_int8_avx2(el_kernels *table);
void el_kernels_int8_vnni_avx2(el_kernels *table);
void el_kernels_int8_vnni_avx512(el_kernels *table);
void el_kernels_int8_neon(el_kernels *table);

#endif
