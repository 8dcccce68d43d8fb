/*
 * Randomness, passed in, so that everything can be replayed from a seed in tests. The system source is libsodium's and may
 * be used from any thread; a seeded one belongs to one thread.
 */
#ifndef TM_BASE_RNG_H
#define TM_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct tm_rng {
  void (*fill)(void *ctx, uint8_t *out, size_t len);
  void *ctx;
};

static inline void tm_rng_fill(const struct tm_rng *r, void *out, size_t len) { r->fill(r->ctx, out, len); }

/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint32_t tm_rng_below(const struct tm_rng *r, uint32_t bound);

/* Exponentially distributed with that mean, in the mean's unit, for Poisson clocks and delays; finite and >= 0. */
double tm_rng_exponential(const struct tm_rng *r, double mean);

/* Uniform shuffle (Fisher and Yates) of n indices in place. */
void tm_rng_shuffle(const struct tm_rng *r, uint32_t *items, size_t n);

extern const struct tm_rng tm_rng_system;

/* Deterministic, for tests and vectors only: ChaCha20 under the seed. rng.ctx points at the struct. */
struct tm_rng_seeded {
  uint8_t key[32];
  uint64_t counter; /* of 64-byte blocks */
};
struct tm_rng tm_rng_seeded_init(struct tm_rng_seeded *s, const uint8_t seed[static 32]);

#endif
