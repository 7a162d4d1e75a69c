/* SPDX-License-Identifier: MIT */
#include "onnx_write.h"
#include "onnx_scan.h"

#include <string.h>

enum {
    OPSET = 14, /* the first in which RNN, LSTM and GRU are as they are, */
    IR = 7,     /* and what goes with it */
    FLOAT = EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    DOUBLE = EL_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    INT64 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = EL_ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
};

const char *const el_onnx_levels[] = {"char", "word", "byte", NULL};
const char *const el_onnx_normalizations[] = {"none", "letters", NULL};

typedef struct writer {
    el_onnx_builder b;
    const elman_network *net;
    const void *weights; /* its flat block */
    const el_stack_desc *stack;
    int64_t tokens; /* V of one-hot input; 0: it is none */
    bool lengths;
    elman_decode decode;
    int type;    /* of all real numbers */
    size_t size; /* of one */
    int64_t P;   /* what a direction gives */
    ElOnnx__GraphProto *graph;
} writer;

#define TEXT(...) el_onnx_text(&w->b, __VA_ARGS__)
/* Names that end with NULL. */
#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

static ElOnnx__NodeProto *node(writer *w, char *op, char *const *inputs,
                               char *const *outputs)
{
    return el_onnx_node(&w->b, w->graph, op, inputs, outputs);
}

/* ---- Weights --------------------------------------------------------------*/

static bool find(const writer *w, const char *name, elman_view *view)
{
    return el_views_find(&w->net->views, name, view) == ELMAN_OK;
}

static const void *numbers_of(const writer *w, const elman_view *view)
{
    return el_at(w->net->k, w->weights, view->offset);
}

/* A tensor as it lies in the flat block. */
static void add_view(writer *w, const elman_view *view)
{
    el_onnx_initializer(&w->b, w->graph, TEXT("%s", view->name), w->type,
                        view->shape, view->rank, numbers_of(w, view),
                        (size_t)view->count * w->size);
}

/* Gates in the order of ONNX: LSTM i o f c of our i f g o, GRU z r h of our r z
 * n. */
static void copy_gates(const writer *w, const elman_view *view, char *to)
{
    static const int order[][4] = {[ELMAN_CELL_ELMAN] = {0},
                                   [ELMAN_CELL_LSTM] = {0, 3, 1, 2},
                                   [ELMAN_CELL_GRU] = {1, 0, 2}};
    const int64_t gates = view->shape[0] / w->stack->hidden;
    const size_t bytes = (size_t)(view->count / gates) * w->size;
    const char *const from = numbers_of(w, view);
    for (int64_t g = 0; g < gates; ++g)
        memcpy(to + (size_t)g * bytes,
               from + (size_t)order[w->stack->cell][g] * bytes, bytes);
}

/* weight_ih, weight_hh, or the two biases one behind the other, of all
 * directions. */
static char *add_gates(writer *w, int l, const char *const *parts, int count,
                       const char *as)
{
    const int S = w->stack->directions;
    char *const name = TEXT("rnn.%s_l%d", as, l), *to = NULL;
    int64_t shape[3] = {S, 0, 0};
    size_t bytes = 0;
    int rank = 0;
    for (int i = 0; i < S * count; ++i) {
        elman_view view;
        char *const from = TEXT("rnn.%s_l%d%s", parts[i % count], l,
                                i / count > 0 ? "_reverse" : "");
        if (!from || !find(w, from, &view))
            return NULL;
        const size_t part = (size_t)view.count * w->size;
        if (i == 0) {
            rank = view.rank + 1;
            shape[1] = view.shape[0] * count;
            shape[2] = view.shape[1];
            bytes = part * (size_t)(S * count);
            to = el_onnx_make(&w->b, bytes);
        }
        if (!to)
            return NULL;
        copy_gates(w, &view, to + (size_t)i * part);
    }
    el_onnx_initializer(&w->b, w->graph, name, w->type, shape, rank, to, bytes);
    return name;
}

/* ---- Inputs and outputs ---------------------------------------------------*/

typedef void add_info(el_onnx_builder *b, ElOnnx__GraphProto *graph, char *name,
                      int type, const el_onnx_dimension *shape, int rank);

static void add_state(writer *w, add_info *add, char *name, int64_t width)
{
    const el_onnx_dimension shape[] = {
        {NULL, (int64_t)w->stack->layers * w->stack->directions},
        {"B", 0},
        {NULL, width}};
    add(&w->b, w->graph, name, w->type, shape, 3);
}

static bool has_c(const writer *w)
{
    return w->stack->cell == ELMAN_CELL_LSTM;
}

static bool has_ids(const writer *w)
{
    return w->net->embed > 0 || w->tokens > 0;
}

static void add_inputs(writer *w)
{
    const el_onnx_dimension shape[] = {
        {"T", 0}, {"B", 0}, {NULL, w->stack->input}};
    if (has_ids(w))
        el_onnx_graph_input(&w->b, w->graph, "ids", INT64, shape, 2);
    else
        el_onnx_graph_input(&w->b, w->graph, "x", w->type, shape, 3);
    if (w->lengths)
        el_onnx_graph_input(&w->b, w->graph, "lengths", INT32, shape + 1, 1);
    add_state(w, el_onnx_graph_input, "h0", w->P);
    if (has_c(w))
        add_state(w, el_onnx_graph_input, "c0", w->stack->hidden);
}

static void add_outputs(writer *w)
{
    const el_onnx_dimension shape[] = {
        {"T", 0}, {"B", 0}, {NULL, w->net->width}};
    const int from = w->decode == ELMAN_DECODE_ALL ? 0 : 1;
    el_onnx_graph_output(&w->b, w->graph, "y", w->type, shape + from, 3 - from);
    add_state(w, el_onnx_graph_output, "hT", w->P);
    if (has_c(w))
        add_state(w, el_onnx_graph_output, "cT", w->stack->hidden);
}

/* ---- Nodes ----------------------------------------------------------------*/

/* What enters the first layer. */
static char *add_tokens(writer *w)
{
    static const double zero_one[] = {0, 1};
    static const float zero_one_narrow[] = {0, 1};
    elman_view table;
    if (w->net->embed > 0 && find(w, "embedding.weight", &table)) {
        add_view(w, &table);
        node(w, "Gather", LIST("embedding.weight", "ids"), LIST("embedding"));
        return "embedding";
    }
    if (w->tokens == 0)
        return "x";
    el_onnx_integers(&w->b, w->graph, "tokens", &w->tokens, 1);
    el_onnx_initializer(&w->b, w->graph, "zero_one", w->type, (int64_t[]){2}, 1,
                        w->type == DOUBLE ? (const void *)zero_one
                                          : zero_one_narrow,
                        2 * w->size);
    node(w, "OneHot", LIST("ids", "tokens", "zero_one"), LIST("one_hot"));
    return "one_hot";
}

/* "h0_l0", "h0_l1" and so on. */
static char **state_names(writer *w, const char *all, int count)
{
    char **const names =
        el_onnx_make(&w->b, (size_t)(count + 1) * sizeof *names);
    for (int i = 0; names && i < count; ++i)
        names[i] = TEXT("%s_l%d", all, i);
    return names;
}

/* States of all layers, into one for each layer. */
static void split_states(writer *w, char *all)
{
    char **const parts = state_names(w, all, w->stack->layers);
    if (parts)
        node(w, "Split", LIST(all, "rows"), parts);
}

static void join_states(writer *w, char *all, int count)
{
    char **const parts = state_names(w, all, count);
    if (parts)
        el_onnx_set_int(&w->b, node(w, "Concat", parts, LIST(all)), "axis", 0);
}

static void begin_states(writer *w)
{
    const int L = w->stack->layers;
    if (w->stack->proj > 0)
        return;
    int64_t *const rows = el_onnx_make(&w->b, (size_t)L * sizeof *rows);
    if (L == 1 || !rows)
        return;
    for (int l = 0; l < L; ++l)
        rows[l] = w->stack->directions;
    el_onnx_integers(&w->b, w->graph, "rows", rows, L);
    split_states(w, "h0");
    if (has_c(w))
        split_states(w, "c0");
}

static void end_states(writer *w)
{
    const int S = w->stack->proj > 0 ? w->stack->directions : 1;
    if (w->stack->layers == 1 && w->stack->proj == 0)
        return;
    join_states(w, "hT", w->stack->layers * S);
    if (has_c(w))
        join_states(w, "cT", w->stack->layers * S);
}

static char *state_name(writer *w, const char *all, int l)
{
    return w->stack->layers == 1 ? TEXT("%s", all) : TEXT("%s_l%d", all, l);
}

static void set_attributes(writer *w, ElOnnx__NodeProto *layer)
{
    const el_stack_desc *const d = w->stack;
    el_onnx_set_int(&w->b, layer, "hidden_size", d->hidden);
    if (d->directions == 2)
        el_onnx_set_text(&w->b, layer, "direction", "bidirectional");
    if (d->cell == ELMAN_CELL_ELMAN)
        el_onnx_set_texts(&w->b, layer, "activations",
                          d->activation == ELMAN_RELU ? "Relu" : "Tanh",
                          d->directions);
    if (d->cell == ELMAN_CELL_GRU)
        el_onnx_set_int(&w->b, layer, "linear_before_reset", !d->reset_before);
}

/* Y is [T,S,B,H] and becomes [T,B,S*H]. */
static void add_flattening(writer *w, int l, char *Y, char *to)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (w->stack->directions == 1) {
        node(w, "Squeeze", LIST(Y, "direction"), LIST(to));
        return;
    }
    char *const turned = TEXT("rnn_l%d_turned", l);
    el_onnx_set_ints(&w->b, node(w, "Transpose", LIST(Y), LIST(turned)), "perm",
                     perm, 4);
    node(w, "Reshape", LIST(turned, "flat"), LIST(to));
}

static void add_layer(writer *w, int l, char *from, char *to)
{
    static char *const ops[] = {[ELMAN_CELL_ELMAN] = "RNN",
                                [ELMAN_CELL_LSTM] = "LSTM",
                                [ELMAN_CELL_GRU] = "GRU"};
    char *const Y = TEXT("rnn_l%d_Y", l);
    char *const W =
        add_gates(w, l, (const char *[]){"weight_ih"}, 1, "weight_ih");
    char *const R =
        add_gates(w, l, (const char *[]){"weight_hh"}, 1, "weight_hh");
    char *const B =
        w->stack->bias
            ? add_gates(w, l, (const char *[]){"bias_ih", "bias_hh"}, 2, "bias")
            : "";
    char *const h = state_name(w, "hT", l), *const c = state_name(w, "cT", l);
    ElOnnx__NodeProto *const layer = node(
        w, ops[w->stack->cell],
        LIST(from, W, R, B, w->lengths ? "lengths" : "", state_name(w, "h0", l),
             has_c(w) ? state_name(w, "c0", l) : NULL),
        LIST(Y, h, has_c(w) ? c : NULL));
    set_attributes(w, layer);
    add_flattening(w, l, Y, to);
}

/* ---- The LSTM with a projection -------------------------------------------*/

/* The name of a weight, which is added; NULL where it is not there. */
static char *add_part(writer *w, const char *part, int l, int s)
{
    elman_view view;
    char *const name = TEXT("rnn.%s_l%d%s", part, l, s > 0 ? "_reverse" : "");
    if (!name || !find(w, name, &view))
        return NULL;
    add_view(w, &view);
    return name;
}

/* Row i of all states, [B,.]. */
static char *take_row(writer *w, char *all, char *row, int i)
{
    char *const name = TEXT("%s_l%d", all, i);
    node(w, "Gather", LIST(all, row), LIST(name));
    return name;
}

static void put_row(writer *w, char *from, const char *all, int i)
{
    node(w, "Unsqueeze", LIST(from, "first"), LIST(TEXT("%s_l%d", all, i)));
}

static void add_scan(writer *w, int l, int s, char *from, char *to)
{
    const int i = l * w->stack->directions + s;
    const el_onnx_scan_names names = {
        .weight_ih = add_part(w, "weight_ih", l, s),
        .weight_hh = add_part(w, "weight_hh", l, s),
        .bias_ih = add_part(w, "bias_ih", l, s),
        .bias_hh = add_part(w, "bias_hh", l, s),
        .weight_hr = add_part(w, "weight_hr", l, s)};
    char *const row = TEXT("row_%d", i), *const h = TEXT("rnn_l%d_hT_%d", l, s);
    char *const c = TEXT("rnn_l%d_cT_%d", l, s);
    el_onnx_integer_constant(&w->b, w->graph, row, i);
    char *const h0 = take_row(w, "h0", row, i);
    char *const c0 = take_row(w, "c0", row, i);
    ElOnnx__NodeProto *const scan =
        node(w, "Scan", LIST(h0, c0, from), LIST(h, c, to));
    el_onnx_set_graph(&w->b, scan, "body",
                      el_onnx_scan_body(&w->b, &names, w->type));
    el_onnx_set_int(&w->b, scan, "num_scan_inputs", 1);
    if (s > 0) {
        el_onnx_set_ints(&w->b, scan, "scan_input_directions", (int64_t[]){1},
                         1);
        el_onnx_set_ints(&w->b, scan, "scan_output_directions", (int64_t[]){1},
                         1);
    }
    put_row(w, h, "hT", i);
    put_row(w, c, "cT", i);
}

static void add_projected(writer *w, int l, char *from, char *to)
{
    char *const forth = TEXT("rnn_l%d_forward", l);
    char *const back = TEXT("rnn_l%d_reverse", l);
    if (w->stack->directions == 1) {
        add_scan(w, l, 0, from, to);
        return;
    }
    add_scan(w, l, 0, from, forth);
    add_scan(w, l, 1, from, back);
    el_onnx_set_int(&w->b, node(w, "Concat", LIST(forth, back), LIST(to)),
                    "axis", 2);
}

/* ---- All nodes ------------------------------------------------------------*/

static void add_decoder(writer *w, char *from)
{
    elman_view weight, bias;
    const bool biased = find(w, "decoder.bias", &bias);
    const bool tied = !find(w, "decoder.weight", &weight);
    if (!tied)
        add_view(w, &weight);
    node(w, "Transpose", LIST(tied ? "embedding.weight" : "decoder.weight"),
         LIST("decoder_turned"));
    node(w, "MatMul", LIST(from, "decoder_turned"),
         LIST(biased ? "decoder_product" : "y"));
    if (!biased)
        return;
    add_view(w, &bias);
    node(w, "Add", LIST("decoder_product", "decoder.bias"), LIST("y"));
}

/* What the last layer, whose steps are `from`, gives at the end: [B,S*P]. */
static void add_last(writer *w, char *from, char *to)
{
    static const int64_t perm[] = {1, 0, 2};
    const int l = w->stack->layers - 1;
    char *const h = state_name(w, "hT", l);
    char *const forth = TEXT("rnn_l%d_hT_0", l);
    if (w->decode == ELMAN_DECODE_LAST && w->stack->directions == 2) {
        el_onnx_integer_constant(&w->b, w->graph, "last", -1);
        node(w, "Gather", LIST(from, "last"), LIST(to));
    } else if (w->stack->directions == 1) {
        node(w, w->stack->proj > 0 ? "Identity" : "Squeeze",
             w->stack->proj > 0 ? LIST(forth) : LIST(h, "first"), LIST(to));
    } else if (w->stack->proj > 0) {
        char *const both[] = {forth, TEXT("rnn_l%d_hT_1", l), NULL};
        el_onnx_set_int(&w->b, node(w, "Concat", both, LIST(to)), "axis", 1);
    } else {
        el_onnx_integers(&w->b, w->graph, "flat_last", (int64_t[]){0, -1}, 2);
        el_onnx_set_ints(&w->b,
                         node(w, "Transpose", LIST(h), LIST("hT_turned")),
                         "perm", perm, 3);
        node(w, "Reshape", LIST("hT_turned", "flat_last"), LIST(to));
    }
}

static void add_nodes(writer *w)
{
    const int L = w->stack->layers;
    const bool decoder = w->net->decoder.context != NULL;
    const bool all = w->decode == ELMAN_DECODE_ALL;
    char *from = add_tokens(w);
    if (w->stack->proj > 0 || (!all && w->stack->directions == 1))
        el_onnx_integers(&w->b, w->graph, "first", (int64_t[]){0}, 1);
    if (w->stack->proj == 0 && w->stack->directions == 1)
        el_onnx_integers(&w->b, w->graph, "direction", (int64_t[]){1}, 1);
    else if (w->stack->proj == 0)
        el_onnx_integers(&w->b, w->graph, "flat", (int64_t[]){0, 0, -1}, 3);
    begin_states(w);
    for (int l = 0; l < L && !w->b.failed; ++l) {
        char *const to =
            l + 1 == L && !decoder && all ? "y" : TEXT("rnn_l%d", l);
        if (w->stack->proj > 0)
            add_projected(w, l, from, to);
        else
            add_layer(w, l, from, to);
        from = to;
    }
    end_states(w);
    if (!all) {
        char *const to = decoder ? "last_step" : "y";
        add_last(w, from, to);
        from = to;
    }
    if (decoder)
        add_decoder(w, from);
}

/* ---- The model ------------------------------------------------------------*/

static void add_meta(writer *w, ElOnnx__ModelProto *model, const elman_lm *lm,
                     el_buffer *vocab)
{
    el_onnx_meta(&w->b, model, "format", "elman");
    el_onnx_meta(&w->b, model, "kind", lm ? "language-model" : "recurrent");
    if (!lm)
        return;
    el_vocab_to_json(lm->vocab, vocab);
    w->b.failed |= vocab->failed;
    el_onnx_meta(&w->b, model, "level",
                 TEXT("%s", el_onnx_levels[lm->vocab->level]));
    el_onnx_meta(&w->b, model, "normalize",
                 TEXT("%s", el_onnx_normalizations[lm->vocab->normalize]));
    el_onnx_meta(&w->b, model, "vocabulary", vocab->data);
    if (lm->history[0])
        el_onnx_meta(&w->b, model, "training", lm->history);
}

static elman_status check_network(const writer *w)
{
    const el_stack_desc *const d = w->stack;
    const bool lengths = w->lengths;
    if (d->cell == ELMAN_CELL_NONE)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the model has no hidden state, and what is written as "
                       "ONNX are recurrent layers");
    if (d->input == 0 && d->slots == 0)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the network has no input, and ONNX has no recurrent "
                       "layer without one");
    if (d->proj > 0 && lengths)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "an LSTM with a projection is written as a Scan, which "
                       "has no lengths");
    if (lengths && d->directions == 2 && w->decode == ELMAN_DECODE_LAST)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the last steps of a network in both directions are not "
                       "written with lengths (its final states are)");
    return ELMAN_OK;
}

elman_status el_onnx_make_file(const elman_lm *lm, const elman_network *network,
                               const elman_onnx_desc *desc, const char *path)
{
    const elman_context *const context = network->context;
    writer made = {.b = {.context = context},
                   .net = network,
                   .stack = &network->stack.desc,
                   .tokens = lm && lm->desc.embed == 0 ? lm->classes : 0,
                   .lengths = desc->lengths != 0,
                   .decode = lm ? ELMAN_DECODE_ALL : network->desc.decode,
                   .type = network->k->dtype == ELMAN_F64 ? DOUBLE : FLOAT,
                   .size = network->k->size,
                   .P = network->stack.out};
    writer *const w = &made;
    el_buffer vocab = EL_BUFFER(context);
    elman_status s = check_network(w);
    if (s)
        return s;
    void *own;
    made.weights = el_network_flat(network, &own);
    if (!made.weights)
        return ELMAN_ENOMEM;
    w->graph = el_onnx_graph(&w->b, "elman");
    ElOnnx__ModelProto *const model = el_onnx_model(&w->b, w->graph, IR, OPSET);
    add_inputs(w);
    add_nodes(w);
    add_outputs(w);
    add_meta(w, model, lm, &vocab);
    s = w->b.failed ? el_no_memory() : el_onnx_pack(context, model, path);
    el_buffer_free(&vocab);
    el_onnx_builder_free(&w->b);
    el_free(context, own);
    return s;
}
