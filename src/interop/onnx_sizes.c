/* SPDX-License-Identifier: MIT */
/* onnx_sizes.c - operators of ONNX that compute sizes from sizes, as PyTorch
 * writes chunk, and view(B * T, H).
 *
 * What comes of a size that is free is known no more, but for the product of
 * two of them. */
#include "onnx_walk.h"

static el_onnx_size known(int64_t value)
{
    return (el_onnx_size){value, EL_ONNX_NO_AXIS, false, 0};
}

static bool is_free(el_onnx_size a)
{
    return !a.unknown && a.id >= 0 && a.by == 0;
}

static bool is_number(el_onnx_size a, int64_t value)
{
    return el_onnx_size_is_known(a) && a.value == value;
}

static bool compute(char op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case 'A':
        return !__builtin_add_overflow(a, b, out);
    case 'S':
        return !__builtin_sub_overflow(a, b, out);
    case 'M':
        return !__builtin_mul_overflow(a, b, out);
    default:
        *out = b > 0 ? a / b : 0;
        return a >= 0 && b > 0;
    }
}

/* op: the first letter of Add, Sub, Mul or Div. */
static el_onnx_size combine(char op, el_onnx_size a, el_onnx_size b)
{
    const el_onnx_size lost = {1, EL_ONNX_NO_AXIS, true, 0};
    const int64_t nothing = op == 'A' || op == 'S' ? 0 : 1;
    int64_t value;
    if (el_onnx_size_is_known(a) && el_onnx_size_is_known(b))
        return compute(op, a.value, b.value, &value) ? known(value) : lost;
    if (is_number(b, nothing))
        return a;
    if (is_number(a, nothing) && (op == 'A' || op == 'M'))
        return b;
    if (op == 'M' && is_free(a) && is_free(b))
        return (el_onnx_size){1, a.id, false, b.id + 1};
    return lost;
}

elman_status el_onnx_do_arithmetic(el_onnx_walk *w,
                                   const ElOnnx__NodeProto *node)
{
    el_onnx_size a[EL_ONNX_SIZES_MOST], b[EL_ONNX_SIZES_MOST];
    el_onnx_value made = {.kind = EL_ONNX_SIZES};
    int na, nb;
    if (!el_onnx_sizes(el_onnx_input(w, node, 0), a, &na) ||
        !el_onnx_sizes(el_onnx_input(w, node, 1), b, &nb))
        return el_onnx_refuse(node, "the operator is not one of those that "
                                    "are read, but where it computes sizes");
    const int one = na < 0 ? 1 : na, other = nb < 0 ? 1 : nb;
    if (one != other && one != 1 && other != 1)
        return el_onnx_refuse(node, "it has %d sizes and %d", one, other);
    made.size_count = na > nb ? na : nb;
    const int count = one == 1 ? other : one;
    for (int i = 0; i < count; ++i)
        made.sizes[i] = combine(node->op_type[0], a[one == 1 ? 0 : i],
                                b[other == 1 ? 0 : i]);
    el_onnx_become(el_onnx_output(w, node, 0), &made);
    return ELMAN_OK;
}
