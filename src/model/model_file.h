/* SPDX-License-Identifier: MIT */
/* model_file.h - what the files of language models and of networks have in
 * common: tensors that bear the names of the views, and metadata that say what
 * they make.  docs/model-file.md is the format. */
#ifndef EL_MODEL_FILE_H
#define EL_MODEL_FILE_H

#include "network.h"

/* The metadata but for texts; choices are places in their lists of words. */
typedef struct el_model_meta {
    elman_kind kind; /* ELMAN_KIND_LM or ELMAN_KIND_NETWORK */
    elman_dtype dtype;
    int64_t cell, activation;
    int64_t hidden, layers, embed, proj;
    int64_t reset_before, tie;
    int64_t products; /* 1: of bfloat16 */
    /* Of a language model, */
    int64_t context, level, normalize;
    /* and of a network. */
    int64_t input, vocab, outputs;
    int64_t bidirectional, bias, decoder_bias, decode;
} el_model_meta;

/* What the metadata say that it is. */
elman_kind el_model_kind(const elman_tensors *file);

/* Reads it, and checks what goes together; path stands in messages. */
elman_status el_model_read_meta(const elman_tensors *file, const char *path,
                                el_model_meta *meta);
/* Sizes in the metadata must not make us allocate what the file cannot fill:
 * ELMAN_EFORMAT where they ask for more parameters than there are.  vocab and
 * outputs are set. */
elman_status el_model_check_size(const elman_tensors *file, const char *path,
                                 const el_model_meta *meta);
/* Takes every view's tensor from a file that is of dtype `own`, whatever the
 * network computes in, and packs them.  ELMAN_EFORMAT, naming it: one is
 * missing, has another shape or dtype, or belongs to no view and does not begin
 * with others (NULL: none may). */
elman_status el_model_take_weights(elman_network *network,
                                   const elman_tensors *file, const char *path,
                                   elman_dtype own, const char *others);

/* ELMAN_EFORMAT, naming path and tensor, if it is not there. */
elman_status el_model_find_tensor(const elman_tensors *file, const char *path,
                                  const char *name, const elman_tensor **out);

/* What is to be written: weights [P] in place of the network's own unless
 * NULL, more tensors after them, and more pairs of metadata. */
typedef struct el_model_writing {
    const elman_network *network;
    const el_model_meta *meta;
    const void *weights;
    const elman_tensor *more;
    int more_count;
    const char *const *pairs;
    int pair_count;
} el_model_writing;
/* keep: as el_file_replace. */
elman_status el_model_write(const el_model_writing *w, const char *path,
                            int keep);

/* A network alone, to compute in dtype (ELMAN_DTYPE_OWN: the file's); rounded:
 * as el_network_create. */
elman_status el_network_write(const elman_network *network, const char *path);
elman_status el_network_from_tensors(const elman_context *context,
                                     const elman_tensors *file,
                                     const char *path, bool rounded,
                                     elman_dtype dtype, elman_network **out);

#endif
