/* SPDX-License-Identifier: MIT */
/* test_sequences.c - every cell over sequences of any lengths: its numbers
 * against a textbook's, its bits against each other. */
#include "support/counting.h"
#include "support/expect.h"
#include "support/scratch.h"
#include "support/sequences.h"
#include "support/variants.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static elman_context *plain; /* one thread, the best level */

/* Promises of bits hold in both. */
static elman_dtype single = ELMAN_F32;

/* The reference of bfloat16 is slow. */
static int rounds(int most)
{
    return single == ELMAN_BF16 ? most / 4 : most;
}

static int with_bf16(void **state)
{
    (void)state;
    single = ELMAN_BF16;
    return 0;
}

static int with_f32(void **state)
{
    (void)state;
    single = ELMAN_F32;
    return scratch_free(state);
}

static int begin(void **state)
{
    (void)state;
    plain = make_context(1, NULL);
    print_message("seed %" PRIu64 "\n", test_seed());
    return 0;
}

static int end(void **state)
{
    (void)state;
    elman_context_destroy(&plain);
    return 0;
}

/* ---- Numbers --------------------------------------------------------------*/

static void test_textbook(void **state)
{
    (void)state;
    draw d = {.stream = 1};
    for (int i = 0; i < 150; ++i) {
        problem p = problem_draw(&d, 18, 40);
        if (p.desc.cell == ELMAN_CELL_ELMAN && i % 2)
            p.desc.activation = ELMAN_RELU;
        problem_try("textbook", &p);
        const answer wanted = problem_textbook(&p);
        for (int kind = 0; kind < 4; ++kind) {
            const elman_dtype dtype = kind % 2 ? ELMAN_F64 : ELMAN_F32;
            const answer got = problem_solve(plain, &p, dtype, kind / 2);
            for (int part = Y; part <= CT; ++part)
                if (got.part[part])
                    expect_close(part_names[part], dtype, got.part[part],
                                 wanted.part[part], got.count[part],
                                 dtype == ELMAN_F64 ? 1e-11 : 5e-5);
        }
        scratch_free(NULL);
    }
}

/* The length of got - wanted beside that of wanted. */
static double distance(const answer *got, const answer *wanted, int part)
{
    double far = 0, all = 0;
    for (int64_t i = 0; i < got->count[part]; ++i) {
        const double is = element(wanted->dtype, wanted->part[part], i);
        const double off = element(got->dtype, got->part[part], i) - is;
        far += off * off;
        all += is * is;
    }
    return all > 0 ? sqrt(far / all) : 0;
}

/* Two operands that are each wrong by 2^-9 at most make a product that is wrong
 * by 2^-8, and sums of those do not add up all one way. */
static void test_bf16_errors(void **state)
{
    (void)state;
    draw d = {.stream = 13};
    double most[PARTS] = {0};
    for (int i = 0; i < 60; ++i) {
        problem p = problem_draw(&d, 18, 60);
        p.desc.hidden += 4;
        problem_fill(&p, &d);
        problem_try("errors of bfloat16", &p);
        const answer wanted = problem_solve(plain, &p, ELMAN_F64, 0);
        const answer got = problem_solve(plain, &p, ELMAN_BF16, 0);
        const answer full = problem_solve(plain, &p, ELMAN_F32, 0);
        for (int part = 0; part < PARTS; ++part) {
            if (!got.part[part])
                continue;
            const double off = distance(&got, &wanted, part);
            most[part] = off > most[part] ? off : most[part];
            if (off > 0.015)
                fail_trying("%s is off by %g", part_names[part], off);
        }
        if (problem_length(&p, 0) > 0 && p.h0 &&
            memcmp(got.part[Y], full.part[Y],
                   (size_t)got.count[Y] * sizeof(float)) == 0)
            fail_trying("nothing was rounded");
        scratch_free(NULL);
    }
    for (int part = 0; part < PARTS; ++part)
        print_message("             %s %.4f\n", part_names[part], most[part]);
}

/* ---- Bits -----------------------------------------------------------------*/

static void test_variants(void **state)
{
    (void)state;
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    draw d = {.stream = 2};
    for (int i = 0; i < rounds(60); ++i) {
        /* Some are large enough for the threads to share the work. */
        problem p = problem_draw(&d, i % 6 ? 30 : 80, i % 6 ? 70 : 200);
        if (p.desc.layers > 1 && i % 2) {
            p.desc.dropout = 0.3;
            p.desc.weight_drop = 0.2;
            p.desc.locked = i % 4 == 1;
            p.train = 1;
        }
        problem_try("variants", &p);
        const answer first = problem_solve(list[0].context, &p, single, 0);
        for (int v = 1; v < count; ++v) {
            const answer other = problem_solve(list[v].context, &p, single, 0);
            answers_same(list[v].name, &first, &other, Y, GRAD);
        }
        scratch_free(NULL);
    }
    variants_destroy(list, count);
}

/* Sequences `pick` of p, in that order, in `steps` steps. */
static problem choose(const problem *p, const int64_t *pick, int64_t count,
                      int64_t steps)
{
    const sizes s = problem_sizes(p);
    const int64_t rows = s.L * s.S, W = s.S * s.P;
    problem q = *p;
    q.B = count;
    q.T = steps;
    q.lengths = scratch(count, sizeof *q.lengths);
    const answer like = answer_room(&q, ELMAN_F64);
    q.x = scratch_doubles(like.count[DX]);
    q.dy = p->dy ? scratch_doubles(like.count[Y]) : NULL;
    struct {
        const double *from;
        double **to;
        int64_t width;
    } const states[] = {{p->h0, &q.h0, s.P},
                        {p->dhT, &q.dhT, s.P},
                        {p->c0, &q.c0, s.H},
                        {p->dcT, &q.dcT, s.H}};
    for (int k = 0; k < 4; ++k) {
        if (!states[k].from)
            continue;
        *states[k].to = scratch_doubles(rows * count * states[k].width);
        for (int64_t i = 0; i < rows * count; ++i)
            memcpy(*states[k].to + i * states[k].width,
                   states[k].from +
                       (i / count * p->B + pick[i % count]) * states[k].width,
                   (size_t)states[k].width * sizeof(double));
    }
    for (int64_t b = 0; b < count; ++b) {
        q.lengths[b] = problem_length(p, pick[b]);
        for (int64_t t = 0; t < q.lengths[b]; ++t) {
            memcpy(q.x + problem_row(&q, t, b, s.I),
                   p->x + problem_row(p, t, pick[b], s.I),
                   (size_t)s.I * sizeof(double));
            if (q.dy)
                memcpy(q.dy + problem_row(&q, t, b, W),
                       p->dy + problem_row(p, t, pick[b], W),
                       (size_t)W * sizeof(double));
        }
    }
    return q;
}

/* Sequence b of q is sequence pick[b] of p, in all that is its own. */
static void compare_chosen(const char *what, const problem *p, const answer *a,
                           const problem *q, const answer *c,
                           const int64_t *pick)
{
    const sizes s = problem_sizes(p);
    const int64_t rows = s.L * s.S, W = s.S * s.P;
    const size_t size = sizeof(float);
    const struct {
        int part;
        int64_t width;
    } states[] = {{HT, s.P}, {DH0, s.P}, {CT, s.H}, {DC0, s.H}};
    for (int64_t b = 0; b < q->B; ++b) {
        for (int k = 0; k < 4; ++k) {
            const int64_t w = states[k].width;
            const float *const x = a->part[states[k].part];
            const float *const y = c->part[states[k].part];
            for (int64_t r = 0; x && r < rows; ++r)
                if (memcmp(x + (r * p->B + pick[b]) * w, y + (r * q->B + b) * w,
                           (size_t)w * size) != 0)
                    fail_trying("%s: %s of sequence %lld differs", what,
                                part_names[states[k].part], (long long)pick[b]);
        }
        for (int64_t t = 0; t < problem_length(p, pick[b]); ++t) {
            const float *const y = a->part[Y], *const dx = a->part[DX];
            if (memcmp(y + problem_row(p, t, pick[b], W),
                       (float *)c->part[Y] + problem_row(q, t, b, W),
                       (size_t)W * size) != 0)
                fail_trying("%s: y of sequence %lld differs at step %lld", what,
                            (long long)pick[b], (long long)t);
            if (s.I > 0 &&
                memcmp(dx + problem_row(p, t, pick[b], s.I),
                       (float *)c->part[DX] + problem_row(q, t, b, s.I),
                       (size_t)s.I * size) != 0)
                fail_trying("%s: dx of sequence %lld differs at step %lld",
                            what, (long long)pick[b], (long long)t);
        }
    }
}

static void test_alone(void **state)
{
    (void)state;
    draw d = {.stream = 3};
    for (int i = 0; i < rounds(100); ++i) {
        const problem p = problem_draw(&d, 40, 70);
        problem_try("alone", &p);
        const answer all = problem_solve(plain, &p, single, 0);
        for (int64_t b = 0; b < p.B; ++b) {
            const int64_t n = problem_length(&p, b);
            problem q = choose(&p, &b, 1, n > 0 ? n : 1);
            q.batch_first = (int)(b % 2);
            q.lengths = n > 0 && b % 3 ? NULL : q.lengths;
            const answer one = problem_solve(plain, &q, single, 0);
            compare_chosen("alone", &p, &all, &q, &one, &b);
        }
        scratch_free(NULL);
    }
}

static void test_company(void **state)
{
    (void)state;
    draw d = {.stream = 4};
    for (int i = 0; i < rounds(100); ++i) {
        const problem p = problem_draw(&d, 40, 70);
        problem_try("other company", &p);
        const answer all = problem_solve(plain, &p, single, 0);
        /* Any of them, in any order, some twice, with more padding. */
        const int64_t count = 1 + draw_below(&d, 12);
        int64_t pick[12];
        for (int64_t b = 0; b < count; ++b)
            pick[b] = draw_below(&d, p.B);
        const problem q = choose(&p, pick, count, p.T + draw_below(&d, 9));
        const answer some = problem_solve(plain, &q, single, 0);
        compare_chosen("other company", &p, &all, &q, &some, pick);
        scratch_free(NULL);
    }
}

/* What stands past an end is neither read nor, but for zeros, left there. */
static void test_padding(void **state)
{
    (void)state;
    draw d = {.stream = 5};
    for (int i = 0; i < rounds(60); ++i) {
        problem p = problem_draw(&d, 20, 40);
        if (!p.lengths)
            continue;
        problem_try("padding", &p);
        const sizes s = problem_sizes(&p);
        const int64_t W = s.S * s.P;
        const answer clean = problem_solve(plain, &p, single, 0);
        for (int64_t b = 0; b < p.B; ++b)
            for (int64_t t = p.lengths[b]; t < p.T; ++t) {
                double *const x = p.x + problem_row(&p, t, b, s.I);
                for (int64_t j = 0; j < s.I; ++j) {
                    const float *const dx = clean.part[DX];
                    assert_true(dx[problem_row(&p, t, b, s.I) + j] == 0);
                    x[j] = j % 2 ? NAN : INFINITY;
                }
                for (int64_t j = 0; j < W; ++j) {
                    const float *const y = clean.part[Y];
                    assert_true(y[problem_row(&p, t, b, W) + j] == 0);
                    if (p.dy)
                        p.dy[problem_row(&p, t, b, W) + j] = NAN;
                }
            }
        answer dirty = answer_room(&p, single);
        memset(dirty.part[Y], 0xff, (size_t)dirty.count[Y] * 4);
        memset(dirty.part[DX], 0xff, (size_t)dirty.count[DX] * 4);
        elman_rnn *rnn = problem_rnn(plain, &p, single);
        elman_tape *tape = problem_tape(rnn, &p, 0);
        problem_run(&p, rnn, tape, 0, &dirty);
        answers_same("junk in the padding", &clean, &dirty, Y, GRAD);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* The other layout, lengths that are all T, an inference tape, a tape that is
 * too large, has been used before, and goes back twice. */
static void test_ways(void **state)
{
    (void)state;
    draw d = {.stream = 6};
    for (int i = 0; i < rounds(80); ++i) {
        const problem p = problem_draw(&d, 40, 70);
        problem_try("ways", &p);
        const sizes s = problem_sizes(&p);
        const answer first = problem_solve(plain, &p, single, 0);
        const answer inference = problem_solve(plain, &p, single, 1);
        answers_same("an inference tape", &first, &inference, Y, CT);

        problem turned = p;
        turned.batch_first = !p.batch_first;
        turned.x = scratch_doubles(first.count[DX]);
        turned.dy = p.dy ? scratch_doubles(first.count[Y]) : NULL;
        for (int64_t t = 0; t < p.T; ++t)
            for (int64_t b = 0; b < p.B; ++b) {
                memcpy(turned.x + problem_row(&turned, t, b, s.I),
                       p.x + problem_row(&p, t, b, s.I),
                       (size_t)s.I * sizeof(double));
                if (p.dy)
                    memcpy(turned.dy + problem_row(&turned, t, b, s.S * s.P),
                           p.dy + problem_row(&p, t, b, s.S * s.P),
                           (size_t)(s.S * s.P) * sizeof(double));
            }
        const answer other = problem_solve(plain, &turned, single, 0);
        answers_same("the other layout", &first, &other, HT, CT);
        answers_same("the other layout", &first, &other, DH0, GRAD);

        problem large = p;
        large.T += 7;
        large.B += 3;
        elman_rnn *rnn = problem_rnn(plain, &p, single);
        elman_tape *tape = problem_tape(rnn, &large, 0);
        answer again = answer_room(&p, single);
        problem_run(&p, rnn, tape, 0, &again);
        answers_same("a large tape", &first, &again, Y, GRAD);
        memset(again.part[GRAD], 0, (size_t)again.count[GRAD] * 4);
        problem_run(&p, rnn, tape, 0, &again);
        answers_same("a used tape", &first, &again, Y, GRAD);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

static void test_lengths_all_T(void **state)
{
    (void)state;
    draw d = {.stream = 7};
    for (int i = 0; i < rounds(40); ++i) {
        problem p = problem_draw(&d, 30, 50);
        p.lengths = NULL;
        problem_try("lengths all T", &p);
        const answer without = problem_solve(plain, &p, single, 0);
        p.lengths = scratch(p.B, sizeof *p.lengths);
        for (int64_t b = 0; b < p.B; ++b)
            p.lengths[b] = p.T;
        const answer with = problem_solve(plain, &p, single, 0);
        answers_same("lengths all T", &without, &with, Y, GRAD);
        scratch_free(NULL);
    }
}

/* ---- Pieces ---------------------------------------------------------------*/

static void step_through(const problem *p, elman_rnn *rnn, draw *d, answer *a)
{
    const sizes s = problem_sizes(p);
    const float *const x = scratch_as(single, p->x, a->count[DX]);
    elman_state *now, *kept;
    must(elman_state_create(rnn, p->B, &now));
    must(elman_state_create(rnn, p->B, &kept));
    if (p->h0)
        elman_state_write(now, scratch_as(single, p->h0, a->count[HT]));
    if (p->c0)
        elman_state_write_c(now, scratch_as(single, p->c0, a->count[CT]));
    for (int64_t t = 0, some; t < p->T; t += some) {
        some = 1 + draw_below(d, p->T - t);
        /* Through another state, and through what can be saved. */
        must(elman_state_copy(kept, now));
        elman_state_zero(now);
        void *const h = scratch(a->count[HT], sizeof(float));
        void *const c = scratch(a->count[CT], sizeof(float));
        elman_state_read(kept, h);
        elman_state_read_c(kept, c);
        elman_state_write(now, h);
        elman_state_write_c(now, c);
        const float *const from = s.I > 0 ? x + t * p->B * s.I : NULL;
        float *const y = (float *)a->part[Y] + t * p->B * s.P;
        if (some == 1)
            must(elman_rnn_step(rnn, now, from, y));
        else
            must(elman_rnn_steps(rnn, now, some, from, y));
    }
    elman_state_read(now, a->part[HT]);
    if (a->part[CT])
        elman_state_read_c(now, a->part[CT]);
    elman_state_destroy(&now);
    elman_state_destroy(&kept);
}

static void test_pieces(void **state)
{
    (void)state;
    draw d = {.stream = 8};
    for (int i = 0; i < rounds(100); ++i) {
        problem p = problem_draw(&d, 50, 80);
        if (p.desc.bidirectional)
            continue;
        p.lengths = NULL;
        p.batch_first = 0;
        problem_try("pieces", &p);
        const sizes s = problem_sizes(&p);
        const answer whole = problem_solve(plain, &p, single, 0);
        elman_rnn *rnn = problem_rnn(plain, &p, single);
        answer steps = answer_room(&p, single);
        step_through(&p, rnn, &d, &steps);
        answers_same("in steps", &whole, &steps, Y, CT);

        /* Two runs, the second from where the first one ended. */
        const int64_t cut = draw_below(&d, p.T + 1);
        answer a = answer_room(&p, single);
        elman_tape *tape = problem_tape(rnn, &p, (int)draw_below(&d, 2));
        elman_sequences q = ELMAN_SEQUENCES;
        const float *const x = scratch_as(single, p.x, a.count[DX]);
        q.batch = p.B;
        q.h0 = scratch_as(single, p.h0, a.count[HT]);
        q.c0 = scratch_as(single, p.c0, a.count[CT]);
        q.hT = a.part[HT];
        q.cT = a.part[CT];
        for (int k = 0; k < 2; ++k) {
            const int64_t from = k ? cut : 0;
            q.steps = k ? p.T - cut : cut;
            if (q.steps == 0)
                continue;
            q.x = s.I > 0 ? x + from * p.B * s.I : NULL;
            q.y = (float *)a.part[Y] + from * p.B * s.P;
            must(elman_rnn_run(rnn, tape, &q));
            q.h0 = q.hT;
            q.c0 = q.cT;
        }
        answers_same("two runs", &whole, &a, Y, CT);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        scratch_free(NULL);
    }
}

/* ---- Single cells ---------------------------------------------------------*/

/* A loop of one's own, there and back, is the layer. */
static void test_cells(void **state)
{
    (void)state;
    draw d = {.stream = 9};
    for (int i = 0; i < 40; ++i) {
        problem p = problem_draw(&d, 8, 40);
        p.desc.layers = 1;
        p.desc.bidirectional = 0;
        p.lengths = NULL;
        p.batch_first = 0;
        problem_fill(&p, &d);
        problem_try("cells", &p);
        const sizes s = problem_sizes(&p);
        const answer whole = problem_solve(plain, &p, ELMAN_F64, 0);
        const int64_t hs = p.B * s.P, xs = p.B * s.I;
        const bool lstm = p.desc.cell == ELMAN_CELL_LSTM;
        p.desc.single = 1;
        elman_rnn *cell = problem_rnn(plain, &p, ELMAN_F64);
        elman_view view;
        must(elman_rnn_find(cell, "weight_hh", &view));
        problem one = p;
        one.T = 1;
        elman_tape *tapes[8];
        answer a = answer_room(&p, ELMAN_F64);
        double *const h = a.part[HT], *const c = a.part[CT];
        double *const dh = a.part[DH0], *const dc = a.part[DC0];
        memcpy(h, p.h0, (size_t)hs * sizeof *h);
        if (lstm)
            memcpy(c, p.c0, (size_t)a.count[CT] * sizeof *c);
        for (int64_t t = 0; t < p.T; ++t) {
            tapes[t] = problem_tape(cell, &one, 0);
            must(elman_cell_forward(cell, tapes[t], p.B,
                                    s.I ? p.x + t * xs : NULL, h, c, h, c));
            memcpy((double *)a.part[Y] + t * hs, h, (size_t)hs * sizeof *h);
        }
        memcpy(dh, p.dhT, (size_t)hs * sizeof *dh);
        if (lstm)
            memcpy(dc, p.dcT, (size_t)a.count[CT] * sizeof *dc);
        for (int64_t t = p.T - 1; t >= 0; --t) {
            for (int64_t j = 0; j < hs; ++j)
                dh[j] += p.dy[t * hs + j];
            must(elman_cell_backward(cell, tapes[t], dh, dc,
                                     (double *)a.part[DX] + t * xs, dh, dc,
                                     a.part[GRAD]));
            elman_tape_destroy(&tapes[t]);
        }
        for (int part = Y; part < PARTS; ++part)
            if (a.part[part])
                expect_close(part_names[part], ELMAN_F64, a.part[part],
                             whole.part[part], a.count[part], 1e-12);
        elman_rnn_destroy(&cell);
        scratch_free(NULL);
    }
}

/* ---- Dropout --------------------------------------------------------------*/

static problem dropping(draw *d, double p, int locked)
{
    problem q = {.desc = ELMAN_RNN_DESC, .T = 40, .B = 6, .train = 1};
    q.desc.input = 5;
    q.desc.hidden = 30;
    q.desc.layers = 2;
    q.desc.dropout = p;
    q.desc.locked = locked;
    problem_fill(&q, d);
    /* The second layer gives what the first one does, but for dropout. */
    const int64_t H = 30, first = H * (5 + H + 2);
    memset(q.w + first, 0, (size_t)(2 * H * H + 2 * H) * sizeof *q.w);
    for (int64_t i = 0; i < H; ++i)
        q.w[first + i * H + i] = 1;
    memset(q.w + 5 * H, 0, (size_t)(H * H) * sizeof *q.w); /* no memory */
    q.desc.activation = ELMAN_RELU;
    for (int64_t i = 0; i < H; ++i)
        q.w[H * (5 + H) + i] = 9; /* far from 0 */
    q.h0 = NULL;
    return q;
}

static void test_dropout(void **state)
{
    (void)state;
    draw d = {.stream = 10};
    for (int locked = 0; locked < 2; ++locked) {
        problem p = dropping(&d, 0.25, locked);
        trying("dropout, locked %d", locked);
        const answer a = problem_solve(plain, &p, ELMAN_F64, 0);
        p.train = 0;
        const answer full = problem_solve(plain, &p, ELMAN_F64, 0);
        p.train = 1;
        const double *const y = a.part[Y], *const whole = full.part[Y];
        int64_t dropped = 0;
        for (int64_t i = 0; i < a.count[Y]; ++i) {
            if (whole[i] == 0)
                fail_trying("the test's network is silent");
            if (y[i] != 0 && fabs(y[i] / whole[i] - 1 / 0.75) > 1e-12)
                fail_trying("element %lld is not scaled", (long long)i);
            dropped += y[i] == 0;
            const int64_t row = p.B * 30;
            if (locked && i >= row && (y[i] == 0) != (y[i - row] == 0))
                fail_trying("the mask changes at %lld", (long long)i);
        }
        const double rate = (double)dropped / (double)a.count[Y];
        if (fabs(rate - 0.25) > (locked ? 0.1 : 0.02))
            fail_trying("%g of the elements are dropped", rate);
        const answer again = problem_solve(plain, &p, ELMAN_F64, 0);
        answers_same("the same draw", &a, &again, Y, GRAD);
        /* Alone, the first sequence has the mask that it had among others. */
        const int64_t pick = 0;
        problem one = choose(&p, &pick, 1, p.T);
        one.lengths = NULL;
        const answer alone = problem_solve(plain, &one, ELMAN_F64, 0);
        for (int64_t t = 0; t < p.T; ++t)
            expect_same("alone", ELMAN_F64, (double *)alone.part[Y] + t * 30,
                        y + t * p.B * 30, 30);
        p.draw = 1;
        const answer next = problem_solve(plain, &p, ELMAN_F64, 0);
        if (memcmp(next.part[Y], y, (size_t)a.count[Y] * sizeof *y) == 0)
            fail_trying("another draw has the same masks");
        scratch_free(NULL);
    }
}

/* ---- Memory, and mistakes -------------------------------------------------*/

static void test_no_allocation(void **state)
{
    (void)state;
    draw d = {.stream = 11};
    for (int i = 0; i < rounds(20); ++i) {
        problem p = problem_draw(&d, 20, 40);
        problem_try("allocations", &p);
        counting c = {0};
        elman_context *context = counting_context(&c);
        elman_rnn *rnn = problem_rnn(context, &p, single);
        elman_tape *tape = problem_tape(rnn, &p, 0);
        elman_state *s = NULL;
        if (!p.desc.bidirectional)
            must(elman_state_create(rnn, p.B, &s));
        answer a = answer_room(&p, single);
        const long long before = atomic_load(&c.asked);
        problem_run(&p, rnn, tape, 0, &a);
        if (s)
            must(elman_rnn_step(rnn, s, p.desc.input ? p.x : NULL, a.part[Y]));
        if (atomic_load(&c.asked) != before)
            fail_trying("running allocates");
        elman_state_destroy(&s);
        elman_tape_destroy(&tape);
        elman_rnn_destroy(&rnn);
        elman_context_destroy(&context);
        if (atomic_load(&c.live) != 0)
            fail_trying("%lld blocks are left",
                        (long long)atomic_load(&c.live));
        scratch_free(NULL);
    }
}

static void refuse(elman_rnn_desc desc, const char *words)
{
    elman_rnn *rnn;
    must_fail(elman_rnn_create(plain, &desc, &rnn), ELMAN_EINVAL, words);
}

static void test_mistakes(void **state)
{
    (void)state;
    trying("mistakes");
    elman_rnn_desc d = ELMAN_RNN_DESC;
    d.input = 2;
    d.hidden = 3;
    d.proj = 1;
    refuse(d, "proj");
    d.cell = ELMAN_CELL_LSTM;
    d.proj = 3;
    refuse(d, "proj");
    d.proj = -1;
    refuse(d, "proj");
    d.proj = 0;
    d.activation = ELMAN_RELU;
    refuse(d, "activation");
    d.activation = ELMAN_TANH;
    d.reset_before = 1;
    refuse(d, "reset_before");
    d.reset_before = 0;
    d.single = d.bidirectional = 1;
    refuse(d, "single");
    d.single = d.bidirectional = 0;
    d.dropout = 1;
    refuse(d, "dropout");
    d.dropout = 0;
    d.weight_drop = -0.5;
    refuse(d, "weight_drop");
    d.weight_drop = 0;
    d.cell = ELMAN_CELL_NONE;
    refuse(d, "cell");

    problem p = {.desc = ELMAN_RNN_DESC, .T = 3, .B = 2};
    p.desc.input = 2;
    p.desc.hidden = 3;
    p.desc.layers = 1;
    p.desc.cell = ELMAN_CELL_GRU;
    p.desc.bidirectional = 1;
    draw stream = {.stream = 12};
    problem_fill(&p, &stream);
    elman_rnn *rnn = problem_rnn(plain, &p, ELMAN_F32);
    elman_tape *tape = problem_tape(rnn, &p, 1);
    elman_state *s;
    must_fail(elman_state_create(rnn, 1, &s), ELMAN_EINVAL, "two directions");
    float x[12] = {0}, y[36], c[12];
    int64_t lengths[2] = {3, 4};
    elman_sequences q = ELMAN_SEQUENCES;
    q.steps = 3;
    q.batch = 2;
    q.x = x;
    q.y = y;
    q.lengths = lengths;
    must_fail(elman_rnn_run(rnn, tape, &q), ELMAN_EINVAL, "lengths[1] is 4");
    lengths[1] = -1;
    must_fail(elman_rnn_run(rnn, tape, &q), ELMAN_EINVAL, "lengths[1] is -1");
    lengths[1] = 0;
    must(elman_rnn_run(rnn, tape, &q));
    q.cT = c;
    must_fail(elman_rnn_run(rnn, tape, &q), ELMAN_EINVAL, "cell state");
    q.cT = NULL;
    q.train = 1;
    must_fail(elman_rnn_run(rnn, tape, &q), ELMAN_EINVAL, "train");
    q.train = 0;
    q.x = NULL;
    must_fail(elman_rnn_run(rnn, tape, &q), ELMAN_EINVAL, "x is NULL");
    elman_gradients g = ELMAN_GRADIENTS;
    must_fail(elman_rnn_run_back(rnn, tape, &g), ELMAN_EINVAL, "inference");
    must_fail(elman_cell_forward(rnn, tape, 1, x, NULL, NULL, y, NULL),
              ELMAN_EINVAL, "single");
    elman_tape_destroy(&tape);
    tape = problem_tape(rnn, &p, 0);
    must_fail(elman_rnn_run_back(rnn, tape, &g), ELMAN_EINVAL, "no forward");
    q.x = x;
    must(elman_rnn_run(rnn, tape, &q));
    g.dcT = c;
    must_fail(elman_rnn_run_back(rnn, tape, &g), ELMAN_EINVAL, "cell state");
    elman_tape_destroy(&tape);
    elman_rnn_destroy(&rnn);
    scratch_free(NULL);
}

#define BOTH(name)                                                             \
    cmocka_unit_test_teardown(name, scratch_free),                             \
    {                                                                          \
#name ", bf16", name, with_bf16, with_f32, NULL                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_textbook, scratch_free),
        cmocka_unit_test_teardown(test_bf16_errors, scratch_free),
        BOTH(test_variants),
        BOTH(test_alone),
        BOTH(test_company),
        BOTH(test_padding),
        BOTH(test_ways),
        BOTH(test_lengths_all_T),
        BOTH(test_pieces),
        cmocka_unit_test_teardown(test_cells, scratch_free),
        cmocka_unit_test_teardown(test_dropout, scratch_free),
        BOTH(test_no_allocation),
        cmocka_unit_test_teardown(test_mistakes, scratch_free),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
