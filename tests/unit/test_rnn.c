/* SPDX-License-Identifier: MIT */
/* test_rnn.c - recurrent layers: their numbers against a textbook's, their
 * bits against each other. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/oracle.h"
#include "support/scratch.h"
#include "support/variants.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static elman_context *plain; /* one thread, the best level */

static int begin(void **state)
{
    (void)state;
    plain = make_context(1, NULL);
    elman_machine machine = ELMAN_MACHINE;
    elman_context_machine(plain, &machine);
    print_message("seed %" PRIu64 ", levels %s\n", test_seed(),
                  machine.isa_all);
    return 0;
}

static int end(void **state)
{
    (void)state;
    elman_context_destroy(&plain);
    return 0;
}

/* ---- A problem: a shape, and all that comes in ---------------------------*/

typedef struct problem {
    oracle o;
    double *w, *x, *h0, *dy, *dhT; /* h0, dy and dhT may be NULL */
} problem;

static int64_t states(const problem *p) /* L B H */
{
    return p->o.layers * p->o.batch * p->o.hidden;
}

static int64_t inputs(const problem *p) /* T B I */
{
    return p->o.steps * p->o.batch * p->o.input;
}

static int64_t outputs(const problem *p) /* T B H */
{
    return p->o.steps * p->o.batch * p->o.hidden;
}

static void try_problem(const char *who, const problem *p)
{
    const oracle *const o = &p->o;
    trying("%s: %s, T %lld B %lld I %lld H %lld L %d, %s, h0 %s, dy %s, dhT %s",
           who, o->activation == ELMAN_RELU ? "relu" : "tanh",
           (long long)o->steps, (long long)o->batch, (long long)o->input,
           (long long)o->hidden, o->layers, o->bias ? "biases" : "no bias",
           p->h0 ? "given" : "NULL", p->dy ? "given" : "NULL",
           p->dhT ? "given" : "NULL");
}

static problem draw_inputs(draw *d, oracle o)
{
    problem p = {.o = o};
    p.w = scratch_draw(d, oracle_parameters(&o), 1 / sqrt((double)o.hidden));
    p.x = scratch_draw(d, inputs(&p), 1);
    p.h0 = scratch_draw(d, states(&p), 1);
    p.dy = scratch_draw(d, outputs(&p), 1);
    p.dhT = scratch_draw(d, states(&p), 1);
    return p;
}

static problem draw_problem(draw *d, int64_t most_steps, int64_t most_hidden)
{
    oracle o = {.activation = draw_below(d, 2) ? ELMAN_RELU : ELMAN_TANH,
                .steps = 1 + draw_below(d, most_steps),
                .batch = 1 + draw_below(d, 7),
                .input = draw_below(d, 20),
                .hidden = 1 + draw_below(d, most_hidden),
                .layers = 1 + (int)draw_below(d, 4),
                .bias = draw_below(d, 4) > 0};
    problem p = draw_inputs(d, o);
    if (draw_below(d, 3) == 0)
        p.h0 = NULL;
    if (draw_below(d, 5) == 0)
        p.dy = NULL;
    if (draw_below(d, 3) == 0)
        p.dhT = NULL;
    return p;
}

/* ---- What the library makes of it ----------------------------------------
 * All results lie in one block: y, hT, dx, dh0, grad. */

typedef struct answer {
    elman_dtype dtype;
    int64_t count[5];
    void *part[5];
} answer;

enum { Y, HT, DX, DH0, GRAD, PARTS };
static const char *const part_names[PARTS] = {"y", "hT", "dx", "dh0", "grad"};

static answer make_answer(const problem *p, elman_dtype dtype)
{
    answer a = {.dtype = dtype,
                .count = {outputs(p), states(p), inputs(p), states(p),
                          oracle_parameters(&p->o)}};
    for (int i = 0; i < PARTS; ++i)
        a.part[i] = scratch(a.count[i], elman_dtype_size(dtype));
    return a;
}

static elman_rnn *make_rnn(elman_context *context, const problem *p,
                           elman_dtype dtype)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.activation = p->o.activation;
    desc.dtype = dtype;
    desc.input = p->o.input;
    desc.hidden = p->o.hidden;
    desc.layers = p->o.layers;
    desc.no_bias = !p->o.bias;
    elman_rnn *rnn;
    must(elman_rnn_create(context, &desc, &rnn));
    const int64_t count = elman_rnn_parameters(rnn);
    assert_int_equal(count, oracle_parameters(&p->o));
    memcpy(elman_rnn_weights_begin(rnn), scratch_as(dtype, p->w, count),
           (size_t)count * elman_dtype_size(dtype));
    elman_rnn_weights_end(rnn);
    return rnn;
}

static elman_tape *make_tape(const elman_rnn *rnn, int64_t steps, int64_t batch,
                             int inference_only)
{
    elman_tape_desc desc = ELMAN_TAPE_DESC;
    desc.steps = steps;
    desc.batch = batch;
    desc.inference_only = inference_only;
    elman_tape *tape;
    must(elman_tape_create(rnn, &desc, &tape));
    return tape;
}

static answer solve(elman_context *context, const problem *p, elman_dtype dtype)
{
    answer a = make_answer(p, dtype);
    elman_rnn *rnn = make_rnn(context, p, dtype);
    elman_tape *tape = make_tape(rnn, p->o.steps, p->o.batch, 0);
    void *const x = p->o.input ? scratch_as(dtype, p->x, inputs(p)) : NULL;
    must(elman_rnn_forward(rnn, tape, p->o.steps, p->o.batch, x,
                           scratch_as(dtype, p->h0, states(p)), a.part[Y],
                           a.part[HT]));
    must(elman_rnn_backward(rnn, tape, scratch_as(dtype, p->dy, outputs(p)),
                            scratch_as(dtype, p->dhT, states(p)), a.part[DX],
                            a.part[DH0], a.part[GRAD]));
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    return a;
}

static void same_answers(const answer *a, const answer *b)
{
    for (int i = 0; i < PARTS; ++i)
        expect_same(part_names[i], a->dtype, a->part[i], b->part[i],
                    a->count[i]);
}

/* ---- Against the textbook ------------------------------------------------*/

typedef struct truth {
    double *part[PARTS];
    double nearest; /* to relu's kink */
} truth;

static truth solve_by_the_book(const problem *p)
{
    const oracle *const o = &p->o;
    truth t = {.part = {[HT] = scratch_doubles(states(p)),
                        [DX] = scratch_doubles(inputs(p)),
                        [DH0] = scratch_doubles(states(p)),
                        [GRAD] = scratch_doubles(oracle_parameters(o))}};
    double *const h = scratch_doubles(oracle_states(o));
    t.nearest = oracle_forward(o, p->w, p->x, p->h0, h);
    t.part[Y] = (double *)oracle_y(o, h);
    oracle_hT(o, h, t.part[HT]);
    oracle_backward(o, p->w, p->x, h, p->dy, p->dhT, t.part[DX], t.part[DH0],
                    t.part[GRAD]);
    return t;
}

/* A tensor is measured by its own largest entry; but where that is one of a
 * few, sums that happen to cancel would make it no measure at all, and the
 * largest of all gradients is taken. */
static double scale_of(const problem *p, const truth *t, int64_t count)
{
    const int64_t counts[PARTS] = {
        [DX] = inputs(p), [DH0] = states(p), [GRAD] = oracle_parameters(&p->o)};
    double largest = 0;
    for (int i = DX; i <= GRAD && count < 32; ++i)
        for (int64_t j = 0; j < counts[i]; ++j)
            largest = fmax(largest, fabs(t->part[i][j]));
    return largest;
}

static void check_gradients(const problem *p, const answer *a, const truth *t)
{
    elman_rnn *rnn = make_rnn(plain, p, a->dtype);
    for (int i = 0; i < elman_rnn_view_count(rnn); ++i) {
        elman_view v;
        must(elman_rnn_view(rnn, i, &v));
        expect_near(v.name, a->dtype,
                    (char *)a->part[GRAD] +
                        (size_t)v.offset * elman_dtype_size(a->dtype),
                    t->part[GRAD] + v.offset, v.count,
                    usual_tolerance(a->dtype), scale_of(p, t, v.count));
    }
    elman_rnn_destroy(&rnn);
    for (int i = DX; i <= DH0; ++i)
        expect_near(part_names[i], a->dtype, a->part[i], t->part[i],
                    a->count[i], usual_tolerance(a->dtype),
                    scale_of(p, t, a->count[i]));
}

/* Where rounding could carry relu over its kink, only the outputs count. */
static bool check_by_the_book(const problem *p, elman_dtype dtype)
{
    const truth t = solve_by_the_book(p);
    const answer a = solve(plain, p, dtype);
    const double tolerance = usual_tolerance(dtype);
    const bool smooth =
        p->o.activation != ELMAN_RELU || t.nearest > 0.2 * tolerance;
    for (int i = Y; i <= HT; ++i)
        expect_near(part_names[i], dtype, a.part[i], t.part[i], a.count[i],
                    tolerance, a.count[i] < 32 ? 0.1 : 0);
    if (smooth)
        check_gradients(p, &a, &t);
    return smooth;
}

static void test_random_shapes(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    int whole = 0, tried = 0;
    for (int i = 0; i < 80; ++i) {
        /* Every fourth crosses the blocks of 64 steps. */
        const problem p =
            i % 4 == 3 ? draw_problem(&d, 200, 12) : draw_problem(&d, 9, 70);
        for (elman_dtype dtype = ELMAN_F32; dtype <= ELMAN_F64; ++dtype) {
            try_problem("random shape", &p);
            whole += check_by_the_book(&p, dtype);
            ++tried;
        }
        scratch_free(NULL);
    }
    print_message("             %d of %d with gradients\n", whole, tried);
    assert_true(whole > tried / 2);
}

static void test_unit_sizes(void **state)
{
    (void)state;
    draw d = {.stream = 2};
    for (int bits = 0; bits < 64; ++bits) {
        const oracle o = {.activation = bits & 32 ? ELMAN_RELU : ELMAN_TANH,
                          .steps = bits & 1 ? 3 : 1,
                          .batch = bits & 2 ? 2 : 1,
                          .input = bits & 4 ? 1 : 0,
                          .hidden = bits & 8 ? 2 : 1,
                          .layers = bits & 16 ? 2 : 1,
                          .bias = true};
        const problem p = draw_inputs(&d, o);
        try_problem("unit sizes", &p);
        check_by_the_book(&p, ELMAN_F32);
        check_by_the_book(&p, ELMAN_F64);
        scratch_free(NULL);
    }
}

/* Products large enough for several threads. */
static void test_large_shapes(void **state)
{
    (void)state;
    const oracle shapes[] = {
        {ELMAN_TANH, 5, 33, 40, 161, 2, true},
        {ELMAN_TANH, 70, 32, 17, 70, 1, true},
        {ELMAN_TANH, 2, 3, 300, 330, 1, false},
    };
    draw d = {.stream = 3};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const problem p = draw_inputs(&d, shapes[i]);
        try_problem("large shape", &p);
        assert_true(check_by_the_book(&p, ELMAN_F32));
        assert_true(check_by_the_book(&p, ELMAN_F64));
        scratch_free(NULL);
    }
}

/* ---- The same bits -------------------------------------------------------*/

static void check_variants(const variant *list, int count, const problem *p,
                           elman_dtype dtype)
{
    answer first;
    for (int i = 0; i < count; ++i) {
        try_problem(list[i].name, p);
        const answer a = solve(list[i].context, p, dtype);
        if (i == 0)
            first = a;
        else
            same_answers(&a, &first);
    }
}

static void test_threads_and_levels(void **state)
{
    (void)state;
    const oracle shapes[] = {
        {ELMAN_TANH, 1, 1, 1, 1, 1, true},
        {ELMAN_RELU, 3, 2, 0, 31, 2, true},
        {ELMAN_TANH, 4, 9, 65, 127, 2, true},  /* rows are shared out */
        {ELMAN_TANH, 3, 40, 33, 192, 1, true}, /* columns are */
        {ELMAN_RELU, 3, 2, 400, 260, 1, false},
        {ELMAN_TANH, 70, 30, 5, 48, 1, true}, /* two blocks, many slices */
        {ELMAN_RELU, 130, 3, 7, 17, 3, true},
        {ELMAN_TANH, 2, 5, 3, 290, 1, true}, /* several tiles */
    };
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 4};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const problem p = draw_inputs(&d, shapes[i]);
        check_variants(list, count, &p, ELMAN_F32);
        if (i < 3)
            check_variants(list, count, &p, ELMAN_F64);
        scratch_free(NULL);
    }
    for (int i = 0; i < 25; ++i) {
        const problem p = draw_problem(&d, 12, 100);
        check_variants(list, count, &p, ELMAN_F32);
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* Sequence b of p, alone. */
static problem one_sequence(const problem *p, int64_t b)
{
    const int64_t I = p->o.input, H = p->o.hidden, B = p->o.batch;
    problem q = *p;
    q.o.batch = 1;
    q.x = scratch_doubles(inputs(&q));
    for (int64_t t = 0; t < p->o.steps; ++t)
        memcpy(q.x + t * I, p->x + (t * B + b) * I, (size_t)I * sizeof *q.x);
    q.h0 = p->h0 ? scratch_doubles(states(&q)) : NULL;
    for (int n = 0; q.h0 && n < p->o.layers; ++n)
        memcpy(q.h0 + n * H, p->h0 + (n * B + b) * H, (size_t)H * sizeof *q.h0);
    q.dy = q.dhT = NULL;
    return q;
}

static void compare_sequence(const problem *p, const answer *whole, int64_t b,
                             const answer *alone)
{
    const int64_t H = p->o.hidden, B = p->o.batch;
    const size_t row = (size_t)H * elman_dtype_size(whole->dtype);
    for (int64_t t = 0; t < p->o.steps; ++t)
        expect_same("y of a sequence alone", whole->dtype,
                    (char *)alone->part[Y] + (size_t)t * row,
                    (char *)whole->part[Y] + (size_t)(t * B + b) * row, H);
    for (int n = 0; n < p->o.layers; ++n)
        expect_same("hT of a sequence alone", whole->dtype,
                    (char *)alone->part[HT] + (size_t)n * row,
                    (char *)whole->part[HT] + (size_t)(n * B + b) * row, H);
}

static void test_batch_splits(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    elman_context *two = make_context(2, NULL);
    for (int i = 0; i < 24; ++i) {
        const oracle large = {ELMAN_TANH, 3, 33, 70, 90, 2, true};
        const problem p =
            i == 0 ? draw_inputs(&d, large) : draw_problem(&d, 8, 80);
        const elman_dtype dtype = i % 4 == 1 ? ELMAN_F64 : ELMAN_F32;
        try_problem("batch split", &p);
        const answer whole = solve(two, &p, dtype);
        for (int64_t b = 0; b < p.o.batch; ++b) {
            const problem q = one_sequence(&p, b);
            const answer alone = solve(plain, &q, dtype);
            compare_sequence(&p, &whole, b, &alone);
        }
        scratch_free(NULL);
    }
    elman_context_destroy(&two);
}

/* What is not finite in one sequence does not reach another. */
static void test_bad_neighbours(void **state)
{
    (void)state;
    draw d = {.stream = 6};
    for (int i = 0; i < 12; ++i) {
        problem p = draw_problem(&d, 6, 60);
        if (p.o.input == 0 || p.o.batch == 1)
            continue;
        try_problem("a neighbour with NaN", &p);
        const answer good = solve(plain, &p, ELMAN_F32);
        const int64_t bad = draw_below(&d, p.o.batch);
        for (int64_t t = 0; t < p.o.steps; ++t)
            p.x[(t * p.o.batch + bad) * p.o.input] = t % 2 ? NAN : INFINITY;
        const answer other = solve(plain, &p, ELMAN_F32);
        for (int64_t b = 0; b < p.o.batch; ++b)
            for (int64_t t = 0; b != bad && t < p.o.steps; ++t) {
                const int64_t at = (t * p.o.batch + b) * p.o.hidden;
                expect_same("y", ELMAN_F32, (float *)other.part[Y] + at,
                            (float *)good.part[Y] + at, p.o.hidden);
            }
        scratch_free(NULL);
    }
}

/* Runs p in pieces cut anywhere, on one tape, hT in the place of h0. */
static void run_in_pieces(const problem *p, elman_rnn *rnn, draw *d,
                          int inference_only, answer *a)
{
    const elman_dtype dtype = a->dtype;
    const size_t size = elman_dtype_size(dtype);
    const int64_t B = p->o.batch;
    elman_tape *tape = make_tape(rnn, p->o.steps, B, inference_only);
    const char *const x =
        p->o.input ? scratch_as(dtype, p->x, inputs(p)) : NULL;
    double *const zeros = scratch_doubles(states(p));
    void *const h = scratch_as(dtype, p->h0 ? p->h0 : zeros, states(p));
    for (int64_t t = 0, n; t < p->o.steps; t += n) {
        n = 1 + draw_below(d, p->o.steps - t);
        must(elman_rnn_forward(
            rnn, tape, n, B, x ? x + (size_t)(t * B * p->o.input) * size : NULL,
            h, (char *)a->part[Y] + (size_t)(t * B * p->o.hidden) * size, h));
    }
    memcpy(a->part[HT], h, (size_t)states(p) * size);
    elman_tape_destroy(&tape);
}

static void run_in_steps(const problem *p, elman_rnn *rnn, answer *a)
{
    const elman_dtype dtype = a->dtype;
    const size_t size = elman_dtype_size(dtype);
    const int64_t B = p->o.batch;
    const char *const x =
        p->o.input ? scratch_as(dtype, p->x, inputs(p)) : NULL;
    elman_state *s;
    must(elman_state_create(rnn, B, &s));
    if (p->h0)
        elman_state_write(s, scratch_as(dtype, p->h0, states(p)));
    for (int64_t t = 0; t < p->o.steps; ++t)
        must(elman_rnn_step(
            rnn, s, x ? x + (size_t)(t * B * p->o.input) * size : NULL,
            (char *)a->part[Y] + (size_t)(t * B * p->o.hidden) * size));
    elman_state_read(s, a->part[HT]);
    elman_state_destroy(&s);
}

static void test_time_splits(void **state)
{
    (void)state;
    draw d = {.stream = 7};
    for (int i = 0; i < 40; ++i) {
        /* Long ones take an inference tape several pieces of its own. */
        const problem p =
            i % 3 == 0 ? draw_problem(&d, 600, 10) : draw_problem(&d, 40, 50);
        const elman_dtype dtype = i % 5 == 4 ? ELMAN_F64 : ELMAN_F32;
        const answer whole = solve(plain, &p, dtype);
        elman_rnn *rnn = make_rnn(plain, &p, dtype);
        for (int way = 0; way < 3; ++way) {
            static const char *const ways[] = {
                "in pieces", "in pieces for inference", "in steps"};
            try_problem(ways[way], &p);
            answer a = make_answer(&p, dtype);
            if (way < 2)
                run_in_pieces(&p, rnn, &d, way, &a);
            else
                run_in_steps(&p, rnn, &a);
            for (int part = Y; part <= HT; ++part)
                expect_same(part_names[part], dtype, a.part[part],
                            whole.part[part], a.count[part]);
        }
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* A tape's results depend on its forward, not on how large it was made or on
 * what ran on it before; an inference tape's are a training tape's. */
static void test_tapes(void **state)
{
    (void)state;
    draw d = {.stream = 8};
    for (int i = 0; i < 20; ++i) {
        const problem p = draw_problem(&d, 90, 30);
        try_problem("tapes", &p);
        const answer expected = solve(plain, &p, ELMAN_F32);
        const int64_t T = p.o.steps, B = p.o.batch;
        elman_rnn *rnn = make_rnn(plain, &p, ELMAN_F32);
        for (int inference = 0; inference < 2; ++inference) {
            elman_tape *tape = make_tape(rnn, T + 67, B + 3, inference);
            answer a = make_answer(&p, ELMAN_F32);
            float *const x =
                p.o.input ? scratch_as(ELMAN_F32, p.x, inputs(&p)) : NULL;
            void *const junk = scratch_as(
                ELMAN_F32, scratch_draw(&d, (T + 67) * (B + 3) * p.o.input, 2),
                (T + 67) * (B + 3) * p.o.input);
            must(elman_rnn_forward(rnn, tape, T + 67, B + 3,
                                   p.o.input ? junk : NULL, NULL, NULL, NULL));
            must(elman_rnn_forward(rnn, tape, T, B, x,
                                   scratch_as(ELMAN_F32, p.h0, states(&p)),
                                   a.part[Y], a.part[HT]));
            if (inference) {
                must_fail(
                    elman_rnn_backward(rnn, tape, NULL, NULL, NULL, NULL, NULL),
                    ELMAN_EINVAL, "inference");
                memcpy(a.part[DX], expected.part[DX], (size_t)a.count[DX] * 4);
                memcpy(a.part[DH0], expected.part[DH0],
                       (size_t)a.count[DH0] * 4);
                memcpy(a.part[GRAD], expected.part[GRAD],
                       (size_t)a.count[GRAD] * 4);
            } else {
                must(elman_rnn_backward(
                    rnn, tape, scratch_as(ELMAN_F32, p.dy, outputs(&p)),
                    scratch_as(ELMAN_F32, p.dhT, states(&p)), a.part[DX],
                    a.part[DH0], a.part[GRAD]));
            }
            same_answers(&a, &expected);
            elman_tape_destroy(&tape);
        }
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* ---- Contracts -----------------------------------------------------------*/

/* grad is added to, the others are overwritten; backward may be had again;
 * what is unwanted changes nothing of the rest; dh0 may be dhT. */
static void test_backward_contract(void **state)
{
    (void)state;
    draw d = {.stream = 9};
    for (int i = 0; i < 20; ++i) {
        problem p = draw_problem(&d, 100, 40);
        p.dy = scratch_draw(&d, outputs(&p), 1);
        p.dhT = scratch_draw(&d, states(&p), 1);
        try_problem("backward again", &p);
        const answer once = solve(plain, &p, ELMAN_F32);
        elman_rnn *rnn = make_rnn(plain, &p, ELMAN_F32);
        elman_tape *tape = make_tape(rnn, p.o.steps, p.o.batch, 0);
        float *const x =
            p.o.input ? scratch_as(ELMAN_F32, p.x, inputs(&p)) : NULL;
        must(elman_rnn_forward(rnn, tape, p.o.steps, p.o.batch, x,
                               scratch_as(ELMAN_F32, p.h0, states(&p)), NULL,
                               NULL));

        answer a = make_answer(&p, ELMAN_F32);
        void *const dy = scratch_as(ELMAN_F32, p.dy, outputs(&p));
        void *const dhT = scratch_as(ELMAN_F32, p.dhT, states(&p));
        must(elman_rnn_backward(rnn, tape, dy, dhT, NULL, NULL, NULL));
        must(elman_rnn_backward(rnn, tape, dy, dhT, NULL, NULL, a.part[GRAD]));
        memset(a.part[DX], 0xff, (size_t)a.count[DX] * sizeof(float));
        must(elman_rnn_backward(rnn, tape, dy, dhT, a.part[DX], NULL, NULL));
        must(elman_rnn_backward(rnn, tape, dy, dhT, NULL, dhT, NULL));
        memcpy(a.part[DH0], dhT, (size_t)a.count[DH0] * sizeof(float));
        memcpy(a.part[Y], once.part[Y], (size_t)a.count[Y] * sizeof(float));
        memcpy(a.part[HT], once.part[HT], (size_t)a.count[HT] * sizeof(float));
        same_answers(&a, &once);

        /* Once more on top: each element is the sum of block sums, so that
         * twice the gradient is right but for rounding. */
        must(elman_rnn_backward(rnn, tape, dy,
                                scratch_as(ELMAN_F32, p.dhT, states(&p)), NULL,
                                NULL, a.part[GRAD]));
        double *const twice = scratch_doubles(a.count[GRAD]);
        for (int64_t j = 0; j < a.count[GRAD]; ++j)
            twice[j] = 2 * element(ELMAN_F32, once.part[GRAD], j);
        expect_close("grad of two", ELMAN_F32, a.part[GRAD], twice,
                     a.count[GRAD], 1e-6);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* Weights that change are computed with from weights_end on; a network starts
 * with zeros; init draws within its bounds, the same for the same seed. */
static void test_weights(void **state)
{
    (void)state;
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = 40;
    desc.hidden = 25;
    desc.layers = 2;
    elman_rnn *a, *b;
    must(elman_rnn_create(plain, &desc, &a));
    must(elman_rnn_create(plain, &desc, &b));
    const int64_t count = elman_rnn_parameters(a);
    const float *const w = elman_rnn_weights(a);
    for (int64_t i = 0; i < count; ++i)
        assert_true(w[i] == 0);

    elman_rnn_init(a, 7);
    elman_rnn_init(b, 7);
    trying("init");
    expect_same("seed 7 twice", ELMAN_F32, w, elman_rnn_weights(b), count);
    double low = 0, high = 0, mean = 0;
    for (int64_t i = 0; i < count; ++i) {
        low = fmin(low, (double)w[i]);
        high = fmax(high, (double)w[i]);
        mean += (double)w[i] / (double)count;
    }
    assert_true(low >= -0.2 && low < -0.19);
    assert_true(high < 0.2 && high > 0.19);
    assert_true(fabs(mean) < 0.01);
    elman_rnn_init(b, 8);
    assert_memory_not_equal(w, elman_rnn_weights(b), (size_t)count * 4);

    /* Two with the same weights, one of which had others before. */
    memcpy(elman_rnn_weights_begin(b), w, (size_t)count * sizeof *w);
    elman_rnn_weights_end(b);
    float x[40], y[2][25];
    for (int i = 0; i < 40; ++i)
        x[i] = (float)i / 40;
    for (int i = 0; i < 2; ++i) {
        elman_rnn *const rnn = i ? b : a;
        elman_tape *tape = make_tape(rnn, 1, 1, 1);
        must(elman_rnn_forward(rnn, tape, 1, 1, x, NULL, y[i], NULL));
        elman_tape_destroy(&tape);
    }
    expect_same("y", ELMAN_F32, y[0], y[1], 25);
    elman_rnn_destroy(&a);
    elman_rnn_destroy(&b);
    elman_rnn_destroy(&b);
    elman_rnn_destroy(NULL);
}

static void check_views(int64_t I, int64_t H, int layers, int no_bias)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = I;
    desc.hidden = H;
    desc.layers = layers;
    desc.no_bias = no_bias;
    elman_rnn *rnn;
    must(elman_rnn_create(plain, &desc, &rnn));
    static const char *const names[] = {"weight_ih_l", "weight_hh_l",
                                        "bias_ih_l", "bias_hh_l"};
    const int each = no_bias ? 2 : 4, n = elman_rnn_view_count(rnn);
    assert_int_equal(n, each * (layers ? layers : 1));
    int64_t offset = 0;
    for (int i = 0; i < n; ++i) {
        char name[40];
        snprintf(name, sizeof name, "%s%d", names[i % each], i / each);
        elman_view v, found;
        must(elman_rnn_view(rnn, i, &v));
        must(elman_rnn_find(rnn, name, &found));
        assert_string_equal(v.name, name);
        assert_string_equal(found.name, name);
        assert_int_equal(v.rank, i % each < 2 ? 2 : 1);
        assert_int_equal(v.shape[0], H);
        if (v.rank == 2)
            assert_int_equal(v.shape[1],
                             i % each == 0 && i / each == 0 ? I : H);
        assert_int_equal(v.count, v.rank == 2 ? H * v.shape[1] : H);
        assert_int_equal(v.offset, offset);
        assert_int_equal(found.offset, offset);
        offset += v.count;
    }
    assert_int_equal(offset, elman_rnn_parameters(rnn));
    elman_view v;
    must_fail(elman_rnn_view(rnn, n, &v), ELMAN_EINVAL, "no view");
    must_fail(elman_rnn_view(rnn, -1, &v), ELMAN_EINVAL, "no view");
    must_fail(elman_rnn_find(rnn, "weight", &v), ELMAN_EINVAL, "weight");
    elman_rnn_destroy(&rnn);
}

static void test_views(void **state)
{
    (void)state;
    trying("views");
    check_views(3, 5, 0, 0);
    check_views(0, 5, 2, 0);
    check_views(7, 1, 3, 1);
    check_views(1, 2, 12, 0);
}

/* What a tape takes is what it says, and, for inference, little. */
static void test_tape_bytes(void **state)
{
    (void)state;
    counting c = {0};
    elman_context *context = counting_context(&c);
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = 30;
    desc.hidden = 50;
    desc.layers = 2;
    elman_rnn *rnn;
    must(elman_rnn_create(context, &desc, &rnn));
    for (int inference = 0; inference < 2; ++inference) {
        trying("a tape's bytes, inference %d", inference);
        elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
        tape_desc.steps = 200;
        tape_desc.batch = 9;
        tape_desc.inference_only = inference;
        const int64_t said = elman_tape_bytes(rnn, &tape_desc);
        const int64_t before = c.bytes;
        elman_tape *tape;
        must(elman_tape_create(rnn, &tape_desc, &tape));
        const int64_t taken = c.bytes - before;
        if (said != taken)
            fail_trying("said %lld, took %lld", (long long)said,
                        (long long)taken);
        elman_tape_destroy(&tape);
        assert_int_equal(c.bytes, before);

        tape_desc.steps = (int64_t)1 << 39;
        tape_desc.batch = 1 << 30;
        if (!inference) {
            assert_int_equal(elman_tape_bytes(rnn, &tape_desc), -1);
            must_fail(elman_tape_create(rnn, &tape_desc, &tape), ELMAN_ENOMEM,
                      "memory");
        }
        tape_desc.batch = 1;
        if (inference)
            assert_true(elman_tape_bytes(rnn, &tape_desc) < 1 << 20);
    }
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&context);
    assert_int_equal(c.live, 0);
}

static void refuse_desc(int64_t input, int64_t hidden, int layers, int dtype,
                        int activation, const char *words)
{
    elman_rnn_desc desc = ELMAN_RNN_DESC;
    desc.input = input;
    desc.hidden = hidden;
    desc.layers = layers;
    desc.dtype = (elman_dtype)dtype;
    desc.activation = (elman_activation)activation;
    elman_rnn *rnn = (elman_rnn *)&desc;
    must_fail(elman_rnn_create(plain, &desc, &rnn), ELMAN_EINVAL, words);
    assert_null(rnn);
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    refuse_desc(-1, 4, 1, ELMAN_F32, 0, "input");
    refuse_desc(3, 0, 1, ELMAN_F32, 0, "hidden");
    refuse_desc(3, -4, 1, ELMAN_F32, 0, "hidden");
    refuse_desc(3, 4, -1, ELMAN_F32, 0, "layers");
    refuse_desc(3, 4, 1, ELMAN_I64, 0, "dtype");
    refuse_desc(3, 4, 1, 77, 0, "dtype");
    refuse_desc(3, 4, 1, ELMAN_F32, 9, "activation");

    elman_rnn *rnn, *other;
    elman_rnn_desc desc = {0};
    desc.hidden = 4;
    must_fail(elman_rnn_create(plain, &desc, &rnn), ELMAN_EINVAL,
              "struct_size");
    desc.struct_size = sizeof desc;
    desc.input = 3;
    must_fail(elman_rnn_create(NULL, &desc, &rnn), ELMAN_EINVAL, "NULL");
    must_fail(elman_rnn_create(plain, NULL, &rnn), ELMAN_EINVAL, "NULL");
    must_fail(elman_rnn_create(plain, &desc, NULL), ELMAN_EINVAL, "NULL");
    must(elman_rnn_create(plain, &desc, &other));
    must(elman_rnn_create(plain, &desc, &rnn));

    elman_tape *tape;
    elman_tape_desc tape_desc = ELMAN_TAPE_DESC;
    tape_desc.steps = 0;
    tape_desc.batch = 2;
    must_fail(elman_tape_create(rnn, &tape_desc, &tape), ELMAN_EINVAL, "steps");
    tape_desc.steps = 5;
    tape_desc.batch = 0;
    must_fail(elman_tape_create(rnn, &tape_desc, &tape), ELMAN_EINVAL, "batch");
    tape_desc.batch = 2;
    must(elman_tape_create(rnn, &tape_desc, &tape));

    float x[30] = {0}, y[40] = {0}, h[8] = {0};
    must_fail(elman_rnn_backward(rnn, tape, y, NULL, NULL, NULL, NULL),
              ELMAN_EINVAL, "no forward");
    must_fail(elman_rnn_forward(rnn, tape, 6, 2, x, NULL, y, h), ELMAN_EINVAL,
              "T is 6");
    must_fail(elman_rnn_forward(rnn, tape, 0, 2, x, NULL, y, h), ELMAN_EINVAL,
              "T is 0");
    must_fail(elman_rnn_forward(rnn, tape, 5, 3, x, NULL, y, h), ELMAN_EINVAL,
              "B is 3");
    must_fail(elman_rnn_forward(rnn, tape, 5, 2, NULL, NULL, y, h),
              ELMAN_EINVAL, "x is NULL");
    must_fail(elman_rnn_forward(rnn, tape, 5, 2, x, NULL, x, h), ELMAN_EINVAL,
              "y is x");
    must_fail(elman_rnn_forward(other, tape, 5, 2, x, NULL, y, h), ELMAN_EINVAL,
              "another network");
    must_fail(elman_rnn_forward(NULL, tape, 5, 2, x, NULL, y, h), ELMAN_EINVAL,
              "NULL");
    must_fail(elman_rnn_forward(rnn, NULL, 5, 2, x, NULL, y, h), ELMAN_EINVAL,
              "NULL");
    must_fail(elman_rnn_backward(rnn, tape, y, NULL, NULL, NULL, NULL),
              ELMAN_EINVAL, "no forward");
    must(elman_rnn_forward(rnn, tape, 5, 2, x, NULL, y, h));
    must_fail(elman_rnn_backward(other, tape, y, NULL, NULL, NULL, NULL),
              ELMAN_EINVAL, "another network");
    elman_tape_destroy(&tape);
    elman_tape_destroy(&tape);
    elman_tape_destroy(NULL);
    elman_rnn_destroy(&rnn);
    elman_rnn_destroy(&other);

    desc.inference_only = 1;
    must(elman_rnn_create(plain, &desc, &rnn));
    must_fail(elman_tape_create(rnn, &tape_desc, &tape), ELMAN_EINVAL,
              "inference");
    elman_rnn_destroy(&rnn);
    assert_int_equal(elman_rnn_parameters(NULL), 0);
}

/* A caller's rounding mode changes no bit, on any thread, and is given back. */
static void test_rounding_modes(void **state)
{
    (void)state;
    draw d = {.stream = 10};
    const oracle o = {ELMAN_TANH, 3, 20, 30, 80, 2, true};
    const problem p = draw_inputs(&d, o);
    try_problem("rounding upward", &p);
    const answer expected = solve(plain, &p, ELMAN_F32);
    elman_context *two = make_context(2, NULL);
    assert_int_equal(fesetround(FE_UPWARD), 0);
    elman_rnn *rnn = make_rnn(two, &p, ELMAN_F32);
    elman_tape *tape = make_tape(rnn, o.steps, o.batch, 0);
    const int mode = fegetround();
    fesetround(FE_TONEAREST);
    answer a = make_answer(&p, ELMAN_F32);
    void *const x = scratch_as(ELMAN_F32, p.x, inputs(&p));
    void *const h0 = scratch_as(ELMAN_F32, p.h0, states(&p));
    void *const dy = scratch_as(ELMAN_F32, p.dy, outputs(&p));
    void *const dhT = scratch_as(ELMAN_F32, p.dhT, states(&p));
    fesetround(FE_UPWARD);
    const elman_status forward = elman_rnn_forward(
        rnn, tape, o.steps, o.batch, x, h0, a.part[Y], a.part[HT]);
    const elman_status backward = elman_rnn_backward(
        rnn, tape, dy, dhT, a.part[DX], a.part[DH0], a.part[GRAD]);
    const int after = fegetround();
    fesetround(FE_TONEAREST);
    assert_int_equal(mode, FE_UPWARD);
    assert_int_equal(after, FE_UPWARD);
    must(forward);
    must(backward);
    same_answers(&a, &expected);
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&two);
    scratch_free(NULL);
}

/* ---- A network that two threads share ------------------------------------*/

typedef struct sharer {
    elman_rnn *rnn;
    elman_tape *tape;
    const problem *p;
    void *x, *h0, *dy, *dhT;
    answer a;
    elman_status status;
} sharer;

static void *share(void *arg)
{
    sharer *const s = arg;
    const oracle *const o = &s->p->o;
    for (int i = 0; i < 5 && !s->status; ++i) {
        memset(s->a.part[GRAD], 0, (size_t)s->a.count[GRAD] * sizeof(float));
        s->status = elman_rnn_forward(s->rnn, s->tape, o->steps, o->batch, s->x,
                                      s->h0, s->a.part[Y], s->a.part[HT]);
        if (!s->status)
            s->status = elman_rnn_backward(s->rnn, s->tape, s->dy, s->dhT,
                                           s->a.part[DX], s->a.part[DH0],
                                           s->a.part[GRAD]);
    }
    return NULL;
}

static void test_sharing(void **state)
{
    (void)state;
    draw d = {.stream = 11};
    const oracle o = {ELMAN_TANH, 4, 20, 30, 80, 2, true};
    const problem p = draw_inputs(&d, o);
    try_problem("a network that two threads share", &p);
    const answer expected = solve(plain, &p, ELMAN_F32);
    elman_context *two = make_context(2, NULL);
    elman_rnn *rnn = make_rnn(two, &p, ELMAN_F32);
    sharer s[2];
    pthread_t thread;
    for (int i = 0; i < 2; ++i)
        s[i] = (sharer){.rnn = rnn,
                        .tape = make_tape(rnn, o.steps, o.batch, 0),
                        .p = &p,
                        .x = scratch_as(ELMAN_F32, p.x, inputs(&p)),
                        .h0 = scratch_as(ELMAN_F32, p.h0, states(&p)),
                        .dy = scratch_as(ELMAN_F32, p.dy, outputs(&p)),
                        .dhT = scratch_as(ELMAN_F32, p.dhT, states(&p)),
                        .a = make_answer(&p, ELMAN_F32)};
    assert_int_equal(pthread_create(&thread, NULL, share, &s[1]), 0);
    share(&s[0]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; ++i) {
        must(s[i].status);
        same_answers(&s[i].a, &expected);
        elman_tape_destroy(&s[i].tape);
    }
    elman_rnn_destroy(&rnn);
    elman_context_destroy(&two);
    scratch_free(NULL);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, scratch_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_shapes),
        TEST(unit_sizes),
        TEST(large_shapes),
        TEST(threads_and_levels),
        TEST(batch_splits),
        TEST(bad_neighbours),
        TEST(time_splits),
        TEST(tapes),
        TEST(backward_contract),
        TEST(weights),
        TEST(views),
        TEST(tape_bytes),
        TEST(mistakes),
        TEST(rounding_modes),
        TEST(sharing),
    };
    return cmocka_run_group_tests_name("rnn", tests, begin, end);
}
