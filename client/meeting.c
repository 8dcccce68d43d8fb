#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

void tm_meeting_writer(const struct tm_conv *conv, uint64_t slot, struct tm_box_writer *writer)
{
  struct tm_box_writer other;

  if (conv->kind == TM_CONV_INVITER)
    tm_pairing_meeting(conv->code, slot, writer, &other);
  else
    tm_pairing_meeting(conv->code, slot, &other, writer);
  sodium_memzero(&other, sizeof other);
}

int tm_meeting_reader(const struct tm_conv *conv, uint64_t slot, struct tm_box_reader *reader)
{
  struct tm_box_writer ours, theirs;
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  int err;

  if (conv->kind == TM_CONV_INVITER)
    tm_pairing_meeting(conv->code, slot, &ours, &theirs);
  else
    tm_pairing_meeting(conv->code, slot, &theirs, &ours);
  tm_box_capability(&theirs, capability);
  err = tm_box_reader_init(reader, capability);
  sodium_memzero(&ours, sizeof ours);
  sodium_memzero(&theirs, sizeof theirs);
  sodium_memzero(capability, sizeof capability);
  return err;
}

/* Our sequence of the new conversation begins with the present slot. */
static void make_writer(struct tm_client *c, struct tm_conv *conv, uint8_t capability[static TM_BOX_CAPABILITY_LEN])
{
  uint8_t seed[TM_BOX_SEED_LEN];

  tm_rng_fill(&c->rng, seed, sizeof seed);
  tm_box_writer_init(&conv->writer, seed, c->slot);
  conv->has_writer = true;
  tm_box_capability(&conv->writer, capability);
  sodium_memzero(seed, sizeof seed);
}

/* Both know each other's sequence: everything that led there is forgotten. */
static void become_contact(struct tm_client *c, struct tm_conv *conv)
{
  sodium_memzero(conv->code, sizeof conv->code);
  sodium_memzero(conv->ephemeral, sizeof conv->ephemeral);
  sodium_memzero(conv->peer_public, sizeof conv->peer_public);
  sodium_memzero(conv->text, sizeof conv->text);
  conv->has_peer_public = false;
  conv->has_text = false;
  conv->expires_s = 0;
  conv->kind = TM_CONV_CONTACT;
  conv->state = TM_CONTACT_READY;
  conv->since_s = tm_engine_wall_s(c);
  tm_reading_restart(conv, conv->reader.index);
  c->changed = true;
}

/* Two parties used the code: neither can be told from the other, so this comes to nothing. */
void tm_meeting_contest(struct tm_client *c, struct tm_conv *conv)
{
  conv->contested = true;
  tm_places_release(c, conv, TM_CONTACT_CONTESTED);
}

static void read_hello(struct tm_client *c, struct tm_conv *conv, const uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t public_key[TM_PAIRING_EPHEMERAL_LEN];
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  uint8_t random[TM_PAIRING_OFFER_RANDOM_LEN];

  if (tm_pairing_hello_read(text, public_key) != TM_OK)
    return;
  if (conv->has_peer_public) {
    if (memcmp(public_key, conv->peer_public, sizeof public_key) != 0)
      tm_meeting_contest(c, conv);
    return;
  }
  make_writer(c, conv, capability);
  tm_rng_fill(&c->rng, random, sizeof random);
  if (tm_pairing_offer_write(conv->text, conv->code, conv->ephemeral, public_key, capability, random, conv->safety) ==
      TM_OK) {
    memcpy(conv->peer_public, public_key, sizeof conv->peer_public);
    conv->has_peer_public = true;
    conv->has_text = true;
    conv->text_slot = 0;
    conv->text_boxed = 0;
    conv->state = TM_CONTACT_CONFIRMING;
    /* From here on the other side waits for us: the time for it counts anew. */
    conv->expires_s = tm_engine_wall_s(c) + (conv->expires_s - conv->since_s);
    conv->dirty = true;
    c->changed = true;
  } else {
    conv->has_writer = false;
    sodium_memzero(&conv->writer, sizeof conv->writer);
  }
  sodium_memzero(capability, sizeof capability);
  sodium_memzero(random, sizeof random);
}

/*
 * The other's sequence, which was made for this pairing before the box of that slot was sealed. One from elsewhere would
 * have us move a chain, and read, through all the slots from there on, before anybody else's. Errors: TM_E_POINT,
 * TM_E_STATE.
 */
static int take_sequence(const struct tm_client *c, const struct tm_conv *conv, uint64_t slot,
                         const uint8_t capability[static TM_BOX_CAPABILITY_LEN], struct tm_box_reader *reader)
{
  int err = tm_box_reader_init(reader, capability);

  if (err == TM_OK && (reader->index < conv->since_s * 1000 / c->params->slot_ms || reader->index > slot)) {
    sodium_memzero(reader, sizeof *reader);
    err = TM_E_STATE;
  }
  return err;
}

static void read_confirm(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                         const uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  struct tm_box_reader reader;
  int err;

  if (!conv->has_peer_public)
    return;
  err = tm_pairing_confirm_read(text, conv->code, conv->ephemeral, conv->peer_public, capability);
  if (err == TM_OK)
    err = take_sequence(c, conv, slot, capability, &reader);
  if (err == TM_OK) {
    conv->reader = reader;
    conv->has_reader = true;
    become_contact(c, conv);
  } else if (err == TM_E_AUTH) {
    tm_meeting_contest(c, conv);
  }
  sodium_memzero(capability, sizeof capability);
  sodium_memzero(&reader, sizeof reader);
}

/* The acceptor's answer, once it has the inviter's sequence. */
static int answer_offer(struct tm_client *c, struct tm_conv *conv, const uint8_t inviter[static 32])
{
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  uint8_t random[TM_PAIRING_CONFIRM_RANDOM_LEN];
  int err;

  make_writer(c, conv, capability);
  tm_rng_fill(&c->rng, random, sizeof random);
  err = tm_pairing_confirm_write(conv->text, conv->code, conv->ephemeral, inviter, capability, random);
  sodium_memzero(capability, sizeof capability);
  sodium_memzero(random, sizeof random);
  return err;
}

static void read_offer(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                       const uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t inviter[TM_PAIRING_EPHEMERAL_LEN];
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  uint8_t safety[TM_PAIRING_SAFETY_LEN];
  struct tm_box_reader reader;
  int err = tm_pairing_offer_read(text, conv->code, conv->ephemeral, inviter, capability, safety);

  if (err == TM_OK)
    err = take_sequence(c, conv, slot, capability, &reader);
  if (err == TM_E_AUTH ||
      (err == TM_OK && conv->has_peer_public && memcmp(inviter, conv->peer_public, sizeof inviter) != 0)) {
    /* Meant for somebody else who used the code, or from somebody else who has it. */
    tm_meeting_contest(c, conv);
  } else if (err == TM_OK && !conv->has_peer_public && answer_offer(c, conv, inviter) == TM_OK) {
    conv->reader = reader;
    conv->has_reader = true;
    memcpy(conv->safety, safety, sizeof conv->safety);
    memcpy(conv->peer_public, inviter, sizeof conv->peer_public);
    conv->has_peer_public = true;
    conv->has_text = true;
    conv->text_slot = 0;
    conv->text_boxed = 0;
    conv->dirty = true;
    c->changed = true;
  }
  sodium_memzero(capability, sizeof capability);
  sodium_memzero(safety, sizeof safety);
  sodium_memzero(&reader, sizeof reader);
}

void tm_meeting_read(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                     const uint8_t text[static TM_BOX_TEXT_LEN])
{
  enum tm_pairing_message type;

  if (tm_pairing_type(text, &type) != TM_OK)
    return;
  if (conv->kind == TM_CONV_INVITER && type == TM_PAIRING_HELLO)
    read_hello(c, conv, text);
  else if (conv->kind == TM_CONV_INVITER && type == TM_PAIRING_CONFIRM)
    read_confirm(c, conv, slot, text);
  else if (conv->kind == TM_CONV_ACCEPTOR && type == TM_PAIRING_OFFER)
    read_offer(c, conv, slot, text);
}

void tm_meeting_accepted(struct tm_client *c, struct tm_conv *conv, uint64_t slot)
{
  if (conv->kind == TM_CONV_ACCEPTOR && conv->has_peer_public) {
    become_contact(c, conv);
    return;
  }
  /* Hello and offer are said again if nothing comes of them. */
  conv->text_slot = slot + tm_engine_resend_s(c) * 1000 / c->params->slot_ms;
  conv->dirty = true;
}
