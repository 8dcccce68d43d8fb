/*
 * A random source that fetches from another in blocks: one system call for a hundred small draws, as a mix makes them. What was handed out is
 * wiped. One thread.
 */
#ifndef TM_RELAY_RANDOMNESS_H
#define TM_RELAY_RANDOMNESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

struct tm_rng_buffered {
  const struct tm_rng *source;
  size_t left; /* unused bytes, at the end of the block */
  uint8_t block[1024];
};

/* The source outlives it; rng.ctx points at the struct. */
struct tm_rng tm_rng_buffered_init(struct tm_rng_buffered *b, const struct tm_rng *source);

#endif
