/* SPDX-License-Identifier: MIT */
/* train.c - `elman train`: texts in, a model file out. */
#include "again.h"
#include "cli.h"
#include "keeper.h"
#include "places.h"
#include "progress.h"
#include "ranks.h"
#include "recipe.h"
#include "runlog.h"
#include "texts.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct run {
    int argc;
    char **argv; /* as typed, for the command that goes on */
    recipe recipe;
    arguments args;
    char *checkpoint;  /* where a checkpoint goes, asked for or not */
    elman_ranks ranks; /* rank 0 alone writes, and speaks */

    elman_context *context;
    elman_vocab *vocab; /* the checkpoint's; NULL for a new run */
    elman_lm *from;     /* the model of --from, until the trainer has it */
    texts texts;
    elman_trainer *trainer;
    runlog log;
    progress progress;

    int64_t mark; /* length of the log, from the checkpoint; -1: a new run */
    keeper keeper;
    int due; /* 1: a checkpoint is, and was not begun */
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
    signal(SIGHUP, SIG_DFL);
}

/* mpirun passes SIGUSR1 on to its ranks, and ends them for the other two. */
static void catch_signals(int ranks)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    for (int i = 0; i < (ranks > 1 ? 4 : 3); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* ---- Where a checkpoint goes ---------------------------------------------*/

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

/* ---- The trainer ---------------------------------------------------------*/

/* Reads what the checkpoint says, before anything is opened. */
static int recall(run *r)
{
    const char *file = r->recipe.resume;
    elman_train_desc desc = ELMAN_TRAIN_DESC;

    if (elman_checkpoint_describe(r->context, file, &desc, &r->vocab) !=
        ELMAN_OK)
        return complain_library();
    return recipe_recall(&r->recipe, &r->args, file, &desc, r->vocab);
}

/* Reads the model that is gone on from, likewise. */
static int adopt(run *r)
{
    const char *file = r->recipe.from;

    if (elman_lm_load(r->context, file, &r->from) != ELMAN_OK)
        return complain_library();
    return recipe_adopt(&r->recipe, &r->args, file, r->from);
}

static int open_texts(run *r)
{
    texts *t = &r->texts;

    t->context = r->context;
    t->recipe = &r->recipe;
    t->args = &r->args;
    t->progress = &r->progress;
    t->silent = r->recipe.quiet || r->ranks.rank > 0;
    const int status =
        texts_open(t, r->from != NULL ? elman_lm_vocab(r->from) : r->vocab);
    if (status != DONE)
        return status;
    if (r->from != NULL)
        return texts_judge_known(t);
    return r->vocab != NULL ? texts_check_vocab(t, r->vocab)
                            : texts_judge_vocab(t);
}

static int start(run *r, const elman_train_desc *desc)
{
    if (elman_trainer_create(r->context, desc, r->texts.text, r->texts.valid,
                             &r->trainer) != ELMAN_OK)
        return complain_library();
    return DONE;
}

static int go_on(run *r, const elman_train_desc *desc)
{
    const char *file = r->recipe.resume;
    char used[4096];

    if (elman_trainer_resume(r->context, desc, r->texts.text, r->texts.valid,
                             file, &r->trainer, used, sizeof used,
                             &r->mark) != ELMAN_OK)
        return complain_library();
    if (strcmp(used, file) != 0)
        complain("%s (going on from %s)", elman_message(), used);
    return DONE;
}

static int make_trainer(run *r)
{
    elman_train_desc desc;

    recipe_describe(&r->recipe, &desc);
    desc.ranks = &r->ranks;
    desc.from = r->from;
    const int status =
        r->recipe.resume == NULL ? start(r, &desc) : go_on(r, &desc);
    elman_lm_destroy(&r->from);
    return status;
}

/* ---- The run -------------------------------------------------------------*/

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

/* Writes a checkpoint of what stands, unless the disk has it, and says the
 * command that goes on from there. */
static int keep(run *r, command_text *command)
{
    progress_end(&r->progress);
    keeper_now(&r->keeper, r->last.update);
    resume_command(r->ranks.ranks, r->argc, r->argv, r->checkpoint, command);
    return r->keeper.failed ? FAILED : DONE;
}

/* An update could not be made: the state before it is kept, and its line of the
 * log lies behind what the checkpoint knows of. */
static int stop_nonfinite(run *r, const elman_train_report *report)
{
    command_text command;
    char why[512];

    snprintf(why, sizeof why, "%s", elman_message());
    const int kept = keep(r, &command);
    if (runlog_write(&r->log, report, NAN) != DONE)
        return FAILED;
    if (kept != DONE || r->recipe.on_nonfinite == ELMAN_NONFINITE_SKIP)
        return complain("%s", why);
    return complain("%s; to go on without it: %s --on-nonfinite skip", why,
                    command.text);
}

static int stop(run *r)
{
    command_text command;

    if (keep(r, &command) != DONE)
        return FAILED;
    return complain("%s after update %lld of %lld; to go on: %s",
                    interrupted == SIGINT ? "interrupted" : "ended",
                    (long long)r->last.update,
                    (long long)elman_trainer_total_updates(r->trainer),
                    command.text);
}

/* One that falls due while another is being written waits for that.  Ranks
 * know alike what is due. */
static void keep_due(run *r)
{
    r->due = r->due || checkpoint_due(r);
    if (r->due && !keeper_busy(&r->keeper)) {
        keeper_begin(&r->keeper, r->last.update);
        r->due = 0;
    }
}

/* One update, and its line. */
static int advance(run *r)
{
    elman_train_report report = ELMAN_TRAIN_REPORT;
    const double begin = now_seconds();

    const elman_status status = elman_trainer_step(r->trainer, &report);

    if (status == ELMAN_ENONFINITE)
        return stop_nonfinite(r, &report);
    if (status != ELMAN_OK) {
        progress_end(&r->progress);
        return complain_library();
    }
    if (report.done && r->last.update > 0) {
        r->last.done = 1;
        return DONE;
    }
    const int64_t tokens = report.tokens - r->last.tokens;
    r->last = report;
    if (report.done)
        return DONE;
    if (runlog_write(&r->log, &report,
                     (double)tokens / (now_seconds() - begin)) != DONE)
        return FAILED;
    progress_update(&r->progress, &report, tokens);
    return DONE;
}

/* How an update left a rank, the worst last. */
enum { GOING, ENDING, BROKEN };

static int train(run *r)
{
    const int64_t total = elman_trainer_total_updates(r->trainer);

    progress_start(&r->progress, r->recipe.quiet, total, r->recipe.epochs);
    r->keeper = (keeper){.path = r->checkpoint,
                         .log = &r->log,
                         .line = &r->progress,
                         .ranks = &r->ranks,
                         .trainer = r->trainer};
    keeper_open(&r->keeper, checkpoint_wanted(r));
    catch_signals(r->ranks.ranks);
    while (!r->last.done) {
        const int status = advance(r);
        const int most = ranks_most(&r->ranks, status != DONE ? BROKEN
                                               : interrupted  ? ENDING
                                                              : GOING);
        if (most == BROKEN) {
            progress_end(&r->progress);
            return ranks_follow(status);
        }
        if (r->last.done)
            break;
        keep_due(r);
        if (most == ENDING && r->last.update < total)
            return stop(r);
    }
    progress_end(&r->progress);
    if (checkpoint_wanted(r))
        keeper_now(&r->keeper, r->last.update);
    return DONE;
}

/* ---- The end -------------------------------------------------------------*/

/* Writes the model to a file for a moment, and from there to stdout. */
static int save_to_stdout(const run *r)
{
    static char block[1 << 16];
    const char *folder = getenv("TMPDIR");
    char name[4096];
    FILE *file = NULL;
    size_t size;
    int status = FAILED;

    if (folder == NULL || *folder == '\0')
        folder = "/tmp";
    snprintf(name, sizeof name, "%s/elman-model.XXXXXX", folder);
    const int made = mkstemp(name);
    if (made < 0)
        return complain("%s: no temporary file can be made there: %s", folder,
                        strerror(errno));
    close(made);
    if (elman_trainer_save(r->trainer, name) != ELMAN_OK) {
        complain_library();
        goto end;
    }
    file = fopen(name, "rb");
    if (file == NULL) {
        complain("%s: %s", name, strerror(errno));
        goto end;
    }
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, size, stdout);
    status = ferror(file) ? complain("%s: could not be read", name) : DONE;
    fclose(file);
end:
    unlink(name);
    return status;
}

static int save(const run *r)
{
    if (strcmp(r->recipe.output, "-") == 0 && r->ranks.rank == 0)
        return save_to_stdout(r);
    if (elman_trainer_save(r->trainer, r->recipe.output) != ELMAN_OK)
        return complain_library();
    return DONE;
}

/* Whether --stop-after ended the run before its limit. */
static int stopped_early(const run *r)
{
    return r->last.update < elman_trainer_total_updates(r->trainer);
}

static void tell(const run *r)
{
    const elman_train_report *last = &r->last;
    const int64_t parameters =
        elman_lm_parameters(elman_trainer_lm(r->trainer));

    fprintf(
        stderr, "%s: %s parameters, %s updates in %s, perplexity %.4g",
        r->recipe.output, grouped(parameters).text, grouped(last->update).text,
        clock_time(progress_seconds(&r->progress)).text, exp(last->epoch_loss));
    if (!isnan(last->best_valid_loss))
        fprintf(stderr, ", held out %.4g (after epoch %lld, which was kept)",
                exp(last->best_valid_loss), (long long)last->best_epoch);
    if (last->skipped_updates > 0)
        fprintf(stderr, "; %s updates were not finite and were skipped",
                grouped(last->skipped_updates).text);
    if (stopped_early(r))
        fprintf(stderr, "; ended after %lld validations without a better one",
                (long long)r->recipe.stop_after);
    putc('\n', stderr);
}

static void print_json(const run *r)
{
    const elman_train_report *last = &r->last;
    json j = {.file = stdout};

    json_open(&j, NULL, '{');
    json_text(&j, "model", r->recipe.output);
    json_int(&j, "parameters",
             elman_lm_parameters(elman_trainer_lm(r->trainer)));
    json_int(&j, "updates", last->update);
    json_int(&j, "epochs", last->epoch);
    json_int(&j, "tokens", last->tokens);
    json_real(&j, "loss", last->epoch_loss);
    json_real(&j, "perplexity", exp(last->epoch_loss));
    json_real(&j, "valid_loss", last->best_valid_loss);
    json_real(&j, "valid_perplexity", exp(last->best_valid_loss));
    json_int(&j, "best_epoch", last->best_epoch);
    json_bool(&j, "stopped_early", stopped_early(r));
    json_int(&j, "skipped_updates", last->skipped_updates);
    json_int(&j, "shards", r->recipe.shards);
    json_int(&j, "ranks", r->ranks.ranks);
    json_real(&j, "checkpoint_stall", r->keeper.stall);
    json_real(&j, "checkpoint_write", r->keeper.wrote);
    json_real(&j, "seconds", progress_seconds(&r->progress));
    json_close(&j, '}');
    putchar('\n');
}

static void finish(run *r)
{
    keeper_close(&r->keeper);
    runlog_close(&r->log);
    elman_trainer_destroy(&r->trainer);
    texts_close(&r->texts);
    elman_vocab_destroy(&r->vocab);
    elman_lm_destroy(&r->from);
    elman_context_destroy(&r->context);
    free(r->checkpoint);
    arguments_free(&r->args);
}

/* Everything but rank 0 is silent, and writes nothing. */
static void be_quiet(recipe *c)
{
    c->quiet = 1;
    c->json = 0;
    c->log = NULL;
}

static int connect(run *r)
{
    recipe *c = &r->recipe;

    if (ranks_begin(&r->ranks) != DONE)
        return FAILED;
    if (r->ranks.ranks > 1)
        input_share(&r->ranks);
    if (r->ranks.rank > 0)
        be_quiet(c);
    const int64_t threads = c->threads > 0 ? c->threads : r->ranks.cores;
    return ranks_agree(&r->ranks, context_open(threads, c->isa, &r->context));
}

static int check_ranks(const run *r)
{
    const int ranks = r->ranks.ranks;

    if (r->recipe.shards % ranks == 0)
        return DONE;
    return complain_usage(recipe_grammar.command,
                          "%d processes cannot share %lld shard%s evenly "
                          "(--shards says how many there are)",
                          ranks, (long long)r->recipe.shards,
                          r->recipe.shards == 1 ? "" : "s");
}

/* Everything up to the first update. */
static int prepare(run *r)
{
    const recipe *c = &r->recipe;
    int status = DONE;

    if (c->resume != NULL)
        status = recall(r);
    else if (c->from != NULL)
        status = adopt(r);
    if (status == DONE)
        status = check_ranks(r);
    if (status == DONE && r->ranks.rank == 0)
        status = places_check(c, &r->args);
    if (status == DONE)
        status = name_checkpoint(r);
    /* Who reads from stdin waits for the others, or for rank 0. */
    status = ranks_agree(&r->ranks, status);
    if (status == DONE)
        status = open_texts(r);
    status = ranks_agree(&r->ranks, status);
    if (status == DONE)
        status = make_trainer(r);
    if (status == DONE)
        status = runlog_open(&r->log, c->log, r->mark);
    r->log.shards = c->shards;
    r->log.ranks = r->ranks.ranks;
    return ranks_agree(&r->ranks, status);
}

static void introduce(const run *r)
{
    elman_machine machine = ELMAN_MACHINE;

    if (r->ranks.ranks == 1 || r->recipe.quiet)
        return;
    elman_context_machine(r->context, &machine);
    fprintf(stderr, "%d ranks, %lld shards; %d thread%s in rank 0\n",
            r->ranks.ranks, (long long)r->recipe.shards, machine.threads,
            machine.threads == 1 ? "" : "s");
}

static int run_train(run *r)
{
    const recipe *c = &r->recipe;
    int status = prepare(r);

    if (status == DONE) {
        introduce(r);
        status = train(r);
    }
    if (status == DONE)
        status = ranks_agree(&r->ranks, runlog_close(&r->log));
    if (status == DONE)
        status = save(r);
    if (status == DONE && !c->quiet)
        tell(r);
    if (status == DONE && c->json)
        print_json(r);
    return r->keeper.failed ? FAILED : status;
}

int cmd_train(int argc, char **argv)
{
    run r = {.argc = argc, .argv = argv, .mark = -1};

    ranks_look();
    int status = options_read(&recipe_grammar, argc, argv, &r.recipe, &r.args);
    if (status != OPTIONS_READ)
        return status;
    r.ranks = (elman_ranks)ELMAN_RANKS;
    r.last = (elman_train_report)ELMAN_TRAIN_REPORT;
    status = recipe_complete(&r.recipe, &r.args);
    if (status == DONE) {
        status = connect(&r);
        if (status == DONE)
            status = run_train(&r);
        finish(&r);
        return ranks_end(&r.ranks, status);
    }
    finish(&r);
    return status;
}
