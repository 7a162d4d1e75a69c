/* SPDX-License-Identifier: MIT */
/* lm_file.h - a language model as a safetensors file.
 *
 * Tensors bear the names of the views; metadata says what they make:
 *   format "elman", kind "language-model", cell, activation, hidden_size,
 *   num_layers, embedding_size, context_size, level, normalize (words and
 *   decimal numbers), vocabulary (el_vocab_to_json), training (JSON, may be
 *   absent).  A checkpoint is the same file with tensors "trainer.*" added. */
#ifndef EL_LM_FILE_H
#define EL_LM_FILE_H

#include "lm.h"

/* Writes lm, with weights [P] in place of its own unless NULL, and with more
 * tensors after them.  keep: as el_file_replace. */
elman_status el_lm_write(const elman_lm *lm, const void *weights,
                         const elman_tensor *more, int more_count,
                         const char *path, int keep);
/* path stands in messages. */
elman_status el_lm_from_tensors(const elman_context *context,
                                const elman_tensors *file, const char *path,
                                elman_lm **out);
/* Only what the metadata says. */
elman_status el_lm_read_meta(const elman_context *context,
                             const elman_tensors *file, const char *path,
                             elman_lm_desc *desc, elman_vocab **vocab);

/* ELMAN_EFORMAT, naming path and tensor, if it is not there. */
elman_status el_lm_find_tensor(const elman_tensors *file, const char *path,
                               const char *name, const elman_tensor **out);

#define EL_TRAINER_PREFIX "trainer."

#endif
