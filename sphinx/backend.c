#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define ENTRIES (sizeof entries / sizeof entries[0])

enum state { UNTESTED, GOOD, BAD };

#ifdef HAVE_AVX2
static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#endif

#ifdef HAVE_AVX512F
static bool has_avx512f(void) { return __builtin_cpu_supports("avx512f"); }
#endif

#ifdef HAVE_AVX512IFMA
static bool has_avx512ifma(void)
{
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma");
}
#endif

static bool has_anything(void) { return true; }

/* Best first. `has` says whether processor and system have the set. */
static struct {
  struct tm_sphinx_backend backend;
  bool (*has)(void);
  enum state state; /* under the lock */
} entries[] = {
#ifdef HAVE_AVX512IFMA
  {.backend = {"avx512ifma", &tm_curve_avx512ifma, &tm_symmetric_avx512f}, .has = has_avx512ifma},
#endif
#ifdef HAVE_AVX512F
  {.backend = {"avx512f", &tm_curve_avx512f, &tm_symmetric_avx512f}, .has = has_avx512f},
#endif
#ifdef HAVE_AVX2
  {.backend = {"avx2", &tm_curve_avx2, &tm_symmetric_avx2}, .has = has_avx2},
#endif
  {.backend = {"portable", &tm_curve_portable, &tm_symmetric_portable}, .has = has_anything},
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All that there are, whether built or not. */
static const char *const names[] = {"avx512ifma", "avx512f", "avx2", "portable", NULL};

const char *const *tm_sphinx_backends(void) { return names; }

static const struct tm_sphinx_backend *usable(size_t i)
{
  const struct tm_sphinx_backend *b = &entries[i].backend;
  enum state state;

  if (!entries[i].has())
    return NULL;
  pthread_mutex_lock(&lock);
  if (entries[i].state == UNTESTED) {
    if (b->curve->prepare != NULL)
      b->curve->prepare();
    entries[i].state = tm_backend_selftest(b) ? GOOD : BAD;
    if (entries[i].state == BAD)
      fprintf(stderr, "tidemill-sphinx: back-end %s gives wrong answers on this machine; it is not used\n", b->name);
  }
  state = entries[i].state;
  pthread_mutex_unlock(&lock);
  return state == GOOD ? b : NULL;
}

const struct tm_sphinx_backend *tm_backend_choose(const char *name)
{
  const struct tm_sphinx_backend *b;

  for (size_t i = 0; i < ENTRIES; i++) {
    if (name != NULL && strcmp(name, entries[i].backend.name) != 0)
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
