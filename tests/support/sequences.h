/* SPDX-License-Identifier: MIT */
/* sequences.h - batches of sequences of any lengths for any recurrent network:
 * a problem drawn at random, what the library makes of it, and what a textbook
 * does, in double and in plain loops, sequence by sequence. */
#ifndef TEST_SEQUENCES_H
#define TEST_SEQUENCES_H

#include "draw.h"

#include <elman.h>

typedef struct problem {
    elman_rnn_desc desc;
    int64_t T, B;
    int64_t *lengths; /* [B] or NULL */
    int batch_first;
    /* Time first or batch first, as elman_sequences; h0 ... dcT may be NULL. */
    double *w, *x, *h0, *c0, *dy, *dhT, *dcT;
    int train;
    uint64_t seed, draw;
    int64_t memory; /* the tape's budget; 0: none */
} problem;

typedef struct sizes {
    int64_t I, H, P, S, L, G;
} sizes;
sizes problem_sizes(const problem *p);

/* All results of a problem: y, hT, cT, dx, dh0, dc0, grad. */
enum { Y, HT, CT, DX, DH0, DC0, GRAD, PARTS };
extern const char *const part_names[PARTS];
typedef struct answer {
    elman_dtype dtype;
    int64_t count[PARTS];
    void *part[PARTS]; /* CT and DC0: NULL but for the LSTM */
} answer;
answer answer_room(const problem *p, elman_dtype dtype);

/* Any network, with sequences of any lengths; most_H bounds H. */
problem problem_draw(draw *d, int64_t most_T, int64_t most_H);
/* Inputs for a problem of which desc, T, B and lengths are set. */
void problem_fill(problem *p, draw *d);
/* Says what is being tried. */
void problem_try(const char *who, const problem *p);
int64_t problem_length(const problem *p, int64_t b);
/* Where row (t, b) begins in a tensor of rows of so many numbers. */
int64_t problem_row(const problem *p, int64_t t, int64_t b, int64_t width);

elman_rnn *problem_rnn(elman_context *context, const problem *p,
                       elman_dtype dtype);
elman_tape *problem_tape(const elman_rnn *rnn, const problem *p, int inference);
/* Runs forward and, unless the tape is for inference, back. */
void problem_run(const problem *p, elman_rnn *rnn, elman_tape *tape,
                 int inference, answer *a);
/* Back through the run that the tape holds. */
void problem_back(const problem *p, elman_rnn *rnn, elman_tape *tape,
                  answer *a);
/* All at once: network, tape, run. */
answer problem_solve(elman_context *context, const problem *p,
                     elman_dtype dtype, int inference);

/* What a textbook makes of it: y, hT and cT only. */
answer problem_textbook(const problem *p);

/* Same bits in these parts. */
void answers_same(const char *what, const answer *a, const answer *b, int first,
                  int last);

#endif
