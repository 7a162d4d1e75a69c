/* SPDX-License-Identifier: MIT */
/* cells.h - what tells one cell from another: one step forward, one step back.
 */
#ifndef EL_CELLS_H
#define EL_CELLS_H

#include "layer.h"

/* Some rows of one step, states by rank. */
typedef struct el_step {
    int64_t rows;
    bool apart;    /* gates (the Elman cell: h) do not yet hold x W_ih' + b: the
                    * step makes that as well, of */
    const void *x; /* [rows,I], */
    int64_t ldx;   /* so far apart */
    const void *h0; /* [rows,P], the states before the step, */
    int64_t ldh0;   /* so far apart */
    const void *c0; /* [rows,H] */
    void *h;        /* [rows,P], after it */
    int64_t ldh;
    void *c;
    void *gates;
    void *m;
    bool backwards; /* reads the weights from the last ones to the first */
} el_step;

typedef struct el_step_back {
    el_step step;
    const void *init; /* what arrives on h but through the next step, ldinit
                       * apart; NULL: zeros */
    int64_t ldinit;
    const void *next; /* da of the rows of the next step; NULL: there is none */
    void *da;
    void *dh;    /* [rows,P] to work in; may be init */
    void *dproj; /* [rows,P] */
    void *dm;    /* [rows,H] to work in */
    void *carry; /* [rows,H]; see el_gates */
} el_step_back;

/* Gates a row keeps, `count` of them from `slot` on, that belong to the gates
 * of the weights from `gate` on. */
typedef struct el_gate_range {
    int slot, gate, count;
} el_gate_range;

typedef struct el_cell_ops {
    int gates; /* G */
    int slots; /* gates that a row keeps; 0: h itself is all */
    int da_slots;
    bool has_c;
    bool carries; /* h_{t-1} reaches h_t outside the products as well */
    /* W_hh' h in da; the parts with the state before, and with what stands in
     * gate slot q in its place. */
    el_gate_range rec[2];
    bool rec_of_q[2];
    /* Gates hold x W_ih' + b (the Elman cell: h does). */
    void (*forward)(const el_layer *layer, const el_step *step);
    void (*backward)(const el_layer *layer, const el_step_back *back);
    /* dh += da W_hh, of the rows of one step. */
    void (*to_state)(const el_layer *layer, int64_t rows, const void *da,
                     void *dh);
} el_cell_ops;

extern const el_cell_ops el_elman_ops, el_lstm_ops, el_gru_ops,
    el_gru_before_ops;

/* Columns [u0,u1) of each of the first `gates` gates, of rows [r0,r1) of a
 * step: they go on from what stands in them with h0 W_hh'.  What is to come
 * from x comes before, for all gates. */
void el_gates_product(const el_layer *layer, const el_step *step, int gates,
                      int64_t r0, int64_t r1, int64_t u0, int64_t u1);
/* Operations of a step whose products with W_hh are of so many gates. */
double el_step_work(const el_layer *layer, const el_step *step, int gates);

/* dh [rows,P] = init + a [rows,k] times the packed w; init may be dh. */
void el_state_product(const el_layer *layer, int64_t rows, const void *a,
                      int64_t lda, int64_t k, const void *w, const void *init,
                      void *dh);

#endif
