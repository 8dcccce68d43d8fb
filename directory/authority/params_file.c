#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/config/suggest.h"
#include "directory/params.h"

#include "directory/authority/authority.h"

#define PARAMS_MAX (64 * 1024)
#define SEEN_MAX 64

struct params_file {
  const struct tm_command_call *call;
  const char *path;
  unsigned line;
  struct tm_params *params;
  bool seen[SEEN_MAX];
};

static const char *param_name(const void *table, size_t i)
{
  (void)table;
  return i < tm_params_count() ? tm_params_at(i)->name : NULL;
}

static void describe_range(const struct tm_param *p, char *text, size_t cap)
{
  size_t at = 0;

  if (p->words == NULL) {
    snprintf(text, cap, "%" PRIu32 " to %" PRIu32 " %s", p->min, p->max, p->unit);
    return;
  }
  for (size_t w = 0; p->words[w] != NULL && at < cap; w++)
    at += (size_t)snprintf(text + at, cap - at, "%s%s", w > 0 ? " or " : "", p->words[w]);
}

/* One setting; where: "FILE:LINE" or "--set". *index: of the parameter. */
static int set(const struct tm_command_call *call, const char *where, struct tm_span name, struct tm_span value,
               struct tm_params *params, size_t *index)
{
  char word[64];
  char range[128];

  *index = tm_params_find(name);
  snprintf(word, sizeof word, "%.*s", (int)(name.len < 40 ? name.len : 40), name.at);
  if (*index == tm_params_count()) {
    const char *near = tm_suggest(word, param_name, NULL);
    if (near != NULL)
      return tm_command_fail(call, "%s: there is no parameter \"%s\"; did you mean %s?", where, word, near);
    return tm_command_fail(call, "%s: there is no parameter \"%s\"; \"tidemill-authority params\" prints them all",
                           where, word);
  }
  if (tm_params_set(params, *index, value) == TM_OK)
    return 0;
  describe_range(tm_params_at(*index), range, sizeof range);
  return tm_command_fail(call, "%s: %s must be %s, as a plain word or decimal", where, word, range);
}

static int read_line(struct params_file *f, struct tm_span line)
{
  char where[512];
  struct tm_span name;
  size_t i;

  snprintf(where, sizeof where, "%s:%u", f->path, f->line);
  if (!tm_span_word(&line, &name) || line.len == 0)
    return tm_command_fail(f->call, "%s: write \"name value\", with one space", where);
  if (set(f->call, where, name, line, f->params, &i) != 0)
    return TM_EXIT_FAILED;
  if (f->seen[i])
    return tm_command_fail(f->call, "%s: %s stands twice: remove one", where, tm_params_at(i)->name);
  f->seen[i] = true;
  return 0;
}

static int read_lines(struct params_file *f, const char *text, size_t len)
{
  int failed = 0;

  while (len > 0) {
    const char *end = memchr(text, '\n', len);
    size_t n = end != NULL ? (size_t)(end - text) : len;
    f->line++;
    if (n > 0 && text[0] != '#')
      failed |= read_line(f, (struct tm_span){text, n});
    n += end != NULL;
    text += n;
    len -= n;
  }
  for (size_t i = 0; i < tm_params_count() && !failed; i++)
    if (!f->seen[i])
      failed = tm_command_fail(f->call,
                               "%s: %s is missing: add a line for it (\"tidemill-authority params\" prints them all)",
                               f->path, tm_params_at(i)->name);
  return failed;
}

int tm_authority_parse_params(const struct tm_command_call *call, const char *path, const char *text, size_t len,
                              struct tm_params *params)
{
  struct params_file f = {.call = call, .path = path, .params = params};

  if (tm_params_count() > SEEN_MAX)
    abort();
  memset(params, 0, sizeof *params);
  return read_lines(&f, text, len);
}

int tm_authority_read_params(const struct tm_command_call *call, const char *path, char *const settings[], size_t n,
                             struct tm_params *params)
{
  char *text;
  size_t len;
  size_t index;
  int failed = tm_authority_read(call, path, PARAMS_MAX, &text, &len);

  memset(params, 0, sizeof *params);
  if (failed)
    return failed;
  failed = tm_authority_parse_params(call, path, text, len, params);
  tm_file_free((uint8_t *)text, len);
  for (size_t i = 0; i < n && !failed; i++) {
    const char *equal = strchr(settings[i], '=');
    if (equal == NULL)
      return tm_command_fail(call, "--set %s: write name=value", settings[i]);
    failed = set(call, "--set", (struct tm_span){settings[i], (size_t)(equal - settings[i])},
                 (struct tm_span){equal + 1, strlen(equal + 1)}, params, &index);
  }
  return failed;
}

int tm_authority_params(const struct tm_command_call *call)
{
  tm_command_parse(call, NULL, NULL, NULL);
  tm_params_print_sample(stdout);
  if (fflush(stdout) != 0)
    return tm_command_fail(call, "standard output cannot be written");
  return TM_EXIT_OK;
}
