/* SPDX-License-Identifier: MIT */
/* torch_numbers.h - numbers as PyTorch stores them, and what they become. */
#ifndef EL_TORCH_NUMBERS_H
#define EL_TORCH_NUMBERS_H

#include "pickle.h"

enum { EL_TORCH_RANK = 8 };

typedef enum el_torch_number {
    EL_TORCH_F32,
    EL_TORCH_F64,
    EL_TORCH_F16,
    EL_TORCH_BF16,
    EL_TORCH_I64,
    EL_TORCH_I32,
    EL_TORCH_I16,
    EL_TORCH_I8,
    EL_TORCH_U8,
    EL_TORCH_NUMBERS
} el_torch_number;

/* By the class of a storage, "FloatStorage", or else by torch's name of the
 * dtype, "float32"; ELMAN_EFORMAT, which names it. */
elman_status el_torch_find(el_pickle_text name, bool storage,
                           el_torch_number *out);
/* Bytes of one in a storage, and what it becomes. */
size_t el_torch_size(el_torch_number number);
elman_dtype el_torch_dtype(el_torch_number number);

/* Where a tensor's numbers lie in a storage, in numbers. */
typedef struct el_torch_part {
    el_torch_number number;
    int rank;
    int64_t shape[EL_TORCH_RANK], stride[EL_TORCH_RANK];
    int64_t offset, count;
} el_torch_part;

/* All of them, row-major whatever the strides; they have been found to lie
 * within the storage.  big: the first byte of one is its highest. */
void el_torch_put(const el_torch_part *part, bool big, const void *storage,
                  void *out);

#endif
