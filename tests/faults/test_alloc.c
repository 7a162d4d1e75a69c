/* SPDX-License-Identifier: MIT */
/* test_alloc.c - memory runs out at every allocation in turn.  Each time the
 * call says so, or does without; nothing leaks, and what was there before is
 * as it was.  A sanitizer sees the rest. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/counting.h"
#include "support/expect.h"
#include "support/letters.h"
#include "support/scratch.h"
#include "support/variants.h"
#include "unit/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What a scenario works with: everything that is made before memory runs out,
 * out of a context whose memory is counted. */
typedef struct scene {
    counting counting;
    elman_context *context;
    elman_text *text;
    elman_lm *lm;
    elman_trainer *trainer;
    elman_train_desc desc;
} scene;

/* Does its work, undoes it, and gives the status of what failed. */
typedef elman_status scenario(scene *s);

static elman_status make_context_of(scene *s, int threads, elman_context **out)
{
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    desc.allocator = counting_allocator(&s->counting);
    desc.threads = threads;
    return elman_context_create(&desc, out);
}

/* ---- The loop ------------------------------------------------------------*/

enum { FOLDER_MOST = 40 };

/* Runs it with the first allocation failing, the second, ... until none does.
 * after: 1 if all that follow fail too. */
static int exhaust(const char *name, scene *s, scenario *run, int after)
{
    const long long live = s->counting.live;
    int failed = 0;
    for (int n = 1;; ++n) {
        trying("%s, allocation %d%s", name, n, after ? " and all after" : "");
        s->counting.fail_after = after;
        s->counting.fail = s->counting.asked + n;
        const long long last = s->counting.fail;
        const elman_status status = run(s);
        const bool reached = s->counting.asked >= last;
        s->counting.fail = 0;
        if (status != ELMAN_OK) {
            expect_status(name, status, ELMAN_ENOMEM);
            expect_sentence(name, "memory");
            ++failed;
        }
        if (s->counting.live != live)
            fail_trying("%lld blocks leak", (long long)s->counting.live - live);
        if (!reached) {
            expect_status(name, status, ELMAN_OK);
            return failed;
        }
        if (n > 100000)
            fail_trying("no end");
    }
}

static void exhaust_both(const char *name, scene *s, scenario *run)
{
    const int one = exhaust(name, s, run, 0);
    const int rest = exhaust(name, s, run, 1);
    print_message("             %s: %d and %d failures\n", name, one, rest);
    assert_true(one > 0 && rest > 0);
}

/* ---- Before and after ----------------------------------------------------*/

static int begin(void **state)
{
    return folder_setup(state);
}

static int end(void **state)
{
    return folder_teardown(state);
}

static elman_train_desc train_desc(void)
{
    elman_train_desc d = ELMAN_TRAIN_DESC;
    d.model.hidden = 6;
    d.model.embed = 3;
    d.optimizer.kind = ELMAN_ADAM;
    d.optimizer.clip = 1;
    d.schedule.lr = 0.01;
    d.batch = 3;
    d.steps = 5;
    d.epochs = 3;
    d.valid_fraction = 0.2;
    return d;
}

static void open_scene(scene *s)
{
    draw d = {.stream = 90};
    trying("opening");
    letters_write("book.txt", &d, 7, 150);
    must(make_context_of(s, 1, &s->context));
    s->desc = train_desc();
    s->text = letters_open(s->context, "book.txt", NULL);
    must(elman_lm_create(s->context, &s->desc.model, elman_text_vocab(s->text),
                         &s->lm));
    elman_lm_init(s->lm, 1);
    must(
        elman_trainer_create(s->context, &s->desc, s->text, NULL, &s->trainer));
}

static void close_scene(scene *s)
{
    trying("closing");
    elman_trainer_destroy(&s->trainer);
    elman_lm_destroy(&s->lm);
    elman_text_close(&s->text);
    elman_context_destroy(&s->context);
    assert_int_equal(s->counting.live, 0);
    assert_int_equal(s->counting.bytes, 0);
}

/* Opens the scene, exhausts the scenario, closes the scene. */
static void play(const char *name, scenario *run)
{
    scene s = {.context = NULL};
    open_scene(&s);
    exhaust_both(name, &s, run);
    close_scene(&s);
}

/* ---- Scenarios -----------------------------------------------------------*/

static elman_status one_context(scene *s)
{
    elman_context *context;
    const elman_status status = make_context_of(s, 3, &context);
    elman_context_destroy(&context);
    return status;
}

/* A product that is worth two threads starts them. */
static elman_status threads(scene *s)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.hidden = 256;
    elman_context *context = NULL;
    elman_rnn *rnn = NULL;
    elman_tape *tape = NULL;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    tape_desc.steps = 2;
    tape_desc.batch = 16;
    elman_status status = make_context_of(s, 2, &context);
    if (!status)
        status = elman_rnn_create(context, &desc, &rnn);
    if (!status)
        status = elman_tape_create(rnn, &tape_desc, &tape);
    if (!status)
        status = elman_rnn_forward(rnn, tape, 2, 16, NULL, NULL, NULL, NULL);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    return status;
}

static elman_status layers(scene *s)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = 3;
    desc.hidden = 5;
    desc.layers = 6; /* more views than one portion of them */
    elman_rnn *rnn = NULL;
    elman_tape *tape[2] = {NULL, NULL};
    elman_state *state = NULL;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    tape_desc.steps = 4;
    tape_desc.batch = 2;
    elman_status status = elman_rnn_create(s->context, &desc, &rnn);
    for (int i = 0; i < 2 && !status; ++i) {
        tape_desc.inference_only = i;
        status = elman_tape_create(rnn, &tape_desc, &tape[i]);
    }
    if (!status)
        status = elman_state_create(rnn, 2, &state);
    float x[24] = {0}, dx[24], y[40] = {0};
    float *const grad = scratch(elman_rnn_parameters(rnn), sizeof *grad);
    for (int i = 0; i < 2 && !status; ++i)
        status = elman_rnn_forward(rnn, tape[i], 4, 2, x, NULL, y, NULL);
    if (!status)
        status = elman_rnn_backward(rnn, tape[0], y, NULL, dx, NULL, grad);
    if (!status)
        status = elman_rnn_step(rnn, state, x, y);
    elman_state_destroy(&state);
    elman_tape_destroy(&tape[0]);
    elman_tape_destroy(&tape[1]);
    elman_rnn_destroy(&rnn);
    return status;
}

/* Trainers whose gradients go back over pieces make room as they go. */
static elman_status go_back(scene *s)
{
    elman_status status = ELMAN_OK;
    for (int i = 0; i < 3 && !status; ++i) {
        elman_train_desc d = s->desc;
        d.model.cell = ELMAN_CELL_LSTM;
        d.batch = 1;
        d.steps = 1;
        d.cut = 0.05;
        d.valid_fraction = 0;
        d.truncation = (elman_truncation)i;
        d.back = i == ELMAN_TRUNCATION_REGULAR ? 7 : 0;
        elman_trainer *t = NULL;
        elman_train_report report = ELMAN_TRAIN_REPORT;
        status = elman_trainer_create(s->context, &d, s->text, NULL, &t);
        for (int k = 0; k < 2 && !status; ++k)
            status = elman_trainer_step(t, &report);
        elman_trainer_destroy(&t);
    }
    return status;
}

/* Everything that a network can have at once. */
static elman_status all_of_a_network(scene *s)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.cell = ELMAN_CELL_LSTM;
    desc.input = 3;
    desc.hidden = 5;
    desc.proj = 2;
    desc.layers = 3;
    desc.bidirectional = 1;
    desc.dropout = 0.5;
    desc.weight_drop = 0.5;
    elman_rnn *rnn = NULL;
    elman_tape *tape[2] = {NULL, NULL};
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    tape_desc.steps = 4;
    tape_desc.batch = 2;
    elman_status status = elman_rnn_create(s->context, &desc, &rnn);
    for (int i = 0; i < 2 && !status; ++i) {
        tape_desc.inference_only = i;
        status = elman_tape_create(rnn, &tape_desc, &tape[i]);
    }
    const int64_t lengths[2] = {2, 4};
    float x[24] = {0}, y[32] = {0};
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = 4;
    q.batch = 2;
    q.lengths = lengths;
    q.x = x;
    q.y = y;
    for (int i = 1; i >= 0 && !status; --i) {
        q.train = !i;
        status = elman_rnn_run(rnn, tape[i], &q);
    }
    elman_gradients g = ELMAN_GRADIENTS;
    g.dy = y;
    g.grad = scratch(elman_rnn_parameters(rnn), sizeof(float));
    if (!status)
        status = elman_rnn_run_back(rnn, tape[0], &g);
    elman_tape_destroy(&tape[0]);
    elman_tape_destroy(&tape[1]);
    elman_rnn_destroy(&rnn);
    return status;
}

static elman_status states(scene *s)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.cell = ELMAN_CELL_LSTM;
    desc.hidden = 5;
    desc.proj = 2;
    elman_rnn *rnn = NULL;
    elman_state *state = NULL;
    elman_status status = elman_rnn_create(s->context, &desc, &rnn);
    if (!status)
        status = elman_state_create(rnn, 2, &state);
    if (!status)
        status = elman_rnn_steps(rnn, state, 3, NULL, NULL);
    elman_state_destroy(&state);
    elman_rnn_destroy(&rnn);
    return status;
}

static elman_status optimizers(scene *s)
{
    elman_status status = ELMAN_OK;
    for (int kind = ELMAN_SGD; kind <= ELMAN_RMSPROP && !status; ++kind) {
        elman_optimizer_desc desc = ELMAN_OPTIMIZER_DESC;
        desc.kind = (elman_optimizer_kind)kind;
        elman_optimizer *o = NULL;
        float w[5] = {0}, g[5] = {1, 2, 3, 4, 5};
        status = elman_optimizer_create(s->context, &desc, 5, &o);
        if (!status)
            status = elman_optimizer_step(o, 0.1, w, g, NULL);
        elman_optimizer_destroy(&o);
    }
    return status;
}

static elman_status cross_entropy(scene *s)
{
    elman_xent_desc desc = ELMAN_XENT_DESC;
    desc.rows = 2;
    desc.classes = 3;
    const float x[6] = {0, 1, 2, 3, 4, 5};
    const int64_t targets[2] = {0, 1};
    double loss;
    return elman_cross_entropy(s->context, &desc, x, targets, NULL, NULL,
                               &loss);
}

static elman_status ceiling(scene *s)
{
    double gflops;
    return elman_context_ceiling(s->context, 1e-4, &gflops);
}

static elman_status texts_of(scene *s, elman_level level,
                             const elman_vocab *vocab)
{
    static const char *const paths[] = {"book.txt", "book.txt"};
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 2;
    desc.level = level;
    desc.vocab = vocab;
    desc.vocab_size = vocab || level == ELMAN_BYTE ? 0 : 5;
    elman_text *text = NULL;
    int32_t ids[40];
    elman_status status = elman_text_open(s->context, &desc, &text);
    if (!status && elman_text_tokens(text) > 40)
        status = elman_text_read(text, 0, 40, ids);
    int64_t count;
    if (!status)
        status = elman_vocab_encode(elman_text_vocab(text), "abcabc", 6, ids,
                                    40, &count);
    elman_text_close(&text);
    return status;
}

static elman_status texts(scene *s)
{
    elman_status status = texts_of(s, ELMAN_CHAR, NULL);
    if (!status)
        status = texts_of(s, ELMAN_WORD, NULL);
    if (!status)
        status = texts_of(s, ELMAN_BYTE, NULL);
    if (!status)
        status = texts_of(s, ELMAN_CHAR, elman_text_vocab(s->text));
    return status;
}

/* Tapes within a budget that holds less than all. */
static elman_status recalled(scene *s, int both)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    elman_rnn *rnn = NULL;
    elman_tape *tape = NULL;
    enum { STEPS = 900 };
    desc.cell = ELMAN_CELL_LSTM;
    desc.hidden = 4;
    desc.proj = 3;
    desc.layers = 3;
    desc.dropout = 0.3;
    desc.weight_drop = 0.3;
    desc.bidirectional = both;
    tape_desc.steps = STEPS;
    tape_desc.batch = 1;
    float *const y = scratch((int64_t)STEPS * 6, sizeof *y);
    elman_sequences q = ELMAN_SEQUENCES;
    elman_gradients g = ELMAN_GRADIENTS;
    q.steps = STEPS;
    q.batch = 1;
    q.y = y;
    q.train = 1;
    g.dy = y;
    elman_status status = elman_rnn_create(s->context, &desc, &rnn);
    if (!status) {
        g.grad = scratch(elman_rnn_parameters(rnn), sizeof(float));
        tape_desc.memory = elman_tape_bytes(rnn, &tape_desc) * 3 / 4;
        status = elman_tape_create(rnn, &tape_desc, &tape);
    }
    if (!status)
        status = elman_rnn_run(rnn, tape, &q);
    if (!status)
        status = elman_rnn_run_back(rnn, tape, &g);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    return status;
}

static elman_status budget(scene *s)
{
    return recalled(s, 0);
}

static elman_status budget_both(scene *s)
{
    return recalled(s, 1);
}

static elman_status budget_lm(scene *s)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    elman_lm *lm = NULL;
    elman_lm_tape *tape = NULL;
    elman_memory m = ELMAN_MEMORY;
    enum { STEPS = 700 };
    desc.cell = ELMAN_CELL_GRU;
    desc.hidden = 4;
    desc.embed = 3;
    desc.layers = 2;
    desc.dropout = 0.3;
    tape_desc.steps = STEPS;
    tape_desc.batch = 1;
    int32_t *const ids = scratch(STEPS, sizeof *ids);
    elman_lm_batch batch = ELMAN_LM_BATCH;
    batch.steps = STEPS;
    batch.batch = 1;
    batch.ids = batch.targets = ids;
    batch.train = 1;
    double loss;
    elman_status status =
        elman_lm_create(s->context, &desc, elman_text_vocab(s->text), &lm);
    if (!status)
        status = elman_lm_memory(lm, &tape_desc, NULL, &m);
    tape_desc.memory = m.tape * 3 / 4;
    if (!status)
        status = elman_lm_tape_make(lm, &tape_desc, &tape);
    if (!status)
        status = elman_lm_forward(lm, tape, &batch, NULL, &loss, NULL);
    if (!status)
        status = elman_lm_backward(
            lm, tape, scratch(elman_lm_parameters(lm), sizeof(float)));
    elman_lm_tape_destroy(&tape);
    elman_lm_destroy(&lm);
    return status;
}

static elman_status model_of(scene *s, const elman_lm_desc *desc)
{
    elman_lm *lm = NULL;
    elman_lm_tape *tape = NULL;
    elman_lm_state *state = NULL;
    const int32_t ids[6] = {1, 2, 3, 1, 2, 3};
    elman_lm_batch batch = ELMAN_LM_BATCH;
    batch.steps = 3;
    batch.batch = 2;
    batch.ids = batch.targets = ids;
    double loss;
    elman_status status =
        elman_lm_create(s->context, desc, elman_text_vocab(s->text), &lm);
    if (!status)
        status = elman_lm_tape_create(lm, 3, 2, &tape);
    if (!status)
        status = elman_lm_state_create(lm, 2, &state);
    if (!status)
        status = elman_lm_forward(lm, tape, &batch, state, &loss, NULL);
    if (!status)
        status = elman_lm_backward(
            lm, tape, scratch(elman_lm_parameters(lm), sizeof(float)));
    if (!status)
        status = elman_lm_step(lm, state, ids, NULL);
    elman_lm_state_destroy(&state);
    elman_lm_tape_destroy(&tape);
    elman_lm_destroy(&lm);
    return status;
}

static elman_status models(scene *s)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.hidden = 4;
    desc.layers = 5;
    elman_status status = model_of(s, &desc);
    desc.embed = 3;
    desc.layers = 1;
    if (!status)
        status = model_of(s, &desc);
    desc.cell = ELMAN_CELL_LSTM;
    desc.proj = 3;
    desc.tie = 1;
    desc.layers = 2;
    desc.dropout = desc.weight_drop = 0.5;
    if (!status)
        status = model_of(s, &desc);
    desc = (elman_lm_desc)ELMAN_LM_DESC;
    desc.hidden = 4;
    desc.layers = 1;
    desc.embed = 3;
    desc.cell = ELMAN_CELL_NONE;
    desc.context = 3;
    if (!status)
        status = model_of(s, &desc);
    desc.embed = 0;
    return status ? status : model_of(s, &desc);
}

static elman_status choose(scene *s)
{
    elman_sampler sampler = ELMAN_SAMPLER;
    const float logits[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int32_t id;
    elman_status status = elman_lm_choose(s->lm, &sampler, logits, 0.5, &id);
    sampler.top_k = 3;
    sampler.top_p = 0.9;
    return status ? status : elman_lm_choose(s->lm, &sampler, logits, 0.5, &id);
}

static elman_status evaluate(scene *s)
{
    elman_lm_score score = ELMAN_LM_SCORE;
    return elman_lm_eval(s->lm, s->text, 0, 150, &score);
}

/* On a copy: the scene's own model stays as it is. */
static elman_status learn_on(scene *s)
{
    elman_learner_desc desc = ELMAN_LEARNER_DESC;
    elman_lm_score score = ELMAN_LM_SCORE;
    elman_learner *learner = NULL;
    elman_lm *lm = NULL;
    elman_status status = elman_lm_convert(s->lm, ELMAN_F32, &lm);
    if (!status)
        status = elman_learner_create(lm, &desc, &learner);
    if (!status)
        status = elman_learner_eval(learner, s->text, 0, 150, &score);
    elman_learner_destroy(&learner);
    elman_lm_destroy(&lm);
    return status;
}

static elman_status look_back(scene *s)
{
    elman_probe_desc desc = ELMAN_PROBE_DESC;
    double norms[6 * 7];
    desc.count = 150;
    desc.steps = 5;
    desc.positions = 7;
    return elman_lm_probe(s->lm, s->text, &desc, norms);
}

static elman_status load(scene *s)
{
    elman_lm *lm = NULL;
    const elman_status status = elman_lm_load(s->context, "model", &lm);
    elman_lm_destroy(&lm);
    return status;
}

/* A model that could not be saved leaves the one that was there, and nothing
 * else. */
static elman_status save(scene *s)
{
    const int before = folder_entries(".", false);
    const elman_status status = elman_lm_save(s->lm, "model");
    assert_int_equal(folder_entries(".", false), before);
    elman_lm *lm;
    elman_context *other = make_context(1, NULL);
    must(elman_lm_load(other, "model", &lm));
    elman_lm_destroy(&lm);
    elman_context_destroy(&other);
    if (status)
        must_fail(status, ELMAN_ENOMEM, "");
    return status;
}

static elman_status tensor_files(scene *s)
{
    elman_tensors *file = NULL;
    elman_tensor list[8];
    elman_status status = elman_tensors_read(s->context, "model", &file);
    const int count = file ? elman_tensors_count(file) : 0;
    for (int i = 0; i < count && i < 8 && !status; ++i)
        status = elman_tensors_at(file, i, &list[i]);
    const char *const meta[] = {"key", "value"};
    if (!status)
        status = elman_tensors_write(s->context, "tensors", list,
                                     count < 8 ? count : 8, meta, 1);
    elman_tensors_destroy(&file);
    return status;
}

/* A network with all that may stand around its stack: made, run both ways,
 * saved and loaded. */
static elman_status networks(scene *s)
{
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    desc.rnn.cell = ELMAN_CELL_LSTM;
    desc.rnn.hidden = 5;
    desc.rnn.proj = 2;
    desc.rnn.layers = 2;
    desc.vocab = 4;
    desc.embed = 3;
    desc.outputs = 6;
    const int32_t ids[6] = {0, 1, 2, 3, 0, 1};
    const int64_t lengths[2] = {3, 1};
    float y[36];
    elman_network *n = NULL, *again = NULL, *bytes = NULL;
    elman_network_tape *tape = NULL;
    elman_network_state *state = NULL;
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = 3;
    q.batch = 2;
    q.ids = ids;
    q.lengths = lengths;
    q.y = y;
    elman_status status = elman_network_create(s->context, &desc, &n);
    if (!status)
        status = elman_network_tape_create(n, 3, 2, &tape);
    if (!status)
        status = elman_network_state_create(n, 2, &state);
    if (!status)
        status = elman_network_run(n, tape, &q);
    if (!status)
        status = elman_network_step(n, state, NULL, ids, y);
    if (!status)
        status = elman_network_save(n, "network");
    if (!status)
        status = elman_network_load(s->context, "network", &again);
    if (!status)
        status = elman_network_convert(n, ELMAN_INT8, &bytes);
    if (!status)
        status = elman_network_save(bytes, "network");
    elman_network_destroy(&again);
    if (!status)
        status = elman_network_load(s->context, "network", &again);
    elman_network_destroy(&again);
    if (!status)
        status = elman_network_load_inference(s->context, "network", ELMAN_BF16,
                                              &again);
    elman_network_destroy(&again);
    if (!status)
        status = elman_network_load_inference(s->context, "network", ELMAN_F64,
                                              &again);
    elman_network_destroy(&bytes);
    elman_network_state_destroy(&state);
    elman_network_tape_destroy(&tape);
    elman_network_destroy(&again);
    elman_network_destroy(&n);
    return status;
}

/* As C files, with the weights as they are and rounded. */
static elman_status c_files(scene *s)
{
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    desc.rnn.cell = ELMAN_CELL_GRU;
    desc.rnn.hidden = 3;
    desc.vocab = 4;
    desc.embed = 3;
    elman_network *n = NULL, *rounded = NULL;
    elman_lm *lm = NULL;
    elman_c_desc c = ELMAN_C_DESC;
    elman_status status = elman_network_create(s->context, &desc, &n);
    if (!status)
        status = elman_c_write(NULL, n, &c, "network.c");
    c.weights = ELMAN_C_INT8;
    c.name = "model";
    if (!status)
        status = elman_c_write(s->lm, NULL, &c, "lm.c");
    if (!status)
        status = elman_network_rounded(n, ELMAN_C_BFLOAT16, &rounded);
    if (!status)
        status = elman_lm_rounded(s->lm, ELMAN_C_BFLOAT16, &lm);
    elman_lm_destroy(&lm);
    elman_network_destroy(&rounded);
    elman_network_destroy(&n);
    return status;
}

/* A language model whose weights are bytes, to a file and back. */
static elman_status bytes(scene *s)
{
    elman_lm *lm = NULL, *again = NULL;
    elman_status status = elman_lm_convert(s->lm, ELMAN_INT8, &lm);
    if (!status)
        status = elman_lm_save(lm, "bytes");
    if (!status)
        status = elman_lm_load(s->context, "bytes", &again);
    elman_lm_destroy(&again);
    elman_lm_destroy(&lm);
    return status;
}

static elman_status arrays(scene *s)
{
    const float row[6] = {0, 1, 2, 3, 4, 5};
    const elman_tensor t = {.dtype = ELMAN_F32,
                            .rank = 2,
                            .shape = {2, 3},
                            .count = 6,
                            .data = row};
    elman_tensors *file = NULL;
    elman_status status = elman_tensor_write_npy(s->context, "array.npy", &t);
    if (!status)
        status = elman_tensors_read_npy(s->context, "array.npy", &file);
    elman_tensors_destroy(&file);
    return status;
}

static elman_status vocabularies(scene *s)
{
    static const char json[] = "[\"<unk>\", \"a\", \"b\"]";
    elman_vocab *vocab = NULL;
    const elman_status status =
        elman_vocab_from_json(s->context, json, sizeof json - 1, ELMAN_CHAR,
                              ELMAN_NORMALIZE_NONE, &vocab);
    if (!status)
        assert_int_equal(elman_vocab_size(vocab), 3);
    elman_vocab_destroy(&vocab);
    return status;
}

static elman_status make_trainer(scene *s)
{
    elman_trainer *t = NULL;
    elman_train_report report = ELMAN_TRAIN_REPORT;
    elman_train_desc desc = s->desc;
    desc.updates = 2;
    elman_status status =
        elman_trainer_create(s->context, &desc, s->text, NULL, &t);
    for (int i = 0; i < 3 && !status; ++i)
        status = elman_trainer_step(t, &report);
    elman_trainer_destroy(&t);
    return status;
}

/* One that begins with the weights, and the history, of a model. */
static elman_status begin_with_model(scene *s)
{
    elman_trainer *t = NULL;
    elman_train_desc desc = s->desc;
    desc.from = s->lm;
    desc.average = 0.9;
    elman_status status =
        elman_lm_set_history(s->lm, "{\"updates\": 3, \"runs\": 2}");
    if (!status)
        status = elman_trainer_create(s->context, &desc, s->text, NULL, &t);
    if (!status)
        status = elman_trainer_save(t, "begun");
    elman_trainer_destroy(&t);
    return status;
}

/* An epoch's end validates. */
static elman_status whole_epoch(scene *s)
{
    elman_trainer *t = NULL;
    elman_train_report report = ELMAN_TRAIN_REPORT;
    elman_train_desc desc = s->desc;
    desc.epochs = 1;
    desc.valid_fraction = 0;
    elman_status status =
        elman_trainer_create(s->context, &desc, s->text, s->text, &t);
    while (!status && !report.done)
        status = elman_trainer_step(t, &report);
    if (!status)
        status = elman_trainer_save(t, "trained");
    elman_trainer_destroy(&t);
    return status;
}

static elman_status checkpoint(scene *s)
{
    const elman_status status =
        elman_trainer_checkpoint(s->trainer, "checkpoint", 7);
    assert_true(file_exists("checkpoint"));
    assert_true(folder_entries(".", false) < FOLDER_MOST);
    return status;
}

static elman_status snapshot(scene *s)
{
    elman_snapshot *copy = NULL;
    elman_status status = elman_trainer_snapshot(s->trainer, 7, &copy);
    if (!status)
        status = elman_trainer_snapshot(s->trainer, 7, &copy);
    if (!status)
        status = elman_snapshot_write(copy, "checkpoint");
    elman_snapshot_destroy(&copy);
    assert_true(file_exists("checkpoint"));
    assert_true(folder_entries(".", false) < FOLDER_MOST);
    return status;
}

static elman_status resume(scene *s)
{
    elman_trainer *t = NULL;
    char used[64];
    int64_t mark = 0;
    const elman_status status =
        elman_trainer_resume(s->context, &s->desc, s->text, NULL, "checkpoint",
                             &t, used, sizeof used, &mark);
    if (!status)
        assert_int_equal(mark, 7);
    elman_trainer_destroy(&t);
    return status;
}

static elman_status describe(scene *s)
{
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    elman_vocab *vocab = NULL;
    const elman_status status =
        elman_checkpoint_describe(s->context, "checkpoint", &desc, &vocab);
    elman_vocab_destroy(&vocab);
    return status;
}

/* ---- Tests ---------------------------------------------------------------*/

#define PLAYED(name)                                                           \
    static void test_##name(void **state)                                      \
    {                                                                          \
        (void)state;                                                           \
        play(#name, name);                                                     \
    }
PLAYED(one_context)
PLAYED(threads)
PLAYED(layers)
PLAYED(all_of_a_network)
PLAYED(states)
PLAYED(optimizers)
PLAYED(cross_entropy)
PLAYED(ceiling)
PLAYED(texts)
PLAYED(budget)
PLAYED(budget_both)
PLAYED(budget_lm)
PLAYED(models)
PLAYED(choose)
PLAYED(evaluate)
PLAYED(learn_on)
PLAYED(look_back)
PLAYED(go_back)
PLAYED(networks)
PLAYED(c_files)
PLAYED(bytes)
PLAYED(arrays)
PLAYED(vocabularies)
PLAYED(make_trainer)
PLAYED(begin_with_model)
PLAYED(whole_epoch)

static void test_files(void **state)
{
    (void)state;
    scene s = {.context = NULL};
    open_scene(&s);
    must(elman_lm_save(s.lm, "model"));
    exhaust_both("load", &s, load);
    exhaust_both("save", &s, save);
    exhaust_both("tensor files", &s, tensor_files);
    close_scene(&s);
}

static void test_checkpoints(void **state)
{
    (void)state;
    scene s = {.context = NULL};
    open_scene(&s);
    elman_train_report report = ELMAN_TRAIN_REPORT;
    for (int i = 0; i < 5; ++i)
        must(elman_trainer_step(s.trainer, &report));
    must(elman_trainer_checkpoint(s.trainer, "checkpoint", 7));
    exhaust_both("checkpoint", &s, checkpoint);
    exhaust_both("snapshot", &s, snapshot);
    exhaust_both("resume", &s, resume);
    exhaust_both("describe", &s, describe);
    close_scene(&s);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_context),      TEST(threads),       TEST(layers),
        TEST(all_of_a_network), TEST(states),        TEST(optimizers),
        TEST(ceiling),          TEST(cross_entropy), TEST(texts),
        TEST(budget),           TEST(budget_both),   TEST(budget_lm),
        TEST(models),           TEST(choose),        TEST(evaluate),
        TEST(networks),         TEST(arrays),        TEST(files),
        TEST(make_trainer),     TEST(whole_epoch),   TEST(checkpoints),
        TEST(vocabularies),     TEST(bytes),         TEST(c_files),
        TEST(look_back),        TEST(go_back),       TEST(learn_on),
        TEST(begin_with_model),
    };
    return cmocka_run_group_tests_name("alloc", tests, begin, end);
}
