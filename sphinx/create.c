/* Creating packets (section 7) and reply blocks (section 9). */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/ct.h"
#include "sphinx/header.h"
#include "sphinx/sphinx.h"

int tm_sphinx_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, const uint8_t *body,
                     const uint8_t *random, uint8_t *packet)
{
  uint8_t *payload = packet + TM_SPHINX_HEADER_LEN;
  int rc = tm_header_create(ctx, path, hops, TM_SPHINX_DELIVER, NULL, random, packet);

  if (rc == TM_SPHINX_OK) {
    memset(payload, 0, TM_SPHINX_TAG_LEN);
    memcpy(payload + TM_SPHINX_TAG_LEN, body, ctx->body_len);
    tm_header_encrypt_payload(ctx, hops, payload);
    /* It goes on the wire. */
    TM_CT_PUBLIC(payload, tm_payload_len(ctx));
  } else {
    memset(packet, 0, tm_sphinx_packet_len(ctx));
  }
  tm_header_wipe(ctx);
  return rc;
}

int tm_sphinx_surb_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, const uint8_t *handle,
                          const uint8_t *surb_id, const uint8_t *random, uint8_t *surb, tm_sphinx_surb_keys *keys)
{
  uint8_t *header = surb + TM_SPHINX_IDENTITY_LEN;
  uint8_t field[TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN];
  int rc;

  memset(keys, 0, sizeof *keys);
  memcpy(field, handle, TM_SPHINX_HANDLE_LEN);
  memcpy(field + TM_SPHINX_HANDLE_LEN, surb_id, TM_SPHINX_SURB_ID_LEN);
  rc = tm_header_create(ctx, path, hops, TM_SPHINX_REPLY, field, random, header);
  if (rc == TM_SPHINX_OK) {
    memcpy(surb, path[0].identity, TM_SPHINX_IDENTITY_LEN);
    memcpy(header + TM_SPHINX_HEADER_LEN, random + TM_SPHINX_CREATE_RANDOM_LEN, TM_SPHINX_REPLY_KEY_LEN);
    keys->hops = (uint8_t)hops;
    for (size_t i = 0; i < hops; i++)
      memcpy(keys->payload_key[i], tm_keys_payload(ctx->path.keys[i]), TM_SPHINX_PAYLOAD_KEY_LEN);
    memcpy(keys->reply_key, random + TM_SPHINX_CREATE_RANDOM_LEN, TM_SPHINX_REPLY_KEY_LEN);
  } else {
    sodium_memzero(surb, TM_SPHINX_SURB_LEN);
  }
  tm_header_wipe(ctx);
  sodium_memzero(field, sizeof field);
  return rc;
}

/* The LIONESS key of a reply, section 9, from the reply key; to ctx->path.reply_key. */
static const uint8_t *expand_reply_key(tm_sphinx *ctx, const uint8_t reply_key[static TM_SPHINX_REPLY_KEY_LEN])
{
  static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES + 1] = "tidemill.surbkey";
  uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};
  uint8_t *out = ctx->path.reply_key;

  for (uint8_t i = 0; i < TM_SPHINX_PAYLOAD_KEY_LEN / TM_KDF_LEN; i++) {
    salt[0] = i;
    crypto_generichash_blake2b_salt_personal(out + i * TM_KDF_LEN, TM_KDF_LEN, NULL, 0, reply_key,
                                             TM_SPHINX_REPLY_KEY_LEN, salt, personal);
  }
  return out;
}

void tm_sphinx_surb_use(tm_sphinx *ctx, const uint8_t *surb, const uint8_t *body, uint8_t *packet, uint8_t *first_hop)
{
  const uint8_t *header = surb + TM_SPHINX_IDENTITY_LEN;
  const uint8_t *const key[1] = {expand_reply_key(ctx, header + TM_SPHINX_HEADER_LEN)};
  uint8_t *payload = packet + TM_SPHINX_HEADER_LEN;

  memcpy(first_hop, surb, TM_SPHINX_IDENTITY_LEN);
  memcpy(packet, header, TM_SPHINX_HEADER_LEN);
  memset(payload, 0, TM_SPHINX_TAG_LEN);
  memcpy(payload + TM_SPHINX_TAG_LEN, body, ctx->body_len);
  ctx->backend->lioness_encrypt(&payload, key, tm_payload_len(ctx), 1);
  /* It goes on the wire. */
  TM_CT_PUBLIC(payload, tm_payload_len(ctx));
  tm_header_wipe(ctx);
}

int tm_sphinx_surb_open(tm_sphinx *ctx, const tm_sphinx_surb_keys *keys, uint8_t *payload)
{
  uint8_t good = 0;

  if (keys->hops > 0 && keys->hops <= TM_SPHINX_HOPS_MAX) {
    const uint8_t *const reply[1] = {expand_reply_key(ctx, keys->reply_key)};

    for (size_t i = keys->hops; i > 0; i--) {
      const uint8_t *const key[1] = {keys->payload_key[i - 1]};

      ctx->backend->lioness_encrypt(&payload, key, tm_payload_len(ctx), 1);
    }
    ctx->backend->lioness_decrypt(&payload, reply, tm_payload_len(ctx), 1);
    good = (uint8_t)sodium_is_zero(payload, TM_SPHINX_TAG_LEN);
    /* A result that the caller branches on. */
    TM_CT_PUBLIC(&good, sizeof good);
  }
  tm_header_wipe(ctx);
  if (good)
    return TM_SPHINX_OK;
  sodium_memzero(payload, tm_payload_len(ctx));
  return TM_SPHINX_E_TAG;
}
