/* SPDX-License-Identifier: MIT */
/* convert_measure.c - what weights of fewer bits cost, measured on the data
 * that the user names. */
#include "convert.h"
#include "dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* ---- A language model, on a text ------------------------------------------*/

static elman_status bits_per_char(const elman_lm *lm, elman_text *text,
                                  double *bits)
{
    elman_lm_score score = ELMAN_LM_SCORE;
    const elman_status s =
        elman_lm_eval(lm, text, 0, elman_text_tokens(text), &score);

    *bits = score.nats / log(2) / score.chars;
    return s;
}

static int measure_lm(rounded *r, const char *path)
{
    elman_text_desc desc = ELMAN_TEXT_DESC;
    elman_text *text = NULL;
    double before, after;
    int status = FAILED;

    desc.paths = &path;
    desc.path_count = 1;
    desc.vocab = elman_lm_vocab(r->c->lm);
    if (elman_text_open(r->c->context, &desc, &text) != ELMAN_OK)
        return complain_library();
    if (elman_text_tokens(text) < 2)
        complain("%s: one token is nothing to foretell (two would be)", path);
    else if (bits_per_char(r->c->lm, text, &before) != ELMAN_OK ||
             bits_per_char(r->lm, text, &after) != ELMAN_OK)
        complain_library();
    else
        status = DONE;
    elman_text_close(&text);
    if (status == DONE)
        snprintf(r->said, sizeof r->said,
                 "Bits per character on %.200s: %.4f with float32 weights, "
                 "%.4f with these.",
                 base_name(path), before, after);
    return status;
}

/* ---- A network, on numbers or tokens
 * ---------------------------------------*/

/* What enters: numbers [T,B,I] or tokens [T,B]; a tensor of one dimension less
 * is one sequence. */
typedef struct sample {
    int64_t steps, batch, width;
    float *x;
    int32_t *ids;
} sample;

static int take_sample(const rounded *r, const char *path,
                       const elman_tensor *t, sample *s)
{
    elman_network_desc d = ELMAN_NETWORK_DESC;

    elman_network_describe(r->c->network, &d);
    const int each = d.vocab == 0;
    if (!each && (t->dtype == ELMAN_F32 || t->dtype == ELMAN_F64))
        return complain("%s: tokens are integers", path);
    if ((t->rank != 1 + each && t->rank != 2 + each) || t->count == 0 ||
        (each && t->shape[t->rank - 1] != d.rnn.input))
        return complain(each ? "%s: its shape is not [T,I] or [T,B,I], I what "
                               "the network takes (%lld)"
                             : "%s: its shape is not [T] or [T,B]",
                        path, (long long)d.rnn.input);
    s->steps = t->shape[0];
    s->batch = t->rank == 2 + each ? t->shape[1] : 1;
    s->x = malloc((size_t)t->count * sizeof *s->x);
    s->ids = malloc((size_t)t->count * sizeof *s->ids);
    if (s->x == NULL || s->ids == NULL)
        return complain("memory ran out");
    for (int64_t i = 0; i < t->count; i++) {
        const double value = dtype_number_at(t, i);
        if (!each && !(value >= 0 && value < (double)d.vocab))
            return complain("%s: token %lld is %g (0 to %lld)", path,
                            (long long)i, value, (long long)d.vocab - 1);
        s->x[i] = (float)value;
        s->ids[i] = each ? 0 : (int32_t)value;
    }
    if (each) {
        free(s->ids);
        s->ids = NULL;
    } else {
        free(s->x);
        s->x = NULL;
    }
    return DONE;
}

static elman_status run(const elman_network *network, const sample *s, float *y)
{
    elman_sequences q = ELMAN_SEQUENCES;
    elman_network_tape *tape = NULL;

    q.steps = s->steps;
    q.batch = s->batch;
    q.x = s->x;
    q.ids = s->ids;
    q.y = y;
    elman_status status =
        elman_network_tape_create(network, s->steps, s->batch, &tape);
    if (status == ELMAN_OK)
        status = elman_network_run(network, tape, &q);
    elman_network_tape_destroy(&tape);
    return status;
}

static void compare(rounded *r, const char *path, const float *a,
                    const float *b, int64_t count)
{
    double most = 0, sum = 0, size = 0;

    for (int64_t i = 0; i < count; i++) {
        const double error = fabs((double)a[i] - (double)b[i]);
        const double value = fabs((double)a[i]);
        most = error > most || error != error ? error : most;
        size = value > size ? value : size;
        sum += error;
    }
    snprintf(r->said, sizeof r->said,
             "Off the results of float32 weights on %.200s by %.3g at most and "
             "%.3g on average; the largest result is %.3g.",
             base_name(path), most, sum / (double)count, size);
}

static int measure_sample(rounded *r, const char *path, const sample *s)
{
    const int64_t width = elman_network_width(r->c->network);
    elman_network_desc d = ELMAN_NETWORK_DESC;
    int64_t count;
    int status = FAILED;

    elman_network_describe(r->c->network, &d);
    if (__builtin_mul_overflow(d.decode == ELMAN_DECODE_ALL ? s->steps : 1,
                               s->batch, &count) ||
        __builtin_mul_overflow(count, width, &count) ||
        (uint64_t)count > SIZE_MAX / sizeof(float) / 2)
        return complain("memory ran out");
    float *const a = malloc((size_t)count * sizeof *a);
    float *const b = malloc((size_t)count * sizeof *b);
    if (a == NULL || b == NULL)
        complain("memory ran out");
    else if (run(r->c->network, s, a) != ELMAN_OK ||
             run(r->network, s, b) != ELMAN_OK)
        complain_library();
    else
        status = DONE;
    if (status == DONE)
        compare(r, path, a, b, count);
    free(a);
    free(b);
    return status;
}

static int measure_network(rounded *r, const char *path)
{
    sample s = {.steps = 0};
    elman_tensors *file = NULL;
    elman_tensor t;

    if (elman_tensors_read_npy(r->c->context, path, &file) != ELMAN_OK ||
        elman_tensors_at(file, 0, &t) != ELMAN_OK)
        return complain_library();
    int status = take_sample(r, path, &t, &s);
    if (status == DONE)
        status = measure_sample(r, path, &s);
    free(s.x);
    free(s.ids);
    elman_tensors_destroy(&file);
    return status;
}

int measure_rounded(rounded *r)
{
    const char *const path = input_path(r->c->options.measure);

    if (path == NULL)
        return FAILED;
    return r->c->lm != NULL ? measure_lm(r, path) : measure_network(r, path);
}
