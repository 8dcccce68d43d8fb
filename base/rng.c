#include "config.h"

#include <math.h>
#include <string.h>

#include <sodium.h>

#include "base/rng.h"

uint32_t tm_rng_below(const struct tm_rng *r, uint32_t bound)
{
  /* Values under this threshold would make small results more likely; draw again. */
  uint32_t threshold = (uint32_t)(-bound) % bound;
  uint32_t v;

  do
    tm_rng_fill(r, &v, sizeof v);
  while (v < threshold);
  return v % bound;
}

double tm_rng_exponential(const struct tm_rng *r, double mean)
{
  uint64_t v;

  tm_rng_fill(r, &v, sizeof v);
  /* 53 random bits into (0, 1]: the logarithm is finite. */
  return -log(((double)(v >> 11) + 1.0) * 0x1p-53) * mean;
}

void tm_rng_shuffle(const struct tm_rng *r, uint32_t *items, size_t n)
{
  for (size_t i = n; i > 1; i--) {
    size_t j = tm_rng_below(r, (uint32_t)i);
    uint32_t t = items[i - 1];
    items[i - 1] = items[j];
    items[j] = t;
  }
}

static void system_fill(void *ctx, uint8_t *out, size_t len)
{
  (void)ctx;
  randombytes_buf(out, len);
}

const struct tm_rng tm_rng_system = {system_fill, NULL};

static void seeded_fill(void *ctx, uint8_t *out, size_t len)
{
  static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
  struct tm_rng_seeded *s = ctx;

  memset(out, 0, len);
  crypto_stream_chacha20_xor_ic(out, out, len, nonce, s->counter, s->key);
  s->counter += (len + 63) / 64;
}

struct tm_rng tm_rng_seeded_init(struct tm_rng_seeded *s, const uint8_t seed[static 32])
{
  memcpy(s->key, seed, sizeof s->key);
  s->counter = 0;
  return (struct tm_rng){seeded_fill, s};
}
