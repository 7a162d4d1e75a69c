/* SPDX-License-Identifier: MIT */
/* made.c - the network, or the language model, that tensors by name become, and
 * that none of them is left over. */
#include "dtype.h"
#include "map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making it ------------------------------------------------------------*/

/* A handle of either kind. */
typedef struct made {
    elman_lm *lm;
    elman_network *network;
    elman_dtype dtype;
} made;

static int view_count(const made *n)
{
    return n->lm != NULL ? elman_lm_view_count(n->lm)
                         : elman_network_view_count(n->network);
}

static int view_at(const made *n, int i, elman_view *view)
{
    return (n->lm != NULL
                ? elman_lm_view(n->lm, i, view)
                : elman_network_view(n->network, i, view)) == ELMAN_OK;
}

static void *begin(const made *n)
{
    return n->lm != NULL ? elman_lm_weights_begin(n->lm)
                         : elman_network_weights_begin(n->network);
}

static void end(const made *n)
{
    if (n->lm != NULL)
        elman_lm_weights_end(n->lm);
    else
        elman_network_weights_end(n->network);
}

static int same_shape(const elman_tensor *t, const elman_view *view)
{
    if (t->rank != view->rank ||
        (t->dtype != ELMAN_F32 && t->dtype != ELMAN_F64))
        return 0;
    for (int i = 0; i < view->rank; i++)
        if (t->shape[i] != view->shape[i])
            return 0;
    return 1;
}

static int copy_weights(mapping *m, const made *n)
{
    char *const weights = begin(n);
    names missing = {.used = 0};
    char name[NAME_MOST];
    elman_view view;
    elman_tensor t;

    for (int i = 0; i < view_count(n) && view_at(n, i, &view); i++) {
        source_name(m, view.name, name);
        const int place = tensor_find(m, "", name, &t);
        if (place < 0) {
            add_name(&missing, name);
            continue;
        }
        m->used[place] = 1;
        if (!same_shape(&t, &view))
            return complain("%s: tensor %s has not the shape that %s of such a "
                            "network has (%lld%s%.0lld)",
                            m->c->from, name, view.name,
                            (long long)view.shape[0], view.rank > 1 ? "," : "",
                            view.rank > 1 ? (long long)view.shape[1] : 0);
        dtype_cast(t.data, t.dtype,
                   weights + (size_t)view.offset * elman_dtype_size(n->dtype),
                   n->dtype, view.count);
    }
    end(n);
    if (missing.count > 0 && !m->c->options.allow_missing)
        return complain("%s: it has no %s%s (--allow-missing makes zeros of "
                        "them)",
                        m->c->from, missing.text, left_out(&missing).text);
    return DONE;
}

/* A tied decoder is there twice. */
static int check_unused(mapping *m)
{
    names unused = {.used = 0};
    elman_tensor t;
    int place = -1;

    if (m->desc.tie)
        place = tensor_find(m, m->decoder, ".weight", &t);
    if (place >= 0)
        m->used[place] = 1;
    for (int i = 0; i < m->count; i++)
        if (!m->used[i] && tensor_at(m, i, &t))
            add_name(&unused, t.name);
    if (unused.count > 0 && !m->c->options.allow_unused)
        return complain("%s: the network has no place for %s%s (--allow-unused "
                        "leaves them out)",
                        m->c->from, unused.text, left_out(&unused).text);
    return DONE;
}

/* ---- A language model -----------------------------------------------------*/

/* All of a file, to be freed; NULL with the sentence written. */
static char *read_text(const char *path, size_t *size)
{
    const size_t most = (size_t)64 << 20;
    size_t room = 1 << 16;
    char *text = malloc(room);
    int error = 0;

    errno = 0;
    FILE *const file = fopen(path, "rb");
    *size = 0;
    while (file != NULL && text != NULL) {
        *size += fread(text + *size, 1, room - *size, file);
        if (*size < room || room > most)
            break;
        room *= 2;
        char *const more = realloc(text, room);
        if (more == NULL)
            free(text);
        text = more;
    }
    if (file == NULL || text == NULL || ferror(file))
        error = errno != 0 ? errno : EIO;
    if (error != 0 || *size == room) {
        if (error != 0)
            complain("%s: cannot be read: %s", path, strerror(error));
        else
            complain("%s: is too large", path);
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static int read_vocab(const mapping *m, elman_vocab **vocab)
{
    const convert_options *const o = &m->c->options;
    const char *const path = input_path(o->vocab);
    size_t size;
    char *const text = path != NULL ? read_text(path, &size) : NULL;
    int status = FAILED;

    if (text == NULL)
        return FAILED;
    if (elman_vocab_from_json(m->c->context, text, size, (elman_level)o->level,
                              (elman_normalize)o->normalize, vocab) == ELMAN_OK)
        status = DONE;
    else
        complain("%s: %s", o->vocab, elman_message());
    free(text);
    return status;
}

static int check_lm(const mapping *m, int64_t tokens)
{
    const elman_network_desc *const d = &m->desc;
    const char *wrong = NULL;

    if (d->rnn.bidirectional)
        wrong = "runs in both directions, and a language model in one";
    else if (d->rnn.no_bias)
        wrong = "has no biases, and a language model has them";
    else if (d->decode != ELMAN_DECODE_ALL)
        wrong = "gives one step of a sequence, and a language model all";
    else if (d->outputs == 0 || d->no_decoder_bias)
        wrong = "has no decoder with a bias, and a language model needs one";
    if (wrong != NULL)
        return complain("%s: the network %s", m->c->from, wrong);
    if (d->outputs != tokens ||
        (d->embed > 0 ? d->vocab : d->rnn.input) != tokens)
        return complain(
            "%s: the network takes %lld tokens and gives %lld, and "
            "%s has %lld",
            m->c->from, (long long)(d->embed > 0 ? d->vocab : d->rnn.input),
            (long long)d->outputs, m->c->options.vocab, (long long)tokens);
    return DONE;
}

static int make_lm(const mapping *m, made *n)
{
    const elman_network_desc *const d = &m->desc;
    elman_lm_desc lm = ELMAN_LM_DESC;
    elman_vocab *vocab = NULL;
    int status = read_vocab(m, &vocab);

    if (status == DONE)
        status = check_lm(m, elman_vocab_size(vocab));
    lm.cell = d->rnn.cell;
    lm.activation = d->rnn.activation;
    lm.dtype = d->rnn.dtype;
    lm.hidden = d->rnn.hidden;
    lm.layers = d->rnn.layers;
    lm.embed = d->embed;
    lm.proj = d->rnn.proj;
    lm.reset_before = d->rnn.reset_before;
    lm.tie = d->tie;
    if (status == DONE &&
        elman_lm_create(m->c->context, &lm, vocab, &n->lm) != ELMAN_OK)
        status = complain_library();
    elman_vocab_destroy(&vocab);
    return status;
}

/* ---- All of it ------------------------------------------------------------*/

static int make(const mapping *m, made *n)
{
    n->dtype = m->desc.rnn.dtype;
    if (m->c->options.vocab != NULL)
        return make_lm(m, n);
    if (elman_network_create(m->c->context, &m->desc, &n->network) != ELMAN_OK)
        return complain("%s: %s", m->c->from, elman_message());
    return DONE;
}

int make_mapped(mapping *m, conversion *c)
{
    made n = {.lm = NULL};
    int status = make(m, &n);

    if (status == DONE)
        status = copy_weights(m, &n);
    if (status == DONE)
        status = check_unused(m);
    c->lm = n.lm;
    c->network = n.network;
    return status;
}

/* ---- A language model of a network ----------------------------------------*/

int make_lm_of_network(conversion *c)
{
    mapping m = {.c = c};
    made n = {.lm = NULL};
    int status;

    m.desc = (elman_network_desc)ELMAN_NETWORK_DESC;
    elman_network_describe(c->network, &m.desc);
    n.dtype = m.desc.rnn.dtype;
    status = make_lm(&m, &n);
    c->lm = n.lm;
    if (status != DONE)
        return status;
    /* The flat blocks are the same. */
    if (elman_lm_parameters(n.lm) != elman_network_parameters(c->network))
        return complain("%s: the network is no language model", c->from);
    dtype_cast(elman_network_weights(c->network), n.dtype, begin(&n), n.dtype,
               elman_lm_parameters(n.lm));
    end(&n);
    elman_network_destroy(&c->network);
    return DONE;
}

/* ---- --dtype --------------------------------------------------------------*/

int convert_dtype(conversion *c)
{
    return c->options.has_dtype ? dtype_remake(dtype_chosen(c->options.dtype),
                                               &c->lm, &c->network)
                                : DONE;
}
