/* SPDX-License-Identifier: MIT */
/* overlay.h - a level's own kernels laid over those of the level below. */

void EL_KERNEL(kernels)(el_kernels *table)
{
    table->gemm = EL_KERNEL(gemm);
    table->outer = EL_KERNEL(outer);
    table->exp = EL_KERNEL(exp);
    table->tanh = EL_KERNEL(tanh);
    table->sigmoid = EL_KERNEL(sigmoid);
    table->add = EL_KERNEL(add);
    table->add_rows = EL_KERNEL(add_rows);
    table->xent = EL_KERNEL(xent);
    table->sum_squares = EL_KERNEL(sum_squares);
    table->update = EL_KERNEL(update);
    table->probe = EL_KERNEL(probe);
}
