/* SPDX-License-Identifier: MIT */
/* step.c - the smallest embedding: a model writes, one token a call.
 *
 *   step [MODEL [PROMPT]]
 *
 * MODEL is a file that `elman train` has made; without one a small model is
 * trained first.  The context's allocator counts: a step allocates nothing. */
#include "example.h"

enum { LENGTH = 200 };

static void *counting_alloc(void *user, size_t size)
{
    ++*(long *)user;
    return malloc(size);
}

static void plain_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* A model of a text that is always there, saved and closed. */
static void train(elman_context *context, const char *model)
{
    const char *const path = some_text();
    elman_text_desc from = ELMAN_TEXT_DESC;
    from.paths = &path;
    from.path_count = 1;
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    desc.model.hidden = 64;
    desc.optimizer.kind = ELMAN_ADAM;
    desc.optimizer.clip = 1;
    desc.schedule.kind = ELMAN_COSINE;
    desc.schedule.lr = 0.015;
    desc.batch = 16;
    desc.steps = 64;
    desc.updates = 800;

    elman_text *text;
    elman_trainer *trainer;
    elman_train_report report = ELMAN_TRAIN_REPORT;
    must(elman_text_open(context, &from, &text));
    must(elman_trainer_create(context, &desc, text, NULL, &trainer));
    while (!report.done)
        must(elman_trainer_step(trainer, &report));
    must(elman_trainer_save(trainer, model));
    fprintf(stderr, "trained %s: %.2f nats a character\n", model,
            report.epoch_loss);
    elman_trainer_destroy(&trainer);
    elman_text_close(&text);
}

/* A model, where it stands in a text, and what it expects next. */
typedef struct writer {
    elman_lm *lm;
    elman_lm_state *state;
    void *logits; /* [V] */
    long *allocations;
} writer;

static void feed(writer *w, int32_t id)
{
    const long before = *w->allocations;
    size_t size;
    must(elman_lm_step(w->lm, w->state, &id, w->logits));
    check(*w->allocations == before, "a step allocates nothing");
    const char *const token =
        elman_vocab_token(elman_lm_vocab(w->lm), id, &size);
    fwrite(token, 1, size, stdout);
}

int main(int argc, char **argv)
{
    const char *const model = argc > 1 ? argv[1] : "step.safetensors";
    const char *const prompt = argc > 2 ? argv[2] : "/* The ";
    long allocations = 0;
    elman_context *context;
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    desc.allocator =
        (elman_allocator){counting_alloc, plain_free, &allocations};
    must(elman_context_create(&desc, &context));
    if (argc <= 1)
        train(context, model);

    writer w = {.allocations = &allocations};
    elman_lm_desc is = ELMAN_LM_DESC;
    must(elman_lm_load(context, model, &w.lm));
    must(elman_lm_state_create(w.lm, 1, &w.state));
    elman_lm_describe(w.lm, &is);
    const elman_vocab *const vocab = elman_lm_vocab(w.lm);
    w.logits =
        calloc((size_t)elman_vocab_size(vocab), elman_dtype_size(is.dtype));
    check(w.logits != NULL, "there is memory");

    int32_t ids[256];
    int64_t tokens;
    must(elman_vocab_encode(vocab, prompt, strlen(prompt), ids, 256, &tokens));
    check(tokens >= 1 && tokens <= 256, "the prompt has 1 to 256 tokens");
    for (int64_t i = 0; i < tokens; ++i)
        feed(&w, ids[i]);
    elman_sampler sampler = ELMAN_SAMPLER;
    sampler.temperature = 0.7;
    for (uint64_t k = 0; k < LENGTH; ++k) {
        const double u = (double)elman_random_uniform(0, 0, k);
        int32_t id;
        must(elman_lm_choose(w.lm, &sampler, w.logits, u, &id));
        feed(&w, id);
    }
    printf("\n");
    fprintf(stderr, "%d steps, no allocation in any of them\n",
            (int)tokens + LENGTH);

    free(w.logits);
    elman_lm_state_destroy(&w.state);
    elman_lm_destroy(&w.lm);
    elman_context_destroy(&context);
    return 0;
}
