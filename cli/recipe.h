/* SPDX-License-Identifier: MIT */
/* recipe.h - what `elman train` is asked to do: its options, their defaults,
 * and how they agree with a checkpoint. */
#ifndef RECIPE_H
#define RECIPE_H

#include "options.h"

#include <elman.h>

/* Choices are ints, in the order of the library's enumerations. */
typedef struct recipe {
    const char *output, *valid, *log, *checkpoint, *resume, *from, *isa;
    int level, normalize;
    int64_t min_count, vocab_size, max_tokens;
    int cell, activation, reset, dtype, tie, locked;
    int64_t hidden, layers, proj, embed, context;
    double dropout, weight_drop;
    int64_t batch, shards, steps, epochs, updates, seed;
    int sampling, loss, truncation;
    int64_t back;
    double cut;
    int optimizer, schedule;
    double lr, momentum, weight_decay, clip;
    double gamma, floor;
    int64_t every, warmup, patience;
    double valid_fraction;
    int64_t stop_after;
    double average;
    int on_nonfinite;
    int64_t checkpoint_every, threads, memory;
    int quiet, json;
} recipe;

extern const grammar recipe_grammar;

/* Fills in the defaults that depend on other options, and checks that the
 * options belong together; for a run that goes on from a checkpoint,
 * recipe_recall does it, and from a model recipe_adopt.
 * DONE, or the exit status with the sentence written; likewise below. */
int recipe_complete(recipe *r, const arguments *given);
/* The same but for the defaults of the network; and the checks alone. */
int recipe_settle(recipe *r, const arguments *given);
int recipe_check(const recipe *r, const arguments *given);
/* For a run that goes on: options that were not given take the checkpoint's
 * values, the others must agree with it.  file is the checkpoint's name. */
int recipe_recall(recipe *r, const arguments *given, const char *file,
                  const elman_train_desc *desc, const elman_vocab *vocab);
/* For a run that begins with a model's weights: the network and the vocabulary
 * are the model's, and so is the dtype where none was given.  file is the
 * model's name. */
int recipe_adopt(recipe *r, const arguments *given, const char *file,
                 const elman_lm *lm);
void recipe_describe(const recipe *r, elman_train_desc *out);

#endif
