/*
 * Configuration files: whatever they hold, the loader answers with values in range or with complaints, and leaks
 * nothing.
 */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/config/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct values {
  char *name, *dir, *listen, *who;
  uint32_t workers;
  uint64_t big;
  unsigned level, roles;
  bool fast;
};

static const char *const levels[] = {"error", "warn", "info", NULL};
static const char *const roles[] = {"entry", "mix", "store", NULL};

static const struct tm_option options[] = {
  {.name = "name", .kind = TM_OPTION_STRING, TM_OPTION_AT(struct values, name), .min = 1, .max = 31, .example = "x",
   .help = "."},
  {.name = "state-dir", .kind = TM_OPTION_PATH, TM_OPTION_AT(struct values, dir), .fallback = "state", .help = "."},
  {.name = "who", .kind = TM_OPTION_STRING, TM_OPTION_AT(struct values, who), .min = 1, .max = 31, .required = true, .example = "me",
   .help = "."},
  {.name = "listen", .kind = TM_OPTION_ADDRESS, TM_OPTION_AT(struct values, listen), .help = "."},
  {.name = "workers", .kind = TM_OPTION_INTEGER, TM_OPTION_AT(struct values, workers), .min = 1, .max = 64,
   .fallback = "2",
   .help = "."},
  {.name = "big", .kind = TM_OPTION_INTEGER, TM_OPTION_AT(struct values, big), .max = UINT64_MAX, .fallback = "9",
   .help = "."},
  {.name = "log-level", .kind = TM_OPTION_CHOICE, TM_OPTION_AT(struct values, level), .choices = levels,
   .fallback = "info",
   .help = "."},
  {.name = "roles", .kind = TM_OPTION_CHOICES, TM_OPTION_AT(struct values, roles), .choices = roles,
   .fallback = "{mix}",
   .help = "."},
  {.name = "fast", .kind = TM_OPTION_BOOLEAN, TM_OPTION_AT(struct values, fast), .fallback = "no", .help = "."},
};

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* Whatever is wrong with the rest: what is good is in range, and texts that are good are there. */
static void check(const void *values, struct tm_option_place *place)
{
  const struct values *v = values;

  require(v->workers <= 64 && v->level < 3 && v->roles <= 7);
  require(!tm_options_good(place, "workers") || v->workers >= 1);
  require(!tm_options_good(place, "who") || v->who != NULL);
  require(!tm_options_good(place, "state-dir") || v->dir != NULL);
  if (tm_options_good(place, "workers") && v->workers == 13)
    tm_options_complain(place, "workers", "no luck");
}

static const struct tm_option_table table = {.program = "fuzz",
                                             .options = options,
                                             .n = sizeof options / sizeof options[0],
                                             .size = sizeof(struct values),
                                             .check = check};

/* Lines "fuzz.conf:N: what", N never less than before; then those of the whole file. */
static void check_complaints(const char *at)
{
  unsigned long last = 0, n = 0;
  bool whole = false;

  for (; *at != '\0'; n++) {
    char *end;
    unsigned long line;
    require(strncmp(at, "fuzz.conf:", 10) == 0);
    line = strtoul(at + 10, &end, 10);
    require(end == at + 10 ? at[10] == ' ' : *end == ':' && !whole && line >= last && line >= 1);
    whole |= end == at + 10;
    last = line;
    at = strchr(at, '\n');
    require(at != NULL);
    at++;
  }
  require(n <= 66);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct values v;
  char *complaints = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&complaints, &size);
  int err;

  if (f == NULL)
    return 0;
  err = tm_options_parse(&table, "fuzz.conf", (const char *)data, len, &v, f);
  fclose(f);
  require((err == TM_OK) == (size == 0));
  check_complaints(complaints);
  if (err == TM_OK) {
    require(v.workers >= 1 && v.workers <= 64 && v.level < 3 && v.roles >= 1 && v.roles <= 7 && v.dir != NULL && v.who != NULL);
    require(v.name == NULL || (strlen(v.name) >= 1 && strlen(v.name) <= 31));
  }
  tm_options_free(&table, &v);
  free(complaints);
  return 0;
}
