/* SPDX-License-Identifier: MIT */
/* run.c - `elman run`: a network over sequences of numbers, or of tokens. */
#include "run.h"
#include "dtype.h"
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct run_options {
    const char *lengths, *isa;
    int64_t threads;
    int batch_first, dtype;
} run_options;

#define AT(member) .offset = offsetof(run_options, member)
/* clang-format off */
static const option table[] = {
    {OPTION_FLAG, 0, "batch-first", AT(batch_first),
     .help = "several sequences are [B,T,...], in and out, not [T,B,...]"},
    {OPTION_TEXT, 0, "lengths", AT(lengths), "LIST",
     .help = "steps of each sequence, as 5,3,2, or a .npy file of them; what "
             "is past an end is not read, and 0 in OUT"},
    DTYPE_OPTION(offsetof(run_options, dtype)),
    {OPTION_INT, 0, "threads", AT(threads), "N", .range = RANGE_FEW,
     .help = "threads (default: all cores)"},
    {OPTION_TEXT, 0, "isa", AT(isa), "LEVEL",
     .help = "cpu level: c, avx2, avx512, neon (default: ELMAN_ISA or best)"},
};
/* clang-format on */

static const grammar run_grammar = {
    .command = "run",
    .operands = "MODEL IN OUT",
    .summary = "Runs a network over sequences: IN and OUT are .npy or .csv "
               "files, and - is CSV\non stdin or stdout.  Of a language model "
               "OUT has the logits.",
    .example = "  elman run model.safetensors x.npy y.npy",
    GRAMMAR_OPTIONS(table),
    .least = 3,
    .most = 3,
};

/* ---- The model ------------------------------------------------------------*/

static void describe(model *m)
{
    elman_network_desc n = ELMAN_NETWORK_DESC;
    elman_lm_desc lm = ELMAN_LM_DESC;

    if (m->lm != NULL) {
        elman_lm_describe(m->lm, &lm);
        m->dtype = dtype_stored(lm.dtype);
        m->vocab = m->width = elman_vocab_size(elman_lm_vocab(m->lm));
        m->one_way = 1;
        return;
    }
    elman_network_describe(m->network, &n);
    m->dtype = dtype_stored(n.rnn.dtype);
    m->input = n.rnn.input;
    m->vocab = n.vocab;
    m->width = elman_network_width(m->network);
    m->one_way = !n.rnn.bidirectional;
    m->last = n.decode != ELMAN_DECODE_ALL;
}

static int open_model(model *m, const char *operand, int dtype)
{
    const char *const path = input_path(operand);
    elman_tensors *file = NULL;

    if (path == NULL)
        return FAILED;
    if (elman_tensors_peek(m->context, path, &file) != ELMAN_OK)
        return complain_library();
    const elman_kind kind = elman_tensors_kind(file);
    elman_tensors_destroy(&file);
    if (kind == ELMAN_KIND_TENSORS)
        return complain("%s: it is no model of elman's (elman convert may make "
                        "one of it)",
                        operand);
    const int status =
        kind == ELMAN_KIND_LM
            ? dtype_load_lm(m->context, path, dtype, &m->lm)
            : dtype_load_network(m->context, path, dtype, &m->network);
    if (status == DONE)
        describe(m);
    return status;
}

int stepper_open(const model *m, int64_t batch, stepper *out)
{
    const elman_status s =
        m->lm != NULL
            ? elman_lm_state_create(m->lm, batch, &out->lm)
            : elman_network_state_create(m->network, batch, &out->network);

    return s == ELMAN_OK ? DONE : complain_library();
}

void stepper_close(stepper *s)
{
    elman_lm_state_destroy(&s->lm);
    elman_network_state_destroy(&s->network);
}

elman_status stepper_step(const model *m, stepper *s, const void *x,
                          const int32_t *ids, void *y)
{
    if (m->lm != NULL)
        return elman_lm_step(m->lm, s->lm, ids, y);
    return elman_network_step(m->network, s->network, m->vocab > 0 ? NULL : x,
                              m->vocab > 0 ? ids : NULL, y);
}

/* ---- Running --------------------------------------------------------------*/

static void *at(const model *m, void *block, int64_t count)
{
    return (char *)block + (size_t)count * elman_dtype_size(m->dtype);
}

void *room_for(int64_t count, int64_t each, size_t size)
{
    void *block = NULL;
    int64_t all;

    if (!__builtin_mul_overflow(count, each, &all) && all >= 0 &&
        (uint64_t)all < SIZE_MAX / 16)
        block = calloc((size_t)all + 1, size);
    if (block == NULL)
        complain("memory ran out");
    return block;
}

static int run_network(const model *m, sequences *q)
{
    elman_network_tape *tape = NULL;
    elman_sequences s = ELMAN_SEQUENCES;

    s.steps = q->steps;
    s.batch = q->batch;
    s.lengths = q->lengths;
    s.batch_first = q->batch_first;
    s.x = q->x;
    s.ids = q->ids;
    s.y = q->y;
    if (elman_network_tape_create(m->network, q->steps, q->batch, &tape) !=
            ELMAN_OK ||
        elman_network_run(m->network, tape, &s) != ELMAN_OK) {
        elman_network_tape_destroy(&tape);
        return complain_library();
    }
    elman_network_tape_destroy(&tape);
    return DONE;
}

static int64_t row_of(const sequences *q, int64_t t, int64_t b)
{
    return q->batch_first ? b * q->steps + t : t * q->batch + b;
}

static int inside(const sequences *q, int64_t t, int64_t b)
{
    return q->lengths == NULL || t < q->lengths[b];
}

/* Past its end a sequence is given token 0, and what comes of it is dropped. */
static int run_lm(const model *m, sequences *q)
{
    const size_t bytes = (size_t)m->width * elman_dtype_size(m->dtype);
    stepper s = {NULL, NULL};
    int32_t *const ids = room_for(q->batch, 1, sizeof *ids);
    void *const y = room_for(q->batch, m->width, elman_dtype_size(m->dtype));
    int status =
        ids != NULL && y != NULL ? stepper_open(m, q->batch, &s) : FAILED;

    for (int64_t t = 0; status == DONE && t < q->steps; t++) {
        for (int64_t b = 0; b < q->batch; b++)
            ids[b] = inside(q, t, b) ? q->ids[row_of(q, t, b)] : 0;
        if (stepper_step(m, &s, NULL, ids, y) != ELMAN_OK)
            status = complain("step %lld: %s", (long long)t, elman_message());
        for (int64_t b = 0; status == DONE && b < q->batch; b++)
            if (inside(q, t, b))
                memcpy(at(m, q->y, row_of(q, t, b) * m->width),
                       at(m, y, b * m->width), bytes);
    }
    stepper_close(&s);
    free(ids);
    free(y);
    return status;
}

int run_whole(const model *m, sequences *q)
{
    int64_t rows;

    if (__builtin_mul_overflow(m->last ? 1 : q->steps, q->batch, &rows))
        return complain("memory ran out");
    q->y = room_for(rows, m->width, elman_dtype_size(m->dtype));
    if (q->y == NULL)
        return FAILED;
    return m->lm != NULL ? run_lm(m, q) : run_network(m, q);
}

/* ---- Numbers --------------------------------------------------------------*/

static int64_t integer_at(const elman_tensor *t, int64_t i)
{
    return t->dtype == ELMAN_I64 ? ((const int64_t *)t->data)[i]
                                 : (int64_t)dtype_number_at(t, i);
}

static int is_integers(const elman_tensor *t)
{
    return t->dtype != ELMAN_F32 && t->dtype != ELMAN_F64;
}

void put_number(const model *m, void *x, int64_t i, double value)
{
    if (m->dtype == ELMAN_F64)
        ((double *)x)[i] = value;
    else
        ((float *)x)[i] = (float)value;
}

static int check_token(const model *m, const char *where, int64_t place,
                       int64_t id)
{
    if (id >= 0 && id < m->vocab)
        return DONE;
    return complain("%s: token %lld is %lld (0 to %lld)", where,
                    (long long)place, (long long)id, (long long)m->vocab - 1);
}

/* ---- .npy -----------------------------------------------------------------*/

static int read_npy(const model *m, const char *operand, elman_tensors **file,
                    elman_tensor *t)
{
    if (elman_tensors_read_npy(m->context, operand, file) != ELMAN_OK ||
        elman_tensors_at(*file, 0, t) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static number_text shape_text(const elman_tensor *t)
{
    number_text out = {"["};
    size_t used = 1;

    for (int i = 0; i < t->rank && used + 24 < sizeof out.text; i++)
        used +=
            (size_t)snprintf(out.text + used, sizeof out.text - used, "%s%lld",
                             i > 0 ? "," : "", (long long)t->shape[i]);
    snprintf(out.text + used, sizeof out.text - used, "]");
    return out;
}

/* What the shape of IN says, or what is wrong with it. */
static int take_shape(const model *m, const char *where, const elman_tensor *t,
                      sequences *q)
{
    const int tokens = m->vocab > 0, least = tokens ? 1 : 2;

    if (tokens && !is_integers(t))
        return complain("%s: the model takes tokens, which are integers (as "
                        "int32 or int64)",
                        where);
    if ((t->rank != least && t->rank != least + 1) ||
        (!tokens && t->shape[t->rank - 1] != m->input))
        return complain("%s: its shape is %s (it should be %s%s, I being %lld)",
                        where, shape_text(t).text,
                        tokens ? "[T] or " : "[T,I] or ",
                        q->batch_first ? (tokens ? "[B,T]" : "[B,T,I]")
                                       : (tokens ? "[T,B]" : "[T,B,I]"),
                        (long long)m->input);
    q->rank = t->rank;
    q->steps = t->shape[0];
    q->batch = 1;
    if (t->rank == least + 1) {
        q->steps = t->shape[q->batch_first ? 1 : 0];
        q->batch = t->shape[q->batch_first ? 0 : 1];
    }
    if (q->steps < 1 || q->batch < 1)
        return complain("%s: its shape is %s, and there is nothing to run",
                        where, shape_text(t).text);
    return DONE;
}

/* Tokens past an end may be anything. */
static int take_tokens(const model *m, const char *where, const elman_tensor *t,
                       sequences *q)
{
    q->ids = room_for(t->count, 1, sizeof *q->ids);
    if (q->ids == NULL)
        return FAILED;
    for (int64_t s = 0; s < q->steps; s++)
        for (int64_t b = 0; b < q->batch; b++) {
            const int64_t i = row_of(q, s, b), id = integer_at(t, i);
            if (!inside(q, s, b))
                continue;
            if (check_token(m, where, i, id) != DONE)
                return FAILED;
            q->ids[i] = (int32_t)id;
        }
    return DONE;
}

static int take_numbers(const model *m, const elman_tensor *t, sequences *q)
{
    q->x = room_for(t->count, 1, elman_dtype_size(m->dtype));
    if (q->x == NULL)
        return FAILED;
    for (int64_t i = 0; i < t->count; i++)
        put_number(m, q->x, i, dtype_number_at(t, i));
    return DONE;
}

static int write_npy(const model *m, const sequences *q, const char *path)
{
    elman_tensor t = {.name = "y", .dtype = m->dtype, .data = q->y};
    const int tokens = m->vocab > 0;

    t.rank = q->rank + tokens - m->last;
    t.shape[0] = m->last ? q->batch : q->steps;
    if (t.rank == 3) {
        t.shape[0] = q->batch_first ? q->batch : q->steps;
        t.shape[1] = q->batch_first ? q->steps : q->batch;
    }
    t.shape[t.rank - 1] = m->width;
    t.count = (m->last ? 1 : q->steps) * q->batch * m->width;
    if (elman_tensor_write_npy(m->context, path, &t) != ELMAN_OK)
        return complain_library();
    return DONE;
}

/* ---- --lengths ------------------------------------------------------------*/

/* "5,3,2"; 0 if it is no such list. */
static int parse_list(const char *text, int64_t *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        char *end;
        errno = 0;
        const long long n = strtoll(text, &end, 10);
        if (end == text || errno != 0 || *text < '0' || *text > '9' ||
            *end != (i + 1 < count ? ',' : '\0'))
            return 0;
        out[i] = n;
        text = end + (*end == ',');
    }
    return 1;
}

static int read_lengths(const model *m, const char *path, sequences *q)
{
    elman_tensors *file = NULL;
    elman_tensor t;
    int status = read_npy(m, path, &file, &t);

    if (status == DONE &&
        (!is_integers(&t) || t.rank != 1 || t.count != q->batch))
        status = complain("%s: its shape is %s (it should be %lld integers)",
                          path, shape_text(&t).text, (long long)q->batch);
    for (int64_t i = 0; status == DONE && i < q->batch; i++)
        q->lengths[i] = integer_at(&t, i);
    elman_tensors_destroy(&file);
    return status;
}

static int take_lengths(const model *m, const char *text, sequences *q)
{
    if (text == NULL)
        return DONE;
    q->lengths = room_for(q->batch, 1, sizeof *q->lengths);
    if (q->lengths == NULL)
        return FAILED;
    if (strspn(text, "0123456789,") == strlen(text)) {
        if (!parse_list(text, q->lengths, q->batch))
            return complain("--lengths is '%s' (it should be %lld numbers, "
                            "with commas between them)",
                            text, (long long)q->batch);
    } else if (read_lengths(m, text, q) != DONE) {
        return FAILED;
    }
    for (int64_t b = 0; b < q->batch; b++)
        if (q->lengths[b] < 0 || q->lengths[b] > q->steps)
            return complain("--lengths: sequence %lld has %lld steps (0 to "
                            "%lld)",
                            (long long)b, (long long)q->lengths[b],
                            (long long)q->steps);
    return DONE;
}

/* ---- The command ----------------------------------------------------------*/

form form_of(const char *operand)
{
    const size_t size = strlen(operand);

    if (strcmp(operand, "-") == 0)
        return CSV;
    if (size > 4 && strcmp(operand + size - 4, ".npy") == 0)
        return NPY;
    if (size > 4 && strcmp(operand + size - 4, ".csv") == 0)
        return CSV;
    return NEITHER;
}

int write_output(const model *m, const sequences *q, const char *operand)
{
    return form_of(operand) == NPY ? write_npy(m, q, operand)
                                   : write_csv(m, q, operand);
}

static int run_npy(const model *m, const run_options *o, const char *in,
                   const char *out, sequences *q)
{
    elman_tensors *file = NULL;
    elman_tensor t;
    int status = read_npy(m, in, &file, &t);

    if (status == DONE)
        status = take_shape(m, in, &t, q);
    if (status == DONE)
        status = take_lengths(m, o->lengths, q);
    if (status == DONE)
        status =
            m->vocab > 0 ? take_tokens(m, in, &t, q) : take_numbers(m, &t, q);
    elman_tensors_destroy(&file);
    if (status == DONE)
        status = run_whole(m, q);
    return status == DONE ? write_output(m, q, out) : status;
}

static int check_call(const run_options *o, const char *in, const char *out)
{
    if (form_of(in) == NEITHER || form_of(out) == NEITHER)
        return complain_usage("run", "%s: is no .npy and no .csv file",
                              form_of(in) == NEITHER ? in : out);
    if (form_of(in) == CSV && (o->lengths != NULL || o->batch_first))
        return complain_usage("run",
                              "--%s means nothing with CSV, which has "
                              "one sequence",
                              o->lengths != NULL ? "lengths" : "batch-first");
    return DONE;
}

static int run_run(model *m, const run_options *o, const arguments *args)
{
    const char *const in = args->operands[1], *const out = args->operands[2];
    sequences q = {.batch_first = o->batch_first};
    int status = check_call(o, in, out);

    if (status == DONE)
        status = context_open(o->threads, o->isa, &m->context);
    if (status == DONE)
        status = open_model(m, args->operands[0], o->dtype);
    if (status == DONE)
        status = form_of(in) == NPY ? run_npy(m, o, in, out, &q)
                                    : run_csv(m, in, out, &q);
    free(q.x);
    free(q.ids);
    free(q.lengths);
    free(q.y);
    return status;
}

int cmd_run(int argc, char **argv)
{
    run_options options = {.dtype = -1};
    model m = {.lm = NULL};
    arguments args;
    int status = options_read(&run_grammar, argc, argv, &options, &args);

    if (status != OPTIONS_READ)
        return status;
    status = run_run(&m, &options, &args);
    elman_lm_destroy(&m.lm);
    elman_network_destroy(&m.network);
    elman_context_destroy(&m.context);
    arguments_free(&args);
    return status;
}
