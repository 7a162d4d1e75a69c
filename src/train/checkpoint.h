/* SPDX-License-Identifier: MIT */
/* checkpoint.h - what stands in a checkpoint beside the model.
 *
 * The file is the model's own (the weights as they stand, not the best ones)
 * with tensors "trainer.*" added:
 *   integers [..] I64, reals [..] F64   the options and the counters
 *   m [P], v [P]    the optimiser's moments, where it has them
 *   best [P]        the best weights so far, where there was a validation
 *   average [P]     where weights are averaged
 *   h [L,B,H], ids [n-1,B] I32          the state that is carried
 *   names [..] U8   what the integers and the reals are, a line for each, so
 *                   that a version that has more of them reads what an older
 *                   one wrote
 * Numbers lie in tensors and not in text, so that none loses a bit. */
#ifndef EL_CHECKPOINT_H
#define EL_CHECKPOINT_H

#include "trainer.h"

/* Every option that changes results, with the name that the command gives it,
 * and where in the descriptor it lies.  The last ones may change. */
#define INTEGER_OPTIONS(X)                                                     \
    X("cell", model.cell, elman_cell)                                          \
    X("activation", model.activation, elman_activation)                        \
    X("dtype", model.dtype, elman_dtype)                                       \
    X("hidden", model.hidden, int64_t)                                         \
    X("layers", model.layers, int)                                             \
    X("embed", model.embed, int64_t)                                           \
    X("context", model.context, int64_t)                                       \
    X("proj", model.proj, int64_t)                                             \
    X("reset-before", model.reset_before, int)                                 \
    X("tie", model.tie, int)                                                   \
    X("locked", model.locked, int)                                             \
    X("optimizer", optimizer.kind, elman_optimizer_kind)                       \
    X("schedule", schedule.kind, elman_schedule_kind)                          \
    X("every", schedule.every, int64_t)                                        \
    X("warmup", schedule.warmup, int64_t)                                      \
    X("total", schedule.total, int64_t)                                        \
    X("patience", schedule.patience, int64_t)                                  \
    X("loss", loss, elman_reduction)                                           \
    X("sampling", sampling, elman_sampling)                                    \
    X("batch", batch, int64_t)                                                 \
    X("steps", steps, int64_t)                                                 \
    X("stop-after", stop_after, int64_t)                                       \
    X("shards", shards, int64_t)                                               \
    X("truncation", truncation, elman_truncation)                              \
    X("back", back, int64_t)                                                   \
    X("seed", seed, uint64_t)                                                  \
    X("on-nonfinite", on_nonfinite, elman_nonfinite)                           \
    X("epochs", epochs, int64_t)                                               \
    X("updates", updates, int64_t)

#define REAL_OPTIONS(X)                                                        \
    X("dropout", model.dropout)                                                \
    X("weight-drop", model.weight_drop)                                        \
    X("momentum", optimizer.momentum)                                          \
    X("beta1", optimizer.beta1)                                                \
    X("beta2", optimizer.beta2)                                                \
    X("alpha", optimizer.alpha)                                                \
    X("eps", optimizer.eps)                                                    \
    X("weight-decay", optimizer.weight_decay)                                  \
    X("clip", optimizer.clip)                                                  \
    X("lr", schedule.lr)                                                       \
    X("gamma", schedule.gamma)                                                 \
    X("floor", schedule.floor)                                                 \
    X("valid-fraction", valid_fraction)                                        \
    X("average", average)                                                      \
    X("cut", cut)

/* What lies behind them: el_counters, and more; el_sums. */
#define COUNTERS(X)                                                            \
    X("update")                                                                \
    X("tokens")                                                                \
    X("halvings")                                                              \
    X("stalls")                                                                \
    X("waiting")                                                               \
    X("best-epoch")                                                            \
    X("epoch-tokens")                                                          \
    X("skipped")                                                               \
    X("skipped-in-a-row")

#define EXTRAS(X)                                                              \
    X("optimizer-steps")                                                       \
    X("text")                                                                  \
    X("valid")                                                                 \
    X("mark")

#define SUMS(X)                                                                \
    X("epoch-nats")                                                            \
    X("best-loss")                                                             \
    X("last-valid")                                                            \
    X("last-loss")

#define LINE(name, ...) name "\n"
#define ALL_NAMES                                                              \
    INTEGER_OPTIONS(LINE)                                                      \
    COUNTERS(LINE) EXTRAS(LINE) REAL_OPTIONS(LINE) SUMS(LINE)

#define COUNT1(...) +1
enum {
    INTEGERS = 0 INTEGER_OPTIONS(COUNT1),
    REALS = 0 REAL_OPTIONS(COUNT1),
    COUNTS = 0 COUNTERS(COUNT1),
    ALL_INTEGERS = INTEGERS + COUNTS EXTRAS(COUNT1),
    ALL_REALS = REALS SUMS(COUNT1),
    FREE_INTEGERS = 3, /* at the end of the options: those that may change */
    MORE_TENSORS = 10, /* of the list above */
    KEPT = 2           /* checkpoints before the last one */
};
_Static_assert(sizeof(el_counters) == COUNTS * sizeof(int64_t) &&
                   sizeof(el_sums) == (ALL_REALS - REALS) * sizeof(double),
               "the tables name every counter and sum");

/* The options, as they lie at the beginning of integers and reals. */
static inline void options_out(const elman_train_desc *d, int64_t *integers,
                               double *reals)
{
#define PUT_INTEGER(name, field, type) *integers++ = (int64_t)d->field;
#define PUT_REAL(name, field) *reals++ = d->field;
    INTEGER_OPTIONS(PUT_INTEGER)
    REAL_OPTIONS(PUT_REAL)
}

#endif
