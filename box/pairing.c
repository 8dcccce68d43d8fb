#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/wire.h"
#include "box/internal.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "box/pairing.h"

#define SEALED_LEN (TM_BOX_CAPABILITY_LEN + TM_BOX_TAG_LEN)
#define SAFETY_GROUPS 12
#define SAFETY_DIGITS 5
#define SAFETY_BYTES 5 /* of the hash, a group */

_Static_assert(TM_PAIRING_OFFER_RANDOM_LEN == TM_BOX_NONCE_LEN && TM_PAIRING_CONFIRM_RANDOM_LEN == TM_BOX_NONCE_LEN,
               "nonce");
_Static_assert(TM_SAFETY_TEXT_LEN == SAFETY_GROUPS * (SAFETY_DIGITS + 1), "safety number");

/* What both sides know after the exchange. */
struct exchange {
  uint8_t offer_key[TM_BOX_KEY_LEN];
  uint8_t confirm_key[TM_BOX_KEY_LEN];
  uint8_t safety[TM_PAIRING_SAFETY_LEN];
};

static void meeting_writer(struct tm_box_writer *w, const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS],
                           uint8_t direction, uint64_t slot)
{
  uint8_t seed[TM_BOX_SEED_LEN], at[8];

  tm_box_store64(at, slot);
  TM_BOX_HASH(seed, sizeof seed, "tidemill.meeting", secret, TM_INVITE_SECRET_SYMBOLS, {&direction, 1},
              {at, sizeof at});
  tm_box_writer_init(w, seed, slot);
  sodium_memzero(seed, sizeof seed);
}

void tm_pairing_meeting(const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS], uint64_t slot,
                        struct tm_box_writer *inviter, struct tm_box_writer *acceptor)
{
  meeting_writer(inviter, secret, 1, slot);
  meeting_writer(acceptor, secret, 2, slot);
}

void tm_pairing_ephemeral(const uint8_t secret[static 32], uint8_t public_key[static 32])
{
  (void)crypto_scalarmult_base(public_key, secret); /* cannot fail: the clamped scalar is never zero */
  /* The public half. */
  TM_CT_PUBLIC(public_key, TM_PAIRING_EPHEMERAL_LEN);
}

/* From one's own secret and the other's key. Errors: TM_E_POINT; *x is then zero. */
static int exchange(struct exchange *x, const uint8_t code[static TM_INVITE_SECRET_SYMBOLS],
                    const uint8_t own_secret[static 32], const uint8_t other_public[static 32],
                    const uint8_t inviter_public[static 32], const uint8_t acceptor_public[static 32])
{
  uint8_t shared[32], keys[2 * TM_BOX_KEY_LEN];
  const struct tm_bytes transcript[] = {{inviter_public, 32}, {acceptor_public, 32}, {shared, 32}};
  int err = TM_OK, zero = crypto_scalarmult(shared, own_secret, other_public) != 0;

  memset(x, 0, sizeof *x);
  /* An error that the caller reports. */
  TM_CT_PUBLIC(&zero, sizeof zero);
  if (zero) {
    err = TM_E_POINT;
    goto out;
  }
  tm_box_hash(keys, sizeof keys, "tidemill.pairing", code, TM_INVITE_SECRET_SYMBOLS, transcript, 3);
  memcpy(x->offer_key, keys, TM_BOX_KEY_LEN);
  memcpy(x->confirm_key, keys + TM_BOX_KEY_LEN, TM_BOX_KEY_LEN);
  tm_box_hash(x->safety, sizeof x->safety, "tidemill.safety1", code, TM_INVITE_SECRET_SYMBOLS, transcript, 3);
out:
  sodium_memzero(shared, sizeof shared);
  sodium_memzero(keys, sizeof keys);
  return err;
}

/* nonce | sealed capability. The key binds the transcript; it seals one capability only. */
static void seal_capability(struct tm_writer *w, const uint8_t key[static TM_BOX_KEY_LEN],
                            const uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                            const uint8_t nonce[static TM_BOX_NONCE_LEN])
{
  uint8_t sealed[SEALED_LEN];

  (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, capability, TM_BOX_CAPABILITY_LEN, NULL, 0, NULL,
                                                   nonce, key);
  tm_write_bytes(w, nonce, TM_BOX_NONCE_LEN);
  /* A ciphertext. */
  TM_CT_PUBLIC(sealed, sizeof sealed);
  tm_write_bytes(w, sealed, sizeof sealed);
}

/* Errors: TM_E_AUTH, TM_E_POINT (the other side sent no point); capability is then zero. */
static int open_capability(const uint8_t sealed[static TM_BOX_NONCE_LEN + SEALED_LEN],
                           const uint8_t key[static TM_BOX_KEY_LEN], uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  int err = tm_box_aead_open(capability, sealed + TM_BOX_NONCE_LEN, SEALED_LEN, NULL, 0, sealed, key);

  /* As in tm_box_reader_init. */
  TM_CT_PUBLIC(capability, 32);
  if (err == TM_OK && tm_sphinx_point_check(capability) != TM_SPHINX_OK)
    err = TM_E_POINT;
  if (err != TM_OK)
    sodium_memzero(capability, TM_BOX_CAPABILITY_LEN);
  return err;
}

/* ---- messages ---- */

static struct tm_writer begin_message(uint8_t text[static TM_BOX_TEXT_LEN], enum tm_pairing_message type)
{
  struct tm_writer w = tm_writer_init(text, TM_BOX_TEXT_LEN);

  tm_write_u8(&w, (uint8_t)type);
  return w;
}

int tm_pairing_type(const uint8_t text[static TM_BOX_TEXT_LEN], enum tm_pairing_message *type)
{
  if (text[0] < TM_PAIRING_HELLO || text[0] > TM_PAIRING_CONFIRM)
    return TM_E_UNKNOWN;
  *type = (enum tm_pairing_message)text[0];
  return TM_OK;
}

/* The len bytes behind the type; NULL: another type, or the rest is not zero. */
static const uint8_t *message_body(const uint8_t text[static TM_BOX_TEXT_LEN], enum tm_pairing_message type, size_t len)
{
  struct tm_reader r = tm_reader_init(text, TM_BOX_TEXT_LEN);
  const uint8_t *body;

  if (tm_read_u8(&r) != (uint8_t)type)
    return NULL;
  body = tm_read_view(&r, len);
  return tm_read_zeros(&r, tm_reader_left(&r)) ? body : NULL;
}

void tm_pairing_hello_write(uint8_t text[static TM_BOX_TEXT_LEN], const uint8_t acceptor_public[static 32])
{
  struct tm_writer w = begin_message(text, TM_PAIRING_HELLO);

  tm_write_bytes(&w, acceptor_public, TM_PAIRING_EPHEMERAL_LEN);
  tm_write_fill(&w);
}

int tm_pairing_hello_read(const uint8_t text[static TM_BOX_TEXT_LEN], uint8_t acceptor_public[static 32])
{
  const uint8_t *body = message_body(text, TM_PAIRING_HELLO, TM_PAIRING_EPHEMERAL_LEN);

  if (body == NULL) {
    memset(acceptor_public, 0, TM_PAIRING_EPHEMERAL_LEN);
    return TM_E_SYNTAX;
  }
  memcpy(acceptor_public, body, TM_PAIRING_EPHEMERAL_LEN);
  return TM_OK;
}

int tm_pairing_offer_write(uint8_t text[static TM_BOX_TEXT_LEN],
                           const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                           const uint8_t inviter_secret[static 32], const uint8_t acceptor_public[static 32],
                           const uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                           const uint8_t random[static TM_PAIRING_OFFER_RANDOM_LEN],
                           uint8_t safety[static TM_PAIRING_SAFETY_LEN])
{
  struct tm_writer w = begin_message(text, TM_PAIRING_OFFER);
  uint8_t inviter_public[TM_PAIRING_EPHEMERAL_LEN];
  struct exchange x;
  int err;

  tm_pairing_ephemeral(inviter_secret, inviter_public);
  err = exchange(&x, code_secret, inviter_secret, acceptor_public, inviter_public, acceptor_public);
  if (err == TM_OK) {
    tm_write_bytes(&w, inviter_public, sizeof inviter_public);
    seal_capability(&w, x.offer_key, capability, random);
  } else {
    text[0] = 0;
  }
  tm_write_fill(&w);
  memcpy(safety, x.safety, TM_PAIRING_SAFETY_LEN);
  sodium_memzero(&x, sizeof x);
  return err;
}

int tm_pairing_offer_read(const uint8_t text[static TM_BOX_TEXT_LEN],
                          const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                          const uint8_t acceptor_secret[static 32], uint8_t inviter_public[static 32],
                          uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                          uint8_t safety[static TM_PAIRING_SAFETY_LEN])
{
  const uint8_t *body = message_body(text, TM_PAIRING_OFFER, TM_PAIRING_EPHEMERAL_LEN + TM_BOX_NONCE_LEN + SEALED_LEN);
  uint8_t acceptor_public[TM_PAIRING_EPHEMERAL_LEN];
  struct exchange x = {0};
  int err = TM_E_SYNTAX;

  memset(capability, 0, TM_BOX_CAPABILITY_LEN);
  if (body == NULL)
    goto out;
  tm_pairing_ephemeral(acceptor_secret, acceptor_public);
  err = exchange(&x, code_secret, acceptor_secret, body, body, acceptor_public);
  if (err == TM_OK)
    err = open_capability(body + TM_PAIRING_EPHEMERAL_LEN, x.offer_key, capability);
out:
  if (err == TM_OK) {
    memcpy(inviter_public, body, TM_PAIRING_EPHEMERAL_LEN);
    memcpy(safety, x.safety, TM_PAIRING_SAFETY_LEN);
  } else {
    memset(inviter_public, 0, TM_PAIRING_EPHEMERAL_LEN);
    memset(safety, 0, TM_PAIRING_SAFETY_LEN);
  }
  sodium_memzero(&x, sizeof x);
  return err;
}

int tm_pairing_confirm_write(uint8_t text[static TM_BOX_TEXT_LEN],
                             const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                             const uint8_t acceptor_secret[static 32], const uint8_t inviter_public[static 32],
                             const uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                             const uint8_t random[static TM_PAIRING_CONFIRM_RANDOM_LEN])
{
  struct tm_writer w = begin_message(text, TM_PAIRING_CONFIRM);
  uint8_t acceptor_public[TM_PAIRING_EPHEMERAL_LEN];
  struct exchange x;
  int err;

  tm_pairing_ephemeral(acceptor_secret, acceptor_public);
  err = exchange(&x, code_secret, acceptor_secret, inviter_public, inviter_public, acceptor_public);
  if (err == TM_OK)
    seal_capability(&w, x.confirm_key, capability, random);
  else
    text[0] = 0;
  tm_write_fill(&w);
  sodium_memzero(&x, sizeof x);
  return err;
}

int tm_pairing_confirm_read(const uint8_t text[static TM_BOX_TEXT_LEN],
                            const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                            const uint8_t inviter_secret[static 32], const uint8_t acceptor_public[static 32],
                            uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  const uint8_t *body = message_body(text, TM_PAIRING_CONFIRM, TM_BOX_NONCE_LEN + SEALED_LEN);
  uint8_t inviter_public[TM_PAIRING_EPHEMERAL_LEN];
  struct exchange x = {0};
  int err = TM_E_SYNTAX;

  memset(capability, 0, TM_BOX_CAPABILITY_LEN);
  if (body == NULL)
    return err;
  tm_pairing_ephemeral(inviter_secret, inviter_public);
  err = exchange(&x, code_secret, inviter_secret, acceptor_public, inviter_public, acceptor_public);
  if (err == TM_OK)
    err = open_capability(body, x.confirm_key, capability);
  sodium_memzero(&x, sizeof x);
  return err;
}

/* ---- safety number ---- */

void tm_safety_format(const uint8_t safety[static TM_PAIRING_SAFETY_LEN], char text[static TM_SAFETY_TEXT_LEN])
{
  uint8_t hash[64];

  TM_BOX_HASH(hash, sizeof hash, "tidemill.digits1", NULL, 0, {safety, TM_PAIRING_SAFETY_LEN});
  /* Made to be shown and read aloud. */
  TM_CT_PUBLIC(hash, sizeof hash);
  for (size_t i = 0; i < SAFETY_GROUPS; i++) {
    uint64_t v = 0;

    for (size_t j = 0; j < SAFETY_BYTES; j++)
      v = v << 8 | hash[i * SAFETY_BYTES + j];
    v %= 100000;
    for (size_t j = SAFETY_DIGITS; j > 0; j--, v /= 10)
      text[i * (SAFETY_DIGITS + 1) + j - 1] = (char)('0' + v % 10);
    text[i * (SAFETY_DIGITS + 1) + SAFETY_DIGITS] = i + 1 < SAFETY_GROUPS ? ' ' : '\0';
  }
}
