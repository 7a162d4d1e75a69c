/* SPDX-License-Identifier: MIT */
/* c_source.h - a model as one C99 file and its header.
 *
 * The source is the text of c_source_text.c, in which names are put in, around
 * the weights as constants.  What it computes is what the library computes with
 * weights that were rounded (el_c_rounded_network), and that is what its
 * self-test compares with. */
#ifndef EL_C_SOURCE_H
#define EL_C_SOURCE_H

#include "../io/buffer.h"
#include "../model/lm.h"

/* Copies whose weights are what a file with such constants holds. */
elman_status el_c_rounded_network(const elman_network *network,
                                  elman_c_weights to, elman_network **out);
elman_status el_c_rounded_lm(const elman_lm *lm, elman_c_weights to,
                             elman_lm **out);

/* Writes path, which ends in ".c", and the header beside it; desc has been
 * checked but for its name.  One of lm and network is NULL. */
elman_status el_c_write(const elman_lm *lm, const elman_network *network,
                        const elman_c_desc *desc, const char *path);

/* ---- Numbers (c_source_numbers.c) -----------------------------------------*/

/* To nearest, ties to even, and the largest one where that would overflow. */
uint16_t el_c_bfloat16(float value);
float el_c_from_bfloat16(uint16_t bits);
/* Rounds the matrices of a flat block in place; integers of a byte are those of
 * kernels/int8.h. */
void el_c_round(const el_views *views, elman_c_weights to, float *weights);

/* Lists of constants, so many on a line as there is room for. */
typedef struct el_c_list {
    el_buffer *out;
    int column;
    int64_t bytes;  /* of the constants so far, when compiled */
    bool no_number; /* one of them was infinite or NaN */
} el_c_list;

/* "static const TYPE NAME[COUNT] = {"; size is that of an element. */
void el_c_list_begin(el_c_list *list, const char *type, const char *name,
                     int64_t count, int64_t size);
void el_c_list_end(el_c_list *list);
/* Exact, in hexadecimal: no locale and no rounding of a compiler's is in it. */
void el_c_put_float(el_c_list *list, float value);
void el_c_put_integer(el_c_list *list, int64_t value);
void el_c_put_bits(el_c_list *list, uint32_t value);

/* ---- The file -------------------------------------------------------------*/

enum { EL_C_PANEL = 8, EL_C_TEST_STEPS = 12, EL_C_TEST_SHOWN = 8 };

/* What is being written. */
typedef struct el_c_source {
    const elman_context *context;
    const elman_network *net; /* with rounded weights, and */
    const float *flat;        /* the flat block of them, and of it what is */
    void *own;                /* to be freed */
    const elman_lm *lm;       /* NULL: a network alone */
    elman_c_weights weights;
    const char *remark;    /* NULL: none */
    char *file;            /* the header's name, without its folder */
    char *name, *upper;    /* what stands before every name */
    el_buffer header, top; /* the header's text; what comes before the */
    el_buffer data, code;  /* weights, they, and what comes behind them */
    el_c_list list;        /* in data */
} el_c_source;

/* Adds text, "$" being the name, "@" the name in capitals. */
void el_c_put(const el_c_source *s, el_buffer *out, const char *text);

/* c_source_weights.c: all constants, and their places in the code. */
elman_status el_c_weights(el_c_source *s);
/* c_source_step.c: the state, one step, and what a language model has more. */
void el_c_state(el_c_source *s);
void el_c_step(el_c_source *s);
elman_status el_c_vocabulary(el_c_source *s);
/* Numbers of the parts of a state that are worked in. */
int64_t el_c_work(const el_c_source *s);
/* Numbers that a step's input is put together in; 0 where it is there as it
 * is. */
int64_t el_c_gathered(const el_c_source *s);
/* c_source_test.c: inputs, and what the library makes of them. */
elman_status el_c_self_test(el_c_source *s);

/* ---- The texts (c_source_text.c) ------------------------------------------*/

extern const char el_c_text_top[], el_c_text_header_top[],
    el_c_text_header_end[];
extern const char el_c_text_arithmetic[], el_c_text_reduced[], el_c_text_exp[],
    el_c_text_tanh[], el_c_text_sigmoid[];
extern const char el_c_text_value_f32[], el_c_text_value_bfloat16[],
    el_c_text_value_int8[], el_c_text_product[], el_c_text_product_int8[],
    el_c_text_rows[], el_c_text_rows_int8[], el_c_text_column[],
    el_c_text_column_int8[];
extern const char el_c_text_lstm[], el_c_text_gru_after[],
    el_c_text_gru_before[];
extern const char el_c_text_tokens[], el_c_text_choose[];
extern const char el_c_text_test[], el_c_text_main[];

#endif
