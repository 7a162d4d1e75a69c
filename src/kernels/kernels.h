/* SPDX-License-Identifier: MIT */
/* kernels.h - every kernel, and the table that a context holds.
 *
 * Kernels take pointers and sizes, allocate nothing and cannot fail.  A table
 * serves one dtype at one cpu level; its element is called REAL below (float
 * or double), and strides count elements.  Nothing is read or written past the
 * sizes given, but where a contract says so.
 *
 * One order of arithmetic (docs/arithmetic.md): an output of a product is one
 * chain of fused multiply-adds in ascending k, begun from what stood there; a
 * sum along a row goes through EL_LANES lanes, lane j taking the elements
 * j, j + EL_LANES, ..., and then through one tree: lane i += lane i + w for
 * w = 8, 4, 2, 1.  So every level gives the reference's bits. */
#ifndef EL_KERNELS_H
#define EL_KERNELS_H

#include <elman.h>
#include <stdbool.h>
#include <string.h>

enum {
    EL_PANEL = 32, /* columns of a panel of packed weights */
    EL_LANES = 16
};

/* What happens to an output of a product before it is stored. */
typedef enum el_epilogue {
    EL_PLAIN,
    EL_TANH,  /* tanh(c) */
    EL_RELU,  /* max(0, c) */
    EL_DTANH, /* c (1 - y^2), y = aux: back through y = tanh */
    EL_DRELU, /* c where y > 0, else 0 */
} el_epilogue;

/* c[m,n] = epilogue(init + a[m,k] w'),  w packed from [n,k].
 * init NULL means zeros, ldi 0 one row for all; init may be c, aux may not. */
typedef struct el_gemm {
    ptrdiff_t m, n, k;
    const void *a;
    ptrdiff_t lda;
    const void *w;
    const void *init;
    ptrdiff_t ldi;
    void *c;
    ptrdiff_t ldc;
    el_epilogue epilogue;
    const void *aux; /* [m,n] */
    ptrdiff_t ldaux;
    bool backwards; /* from the last columns to the first; the same bits */
} el_gemm;

/* c[n,k] += sum over rows r, ascending, of a[r][n] b[r][k]; the rows, at most
 * EL_OUTER_ROWS, lie anywhere.  Longer chains are made by several calls: a
 * fresh one begins at zero, and the last one, which has a total, adds to that
 * what c would hold, and leaves anything in c.  Both want a row at least.  The
 * next call's rows may be named, to be fetched meanwhile. */
typedef struct el_outer {
    ptrdiff_t rows, n, k;
    const void *const *a, *const *b; /* [rows] */
    bool fresh;
    void *c;
    ptrdiff_t ldc;
    void *total; /* [n,k], or NULL */
    ptrdiff_t ldt;
    const void *const *soon_a, *const *soon_b; /* [rows], or NULL */
} el_outer;
enum { EL_OUTER_ROWS = 128 };

/* Gates of one time step: `rows` sequences by `units` units of each gate.
 * Element u of gate s of row i lies at gates[i * ld + s * gate + u].
 *   LSTM  i f g o;   before is c_{t-1}
 *   GRU   r z n q;   before is h_{t-1}; q is h_{t-1} W_hn' + b_hn, or, with the
 *                    reset before the product, r h_{t-1}
 * Going forward they turn from sums into what the functions gave (but q), and
 * going back da becomes the gradient of those sums, gate by gate likewise. */
typedef struct el_gates {
    ptrdiff_t rows, units;
    void *gates;
    ptrdiff_t ld, gate;
    const void *before;
    ptrdiff_t ld_before;
    void *c; /* LSTM: c_t */
    ptrdiff_t ldc;
    void *h; /* out, going forward: h_t */
    ptrdiff_t ldh;
    const void *dh; /* in, going back */
    ptrdiff_t lddh;
    void *carry; /* in/out, going back.  LSTM: the gradient of c_t, then of
                  * c_{t-1}.  GRU: out, the part of the gradient of h_{t-1}
                  * that does not come through W_hh */
    ptrdiff_t ldcarry;
    void *da;
    ptrdiff_t ldda, gate_da;
} el_gates;

typedef struct el_xent {
    ptrdiff_t classes;
    const void *weight; /* [classes] or NULL */
    double smoothing;
    double scale; /* of the gradient */
} el_xent;

/* Some columns of a row of logits, and the gradient of its loss in them. */
typedef struct el_xent_columns {
    ptrdiff_t n;
    const void *x;    /* [n] */
    const void *sums; /* of the whole row: its largest, and the sum of exp */
    double scale;
    int64_t target; /* counted from the first of them; may lie outside */
    void *dx;       /* [n]; may be x */
} el_xent_columns;

/* One update of an optimiser; see elman.h for the formulas. */
typedef struct el_update {
    elman_optimizer_kind kind;
    double lr, momentum, beta1, beta2, alpha, eps, weight_decay;
    double grad_scale;               /* of clipping */
    double correction1, correction2; /* 1 - beta^t */
} el_update;

typedef struct el_kernels {
    elman_dtype dtype;
    size_t size;          /* bytes of a REAL */
    const char *products; /* of bfloat16: what computes them; else NULL */

    void (*gemm)(const el_gemm *g);
    void (*outer)(const el_outer *o);

    /* The gates; equations in ref/gates_body.h.  With the reset before the
     * product a step is gru_reset, the product, gru_mix, and its way back
     * gru_mix_back, the product, gru_reset_back (dh is then the gradient of
     * r h_{t-1}). */
    void (*lstm)(const el_gates *g);
    void (*lstm_back)(const el_gates *g);
    void (*gru)(const el_gates *g);
    void (*gru_back)(const el_gates *g);
    void (*gru_reset)(const el_gates *g);
    void (*gru_mix)(const el_gates *g);
    void (*gru_mix_back)(const el_gates *g);
    void (*gru_reset_back)(const el_gates *g);

    /* y = f(x), n elements; y may be x. */
    void (*exp)(void *y, const void *x, ptrdiff_t n);
    void (*tanh)(void *y, const void *x, ptrdiff_t n);
    void (*sigmoid)(void *y, const void *x, ptrdiff_t n);
    /* y += x */
    void (*add)(void *y, const void *x, ptrdiff_t n);
    /* y *= x */
    void (*mul)(void *y, const void *x, ptrdiff_t n);
    /* y[j * stride] += x[j], j < n */
    void (*add_strided)(void *y, ptrdiff_t stride, const void *x, ptrdiff_t n);
    /* y[n] += x[0,n], then x[1,n], ..., rows of x picked by index where it is
     * not NULL. */
    void (*add_rows)(void *y, const void *x, ptrdiff_t ldx,
                     const int32_t *index, ptrdiff_t rows, ptrdiff_t n);

    /* One row of logits.  Gives -ln softmax(x)[target] in the table's
     * precision (0 for target < 0); gradient to dx, unless NULL; dx may be x.
     */
    double (*xent)(const el_xent *e, const void *x, int64_t target, void *dx);
    /* The same in pieces of a row, without weights and smoothing.
     *   xent_max    *max = the largest of x and of *max; begins with -infinity
     *   xent_add    lanes[j % EL_LANES] += exp(x[j] - *max); begins with zeros,
     *               and each piece but the last has whole lanes
     *   xent_loss   the loss, of a target's logit; sums[0] is the row's max in,
     *               sums[1] the sum of the lanes out */
    void (*xent_max)(const void *x, ptrdiff_t n, void *max);
    void (*xent_add)(const void *x, ptrdiff_t n, const void *max, void *lanes);
    double (*xent_loss)(const void *lanes, const void *at_target, void *sums);
    /* dx = scale (softmax - 1_target), column by column. */
    void (*xent_columns)(const el_xent_columns *c);

    /* Sum of squares, in double. */
    double (*sum_squares)(const void *x, ptrdiff_t n);
    /* p, m, v: weights and the optimiser's two moments (NULL where the kind
     * has none). */
    void (*update)(const el_update *u, void *p, const void *g, void *m, void *v,
                   ptrdiff_t n);

    /* Packed weights are in panels of EL_PANEL outputs, zeros past n, each of
     * panel_bytes(k) bytes.  What a panel is made of is the table's own affair,
     * here [k][32]; el_packed_at finds one.  pack_rows takes w[n,k] (a product
     * with w'), pack_columns w[k,n] (a product with w).  The same at every
     * level.  unpack_rows gives rows [from,to) of one panel, dense, as they
     * are computed with: what was packed, or what that was rounded to. */
    ptrdiff_t (*panel_bytes)(ptrdiff_t k);
    void (*pack_rows)(void *packed, const void *w, ptrdiff_t ldw, ptrdiff_t n,
                      ptrdiff_t k);
    void (*pack_columns)(void *packed, const void *w, ptrdiff_t ldw,
                         ptrdiff_t n, ptrdiff_t k);
    void (*unpack_rows)(void *w, const void *panel, ptrdiff_t from,
                        ptrdiff_t to, ptrdiff_t k);
    /* out[k,n] = w[n,k]; rows of out are ldo apart. */
    void (*transpose)(void *out, ptrdiff_t ldo, const void *w, ptrdiff_t n,
                      ptrdiff_t k);

    /* About count fused multiply-adds on data of 32 KiB, over and over; for
     * measuring.  Returns how many there were. */
    double (*probe)(void *data, double count);
} el_kernels;

/* What weights for n outputs by k steps take when they are packed. */
static inline ptrdiff_t el_packed_bytes(const el_kernels *table, ptrdiff_t n,
                                        ptrdiff_t k)
{
    return (n + EL_PANEL - 1) / EL_PANEL * table->panel_bytes(k);
}

/* The panel that begins with output j, a multiple of EL_PANEL. */
static inline void *el_packed_at(const el_kernels *table, const void *packed,
                                 ptrdiff_t j, ptrdiff_t k)
{
    return (char *)packed + j / EL_PANEL * table->panel_bytes(k);
}

/* Columns [j, j + EL_PANEL) of float32's rows b, side by side: to [rows][32],
 * zeros past the last one. */
static inline void el_outer_panel(float *to, const el_outer *o, ptrdiff_t j)
{
    const size_t whole = EL_PANEL * sizeof(float);
    const size_t bytes = (size_t)(o->k - j) * sizeof(float);
    for (ptrdiff_t r = 0; r < o->rows; ++r, to += EL_PANEL) {
        const float *const from = (const float *)o->b[r] + j;
        if (bytes >= whole) {
            memcpy(to, from, whole);
        } else {
            memcpy(to, from, bytes);
            memset((char *)to + bytes, 0, whole - bytes);
        }
    }
}

/* The tables: reference first, then one overlay per level.  level is one of
 * enum el_level; the machine must have it. */
const el_kernels *el_kernels_f32(int level);
const el_kernels *el_kernels_f64(void);
/* Float32's, but for the products: see bf16.h. */
const el_kernels *el_kernels_bf16(int level);

/* The reference, for every dtype; tests compare with it. */
void el_kernels_c_f32(el_kernels *table);
void el_kernels_c_f64(el_kernels *table);
double el_xent_c(const el_xent *e, const void *x, int64_t target, void *dx);
double el_xent_loss_c(const void *lanes, const void *at_target, void *sums);
double el_xent_loss_c_f64(const void *lanes, const void *at_target, void *sums);
double el_xent_c_f64(const el_xent *e, const void *x, int64_t target, void *dx);
void el_kernels_avx2(el_kernels *table);
void el_kernels_avx512(el_kernels *table);
void el_kernels_neon(el_kernels *table);

#endif
