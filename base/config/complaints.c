#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/config/complaints.h"

#define TEXT_MAX 1024

static bool is_known(const struct tm_complaints *c, int line, const char *text)
{
  for (size_t i = 0; i < c->n; i++)
    if (c->at[i].line == line && strcmp(c->at[i].text, text) == 0)
      return true;
  return false;
}

/* Does line a come behind line b? */
static bool is_behind(int a, int b) { return b != 0 && (a == 0 || a > b); }

void tm_complaints_add(struct tm_complaints *c, int line, const char *format, ...)
{
  char text[TEXT_MAX], *copy;
  size_t at = c->n;
  va_list ap;

  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  if (is_known(c, line, text))
    return;
  copy = c->n < TM_COMPLAINTS_MAX ? strdup(text) : NULL;
  if (copy == NULL) {
    c->no_memory |= c->n < TM_COMPLAINTS_MAX;
    c->more++;
    return;
  }
  for (; at > 0 && is_behind(c->at[at - 1].line, line); at--)
    c->at[at] = c->at[at - 1];
  c->at[at].line = line;
  c->at[at].text = copy;
  c->n++;
}

void tm_complaints_print(struct tm_complaints *c, const char *path, FILE *out)
{
  for (size_t i = 0; i < c->n; i++) {
    if (c->at[i].line > 0)
      fprintf(out, "%s:%d: %s\n", path, c->at[i].line, c->at[i].text);
    else
      fprintf(out, "%s: %s\n", path, c->at[i].text);
    free(c->at[i].text);
  }
  if (c->more > 0)
    fprintf(out, "%s: and %zu mistakes more\n", path, c->more);
  *c = (struct tm_complaints){.n = 0};
}
