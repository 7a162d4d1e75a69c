/* SPDX-License-Identifier: MIT */
/* convert.c - `elman convert`: from one kind of file to another. */
#include "convert.h"

#include "dtype.h"
#include "options.h"

#include <string.h>

#define AT(member) .offset = offsetof(convert_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_HEADING, .help = "Names in the file (by default they are found)"},
    {OPTION_TEXT, 0, "rnn", AT(rnn), "PREFIX",
     .help = "what stands before weight_ih_l0"},
    {OPTION_TEXT, 0, "embedding", AT(embedding), "NAME",
     .help = "the embedding's weight, or its module; none: there is none"},
    {OPTION_TEXT, 0, "decoder", AT(decoder), "NAME",
     .help = "the output layer's module; none: there is none"},
    {OPTION_FLAG, 0, "allow-unused", AT(allow_unused),
     .help = "tensors that the network has no place for are left out"},
    {OPTION_FLAG, 0, "allow-missing", AT(allow_missing),
     .help = "weights that the file does not have are zeros"},

    {OPTION_HEADING, .help = "What the file does not say"},
    {OPTION_CHOICE, 0, "cell", AT(cell), .choices = "elman|lstm|gru",
     .help = "by default what the shapes say"},
    {OPTION_CHOICE, 0, "activation", AT(activation), .choices = "tanh|relu",
     .help = "of an Elman cell, which a state dict does not say (tanh, unless "
             "the file does)"},
    {OPTION_CHOICE, 0, "reset", AT(reset), .choices = "after|before",
     .initial = "after",
     .help = "of a GRU: the reset gate after the product, as PyTorch has it, "
             "or before it"},
    {OPTION_CHOICE, 0, "decode", AT(decode), .choices = "all|last|final",
     .initial = "all",
     .help = "what of a sequence the decoder reads: all steps; the last one, as "
             "out[:, -1]; the final states of the last layer, as h_n[-1]"},
    {OPTION_TEXT, 0, "vocab", AT(vocab), "FILE",
     .help = "a JSON array of the tokens in order of id: a language model"},
    {OPTION_CHOICE, 0, "level", AT(level), .choices = "char|word|byte",
     .initial = "char", .help = "of the tokens of --vocab"},
    {OPTION_CHOICE, 0, "normalize", AT(normalize), .choices = "none|letters",
     .initial = "none", .help = "of the tokens of --vocab"},

    {OPTION_HEADING, .help = "The result"},
    {OPTION_CHOICE, 0, "dtype", AT(dtype), .choices = DTYPE_CHOICES,
     .help = "what the weights become (default: what they are)"},
    {OPTION_CHOICE, 0, "weights", AT(weights), .choices = "float32|bfloat16|int8",
     .initial = "float32",
     .help = "fewer bits: of OUT.c, or int8 of OUT.safetensors, which then "
             "computes with bytes"},
    {OPTION_TEXT, 0, "measure", AT(measure), "FILE",
     .help = "where what that costs is measured: a text for a language model, "
             "else an .npy file of what enters; it stands in OUT.c"},
    {OPTION_TEXT, 0, "name", AT(name), "NAME",
     .help = "of OUT.c: what its names begin with (default: the file's)"},
    {OPTION_FLAG, 0, "lengths", AT(lengths),
     .help = "of OUT.onnx: an input for the lengths of the sequences"},
    {OPTION_FLAG, 0, "quiet", AT(quiet), .help = "no summary"},
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
};
/* clang-format on */

static const grammar convert_grammar = {
    .command = "convert",
    .operands = "IN OUT",
    .summary = "Makes one kind of model file of another.",
    .example = "  elman convert weights.pt model.safetensors",
    GRAMMAR_OPTIONS(table),
    .least = 2,
    .most = 2,
};

/* ---- Readers and writers -------------------------------------------------*/

/* Makes a network of the tensors that are read so. */
static int read_named(conversion *c,
                      elman_status (*read)(elman_context *, const char *,
                                           elman_tensors **))
{
    elman_tensors *file = NULL;
    int status;

    if (read(c->context, c->from, &file) != ELMAN_OK)
        return complain_library();
    status = map_tensors(c, file);
    elman_tensors_destroy(&file);
    return status;
}

static int read_safetensors(conversion *c)
{
    elman_tensors *file = NULL;

    if (elman_tensors_peek(c->context, c->from, &file) != ELMAN_OK)
        return complain_library();
    const elman_kind kind = elman_tensors_kind(file);
    elman_tensors_destroy(&file);
    if (kind == ELMAN_KIND_TENSORS)
        return read_named(c, elman_tensors_read);
    if (c->options.decode != 0)
        return complain("%s: it is a model, which says by itself what it "
                        "gives (--decode is of tensors by name)",
                        c->from);
    const elman_status s =
        kind == ELMAN_KIND_LM
            ? elman_lm_load(c->context, c->from, &c->lm)
            : elman_network_load(c->context, c->from, &c->network);
    return s == ELMAN_OK ? DONE : complain_library();
}

static int read_torch(conversion *c)
{
    return read_named(c, elman_tensors_read_torch);
}

/* A format is a row: its suffix, and what reads and writes it (NULL: nothing
 * does). */
static const struct format {
    const char *suffix;
    int (*read)(conversion *c);
    int (*write)(conversion *c);
} formats[] = {
    {".safetensors", read_safetensors, write_safetensors},
    {".pt", read_torch, NULL},
    {".pth", read_torch, NULL},
    {".bin", read_torch, NULL},
    {".c", NULL, write_c},
    {".onnx", read_onnx, write_onnx},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* ---- Which format ---------------------------------------------------------*/

static const struct format *format_of(const char *path)
{
    const size_t size = strlen(path);

    for (int i = 0; i < FORMATS; i++) {
        const size_t tail = strlen(formats[i].suffix);
        if (size > tail && strcmp(path + size - tail, formats[i].suffix) == 0)
            return &formats[i];
    }
    return NULL;
}

/* ".safetensors, .pt": what can be read, or written. */
static const char *suffixes(int writing, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < FORMATS && used < size; i++) {
        if (writing ? formats[i].write == NULL : formats[i].read == NULL)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 used > 0 ? ", " : "", formats[i].suffix);
    }
    return text;
}

static int check_formats(const char *in, const char *out)
{
    const struct format *from = format_of(in), *to = format_of(out);
    char list[256];

    if (strcmp(in, "-") != 0 && (from == NULL || from->read == NULL))
        return complain_usage("convert", "%s: cannot be read by its name (%s)",
                              in, suffixes(0, list, sizeof list));
    if (to == NULL || to->write == NULL)
        return complain_usage("convert",
                              "%s: cannot be written by its name (%s)", out,
                              suffixes(1, list, sizeof list));
    return DONE;
}

/* What comes without a name is told by its first bytes. */
static const struct format *format_inside(const char *path)
{
    unsigned char head[2] = {0};
    FILE *const file = fopen(path, "rb");

    if (file != NULL) {
        if (fread(head, 1, sizeof head, file) < sizeof head)
            head[0] = 0;
        fclose(file);
    }
    return format_of(memcmp(head, "PK", 2) == 0 ? "stdin.pt"
                                                : "stdin.safetensors");
}

/* ---- What it computes in --------------------------------------------------*/

elman_dtype model_dtype(const conversion *c)
{
    elman_network_desc network = ELMAN_NETWORK_DESC;
    elman_lm_desc lm = ELMAN_LM_DESC;

    elman_lm_describe(c->lm, &lm);
    elman_network_describe(c->network, &network);
    return c->lm != NULL ? lm.dtype : network.rnn.dtype;
}

/* ---- The command ----------------------------------------------------------*/

/* With the activation, which shapes do not say. */
static const char *cell_words(elman_cell cell, elman_activation activation)
{
    static const char *const cells[] = {[ELMAN_CELL_ELMAN] = "elman (tanh)",
                                        [ELMAN_CELL_NONE] = "no hidden state",
                                        [ELMAN_CELL_LSTM] = "lstm",
                                        [ELMAN_CELL_GRU] = "gru"};

    if (cell == ELMAN_CELL_ELMAN && activation == ELMAN_RELU)
        return "elman (relu)";
    return cells[cell];
}

static void print_summary(const conversion *c)
{
    static const char *const decodes[] = {
        [ELMAN_DECODE_ALL] = "",
        [ELMAN_DECODE_LAST] = " of the last step",
        [ELMAN_DECODE_FINAL] = " of the final states"};
    elman_network_desc n = ELMAN_NETWORK_DESC;
    elman_lm_desc d = ELMAN_LM_DESC;

    if (c->lm != NULL) {
        elman_lm_describe(c->lm, &d);
        printf("%s: a language model of %s tokens, %s, %s parameters\n", c->to,
               grouped(elman_vocab_size(elman_lm_vocab(c->lm))).text,
               cell_words(d.cell, d.activation),
               grouped(elman_lm_parameters(c->lm)).text);
        return;
    }
    elman_network_describe(c->network, &n);
    printf(
        "%s: a network, %s%s, %lld number%s in%s, %lld out%s, %s parameters\n",
        c->to, cell_words(n.rnn.cell, n.rnn.activation),
        n.rnn.bidirectional ? " in both directions" : "",
        (long long)n.rnn.input, n.rnn.input == 1 ? "" : "s",
        n.embed > 0 ? " (embedded tokens)" : "",
        (long long)elman_network_width(c->network), decodes[n.decode],
        grouped(elman_network_parameters(c->network)).text);
}

static int run_convert(conversion *c, const char *in)
{
    int status = check_formats(in, c->to);

    if (status == DONE)
        status = check_weights(&c->options, format_of(c->to)->write == write_c,
                               format_of(c->to)->write == write_safetensors);
    if (status == DONE)
        status = check_onnx(&c->options,
                            format_of(in) != NULL &&
                                format_of(in)->read == read_onnx,
                            format_of(c->to)->write == write_onnx);
    if (status != DONE)
        return status;
    status = context_open(c->options.threads, c->options.isa, &c->context);
    if (status != DONE)
        return status;
    c->from = input_path(in);
    if (c->from == NULL)
        return FAILED;
    const struct format *from = format_of(in);
    status = (from != NULL ? from : format_inside(c->from))->read(c);
    if (status == DONE)
        status = convert_dtype(c);
    if (status == DONE)
        status = format_of(c->to)->write(c);
    if (status == DONE && !c->options.quiet)
        print_summary(c);
    return status;
}

int cmd_convert(int argc, char **argv)
{
    const grammar *const g = &convert_grammar;
    conversion c = {.lm = NULL};
    arguments args;
    int status = options_read(g, argc, argv, &c.options, &args);

    if (status != OPTIONS_READ)
        return status;
    c.options.has_cell = option_given(g, &args, "cell");
    c.options.has_activation = option_given(g, &args, "activation");
    c.options.has_dtype = option_given(g, &args, "dtype");
    c.options.has_weights = option_given(g, &args, "weights");
    c.to = args.operands[1];
    status = run_convert(&c, args.operands[0]);
    elman_lm_destroy(&c.lm);
    elman_network_destroy(&c.network);
    elman_context_destroy(&c.context);
    arguments_free(&args);
    return status;
}
