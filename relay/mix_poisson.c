/*
 * Poisson: each packet is held for the delay that its sender drew (exponentially distributed) and wrote into the header of this hop. A binary
 * heap by release time. All that is due when a release begins leaves in uniformly random order, also where the mix is late.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>

#include "relay/mix.h"

struct entry {
  uint64_t due_ms;
  uint32_t item;
};

struct poisson {
  const struct tm_rng *rng;
  struct entry *heap; /* [0, n) hold the heap, [n, n + due) those that leave, in no order yet */
  size_t n, due, cap;
};

static int poisson_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct poisson *p = calloc(1, sizeof *p);

  (void)now_ms;
  *mix = NULL;
  if (p == NULL)
    return TM_E_NOMEM;
  p->heap = calloc(config->capacity, sizeof *p->heap);
  if (p->heap == NULL) {
    free(p);
    return TM_E_NOMEM;
  }
  p->cap = config->capacity;
  p->rng = config->rng;
  *mix = p;
  return TM_OK;
}

static void poisson_destroy(void *mix)
{
  struct poisson *p = mix;

  free(p->heap);
  free(p);
}

static bool before(const struct entry *a, const struct entry *b) { return a->due_ms < b->due_ms; }

static int poisson_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  struct poisson *p = mix;
  struct entry e = {.due_ms = now_ms + delay_ms, .item = item};
  size_t at = p->n;

  if (p->n + p->due == p->cap)
    return TM_E_FULL;
  p->heap[p->n + p->due] = p->heap[p->n];
  for (p->n++; at > 0 && before(&e, &p->heap[(at - 1) / 2]); at = (at - 1) / 2)
    p->heap[at] = p->heap[(at - 1) / 2];
  p->heap[at] = e;
  return TM_OK;
}

/* Takes the first out of the heap and puts it where the heap ended. */
static void set_first_aside(struct poisson *p)
{
  struct entry first = p->heap[0];
  struct entry last = p->heap[--p->n];
  size_t at = 0;

  for (;;) {
    size_t child = 2 * at + 1;
    if (child + 1 < p->n && before(&p->heap[child + 1], &p->heap[child]))
      child++;
    if (child >= p->n || !before(&p->heap[child], &last))
      break;
    p->heap[at] = p->heap[child];
    at = child;
  }
  p->heap[at] = last;
  p->heap[p->n] = first;
  p->due++;
}

/* Takes one of those that leave; each is equally likely. */
static uint32_t take_any(struct poisson *p)
{
  struct entry *from = p->heap + p->n;
  size_t i = tm_rng_below(p->rng, (uint32_t)p->due);
  uint32_t item = from[i].item;

  from[i] = from[--p->due];
  return item;
}

static size_t poisson_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct poisson *p = mix;
  size_t n = 0;

  if (p->due == 0)
    while (p->n > 0 && p->heap[0].due_ms <= now_ms)
      set_first_aside(p);
  while (n < cap && p->due > 0)
    out[n++] = take_any(p);
  return n;
}

static uint64_t poisson_next_ms(const void *mix)
{
  const struct poisson *p = mix;

  if (p->due > 0)
    return 0;
  return p->n > 0 ? p->heap[0].due_ms : TM_MIX_NEVER;
}

static size_t poisson_count(const void *mix)
{
  const struct poisson *p = mix;

  return p->n + p->due;
}

static void poisson_drain(void *mix) { (void)mix; }

const struct tm_mix_strategy tm_mix_poisson = {
  .name = "poisson",
  .create = poisson_create,
  .add = poisson_add,
  .next_ms = poisson_next_ms,
  .release = poisson_release,
  .count = poisson_count,
  .drain = poisson_drain,
  .destroy = poisson_destroy,
};
