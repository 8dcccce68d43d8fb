#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define ENTRIES (sizeof entries / sizeof entries[0])

enum state { UNTESTED, GOOD, BAD };

/* NULL: not built, or the processor (or its system, which would not save such registers) lacks the set. */
static const struct tm_sphinx_backend *avx2_get(void)
{
#ifdef HAVE_AVX2
  if (__builtin_cpu_supports("avx2"))
    return tm_avx2_table();
#endif
  return NULL;
}

static const struct tm_sphinx_backend *avx512f_get(void)
{
#ifdef HAVE_AVX512F
  if (__builtin_cpu_supports("avx512f"))
    return tm_avx512f_table();
#endif
  return NULL;
}

static const struct tm_sphinx_backend *avx512ifma_get(void)
{
#ifdef HAVE_AVX512IFMA
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma"))
    return tm_avx512ifma_table();
#endif
  return NULL;
}

/* Best first. Two threads may run one self-test at a time; they agree on the result. */
static struct {
  const char *name;
  const struct tm_sphinx_backend *(*get)(void);
  atomic_int state;
} entries[] = {
  {.name = "avx512ifma", .get = avx512ifma_get},
  {.name = "avx512f", .get = avx512f_get},
  {.name = "avx2", .get = avx2_get},
  {.name = "portable", .get = tm_portable_get},
};

static const char *const names[] = {"avx512ifma", "avx512f", "avx2", "portable", NULL};
_Static_assert(sizeof names / sizeof names[0] == ENTRIES + 1, "every back-end has a name in the list");

const char *const *tm_sphinx_backends(void) { return names; }

static const struct tm_sphinx_backend *usable(size_t i)
{
  const struct tm_sphinx_backend *b = entries[i].get();

  if (b == NULL)
    return NULL;
  if (atomic_load(&entries[i].state) == UNTESTED) {
    bool good = tm_backend_selftest(b);

    if (!good)
      fprintf(stderr, "tidemill-sphinx: back-end %s gives wrong answers on this machine; it is not used\n", b->name);
    atomic_store(&entries[i].state, good ? GOOD : BAD);
  }
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
