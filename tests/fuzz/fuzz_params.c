/*
 * Parameter files of an authority: every value is in its range or something is said about the file; and a file that is
 * read says the same when it is written again.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory/authority/authority.h"
#include "directory/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* Reads a text; complaints go to memory and not to the screen. */
static bool parse(const char *text, size_t len, struct tm_params *params)
{
  char *argv[] = {(char *)(uintptr_t)"fuzz", NULL};
  const struct tm_command_call call = {.argc = 1, .argv = argv};
  FILE *screen = stderr;
  char *said = NULL;
  size_t said_len = 0;
  int failed;

  stderr = open_memstream(&said, &said_len);
  require(stderr != NULL);
  failed = tm_authority_parse_params(&call, "params", text, len, params);
  fclose(stderr);
  stderr = screen;
  require((failed != 0) == (said_len > 0));
  free(said);
  return failed == 0;
}

static void check_ranges(const struct tm_params *params)
{
  for (size_t i = 0; i < tm_params_count(); i++) {
    const struct tm_param *p = tm_params_at(i);
    uint32_t v;

    memcpy(&v, (const char *)params + p->offset, sizeof v);
    require(v >= p->min && v <= p->max);
  }
}

static void check_again(const struct tm_params *params)
{
  char text[8192];
  char value[TM_PARAM_VALUE_MAX];
  struct tm_params same;
  size_t at = 0;

  for (size_t i = tm_params_count(); i > 0; i--) {
    tm_params_format(params, i - 1, value);
    at += (size_t)snprintf(text + at, sizeof text - at, "%s %s\n", tm_params_at(i - 1)->name, value);
    require(at < sizeof text);
  }
  require(parse(text, at, &same) && memcmp(&same, params, sizeof same) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct tm_params params;

  if (parse((const char *)data, len, &params)) {
    check_ranges(&params);
    check_again(&params);
  }
  return 0;
}
