/* SPDX-License-Identifier: MIT */
/* oracle.h - stacked Elman layers as a textbook has them, in double and in
 * plain loops, to say what the library should have said.
 *
 *   h_t = phi(x_t W_ih' + b_ih + h_{t-1} W_hh' + b_hh)
 *
 * Parameters lie in one block in the order of elman.h; x is [T,B,I], h0, hT
 * and their gradients [L,B,H], y and dy [T,B,H]. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <elman.h>
#include <stdbool.h>

typedef struct oracle {
    elman_activation activation;
    int64_t steps, batch, input, hidden; /* T, B, I, H */
    int layers;                          /* L */
    bool bias;
} oracle;

int64_t oracle_parameters(const oracle *o);
/* Elements of all states, [L,T+1,B,H]. */
int64_t oracle_states(const oracle *o);

/* Fills h [L,T+1,B,H], where h[n][0] is layer n's initial state (h0, or zeros
 * if that is NULL).  Returns the smallest magnitude of all that phi was applied
 * to: how far relu was from its kink. */
double oracle_forward(const oracle *o, const double *w, const double *x,
                      const double *h0, double *h);
/* What forward left in h: y is where the last layer's outputs begin. */
const double *oracle_y(const oracle *o, const double *h);
void oracle_hT(const oracle *o, const double *h, double *hT);

/* dy and dhT may be NULL; dx, dh0 and grad are overwritten. */
void oracle_backward(const oracle *o, const double *w, const double *x,
                     const double *h, const double *dy, const double *dhT,
                     double *dx, double *dh0, double *grad);

/* -ln softmax(x)[target] of one row; q receives the softmax. */
double oracle_softmax(const double *x, int64_t classes, int64_t target,
                      double *q);

#endif
