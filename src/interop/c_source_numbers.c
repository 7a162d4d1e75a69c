/* SPDX-License-Identifier: MIT */
/* c_source_numbers.c - weights of fewer bits, and constants in C. */
#include "c_source.h"

#include <stdio.h>
#include <string.h>

/* ---- Fewer bits -----------------------------------------------------------*/

uint16_t el_c_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
    if ((rounded & 0x7f800000) == 0x7f800000)
        return (uint16_t)((bits >> 16 & 0x8000) | 0x7f7f);
    return (uint16_t)(rounded >> 16);
}

float el_c_from_bfloat16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

void el_c_round(const el_views *views, elman_c_weights to, float *weights)
{
    if (to == ELMAN_C_INT8)
        el_views_round(views, weights);
    for (int v = 0; to == ELMAN_C_BFLOAT16 && v < views->count; ++v) {
        const elman_view *const view = &views->list[v];
        float *const w = weights + view->offset;
        for (int64_t i = 0; view->rank == 2 && i < view->count; ++i)
            w[i] = el_c_from_bfloat16(el_c_bfloat16(w[i]));
    }
}

/* ---- Constants ------------------------------------------------------------*/

enum { LINE = 76 };

static void put(el_c_list *list, const char *number, int size)
{
    if (list->column + size + 1 > LINE) {
        el_buffer_add(list->out, "\n", 1);
        list->column = 0;
    }
    el_buffer_add(list->out, number, (size_t)size);
    el_buffer_add(list->out, ",", 1);
    list->column += size + 1;
}

void el_c_list_begin(el_c_list *list, const char *type, const char *name,
                     int64_t count, int64_t size)
{
    el_buffer_format(list->out, "static const %s %s[%lld] = {\n", type, name,
                     (long long)count);
    list->column = 0;
    list->bytes += count * size;
}

void el_c_list_end(el_c_list *list)
{
    static const char end[] = "\n};\n";
    el_buffer_add(list->out, end, sizeof end - 1);
}

/* m 2^e, m without zeros at its end. */
void el_c_put_float(el_c_list *list, float value)
{
    char text[32];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t biased = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    uint32_t m = biased ? fraction | 0x800000 : fraction;
    int e = (biased ? (int)biased : 1) - 150;
    list->no_number = list->no_number || biased == 0xff;
    for (; m != 0 && m % 2 == 0; m /= 2)
        ++e;
    const char *const sign = bits >> 31 ? "-" : "";
    const int size = m == 0 ? snprintf(text, sizeof text, "%s0.f", sign)
                            : snprintf(text, sizeof text, "%s0x%xp%df", sign,
                                       (unsigned)m, e);
    put(list, text, size);
}

void el_c_put_integer(el_c_list *list, int64_t value)
{
    char text[32];
    put(list, text, snprintf(text, sizeof text, "%lld", (long long)value));
}

void el_c_put_bits(el_c_list *list, uint32_t value)
{
    char text[32];
    put(list, text, snprintf(text, sizeof text, "0x%xu", (unsigned)value));
}
