/* SPDX-License-Identifier: MIT */
/* gates_tmpl.h - LSTM and GRU gate by gate.  Reference, and the equations:
 * ../ref/gates_body.h. */

#include "functions.h"

/* Runs a body over all vectors of units; in it AT(array) is the array's place
 * in this row, of units j and on, and m masks what lies past the last unit. */
#define EACH_VECTOR(kernel)                                                    \
    V_INLINE void kernel##_vector(const el_gates *g, ptrdiff_t i, ptrdiff_t j, \
                                  vm m);                                       \
    static void EL_KERNEL(kernel)(const el_gates *g)                           \
    {                                                                          \
        for (ptrdiff_t i = 0; i < g->rows; ++i)                                \
            for (ptrdiff_t j = 0; j < g->units; j += VL)                       \
                kernel##_vector(g, i, j, v_tail(g->units - j));                \
    }                                                                          \
    V_INLINE void kernel##_vector(const el_gates *g, ptrdiff_t i, ptrdiff_t j, \
                                  vm m)

#define GATE(s) ((float *)g->gates + i * g->ld + (s)*g->gate + j)
#define DA(s) ((float *)g->da + i * g->ldda + (s)*g->gate_da + j)
#define BEFORE v_load((const float *)g->before + i * g->ld_before + j, m)
#define H ((float *)g->h + i * g->ldh + j)
#define C ((float *)g->c + i * g->ldc + j)
#define DH v_load((const float *)g->dh + i * g->lddh + j, m)
#define CARRY ((float *)g->carry + i * g->ldcarry + j)

V_INLINE vf through_sigmoid(vf s)
{
    return v_mul(s, v_sub(v_set(1), s));
}

V_INLINE vf through_tanh(vf s)
{
    return v_fnma(s, s, v_set(1));
}

/* Going back, what forward left comes from far away: a row asks for one that is
 * some rows further on. */
enum { SOON = 4 };
V_INLINE void soon(const el_gates *g, ptrdiff_t i, ptrdiff_t j)
{
    for (int s = 0; s < 4; ++s)
        __builtin_prefetch(GATE(s));
    __builtin_prefetch((const float *)g->before + i * g->ld_before + j);
    if (g->c)
        __builtin_prefetch(C);
}

EACH_VECTOR(lstm)
{
    const vf in = v_sigmoid(v_load(GATE(0), m));
    const vf f = v_sigmoid(v_load(GATE(1), m));
    const vf c_new = v_tanh(v_load(GATE(2), m));
    const vf o = v_sigmoid(v_load(GATE(3), m));
    const vf c = v_fma(f, BEFORE, v_mul(in, c_new));
    v_store(GATE(0), m, in);
    v_store(GATE(1), m, f);
    v_store(GATE(2), m, c_new);
    v_store(GATE(3), m, o);
    v_store(C, m, c);
    v_store(H, m, v_mul(o, v_tanh(c)));
}

EACH_VECTOR(lstm_back)
{
    soon(g, i + SOON, j);
    const vf in = v_load(GATE(0), m), f = v_load(GATE(1), m);
    const vf c_new = v_load(GATE(2), m), o = v_load(GATE(3), m);
    const vf y = v_tanh(v_load(C, m)), dh = DH;
    const vf dc = v_fma(v_mul(dh, o), through_tanh(y), v_load(CARRY, m));
    v_store(DA(0), m, v_mul(v_mul(dc, c_new), through_sigmoid(in)));
    v_store(DA(1), m, v_mul(v_mul(dc, BEFORE), through_sigmoid(f)));
    v_store(DA(2), m, v_mul(v_mul(dc, in), through_tanh(c_new)));
    v_store(DA(3), m, v_mul(v_mul(dh, y), through_sigmoid(o)));
    v_store(CARRY, m, v_mul(dc, f));
}

EACH_VECTOR(gru)
{
    const vf r = v_sigmoid(v_load(GATE(0), m));
    const vf z = v_sigmoid(v_load(GATE(1), m));
    const vf n = v_tanh(v_fma(r, v_load(GATE(3), m), v_load(GATE(2), m)));
    v_store(GATE(0), m, r);
    v_store(GATE(1), m, z);
    v_store(GATE(2), m, n);
    v_store(H, m, v_fma(z, v_sub(BEFORE, n), n));
}

EACH_VECTOR(gru_back)
{
    soon(g, i + SOON, j);
    const vf r = v_load(GATE(0), m), z = v_load(GATE(1), m);
    const vf n = v_load(GATE(2), m), q = v_load(GATE(3), m), dh = DH;
    const vf da_n = v_mul(v_mul(dh, v_sub(v_set(1), z)), through_tanh(n));
    v_store(DA(0), m, v_mul(v_mul(da_n, q), through_sigmoid(r)));
    v_store(DA(1), m, v_mul(v_mul(dh, v_sub(BEFORE, n)), through_sigmoid(z)));
    v_store(DA(2), m, da_n);
    v_store(DA(3), m, v_mul(da_n, r));
    v_store(CARRY, m, v_mul(dh, z));
}

EACH_VECTOR(gru_reset)
{
    const vf r = v_sigmoid(v_load(GATE(0), m));
    v_store(GATE(0), m, r);
    v_store(GATE(1), m, v_sigmoid(v_load(GATE(1), m)));
    v_store(GATE(3), m, v_mul(r, BEFORE));
}

EACH_VECTOR(gru_mix)
{
    const vf n = v_tanh(v_load(GATE(2), m));
    v_store(GATE(2), m, n);
    v_store(H, m, v_fma(v_load(GATE(1), m), v_sub(BEFORE, n), n));
}

EACH_VECTOR(gru_mix_back)
{
    const vf z = v_load(GATE(1), m), n = v_load(GATE(2), m), dh = DH;
    v_store(DA(1), m, v_mul(v_mul(dh, v_sub(BEFORE, n)), through_sigmoid(z)));
    v_store(DA(2), m, v_mul(v_mul(dh, v_sub(v_set(1), z)), through_tanh(n)));
    v_store(CARRY, m, v_mul(dh, z));
}

EACH_VECTOR(gru_reset_back)
{
    const vf r = v_load(GATE(0), m), dh = DH;
    v_store(DA(0), m, v_mul(v_mul(dh, BEFORE), through_sigmoid(r)));
    v_store(CARRY, m, v_fma(dh, r, v_load(CARRY, m)));
}

#undef GATE
#undef DA
#undef BEFORE
#undef H
#undef C
#undef DH
#undef CARRY
