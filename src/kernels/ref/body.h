/* SPDX-License-Identifier: MIT */
/* body.h - every kernel in plain C: the truth that the levels are compared
 * with, and the only bodies of float64.  Compiled once per REAL; the file that
 * includes it defines REAL, NAME(op), FMA, SQRT, EXP, TANH and SIGMOID. */

/* Where element (column j, step k) of packed weights lies. */
static ptrdiff_t packed_at(ptrdiff_t j, ptrdiff_t k, ptrdiff_t steps)
{
    return (j / EL_PANEL * steps + k) * EL_PANEL + j % EL_PANEL;
}

static REAL finish(REAL c, el_epilogue epilogue, REAL y)
{
    switch (epilogue) {
    case EL_TANH:
        return TANH(c);
    case EL_RELU:
        return 0 > c ? 0 : c;
    case EL_DTANH:
        return c * FMA(-y, y, 1);
    case EL_DRELU:
        return y > 0 ? c : 0;
    case EL_PLAIN:
        break;
    }
    return c;
}

static void NAME(gemm)(const el_gemm *g)
{
    const REAL *const a = g->a, *const w = g->w, *const init = g->init;
    const REAL *const aux = g->aux;
    REAL *const c = g->c;
    for (ptrdiff_t i = 0; i < g->m; ++i)
        for (ptrdiff_t j = 0; j < g->n; ++j) {
            REAL sum = init ? init[i * g->ldi + j] : 0;
            for (ptrdiff_t k = 0; k < g->k; ++k)
                sum = FMA(a[i * g->lda + k], w[packed_at(j, k, g->k)], sum);
            const REAL y = aux ? aux[i * g->ldaux + j] : 0;
            c[i * g->ldc + j] = finish(sum, g->epilogue, y);
        }
}

static void NAME(outer)(const el_outer *o)
{
    REAL *const c = o->c, *const total = o->total;
    for (ptrdiff_t i = 0; i < o->n; ++i)
        for (ptrdiff_t j = 0; j < o->k; ++j) {
            REAL sum = o->fresh ? 0 : c[i * o->ldc + j];
            for (ptrdiff_t r = 0; r < o->rows; ++r)
                sum = FMA(((const REAL *)o->a[r])[i],
                          ((const REAL *)o->b[r])[j], sum);
            c[i * o->ldc + j] = sum;
            if (total)
                total[i * o->ldt + j] += sum;
        }
}

static void NAME(exp)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j] = EXP(((const REAL *)x)[j]);
}

static void NAME(tanh)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j] = TANH(((const REAL *)x)[j]);
}

static void NAME(sigmoid)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j] = SIGMOID(((const REAL *)x)[j]);
}

static void NAME(add)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j] += ((const REAL *)x)[j];
}

static void NAME(mul)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j] *= ((const REAL *)x)[j];
}

static void NAME(add_strided)(void *y, ptrdiff_t stride, const void *x,
                              ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)y)[j * stride] += ((const REAL *)x)[j];
}

static void NAME(add_rows)(void *y, const void *x, ptrdiff_t ldx,
                           const int32_t *index, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t r = 0; r < rows; ++r)
        NAME(add)(y, (const REAL *)x + (index ? index[r] : r) * ldx, n);
}

#include "gates_body.h"

static REAL tree_sum(const REAL lanes[EL_LANES])
{
    REAL sum[EL_LANES];
    memcpy(sum, lanes, sizeof sum);
    for (int w = EL_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; ++i)
            sum[i] += sum[i + w];
    return sum[0];
}

/* With weights u and smoothing e: q_j = u_j ((1-e) [j = target] + e/V),
 *   loss = sum q_j (lse - x_j),   dx_j = scale (sum(q) softmax_j - q_j).
 * Sums in ascending order, in double. */
static double xent_general(const el_xent *e, const REAL *x, int64_t target,
                           REAL max, REAL sum, REAL *dx)
{
    const REAL *const weight = e->weight;
    const double spread = e->smoothing / (double)e->classes;
    const REAL log_sum = (REAL)el_log64((double)sum);
    double total = 0, loss = 0;
    for (ptrdiff_t j = 0; j < e->classes; ++j) {
        const double u = weight ? (double)weight[j] : 1;
        const double q = u * (j == target ? 1 - e->smoothing + spread : spread);
        total += q;
        if (q != 0)
            loss = fma(q, (double)((max - x[j]) + log_sum), loss);
    }
    for (ptrdiff_t j = 0; dx && j < e->classes; ++j) {
        const double u = weight ? (double)weight[j] : 1;
        const double q = u * (j == target ? 1 - e->smoothing + spread : spread);
        const double p = (double)(EXP(x[j] - max) / sum);
        dx[j] = (REAL)(e->scale * fma(total, p, -q));
    }
    return (double)(REAL)loss;
}

static void NAME(xent_max)(const void *x, ptrdiff_t n, void *max)
{
    REAL most = *(const REAL *)max;
    for (ptrdiff_t j = 0; j < n; ++j)
        most = ((const REAL *)x)[j] > most ? ((const REAL *)x)[j] : most;
    *(REAL *)max = most;
}

static void NAME(xent_add)(const void *x, ptrdiff_t n, const void *max,
                           void *lanes)
{
    const REAL most = *(const REAL *)max;
    for (ptrdiff_t j = 0; j < n; ++j)
        ((REAL *)lanes)[j % EL_LANES] += EXP(((const REAL *)x)[j] - most);
}

/* loss = ln sum exp(x - max) + (max - x_target) */
double NAME(xent_loss)(const void *lanes, const void *at_target, void *sums)
{
    const REAL max = *(const REAL *)sums, x = *(const REAL *)at_target;
    const REAL sum = tree_sum(lanes);
    ((REAL *)sums)[1] = sum;
    return (double)((max - x) + (REAL)el_log64((double)sum));
}

static void NAME(xent_columns)(const el_xent_columns *c)
{
    const REAL *const x = c->x;
    const REAL max = ((const REAL *)c->sums)[0];
    const REAL scale = (REAL)c->scale;
    const REAL factor = scale / ((const REAL *)c->sums)[1];
    const bool met = c->target >= 0 && c->target < c->n;
    const REAL hit = met ? EXP(x[c->target] - max) : 0;
    REAL *const dx = c->dx;
    for (ptrdiff_t j = 0; j < c->n; ++j)
        dx[j] = EXP(x[j] - max) * factor;
    if (met)
        dx[c->target] = FMA(hit, factor, -scale);
}

double NAME(xent)(const el_xent *e, const void *row, int64_t target,
                  void *gradient)
{
    const REAL *const x = row;
    REAL *const dx = gradient;
    const ptrdiff_t n = e->classes;
    if (target < 0) {
        for (ptrdiff_t j = 0; dx && j < n; ++j)
            dx[j] = 0;
        return 0;
    }
    REAL sums[2] = {-INFINITY}, lanes[EL_LANES] = {0};
    NAME(xent_max)(x, n, sums);
    NAME(xent_add)(x, n, sums, lanes);
    const double loss = NAME(xent_loss)(lanes, x + target, sums);
    if (e->weight || e->smoothing != 0)
        return xent_general(e, x, target, sums[0], sums[1], dx);
    const el_xent_columns all = {n, x, sums, e->scale, target, dx};
    if (dx)
        NAME(xent_columns)(&all);
    return loss;
}

static double NAME(sum_squares)(const void *x, ptrdiff_t n)
{
    double sum[EL_LANES] = {0};
    for (ptrdiff_t j = 0; j < n; ++j) {
        const double value = (double)((const REAL *)x)[j];
        sum[j % EL_LANES] = fma(value, value, sum[j % EL_LANES]);
    }
    for (int w = EL_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; ++i)
            sum[i] += sum[i + w];
    return sum[0];
}

static void NAME(update)(const el_update *u, void *weights,
                         const void *gradient, void *first, void *second,
                         ptrdiff_t n)
{
    REAL *const p = weights, *const m = first, *const v = second;
    const REAL scale = (REAL)u->grad_scale, decay = (REAL)u->weight_decay;
    const REAL lr = (REAL)u->lr;
    const REAL b1 = (REAL)u->beta1, a1 = (REAL)(1 - u->beta1);
    const REAL b2 = (REAL)u->beta2, a2 = (REAL)(1 - u->beta2);
    const REAL alpha = (REAL)u->alpha, rest = (REAL)(1 - u->alpha);
    const REAL mu = (REAL)u->momentum, eps = (REAL)u->eps;
    const REAL step = (REAL)(u->lr / u->correction1);
    const REAL root = (REAL)(1 / sqrt(u->correction2));
    const REAL shrink = (REAL)(1 - u->lr * u->weight_decay);
    for (ptrdiff_t j = 0; j < n; ++j) {
        REAL g = ((const REAL *)gradient)[j] * scale;
        if (u->kind != ELMAN_ADAMW)
            g = FMA(decay, p[j], g);
        switch (u->kind) {
        case ELMAN_SGD:
            p[j] = FMA(-lr, g, p[j]);
            break;
        case ELMAN_MOMENTUM:
            m[j] = FMA(mu, m[j], g);
            p[j] = FMA(-lr, m[j], p[j]);
            break;
        case ELMAN_ADAMW:
            p[j] *= shrink;
            /* fall through */
        case ELMAN_ADAM:
            m[j] = FMA(b1, m[j], a1 * g);
            v[j] = FMA(b2, v[j], a2 * g * g);
            p[j] = FMA(-step, m[j] / FMA(SQRT(v[j]), root, eps), p[j]);
            break;
        case ELMAN_RMSPROP:
            m[j] = FMA(alpha, m[j], rest * g * g);
            p[j] = FMA(-lr, g / (SQRT(m[j]) + eps), p[j]);
            break;
        }
    }
}

static ptrdiff_t NAME(panel_bytes)(ptrdiff_t k)
{
    return k * EL_PANEL * (ptrdiff_t)sizeof(REAL);
}

static void NAME(pack_rows)(void *packed, const void *weights, ptrdiff_t ldw,
                            ptrdiff_t n, ptrdiff_t k)
{
    REAL *out = packed;
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
        const ptrdiff_t some = n - first < EL_PANEL ? n - first : EL_PANEL;
        for (ptrdiff_t j = 0; j < EL_PANEL; ++j)
            for (ptrdiff_t i = 0; i < k; ++i)
                out[i * EL_PANEL + j] =
                    j < some ? ((const REAL *)weights)[(first + j) * ldw + i]
                             : 0;
        out += k * EL_PANEL;
    }
}

static void NAME(pack_columns)(void *packed, const void *weights, ptrdiff_t ldw,
                               ptrdiff_t n, ptrdiff_t k)
{
    REAL *out = packed;
    for (ptrdiff_t first = 0; first < n; first += EL_PANEL) {
        const ptrdiff_t some = n - first < EL_PANEL ? n - first : EL_PANEL;
        for (ptrdiff_t i = 0; i < k; ++i, out += EL_PANEL) {
            memcpy(out, (const REAL *)weights + i * ldw + first,
                   (size_t)some * sizeof(REAL));
            memset(out + some, 0, (size_t)(EL_PANEL - some) * sizeof(REAL));
        }
    }
}

static void NAME(unpack_rows)(void *weights, const void *panel, ptrdiff_t from,
                              ptrdiff_t to, ptrdiff_t k)
{
    REAL *w = weights;
    for (ptrdiff_t j = from; j < to; ++j, w += k)
        for (ptrdiff_t i = 0; i < k; ++i)
            w[i] = ((const REAL *)panel)[i * EL_PANEL + j];
}

static void NAME(transpose)(void *out, ptrdiff_t ldo, const void *w,
                            ptrdiff_t n, ptrdiff_t k)
{
    for (ptrdiff_t i = 0; i < k; ++i)
        for (ptrdiff_t j = 0; j < n; ++j)
            ((REAL *)out)[i * ldo + j] = ((const REAL *)w)[j * k + i];
}

static double NAME(probe)(void *data, double count)
{
    REAL *const x = data;
    const int n = 32 * 1024 / (int)sizeof(REAL);
    double done = 0;
    for (REAL sum = 0; done < count; done += n) {
        for (int j = 0; j < n; ++j)
            sum = FMA(x[j], x[n - 1 - j], sum);
        x[0] = sum * (REAL)0x1p-20;
    }
    return done;
}

#define TABLE(dtype_)                                                          \
    {                                                                          \
        .dtype = (dtype_), .size = sizeof(REAL), .gemm = NAME(gemm),           \
        .outer = NAME(outer), .exp = NAME(exp), .tanh = NAME(tanh),            \
        .sigmoid = NAME(sigmoid), .add = NAME(add), .mul = NAME(mul),          \
        .lstm = NAME(lstm), .lstm_back = NAME(lstm_back), .gru = NAME(gru),    \
        .gru_back = NAME(gru_back), .gru_reset = NAME(gru_reset),              \
        .gru_mix = NAME(gru_mix), .gru_mix_back = NAME(gru_mix_back),          \
        .gru_reset_back = NAME(gru_reset_back),                                \
        .add_strided = NAME(add_strided), .add_rows = NAME(add_rows),          \
        .xent = NAME(xent), .xent_max = NAME(xent_max),                        \
        .xent_add = NAME(xent_add), .xent_loss = NAME(xent_loss),              \
        .xent_columns = NAME(xent_columns), .sum_squares = NAME(sum_squares),  \
        .update = NAME(update), .panel_bytes = NAME(panel_bytes),              \
        .pack_rows = NAME(pack_rows), .pack_columns = NAME(pack_columns),      \
        .unpack_rows = NAME(unpack_rows), .transpose = NAME(transpose),        \
        .probe = NAME(probe),                                                  \
    }
