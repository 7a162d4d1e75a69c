/* SPDX-License-Identifier: MIT */
#include "history.h"
#include "../io/buffer.h"
#include "../io/json.h"

#include <string.h>

/* Of a stranger's history no more is kept. */
enum { MOST_KEPT = 2048 };

/* ---- What came before -----------------------------------------------------*/

/* A value as it stands in the text, a string with its quotes. */
static void add_value(el_buffer *out, const el_json *json, const char *text,
                      int value)
{
    const bool quoted = el_json_type(json, value) == EL_JSON_STRING;
    size_t from = 0, size = 0;
    el_json_span(json, value, &from, &size);
    el_buffer_add(out, text + from - quoted, size + 2 * quoted);
}

static size_t size_of(const el_json *json, int value)
{
    size_t from = 0, size = 0;
    el_json_span(json, value, &from, &size);
    return size;
}

/* The members of an object that have none themselves. */
static void add_plain(el_buffer *out, const el_json *json, const char *text,
                      int object)
{
    const size_t start = out->size;
    for (int key = el_json_first_child(json, object); key >= 0;
         key = el_json_next_sibling(json, key)) {
        const int value = el_json_member_value(json, key);
        const enum el_json_type type = el_json_type(json, value);
        const size_t size = size_of(json, key) + size_of(json, value);
        if (type == EL_JSON_OBJECT || type == EL_JSON_ARRAY ||
            size > MOST_KEPT || out->size - start + size > MOST_KEPT)
            continue;
        el_buffer_format(out, out->size > start ? ", " : "");
        add_value(out, json, text, key);
        el_buffer_format(out, ": ");
        add_value(out, json, text, value);
    }
}

static int64_t runs_in(const el_json *json)
{
    int64_t runs;
    return el_json_int64(json, el_json_get(json, 0, "runs"), &runs) &&
                   runs >= 1 && runs < (int64_t)1 << 53
               ? runs
               : 1;
}

/* Until the model is saved its history is that of the model before it. */
static elman_status keep(elman_trainer *t, const el_json *json,
                         const char *text, int object, int64_t runs)
{
    el_buffer out = EL_BUFFER(t->context);
    elman_status s = ELMAN_ENOMEM;
    el_buffer_format(&out, "{\"runs\": %lld, \"from\": {", (long long)runs);
    if (json)
        add_plain(&out, json, text, object);
    el_buffer_format(&out, "}}");
    if (!out.failed && (t->origin = el_strdup(t->context, out.data)))
        s = el_lm_set_history(t->lm, t->origin);
    else if (out.failed)
        s = el_no_memory();
    el_buffer_free(&out);
    return s;
}

elman_status el_history_follow(elman_trainer *t, const char *history)
{
    el_json *json;
    if (!history[0])
        return keep(t, NULL, history, -1, 1);
    elman_status s = el_json_parse(t->context, history, strlen(history), &json);
    if (s)
        return s;
    s = keep(t, json, history, 0, 1 + runs_in(json));
    el_json_free(t->context, json);
    return s;
}

elman_status el_history_recall(elman_trainer *t, const char *history)
{
    el_json *json;
    elman_status s = el_json_parse(t->context, history, strlen(history), &json);
    if (s)
        return s;
    const int from = el_json_get(json, 0, "from");
    if (el_json_type(json, from) == EL_JSON_OBJECT)
        s = keep(t, json, history, from, runs_in(json));
    el_json_free(t->context, json);
    return s;
}

/* ---- What this run was ----------------------------------------------------*/

static void add_number(el_buffer *out, const char *key, double value)
{
    if (value != value)
        el_buffer_format(out, ", \"%s\": null", key);
    else
        el_buffer_format(out, ", \"%s\": %.9g", key, value);
}

elman_status el_trainer_note(elman_trainer *t)
{
    static const char *const optimizers[] = {"sgd", "momentum", "adam", "adamw",
                                             "rmsprop"};
    const elman_train_desc *const d = &t->desc;
    el_buffer json = EL_BUFFER(t->context);
    el_buffer_format(&json, "{\"updates\": %lld, \"tokens\": %lld",
                     (long long)t->counters.update,
                     (long long)t->counters.tokens);
    el_buffer_format(&json, ", \"epoch_updates\": %lld",
                     (long long)el_truncation_epoch_updates(t));
    el_buffer_format(&json, ", \"batch\": %lld, \"steps\": %lld",
                     (long long)d->batch, (long long)t->truncation.steps);
    el_buffer_format(&json, ", \"sampling\": \"%s\", \"loss\": \"%s\"",
                     d->sampling == ELMAN_RANDOM ? "random" : "sequential",
                     d->loss == ELMAN_SUM ? "sum" : "mean");
    el_buffer_format(&json, ", \"optimizer\": \"%s\"",
                     optimizers[d->optimizer.kind]);
    if (d->truncation == ELMAN_TRUNCATION_NONE)
        el_buffer_format(&json, ", \"truncation\": \"none\"");
    if (d->truncation == ELMAN_TRUNCATION_RANDOM) {
        el_buffer_format(&json, ", \"truncation\": \"random\"");
        add_number(&json, "cut", d->cut);
    }
    if (d->back > d->steps)
        el_buffer_format(&json, ", \"back\": %lld", (long long)d->back);
    add_number(&json, "lr", d->schedule.lr);
    add_number(&json, "clip", d->optimizer.clip);
    if (d->model.dropout > 0)
        add_number(&json, d->model.locked ? "locked_dropout" : "dropout",
                   d->model.dropout);
    if (d->model.weight_drop > 0)
        add_number(&json, "weight_drop", d->model.weight_drop);
    if (d->average > 0)
        add_number(&json, "average", d->average);
    if (d->shards > 1)
        el_buffer_format(&json, ", \"shards\": %lld", (long long)d->shards);
    el_buffer_format(&json, ", \"seed\": %llu", (unsigned long long)d->seed);
    add_number(&json, "epoch_loss",
               t->sums.epoch_nats / (double)t->counters.epoch_tokens);
    if (t->valid_count > 0) {
        const int64_t update = t->counters.update;
        const int64_t end =
            1 + (update > 0 ? el_truncation_place(t, update - 1).epoch : 0);
        add_number(&json, "best_valid_loss",
                   el_trainer_ends_best(t) ? t->end_loss : t->sums.best_loss);
        el_buffer_format(&json, ", \"best_epoch\": %lld",
                         (long long)(el_trainer_ends_best(t)
                                         ? end
                                         : t->counters.best_epoch));
    }
    /* Its members follow those of this run. */
    if (t->origin)
        el_buffer_format(&json, ", %s", t->origin + 1);
    else
        el_buffer_add(&json, "}", 1);
    const elman_status s =
        json.failed ? el_no_memory() : el_lm_set_history(t->lm, json.data);
    el_buffer_free(&json);
    return s;
}
