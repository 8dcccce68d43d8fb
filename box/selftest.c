#include "config.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "box/internal.h"
#include "sphinx/sphinx.h"

#include "box/box.h"

/* The point of order eight with an even y; its multiples are all points of small order. */
static const uint8_t order_eight[32] = {
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
};
/* The order L of the base point. */
static const uint8_t order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
};
/* What the first 16 bytes of the id at index 3 and of its box's signature must be, for the seed and randomness below.
 */
static const uint8_t known_id[16] = {0x65, 0x8a, 0x13, 0x76, 0x4b, 0x04, 0x14, 0xae,
                                     0xa7, 0xce, 0x4c, 0x54, 0x5a, 0x8b, 0x2e, 0x06};
static const uint8_t known_signature[16] = {0x59, 0x15, 0x97, 0xc3, 0xf4, 0xb8, 0xca, 0x75,
                                            0x30, 0x27, 0x0b, 0x0a, 0xc3, 0xc8, 0xdc, 0x93};

struct trial {
  struct tm_box_writer writer;
  struct tm_box_reader reader;
  uint8_t text[TM_BOX_TEXT_LEN], opened[TM_BOX_TEXT_LEN], box[TM_BOX_LEN];
  uint8_t id[TM_BOX_ID_LEN], signature[TM_BOX_SIGNATURE_LEN];
};

/* Writer and reader agree, and on the known answers. */
static bool test_agreement(struct trial *t)
{
  uint8_t seed[TM_BOX_SEED_LEN], random[TM_BOX_SEAL_RANDOM_LEN], capability[TM_BOX_CAPABILITY_LEN], id[TM_BOX_ID_LEN];

  memset(seed, 0x42, sizeof seed);
  memset(random, 0x17, sizeof random);
  memset(t->text, 0x5a, sizeof t->text);
  tm_box_writer_init(&t->writer, seed, 1);
  tm_box_capability(&t->writer, capability);
  if (tm_box_reader_init(&t->reader, capability) != TM_OK || tm_box_reader_advance(&t->reader, 3) != TM_OK ||
      tm_box_writer_advance(&t->writer, 3) != TM_OK)
    return false;
  if (tm_box_seal(&t->writer, t->text, random, t->id, t->box, t->signature) != TM_OK ||
      tm_box_reader_id(&t->reader, id) != TM_OK)
    return false;
  return memcmp(id, t->id, sizeof id) == 0 && memcmp(id, known_id, sizeof known_id) == 0 &&
         memcmp(t->signature, known_signature, sizeof known_signature) == 0;
}

/* Good boxes verify and open; altered ones do neither. */
static bool test_verdicts(struct trial *t)
{
  bool good = tm_box_verify(t->id, t->box, t->signature) == TM_OK &&
              tm_box_open(&t->reader, t->box, t->signature, t->opened) == TM_OK &&
              memcmp(t->opened, t->text, sizeof t->text) == 0;

  t->box[TM_BOX_LEN - 1] ^= 1;
  good = good && tm_box_verify(t->id, t->box, t->signature) == TM_E_SIGNATURE &&
         tm_box_open(&t->reader, t->box, t->signature, t->opened) == TM_E_SIGNATURE &&
         sodium_is_zero(t->opened, sizeof t->opened);
  t->box[TM_BOX_LEN - 1] ^= 1;
  t->signature[40] ^= 1;
  good = good && tm_box_verify(t->id, t->box, t->signature) == TM_E_SIGNATURE;
  t->signature[40] ^= 1;
  return good;
}

/* No id is a point of small order, nor the sum of one and a good point (CVE-2025-69277). */
static bool test_points(const struct trial *t)
{
  uint8_t small[32], mixed[32], next[32];

  memcpy(small, order_eight, sizeof small);
  for (int i = 1; i < 8; i++) {
    if (tm_box_verify(small, t->box, t->signature) != TM_E_POINT)
      return false;
    if (crypto_core_ed25519_add(mixed, t->id, small) != 0 || tm_box_verify(mixed, t->box, t->signature) != TM_E_POINT)
      return false;
    if (crypto_core_ed25519_add(next, small, order_eight) != 0)
      return false;
    memcpy(small, next, sizeof small);
  }
  /* Eight times it: the identity. */
  return small[0] == 1 && sodium_is_zero(small + 1, 31) && tm_box_verify(small, t->box, t->signature) == TM_E_POINT;
}

/* Zero is refused, and unclamped means unclamped. */
static bool test_scalars(void)
{
  uint8_t one[32] = {1}, zero[32] = {0}, wide[64] = {0}, eight[32] = {8}, base[32], by_base[32], out[32];

  if (crypto_scalarmult_ed25519_base_noclamp(base, one) != 0 ||
      crypto_scalarmult_ed25519_base_noclamp(out, zero) == 0 || crypto_scalarmult_ed25519_noclamp(out, zero, base) == 0)
    return false;
  if (crypto_scalarmult_ed25519_base_noclamp(by_base, eight) != 0 ||
      crypto_scalarmult_ed25519_noclamp(out, eight, base) != 0 || memcmp(out, by_base, sizeof out) != 0)
    return false;
  if (crypto_core_ed25519_add(by_base, base, base) != 0 || memcmp(by_base, out, sizeof out) == 0)
    return false;
  memcpy(wide, order, sizeof order);
  crypto_core_ed25519_scalar_reduce(out, wide);
  return sodium_is_zero(out, sizeof out);
}

int tm_box_self_test(void)
{
  struct trial t;
  bool good;

  if (sodium_init() < 0)
    return TM_E_STATE;
  good = test_scalars() && test_agreement(&t) && test_verdicts(&t) && test_points(&t);
  return good ? TM_OK : TM_E_STATE;
}
