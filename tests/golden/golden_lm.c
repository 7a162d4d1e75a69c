/* SPDX-License-Identifier: MIT */
/* golden_lm.c - one-hot -> recurrent -> linear: training and decoding. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkstemp */
#endif
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct model {
    int64_t V, H, L;
    elman_cell cell;
    elman_activation activation;
    elman_lm *lm;
} model;

/* ---- A vocabulary of V tokens, by way of a text that has them ------------*/

/* The code points from U+0100 on: two or three bytes each. */
static bool write_text(FILE *f, int64_t V)
{
    for (int64_t i = 1; i < V; ++i) {
        const long c = 0xff + (long)i;
        if (c < 0x800)
            fprintf(f, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 63)));
        else
            fprintf(f, "%c%c%c", (int)(0xe0 | c >> 12),
                    (int)(0x80 | (c >> 6 & 63)), (int)(0x80 | (c & 63)));
    }
    return !ferror(f);
}

static bool open_text(golden *g, int64_t V, elman_text **text)
{
    char path[1024];
    const char *const folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/elman-golden-XXXXXX",
             folder && *folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    FILE *const f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return golden_fail(g, "%s: no temporary file", path);
    }
    const bool written = write_text(f, V);
    if (fclose(f) != 0 || !written) {
        unlink(path);
        return golden_fail(g, "%s: could not be written", path);
    }
    const char *const paths[] = {path};
    elman_text_desc desc = ELMAN_TEXT_DESC;
    desc.paths = paths;
    desc.path_count = 1;
    const elman_status status = elman_text_open(g->context, &desc, text);
    unlink(path);
    return golden_called(g, "elman_text_open", status);
}

/* ---- The model -----------------------------------------------------------*/

static bool read_model(golden *g, model *m)
{
    const char *cell;
    m->L = 1;
    /* Below U+D800, where no code point is, there is room for 55,000. */
    if (!golden_word(g, "cell", &cell) ||
        !golden_int(g, "vocab", 2, 50000, &m->V) ||
        !golden_int(g, "hidden_size", 1, 1 << 20, &m->H) ||
        (elman_tensors_meta(g->file, "num_layers") &&
         !golden_int(g, "num_layers", 1, 4096, &m->L)))
        return false;
    m->cell = strcmp(cell, "lstm") == 0  ? ELMAN_CELL_LSTM
              : strcmp(cell, "gru") == 0 ? ELMAN_CELL_GRU
                                         : ELMAN_CELL_ELMAN;
    if (m->cell == ELMAN_CELL_ELMAN && strcmp(cell, "rnn_tanh") != 0 &&
        strcmp(cell, "rnn_relu") != 0)
        return golden_skip(g, "cell %.40s is not built yet", cell);
    m->activation = strcmp(cell, "rnn_relu") == 0 ? ELMAN_RELU : ELMAN_TANH;
    return true;
}

/* "init." and "decoder.weight" give "init.out.weight". */
static void tensor_name(const char *prefix, const elman_view *v, char *out,
                        size_t size)
{
    static const char ours[] = "decoder.";
    if (strncmp(v->name, ours, sizeof ours - 1) == 0)
        snprintf(out, size, "%sout.%s", prefix, v->name + sizeof ours - 1);
    else
        snprintf(out, size, "%s%s", prefix, v->name);
}

static char *at(const golden *g, const void *block, int64_t offset)
{
    return (char *)block + offset * (int64_t)elman_dtype_size(g->dtype);
}

/* All of it is there, in its shape, before a model is made of it. */
static bool has_weights(golden *g, const model *m, const char *prefix)
{
    const int64_t gates = m->cell == ELMAN_CELL_LSTM  ? 4
                          : m->cell == ELMAN_CELL_GRU ? 3
                                                      : 1;
    char name[96];
    for (int64_t i = 0; i < m->L; ++i) {
        snprintf(name, sizeof name, "%srnn.weight_hh_l%lld", prefix,
                 (long long)i);
        if (!golden_input(g, name, SHAPE(gates * m->H, m->H)))
            return false;
    }
    snprintf(name, sizeof name, "%sout.weight", prefix);
    return golden_input(g, name, SHAPE(m->V, m->H));
}

static bool load_weights(golden *g, const model *m, const char *prefix)
{
    char *const weights = elman_lm_weights_begin(m->lm);
    for (int i = 0; i < elman_lm_view_count(m->lm); ++i) {
        elman_view v;
        char name[96];
        if (!golden_called(g, "view", elman_lm_view(m->lm, i, &v)))
            return false;
        tensor_name(prefix, &v, name, sizeof name);
        const void *const from = golden_input(g, name, v.rank, v.shape);
        if (!from)
            return false;
        memcpy(at(g, weights, v.offset), from,
               (size_t)v.count * elman_dtype_size(g->dtype));
    }
    elman_lm_weights_end(m->lm);
    return true;
}

static bool make_model(golden *g, model *m, const char *prefix)
{
    elman_text *text;
    if (!has_weights(g, m, prefix) || !open_text(g, m->V, &text))
        return false;
    elman_lm_desc desc = ELMAN_LM_DESC;
    desc.cell = m->cell;
    desc.activation = m->activation;
    desc.dtype = g->dtype;
    desc.hidden = m->H;
    desc.layers = (int)m->L;
    const elman_status status =
        elman_lm_create(g->context, &desc, elman_text_vocab(text), &m->lm);
    elman_text_close(&text);
    return golden_called(g, "elman_lm_create", status) &&
           load_weights(g, m, prefix);
}

static bool check_block(golden *g, const model *m, const char *prefix,
                        const void *block, double tolerance)
{
    for (int i = 0; i < elman_lm_view_count(m->lm); ++i) {
        elman_view v;
        char name[96];
        if (!golden_called(g, "view", elman_lm_view(m->lm, i, &v)))
            return false;
        tensor_name(prefix, &v, name, sizeof name);
        if (!golden_close(g, name, v.rank, v.shape, at(g, block, v.offset),
                          tolerance))
            return false;
    }
    return true;
}

/* ---- Training -------------------------------------------------------------*/

typedef struct course {
    int64_t steps, T, B, carry;
    double lr;
    elman_optimizer_desc optimizer;
    const int32_t *x, *y; /* [steps,T,B] */
    elman_lm_tape *tape;
    elman_lm_state *state; /* NULL: not carried */
    elman_optimizer *o;
    void *grad;
    double *losses, *norms; /* [steps] */
} course;

static bool read_optimizer(golden *g, course *c)
{
    const char *name;
    double momentum, decay, clip;
    if (!golden_word(g, "optimizer", &name) || !golden_real(g, "lr", &c->lr) ||
        !golden_real(g, "clip_norm", &clip) ||
        !golden_real(g, "opt_momentum", &momentum) ||
        !golden_real(g, "opt_weight_decay", &decay))
        return false;
    c->optimizer = (elman_optimizer_desc)ELMAN_OPTIMIZER_DESC;
    c->optimizer.dtype = g->dtype;
    c->optimizer.clip = clip;
    c->optimizer.weight_decay = decay;
    if (strcmp(name, "sgd") == 0) {
        c->optimizer.kind = momentum != 0 ? ELMAN_MOMENTUM : ELMAN_SGD;
        c->optimizer.momentum = momentum;
    } else if (strcmp(name, "adam") == 0)
        c->optimizer.kind = ELMAN_ADAM;
    else if (strcmp(name, "adamw") == 0)
        c->optimizer.kind = ELMAN_ADAMW;
    else
        return golden_skip(g, "optimizer %.40s is not one of the format's",
                           name);
    return true;
}

static bool read_course(golden *g, course *c, const model *m)
{
    if (!golden_int(g, "steps", 1, 1 << 20, &c->steps) ||
        !golden_int(g, "seq_len", 1, 1 << 20, &c->T) ||
        !golden_int(g, "batch", 1, 1 << 20, &c->B) ||
        !golden_int(g, "carry_state", 0, 1, &c->carry) || !read_optimizer(g, c))
        return false;
    if (c->T * c->B > ((int64_t)1 << 28) / m->V)
        return golden_fail(g, "a batch of %lld tokens is too large to check",
                           (long long)(c->T * c->B));
    c->x = golden_ids(g, "x_ids", SHAPE(c->steps, c->T, c->B), m->V);
    c->y = golden_ids(g, "y_ids", SHAPE(c->steps, c->T, c->B), m->V);
    c->losses = golden_room(g, c->steps, sizeof *c->losses);
    c->norms = golden_room(g, c->steps, sizeof *c->norms);
    return c->x && c->y && c->losses && c->norms;
}

static bool make_course(golden *g, course *c, const model *m)
{
    const int64_t count = elman_lm_parameters(m->lm);
    c->grad = golden_reals(g, count);
    return c->grad &&
           golden_called(g, "elman_lm_tape_create",
                         elman_lm_tape_create(m->lm, c->T, c->B, &c->tape)) &&
           (!c->carry ||
            golden_called(g, "elman_lm_state_create",
                          elman_lm_state_create(m->lm, c->B, &c->state))) &&
           golden_called(
               g, "elman_optimizer_create",
               elman_optimizer_create(g->context, &c->optimizer, count, &c->o));
}

/* The mean loss of batch `step`. */
static bool forward(golden *g, course *c, const model *m, int64_t step,
                    elman_lm_state *state, double *loss)
{
    const int64_t count = c->T * c->B;
    elman_lm_batch batch = ELMAN_LM_BATCH;
    batch.steps = c->T;
    batch.batch = c->B;
    batch.ids = c->x + step * count;
    batch.targets = c->y + step * count;
    batch.scale = 1 / (double)count;
    int64_t kept;
    if (!golden_called(
            g, "elman_lm_forward",
            elman_lm_forward(m->lm, c->tape, &batch, state, loss, &kept)))
        return false;
    *loss /= (double)kept;
    return true;
}

static bool update(golden *g, course *c, const model *m, int64_t step)
{
    memset(c->grad, 0,
           (size_t)elman_lm_parameters(m->lm) * elman_dtype_size(g->dtype));
    if (!forward(g, c, m, step, c->state, &c->losses[step]) ||
        !golden_called(g, "elman_lm_backward",
                       elman_lm_backward(m->lm, c->tape, c->grad)))
        return false;
    if (step == 0 && !check_block(g, m, "first_grad.", c->grad,
                                  g->dtype == ELMAN_F64 ? 1e-10 : 2e-5))
        return false;
    const elman_status status = elman_optimizer_step(
        c->o, c->lr, elman_lm_weights_begin(m->lm), c->grad, &c->norms[step]);
    elman_lm_weights_end(m->lm);
    return golden_called(g, "elman_optimizer_step", status);
}

static bool train(golden *g, course *c, const model *m)
{
    for (int64_t step = 0; step < c->steps; ++step)
        if (!update(g, c, m, step))
            return false;
    const bool f64 = g->dtype == ELMAN_F64;
    const bool adam =
        c->optimizer.kind == ELMAN_ADAM || c->optimizer.kind == ELMAN_ADAMW;
    const double weights = f64 ? (adam ? 1e-8 : 1e-10) : (adam ? 5e-3 : 1e-5);
    double last;
    return golden_close_doubles(g, "losses", c->steps, c->losses,
                                f64 ? 1e-10 : 1e-6, true) &&
           golden_close_doubles(g, "grad_norms", c->steps, c->norms,
                                f64 ? 1e-10 : 2e-5, false) &&
           check_block(g, m, "final.", elman_lm_weights(m->lm), weights) &&
           forward(g, c, m, 0, NULL, &last) &&
           golden_close_doubles(g, "final_eval_loss", 1, &last,
                                f64 ? 1e-10 : 1e-6, true);
}

bool golden_trajectory(golden *g)
{
    model m = {0};
    course c = {0};
    const bool fine = read_model(g, &m) && read_course(g, &c, &m) &&
                      make_model(g, &m, "init.") && make_course(g, &c, &m) &&
                      train(g, &c, &m);
    elman_optimizer_destroy(&c.o);
    elman_lm_state_destroy(&c.state);
    elman_lm_tape_destroy(&c.tape);
    elman_lm_destroy(&m.lm);
    return fine;
}

/* ---- Decoding -------------------------------------------------------------*/

typedef struct sampling {
    const char *name, *logits; /* of the tensors of ids, and of their logits */
    elman_sampler sampler;
    const double *uniforms; /* [count]; NULL: greedy */
    int64_t prompt, count;
    const int32_t *prompt_ids; /* [prompt] */
    const int32_t *ids;        /* [count] */
} sampling;

static bool step(golden *g, const model *m, elman_lm_state *state, int32_t id,
                 void *logits)
{
    return golden_called(g, "elman_lm_step",
                         elman_lm_step(m->lm, state, &id, logits));
}

/* Rounds each weight once more, this way or that, as seed has it. */
static void perturb(const model *m, const double *exact, uint64_t seed)
{
    double *const w = elman_lm_weights_begin(m->lm);
    for (int64_t i = 0; i < elman_lm_parameters(m->lm); ++i) {
        const bool up = elman_random_uniform(seed, 0, (uint64_t)i) < 0.5f;
        w[i] = exact[i] * (up ? 1 + 0x1p-24 : 1 - 0x1p-24);
    }
    elman_lm_weights_end(m->lm);
}

/* The logits of the rows that the tensor has, its ids being given. */
static bool retrace(golden *g, const model *m, const sampling *s,
                    elman_lm_state *state, double *logits)
{
    elman_lm_state_zero(state);
    for (int64_t i = 0; i < s->prompt + s->count - 1; ++i) {
        const int64_t k = i - s->prompt + 1; /* the row that comes out */
        const int32_t id = k > 0 ? s->ids[k - 1] : s->prompt_ids[i];
        if (!step(g, m, state, id, logits + (k > 0 ? k : 0) * m->V))
            return false;
    }
    return true;
}

/* A recurrence that multiplies its own rounding says little about who computes
 * it: how far, in float64, do its logits move when each of its weights is
 * rounded to float32 once more?  The most that several tries give. */
static bool sensitivity(golden *g, const model *like, const sampling *s,
                        double *share)
{
    model m = *like;
    m.lm = NULL;
    elman_lm_state *state = NULL;
    const int64_t count = s->count * m.V;
    double *const exact = golden_room(g, count, sizeof *exact);
    double *const moved = golden_room(g, count, sizeof *moved);
    const elman_dtype dtype = g->dtype;
    g->dtype = ELMAN_F64;
    bool fine = exact && moved && make_model(g, &m, "param.") &&
                golden_called(g, "elman_lm_state_create",
                              elman_lm_state_create(m.lm, 1, &state)) &&
                retrace(g, &m, s, state, exact);
    double *const w = fine ? golden_reals(g, elman_lm_parameters(m.lm)) : NULL;
    if (w)
        memcpy(w, elman_lm_weights(m.lm),
               (size_t)elman_lm_parameters(m.lm) * sizeof *w);
    double largest = 0, most = 0;
    for (uint64_t seed = 0; w && fine && seed < 8; ++seed) {
        perturb(&m, w, seed);
        fine = retrace(g, &m, s, state, moved);
        for (int64_t i = 0; fine && i < count; ++i) {
            largest = fmax(largest, fabs(exact[i]));
            most = fmax(most, fabs(moved[i] - exact[i]));
        }
    }
    *share = most / largest;
    g->dtype = dtype;
    elman_lm_state_destroy(&state);
    elman_lm_destroy(&m.lm);
    return fine && w;
}

/* Runs freely: the choices are the tensor's, and the logits close to it. */
static bool continue_prompt(golden *g, const model *m, const sampling *s,
                            elman_lm_state *state, double tolerance)
{
    const int64_t V = m->V;
    void *const logits = golden_reals(g, (s->count + 1) * V);
    if (!logits)
        return false;
    for (int64_t i = 0; i < s->prompt; ++i)
        if (!step(g, m, state, s->prompt_ids[i], logits))
            return false;
    for (int64_t i = 0; i < s->count; ++i) {
        const void *const row = at(g, logits, i * V);
        int32_t id;
        if (!golden_called(g, "elman_lm_choose",
                           elman_lm_choose(m->lm, &s->sampler, row,
                                           s->uniforms ? s->uniforms[i] : 0,
                                           &id)))
            return false;
        if (id != s->ids[i])
            return golden_fail(g, "%s: element %lld is %d, not %d", s->name,
                               (long long)i, id, s->ids[i]);
        if (!step(g, m, state, id, at(g, logits, (i + 1) * V)))
            return false;
    }
    return golden_close(g, s->logits, SHAPE(s->count, V), logits, tolerance);
}

/* One step at a time, each from the state that float64 has come to: what the
 * step itself loses, and not what the recurrence makes of it later. */
static bool follow(golden *g, const model *m, const sampling *s,
                   elman_lm_state *state)
{
    const int64_t cells = (m->cell == ELMAN_CELL_LSTM ? 2 : 1) * m->L * m->H;
    model wide = *m;
    wide.lm = NULL;
    elman_lm_state *exact = NULL;
    float *const logits = golden_room(g, s->count * m->V, sizeof *logits);
    double *const h = golden_room(g, cells, sizeof *h);
    float *const rounded = golden_room(g, cells, sizeof *rounded);
    g->dtype = ELMAN_F64;
    bool fine = logits && h && rounded && make_model(g, &wide, "param.") &&
                golden_called(g, "elman_lm_state_create",
                              elman_lm_state_create(wide.lm, 1, &exact));
    g->dtype = ELMAN_F32;
    for (int64_t i = 0; fine && i < s->prompt + s->count - 1; ++i) {
        const int64_t k = i - s->prompt + 1; /* the row that comes out */
        const int32_t id = k > 0 ? s->ids[k - 1] : s->prompt_ids[i];
        elman_lm_state_read(exact, h);
        for (int64_t j = 0; j < cells; ++j)
            rounded[j] = (float)h[j];
        fine = golden_called(g, "elman_lm_state_write",
                             elman_lm_state_write(state, rounded)) &&
               step(g, m, state, id, logits + (k > 0 ? k : 0) * m->V) &&
               step(g, &wide, exact, id, NULL);
    }
    fine = fine && golden_close(g, s->logits, SHAPE(s->count, m->V), logits,
                                golden_usual(g));
    elman_lm_state_destroy(&exact);
    elman_lm_destroy(&wide.lm);
    return fine;
}

static bool check_sampling(golden *g, const model *m, sampling *s,
                           elman_lm_state *state)
{
    s->ids = golden_ids(g, s->name, SHAPE(s->count), m->V);
    if (!s->ids || !golden_input(g, s->logits, SHAPE(s->count, m->V)))
        return false;
    elman_lm_state_zero(state);
    if (g->dtype == ELMAN_F64)
        return continue_prompt(g, m, s, state, golden_usual(g));
    /* A step is held to the usual tolerance.  Over many steps a recurrence may
     * multiply its own rounding beyond that, whoever computes it: there the
     * bound is a few times what one more rounding of the weights does. */
    double share;
    if (!sensitivity(g, m, s, &share))
        return false;
    return continue_prompt(g, m, s, state, fmax(golden_usual(g), 4 * share)) &&
           follow(g, m, s, state);
}

/* The uniform numbers are the F64 ones in every pass. */
static const double *read_uniforms(golden *g, int64_t count)
{
    const elman_dtype dtype = g->dtype;
    g->dtype = ELMAN_F64;
    const double *const u = golden_input(g, "uniforms", SHAPE(count));
    g->dtype = dtype;
    return u;
}

static bool read_sampling(golden *g, const model *m, sampling *s)
{
    if (!golden_int(g, "prompt", 1, 1 << 20, &s->prompt) ||
        !golden_int(g, "count", 1, 1 << 20, &s->count) ||
        !golden_real(g, "temperature", &s->sampler.temperature))
        return false;
    s->name = "sampled_ids";
    s->logits = "sampled_logits";
    s->prompt_ids = golden_ids(g, "prompt_ids", SHAPE(s->prompt), m->V);
    return s->prompt_ids && (s->uniforms = read_uniforms(g, s->count));
}

bool golden_decode(golden *g)
{
    model m = {0};
    sampling drawn = {.sampler = ELMAN_SAMPLER};
    elman_lm_state *state = NULL;
    bool fine = read_model(g, &m) && read_sampling(g, &m, &drawn) &&
                make_model(g, &m, "param.") &&
                golden_called(g, "elman_lm_state_create",
                              elman_lm_state_create(m.lm, 1, &state));
    if (fine) {
        sampling greedy = drawn;
        greedy.name = "greedy_ids";
        greedy.logits = "greedy_logits";
        greedy.sampler.greedy = 1;
        greedy.uniforms = NULL;
        fine = check_sampling(g, &m, &greedy, state) &&
               check_sampling(g, &m, &drawn, state);
    }
    elman_lm_state_destroy(&state);
    elman_lm_destroy(&m.lm);
    return fine;
}
