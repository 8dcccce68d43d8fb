#include "config.h"

#include <string.h>

#include "base/config/suggest.h"

#define WORD_MAX 48 /* longer ones are no slips of the finger */

static size_t least(size_t a, size_t b, size_t c)
{
  size_t m = a < b ? a : b;

  return m < c ? m : c;
}

/* Edit distance: letters inserted, deleted, replaced or swapped with their neighbour. Both words are at most WORD_MAX
 * long. */
static size_t distance(const char *a, const char *b)
{
  size_t d[WORD_MAX + 1][WORD_MAX + 1];
  size_t la = strlen(a);
  size_t lb = strlen(b);

  for (size_t i = 0; i <= la; i++)
    for (size_t j = 0; j <= lb; j++) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
        d[i][j] = d[i - 2][j - 2] + 1;
    }
  return d[la][lb];
}

const char *tm_suggest(const char *word, tm_suggest_name *name, const void *table)
{
  const char *best = NULL;
  size_t len = strlen(word);
  size_t limit = len / 3 + 1;

  if (len == 0 || len > WORD_MAX)
    return NULL;
  for (size_t i = 0;; i++) {
    const char *known = name(table, i);
    size_t d;
    if (known == NULL)
      return best;
    if (strlen(known) > WORD_MAX)
      continue;
    d = distance(word, known);
    if (d < limit) {
      limit = d;
      best = known;
    }
  }
}
