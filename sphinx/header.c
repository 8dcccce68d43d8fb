#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/blinding.h"
#include "sphinx/bytes.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "sphinx/header.h"

/* Offsets in the randomness of section 6. */
#define RANDOM_SCALAR 0
#define RANDOM_FIELD 32
#define RANDOM_LAST 64
#define RANDOM_PADDING 80

/* Offsets in a routing block, section 5. */
#define BLOCK_DELAY 1
#define BLOCK_FIELD 5
#define BLOCK_GAMMA 37

static const uint8_t base_point[32] = {9};

static int check_path(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops)
{
  if (hops == 0 || hops > TM_SPHINX_HOPS_MAX)
    return TM_SPHINX_E_PATH;
  for (size_t i = 0; i < hops; i++)
    if (path[i].delay_ms > TM_SPHINX_DELAY_MAX_MS)
      return TM_SPHINX_E_PATH;
  for (size_t i = 0; i < hops; i++) {
    int rc = tm_point_lookup(&ctx->cache, ctx->path.y[i], path[i].mix_point);
    if (rc != TM_SPHINX_OK)
      return rc;
  }
  return TM_SPHINX_OK;
}

/* The group element and the keys of one hop, from the product of blinding factors so far. */
static int derive_hop(tm_sphinx *ctx, size_t hop)
{
  struct tm_path *p = &ctx->path;
  uint8_t *const out[2] = {p->alpha[hop], p->input + 64};
  const uint8_t *const by[2] = {p->scalar, p->scalar};
  const uint8_t *const points[2] = {base_point, p->y[hop]};
  uint8_t *const keys[1] = {p->keys[hop]};
  const uint8_t *const input[1] = {p->input};
  uint8_t ok[2];

  if (!tm_blinding_scalar(p->scalar, p->blinding))
    return TM_SPHINX_E_LOW_ORDER;
  ctx->backend->x25519(out, by, points, ok, 2);
  /* An error that the caller reports. */
  TM_CT_PUBLIC(ok, sizeof ok);
  if (!ok[0] || !ok[1])
    return TM_SPHINX_E_LOW_ORDER;
  memcpy(p->input, p->alpha[hop], 32);
  memcpy(p->input + 32, p->y[hop], 32);
  ctx->backend->kdf(keys, input, 0, TM_KDF_COUNT, 1);
  return TM_SPHINX_OK;
}

static int derive(tm_sphinx *ctx, size_t hops, const uint8_t x[static 32])
{
  struct tm_path *p = &ctx->path;
  uint8_t *out[TM_SPHINX_HOPS_MAX];
  const uint8_t *key[TM_SPHINX_HOPS_MAX];

  tm_blinding_start(p->blinding, x);
  for (size_t i = 0; i < hops; i++) {
    int rc = derive_hop(ctx, i);
    if (rc != TM_SPHINX_OK)
      return rc;
    tm_blinding_multiply(p->blinding, tm_keys_blind(p->keys[i]));
    out[i] = p->stream[i];
    key[i] = tm_keys_stream(p->keys[i]);
  }
  ctx->backend->stream(out, key, hops);
  return TM_SPHINX_OK;
}

/* phi of the last hop: what the hops before it will have pulled in behind the routing blocks. Returns its length. */
static size_t make_filler(struct tm_path *p, size_t hops)
{
  size_t len = 0;

  memset(p->filler, 0, sizeof p->filler);
  for (size_t i = 0; i + 1 < hops; i++) {
    len += TM_SPHINX_BLOCK_LEN;
    tm_bytes_xor(p->filler, p->stream[i] + TM_STREAM_LEN - len, len);
  }
  return len;
}

static void start_beta(struct tm_path *p, size_t hops, uint8_t command, uint32_t delay_ms, const uint8_t *field,
                       const uint8_t *random, uint8_t *beta)
{
  size_t filler = make_filler(p, hops);
  size_t own = TM_SPHINX_ROUTING_LEN - filler;

  beta[0] = command;
  tm_bytes_store32(beta + BLOCK_DELAY, delay_ms);
  memcpy(beta + BLOCK_FIELD, field != NULL ? field : random + RANDOM_FIELD, 32);
  memcpy(beta + BLOCK_GAMMA, random + RANDOM_LAST, TM_SPHINX_MAC_LEN);
  memcpy(beta + TM_SPHINX_BLOCK_LEN, random + RANDOM_PADDING, own - TM_SPHINX_BLOCK_LEN);
  tm_bytes_xor(beta, p->stream[hops - 1], own);
  memcpy(beta + own, p->filler, filler);
}

static void make_gamma(tm_sphinx *ctx, size_t hop, const uint8_t *beta, uint8_t *gamma)
{
  uint8_t *const out[1] = {gamma};
  const uint8_t *const key[1] = {tm_keys_mac(ctx->path.keys[hop])};
  const uint8_t *const in[1] = {beta};

  ctx->backend->mac(out, key, in, 1);
}

/* Puts the block of the hop before path[i] in front of beta, with gamma of path[i] in it. */
static void prepend(tm_sphinx *ctx, const tm_sphinx_node path[], size_t i, uint8_t *beta, const uint8_t *gamma)
{
  memmove(beta + TM_SPHINX_BLOCK_LEN, beta, TM_SPHINX_ROUTING_LEN - TM_SPHINX_BLOCK_LEN);
  beta[0] = TM_SPHINX_FORWARD;
  tm_bytes_store32(beta + BLOCK_DELAY, path[i - 1].delay_ms);
  memcpy(beta + BLOCK_FIELD, path[i].identity, TM_SPHINX_IDENTITY_LEN);
  memcpy(beta + BLOCK_GAMMA, gamma, TM_SPHINX_MAC_LEN);
  tm_bytes_xor(beta, ctx->path.stream[i - 1], TM_SPHINX_ROUTING_LEN);
}

int tm_header_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, uint8_t command, const uint8_t *field,
                     const uint8_t *random, uint8_t *header)
{
  uint8_t *beta = header + TM_SPHINX_ELEMENT_LEN;
  uint8_t *gamma = beta + TM_SPHINX_ROUTING_LEN;
  int rc = check_path(ctx, path, hops);

  if (rc == TM_SPHINX_OK)
    rc = derive(ctx, hops, random + RANDOM_SCALAR);
  if (rc != TM_SPHINX_OK)
    return rc;
  start_beta(&ctx->path, hops, command, path[hops - 1].delay_ms, field, random, beta);
  make_gamma(ctx, hops - 1, beta, gamma);
  for (size_t i = hops - 1; i > 0; i--) {
    prepend(ctx, path, i, beta, gamma);
    make_gamma(ctx, i - 1, beta, gamma);
  }
  memcpy(header, ctx->path.alpha[0], TM_SPHINX_ELEMENT_LEN);
  /* It goes on the wire. */
  TM_CT_PUBLIC(header, TM_SPHINX_HEADER_LEN);
  return TM_SPHINX_OK;
}

void tm_header_encrypt_payload(tm_sphinx *ctx, size_t hops, uint8_t *payload)
{
  for (size_t i = hops; i > 0; i--) {
    const uint8_t *const key[1] = {tm_keys_payload(ctx->path.keys[i - 1])};

    ctx->backend->lioness_encrypt(&payload, key, tm_payload_len(ctx), 1);
  }
}

void tm_header_wipe(tm_sphinx *ctx) { sodium_memzero(&ctx->path, sizeof ctx->path); }
