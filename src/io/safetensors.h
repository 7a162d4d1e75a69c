/* SPDX-License-Identifier: MIT */
/* safetensors.h - elman_tensors_* below the argument checks; see elman.h.
 *
 * What is written carries metadata "checksum": 16 hexadecimal digits in lower
 * case, the CRC-64/XZ of the whole file with each of them taken as the digit
 * '0'.  Where it is there it must match; files of others have none. */
#ifndef EL_SAFETENSORS_H
#define EL_SAFETENSORS_H

#include "../base/context.h"

elman_status el_tensors_read(const elman_context *context, const char *path,
                             elman_tensors **out);
/* The same, but data stay in the file, which is kept open: tensors have data
 * NULL, and el_tensors_pull reads parts of them.  The checksum has been read
 * and found right. */
elman_status el_tensors_open(const elman_context *context, const char *path,
                             elman_tensors **out);
/* Elements [first, first + count) of one of its tensors. */
elman_status el_tensors_pull(const elman_tensors *tensors,
                             const elman_tensor *tensor, int64_t first,
                             int64_t count, void *to);
/* After the last of them, ELMAN_EIO: the file has changed since it was opened,
 * and is not what the checksum was of. */
elman_status el_tensors_same(const elman_tensors *tensors);
/* From memory (fuzzing, tests); name stands in messages.  Takes the bytes
 * over: they are freed with the tensors, or at once on failure.  They were
 * allocated by el_alloc. */
elman_status el_tensors_parse(const elman_context *context, const char *name,
                              void *bytes, size_t size, elman_tensors **out);
/* Of tensors that were not in such a file, in the order given: names and pairs
 * are copied, and data lie in block, which is taken over as bytes are.
 * ELMAN_EFORMAT: a name or key is there twice. */
elman_status el_tensors_make(const elman_context *context,
                             const elman_tensor *list, int count,
                             const char *const *keys_values, int pairs,
                             void *block, elman_tensors **out);
void el_tensors_free(elman_tensors *tensors);

/* Tensors are in order of their data. */
int el_tensors_count(const elman_tensors *tensors);
const elman_tensor *el_tensors_at(const elman_tensors *tensors, int index);
/* NULL if there is none. */
const elman_tensor *el_tensors_find(const elman_tensors *tensors,
                                    const char *name);
const char *el_tensors_meta(const elman_tensors *tensors, const char *key);

/* keep: as el_file_replace.  ELMAN_EINVAL: a name or key twice (the key
 * "checksum" is taken), or more than the format can hold.  All else about the
 * tensors is asserted. */
elman_status el_tensors_write(const elman_context *context, const char *path,
                              const elman_tensor *tensors, int count,
                              const char *const *keys_values, int pairs,
                              int keep);

#endif
