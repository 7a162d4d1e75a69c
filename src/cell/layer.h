/* SPDX-License-Identifier: MIT */
/* layer.h - one layer of one cell in one direction, over a run.
 *
 * What is common to all cells stands in layer.c: the products with the input
 * over all steps at once, the walk through the steps in either direction, and
 * the gradients of the weights as products over all rows.  A cell's own file
 * has one step forward and one step back, side by side. */
#ifndef EL_LAYER_H
#define EL_LAYER_H

#include "lookup.h"

enum { EL_MOST_GATES = 4 };

/* What enters a layer: rows of numbers, or the numbers of one-hot rows, whose
 * sequences are of one length. */
typedef struct el_input {
    el_seq x;           /* p is NULL if I is 0, or for one-hot rows */
    const int32_t *ids; /* [slots,rows]: slot s of a row picks column
                         * s * (I / slots) + id; id < 0 picks none */
    int64_t ids_stride; /* from one slot's ids to the next one's */
} el_input;

struct el_cell_ops;

typedef struct el_layer {
    const elman_context *context;
    const el_kernels *k;
    const struct el_cell_ops *ops;
    elman_activation activation;
    int64_t input, hidden; /* I, H */
    int64_t proj;          /* 0: none */
    int64_t out;           /* P: proj, or H */
    int64_t padded;        /* H up to a whole panel: from gate to gate */
    int64_t slots;         /* one-hot parts of x; 0: x is dense */
    bool recurrent;
    bool reset_before;
    bool reverse;
    bool trainable; /* keeps the packed copies of back-propagation */
    bool lent;      /* in, rec and hr lie in somebody else's block, who packs
                     * them; not trainable */

    /* Where the parameters begin in the flat block; -1: there is none. */
    int64_t w_ih, w_hh, b_ih, b_hh, w_hr;

    /* What is computed with, made by el_layer_pack; gates are padded. */
    void *bias;     /* b_ih + b_hh [G]; NULL without biases */
    void *bias_n;   /* GRU with the reset after the product: b_hn, apart */
    void *in;       /* packed for products with W_ih'; W_ih' itself [I,G] where
                     * x is one-hot, or, lent, panels of floats or doubles */
    void *rec;      /* for products with W_hh' */
    void *hr;       /* with W_hr' */
    void *back_in;  /* with W_ih */
    void *back_rec; /* with W_hh; GRU: with W_hr and W_hz, then with W_hn */
    void *back_hr;  /* with W_hr */
} el_layer;

/* cell is any of them; the fields above `w_ih` but ops, out and padded are
 * set, and with el_layer_shape come those. */
void el_layer_shape(el_layer *layer, elman_cell cell);
/* Gates, or 1. */
int64_t el_layer_gates(const el_layer *layer);
bool el_layer_has_c(const el_layer *layer);
/* Elements of a row of gates, and of a row of their gradients. */
int64_t el_layer_gate_row(const el_layer *layer);
int64_t el_layer_da_row(const el_layer *layer);

/* Allocates what is computed with; offsets are set. */
elman_status el_layer_create(el_layer *layer);
void el_layer_free(el_layer *layer);
/* What all of that takes, or would take. */
int64_t el_layer_bytes(const el_layer *layer);
void el_layer_pack(el_layer *layer, const void *weights);
/* Of that, what is made of the biases [G*H], both or none. */
void el_layer_pack_bias(el_layer *layer, const void *b_ih, const void *b_hh);

/* The packed copies of W_hh, alone: those of other weights (weight drop). */
typedef struct el_recurrent {
    void *rec, *back_rec;
} el_recurrent;
/* What they take. */
int64_t el_recurrent_bytes(const el_layer *layer);
elman_status el_recurrent_create(const el_layer *layer, el_recurrent *out);
void el_recurrent_free(const el_layer *layer, el_recurrent *r);
/* w_hh [G*H,P] */
void el_recurrent_pack(const el_layer *layer, const el_recurrent *r,
                       const void *w_hh);
/* The layer with those in place of its own. */
el_layer el_layer_with(const el_layer *layer, const el_recurrent *r);

/* What a run leaves.  Rows are packed; the first of h and c is that of
 * step 0, and the initial states, by rank, lie before it. */
typedef struct el_record {
    void *h; /* [B + rows,.], ldh apart: a half of a wider row in two
              * directions */
    int64_t ldh;
    void *c;        /* [B + rows,H]; LSTM */
    void *gates;    /* [rows,gate_row]; NULL where the cell keeps none */
    void *m;        /* [rows,H]: o tanh(c), where there is a projection */
    void *gather;   /* EL_GATHER_ROWS rows of I */
    int64_t window; /* steps that gates and m hold at once: all of them where
                     * the run is to be gone back through */
    int64_t ahead;  /* steps whose products with the input are made at once: so
                     * few that they are still near when the recurrence comes to
                     * them; at most window */
} el_record;
enum { EL_GATHER_ROWS = 128 };

void el_layer_forward(const el_layer *layer, el_run run, const el_input *input,
                      const el_record *record);

/* One step of all sequences: dense h0 [B,P] and c0 [B,H] before it, h and c
 * after it; c may be c0.  gates [B,gate_row], m [B,H] as in a record. */
typedef struct el_one_step {
    const void *h0, *c0;
    void *h, *c, *gates, *m;
} el_one_step;
void el_layer_step(const el_layer *layer, int64_t batch, const el_input *input,
                   const el_one_step *step);

typedef struct el_layer_back {
    el_seq dy;          /* p is NULL for zeros */
    el_states dhT, dcT; /* arriving on final states; dcT: LSTM */
    el_seq dx;          /* p is NULL if unwanted */
    bool dx_add;        /* dx is added to */
    el_states dh0, dc0; /* p is NULL if unwanted */
    void *da;           /* [el_layer_back_rows,da_row]: the gradients of the
                         * sums that the gates are functions of */
    void *edge;         /* [B,da_row]: of the step before it */
    void *dproj;        /* [el_layer_back_rows,P], where there is a
                         * projection */
    void *dh, *end;     /* [B,P] */
    void *dm, *carry;   /* [B,H] */
    void *gather;       /* EL_GATHER_ROWS rows of I */
    void *grad;         /* the flat block that is added to, or NULL */
    void *scratch;      /* el_layer_scratch bytes */
    /* Of a run that is one of the pieces of a longer one, cut at multiples of
     * EL_BLOCK_STEPS: edge, dh, end and carry go on from piece to piece. */
    bool later;    /* another piece has been gone back through before */
    bool more;     /* and another will be */
    int64_t after; /* ranks that are alive after the last step */
} el_layer_back;
/* Zeros in the last three: the run is whole. */
void el_layer_backward(const el_layer *layer, el_run run, const el_input *input,
                       const el_record *record, const el_layer_back *back);
size_t el_layer_scratch(const el_layer *layer, el_run run);
/* Rows of which da has to have room. */
int64_t el_layer_back_rows(const el_layer *layer, int64_t steps, int64_t batch);

#endif
