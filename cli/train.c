/* SPDX-License-Identifier: MIT */
/* train.c - `elman train`: texts in, a model file out. */
#include "cli.h"
#include "progress.h"
#include "recipe.h"
#include "runlog.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct run {
    int argc;
    char **argv; /* as typed, for the command that goes on */
    recipe recipe;
    arguments args;
    const char **texts; /* paths to open */
    char *checkpoint;   /* where a checkpoint goes, asked for or not */

    elman_context *context;
    elman_vocab *vocab; /* the checkpoint's; NULL for a new run */
    elman_text *text, *valid;
    elman_trainer *trainer;
    runlog log;
    progress progress;

    int64_t mark; /* length of the log, from the checkpoint; -1: a new run */
    int64_t kept_update; /* the last one that a checkpoint holds */
    elman_train_report last;
} run;

/* ---- Ctrl-C --------------------------------------------------------------*/

static volatile sig_atomic_t interrupted;

/* The first signal asks for an end; the next one finds the default action. */
static void on_signal(int number)
{
    interrupted = number;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void catch_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* ---- Before an hour is spent ---------------------------------------------*/

/* A path that is to be written, later on, must look as if it could be. */
static int check_place(const char *path)
{
    struct stat info;
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const size_t size = slash == NULL ? 0 : (size_t)(slash - path);

    if (strcmp(path, "-") == 0)
        return DONE;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return complain("%s: is a folder (name a file in it)", path);
        if (!S_ISREG(info.st_mode))
            return access(path, W_OK) == 0
                       ? DONE
                       : complain("%s: cannot be written: %s", path,
                                  strerror(errno));
    }
    if (size + 2 > sizeof folder)
        return complain("%s: the path is too long", path);
    memcpy(folder, path, size);
    memcpy(folder + size, slash == path ? "/" : slash == NULL ? "." : "", 2);
    if (access(folder, W_OK | X_OK) != 0)
        return complain("%s: the folder %s cannot be written in: %s", path,
                        folder, strerror(errno));
    return DONE;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static int check_not_text(const run *r, const char *path)
{
    for (int i = 0; i < r->args.operand_count; i++)
        if (same_file(path, r->args.operands[i]))
            return complain("%s: is one of the texts, and would be "
                            "overwritten",
                            path);
    if (r->recipe.valid != NULL && same_file(path, r->recipe.valid))
        return complain("%s: is the text held out, and would be overwritten",
                        path);
    return DONE;
}

static int check_places(const run *r)
{
    const recipe *c = &r->recipe;
    const char *const paths[] = {c->output, c->checkpoint, c->log};

    for (int i = 0; i < 3; i++) {
        if (paths[i] == NULL)
            continue;
        if (check_place(paths[i]) != DONE ||
            check_not_text(r, paths[i]) != DONE)
            return FAILED;
        for (int k = 0; k < i; k++)
            if (paths[k] != NULL && (strcmp(paths[i], paths[k]) == 0 ||
                                     same_file(paths[i], paths[k])))
                return complain("%s: is named for two things", paths[i]);
    }
    if (c->resume != NULL && (strcmp(c->output, c->resume) == 0 ||
                              same_file(c->output, c->resume)))
        return complain("%s: is the checkpoint, and would be overwritten by "
                        "the model",
                        c->output);
    return DONE;
}

/* MODEL.checkpoint, where no other place was named. */
static int name_checkpoint(run *r)
{
    const char *named = r->recipe.checkpoint;
    const char *stem =
        strcmp(r->recipe.output, "-") == 0 ? "elman" : r->recipe.output;
    const size_t size = strlen(named != NULL ? named : stem) + 12;

    r->checkpoint = malloc(size);
    if (r->checkpoint == NULL)
        return complain("memory ran out");
    if (named != NULL)
        snprintf(r->checkpoint, size, "%s", named);
    else
        snprintf(r->checkpoint, size, "%s.checkpoint", stem);
    return DONE;
}

/* ---- Texts ---------------------------------------------------------------*/

static int open_text(run *r, const char *const *paths, int count,
                     const elman_vocab *vocab, elman_text **out)
{
    const recipe *c = &r->recipe;
    elman_text_desc desc = ELMAN_TEXT_DESC;

    desc.paths = paths;
    desc.path_count = count;
    desc.level = (elman_level)c->level;
    desc.normalize = (elman_normalize)c->normalize;
    desc.vocab = vocab;
    desc.min_count = c->min_count;
    desc.vocab_size = c->vocab_size;
    if (paths == r->texts) {
        desc.max_tokens = c->max_tokens;
        desc.held_out = c->valid_fraction;
    }
    if (elman_text_open(r->context, &desc, out) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static int open_texts(run *r)
{
    const char *valid = r->recipe.valid;
    const int count = r->args.operand_count;

    r->texts = malloc((size_t)count * sizeof *r->texts);
    if (r->texts == NULL)
        return complain("memory ran out");
    for (int i = 0; i < count; i++) {
        r->texts[i] = input_path(r->args.operands[i]);
        if (r->texts[i] == NULL)
            return FAILED;
    }
    if (open_text(r, r->texts, count, r->vocab, &r->text) != DONE)
        return FAILED;
    if (valid == NULL)
        return DONE;
    valid = input_path(valid);
    if (valid == NULL)
        return FAILED;
    return open_text(r, &valid, 1, elman_text_vocab(r->text), &r->valid);
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

/* A checkpoint holds a vocabulary, not the options that made it; where those
 * are given again they must make the same one. */
static int check_vocab(run *r)
{
    const grammar *g = &recipe_grammar;
    elman_text *again = NULL;
    int status;

    if (r->vocab == NULL || (!option_given(g, &r->args, "min-count") &&
                             !option_given(g, &r->args, "vocab-size")))
        return DONE;
    status = open_text(r, r->texts, r->args.operand_count, NULL, &again);
    if (status == DONE && !same_vocab(r->vocab, elman_text_vocab(again)))
        status = complain("%s: has another vocabulary than the text with "
                          "--min-count %lld --vocab-size %lld",
                          r->recipe.resume, (long long)r->recipe.min_count,
                          (long long)r->recipe.vocab_size);
    elman_text_close(&again);
    return status;
}

/* ---- The trainer ---------------------------------------------------------*/

/* Reads what the checkpoint says, before anything is opened. */
static int recall(run *r, elman_train_desc *desc)
{
    const char *file = r->recipe.resume;

    if (elman_checkpoint_describe(r->context, file, desc, &r->vocab) !=
        ELMAN_OK)
        return complain_library();
    return recipe_recall(&r->recipe, &r->args, file, desc, r->vocab);
}

static int new_trainer(run *r, elman_train_desc *desc)
{
    if (elman_trainer_create(r->context, desc, r->text, r->valid,
                             &r->trainer) != ELMAN_OK)
        return complain_library();
    return DONE;
}

/* A cosine ends with the run; how many updates that takes is known once there
 * is a trainer. */
static int start(run *r, elman_train_desc *desc)
{
    if (new_trainer(r, desc) != DONE)
        return FAILED;
    if (desc->schedule.kind != ELMAN_COSINE)
        return DONE;
    desc->schedule.total = elman_trainer_total_updates(r->trainer);
    elman_trainer_destroy(&r->trainer);
    return new_trainer(r, desc);
}

static int go_on(run *r, const elman_train_desc *desc)
{
    const char *file = r->recipe.resume;
    char used[4096];

    if (elman_trainer_resume(r->context, desc, r->text, r->valid, file,
                             &r->trainer, used, sizeof used,
                             &r->mark) != ELMAN_OK)
        return complain_library();
    if (strcmp(used, file) != 0)
        complain("%s (going on from %s)", elman_message(), used);
    return DONE;
}

static int make_trainer(run *r, const elman_train_desc *kept)
{
    elman_train_desc desc;

    recipe_describe(&r->recipe, &desc);
    if (r->recipe.resume == NULL)
        return start(r, &desc);
    desc.schedule.total = kept->schedule.total;
    return go_on(r, &desc);
}

/* ---- The run -------------------------------------------------------------*/

static int write_checkpoint(run *r)
{
    int64_t mark;

    if (runlog_mark(&r->log, &mark) != DONE)
        return FAILED;
    if (elman_trainer_checkpoint(r->trainer, r->checkpoint, mark) != ELMAN_OK)
        return complain_library();
    r->kept_update = r->last.update;
    return DONE;
}

static int checkpoint_wanted(const run *r)
{
    return r->recipe.checkpoint != NULL || r->recipe.checkpoint_every > 0;
}

static int checkpoint_due(const run *r)
{
    const int64_t every = r->recipe.checkpoint_every;

    if (!checkpoint_wanted(r))
        return 0;
    return every > 0 ? r->last.update % every == 0 : r->last.epoch_end;
}

/* Writes a word so that a shell reads it back. */
static void quote(char *text, size_t size, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./,:@%";
    size_t used = strlen(text);
    const int bare = *word != '\0' && strspn(word, plain) == strlen(word);

#define PUT(c) (used + 1 < size ? (void)(text[used++] = (c)) : (void)0)
    PUT(' ');
    if (!bare)
        PUT('\'');
    for (; *word != '\0'; word++) {
        PUT(*word);
        if (*word == '\'') { /* ' is written '\'' */
            PUT('\\');
            PUT('\'');
            PUT('\'');
        }
    }
    if (!bare)
        PUT('\'');
#undef PUT
    text[used] = '\0';
}

/* Stops where the run stands, and says how it goes on. */
static int stop(run *r)
{
    const recipe *c = &r->recipe;
    char command[3500] = "";

    progress_end(&r->progress);
    if (r->kept_update != r->last.update && write_checkpoint(r) != DONE)
        return FAILED;
    for (int i = 0; i < r->argc; i++) {
        const char *word = r->argv[i];
        if (strcmp(word, "--resume") == 0)
            i++;
        else if (strncmp(word, "--resume=", 9) != 0)
            quote(command, sizeof command, word);
    }
    return complain("%s after update %lld of %lld; to go on: %s%s --resume%s",
                    interrupted == SIGINT ? "interrupted" : "ended",
                    (long long)r->last.update,
                    (long long)elman_trainer_total_updates(r->trainer),
                    program_name, command,
                    (quote(strcpy(command + sizeof command / 2, ""),
                           sizeof command / 2, r->checkpoint),
                     command + sizeof command / 2),
                    c->output);
}
