/* SPDX-License-Identifier: MIT */
/* elman_golden.c - checks the library against files of reference numbers:
 *
 *   elman-golden DIR [--only PREFIX]
 *
 * goes through DIR's *.safetensors whose names begin with PREFIX, in order of
 * name, and prints a line for each and a last line that counts them.  The
 * format is tests/golden/README.md; the status is 0 if some case passed or was
 * skipped and none failed, 1 if one failed or none was found, 2 if the call
 * was wrong. */
#include "golden.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".safetensors";

/* ---- The files ------------------------------------------------------------*/

typedef struct list {
    char **names; /* without the suffix */
    size_t count, room;
} list;

static bool wanted(const char *name, const char *prefix)
{
    const size_t n = strlen(name), end = sizeof suffix - 1;
    return n > end && strcmp(name + n - end, suffix) == 0 &&
           strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool append(list *l, const char *name)
{
    if (l->count == l->room) {
        const size_t room = l->room ? 2 * l->room : 64;
        char **const names = realloc(l->names, room * sizeof *names);
        if (!names)
            return false;
        l->names = names;
        l->room = room;
    }
    const size_t n = strlen(name) - (sizeof suffix - 1);
    char *const copy = malloc(n + 1);
    if (!copy)
        return false;
    memcpy(copy, name, n);
    copy[n] = 0;
    l->names[l->count++] = copy;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_folder(const char *path, const char *prefix, list *l)
{
    DIR *const folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "elman-golden: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool fine = true;
    for (struct dirent *e; fine && (e = readdir(folder));)
        fine = !wanted(e->d_name, prefix) || append(l, e->d_name);
    closedir(folder);
    if (!fine)
        fprintf(stderr, "elman-golden: memory ran out\n");
    if (l->count > 0)
        qsort(l->names, l->count, sizeof *l->names, by_name);
    return fine;
}

static void free_list(list *l)
{
    for (size_t i = 0; i < l->count; ++i)
        free(l->names[i]);
    free(l->names);
}

/* ---- One case -------------------------------------------------------------*/

static bool run(golden *g)
{
    static const struct {
        const char *name;
        bool (*check)(golden *g);
    } kinds[] = {{"recurrent", golden_recurrent},
                 {"cross_entropy", golden_cross_entropy},
                 {"trajectory", golden_trajectory},
                 {"decode", golden_decode}};
    const char *kind;
    if (!golden_word(g, "kind", &kind))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
        if (strcmp(kind, kinds[i].name) == 0)
            return kinds[i].check(g);
    return golden_skip(g, "kind %.40s is not built yet", kind);
}

static verdict check_case(elman_context *context, const char *folder,
                          const char *name)
{
    golden g = {.context = context};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    if (golden_called(&g, "elman_tensors_read",
                      elman_tensors_read(context, path, &g.file)))
        for (g.dtype = ELMAN_F32; g.dtype <= ELMAN_F64 && run(&g); ++g.dtype)
            golden_free(&g);
    golden_free(&g);
    elman_tensors_destroy(&g.file);

    if (g.verdict == GOLDEN_FAIL)
        printf("FAIL %s %s\n", name, g.why);
    else if (g.verdict == GOLDEN_SKIP)
        printf("skip %s %s\n", name, g.why);
    else
        printf("ok %s f32 %.1e (%s) f64 %.1e (%s)\n", name,
               g.worst[ELMAN_F32].error, g.worst[ELMAN_F32].name,
               g.worst[ELMAN_F64].error, g.worst[ELMAN_F64].name);
    fflush(stdout);
    return g.verdict;
}

static int check_folder(const char *folder, const char *prefix)
{
    list l = {0};
    elman_context *context = NULL;
    int64_t counts[3] = {0};
    if (!read_folder(folder, prefix, &l)) {
        free_list(&l);
        return 1;
    }
    if (elman_context_create(NULL, &context)) {
        fprintf(stderr, "elman-golden: %s\n", elman_message());
        free_list(&l);
        return 1;
    }
    for (size_t i = 0; i < l.count; ++i)
        ++counts[check_case(context, folder, l.names[i])];
    if (l.count == 0)
        fprintf(stderr, "elman-golden: %s: no file %s*%s\n", folder, prefix,
                suffix);
    printf("%lld passed, %lld failed, %lld skipped\n",
           (long long)counts[GOLDEN_OK], (long long)counts[GOLDEN_FAIL],
           (long long)counts[GOLDEN_SKIP]);
    elman_context_destroy(&context);
    free_list(&l);
    return counts[GOLDEN_FAIL] > 0 || l.count == 0;
}

static const char usage[] = "usage: elman-golden DIR [--only PREFIX]\n"
                            "  elman-golden tests/golden/vectors --only rnn_\n";

int main(int argc, char **argv)
{
    const char *folder = NULL, *prefix = "";
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            prefix = argv[++i];
        else if (argv[i][0] != '-' && !folder)
            folder = argv[i];
        else {
            fprintf(stderr, "elman-golden: %s: not understood\n%s", argv[i],
                    usage);
            return 2;
        }
    }
    if (!folder) {
        fputs(usage, stderr);
        return 2;
    }
    return check_folder(folder, prefix);
}
