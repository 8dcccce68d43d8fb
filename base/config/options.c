#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "base/err.h"
#include "base/file.h"
#include "base/config/complaints.h"
#include "base/config/scan.h"
#include "base/config/suggest.h"
#include "base/config/value.h"

#include "base/config/options.h"

/* One load. The lexer of libconfuse is global and its callbacks carry no argument, so there is one at a time. */
struct tm_option_place {
  const struct tm_option_table *table;
  const char *path;
  void *values;
  struct tm_complaints complaints;
  int line[TM_OPTIONS_MAX];    /* where option i stood; 0: nowhere */
  int spoilt[TM_OPTIONS_MAX];  /* where it stood in a line that cannot be read; 0: nowhere */
  bool bad[TM_OPTIONS_MAX];    /* its value is none */
  int error_line;              /* of what made libconfuse stop */
  bool no_memory;
};

static struct tm_option_place *loading;

static size_t find(const struct tm_option_table *table, const char *name)
{
  size_t i = 0;

  while (i < table->n && strcmp(table->options[i].name, name) != 0)
    i++;
  return i;
}

static const char *option_name(const void *table, size_t i)
{
  const struct tm_option_table *t = table;

  return i < t->n ? t->options[i].name : NULL;
}

void tm_options_complain(struct tm_option_place *place, const char *option, const char *format, ...)
{
  char text[1024];
  size_t i = find(place->table, option);
  va_list ap;

  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  tm_complaints_add(&place->complaints, i < place->table->n ? place->line[i] : 0, "%s", text);
}

bool tm_options_good(const struct tm_option_place *place, const char *option)
{
  size_t i = find(place->table, option);

  return i < place->table->n && !place->bad[i] && place->spoilt[i] == 0 &&
         (place->line[i] != 0 || place->table->options[i].fallback != NULL);
}

bool tm_options_given(const struct tm_option_place *place, const char *option)
{
  size_t i = find(place->table, option);

  return i < place->table->n && place->line[i] != 0;
}

/* ---- libconfuse's callbacks ---- */

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *format, va_list ap)
{
  static const char unknown[] = "no such option '";
  char text[256];
  char *end;
  const char *near;

  vsnprintf(text, sizeof text, format, ap);
  loading->error_line = cfg->line;
  end = strrchr(text, '\'');
  if (strncmp(text, unknown, sizeof unknown - 1) != 0 || end < text + sizeof unknown - 1) {
    tm_complaints_add(&loading->complaints, cfg->line,
                      "%s: write name = value, with lists in braces and texts in double quotes", text);
    return;
  }
  *end = '\0';
  near = tm_suggest(text + sizeof unknown - 1, option_name, loading->table);
  if (near != NULL)
    tm_complaints_add(&loading->complaints, cfg->line, "unknown option \"%s\"; did you mean %s?",
                      text + sizeof unknown - 1, near);
  else
    tm_complaints_add(&loading->complaints, cfg->line, "unknown option \"%s\": the manual lists all there are",
                      text + sizeof unknown - 1);
}

/* Every value of every option comes by here. Mistakes are noted and parsing goes on, so that all of them are reported
 * at once. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
  char why[TM_OPTION_WHY_MAX];
  size_t i = find(loading->table, opt->name);
  const struct tm_option *option = &loading->table->options[i];
  bool first = opt->nvalues <= 1;
  int err;

  *(const char **)result = value;
  if (first && loading->line[i] != 0) {
    tm_complaints_add(&loading->complaints, cfg->line, "%s is already set in line %d: remove one of the two", option->name,
                      loading->line[i]);
    return 0;
  }
  if (loading->line[i] == 0)
    loading->line[i] = cfg->line;
  err = tm_option_set(option, loading->path, value, first, loading->values, why);
  if (err == TM_E_NOMEM) {
    loading->no_memory = true;
    return 1;
  }
  if (err != TM_OK) {
    loading->bad[i] = true;
    tm_complaints_add(&loading->complaints, cfg->line, "%s", why);
  }
  return 0;
}

static void build(const struct tm_option_table *table, cfg_opt_t opts[static TM_OPTIONS_MAX + 1])
{
  for (size_t i = 0; i < table->n; i++) {
    bool list = table->options[i].kind == TM_OPTION_CHOICES;
    opts[i] = (cfg_opt_t)CFG_STR(table->options[i].name, NULL, CFGF_NODEFAULT | (list ? CFGF_LIST : CFGF_NONE));
    opts[i].parsecb = on_value;
  }
  opts[table->n] = (cfg_opt_t)CFG_END();
}

/* Names what stands there, so that nobody says it is missing, and takes it out. False: nothing stands there. */
static bool spoil(struct tm_option_place *place, char *text, char *at, int line)
{
  char *statement = tm_scan_statement(text, at);
  char name[TM_OPTION_TEXT_MAX + 1];
  size_t i;

  statement += strspn(statement, " \t");
  snprintf(name, sizeof name, "%.*s", (int)strcspn(statement, " \t=\n"), statement);
  i = find(place->table, name);
  if (i < place->table->n)
    place->spoilt[i] = line;
  return tm_scan_blank(statement);
}

static void check_empty_lists(struct tm_option_place *place, cfg_t *cfg)
{
  for (size_t i = 0; i < place->table->n; i++) {
    const cfg_opt_t *opt = cfg_getopt(cfg, place->table->options[i].name);
    if (opt == NULL || (opt->flags & CFGF_MODIFIED) == 0 || place->line[i] != 0)
      continue;
    place->bad[i] = true;
    tm_complaints_add(&place->complaints, 0, "%s is an empty list: name at least one, or remove the option",
                      place->table->options[i].name);
  }
}

/* libconfuse stops at the first line that it cannot read. True: it read all. */
static bool run_confuse(struct tm_option_place *place, const char *text)
{
  cfg_opt_t opts[TM_OPTIONS_MAX + 1];
  cfg_t *cfg;
  int rc;

  tm_options_free(place->table, place->values);
  memset(place->line, 0, sizeof place->line);
  memset(place->bad, 0, sizeof place->bad);
  place->error_line = 0;
  build(place->table, opts);
  cfg = cfg_init(opts, CFGF_NONE);
  if (cfg == NULL) {
    place->no_memory = true;
    return true;
  }
  loading = place;
  cfg_set_error_function(cfg, on_error);
  rc = cfg_parse_buf(cfg, text);
  if (rc == CFG_SUCCESS)
    check_empty_lists(place, cfg);
  else if (place->error_line == 0 && !place->no_memory) {
    place->error_line = cfg->line;
    tm_complaints_add(&place->complaints, cfg->line, "malformed line");
  }
  cfg_free(cfg);
  loading = NULL;
  return rc == CFG_SUCCESS || place->no_memory;
}

/* Again and again without the line that stopped it, so that every mistake is found. */
static void read_all(struct tm_option_place *place, char *text)
{
  size_t left = TM_COMPLAINTS_MAX;

  while (!run_confuse(place, text))
    if (left-- == 0 || !spoil(place, text, tm_scan_line(text, place->error_line), place->error_line))
      return;
}

/* ---- defaults ---- */

/* A fallback is what a file would have; for a list in braces. A bad one is our own bug. */
static int set_fallback(const struct tm_option *option, const char *path, void *values)
{
  char why[TM_OPTION_WHY_MAX];
  char text[TM_OPTION_TEXT_MAX + 1];
  char *rest = NULL;
  bool first = true;
  int err = TM_OK;

  if (option->kind != TM_OPTION_CHOICES)
    err = tm_option_set(option, path, option->fallback, true, values, why);
  else {
    snprintf(text, sizeof text, "%s", option->fallback);
    for (char *word = strtok_r(text, "{}, ", &rest); word != NULL && err == TM_OK;
         word = strtok_r(NULL, "{}, ", &rest)) {
      err = tm_option_set(option, path, word, first, values, why);
      first = false;
    }
  }
  if (err == TM_E_SYNTAX)
    abort();
  return err;
}

/* What has no good value gets its default. */
static void complete(struct tm_option_place *place)
{
  for (size_t i = 0; i < place->table->n; i++) {
    const struct tm_option *option = &place->table->options[i];
    if (place->line[i] != 0 && !place->bad[i])
      continue;
    if (option->required && place->line[i] == 0 && place->spoilt[i] == 0 && !place->bad[i]) {
      place->bad[i] = true;
      tm_complaints_add(&place->complaints, 0, "%s is missing: add a line like  %s = %s", option->name, option->name,
                        option->example);
    } else if (option->fallback != NULL && set_fallback(option, place->path, place->values) != TM_OK)
      place->no_memory = true;
  }
}

struct scanning {
  struct tm_option_place *place;
  char *text;
};

static void on_bad(void *arg, char *at, int line, const char *why)
{
  struct scanning *s = arg;

  tm_complaints_add(&s->place->complaints, line, "%s", why);
  (void)!spoil(s->place, s->text, at, line);
}

static void parse(struct tm_option_place *place, char *text, size_t len)
{
  struct scanning scanning = {place, text};

  if (strlen(text) != len) {
    tm_complaints_add(&place->complaints, 0, "zero byte in the file: this is no configuration file");
    return;
  }
  tm_scan(text, on_bad, &scanning);
  read_all(place, text);
  if (!place->no_memory)
    complete(place);
  if (!place->no_memory && place->table->check != NULL)
    place->table->check(place->values, place);
}

static int finish(struct tm_option_place *place, FILE *complaints)
{
  bool good;

  place->no_memory |= place->complaints.no_memory;
  if (place->no_memory)
    tm_complaints_add(&place->complaints, 0, "out of memory");
  good = place->complaints.n == 0 && place->complaints.more == 0;
  tm_complaints_print(&place->complaints, place->path, complaints);
  if (good)
    return TM_OK;
  tm_options_free(place->table, place->values);
  return place->no_memory ? TM_E_NOMEM : TM_E_SYNTAX;
}

int tm_options_parse(const struct tm_option_table *table, const char *path, const char *text, size_t len, void *values,
                     FILE *complaints)
{
  struct tm_option_place place = {.table = table, .path = path, .values = values};
  char *copy;

  if (table->n > TM_OPTIONS_MAX)
    abort();
  memset(values, 0, table->size);
  if (len > TM_OPTIONS_FILE_MAX) {
    fprintf(complaints, "%s: longer than %d bytes: this is no configuration file\n", path, TM_OPTIONS_FILE_MAX);
    return TM_E_TOO_BIG;
  }
  copy = malloc(len + 1);
  place.no_memory = copy == NULL;
  if (copy != NULL) {
    memcpy(copy, text, len);
    copy[len] = '\0';
    parse(&place, copy, len);
  }
  free(copy);
  return finish(&place, complaints);
}

int tm_options_load(const struct tm_option_table *table, const char *path, void *values, FILE *complaints)
{
  uint8_t *text;
  size_t len;
  int err = tm_file_read(path, TM_OPTIONS_FILE_MAX, &text, &len);

  memset(values, 0, table->size);
  if (err == TM_E_NOT_FOUND)
    fprintf(complaints, "%s: no such file: check the path, or start from the sample in the manual\n", path);
  else if (err == TM_E_IO)
    fprintf(complaints, "%s: cannot be read: %s\n", path, tm_file_reason(err));
  else if (err != TM_OK)
    fprintf(complaints, "%s: %s\n", path, tm_strerror(err));
  if (err != TM_OK)
    return err;
  err = tm_options_parse(table, path, (const char *)text, len, values, complaints);
  tm_file_free(text, len);
  return err;
}

void tm_options_free(const struct tm_option_table *table, void *values)
{
  for (size_t i = 0; i < table->n; i++)
    if (tm_option_is_text(&table->options[i])) {
      char *text;
      memcpy(&text, (char *)values + table->options[i].offset, sizeof text);
      free(text);
    }
  memset(values, 0, table->size);
}

int tm_options_line(const char *path, const char *option)
{
  size_t n = strlen(option), len;
  uint8_t *text;
  int line = 0, found = 0;

  if (tm_file_read(path, TM_OPTIONS_FILE_MAX, &text, &len) != TM_OK)
    return 0;
  for (const char *at = (const char *)text; at != NULL && found == 0; at = strchr(at, '\n')) {
    at += line++ > 0;
    at += strspn(at, " \t");
    if (strncmp(at, option, n) == 0 && at[n + strspn(at + n, " \t")] == '=')
      found = line;
  }
  tm_file_free(text, len);
  return found;
}
