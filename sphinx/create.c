/* Creating packets (section 7) and reply blocks (section 9). */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/ct.h"
#include "sphinx/header.h"
#include "sphinx/sphinx.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* At most TM_PATHS_MAX at a time. */
static size_t create_some(tm_sphinx *ctx, tm_sphinx_packet_job job[], size_t n)
{
  struct tm_header_job header[TM_PATHS_MAX];
  uint8_t *payload[TM_PATHS_MAX];
  size_t good = 0;

  for (size_t i = 0; i < n; i++) {
    header[i] = (struct tm_header_job){.path = job[i].path, .hops = job[i].hops, .command = TM_SPHINX_DELIVER,
                                       .random = job[i].random, .header = job[i].packet};
    payload[i] = job[i].packet + TM_SPHINX_HEADER_LEN;
  }
  tm_header_create(ctx, header, n);
  for (size_t i = 0; i < n; i++) {
    job[i].result = header[i].error;
    if (job[i].result != TM_SPHINX_OK) {
      memset(job[i].packet, 0, tm_sphinx_packet_len(ctx));
      continue;
    }
    memset(payload[i], 0, TM_SPHINX_TAG_LEN);
    memcpy(payload[i] + TM_SPHINX_TAG_LEN, job[i].body, ctx->body_len);
    good++;
  }
  tm_header_encrypt_payloads(ctx, header, payload, n);
  /* They go on the wire. */
  for (size_t i = 0; i < n; i++)
    TM_CT_PUBLIC(payload[i], tm_payload_len(ctx));
  tm_header_wipe(ctx, n);
  return good;
}

size_t tm_sphinx_create_many(tm_sphinx *ctx, tm_sphinx_packet_job job[], size_t n)
{
  size_t good = 0;

  for (size_t at = 0; at < n; at += TM_PATHS_MAX)
    good += create_some(ctx, job + at, least(n - at, TM_PATHS_MAX));
  return good;
}

int tm_sphinx_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, const uint8_t *body,
                     const uint8_t *random, uint8_t *packet)
{
  tm_sphinx_packet_job job = {.path = path, .hops = hops, .body = body, .random = random, .packet = packet};

  create_some(ctx, &job, 1);
  return job.result;
}

/* What the owner of a reply block keeps, and the parts of the block around the header. */
static void finish_surb(const struct tm_path *p, tm_sphinx_surb_job *job)
{
  const uint8_t *reply_key = job->random + TM_SPHINX_CREATE_RANDOM_LEN;

  memcpy(job->surb, job->path[0].identity, TM_SPHINX_IDENTITY_LEN);
  memcpy(job->surb + TM_SPHINX_IDENTITY_LEN + TM_SPHINX_HEADER_LEN, reply_key, TM_SPHINX_REPLY_KEY_LEN);
  job->keys->hops = (uint8_t)job->hops;
  for (size_t i = 0; i < job->hops; i++)
    memcpy(job->keys->payload_key[i], tm_keys_payload(p->keys[i]), TM_SPHINX_PAYLOAD_KEY_LEN);
  memcpy(job->keys->reply_key, reply_key, TM_SPHINX_REPLY_KEY_LEN);
}

static size_t create_some_surbs(tm_sphinx *ctx, tm_sphinx_surb_job job[], size_t n)
{
  struct tm_header_job header[TM_PATHS_MAX];
  uint8_t field[TM_PATHS_MAX][TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN];
  size_t good = 0;

  for (size_t i = 0; i < n; i++) {
    memset(job[i].keys, 0, sizeof *job[i].keys);
    memcpy(field[i], job[i].handle, TM_SPHINX_HANDLE_LEN);
    memcpy(field[i] + TM_SPHINX_HANDLE_LEN, job[i].surb_id, TM_SPHINX_SURB_ID_LEN);
    header[i] = (struct tm_header_job){.path = job[i].path, .hops = job[i].hops, .command = TM_SPHINX_REPLY,
                                       .field = field[i], .random = job[i].random,
                                       .header = job[i].surb + TM_SPHINX_IDENTITY_LEN};
  }
  tm_header_create(ctx, header, n);
  for (size_t i = 0; i < n; i++) {
    job[i].result = header[i].error;
    if (job[i].result == TM_SPHINX_OK)
      finish_surb(&ctx->path[i], &job[i]);
    else
      sodium_memzero(job[i].surb, TM_SPHINX_SURB_LEN);
    good += job[i].result == TM_SPHINX_OK;
  }
  tm_header_wipe(ctx, n);
  sodium_memzero(field, sizeof field);
  return good;
}

size_t tm_sphinx_surb_create_many(tm_sphinx *ctx, tm_sphinx_surb_job job[], size_t n)
{
  size_t good = 0;

  for (size_t at = 0; at < n; at += TM_PATHS_MAX)
    good += create_some_surbs(ctx, job + at, least(n - at, TM_PATHS_MAX));
  return good;
}

int tm_sphinx_surb_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, const uint8_t *handle,
                          const uint8_t *surb_id, const uint8_t *random, uint8_t *surb, tm_sphinx_surb_keys *keys)
{
  tm_sphinx_surb_job job = {.path = path, .hops = hops, .handle = handle, .surb_id = surb_id, .random = random,
                            .surb = surb, .keys = keys};

  create_some_surbs(ctx, &job, 1);
  return job.result;
}

/* The LIONESS key of a reply, section 9, from the reply key; to ctx->path[0].reply_key. */
static const uint8_t *expand_reply_key(tm_sphinx *ctx, const uint8_t reply_key[static TM_SPHINX_REPLY_KEY_LEN])
{
  static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES + 1] = "tidemill.surbkey";
  uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};
  uint8_t *out = ctx->path[0].reply_key;

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
  ctx->backend->symmetric->lioness_encrypt(&payload, key, tm_payload_len(ctx), 1);
  /* It goes on the wire. */
  TM_CT_PUBLIC(payload, tm_payload_len(ctx));
  tm_header_wipe(ctx, 1);
}

int tm_sphinx_surb_open(tm_sphinx *ctx, const tm_sphinx_surb_keys *keys, uint8_t *payload)
{
  uint8_t good = 0;

  if (keys->hops > 0 && keys->hops <= TM_SPHINX_HOPS_MAX) {
    const uint8_t *const reply[1] = {expand_reply_key(ctx, keys->reply_key)};

    for (size_t i = keys->hops; i > 0; i--) {
      const uint8_t *const key[1] = {keys->payload_key[i - 1]};

      ctx->backend->symmetric->lioness_encrypt(&payload, key, tm_payload_len(ctx), 1);
    }
    ctx->backend->symmetric->lioness_decrypt(&payload, reply, tm_payload_len(ctx), 1);
    good = (uint8_t)sodium_is_zero(payload, TM_SPHINX_TAG_LEN);
    /* A result that the caller branches on. */
    TM_CT_PUBLIC(&good, sizeof good);
  }
  tm_header_wipe(ctx, 1);
  if (good)
    return TM_SPHINX_OK;
  sodium_memzero(payload, tm_payload_len(ctx));
  return TM_SPHINX_E_TAG;
}
