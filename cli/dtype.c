/* SPDX-License-Identifier: MIT */
#include "dtype.h"
#include "cli.h"

#include <string.h>

static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16,
                                     ELMAN_INT8};
static const char *const names[] = {"f32", "f64", "bf16", "int8"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

elman_dtype dtype_chosen(int choice)
{
    return dtypes[choice];
}

int dtype_choice(elman_dtype dtype)
{
    int choice = 0;

    while (choice < DTYPES - 1 && dtypes[choice] != dtype)
        choice++;
    return choice;
}

const char *dtype_name(elman_dtype dtype)
{
    return names[dtype_choice(dtype)];
}

elman_dtype dtype_stored(elman_dtype dtype)
{
    return dtype == ELMAN_BF16 || dtype == ELMAN_INT8 ? ELMAN_F32 : dtype;
}

void dtype_cast(const void *from, elman_dtype from_type, void *to,
                elman_dtype to_type, int64_t count)
{
    if ((from_type == ELMAN_F64) == (to_type == ELMAN_F64))
        memcpy(to, from, (size_t)count * elman_dtype_size(to_type));
    else if (to_type == ELMAN_F64)
        for (int64_t i = 0; i < count; i++)
            ((double *)to)[i] = ((const float *)from)[i];
    else
        for (int64_t i = 0; i < count; i++)
            ((float *)to)[i] = (float)((const double *)from)[i];
}

double dtype_number_at(const elman_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case ELMAN_F32:
    case ELMAN_BF16:
    case ELMAN_INT8: /* as in memory */
        return (double)((const float *)t->data)[i];
    case ELMAN_F64:
        return ((const double *)t->data)[i];
    case ELMAN_I64:
        return (double)((const int64_t *)t->data)[i];
    case ELMAN_I32:
        return ((const int32_t *)t->data)[i];
    case ELMAN_U8:
        return ((const uint8_t *)t->data)[i];
    case ELMAN_I8:
        return ((const int8_t *)t->data)[i];
    case ELMAN_DTYPE_OWN:
        break;
    }
    return 0;
}

static int remake_lm(elman_dtype dtype, elman_lm **lm)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_lm *to;

    elman_lm_describe(*lm, &desc);
    if (desc.dtype == dtype)
        return DONE;
    if (elman_lm_convert(*lm, dtype, &to) != ELMAN_OK)
        return complain_library();
    elman_lm_destroy(lm);
    *lm = to;
    return DONE;
}

static int remake_network(elman_dtype dtype, elman_network **network)
{
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_network *to;

    elman_network_describe(*network, &desc);
    if (desc.rnn.dtype == dtype)
        return DONE;
    if (elman_network_convert(*network, dtype, &to) != ELMAN_OK)
        return complain_library();
    elman_network_destroy(network);
    *network = to;
    return DONE;
}

int dtype_remake(elman_dtype dtype, elman_lm **lm, elman_network **network)
{
    return lm != NULL && *lm != NULL ? remake_lm(dtype, lm)
                                     : remake_network(dtype, network);
}

static elman_dtype loaded(int choice)
{
    return choice < 0 ? ELMAN_DTYPE_OWN : dtype_chosen(choice);
}

int dtype_load_lm(elman_context *context, const char *path, int choice,
                  elman_lm **lm)
{
    return elman_lm_load_inference(context, path, loaded(choice), lm) ==
                   ELMAN_OK
               ? DONE
               : complain_library();
}

int dtype_load_network(elman_context *context, const char *path, int choice,
                       elman_network **network)
{
    return elman_network_load_inference(context, path, loaded(choice),
                                        network) == ELMAN_OK
               ? DONE
               : complain_library();
}
