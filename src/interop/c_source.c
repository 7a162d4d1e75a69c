/* SPDX-License-Identifier: MIT */
/* c_source.c - a C file from its beginning to its end; see c_source.h. */
#include "c_source.h"
#include "../io/file.h"

#include <math.h>
#include <string.h>

/* ---- Copies ---------------------------------------------------------------*/

static elman_status take_weights(const elman_network *from, elman_c_weights to,
                                 elman_network *copy)
{
    const elman_status status = el_network_copy_weights(copy, from);
    if (status)
        return status;
    if (!el_network_open(copy))
        return ELMAN_ENOMEM;
    el_c_round(&copy->views, to, copy->weights);
    el_network_pack(copy);
    return ELMAN_OK;
}

static elman_status check_dtype(const elman_network *n)
{
    return n->k->dtype == ELMAN_F32
               ? ELMAN_OK
               : el_fail(ELMAN_EUNSUPPORTED,
                         "the model is of %s, and C source is of float32",
                         n->k->dtype == ELMAN_F64    ? "float64"
                         : n->k->dtype == ELMAN_BF16 ? "bfloat16"
                                                     : "weights of a byte");
}

elman_status el_c_rounded_network(const elman_network *network,
                                  elman_c_weights to, elman_network **out)
{
    elman_status status = check_dtype(network);
    if (!status)
        status =
            el_network_create(network->context, &network->desc, false, out);
    if (!status && (status = take_weights(network, to, *out)) != ELMAN_OK) {
        el_network_free(*out);
        *out = NULL;
    }
    return status;
}

elman_status el_c_rounded_lm(const elman_lm *lm, elman_c_weights to,
                             elman_lm **out)
{
    elman_status status = check_dtype(&lm->net);
    if (!status)
        status = el_lm_create(lm->net.context, &lm->desc, lm->vocab, out);
    if (!status &&
        (status = take_weights(&lm->net, to, &(*out)->net)) != ELMAN_OK) {
        el_lm_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- Names ----------------------------------------------------------------*/

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum { NAME_MOST = 100 };

static elman_status check_name(const char *name)
{
    const size_t size = strlen(name);
    bool fine = size > 0 && size <= NAME_MOST && is_letter(name[0]);
    for (size_t i = 0; i < size; ++i)
        fine =
            fine && (is_letter(name[i]) || is_digit(name[i]) || name[i] == '_');
    return fine ? ELMAN_OK
                : el_fail(ELMAN_EINVAL,
                          "%s: no name for C (letters, digits and underscores, "
                          "a letter first, at most %d)",
                          name, NAME_MOST);
}

/* The file's name without its folder and ".c"; what C has no place for becomes
 * an underscore, and before a digit an m is put. */
static char *name_of(const elman_context *context, const char *base)
{
    const size_t size = strlen(base) - 2;
    char *const name = el_alloc(context, size + 2);
    if (!name)
        return NULL;
    char *to = name;
    if (!is_letter(base[0]))
        *to++ = 'm';
    for (size_t i = 0; i < size; ++i)
        *to++ = is_letter(base[i]) || is_digit(base[i]) ? base[i] : '_';
    return name;
}

static const char *base_of(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What an #include can name. */
static elman_status check_base(const char *path, const char *base)
{
    for (const char *c = base; *c; ++c)
        if ((unsigned char)*c < ' ' || strchr("\"\\", *c) || *c == 127 ||
            (c[0] == '?' && c[1] == '?'))
            return el_fail(ELMAN_EINVAL,
                           "%s: no #include can name the header of that file",
                           path);
    return ELMAN_OK;
}

static elman_status take_names(el_c_source *s, const char *given,
                               const char *path)
{
    const char *const base = base_of(path);
    const size_t size = strlen(base);
    if (size <= 2 || strcmp(base + size - 2, ".c") != 0)
        return el_fail(ELMAN_EINVAL, "%s: the name of a C file ends with .c",
                       path);
    elman_status status = check_base(path, base);
    if (status)
        return status;
    s->file = el_strdup(s->context, base);
    s->name = given ? el_strdup(s->context, given) : name_of(s->context, base);
    s->upper = s->name ? el_strdup(s->context, s->name) : NULL;
    if (!s->upper || !s->file)
        return ELMAN_ENOMEM;
    s->file[size - 1] = 'h';
    for (char *c = s->upper; *c; ++c)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    return check_name(s->name);
}

void el_c_put(const el_c_source *s, el_buffer *out, const char *text)
{
    for (size_t plain; *text; text += plain) {
        plain = strcspn(text, "$@");
        el_buffer_add(out, text, plain);
        text += plain;
        if (!*text)
            return;
        const char *const name = *text == '$' ? s->name : s->upper;
        el_buffer_add(out, name, strlen(name));
        plain = 1;
    }
}

/* ---- Comments -------------------------------------------------------------*/

enum { COMMENT_LINE = 76 };

/* Words of a comment, line by line.  What would end it, or mean anything to a
 * compiler, is written otherwise. */
static void put_comment(el_buffer *out, const char *text)
{
    int column = 2;
    el_buffer_add(out, " *", 2);
    for (;;) {
        text += strspn(text, " \n");
        const int size = (int)strcspn(text, " \n");
        if (size == 0)
            break;
        if (column > 2 && column + 1 + size > COMMENT_LINE) {
            el_buffer_add(out, "\n *", 3);
            column = 2;
        }
        el_buffer_add(out, " ", 1);
        for (int i = 0; i < size; ++i) {
            const char c = text[i], before = i > 0 ? text[i - 1] : ' ';
            const bool bad = (unsigned char)c < ' ' || c == 127 ||
                             (c == '/' && before == '*') ||
                             (c == '*' && before == '/') ||
                             (c == '?' && before == '?');
            el_buffer_add(out, bad ? "_" : &c, 1);
        }
        column += 1 + size;
        text += size;
    }
    el_buffer_add(out, "\n", 1);
}

static void describe(const el_c_source *s, el_buffer *text)
{
    static const char *const cells[] = {[ELMAN_CELL_ELMAN] = "Elman network",
                                        [ELMAN_CELL_NONE] = "perceptron",
                                        [ELMAN_CELL_LSTM] = "LSTM",
                                        [ELMAN_CELL_GRU] = "GRU"};
    const el_stack_desc *const d = &s->net->stack.desc;
    el_buffer_format(text, "%s of %d layer%s of %lld", cells[d->cell],
                     d->layers, d->layers > 1 ? "s" : "", (long long)d->hidden);
    if (d->proj > 0)
        el_buffer_format(text, " projected to %lld", (long long)d->proj);
    if (d->cell == ELMAN_CELL_ELMAN || d->cell == ELMAN_CELL_NONE)
        el_buffer_format(text, " (%s)",
                         d->activation == ELMAN_RELU ? "relu" : "tanh");
    if (d->cell == ELMAN_CELL_GRU)
        el_buffer_format(text, " (reset %s the product)",
                         d->reset_before ? "before" : "after");
    if (s->lm)
        el_buffer_format(text, ", a language model of %lld tokens",
                         (long long)s->lm->classes);
    else if (s->net->desc.vocab > 0)
        el_buffer_format(text, ", %lld tokens in, %lld numbers out",
                         (long long)s->net->desc.vocab,
                         (long long)s->net->width);
    else
        el_buffer_format(text, ", %lld number%s in, %lld out",
                         (long long)d->input, d->input == 1 ? "" : "s",
                         (long long)s->net->width);
    if (!s->lm && s->net->desc.decode != ELMAN_DECODE_ALL)
        el_buffer_format(text, ", of which those of a sequence's last step "
                               "count");
    if (s->net->embed > 0)
        el_buffer_format(text, ", embedded as %lld", (long long)s->net->embed);
    el_buffer_format(text, "; %lld parameters.",
                     (long long)s->net->views.total);
}

static int64_t state_bytes(const el_c_source *s)
{
    const el_stack_desc *const d = &s->net->stack.desc;
    const int64_t L = s->net->stack.count;
    int64_t count = el_c_work(s) + el_c_gathered(s);
    if (s->net->stack.recurrent)
        count += L * s->net->stack.out;
    if (d->cell == ELMAN_CELL_LSTM)
        count += L * d->hidden;
    if (s->lm)
        count += s->lm->tokens - 1;
    return 4 * count;
}

static const char *weights_text(elman_c_weights weights)
{
    switch (weights) {
    case ELMAN_C_BFLOAT16:
        return "Weights are bfloat16, the upper half of a float; biases are "
               "floats.  Arithmetic is in float, and the results are bit for "
               "bit those of elman's library with these rounded weights.";
    case ELMAN_C_INT8:
        return "Weights are int8, integers from -127 to 127, with a float as "
               "the scale of each row; biases are floats.  Arithmetic is in "
               "float: a weight becomes the float that it stands for, without "
               "an error, and the results are bit for bit those of elman's "
               "library with these rounded weights.";
    case ELMAN_C_F32:
        break;
    }
    return "Weights are floats.  The results are bit for bit those of elman's "
           "library.";
}

static const char unmeasured[] =
    "What rounding costs was not measured (elman convert --measure).";

static elman_status put_top(el_c_source *s)
{
    el_buffer text = EL_BUFFER(s->context), *const out = &s->top;
    el_c_put(s, out, "/* $: a recurrent network in C, written by elman ");
    el_c_put(s, out, elman_version());
    el_c_put(s, out, ".\n *\n");
    describe(s, &text);
    el_buffer_format(&text, "  Constants take %lld bytes, a state %lld.",
                     (long long)s->list.bytes, (long long)state_bytes(s));
    const bool failed = text.failed;
    if (!failed)
        put_comment(out, text.data);
    el_buffer_free(&text);
    el_c_put(s, out, " *\n");
    put_comment(out, weights_text(s->weights));
    if (s->weights != ELMAN_C_F32 || s->remark)
        put_comment(out, s->remark ? s->remark : unmeasured);
    el_c_put(s, out, el_c_text_top);
    el_c_put(s, out, "#include \"");
    el_buffer_add(out, s->file, strlen(s->file));
    el_c_put(s, out, "\"\n\n#include <float.h>\n#include <stddef.h>\n\n");
    return failed ? ELMAN_ENOMEM : ELMAN_OK;
}

/* ---- The header -----------------------------------------------------------*/

static void put_number(el_c_source *s, const char *name, int64_t value)
{
    el_c_put(s, &s->header, name);
    el_buffer_format(&s->header, " %lld\n", (long long)value);
}

static void put_header_top(el_c_source *s)
{
    const int64_t vocab = s->lm ? s->lm->classes : s->net->desc.vocab;
    el_c_put(s, &s->header,
             "/* $: a recurrent network in C, written by elman ");
    el_c_put(s, &s->header, elman_version());
    el_c_put(s, &s->header, ". */\n");
    el_c_put(s, &s->header, el_c_text_header_top);
    if (vocab > 0)
        put_number(s, "#define @_TOKENS", vocab);
    else
        put_number(s, "#define @_INPUTS", s->net->stack.desc.input);
    put_number(s, "#define @_OUTPUTS", s->net->width);
    el_c_put(s, &s->header, "\n");
}

/* ---- All of it ------------------------------------------------------------*/

static elman_status check_model(const elman_network *n, const float *flat)
{
    if (n->stack.desc.directions > 1)
        return el_fail(
            ELMAN_EUNSUPPORTED,
            "the network runs in both directions, and a C file takes "
            "one step after another");
    if (n->views.total >= INT32_MAX)
        return el_fail(ELMAN_EUNSUPPORTED,
                       "the model has too many weights for a C file");
    const elman_status status = check_dtype(n);
    for (int v = 0; !status && v < n->views.count; ++v) {
        const elman_view *const view = &n->views.list[v];
        const float *const w = flat + view->offset;
        for (int64_t i = 0; i < view->count; ++i)
            if (!isfinite(w[i]))
                return el_fail(ELMAN_EUNSUPPORTED,
                               "%s: number %lld is %s, and C has no constant "
                               "for that",
                               view->name, (long long)i,
                               isnan(w[i]) ? "NaN" : "infinite");
    }
    return status;
}

static elman_status put_all(el_c_source *s)
{
    put_header_top(s);
    el_c_state(s);
    el_c_put(s, &s->code, el_c_text_arithmetic);
    elman_status status = el_c_weights(s);
    if (!status) {
        el_c_step(s);
        if (s->lm)
            status = el_c_vocabulary(s);
    }
    if (!status)
        status = el_c_self_test(s);
    if (!status)
        status = put_top(s);
    el_c_put(s, &s->header, el_c_text_header_end);
    if (!status &&
        (s->top.failed || s->header.failed || s->data.failed || s->code.failed))
        status = ELMAN_ENOMEM;
    if (!status && s->list.no_number)
        status = el_fail(ELMAN_EUNSUPPORTED,
                         "the sum of two biases is not finite, and C has no "
                         "constant for that");
    return status;
}

static elman_status write_files(const el_c_source *s, const char *path)
{
    const el_part header = {s->header.data, s->header.size};
    const el_part parts[] = {{s->top.data, s->top.size},
                             {s->data.data, s->data.size},
                             {s->code.data, s->code.size}};
    char *const other = el_strdup(s->context, path);
    if (!other)
        return ELMAN_ENOMEM;
    other[strlen(other) - 1] = 'h';
    elman_status status = el_file_replace(s->context, other, &header, 1, 0);
    if (!status)
        status = el_file_replace(s->context, path, parts, 3, 0);
    el_free(s->context, other);
    return status;
}

/* The model with its weights rounded, a copy where that changes them. */
static elman_status take_model(el_c_source *s, const elman_lm *lm,
                               const elman_network *network, elman_lm **lm_copy,
                               elman_network **copy)
{
    elman_status status = ELMAN_OK;
    if (s->weights != ELMAN_C_F32) {
        status = lm ? el_c_rounded_lm(lm, s->weights, lm_copy)
                    : el_c_rounded_network(network, s->weights, copy);
        lm = *lm_copy;
        network = *copy;
    }
    s->lm = lm;
    if (status)
        return status;
    s->net = lm ? &lm->net : network;
    if (s->weights == ELMAN_C_F32)
        return ELMAN_OK;
    el_free(s->context, s->own);
    s->flat = el_network_flat(s->net, &s->own);
    return s->flat ? ELMAN_OK : ELMAN_ENOMEM;
}

elman_status el_c_write(const elman_lm *lm, const elman_network *network,
                        const elman_c_desc *desc, const char *path)
{
    const elman_network *const net = lm ? &lm->net : network;
    const elman_context *const c = net->context;
    el_c_source s = {.context = c,
                     .weights = desc->weights,
                     .remark = desc->remark,
                     .header = EL_BUFFER(c),
                     .top = EL_BUFFER(c),
                     .data = EL_BUFFER(c),
                     .code = EL_BUFFER(c)};
    elman_lm *lm_copy = NULL;
    elman_network *copy = NULL;
    s.list.out = &s.data;
    elman_status status = take_names(&s, desc->name, path);
    if (!status && !(s.flat = el_network_flat(net, &s.own)))
        status = ELMAN_ENOMEM;
    if (!status)
        status = check_model(net, s.flat);
    if (!status)
        status = take_model(&s, lm, network, &lm_copy, &copy);
    if (!status)
        status = put_all(&s);
    if (!status)
        status = write_files(&s, path);
    el_lm_free(lm_copy);
    el_network_free(copy);
    el_buffer_free(&s.header);
    el_buffer_free(&s.top);
    el_buffer_free(&s.data);
    el_buffer_free(&s.code);
    el_free(c, s.own);
    el_free(c, s.file);
    el_free(c, s.name);
    el_free(c, s.upper);
    return status;
}
