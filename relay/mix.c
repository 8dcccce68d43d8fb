#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "relay/mix.h"

struct tm_mix {
  const struct tm_mix_strategy *strategy;
  void *own;
  bool held, draining;
  double bits; /* tm_mix_entropy of the present pool */
};

const struct tm_mix_strategy *const tm_mix_strategies[] = {
  &tm_mix_threshold, &tm_mix_threshold_pool, &tm_mix_pool, &tm_mix_dynamic_pool, &tm_mix_poisson, NULL,
};

const struct tm_mix_strategy *tm_mix_strategy(enum tm_strategy strategy)
{
  switch (strategy) {
  case TM_STRATEGY_POISSON:
    return &tm_mix_poisson;
  case TM_STRATEGY_TIMED_POOL:
    return &tm_mix_pool;
  }
  return NULL;
}

int tm_mix_new(struct tm_mix **out, const struct tm_mix_strategy *strategy, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct tm_mix *mix = calloc(1, sizeof *mix);
  int err;

  *out = NULL;
  if (mix == NULL)
    return TM_E_NOMEM;
  mix->strategy = strategy;
  err = strategy->create(&mix->own, config, now_ms);
  if (err != TM_OK) {
    free(mix);
    return err;
  }
  *out = mix;
  return TM_OK;
}

void tm_mix_free(struct tm_mix *mix)
{
  if (mix == NULL)
    return;
  mix->strategy->destroy(mix->own);
  free(mix);
}

/*
 * One more packet, in a pool of n. Whoever is drawn from it now is the new one with a probability of 1/(n + 1), else one of those before, each as
 * uncertain as ever. Departures, drawn alike from all, change nothing.
 */
static double bits_with_one_more(double bits, size_t n)
{
  double m = (double)n + 1;

  return n == 0 ? 0 : log2(m) + (m - 1) / m * (bits - log2(m - 1));
}

int tm_mix_add(struct tm_mix *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  size_t n = tm_mix_count(mix);
  int err = mix->strategy->add(mix->own, item, now_ms, delay_ms);

  if (err == TM_OK)
    mix->bits = bits_with_one_more(mix->bits, n);
  return err;
}

static bool is_held(const struct tm_mix *mix) { return mix->held && !mix->draining; }

uint64_t tm_mix_next_ms(const struct tm_mix *mix)
{
  return is_held(mix) ? TM_MIX_NEVER : mix->strategy->next_ms(mix->own);
}

size_t tm_mix_release(struct tm_mix *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  size_t before = tm_mix_count(mix);
  size_t n = is_held(mix) ? 0 : mix->strategy->release(mix->own, now_ms, out, cap);

  /* Dummies came first, where the strategy made any. */
  for (; before < tm_mix_count(mix) + n; before++)
    mix->bits = bits_with_one_more(mix->bits, before);
  return n;
}

size_t tm_mix_count(const struct tm_mix *mix) { return mix->strategy->count(mix->own); }
const char *tm_mix_name(const struct tm_mix *mix) { return mix->strategy->name; }
double tm_mix_entropy(const struct tm_mix *mix) { return tm_mix_count(mix) > 0 ? mix->bits : 0; }

void tm_mix_hold(struct tm_mix *mix, bool held) { mix->held = held; }

void tm_mix_drain(struct tm_mix *mix)
{
  mix->draining = true;
  mix->strategy->drain(mix->own);
}
