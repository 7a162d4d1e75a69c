/* SPDX-License-Identifier: MIT */
/* bench_lm.c - whole updates of language models, on random tokens.
 *
 *   lm-T1  characters, one-hot: V 28, tanh 512, B 32, T 35, the state carried
 *   lm-T3  words: V 10,000, embedding 650, two LSTM 650, B 20, T 35
 *
 * An update is forward with the loss, backward, the norm's clipping, an SGD
 * step and the packing of the weights.  FLOPs are those of the matrix products
 * of the recurrent layers and of the output layer; picking a row of a table is
 * none. */
#include "bench.h"
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct lm_workload {
    const char *name;
    elman_cell cell;
    int64_t vocab, embed, hidden;
    int layers;
    int64_t batch, steps;
} lm_workload;

static const lm_workload workloads[] = {
    {"lm-T1", ELMAN_CELL_ELMAN, 28, 0, 512, 1, 32, 35},
    {"lm-T3", ELMAN_CELL_LSTM, 10000, 650, 650, 2, 20, 35},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

typedef struct lm_bed {
    const lm_workload *w;
    elman_vocab *vocab;
    elman_lm *lm;
    elman_lm_tape *tape;
    elman_lm_state *state;
    elman_optimizer *optimizer;
    int32_t *ids; /* [T+1,B] */
    void *grad;
    size_t grad_bytes;
    int64_t bytes; /* that all of it takes */
    double loss;
} lm_bed;

static double flops(const lm_workload *w)
{
    const double rows = (double)(w->batch * w->steps), H = (double)w->hidden;
    const double G = w->cell == ELMAN_CELL_LSTM ? 4 : 1;
    double each = G * H * ((double)w->embed + H);

    each += G * H * 2 * H * (w->layers - 1);
    return 3 * 2 * rows * (each + H * (double)w->vocab);
}

static void bed_free(lm_bed *b)
{
    elman_optimizer_destroy(&b->optimizer);
    elman_lm_state_destroy(&b->state);
    elman_lm_tape_destroy(&b->tape);
    elman_lm_destroy(&b->lm);
    elman_vocab_destroy(&b->vocab);
    free(b->ids);
    free(b->grad);
}

/* A vocabulary of so many words: "<unk>", "1", "2", ... */
int bench_vocab(elman_context *context, int64_t size, elman_vocab **out)
{
    const size_t room = (size_t)size * 16;
    char *text = malloc(room);
    size_t used;

    if (text == NULL)
        return complain("memory ran out");
    used = (size_t)snprintf(text, room, "[\"<unk>\"");
    for (int64_t i = 1; i < size; i++)
        used += (size_t)snprintf(text + used, room - used, ",\"%lld\"",
                                 (long long)i);
    used += (size_t)snprintf(text + used, room - used, "]");
    const elman_status s = elman_vocab_from_json(
        context, text, used, ELMAN_WORD, ELMAN_NORMALIZE_NONE, out);
    free(text);
    return s == ELMAN_OK ? DONE : complain_library();
}

static int bed_make(lm_bed *b, elman_context *context, elman_dtype dtype,
                    const lm_workload *w)
{
    const int64_t tokens = (w->steps + 1) * w->batch;
    elman_lm_desc lm = ELMAN_LM_DESC;
    elman_optimizer_desc sgd = ELMAN_OPTIMIZER_DESC;

    *b = (lm_bed){.w = w};
    if (bench_vocab(context, w->vocab, &b->vocab) != DONE)
        return FAILED;
    lm.cell = w->cell;
    lm.dtype = dtype;
    lm.hidden = w->hidden;
    lm.layers = w->layers;
    lm.embed = w->embed;
    sgd.dtype = dtype;
    sgd.clip = 5;
    if (elman_lm_create(context, &lm, b->vocab, &b->lm) != ELMAN_OK)
        return complain_library();
    elman_lm_init(b->lm, 1);
    const int64_t parameters = elman_lm_parameters(b->lm);
    if (elman_lm_tape_create(b->lm, w->steps, w->batch, &b->tape) != ELMAN_OK ||
        elman_lm_state_create(b->lm, w->batch, &b->state) != ELMAN_OK ||
        elman_optimizer_create(context, &sgd, parameters, &b->optimizer) !=
            ELMAN_OK)
        return complain_library();
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    elman_memory memory = ELMAN_MEMORY;
    tape.steps = w->steps;
    tape.batch = w->batch;
    if (elman_lm_memory(b->lm, &tape, &sgd, &memory) != ELMAN_OK)
        return complain_library();
    b->bytes = memory.total;
    b->ids = malloc((size_t)tokens * sizeof *b->ids);
    b->grad_bytes = (size_t)parameters * elman_dtype_size(dtype);
    b->grad = malloc(b->grad_bytes);
    if (b->ids == NULL || b->grad == NULL)
        return complain("memory ran out");
    for (int64_t i = 0; i < tokens; i++) {
        const float u = elman_random_uniform(1, 7, (uint64_t)i);
        b->ids[i] = (int32_t)(u * (float)w->vocab);
    }
    return DONE;
}

static int update(void *bed)
{
    lm_bed *b = bed;
    const lm_workload *w = b->w;
    elman_lm_batch batch = ELMAN_LM_BATCH;

    batch.steps = w->steps;
    batch.batch = w->batch;
    batch.ids = b->ids;
    batch.targets = b->ids + w->batch;
    batch.scale = 1 / (double)(w->steps * w->batch);
    memset(b->grad, 0, b->grad_bytes);
    if (elman_lm_forward(b->lm, b->tape, &batch, b->state, &b->loss, NULL) !=
            ELMAN_OK ||
        elman_lm_backward(b->lm, b->tape, b->grad) != ELMAN_OK ||
        elman_optimizer_step(b->optimizer, 0.1, elman_lm_weights_begin(b->lm),
                             b->grad, NULL) != ELMAN_OK)
        return complain_library();
    elman_lm_weights_end(b->lm);
    return DONE;
}

/* Errors of the first update beside float32's: of the loss, and of the
 * gradient. */
static int errors_of(lm_bed *b, elman_context *context, double errors[2])
{
    lm_bed full;
    int status = bed_make(&full, context, ELMAN_F32, b->w);

    if (status == DONE)
        status = update(&full);
    if (status == DONE)
        status = update(b);
    if (status == DONE) {
        errors[0] = fabs(b->loss / full.loss - 1);
        errors[1] =
            bench_distance(b->grad, full.grad, elman_lm_parameters(b->lm));
        status = bench_check(b->w->name, errors);
    }
    bed_free(&full);
    return status;
}

static int run(elman_context *context, const bench_print *p,
               const lm_workload *w)
{
    double seconds, errors[2];
    lm_bed b;
    int status = bed_make(&b, context, p->dtype, w);

    if (status == DONE && p->dtype == ELMAN_BF16)
        status = errors_of(&b, context, errors);
    if (status == DONE)
        status = bench_time(update, &b, &seconds);
    if (status == DONE)
        bench_row(p, w->name, seconds, flops(w), b.bytes, errors,
                  p->dtype == ELMAN_BF16 ? 2 : 0);
    bed_free(&b);
    return status;
}

const char *bench_lm_name(int index)
{
    return index < WORKLOADS ? workloads[index].name : NULL;
}

int bench_lm(elman_context *context, const bench_print *p, const char *name)
{
    int status = DONE;

    for (int i = 0; i < WORKLOADS && status == DONE; i++)
        if (name == NULL || strcmp(name, workloads[i].name) == 0)
            status = run(context, p, &workloads[i]);
    return status;
}
