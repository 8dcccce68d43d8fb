/*
 * Timed pool: at each interval the pool is filled up to the floor with the relay's own dummies; then, of the n packets in it,
 * floor((n - pool_min) * share / 1000) leave, chosen uniformly and in uniformly random order. pool_min always stay.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>

#include "relay/mix.h"

struct pool {
  struct tm_mix_config config;
  uint32_t *items;
  size_t n;        /* [0, n - due) stay, [n - due, n) were chosen and leave from the end */
  size_t due;
  uint64_t tick_ms;
  bool draining;
};

static int pool_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct pool *p = calloc(1, sizeof *p);

  *mix = NULL;
  if (p == NULL)
    return TM_E_NOMEM;
  p->items = calloc(config->capacity, sizeof *p->items);
  if (p->items == NULL) {
    free(p);
    return TM_E_NOMEM;
  }
  p->config = *config;
  if (p->config.pool_interval_ms == 0)
    p->config.pool_interval_ms = 1;
  p->tick_ms = now_ms + p->config.pool_interval_ms;
  *mix = p;
  return TM_OK;
}

static void pool_destroy(void *mix)
{
  struct pool *p = mix;

  free(p->items);
  free(p);
}

static int pool_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  struct pool *p = mix;

  (void)now_ms;
  (void)delay_ms;
  if (p->n == p->config.capacity)
    return TM_E_FULL;
  /* In front of those that were chosen already. */
  p->items[p->n] = p->items[p->n - p->due];
  p->items[p->n - p->due] = item;
  p->n++;
  return TM_OK;
}

static void fill_to_floor(struct pool *p)
{
  size_t floor = p->config.pool_floor;

  if (floor > p->config.capacity)
    floor = p->config.capacity;
  if (p->n < floor && p->config.dummies != NULL && !p->draining)
    p->n += p->config.dummies(p->config.dummies_arg, p->items + p->n, floor - p->n);
}

static size_t share(const struct pool *p)
{
  if (p->draining)
    return p->n;
  if (p->n <= p->config.pool_min)
    return 0;
  return (size_t)((uint64_t)(p->n - p->config.pool_min) * p->config.pool_share_permille / 1000);
}

/* The last steps of a Fisher-Yates shuffle: every choice of `due` items, in every order, is equally likely. */
static void choose(struct pool *p)
{
  for (size_t i = 0; i < p->due; i++) {
    size_t last = p->n - 1 - i;
    size_t j = tm_rng_below(p->config.rng, (uint32_t)last + 1);
    uint32_t t = p->items[last];
    p->items[last] = p->items[j];
    p->items[j] = t;
  }
}

static void tick(struct pool *p, uint64_t now_ms)
{
  uint64_t late = now_ms - p->tick_ms;

  /* Missed intervals are skipped, not made up for: a burst would be a batch of a size that the pool never promised. */
  p->tick_ms += (late / p->config.pool_interval_ms + 1) * p->config.pool_interval_ms;
  fill_to_floor(p);
  p->due = share(p);
  choose(p);
}

static size_t pool_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct pool *p = mix;
  size_t n = 0;

  if (p->due == 0 && now_ms >= p->tick_ms)
    tick(p, now_ms);
  for (; n < cap && p->due > 0; n++) {
    out[n] = p->items[--p->n];
    p->due--;
  }
  return n;
}

static uint64_t pool_next_ms(const void *mix)
{
  const struct pool *p = mix;

  return p->due > 0 ? 0 : p->tick_ms;
}

static size_t pool_count(const void *mix) { return ((const struct pool *)mix)->n; }

static void pool_drain(void *mix) { ((struct pool *)mix)->draining = true; }

const struct tm_mix_strategy tm_mix_pool = {
  .name = "timed-pool",
  .create = pool_create,
  .add = pool_add,
  .next_ms = pool_next_ms,
  .release = pool_release,
  .count = pool_count,
  .drain = pool_drain,
  .destroy = pool_destroy,
};
