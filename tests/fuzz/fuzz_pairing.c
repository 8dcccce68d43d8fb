/*
 * Pairing messages, as anybody who knows the code can write them. The first byte says how the rest is used: as the
 * whole text of a message, or as a capability that the other side seals properly.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/pairing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t code[TM_INVITE_SECRET_SYMBOLS] = "0123456789ABCDEFGHJKMNPQRS";
static const uint8_t inviter_secret[32] = {1}, acceptor_secret[32] = {2}, nonce[24] = {3};
static uint8_t inviter_public[32], acceptor_public[32];

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void read_all(const uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t key[32], capability[TM_BOX_CAPABILITY_LEN], safety[TM_PAIRING_SAFETY_LEN], again[TM_BOX_TEXT_LEN];
  enum tm_pairing_message type;
  int known = tm_pairing_type(text, &type);

  if (tm_pairing_hello_read(text, key) == TM_OK) {
    require(known == TM_OK && type == TM_PAIRING_HELLO);
    tm_pairing_hello_write(again, key);
    require(memcmp(again, text, sizeof again) == 0);
    if (tm_pairing_offer_write(again, code, inviter_secret, key, text, nonce, safety) != TM_OK)
      require(sodium_is_zero(again, sizeof again) && sodium_is_zero(safety, sizeof safety));
  }
  if (tm_pairing_offer_read(text, code, acceptor_secret, key, capability, safety) != TM_OK)
    require(sodium_is_zero(capability, sizeof capability) && sodium_is_zero(safety, sizeof safety) &&
            sodium_is_zero(key, sizeof key));
  else
    require(known == TM_OK && type == TM_PAIRING_OFFER);
  if (tm_pairing_confirm_read(text, code, inviter_secret, acceptor_public, capability) != TM_OK)
    require(sodium_is_zero(capability, sizeof capability));
  else
    require(known == TM_OK && type == TM_PAIRING_CONFIRM);
}

/* What was sealed properly opens, if it is a capability at all. */
static void seal(const uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  uint8_t text[TM_BOX_TEXT_LEN], key[32], opened[TM_BOX_CAPABILITY_LEN], safety[TM_PAIRING_SAFETY_LEN],
      same[TM_PAIRING_SAFETY_LEN];
  struct tm_box_reader r;
  int usable = tm_box_reader_init(&r, capability);

  require(tm_pairing_offer_write(text, code, inviter_secret, acceptor_public, capability, nonce, safety) == TM_OK);
  require(tm_pairing_offer_read(text, code, acceptor_secret, key, opened, same) == usable);
  if (usable == TM_OK)
    require(memcmp(opened, capability, sizeof opened) == 0 && memcmp(safety, same, sizeof same) == 0 &&
            memcmp(key, inviter_public, sizeof key) == 0);
  require(tm_pairing_confirm_write(text, code, acceptor_secret, inviter_public, capability, nonce) == TM_OK);
  require(tm_pairing_confirm_read(text, code, inviter_secret, acceptor_public, opened) == usable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  uint8_t *text = calloc(1, TM_BOX_TEXT_LEN);

  if (text == NULL || sodium_init() < 0)
    abort();
  tm_pairing_ephemeral(inviter_secret, inviter_public);
  tm_pairing_ephemeral(acceptor_secret, acceptor_public);
  if (len > 0) {
    memcpy(text, data + 1, len - 1 < TM_BOX_TEXT_LEN ? len - 1 : TM_BOX_TEXT_LEN);
    if (data[0] % 2 == 0)
      read_all(text);
    else
      seal(text);
  }
  free(text);
  return 0;
}
