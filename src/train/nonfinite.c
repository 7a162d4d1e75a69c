/* SPDX-License-Identifier: MIT */
/* nonfinite.c - see nonfinite.h.
 *
 * That a loss or a norm is not finite costs one comparison an update; where it
 * began is looked for only then.  What is infinite in a forward pass stays so
 * to its end, and on the way back to its end likewise: the first layer of the
 * one, and the last tensor of the other, that is not finite is where it began.
 */
#include "nonfinite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_IN_A_ROW = 100 };

size_t el_carried_bytes(const elman_lm_state *s)
{
    const size_t size = s->lm->net.k->size;
    return (size_t)(el_lm_state_h_count(s) + el_lm_state_c_count(s)) * size +
           (size_t)el_lm_state_ids_count(s) * sizeof(int32_t);
}

static bool all_finite(const el_kernels *k, const void *x, int64_t count)
{
    bool finite = true;
    for (int64_t i = 0; i < count; ++i)
        finite &= k->dtype == ELMAN_F64 ? isfinite(((const double *)x)[i])
                                        : isfinite(((const float *)x)[i]);
    return finite;
}

const char *el_nonfinite_weights(const elman_lm *lm)
{
    const elman_network *const net = &lm->net;
    for (int i = 0; i < net->views.count; ++i) {
        const elman_view *const v = &net->views.list[i];
        if (!all_finite(net->k, el_at(net->k, net->weights, v->offset),
                        v->count))
            return v->name;
    }
    return NULL;
}

static bool layer_finite(const elman_lm_state *s, int layer)
{
    const el_kernels *const k = s->lm->net.k;
    const int64_t layers = s->lm->desc.layers;
    const int64_t h = el_lm_state_h_count(s) / layers;
    const int64_t c = el_lm_state_c_count(s) / layers;
    return all_finite(k, el_at(k, s->state.h, layer * h), h) &&
           (c == 0 || all_finite(k, el_at(k, s->state.c, layer * c), c));
}

static const char *view_named(const elman_lm *lm, const char *name)
{
    for (int i = 0; i < lm->net.views.count; ++i)
        if (strcmp(lm->net.views.list[i].name, name) == 0)
            return lm->net.views.list[i].name;
    return lm->net.views.list[0].name;
}

/* The first layer that is not finite; layers: all are. */
static int first_layer(const elman_lm_state *s)
{
    int layer = 0;
    while (layer < s->lm->desc.layers && layer_finite(s, layer))
        ++layer;
    return layer;
}

/* Where no state is carried the forward pass is made again, into one that can
 * be looked at; if there is no room for that, nothing more is known than that
 * the logits are not finite. */
static const char *where_loss(elman_trainer *t)
{
    const elman_lm *const lm = t->lm;
    const int layers = lm->desc.layers;
    int layer = layers;
    elman_lm_state *s = NULL;
    char name[64] = "decoder.weight";
    if (lm->net.stack.recurrent && t->state) {
        layer = first_layer(t->state);
    } else if (lm->net.stack.recurrent &&
               !el_lm_state_create(lm, t->shards.rows, &s)) {
        for (int64_t i = 0; i < t->shards.count; ++i) {
            el_shards_look(t, i, s);
            layer = first_layer(s) < layer ? first_layer(s) : layer;
        }
        el_lm_state_free(s);
    }
    layer = (int)el_group_least(&t->shards.group, layer);
    if (layer < layers)
        snprintf(name, sizeof name, "rnn.weight_hh_l%d", layer);
    return view_named(lm, name);
}

static const char *where_gradient(const elman_trainer *t)
{
    const elman_network *const net = &t->lm->net;
    int i = net->views.count - 1;
    while (i > 0 &&
           all_finite(net->k, el_at(net->k, t->grad, net->views.list[i].offset),
                      net->views.list[i].count))
        --i;
    return net->views.list[i].name;
}

static const char *where_weights(const elman_trainer *t)
{
    const el_views *const views = &t->lm->net.views;
    int i = 0;
    while (i < views->count - 1 &&
           t->watch.place >= views->list[i].offset + views->list[i].count)
        ++i;
    return views->list[i].name;
}

/* What a checkpoint would hold was not touched but for the state. */
static elman_status stop(elman_trainer *t, const char *what,
                         elman_train_report *report)
{
    const el_counters *const c = &t->counters;
    if (t->state)
        el_lm_state_write(t->state, t->carried);
    report->update = c->update + 1;
    report->epoch = el_truncation_place(t, c->update).epoch + 1;
    report->tokens = c->tokens;
    report->epoch_loss = t->sums.epoch_nats / (double)c->epoch_tokens;
    report->best_valid_loss = t->sums.best_loss;
    report->best_epoch = c->best_epoch;
    report->skipped_updates = c->skipped;
    if (c->in_a_row >= MOST_IN_A_ROW)
        return el_fail(ELMAN_ENONFINITE,
                       "update %lld: %s %s, and %d updates before it were "
                       "skipped for the like",
                       (long long)report->update, what, report->nonfinite,
                       MOST_IN_A_ROW);
    return el_fail(ELMAN_ENONFINITE,
                   "update %lld: %s %s (a smaller learning rate, or clipping, "
                   "may help)",
                   (long long)report->update, what, report->nonfinite);
}

elman_status el_trainer_refuse(elman_trainer *t, bool finite_loss,
                               elman_train_report *report)
{
    const char *what;
    if (!finite_loss) {
        what = "the loss is not finite, beginning at";
        report->nonfinite = where_loss(t);
    } else if (t->watch.place < 0) {
        what = "the gradient is not finite, beginning at";
        report->nonfinite = where_gradient(t);
    } else {
        what = "the weights would not stay finite, beginning at";
        report->nonfinite = where_weights(t);
    }
    if (t->desc.on_nonfinite == ELMAN_NONFINITE_STOP ||
        t->counters.in_a_row >= MOST_IN_A_ROW)
        return stop(t, what, report);
    if (t->state)
        el_lm_state_zero(t->state);
    ++t->counters.skipped;
    ++t->counters.in_a_row;
    report->skipped = 1;
    return ELMAN_OK;
}
