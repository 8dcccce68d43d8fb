#include "config.h"

#include <string.h>

#include <sodium.h>

#include "box/internal.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "box/box.h"

#define AAD_LEN (TM_BOX_ID_LEN + 8)

_Static_assert(TM_BOX_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(TM_BOX_TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(TM_BOX_LEN == TM_BOX_NONCE_LEN + TM_BOX_TEXT_LEN + TM_BOX_TAG_LEN, "box");
_Static_assert(sizeof TM_BOX_DOMAIN == TM_BOX_PERSONAL_LEN + 1, "domain");

static void make_aad(uint8_t aad[static AAD_LEN], const uint8_t id[static TM_BOX_ID_LEN], uint64_t index)
{
  memcpy(aad, id, TM_BOX_ID_LEN);
  tm_box_store64(aad + TM_BOX_ID_LEN, index);
}

static void make_signed(uint8_t message[static TM_BOX_SIGNED_LEN], const uint8_t box[static TM_BOX_LEN])
{
  memcpy(message, TM_BOX_DOMAIN, TM_BOX_PERSONAL_LEN);
  memcpy(message + TM_BOX_PERSONAL_LEN, box, TM_BOX_LEN);
}

/* The hash that stands in an Ed25519 signature, mod L. */
static void challenge(uint8_t k[static 32], const uint8_t r_point[static 32], const uint8_t id[static TM_BOX_ID_LEN],
                      const uint8_t message[static TM_BOX_SIGNED_LEN])
{
  crypto_hash_sha512_state state;
  uint8_t wide[64];

  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, r_point, 32);
  crypto_hash_sha512_update(&state, id, TM_BOX_ID_LEN);
  crypto_hash_sha512_update(&state, message, TM_BOX_SIGNED_LEN);
  crypto_hash_sha512_final(&state, wide);
  crypto_core_ed25519_scalar_reduce(k, wide);
}

/*
 * Ed25519 with the scalar a_i. The nonce must never be the same under two indices or for two messages, or any reader
 * gets the root scalar: so everything goes into it, and fresh randomness besides.
 */
static int sign(const struct tm_box_writer *w, const uint8_t scalar[static 32], const uint8_t id[static TM_BOX_ID_LEN],
                const uint8_t random[static 32], const uint8_t message[static TM_BOX_SIGNED_LEN],
                uint8_t signature[static TM_BOX_SIGNATURE_LEN])
{
  uint8_t at[8], wide[64], nonce[32], k[32], product[32];
  int err;

  tm_box_store64(at, w->index);
  TM_BOX_HASH(wide, sizeof wide, "tidemill.nonce.1", w->prefix, sizeof w->prefix, {at, sizeof at}, {id, TM_BOX_ID_LEN},
              {random, 32}, {message, TM_BOX_SIGNED_LEN});
  crypto_core_ed25519_scalar_reduce(nonce, wide);
  err = tm_box_multiply_base(signature, nonce);
  if (err != TM_OK)
    goto out;
  challenge(k, signature, id, message);
  crypto_core_ed25519_scalar_mul(product, k, scalar);
  crypto_core_ed25519_scalar_add(signature + 32, nonce, product);
out:
  sodium_memzero(wide, sizeof wide);
  sodium_memzero(nonce, sizeof nonce);
  sodium_memzero(product, sizeof product);
  return err;
}

int tm_box_seal(const struct tm_box_writer *w, const uint8_t text[static TM_BOX_TEXT_LEN],
                const uint8_t random[static TM_BOX_SEAL_RANDOM_LEN], uint8_t id[static TM_BOX_ID_LEN],
                uint8_t box[static TM_BOX_LEN], uint8_t signature[static TM_BOX_SIGNATURE_LEN])
{
  uint8_t scalar[32], key[TM_BOX_KEY_LEN], aad[AAD_LEN], message[TM_BOX_SIGNED_LEN];
  int err = tm_box_writer_scalar(w, scalar, id);

  tm_box_key(key, w->point, w->chain, w->index);
  if (err != TM_OK)
    goto out;
  make_aad(aad, id, w->index);
  memcpy(box, random, TM_BOX_NONCE_LEN);
  (void)crypto_aead_xchacha20poly1305_ietf_encrypt(box + TM_BOX_NONCE_LEN, NULL, text, TM_BOX_TEXT_LEN, aad, sizeof aad,
                                                   NULL, random, key);
  make_signed(message, box);
  err = sign(w, scalar, id, random + TM_BOX_NONCE_LEN, message, signature);
  /* All three go to a store. */
  TM_CT_PUBLIC(id, TM_BOX_ID_LEN);
  TM_CT_PUBLIC(box, TM_BOX_LEN);
  TM_CT_PUBLIC(signature, TM_BOX_SIGNATURE_LEN);
out:
  sodium_memzero(scalar, sizeof scalar);
  sodium_memzero(key, sizeof key);
  if (err != TM_OK) {
    memset(id, 0, TM_BOX_ID_LEN);
    memset(box, 0, TM_BOX_LEN);
    memset(signature, 0, TM_BOX_SIGNATURE_LEN);
  }
  return err;
}

int tm_box_aead_open(uint8_t *text, const uint8_t *sealed, size_t sealed_len, const uint8_t *aad, size_t aad_len,
                     const uint8_t nonce[static TM_BOX_NONCE_LEN], const uint8_t key[static TM_BOX_KEY_LEN])
{
  int rc;

  /* libsodium branches on whether the tag is good, and on nothing else; the caller reports it. */
  TM_CT_TRUST();
  rc = crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, sealed, sealed_len, aad, aad_len, nonce, key);
  TM_CT_CHECK();
  TM_CT_PUBLIC(&rc, sizeof rc);
  return rc == 0 ? TM_OK : TM_E_AUTH;
}

/* The id is known to be a good point. */
static int check_signature(const uint8_t id[static TM_BOX_ID_LEN], const uint8_t box[static TM_BOX_LEN],
                           const uint8_t signature[static TM_BOX_SIGNATURE_LEN])
{
  uint8_t message[TM_BOX_SIGNED_LEN];

  make_signed(message, box);
  return crypto_sign_verify_detached(signature, message, sizeof message, id) == 0 ? TM_OK : TM_E_SIGNATURE;
}

int tm_box_open(const struct tm_box_reader *r, const uint8_t box[static TM_BOX_LEN],
                const uint8_t signature[static TM_BOX_SIGNATURE_LEN], uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t id[TM_BOX_ID_LEN], key[TM_BOX_KEY_LEN], aad[AAD_LEN];
  int err = tm_box_reader_id(r, id);

  /* The store that gave this box was asked for it by this id. */
  TM_CT_PUBLIC(id, sizeof id);
  if (err == TM_OK)
    err = check_signature(id, box, signature);
  if (err != TM_OK)
    goto out;
  make_aad(aad, id, r->index);
  tm_box_key(key, r->point, r->chain, r->index);
  if (tm_box_aead_open(text, box + TM_BOX_NONCE_LEN, TM_BOX_LEN - TM_BOX_NONCE_LEN, aad, sizeof aad, box, key) != TM_OK)
    err = TM_E_AUTH;
  sodium_memzero(key, sizeof key);
out:
  if (err != TM_OK)
    sodium_memzero(text, TM_BOX_TEXT_LEN);
  return err;
}

int tm_box_verify(const uint8_t id[static TM_BOX_ID_LEN], const uint8_t box[static TM_BOX_LEN],
                  const uint8_t signature[static TM_BOX_SIGNATURE_LEN])
{
  /* Without this check a signature can be good under the id plus a small-order point, and replicas would disagree. */
  if (tm_sphinx_point_check(id) != TM_SPHINX_OK)
    return TM_E_POINT;
  return check_signature(id, box, signature);
}
