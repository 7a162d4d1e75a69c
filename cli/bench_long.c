/* SPDX-License-Identifier: MIT */
/* bench_long.c - `elman bench --workload long`: the exact gradient of the mean
 * loss of one sequence of T random tokens, V 28, one-hot, by an LSTM of 512,
 * within a budget of memory.
 *
 *   columns after the seventh: microseconds a step; microseconds of processors
 * a step; MiB beyond weights and text that were in use at most, by an allocator
 *   that counts; MiB that were resident at most; passes forward; and a checksum
 *   of the gradient's bytes
 *
 * The budget holds packed copies, gradient and tape.  The text is T + 1 ids. */
#include "bench.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VOCAB = 28, HIDDEN = 512, RUNS = 5 };

/* ---- Memory that is counted -----------------------------------------------*/

typedef struct ledger {
    int64_t bytes, most;
} ledger;

/* The size lies in front of the block.  Only the thread that calls the library
 * allocates. */
enum { FRONT = 64 };

static void *ledger_alloc(void *user, size_t size)
{
    ledger *l = user;
    char *block = malloc(size + FRONT);

    if (block == NULL)
        return NULL;
    memcpy(block, &size, sizeof size);
    l->bytes += (int64_t)size;
    l->most = l->bytes > l->most ? l->bytes : l->most;
    return block + FRONT;
}

static void ledger_free(void *user, void *block)
{
    ledger *l = user;
    size_t size;

    if (block == NULL)
        return;
    memcpy(&size, (char *)block - FRONT, sizeof size);
    l->bytes -= (int64_t)size;
    free((char *)block - FRONT);
}

/* The largest resident set so far, in MiB; 0 where /proc does not say. */
static double resident_most(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    return kib / 1024;
}

/* ---- The workload
 * ----------------------------------------------------------*/

typedef struct bed {
    ledger ledger;
    elman_context *context;
    elman_vocab *vocab;
    elman_lm *lm;
    elman_lm_tape *tape;
    elman_memory memory;
    int64_t steps;
    int32_t *ids; /* [T+1] */
    void *grad;
    size_t grad_bytes;
    double loss;
    double worked; /* processor seconds of the last run */
} bed;

static void bed_free(bed *b)
{
    elman_lm_tape_destroy(&b->tape);
    elman_lm_destroy(&b->lm);
    elman_vocab_destroy(&b->vocab);
    elman_context_destroy(&b->context);
    ledger_free(&b->ledger, b->grad);
    free(b->ids);
}

static int open_context(bed *b, const bench_long_options *o)
{
    elman_context_desc desc = ELMAN_CONTEXT_DESC;

    desc.allocator = (elman_allocator){ledger_alloc, ledger_free, &b->ledger};
    desc.threads = o->threads == 0 ? -1 : (int)o->threads;
    desc.isa = o->isa;
    if (elman_context_create(&desc, &b->context) != ELMAN_OK)
        return complain_library();
    return DONE;
}

/* The tape, in what the budget leaves for it. */
static int make_tape(bed *b, const bench_long_options *o)
{
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    elman_memory *const m = &b->memory;

    *m = (elman_memory)ELMAN_MEMORY;
    tape.steps = 1;
    tape.batch = 1;
    if (elman_lm_memory(b->lm, &tape, NULL, m) != ELMAN_OK)
        return complain_library();
    tape.steps = o->steps;
    if (o->memory > 0) {
        const int64_t others = m->packed + m->gradient;
        if (o->memory <= others)
            return complain("--memory: the gradient and the packed copies of "
                            "the weights alone take %s bytes",
                            grouped(others).text);
        tape.memory = o->memory - others;
    }
    if (elman_lm_tape_make(b->lm, &tape, &b->tape) != ELMAN_OK ||
        elman_lm_memory(b->lm, &tape, NULL, m) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static int bed_make(bed *b, const bench_long_options *o, elman_dtype dtype)
{
    elman_lm_desc lm = ELMAN_LM_DESC;

    *b = (bed){.steps = o->steps};
    lm.cell = ELMAN_CELL_LSTM;
    lm.dtype = dtype;
    lm.hidden = HIDDEN;
    if (open_context(b, o) != DONE ||
        bench_vocab(b->context, VOCAB, &b->vocab) != DONE)
        return FAILED;
    if (elman_lm_create(b->context, &lm, b->vocab, &b->lm) != ELMAN_OK)
        return complain_library();
    elman_lm_init(b->lm, 1);
    b->grad_bytes =
        (size_t)elman_lm_parameters(b->lm) * elman_dtype_size(dtype);
    b->grad = ledger_alloc(&b->ledger, b->grad_bytes);
    b->ids = malloc((size_t)(o->steps + 1) * sizeof *b->ids);
    if (b->ids == NULL || b->grad == NULL)
        return complain("memory ran out");
    for (int64_t i = 0; i <= o->steps; i++) {
        const float u = elman_random_uniform(1, 7, (uint64_t)i);
        b->ids[i] = (int32_t)(u * VOCAB);
    }
    return make_tape(b, o);
}

/* Of all threads. */
static double processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int run_once(bed *b, double *seconds)
{
    elman_lm_batch batch = ELMAN_LM_BATCH;
    const double begin = now_seconds(), worked = processor_seconds();

    batch.steps = b->steps;
    batch.batch = 1;
    batch.ids = b->ids;
    batch.targets = b->ids + 1;
    batch.scale = 1 / (double)b->steps;
    memset(b->grad, 0, b->grad_bytes);
    if (elman_lm_forward(b->lm, b->tape, &batch, NULL, &b->loss, NULL) !=
            ELMAN_OK ||
        elman_lm_backward(b->lm, b->tape, b->grad) != ELMAN_OK)
        return complain_library();
    *seconds = now_seconds() - begin;
    b->worked = processor_seconds() - worked;
    return DONE;
}

/* One run if it is long; else the median of some, the first one left out. */
static int measure(bed *b, double *seconds)
{
    double all[RUNS], sum = 0;
    int runs = 0;

    if (run_once(b, seconds) != DONE)
        return FAILED;
    if (*seconds > 3)
        return DONE;
    while (runs < RUNS && (runs < 1 || sum < 3)) {
        if (run_once(b, &all[runs]) != DONE)
            return FAILED;
        sum += all[runs++];
    }
    *seconds = bench_median(all, runs);
    return DONE;
}

/* FNV-1a of 64 bits. */
static uint64_t checksum(const void *block, size_t size)
{
    const unsigned char *byte = block;
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ byte[i]) * 0x100000001b3;
    return sum;
}

int bench_long(const bench_print *p, const bench_long_options *o)
{
    double seconds;
    bed b;
    int status = bed_make(&b, o, p->dtype);

    if (status == DONE)
        status = measure(&b, &seconds);
    if (status == DONE) {
        const double T = (double)o->steps, G = 4, H = HIDDEN;
        const int64_t beyond = b.ledger.most - b.memory.weights;
        char sum[24];
        const double more[] = {seconds * 1e6 / T, b.worked * 1e6 / T,
                               (double)beyond / 1048576, resident_most(),
                               b.memory.passes};
        snprintf(sum, sizeof sum, "%016llx",
                 (unsigned long long)checksum(b.grad, b.grad_bytes));
        printf("# long: %lld steps, memory %lld; loss %.17g\n",
               (long long)o->steps, (long long)o->memory, b.loss / T);
        bench_row_end(p, "long", seconds, 3 * 2 * T * H * (G * H + VOCAB),
                      b.memory.total - b.memory.tokens, more, 5, sum);
    }
    bed_free(&b);
    return status;
}
