/* SPDX-License-Identifier: MIT */
/* network.h - what every model is made of: an optional embedding, a stack, an
 * optional decoder, and the flat block of their weights. */
#ifndef EL_NETWORK_H
#define EL_NETWORK_H

#include "../nn/compact.h"
#include "../nn/decoder.h"
#include "../nn/tape.h"

struct elman_network {
    const elman_context *context;
    const el_kernels *k;
    elman_network_desc desc; /* of a network alone, not of a language model's */
    el_views views;
    int64_t
        embedding; /* where it begins in the flat block; -1: there is none */
    int64_t embed; /* E */
    int64_t width; /* of what a step gives: O, or S*P without a decoder */
    el_stack stack;
    el_decoder decoder; /* its context is NULL where there is none */
    el_compact compact; /* where weights lie once; its context is NULL where
                         * they lie flat, beside their packed copies */
    void *weights;      /* the flat block; of a compact one only while it is
                         * opened, and else NULL */
};

typedef struct el_network_parts {
    int64_t vocab, embed; /* of the embedding; embed 0: none */
    el_stack_desc stack;
    int64_t outputs; /* of the decoder; 0: none */
    bool tie, decoder_bias;
    bool once; /* the stack is not trainable, and weights are to lie once */
} el_network_parts;

/* Fills a network that is all zeros but for its context; on failure, too,
 * el_network_clear frees what there is. */
elman_status el_network_build(elman_network *network,
                              const el_network_parts *parts);
void el_network_clear(elman_network *network);
/* Whether its weights are what bfloat16 makes of them, and there are no others.
 */
static inline bool el_network_rounded(const elman_network *n)
{
    return n->compact.context && n->k->dtype == ELMAN_BF16;
}
/* What the weights, and what the packed copies of them take. */
int64_t el_network_weights_bytes(const elman_network *network);
int64_t el_network_packed_bytes(const elman_network *network);
/* The flat block, to read; of a compact one a copy, which lasts until it is
 * opened.  NULL with a sentence: memory ran out. */
const void *el_network_read(const elman_network *network);
/* The same for as long as *own is not freed, which is NULL where nothing had to
 * be made. */
const void *el_network_flat(const elman_network *network, void **own);
/* The flat block, to write; NULL likewise. */
void *el_network_open(elman_network *network);
/* After weights were written. */
void el_network_pack(elman_network *network);
/* Weights come and go some rows after the others, without a flat block where
 * there is none; after the last of them el_network_settle.  What the source
 * gives are doubles where `from` is ELMAN_F64, and else floats. */
elman_status el_network_fill(elman_network *network, const elman_view *view,
                             elman_dtype from, el_rows_source *source,
                             void *arg);
void el_network_settle(elman_network *network);
void el_network_rows(const elman_network *network, const elman_view *view,
                     int64_t first, int64_t rows, void *to);

/* desc has been checked, and what is 0 in it is filled in.  Weights lie once,
 * but those of bfloat16 only where they may be `rounded`. */
elman_status el_network_create(const elman_context *context,
                               const elman_network_desc *desc, bool rounded,
                               elman_network **out);
void el_network_free(elman_network *network);
/* A copy that computes in dtype. */
elman_status el_network_copy(const elman_network *network, elman_dtype dtype,
                             elman_network **out);
/* Takes the weights of a network of the same shape, whatever either computes
 * in. */
elman_status el_network_copy_weights(elman_network *network,
                                     const elman_network *from);

/* The rows of the embedding that ids [count] name, each to E elements of x, ldx
 * apart; zeros where an id is negative. */
void el_network_embed(const elman_network *network, int64_t count,
                      const int32_t *ids, void *x, int64_t ldx);

/* ---- Running --------------------------------------------------------------*/

struct elman_network_tape {
    const elman_network *network;
    el_tape tape;
    void *x;   /* [T,B,E]; NULL without an embedding */
    void *out; /* [T,B,S*P]; NULL where nothing is made of it */
    void *hT;  /* [L*S,B,P], and */
    void *top; /* [B,S*P]; NULL where all steps are decoded */
};

elman_status el_network_tape_create(const elman_network *network, int64_t steps,
                                    int64_t batch, elman_network_tape **out);
void el_network_tape_free(elman_network_tape *tape);
/* What one takes; -1 if it overflows. */
int64_t el_network_tape_bytes(const elman_network *network, int64_t steps,
                              int64_t batch);
/* All has been checked. */
void el_network_run(elman_network_tape *tape, const elman_sequences *q);

struct elman_network_state {
    const elman_network *network;
    el_state state;
    void *x; /* [B,E]; NULL without an embedding */
};

elman_status el_network_state_create(const elman_network *network,
                                     int64_t batch, elman_network_state **out);
void el_network_state_free(elman_network_state *state);
/* What one takes; -1 if it overflows. */
int64_t el_network_state_bytes(const elman_network *network, int64_t batch);
void el_network_step(elman_network_state *state, const void *x,
                     const int32_t *ids, void *y);

#endif
