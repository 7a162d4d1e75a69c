/* SPDX-License-Identifier: MIT */
/* sample.c - `elman sample`: a model writes, one token after another. */
#include "cli.h"
#include "dtype.h"
#include "options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct sample_options {
    const char *prompt, *isa;
    int64_t length, top_k, seed, threads;
    double temperature, top_p;
    int greedy, allow_unk, dtype;
} sample_options;

#define AT(member) .offset = offsetof(sample_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_TEXT, 0, "prompt", AT(prompt), "TEXT",
     .help = "how it begins (default: where a line begins)"},
    {OPTION_INT, 0, "length", AT(length), "N", .range = RANGE_NOT_NEGATIVE,
     .initial = "500", .help = "tokens to write after the prompt"},
    {OPTION_REAL, 0, "temperature", AT(temperature), "X",
     .range = RANGE_POSITIVE, .initial = "0.8",
     .help = "below 1 bolder in what is likely, above 1 wilder"},
    {OPTION_INT, 0, "top-k", AT(top_k), "N", .range = RANGE_NOT_NEGATIVE,
     .initial = "0", .help = "only the N likeliest tokens; 0: all"},
    {OPTION_REAL, 0, "top-p", AT(top_p), "X", .range = RANGE_PART,
     .initial = "1", .help = "only the likeliest tokens that make up this "
                             "probability"},
    {OPTION_FLAG, 0, "greedy", AT(greedy),
     .help = "always the likeliest token"},
    {OPTION_FLAG, 0, "allow-unk", AT(allow_unk),
     .help = "<unk>, the token for what is not in the vocabulary, may be "
             "written"},
    {OPTION_INT, 0, "seed", AT(seed), "N", .range = RANGE_NOT_NEGATIVE,
     .initial = "0", .help = "of the random numbers"},
    DTYPE_OPTION(offsetof(sample_options, dtype)),
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .initial = "1", .help = "threads; one step has little work for many"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
};
/* clang-format on */

static const grammar sample_grammar = {
    .command = "sample",
    .operands = "MODEL",
    .summary = "Lets a model write: the prompt, and how it goes on.",
    .example = "  elman sample book.safetensors --prompt \"It was \" "
               "--length 200 --seed 7",
    GRAMMAR_OPTIONS(table),
    .least = 1,
    .most = 1,
};

/* Random numbers of different purposes come from different streams. */
static const uint64_t sample_stream = UINT64_C(5) << 32;

typedef struct writer {
    const sample_options *options;
    elman_lm *lm;
    elman_lm_state *state;
    const elman_vocab *vocab;
    elman_dtype dtype;
    void *logits;    /* [V] */
    int32_t *prompt; /* [prompt_count] */
    int64_t prompt_count;
    int32_t end_of_line; /* <eos> of words; -1 at other levels */
    int written;         /* 1: something stands on this line */
    int terminal;
} writer;

/* ---- Tokens and text -----------------------------------------------------*/

static int has_unknown(const writer *w)
{
    return elman_vocab_level(w->vocab) != ELMAN_BYTE;
}

/* Encodes into ids that are allocated; FAILED with the sentence written. */
static int encode(const writer *w, const char *text, int32_t **ids,
                  int64_t *count)
{
    const int64_t room = (int64_t)strlen(text) + 2;

    *ids = malloc((size_t)room * sizeof **ids);
    if (*ids == NULL)
        return complain("memory ran out");
    if (elman_vocab_encode(w->vocab, text, strlen(text), *ids, room, count) !=
        ELMAN_OK)
        return complain("the prompt: %s", elman_message());
    return DONE;
}

/* The one token that text is; -1 if it is not one that the model knows. */
static int32_t single(const writer *w, const char *text)
{
    int32_t ids[4];
    int64_t count;

    if (elman_vocab_encode(w->vocab, text, strlen(text), ids, 4, &count) !=
            ELMAN_OK ||
        count != 1 || (has_unknown(w) && ids[0] == 0))
        return -1;
    return ids[0];
}

/* Words are set apart by blanks, lines by <eos>. */
static void print_token(writer *w, int32_t id)
{
    size_t size;
    const char *token = elman_vocab_token(w->vocab, id, &size);

    if (id == w->end_of_line) {
        token = "\n";
        size = 1;
    } else if (w->written && elman_vocab_level(w->vocab) == ELMAN_WORD)
        putchar(' ');
    fwrite(token, 1, size, stdout);
    w->written = size == 0 ? w->written : token[size - 1] != '\n';
}

/* ---- The prompt ----------------------------------------------------------*/

/* Without a prompt a text begins where a line does, or after a blank, or, in a
 * vocabulary without either, after its first token. */
static int default_prompt(writer *w)
{
    int32_t id = single(w, "\n");

    if (id < 0)
        id = single(w, " ");
    if (id < 0)
        id = has_unknown(w) && elman_vocab_size(w->vocab) > 1;
    w->prompt = malloc(sizeof *w->prompt);
    if (w->prompt == NULL)
        return complain("memory ran out");
    w->prompt[0] = id;
    w->prompt_count = 1;
    return DONE;
}

static int read_prompt(writer *w)
{
    const char *text = w->options->prompt;
    int64_t unknown = 0;

    if (text == NULL)
        return default_prompt(w);
    if (encode(w, text, &w->prompt, &w->prompt_count) != DONE)
        return FAILED;
    if (w->prompt_count == 0)
        return complain("the prompt: no token is in it");
    for (int64_t i = 0; i < w->prompt_count; i++)
        unknown += has_unknown(w) && w->prompt[i] == 0;
    if (unknown > 0)
        complain("the prompt: %lld of %lld tokens are not in the model's "
                 "vocabulary, and read as <unk>",
                 (long long)unknown, (long long)w->prompt_count);
    return DONE;
}

/* Runs the prompt through the state, and shows it as the model reads it. */
static int warm_up(writer *w)
{
    for (int64_t i = 0; i < w->prompt_count; i++) {
        const int last = i == w->prompt_count - 1;
        if (elman_lm_step(w->lm, w->state, &w->prompt[i],
                          last ? w->logits : NULL) != ELMAN_OK)
            return complain_library();
        if (w->options->prompt != NULL)
            print_token(w, w->prompt[i]);
    }
    return DONE;
}

/* ---- The continuation ----------------------------------------------------*/

static void forbid_unknown(writer *w)
{
    if (w->options->allow_unk || !has_unknown(w) ||
        elman_vocab_size(w->vocab) < 2)
        return;
    if (w->dtype == ELMAN_F64)
        ((double *)w->logits)[0] = -INFINITY;
    else
        ((float *)w->logits)[0] = -INFINITY;
}

/* What is written comes out at once where somebody watches, and now and then
 * elsewhere. */
static int send_out(const writer *w, int64_t k)
{
    return w->terminal || k % 64 == 0 ? finish_stdout() : DONE;
}

static int go_on(writer *w)
{
    elman_sampler sampler = ELMAN_SAMPLER;

    sampler.temperature = w->options->temperature;
    sampler.top_k = w->options->top_k;
    sampler.top_p = w->options->top_p;
    sampler.greedy = w->options->greedy;
    for (int64_t k = 0; k < w->options->length; k++) {
        const float uniform = elman_random_uniform((uint64_t)w->options->seed,
                                                   sample_stream, (uint64_t)k);
        int32_t id;

        forbid_unknown(w);
        if (elman_lm_choose(w->lm, &sampler, w->logits, (double)uniform, &id) !=
            ELMAN_OK)
            return complain_library();
        print_token(w, id);
        if (send_out(w, k) != DONE)
            return FAILED;
        if (elman_lm_step(w->lm, w->state, &id, w->logits) != ELMAN_OK)
            return complain_library();
    }
    return DONE;
}

/* ---- The command ---------------------------------------------------------*/

static int prepare(writer *w, elman_context *context, const char *path)
{
    elman_lm_desc desc = ELMAN_LM_DESC;

    if (dtype_load_lm(context, path, w->options->dtype, &w->lm) != DONE)
        return FAILED;
    if (elman_lm_state_create(w->lm, 1, &w->state) != ELMAN_OK)
        return complain_library();
    elman_lm_describe(w->lm, &desc);
    w->dtype = desc.dtype;
    w->vocab = elman_lm_vocab(w->lm);
    w->logits = malloc((size_t)elman_vocab_size(w->vocab) *
                       elman_dtype_size(desc.dtype));
    if (w->logits == NULL)
        return complain("memory ran out");
    w->end_of_line =
        elman_vocab_level(w->vocab) == ELMAN_WORD ? single(w, "\n") : -1;
    return read_prompt(w);
}

static int write_sample(writer *w)
{
    int status = warm_up(w);

    if (status == DONE)
        status = go_on(w);
    if (status == DONE && w->written)
        putchar('\n');
    return status;
}

int cmd_sample(int argc, char **argv)
{
    sample_options options = {.dtype = -1};
    arguments args;
    elman_context *context = NULL;
    writer w = {.options = &options, .terminal = isatty(STDOUT_FILENO)};
    int status = options_read(&sample_grammar, argc, argv, &options, &args);

    if (status != OPTIONS_READ)
        return status;
    const char *path = input_path(args.operands[0]);
    status = path == NULL
                 ? FAILED
                 : context_open(options.threads, options.isa, &context);
    if (status == DONE)
        status = prepare(&w, context, path);
    if (status == DONE)
        status = write_sample(&w);
    free(w.logits);
    free(w.prompt);
    elman_lm_state_destroy(&w.state);
    elman_lm_destroy(&w.lm);
    elman_context_destroy(&context);
    arguments_free(&args);
    return status;
}
