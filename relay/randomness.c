#include "config.h"

#include <string.h>

#include <sodium.h>

#include "relay/randomness.h"

static void buffered_fill(void *ctx, uint8_t *out, size_t len)
{
  struct tm_rng_buffered *b = ctx;
  uint8_t *from;

  if (len > sizeof b->block / 4) {
    tm_rng_fill(b->source, out, len);
    return;
  }
  if (b->left < len) {
    tm_rng_fill(b->source, b->block, sizeof b->block);
    b->left = sizeof b->block;
  }
  from = b->block + sizeof b->block - b->left;
  memcpy(out, from, len);
  sodium_memzero(from, len);
  b->left -= len;
}

struct tm_rng tm_rng_buffered_init(struct tm_rng_buffered *b, const struct tm_rng *source)
{
  b->source = source;
  b->left = 0;
  return (struct tm_rng){buffered_fill, b};
}
