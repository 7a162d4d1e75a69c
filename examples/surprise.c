/* SPDX-License-Identifier: MIT */
/* surprise.c - a log that tells by itself which of its lines are unusual.
 *
 *   surprise [MODEL] <LOG
 *
 * Reads lines, and prints those that surprise a model, with the line's number
 * and nats per byte.  The model learns from the same lines, always behind them
 * (elman_learner_read), so that what has become usual is surprising no more.
 * Without MODEL, a language model of bytes, it begins knowing nothing. */
#include "example.h"

#include <math.h>

enum {
    LONGEST = 1 << 16, /* bytes of a line; what is longer is several */
    FIRST = 200        /* lines from which usual is learned, and none printed */
};

/* Mean and variance of what lines were like lately. */
typedef struct usual {
    int64_t lines;
    double mean, variance;
} usual;

/* Whether x is far above what is usual, to which it then belongs. */
static int surprises(usual *u, double x)
{
    const double away = x - u->mean;
    const int far = u->lines > FIRST && away > 5 * sqrt(u->variance) + 0.1;
    const double part = 1.0 / (double)(u->lines < 500 ? u->lines + 1 : 500);
    ++u->lines;
    u->mean += part * away;
    if (!far)
        u->variance += part * (away * away - u->variance);
    return far;
}

/* The next line, or as much of it as there is room for, its newline included;
 * any bytes may stand in it.  0: there is none. */
static size_t read_line(char *line)
{
    size_t size = 0;
    int c = 0;
    while (size < LONGEST && c != '\n' && (c = getchar()) != EOF)
        line[size++] = (char)c;
    return size;
}

static void print_line(const usual *u, double nats, const char *line,
                       size_t size)
{
    printf("%lld\t%.2f\t", (long long)u->lines, nats);
    fwrite(line, 1, size, stdout);
    if (line[size - 1] != '\n')
        putchar('\n');
}

static elman_lm *newborn(elman_context *context)
{
    char json[2048] = "[";
    size_t size = 1;
    for (int i = 0; i < 256; ++i)
        size += (size_t)sprintf(json + size, i ? ",%d" : "%d", i);
    json[size++] = ']';

    elman_vocab *vocab;
    elman_lm *lm;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.cell = ELMAN_CELL_GRU;
    desc.hidden = 128;
    desc.embed = 32;
    must(elman_vocab_from_json(context, json, size, ELMAN_BYTE,
                               ELMAN_NORMALIZE_NONE, &vocab));
    must(elman_lm_create(context, &desc, vocab, &lm));
    elman_lm_init(lm, 1);
    elman_vocab_destroy(&vocab);
    return lm;
}

int main(int argc, char **argv)
{
    static char line[LONGEST];
    static int32_t ids[LONGEST];
    static double nats[LONGEST];
    elman_context *context;
    elman_lm *lm;
    elman_learner *learner;
    elman_learner_desc desc = ELMAN_LEARNER_DESC;
    must(elman_context_create(NULL, &context));
    if (argc > 1)
        must(elman_lm_load(context, argv[1], &lm));
    else
        lm = newborn(context);
    check(elman_vocab_level(elman_lm_vocab(lm)) == ELMAN_BYTE,
          "the model is one of bytes");
    if (argc <= 1) {
        desc.lr = 0.002; /* it has all to learn, */
        desc.pull = 0;   /* and nothing to go back to */
    }
    must(elman_learner_create(lm, &desc, &learner));

    usual u = {.lines = 0};
    size_t size;
    while ((size = read_line(line)) > 0) {
        int64_t count;
        double sum = 0;
        must(elman_vocab_encode(elman_lm_vocab(lm), line, size, ids, LONGEST,
                                &count));
        must(elman_learner_read(learner, ids, count, nats));
        for (int64_t i = 0; i < count; ++i)
            sum += nats[i];
        if (surprises(&u, sum / (double)count))
            print_line(&u, sum / (double)count, line, size);
    }
    fprintf(stderr, "%lld lines, %lld updates, %.2f nats a byte at the end\n",
            (long long)u.lines, (long long)elman_learner_updates(learner),
            u.mean);

    elman_learner_destroy(&learner);
    elman_lm_destroy(&lm);
    elman_context_destroy(&context);
    return 0;
}
