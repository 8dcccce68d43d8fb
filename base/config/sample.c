#include "config.h"

#include <string.h>

#include "base/config/troff.h"
#include "base/config/value.h"

#include "base/config/options.h"

#define WRAP 78

/* Words of text, each line begun by prefix. */
static void print_wrapped(FILE *out, const char *prefix, const char *text)
{
  size_t column = 0;

  while (*text != '\0') {
    size_t len = strcspn(text, " ");
    if (column == 0)
      column = (size_t)fprintf(out, "%s", prefix);
    else if (column + 1 + len > WRAP) {
      fputc('\n', out);
      column = (size_t)fprintf(out, "%s", prefix);
    } else
      column += (size_t)fprintf(out, " ");
    column += fwrite(text, 1, len, out);
    text += len;
    text += strspn(text, " ");
  }
  if (column > 0)
    fputc('\n', out);
}

static bool needs_quotes(const struct tm_option *option) { return tm_option_is_text(option); }

static void print_value(FILE *out, const struct tm_option *option, const char *value)
{
  if (!needs_quotes(option)) {
    fputs(value, out);
    return;
  }
  fputc('"', out);
  for (; *value != '\0'; value++) {
    if (*value == '"' || *value == '\\')
      fputc('\\', out);
    fputc(*value, out);
  }
  fputc('"', out);
}

static void print_option(FILE *out, const struct tm_option *option)
{
  char range[384];
  char line[640];
  const char *value = option->fallback != NULL ? option->fallback : option->example;
  const char *note = option->required ? "Required." : option->fallback == NULL ? "No default." : "";

  tm_option_range(option, range, sizeof range);
  if (option->group != NULL)
    fprintf(out, "# ---- %s ----\n\n", option->group);
  print_wrapped(out, "# ", option->help);
  snprintf(line, sizeof line, "Value: %s. %s%s%s%s%s", range, note, option->fallback != NULL ? "Default: " : "",
           option->fallback != NULL ? option->fallback : "", option->fallback != NULL ? "." : "",
           option->reload ? " Changes on reload." : "");
  print_wrapped(out, "# ", line);
  fprintf(out, "%s%s = ", option->required ? "" : "#", option->name);
  print_value(out, option, value != NULL ? value : "");
  fputs("\n\n", out);
}

void tm_options_print_sample(const struct tm_option_table *table, FILE *out)
{
  fprintf(
      out,
      "# Configuration of %s. Lines with # are comments; options that are\n# commented out show their defaults.\n\n",
      table->program);
  for (size_t i = 0; i < table->n; i++)
    print_option(out, &table->options[i]);
}

void tm_options_print_manual(const struct tm_option_table *table, FILE *out)
{
  char range[384];

  for (size_t i = 0; i < table->n; i++) {
    const struct tm_option *option = &table->options[i];
    if (option->group != NULL) {
      fputs(".SS ", out);
      tm_troff(out, option->group);
      fputc('\n', out);
    }
    fputs(".TP\n.B ", out);
    tm_troff(out, option->name);
    fputc('\n', out);
    tm_troff(out, option->help);
    fputs("\n.br\nValue: ", out);
    tm_option_range(option, range, sizeof range);
    tm_troff(out, range);
    if (option->required)
      fputs(". Required.", out);
    else if (option->fallback != NULL) {
      fputs(". Default: ", out);
      tm_troff(out, option->fallback);
      fputs(".", out);
    } else
      fputs(". No default.", out);
    fputs(option->reload ? " Changes on reload.\n" : "\n", out);
  }
}
