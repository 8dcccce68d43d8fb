#include "config.h"

#include <sys/mman.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "relay/slab.h"

struct tm_slab {
  struct tm_item *items;
  uint32_t *unused; /* a stack: the last given back, still warm, is the next taken */
  uint8_t *taken;
  size_t n, n_unused;
};

int tm_slab_new(struct tm_slab **out, size_t n)
{
  struct tm_slab *slab;
  void *memory;

  *out = NULL;
  if (n == 0 || n > TM_SLAB_MAX)
    return TM_E_TOO_BIG;
  slab = calloc(1, sizeof *slab);
  if (slab == NULL)
    return TM_E_NOMEM;
  memory = mmap(NULL, n * sizeof *slab->items, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  slab->items = memory == MAP_FAILED ? NULL : memory;
  slab->n = n;
  slab->unused = calloc(n, sizeof *slab->unused);
  slab->taken = calloc(n, 1);
  if (slab->items == NULL || slab->unused == NULL || slab->taken == NULL) {
    tm_slab_free(slab);
    return TM_E_NOMEM;
  }
  /* Plaintext requests and next hops: not for a core dump. */
  (void)madvise(slab->items, n * sizeof *slab->items, MADV_DONTDUMP);
  for (size_t i = 0; i < n; i++)
    slab->unused[i] = (uint32_t)(n - 1 - i);
  slab->n_unused = n;
  *out = slab;
  return TM_OK;
}

void tm_slab_free(struct tm_slab *slab)
{
  if (slab == NULL)
    return;
  for (size_t i = 0; slab->items != NULL && slab->taken != NULL && i < slab->n; i++)
    if (slab->taken[i])
      sodium_memzero(&slab->items[i], sizeof slab->items[i]);
  if (slab->items != NULL)
    munmap(slab->items, slab->n * sizeof *slab->items);
  free(slab->unused);
  free(slab->taken);
  free(slab);
}

uint32_t tm_slab_take(struct tm_slab *slab)
{
  uint32_t index;

  if (slab->n_unused == 0)
    return TM_SLAB_NONE;
  index = slab->unused[--slab->n_unused];
  slab->taken[index] = 1;
  memset(&slab->items[index], 0, offsetof(struct tm_item, packet));
  return index;
}

void tm_slab_give(struct tm_slab *slab, uint32_t index)
{
  if (index >= slab->n || !slab->taken[index])
    abort();
  sodium_memzero(&slab->items[index], sizeof slab->items[index]);
  slab->taken[index] = 0;
  slab->unused[slab->n_unused++] = index;
}

struct tm_item *tm_slab_item(struct tm_slab *slab, uint32_t index)
{
  if (index >= slab->n)
    abort();
  return &slab->items[index];
}

size_t tm_slab_used(const struct tm_slab *slab) { return slab->n - slab->n_unused; }
