/* SPDX-License-Identifier: MIT */
#include "letters.h"
#include "expect.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void letters_write(const char *path, draw *d, int letters, int64_t count)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    int64_t last = 0;
    for (int64_t i = 0; i < count; ++i) {
        const bool follows = i >= letters && draw_below(d, 4) > 0;
        last = i < letters ? i
               : follows   ? (3 * last + 1) % letters
                           : draw_below(d, letters);
        fputc('a' + (int)last, file);
    }
    assert_int_equal(fclose(file), 0);
}

elman_text *letters_open(elman_context *context, const char *path,
                         const elman_vocab *vocab)
{
    const char *const paths[] = {path};
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 1;
    desc.vocab = vocab;
    elman_text *text;
    must(elman_text_open(context, &desc, &text));
    return text;
}

elman_lm *letters_lm(elman_context *context, const elman_lm_desc *desc,
                     int letters)
{
    draw d = {.stream = 1000};
    letters_write("letters.txt", &d, letters, letters);
    elman_text *text = letters_open(context, "letters.txt", NULL);
    elman_lm *lm;
    must(elman_lm_create(context, desc, elman_text_vocab(text), &lm));
    elman_text_close(&text);
    elman_lm_init(lm, 5);
    return lm;
}

elman_lm_desc letters_draw_desc(draw *d)
{
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.activation = draw_below(d, 2) ? ELMAN_RELU : ELMAN_TANH;
    desc.hidden = 1 + draw_below(d, 40);
    desc.embed = draw_below(d, 2) ? 1 + draw_below(d, 9) : 0;
    if (draw_below(d, 2)) {
        desc.cell = ELMAN_CELL_NONE;
        desc.context = 1 + draw_below(d, 4);
    } else
        desc.layers = 1 + (int)draw_below(d, 3);
    return desc;
}

const char *letters_name(const elman_lm_desc *desc)
{
    static char name[128];
    snprintf(name, sizeof name, "%s %s, H %lld L %d E %lld n %lld",
             desc->cell == ELMAN_CELL_NONE ? "none" : "elman",
             desc->activation == ELMAN_RELU ? "relu" : "tanh",
             (long long)desc->hidden, desc->layers, (long long)desc->embed,
             (long long)desc->context);
    return name;
}

int32_t *letters_ids(draw *d, int64_t count, int64_t classes, bool ignore)
{
    int32_t *const ids = scratch(count, sizeof *ids);
    for (int64_t i = 0; i < count; ++i)
        ids[i] = ignore && draw_below(d, 5) == 0
                     ? ELMAN_IGNORE
                     : (int32_t)draw_below(d, classes);
    return ids;
}
