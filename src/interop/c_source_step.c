/* SPDX-License-Identifier: MIT */
/* c_source_step.c - the state and the functions of a C file, from what the
 * model is. */
#include "c_source.h"

#include <stdio.h>
#include <string.h>

static const el_layer *layer_of(const el_c_source *s, int n)
{
    return &s->net->stack.layers[n];
}

static bool has_cell(const el_c_source *s, elman_cell cell)
{
    return s->net->stack.desc.cell == cell;
}

/* Tokens that enter a step: more than one without a hidden state. */
static int64_t tokens_of(const el_c_source *s)
{
    return s->lm ? s->lm->tokens : 1;
}

static bool one_hot(const el_c_source *s)
{
    return layer_of(s, 0)->slots > 0;
}

static bool takes_tokens(const el_c_source *s)
{
    return one_hot(s) || s->net->embed > 0;
}

static bool with_tanh(const el_c_source *s)
{
    return has_cell(s, ELMAN_CELL_LSTM) || has_cell(s, ELMAN_CELL_GRU) ||
           s->net->stack.desc.activation == ELMAN_TANH;
}

static bool with_sigmoid(const el_c_source *s)
{
    return has_cell(s, ELMAN_CELL_LSTM) || has_cell(s, ELMAN_CELL_GRU);
}

static bool tied(const el_c_source *s)
{
    return s->net->decoder.context &&
           s->net->decoder.weight == s->net->embedding;
}

int64_t el_c_work(const el_c_source *s)
{
    const int64_t H = s->net->stack.desc.hidden;
    return H * (with_sigmoid(s) ? 4 : 1) +
           (s->net->stack.desc.proj > 0 ? H : 0);
}

int64_t el_c_gathered(const el_c_source *s)
{
    return s->net->embed * tokens_of(s);
}

/* ---- The state ------------------------------------------------------------*/

static void put_arguments(const el_c_source *s, el_buffer *out, bool header)
{
    el_c_put(s, out, "void $_step($_state *state, ");
    if (takes_tokens(s))
        el_c_put(s, out, "int32_t id, ");
    else if (s->net->stack.desc.input > 0)
        el_c_put(s, out, "const float *x, ");
    el_c_put(s, out, header ? "float *y);\n" : "float *y)\n");
}

void el_c_state(el_c_source *s)
{
    const elman_network *const net = s->net;
    el_buffer *const out = &s->header;
    const int L = net->stack.count;
    el_c_put(s, out, "typedef struct $_state {\n");
    if (net->stack.recurrent)
        el_buffer_format(out, "    float h[%d][%lld];\n", L,
                         (long long)net->stack.out);
    if (has_cell(s, ELMAN_CELL_LSTM))
        el_buffer_format(out, "    float c[%d][%lld];\n", L,
                         (long long)net->stack.desc.hidden);
    if (tokens_of(s) > 1)
        el_buffer_format(out, "    int32_t ids[%lld]; /* the last tokens */\n",
                         (long long)tokens_of(s) - 1);
    el_buffer_format(out,
                     "    float work[%lld]; /* of no use from step to "
                     "step */\n",
                     (long long)el_c_work(s));
    if (el_c_gathered(s) > 0)
        el_buffer_format(out, "    float x[%lld]; /* likewise */\n",
                         (long long)el_c_gathered(s));
    el_c_put(s, out,
             "} $_state;\n\n"
             "/* A state where a sequence begins. */\n"
             "void $_init($_state *state);\n");
    el_c_put(s, out,
             takes_tokens(s)
                 ? "/* One step: y [@_OUTPUTS] is what comes of token "
                   "id (0 ... @_TOKENS - 1;\n"
                   " * any other is none); NULL if unwanted. */\n"
                 : "/* One step: y [@_OUTPUTS], NULL if unwanted; x "
                   "[@_INPUTS]. */\n");
    put_arguments(s, out, true);
}

static void put_zeros(const el_c_source *s, el_buffer *out, const char *name,
                      int64_t width)
{
    el_buffer_format(out,
                     "    for (n = 0; n < %d; ++n)\n"
                     "        for (j = 0; j < %lld; ++j)\n"
                     "            state->%s[n][j] = 0;\n",
                     s->net->stack.count, (long long)width, name);
}

static void put_init(el_c_source *s)
{
    el_buffer *const out = &s->code;
    el_c_put(s, out, "void $_init($_state *state)\n{\n");
    if (s->net->stack.recurrent)
        el_c_put(s, out, "    int32_t n, j;\n");
    else if (tokens_of(s) > 1)
        el_c_put(s, out, "    int32_t n;\n");
    else
        el_c_put(s, out, "    (void)state;\n");
    if (s->net->stack.recurrent)
        put_zeros(s, out, "h", s->net->stack.out);
    if (has_cell(s, ELMAN_CELL_LSTM))
        put_zeros(s, out, "c", s->net->stack.desc.hidden);
    if (tokens_of(s) > 1)
        el_buffer_format(out,
                         "    for (n = 0; n < %lld; ++n)\n"
                         "        state->ids[n] = -1;\n",
                         (long long)tokens_of(s) - 1);
    el_c_put(s, out, "}\n\n");
}

/* ---- One step -------------------------------------------------------------*/

/* A product with a matrix whose name is before_n, or just before. */
typedef struct call {
    const char *function, *before;
    int n; /* -1: the name has no number */
    int64_t rows, columns;
    const char *init, *x, *y;
} call;

static void put_call(el_c_source *s, const call *c, const char *indent)
{
    char name[48], scale[64] = "";
    if (c->n >= 0)
        snprintf(name, sizeof name, "%s_%d", c->before, c->n);
    else
        snprintf(name, sizeof name, "%s", c->before);
    if (s->weights == ELMAN_C_INT8)
        snprintf(scale, sizeof scale, "%s_scale, ", name);
    el_buffer_format(&s->code, "%s%s(%s, %s%lld, %lld, %s, %s, %s);\n", indent,
                     c->function, name, scale, (long long)c->rows,
                     (long long)c->columns, c->init, c->x, c->y);
}

static void put_activation(el_c_source *s, const el_layer *layer,
                           const char *to)
{
    el_buffer_format(&s->code,
                     layer->activation == ELMAN_RELU
                         ? "    for (j = 0; j < %lld; ++j)\n"
                           "        %s[j] = state->work[j] < 0 ? 0 : "
                           "state->work[j];\n"
                         : "    for (j = 0; j < %lld; ++j)\n"
                           "        %s[j] = tanh_of(state->work[j]);\n",
                     (long long)layer->hidden, to);
}

/* What stands in work before the products with the state. */
static void put_input(el_c_source *s, const el_layer *layer, int n,
                      const char *bias, const char *x)
{
    const int64_t rows = el_layer_gates(layer) * layer->hidden;
    const int64_t tokens = tokens_of(s);
    const char *const scale =
        s->weights == ELMAN_C_INT8 ? "w_ih_0_scale, " : "";
    if (layer->slots == 0)
        put_call(s,
                 &(call){"product", "w_ih", n, rows, layer->input, bias, x,
                         "state->work"},
                 "    ");
    else if (tokens == 1)
        el_buffer_format(&s->code,
                         "    add_column(w_ih_0, %s%lld, %s, id, "
                         "state->work);\n",
                         scale, (long long)rows, bias);
    else
        el_buffer_format(&s->code,
                         "    for (j = 0; j < %lld; ++j)\n"
                         "        add_column(w_ih_0 + j * %lld, %s%lld,\n"
                         "                   j == 0 ? %s : state->work,\n"
                         "                   j < %lld ? state->ids[j] : id, "
                         "state->work);\n",
                         (long long)tokens,
                         (long long)(layer->input / tokens * rows), scale,
                         (long long)rows, bias, (long long)tokens - 1);
}

static void put_gru(el_c_source *s, const el_layer *layer, int n,
                    const char *init, const char *h)
{
    const int64_t H = layer->hidden;
    char sum[48], q[48], bias[48] = "NULL";
    snprintf(sum, sizeof sum, "state->work + %lld", (long long)(2 * H));
    snprintf(q, sizeof q, "state->work + %lld", (long long)(3 * H));
    if (layer->b_ih >= 0)
        snprintf(bias, sizeof bias, "bias_n_%d", n);
    put_call(s, &(call){"product", "w_hh", n, 2 * H, H, init, h, "state->work"},
             "    ");
    if (!layer->reset_before) {
        put_call(s, &(call){"product", "w_hn", n, H, H, bias, h, q}, "    ");
        el_buffer_format(&s->code, "    gru(state->work, %lld, %s);\n",
                         (long long)H, h);
        return;
    }
    el_buffer_format(&s->code, "    reset(state->work, %lld, %s);\n",
                     (long long)H, h);
    put_call(s, &(call){"product", "w_hn", n, H, H, sum, q, sum}, "    ");
    el_buffer_format(&s->code, "    mix(state->work, %lld, %s);\n",
                     (long long)H, h);
}

static void put_lstm(el_c_source *s, const el_layer *layer, int n,
                     const char *init, const char *h)
{
    const int64_t H = layer->hidden, P = layer->out;
    char m[48];
    snprintf(m, sizeof m, "state->work + %lld", (long long)(4 * H));
    put_call(s, &(call){"product", "w_hh", n, 4 * H, P, init, h, "state->work"},
             "    ");
    el_buffer_format(&s->code,
                     "    lstm(state->work, %lld, state->c[%d], %s);\n",
                     (long long)H, n, layer->proj > 0 ? m : h);
    if (layer->proj > 0)
        put_call(s, &(call){"product", "w_hr", n, P, H, "NULL", m, h}, "    ");
}

static void put_layer(el_c_source *s, int n, const char *x)
{
    const el_layer *const layer = layer_of(s, n);
    char bias[32] = "NULL", h[32];
    const char *init = "state->work";
    snprintf(h, sizeof h, "state->h[%d]", n);
    if (layer->b_ih >= 0)
        snprintf(bias, sizeof bias, "bias_%d", n);
    if (layer->input > 0)
        put_input(s, layer, n, bias, x);
    else
        init = bias;
    if (!layer->recurrent) {
        put_activation(s, layer, "state->work");
    } else if (has_cell(s, ELMAN_CELL_LSTM)) {
        put_lstm(s, layer, n, init, h);
    } else if (has_cell(s, ELMAN_CELL_GRU)) {
        put_gru(s, layer, n, init, h);
    } else {
        put_call(s,
                 &(call){"product", "w_hh", n, layer->hidden, layer->hidden,
                         init, h, "state->work"},
                 "    ");
        put_activation(s, layer, h);
    }
}

static void put_embedding(el_c_source *s)
{
    const int64_t E = s->net->embed, tokens = tokens_of(s);
    if (E == 0)
        return;
    if (tokens == 1)
        el_buffer_format(&s->code, "    look_up(id, state->x);\n");
    else
        el_buffer_format(&s->code,
                         "    for (j = 0; j < %lld; ++j)\n"
                         "        look_up(j < %lld ? state->ids[j] : id, "
                         "state->x + j * %lld);\n",
                         (long long)tokens, (long long)tokens - 1,
                         (long long)E);
}

/* The tokens move on by one. */
static void put_tokens(el_c_source *s)
{
    const int64_t past = tokens_of(s) - 1;
    if (past == 0)
        return;
    el_buffer_format(&s->code,
                     "    for (j = 0; j + 1 < %lld; ++j)\n"
                     "        state->ids[j] = state->ids[j + 1];\n"
                     "    state->ids[%lld] = id;\n",
                     (long long)past, (long long)past - 1);
}

static void put_output(el_c_source *s)
{
    const el_decoder *const d = &s->net->decoder;
    char top[32] = "state->work";
    if (s->net->stack.recurrent)
        snprintf(top, sizeof top, "state->h[%d]", s->net->stack.count - 1);
    if (d->context) {
        el_c_put(s, &s->code, "    if (y != NULL)\n");
        put_call(s,
                 &(call){tied(s) ? "product_of_rows" : "product",
                         tied(s) ? "embedding" : "decoder", -1, d->classes,
                         d->hidden, d->bias >= 0 ? "decoder_bias" : "NULL", top,
                         "y"},
                 "        ");
        return;
    }
    el_buffer_format(&s->code,
                     "    for (j = 0; y != NULL && j < %lld; ++j)\n"
                     "        y[j] = %s[j];\n",
                     (long long)s->net->width, top);
}

static void put_step(el_c_source *s)
{
    const bool loops =
        !with_sigmoid(s) || tokens_of(s) > 1 || !s->net->decoder.context;
    put_arguments(s, &s->code, false);
    el_c_put(s, &s->code, loops ? "{\n    int32_t j;\n" : "{\n");
    put_embedding(s);
    for (int n = 0; n < s->net->stack.count; ++n) {
        char x[32];
        snprintf(x, sizeof x, "state->h[%d]", n - 1);
        put_layer(s, n, n > 0 ? x : s->net->embed > 0 ? "state->x" : "x");
    }
    put_tokens(s);
    put_output(s);
    el_c_put(s, &s->code, "}\n\n");
}

/* ---- All functions --------------------------------------------------------*/

static void put_look_up(el_c_source *s)
{
    if (s->net->embed == 0)
        return;
    el_c_put(s, &s->code,
             "/* A token's row; zeros for one that is none. */\n"
             "static void look_up(int32_t id, float *x)\n"
             "{\n"
             "    const int known = id >= 0 && id < @_TOKENS;\n"
             "    int32_t j;\n");
    el_buffer_format(&s->code,
                     "    for (j = 0; j < %lld; ++j)\n"
                     "        x[j] = known ? VALUE(embedding[id * %lld + j]%s) "
                     ": 0;\n"
                     "}\n\n",
                     (long long)s->net->embed, (long long)s->net->embed,
                     s->weights == ELMAN_C_INT8 ? ", embedding_scale[id]" : "");
}

static void put_products(el_c_source *s)
{
    const bool scaled = s->weights == ELMAN_C_INT8;
    el_c_put(s, &s->code,
             "/* ---- Products and gates "
             "---------------------------------------------------*/\n\n");
    el_c_put(s, &s->code,
             s->weights == ELMAN_C_F32        ? el_c_text_value_f32
             : s->weights == ELMAN_C_BFLOAT16 ? el_c_text_value_bfloat16
                                              : el_c_text_value_int8);
    el_c_put(s, &s->code, scaled ? el_c_text_product_int8 : el_c_text_product);
    if (tied(s))
        el_c_put(s, &s->code, scaled ? el_c_text_rows_int8 : el_c_text_rows);
    if (one_hot(s))
        el_c_put(s, &s->code,
                 scaled ? el_c_text_column_int8 : el_c_text_column);
    put_look_up(s);
}

void el_c_step(el_c_source *s)
{
    if (with_tanh(s) || s->lm)
        el_c_put(s, &s->code, el_c_text_reduced);
    if (with_sigmoid(s) || s->lm)
        el_c_put(s, &s->code, el_c_text_exp);
    if (with_tanh(s))
        el_c_put(s, &s->code, el_c_text_tanh);
    if (with_sigmoid(s))
        el_c_put(s, &s->code, el_c_text_sigmoid);
    put_products(s);
    if (has_cell(s, ELMAN_CELL_LSTM))
        el_c_put(s, &s->code, el_c_text_lstm);
    if (has_cell(s, ELMAN_CELL_GRU))
        el_c_put(s, &s->code,
                 layer_of(s, 0)->reset_before ? el_c_text_gru_before
                                              : el_c_text_gru_after);
    el_c_put(s, &s->code,
             "/* ---- The model "
             "------------------------------------------------------------*/"
             "\n\n");
    put_init(s);
    put_step(s);
}

/* ---- The vocabulary -------------------------------------------------------*/

static void put_vocabulary_header(el_c_source *s)
{
    static const char *const levels[] = {
        [ELMAN_CHAR] = "A token is a character in UTF-8, and number 0, "
                       "\"<unk>\", stands for any that\n * is not among them.",
        [ELMAN_WORD] = "A token is a word, \"<eos>\" the end of a line, and "
                       "number 0, \"<unk>\", stands for\n * any word that is "
                       "not among them.  Between words there is a blank.",
        [ELMAN_BYTE] = "A token is a byte."};
    el_c_put(s, &s->header, "\n/* ");
    el_c_put(s, &s->header, levels[s->lm->vocab->level]);
    el_c_put(
        s, &s->header,
        " */\n"
        "\n"
        "/* A token's bytes, not zero-terminated, and how many they are. */\n"
        "const char *$_token(int32_t id, int32_t *size);\n"
        "/* The token of these bytes; 0 if there is none. */\n"
        "int32_t $_find(const char *bytes, int32_t size);\n"
        "/* A token by its logits: the likeliest one where temperature is 0 or "
        "less,\n"
        " * else drawn with uniform, the caller's random number in [0, 1).  "
        "Never\n"
        " * \"<unk>\". */\n"
        "int32_t $_choose(const float *logits, float temperature, float "
        "uniform);\n"
        "/* A step and a choice: id = $_sample(&state, id, ...) in a loop "
        "writes.\n"
        " * logits [@_OUTPUTS] is room to work in. */\n"
        "int32_t $_sample($_state *state, int32_t id, float temperature,\n"
        "    float uniform, float *logits);\n");
}

elman_status el_c_vocabulary(el_c_source *s)
{
    const elman_vocab *const v = s->lm->vocab;
    int64_t size = 0;
    for (int64_t id = 0; id < v->size; ++id)
        size += (int64_t)v->tokens[id].size;
    if (size >= INT32_MAX)
        return el_fail(ELMAN_EUNSUPPORTED, "the vocabulary is too large");
    el_c_list_begin(&s->list, "unsigned char", "token_bytes", size, 1);
    for (int64_t id = 0; id < v->size; ++id)
        for (size_t i = 0; i < v->tokens[id].size; ++i)
            el_c_put_integer(&s->list,
                             (unsigned char)v->bytes[v->tokens[id].offset + i]);
    el_c_list_end(&s->list);
    el_c_list_begin(&s->list, "int32_t", "token_places", v->size + 1, 4);
    size = 0;
    el_c_put_integer(&s->list, size);
    for (int64_t id = 0; id < v->size; ++id) {
        size += (int64_t)v->tokens[id].size;
        el_c_put_integer(&s->list, size);
    }
    el_c_list_end(&s->list);
    el_buffer_add(&s->data, "\n", 1);
    el_buffer_format(&s->code,
                     "enum { FIRST = %d }; /* that may be chosen */\n\n",
                     v->level != ELMAN_BYTE && v->size > 1);
    el_c_put(s, &s->code, el_c_text_tokens);
    el_c_put(s, &s->code, el_c_text_choose);
    put_vocabulary_header(s);
    return ELMAN_OK;
}
