/* SPDX-License-Identifier: MIT */
#include "again.h"

#include "cli.h"

#include <string.h>

static void put(command_text *c, const char *word)
{
    const size_t size = strlen(word);

    if (c->used + size < sizeof c->text) {
        memcpy(c->text + c->used, word, size + 1);
        c->used += (unsigned)size;
    }
}

static void put_word(command_text *c, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./,:@%";
    const int bare = *word != '\0' && strspn(word, plain) == strlen(word);

    put(c, c->used > 0 ? " " : "");
    put(c, bare ? "" : "'");
    for (; *word != '\0'; word++) {
        const char letter[2] = {*word, '\0'};
        put(c, *word == '\'' ? "'\\''" : letter);
    }
    put(c, bare ? "" : "'");
}

void resume_command(int ranks, int argc, char **argv, const char *checkpoint,
                    command_text *out)
{
    *out = (command_text){.used = 0};
    if (ranks > 1) {
        char start[64];
        snprintf(start, sizeof start, "mpirun -n %d", ranks);
        put(out, start);
    }
    put_word(out, program_name);
    put_word(out, argv[0]);
    put_word(out, "--resume");
    put_word(out, checkpoint);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--resume") == 0 || strcmp(argv[i], "--from") == 0)
            i++;
        else if (strncmp(argv[i], "--resume=", 9) != 0 &&
                 strncmp(argv[i], "--from=", 7) != 0)
            put_word(out, argv[i]);
    }
}
