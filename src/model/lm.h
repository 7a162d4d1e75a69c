/* SPDX-License-Identifier: MIT */
/* lm.h - language models: tokens in, logits out.
 *
 * tokens -> one-hot or embedding -> stack -> decoder -> logits.  Without a
 * hidden state the stack is one fully connected layer, and what enters it are
 * the last n tokens, the oldest first. */
#ifndef EL_LM_H
#define EL_LM_H

#include "../nn/loss.h"
#include "../text/vocab.h"
#include "network.h"

struct elman_lm {
    elman_network net; /* its decoder gives the logits */
    elman_lm_desc desc;
    elman_vocab *vocab;
    char *history;   /* JSON, or "" */
    int64_t classes; /* V */
    int64_t tokens;  /* that enter at one step: n, or 1 */
};

/* desc has been checked but for the sizes that vocab gives. */
elman_status el_lm_create(const elman_context *context,
                          const elman_lm_desc *desc, const elman_vocab *vocab,
                          elman_lm **out);
void el_lm_free(elman_lm *lm);
/* Whether its weights lie once, for inference alone. */
bool el_lm_infers(const elman_lm_desc *desc);
/* The first thing, but for the dtype, in which the weights of two models are
 * made for different networks; name NULL: there is none. */
typedef struct el_lm_difference {
    const char *name; /* as elman_lm_desc has it */
    int64_t a, b;
} el_lm_difference;
el_lm_difference el_lm_differs(const elman_lm_desc *a, const elman_lm_desc *b);
/* A copy that computes in dtype. */
elman_status el_lm_copy(const elman_lm *lm, elman_dtype dtype, elman_lm **out);
/* As a model of the same shape that is used otherwise. */
elman_status el_lm_copy_as(const elman_lm *lm, const elman_lm_desc *desc,
                           elman_lm **out);
/* The shape of a model that trains, where this one does not: without weights,
 * to be asked what it would take. */
elman_status el_lm_shape(const elman_lm *lm, elman_lm *out);
void el_lm_shape_free(elman_lm *shape);
/* After weights were written. */
void el_lm_pack(elman_lm *lm);
void el_lm_init(elman_lm *lm, uint64_t seed);
elman_status el_lm_set_history(elman_lm *lm, const char *json);
/* Of a stranger, who may take anything for JSON: ELMAN_EFORMAT where it is
 * neither empty nor a JSON object. */
elman_status el_lm_take_history(elman_lm *lm, const char *json);

/* ---- Running --------------------------------------------------------------*/

/* The states of the stack, or the last n-1 tokens of every sequence, the
 * oldest first, -1 where there is none. */
struct elman_lm_state {
    const elman_lm *lm;
    int64_t batch;
    el_state state;
    int32_t *ids; /* [n,B]: the last row is a step's own tokens */
    void *x;      /* [B,n*E] of a step; NULL for one-hot input */
};

elman_status el_lm_state_create(const elman_lm *lm, int64_t batch,
                                elman_lm_state **out);
void el_lm_state_free(elman_lm_state *state);
/* What one takes; -1 if it overflows. */
int64_t el_lm_state_bytes(const elman_lm *lm, int64_t batch);
void el_lm_state_zero(elman_lm_state *state);
/* What elman_lm_state_read and _write move. */
void el_lm_state_read(const elman_lm_state *state, void *carried);
elman_status el_lm_state_write(elman_lm_state *state, const void *carried);
/* The state as it stands in a checkpoint: elements of h, c and ids. */
int64_t el_lm_state_h_count(const elman_lm_state *state);
int64_t el_lm_state_c_count(const elman_lm_state *state);
int64_t el_lm_state_ids_count(const elman_lm_state *state);

struct elman_lm_tape {
    const elman_lm *lm;
    int64_t most_steps, most_batch;
    int64_t piece; /* steps that x ... each hold: all, or, where the tape
                    * computes again, one block of them */
    el_run run;    /* of the forward that is held; no steps: none is */
    bool inference;
    el_tape tape;
    int32_t *ids; /* [n-1+T,B]; NULL where the batch's own are read */
    void *x, *dx; /* [T,B,n*E]; NULL for one-hot input */
    void *out;    /* [T,B,P]: what enters the decoder, where that is not the
                   * stack's output itself */
    void *logits; /* [T,B,V] */
    void *sums;   /* [T,B,2]: of their softmax; see nn/loss.h */
    void *dh;     /* [T,B,P] */
    el_draw draw;
    double *each; /* [T,B] */
    void *scratch;

    int32_t *aims; /* [T,B]: a copy of the targets, where the batch's own are
                    * not read on the way back */

    /* While a forward is held. */
    const int32_t *tokens, *targets; /* ids and aims, or the batch's */
    double scale, sum;
    void *grad;
};

/* An inference tape gives losses only; it holds at most 256 rows.  Only steps,
 * batch, inference, memory and besides are read. */
elman_status el_lm_tape_create(const elman_lm *lm, const el_tape_size *size,
                               elman_lm_tape **out);
void el_lm_tape_free(elman_lm_tape *tape);
/* What one takes; fails as creating it does. */
elman_status el_lm_tape_costs(const elman_lm *lm, const el_tape_size *size,
                              el_tape_cost *out);
void el_lm_forward(const elman_lm *lm, elman_lm_tape *tape,
                   const elman_lm_batch *batch, elman_lm_state *state,
                   double *loss_sum, int64_t *kept);
void el_lm_backward(const elman_lm *lm, elman_lm_tape *tape, void *grad);
/* The same with what arrives on the states after the last step, [L,B,.], and
 * what leaves on those before the first; any may be NULL, and those that leave
 * may lie where those that arrive do. */
typedef struct el_lm_flow {
    const void *dhT, *dcT;
    void *dh0, *dc0;
} el_lm_flow;
void el_lm_backward_through(const elman_lm *lm, elman_lm_tape *tape,
                            const el_lm_flow *flow, void *grad);
void el_lm_step(const elman_lm *lm, elman_lm_state *state, const int32_t *ids,
                void *logits);

elman_status el_lm_eval(const elman_lm *lm, elman_text *text, int64_t first,
                        int64_t count, elman_lm_score *out);
/* What el_lm_eval takes while it runs. */
int64_t el_lm_eval_bytes(const elman_lm *lm);
/* norms [K+1,kinds,N] out; the text has the tokens, and the model a state. */
elman_status el_lm_probe(const elman_lm *lm, elman_text *text,
                         const elman_probe_desc *desc, double *norms);
elman_status el_lm_choose(const elman_lm *lm, const elman_sampler *sampler,
                          const void *logits, double uniform, int32_t *id);

#endif
