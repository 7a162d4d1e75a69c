/* SPDX-License-Identifier: MIT */
/* options.c - reads a command line by its table, and prints the table. */
#include "options.h"

#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Values --------------------------------------------------------------*/

static const struct {
    double low, high;
    int open_low, open_high; /* 1: the bound itself is out */
    const char *words;
} ranges[RANGE_COUNT] = {
    [RANGE_ANY] = {-INFINITY, INFINITY, 0, 0, "any number"},
    [RANGE_NOT_NEGATIVE] = {0, INFINITY, 0, 0, "not negative"},
    [RANGE_POSITIVE] = {0, INFINITY, 1, 0, "greater than 0"},
    [RANGE_FROM_1] = {1, INFINITY, 0, 0, "at least 1"},
    [RANGE_FEW] = {1, 1024, 0, 0, "from 1 to 1024"},
    [RANGE_FRACTION] = {0, 1, 0, 1, "at least 0 and less than 1"},
    [RANGE_UNIT] = {0, 1, 0, 0, "from 0 to 1"},
    [RANGE_PART] = {0, 1, 1, 0, "greater than 0 and at most 1"},
};

static int in_range(option_range range, double x)
{
    const int above =
        ranges[range].open_low ? x > ranges[range].low : x >= ranges[range].low;
    const int below = ranges[range].open_high ? x < ranges[range].high
                                              : x <= ranges[range].high;
    return above && below;
}

static void *field(const option *o, void *values)
{
    return (char *)values + o->offset;
}

static const void *field_const(const option *o, const void *values)
{
    return (const char *)values + o->offset;
}

/* The place of word in a list "a|b|c"; -1 if it is not there. */
static int choice_place(const char *list, const char *word)
{
    const size_t size = strlen(word);
    int place = 0;

    while (list != NULL) {
        const size_t part = strcspn(list, "|");
        if (part == size && memcmp(list, word, size) == 0)
            return place;
        list = list[part] == '|' ? list + part + 1 : NULL;
        place++;
    }
    return -1;
}

/* The word at a place of the list "a|b|c", and its length. */
static const char *choice_word(const char *list, int place, int *size)
{
    while (place-- > 0)
        list += strcspn(list, "|") + 1;
    *size = (int)strcspn(list, "|");
    return list;
}

static int wrong_value(const char *command, const option *o, const char *value,
                       const char *expected)
{
    return complain_usage(command, "--%s is '%s' (it should be %s)", o->name,
                          value, expected);
}

static int read_int(const char *command, const option *o, const char *value,
                    void *values)
{
    char *end;
    const char *digits = value + (*value == '-' || *value == '+');

    errno = 0;
    const long long x = strtoll(value, &end, 10);
    if (strspn(digits, "0123456789") != strlen(digits) || *digits == '\0')
        return wrong_value(command, o, value, "a whole number");
    if (errno == ERANGE)
        return wrong_value(command, o, value, "below 2 to the 63");
    if (!in_range(o->range, (double)x))
        return wrong_value(command, o, value, ranges[o->range].words);
    *(int64_t *)field(o, values) = x;
    return OPTIONS_READ;
}

/* Units as those of GNU programs: K or KiB is 1024, KB is 1000. */
static int read_bytes(const char *command, const option *o, const char *value,
                      void *values)
{
    static const char units[] = "KMGT";
    char *end;
    double x = strtod(value, &end);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;

    if (end == value || !isfinite(x) || *value == '-' || isalpha(*value))
        return wrong_value(command, o, value, "bytes, such as 64M");
    if (unit != NULL) {
        const int thousands = strcmp(end + 1, "B") == 0;
        if (end[1] != '\0' && !thousands && strcmp(end + 1, "iB") != 0)
            return wrong_value(command, o, value, "bytes, such as 64M");
        for (const char *p = units; p <= unit; p++)
            x *= thousands ? 1000 : 1024;
    } else if (*end != '\0' && strcmp(end, "B") != 0) {
        return wrong_value(command, o, value, "bytes, such as 64M");
    }
    if (x >= 0x1p62)
        return wrong_value(command, o, value, "below 2 to the 62");
    *(int64_t *)field(o, values) = (int64_t)x;
    return OPTIONS_READ;
}

static int read_real(const char *command, const option *o, const char *value,
                     void *values)
{
    char *end;
    const double x = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(x))
        return wrong_value(command, o, value, "a number");
    if (!in_range(o->range, x))
        return wrong_value(command, o, value, ranges[o->range].words);
    *(double *)field(o, values) = x;
    return OPTIONS_READ;
}

static int read_choice(const char *command, const option *o, const char *value,
                       void *values)
{
    const int place = choice_place(o->choices, value);

    if (place < 0)
        return complain_usage(command, "--%s '%s' is not known (there is %s)",
                              o->name, value, o->choices);
    *(int *)field(o, values) = place;
    return OPTIONS_READ;
}

static int read_value(const char *command, const option *o, const char *value,
                      void *values)
{
    switch (o->kind) {
    case OPTION_TEXT:
        if (*value == '\0')
            return complain_usage(command, "--%s is empty (it needs a %s)",
                                  o->name, o->argument);
        *(const char **)field(o, values) = value;
        return OPTIONS_READ;
    case OPTION_INT:
        return read_int(command, o, value, values);
    case OPTION_BYTES:
        return read_bytes(command, o, value, values);
    case OPTION_REAL:
        return read_real(command, o, value, values);
    case OPTION_CHOICE:
        return read_choice(command, o, value, values);
    default:
        return OPTIONS_READ;
    }
}

void option_show(const option *o, const void *values, char *text, size_t size)
{
    const void *value = field_const(o, values);
    int length;

    switch (o->kind) {
    case OPTION_TEXT:
        snprintf(text, size, "--%s %s", o->name, *(const char *const *)value);
        break;
    case OPTION_INT:
    case OPTION_BYTES:
        snprintf(text, size, "--%s %lld", o->name,
                 (long long)*(const int64_t *)value);
        break;
    case OPTION_REAL:
        snprintf(text, size, "--%s %s", o->name,
                 shortest(*(const double *)value).text);
        break;
    case OPTION_CHOICE: {
        const char *word =
            choice_word(o->choices, *(const int *)value, &length);
        snprintf(text, size, "--%s %.*s", o->name, length, word);
        break;
    }
    default:
        snprintf(text, size, "%s--%s", *(const int *)value ? "" : "no ",
                 o->name);
    }
}

static size_t value_size(const option *o)
{
    switch (o->kind) {
    case OPTION_TEXT:
        return sizeof(const char *);
    case OPTION_INT:
    case OPTION_BYTES:
        return sizeof(int64_t);
    case OPTION_REAL:
        return sizeof(double);
    default:
        return sizeof(int);
    }
}

int option_equal(const option *o, const void *values, const void *others)
{
    const void *a = field_const(o, values), *b = field_const(o, others);

    if (o->kind == OPTION_REAL)
        return *(const double *)a == *(const double *)b;
    return memcmp(a, b, value_size(o)) == 0;
}

void option_copy(const option *o, void *values, const void *others)
{
    memcpy(field(o, values), field_const(o, others), value_size(o));
}

/* ---- Names ---------------------------------------------------------------*/

const option *option_find(const grammar *g, const char *name)
{
    for (int i = 0; i < g->option_count; i++) {
        const option *o = &g->options[i];
        if (o->kind != OPTION_HEADING && strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

int option_given(const grammar *g, const arguments *a, const char *name)
{
    return a->given[option_find(g, name) - g->options];
}

static const option *find_letter(const grammar *g, char letter)
{
    for (int i = 0; i < g->option_count; i++)
        if (g->options[i].letter == letter)
            return &g->options[i];
    return NULL;
}

/* Levenshtein's distance of two short words, by the rows of its table. */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    const int n = (int)strlen(b);
    int row[LONGEST + 1];

    if (n > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int swapped = corner + (a[i - 1] != b[j - 1]);
            const int removed = row[j] + 1, added = row[j - 1] + 1;
            corner = row[j];
            row[j] = swapped < removed ? swapped : removed;
            row[j] = row[j] < added ? row[j] : added;
        }
    }
    return row[n];
}

/* The option that was probably meant; NULL if none is near. */
static const char *nearest(const grammar *g, const char *name)
{
    const char *best = NULL;
    int least = strlen(name) < 4 ? 2 : 3;

    for (int i = 0; i < g->option_count; i++) {
        const option *o = &g->options[i];
        if (o->kind == OPTION_HEADING)
            continue;
        const int far =
            strlen(name) >= 3 && strncmp(o->name, name, strlen(name)) == 0
                ? 0
                : distance(name, o->name);
        if (far < least) {
            least = far;
            best = o->name;
        }
    }
    return best;
}

static int unknown_option(const grammar *g, const char *name)
{
    const char *meant = nearest(g, name);

    if (meant == NULL)
        return complain_usage(g->command,
                              "unknown option --%s (elman %s --help lists "
                              "them)",
                              name, g->command);
    return complain_usage(
        g->command, "unknown option --%s (did you mean --%s?)", name, meant);
}

/* ---- Help ----------------------------------------------------------------*/

enum { LEFT = 26, WIDTH = 79 };

/* Prints text from column LEFT on, broken at blanks. */
static void print_wrapped(const char *text, int column)
{
    while (*text != '\0') {
        const int word = (int)strcspn(text, " ");
        if (column + word > WIDTH && column > LEFT) {
            printf("\n%*s", LEFT, "");
            column = LEFT;
        }
        printf("%.*s", word, text);
        column += word;
        text += word;
        if (*text == ' ') {
            text++;
            if (column + 1 + (int)strcspn(text, " ") <= WIDTH)
                putchar(' ');
            column++;
        }
    }
    putchar('\n');
}

static void print_option(const option *o)
{
    char left[160], help[512];
    const char *argument = o->kind == OPTION_CHOICE ? o->choices : o->argument;

    if (o->letter != 0)
        snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name);
    else
        snprintf(left, sizeof left, "  --%s", o->name);
    if (argument != NULL) {
        const size_t used = strlen(left);
        snprintf(left + used, sizeof left - used, " %s", argument);
    }
    if (o->initial != NULL && o->kind != OPTION_FLAG)
        snprintf(help, sizeof help, "%s (default %s)", o->help, o->initial);
    else
        snprintf(help, sizeof help, "%s", o->help);
    if (strlen(left) + 2 > LEFT)
        printf("%s\n%*s", left, LEFT, "");
    else
        printf("%-*s", LEFT, left);
    print_wrapped(help, LEFT);
}

static void print_help(const grammar *g)
{
    printf("usage: elman %s%s%s [OPTION]...\n\n%s\n", g->command,
           g->operands[0] != '\0' ? " " : "", g->operands, g->summary);
    if (g->options[0].kind != OPTION_HEADING)
        putchar('\n');
    for (int i = 0; i < g->option_count; i++) {
        const option *o = &g->options[i];
        if (o->kind == OPTION_HEADING)
            printf("\n%s\n", o->help);
        else
            print_option(o);
    }
    printf("  -h, --help              this text\n\nExample:\n%s\n", g->example);
}

/* ---- The line ------------------------------------------------------------*/

typedef struct line {
    const grammar *g;
    char **argv;
    int argc, next;
    void *values;
    arguments *out;
} line;

/* Reads an option's value, which stands in its own word (inside) or in the
 * next one. */
static int take_value(line *l, const option *o, const char *inside)
{
    const char *command = l->g->command;
    const char *value = inside;

    l->out->given[o - l->g->options] = 1;
    if (o->kind == OPTION_FLAG) {
        if (inside != NULL)
            return complain_usage(command, "--%s takes no value", o->name);
        *(int *)field(o, l->values) = 1;
        return OPTIONS_READ;
    }
    if (value == NULL) {
        if (l->next >= l->argc || strncmp(l->argv[l->next], "--", 2) == 0)
            return complain_usage(command, "--%s needs a value (%s)", o->name,
                                  o->kind == OPTION_CHOICE ? o->choices
                                                           : o->argument);
        value = l->argv[l->next++];
    }
    return read_value(command, o, value, l->values);
}

static int take_long(line *l, const char *word)
{
    char name[64];
    const size_t size = strcspn(word, "=");

    if (size >= sizeof name)
        return unknown_option(l->g, word);
    memcpy(name, word, size);
    name[size] = '\0';
    if (strcmp(word, "help") == 0) {
        print_help(l->g);
        return DONE;
    }
    const option *o = option_find(l->g, name);
    if (o == NULL)
        return unknown_option(l->g, name);
    return take_value(l, o, word[size] == '=' ? word + size + 1 : NULL);
}

static int take_short(line *l, const char *word)
{
    const option *o = find_letter(l->g, word[0]);

    if (strcmp(word, "h") == 0) {
        print_help(l->g);
        return DONE;
    }
    if (o == NULL)
        return complain_usage(l->g->command,
                              "unknown option -%s (elman %s --help lists them)",
                              word, l->g->command);
    return take_value(l, o, word[1] != '\0' ? word + 1 : NULL);
}

static int take_words(line *l)
{
    int only_operands = 0, status = OPTIONS_READ;

    while (l->next < l->argc && status == OPTIONS_READ) {
        const char *word = l->argv[l->next++];
        if (only_operands || word[0] != '-' || word[1] == '\0')
            l->out->operands[l->out->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = 1;
        else if (word[1] == '-')
            status = take_long(l, word + 2);
        else
            status = take_short(l, word + 1);
    }
    return status;
}

static int check_operands(const grammar *g, const arguments *a)
{
    if (a->operand_count < g->least)
        return complain_usage(g->command, "something is missing (elman %s %s)",
                              g->command, g->operands);
    if (g->most >= 0 && a->operand_count > g->most)
        return complain_usage(g->command, "'%s' is too much (elman %s --help)",
                              a->operands[g->most], g->command);
    for (int i = 0; i < a->operand_count; i++)
        if (a->operands[i][0] == '\0')
            return complain_usage(g->command,
                                  "an empty word is no file (elman %s %s)",
                                  g->command, g->operands);
    return OPTIONS_READ;
}

int options_read(const grammar *g, int argc, char **argv, void *values,
                 arguments *out)
{
    line l = {g, argv, argc, 1, values, out};
    int status = OPTIONS_READ;

    *out = (arguments){0};
    out->operands = malloc((size_t)argc * sizeof *out->operands);
    if (out->operands == NULL)
        return complain("memory ran out");
    for (int i = 0; i < g->option_count; i++)
        if (g->options[i].initial != NULL && status == OPTIONS_READ)
            status = read_value(g->command, &g->options[i],
                                g->options[i].initial, values);
    if (status == OPTIONS_READ)
        status = take_words(&l);
    if (status == OPTIONS_READ)
        status = check_operands(g, out);
    if (status != OPTIONS_READ)
        arguments_free(out);
    return status;
}

void arguments_free(arguments *a)
{
    free(a->operands);
    a->operands = NULL;
}
