/* SPDX-License-Identifier: MIT */
/* c_source_weights.c - a model's weights as constants of a C file. */
#include "c_source.h"
#include "../kernels/int8.h"

#include <stdio.h>

/* In which order a matrix [rows,columns] lies in the file. */
typedef enum order {
    BY_PANELS, /* of EL_C_PANEL rows; in a panel by columns */
    BY_ROWS,
    BY_COLUMNS,
} order;

typedef struct matrix {
    const char *name;
    const float *w;
    int64_t rows, columns;
    order order;
} matrix;

static const char *type_of(const el_c_source *s)
{
    return s->weights == ELMAN_C_F32        ? "float"
           : s->weights == ELMAN_C_BFLOAT16 ? "uint16_t"
                                            : "int8_t";
}

static void put_weight(el_c_source *s, float value, float scale)
{
    switch (s->weights) {
    case ELMAN_C_F32:
        el_c_put_float(&s->list, value);
        break;
    case ELMAN_C_BFLOAT16:
        el_c_put_integer(&s->list, el_c_bfloat16(value));
        break;
    case ELMAN_C_INT8:
        el_c_put_integer(&s->list, el_int8(value, scale));
        break;
    }
}

/* Rows [from,to), by columns. */
static void put_panel(el_c_source *s, const matrix *m, const float *scales,
                      int64_t from, int64_t to)
{
    for (int64_t k = 0; k < m->columns; ++k)
        for (int64_t r = from; r < to; ++r)
            put_weight(s, m->w[r * m->columns + k], scales[r]);
}

static elman_status put_matrix(el_c_source *s, const matrix *m)
{
    float *const scales = el_alloc_array(s->context, m->rows, sizeof *scales);
    char name[64];
    if (!scales)
        return ELMAN_ENOMEM;
    el_c_list_begin(&s->list, "weight", m->name, m->rows * m->columns,
                    s->weights == ELMAN_C_F32        ? 4
                    : s->weights == ELMAN_C_BFLOAT16 ? 2
                                                     : 1);
    for (int64_t r = 0; r < m->rows && s->weights == ELMAN_C_INT8; ++r)
        scales[r] = el_int8_scale(m->w + r * m->columns, m->columns);
    const int64_t step = m->order == BY_PANELS ? EL_C_PANEL
                         : m->order == BY_ROWS ? 1
                                               : m->rows;
    for (int64_t r = 0; r < m->rows; r += step)
        put_panel(s, m, scales, r, r + step < m->rows ? r + step : m->rows);
    el_c_list_end(&s->list);
    if (s->weights == ELMAN_C_INT8) {
        snprintf(name, sizeof name, "%s_scale", m->name);
        el_c_list_begin(&s->list, "float", name, m->rows, 4);
        for (int64_t r = 0; r < m->rows; ++r)
            el_c_put_float(&s->list, scales[r]);
        el_c_list_end(&s->list);
    }
    el_free(s->context, scales);
    return ELMAN_OK;
}

/* a + b, rounded once; b may be NULL. */
static void put_vector(el_c_source *s, const char *name, const float *a,
                       const float *b, int64_t count, int64_t both)
{
    el_c_list_begin(&s->list, "float", name, count, 4);
    for (int64_t i = 0; i < count; ++i)
        el_c_put_float(&s->list, b && i < both ? a[i] + b[i] : a[i]);
    el_c_list_end(&s->list);
}

static bool is_gru(const el_c_source *s)
{
    return s->net->stack.desc.cell == ELMAN_CELL_GRU;
}

/* Both biases of a gate are one, but for b_hn of a GRU whose reset comes after
 * the product. */
static void put_biases(el_c_source *s, const el_layer *layer, int n)
{
    const float *const w = s->flat;
    const int64_t H = layer->hidden, G = el_layer_gates(layer);
    const bool apart = is_gru(s) && !layer->reset_before;
    char name[32];
    if (layer->b_ih < 0)
        return;
    snprintf(name, sizeof name, "bias_%d", n);
    put_vector(s, name, w + layer->b_ih,
               layer->b_hh >= 0 ? w + layer->b_hh : NULL, G * H,
               apart ? 2 * H : G * H);
    if (!apart)
        return;
    snprintf(name, sizeof name, "bias_n_%d", n);
    put_vector(s, name, w + layer->b_hh + 2 * H, NULL, H, 0);
}

/* A one-hot input picks columns, block by block of tokens. */
static elman_status put_columns(el_c_source *s, const el_layer *layer)
{
    const float *const w = s->flat + layer->w_ih;
    return put_matrix(s, &(matrix){"w_ih_0", w,
                                   el_layer_gates(layer) * layer->hidden,
                                   layer->input, BY_COLUMNS});
}

static elman_status put_layer(el_c_source *s, const el_layer *layer, int n)
{
    const float *const w = s->flat;
    const int64_t H = layer->hidden, P = layer->out;
    const int64_t rows = el_layer_gates(layer) * H;
    /* Those of the GRU's n are apart. */
    const int64_t first = is_gru(s) ? 2 * H : rows;
    const struct {
        const char *name;
        int64_t offset, rows, columns;
    } parts[] = {
        {"w_ih", layer->w_ih, layer->slots > 0 ? 0 : rows, layer->input},
        {"w_hh", layer->w_hh, layer->recurrent ? first : 0, P},
        {"w_hn", layer->w_hh + first * P, layer->recurrent ? rows - first : 0,
         P},
        {"w_hr", layer->w_hr, layer->proj > 0 ? P : 0, H}};
    elman_status status = ELMAN_OK;
    put_biases(s, layer, n);
    if (layer->slots > 0)
        status = put_columns(s, layer);
    for (size_t i = 0; !status && i < sizeof parts / sizeof *parts; ++i) {
        char name[32];
        if (parts[i].rows == 0 || parts[i].columns == 0)
            continue;
        snprintf(name, sizeof name, "%s_%d", parts[i].name, n);
        status =
            put_matrix(s, &(matrix){name, w + parts[i].offset, parts[i].rows,
                                    parts[i].columns, BY_PANELS});
    }
    return status;
}

static elman_status put_decoder(el_c_source *s)
{
    const elman_network *const net = s->net;
    const float *const w = s->flat;
    const el_decoder *const d = &net->decoder;
    elman_status status = ELMAN_OK;
    if (!d->context)
        return ELMAN_OK;
    if (d->bias >= 0)
        put_vector(s, "decoder_bias", w + d->bias, NULL, d->classes, 0);
    if (d->weight != net->embedding)
        status = put_matrix(s, &(matrix){"decoder", w + d->weight, d->classes,
                                         d->hidden, BY_PANELS});
    return status;
}

static int64_t vocabulary(const el_c_source *s)
{
    return s->lm ? s->lm->classes : s->net->desc.vocab;
}

elman_status el_c_weights(el_c_source *s)
{
    const elman_network *const net = s->net;
    elman_status status = ELMAN_OK;
    el_buffer_format(&s->data,
                     "/* ---- Weights "
                     "-----------------------------------------------------"
                     "----------*/\n\ntypedef %s weight;\n\n",
                     type_of(s));
    if (net->embed > 0)
        status = put_matrix(s, &(matrix){"embedding", s->flat + net->embedding,
                                         vocabulary(s), net->embed, BY_ROWS});
    for (int n = 0; !status && n < net->stack.count; ++n)
        status = put_layer(s, &net->stack.layers[n], n);
    if (!status)
        status = put_decoder(s);
    el_buffer_add(&s->data, "\n", 1);
    return status;
}
