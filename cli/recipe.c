/* SPDX-License-Identifier: MIT */
/* recipe.c - the options of `elman train`, from the line to the library. */
#include "recipe.h"

#include "cli.h"
#include "dtype.h"

#include <stddef.h>
#include <string.h>

/* Every default of `elman train` is in this table, but for those that depend
 * on another option: they are below it. */
#define AT(member) .offset = offsetof(recipe, member)
/* clang-format off */
static const option table[] = {
    {OPTION_HEADING, .help = "The model file"},
    {OPTION_TEXT, 'o', "output", AT(output), "FILE",
     .help = "where the model goes, whole or not at all (- is stdout)"},

    {OPTION_HEADING, .help = "The text"},
    {OPTION_CHOICE, 0, "level", AT(level), .choices = "char|word|byte",
     .memory = MEMORY_FIXED, .initial = "char",
     .help = "what a token is; char is a Unicode code point"},
    {OPTION_CHOICE, 0, "normalize", AT(normalize), .choices = "none|letters",
     .memory = MEMORY_FIXED, .initial = "none",
     .help = "letters: lower case, every run of other characters one blank"},
    {OPTION_INT, 0, "min-count", AT(min_count), "N", .range = RANGE_FROM_1,
     .initial = "1", .help = "tokens met less often become <unk>"},
    {OPTION_INT, 0, "vocab-size", AT(vocab_size), "N",
     .range = RANGE_NOT_NEGATIVE, .initial = "0",
     .help = "only the N most frequent tokens, <unk> counted in; 0: all"},
    {OPTION_INT, 0, "max-tokens", AT(max_tokens), "N",
     .range = RANGE_NOT_NEGATIVE, .initial = "0",
     .help = "only the first N tokens; 0: all"},

    {OPTION_HEADING, .help = "The network"},
    {OPTION_TEXT, 0, "from", AT(from), "MODEL",
     .help = "begin with this model's weights; network, vocabulary and (by "
             "default) --dtype are the model's"},
    {OPTION_CHOICE, 0, "cell", AT(cell), .choices = "elman|none|lstm|gru",
     .memory = MEMORY_FIXED, .initial = "elman",
     .help = "none: no hidden state, a perceptron on the last --context "
             "tokens"},
    {OPTION_INT, 0, "context", AT(context), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "4",
     .help = "tokens that --cell none looks at"},
    {OPTION_CHOICE, 0, "activation", AT(activation), .choices = "tanh|relu",
     .memory = MEMORY_FIXED, .initial = "tanh",
     .help = "of --cell elman and --cell none"},
    {OPTION_CHOICE, 0, "reset", AT(reset), .choices = "after|before",
     .memory = MEMORY_FIXED, .initial = "after",
     .help = "of --cell gru: the reset gate after the product (as PyTorch) or "
             "before it"},
    {OPTION_INT, 0, "hidden", AT(hidden), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "256", .help = "size of each layer"},
    {OPTION_INT, 0, "layers", AT(layers), "N", .range = RANGE_FEW,
     .memory = MEMORY_FIXED, .initial = "1", .help = "layers on one another"},
    {OPTION_INT, 0, "embed", AT(embed), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED,
     .help = "size of the tokens' embedding; 0 is one-hot input (default 0; "
             "128 with --level word; with --tie what the network gives)"},
    {OPTION_CHOICE, 0, "dtype", AT(dtype), .choices = DTYPE_CHOICES,
     .memory = MEMORY_FIXED, .initial = "f32",
     .help = "arithmetic"},
    {OPTION_INT, 0, "proj", AT(proj), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "of --cell lstm: each layer gives N numbers, fewer than --hidden; "
             "0: no projection"},
    {OPTION_FLAG, 0, "tie", AT(tie), .memory = MEMORY_FIXED,
     .help = "the output layer's weight is the embedding's"},

    {OPTION_HEADING, .help = "Learning"},
    {OPTION_INT, 0, "epochs", AT(epochs), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FREE, .initial = "20",
     .help = "times through the text; 0, and with --updates alone: no limit"},
    {OPTION_INT, 0, "updates", AT(updates), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FREE, .initial = "0",
     .help = "steps of the optimizer; 0: no limit"},
    {OPTION_INT, 0, "batch", AT(batch), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "32",
     .help = "sequences side by side"},
    {OPTION_INT, 0, "shards", AT(shards), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "1",
     .help = "parts of the batch whose gradients are sums of their own, which "
             "as many processes may share"},
    {OPTION_INT, 0, "steps", AT(steps), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "35",
     .help = "time steps of one back-propagation"},
    {OPTION_CHOICE, 0, "sampling", AT(sampling),
     .choices = "sequential|random", .memory = MEMORY_FIXED,
     .initial = "sequential",
     .help = "adjacent pieces with the state carried on, or pieces anywhere "
             "from a zero state"},
    {OPTION_CHOICE, 0, "truncation", AT(truncation),
     .choices = "regular|random|none", .memory = MEMORY_FIXED,
     .initial = "regular",
     .help = "of gradients in time: an update every --steps; or one wherever a "
             "draw cuts, unbiased; or one an epoch"},
    {OPTION_INT, 0, "back", AT(back), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "regular: steps that gradients go back, --steps or more; 0: "
             "--steps"},
    {OPTION_REAL, 0, "cut", AT(cut), "P", .range = RANGE_PART,
     .memory = MEMORY_FIXED, .initial = "0.5",
     .help = "random: how likely a cut is after --steps"},
    {OPTION_CHOICE, 0, "optimizer", AT(optimizer),
     .choices = "sgd|momentum|adam|adamw|rmsprop", .memory = MEMORY_FIXED,
     .initial = "adam", .help = "how weights follow gradients"},
    {OPTION_REAL, 0, "lr", AT(lr), "X", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED,
     .help = "learning rate (default 0.005; sgd 1, momentum 0.1, rmsprop "
             "0.001)"},
    {OPTION_REAL, 0, "momentum", AT(momentum), "X", .range = RANGE_UNIT,
     .memory = MEMORY_FIXED, .initial = "0.9",
     .help = "of --optimizer momentum"},
    {OPTION_REAL, 0, "weight-decay", AT(weight_decay), "X",
     .range = RANGE_NOT_NEGATIVE, .memory = MEMORY_FIXED, .initial = "0",
     .help = "pull of every weight towards 0"},
    {OPTION_REAL, 0, "clip", AT(clip), "X", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED, .initial = "1",
     .help = "largest norm of the whole gradient; 0: any"},
    {OPTION_REAL, 0, "dropout", AT(dropout), "P", .range = RANGE_FRACTION,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "between layers and before the output layer"},
    {OPTION_FLAG, 0, "locked", AT(locked), .memory = MEMORY_FIXED,
     .help = "dropout: one mask for all steps of a sequence"},
    {OPTION_REAL, 0, "weight-drop", AT(weight_drop), "P",
     .range = RANGE_FRACTION, .memory = MEMORY_FIXED, .initial = "0",
     .help = "of the recurrent weights, one mask an update"},
    {OPTION_REAL, 0, "average", AT(average), "D", .range = RANGE_FRACTION,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "validate and save a moving average of the weights with decay D "
             "(0.999, say); 0: the weights themselves"},
    {OPTION_CHOICE, 0, "loss", AT(loss), .choices = "mean|sum",
     .memory = MEMORY_FIXED, .initial = "mean",
     .help = "over time; over the batch it is always the mean"},
    {OPTION_CHOICE, 0, "schedule", AT(schedule),
     .choices = "constant|step|cosine|halve", .memory = MEMORY_FIXED,
     .initial = "cosine",
     .help = "how the learning rate goes; cosine: down to nothing over the "
             "whole run"},
    {OPTION_REAL, 0, "gamma", AT(gamma), "X", .range = RANGE_PART,
     .memory = MEMORY_FIXED, .initial = "0.1",
     .help = "step: factor of each step"},
    {OPTION_INT, 0, "every", AT(every), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "1000",
     .help = "step: updates between two steps"},
    {OPTION_INT, 0, "warmup", AT(warmup), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "cosine: updates of the way up"},
    {OPTION_REAL, 0, "floor", AT(floor), "X", .range = RANGE_UNIT,
     .memory = MEMORY_FIXED, .initial = "0",
     .help = "cosine: where it ends, as a part of --lr"},
    {OPTION_INT, 0, "patience", AT(patience), "N", .range = RANGE_FROM_1,
     .memory = MEMORY_FIXED, .initial = "1",
     .help = "halve: validations without a better loss before lr is halved"},
    {OPTION_INT, 0, "seed", AT(seed), "N", .range = RANGE_NOT_NEGATIVE,
     .memory = MEMORY_FIXED, .initial = "0", .help = "of all random numbers"},

    {OPTION_HEADING, .help = "Validation: the best model is kept"},
    {OPTION_TEXT, 0, "valid", AT(valid), "FILE", .help = "a text held out"},
    {OPTION_REAL, 0, "valid-fraction", AT(valid_fraction), "F",
     .range = RANGE_FRACTION, .memory = MEMORY_FIXED, .initial = "0",
     .help = "this part of the text, at its end, is held out"},
    {OPTION_INT, 0, "stop-after", AT(stop_after), "N",
     .range = RANGE_NOT_NEGATIVE, .memory = MEMORY_FIXED, .initial = "0",
     .help = "end after N validations without a better loss; 0: never"},

    {OPTION_HEADING, .help = "The run"},
    {OPTION_BYTES, 0, "memory", AT(memory), "BYTES", .initial = "0",
     .help = "train in so much, such as 64M, beyond weights and text: what does "
             "not fit is computed again; 0: no limit"},
    {OPTION_CHOICE, 0, "on-nonfinite", AT(on_nonfinite), .choices = "stop|skip",
     .memory = MEMORY_FREE, .initial = "stop",
     .help = "what becomes of an update whose loss or gradient is not finite"},
    {OPTION_TEXT, 0, "log", AT(log), "FILE",
     .help = "one JSON object a line for every update"},
    {OPTION_TEXT, 0, "checkpoint", AT(checkpoint), "FILE",
     .help = "the whole state of training, written at the end of every epoch; "
             "FILE.1 and FILE.2 are the ones before"},
    {OPTION_INT, 0, "checkpoint-every", AT(checkpoint_every), "N",
     .range = RANGE_NOT_NEGATIVE, .initial = "0",
     .help = "write it after every N updates instead"},
    {OPTION_TEXT, 0, "resume", AT(resume), "FILE",
     .help = "go on from a checkpoint, with its options; TEXT and -o are given "
             "again, and --epochs and --updates may grow"},
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
    {OPTION_FLAG, 0, "quiet", AT(quiet), .help = "no progress line"},
    {OPTION_FLAG, 0, "json", AT(json),
     .help = "at the end, one JSON object on stdout"},
};
/* clang-format on */
_Static_assert(sizeof table / sizeof *table <= OPTIONS_MOST,
               "there is room for every row");

static const int64_t default_embed[] = {
    [ELMAN_CHAR] = 0, [ELMAN_WORD] = 128, [ELMAN_BYTE] = 0};
static const double default_lr[] = {[ELMAN_SGD] = 1,
                                    [ELMAN_MOMENTUM] = 0.1,
                                    [ELMAN_ADAM] = 0.005,
                                    [ELMAN_ADAMW] = 0.005,
                                    [ELMAN_RMSPROP] = 0.001};

const grammar recipe_grammar = {
    .command = "train",
    .operands = "TEXT... -o MODEL",
    .summary = "Learns a language model from text files (- is stdin).",
    .example =
        "  elman train book.txt -o book.safetensors --valid-fraction 0.1\n"
        "  elman sample book.safetensors --prompt \"It was \"",
    GRAMMAR_OPTIONS(table),
    .least = 1,
    .most = -1,
};

/* ---- Options that belong together ----------------------------------------*/

/* The first option means something only where the second has this value. */
static const struct {
    const char *name, *owner;
    int value;
} owned[] = {
    {"context", "cell", ELMAN_CELL_NONE},
    {"proj", "cell", ELMAN_CELL_LSTM},
    {"reset", "cell", ELMAN_CELL_GRU},
    {"back", "truncation", ELMAN_TRUNCATION_REGULAR},
    {"cut", "truncation", ELMAN_TRUNCATION_RANDOM},
    {"momentum", "optimizer", ELMAN_MOMENTUM},
    {"gamma", "schedule", ELMAN_STEP},
    {"every", "schedule", ELMAN_STEP},
    {"warmup", "schedule", ELMAN_COSINE},
    {"floor", "schedule", ELMAN_COSINE},
    {"patience", "schedule", ELMAN_HALVE},
};

static int given(const arguments *a, const char *name)
{
    return option_given(&recipe_grammar, a, name);
}

static int check_owned(const recipe *r, const arguments *a)
{
    const char *command = recipe_grammar.command;

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        const option *owner = option_find(&recipe_grammar, owned[i].owner);
        recipe fitting = *r;
        char has[64], needs[64];

        *(int *)((char *)&fitting + owner->offset) = owned[i].value;
        if (!given(a, owned[i].name) || option_equal(owner, r, &fitting))
            continue;
        option_show(owner, r, has, sizeof has);
        option_show(owner, &fitting, needs, sizeof needs);
        return complain_usage(command,
                              "--%s means nothing with %s (it needs "
                              "%s)",
                              owned[i].name, has, needs);
    }
    return DONE;
}

static int is_gated(const recipe *r)
{
    return r->cell == ELMAN_CELL_LSTM || r->cell == ELMAN_CELL_GRU;
}

/* What one step of the network gives. */
static int64_t output_size(const recipe *r)
{
    return r->proj > 0 ? r->proj : r->hidden;
}

static int check_network(const recipe *r, const arguments *a)
{
    const char *command = recipe_grammar.command;

    if (is_gated(r) && given(a, "activation"))
        return complain_usage(command, "--activation is of --cell elman and "
                                       "--cell none");
    if (r->proj > 0 && r->proj >= r->hidden)
        return complain_usage(command, "--proj %lld is not below --hidden %lld",
                              (long long)r->proj, (long long)r->hidden);
    if (r->tie && r->embed != output_size(r))
        return complain_usage(command,
                              "--tie needs --embed %lld, which is what the "
                              "network gives (not %lld)",
                              (long long)output_size(r), (long long)r->embed);
    if (r->tie && r->cell == ELMAN_CELL_NONE && r->context > 1)
        return complain_usage(command, "--tie goes with --cell none only at "
                                       "--context 1");
    if (r->locked && r->dropout == 0)
        return complain_usage(command, "--locked says nothing without "
                                       "--dropout");
    if (r->weight_drop > 0 && r->cell == ELMAN_CELL_NONE)
        return complain_usage(command, "--weight-drop is of recurrent weights "
                                       "(--cell none has none)");
    return check_owned(r, a);
}

static int check_truncation(const recipe *r, const arguments *a)
{
    const char *command = recipe_grammar.command;
    const int regular = r->truncation == ELMAN_TRUNCATION_REGULAR;
    const char *what = regular ? "--back" : "--truncation";

    if (r->truncation == ELMAN_TRUNCATION_NONE && given(a, "steps"))
        return complain_usage(command, "--steps means nothing with "
                                       "--truncation none");
    if (regular && r->back > 0 && r->back < r->steps)
        return complain_usage(command, "--back %lld is below --steps %lld",
                              (long long)r->back, (long long)r->steps);
    if (regular && r->back <= r->steps)
        return DONE;
    if (r->sampling == ELMAN_RANDOM)
        return complain_usage(command,
                              "%s goes with --sampling sequential only, whose "
                              "pieces are adjacent",
                              what);
    if (r->cell == ELMAN_CELL_NONE)
        return complain_usage(command,
                              "%s means nothing with --cell none, whose "
                              "gradients do not go back in time",
                              what);
    return DONE;
}

int recipe_check(const recipe *r, const arguments *a)
{
    const char *command = recipe_grammar.command;
    const int validated = r->valid != NULL || r->valid_fraction > 0;

    if (r->valid != NULL && r->valid_fraction > 0)
        return complain_usage(command,
                              "--valid and --valid-fraction are two ways to "
                              "say what is held out (give one)");
    if (r->schedule == ELMAN_HALVE && !validated)
        return complain_usage(command, "--schedule halve needs a validation "
                                       "(--valid or --valid-fraction)");
    if (r->stop_after > 0 && !validated)
        return complain_usage(command, "--stop-after needs a validation "
                                       "(--valid or --valid-fraction)");
    if (r->epochs == 0 && r->updates == 0)
        return complain_usage(command, "the run would not end (give --epochs "
                                       "or --updates)");
    if (r->level == ELMAN_BYTE &&
        (given(a, "min-count") || given(a, "vocab-size")))
        return complain_usage(command, "--min-count and --vocab-size mean "
                                       "nothing with --level byte, whose "
                                       "vocabulary is all 256");
    if (r->cell == ELMAN_CELL_NONE && r->layers > 1)
        return complain_usage(command,
                              "--layers %lld: --cell none has one "
                              "layer",
                              (long long)r->layers);
    if ((r->shards & (r->shards - 1)) != 0 || r->batch % r->shards != 0)
        return complain_usage(command,
                              "--shards %lld is not a power of two that "
                              "divides --batch %lld",
                              (long long)r->shards, (long long)r->batch);
    if (strcmp(r->output, "-") == 0 &&
        (r->json || (r->log != NULL && strcmp(r->log, "-") == 0)))
        return complain_usage(command, "the model would be mixed with other "
                                       "output (-o - goes with neither --json "
                                       "nor --log -)");
    if (check_truncation(r, a) != DONE)
        return MISUSED;
    return check_network(r, a);
}

/* What a model says of itself. */
static const char *const inherited[] = {
    "level",   "normalize", "min-count",  "vocab-size", "cell",
    "context", "embed",     "activation", "reset",      "hidden",
    "layers",  "proj",      "tie"};

static int check_from(const recipe *r, const arguments *a)
{
    const char *command = recipe_grammar.command;

    if (r->resume != NULL)
        return complain_usage(command, "--from begins a run, and --resume goes "
                                       "on with one, whose checkpoint has the "
                                       "weights (give one)");
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        if (given(a, inherited[i]))
            return complain_usage(command,
                                  "--%s means nothing with --from, whose model "
                                  "says it",
                                  inherited[i]);
    return DONE;
}

int recipe_settle(recipe *r, const arguments *a)
{
    if (!given(a, "lr"))
        r->lr = default_lr[r->optimizer];
    if (given(a, "updates") && r->updates > 0 && !given(a, "epochs"))
        r->epochs = 0;
    return recipe_check(r, a);
}

int recipe_complete(recipe *r, const arguments *a)
{
    if (r->output == NULL)
        return complain_usage(recipe_grammar.command,
                              "no model file is named (-o FILE)");
    if (r->from != NULL)
        return check_from(r, a);
    if (r->resume != NULL)
        return DONE;
    if (!given(a, "embed"))
        r->embed = r->tie ? output_size(r) : default_embed[r->level];
    return recipe_settle(r, a);
}
