/* SPDX-License-Identifier: MIT */
#include "places.h"

#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of a path, without the slash behind it. */
static int folder_of(const char *path, char *folder, size_t room)
{
    const char *slash = strrchr(path, '/');
    const char *from = slash == NULL ? "." : path;
    const size_t size =
        slash == NULL || slash == path ? 1 : (size_t)(slash - path);

    if (size >= room)
        return complain("%s: the path is too long", path);
    memcpy(folder, from, size);
    folder[size] = '\0';
    return DONE;
}

/* A path that is to be written, later on, must look as if it could be. */
static int check_place(const char *path)
{
    struct stat info;
    char folder[4096];

    if (strcmp(path, "-") == 0)
        return DONE;
    const int exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return complain("%s: is a folder (name a file in it)", path);
    if (exists && !S_ISREG(info.st_mode)) {
        if (access(path, W_OK) != 0)
            return complain("%s: cannot be written: %s", path, strerror(errno));
        return DONE;
    }
    if (folder_of(path, folder, sizeof folder) != DONE)
        return FAILED;
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

static int check_not_text(const recipe *c, const arguments *a, const char *path)
{
    for (int i = 0; i < a->operand_count; i++)
        if (same_file(path, a->operands[i]))
            return complain("%s: is one of the texts, and would be "
                            "overwritten",
                            path);
    if (c->valid != NULL && same_file(path, c->valid))
        return complain("%s: is the text held out, and would be overwritten",
                        path);
    return DONE;
}

int places_check(const recipe *c, const arguments *a)
{
    const char *const paths[] = {c->output, c->checkpoint, c->log};

    for (int i = 0; i < 3; i++) {
        if (paths[i] == NULL)
            continue;
        if (check_place(paths[i]) != DONE ||
            check_not_text(c, a, paths[i]) != DONE)
            return FAILED;
        if (i > 0 && c->from != NULL && same_file(paths[i], c->from))
            return complain("%s: is the model to go on from, and would be "
                            "overwritten",
                            paths[i]);
        for (int k = 0; k < i; k++)
            if (paths[k] != NULL && (strcmp(paths[i], paths[k]) == 0 ||
                                     same_file(paths[i], paths[k])))
                return complain("%s: is named for two things", paths[i]);
    }
    if (c->resume != NULL &&
        (strcmp(c->output, c->resume) == 0 || same_file(c->output, c->resume)))
        return complain("%s: is the checkpoint, and would be overwritten by "
                        "the model",
                        c->output);
    return DONE;
}
