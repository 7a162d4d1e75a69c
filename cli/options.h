/* SPDX-License-Identifier: MIT */
/* options.h - a command line against a table.
 *
 * One row of the table is one option: its name, its default, its text in
 * --help, the numbers it may take, and where in the command's struct its value
 * goes.  Nothing else in the program knows any of these. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef enum option_kind {
    OPTION_HEADING, /* no option: a line between them in --help */
    OPTION_FLAG,    /* int: 1 if given */
    OPTION_TEXT,    /* const char * */
    OPTION_INT,     /* int64_t */
    OPTION_BYTES,   /* int64_t: a number of bytes, such as 64M */
    OPTION_REAL,    /* double, finite */
    OPTION_CHOICE,  /* int: the place among the choices, from 0 */
} option_kind;

/* What numbers an option takes. */
typedef enum option_range {
    RANGE_ANY,
    RANGE_NOT_NEGATIVE,
    RANGE_POSITIVE,
    RANGE_FROM_1,
    RANGE_FEW,      /* 1 ... 1024 */
    RANGE_FRACTION, /* [0, 1) */
    RANGE_UNIT,     /* [0, 1] */
    RANGE_PART,     /* (0, 1] */
    RANGE_COUNT
} option_range;

/* How an option stands to the checkpoint of --resume. */
typedef enum option_memory {
    MEMORY_NONE,  /* a checkpoint does not hold it */
    MEMORY_FIXED, /* what is given must agree with the checkpoint */
    MEMORY_FREE,  /* what is given replaces the checkpoint's */
} option_memory;

typedef struct option {
    option_kind kind;
    char letter;          /* 'o' for -o; 0: none */
    const char *name;     /* "output" for --output */
    size_t offset;        /* of the value in the command's struct */
    const char *argument; /* "FILE"; not for flags and choices */
    const char *choices;  /* "char|word|byte" */
    option_range range;
    option_memory memory;
    const char *initial; /* the default, as one would type it; NULL: what the
                          * struct held before */
    const char *help;
} option;

typedef struct grammar {
    const char *command;  /* "train" */
    const char *operands; /* "TEXT... -o MODEL" */
    const char *summary;  /* a sentence */
    const char *example;  /* lines for people to copy */
    const option *options;
    int option_count;
    int least, most; /* operands; most is -1 for any number */
} grammar;

#define GRAMMAR_OPTIONS(table)                                                 \
    .options = (table), .option_count = (int)(sizeof(table) / sizeof(*(table)))

enum { OPTIONS_MOST = 64 }; /* rows of any table */

typedef struct arguments {
    unsigned char given[OPTIONS_MOST]; /* by row: 1 if it was on the line */
    const char **operands;             /* the words are argv's */
    int operand_count;
} arguments;

enum { OPTIONS_READ = -1 };

/* Fills values from the defaults and then from argv.  OPTIONS_READ: go on, and
 * call arguments_free when done; anything else is the exit status of a call
 * that ends here (--help, or a mistake that has been explained). */
int options_read(const grammar *g, int argc, char **argv, void *values,
                 arguments *out);
void arguments_free(arguments *a);

/* Whether the option of this name was on the line. */
int option_given(const grammar *g, const arguments *a, const char *name);
const option *option_find(const grammar *g, const char *name);

/* An option as one would type it, such as "--hidden 256".  size is at least
 * 1. */
void option_show(const option *o, const void *values, char *text, size_t size);
int option_equal(const option *o, const void *values, const void *others);
void option_copy(const option *o, void *values, const void *others);

#endif
