/* SPDX-License-Identifier: MIT */
/* main.c - finds the command that the first word names. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"train", cmd_train, "learn a language model from text files"},
    {"eval", cmd_eval, "measure a model on text files"},
    {"sample", cmd_sample, "let a model write"},
    {"info", cmd_info, "say what a model, or this machine, is"},
    {"bench", cmd_bench, "measure how fast this machine computes"},
    {"convert", cmd_convert, "make a model of another program's file"},
    {"run", cmd_run, "run a network over sequences of numbers"},
    {"probe", cmd_probe, "measure how far back a gradient reaches"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_help(void)
{
    printf("usage: elman COMMAND [ARGUMENT]...\n\n"
           "Recurrent neural networks that learn text.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].summary);
    printf("\n  elman COMMAND --help   what a command takes\n"
           "  elman --version        the version\n\n"
           "Example:\n"
           "  elman train book.txt -o book.safetensors\n"
           "  elman sample book.safetensors --prompt \"It was \"\n");
    return DONE;
}

static int print_version(void)
{
    printf("elman %s\n", elman_version());
    return DONE;
}

static int unknown_command(const char *name)
{
    complain("unknown command '%s' (elman --help lists them)", name);
    return MISUSED;
}

static int run_command(int argc, char **argv)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
    return unknown_command(argv[0]);
}

/* "elman help train" is "elman train --help". */
static int run_help(int argc, char **argv)
{
    char help[] = "--help";
    char *words[] = {argc > 1 ? argv[1] : NULL, help, NULL};

    return argc > 1 ? run_command(2, words) : print_help();
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        complain("a command is missing (elman --help lists them)");
        return MISUSED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0)
        return print_version();
    if (strcmp(argv[1], "help") == 0)
        return run_help(argc - 1, argv + 1);
    if (argv[1][0] == '-') {
        complain("unknown option %s (elman --help)", argv[1]);
        return MISUSED;
    }
    return run_command(argc - 1, argv + 1);
}

/* A descriptor that came closed would otherwise be given to the first file
 * that is opened, and a model would be overwritten by a message.  Each is
 * opened the wrong way round, so that using it fails as it should. */
static int guard_descriptors(void)
{
    const int modes[3] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", modes[fd]) != fd)
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    static char results[1 << 16];

    if (guard_descriptors() != 0)
        return FAILED;
    if (argc > 0)
        program_name = argv[0];
    /* A closed pipe and a file that may not grow become errors of write. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* Results are sent at once, so that the reason is known if that fails. */
    if (!isatty(STDOUT_FILENO))
        setvbuf(stdout, results, _IOFBF, sizeof results);

    const int status = run(argc, argv);
    const int output = finish_stdout();
    return status != DONE ? status : output;
}
