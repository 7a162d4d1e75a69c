/* SPDX-License-Identifier: MIT */
/* info.c - `elman info`: what a model is, or what this machine can do. */
#include "dtype.h"
#include "info.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

typedef struct info_options {
    const char *isa;
    int64_t threads;
    info_shape shape;
    int json;
} info_options;

#define AT(member) .offset = offsetof(info_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_INT, 0, "batch", AT(shape.batch), "N", .range = RANGE_FROM_1,
     .help = "sequences of the run whose memory is told (default: as it was "
             "trained)"},
    {OPTION_INT, 0, "steps", AT(shape.steps), "N", .range = RANGE_FROM_1,
     .help = "its time steps, likewise"},
    {OPTION_BYTES, 0, "memory", AT(shape.memory), "BYTES", .initial = "0",
     .help = "and its budget, as of elman train; 0: no limit"},
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
    {OPTION_FLAG, 0, "json", AT(json), .help = "one JSON object"},
};
/* clang-format on */

static const grammar info_grammar = {
    .command = "info",
    .operands = "[MODEL]",
    .summary = "Says what a model is; without one, what this machine is.",
    .example = "  elman info book.safetensors",
    GRAMMAR_OPTIONS(table),
    .least = 0,
    .most = 1,
};

static const char *const cells[] = {[ELMAN_CELL_ELMAN] = "elman",
                                    [ELMAN_CELL_NONE] = "none",
                                    [ELMAN_CELL_LSTM] = "lstm",
                                    [ELMAN_CELL_GRU] = "gru"};
static const char *const activations[] = {
    [ELMAN_TANH] = "tanh", [ELMAN_RELU] = "relu"};
static const char *const decodes[] = {[ELMAN_DECODE_ALL] = "all",
                                      [ELMAN_DECODE_LAST] = "last",
                                      [ELMAN_DECODE_FINAL] = "final"};
static const char *const levels[] = {
    [ELMAN_CHAR] = "char", [ELMAN_WORD] = "word", [ELMAN_BYTE] = "byte"};
static const char *const normalizations[] = {
    [ELMAN_NORMALIZE_NONE] = "none", [ELMAN_NORMALIZE_LETTERS] = "letters"};

/* ---- The machine ---------------------------------------------------------*/

static const char *cache_size(int64_t bytes, number_text *room)
{
    if (bytes <= 0)
        return "unknown";
    if (bytes >= 1 << 20)
        snprintf(room->text, sizeof room->text, "%g MiB",
                 (double)bytes / (1 << 20));
    else
        snprintf(room->text, sizeof room->text, "%g KiB",
                 (double)bytes / (1 << 10));
    return room->text;
}

static void print_machine(const elman_machine *m)
{
    number_text l1, l2, l3;

    printf("version   %s\n", elman_version());
    printf("cpu       %s\n", m->cpu[0] != '\0' ? m->cpu : "unknown");
    printf("levels    %s (used: %s)\n", m->isa_all, m->isa);
    printf("bfloat16  products by %s\n", m->bf16);
    printf("caches    L1d %s, L2 %s, L3 %s\n", cache_size(m->l1d, &l1),
           cache_size(m->l2, &l2), cache_size(m->l3, &l3));
    printf("threads   %d of %d cores\n", m->threads, m->cores);
}

/* The words of "c avx2", as a list. */
static void json_words(json *j, const char *key, const char *words)
{
    json_open(j, key, '[');
    while (*words != '\0') {
        char word[32];
        const size_t size = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)size, words);
        json_text(j, NULL, word);
        words += size + (words[size] == ' ');
    }
    json_close(j, ']');
}

static void print_machine_json(const elman_machine *m)
{
    json j = {.file = stdout};

    json_open(&j, NULL, '{');
    json_text(&j, "version", elman_version());
    json_text(&j, "cpu", m->cpu);
    json_words(&j, "levels", m->isa_all);
    json_text(&j, "level", m->isa);
    json_text(&j, "bf16", m->bf16);
    json_int(&j, "l1d", m->l1d);
    json_int(&j, "l2", m->l2);
    json_int(&j, "l3", m->l3);
    json_int(&j, "threads", m->threads);
    json_int(&j, "cores", m->cores);
    json_close(&j, '}');
    putchar('\n');
}

static int tell_machine(const elman_context *context, int as_json)
{
    elman_machine machine = ELMAN_MACHINE;

    elman_context_machine(context, &machine);
    if (as_json)
        print_machine_json(&machine);
    else
        print_machine(&machine);
    return DONE;
}

/* ---- A model -------------------------------------------------------------*/

/* "weight_ih_l0 [256,28]" without the name. */
static number_text shape_text(const elman_view *view)
{
    number_text out = {"["};
    size_t used = 1;

    for (int i = 0; i < view->rank && used < sizeof out.text; i++)
        used += (size_t)snprintf(out.text + used, sizeof out.text - used,
                                 i > 0 ? ",%lld" : "%lld",
                                 (long long)view->shape[i]);
    if (used + 1 < sizeof out.text)
        memcpy(out.text + used, "]", 2);
    return out;
}

static int64_t input_size(const elman_lm *lm, const elman_lm_desc *d)
{
    return d->embed > 0 ? d->embed : elman_vocab_size(elman_lm_vocab(lm));
}

/* What the chapter is about: whether looking further back costs parameters. */
static void print_parameters(const elman_lm *lm, const elman_lm_desc *d)
{
    printf("parameters  %s", grouped(elman_lm_parameters(lm)).text);
    if (d->cell == ELMAN_CELL_NONE)
        printf(" (%s more for each token of context)\n",
               grouped(d->hidden * input_size(lm, d)).text);
    else
        printf(" (as many for any number of time steps)\n");
}

static void print_sizes(const elman_lm_desc *d)
{
    printf("cell        %s", cells[d->cell]);
    if (d->cell == ELMAN_CELL_ELMAN || d->cell == ELMAN_CELL_NONE)
        printf(", %s", activations[d->activation]);
    if (d->cell == ELMAN_CELL_NONE)
        printf(", on the last %lld tokens", (long long)d->context);
    if (d->reset_before)
        printf(", the reset before the product");
    printf("\nsizes       hidden %lld, layers %d, ", (long long)d->hidden,
           d->layers > 0 ? d->layers : 1);
    if (d->proj > 0)
        printf("projection %lld, ", (long long)d->proj);
    if (d->embed > 0)
        printf("embedding %lld%s\n", (long long)d->embed,
               d->tie ? ", which is the decoder's weight too" : "");
    else
        printf("one-hot input\n");
}

/* A JSON object of plain members, as "key value, key value"; what is in an
 * object among them comes behind its key, and nothing is "unknown". */
static void print_history(const char *history)
{
    const int left = 12, width = 79;
    int column = left;

    printf("trained     ");
    if (*history == '\0')
        printf("unknown");
    for (; *history != '\0'; history++) {
        if (strncmp(history, "{}", 2) == 0)
            printf("unknown");
        if (strchr("{}\":", *history) != NULL || (unsigned char)*history < 32)
            continue;
        if (*history == ' ' && history[-1] == ',' &&
            column + (int)strcspn(history + 1, ",") > width) {
            printf("\n%*s", left, "");
            column = left;
            continue;
        }
        putchar(*history);
        column++;
    }
    putchar('\n');
}

static int print_model(const elman_lm *lm, const elman_lm_desc *d,
                       const char *kind, const info_shape *shape)
{
    const elman_vocab *vocab = elman_lm_vocab(lm);

    printf("kind        %s, %s\n", kind, dtype_name(d->dtype));
    print_sizes(d);
    print_parameters(lm, d);
    for (int i = 0; i < elman_lm_view_count(lm); i++) {
        elman_view view;
        if (elman_lm_view(lm, i, &view) != ELMAN_OK)
            return complain_library();
        printf("  %-18s %s\n", view.name, shape_text(&view).text);
    }
    printf("vocabulary  %s tokens, level %s, normalize %s\n",
           grouped(elman_vocab_size(vocab)).text,
           levels[elman_vocab_level(vocab)],
           normalizations[elman_vocab_normalize(vocab)]);
    print_history(elman_lm_history(lm));
    return tell_lm_memory(lm, shape, NULL);
}

static void json_view(json *j, const elman_view *view)
{
    json_open(j, NULL, '{');
    json_text(j, "name", view->name);
    json_open(j, "shape", '[');
    for (int k = 0; k < view->rank; k++)
        json_int(j, NULL, view->shape[k]);
    json_close(j, ']');
    json_close(j, '}');
}

static int json_views(json *j, const elman_lm *lm)
{
    json_open(j, "tensors", '[');
    for (int i = 0; i < elman_lm_view_count(lm); i++) {
        elman_view view;
        if (elman_lm_view(lm, i, &view) != ELMAN_OK)
            return complain_library();
        json_view(j, &view);
    }
    json_close(j, ']');
    return DONE;
}

static int print_model_json(const elman_lm *lm, const elman_lm_desc *d,
                            const char *kind, const info_shape *shape)
{
    const elman_vocab *vocab = elman_lm_vocab(lm);
    const char *history = elman_lm_history(lm);
    json j = {.file = stdout};

    json_open(&j, NULL, '{');
    json_text(&j, "kind", kind);
    json_text(&j, "dtype", dtype_name(d->dtype));
    json_text(&j, "cell", cells[d->cell]);
    json_text(&j, "activation", activations[d->activation]);
    json_int(&j, "hidden", d->hidden);
    json_int(&j, "layers", d->layers > 0 ? d->layers : 1);
    json_int(&j, "proj", d->proj);
    json_text(&j, "reset", d->reset_before ? "before" : "after");
    json_int(&j, "embed", d->embed);
    json_int(&j, "tie", d->tie);
    json_int(&j, "context", d->context);
    json_int(&j, "parameters", elman_lm_parameters(lm));
    json_int(&j, "parameters_per_context_token",
             d->cell == ELMAN_CELL_NONE ? d->hidden * input_size(lm, d) : 0);
    if (json_views(&j, lm) != DONE)
        return FAILED;
    json_int(&j, "vocabulary", elman_vocab_size(vocab));
    json_text(&j, "level", levels[elman_vocab_level(vocab)]);
    json_text(&j, "normalize", normalizations[elman_vocab_normalize(vocab)]);
    json_raw(&j, "history", history[0] != '\0' ? history : "null");
    if (tell_lm_memory(lm, shape, &j) != DONE)
        return FAILED;
    json_close(&j, '}');
    putchar('\n');
    return DONE;
}

/* ---- A network -----------------------------------------------------------*/

static int print_network(const elman_network *n, const elman_network_desc *d,
                         const info_shape *shape)
{
    const elman_rnn_desc *r = &d->rnn;
    elman_view view;

    printf("kind        network, %s\n", dtype_name(r->dtype));
    printf("cell        %s", cells[r->cell]);
    if (r->cell == ELMAN_CELL_ELMAN)
        printf(", %s", activations[r->activation]);
    if (r->bidirectional)
        printf(", in both directions");
    if (r->no_bias)
        printf(", without biases");
    if (r->reset_before)
        printf(", the reset before the product");
    printf("\nsizes       input %lld, hidden %lld, layers %d",
           (long long)r->input, (long long)r->hidden, r->layers);
    if (r->proj > 0)
        printf(", projection %lld", (long long)r->proj);
    printf(", output %lld\n", (long long)elman_network_width(n));
    if (d->embed > 0)
        printf("input       %s tokens, embedded%s\n", grouped(d->vocab).text,
               d->tie ? " by the decoder's weight" : "");
    if (d->decode != ELMAN_DECODE_ALL)
        printf("gives       %s\n", d->decode == ELMAN_DECODE_LAST
                                       ? "the last step of a sequence"
                                       : "the final states of a sequence");
    printf("parameters  %s\n", grouped(elman_network_parameters(n)).text);
    for (int i = 0; i < elman_network_view_count(n); i++) {
        if (elman_network_view(n, i, &view) != ELMAN_OK)
            return complain_library();
        printf("  %-26s %s\n", view.name, shape_text(&view).text);
    }
    return tell_network_memory(n, shape, NULL);
}

static int print_network_json(const elman_network *n,
                              const elman_network_desc *d,
                              const info_shape *shape)
{
    const elman_rnn_desc *r = &d->rnn;
    json j = {.file = stdout};

    json_open(&j, NULL, '{');
    json_text(&j, "kind", "network");
    json_text(&j, "dtype", dtype_name(r->dtype));
    json_text(&j, "cell", cells[r->cell]);
    json_text(&j, "activation", activations[r->activation]);
    json_int(&j, "input", r->input);
    json_int(&j, "hidden", r->hidden);
    json_int(&j, "layers", r->layers);
    json_int(&j, "directions", r->bidirectional ? 2 : 1);
    json_int(&j, "proj", r->proj);
    json_int(&j, "bias", !r->no_bias);
    json_text(&j, "reset", r->reset_before ? "before" : "after");
    json_int(&j, "tokens", d->vocab);
    json_int(&j, "embed", d->embed);
    json_int(&j, "tie", d->tie);
    json_int(&j, "decoder", d->outputs);
    json_int(&j, "output", elman_network_width(n));
    json_text(&j, "decode", decodes[d->decode]);
    json_int(&j, "parameters", elman_network_parameters(n));
    json_open(&j, "tensors", '[');
    for (int i = 0; i < elman_network_view_count(n); i++) {
        elman_view view;
        if (elman_network_view(n, i, &view) != ELMAN_OK)
            return complain_library();
        json_view(&j, &view);
    }
    json_close(&j, ']');
    if (tell_network_memory(n, shape, &j) != DONE)
        return FAILED;
    json_close(&j, '}');
    putchar('\n');
    return DONE;
}

static int tell_network(elman_context *context, const char *path,
                        const info_options *o)
{
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_network *network = NULL;
    int status;

    if (dtype_load_network(context, path, -1, &network) != DONE)
        return FAILED;
    elman_network_describe(network, &desc);
    status = o->json ? print_network_json(network, &desc, &o->shape)
                     : print_network(network, &desc, &o->shape);
    elman_network_destroy(&network);
    return status;
}

/* ---- Which it is ----------------------------------------------------------*/

/* A checkpoint is a model's file with the trainer's tensors in it; NULL where
 * it is a network. */
static int read_kind(elman_context *context, const char *path,
                     const char **kind)
{
    elman_tensors *file = NULL;
    elman_tensor tensor;

    if (elman_tensors_peek(context, path, &file) != ELMAN_OK)
        return complain_library();
    if (elman_tensors_kind(file) == ELMAN_KIND_NETWORK)
        *kind = NULL;
    else if (elman_tensors_find(file, "trainer.integers", &tensor) == ELMAN_OK)
        *kind = "checkpoint of a language model";
    else
        *kind = "language model";
    elman_tensors_destroy(&file);
    return DONE;
}

static int tell_model(elman_context *context, const char *operand,
                      const info_options *o)
{
    const char *path = input_path(operand);
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_lm *lm = NULL;
    const char *kind = NULL;
    int status;

    if (path == NULL || read_kind(context, path, &kind) != DONE)
        return FAILED;
    if (kind == NULL)
        return tell_network(context, path, o);
    if (dtype_load_lm(context, path, -1, &lm) != DONE)
        return FAILED;
    elman_lm_describe(lm, &desc);
    status = o->json ? print_model_json(lm, &desc, kind, &o->shape)
                     : print_model(lm, &desc, kind, &o->shape);
    elman_lm_destroy(&lm);
    return status;
}

int cmd_info(int argc, char **argv)
{
    info_options options = {0};
    arguments args;
    elman_context *context = NULL;
    int status = options_read(&info_grammar, argc, argv, &options, &args);

    if (status != OPTIONS_READ)
        return status;
    status = context_open(options.threads, options.isa, &context);
    if (status == DONE)
        status = args.operand_count == 0
                     ? tell_machine(context, options.json)
                     : tell_model(context, args.operands[0], &options);
    elman_context_destroy(&context);
    arguments_free(&args);
    return status;
}
