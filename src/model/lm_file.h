/* SPDX-License-Identifier: MIT */
/* lm_file.h - a language model as a file: model_file.h, and vocabulary
 * (el_vocab_to_json) and training (JSON, may be absent) in the metadata.  A
 * checkpoint is the same file with tensors "trainer.*" added. */
#ifndef EL_LM_FILE_H
#define EL_LM_FILE_H

#include "lm.h"

/* Writes lm, with weights [P] in place of its own unless NULL, and with more
 * tensors after them.  keep: as el_file_replace. */
elman_status el_lm_write(const elman_lm *lm, const void *weights,
                         const elman_tensor *more, int more_count,
                         const char *path, int keep);
/* path stands in messages; infers: with inference_only of elman_lm_desc; dtype:
 * to compute in (ELMAN_DTYPE_OWN: the file's). */
elman_status el_lm_from_tensors(const elman_context *context,
                                const elman_tensors *file, const char *path,
                                bool infers, elman_dtype dtype, elman_lm **out);
/* Only what the metadata says. */
elman_status el_lm_read_meta(const elman_context *context,
                             const elman_tensors *file, const char *path,
                             elman_lm_desc *desc, elman_vocab **vocab);

#define EL_TRAINER_PREFIX "trainer."

#endif
