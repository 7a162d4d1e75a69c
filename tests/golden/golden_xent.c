/* SPDX-License-Identifier: MIT */
/* golden_xent.c - softmax with cross-entropy. */
#include "golden.h"

#include <math.h>
#include <string.h>

typedef struct rows {
    elman_xent_desc desc;
    const void *logits; /* [N,V] */
    const int64_t *targets;
} rows;

static bool read_rows(golden *g, rows *r)
{
    int64_t ignore = ELMAN_IGNORE, weighted = 0;
    r->desc = (elman_xent_desc)ELMAN_XENT_DESC;
    r->desc.dtype = g->dtype;
    if (!golden_int(g, "rows", 1, 1 << 24, &r->desc.rows) ||
        !golden_int(g, "classes", 1, 1 << 24, &r->desc.classes) ||
        !golden_real(g, "label_smoothing", &r->desc.label_smoothing) ||
        (elman_tensors_meta(g->file, "weighted") &&
         !golden_int(g, "weighted", 0, 1, &weighted)) ||
        (elman_tensors_meta(g->file, "ignore_index") &&
         !golden_int(g, "ignore_index", ELMAN_IGNORE, ELMAN_IGNORE, &ignore)))
        return false;
    const int64_t N = r->desc.rows, V = r->desc.classes;
    r->logits = golden_input(g, "logits", SHAPE(N, V));
    r->targets = golden_integers(g, "targets", SHAPE(N), ignore, V - 1);
    if (!r->logits || !r->targets)
        return false;
    if (weighted != golden_has(g, "class_weight"))
        return golden_fail(g, "class_weight and metadata weighted disagree");
    return !weighted ||
           (r->desc.class_weight = golden_input(g, "class_weight", SHAPE(V)));
}

/* Loss and gradient of one reduction; the gradient may lie where the logits
 * lay. */
static bool check(golden *g, rows *r, elman_reduction reduction, void *each,
                  double *loss)
{
    const int64_t N = r->desc.rows, V = r->desc.classes;
    void *const gradient = golden_reals(g, N * V);
    void *const in_place = golden_reals(g, N * V);
    if (!gradient || !in_place)
        return false;
    memcpy(in_place, r->logits, (size_t)(N * V) * elman_dtype_size(g->dtype));
    r->desc.reduction = reduction;
    return golden_called(g, "elman_cross_entropy",
                         elman_cross_entropy(g->context, &r->desc, r->logits,
                                             r->targets, each, gradient,
                                             loss)) &&
           golden_close(g,
                        reduction == ELMAN_SUM ? "grad_sum.logits"
                                               : "grad_mean.logits",
                        SHAPE(N, V), gradient, golden_usual(g)) &&
           golden_called(g, "elman_cross_entropy",
                         elman_cross_entropy(g->context, &r->desc, in_place,
                                             r->targets, NULL, in_place,
                                             NULL)) &&
           golden_same(g, "the gradient in the place of the logits", gradient,
                       in_place, N * V);
}

bool golden_cross_entropy(golden *g)
{
    rows r;
    if (!read_rows(g, &r))
        return false;
    const double tolerance = golden_usual(g);
    void *const each = golden_reals(g, r.desc.rows);
    double sum, mean;
    if (!each || !check(g, &r, ELMAN_SUM, each, &sum) ||
        !check(g, &r, ELMAN_MEAN, NULL, &mean))
        return false;
    const double perplexity = exp(mean);
    /* Left out where it would overflow. */
    const bool has_perplexity = golden_has(g, "perplexity");
    return golden_close(g, "loss_each", SHAPE(r.desc.rows), each, tolerance) &&
           golden_close_doubles(g, "loss_sum", 1, &sum, tolerance, false) &&
           golden_close_doubles(g, "loss_mean", 1, &mean, tolerance, false) &&
           (!has_perplexity ||
            golden_close_doubles(g, "perplexity", 1, &perplexity, tolerance,
                                 false));
}
