/* SPDX-License-Identifier: MIT */
/* recipe_desc.c - the options of `elman train`, to the library's descriptors
 * and back from those of a checkpoint or a model. */
#include "recipe.h"

#include "cli.h"
#include "dtype.h"

void recipe_describe(const recipe *r, elman_train_desc *out)
{
    *out = (elman_train_desc)ELMAN_TRAIN_DESC;
    out->model.cell = (elman_cell)r->cell;
    out->model.activation = (elman_activation)r->activation;
    out->model.dtype = dtype_chosen(r->dtype);
    out->model.hidden = r->hidden;
    out->model.layers = (int)r->layers;
    out->model.embed = r->embed;
    out->model.proj = r->proj;
    out->model.reset_before = r->reset;
    out->model.tie = r->tie;
    out->model.dropout = r->dropout;
    out->model.locked = r->locked;
    out->model.weight_drop = r->weight_drop;
    if (r->cell == ELMAN_CELL_NONE)
        out->model.context = r->context;

    out->optimizer.kind = (elman_optimizer_kind)r->optimizer;
    out->optimizer.dtype = dtype_chosen(r->dtype);
    out->optimizer.momentum = r->momentum;
    out->optimizer.weight_decay = r->weight_decay;
    out->optimizer.clip = r->clip;

    out->schedule.kind = (elman_schedule_kind)r->schedule;
    out->schedule.lr = r->lr;
    if (r->schedule == ELMAN_STEP) {
        out->schedule.gamma = r->gamma;
        out->schedule.every = r->every;
    } else if (r->schedule == ELMAN_COSINE) {
        out->schedule.warmup = r->warmup;
        out->schedule.floor = r->floor;
    } else if (r->schedule == ELMAN_HALVE) {
        out->schedule.patience = r->patience;
    }

    out->loss = (elman_reduction)r->loss;
    out->sampling = (elman_sampling)r->sampling;
    out->batch = r->batch;
    out->shards = r->shards;
    out->steps = r->steps;
    out->truncation = (elman_truncation)r->truncation;
    out->back = r->back;
    out->cut = r->cut;
    out->epochs = r->epochs;
    out->updates = r->updates;
    out->seed = (uint64_t)r->seed;
    out->valid_fraction = r->valid_fraction;
    out->stop_after = r->stop_after;
    out->average = r->average;
    out->on_nonfinite = (elman_nonfinite)r->on_nonfinite;
    out->memory = r->memory;
}

/* The inverse, of what a model is: its tokens and its network. */
static void understand_model(recipe *r, const elman_lm_desc *d,
                             const elman_vocab *vocab)
{
    r->level = (int)elman_vocab_level(vocab);
    r->normalize = (int)elman_vocab_normalize(vocab);

    r->cell = (int)d->cell;
    r->activation = (int)d->activation;
    r->dtype = dtype_choice(d->dtype);
    r->hidden = d->hidden;
    r->layers = d->layers > 0 ? d->layers : 1;
    r->embed = d->embed;
    r->proj = d->proj;
    r->reset = d->reset_before;
    r->tie = d->tie;
    if (r->cell == ELMAN_CELL_NONE)
        r->context = d->context;
}

/* And of all that a checkpoint holds. */
static void understand(recipe *r, const elman_train_desc *d,
                       const elman_vocab *vocab)
{
    understand_model(r, &d->model, vocab);
    r->dropout = d->model.dropout;
    r->locked = d->model.locked;
    r->weight_drop = d->model.weight_drop;

    r->optimizer = (int)d->optimizer.kind;
    r->momentum = d->optimizer.momentum;
    r->weight_decay = d->optimizer.weight_decay;
    r->clip = d->optimizer.clip;

    r->schedule = (int)d->schedule.kind;
    r->lr = d->schedule.lr;
    if (r->schedule == ELMAN_STEP) {
        r->gamma = d->schedule.gamma;
        r->every = d->schedule.every;
    } else if (r->schedule == ELMAN_COSINE) {
        r->warmup = d->schedule.warmup;
        r->floor = d->schedule.floor;
    } else if (r->schedule == ELMAN_HALVE) {
        r->patience = d->schedule.patience;
    }

    r->loss = (int)d->loss;
    r->sampling = (int)d->sampling;
    r->batch = d->batch;
    r->shards = d->shards;
    r->steps = d->steps;
    r->truncation = (int)d->truncation;
    r->back = d->back;
    r->cut = d->cut;
    r->epochs = d->epochs;
    r->updates = d->updates;
    r->seed = (int64_t)d->seed;
    r->valid_fraction = d->valid_fraction;
    r->stop_after = d->stop_after;
    r->average = d->average;
    r->on_nonfinite = (int)d->on_nonfinite;
}

int recipe_recall(recipe *r, const arguments *a, const char *file,
                  const elman_train_desc *desc, const elman_vocab *vocab)
{
    const grammar *g = &recipe_grammar;
    recipe kept = *r;

    understand(&kept, desc, vocab);
    for (int i = 0; i < g->option_count; i++) {
        const option *o = &g->options[i];
        char now[64], then[64];

        if (o->memory == MEMORY_NONE)
            continue;
        if (!a->given[i])
            option_copy(o, r, &kept);
        else if (o->memory == MEMORY_FIXED && !option_equal(o, r, &kept)) {
            option_show(o, r, now, sizeof now);
            option_show(o, &kept, then, sizeof then);
            return complain("%s: has %s, which cannot become %s", file, then,
                            now);
        }
    }
    /* As in a new run, updates alone are the only limit. */
    if (option_given(g, a, "updates") && !option_given(g, a, "epochs") &&
        kept.updates == 0)
        r->epochs = 0;
    return recipe_check(r, a);
}

int recipe_adopt(recipe *r, const arguments *a, const char *file,
                 const elman_lm *lm)
{
    const grammar *g = &recipe_grammar;
    const int dtype = r->dtype;
    elman_lm_desc desc = ELMAN_LM_DESC;

    elman_lm_describe(lm, &desc);
    if (desc.dtype == ELMAN_INT8)
        return complain("%s: has weights of a byte, which do not train (elman "
                        "convert --dtype f32 makes floats of them)",
                        file);
    understand_model(r, &desc, elman_lm_vocab(lm));
    if (option_given(g, a, "dtype"))
        r->dtype = dtype;
    return recipe_settle(r, a);
}
