#include "config.h"

#include <string.h>

#include <sodium.h>

#include "box/internal.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "box/box.h"

/* HASH(64, personal, key, parts) mod L. */
static void hash_to_scalar(uint8_t scalar[static 32], const char *personal, const uint8_t key[static 32],
                           const struct tm_bytes *parts, size_t n)
{
  uint8_t wide[64];

  tm_box_hash(wide, sizeof wide, personal, key, 32, parts, n);
  crypto_core_ed25519_scalar_reduce(scalar, wide);
  sodium_memzero(wide, sizeof wide);
}

static int multiplied(uint8_t q[static 32], int rc)
{
  /* An error that the caller reports. */
  TM_CT_PUBLIC(&rc, sizeof rc);
  if (rc == 0)
    return TM_OK;
  memset(q, 0, 32);
  return TM_E_POINT;
}

int tm_box_multiply_base(uint8_t q[static 32], const uint8_t n[static 32])
{
  int rc;

  /*
   * libsodium branches once, at the end, on whether the scalar is zero or the result the identity; neither is ever so
   * but by our own mistake. Valgrind reports nothing else in there.
   */
  TM_CT_TRUST();
  rc = crypto_scalarmult_ed25519_base_noclamp(q, n);
  TM_CT_CHECK();
  return multiplied(q, rc);
}

int tm_box_multiply(uint8_t q[static 32], const uint8_t n[static 32], const uint8_t point[static 32])
{
  int rc;

  /* The same. */
  TM_CT_TRUST();
  rc = crypto_scalarmult_ed25519_noclamp(q, n, point);
  TM_CT_CHECK();
  return multiplied(q, rc);
}

void tm_box_writer_init(struct tm_box_writer *w, const uint8_t seed[static TM_BOX_SEED_LEN], uint64_t index)
{
  hash_to_scalar(w->scalar, "tidemill.scalar1", seed, NULL, 0);
  tm_box_hash(w->prefix, sizeof w->prefix, "tidemill.prefix1", seed, TM_BOX_SEED_LEN, NULL, 0);
  tm_box_hash(w->chain, sizeof w->chain, "tidemill.start.1", seed, TM_BOX_SEED_LEN, NULL, 0);
  w->index = index;
  /* A scalar of zero (one in 2^252) leaves no point: then there is no id either, and sealing says TM_E_POINT. */
  (void)!tm_box_multiply_base(w->point, w->scalar);
  /* The public half; without the chain key it recognises no id. */
  TM_CT_PUBLIC(w->point, sizeof w->point);
}

static void pack_capability(uint8_t capability[static TM_BOX_CAPABILITY_LEN], const uint8_t point[static 32],
                            const uint8_t chain[static TM_BOX_CHAIN_LEN], uint64_t index)
{
  memcpy(capability, point, 32);
  memcpy(capability + 32, chain, TM_BOX_CHAIN_LEN);
  tm_box_store64(capability + 32 + TM_BOX_CHAIN_LEN, index);
}

void tm_box_capability(const struct tm_box_writer *w, uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  pack_capability(capability, w->point, w->chain, w->index);
}

int tm_box_reader_init(struct tm_box_reader *r, const uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  /* The check's time depends on the point: it is made once, and without the chain key a point recognises no id. */
  TM_CT_PUBLIC(capability, 32);
  if (tm_sphinx_point_check(capability) != TM_SPHINX_OK) {
    sodium_memzero(r, sizeof *r);
    return TM_E_POINT;
  }
  memcpy(r->point, capability, 32);
  memcpy(r->chain, capability + 32, TM_BOX_CHAIN_LEN);
  r->index = tm_box_load64(capability + 32 + TM_BOX_CHAIN_LEN);
  return TM_OK;
}

void tm_box_reader_capability(const struct tm_box_reader *r, uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  pack_capability(capability, r->point, r->chain, r->index);
}

static int advance(uint8_t chain[static TM_BOX_CHAIN_LEN], uint64_t *at, uint64_t index)
{
  uint8_t next[TM_BOX_CHAIN_LEN];

  if (index < *at)
    return TM_E_STATE;
  if (index - *at > TM_BOX_STEP_MAX)
    return TM_E_TOO_BIG;
  for (; *at < index; (*at)++) {
    tm_box_hash(next, sizeof next, "tidemill.chain.1", chain, TM_BOX_CHAIN_LEN, NULL, 0);
    memcpy(chain, next, sizeof next);
  }
  sodium_memzero(next, sizeof next);
  return TM_OK;
}

int tm_box_writer_advance(struct tm_box_writer *w, uint64_t index) { return advance(w->chain, &w->index, index); }
int tm_box_reader_advance(struct tm_box_reader *r, uint64_t index) { return advance(r->chain, &r->index, index); }

/* h_i. */
static void blinding(uint8_t h[static 32], const uint8_t point[static 32], const uint8_t chain[static TM_BOX_CHAIN_LEN],
                     uint64_t index)
{
  uint8_t at[8];

  tm_box_store64(at, index);
  hash_to_scalar(h, "tidemill.blind.1", chain, (const struct tm_bytes[]){{at, sizeof at}, {point, 32}}, 2);
}

void tm_box_key(uint8_t key[static TM_BOX_KEY_LEN], const uint8_t point[static 32],
                const uint8_t chain[static TM_BOX_CHAIN_LEN], uint64_t index)
{
  uint8_t at[8];

  tm_box_store64(at, index);
  TM_BOX_HASH(key, TM_BOX_KEY_LEN, "tidemill.boxkey1", chain, TM_BOX_CHAIN_LEN, {at, sizeof at}, {point, 32});
}

int tm_box_writer_scalar(const struct tm_box_writer *w, uint8_t scalar[static 32], uint8_t id[static TM_BOX_ID_LEN])
{
  uint8_t h[32];
  int err;

  blinding(h, w->point, w->chain, w->index);
  crypto_core_ed25519_scalar_mul(scalar, h, w->scalar);
  sodium_memzero(h, sizeof h);
  err = tm_box_multiply_base(id, scalar);
  if (err != TM_OK)
    sodium_memzero(scalar, 32);
  return err;
}

int tm_box_writer_id(const struct tm_box_writer *w, uint8_t id[static TM_BOX_ID_LEN])
{
  uint8_t scalar[32];
  int err = tm_box_writer_scalar(w, scalar, id);

  sodium_memzero(scalar, sizeof scalar);
  return err;
}

int tm_box_reader_id(const struct tm_box_reader *r, uint8_t id[static TM_BOX_ID_LEN])
{
  uint8_t h[32];
  int err;

  blinding(h, r->point, r->chain, r->index);
  err = tm_box_multiply(id, h, r->point);
  sodium_memzero(h, sizeof h);
  return err;
}

void tm_box_decoy_id(const uint8_t random[static 64], uint8_t id[static TM_BOX_ID_LEN])
{
  static const uint8_t one[32] = {1};
  uint8_t scalar[32];

  crypto_core_ed25519_scalar_reduce(scalar, random);
  /* Only a scalar of zero is refused. */
  if (tm_box_multiply_base(id, scalar) != TM_OK)
    (void)!tm_box_multiply_base(id, one);
  sodium_memzero(scalar, sizeof scalar);
}
