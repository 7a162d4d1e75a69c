/* SPDX-License-Identifier: MIT */
/* network_api.c - networks, from the outside. */
#include "../base/cpu.h"
#include "../io/safetensors.h"
#include "../model/model_file.h"
#include "check.h"
#include "checks.h"

/* ---- Making ---------------------------------------------------------------*/

static elman_status check_around(elman_network_desc *d)
{
    const int64_t out = (d->rnn.proj > 0 ? d->rnn.proj : d->rnn.hidden) *
                        (d->rnn.bidirectional ? 2 : 1);
    EL_REQUIRE(d->vocab >= 0 && d->vocab < EL_MOST_SIZE && d->embed >= 0 &&
                   d->embed < EL_MOST_SIZE && (d->vocab > 0) == (d->embed > 0),
               "vocab and embed are %lld and %lld (0 and 0, or both at least "
               "1)",
               (long long)d->vocab, (long long)d->embed);
    if (d->embed > 0 && d->rnn.input == 0)
        d->rnn.input = d->embed;
    EL_REQUIRE(d->embed == 0 || d->rnn.input == d->embed,
               "input is %lld (0, or embed, %lld)", (long long)d->rnn.input,
               (long long)d->embed);
    EL_REQUIRE(d->outputs >= 0 && d->outputs < EL_MOST_SIZE,
               "outputs is %lld (0 or more)", (long long)d->outputs);
    EL_REQUIRE(!d->tie ||
                   (d->embed == out && d->outputs == d->vocab && d->embed > 0),
               "tie is set (embed, %lld, must then be what the stack gives, "
               "%lld, and outputs, %lld, must be vocab, %lld)",
               (long long)d->embed, (long long)out, (long long)d->outputs,
               (long long)d->vocab);
    EL_REQUIRE(d->decode >= ELMAN_DECODE_ALL && d->decode <= ELMAN_DECODE_FINAL,
               "decode is %d (one of elman_decode)", (int)d->decode);
    return ELMAN_OK;
}

static elman_status check_desc(const elman_network_desc *desc,
                               elman_network_desc *d)
{
    *d = (elman_network_desc)ELMAN_NETWORK_DESC;
    elman_status s = el_take_desc(d, sizeof *d, desc, "elman_network_desc");
    if (!s && d->rnn.struct_size != sizeof d->rnn)
        s = el_fail(ELMAN_EINVAL, "struct_size of elman_rnn_desc is not set "
                                  "(begin with ELMAN_NETWORK_DESC)");
    d->rnn.inference_only = 1;
    if (!s)
        s = el_check_rnn_desc(&d->rnn);
    if (s)
        return s;
    EL_REQUIRE(!d->rnn.single, "single is set (a network has layers)");
    return check_around(d);
}

elman_status elman_network_create(elman_context *context,
                                  const elman_network_desc *desc,
                                  elman_network **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && desc, "context or desc is NULL");
    elman_network_desc d;
    elman_status s = check_desc(desc, &d);
    if (!s)
        EL_COMPUTE(s = el_network_create(context, &d, false, out));
    return s;
}

void elman_network_destroy(elman_network **network)
{
    if (!network)
        return;
    el_network_free(*network);
    *network = NULL;
}

static elman_status load(elman_context *context, const char *path, bool rounded,
                         elman_dtype dtype, elman_network **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    elman_tensors *file;
    elman_status s = el_check_loaded(dtype);
    if (!s)
        s = el_tensors_open(context, path, &file);
    if (s)
        return s;
    EL_COMPUTE(
        s = el_network_from_tensors(context, file, path, rounded, dtype, out));
    el_tensors_free(file);
    return s;
}

elman_status elman_network_load(elman_context *context, const char *path,
                                elman_network **out)
{
    return load(context, path, false, ELMAN_DTYPE_OWN, out);
}

elman_status elman_network_load_inference(elman_context *context,
                                          const char *path, elman_dtype dtype,
                                          elman_network **out)
{
    return load(context, path, true, dtype, out);
}

elman_status el_check_exact(const elman_network *network)
{
    return el_network_rounded(network)
               ? el_fail(ELMAN_EUNSUPPORTED,
                         "the model was made for inference alone, and has its "
                         "weights rounded to bfloat16 (elman_lm_load and "
                         "elman_network_load have them whole)")
               : ELMAN_OK;
}

elman_status elman_network_save(const elman_network *network, const char *path)
{
    EL_REQUIRE(network && path, "network or path is NULL");
    elman_status s = el_check_exact(network);
    if (!s)
        EL_COMPUTE(s = el_network_write(network, path));
    return s;
}

elman_status elman_network_convert(const elman_network *network,
                                   elman_dtype dtype, elman_network **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(network, "network is NULL");
    elman_network_desc d = network->desc;
    d.rnn.dtype = dtype;
    elman_status s = el_check_rnn_desc(&d.rnn);
    if (!s)
        s = el_check_exact(network);
    if (!s)
        EL_COMPUTE(s = el_network_copy(network, dtype, out));
    return s;
}

/* ---- What it is -----------------------------------------------------------*/

void elman_network_describe(const elman_network *network,
                            elman_network_desc *out)
{
    if (network && out)
        el_give_struct(out, &network->desc, sizeof network->desc);
}

int64_t elman_network_width(const elman_network *network)
{
    return network ? network->width : 0;
}

int64_t elman_network_parameters(const elman_network *network)
{
    return network ? network->views.total : 0;
}

int elman_network_view_count(const elman_network *network)
{
    return network ? network->views.count : 0;
}

elman_status elman_network_view(const elman_network *network, int index,
                                elman_view *out)
{
    EL_REQUIRE(network && out, "network or out is NULL");
    return el_views_at(&network->views, index, out);
}

elman_status elman_network_find(const elman_network *network, const char *name,
                                elman_view *out)
{
    EL_REQUIRE(network && name && out, "network, name or out is NULL");
    return el_views_find(&network->views, name, out);
}

const void *elman_network_weights(const elman_network *network)
{
    const void *weights = NULL;
    if (network)
        EL_COMPUTE(weights = el_network_read(network));
    return weights;
}

void *elman_network_weights_begin(elman_network *network)
{
    void *weights = NULL;
    if (network)
        EL_COMPUTE(weights = el_network_open(network));
    return weights;
}

void elman_network_weights_end(elman_network *network)
{
    if (network)
        EL_COMPUTE(el_network_pack(network));
}

/* ---- Running --------------------------------------------------------------*/

elman_status elman_network_tape_create(const elman_network *network,
                                       int64_t steps, int64_t batch,
                                       elman_network_tape **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(network, "network is NULL");
    EL_REQUIRE(steps >= 1 && steps < (int64_t)1 << 40,
               "steps is %lld (at least 1)", (long long)steps);
    EL_REQUIRE(batch >= 1 && batch < EL_MOST_SIZE, "batch is %lld (at least 1)",
               (long long)batch);
    return el_network_tape_create(network, steps, batch, out);
}

void elman_network_tape_destroy(elman_network_tape **tape)
{
    if (!tape)
        return;
    el_network_tape_free(*tape);
    *tape = NULL;
}

/* What enters: x or ids, and which of them. */
static elman_status check_input(const elman_network *n, const void *x,
                                const int32_t *ids)
{
    if (n->embed > 0)
        EL_REQUIRE(ids && !x, "ids is NULL, or x is not (the network embeds "
                              "ids)");
    else
        EL_REQUIRE(!ids && (x || n->desc.rnn.input == 0),
                   "x is NULL, or ids is not (the network has no embedding)");
    return ELMAN_OK;
}

static elman_status check_id(const elman_network *n, const int32_t *ids,
                             int64_t i)
{
    EL_REQUIRE(ids[i] >= 0 && ids[i] < n->desc.vocab,
               "id %lld is %d (0 to %lld)", (long long)i, ids[i],
               (long long)n->desc.vocab - 1);
    return ELMAN_OK;
}

/* Those past an end are not looked at. */
static elman_status check_ids(const elman_network *n, const elman_sequences *q)
{
    elman_status s = ELMAN_OK;
    for (int64_t b = 0; b < q->batch; ++b) {
        const int64_t length = q->lengths ? q->lengths[b] : q->steps;
        for (int64_t t = 0; !s && t < length; ++t)
            s = check_id(n, q->ids,
                         q->batch_first ? b * q->steps + t : t * q->batch + b);
    }
    return s;
}

static elman_status check_sequences(const elman_network *n,
                                    const elman_network_tape *tape,
                                    const elman_sequences *q)
{
    const el_tape *const t = &tape->tape;
    EL_REQUIRE(tape->network == n, "the tape was made for another network");
    EL_REQUIRE(!q->train, "train is set (a network is for inference)");
    elman_status s =
        el_check_sequences(q, n->desc.rnn.cell, t->most_steps, t->most_batch);
    if (!s)
        s = check_input(n, q->x, q->ids);
    return s || !q->ids ? s : check_ids(n, q);
}

elman_status elman_network_run(const elman_network *network,
                               elman_network_tape *tape,
                               const elman_sequences *sequences)
{
    EL_REQUIRE(network && tape && sequences,
               "network, tape or sequences is NULL");
    elman_sequences q = ELMAN_SEQUENCES;
    elman_status s = el_take_desc(&q, sizeof q, sequences, "elman_sequences");
    if (!s)
        s = check_sequences(network, tape, &q);
    if (!s)
        EL_COMPUTE(el_network_run(tape, &q));
    return s;
}

/* ---- A step at a time -----------------------------------------------------*/

elman_status elman_network_state_create(const elman_network *network,
                                        int64_t batch,
                                        elman_network_state **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(network, "network is NULL");
    EL_REQUIRE(batch >= 1 && batch < EL_MOST_SIZE, "batch is %lld (at least 1)",
               (long long)batch);
    EL_REQUIRE(!network->desc.rnn.bidirectional,
               "a network of two directions needs whole sequences "
               "(elman_network_run)");
    return el_network_state_create(network, batch, out);
}

void elman_network_state_destroy(elman_network_state **state)
{
    if (!state)
        return;
    el_network_state_free(*state);
    *state = NULL;
}

void elman_network_state_zero(elman_network_state *state)
{
    if (state)
        el_state_zero(&state->state);
}

static size_t bytes_of(const elman_network_state *state, int64_t count)
{
    return (size_t)count * state->network->k->size;
}

void elman_network_state_read(const elman_network_state *state, void *h,
                              void *c)
{
    if (state && h)
        memcpy(h, state->state.h,
               bytes_of(state, el_state_h_count(&state->state)));
    if (state && c && state->state.c)
        memcpy(c, state->state.c,
               bytes_of(state, el_state_c_count(&state->state)));
}

void elman_network_state_write(elman_network_state *state, const void *h,
                               const void *c)
{
    if (state && h)
        memcpy(state->state.h, h,
               bytes_of(state, el_state_h_count(&state->state)));
    if (state && c && state->state.c)
        memcpy(state->state.c, c,
               bytes_of(state, el_state_c_count(&state->state)));
}

elman_status elman_network_step(const elman_network *network,
                                elman_network_state *state, const void *x,
                                const int32_t *ids, void *y)
{
    EL_REQUIRE(network && state, "network or state is NULL");
    EL_REQUIRE(state->network == network,
               "the state was made for another network");
    elman_status s = check_input(network, x, ids);
    for (int64_t b = 0; !s && ids && b < state->state.batch; ++b)
        s = check_id(network, ids, b);
    if (!s)
        EL_COMPUTE(el_network_step(state, x, ids, y));
    return s;
}
