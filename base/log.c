#include "config.h"

#include <unistd.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

#include "base/log.h"

static const char *const names[] = {"error", "warn", "info", "debug"};
static atomic_int threshold = TM_LOG_INFO;

void tm_log_set_level(enum tm_log_level level) { atomic_store(&threshold, (int)level); }

int tm_log_level_parse(const char *text, enum tm_log_level *level)
{
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(text, names[i]) == 0) {
      *level = (enum tm_log_level)i;
      return TM_OK;
    }
  return TM_E_SYNTAX;
}

/* Appends v in quotes where it has spaces; what could break a line becomes a question mark. */
static size_t put_name(char *line, size_t at, size_t cap, const char *v)
{
  bool quote = v[0] == '\0' || strpbrk(v, " =\"") != NULL;

  if (quote && at < cap)
    line[at++] = '"';
  for (; *v != '\0' && at < cap; v++)
    line[at++] = *v == '"' || (unsigned char)*v < ' ' ? '?' : *v;
  if (quote && at < cap)
    line[at++] = '"';
  return at;
}

void tm_log_write(enum tm_log_level level, const char *room, const char *event, const struct tm_kv *kv)
{
  char line[1024];
  char when[TM_TIME_TEXT_LEN];
  size_t cap = sizeof line - 1;
  size_t at;

  if ((int)level > atomic_load(&threshold))
    return;
  tm_time_format((uint64_t)time(NULL), when);
  at = (size_t)snprintf(line, cap, "%s level=%s room=%s event=", when, names[level], room);
  at = put_name(line, at, cap, event);
  for (; kv->kind != TM_KV_KIND_END && at < cap - 64; kv++) {
    at += (size_t)snprintf(line + at, cap - at, " %.32s=", kv->key);
    if (kv->kind == TM_KV_KIND_INT)
      at += (size_t)snprintf(line + at, cap - at, "%" PRId64, kv->number);
    else
      at = put_name(line, at, cap, kv->name != NULL ? kv->name : "none");
  }
  line[at++] = '\n';
  if (write(STDERR_FILENO, line, at) < 0) {
    /* Nowhere left to say so. */
  }
}
