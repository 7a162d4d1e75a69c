/* SPDX-License-Identifier: MIT */
/* watch.c - see watch.h.
 *
 * No element of the gradient is larger than its norm, so that a few operations
 * on bounds tell of nearly every update that it can do no harm.  Where they
 * cannot tell, as in a first update, the update is made on copies, block by
 * block, which also gives the bounds anew. */
#include "watch.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

typedef union block {
    float f32[BLOCK];
    double f64[BLOCK];
} block;

/* Room for what rounding adds to a bound. */
static const double slack = 1 + 1e-6;

static double largest(const elman_optimizer *o)
{
    return o->k->dtype == ELMAN_F64 ? DBL_MAX : FLT_MAX;
}

/* As the kernels have it. */
static double rounded(const elman_optimizer *o, double x)
{
    return o->k->dtype == ELMAN_F64 ? x : (double)(float)x;
}

/* The bounds behind an update, given those before it.  Constants that do not
 * fit the dtype make them infinite. */
static el_watch behind(const el_watch *before, const elman_optimizer *o,
                       const el_update *u, double norm)
{
    const double eps = rounded(o, u->eps);
    const double step = rounded(o, u->lr / u->correction1);
    const double root = rounded(o, 1 / sqrt(u->correction2));
    const double lr = rounded(o, u->lr);
    el_watch b = *before;
    double g = norm * u->grad_scale, move = 0;
    if (u->kind != ELMAN_ADAMW)
        g += u->weight_decay * b.weights;
    g *= slack;
    switch (u->kind) {
    case ELMAN_SGD:
        move = lr * g;
        break;
    case ELMAN_MOMENTUM:
        b.m = u->momentum * b.m + g;
        move = lr * b.m;
        break;
    case ELMAN_ADAMW:
    case ELMAN_ADAM:
        if (u->kind == ELMAN_ADAMW)
            b.weights *= fmax(1, fabs(1 - u->lr * u->weight_decay));
        b.m = fmax(b.m, g);
        b.v = fmax(b.v, g * g);
        move = b.v * root < largest(o) ? step * (b.m / eps) : INFINITY;
        break;
    case ELMAN_RMSPROP:
        b.m = fmax(b.m, g * g);
        move = lr * (g / eps);
        break;
    }
    b.weights = slack * (b.weights + move);
    b.m *= slack;
    b.v *= slack;
    return b;
}

static bool fits(const el_watch *b, const elman_optimizer *o)
{
    const double most = largest(o) / 16;
    return b->weights < most && (!o->m || b->m < most) &&
           (!o->v || b->v < most);
}

/* The largest magnitude of n elements, or infinity; *bad is the first element
 * that is not finite, if it is before *bad. */
static double span(const elman_optimizer *o, const block *b, int64_t n,
                   int64_t *bad)
{
    double most = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double x =
            fabs(o->k->dtype == ELMAN_F64 ? b->f64[i] : (double)b->f32[i]);
        if (!(x <= DBL_MAX)) {
            *bad = i < *bad ? i : *bad;
            return INFINITY;
        }
        most = x > most ? x : most;
    }
    return most;
}

static block *copy(const elman_optimizer *o, block *to, const void *from,
                   int64_t at, int64_t n)
{
    const size_t size = o->k->size;
    if (!from)
        return NULL;
    memcpy(to, (const char *)from + (size_t)at * size, (size_t)n * size);
    return to;
}

/* Makes the update on copies. */
static bool try_out(el_watch *watch, const elman_optimizer *o,
                    const el_update *update, const void *weights,
                    const void *grad)
{
    el_watch w = {.place = -1};
    for (int64_t at = 0; at < o->count; at += BLOCK) {
        block p, g, m, v;
        const int64_t n = o->count - at < BLOCK ? o->count - at : BLOCK;
        int64_t bad = n;
        copy(o, &p, weights, at, n);
        copy(o, &g, grad, at, n);
        block *const first = copy(o, &m, o->m, at, n);
        block *const second = copy(o, &v, o->v, at, n);
        o->k->update(update, &p, &g, first, second, n);
        w.weights = fmax(w.weights, span(o, &p, n, &bad));
        w.m = fmax(w.m, first ? span(o, first, n, &bad) : 0);
        w.v = fmax(w.v, second ? span(o, second, n, &bad) : 0);
        if (bad < n) {
            watch->place = at + bad;
            return false;
        }
    }
    *watch = w;
    return true;
}

bool el_watch_allows(el_watch *watch, const elman_optimizer *o,
                     const el_update *update, double norm, const void *weights,
                     const void *grad)
{
    const el_watch next = behind(watch, o, update, norm);
    if (!fits(&next, o))
        return try_out(watch, o, update, weights, grad);
    *watch = next;
    watch->place = -1;
    return true;
}
