/*
 * The same bytes through every back-end of this processor: what comes out, verdicts and bytes, is what the portable one
 * makes of them. The first byte is the number of lanes, the second the length of a LIONESS block; all others fill the
 * inputs of all lanes, one behind the other and again from the beginning, so that short inputs reach all of them.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define N TM_SPHINX_BATCH_MAX
#define BLOCK_MAX (32 + 2 * 256)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct outputs {
  uint8_t product[N][32], of_base[N][32], ok[N], keys[N][TM_KDF_ALL_LEN], mac[N][TM_SPHINX_MAC_LEN], stream[N][TM_STREAM_LEN];
  uint8_t block[N][BLOCK_MAX];
};

static uint8_t point[N][32], key[N][TM_SPHINX_PAYLOAD_KEY_LEN], header[N][TM_SPHINX_ROUTING_LEN], block[N][BLOCK_MAX];

static void fill(uint8_t *out, size_t out_len, const uint8_t *data, size_t len, size_t *at)
{
  for (size_t i = 0; i < out_len; i++)
    out[i] = len == 0 ? 0 : data[(*at)++ % len];
}

static void run(const struct tm_sphinx_backend *b, size_t n, size_t block_len, struct outputs *o)
{
  uint8_t *out[N];
  const uint8_t *by[N], *in[N];

  memset(o, 0, sizeof *o);
  for (size_t i = 0; i < n; i++) {
    out[i] = o->product[i];
    by[i] = key[i];
    in[i] = point[i];
  }
  b->curve->x25519(out, by, in, o->ok, n);
  for (size_t i = 0; i < n; i++)
    out[i] = o->of_base[i];
  b->curve->x25519_base(out, by, n);
  for (size_t i = 0; i < n; i++) {
    out[i] = o->keys[i];
    in[i] = header[i];
  }
  b->symmetric->kdf(out, in, 0, TM_KDF_COUNT, n);
  for (size_t i = 0; i < n; i++)
    out[i] = o->mac[i];
  b->symmetric->mac(out, by, in, n);
  for (size_t i = 0; i < n; i++)
    out[i] = o->stream[i];
  b->symmetric->stream(out, by, n);
  memcpy(o->block, block, sizeof block);
  for (size_t i = 0; i < n; i++)
    out[i] = o->block[i];
  b->symmetric->lioness_decrypt(out, by, block_len, n);
  b->symmetric->lioness_decrypt(out, by, block_len, n);
  b->symmetric->lioness_encrypt(out, by, block_len, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  static struct outputs expected, got;
  size_t n, block_len, at = 2;

  if (len < 2 || sodium_init() < 0)
    return 0;
  n = data[0] % N + 1;
  block_len = 33 + 2 * (size_t)data[1];
  for (size_t i = 0; i < n; i++) {
    fill(point[i], sizeof point[i], data, len, &at);
    fill(key[i], sizeof key[i], data, len, &at);
    fill(header[i], sizeof header[i], data, len, &at);
    fill(block[i], sizeof block[i], data, len, &at);
  }
  run(tm_backend_choose("portable"), n, block_len, &expected);
  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    const struct tm_sphinx_backend *b = tm_backend_choose(*name);

    if (b == NULL)
      continue;
    run(b, n, block_len, &got);
    if (memcmp(&got, &expected, sizeof got) != 0)
      abort();
  }
  return 0;
}
