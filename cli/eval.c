/* SPDX-License-Identifier: MIT */
/* eval.c - `elman eval`: how well a model foretells a text. */
#include "baseline.h"
#include "cli.h"
#include "dtype.h"
#include "options.h"

#include <math.h>
#include <stdlib.h>

typedef struct eval_options {
    const char *baseline, *isa;
    int64_t max_tokens, threads, steps;
    double lr, clip, pull;
    int json, dtype, dynamic, optimizer;
} eval_options;

#define AT(member) .offset = offsetof(eval_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_TEXT, 0, "baseline", AT(baseline), "FILE",
     .help = "the text that the model learned from: tells what guessing and "
             "counting on it would reach"},
    {OPTION_INT, 0, "max-tokens", AT(max_tokens), "N",
     .range = RANGE_NOT_NEGATIVE, .initial = "0",
     .help = "only the first N tokens; 0: all"},
    DTYPE_OPTION(offsetof(eval_options, dtype)),
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
    {OPTION_FLAG, 0, "json", AT(json), .help = "one JSON object"},
    {OPTION_HEADING,
     .help = "Dynamic evaluation: the model goes on learning from the text, "
             "always\nbehind what it has foretold; its file stays as it is"},
    {OPTION_FLAG, 0, "dynamic", AT(dynamic), .help = "evaluate so"},
    {OPTION_INT, 0, "steps", AT(steps), "N", .range = RANGE_FROM_1,
     .initial = "32", .help = "tokens of one update"},
    {OPTION_CHOICE, 0, "optimizer", AT(optimizer),
     .choices = "sgd|momentum|adam|adamw|rmsprop", .initial = "rmsprop",
     .help = "how weights follow gradients"},
    {OPTION_REAL, 0, "lr", AT(lr), "X", .range = RANGE_NOT_NEGATIVE,
     .help = "learning rate (default 0.0002; sgd 0.1, momentum 0.01)"},
    {OPTION_REAL, 0, "clip", AT(clip), "X", .range = RANGE_NOT_NEGATIVE,
     .initial = "1", .help = "largest norm of the whole gradient; 0: any"},
    {OPTION_REAL, 0, "pull", AT(pull), "X", .range = RANGE_UNIT,
     .initial = "0.001",
     .help = "how far weights go back to the model's own after every update"},
};
/* clang-format on */

static const grammar eval_grammar = {
    .command = "eval",
    .operands = "MODEL TEXT...",
    .summary = "Measures a model on text files (- is stdin): every token but "
               "the first is\npredicted from all before it.",
    .example = "  elman eval book.safetensors rest.txt --baseline book.txt",
    GRAMMAR_OPTIONS(table),
    .least = 2,
    .most = -1,
};

typedef struct evaluation {
    eval_options options;
    arguments args;
    elman_context *context;
    elman_lm *lm;
    const char **paths;
    elman_text *text, *train;
    elman_learner *learner; /* NULL: the model stays as it is */
    elman_lm_score score;
    baseline baseline;
} evaluation;

static int open_text(evaluation *e, const char *const *paths, int count,
                     int64_t max_tokens, elman_text **out)
{
    elman_text_desc desc = ELMAN_TEXT_DESC;

    desc.paths = paths;
    desc.path_count = count;
    desc.max_tokens = max_tokens;
    desc.vocab = elman_lm_vocab(e->lm);
    if (elman_text_open(e->context, &desc, out) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static int load(evaluation *e, const char *path)
{
    if (!e->options.dynamic)
        return dtype_load_lm(e->context, path, e->options.dtype, &e->lm);
    if (elman_lm_load(e->context, path, &e->lm) != ELMAN_OK)
        return complain_library();
    return e->options.dtype < 0
               ? DONE
               : dtype_remake(dtype_chosen(e->options.dtype), &e->lm, NULL);
}

/* Opens the model, which is the first operand, and the text, the others. */
static int open_operands(evaluation *e)
{
    const int count = e->args.operand_count;

    e->paths = malloc((size_t)count * sizeof *e->paths);
    if (e->paths == NULL)
        return complain("memory ran out");
    for (int i = 0; i < count; i++) {
        e->paths[i] = input_path(e->args.operands[i]);
        if (e->paths[i] == NULL)
            return FAILED;
    }
    if (load(e, e->paths[0]) != DONE)
        return FAILED;
    return open_text(e, e->paths + 1, count - 1, e->options.max_tokens,
                     &e->text);
}

static int make_learner(evaluation *e)
{
    const eval_options *o = &e->options;
    elman_learner_desc desc = ELMAN_LEARNER_DESC;

    desc.optimizer.kind = (elman_optimizer_kind)o->optimizer;
    desc.optimizer.clip = o->clip;
    desc.lr = o->lr;
    desc.pull = o->pull;
    desc.steps = o->steps;
    if (elman_learner_create(e->lm, &desc, &e->learner) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static elman_status evaluate(evaluation *e, int64_t tokens)
{
    return e->learner != NULL
               ? elman_learner_eval(e->learner, e->text, 0, tokens, &e->score)
               : elman_lm_eval(e->lm, e->text, 0, tokens, &e->score);
}

static int measure(evaluation *e)
{
    const int64_t tokens = elman_text_tokens(e->text);

    if (tokens < 2)
        return complain("%s: one token is nothing to foretell (two would be)",
                        e->args.operands[1]);
    if (e->options.dynamic && make_learner(e) != DONE)
        return FAILED;
    e->score = (elman_lm_score)ELMAN_LM_SCORE;
    return evaluate(e, tokens) == ELMAN_OK ? DONE : complain_library();
}

static int measure_baseline(evaluation *e)
{
    const char *path = e->options.baseline;

    if (path == NULL)
        return DONE;
    path = input_path(path);
    if (path == NULL || open_text(e, &path, 1, 0, &e->train) != DONE)
        return FAILED;
    return baseline_measure(e->train, e->text, &e->baseline);
}

static double nats_per_token(const evaluation *e)
{
    return e->score.nats / (double)e->score.tokens;
}

static double bits_per_char(const evaluation *e)
{
    return e->score.nats / log(2) / e->score.chars;
}

static void print_text(const evaluation *e)
{
    const baseline *b = &e->baseline;

    printf("tokens          %s\n", grouped(e->score.tokens).text);
    printf("nats per token  %.6f\n", nats_per_token(e));
    printf("perplexity      %.6g\n", exp(nats_per_token(e)));
    printf("bits per char   %.6f\n", bits_per_char(e));
    printf("unknown         %s\n", grouped(e->score.unknown).text);
    if (e->learner != NULL)
        printf("updates         %s\n",
               grouped(elman_learner_updates(e->learner)).text);
    if (e->options.baseline == NULL)
        return;
    printf("\nperplexity of others on the same tokens\n");
    printf("  guessing      %.6g\n", b->guessing);
    printf("  frequencies   %.6g\n", b->unigram);
    if (isnan(b->bigram))
        printf("  bigram        left out: more than %d tokens in the "
               "vocabulary\n",
               BASELINE_BIGRAM_MOST);
    else
        printf("  bigram        %.6g\n", b->bigram);
}

static void print_json(const evaluation *e)
{
    json j = {.file = stdout};

    json_open(&j, NULL, '{');
    json_int(&j, "tokens", e->score.tokens);
    json_real(&j, "nats_per_token", nats_per_token(e));
    json_real(&j, "perplexity", exp(nats_per_token(e)));
    json_real(&j, "bits_per_char", bits_per_char(e));
    json_int(&j, "unknown", e->score.unknown);
    if (e->learner != NULL)
        json_int(&j, "updates", elman_learner_updates(e->learner));
    if (e->options.baseline != NULL) {
        json_open(&j, "baseline", '{');
        json_real(&j, "guessing", e->baseline.guessing);
        json_real(&j, "unigram", e->baseline.unigram);
        json_real(&j, "bigram", e->baseline.bigram);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    putchar('\n');
}

static int run_eval(evaluation *e)
{
    int status = context_open(e->options.threads, e->options.isa, &e->context);

    if (status == DONE)
        status = open_operands(e);
    if (status == DONE)
        status = measure(e);
    if (status == DONE)
        status = measure_baseline(e);
    if (status != DONE)
        return status;
    if (e->options.json)
        print_json(e);
    else
        print_text(e);
    return DONE;
}

/* Options of dynamic evaluation alone, and what --lr is where it is not given.
 */
static int settle(evaluation *e)
{
    static const char *const only[] = {"steps", "optimizer", "lr", "clip",
                                       "pull"};

    for (size_t i = 0; i < sizeof only / sizeof *only; i++)
        if (!e->options.dynamic &&
            option_given(&eval_grammar, &e->args, only[i]))
            return complain_usage("eval",
                                  "--%s means nothing without "
                                  "--dynamic",
                                  only[i]);
    if (option_given(&eval_grammar, &e->args, "lr"))
        return DONE;
    e->options.lr = e->options.optimizer == ELMAN_SGD        ? 0.1
                    : e->options.optimizer == ELMAN_MOMENTUM ? 0.01
                                                             : 0.0002;
    return DONE;
}

int cmd_eval(int argc, char **argv)
{
    evaluation e = {.options = {.dtype = -1}};
    int status = options_read(&eval_grammar, argc, argv, &e.options, &e.args);

    if (status != OPTIONS_READ)
        return status;
    status = settle(&e);
    if (status == DONE)
        status = run_eval(&e);
    elman_learner_destroy(&e.learner);
    elman_text_close(&e.train);
    elman_text_close(&e.text);
    elman_lm_destroy(&e.lm);
    elman_context_destroy(&e.context);
    free(e.paths);
    arguments_free(&e.args);
    return status;
}
