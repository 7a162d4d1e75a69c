/* SPDX-License-Identifier: MIT */
/* torch_file.h - what torch.save writes, as tensors by name; see
 * elman_tensors_read_torch. */
#ifndef EL_TORCH_FILE_H
#define EL_TORCH_FILE_H

#include "../base/context.h"

elman_status el_torch_read(const elman_context *context, const char *path,
                           elman_tensors **out);
/* From memory (fuzzing, tests), which is borrowed; name stands in messages. */
elman_status el_torch_parse(const elman_context *context, const char *name,
                            const void *bytes, size_t size,
                            elman_tensors **out);

#endif
