#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

static bool is_name(const char *name)
{
  size_t len = strlen(name);

  return len <= TM_CLIENT_NAME_MAX && tm_record_name_ok(name, len) && name[0] != ' ' && name[len - 1] != ' ';
}

/* A name for somebody new. One that stands for a pairing that came to nothing may be used again. */
static int check_new(struct tm_client *c, const char *name)
{
  struct tm_conv *conv;

  if (!is_name(name))
    return TM_E_SYNTAX;
  conv = tm_conv_by_name(c->conv, name);
  if (conv != NULL && conv->kind != TM_CONV_GONE)
    return TM_E_EXISTS;
  if (!tm_engine_document_valid(c))
    return TM_E_STATE;
  if (!tm_places_have_room(c))
    return TM_E_FULL;
  return TM_OK;
}

/* A place for the pairing; NULL: none. */
static struct tm_conv *begin_pairing(struct tm_client *c, enum tm_conv_kind kind, const char *name,
                                     const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS])
{
  struct tm_conv *old = tm_conv_by_name(c->conv, name);
  struct tm_conv *conv;
  uint32_t life = c->params->box_expiry_s < TM_CLIENT_INVITE_S ? c->params->box_expiry_s : TM_CLIENT_INVITE_S;

  if (old != NULL)
    tm_conv_remove(old, c->state);
  conv = tm_places_take(c, kind);
  if (conv == NULL)
    return NULL;
  memcpy(conv->name, name, strlen(name) + 1);
  memcpy(conv->code, secret, sizeof conv->code);
  tm_rng_fill(&c->rng, conv->ephemeral, sizeof conv->ephemeral);
  conv->since_s = tm_engine_wall_s(c);
  conv->expires_s = conv->since_s + life;
  /* One slot back: the other's clock may be a little behind. */
  tm_reading_restart(conv, c->slot == 0 ? 0 : c->slot - 1);
  c->changed = true;
  return conv;
}

int tm_client_invite(struct tm_client *c, const char *name, char code[static TM_INVITE_TEXT_LEN])
{
  uint8_t random[TM_INVITE_RANDOM_LEN];
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  struct tm_invite_error why;
  struct tm_conv *conv;
  int err = tm_engine_begin(c);

  memset(code, 0, TM_INVITE_TEXT_LEN);
  if (err == TM_OK)
    err = check_new(c, name);
  if (err == TM_OK) {
    tm_rng_fill(&c->rng, random, sizeof random);
    tm_invite_make(random, code);
    err = tm_invite_parse(code, secret, &why);
  }
  if (err == TM_OK) {
    conv = begin_pairing(c, TM_CONV_INVITER, name, secret);
    if (conv == NULL)
      err = TM_E_FULL;
    else
      conv->state = TM_CONTACT_INVITED;
  }
  sodium_memzero(random, sizeof random);
  sodium_memzero(secret, sizeof secret);
  err = tm_engine_finish(c, err);
  if (err != TM_OK)
    sodium_memzero(code, TM_INVITE_TEXT_LEN);
  return err;
}

/* Is it a code of ours, or one that was typed already? */
static bool is_known(const struct tm_client *c, const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS])
{
  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    const struct tm_conv *conv = &c->conv[i];
    if (conv->used && (conv->kind == TM_CONV_INVITER || conv->kind == TM_CONV_ACCEPTOR) &&
        sodium_memcmp(conv->code, secret, TM_INVITE_SECRET_SYMBOLS) == 0)
      return true;
  }
  return false;
}

static void say_hello(struct tm_conv *conv)
{
  uint8_t public_key[TM_PAIRING_EPHEMERAL_LEN];

  tm_pairing_ephemeral(conv->ephemeral, public_key);
  tm_pairing_hello_write(conv->text, public_key);
  conv->has_text = true;
  conv->state = TM_CONTACT_ACCEPTING;
}

int tm_client_accept(struct tm_client *c, const char *name, const char *typed, struct tm_invite_error *why)
{
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  struct tm_conv *conv;
  int err = tm_engine_begin(c);

  memset(why, 0, sizeof *why);
  if (err == TM_OK && tm_invite_parse(typed, secret, why) != TM_OK)
    err = TM_E_AUTH;
  if (err == TM_OK)
    err = check_new(c, name);
  if (err == TM_OK && is_known(c, secret))
    err = TM_E_CONFLICT;
  if (err == TM_OK) {
    conv = begin_pairing(c, TM_CONV_ACCEPTOR, name, secret);
    if (conv == NULL)
      err = TM_E_FULL;
    else
      say_hello(conv);
  }
  sodium_memzero(secret, sizeof secret);
  return tm_engine_finish(c, err);
}

int tm_client_forget(struct tm_client *c, const char *name)
{
  int err = tm_engine_begin(c);
  struct tm_conv *conv = NULL;

  if (err == TM_OK && !is_name(name))
    err = TM_E_SYNTAX;
  if (err == TM_OK) {
    conv = tm_conv_by_name(c->conv, name);
    err = conv == NULL ? TM_E_NOT_FOUND : TM_OK;
  }
  if (err == TM_OK) {
    tm_places_forget(c, conv);
    c->rolled = true; /* the log still holds what was deleted: empty it now */
  }
  return tm_engine_finish(c, err);
}

static void describe(struct tm_client *c, const struct tm_conv *conv, struct tm_contact *contact)
{
  memset(contact, 0, sizeof *contact);
  memcpy(contact->name, conv->name, sizeof contact->name);
  contact->state = conv->state;
  contact->contested = conv->contested;
  contact->since_s = conv->since_s;
  contact->expires_s = conv->expires_s;
  contact->sent = conv->next_number - 1;
  contact->accepted = tm_message_accepted(c->state, conv->id, conv->next_number);
  contact->delivered = conv->acked;
  contact->received = conv->received;
  contact->unread = (uint32_t)tm_message_unread(c->state, conv->id);
}

size_t tm_client_contacts(struct tm_client *c)
{
  size_t n = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++)
    n += c->conv[i].used && c->conv[i].kind != TM_CONV_DECOY;
  return n;
}

/* The contact with the lowest id above after; NULL: none. */
static const struct tm_conv *next_contact(const struct tm_client *c, uint64_t after)
{
  const struct tm_conv *best = NULL;

  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    const struct tm_conv *conv = &c->conv[i];
    if (conv->used && conv->kind != TM_CONV_DECOY && conv->id > after && (best == NULL || conv->id < best->id))
      best = conv;
  }
  return best;
}

int tm_client_contact(struct tm_client *c, size_t i, struct tm_contact *contact)
{
  const struct tm_conv *conv = next_contact(c, 0);

  while (conv != NULL && i-- > 0)
    conv = next_contact(c, conv->id);
  if (conv == NULL)
    return TM_E_NOT_FOUND;
  describe(c, conv, contact);
  return TM_OK;
}

int tm_client_find(struct tm_client *c, const char *name, struct tm_contact *contact)
{
  const struct tm_conv *conv;

  if (!is_name(name))
    return TM_E_SYNTAX;
  conv = tm_conv_by_name(c->conv, name);
  if (conv == NULL)
    return TM_E_NOT_FOUND;
  describe(c, conv, contact);
  return TM_OK;
}

int tm_client_safety(struct tm_client *c, const char *name, char text[static TM_SAFETY_TEXT_LEN])
{
  const struct tm_conv *conv;

  memset(text, 0, TM_SAFETY_TEXT_LEN);
  if (!is_name(name))
    return TM_E_SYNTAX;
  conv = tm_conv_by_name(c->conv, name);
  if (conv == NULL)
    return TM_E_NOT_FOUND;
  if (conv->state != TM_CONTACT_READY)
    return TM_E_STATE;
  tm_safety_format(conv->safety, text);
  return TM_OK;
}
