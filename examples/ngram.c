/* SPDX-License-Identifier: MIT */
/* ngram.c - what looking further back costs.
 *
 *   ngram [TEXT [UPDATES [HIDDEN]]]
 *
 * Three ways to foretell a character, on the same text:
 *   counting    an n-gram model: a table of |V|^n numbers
 *   perceptron  no hidden state, the last n-1 characters side by side: its
 *               first matrix grows with n
 *   recurrent   a hidden state that goes on: any n, the same parameters
 * The last tenth of the text is held out, and perplexity is measured there; of
 * what is trained, the best epoch counts. */
#include "example.h"

#include <math.h>

enum { LONGEST = 5, BATCH = 16, STEPS = 64 };

typedef struct corpus {
    elman_text *text;
    int32_t *ids; /* [tokens] */
    int64_t tokens, known;
    int64_t V;
} corpus;

static corpus open_corpus(elman_context *context, const char *path)
{
    corpus c;
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = &path;
    desc.path_count = 1;
    desc.held_out = 0.1;
    must(elman_text_open(context, &desc, &c.text));
    c.tokens = elman_text_tokens(c.text);
    c.known = c.tokens - (int64_t)((double)c.tokens * desc.held_out);
    c.V = elman_vocab_size(elman_text_vocab(c.text));
    c.ids = malloc((size_t)c.tokens * sizeof *c.ids);
    check(c.ids != NULL, "there is memory");
    must(elman_text_read(c.text, 0, c.tokens, c.ids));
    return c;
}

/* ---- Counting -------------------------------------------------------------
 * LONGEST tokens are the digits of a number to the base V.  Of all that stand
 * in the text, sorted, those that begin alike are neighbours: how often
 * something was met is a distance. */

typedef struct counts {
    int64_t *codes; /* [size], ascending */
    int64_t size;
    int64_t V;
} counts;

static int64_t power(int64_t V, int n)
{
    int64_t product = 1;
    while (n-- > 0) {
        check(product <= INT64_MAX / 2 / V, "|V|^n is below 2^62");
        product *= V;
    }
    return product;
}

static int64_t code(const counts *c, const int32_t *ids, int n)
{
    int64_t number = 0;
    for (int i = 0; i < n; ++i)
        number = number * c->V + ids[i];
    return number;
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static counts count(const corpus *text)
{
    counts c = {.size = text->known - LONGEST + 1, .V = text->V};
    check(c.size > 0, "the text is long enough");
    c.codes = malloc((size_t)c.size * sizeof *c.codes);
    check(c.codes != NULL, "there is memory");
    for (int64_t i = 0; i < c.size; ++i)
        c.codes[i] = code(&c, text->ids + i, LONGEST);
    qsort(c.codes, (size_t)c.size, sizeof *c.codes, ascending);
    return c;
}

static int64_t below(const counts *c, int64_t number)
{
    int64_t low = 0, high = c->size;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (c->codes[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double times_met(const counts *c, const int32_t *ids, int n)
{
    const int64_t first = code(c, ids, n), width = power(c->V, LONGEST - n);
    return (double)(below(c, (first + 1) * width) - below(c, first * width));
}

/* p_n(b|a) = (met(ab) + s p_{n-1}(b|a')) / (met(a) + s), where a' is a without
 * its oldest token: what was met seldom leans on the shorter past. */
static double foretell(const counts *c, const int32_t *b, int n)
{
    const double s = 4;
    if (n == 0)
        return 1 / (double)c->V;
    const int32_t *const a = b - (n - 1);
    return (times_met(c, a, n) + s * foretell(c, b, n - 1)) /
           (times_met(c, a, n - 1) + s);
}

static double counting_perplexity(const corpus *text, const counts *c, int n)
{
    double nats = 0;
    for (int64_t i = text->known + 1; i < text->tokens; ++i)
        nats -= log(foretell(c, text->ids + i, n));
    return exp(nats / (double)(text->tokens - text->known - 1));
}

/* ---- Training -------------------------------------------------------------*/

typedef struct result {
    int64_t parameters;
    double perplexity;
} result;

static result train(elman_context *context, const corpus *text, int n,
                    int64_t updates, int64_t hidden)
{
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    desc.model.cell = n > 0 ? ELMAN_CELL_NONE : ELMAN_CELL_ELMAN;
    desc.model.context = n > 0 ? n - 1 : 0;
    desc.model.hidden = hidden;
    desc.optimizer.kind = ELMAN_ADAM;
    desc.optimizer.clip = 1;
    desc.schedule.kind = ELMAN_COSINE;
    desc.schedule.lr = 0.015;
    desc.batch = BATCH;
    desc.steps = STEPS;
    desc.updates = updates;
    desc.valid_fraction = 0.1;

    elman_trainer *trainer;
    elman_train_report report = ELMAN_TRAIN_REPORT;
    must(elman_trainer_create(context, &desc, text->text, NULL, &trainer));
    while (!report.done)
        must(elman_trainer_step(trainer, &report));
    const result r = {elman_lm_parameters(elman_trainer_lm(trainer)),
                      exp(report.best_valid_loss)};
    elman_trainer_destroy(&trainer);
    check(r.perplexity < (double)text->V, "training beats guessing");
    return r;
}

int main(int argc, char **argv)
{
    const char *const path = argc > 1 ? argv[1] : some_text();
    const int64_t updates = argc > 2 ? strtoll(argv[2], NULL, 10) : 1000;
    const int64_t hidden = argc > 3 ? strtoll(argv[3], NULL, 10) : 64;
    elman_context *context;
    must(elman_context_create(NULL, &context));
    corpus text = open_corpus(context, path);
    counts counted = count(&text);
    printf("%s: %lld characters, %lld different ones; %lld hidden units\n\n",
           path, (long long)text.tokens, (long long)text.V, (long long)hidden);
    printf("        ------- counting -------   ---- perceptron -----\n");
    printf("   n     parameters   perplexity   parameters perplexity\n");

    int64_t last = 0, growth = 0;
    for (int n = 2; n <= LONGEST; ++n) {
        const result r = train(context, &text, n, updates, hidden);
        printf("%4d %14lld %12.2f %12lld %10.2f\n", n,
               (long long)power(text.V, n),
               counting_perplexity(&text, &counted, n), (long long)r.parameters,
               r.perplexity);
        fflush(stdout);
        check(n < 4 || r.parameters - last == growth,
              "the perceptron grows by as many parameters for each n");
        growth = r.parameters - last;
        last = r.parameters;
    }
    const result r = train(context, &text, 0, updates, hidden);
    printf("\nrecurrent, any n: %lld parameters, perplexity %.2f\n",
           (long long)r.parameters, r.perplexity);

    free(counted.codes);
    free(text.ids);
    elman_text_close(&text.text);
    elman_context_destroy(&context);
    return 0;
}
