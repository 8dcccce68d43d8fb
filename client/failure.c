#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/config/command.h"

#include "client/failure.h"

int tm_failure_exit(const char *code)
{
  static const struct {
    const char *code;
    int exit;
  } exits[] = {
    {"usage", TM_EXIT_USAGE},           {"passphrase", TM_EXIT_PASSPHRASE}, {"no-contact", TM_EXIT_NO_CONTACT},
    {"not-yet", TM_EXIT_NOT_YET},       {"no-state", TM_EXIT_NO_STATE},
  };

  for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
    if (strcmp(code, exits[i].code) == 0)
      return exits[i].exit;
  return TM_EXIT_FAILED;
}

int tm_failure_set(struct tm_failure *f, const char *code, const char *format, ...)
{
  va_list ap;

  snprintf(f->code, sizeof f->code, "%s", code);
  va_start(ap, format);
  vsnprintf(f->text, sizeof f->text, format, ap);
  va_end(ap);
  return tm_failure_exit(code);
}
