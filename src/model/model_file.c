/* SPDX-License-Identifier: MIT */
#include "model_file.h"
#include "../io/safetensors.h"
#include "../tensor/dtype.h"
#include "model_int8.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The metadata ---------------------------------------------------------
 * One table says what is written and read: a row is a key, the words that its
 * value is one of or the numbers that it lies between, and its kinds. */

static const char *const kinds[] = {
    [ELMAN_KIND_LM] = "language-model", [ELMAN_KIND_NETWORK] = "recurrent"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *const cells[] = {"elman", "none", "lstm", "gru", NULL};
static const char *const resets[] = {"after", "before", NULL};
static const char *const truths[] = {"no", "yes", NULL};
static const char *const arithmetics[] = {"full", "bf16", NULL};
static const char *const activations[] = {"tanh", "relu", NULL};
static const char *const decodes[] = {"all", "last", "final", NULL};
static const char *const levels[] = {"char", "word", "byte", NULL};
static const char *const normalizations[] = {"none", "letters", NULL};

enum { LM = 1 << ELMAN_KIND_LM, NETWORK = 1 << ELMAN_KIND_NETWORK };
#define SIZE (INT64_C(1) << 31)

typedef struct field {
    const char *key;
    size_t offset;
    int kinds;
    const char *const *words; /* NULL: a number */
    int64_t least, most;
    bool optional; /* 0 where it is not there, as in the first files */
    bool seldom;   /* and not written where it is 0 */
} field;

#define FIELD(key_, member, kinds_, ...)                                       \
    {                                                                          \
        .key = key_, .offset = offsetof(el_model_meta, member),                \
        .kinds = kinds_, __VA_ARGS__                                           \
    }
/* clang-format off */
static const field fields[] = {
    FIELD("cell", cell, LM | NETWORK, .words = cells),
    FIELD("activation", activation, LM | NETWORK, .words = activations),
    FIELD("hidden_size", hidden, LM | NETWORK, .least = 1, .most = SIZE),
    FIELD("num_layers", layers, LM | NETWORK, .least = 1, .most = 4096),
    FIELD("embedding_size", embed, LM | NETWORK, .most = SIZE),
    FIELD("context_size", context, LM, .most = 1 << 20),
    FIELD("proj_size", proj, LM | NETWORK, .most = SIZE, .optional = true),
    FIELD("reset", reset_before, LM | NETWORK, .words = resets,
          .optional = true),
    FIELD("tied", tie, LM | NETWORK, .words = truths, .optional = true),
    FIELD("products", products, LM | NETWORK, .words = arithmetics,
          .optional = true, .seldom = true),
    FIELD("input_size", input, NETWORK, .most = SIZE),
    FIELD("bidirectional", bidirectional, NETWORK, .words = truths),
    FIELD("bias", bias, NETWORK, .words = truths),
    FIELD("vocab_size", vocab, NETWORK, .most = SIZE),
    FIELD("output_size", outputs, NETWORK, .most = SIZE),
    FIELD("decoder_bias", decoder_bias, NETWORK, .words = truths),
    FIELD("decode", decode, NETWORK, .words = decodes, .optional = true),
    FIELD("level", level, LM, .words = levels),
    FIELD("normalize", normalize, LM, .words = normalizations),
};
/* clang-format on */
enum { FIELDS = sizeof fields / sizeof *fields, NUMBER_ROOM = 24 };

static bool has(const field *f, elman_kind kind)
{
    return f->kinds >> kind & 1;
}

static int64_t value_of(const field *f, const el_model_meta *meta)
{
    int64_t value;
    memcpy(&value, (const char *)meta + f->offset, sizeof value);
    return value;
}

/* ---- Out ------------------------------------------------------------------*/

static elman_tensor tensor_of(const elman_network *n, const elman_view *v,
                              const void *weights)
{
    return (elman_tensor){.name = v->name,
                          .dtype = el_dtype_stored(n->k->dtype),
                          .rank = v->rank,
                          .shape = {v->shape[0], v->shape[1]},
                          .count = v->count,
                          .data = el_at(n->k, weights, v->offset)};
}

/* Returns how many of keys and values are filled. */
static int put_fields(const el_model_meta *meta, char (*numbers)[NUMBER_ROOM],
                      const char **pairs)
{
    int used = 0;
    pairs[used++] = "format";
    pairs[used++] = "elman";
    pairs[used++] = "kind";
    pairs[used++] = kinds[meta->kind];
    for (int i = 0; i < FIELDS; ++i) {
        const field *const f = &fields[i];
        const int64_t value = value_of(f, meta);
        if (!has(f, meta->kind) || (f->seldom && value == 0))
            continue;
        snprintf(numbers[i], NUMBER_ROOM, "%lld", (long long)value);
        pairs[used++] = f->key;
        pairs[used++] = f->words ? f->words[value] : numbers[i];
    }
    return used;
}

/* Such a network has no other weights than its own. */
static elman_status write_int8(const el_model_writing *w, const char *path,
                               const char *const *pairs, int count, int keep)
{
    assert(!w->weights && w->more_count == 0);
    el_int8_tensors t;
    elman_status s = el_int8_make(w->network, &t);
    if (s)
        return s;
    s = el_tensors_write(w->network->context, path, t.list, t.count, pairs,
                         count, keep);
    el_int8_free(w->network, &t);
    return s;
}

elman_status el_model_write(const el_model_writing *w, const char *path,
                            int keep)
{
    enum { MORE_PAIRS = 2 };
    const elman_network *const n = w->network;
    const char *pairs[2 * (2 + FIELDS + MORE_PAIRS)];
    char numbers[FIELDS][NUMBER_ROOM];
    int used = put_fields(w->meta, numbers, pairs);
    assert(w->pair_count <= MORE_PAIRS);
    for (int i = 0; i < 2 * w->pair_count; ++i)
        pairs[used++] = w->pairs[i];
    if (n->k->dtype == ELMAN_INT8)
        return write_int8(w, path, pairs, used / 2, keep);
    const int views = n->views.count, count = views + w->more_count;
    void *own = NULL;
    const void *const weights =
        w->weights ? w->weights : el_network_flat(n, &own);
    elman_tensor *const list = el_alloc_array(n->context, count, sizeof *list);
    elman_status s = weights && list ? ELMAN_OK : ELMAN_ENOMEM;
    for (int i = 0; !s && i < count; ++i)
        list[i] = i < views ? tensor_of(n, &n->views.list[i], weights)
                            : w->more[i - views];
    if (!s)
        s = el_tensors_write(n->context, path, list, count, pairs, used / 2,
                             keep);
    el_free(n->context, list);
    el_free(n->context, own);
    return s;
}

/* ---- In: the metadata -----------------------------------------------------*/

elman_kind el_model_kind(const elman_tensors *file)
{
    const char *const format = el_tensors_meta(file, "format");
    const char *const kind = el_tensors_meta(file, "kind");
    for (int i = 0; i < KINDS; ++i)
        if (format && kind && kinds[i] && strcmp(format, "elman") == 0 &&
            strcmp(kind, kinds[i]) == 0)
            return (elman_kind)i;
    return ELMAN_KIND_TENSORS;
}

static elman_status read_word(const elman_tensors *file, const char *path,
                              const char *key, const char *const *words,
                              int64_t *out)
{
    const char *const value = el_tensors_meta(file, key);
    for (int i = 0; value && words[i]; ++i)
        if (strcmp(value, words[i]) == 0) {
            *out = i;
            return ELMAN_OK;
        }
    if (!value)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata has no %s: this is not a model of "
                       "elman's",
                       path, key);
    return el_fail(ELMAN_EFORMAT,
                   "%s: the metadata's %s is \"%.40s\", which "
                   "this version does not know",
                   path, key, value);
}

static elman_status read_number(const elman_tensors *file, const char *path,
                                const field *f, int64_t *out)
{
    const char *const value = el_tensors_meta(file, f->key);
    char *end = NULL;
    const long long number = value ? strtoll(value, &end, 10) : 0;
    if (!value || end == value || *end || number < f->least || number > f->most)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's %s is %s%.40s%s (a whole number "
                       "from %lld to %lld)",
                       path, f->key, value ? "\"" : "",
                       value ? value : "missing", value ? "\"" : "",
                       (long long)f->least, (long long)f->most);
    *out = number;
    return ELMAN_OK;
}

static elman_status read_field(const elman_tensors *file, const char *path,
                               const field *f, el_model_meta *meta)
{
    int64_t value = 0;
    elman_status s = ELMAN_OK;
    if (!f->optional || el_tensors_meta(file, f->key))
        s = f->words ? read_word(file, path, f->key, f->words, &value)
                     : read_number(file, path, f, &value);
    memcpy((char *)meta + f->offset, &value, sizeof value);
    return s;
}

/* A file that calls itself of another kind says what it is good for. */
static elman_status check_kind(const elman_tensors *file, const char *path,
                               elman_kind kind)
{
    static const char *const formats[] = {"elman", NULL};
    const char *const words[] = {kinds[kind], NULL};
    int64_t word;
    const elman_kind there = el_model_kind(file);
    if (there != kind && there != ELMAN_KIND_TENSORS)
        return el_fail(ELMAN_EFORMAT, "%s: it is a %s, not a %s", path,
                       there == ELMAN_KIND_LM ? "language model" : "network",
                       kind == ELMAN_KIND_LM ? "language model" : "network");
    const elman_status s = read_word(file, path, "format", formats, &word);
    return s ? s : read_word(file, path, "kind", words, &word);
}

static int64_t width_of(const el_model_meta *m)
{
    const int64_t P = m->proj > 0 ? m->proj : m->hidden;
    return m->bidirectional ? 2 * P : P;
}

/* What of the metadata does not go together. */
static elman_status check_cell(const char *path, const el_model_meta *m)
{
    const bool gated = m->cell == ELMAN_CELL_LSTM || m->cell == ELMAN_CELL_GRU;
    if (m->proj > 0 && m->cell != ELMAN_CELL_LSTM)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's proj_size is %lld (0: only the LSTM "
                       "has a projection)",
                       path, (long long)m->proj);
    if (m->proj > 0 && m->proj >= m->hidden)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's proj_size is %lld (0, or less than "
                       "hidden_size, %lld)",
                       path, (long long)m->proj, (long long)m->hidden);
    if (m->reset_before && m->cell != ELMAN_CELL_GRU)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's reset is before (only a GRU has a "
                       "reset gate)",
                       path);
    if (gated && m->activation != ELMAN_TANH)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's activation is relu (the LSTM and "
                       "the GRU have tanh)",
                       path);
    return ELMAN_OK;
}

static elman_status check_lm(const char *path, const el_model_meta *m)
{
    const bool none = m->cell == ELMAN_CELL_NONE;
    if (none ? m->context < 1 : m->context > 0)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's context_size is %lld (%s)", path,
                       (long long)m->context,
                       none ? "at least 1 without a hidden state"
                            : "0: a recurrent network has no such limit");
    if (none && m->layers != 1)
        return el_fail(ELMAN_EFORMAT,
                       "%s: a model without a hidden state has 1 layer, not "
                       "%lld",
                       path, (long long)m->layers);
    if (m->tie && m->context > 1)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's tied is yes, and context_size is "
                       "%lld (1 at most)",
                       path, (long long)m->context);
    if (m->tie && m->embed != width_of(m))
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's tied is yes, and embedding_size is "
                       "%lld (it must then be %lld)",
                       path, (long long)m->embed, (long long)width_of(m));
    return ELMAN_OK;
}

static elman_status check_network(const char *path, const el_model_meta *m)
{
    if (m->cell == ELMAN_CELL_NONE)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's cell is none (a network has a "
                       "hidden state)",
                       path);
    if ((m->embed > 0) != (m->vocab > 0) ||
        (m->embed > 0 && m->input != m->embed))
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's vocab_size, embedding_size and "
                       "input_size are %lld, %lld and %lld (0, 0 and any, or "
                       "the last two alike)",
                       path, (long long)m->vocab, (long long)m->embed,
                       (long long)m->input);
    if (m->tie &&
        (m->embed == 0 || m->embed != width_of(m) || m->outputs != m->vocab))
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's tied is yes, but the embedding and "
                       "the decoder have different shapes",
                       path);
    return ELMAN_OK;
}

/* The first matrix that every model has says it for all. */
static elman_status find_dtype(const elman_tensors *file, const char *path,
                               el_model_meta *m)
{
    const char *const name =
        m->cell == ELMAN_CELL_NONE ? "hidden.weight" : "rnn.weight_hh_l0";
    const elman_tensor *t;
    const elman_status s = el_model_find_tensor(file, path, name, &t);
    if (s)
        return s;
    m->dtype = t->dtype == ELMAN_I8 ? ELMAN_INT8 : t->dtype;
    if (m->dtype != ELMAN_F32 && m->dtype != ELMAN_F64 &&
        m->dtype != ELMAN_INT8)
        return el_fail(ELMAN_EFORMAT, "%s: %s is not of floats", path, name);
    if (m->products && m->dtype != ELMAN_F32)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the metadata's products is bf16, but %s is not of "
                       "float32",
                       path, name);
    if (m->products)
        m->dtype = ELMAN_BF16;
    return ELMAN_OK;
}

elman_status el_model_read_meta(const elman_tensors *file, const char *path,
                                el_model_meta *meta)
{
    const elman_kind kind = meta->kind;
    elman_status s = check_kind(file, path, kind);
    *meta = (el_model_meta){.kind = kind, .bias = 1, .decoder_bias = 1};
    for (int i = 0; !s && i < FIELDS; ++i)
        if (has(&fields[i], kind))
            s = read_field(file, path, &fields[i], meta);
    if (!s)
        s = check_cell(path, meta);
    if (!s)
        s = kind == ELMAN_KIND_LM ? check_lm(path, meta)
                                  : check_network(path, meta);
    return s ? s : find_dtype(file, path, meta);
}

/* ---- In: the tensors ------------------------------------------------------*/

elman_status el_model_find_tensor(const elman_tensors *file, const char *path,
                                  const char *name, const elman_tensor **out)
{
    *out = el_tensors_find(file, name);
    return *out ? ELMAN_OK
                : el_fail(ELMAN_EFORMAT, "%s: there is no tensor %s", path,
                          name);
}

static double parameters(const el_model_meta *m)
{
    const double H = (double)m->hidden, V = (double)m->vocab;
    const double E = (double)m->embed, O = (double)m->outputs;
    const double P = m->proj > 0 ? (double)m->proj : H;
    const double S = m->bidirectional ? 2 : 1, L = (double)m->layers;
    const double biases = m->bias ? 2 : 0;
    const double I = m->kind == ELMAN_KIND_NETWORK ? (double)m->input
                     : m->embed > 0                ? E
                                                   : V;
    const double G = m->cell == ELMAN_CELL_LSTM  ? 4
                     : m->cell == ELMAN_CELL_GRU ? 3
                                                 : 1;
    const double around = (m->embed > 0 ? V * E : 0) +
                          (m->tie ? 0 : O * S * P) + (m->decoder_bias ? O : 0);
    if (m->cell == ELMAN_CELL_NONE)
        return around + H * I * (double)m->context + H;
    return around + S * (G * H * (I + P + biases) +
                         (L - 1) * G * H * (S * P + P + biases) +
                         (m->proj > 0 ? L * P * H : 0));
}

elman_status el_model_check_size(const elman_tensors *file, const char *path,
                                 const el_model_meta *meta)
{
    const double wanted = parameters(meta);
    double there = 0;
    for (int i = 0; i < el_tensors_count(file); ++i)
        there += (double)el_tensors_at(file, i)->count;
    if (wanted > there)
        return el_fail(ELMAN_EFORMAT,
                       "%s: the sizes in the metadata ask for %.0f parameters, "
                       "and the file has %.0f numbers",
                       path, wanted, there);
    return ELMAN_OK;
}

static bool same_shape(const elman_tensor *t, const elman_view *v)
{
    if (t->rank != v->rank)
        return false;
    for (int i = 0; i < v->rank; ++i)
        if (t->shape[i] != v->shape[i])
            return false;
    return true;
}

/* A tensor of a view's shape and dtype. */
typedef struct from_file {
    const elman_tensors *file;
    const elman_tensor *tensor;
} from_file;

static elman_status give_rows(void *arg, int64_t first, int64_t rows, void *to)
{
    const from_file *const f = arg;
    const int64_t columns = f->tensor->rank > 1 ? f->tensor->shape[1] : 1;
    return el_tensors_pull(f->file, f->tensor, first * columns, rows * columns,
                           to);
}

static elman_status take_view(elman_network *n, const elman_tensors *file,
                              const char *path, elman_dtype own,
                              const elman_view *view)
{
    const elman_dtype dtype = el_dtype_stored(own);
    from_file f = {.file = file};
    const elman_status s =
        el_model_find_tensor(file, path, view->name, &f.tensor);
    if (s)
        return s;
    if (f.tensor->dtype != dtype || !same_shape(f.tensor, view))
        return el_fail(ELMAN_EFORMAT,
                       "%s: tensor %s does not have the shape and dtype "
                       "that the metadata asks for",
                       path, view->name);
    return el_network_fill(n, view, dtype, give_rows, &f);
}

elman_status el_model_take_weights(elman_network *n, const elman_tensors *file,
                                   const char *path, elman_dtype own,
                                   const char *others)
{
    const bool bytes = own == ELMAN_INT8;
    for (int i = 0; i < n->views.count; ++i) {
        const elman_view *const view = &n->views.list[i];
        const elman_status s = bytes && view->rank == 2
                                   ? el_int8_take(n, file, path, view)
                                   : take_view(n, file, path, own, view);
        if (s)
            return s;
    }
    for (int i = 0; i < el_tensors_count(file); ++i) {
        const char *const name = el_tensors_at(file, i)->name;
        elman_view view;
        if ((!others || strncmp(name, others, strlen(others)) != 0) &&
            !(bytes && el_int8_is_scale(n, name)) &&
            el_views_find(&n->views, name, &view))
            return el_fail(ELMAN_EFORMAT,
                           "%s: tensor %.100s is not part of such a model",
                           path, name);
    }
    const elman_status s = el_tensors_same(file);
    if (!s)
        el_network_settle(n);
    return s;
}

/* ---- A network alone ------------------------------------------------------*/

elman_status el_network_write(const elman_network *network, const char *path)
{
    const elman_network_desc *const d = &network->desc;
    const elman_rnn_desc *const r = &d->rnn;
    const el_model_meta meta = {.kind = ELMAN_KIND_NETWORK,
                                .dtype = r->dtype,
                                .products = r->dtype == ELMAN_BF16,
                                .cell = r->cell,
                                .activation = r->activation,
                                .hidden = r->hidden,
                                .layers = r->layers,
                                .embed = d->embed,
                                .proj = r->proj,
                                .reset_before = r->reset_before != 0,
                                .tie = d->tie != 0,
                                .input = r->input,
                                .vocab = d->vocab,
                                .outputs = d->outputs,
                                .bidirectional = r->bidirectional != 0,
                                .bias = !r->no_bias,
                                .decoder_bias = !d->no_decoder_bias,
                                .decode = d->decode};
    return el_model_write(
        &(el_model_writing){.network = network, .meta = &meta}, path, 0);
}

static elman_network_desc desc_of(const el_model_meta *m)
{
    elman_network_desc d = ELMAN_NETWORK_DESC;
    d.rnn.cell = (elman_cell)m->cell;
    d.rnn.activation = (elman_activation)m->activation;
    d.rnn.dtype = m->dtype;
    d.rnn.input = m->input;
    d.rnn.hidden = m->hidden;
    d.rnn.layers = (int)m->layers;
    d.rnn.no_bias = !m->bias;
    d.rnn.inference_only = 1;
    d.rnn.proj = m->proj;
    d.rnn.bidirectional = (int)m->bidirectional;
    d.rnn.reset_before = (int)m->reset_before;
    d.vocab = m->vocab;
    d.embed = m->embed;
    d.outputs = m->outputs;
    d.no_decoder_bias = !m->decoder_bias;
    d.tie = (int)m->tie;
    d.decode = (elman_decode)m->decode;
    return d;
}

elman_status el_network_from_tensors(const elman_context *context,
                                     const elman_tensors *file,
                                     const char *path, bool rounded,
                                     elman_dtype dtype, elman_network **out)
{
    el_model_meta meta = {.kind = ELMAN_KIND_NETWORK};
    elman_network *n = NULL;
    elman_status s = el_model_read_meta(file, path, &meta);
    if (!s)
        s = el_model_check_size(file, path, &meta);
    if (!s) {
        elman_network_desc desc = desc_of(&meta);
        if (dtype != ELMAN_DTYPE_OWN)
            desc.rnn.dtype = dtype;
        s = el_network_create(context, &desc, rounded, &n);
    }
    if (!s)
        s = el_model_take_weights(n, file, path, meta.dtype, NULL);
    if (s) {
        el_network_free(n);
        return s;
    }
    *out = n;
    return ELMAN_OK;
}
