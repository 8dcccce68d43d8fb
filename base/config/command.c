#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config/suggest.h"

#include "base/config/command.h"

#define TITLE_MAX 128
#define HELP_MAX 8192

struct global {
  const struct tm_program *program;
  void *arg;
  int command; /* index in argv; 0: none */
};

static const char *command_name(const void *program, size_t i)
{
  const struct tm_program *p = program;

  return i < p->n ? p->commands[i].name : NULL;
}

static error_t on_global(int key, char *arg, struct argp_state *state)
{
  struct global *global = state->input;

  if (key == ARGP_KEY_ARG) {
    global->command = state->next - 1;
    state->next = state->argc;
    return 0;
  }
  if (key == ARGP_KEY_NO_ARGS)
    argp_error(state, "which command?");
  if (global->program->parse == NULL)
    return ARGP_ERR_UNKNOWN;
  state->input = global->arg;
  key = global->program->parse(key, arg, state);
  state->input = global;
  return key;
}

/* about, then behind '\v' the commands, then what else there is to say. */
static void describe(const struct tm_program *program, char text[static HELP_MAX])
{
  size_t at = (size_t)snprintf(text, HELP_MAX, "%s\vCommands:\n", program->about);

  for (size_t i = 0; i < program->n && at < HELP_MAX; i++) {
    const struct tm_command *c = &program->commands[i];
    int brief = (int)strcspn(c->help, "\v");
    at += (size_t)snprintf(text + at, HELP_MAX - at, "  %s%s%s\n      %.*s\n", c->name, c->args[0] != '\0' ? " " : "",
                           c->args, brief, c->help);
  }
  if (at < HELP_MAX)
    snprintf(text + at, HELP_MAX - at,
             "\nEach command has --help of its own. Exit codes: 0 it worked, 1 it failed, 2 wrong usage.%s%s",
             program->more != NULL ? "\n\n" : "", program->more != NULL ? program->more : "");
}

static void print_version(FILE *out, struct argp_state *state)
{
  (void)state;
  fprintf(out, "%s\n", PACKAGE_STRING);
}

static const struct tm_command *find_command(const struct tm_program *program, const char *name)
{
  for (size_t i = 0; i < program->n; i++)
    if (strcmp(program->commands[i].name, name) == 0)
      return &program->commands[i];
  return NULL;
}

static int unknown_command(const struct tm_program *program, const char *name)
{
  const char *near = tm_suggest(name, command_name, program);

  fprintf(stderr, "%s: there is no command \"%s\"", program->name, name);
  if (near != NULL)
    fprintf(stderr, "; did you mean %s?\n", near);
  else
    fprintf(stderr, "; %s --help lists them\n", program->name);
  return TM_EXIT_USAGE;
}

/* What was printed has to have arrived, or it did not work. */
static int check_output(const struct tm_program *program, int code)
{
  bool lost = ferror(stdout) != 0;

  errno = 0;
  lost |= fflush(stdout) != 0;
  if (!lost || code != TM_EXIT_OK)
    return code;
  fprintf(stderr, "%s: standard output: %s\n", program->name, errno != 0 ? strerror(errno) : "not all of it could be written");
  return TM_EXIT_FAILED;
}

int tm_program_main(const struct tm_program *program, int argc, char **argv, void *arg)
{
  char text[HELP_MAX];
  char title[TITLE_MAX];
  struct global global = {.program = program, .arg = arg};
  struct argp argp = {
    .options = program->options, .parser = on_global, .args_doc = "COMMAND [ARGUMENT...]", .doc = text};
  struct tm_command_call call = {.program = program, .arg = arg};

  argp_program_version_hook = print_version;
  argp_err_exit_status = TM_EXIT_USAGE;
  describe(program, text);
  if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &global) != 0 || global.command == 0)
    return TM_EXIT_USAGE;
  call.command = find_command(program, argv[global.command]);
  if (call.command == NULL)
    return unknown_command(program, argv[global.command]);
  snprintf(title, sizeof title, "%s %s", program->name, call.command->name);
  call.argc = argc - global.command;
  call.argv = argv + global.command;
  call.argv[0] = title;
  return check_output(program, call.command->run(&call));
}

static error_t refuse_all(int key, char *arg, struct argp_state *state)
{
  if (key != ARGP_KEY_ARG)
    return ARGP_ERR_UNKNOWN;
  argp_error(state, "\"%s\" is one argument too many", arg);
  return 0;
}

void tm_command_parse(const struct tm_command_call *call, const struct argp_option *options, argp_parser_t parse,
                      void *input)
{
  struct argp argp = {.options = options != NULL ? options : call->command->options, .parser = parse != NULL ? parse : refuse_all, .args_doc = call->command->args,
                      .doc = call->command->help};

  if (argp_parse(&argp, call->argc, call->argv, 0, NULL, input) != 0)
    exit(TM_EXIT_USAGE);
}

int tm_command_fail(const struct tm_command_call *call, const char *format, ...)
{
  va_list ap;

  fflush(stdout); /* what was said before stands before it */
  fprintf(stderr, "%s: ", call->argv[0]);
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  fputc('\n', stderr);
  return TM_EXIT_FAILED;
}

unsigned long long tm_command_number(const struct argp_state *state, const char *what, const char *text,
                                     unsigned long long min, unsigned long long max)
{
  unsigned long long v = 0;
  const char *at = text;

  for (; *at >= '0' && *at <= '9' && v <= max; at++)
    v = v > (~0ULL - 9) / 10 ? ~0ULL : v * 10 + (unsigned long long)(*at - '0');
  if (at == text || *at != '\0' || v < min || v > max)
    argp_error(state, "%s: \"%s\" is not an integer from %llu to %llu", what, text, min, max);
  return v;
}
