/* SPDX-License-Identifier: MIT */
#include "texts.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int open_text(const texts *t, const char *const *paths, int count,
                     const elman_vocab *vocab, elman_text **out)
{
    const recipe *c = t->recipe;
    elman_text_desc desc = ELMAN_TEXT_DESC;

    desc.paths = paths;
    desc.path_count = count;
    desc.level = (elman_level)c->level;
    desc.normalize = (elman_normalize)c->normalize;
    desc.vocab = vocab;
    desc.min_count = c->min_count;
    desc.vocab_size = c->vocab_size;
    if (paths == t->paths) {
        desc.max_tokens = c->max_tokens;
        desc.held_out = c->valid_fraction;
    }
    desc.progress = progress_read;
    desc.progress_user = t->progress;
    progress_reading(t->progress, t->silent);
    const elman_status status = elman_text_open(t->context, &desc, out);
    progress_end(t->progress);
    return status == ELMAN_OK ? DONE : complain_library();
}

int texts_open(texts *t, const elman_vocab *known)
{
    const char *valid = t->recipe->valid;
    const int count = t->args->operand_count;

    t->paths = malloc((size_t)count * sizeof *t->paths);
    if (t->paths == NULL)
        return complain("memory ran out");
    for (int i = 0; i < count; i++) {
        t->paths[i] = input_path(t->args->operands[i]);
        if (t->paths[i] == NULL)
            return FAILED;
    }
    if (open_text(t, t->paths, count, known, &t->text) != DONE)
        return FAILED;
    if (valid == NULL)
        return DONE;
    valid = input_path(valid);
    if (valid == NULL)
        return FAILED;
    return open_text(t, &valid, 1, elman_text_vocab(t->text), &t->valid);
}

static int same_vocab(const elman_vocab *a, const elman_vocab *b)
{
    const int64_t size = elman_vocab_size(a);
    int same = size == elman_vocab_size(b);

    for (int32_t i = 0; same && i < size; i++) {
        size_t m, n;
        const char *x = elman_vocab_token(a, i, &m);
        const char *y = elman_vocab_token(b, i, &n);
        same = m == n && memcmp(x, y, m) == 0;
    }
    return same;
}

int texts_check_vocab(const texts *t, const elman_vocab *vocab)
{
    const grammar *g = &recipe_grammar;
    elman_text *again = NULL;
    int status;

    if (!option_given(g, t->args, "min-count") &&
        !option_given(g, t->args, "vocab-size"))
        return DONE;
    status = open_text(t, t->paths, t->args->operand_count, NULL, &again);
    if (status == DONE && !same_vocab(vocab, elman_text_vocab(again)))
        status = complain("%s: has another vocabulary than the text with "
                          "--min-count %lld --vocab-size %lld",
                          t->recipe->resume, (long long)t->recipe->min_count,
                          (long long)t->recipe->vocab_size);
    elman_text_close(&again);
    return status;
}

int texts_judge_known(const texts *t)
{
    const int64_t unknown = elman_text_unknown(t->text);
    const int64_t tokens = elman_text_tokens(t->text);

    if (unknown == tokens)
        return complain("%s: not one of its tokens is in the vocabulary of %s",
                        t->args->operands[0], t->recipe->from);
    if (unknown > 0 && !t->recipe->quiet)
        fprintf(stderr,
                "%s of %s tokens are not in the model's vocabulary, and count "
                "as <unk>\n",
                grouped(unknown).text, grouped(tokens).text);
    return DONE;
}

int texts_judge_vocab(const texts *t)
{
    const elman_vocab *vocab = elman_text_vocab(t->text);

    if (elman_vocab_level(vocab) == ELMAN_BYTE)
        return DONE;
    if (elman_vocab_size(vocab) < 2)
        return complain("%s: every token would be <unk> (a smaller --min-count "
                        "or a larger --vocab-size keeps some)",
                        t->args->operands[0]);
    if (elman_vocab_level(vocab) == ELMAN_WORD &&
        elman_vocab_frequency(vocab, 0) == 0 && !t->recipe->quiet)
        fprintf(stderr,
                "every word has a place in the vocabulary, so that the model "
                "never meets <unk> and will not know what to make of unknown "
                "words (--min-count 2 mends that)\n");
    return DONE;
}

void texts_close(texts *t)
{
    elman_text_close(&t->valid);
    elman_text_close(&t->text);
    free(t->paths);
}
