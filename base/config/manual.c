#include "config.h"

#include <string.h>

#include "base/config/command.h"
#include "base/config/troff.h"

void tm_troff(FILE *out, const char *text)
{
  if (*text == '.' || *text == '\'')
    fputs("\\&", out);
  for (; *text != '\0'; text++) {
    if (*text == '\\')
      fputs("\\e", out);
    else if (*text == '-')
      fputs("\\-", out);
    else if (*text == '"')
      fputs("\\(dq", out);
    else
      fputc(*text, out);
  }
}

/* "[--epochs N]": words in capitals are what the user puts there. */
static void print_args(FILE *out, const char *args)
{
  while (*args != '\0') {
    size_t name = strspn(args, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    char one[2] = {*args, '\0'};
    if (name == 0) {
      tm_troff(out, one);
      args++;
      continue;
    }
    fprintf(out, "\\fI%.*s\\fR", (int)name, args);
    args += name;
  }
}

void tm_program_print_synopsis(const struct tm_program *program, FILE *out)
{
  for (size_t i = 0; i < program->n; i++) {
    const struct tm_command *c = &program->commands[i];
    fprintf(out, "%s.B ", i > 0 ? ".br\n" : "");
    tm_troff(out, program->name);
    fputs("\\fR [\\fIOPTION\\fR...] \\fB", out);
    tm_troff(out, c->name);
    fputs("\\fR", out);
    if (c->args[0] != '\0')
      fputc(' ', out);
    print_args(out, c->args);
    fputc('\n', out);
  }
}

/* Paragraphs are parted by an empty line. */
static void print_text(FILE *out, const char *text)
{
  char line[1024];

  while (*text != '\0') {
    const char *end = strstr(text, "\n\n");
    size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    tm_troff(out, line);
    text += len + (end != NULL ? 2 : 0);
    fputs(*text != '\0' ? "\n.PP\n" : "\n", out);
  }
}

static void print_options(FILE *out, const struct argp_option *o)
{
  for (; o != NULL && o->name != NULL; o++) {
    fputs(".TP\n.B ", out);
    if (o->key > ' ' && o->key < 127)
      fprintf(out, "\\-%c\\fR, \\fB", o->key);
    fputs("\\-\\-", out);
    tm_troff(out, o->name);
    if (o->arg != NULL)
      fprintf(out, (o->flags & OPTION_ARG_OPTIONAL) != 0 ? "\\fR[=\\fI%s\\fR]" : "\\fR=\\fI%s\\fR", o->arg);
    fputc('\n', out);
    tm_troff(out, o->doc);
    fputs(".\n", out);
  }
}

void tm_program_print_manual(const struct tm_program *program, FILE *out)
{
  if (program->options != NULL)
    fputs(".PP\nFor every command, in front of it:\n", out);
  print_options(out, program->options);
  for (size_t i = 0; i < program->n; i++) {
    const struct tm_command *c = &program->commands[i];
    size_t brief = strcspn(c->help, "\v");
    char line[256];
    fputs(".SS ", out);
    tm_troff(out, c->name);
    if (c->args[0] != '\0')
      fputc(' ', out);
    print_args(out, c->args);
    fputc('\n', out);
    snprintf(line, sizeof line, "%.*s", (int)brief, c->help);
    tm_troff(out, line);
    fputc('\n', out);
    if (c->help[brief] != '\0') {
      fputs(".PP\n", out);
      print_text(out, c->help + brief + 1);
    }
    print_options(out, c->options);
  }
}
