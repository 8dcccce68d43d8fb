#include "config.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "base/wire.h"

#include "client/vault.h"

#define HEADER_VERSION 1
#define KEY_LEN crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SALT_LEN crypto_pwhash_SALTBYTES
#define OPS_MAX 16u
#define MEMORY_MAX (1024ull * 1024 * 1024)
#define PLACE_LEN 32
#define HEAD_LEN (1 + 4 + 8 + SALT_LEN) /* what the master key's seal authenticates */

_Static_assert(TM_VAULT_HEADER_LEN == HEAD_LEN + NONCE_LEN + KEY_LEN + TAG_LEN, "header length");
_Static_assert(TM_VAULT_OVERHEAD == NONCE_LEN + TAG_LEN, "overhead");

struct tm_vault {
  uint8_t key[KEY_LEN];
};

/* The key that the passphrase makes, from the costs and the salt of a header. */
static int stretch(uint8_t key[static KEY_LEN], const char *passphrase, const uint8_t header[static HEAD_LEN])
{
  struct tm_reader r = tm_reader_init(header + 1, HEAD_LEN - 1);
  uint32_t ops = tm_read_u32(&r);
  uint64_t memory = tm_read_u64(&r);
  size_t len = strlen(passphrase);

  if (len > TM_VAULT_PASSPHRASE_MAX)
    return TM_E_TOO_BIG;
  if (header[0] != HEADER_VERSION)
    return TM_E_UNKNOWN;
  if (ops < crypto_pwhash_argon2id_OPSLIMIT_MIN || ops > OPS_MAX || memory < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
      memory > MEMORY_MAX)
    return TM_E_SYNTAX;
  if (crypto_pwhash(key, KEY_LEN, passphrase, len, tm_read_view(&r, SALT_LEN), ops, (size_t)memory,
                    crypto_pwhash_ALG_ARGON2ID13) != 0)
    return TM_E_NOMEM;
  return TM_OK;
}

static void make_head(uint8_t head[static HEAD_LEN], bool empty, const struct tm_rng *rng)
{
  struct tm_writer w = tm_writer_init(head, HEAD_LEN);
  uint8_t salt[SALT_LEN];

  tm_rng_fill(rng, salt, sizeof salt);
  tm_write_u8(&w, HEADER_VERSION);
  tm_write_u32(&w, empty ? crypto_pwhash_OPSLIMIT_INTERACTIVE : crypto_pwhash_OPSLIMIT_MODERATE);
  tm_write_u64(&w, empty ? crypto_pwhash_MEMLIMIT_INTERACTIVE : crypto_pwhash_MEMLIMIT_MODERATE);
  tm_write_bytes(&w, salt, sizeof salt);
}

int tm_vault_create(struct tm_vault **out, const char *passphrase, const struct tm_rng *rng,
                    uint8_t header[static TM_VAULT_HEADER_LEN])
{
  struct tm_vault *v;
  uint8_t outer[KEY_LEN];
  int err;

  *out = NULL;
  memset(header, 0, TM_VAULT_HEADER_LEN);
  v = sodium_malloc(sizeof *v);
  if (v == NULL)
    return TM_E_NOMEM;
  make_head(header, passphrase[0] == '\0', rng);
  err = stretch(outer, passphrase, header);
  if (err == TM_OK) {
    uint8_t *nonce = header + HEAD_LEN;
    tm_rng_fill(rng, v->key, sizeof v->key);
    tm_rng_fill(rng, nonce, NONCE_LEN);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_LEN, NULL, v->key, KEY_LEN, header, HEAD_LEN, NULL, nonce,
                                               outer);
    *out = v;
    v = NULL;
  }
  sodium_memzero(outer, sizeof outer);
  tm_vault_free(v);
  return err;
}

int tm_vault_open(struct tm_vault **out, const char *passphrase, const uint8_t *header, size_t len)
{
  struct tm_vault *v;
  uint8_t outer[KEY_LEN] = {0};
  int err;

  *out = NULL;
  if (len != TM_VAULT_HEADER_LEN)
    return TM_E_SYNTAX;
  v = sodium_malloc(sizeof *v);
  if (v == NULL)
    return TM_E_NOMEM;
  err = stretch(outer, passphrase, header);
  if (err == TM_OK) {
    const uint8_t *nonce = header + HEAD_LEN;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(v->key, NULL, NULL, nonce + NONCE_LEN, KEY_LEN + TAG_LEN, header,
                                                   HEAD_LEN, nonce, outer) != 0)
      err = TM_E_AUTH;
  }
  sodium_memzero(outer, sizeof outer);
  if (err == TM_OK)
    *out = v;
  else
    tm_vault_free(v);
  return err;
}

void tm_vault_free(struct tm_vault *v) { sodium_free(v); }

/* table, zero-padded to 16 | row | sub */
static void place_bytes(struct tm_vault_place place, uint8_t out[static PLACE_LEN])
{
  struct tm_writer w = tm_writer_init(out, PLACE_LEN);
  size_t len = strlen(place.table);

  tm_write_bytes(&w, place.table, len);
  tm_write_zeros(&w, 16 - len);
  tm_write_u64(&w, place.row);
  tm_write_u64(&w, place.sub);
}

void tm_vault_seal(const struct tm_vault *v, const struct tm_rng *rng, struct tm_vault_place place, const uint8_t *in,
                   size_t len, uint8_t *out)
{
  uint8_t ad[PLACE_LEN];

  place_bytes(place, ad);
  tm_rng_fill(rng, out, NONCE_LEN);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_LEN, NULL, in, len, ad, sizeof ad, NULL, out, v->key);
}

int tm_vault_unseal(const struct tm_vault *v, struct tm_vault_place place, const uint8_t *in, size_t len, uint8_t *out)
{
  uint8_t ad[PLACE_LEN];

  if (len < TM_VAULT_OVERHEAD)
    return TM_E_LENGTH;
  place_bytes(place, ad);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in + NONCE_LEN, len - NONCE_LEN, ad, sizeof ad, in,
                                                 v->key) == 0)
    return TM_OK;
  sodium_memzero(out, len - TM_VAULT_OVERHEAD);
  return TM_E_AUTH;
}
