/* SPDX-License-Identifier: MIT */
/* test_grad.c - every gradient is what central differences in float64 say: of
 * each parameter, of the input and of the initial state. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include <stdbool.h>

#include "support/expect.h"
#include "support/letters.h"
#include "support/oracle_lm.h"
#include "support/scratch.h"
#include "support/sequences.h"
#include "support/variants.h"
#include "unit/test_folder.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *plain;

static int begin(void **state)
{
    plain = make_context(1, NULL);
    print_message("seed %" PRIu64 "\n", test_seed());
    return folder_setup(state);
}

static int end(void **state)
{
    elman_context_destroy(&plain);
    return folder_teardown(state);
}

/* The derivative of f(arg) by each of count numbers at x, compared. */
typedef double objective(void *arg);

static void check_within(const char *what, objective *f, void *arg, double *x,
                         int64_t count, const double *gradient,
                         double tolerance)
{
    const double step = 1e-6;
    double *const slope = scratch_doubles(count);
    for (int64_t i = 0; i < count; ++i) {
        const double was = x[i];
        x[i] = was + step;
        const double above = f(arg), high = x[i];
        x[i] = was - step;
        const double below = f(arg), low = x[i];
        x[i] = was;
        slope[i] = (above - below) / (high - low);
    }
    expect_near(what, ELMAN_F64, gradient, slope, count, tolerance, 1e-2);
}

static void check(const char *what, objective *f, void *arg, double *x,
                  int64_t count, const double *gradient)
{
    check_within(what, f, arg, x, count, gradient, 1e-6);
}

/* A relu this far from its kink stays on its side of it. */
static const double safe = 1e-4;

/* ---- Recurrent layers ----------------------------------------------------*/

typedef struct stack {
    oracle o;
    elman_rnn *rnn;
    elman_tape *tape;
    double *w, *x, *h0, *dy, *dhT, *y, *hT;
} stack;

static int64_t states(const oracle *o)
{
    return o->layers * o->batch * o->hidden;
}

/* sum(y dy) + sum(hT dhT), whose gradient is what backward gives. */
static double stack_objective(void *arg)
{
    stack *const s = arg;
    const oracle *const o = &s->o;
    memcpy(elman_rnn_weights_begin(s->rnn), s->w,
           (size_t)oracle_parameters(o) * sizeof *s->w);
    elman_rnn_weights_end(s->rnn);
    must(elman_rnn_forward(s->rnn, s->tape, o->steps, o->batch,
                           o->input ? s->x : NULL, s->h0, s->y, s->hT));
    double sum = 0;
    for (int64_t i = 0; i < o->steps * o->batch * o->hidden; ++i)
        sum += s->y[i] * s->dy[i];
    for (int64_t i = 0; i < states(o); ++i)
        sum += s->hT[i] * s->dhT[i];
    return sum;
}

static stack draw_stack(draw *d, oracle o)
{
    const int64_t rows = o.steps * o.batch;
    stack s = {.o = o};
    double *const h = scratch_doubles(oracle_states(&o));
    do {
        s.w = scratch_draw(d, oracle_parameters(&o),
                           1.5 / sqrt((double)o.hidden));
        s.x = scratch_draw(d, rows * o.input, 1);
        s.h0 = scratch_draw(d, states(&o), 1);
    } while (oracle_forward(&o, s.w, s.x, s.h0, h) < safe &&
             o.activation == ELMAN_RELU);
    s.dy = scratch_draw(d, rows * o.hidden, 1);
    s.dhT = scratch_draw(d, states(&o), 1);
    s.y = scratch_doubles(rows * o.hidden);
    s.hT = scratch_doubles(states(&o));
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.activation = o.activation;
    desc.dtype = ELMAN_F64;
    desc.input = o.input;
    desc.hidden = o.hidden;
    desc.layers = o.layers;
    desc.no_bias = !o.bias;
    must(elman_rnn_create(plain, &desc, &s.rnn));
    elman_tape_desc tape = ELMAN_TAPE_DESC;
    tape.steps = o.steps;
    tape.batch = o.batch;
    must(elman_tape_create(s.rnn, &tape, &s.tape));
    return s;
}

static void check_stack(draw *d, oracle o)
{
    trying("%s, T %lld B %lld I %lld H %lld L %d, %s",
           o.activation == ELMAN_RELU ? "relu" : "tanh", (long long)o.steps,
           (long long)o.batch, (long long)o.input, (long long)o.hidden,
           o.layers, o.bias ? "biases" : "no bias");
    stack s = draw_stack(d, o);
    const int64_t inputs = o.steps * o.batch * o.input;
    const int64_t P = oracle_parameters(&o);
    double *const dx = scratch_doubles(inputs);
    double *const dh0 = scratch_doubles(states(&o));
    double *const grad = scratch_doubles(P);
    stack_objective(&s);
    must(elman_rnn_backward(s.rnn, s.tape, s.dy, s.dhT, dx, dh0, grad));
    check("parameters", stack_objective, &s, s.w, P, grad);
    check("input", stack_objective, &s, s.x, inputs, dx);
    check("initial state", stack_objective, &s, s.h0, states(&o), dh0);
    elman_tape_destroy(&s.tape);
    elman_rnn_destroy(&s.rnn);
    scratch_free(NULL);
}

static void test_stacks(void **state)
{
    (void)state;
    draw d = {.stream = 80};
    for (int i = 0; i < 40; ++i)
        check_stack(&d, (oracle){.activation = i % 2 ? ELMAN_RELU : ELMAN_TANH,
                                 .steps = 1 + draw_below(&d, 7),
                                 .batch = 1 + draw_below(&d, 3),
                                 .input = draw_below(&d, 5),
                                 .hidden = 1 + draw_below(&d, 7),
                                 .layers = 1 + (int)draw_below(&d, 3),
                                 .bias = i % 5 > 0});
}

/* Chains of gradients are cut every 64 steps. */
static void test_long_sequences(void **state)
{
    (void)state;
    draw d = {.stream = 81};
    static const int64_t steps[] = {63, 64, 65, 128, 130};
    for (int i = 0; i < 5; ++i)
        check_stack(&d, (oracle){.activation = ELMAN_TANH,
                                 .steps = steps[i],
                                 .batch = 2,
                                 .input = 2,
                                 .hidden = 3,
                                 .layers = 1 + i % 2,
                                 .bias = true});
}

/* ---- Every cell over sequences of any lengths ----------------------------*/

typedef struct batch {
    problem p;
    elman_rnn *rnn;
    elman_tape *tape;
    answer a;
} batch;

static double times(const double *x, const double *y, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; x && y && i < count; ++i)
        sum += x[i] * y[i];
    return sum;
}

/* sum(y dy) + sum(hT dhT) + sum(cT dcT) */
static double batch_objective(void *arg)
{
    batch *const b = arg;
    const problem *const p = &b->p;
    elman_sequences q = ELMAN_SEQUENCES;
    memcpy(elman_rnn_weights_begin(b->rnn), p->w,
           (size_t)b->a.count[GRAD] * sizeof *p->w);
    elman_rnn_weights_end(b->rnn);
    q.steps = p->T;
    q.batch = p->B;
    q.lengths = p->lengths;
    q.batch_first = p->batch_first;
    q.x = p->desc.input > 0 ? p->x : NULL;
    q.h0 = p->h0;
    q.c0 = p->c0;
    q.y = b->a.part[Y];
    q.hT = b->a.part[HT];
    q.cT = b->a.part[CT];
    q.train = p->train;
    q.seed = p->seed;
    q.draw = p->draw;
    must(elman_rnn_run(b->rnn, b->tape, &q));
    return times(q.y, p->dy, b->a.count[Y]) +
           times(q.hT, p->dhT, b->a.count[HT]) +
           times(q.cT, p->dcT, b->a.count[CT]);
}

static void check_batch(problem *p)
{
    batch b = {.p = *p, .a = answer_room(p, ELMAN_F64)};
    problem_try("gradients", p);
    b.rnn = problem_rnn(plain, p, ELMAN_F64);
    b.tape = problem_tape(b.rnn, p, 0);
    problem_run(p, b.rnn, b.tape, 0, &b.a);
    const struct {
        const char *what;
        double *x;
        int part;
    } all[] = {{"parameters", p->w, GRAD},
               {"input", p->desc.input > 0 ? p->x : NULL, DX},
               {"h0", p->h0, DH0},
               {"c0", p->c0, DC0}};
    for (int i = 0; i < 4; ++i)
        if (all[i].x)
            check_within(all[i].what, batch_objective, &b, all[i].x,
                         b.a.count[all[i].part], b.a.part[all[i].part], 1e-5);
    elman_tape_destroy(&b.tape);
    elman_rnn_destroy(&b.rnn);
    scratch_free(NULL);
}

static void test_sequences(void **state)
{
    (void)state;
    draw d = {.stream = 85};
    for (int i = 0; i < 80; ++i) {
        problem p = problem_draw(&d, 6, 6);
        p.B = p.B > 4 ? 4 : p.B;
        if (p.desc.input > 4)
            p.desc.input = 4;
        const bool h0 = p.h0, dy = p.dy, dhT = p.dhT;
        problem_fill(&p, &d);
        p.h0 = h0 ? p.h0 : NULL;
        p.c0 = h0 ? p.c0 : NULL;
        p.dy = dy ? p.dy : NULL;
        p.dhT = dhT ? p.dhT : NULL;
        p.dcT = dhT ? p.dcT : NULL;
        if (i % 3 == 0) {
            p.desc.dropout = 0.4;
            p.desc.locked = i % 2;
            p.desc.weight_drop = i % 6 ? 0.3 : 0;
            p.train = 1;
            p.draw = (uint64_t)i;
        }
        check_batch(&p);
    }
}

/* Chains of gradients are cut every 64 steps in both directions. */
static void test_long_batches(void **state)
{
    (void)state;
    draw d = {.stream = 86};
    static const elman_cell cells[] = {ELMAN_CELL_LSTM, ELMAN_CELL_GRU};
    for (int i = 0; i < 4; ++i) {
        problem p = {.desc = ELMAN_RNN_DESC, .T = 130, .B = 3};
        p.desc.cell = cells[i % 2];
        p.desc.input = 2;
        p.desc.hidden = 3;
        p.desc.layers = 1;
        p.desc.bidirectional = 1;
        p.lengths = scratch(3, sizeof *p.lengths);
        p.lengths[0] = i < 2 ? 64 : 130;
        p.lengths[1] = 130;
        p.lengths[2] = 65 + i;
        problem_fill(&p, &d);
        check_batch(&p);
    }
}

/* ---- Cross-entropy -------------------------------------------------------*/

typedef struct rows {
    elman_xent_desc desc;
    double *logits;
    int64_t *targets;
} rows;

static double xent_objective(void *arg)
{
    const rows *const r = arg;
    double loss;
    must(elman_cross_entropy(plain, &r->desc, r->logits, r->targets, NULL, NULL,
                             &loss));
    return loss;
}

static void test_cross_entropy(void **state)
{
    (void)state;
    draw d = {.stream = 82};
    for (int i = 0; i < 60; ++i) {
        rows r = {.desc = ELMAN_XENT_DESC};
        r.desc.dtype = ELMAN_F64;
        const int64_t N = r.desc.rows = 1 + draw_below(&d, 5);
        const int64_t V = r.desc.classes = 1 + draw_below(&d, 9);
        r.desc.reduction = i % 2 ? ELMAN_MEAN : ELMAN_SUM;
        r.desc.scale = i % 3 ? 0 : 1.7;
        r.desc.label_smoothing = i % 5 ? 0 : 0.2;
        double *const weight = scratch_draw(&d, V, 1);
        for (int64_t j = 0; j < V; ++j)
            weight[j] = 0.1 + fabs(weight[j]);
        r.desc.class_weight = i % 4 ? NULL : weight;
        r.logits = scratch_draw(&d, N * V, 2);
        r.targets = scratch(N, sizeof *r.targets);
        for (int64_t j = 0; j < N; ++j)
            r.targets[j] =
                j > 0 && draw_below(&d, 3) == 0 ? -100 : draw_below(&d, V);
        trying("cross-entropy %d", i);
        double *const dx = scratch_doubles(N * V);
        must(elman_cross_entropy(plain, &r.desc, r.logits, r.targets, NULL, dx,
                                 NULL));
        check("logits", xent_objective, &r, r.logits, N * V, dx);
        scratch_free(NULL);
    }
}

/* ---- Language models -----------------------------------------------------*/

typedef struct model {
    elman_lm *lm;
    elman_lm_tape *tape;
    elman_lm_state *state;
    elman_lm_batch before, batch;
    double *w;
} model;

/* The loss of a batch that follows another one, whose state it begins with;
 * no gradient flows across. */
static double model_objective(void *arg)
{
    model *const m = arg;
    double loss;
    memcpy(elman_lm_weights_begin(m->lm), m->w,
           (size_t)elman_lm_parameters(m->lm) * sizeof *m->w);
    elman_lm_weights_end(m->lm);
    elman_lm_state_zero(m->state);
    if (m->before.steps > 0)
        must(elman_lm_forward(m->lm, m->tape, &m->before, m->state, &loss,
                              NULL));
    must(elman_lm_forward(m->lm, m->tape, &m->batch, m->state, &loss, NULL));
    return loss * m->batch.scale;
}

static double nearest_to_kink(const model *m, const elman_lm_desc *desc,
                              int64_t classes)
{
    double nearest;
    const oracle_lm o = {.desc = *desc,
                         .classes = classes,
                         .steps = m->batch.steps,
                         .batch = m->batch.batch,
                         .w = m->w,
                         .ids = m->batch.ids,
                         .targets = m->batch.targets};
    oracle_lm_run(&o, NULL, NULL, NULL, &nearest);
    return nearest;
}

static void check_model(draw *d, elman_lm_desc desc, bool carried)
{
    trying("%s", letters_name(&desc));
    enum { LETTERS = 5, T = 4, B = 2 };
    model m = {.before = ELMAN_LM_BATCH, .batch = ELMAN_LM_BATCH};
    m.lm = letters_lm(plain, &desc, LETTERS);
    const int64_t P = elman_lm_parameters(m.lm), V = LETTERS + 1;
    must(elman_lm_tape_create(m.lm, T, B, &m.tape));
    must(elman_lm_state_create(m.lm, B, &m.state));
    m.batch.steps = T;
    m.batch.batch = B;
    m.batch.scale = 0.7;
    m.batch.train = 1;
    m.batch.draw = 3;
    m.before = m.batch;
    m.before.steps = carried ? 3 : 0;
    m.before.ids = m.before.targets = letters_ids(d, T * B, V, false);
    do {
        m.w = scratch_draw(d, P, 0.8);
        m.batch.ids = letters_ids(d, T * B, V, false);
        m.batch.targets = letters_ids(d, T * B, V, true);
    } while (desc.activation == ELMAN_RELU &&
             nearest_to_kink(&m, &desc, V) < safe);
    double *const grad = scratch_doubles(P);
    model_objective(&m);
    must(elman_lm_backward(m.lm, m.tape, grad));
    check("parameters", model_objective, &m, m.w, P, grad);
    elman_lm_state_destroy(&m.state);
    elman_lm_tape_destroy(&m.tape);
    elman_lm_destroy(&m.lm);
    scratch_free(NULL);
}

static elman_lm_desc model_desc(int i)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.dtype = ELMAN_F64;
    desc.activation = i % 2 ? ELMAN_RELU : ELMAN_TANH;
    desc.embed = i / 2 % 2 ? 3 : 0;
    desc.hidden = 1 + i % 5;
    return desc;
}

static void test_recurrent_models(void **state)
{
    (void)state;
    draw d = {.stream = 83};
    for (int i = 0; i < 12; ++i) {
        elman_lm_desc desc = model_desc(i);
        desc.layers = 1 + i / 4;
        check_model(&d, desc, false);
    }
}

/* Every cell, tied, projected, and with dropout of all kinds. */
static void test_other_models(void **state)
{
    (void)state;
    draw d = {.stream = 87};
    for (int i = 0; i < 24; ++i) {
        elman_lm_desc desc = model_desc(2 * i);
        desc.cell = i % 2 ? ELMAN_CELL_LSTM : ELMAN_CELL_GRU;
        desc.hidden = 3 + i % 3;
        desc.layers = 1 + i / 12;
        desc.proj = i % 4 == 1 ? 2 : 0;
        desc.reset_before = i % 4 == 2;
        desc.tie = i % 3 == 0;
        if (desc.tie)
            desc.embed = desc.proj ? desc.proj : desc.hidden;
        desc.dropout = i % 5 == 0 ? 0.3 : 0;
        desc.locked = i % 10 == 5;
        desc.weight_drop = i % 7 == 0 ? 0.3 : 0;
        check_model(&d, desc, false);
    }
}

static void test_models_without_state(void **state)
{
    (void)state;
    draw d = {.stream = 84};
    for (int i = 0; i < 16; ++i) {
        elman_lm_desc desc = model_desc(i);
        desc.cell = ELMAN_CELL_NONE;
        desc.context = 1 + i / 4;
        /* Tokens of the batch before are constants; a relu's kink is only
         * looked for without them. */
        check_model(&d, desc, desc.activation == ELMAN_TANH);
    }
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stacks),           TEST(long_sequences),       TEST(cross_entropy),
        TEST(recurrent_models), TEST(models_without_state), TEST(sequences),
        TEST(long_batches),     TEST(other_models),
    };
    return cmocka_run_group_tests_name("grad", tests, begin, end);
}
