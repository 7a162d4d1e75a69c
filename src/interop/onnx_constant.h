/* SPDX-License-Identifier: MIT */
/* onnx_constant.h - the constants of an ONNX graph.
 *
 * A constant is a view with strides of somebody's numbers, so that transposing,
 * slicing and so on move nothing, and a matrix that is used twice is known
 * again. */
#ifndef EL_ONNX_CONSTANT_H
#define EL_ONNX_CONSTANT_H

#include "onnx_proto.h"

enum { EL_ONNX_RANK = 8 };

typedef struct el_onnx_constant {
    int type; /* EL_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DOUBLE, INT64 or
               * INT32; BOOL as INT32 */
    int rank;
    int64_t shape[EL_ONNX_RANK], stride[EL_ONNX_RANK]; /* in elements */
    int64_t count;
    const void *data; /* of element 0, 0, ... */
} el_onnx_constant;

/* Blocks that constants were put together in, and how much more they may be. */
typedef struct el_onnx_blocks {
    const elman_context *context;
    struct el_onnx_block *first;
    size_t left;
} el_onnx_blocks;
void el_onnx_blocks_free(el_onnx_blocks *blocks);
/* size bytes that live as long; NULL with a sentence kept, whose status is
 * *status. */
void *el_onnx_blocks_take(el_onnx_blocks *blocks, size_t size,
                          elman_status *status);

bool el_onnx_is_real(const el_onnx_constant *t);
bool el_onnx_is_integer(const el_onnx_constant *t);
const char *el_onnx_type_name(int type);

/* What numbers of a type are here: floats, of FLOAT16 and BFLOAT16; else what
 * they are. */
int el_onnx_type_here(int type);
/* What a TensorProto is; numbers are its own, or of types that are not what
 * they are here, in the blocks.  ELMAN_EFORMAT, without its name: its sizes do
 * not fit its numbers, they are of another type, or lie in another file. */
elman_status el_onnx_constant_of(el_onnx_blocks *blocks,
                                 const ElOnnx__TensorProto *proto,
                                 el_onnx_constant *out);
/* A vector of numbers that are somebody's, or with count -1 one number. */
el_onnx_constant el_onnx_vector(int type, const void *data, int64_t count);

/* False where perm is none, or the slice is not in it; negative numbers have
 * been put right. */
bool el_onnx_transposed(const el_onnx_constant *t, const int64_t *perm,
                        el_onnx_constant *out);
el_onnx_constant el_onnx_sliced(const el_onnx_constant *t, int axis,
                                int64_t from, int64_t count);
/* Without a dimension of 1, with one more. */
el_onnx_constant el_onnx_squeezed(const el_onnx_constant *t, int axis);
el_onnx_constant el_onnx_unsqueezed(const el_onnx_constant *t, int axis);
/* Row index of the first dimension. */
el_onnx_constant el_onnx_row(const el_onnx_constant *t, int64_t index);

/* Row-major, numbers copied where they do not lie so. */
elman_status el_onnx_reshaped(el_onnx_blocks *blocks, const el_onnx_constant *t,
                              const int64_t *shape, int rank,
                              el_onnx_constant *out);
/* Those of one type and of shapes that differ in axis alone, one after
 * another. */
elman_status el_onnx_joined(el_onnx_blocks *blocks,
                            const el_onnx_constant *const *list, int count,
                            int axis, el_onnx_constant *out);

/* All elements, row-major. */
void el_onnx_copy(const el_onnx_constant *t, void *to);
/* Element number i, row-major, of an integer or real one. */
int64_t el_onnx_integer(const el_onnx_constant *t, int64_t i);
double el_onnx_real(const el_onnx_constant *t, int64_t i);
/* Whether all numbers are 0. */
bool el_onnx_is_zero(const el_onnx_constant *t);

#endif
