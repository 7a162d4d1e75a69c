/* SPDX-License-Identifier: MIT */
/* run_csv.c - one sequence as text, a step a line.  A network of one direction
 * answers each line as it comes. */
#include "run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct lines {
    FILE *file;
    const char *name;
    char *text;
    size_t room;
    int64_t number;
} lines;

static int lines_open(lines *l, const char *operand)
{
    l->name = strcmp(operand, "-") == 0 ? "standard input" : operand;
    l->file = strcmp(operand, "-") == 0 ? stdin : fopen(operand, "r");
    if (l->file == NULL)
        return complain("%s: %s", operand, strerror(errno));
    return DONE;
}

static void lines_close(lines *l)
{
    if (l->file != NULL && l->file != stdin)
        fclose(l->file);
    free(l->text);
}

static int wrong_line(const lines *l, const char *what, int64_t wanted)
{
    return complain("%s: line %lld: %s (%lld number%s, with commas between "
                    "them, would be right)",
                    l->name, (long long)l->number, what, (long long)wanted,
                    wanted == 1 ? "" : "s");
}

/* Where a line's numbers begin; some programs put a byte order mark before the
 * first one. */
static const char *begin_of(const lines *l)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t size = sizeof mark - 1;
    const int marked = l->number == 1 && strncmp(l->text, mark, size) == 0;
    const char *const text = l->text + (marked ? size : 0);

    return text + strspn(text, " \t\r\n");
}

/* Reads the next line that is not empty into values [count]; *more is 0 at the
 * end.  nan and inf are numbers, as they are in a .npy file. */
static int next_line(lines *l, int64_t count, double *values, int *more)
{
    const char *place;

    do {
        errno = 0;
        if (getline(&l->text, &l->room, l->file) < 0) {
            *more = 0;
            if (ferror(l->file))
                return complain("%s: %s", l->name, strerror(errno));
            return DONE;
        }
        l->number++;
        place = begin_of(l);
    } while (*place == '\0');
    *more = 1;
    for (int64_t i = 0; i < count; i++) {
        char *end;
        values[i] = strtod(place, &end);
        if (end == place)
            return wrong_line(l, "something is no number", count);
        place = end + strspn(end, " \t\r\n");
        if (*place != (i + 1 < count ? ',' : '\0'))
            return wrong_line(l, "it has more or fewer numbers", count);
        place += *place == ',';
    }
    return DONE;
}

static int token_of(const model *m, const lines *l, double value, int32_t *id)
{
    if (value != floor(value) || !(value >= 0) || !(value < (double)m->vocab))
        return complain("%s: line %lld: %s is no token (0 to %lld)", l->name,
                        (long long)l->number, shortest(value).text,
                        (long long)m->vocab - 1);
    *id = (int32_t)value;
    return DONE;
}

/* A row as one line; a number reads back as the same one, and of NaN the sign,
 * which means nothing, is left out. */
static void print_row(const model *m, FILE *out, const void *y, int64_t row)
{
    for (int64_t j = 0; j < m->width; j++) {
        const int64_t i = row * m->width + j;
        if (j > 0)
            putc(',', out);
        const double number = m->dtype == ELMAN_F64
                                  ? ((const double *)y)[i]
                                  : (double)((const float *)y)[i];
        if (isnan(number)) {
            fputs("nan", out);
        } else if (m->dtype == ELMAN_F64) {
            fputs(shortest(number).text, out);
        } else {
            const float value = (float)number;
            char text[32];
            for (int digits = 6; digits <= 9; digits++) {
                snprintf(text, sizeof text, "%.*g", digits, (double)value);
                if (strtof(text, NULL) == value)
                    break;
            }
            fputs(text, out);
        }
    }
    putc('\n', out);
}

/* Where CSV goes: stdout; or a file beside the one that is named, in whose
 * place it is put when all of it is there; or, where there is something that is
 * no file, straight into that. */
typedef struct output {
    FILE *file;
    const char *name;
    char *temporary; /* NULL: none */
} output;

static int not_written(const output *o)
{
    return complain("%s: could not be written: %s", o->name, strerror(errno));
}

static int output_open(output *o, const char *operand)
{
    const size_t room = strlen(operand) + sizeof ".tmp";
    struct stat old;

    *o = (output){stdout, operand, NULL};
    if (strcmp(operand, "-") == 0)
        return DONE;
    if (stat(operand, &old) == 0 && !S_ISREG(old.st_mode)) {
        o->file = fopen(operand, "w");
        return o->file != NULL ? DONE : not_written(o);
    }
    o->temporary = malloc(room);
    if (o->temporary == NULL)
        return complain("memory ran out");
    snprintf(o->temporary, room, "%s.tmp", operand);
    unlink(o->temporary);
    o->file = fopen(o->temporary, "wx");
    if (o->file != NULL)
        return DONE;
    not_written(o);
    free(o->temporary);
    o->temporary = NULL;
    return FAILED;
}

/* status: how it went so far; what is not DONE leaves nothing behind. */
static int output_close(output *o, int status)
{
    errno = 0;
    if (o->file == NULL || o->file == stdout)
        return status;
    if (status == DONE && (fflush(o->file) != 0 || ferror(o->file) ||
                           (o->temporary != NULL && fsync(fileno(o->file)))))
        status = not_written(o);
    if (fclose(o->file) != 0 && status == DONE)
        status = not_written(o);
    if (o->temporary != NULL && status == DONE &&
        rename(o->temporary, o->name) != 0)
        status = not_written(o);
    if (o->temporary != NULL && status != DONE)
        unlink(o->temporary);
    free(o->temporary);
    return status;
}

int write_csv(const model *m, const sequences *q, const char *operand)
{
    output out;

    if (q->batch != 1)
        return complain("%s: CSV has one sequence, and there are %lld (.npy "
                        "has more)",
                        operand, (long long)q->batch);
    if (output_open(&out, operand) != DONE)
        return FAILED;
    for (int64_t t = 0; t < (m->last ? 1 : q->steps); t++)
        print_row(m, out.file, q->y, t);
    return output_close(&out, DONE);
}

/* Each line is answered before the next one is waited for. */
static int answer_lines(const model *m, lines *l, double *values, void *x,
                        void *y, FILE *out)
{
    const int64_t count = m->vocab > 0 ? 1 : m->input;
    stepper s = {NULL, NULL};
    int32_t id = 0;
    int more = 1, status = stepper_open(m, 1, &s);

    while (status == DONE) {
        status = next_line(l, count, values, &more);
        if (status != DONE || !more)
            break;
        if (m->vocab > 0)
            status = token_of(m, l, values[0], &id);
        else
            for (int64_t i = 0; i < count; i++)
                put_number(m, x, i, values[i]);
        if (status == DONE && stepper_step(m, &s, x, &id, y) != ELMAN_OK)
            status = complain_library();
        if (status == DONE)
            print_row(m, out, y, 0);
        if (status == DONE && out == stdout)
            status = finish_stdout();
    }
    stepper_close(&s);
    return status;
}

/* All lines, as one sequence. */
static int gather_lines(const model *m, lines *l, double *values, sequences *q)
{
    const int64_t count = m->vocab > 0 ? 1 : m->input;
    const size_t size =
        m->vocab > 0 ? sizeof(int32_t) : elman_dtype_size(m->dtype);
    int64_t room = 0;
    char *block = NULL;
    int more = 1, status = DONE;

    q->batch = 1;
    q->rank = m->vocab > 0 ? 1 : 2;
    while (status == DONE) {
        status = next_line(l, count, values, &more);
        if (status != DONE || !more)
            break;
        if (q->steps == room) {
            room = room > 0 ? 2 * room : 256;
            void *const grown =
                realloc(block, (size_t)room * (size_t)count * size);
            if (grown == NULL) {
                status = complain("memory ran out");
                break;
            }
            block = grown;
        }
        if (m->vocab > 0)
            status =
                token_of(m, l, values[0], (int32_t *)(void *)block + q->steps);
        else
            for (int64_t i = 0; i < count; i++)
                put_number(m, block, q->steps * count + i, values[i]);
        q->steps++;
    }
    if (m->vocab > 0)
        q->ids = (int32_t *)(void *)block;
    else
        q->x = block;
    if (status == DONE && q->steps == 0)
        status = complain("%s: there is nothing in it", l->name);
    return status;
}

int run_csv(const model *m, const char *in, const char *out, sequences *q)
{
    const int64_t count = m->vocab > 0 ? 1 : m->input;
    lines l = {.file = NULL};
    double *const values = room_for(count, 1, sizeof *values);
    void *const x = room_for(count, 1, elman_dtype_size(m->dtype));
    int status = DONE;

    if (values == NULL || x == NULL)
        status = FAILED;
    else if (count == 0)
        status = complain("%s: the network takes no numbers in (a .npy file of "
                          "shape [T,0] says how many steps)",
                          in);
    else
        status = lines_open(&l, in);
    if (status == DONE && m->one_way && !m->last && form_of(out) == CSV) {
        void *const y = room_for(m->width, 1, elman_dtype_size(m->dtype));
        output to = {NULL, out, NULL};
        status = y != NULL ? output_open(&to, out) : FAILED;
        if (status == DONE)
            status =
                output_close(&to, answer_lines(m, &l, values, x, y, to.file));
        free(y);
    } else if (status == DONE) {
        status = gather_lines(m, &l, values, q);
        if (status == DONE)
            status = run_whole(m, q);
        if (status == DONE)
            status = write_output(m, q, out);
    }
    lines_close(&l);
    free(values);
    free(x);
    return status;
}
