/* SPDX-License-Identifier: MIT */
/* map.c - tensors by name become a network: whose names they are, and what
 * their shapes say. */
#include "map.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Looking --------------------------------------------------------------*/

int tensor_at(const mapping *m, int i, elman_tensor *t)
{
    return elman_tensors_at(m->file, i, t) == ELMAN_OK;
}

/* The tensor of a name in two parts; -1 if there is none. */
int tensor_find(const mapping *m, const char *before, const char *name,
                elman_tensor *t)
{
    const size_t size = strlen(before);

    for (int i = 0; i < m->count; i++)
        if (tensor_at(m, i, t) && strncmp(t->name, before, size) == 0 &&
            strcmp(t->name + size, name) == 0)
            return i;
    return -1;
}

static int ends_with(const char *text, const char *tail)
{
    const size_t size = strlen(text), part = strlen(tail);

    return size >= part && strcmp(text + size - part, tail) == 0;
}

void add_name(names *n, const char *name)
{
    const size_t size = strlen(name);

    if (n->used + size + 3 > sizeof n->text) {
        n->left_out++;
    } else {
        n->used += (size_t)snprintf(n->text + n->used, sizeof n->text - n->used,
                                    "%s%s", n->count > 0 ? ", " : "", name);
        n->count++;
    }
}

number_text left_out(const names *n)
{
    number_text out = {""};

    if (n->left_out > 0)
        snprintf(out.text, sizeof out.text, " and %d more", n->left_out);
    return out;
}

/* What a module that was saved whole says of itself; NULL: nothing. */
static const char *said(const mapping *m, const char *module, const char *what)
{
    char key[NAME_MOST + 16];
    size_t size = strlen(module);

    if (size > 0 && module[size - 1] == '.')
        size--;
    snprintf(key, sizeof key, "%.*s%s%s", (int)size, module,
             size > 0 ? "." : "", what);
    return elman_tensors_meta(m->file, key);
}

/* ---- The recurrent layers -------------------------------------------------*/

static int is_matrix(const elman_tensor *t)
{
    return t->rank == 2 && t->shape[0] > 0 &&
           (t->dtype == ELMAN_F32 || t->dtype == ELMAN_F64);
}

/* Whose weights of the first layer there are. */
static int find_rnn(mapping *m)
{
    static const char *const tails[] = {"weight_hh_l0", "weight_hh"};
    const char *const wanted = m->c->options.rnn;
    names found = {.used = 0};
    elman_tensor t;

    for (int i = 0; i < m->count; i++) {
        for (int single = 0; single < 2 && tensor_at(m, i, &t); single++) {
            const size_t size = strlen(t.name) - strlen(tails[single]);
            if (!ends_with(t.name, tails[single]) || size >= NAME_MOST - 32)
                continue;
            if (wanted != NULL &&
                (strncmp(wanted, t.name, strlen(wanted)) != 0 ||
                 (strlen(wanted) != size && strlen(wanted) + 1 != size)))
                continue;
            snprintf(m->rnn, sizeof m->rnn, "%.*s", (int)size, t.name);
            m->single = single;
            add_name(&found, size > 0 ? m->rnn : "no prefix");
        }
    }
    if (found.count + found.left_out == 1)
        return DONE;
    if (wanted != NULL)
        return complain("%s: there is no tensor %s.weight_hh_l0 (--rnn names "
                        "what stands before it)",
                        m->c->from, wanted);
    if (found.count == 0)
        return complain("%s: no tensor is called weight_hh_l0 (there is no "
                        "recurrent network of PyTorch's names in it)",
                        m->c->from);
    return complain("%s: it has several recurrent networks (--rnn PREFIX picks "
                    "one: %s%s)",
                    m->c->from, found.text, left_out(&found).text);
}

/* The name that a network's part has in the file; "" if it would be too long,
 * which no tensor has. */
static void rnn_name(const mapping *m, const char *part, char *out)
{
    const size_t size = strlen(part);
    const int kept =
        (int)(m->single && ends_with(part, "_l0") ? size - 3 : size);

    if (snprintf(out, NAME_MOST, "%s%.*s", m->rnn, kept, part) >= NAME_MOST)
        out[0] = '\0';
}

static int find_rnn_part(const mapping *m, const char *part, elman_tensor *t)
{
    char name[NAME_MOST];

    rnn_name(m, part, name);
    return tensor_find(m, "", name, t);
}

/* Rows of weight_hh are one block a gate. */
static int read_cell(mapping *m, const elman_tensor *hh)
{
    static const char *const words[] = {"elman", "lstm", "gru"};
    static const elman_cell cells[] = {ELMAN_CELL_ELMAN, ELMAN_CELL_LSTM,
                                       ELMAN_CELL_GRU};
    static const int gates[] = {1, 4, 3};
    const convert_options *const o = &m->c->options;
    elman_rnn_desc *const d = &m->desc.rnn;

    for (int i = 0; i < 3; i++) {
        if (hh->shape[0] != gates[i] * d->hidden)
            continue;
        if (o->has_cell && o->cell != i)
            return complain("%s: %s is [%lld,%lld], which is of a cell %s (not "
                            "--cell %s)",
                            m->c->from, hh->name, (long long)hh->shape[0],
                            (long long)hh->shape[1], words[i], words[o->cell]);
        d->cell = cells[i];
        return DONE;
    }
    return complain("%s: %s is [%lld,%lld], which is of no cell (rows should "
                    "be 1, 3 or 4 times the hidden size)",
                    m->c->from, hh->name, (long long)hh->shape[0],
                    (long long)hh->shape[1]);
}

static int read_activation(mapping *m)
{
    const convert_options *const o = &m->c->options;
    const char *mode = said(m, m->rnn, "mode");
    int known = 0, relu = 0;

    if (m->desc.rnn.cell != ELMAN_CELL_ELMAN) {
        if (o->has_activation)
            return complain("--activation is of an Elman cell, and %s has "
                            "another one",
                            m->c->from);
        return DONE;
    }
    if (mode == NULL)
        mode = said(m, m->rnn, "nonlinearity");
    if (mode != NULL) {
        relu = strcmp(mode, "RNN_RELU") == 0 || strcmp(mode, "relu") == 0;
        known =
            relu || strcmp(mode, "RNN_TANH") == 0 || strcmp(mode, "tanh") == 0;
    }
    if (known && o->has_activation && (o->activation == 1) != relu)
        return complain("%s: its activation is %s (not --activation %s)",
                        m->c->from, relu ? "relu" : "tanh",
                        relu ? "tanh" : "relu");
    if (!known)
        relu = o->activation == 1;
    m->desc.rnn.activation = relu ? ELMAN_RELU : ELMAN_TANH;
    return DONE;
}

static int read_rnn(mapping *m)
{
    elman_rnn_desc *const d = &m->desc.rnn;
    elman_tensor hh, ih, t;
    char name[64];

    if (find_rnn_part(m, "weight_hh_l0", &hh) < 0 || !is_matrix(&hh))
        return complain("%s: %sweight_hh_l0 is no matrix of numbers",
                        m->c->from, m->rnn);
    if (find_rnn_part(m, "weight_ih_l0", &ih) < 0 || !is_matrix(&ih))
        return complain("%s: there is no matrix %sweight_ih_l0", m->c->from,
                        m->rnn);
    d->input = ih.shape[1];
    d->hidden = hh.shape[1];
    if (find_rnn_part(m, "weight_hr_l0", &t) >= 0 && is_matrix(&t)) {
        d->proj = t.shape[0];
        d->hidden = t.shape[1];
    }
    d->dtype = hh.dtype;
    d->no_bias = find_rnn_part(m, "bias_ih_l0", &t) < 0 &&
                 find_rnn_part(m, "bias_hh_l0", &t) < 0;
    d->bidirectional = find_rnn_part(m, "weight_hh_l0_reverse", &t) >= 0;
    d->reset_before = m->c->options.reset == 1;
    m->desc.decode = (elman_decode)m->c->options.decode;
    for (d->layers = 1; d->layers < 4096; d->layers++) {
        snprintf(name, sizeof name, "weight_hh_l%d", d->layers);
        if (find_rnn_part(m, name, &t) < 0)
            break;
    }
    if (read_cell(m, &hh) != DONE || read_activation(m) != DONE)
        return FAILED;
    if (d->reset_before && d->cell != ELMAN_CELL_GRU)
        return complain("%s: --reset before is of a GRU, which it is not",
                        m->c->from);
    return DONE;
}

/* ---- The embedding and the decoder ----------------------------------------
 * A matrix [V,I] may be an embedding, a matrix [O,S*P] a decoder.  A bias
 * beside it makes it a decoder; then the class that a module says it has, and
 * at last its name decide. */

static int64_t stack_width(const mapping *m)
{
    const elman_rnn_desc *const d = &m->desc.rnn;

    return (d->proj > 0 ? d->proj : d->hidden) * (d->bidirectional ? 2 : 1);
}

/* The module of a tensor NAME.weight; 0 if it is not called so. */
static int module_of(const char *name, char *out)
{
    const size_t size = strlen(name);

    if (!ends_with(name, ".weight") || size >= NAME_MOST - 32)
        return 0;
    snprintf(out, NAME_MOST, "%.*s", (int)(size - strlen(".weight")), name);
    return 1;
}

static int is_class(const mapping *m, const char *module, const char *class)
{
    const char *const own = said(m, module, "class");

    return own == NULL ? -1 : ends_with(own, class);
}

static int sounds_like(const char *name, const char *const *parts)
{
    char low[NAME_MOST];
    size_t i;

    for (i = 0; name[i] != '\0' && i < sizeof low - 1; i++)
        low[i] = (char)tolower((unsigned char)name[i]);
    low[i] = '\0';
    for (; *parts != NULL; parts++)
        if (strstr(low, *parts) != NULL)
            return 1;
    return 0;
}

enum { EMBEDDING = 1, DECODER = 2 };

static int is_either(const char *module)
{
    static const char *const embeddings[] = {"emb",  "wte", "lookup", "tok",
                                             "word", "enc", NULL};
    static const char *const decoders[] = {"dec",  "out",  "fc",    "head",
                                           "line", "proj", "class", NULL};
    const int embedding = sounds_like(module, embeddings);
    const int decoder = sounds_like(module, decoders);

    if (embedding == decoder)
        return EMBEDDING | DECODER;
    return embedding ? EMBEDDING : DECODER;
}

/* What a tensor may be by its shape, its bias and its class. */
static int roles_by_shape(const mapping *m, const elman_tensor *t, char *module)
{
    elman_tensor bias;
    int out = 0;

    if (!is_matrix(t) || !module_of(t->name, module))
        return 0;
    if (t->shape[1] == m->desc.rnn.input &&
        tensor_find(m, module, ".bias", &bias) < 0 &&
        is_class(m, module, "Embedding"))
        out |= EMBEDDING;
    if (t->shape[1] == stack_width(m) && is_class(m, module, "Linear"))
        out |= DECODER;
    return out;
}

/* Whether there is one decoder without a doubt, and gives as many numbers as
 * the tensor has rows: tokens go in and come out. */
static int has_decoder_of(const mapping *m, const elman_tensor *embedding)
{
    char module[NAME_MOST];
    elman_tensor t;
    int count = 0, same = 0;

    for (int i = 0; i < m->count; i++) {
        if (!tensor_at(m, i, &t) || roles_by_shape(m, &t, module) != DECODER)
            continue;
        count++;
        same += t.shape[0] == embedding->shape[0];
    }
    return count == 1 && same == 1;
}

/* What a tensor may be; both, where there is a doubt. */
static int roles(const mapping *m, const elman_tensor *t)
{
    char module[NAME_MOST];
    const int out = roles_by_shape(m, t, module);

    if (out != (EMBEDDING | DECODER))
        return out;
    return has_decoder_of(m, t) ? EMBEDDING : is_either(module);
}

/* The one tensor that may have the role; what stands for it in a sentence is
 * the module. */
static int find_role(mapping *m, int role, const char *option, char *out)
{
    char module[NAME_MOST];
    names found = {.used = 0};
    int doubts = 0;
    elman_tensor t;

    out[0] = '\0';
    for (int i = 0; i < m->count; i++) {
        const int may = tensor_at(m, i, &t) ? roles(m, &t) : 0;
        if (!(may & role) || !module_of(t.name, module) ||
            (role == DECODER && strcmp(module, m->embedding) == 0))
            continue;
        doubts += may != role;
        add_name(&found, module);
        snprintf(out, NAME_MOST, "%s", module);
    }
    if (found.count + found.left_out == 1 && doubts > 0)
        return complain("%s: %s may be the %s or not (--%s %s says that it is, "
                        "--%s none that there is none)",
                        m->c->from, found.text,
                        role == EMBEDDING ? "embedding" : "decoder", option,
                        found.text, option);
    if (found.count + found.left_out > 1)
        return complain("%s: it may be that the %s is one of %s%s (--%s NAME "
                        "says which one, or that there is none: --%s none)",
                        m->c->from, role == EMBEDDING ? "embedding" : "decoder",
                        found.text, left_out(&found).text, option, option);
    return DONE;
}

/* What was named on the line: a module, or its weight. */
static int take_name(mapping *m, const char *what, const char *name, char *out)
{
    elman_tensor t;

    out[0] = '\0';
    if (strcmp(name, "none") == 0)
        return DONE;
    if (!module_of(name, out))
        snprintf(out, NAME_MOST - 32, "%s", name);
    if (tensor_find(m, out, ".weight", &t) < 0 &&
        tensor_find(m, out, ".bias", &t) < 0)
        return complain("%s: there is no tensor %s.weight (--%s names a "
                        "module)",
                        m->c->from, out, what);
    return DONE;
}

static int find_parts(mapping *m)
{
    const convert_options *const o = &m->c->options;
    const int embedding =
        o->embedding != NULL
            ? take_name(m, "embedding", o->embedding, m->embedding)
            : find_role(m, EMBEDDING, "embedding", m->embedding);

    if (embedding != DONE)
        return FAILED;
    return o->decoder != NULL ? take_name(m, "decoder", o->decoder, m->decoder)
                              : find_role(m, DECODER, "decoder", m->decoder);
}

/* Whether a decoder's weight is the embedding's: the same numbers, or not in
 * the file a second time. */
static int is_tied(const elman_tensor *embedding, const elman_tensor *decoder)
{
    return embedding->dtype == decoder->dtype &&
           embedding->shape[0] == decoder->shape[0] &&
           embedding->shape[1] == decoder->shape[1] &&
           memcmp(embedding->data, decoder->data,
                  (size_t)decoder->count * elman_dtype_size(decoder->dtype)) ==
               0;
}

static int read_parts(mapping *m)
{
    elman_network_desc *const d = &m->desc;
    elman_tensor e = {.name = NULL}, w = {.name = NULL}, bias;
    int has_weight = 0;

    if (find_parts(m) != DONE)
        return FAILED;
    if (m->embedding[0] != '\0') {
        if (tensor_find(m, m->embedding, ".weight", &e) < 0 || !is_matrix(&e))
            return complain("%s: %s.weight is no matrix of numbers", m->c->from,
                            m->embedding);
        d->vocab = e.shape[0];
        d->embed = e.shape[1];
    }
    if (m->decoder[0] == '\0')
        return DONE;
    has_weight = tensor_find(m, m->decoder, ".weight", &w) >= 0;
    d->no_decoder_bias = tensor_find(m, m->decoder, ".bias", &bias) < 0;
    if (has_weight && !is_matrix(&w))
        return complain("%s: %s.weight is no matrix of numbers", m->c->from,
                        m->decoder);
    d->outputs = has_weight ? w.shape[0] : bias.shape[0];
    d->tie = m->embedding[0] != '\0' && d->embed == stack_width(m) &&
             d->outputs == d->vocab && (!has_weight || is_tied(&e, &w));
    return DONE;
}

void source_name(const mapping *m, const char *view, char *out)
{
    if (strncmp(view, "rnn.", 4) == 0)
        rnn_name(m, view + 4, out);
    else if (strncmp(view, "embedding.", 10) == 0)
        snprintf(out, NAME_MOST, "%s%s", m->embedding, view + 9);
    else
        snprintf(out, NAME_MOST, "%s%s", m->decoder, view + 7);
}

/* ---- All of it ------------------------------------------------------------*/

int map_tensors(conversion *c, const elman_tensors *file)
{
    mapping m = {.c = c, .file = file, .count = elman_tensors_count(file)};
    int status = DONE;

    m.desc = (elman_network_desc)ELMAN_NETWORK_DESC;
    m.used = calloc((size_t)m.count + 1, 1);
    if (m.used == NULL)
        return complain("memory ran out");
    if (find_rnn(&m) != DONE || read_rnn(&m) != DONE ||
        read_parts(&m) != DONE || make_mapped(&m, c) != DONE)
        status = FAILED;
    free(m.used);
    return status;
}
