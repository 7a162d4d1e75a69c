/* SPDX-License-Identifier: MIT */
/* gates_body.h - LSTM and GRU gate by gate, in plain C: part of body.h.
 *
 *   LSTM  c_t = f c_{t-1} + i g        h_t = o tanh(c_t)
 *   GRU   n = tanh(n_x + r q)          h_t = (1 - z) n + z h_{t-1}
 *         q = h_{t-1} W_hn' + b_hn
 *   GRU with the reset before the product
 *         n = tanh(n_x + q W_hn')      q = r h_{t-1}
 *
 * i, f, o, r, z are sigmoids and g a tanh of their sums.  s'(a) = s (1 - s)
 * for s = sigmoid(a), and 1 - s^2 for s = tanh(a). */

/* One element's place in every array of an el_gates. */
typedef struct unit {
    REAL *gate[4];
    REAL *da[4];
    REAL before;
    REAL *c, *h, *carry;
    REAL dh;
} unit;

static REAL *NAME(place)(const void *base, ptrdiff_t at)
{
    return base ? (REAL *)base + at : NULL;
}

static unit NAME(unit_at)(const el_gates *g, int gates, ptrdiff_t i,
                          ptrdiff_t j)
{
    unit u;
    for (int s = 0; s < gates; ++s) {
        u.gate[s] = NAME(place)(g->gates, i * g->ld + s * g->gate + j);
        u.da[s] = NAME(place)(g->da, i * g->ldda + s * g->gate_da + j);
    }
    u.before = *NAME(place)(g->before, i * g->ld_before + j);
    u.c = NAME(place)(g->c, i * g->ldc + j);
    u.h = NAME(place)(g->h, i * g->ldh + j);
    u.carry = NAME(place)(g->carry, i * g->ldcarry + j);
    u.dh = g->dh ? *NAME(place)(g->dh, i * g->lddh + j) : 0;
    return u;
}

#define EACH_UNIT(kernel)                                                      \
    static void NAME(kernel##_unit)(unit u);                                   \
    static void NAME(kernel)(const el_gates *g)                                \
    {                                                                          \
        for (ptrdiff_t i = 0; i < g->rows; ++i)                                \
            for (ptrdiff_t j = 0; j < g->units; ++j)                           \
                NAME(kernel##_unit)(NAME(unit_at)(g, 4, i, j));                \
    }                                                                          \
    static void NAME(kernel##_unit)(unit u)

static REAL NAME(through_sigmoid)(REAL s)
{
    return s * (1 - s);
}

static REAL NAME(through_tanh)(REAL s)
{
    return FMA(-s, s, 1);
}

EACH_UNIT(lstm)
{
    const REAL i = SIGMOID(*u.gate[0]), f = SIGMOID(*u.gate[1]);
    const REAL g = TANH(*u.gate[2]), o = SIGMOID(*u.gate[3]);
    const REAL c = FMA(f, u.before, i * g);
    *u.gate[0] = i;
    *u.gate[1] = f;
    *u.gate[2] = g;
    *u.gate[3] = o;
    *u.c = c;
    *u.h = o * TANH(c);
}

EACH_UNIT(lstm_back)
{
    const REAL i = *u.gate[0], f = *u.gate[1], g = *u.gate[2], o = *u.gate[3];
    const REAL y = TANH(*u.c);
    const REAL dc = FMA(u.dh * o, NAME(through_tanh)(y), *u.carry);
    *u.da[0] = dc * g * NAME(through_sigmoid)(i);
    *u.da[1] = dc * u.before * NAME(through_sigmoid)(f);
    *u.da[2] = dc * i * NAME(through_tanh)(g);
    *u.da[3] = u.dh * y * NAME(through_sigmoid)(o);
    *u.carry = dc * f;
}

EACH_UNIT(gru)
{
    const REAL r = SIGMOID(*u.gate[0]), z = SIGMOID(*u.gate[1]);
    const REAL n = TANH(FMA(r, *u.gate[3], *u.gate[2]));
    *u.gate[0] = r;
    *u.gate[1] = z;
    *u.gate[2] = n;
    *u.h = FMA(z, u.before - n, n);
}

EACH_UNIT(gru_back)
{
    const REAL r = *u.gate[0], z = *u.gate[1], n = *u.gate[2], q = *u.gate[3];
    const REAL da_n = u.dh * (1 - z) * NAME(through_tanh)(n);
    *u.da[0] = da_n * q * NAME(through_sigmoid)(r);
    *u.da[1] = u.dh * (u.before - n) * NAME(through_sigmoid)(z);
    *u.da[2] = da_n;
    *u.da[3] = da_n * r;
    *u.carry = u.dh * z;
}

EACH_UNIT(gru_reset)
{
    const REAL r = SIGMOID(*u.gate[0]);
    *u.gate[0] = r;
    *u.gate[1] = SIGMOID(*u.gate[1]);
    *u.gate[3] = r * u.before;
}

EACH_UNIT(gru_mix)
{
    const REAL n = TANH(*u.gate[2]);
    *u.gate[2] = n;
    *u.h = FMA(*u.gate[1], u.before - n, n);
}

EACH_UNIT(gru_mix_back)
{
    const REAL z = *u.gate[1], n = *u.gate[2];
    *u.da[1] = u.dh * (u.before - n) * NAME(through_sigmoid)(z);
    *u.da[2] = u.dh * (1 - z) * NAME(through_tanh)(n);
    *u.carry = u.dh * z;
}

EACH_UNIT(gru_reset_back)
{
    const REAL r = *u.gate[0];
    *u.da[0] = u.dh * u.before * NAME(through_sigmoid)(r);
    *u.carry = FMA(u.dh, r, *u.carry);
}
