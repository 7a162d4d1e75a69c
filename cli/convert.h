/* SPDX-License-Identifier: MIT */
/* convert.h - `elman convert`: what its readers and writers share.
 *
 * A reader makes either a language model or a network of the file in; a writer
 * gets that.  convert.c has the table of both; a format is a row there. */
#ifndef CONVERT_H
#define CONVERT_H

#include "cli.h"

typedef struct convert_options {
    const char *rnn, *embedding, *decoder; /* names in the file; NULL: found */
    const char *vocab;                     /* a file; NULL: none */
    const char *name, *measure;            /* of C source; NULL: none */
    const char *isa;
    int cell, activation, reset, level, normalize, dtype, weights, decode;
    /* 1: it was on the line */
    int has_cell, has_activation, has_dtype, has_weights;
    int64_t threads;
    int allow_unused, allow_missing, quiet;
    int lengths; /* of ONNX: an input for them */
} convert_options;

typedef struct conversion {
    convert_options options;
    elman_context *context;
    const char *from, *to; /* paths; from is what is opened, "-" no more */
    /* One of the two, once the file was read. */
    elman_lm *lm;
    elman_network *network;
} conversion;

/* Tensors by name become the network, or with --vocab the language model:
 * DONE, or FAILED with the sentence written. */
int map_tensors(conversion *c, const elman_tensors *file);
/* What the model computes in. */
elman_dtype model_dtype(const conversion *c);
/* Makes it what --dtype says; likewise. */
int convert_dtype(conversion *c);
/* Writes OUT.c and OUT.h, or OUT.safetensors; likewise. */
int write_c(conversion *c);
int write_safetensors(conversion *c);
/* Whether the options for weights of fewer bits fit where OUT is C source, or a
 * model file, or neither: DONE, or MISUSED with the sentence written. */
int check_weights(const convert_options *options, int is_c, int is_model);

/* The model of c with fewer bits: one of the two. */
typedef struct rounded {
    const conversion *c;
    elman_lm *lm;
    elman_network *network;
    char said[512]; /* what that costs; "" if it was not measured */
} rounded;
/* Measures it on the data of --measure; likewise. */
int measure_rounded(rounded *r);

/* Makes the language model of the network and of --vocab; likewise. */
int make_lm_of_network(conversion *c);
/* ONNX; likewise, and whether the options fit where IN and OUT are that, or are
 * not. */
int read_onnx(conversion *c);
int write_onnx(conversion *c);
int check_onnx(const convert_options *options, int from_onnx, int to_onnx);

#endif
