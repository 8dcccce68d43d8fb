#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define ENTRIES (sizeof entries / sizeof entries[0])

enum state { UNTESTED, GOOD, BAD };

/* Best first. Two threads may run one self-test at a time; they agree on the result. */
static struct {
  const char *name;
  const struct tm_sphinx_backend *(*get)(void);
  atomic_int state;
} entries[] = {
  {.name = "portable", .get = tm_portable_get},
};

static const char *const names[] = {"portable", NULL};
_Static_assert(sizeof names / sizeof names[0] == ENTRIES + 1, "every back-end has a name in the list");

const char *const *tm_sphinx_backends(void) { return names; }

static const struct tm_sphinx_backend *usable(size_t i)
{
  const struct tm_sphinx_backend *b = entries[i].get();

  if (b == NULL)
    return NULL;
  if (atomic_load(&entries[i].state) == UNTESTED)
    atomic_store(&entries[i].state, tm_backend_selftest(b) ? GOOD : BAD);
  return atomic_load(&entries[i].state) == GOOD ? b : NULL;
}

const struct tm_sphinx_backend *tm_backend_choose(const char *name)
{
  const struct tm_sphinx_backend *b;

  for (size_t i = 0; i < ENTRIES; i++) {
    if (name != NULL && strcmp(name, entries[i].name) != 0)
      continue;
    b = usable(i);
    if (b != NULL || name != NULL)
      return b;
  }
  return NULL;
}

int tm_sphinx_backend_available(const char *name)
{
  return name != NULL && sodium_init() >= 0 && tm_backend_choose(name) != NULL;
}
