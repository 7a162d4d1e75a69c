/* SPDX-License-Identifier: MIT */
/* c_source_test.c - the self-test of a C file: what enters some steps, and what
 * the library makes of it. */
#include "c_source.h"
#include "../base/random.h"

#include <math.h>
#include <string.h>

enum { T = EL_C_TEST_STEPS };

/* What enters, what came of it. */
typedef struct trial {
    int64_t input, vocab, width; /* I, V, O; V is 0 where numbers come in */
    int32_t ids[T];
    float *x; /* [T,I] */
    float *y; /* [T,O] */
} trial;

static void draw(trial *t)
{
    for (int64_t i = 0; i < T; ++i)
        if (t->vocab > 0)
            t->ids[i] = (int32_t)(el_random_u32(1, 1, (uint64_t)i) %
                                  (uint64_t)t->vocab);
    for (int64_t i = 0; i < T * t->input; ++i)
        t->x[i] = elman_random_uniform(1, 2, (uint64_t)i) * 4 - 2;
}

static elman_status run_network(const el_c_source *s, trial *t)
{
    elman_network_state *state;
    const elman_status status = el_network_state_create(s->net, 1, &state);
    for (int64_t i = 0; !status && i < T; ++i)
        el_network_step(state, t->x + i * t->input, t->ids + i,
                        t->y + i * t->width);
    if (!status)
        el_network_state_free(state);
    return status;
}

static elman_status run_lm(const el_c_source *s, trial *t)
{
    elman_lm_state *state;
    const elman_status status = el_lm_state_create(s->lm, 1, &state);
    for (int64_t i = 0; !status && i < T; ++i)
        el_lm_step(s->lm, state, t->ids + i, t->y + i * t->width);
    if (!status)
        el_lm_state_free(state);
    return status;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return isnan(x) ? 0x7fc00000 : bits;
}

static void put_trial(el_c_source *s, const trial *t)
{
    const int64_t shown =
        t->width < EL_C_TEST_SHOWN ? t->width : EL_C_TEST_SHOWN;
    uint32_t sum = 2166136261;
    el_c_list list = {.out = &s->code};
    for (int64_t i = 0; i < T * t->width; ++i)
        sum = (sum ^ bits_of(t->y[i])) * 16777619;
    el_c_put(s, &s->code,
             "/* ---- The self-test "
             "--------------------------------------------------------\n"
             " * What elman's library gives for some inputs: of each step the "
             "first outputs\n"
             " * by their bits, and a sum of the bits of all. */\n"
             "#ifdef ELMAN_SELF_TEST\n");
    el_buffer_format(&s->code,
                     "enum { TEST_STEPS = %d, TEST_SHOWN = %lld };\n"
                     "#define TEST_SUM 0x%xu\n",
                     T, (long long)shown, (unsigned)sum);
    if (t->vocab > 0) {
        el_c_list_begin(&list, "int32_t", "test_inputs", T, 4);
        for (int64_t i = 0; i < T; ++i)
            el_c_put_integer(&list, t->ids[i]);
        el_c_list_end(&list);
    } else if (t->input > 0) {
        el_c_list_begin(&list, "float", "test_inputs", T * t->input, 4);
        for (int64_t i = 0; i < T * t->input; ++i)
            el_c_put_float(&list, t->x[i]);
        el_c_list_end(&list);
    }
    el_c_list_begin(&list, "uint32_t", "test_outputs", T * shown, 4);
    for (int64_t i = 0; i < T; ++i)
        for (int64_t j = 0; j < shown; ++j)
            el_c_put_bits(&list, bits_of(t->y[i * t->width + j]));
    el_c_list_end(&list);
    el_c_put(s, &s->code,
             t->vocab > 0 ? "#define TEST_STEP(t) $_step(&state, "
                            "test_inputs[t], y)\n\n"
             : t->input > 0
                 ? "#define TEST_STEP(t) $_step(&state, test_inputs + (t) * "
                   "@_INPUTS, y)\n\n"
                 : "#define TEST_STEP(t) $_step(&state, y)\n\n");
    el_c_put(s, &s->code, el_c_text_test);
    el_c_put(s, &s->code, el_c_text_main);
    el_c_put(s, &s->code, "#endif\n");
}

elman_status el_c_self_test(el_c_source *s)
{
    trial t = {.vocab = s->lm ? s->lm->classes : s->net->desc.vocab,
               .width = s->net->width};
    t.input = t.vocab > 0 ? 0 : s->net->stack.desc.input;
    elman_status status = ELMAN_ENOMEM;
    if ((t.x = el_alloc_array(s->context, t.input, T * sizeof *t.x)) &&
        (t.y = el_alloc_array(s->context, t.width, T * sizeof *t.y))) {
        draw(&t);
        status = s->lm ? run_lm(s, &t) : run_network(s, &t);
    }
    if (!status)
        put_trial(s, &t);
    el_free(s->context, t.x);
    el_free(s->context, t.y);
    return status;
}
