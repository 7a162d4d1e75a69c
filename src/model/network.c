/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <string.h>

elman_status el_network_build(elman_network *n, const el_network_parts *parts)
{
    const elman_context *const c = n->context;
    elman_status s = ELMAN_OK;
    n->k = el_context_kernels(c, parts->stack.dtype);
    n->stack.context = c;
    n->embedding = -1;
    n->embed = parts->embed;
    if (parts->embed > 0)
        s = el_views_add(c, &n->views, "embedding.", "weight", parts->vocab,
                         parts->embed, &n->embedding);
    el_stack_desc stack = parts->stack;
    stack.lent = parts->once;
    if (!s)
        s = el_stack_create(c, &stack, &n->views, &n->stack);
    if (s)
        return s;
    n->width = parts->outputs > 0 ? parts->outputs : n->stack.width;
    if (parts->outputs > 0)
        s = el_decoder_create(
            c, n->k,
            &(el_decoder_desc){.hidden = n->stack.width,
                               .classes = parts->outputs,
                               .tied = parts->tie ? n->embedding : -1,
                               .bias = parts->decoder_bias,
                               .lent = parts->once},
            &n->views, &n->decoder);
    if (s)
        return s;
    if (parts->once)
        return el_compact_create(
            &(el_compact_parts){.stack = &n->stack,
                                .decoder =
                                    parts->outputs > 0 ? &n->decoder : NULL,
                                .vocab = parts->embed > 0 ? parts->vocab : 0,
                                .embed = parts->embed,
                                .total = n->views.total},
            &n->compact);
    n->weights = el_alloc_array(c, n->views.total, n->k->size);
    return n->weights ? ELMAN_OK : ELMAN_ENOMEM;
}

void el_network_clear(elman_network *n)
{
    el_views_free(n->context, &n->views);
    el_stack_free(&n->stack);
    el_decoder_free(&n->decoder);
    if (n->compact.context)
        el_compact_free(&n->compact);
    else
        el_free(n->context, n->weights);
}

int64_t el_network_weights_bytes(const elman_network *n)
{
    return n->compact.context
               ? el_compact_bytes(&n->compact)
               : n->views.total * (int64_t)n->k->size + EL_BLOCK_EXTRA;
}

int64_t el_network_packed_bytes(const elman_network *n)
{
    return el_stack_bytes(&n->stack) + el_decoder_bytes(&n->decoder);
}

const void *el_network_read(const elman_network *n)
{
    return n->compact.context ? el_compact_read(&n->compact) : n->weights;
}

const void *el_network_flat(const elman_network *n, void **own)
{
    *own = NULL;
    if (!n->compact.context)
        return n->weights;
    *own = el_alloc_array(n->context, n->views.total, n->k->size);
    if (*own)
        el_compact_copy(&n->compact, *own);
    return *own;
}

void *el_network_open(elman_network *n)
{
    if (n->compact.context)
        n->weights = el_compact_open(&n->compact);
    return n->weights;
}

void el_network_pack(elman_network *n)
{
    if (n->k->dtype == ELMAN_INT8 && n->weights)
        el_views_round(&n->views, n->weights);
    if (n->compact.context) {
        el_compact_close(&n->compact);
        n->weights = NULL;
        return;
    }
    el_stack_pack(&n->stack, n->weights);
    if (n->decoder.context)
        el_decoder_pack(&n->decoder, n->weights);
}

/* Rows of another precision. */
typedef struct cast {
    el_rows_source *source;
    void *arg;
    bool wide; /* of the source's; those wanted are not, or the other way */
    int64_t columns;
    void *room; /* for some rows of the source's */
} cast;

static elman_status give_cast(void *arg, int64_t first, int64_t rows, void *to)
{
    const cast *const c = arg;
    const int64_t count = rows * c->columns;
    const elman_status s = c->source(c->arg, first, rows, c->room);
    for (int64_t i = 0; !s && i < count; ++i) {
        if (c->wide)
            ((float *)to)[i] = (float)((const double *)c->room)[i];
        else
            ((double *)to)[i] = (double)((const float *)c->room)[i];
    }
    return s;
}

static elman_status fill(elman_network *n, const elman_view *view,
                         el_rows_source *source, void *arg)
{
    const int64_t all = view->shape[0], most = el_rows_at_once(view);
    const int64_t columns = view->rank > 1 ? view->shape[1] : 1;
    if (n->compact.context)
        return el_compact_fill(&n->compact, view, source, arg);
    for (int64_t row = 0; row < all; row += most) {
        const elman_status s =
            source(arg, row, all - row < most ? all - row : most,
                   el_at(n->k, n->weights, view->offset + row * columns));
        if (s)
            return s;
    }
    return ELMAN_OK;
}

elman_status el_network_fill(elman_network *n, const elman_view *view,
                             elman_dtype from, el_rows_source *source,
                             void *arg)
{
    const bool wide = from == ELMAN_F64;
    if (wide == (n->k->dtype == ELMAN_F64))
        return fill(n, view, source, arg);
    cast c = {.source = source,
              .arg = arg,
              .wide = wide,
              .columns = view->rank > 1 ? view->shape[1] : 1};
    c.room = el_alloc_array(n->context, el_rows_at_once(view) * c.columns,
                            wide ? sizeof(double) : sizeof(float));
    const elman_status s = c.room ? fill(n, view, give_cast, &c) : ELMAN_ENOMEM;
    el_free(n->context, c.room);
    return s;
}

void el_network_settle(elman_network *n)
{
    if (n->compact.context)
        el_compact_settle(&n->compact);
    else
        el_network_pack(n);
}

void el_network_rows(const elman_network *n, const elman_view *view,
                     int64_t first, int64_t rows, void *to)
{
    const int64_t columns = view->rank > 1 ? view->shape[1] : 1;
    if (n->compact.context)
        el_compact_rows(&n->compact, view, first, rows, to);
    else
        memcpy(to, el_at(n->k, n->weights, view->offset + first * columns),
               (size_t)(rows * columns) * n->k->size);
}

elman_status el_network_create(const elman_context *context,
                               const elman_network_desc *desc, bool rounded,
                               elman_network **out)
{
    const elman_rnn_desc *const d = &desc->rnn;
    const el_network_parts parts = {
        .vocab = desc->vocab,
        .embed = desc->embed,
        .stack = {.cell = d->cell,
                  .activation = d->activation,
                  .dtype = d->dtype,
                  .input = d->input,
                  .hidden = d->hidden,
                  .proj = d->proj,
                  .layers = d->layers,
                  .directions = d->bidirectional ? 2 : 1,
                  .bias = !d->no_bias,
                  .reset_before = d->reset_before,
                  .prefix = "rnn."},
        .outputs = desc->outputs,
        .tie = desc->tie,
        .decoder_bias = !desc->no_decoder_bias,
        .once = d->dtype != ELMAN_BF16 || rounded};
    elman_network *const n = el_alloc(context, sizeof *n);
    if (!n)
        return ELMAN_ENOMEM;
    n->context = context;
    n->desc = *desc;
    if (desc->decode == ELMAN_DECODE_FINAL && !d->bidirectional)
        n->desc.decode = ELMAN_DECODE_LAST;
    const elman_status s = el_network_build(n, &parts);
    if (s) {
        el_network_free(n);
        return s;
    }
    el_network_pack(n);
    *out = n;
    return ELMAN_OK;
}

void el_network_free(elman_network *n)
{
    if (!n)
        return;
    el_network_clear(n);
    el_free(n->context, n);
}

typedef struct rows_of {
    const elman_network *from;
    const elman_view *view;
} rows_of;

static elman_status give_rows(void *arg, int64_t first, int64_t rows, void *to)
{
    const rows_of *const r = arg;
    el_network_rows(r->from, r->view, first, rows, to);
    return ELMAN_OK;
}

elman_status el_network_copy_weights(elman_network *n,
                                     const elman_network *from)
{
    elman_status s = ELMAN_OK;
    for (int i = 0; !s && i < n->views.count; ++i) {
        rows_of r = {.from = from, .view = &n->views.list[i]};
        s = el_network_fill(n, r.view, from->k->dtype, give_rows, &r);
    }
    if (!s)
        el_network_settle(n);
    return s;
}

elman_status el_network_copy(const elman_network *n, elman_dtype dtype,
                             elman_network **out)
{
    elman_network_desc desc = n->desc;
    desc.rnn.dtype = dtype;
    elman_status s = el_network_create(n->context, &desc, false, out);
    if (!s && (s = el_network_copy_weights(*out, n)) != ELMAN_OK) {
        el_network_free(*out);
        *out = NULL;
    }
    return s;
}

void el_network_embed(const elman_network *n, int64_t count, const int32_t *ids,
                      void *x, int64_t ldx)
{
    const el_kernels *const k = n->k;
    const size_t bytes = (size_t)n->embed * k->size;
    for (int64_t i = 0; i < count; ++i) {
        void *const to = el_at(k, x, i * ldx);
        if (ids[i] >= 0 && n->compact.context)
            el_compact_embed(&n->compact, ids[i], to);
        else if (ids[i] >= 0)
            memcpy(to, el_at(k, n->weights, n->embedding + ids[i] * n->embed),
                   bytes);
        else
            memset(to, 0, bytes);
    }
}
