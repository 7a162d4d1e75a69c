/* SPDX-License-Identifier: MIT */
/* convert_c.c - `elman convert`, to weights of fewer bits: as C source, which
 * says what that costs, or as a model file. */
#include "convert.h"

#include "dtype.h"

static const char *const kinds[] = {[ELMAN_C_F32] = "float32",
                                    [ELMAN_C_BFLOAT16] = "bfloat16",
                                    [ELMAN_C_INT8] = "int8"};

static void rounded_free(rounded *r)
{
    elman_lm_destroy(&r->lm);
    elman_network_destroy(&r->network);
}

static void print_said(const rounded *r)
{
    const convert_options *const o = &r->c->options;

    if (!o->quiet && r->said[0] != '\0')
        printf("%s: weights of %s.  %s\n", r->c->to, kinds[o->weights],
               r->said);
}

/* ---- C source ------------------------------------------------------------*/

static int measure_c(rounded *r)
{
    const conversion *const c = r->c;
    const elman_c_weights weights = (elman_c_weights)c->options.weights;

    if (c->options.measure == NULL)
        return DONE;
    const elman_status s =
        c->lm != NULL ? elman_lm_rounded(c->lm, weights, &r->lm)
                      : elman_network_rounded(c->network, weights, &r->network);
    if (s != ELMAN_OK)
        return complain("%s: %s", c->to, elman_message());
    return measure_rounded(r);
}

int write_c(conversion *c)
{
    rounded r = {.c = c};
    elman_c_desc desc = ELMAN_C_DESC;
    int status = DONE;

    if (model_dtype(c) == ELMAN_INT8)
        status = dtype_remake(ELMAN_F32, &c->lm, &c->network);
    if (status == DONE)
        status = measure_c(&r);
    desc.name = c->options.name;
    desc.weights = (elman_c_weights)c->options.weights;
    desc.remark = r.said[0] != '\0' ? r.said : NULL;
    if (status == DONE &&
        elman_c_write(c->lm, c->network, &desc, c->to) != ELMAN_OK)
        status = complain_library();
    if (status == DONE)
        print_said(&r);
    rounded_free(&r);
    return status;
}

/* ---- A model file --------------------------------------------------------*/

/* The model becomes one whose weights are bytes, and what that costs is
 * measured. */
static int round_model(conversion *c)
{
    rounded r = {.c = c};
    int status = DONE;

    if (model_dtype(c) != ELMAN_F32)
        status = dtype_remake(ELMAN_F32, &c->lm, &c->network);
    if (status == DONE && c->options.measure != NULL) {
        const elman_status s =
            c->lm != NULL
                ? elman_lm_convert(c->lm, ELMAN_INT8, &r.lm)
                : elman_network_convert(c->network, ELMAN_INT8, &r.network);
        status = s == ELMAN_OK ? measure_rounded(&r) : complain_library();
    }
    if (status == DONE)
        print_said(&r);
    rounded_free(&r);
    return status == DONE ? dtype_remake(ELMAN_INT8, &c->lm, &c->network)
                          : status;
}

int write_safetensors(conversion *c)
{
    const convert_options *const o = &c->options;
    int status = DONE;

    if (o->weights == ELMAN_C_INT8)
        status = round_model(c);
    else if (o->has_weights && model_dtype(c) == ELMAN_INT8)
        status = dtype_remake(ELMAN_F32, &c->lm, &c->network);
    if (status != DONE)
        return status;
    const elman_status s = c->lm != NULL
                               ? elman_lm_save(c->lm, c->to)
                               : elman_network_save(c->network, c->to);
    return s == ELMAN_OK ? DONE : complain_library();
}

/* ---- The options ---------------------------------------------------------*/

int check_weights(const convert_options *o, int is_c, int is_model)
{
    if (!is_c && !is_model && (o->has_weights || o->measure != NULL))
        return complain_usage("convert", "%s is of OUT.c or OUT.safetensors",
                              o->has_weights ? "--weights" : "--measure");
    if (!is_c && o->name != NULL)
        return complain_usage("convert", "--name is of OUT.c alone");
    if (is_model && o->weights == ELMAN_C_BFLOAT16)
        return complain_usage("convert", "--weights bfloat16 is of OUT.c alone "
                                         "(OUT.safetensors has float32 or "
                                         "int8)");
    if (is_model && o->weights == ELMAN_C_INT8 && o->has_dtype && o->dtype != 0)
        return complain_usage(
            "convert", "--dtype %s and --weights int8 do not go together",
            dtype_name(dtype_chosen(o->dtype)));
    if (o->measure != NULL && o->weights == ELMAN_C_F32)
        return complain_usage("convert", "--measure goes with --weights "
                                         "bfloat16 or int8 (float32 loses "
                                         "nothing)");
    return DONE;
}
