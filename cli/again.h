/* SPDX-License-Identifier: MIT */
/* again.h - the command that goes on where a run was ended. */
#ifndef AGAIN_H
#define AGAIN_H

/* A text of limited room that a shell is to read back. */
typedef struct command_text {
    char text[3800];
    unsigned used;
} command_text;

/* For so many ranks the words of argv (from the command's name on), with
 * --resume CHECKPOINT in front of the others and instead of any that is there.
 */
void resume_command(int ranks, int argc, char **argv, const char *checkpoint,
                    command_text *out);

#endif
