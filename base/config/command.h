/*
 * Programs with subcommands. One table gives the list in --help, the usage line of each and the dispatch; argp does the
 * options. Exit codes of every program: 0 it worked, 1 it failed (and said why on standard error), 2 it was called
 * wrongly.
 *
 *   static int keygen(const struct tm_command_call *call);
 *   static const struct tm_command commands[] = {
 *     {"keygen", "--name NAME --out DIR", "Make a key pair.", keygen, NULL},
 *   };
 *   static const struct tm_program program = {.name = "my", .about = "Does things.", .commands = commands, .n = 1};
 *   int main(int argc, char **argv) { return tm_program_main(&program, argc, argv, NULL); }
 *
 * For main threads of programs.
 */
#ifndef TM_BASE_CONFIG_COMMAND_H
#define TM_BASE_CONFIG_COMMAND_H

#include <argp.h>
#include <stddef.h>
#include <stdio.h>

enum tm_exit { TM_EXIT_OK = 0, TM_EXIT_FAILED = 1, TM_EXIT_USAGE = 2 };

struct tm_command_call;

struct tm_command {
  const char *name;
  const char *args; /* what follows the name in the usage line; "" for nothing */
  const char *help; /* one line; more behind '\v' as argp has it */
  int (*run)(const struct tm_command_call *call); /* returns enum tm_exit */
  const struct argp_option *options; /* its own, for the manual, and for tm_command_parse with NULL; may be NULL */
};

struct tm_program {
  const char *name;
  const char *about;                 /* one line */
  const char *more;                  /* printed below the list of commands; may be NULL */
  const struct argp_option *options; /* before the command, for all of them; may be NULL */
  argp_parser_t parse;               /* for these; state->input is tm_program_main's arg; NULL with no options */
  const struct tm_command *commands;
  size_t n;
};

struct tm_command_call {
  const struct tm_program *program;
  const struct tm_command *command;
  int argc;    /* argv[0]: "program command", for messages */
  char **argv;
  void *arg;   /* tm_program_main's */
};

/*
 * Reads the options before the command, finds it and runs it. Returns the exit code; does not return after --help,
 * --version or wrong usage, which argp answers itself with exit codes 0 and 2.
 */
int tm_program_main(const struct tm_program *program, int argc, char **argv, void *arg);

/*
 * For a command's run: parses its own options (NULL: those of its table row) with the usage and help text of its table row. parse gets
 * input as state->input; it calls argp_error for what is wrong. With parse NULL every argument is an error.
 */
void tm_command_parse(const struct tm_command_call *call, const struct argp_option *options, argp_parser_t parse,
                      void *input);

/* The commands as parts of a manual page, troff with man macros: the SYNOPSIS, and a .SS for each with its options. */
void tm_program_print_synopsis(const struct tm_program *program, FILE *out);
void tm_program_print_manual(const struct tm_program *program, FILE *out);

/* "program command: text" on standard error. Returns TM_EXIT_FAILED. */
int tm_command_fail(const struct tm_command_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A plain decimal argument from min to max, or argp_error naming what. */
unsigned long long tm_command_number(const struct argp_state *state, const char *what, const char *text,
                                     unsigned long long min, unsigned long long max);

#endif
