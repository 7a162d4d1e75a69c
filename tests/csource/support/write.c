/* SPDX-License-Identifier: MIT */
/* write.c - model.c writes 60 tokens, the likeliest each, from where a line
 * begins, in the way of `elman sample --greedy`; then it is asked to draw. */
#include "model.h"

#include <stdio.h>
#include <string.h>

static int is_token(int32_t id, const char *bytes)
{
    int32_t size;
    const char *const token = model_token(id, &size);
    return size == (int32_t)strlen(bytes) &&
           memcmp(token, bytes, (size_t)size) == 0;
}

static int32_t first_token(void)
{
    int32_t id = model_find("\n", 1);
    if (!is_token(id, "\n"))
        id = model_find("<eos>", 5);
    return id;
}

/* Every token must come at some number, in their order. */
static int draws_well(const float *logits)
{
    int32_t last = 0, id = 0;
    int i;
    for (i = 0; i < 4096; ++i) {
        id = model_choose(logits, 2, (float)i / 4096);
        if (id < last || is_token(id, "<unk>"))
            return 0;
        last = id;
    }
    return model_choose(logits, 1e-6f, 0.5f) == model_choose(logits, 0, 0);
}

int main(void)
{
    static model_state state;
    static float logits[MODEL_OUTPUTS];
    int32_t id = first_token(), size = 0;
    int i, written = 0, words = is_token(id, "<eos>");
    const char *token;
    model_init(&state);
    for (i = 0; i < 60; ++i) {
        id = model_sample(&state, id, 0, 0, logits);
        token = model_token(id, &size);
        if (words && is_token(id, "<eos>")) {
            token = "\n";
            size = 1;
        } else if (words && written) {
            putchar(' ');
        }
        fwrite(token, 1, (size_t)size, stdout);
        written = token[size - 1] != '\n';
    }
    if (written)
        putchar('\n');
    return !draws_well(logits) || model_find("no such token", 13) != 0;
}
