/*
 * The strategies that keep packets in one pool and let a number of them go together: those k are chosen uniformly among all, and leave in
 * uniformly random order. They differ in when, and in k (doc/spec/mixing.md, sections 5.2 and 5.5):
 *
 *   timed-pool      at each interval; floor((n - pool_min) * share / 1000)
 *   dynamic-pool    at each interval; as Mixmaster does: floor(n * share / 1000), at least 1, at most n - pool_min
 *   threshold       when there are `threshold`; these
 *   threshold-pool  when there are `threshold` above pool_min; `threshold`
 *
 * Before an interval's release the pool is filled up to the floor with the relay's own dummies.
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
  uint64_t tick_ms; /* next interval; TM_MIX_NEVER: rounds begin by number */
  size_t (*share)(const struct pool *p); /* how many leave now; 0: none */
  bool draining;
};

/* ---- how many leave ---- */

static size_t share_timed(const struct pool *p)
{
  if (p->n <= p->config.pool_min)
    return 0;
  return (size_t)((uint64_t)(p->n - p->config.pool_min) * p->config.pool_share_permille / 1000);
}

static size_t share_dynamic(const struct pool *p)
{
  size_t k = (size_t)((uint64_t)p->n * p->config.pool_share_permille / 1000);

  if (p->n <= p->config.pool_min)
    return 0;
  if (k > p->n - p->config.pool_min)
    return p->n - p->config.pool_min;
  return k > 0 ? k : 1;
}

static size_t share_threshold(const struct pool *p)
{
  return p->n >= (size_t)p->config.threshold + p->config.pool_min ? p->config.threshold : 0;
}

static size_t leaving(const struct pool *p) { return p->draining ? p->n : p->share(p); }

/* ---- life ---- */

static int create(void **mix, const struct tm_mix_config *config, size_t (*share)(const struct pool *p))
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
  p->tick_ms = TM_MIX_NEVER;
  p->share = share;
  *mix = p;
  return TM_OK;
}

static int create_at_intervals(void **mix, const struct tm_mix_config *config, uint64_t now_ms,
                               size_t (*share)(const struct pool *p))
{
  int err = create(mix, config, share);
  struct pool *p = *mix;

  if (err != TM_OK)
    return err;
  if (p->config.pool_interval_ms == 0)
    p->config.pool_interval_ms = 1;
  p->tick_ms = now_ms + p->config.pool_interval_ms;
  return TM_OK;
}

static int timed_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  return create_at_intervals(mix, config, now_ms, share_timed);
}

static int dynamic_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  return create_at_intervals(mix, config, now_ms, share_dynamic);
}

static int threshold_pool_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  (void)now_ms;
  *mix = NULL;
  if (config->threshold == 0 || (uint64_t)config->threshold + config->pool_min > config->capacity)
    return TM_E_TOO_BIG;
  return create(mix, config, share_threshold);
}

static int threshold_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct tm_mix_config nothing_stays = *config;

  nothing_stays.pool_min = 0;
  return threshold_pool_create(mix, &nothing_stays, now_ms);
}

static void pool_destroy(void *mix)
{
  struct pool *p = mix;

  free(p->items);
  free(p);
}

/* ---- in and out ---- */

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

/* An interval is over. */
static void tick(struct pool *p, uint64_t now_ms)
{
  uint64_t late = now_ms - p->tick_ms;

  /* Missed intervals are skipped, not made up for: a burst would be a batch of a size that the pool never promised. */
  p->tick_ms += (late / p->config.pool_interval_ms + 1) * p->config.pool_interval_ms;
  /* After a hold, say: what comes in a moment between two releases would be nearly alone in the second. */
  if (p->tick_ms - now_ms < p->config.pool_interval_ms / 2)
    p->tick_ms += p->config.pool_interval_ms;
  fill_to_floor(p);
}

static size_t pool_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct pool *p = mix;
  bool at_intervals = p->tick_ms != TM_MIX_NEVER;
  size_t n = 0;

  if (p->due == 0 && (!at_intervals || now_ms >= p->tick_ms)) {
    if (at_intervals)
      tick(p, now_ms);
    p->due = leaving(p);
    choose(p);
  }
  for (; n < cap && p->due > 0; n++) {
    out[n] = p->items[--p->n];
    p->due--;
  }
  return n;
}

static uint64_t pool_next_ms(const void *mix)
{
  const struct pool *p = mix;

  if (p->due > 0 || (p->tick_ms == TM_MIX_NEVER && leaving(p) > 0))
    return 0;
  return p->tick_ms;
}

static size_t pool_count(const void *mix) { return ((const struct pool *)mix)->n; }

static void pool_drain(void *mix) { ((struct pool *)mix)->draining = true; }

/* ---- the tables ---- */

#define POOL(called, maker) \
  {.name = called, .create = maker, .add = pool_add, .next_ms = pool_next_ms, .release = pool_release, .count = pool_count, \
   .drain = pool_drain, .destroy = pool_destroy}

const struct tm_mix_strategy tm_mix_pool = POOL("timed-pool", timed_create);
const struct tm_mix_strategy tm_mix_dynamic_pool = POOL("dynamic-pool", dynamic_create);
const struct tm_mix_strategy tm_mix_threshold = POOL("threshold", threshold_create);
const struct tm_mix_strategy tm_mix_threshold_pool = POOL("threshold-pool", threshold_pool_create);
