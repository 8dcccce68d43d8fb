/*
 * Known answers that a back-end must give before its first use: RFC 7748's vectors for X25519, and for the rest
 * digests of the outputs of all lanes, computed with other programs than this library. Nine lanes, each with an input
 * of its own, are one more than a vector of eight; lengths are odd, so that the ends of vectors count.
 */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define LANES 9
#define LIONESS_LEN 333
#define KEY_SEED 64

static const uint8_t kdf_digest[32] = {
  0x2a, 0x29, 0x9f, 0x64, 0xa5, 0x65, 0x1b, 0xb0, 0xb0, 0xfb, 0x9b, 0x51, 0xa9, 0x16, 0xb8, 0x43,
  0x5e, 0xaf, 0x75, 0x56, 0xdc, 0x34, 0x98, 0x84, 0x39, 0xaa, 0xa6, 0xfc, 0x23, 0x3a, 0xa1, 0xa2,
};
static const uint8_t mac_digest[32] = {
  0x78, 0x38, 0x7f, 0x1b, 0x15, 0x01, 0xf4, 0x99, 0x39, 0x35, 0x78, 0x11, 0xfc, 0xea, 0xcd, 0x8d,
  0xae, 0x68, 0x70, 0x58, 0x81, 0x56, 0x6e, 0x81, 0xe4, 0x7c, 0x23, 0x32, 0xb0, 0xf1, 0xc9, 0x6f,
};
static const uint8_t stream_digest[32] = {
  0x96, 0x4a, 0x51, 0x5b, 0xeb, 0xe7, 0x7d, 0xc8, 0xb1, 0x57, 0x06, 0x65, 0x11, 0x91, 0x40, 0x96,
  0xae, 0xec, 0x52, 0x37, 0xe5, 0x64, 0x66, 0xa4, 0x67, 0x43, 0xaf, 0x94, 0xbb, 0xb9, 0x1d, 0xc8,
};
static const uint8_t lioness_digest[32] = {
  0x9b, 0x8d, 0x99, 0x4a, 0x36, 0x21, 0x53, 0x06, 0x7d, 0xf1, 0xd0, 0x82, 0xee, 0x64, 0xd5, 0xf9,
  0x96, 0xd2, 0xea, 0x6f, 0x75, 0x8a, 0xcb, 0xe8, 0xbd, 0x84, 0x64, 0x6d, 0x63, 0xa3, 0x9c, 0x6e,
};
static const uint8_t scalar_a[32] = {
  0xa5, 0x46, 0xe3, 0x6b, 0xf0, 0x52, 0x7c, 0x9d, 0x3b, 0x16, 0x15, 0x4b, 0x82, 0x46, 0x5e, 0xdd,
  0x62, 0x14, 0x4c, 0x0a, 0xc1, 0xfc, 0x5a, 0x18, 0x50, 0x6a, 0x22, 0x44, 0xba, 0x44, 0x9a, 0xc4,
};
static const uint8_t point_a[32] = {
  0xe6, 0xdb, 0x68, 0x67, 0x58, 0x30, 0x30, 0xdb, 0x35, 0x94, 0xc1, 0xa4, 0x24, 0xb1, 0x5f, 0x7c,
  0x72, 0x66, 0x24, 0xec, 0x26, 0xb3, 0x35, 0x3b, 0x10, 0xa9, 0x03, 0xa6, 0xd0, 0xab, 0x1c, 0x4c,
};
static const uint8_t product_a[32] = {
  0xc3, 0xda, 0x55, 0x37, 0x9d, 0xe9, 0xc6, 0x90, 0x8e, 0x94, 0xea, 0x4d, 0xf2, 0x8d, 0x08, 0x4f,
  0x32, 0xec, 0xcf, 0x03, 0x49, 0x1c, 0x71, 0xf7, 0x54, 0xb4, 0x07, 0x55, 0x77, 0xa2, 0x85, 0x52,
};
static const uint8_t scalar_b[32] = {
  0x4b, 0x66, 0xe9, 0xd4, 0xd1, 0xb4, 0x67, 0x3c, 0x5a, 0xd2, 0x26, 0x91, 0x95, 0x7d, 0x6a, 0xf5,
  0xc1, 0x1b, 0x64, 0x21, 0xe0, 0xea, 0x01, 0xd4, 0x2c, 0xa4, 0x16, 0x9e, 0x79, 0x18, 0xba, 0x0d,
};
static const uint8_t point_b[32] = {
  0xe5, 0x21, 0x0f, 0x12, 0x78, 0x68, 0x11, 0xd3, 0xf4, 0xb7, 0x95, 0x9d, 0x05, 0x38, 0xae, 0x2c,
  0x31, 0xdb, 0xe7, 0x10, 0x6f, 0xc0, 0x3c, 0x3e, 0xfc, 0x4c, 0xd5, 0x49, 0xc7, 0x15, 0xa4, 0x93,
};
static const uint8_t product_b[32] = {
  0x95, 0xcb, 0xde, 0x94, 0x76, 0xe8, 0x90, 0x7d, 0x7a, 0xad, 0xe4, 0x5c, 0xb4, 0xb8, 0x73, 0xf8,
  0x8b, 0x59, 0x5a, 0x68, 0x79, 0x9f, 0xa1, 0x52, 0xe6, 0xf8, 0xf7, 0x64, 0x7a, 0xac, 0x79, 0x57,
};

struct lanes {
  uint8_t out[LANES][LIONESS_LEN];
  uint8_t in[LANES][LIONESS_LEN];
  uint8_t key[LANES][TM_SPHINX_PAYLOAD_KEY_LEN];
  uint8_t *out_at[LANES];
  const uint8_t *in_at[LANES];
  const uint8_t *key_at[LANES];
};

static void fill(uint8_t *out, size_t len, size_t seed)
{
  for (size_t i = 0; i < len; i++)
    out[i] = (uint8_t)(seed * 31 + i * 7);
}

static void set_up(struct lanes *l)
{
  memset(l->out, 0x55, sizeof l->out);
  for (size_t j = 0; j < LANES; j++) {
    fill(l->in[j], sizeof l->in[j], j);
    fill(l->key[j], sizeof l->key[j], KEY_SEED + j);
    l->out_at[j] = l->out[j];
    l->in_at[j] = l->in[j];
    l->key_at[j] = l->key[j];
  }
}

/* Do the first len bytes of all outputs hash to this? */
static bool outputs_match(const struct lanes *l, size_t len, const uint8_t digest[static 32])
{
  crypto_generichash_blake2b_state state;
  uint8_t got[32];

  crypto_generichash_blake2b_init(&state, NULL, 0, sizeof got);
  for (size_t j = 0; j < LANES; j++)
    crypto_generichash_blake2b_update(&state, l->out[j], len);
  crypto_generichash_blake2b_final(&state, got, sizeof got);
  return memcmp(got, digest, sizeof got) == 0;
}

/* Lanes: a, b, a low-order point, and again. */
static bool test_x25519(const struct tm_sphinx_backend *b, struct lanes *l, size_t n)
{
  static const uint8_t one[32] = {1}, zero[32];
  static const uint8_t *const scalars[3] = {scalar_a, scalar_b, scalar_a};
  static const uint8_t *const points[3] = {point_a, point_b, one};
  static const uint8_t *const products[3] = {product_a, product_b, zero};
  uint8_t ok[LANES];

  set_up(l);
  for (size_t j = 0; j < n; j++) {
    l->key_at[j] = scalars[j % 3];
    l->in_at[j] = points[j % 3];
  }
  b->curve->x25519(l->out_at, l->key_at, l->in_at, ok, n);
  for (size_t j = 0; j < n; j++)
    if (ok[j] != (j % 3 != 2) || memcmp(l->out[j], products[j % 3], 32) != 0)
      return false;
  return true;
}

/* Multiples of the base point: a sum of table entries has to be what a ladder says. */
static bool test_base(const struct tm_sphinx_backend *b, struct lanes *l)
{
  static const uint8_t nine[32] = {9};
  uint8_t expected[32], ok[1], *const to[1] = {expected};
  const uint8_t *const point[1] = {nine};

  set_up(l);
  b->curve->x25519_base(l->out_at, l->key_at, LANES);
  for (size_t j = 0; j < LANES; j++) {
    tm_curve_portable.x25519(to, &l->key_at[j], point, ok, 1);
    if (memcmp(l->out[j], expected, sizeof expected) != 0)
      return false;
  }
  return true;
}

static bool test_kdf(const struct tm_sphinx_backend *b, struct lanes *l)
{
  set_up(l);
  b->symmetric->kdf(l->out_at, l->in_at, 0, TM_KDF_COUNT, LANES);
  if (!outputs_match(l, TM_KDF_ALL_LEN, kdf_digest))
    return false;
  /* In two calls, as the header step does. */
  set_up(l);
  b->symmetric->kdf(l->out_at, l->in_at, 0, 2, LANES);
  for (size_t j = 0; j < LANES; j++)
    l->out_at[j] = l->out[j] + 2 * TM_KDF_LEN;
  b->symmetric->kdf(l->out_at, l->in_at, 2, 3, LANES);
  return outputs_match(l, TM_KDF_ALL_LEN, kdf_digest);
}

static bool test_header(const struct tm_sphinx_backend *b, struct lanes *l)
{
  set_up(l);
  b->symmetric->mac(l->out_at, l->key_at, l->in_at, LANES);
  if (!outputs_match(l, TM_SPHINX_MAC_LEN, mac_digest))
    return false;
  set_up(l);
  b->symmetric->stream(l->out_at, l->key_at, LANES);
  return outputs_match(l, TM_STREAM_LEN, stream_digest);
}

static bool test_lioness(const struct tm_sphinx_backend *b, struct lanes *l)
{
  set_up(l);
  memcpy(l->out, l->in, sizeof l->out);
  b->symmetric->lioness_encrypt(l->out_at, l->key_at, LIONESS_LEN, LANES);
  if (!outputs_match(l, LIONESS_LEN, lioness_digest))
    return false;
  b->symmetric->lioness_decrypt(l->out_at, l->key_at, LIONESS_LEN, LANES);
  return memcmp(l->out, l->in, sizeof l->out) == 0;
}

bool tm_backend_selftest(const struct tm_sphinx_backend *b)
{
  struct lanes l;

  return test_x25519(b, &l, 1) && test_x25519(b, &l, LANES) && test_base(b, &l) && test_kdf(b, &l) && test_header(b, &l) &&
         test_lioness(b, &l);
}
