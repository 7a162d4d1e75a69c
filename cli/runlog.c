/* SPDX-License-Identifier: MIT */
/* runlog.c - writes the log, and cuts it back when a run is resumed. */
#include "runlog.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_failed(const runlog *log)
{
    return complain("%s: the log could not be written: %s", log->path,
                    strerror(errno));
}

/* Bytes behind mark were logged after the checkpoint was written, by a run
 * that then ended; its updates are made, and logged, again. */
static int cut_back(runlog *log, int file, int64_t size, int64_t mark)
{
    if (mark > size) {
        complain("%s: is shorter than when the checkpoint was written "
                 "(%lld of %lld bytes); lines are missing in it",
                 log->path, (long long)size, (long long)mark);
        mark = size;
    }
    if (ftruncate(file, (off_t)mark) != 0 ||
        lseek(file, 0, SEEK_END) == (off_t)-1)
        return write_failed(log);
    return DONE;
}

int runlog_open(runlog *log, const char *path, int64_t mark)
{
    struct stat info;

    *log = (runlog){.path = path};
    if (path == NULL)
        return DONE;
    if (strcmp(path, "-") == 0) {
        log->file = stdout;
        return DONE;
    }
    const int file = open(path, O_WRONLY | O_CREAT, 0666);
    if (file < 0 || fstat(file, &info) != 0)
        goto fail;
    log->regular = S_ISREG(info.st_mode);
    if (log->regular &&
        cut_back(log, file, info.st_size, mark > 0 ? mark : 0) != DONE) {
        close(file);
        return FAILED;
    }
    log->file = fdopen(file, "w");
    if (log->file == NULL)
        goto fail;
    /* Whoever follows the log sees whole lines, at once. */
    setvbuf(log->file, NULL, _IOLBF, BUFSIZ);
    return DONE;
fail:
    complain("%s: the log cannot be opened: %s", path, strerror(errno));
    if (file >= 0)
        close(file);
    return FAILED;
}

int runlog_write(runlog *log, const elman_train_report *r,
                 double tokens_per_second)
{
    json j = {.file = log->file};

    if (log->file == NULL)
        return DONE;
    json_open(&j, NULL, '{');
    json_int(&j, "update", r->update);
    json_int(&j, "epoch", r->epoch);
    json_int(&j, "tokens", r->tokens);
    json_real(&j, "loss", r->loss);
    json_real(&j, "perplexity", exp(r->loss));
    json_real(&j, "valid_loss", r->valid_loss);
    json_real(&j, "grad_norm", r->grad_norm);
    json_real(&j, "lr", r->lr);
    json_real(&j, "tokens_per_second", tokens_per_second);
    json_int(&j, "shards", log->shards);
    json_int(&j, "ranks", log->ranks);
    if (r->nonfinite != NULL) {
        json_text(&j, "nonfinite", r->nonfinite);
        json_bool(&j, "skipped", r->skipped);
    }
    json_close(&j, '}');
    if (putc('\n', log->file) == EOF || ferror(log->file))
        return log->file == stdout ? finish_stdout() : write_failed(log);
    return DONE;
}

static int explain(const runlog *log, char *why, size_t size)
{
    snprintf(why, size, "%s: the log could not be written: %s", log->path,
             strerror(errno));
    return FAILED;
}

int runlog_mark(const runlog *log, int64_t *mark, char *why, size_t size)
{
    *mark = 0;
    if (log->file == NULL)
        return DONE;
    if (fflush(log->file) != 0)
        return explain(log, why, size);
    if (log->regular)
        *mark = lseek(fileno(log->file), 0, SEEK_CUR);
    return DONE;
}

int runlog_sync(const runlog *log, char *why, size_t size)
{
    if (log->file == NULL || !log->regular)
        return DONE;
    return fsync(fileno(log->file)) == 0 ? DONE : explain(log, why, size);
}

int runlog_close(runlog *log)
{
    FILE *file = log->file;

    log->file = NULL;
    if (file == NULL || file == stdout)
        return DONE;
    return fclose(file) == 0 ? DONE : write_failed(log);
}
