/* SPDX-License-Identifier: MIT */
/* probe.c - `elman probe`: how far back a model's gradient reaches. */
#include "cli.h"
#include "options.h"
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct probe_options {
    const char *svg, *isa;
    int64_t steps, positions, max_tokens, threads;
    int tsv, json;
} probe_options;

#define AT(member) .offset = offsetof(probe_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_INT, 0, "steps", AT(steps), "N", .range = RANGE_FROM_1,
     .initial = "100", .help = "how many steps to look back"},
    {OPTION_INT, 0, "positions", AT(positions), "N", .range = RANGE_FROM_1,
     .initial = "64",
     .help = "places of the text, evenly spread, to look back from"},
    {OPTION_INT, 0, "max-tokens", AT(max_tokens), "N",
     .range = RANGE_NOT_NEGATIVE, .initial = "0",
     .help = "only the first N tokens; 0: all"},
    {OPTION_TEXT, 0, "svg", AT(svg), "FILE", .help = "a picture of it"},
    {OPTION_FLAG, 0, "tsv", AT(tsv), .help = "every step, for machines"},
    {OPTION_FLAG, 0, "json", AT(json), .help = "one JSON object"},
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
};
/* clang-format on */

static const grammar probe_grammar = {
    .command = "probe",
    .operands = "MODEL TEXT...",
    .summary = "Measures how far back the gradient reaches: the norm of "
               "d loss / d state\nagainst the steps between the two, averaged "
               "over places of the text.",
    .example = "  elman probe book.safetensors rest.txt --svg reach.svg",
    GRAMMAR_OPTIONS(table),
    .least = 2,
    .most = -1,
};

/* A line of norms, one for each k. */
enum { NAME_MOST = 16 };
typedef struct series {
    char name[NAME_MOST]; /* "h1", "c1", ... */
    double *mean;         /* [K+1] */
} series;

/* ln(norm) is about a straight line over k. */
typedef struct fit {
    double rate, at0; /* norm(k) = at0 rate^k; NaN: there are no two points */
} fit;

typedef enum finding { VANISHING, EXPLODING, REACHING } finding;

typedef struct probing {
    probe_options options;
    arguments args;
    elman_context *context;
    elman_lm *lm;
    const char **paths;
    elman_text *text;
    elman_lm_desc desc;
    int64_t K, N;
    int kinds;     /* of states: a series each */
    double *norms; /* [K+1,kinds,N] */
    double *all;   /* [K+1]: of the whole state, the mean over the places, */
    double *least; /* and the extremes */
    double *most;
    series *list; /* [kinds] */
    fit fit;
    finding finding;
} probing;

/* ---- Measuring -----------------------------------------------------------*/

static int open_operands(probing *p)
{
    const int count = p->args.operand_count;
    elman_text_desc desc = ELMAN_TEXT_DESC;

    p->paths = malloc((size_t)count * sizeof *p->paths);
    if (p->paths == NULL)
        return complain("memory ran out");
    for (int i = 0; i < count; i++) {
        p->paths[i] = input_path(p->args.operands[i]);
        if (p->paths[i] == NULL)
            return FAILED;
    }
    if (elman_lm_load(p->context, p->paths[0], &p->lm) != ELMAN_OK)
        return complain_library();
    desc.paths = p->paths + 1;
    desc.path_count = count - 1;
    desc.max_tokens = p->options.max_tokens;
    desc.vocab = elman_lm_vocab(p->lm);
    if (elman_text_open(p->context, &desc, &p->text) != ELMAN_OK)
        return complain_library();
    const int64_t tokens = elman_text_tokens(p->text);
    if (p->options.steps >= tokens ||
        p->options.positions > tokens - p->options.steps)
        return complain("%s: %lld tokens are too few to look back over %lld "
                        "steps from %lld places (fewer --steps or --positions "
                        "would do)",
                        p->args.operands[1], (long long)tokens,
                        (long long)p->options.steps,
                        (long long)p->options.positions);
    return DONE;
}

static double *doubles(int64_t count, int64_t each)
{
    int64_t all;

    if (__builtin_mul_overflow(count, each, &all) || all > INT64_MAX / 16)
        return NULL;
    return calloc((size_t)all, sizeof(double));
}

static int make_room(probing *p)
{
    p->desc = (elman_lm_desc)ELMAN_LM_DESC;
    elman_lm_describe(p->lm, &p->desc);
    const int layers = p->desc.layers;
    p->kinds = p->desc.cell == ELMAN_CELL_LSTM ? 2 * layers : layers;
    p->K = p->options.steps;
    p->N = p->options.positions;
    if (p->K < INT64_MAX / p->kinds)
        p->norms = doubles((p->K + 1) * p->kinds, p->N);
    p->list = calloc((size_t)p->kinds, sizeof *p->list);
    if (p->norms == NULL || p->list == NULL ||
        (p->all = doubles(p->K + 1, 1)) == NULL ||
        (p->least = doubles(p->K + 1, 1)) == NULL ||
        (p->most = doubles(p->K + 1, 1)) == NULL)
        return complain("memory ran out");
    for (int i = 0; i < p->kinds; i++) {
        snprintf(p->list[i].name, NAME_MOST, "%c%d", i < layers ? 'h' : 'c',
                 i % layers + 1);
        if ((p->list[i].mean = doubles(p->K + 1, 1)) == NULL)
            return complain("memory ran out");
    }
    return DONE;
}

static int measure(probing *p)
{
    elman_probe_desc desc = ELMAN_PROBE_DESC;

    desc.count = elman_text_tokens(p->text);
    desc.steps = p->K;
    desc.positions = p->N;
    if (elman_lm_probe(p->lm, p->text, &desc, p->norms) != ELMAN_OK)
        return complain_library();
    return DONE;
}

/* The norm of all parts of a state together, by hypot, which overflows only
 * where the norm itself does. */
static double whole(const probing *p, int64_t k, int64_t place)
{
    double norm = 0;

    for (int i = 0; i < p->kinds; i++)
        norm = hypot(norm, p->norms[(k * p->kinds + i) * p->N + place]);
    return norm;
}

static void average(probing *p)
{
    for (int64_t k = 0; k <= p->K; k++) {
        p->least[k] = INFINITY;
        for (int64_t place = 0; place < p->N; place++) {
            const double norm = whole(p, k, place);
            p->all[k] += norm / (double)p->N;
            p->least[k] = fmin(p->least[k], norm);
            p->most[k] = fmax(p->most[k], norm);
        }
        for (int i = 0; i < p->kinds; i++)
            for (int64_t place = 0; place < p->N; place++)
                p->list[i].mean[k] +=
                    p->norms[(k * p->kinds + i) * p->N + place] / (double)p->N;
    }
}

/* ---- What it means -------------------------------------------------------*/

/* Least squares through ln(norm) over k = 1 ... K, as far as there are
 * numbers to take the logarithm of. */
static fit fit_line(const double *norm, int64_t K)
{
    double n = 0, k_sum = 0, y_sum = 0, kk = 0, ky = 0;

    for (int64_t k = 1; k <= K && norm[k] > 0 && isfinite(norm[k]); k++) {
        n++;
        k_sum += (double)k;
        y_sum += log(norm[k]);
    }
    if (n < 2)
        return (fit){NAN, NAN};
    for (int64_t k = 1; k <= (int64_t)n; k++) {
        const double from_middle = (double)k - k_sum / n;
        kk += from_middle * from_middle;
        ky += from_middle * log(norm[k]);
    }
    const double slope = ky / kk;
    return (fit){exp(slope), exp(y_sum / n - slope * k_sum / n)};
}

/* A hundredth, or a hundred times, within the steps that were looked at. */
enum { HUNDRED = 100 };

static finding judge(const probing *p)
{
    const double change = (double)p->K * log(p->fit.rate);

    if (isnan(change))
        return p->all[p->K] > 0 ? EXPLODING : VANISHING;
    if (change <= -log(HUNDRED))
        return VANISHING;
    return change >= log(HUNDRED) ? EXPLODING : REACHING;
}

static const char *finding_name(finding f)
{
    return f == VANISHING   ? "vanishing"
           : f == EXPLODING ? "exploding"
                            : "reaching";
}

/* Steps until what was left after the first one has changed by this factor;
 * 0: it has not. */
static int64_t steps_to(const probing *p, double factor)
{
    for (int64_t k = 1; k <= p->K; k++)
        if (factor < 1 ? p->all[k] <= factor * p->all[1]
                       : p->all[k] >= factor * p->all[1])
            return k;
    return 0;
}

static int64_t steps_of_finding(const probing *p)
{
    if (p->finding == REACHING)
        return 0;
    return steps_to(p, p->finding == VANISHING ? 1.0 / HUNDRED : HUNDRED);
}

static void put_finding(const probing *p, char *out, size_t size)
{
    const int64_t steps = steps_of_finding(p);
    const double rate = p->fit.rate;
    char after[64] = "";

    if (steps > 0)
        snprintf(after, sizeof after, ", %s after %lld",
                 p->finding == VANISHING ? "a hundredth" : "a hundredfold",
                 (long long)steps);
    if (isnan(rate))
        snprintf(out, size, "the gradient %s at once",
                 p->finding == VANISHING ? "vanishes" : "explodes");
    else if (p->finding == REACHING)
        snprintf(out, size,
                 "the gradient reaches back over all %lld steps: times %.4g "
                 "each",
                 (long long)p->K, rate);
    else
        snprintf(out, size, "the gradient %s: times %.4g each step back%s",
                 p->finding == VANISHING ? "vanishes" : "explodes", rate,
                 after);
}

/* ---- Results -------------------------------------------------------------*/

/* 0 ... 5, and then 1, 2, 3, 5, 7 times a power of ten, and the last one. */
static int is_shown(const probing *p, int64_t k)
{
    int64_t digit = k;

    if (p->options.tsv || k <= 5 || k == p->K)
        return 1;
    while (digit >= 10 && digit % 10 == 0)
        digit /= 10;
    return digit == 1 || digit == 2 || digit == 3 || digit == 5 || digit == 7 ||
           k == 15;
}

static void print_row(const probing *p, int64_t k)
{
    const char *const form = p->options.tsv ? "\t%.9g" : " %10.4g";

    printf(p->options.tsv ? "%lld" : "%8lld", (long long)k);
    printf(form, p->all[k]);
    printf(form, p->least[k]);
    printf(form, p->most[k]);
    for (int i = 0; p->kinds > 1 && i < p->kinds; i++)
        printf(form, p->list[i].mean[k]);
    putchar('\n');
}

static void print_table(const probing *p)
{
    const char *const form = p->options.tsv ? "\t%s" : " %10s";
    char sentence[256];

    printf("# the norm of d loss / d state, of %lld places in %s tokens\n",
           (long long)p->N, grouped(elman_text_tokens(p->text)).text);
    printf(p->options.tsv ? "# back" : "#   back");
    printf(form, "mean");
    printf(form, "least");
    printf(form, "most");
    for (int i = 0; p->kinds > 1 && i < p->kinds; i++)
        printf(form, p->list[i].name);
    putchar('\n');
    for (int64_t k = 0; k <= p->K; k++)
        if (is_shown(p, k))
            print_row(p, k);
    put_finding(p, sentence, sizeof sentence);
    printf("# %s\n", sentence);
}

static void json_line(json *j, const char *key, const double *y, int64_t count)
{
    json_open(j, key, '[');
    for (int64_t i = 0; i < count; i++)
        json_real(j, NULL, y[i]);
    json_close(j, ']');
}

static void print_json(const probing *p)
{
    json j = {.file = stdout};
    char sentence[256];

    put_finding(p, sentence, sizeof sentence);
    json_open(&j, NULL, '{');
    json_int(&j, "tokens", elman_text_tokens(p->text));
    json_int(&j, "positions", p->N);
    json_int(&j, "steps", p->K);
    json_text(&j, "finding", finding_name(p->finding));
    json_text(&j, "sentence", sentence);
    json_real(&j, "rate", p->fit.rate);
    if (steps_of_finding(p) > 0)
        json_int(&j, "hundredth", steps_of_finding(p));
    else
        json_raw(&j, "hundredth", "null");
    json_line(&j, "mean", p->all, p->K + 1);
    json_line(&j, "least", p->least, p->K + 1);
    json_line(&j, "most", p->most, p->K + 1);
    for (int i = 0; i < p->kinds; i++)
        json_line(&j, p->list[i].name, p->list[i].mean, p->K + 1);
    json_close(&j, '}');
    putchar('\n');
}

/* ---- The picture ---------------------------------------------------------*/

static int draw_lines(const probing *p, double *x, double *fitted)
{
    plot_line lines[PLOT_LINES_MOST];
    char title[160], label[64];
    int count = 0;

    for (int64_t k = 0; k <= p->K; k++) {
        x[k] = (double)k;
        fitted[k] = k > 0 ? p->fit.at0 * pow(p->fit.rate, (double)k) : NAN;
    }
    lines[count++] = (plot_line){"mean", p->all, 0};
    snprintf(label, sizeof label, "%.4g a step", p->fit.rate);
    if (!isnan(p->fit.rate))
        lines[count++] = (plot_line){label, fitted, 1};
    for (int i = 0; p->kinds > 1 && i < p->kinds && count < PLOT_LINES_MOST;
         i++)
        lines[count++] = (plot_line){p->list[i].name, p->list[i].mean, 0};
    snprintf(title, sizeof title, "How far back the gradient reaches (%s)",
             finding_name(p->finding));
    const plot picture = {.title = title,
                          .x_label = "steps back",
                          .y_label = "norm of d loss / d state",
                          .x = x,
                          .count = p->K + 1,
                          .low = p->least,
                          .high = p->most,
                          .lines = lines,
                          .line_count = count};
    return plot_write(&picture, p->options.svg);
}

static int draw_picture(const probing *p)
{
    if (p->options.svg == NULL)
        return DONE;
    double *const x = doubles(p->K + 1, 1), *const fitted =
                                                doubles(p->K + 1, 1);
    const int status = x != NULL && fitted != NULL ? draw_lines(p, x, fitted)
                                                   : complain("memory ran out");

    free(x);
    free(fitted);
    return status;
}

/* ---- The command ---------------------------------------------------------*/

static int run_probe(probing *p)
{
    int status;

    if (p->options.tsv && p->options.json)
        return complain_usage("probe", "--tsv and --json are two ways to print "
                                       "it (give one)");
    if (p->options.svg != NULL && strcmp(p->options.svg, "-") == 0)
        return complain_usage("probe", "the picture would be mixed with the "
                                       "table (--svg names a file)");
    status = context_open(p->options.threads, p->options.isa, &p->context);
    if (status == DONE)
        status = open_operands(p);
    if (status == DONE)
        status = make_room(p);
    if (status == DONE)
        status = measure(p);
    if (status != DONE)
        return status;
    average(p);
    p->fit = fit_line(p->all, p->K);
    p->finding = judge(p);
    status = draw_picture(p);
    if (status == DONE && p->options.json)
        print_json(p);
    else if (status == DONE)
        print_table(p);
    return status;
}

static void finish(probing *p)
{
    for (int i = 0; p->list != NULL && i < p->kinds; i++)
        free(p->list[i].mean);
    free(p->list);
    free(p->norms);
    free(p->all);
    free(p->least);
    free(p->most);
    elman_text_close(&p->text);
    elman_lm_destroy(&p->lm);
    elman_context_destroy(&p->context);
    free(p->paths);
    arguments_free(&p->args);
}

int cmd_probe(int argc, char **argv)
{
    probing p = {.lm = NULL};
    int status = options_read(&probe_grammar, argc, argv, &p.options, &p.args);

    if (status != OPTIONS_READ)
        return status;
    status = run_probe(&p);
    finish(&p);
    return status;
}
