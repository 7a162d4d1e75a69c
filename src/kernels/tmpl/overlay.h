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
    table->mul = EL_KERNEL(mul);
    table->lstm = EL_KERNEL(lstm);
    table->lstm_back = EL_KERNEL(lstm_back);
    table->gru = EL_KERNEL(gru);
    table->gru_back = EL_KERNEL(gru_back);
    table->gru_reset = EL_KERNEL(gru_reset);
    table->gru_mix = EL_KERNEL(gru_mix);
    table->gru_mix_back = EL_KERNEL(gru_mix_back);
    table->gru_reset_back = EL_KERNEL(gru_reset_back);
    table->add_rows = EL_KERNEL(add_rows);
    table->xent = EL_KERNEL(xent);
    table->xent_max = EL_KERNEL(xent_max);
    table->xent_add = EL_KERNEL(xent_add);
    table->xent_columns = EL_KERNEL(xent_columns);
    table->sum_squares = EL_KERNEL(sum_squares);
    table->update = EL_KERNEL(update);
    table->pack_rows = EL_KERNEL(pack_rows);
    table->pack_columns = EL_KERNEL(pack_columns);
    table->probe = EL_KERNEL(probe);
}
