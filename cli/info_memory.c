/* SPDX-License-Identifier: MIT */
/* info_memory.c - what a model takes while it runs, said beforehand. */
#include "info.h"

#include <stdlib.h>
#include <string.h>

static const char *const optimizers[] = {"sgd", "momentum", "adam", "adamw",
                                         "rmsprop"};
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers };

/* ---- How the model was trained --------------------------------------------*/

/* Where the value of a plain member of a JSON object begins; NULL if there is
 * none. */
static const char *member(const char *object, const char *key)
{
    char words[40];

    snprintf(words, sizeof words, "\"%s\": ", key);
    const char *place = strstr(object, words);
    return place != NULL ? place + strlen(words) : NULL;
}

static int64_t number_or(const char *object, const char *key, int64_t other)
{
    const char *value = member(object, key);
    const int64_t number = value != NULL ? strtoll(value, NULL, 10) : 0;

    return number > 0 ? number : other;
}

static elman_optimizer_kind optimizer_of(const char *object)
{
    const char *value = member(object, "optimizer");

    for (int i = 0; value != NULL && i < OPTIMIZERS; i++) {
        const size_t size = strlen(optimizers[i]);
        if (strncmp(value + 1, optimizers[i], size) == 0 &&
            value[1 + size] == '"')
            return (elman_optimizer_kind)i;
    }
    return ELMAN_ADAM;
}

/* ---- Printing
 * --------------------------------------------------------------*/

static void json_memory(json *j, const char *key, const elman_memory *m)
{
    json_open(j, key, '{');
    json_int(j, "weights", m->weights);
    json_int(j, "packed", m->packed);
    json_int(j, "gradient", m->gradient);
    json_int(j, "optimizer", m->optimizer);
    json_int(j, "tape", m->tape);
    json_int(j, "tokens", m->tokens);
    json_int(j, "total", m->total);
    json_close(j, '}');
}

static void print_line(const char *head, const elman_memory *m,
                       const char *what)
{
    printf("%-11s %s %s", head, sized(m->total).text, what);
}

/* The tape's budget: what the others leave of the whole one.  state is what one
 * sequence's state takes. */
static int share_of_tape(const elman_lm *lm, const info_shape *shape,
                         elman_tape_desc *tape,
                         const elman_optimizer_desc *optimizer, int64_t state)
{
    elman_memory m = ELMAN_MEMORY;

    if (shape->memory == 0)
        return DONE;
    if (elman_lm_memory(lm, tape, optimizer, &m) != ELMAN_OK)
        return complain_library();
    tape->memory = shape->memory - m.packed - m.gradient - m.optimizer -
                   m.kept - state * tape->batch;
    if (tape->memory <= 0)
        return complain("--memory: %s do not hold the gradient, the optimizer "
                        "and the packed copies of the weights",
                        sized(shape->memory).text);
    return DONE;
}

int tell_lm_memory(const elman_lm *lm, const info_shape *shape, json *j)
{
    const char *history = elman_lm_history(lm);
    elman_optimizer_desc optimizer = ELMAN_OPTIMIZER_DESC;
    elman_tape_desc tape = ELMAN_TAPE_DESC, eval = ELMAN_TAPE_DESC;
    elman_memory step = ELMAN_MEMORY, whole = ELMAN_MEMORY,
                 train = ELMAN_MEMORY;
    elman_lm_desc desc = ELMAN_LM_DESC;

    elman_lm_describe(lm, &desc);
    const int trains = desc.dtype != ELMAN_INT8;
    optimizer.kind = optimizer_of(history);
    optimizer.dtype = desc.dtype;
    tape.batch =
        shape->batch > 0 ? shape->batch : number_or(history, "batch", 32);
    tape.steps =
        shape->steps > 0 ? shape->steps : number_or(history, "steps", 35);
    eval.inference_only = 1;
    if (elman_lm_memory(lm, NULL, NULL, &step) != ELMAN_OK ||
        elman_lm_memory(lm, &eval, NULL, &whole) != ELMAN_OK)
        return complain_library();
    if (trains &&
        share_of_tape(lm, shape, &tape, &optimizer, step.tape) != DONE)
        return FAILED;
    if (trains && elman_lm_memory(lm, &tape, &optimizer, &train) != ELMAN_OK)
        return complain_library();
    if (j == NULL) {
        print_line("memory", &step, "a step at a time\n");
        print_line("", &whole, "to evaluate\n");
        if (!trains)
            return DONE;
        print_line("", &train, "to train");
        printf(" (batch %lld, steps %lld, %s", (long long)tape.batch,
               (long long)tape.steps, optimizers[optimizer.kind]);
        if (train.passes > 1)
            printf(", %.3g passes forward", train.passes);
        puts(")");
        return DONE;
    }
    json_open(j, "memory", '{');
    if (trains) {
        json_int(j, "batch", tape.batch);
        json_int(j, "steps", tape.steps);
        json_real(j, "passes", train.passes);
        json_text(j, "optimizer", optimizers[optimizer.kind]);
    }
    json_memory(j, "step", &step);
    json_memory(j, "evaluate", &whole);
    if (trains)
        json_memory(j, "train", &train);
    json_close(j, '}');
    return DONE;
}

int tell_network_memory(const elman_network *network, const info_shape *shape,
                        json *j)
{
    const int64_t batch = shape->batch > 0 ? shape->batch : 1;
    const int64_t steps = shape->steps > 0 ? shape->steps : 100;
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_memory step = ELMAN_MEMORY, whole = ELMAN_MEMORY;

    elman_network_describe(network, &desc);
    const int steps_one = !desc.rnn.bidirectional;
    if ((steps_one && elman_network_memory(network, 0, 1, &step) != ELMAN_OK) ||
        elman_network_memory(network, steps, batch, &whole) != ELMAN_OK)
        return complain_library();
    if (j == NULL) {
        if (steps_one)
            print_line("memory", &step, "a step at a time\n");
        print_line(steps_one ? "" : "memory", &whole, "to run");
        printf(" (batch %lld, steps %lld)\n", (long long)batch,
               (long long)steps);
        return DONE;
    }
    json_open(j, "memory", '{');
    json_int(j, "batch", batch);
    json_int(j, "steps", steps);
    if (steps_one)
        json_memory(j, "step", &step);
    json_memory(j, "run", &whole);
    json_close(j, '}');
    return DONE;
}
