/* SPDX-License-Identifier: MIT */
/* progress.c - the line that says how far a training run is. */
#include "progress.h"

#include "cli.h"

#include <math.h>
#include <unistd.h>

/* Seconds between two lines on a terminal, and elsewhere. */
static const double quick = 0.1, slow = 10;

void progress_start(progress *p, int quiet, int64_t updates, int64_t epochs)
{
    *p = (progress){.quiet = quiet,
                    .terminal = isatty(STDERR_FILENO),
                    .epochs = epochs,
                    .updates = updates,
                    .first_update = -1,
                    .start = now_seconds(),
                    .valid_loss = NAN};
    p->shown = p->terminal ? 0 : p->start;
    p->epoch_start = p->start;
}

/* Texts of which nobody sees the reading are not worth a line. */
void progress_reading(progress *p, int quiet)
{
    *p = (progress){.quiet = quiet,
                    .terminal = isatty(STDERR_FILENO),
                    .reading = 1,
                    .start = now_seconds()};
    p->shown = p->start;
}

void progress_read(void *user, int64_t done, int64_t total)
{
    progress *p = user;
    const double now = now_seconds(), seconds = now - p->start;
    const double rate = (double)done / seconds;
    const double mega = 1e6;

    if (p->quiet || now - p->shown < (p->terminal ? quick : slow))
        return;
    if (p->terminal)
        fputs("\r", stderr);
    fprintf(stderr, "reading %s of %s MB  %s MB/s  %s left",
            grouped((int64_t)((double)done / mega)).text,
            grouped((int64_t)((double)total / mega)).text,
            grouped((int64_t)(rate / mega)).text,
            clock_time((double)(total - done) / rate).text);
    fputs(p->terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
    p->open = p->terminal;
    p->shown = now;
}

static void show(progress *p, const elman_train_report *r, double seconds)
{
    const double share = (double)(r->update - p->first_update);
    const double left = seconds / share * (double)(p->updates - r->update);
    const double rate = (double)(r->tokens - p->first_tokens) / seconds;

    if (p->terminal)
        fputs("\r", stderr);
    fprintf(stderr, "update %lld/%lld  epoch %lld", (long long)r->update,
            (long long)p->updates, (long long)r->epoch);
    if (p->epochs > 0)
        fprintf(stderr, "/%lld", (long long)p->epochs);
    fprintf(stderr, "  loss %.3f  perplexity %.4g", r->epoch_loss,
            exp(r->epoch_loss));
    if (!isnan(p->valid_loss))
        fprintf(stderr, " (held out %.4g)", exp(p->valid_loss));
    if (r->skipped_updates > 0)
        fprintf(stderr, "  %s skipped", grouped(r->skipped_updates).text);
    if (seconds > 0)
        fprintf(stderr, "  %s tokens/s  %s left", grouped((int64_t)rate).text,
                clock_time(left).text);
    fputs(p->terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
    p->open = p->terminal;
}

void progress_update(progress *p, const elman_train_report *r,
                     int64_t update_tokens)
{
    const double now = now_seconds();

    if (p->first_update < 0) {
        p->first_update = r->update - 1;
        p->first_tokens = r->tokens - update_tokens;
    }
    if (!isnan(r->valid_loss))
        p->valid_loss = r->valid_loss;
    const int long_epoch = r->epoch_end && now - p->epoch_start >= slow;
    const int last = r->update == p->updates;
    if (r->epoch_end)
        p->epoch_start = now;
    if (p->quiet)
        return;
    if (now - p->shown >= (p->terminal ? quick : slow) || long_epoch ||
        (last && p->terminal)) {
        show(p, r, now - p->start);
        p->shown = now;
    }
}

double progress_seconds(const progress *p)
{
    return now_seconds() - p->start;
}

void progress_end(progress *p)
{
    if (p->open)
        fputs(p->reading ? "\r\033[K" : "\n", stderr);
    p->open = 0;
}
