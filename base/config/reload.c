#include "config.h"

#include <string.h>

#include "base/config/value.h"

#include "base/config/options.h"

static bool is_same(const struct tm_option *option, const void *a, const void *b)
{
  const char *x, *y;

  if (!tm_option_is_text(option))
    return memcmp(a, b, option->size) == 0;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static void exchange(uint8_t *a, uint8_t *b, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    uint8_t byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

size_t tm_options_reload(const struct tm_option_table *table, void *values, void *fresh, tm_option_differs *differs,
                         void *arg)
{
  size_t taken = 0;

  for (size_t i = 0; i < table->n; i++) {
    const struct tm_option *option = &table->options[i];
    uint8_t *old = (uint8_t *)values + option->offset;
    uint8_t *new = (uint8_t *)fresh + option->offset;
    if (is_same(option, old, new))
      continue;
    if (option->reload) {
      exchange(old, new, option->size);
      taken++;
    }
    differs(arg, option, option->reload);
  }
  return taken;
}
