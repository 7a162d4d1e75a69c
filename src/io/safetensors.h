/* SPDX-License-Identifier: MIT */
/* safetensors.h - elman_tensors_* below the argument checks; see elman.h.
 *
 * What is written carries metadata "checksum": 16 hexadecimal digits, the
 * CRC-64/XZ of the whole file with these digits taken as zeros.  Where it is
 * there it must match; files of others have none. */
#ifndef EL_SAFETENSORS_H
#define EL_SAFETENSORS_H

#include "../base/context.h"

elman_status el_tensors_read(const elman_context *context, const char *path,
                             elman_tensors **out);
/* From memory (fuzzing, tests); name stands in messages.  Takes the bytes
 * over: they are freed with the tensors, or at once on failure.  They were
 * allocated by el_alloc. */
elman_status el_tensors_parse(const elman_context *context, const char *name,
                              void *bytes, size_t size, elman_tensors **out);
void el_tensors_free(elman_tensors *tensors);
/* keep: as el_file_replace. */
elman_status el_tensors_write(const elman_context *context, const char *path,
                              const elman_tensor *tensors, int count,
                              const char *const *keys_values, int pairs,
                              int keep);

#endif
