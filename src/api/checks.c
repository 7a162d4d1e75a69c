/* SPDX-License-Identifier: MIT */
/* checks.c - what several public functions are given alike. */
#include "checks.h"
#include "../tensor/dtype.h"
#include "check.h"

elman_status el_check_loaded(elman_dtype dtype)
{
    EL_REQUIRE(dtype == ELMAN_DTYPE_OWN || el_dtype_infers(dtype),
               "dtype is %d (ELMAN_F32, ELMAN_F64, ELMAN_BF16, ELMAN_INT8 or "
               "ELMAN_DTYPE_OWN)",
               (int)dtype);
    return ELMAN_OK;
}

elman_status el_check_layers(elman_rnn_desc *d)
{
    const bool gated = d->cell == ELMAN_CELL_LSTM || d->cell == ELMAN_CELL_GRU;
    d->layers = d->layers == 0 ? 1 : d->layers;
    EL_REQUIRE(d->activation == ELMAN_TANH || d->activation == ELMAN_RELU,
               "activation is %d (ELMAN_TANH or ELMAN_RELU)", d->activation);
    EL_REQUIRE(d->activation == ELMAN_TANH || !gated,
               "activation is ELMAN_RELU (the LSTM and the GRU have tanh)");
    EL_REQUIRE(el_dtype_infers(d->dtype),
               "dtype is %d (ELMAN_F32, ELMAN_F64, ELMAN_BF16 or ELMAN_INT8)",
               d->dtype);
    EL_REQUIRE(d->hidden >= 1 && d->hidden < EL_MOST_SIZE,
               "hidden is %lld (at least 1, below 2^31)", (long long)d->hidden);
    EL_REQUIRE(d->layers >= 1 && d->layers <= 4096,
               "layers is %d (0 to 4096; 0 means 1)", d->layers);
    EL_REQUIRE(d->proj == 0 || d->cell == ELMAN_CELL_LSTM,
               "proj is %lld (only the LSTM has a projection)",
               (long long)d->proj);
    EL_REQUIRE(d->proj >= 0 && (d->proj == 0 || d->proj < d->hidden),
               "proj is %lld (0, or less than hidden, %lld)",
               (long long)d->proj, (long long)d->hidden);
    EL_REQUIRE(!d->reset_before || d->cell == ELMAN_CELL_GRU,
               "reset_before is set (only the GRU has a reset gate)");
    EL_REQUIRE(d->dropout >= 0 && d->dropout < 1,
               "dropout is %g (0 or more, below 1)", d->dropout);
    EL_REQUIRE(d->weight_drop >= 0 && d->weight_drop < 1,
               "weight_drop is %g (0 or more, below 1)", d->weight_drop);
    return ELMAN_OK;
}

elman_status el_check_sequences(const elman_sequences *q, elman_cell cell,
                                int64_t most_steps, int64_t most_batch)
{
    EL_REQUIRE(q->steps >= 1 && q->steps <= most_steps,
               "T is %lld (the tape was made for 1 to %lld steps)",
               (long long)q->steps, (long long)most_steps);
    EL_REQUIRE(q->batch >= 1 && q->batch <= most_batch,
               "B is %lld (the tape was made for 1 to %lld sequences)",
               (long long)q->batch, (long long)most_batch);
    for (int64_t b = 0; q->lengths && b < q->batch; ++b)
        EL_REQUIRE(q->lengths[b] >= 0 && q->lengths[b] <= q->steps,
                   "lengths[%lld] is %lld (0 to T, %lld)", (long long)b,
                   (long long)q->lengths[b], (long long)q->steps);
    EL_REQUIRE(cell == ELMAN_CELL_LSTM || (!q->c0 && !q->cT),
               "c0 or cT is given (only the LSTM has a cell state)");
    EL_REQUIRE(!q->y || q->y != q->x,
               "y is x (outputs need room of their own)");
    return ELMAN_OK;
}
