/*
 * The back-end that runs everywhere: one lane after the other, on libsodium.
 */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/bytes.h"

#include "sphinx/backend.h"

#define K1 0
#define K2 32
#define K3 96
#define K4 128

static const uint8_t zero_nonce[crypto_stream_chacha20_NONCEBYTES];

static void x25519(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                   size_t n)
{
  for (size_t i = 0; i < n; i++) {
    /* libsodium returns early, with out untouched, for the low-order points that it knows. */
    memset(out[i], 0, 32);
    ok[i] = (uint8_t)(1 + crypto_scalarmult_curve25519(out[i], scalar[i], point[i]));
  }
}

static void x25519_base(uint8_t *const out[], const uint8_t *const scalar[], size_t n)
{
  for (size_t i = 0; i < n; i++)
    crypto_scalarmult_curve25519_base(out[i], scalar[i]);
}

static void kdf(uint8_t *const out[], const uint8_t *const in[], unsigned first, unsigned count, size_t n)
{
  static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES + 1] = "tidemill.sphinx1";
  uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};

  for (size_t i = 0; i < n; i++)
    for (unsigned k = 0; k < count; k++) {
      salt[0] = (uint8_t)(first + k);
      crypto_generichash_blake2b_salt_personal(out[i] + k * TM_KDF_LEN, TM_KDF_LEN, in[i], TM_KDF_INPUT_LEN, NULL, 0,
                                               salt, personal);
    }
}

static void mac(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const beta[], size_t n)
{
  for (size_t i = 0; i < n; i++)
    crypto_generichash_blake2b(out[i], TM_SPHINX_MAC_LEN, beta[i], TM_SPHINX_ROUTING_LEN, key[i], 32);
}

static void stream(uint8_t *const out[], const uint8_t *const key[], size_t n)
{
  for (size_t i = 0; i < n; i++)
    crypto_stream_chacha20(out[i], TM_STREAM_LEN, zero_nonce, key[i]);
}

/* R ^= STREAM(L ^ key, len R) */
static void round_stream(uint8_t *block, size_t len, const uint8_t key[static 32])
{
  uint8_t k[32];

  memcpy(k, block, sizeof k);
  tm_bytes_xor(k, key, sizeof k);
  crypto_stream_chacha20_xor(block + 32, block + 32, len - 32, zero_nonce, k);
  sodium_memzero(k, sizeof k);
}

/* L ^= H(key, R) */
static void round_hash(uint8_t *block, size_t len, const uint8_t key[static 64])
{
  uint8_t h[32];

  crypto_generichash_blake2b(h, sizeof h, block + 32, len - 32, key, 64);
  tm_bytes_xor(block, h, sizeof h);
  sodium_memzero(h, sizeof h);
}

static void lioness_encrypt(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    round_stream(block[i], len, key[i] + K1);
    round_hash(block[i], len, key[i] + K2);
    round_stream(block[i], len, key[i] + K3);
    round_hash(block[i], len, key[i] + K4);
  }
}

static void lioness_decrypt(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    round_hash(block[i], len, key[i] + K4);
    round_stream(block[i], len, key[i] + K3);
    round_hash(block[i], len, key[i] + K2);
    round_stream(block[i], len, key[i] + K1);
  }
}

const struct tm_curve tm_curve_portable = {.x25519 = x25519, .x25519_base = x25519_base};

const struct tm_symmetric tm_symmetric_portable = {
  .kdf = kdf,
  .mac = mac,
  .stream = stream,
  .lioness_encrypt = lioness_encrypt,
  .lioness_decrypt = lioness_decrypt,
};
