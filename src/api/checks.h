/* SPDX-License-Identifier: MIT */
/* checks.h - checks of descriptors that stand inside others, and of what
 * several functions are given alike. */
#ifndef EL_CHECKS_H
#define EL_CHECKS_H

#include <elman.h>
#include <stdbool.h>

/* Sizes are smaller. */
#define EL_MOST_SIZE ((int64_t)1 << 31)

elman_status el_check_optimizer(const elman_optimizer_desc *d);
/* These set what is 0 and means something else. */
elman_status el_check_lm_desc(elman_lm_desc *d);
/* Whether its weights, a language model's too, are there as they are, and not
 * only rounded. */
elman_status el_check_exact(const elman_network *network);
/* What a file is to be loaded as. */
elman_status el_check_loaded(elman_dtype dtype);
/* Whether such a model trains. */
elman_status el_check_trains(const elman_lm_desc *d);
/* Tokens of such a model: 0 ... V-1, or also ELMAN_IGNORE. */
elman_status el_check_ids(const elman_lm *lm, const int32_t *ids, int64_t count,
                          bool may_ignore);
/* Whether so many tokens of this text are there to be predicted. */
elman_status el_check_scored(const elman_lm *lm, const elman_text *text,
                             int64_t first, int64_t count);
elman_status el_check_rnn_desc(elman_rnn_desc *d);
/* What layers of any cell, none included, have alike: not cell, input and
 * single. */
elman_status el_check_layers(elman_rnn_desc *d);

/* Sizes, lengths, c0, cT and y of a run on a tape of these sizes. */
elman_status el_check_sequences(const elman_sequences *q, elman_cell cell,
                                int64_t most_steps, int64_t most_batch);

/* Takes and checks what a tape is to hold. */
struct el_tape_size;
elman_status el_take_tape_size(struct el_tape_size *out,
                               const elman_tape_desc *desc);
/* Adds up the total and gives it; ELMAN_ENOMEM where a part is negative, which
 * is one that overflows. */
elman_status el_give_memory(elman_memory *out, elman_memory *memory);

#endif
