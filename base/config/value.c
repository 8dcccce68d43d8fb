#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/err.h"
#include "base/config/suggest.h"

#include "base/config/value.h"

bool tm_option_is_text(const struct tm_option *option)
{
  return option->kind == TM_OPTION_STRING || option->kind == TM_OPTION_PATH || option->kind == TM_OPTION_ADDRESS;
}

static void *field_of(const struct tm_option *option, void *values) { return (char *)values + option->offset; }

static const char *choice_name(const void *table, size_t i) { return ((const char *const *)table)[i]; }

static const char *between(const char *const *choices, size_t i)
{
  if (i == 0)
    return "";
  return choices[i + 1] == NULL ? " or " : ", ";
}

static void list_choices(const char *const *choices, char *text, size_t cap)
{
  size_t at = 0;

  for (size_t i = 0; choices[i] != NULL && at < cap; i++)
    at += (size_t)snprintf(text + at, cap - at, "%s%s", between(choices, i), choices[i]);
}

static size_t longest(const struct tm_option *option)
{
  return option->max != 0 ? (size_t)option->max : TM_OPTION_TEXT_MAX;
}

void tm_option_range(const struct tm_option *option, char *text, size_t cap)
{
  char choices[256] = "";
  const char *unit = option->unit != NULL ? option->unit : "";

  if (option->choices != NULL)
    list_choices(option->choices, choices, sizeof choices);
  switch (option->kind) {
  case TM_OPTION_INTEGER:
    snprintf(text, cap, "an integer from %" PRIu64 " to %" PRIu64 "%s%s", option->min, option->max,
             unit[0] != '\0' ? " " : "", unit);
    break;
  case TM_OPTION_STRING:
    snprintf(text, cap, "a text of %" PRIu64 " to %zu characters", option->min, longest(option));
    break;
  case TM_OPTION_PATH:
    snprintf(text, cap, "a path; a relative one starts at the directory of this file");
    break;
  case TM_OPTION_ADDRESS:
    snprintf(text, cap, "a numeric address with port, like \"127.0.0.1:4711\" or \"[::1]:4711\"");
    break;
  case TM_OPTION_CHOICE:
    snprintf(text, cap, "%s", choices);
    break;
  case TM_OPTION_CHOICES:
    snprintf(text, cap, "a list in braces, one or more of %s", choices);
    break;
  case TM_OPTION_BOOLEAN:
    snprintf(text, cap, "yes or no");
    break;
  }
}

/* Plain decimal: digits only, no sign, no leading zero, no overflow. */
static bool parse_decimal(const char *text, uint64_t *out)
{
  uint64_t v = 0;

  if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
    return false;
  for (; *text != '\0'; text++) {
    unsigned digit = (unsigned)*text - '0';
    if (digit > 9 || v > (UINT64_MAX - digit) / 10)
      return false;
    v = v * 10 + digit;
  }
  *out = v;
  return true;
}

static int set_integer(const struct tm_option *option, const char *text, void *values)
{
  uint64_t v;
  uint32_t small;

  if (!parse_decimal(text, &v) || v < option->min || v > option->max)
    return TM_E_SYNTAX;
  if (option->size == sizeof v) {
    memcpy(field_of(option, values), &v, sizeof v);
    return TM_OK;
  }
  if (v > UINT32_MAX)
    return TM_E_SYNTAX;
  small = (uint32_t)v;
  memcpy(field_of(option, values), &small, sizeof small);
  return TM_OK;
}

/* A path as it is, or behind the directory of the configuration file. NULL: no memory. */
static char *resolve(const char *file, const char *path)
{
  const char *slash = strrchr(file, '/');
  size_t dir = slash == NULL || path[0] == '/' ? 0 : (size_t)(slash - file) + 1;
  size_t len = strlen(path);
  char *whole = malloc(dir + len + 1);

  if (whole == NULL)
    return NULL;
  memcpy(whole, file, dir);
  memcpy(whole + dir, path, len + 1);
  return whole;
}

static bool text_fits(const struct tm_option *option, const char *text)
{
  size_t len = strlen(text);

  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
      return false;
  if (option->kind == TM_OPTION_ADDRESS)
    return tm_address_check(text, len) == TM_OK;
  if (option->kind == TM_OPTION_PATH)
    return len > 0 && len <= TM_OPTION_PATH_MAX;
  return len >= option->min && len <= longest(option);
}

static int set_text(const struct tm_option *option, const char *path, const char *text, void *values)
{
  char *copy;

  if (!text_fits(option, text))
    return TM_E_SYNTAX;
  copy = option->kind == TM_OPTION_PATH ? resolve(path, text) : strdup(text);
  if (copy == NULL)
    return TM_E_NOMEM;
  memcpy(field_of(option, values), &copy, sizeof copy);
  return TM_OK;
}

static int set_choice(const struct tm_option *option, const char *text, bool first, void *values)
{
  unsigned old = 0;
  unsigned i = 0;

  while (option->choices[i] != NULL && strcmp(option->choices[i], text) != 0)
    i++;
  if (option->choices[i] == NULL)
    return TM_E_SYNTAX;
  if (option->kind == TM_OPTION_CHOICES) {
    if (!first)
      memcpy(&old, field_of(option, values), sizeof old);
    if ((old >> i & 1u) != 0)
      return TM_E_EXISTS;
    i = old | 1u << i;
  }
  memcpy(field_of(option, values), &i, sizeof i);
  return TM_OK;
}

static int set_boolean(const struct tm_option *option, const char *text, void *values)
{
  bool yes = strcmp(text, "yes") == 0;

  if (!yes && strcmp(text, "no") != 0)
    return TM_E_SYNTAX;
  memcpy(field_of(option, values), &yes, sizeof yes);
  return TM_OK;
}

/* How many of the option's unit "5s", "20M" or "250ms" mean by their ending; 0: unknown. */
static uint64_t times(const struct tm_option *option, const char *ending)
{
  static const struct {
    const char *ending, *unit; /* NULL: of whatever is counted */
    uint64_t times;
  } endings[] = {
    {"ms", "milliseconds", 1}, {"s", "milliseconds", 1000}, {"sec", "milliseconds", 1000}, {"m", "milliseconds", 60000},
    {"min", "milliseconds", 60000}, {"s", "seconds", 1}, {"sec", "seconds", 1}, {"m", "seconds", 60},
    {"min", "seconds", 60}, {"h", "seconds", 3600}, {"k", NULL, 1000}, {"K", NULL, 1000}, {"M", NULL, 1000000},
    {"G", NULL, 1000000000},
  };

  if (option->unit != NULL && strcmp(ending, option->unit) == 0)
    return 1;
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    bool time = option->unit != NULL && strstr(option->unit, "seconds") != NULL;
    if (strcmp(ending, endings[i].ending) == 0 &&
        (endings[i].unit == NULL ? !time : time && strcmp(option->unit, endings[i].unit) == 0))
      return endings[i].times;
  }
  return 0;
}

/* What somebody who wrote "5s", "1_000", "+2" or "02" most likely means; false: nobody knows. */
static bool guess_integer(const struct tm_option *option, const char *text, uint64_t *out)
{
  char digits[24];
  size_t n = 0;
  uint64_t factor = 1, v;

  text += *text == '+';
  text += strspn(text, " 0");
  for (; (*text >= '0' && *text <= '9') || *text == '_' || *text == ',' || *text == ' '; text++)
    if (*text >= '0' && *text <= '9') {
      if (n == sizeof digits - 1)
        return false;
      digits[n++] = *text;
    }
  digits[n] = '\0';
  if (*text != '\0')
    factor = times(option, text);
  if (!parse_decimal(digits, &v) || factor == 0 || v > UINT64_MAX / factor)
    return false;
  *out = v * factor;
  return *out >= option->min && *out <= option->max;
}

static void explain_integer(const struct tm_option *option, const char *text, const char *range, char *why)
{
  uint64_t v;

  if (parse_decimal(text, &v))
    snprintf(why, TM_OPTION_WHY_MAX, "%s: %s is too %s: write %s", option->name, text, v < option->min ? "little" : "much", range);
  else if (guess_integer(option, text, &v))
    snprintf(why, TM_OPTION_WHY_MAX, "%s: \"%.40s\" is no plain number: write %" PRIu64 "%s%s%s", option->name, text, v,
             option->unit != NULL ? " (" : "", option->unit != NULL ? option->unit : "", option->unit != NULL ? ")" : "");
  else
    snprintf(why, TM_OPTION_WHY_MAX, "%s: \"%.40s\" is not allowed: write %s", option->name, text, range);
}

static void explain(const struct tm_option *option, const char *text, int err, char *why)
{
  char range[384];
  const char *near = option->choices != NULL ? tm_suggest(text, choice_name, option->choices) : NULL;

  if (err == TM_E_EXISTS) {
    snprintf(why, TM_OPTION_WHY_MAX, "%s names \"%.40s\" twice: remove one", option->name, text);
    return;
  }
  tm_option_range(option, range, sizeof range);
  if (option->kind == TM_OPTION_INTEGER)
    explain_integer(option, text, range, why);
  else if (near != NULL)
    snprintf(why, TM_OPTION_WHY_MAX, "%s: \"%.40s\" is not %s; did you mean %s?", option->name, text, range, near);
  else
    snprintf(why, TM_OPTION_WHY_MAX, "%s: \"%.40s\" is not allowed: write %s", option->name, text, range);
}

int tm_option_set(const struct tm_option *option, const char *path, const char *text, bool first, void *values,
                  char why[static TM_OPTION_WHY_MAX])
{
  int err = TM_E_SYNTAX;

  why[0] = '\0';
  switch (option->kind) {
  case TM_OPTION_INTEGER:
    err = set_integer(option, text, values);
    break;
  case TM_OPTION_STRING:
  case TM_OPTION_PATH:
  case TM_OPTION_ADDRESS:
    err = set_text(option, path, text, values);
    break;
  case TM_OPTION_CHOICE:
  case TM_OPTION_CHOICES:
    err = set_choice(option, text, first, values);
    break;
  case TM_OPTION_BOOLEAN:
    err = set_boolean(option, text, values);
    break;
  }
  if (err == TM_OK || err == TM_E_NOMEM)
    return err;
  explain(option, text, err, why);
  return TM_E_SYNTAX;
}
