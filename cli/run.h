/* SPDX-License-Identifier: MIT */
/* run.h - `elman run`: what its forms of input and output share. */
#ifndef RUN_H
#define RUN_H

#include "cli.h"

/* A model of either kind; numbers come in, or where vocab is not 0, tokens. */
typedef struct model {
    elman_context *context;
    elman_network *network;
    elman_lm *lm;
    elman_dtype dtype;           /* of its numbers */
    int64_t input, vocab, width; /* I, V, O */
    int one_way;
    int last; /* 1: a sequence gives one row, and not one a step */
} model;

/* Sequences side by side, in and out. */
typedef struct sequences {
    int64_t steps, batch;
    int rank; /* of IN: its steps, and perhaps the batch and the numbers */
    int batch_first;
    void *x;          /* of the model's dtype, */
    int32_t *ids;     /* or tokens */
    int64_t *lengths; /* NULL: all steps */
    void *y;
} sequences;

/* What an operand is by its name; "-" is CSV. */
typedef enum form { NEITHER, NPY, CSV } form;
form form_of(const char *operand);

/* A model one step at a time. */
typedef struct stepper {
    elman_network_state *network;
    elman_lm_state *lm;
} stepper;

int stepper_open(const model *m, int64_t batch, stepper *out);
void stepper_close(stepper *s);
elman_status stepper_step(const model *m, stepper *s, const void *x,
                          const int32_t *ids, void *y);

/* count times each, zeros; NULL with the sentence written. */
void *room_for(int64_t count, int64_t each, size_t size);
void put_number(const model *m, void *x, int64_t i, double value);

/* Runs q, whose y it makes; writes it to an operand of either form. */
int run_whole(const model *m, sequences *q);
int write_output(const model *m, const sequences *q, const char *operand);

/* run_csv.c: from CSV to either form, and to CSV. */
int run_csv(const model *m, const char *in, const char *out, sequences *q);
int write_csv(const model *m, const sequences *q, const char *operand);

#endif
