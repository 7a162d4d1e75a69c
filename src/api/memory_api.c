/* SPDX-License-Identifier: MIT */
/* memory_api.c - what models take, said beforehand. */
#include "../model/lm.h"
#include "../nn/tape.h"
#include "../optim/optimizer.h"
#include "../train/nonfinite.h"
#include "../train/learner.h"
#include "../train/trainer.h"
#include "check.h"
#include "checks.h"

elman_status el_give_memory(elman_memory *out, elman_memory *m)
{
    const int64_t parts[] = {m->weights, m->packed, m->gradient, m->optimizer,
                             m->kept,    m->tape,   m->tokens};
    m->total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        if (parts[i] < 0 ||
            __builtin_add_overflow(m->total, parts[i], &m->total))
            return el_fail(ELMAN_ENOMEM,
                           "that would take more memory than can be counted");
    el_give_struct(out, m, sizeof *m);
    return ELMAN_OK;
}

static elman_memory network_memory(const elman_network *n)
{
    return (elman_memory){.weights = el_network_weights_bytes(n),
                          .packed = el_network_packed_bytes(n),
                          .passes = 1};
}

/* Of a model that trains. */
static elman_status training_memory(const elman_lm *lm,
                                    const el_tape_size *size,
                                    const elman_optimizer_desc *optimizer,
                                    elman_memory *out)
{
    elman_memory m = network_memory(&lm->net);
    el_tape_cost cost;
    const elman_status s = el_lm_tape_costs(lm, size, &cost);
    if (s == ELMAN_ENOMEM)
        cost = (el_tape_cost){.bytes = -1};
    else if (s)
        return s;
    m.gradient = m.weights;
    m.tape = cost.bytes;
    m.outside = cost.outside;
    m.passes = cost.passes;
    m.tokens = el_shards_tokens_bytes(size->steps, size->batch);
    const int64_t state = el_lm_state_bytes(lm, size->batch);
    if (m.tape >= 0)
        m.tape = state < 0 ? -1 : m.tape + state;
    const elman_lm_state carried = {
        .lm = lm,
        .batch = size->batch,
        .state = {.stack = &lm->net.stack, .batch = size->batch}};
    m.kept = (int64_t)(el_carried_bytes(&carried) + EL_BLOCK_EXTRA);
    if (optimizer)
        m.optimizer =
            el_optimizer_bytes(lm->net.context, optimizer, lm->net.views.total);
    return el_give_memory(out, &m);
}

elman_status elman_lm_memory(const elman_lm *lm, const elman_tape_desc *desc,
                             const elman_optimizer_desc *optimizer,
                             elman_memory *out)
{
    EL_REQUIRE(lm && out, "lm or out is NULL");
    el_tape_size size = {.inference = true};
    elman_optimizer_desc o = ELMAN_OPTIMIZER_DESC;
    elman_status s = ELMAN_OK;
    if (desc && !desc->inference_only)
        s = el_take_tape_size(&size, desc);
    if (!s && desc && optimizer)
        s = el_take_desc(&o, sizeof o, optimizer, "elman_optimizer_desc");
    if (!s && desc && optimizer)
        s = el_check_optimizer(&o);
    if (s)
        return s;
    if (size.inference) {
        elman_memory m = network_memory(&lm->net);
        m.tape = desc ? el_lm_eval_bytes(lm) : el_lm_state_bytes(lm, 1);
        return el_give_memory(out, &m);
    }
    EL_REQUIRE(lm->desc.dtype != ELMAN_INT8,
               "the model is of ELMAN_INT8 (weights of a byte do not train)");
    elman_lm shape;
    if (!lm->desc.inference_only)
        return training_memory(lm, &size, optimizer ? &o : NULL, out);
    s = el_lm_shape(lm, &shape);
    if (s)
        return s;
    s = training_memory(&shape, &size, optimizer ? &o : NULL, out);
    el_lm_shape_free(&shape);
    return s;
}

elman_status elman_network_memory(const elman_network *network, int64_t steps,
                                  int64_t batch, elman_memory *out)
{
    EL_REQUIRE(network && out, "network or out is NULL");
    EL_REQUIRE(steps >= 0 && batch >= 1,
               "steps and batch are %lld and %lld (0 or more, at least 1)",
               (long long)steps, (long long)batch);
    EL_REQUIRE(steps > 0 || !network->desc.rnn.bidirectional,
               "a network of two directions needs whole sequences");
    elman_memory m = network_memory(network);
    m.tape = steps > 0 ? el_network_tape_bytes(network, steps, batch)
                       : el_network_state_bytes(network, batch);
    return el_give_memory(out, &m);
}

void elman_learner_memory(const elman_learner *learner, elman_memory *out)
{
    elman_memory m = {0};
    if (!learner || !out)
        return;
    el_learner_memory(learner, &m);
    el_give_memory(out, &m);
}

void elman_trainer_memory(const elman_trainer *trainer, elman_memory *out)
{
    elman_memory m = {0};
    if (!trainer || !out)
        return;
    el_trainer_memory(trainer, &m);
    el_give_memory(out, &m);
}
