/* SPDX-License-Identifier: MIT */
/* cli.h - what the commands share: exit statuses, sentences, input, output.
 *
 * A command reads its options, does one thing through <elman.h>, and returns
 * one of the three statuses.  Results go to stdout, everything else to
 * stderr. */
#ifndef CLI_H
#define CLI_H

#include <elman.h>

#include <stdint.h>
#include <stdio.h>

enum {
    DONE = 0,   /* it did what was asked */
    FAILED = 1, /* it could not */
    MISUSED = 2 /* the call was wrong */
};

/* argv[0] is the command's name, argv[1] ... what followed it. */
int cmd_train(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_sample(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_probe(int argc, char **argv);

/* How this program was called: the first word of a command to type. */
extern const char *program_name;

/* ---- Sentences (stderr) --------------------------------------------------*/

/* Writes "elman: SENTENCE" as one line, whatever bytes it is made of; returns
 * FAILED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The sentence of the library's last failure; returns FAILED. */
int complain_library(void);
/* "elman: COMMAND: SENTENCE"; returns MISUSED. */
int complain_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* From here on sentences are kept, and then the last one is told, or dropped if
 * nobody asks for it. */
void complaints_keep(void);
void complaints_tell(int rank);

/* ---- Input and output ----------------------------------------------------*/

/* The path to open for an operand: itself, or for "-" that of a file without a
 * name that holds all of stdin.  NULL, with the sentence written, if that
 * failed; stdin can be read only once. */
const char *input_path(const char *operand);
/* From here on what rank 0 reads of stdin is what all ranks read. */
void input_share(const elman_ranks *ranks);

/* Sends out what stdout holds by now; FAILED, with the sentence written once,
 * if any of the results was lost. */
int finish_stdout(void);

/* A context of this many threads (0: all cores) at this level (NULL: the
 * best); FAILED with the sentence written. */
int context_open(int64_t threads, const char *isa, elman_context **out);

/* Seconds of a clock that never goes back. */
double now_seconds(void);

/* Room for any number written by one of these. */
typedef struct number_text {
    char text[48];
} number_text;

number_text grouped(int64_t value);     /* 87,580 */
number_text sized(int64_t bytes);       /* 61.2 MiB */
number_text clock_time(double seconds); /* 0:07, 1:02:03 */
number_text shortest(double value);     /* reads back as the same number */

/* ---- JSON ----------------------------------------------------------------
 * A writer of one object: it keeps the commas.  A key is NULL inside a list
 * and for the outermost value. */

typedef struct json {
    FILE *file;
    int comma;
} json;

void json_open(json *j, const char *key, char bracket);
void json_close(json *j, char bracket);
void json_int(json *j, const char *key, int64_t value);
/* null where value is not finite. */
void json_real(json *j, const char *key, double value);
void json_bool(json *j, const char *key, int value);
void json_text(json *j, const char *key, const char *text);
/* A value that is JSON already. */
void json_raw(json *j, const char *key, const char *value);

#endif
