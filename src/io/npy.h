/* SPDX-License-Identifier: MIT */
/* npy.h - one array in NumPy's .npy format, versions 1 to 3: a magic word, the
 * length of a header, the header, which is a Python dictionary such as
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * and the numbers.  Read are '<f4', '<f8', '<i4', '<i8' and '|u1', row-major
 * or column-major; written is version 1, row-major. */
#ifndef EL_NPY_H
#define EL_NPY_H

#include "../base/context.h"

/* One tensor, called "array", row-major. */
elman_status el_npy_read(const elman_context *context, const char *path,
                         elman_tensors **out);
/* From memory; as el_tensors_parse. */
elman_status el_npy_parse(const elman_context *context, const char *name,
                          void *bytes, size_t size, elman_tensors **out);
/* Whole or not at all; what the tensor is called does not matter. */
elman_status el_npy_write(const elman_context *context, const char *path,
                          const elman_tensor *tensor);

#endif
