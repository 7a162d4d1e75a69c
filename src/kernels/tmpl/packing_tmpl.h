/* SPDX-License-Identifier: MIT */
/* packing_tmpl.h - weights into panels.  Reference: ../ref/body.h. */

/* Rows [j0, j0 + VL) of w [n,k], columns i0 and on, turned: out [k,...], rows
 * ldo apart, gets `some` rows of VL. */
V_INLINE void turn_block(float *out, ptrdiff_t ldo, const float *w,
                         ptrdiff_t ldw, ptrdiff_t rows, ptrdiff_t some)
{
    const vm m = v_tail(some);
    vf r[VL];
    for (int j = 0; j < VL; ++j)
        r[j] = j < rows ? v_load(w + j * ldw, m) : v_zero();
    v_transpose(r);
    for (int i = 0; i < VL && i < some; ++i)
        v_store_all(out + i * ldo, r[i]);
}

static void EL_KERNEL(pack_rows)(void *packed, const void *weights,
                                 ptrdiff_t ldw, ptrdiff_t n, ptrdiff_t k)
{
    float *out = packed;
    const float *const w = weights;
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL, out += k * EL_PANEL)
        for (ptrdiff_t i = 0; i < k; i += VL)
            for (ptrdiff_t j = 0; j < EL_PANEL; j += VL)
                turn_block(out + i * EL_PANEL + j, EL_PANEL,
                           w + (first + j) * ldw + i, ldw, n - first - j,
                           k - i);
}

/* Some rows of w at a time, so that they are read as they lie. */
static void EL_KERNEL(pack_columns)(void *packed, const void *weights,
                                    ptrdiff_t ldw, ptrdiff_t n, ptrdiff_t k)
{
    enum { ROWS = 32 };
    for (ptrdiff_t top = 0; top < k; top += ROWS)
        for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
            float *out = (float *)packed + first * k + top * EL_PANEL;
            const float *w = (const float *)weights + top * ldw + first;
            for (ptrdiff_t i = top; i < k && i < top + ROWS; ++i) {
                for (ptrdiff_t j = 0; j < EL_PANEL; j += VL)
                    v_store_all(out + j, v_load(w + j, v_tail(n - first - j)));
                out += EL_PANEL;
                w += ldw;
            }
        }
}
