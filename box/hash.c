#include "config.h"

#include <stdlib.h>

#include <sodium.h>

#include "box/internal.h"

void tm_box_hash(uint8_t *out, size_t out_len, const char *personal, const uint8_t *key, size_t key_len,
                 const struct tm_bytes *parts, size_t n)
{
  crypto_generichash_blake2b_state state;

  /* Fails only for lengths that are a mistake of this room. */
  if (crypto_generichash_blake2b_init_salt_personal(&state, key, key_len, out_len, NULL, (const uint8_t *)personal) !=
      0)
    abort();
  for (size_t i = 0; i < n; i++)
    crypto_generichash_blake2b_update(&state, parts[i].data, parts[i].len);
  if (crypto_generichash_blake2b_final(&state, out, out_len) != 0)
    abort();
  sodium_memzero(&state, sizeof state);
}

void tm_box_store64(uint8_t out[static 8], uint64_t v)
{
  for (size_t i = 8; i > 0; i--, v >>= 8)
    out[i - 1] = (uint8_t)v;
}

uint64_t tm_box_load64(const uint8_t in[static 8])
{
  uint64_t v = 0;

  for (size_t i = 0; i < 8; i++)
    v = v << 8 | in[i];
  return v;
}
