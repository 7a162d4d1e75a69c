/* SPDX-License-Identifier: MIT */
/* pointwise_tmpl.h - element by element, and sums along a row.  Reference:
 * ../ref/body.h, which has the formulas.
 *
 * Any n, any alignment, nothing touched past n: a tail runs the same
 * operations under a mask, so that a value never depends on its place. */

#include "functions.h"

static void EL_KERNEL(exp)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        v_store((float *)y + j, m, v_exp(v_load((const float *)x + j, m)));
    }
}

static void EL_KERNEL(tanh)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        v_store((float *)y + j, m, v_tanh(v_load((const float *)x + j, m)));
    }
}

static void EL_KERNEL(sigmoid)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        v_store((float *)y + j, m, v_sigmoid(v_load((const float *)x + j, m)));
    }
}

static void EL_KERNEL(add)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        float *const p = (float *)y + j;
        v_store(p, m, v_add(v_load(p, m), v_load((const float *)x + j, m)));
    }
}

static void EL_KERNEL(mul)(void *y, const void *x, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        float *const p = (float *)y + j;
        v_store(p, m, v_mul(v_load(p, m), v_load((const float *)x + j, m)));
    }
}

static void EL_KERNEL(add_rows)(void *y, const void *x, ptrdiff_t ldx,
                                const int32_t *index, ptrdiff_t rows,
                                ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        const float *const column = (const float *)x + j;
        vf sum = v_load((float *)y + j, m);
        for (ptrdiff_t r = 0; r < rows; ++r)
            sum = v_add(sum, v_load(column + (index ? index[r] : r) * ldx, m));
        v_store((float *)y + j, m, sum);
    }
}

/* The EL_LANES lanes of a sum, in as many vectors as that takes. */
enum { LANE_VECTORS = EL_LANES / VL };

static void EL_KERNEL(xent_max)(const void *row, ptrdiff_t n, void *max)
{
    const float *const x = row;
    const vf lowest = v_set(-INFINITY);
    vf all = lowest;
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm m = v_tail(n - j);
        all = v_max(v_pick(m, v_load(x + j, m), lowest), all);
    }
    float lanes[VL], most = *(const float *)max;
    v_store_all(lanes, all);
    for (int i = 0; i < VL; ++i)
        most = lanes[i] > most ? lanes[i] : most;
    *(float *)max = most;
}

static void EL_KERNEL(xent_add)(const void *row, ptrdiff_t n, const void *max,
                                void *sums)
{
    const float *const x = row;
    const vf shift = v_set(*(const float *)max);
    vf lanes[LANE_VECTORS];
    for (int u = 0; u < LANE_VECTORS; ++u)
        lanes[u] = v_load_all((float *)sums + u * VL);
    for (ptrdiff_t j = 0; j < n; j += EL_LANES)
        for (int u = 0; u < LANE_VECTORS; ++u) {
            const vm m = v_tail(n - j - u * VL);
            const vf z = v_exp(v_sub(v_load(x + j + u * VL, m), shift));
            lanes[u] = v_pick(m, v_add(lanes[u], z), lanes[u]);
        }
    for (int u = 0; u < LANE_VECTORS; ++u)
        v_store_all((float *)sums + u * VL, lanes[u]);
}

static void EL_KERNEL(xent_columns)(const el_xent_columns *c)
{
    const float *const x = c->x;
    float *const dx = c->dx;
    const float *const sums = c->sums;
    const vf shift = v_set(sums[0]);
    const float scale = (float)c->scale;
    const vf factor = v_set(scale / sums[1]);
    const bool met = c->target >= 0 && c->target < c->n;
    const vf hit = v_exp(v_set(met ? x[c->target] - sums[0] : 0));
    for (ptrdiff_t j = 0; j < c->n; j += VL) {
        const vm m = v_tail(c->n - j);
        const vf z = v_exp(v_sub(v_load(x + j, m), shift));
        v_store(dx + j, m, v_mul(z, factor));
    }
    if (met)
        v_store(dx + c->target, v_tail(1), v_fma(hit, factor, v_set(-scale)));
}

static double EL_KERNEL(xent)(const el_xent *e, const void *row, int64_t target,
                              void *gradient)
{
    /* What is rare has one body, the reference's. */
    if (target < 0 || e->weight || e->smoothing != 0)
        return el_xent_c(e, row, target, gradient);
    float sums[2] = {-INFINITY}, lanes[EL_LANES] = {0};
    EL_KERNEL(xent_max)(row, e->classes, sums);
    EL_KERNEL(xent_add)(row, e->classes, sums, lanes);
    const double loss =
        el_xent_loss_c(lanes, (const float *)row + target, sums);
    const el_xent_columns all = {e->classes, row,    sums,
                                 e->scale,   target, gradient};
    if (gradient)
        EL_KERNEL(xent_columns)(&all);
    return loss;
}

/* A product of two floats is exact in double, so that the vectors which the
 * compiler makes of this loop have the reference's bits. */
static double EL_KERNEL(sum_squares)(const void *x, ptrdiff_t n)
{
    const float *const p = x;
    double sum[EL_LANES] = {0};
    ptrdiff_t j = 0;
    for (; j + EL_LANES <= n; j += EL_LANES)
        for (int i = 0; i < EL_LANES; ++i)
            sum[i] = __builtin_fma((double)p[j + i], (double)p[j + i], sum[i]);
    for (int i = 0; j + i < n; ++i)
        sum[i] = __builtin_fma((double)p[j + i], (double)p[j + i], sum[i]);
    for (int w = EL_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; ++i)
            sum[i] += sum[i + w];
    return sum[0];
}

static void EL_KERNEL(update)(const el_update *u, void *weights,
                              const void *gradient, void *first, void *second,
                              ptrdiff_t n)
{
    float *const p = weights, *const m = first, *const v = second;
    const float *const g = gradient;
    const vf scale = v_set((float)u->grad_scale);
    const vf decay = v_set((float)u->weight_decay);
    const vf lr = v_set((float)u->lr), eps = v_set((float)u->eps);
    const vf b1 = v_set((float)u->beta1), a1 = v_set((float)(1 - u->beta1));
    const vf b2 = v_set((float)u->beta2), a2 = v_set((float)(1 - u->beta2));
    const vf alpha = v_set((float)u->alpha);
    const vf rest = v_set((float)(1 - u->alpha));
    const vf mu = v_set((float)u->momentum);
    const vf step = v_set((float)(u->lr / u->correction1));
    const vf root = v_set((float)(1 / __builtin_sqrt(u->correction2)));
    const vf shrink = v_set((float)(1 - u->lr * u->weight_decay));
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const vm k = v_tail(n - j);
        vf w = v_load(p + j, k), d = v_mul(v_load(g + j, k), scale), a, b;
        if (u->kind != ELMAN_ADAMW)
            d = v_fma(decay, w, d);
        switch (u->kind) {
        case ELMAN_SGD:
            w = v_fnma(lr, d, w);
            break;
        case ELMAN_MOMENTUM:
            a = v_fma(mu, v_load(m + j, k), d);
            v_store(m + j, k, a);
            w = v_fnma(lr, a, w);
            break;
        case ELMAN_ADAMW:
            w = v_mul(w, shrink);
            /* fall through */
        case ELMAN_ADAM:
            a = v_fma(b1, v_load(m + j, k), v_mul(a1, d));
            b = v_fma(b2, v_load(v + j, k), v_mul(v_mul(a2, d), d));
            v_store(m + j, k, a);
            v_store(v + j, k, b);
            w = v_fnma(step, v_div(a, v_fma(v_sqrt(b), root, eps)), w);
            break;
        case ELMAN_RMSPROP:
            a = v_fma(alpha, v_load(m + j, k), v_mul(v_mul(rest, d), d));
            v_store(m + j, k, a);
            w = v_fnma(lr, v_div(d, v_add(v_sqrt(a), eps)), w);
            break;
        }
        v_store(p + j, k, w);
    }
}
