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

static int check_path(tm_sphinx *ctx, struct tm_path *p, const struct tm_header_job *job)
{
  if (job->hops == 0 || job->hops > TM_SPHINX_HOPS_MAX)
    return TM_SPHINX_E_PATH;
  for (size_t i = 0; i < job->hops; i++)
    if (job->path[i].delay_ms > TM_SPHINX_DELAY_MAX_MS)
      return TM_SPHINX_E_PATH;
  for (size_t i = 0; i < job->hops; i++) {
    int rc = tm_point_lookup(&ctx->cache, p->y[i], job->path[i].mix_point);
    if (rc != TM_SPHINX_OK)
      return rc;
  }
  return TM_SPHINX_OK;
}

/* Those without an error whose path has more than so many hops; their positions to who. */
static size_t longer_than(const struct tm_header_job job[], size_t n, size_t hops, size_t who[])
{
  size_t m = 0;

  for (size_t i = 0; i < n; i++)
    if (job[i].error == TM_SPHINX_OK && job[i].hops > hops)
      who[m++] = i;
  return m;
}

/* The group elements and shared secrets of one hop, from the products of blinding factors so far. */
static void multiply(tm_sphinx *ctx, struct tm_header_job job[], size_t n, size_t hop)
{
  uint8_t *element[TM_PATHS_MAX], *secret[TM_PATHS_MAX];
  const uint8_t *by[TM_PATHS_MAX], *points[TM_PATHS_MAX];
  uint8_t ok[TM_PATHS_MAX];
  size_t who[TM_PATHS_MAX], m = longer_than(job, n, hop, who), kept = 0;

  for (size_t j = 0; j < m; j++) {
    struct tm_path *p = &ctx->path[who[j]];

    if (!tm_blinding_scalar(p->scalar, p->blinding)) {
      job[who[j]].error = TM_SPHINX_E_LOW_ORDER;
      continue;
    }
    element[kept] = p->alpha[hop];
    secret[kept] = p->input + 64;
    by[kept] = p->scalar;
    points[kept] = p->y[hop];
    who[kept++] = who[j];
  }
  if (kept == 0)
    return;
  ctx->backend->curve->x25519_base(element, by, kept);
  ctx->backend->curve->x25519(secret, by, points, ok, kept);
  /* An error that the caller reports. */
  TM_CT_PUBLIC(ok, sizeof ok);
  for (size_t j = 0; j < kept; j++)
    if (!ok[j])
      job[who[j]].error = TM_SPHINX_E_LOW_ORDER;
}

/* The keys and the stream of one hop, and what the next one is blinded by. */
static void derive(tm_sphinx *ctx, const struct tm_header_job job[], size_t n, size_t hop)
{
  uint8_t *out[TM_PATHS_MAX];
  const uint8_t *in[TM_PATHS_MAX];
  size_t who[TM_PATHS_MAX], m = longer_than(job, n, hop, who);

  if (m == 0)
    return;
  for (size_t j = 0; j < m; j++) {
    struct tm_path *p = &ctx->path[who[j]];

    memcpy(p->input, p->alpha[hop], 32);
    memcpy(p->input + 32, p->y[hop], 32);
    out[j] = p->keys[hop];
    in[j] = p->input;
  }
  ctx->backend->symmetric->kdf(out, in, 0, TM_KDF_COUNT, m);
  for (size_t j = 0; j < m; j++) {
    struct tm_path *p = &ctx->path[who[j]];

    tm_blinding_multiply(p->blinding, tm_keys_blind(p->keys[hop]));
    out[j] = p->stream[hop];
    in[j] = tm_keys_stream(p->keys[hop]);
  }
  ctx->backend->symmetric->stream(out, in, m);
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

static void start_beta(struct tm_path *p, const struct tm_header_job *job)
{
  size_t filler = make_filler(p, job->hops);
  size_t own = TM_SPHINX_ROUTING_LEN - filler;
  uint8_t *beta = job->header + TM_SPHINX_ELEMENT_LEN;

  beta[0] = job->command;
  tm_bytes_store32(beta + BLOCK_DELAY, job->path[job->hops - 1].delay_ms);
  memcpy(beta + BLOCK_FIELD, job->field != NULL ? job->field : job->random + RANDOM_FIELD, 32);
  memcpy(beta + BLOCK_GAMMA, job->random + RANDOM_LAST, TM_SPHINX_MAC_LEN);
  memcpy(beta + TM_SPHINX_BLOCK_LEN, job->random + RANDOM_PADDING, own - TM_SPHINX_BLOCK_LEN);
  tm_bytes_xor(beta, p->stream[job->hops - 1], own);
  memcpy(beta + own, p->filler, filler);
}

/* The MACs of the hops that are `step` before the last of each path. */
static void make_gammas(tm_sphinx *ctx, const struct tm_header_job job[], size_t n, size_t step)
{
  uint8_t *out[TM_PATHS_MAX];
  const uint8_t *key[TM_PATHS_MAX], *in[TM_PATHS_MAX];
  size_t who[TM_PATHS_MAX], m = longer_than(job, n, step, who);

  if (m == 0)
    return;
  for (size_t j = 0; j < m; j++) {
    const struct tm_header_job *h = &job[who[j]];

    in[j] = h->header + TM_SPHINX_ELEMENT_LEN;
    out[j] = h->header + TM_SPHINX_ELEMENT_LEN + TM_SPHINX_ROUTING_LEN;
    key[j] = tm_keys_mac(ctx->path[who[j]].keys[h->hops - 1 - step]);
  }
  ctx->backend->symmetric->mac(out, key, in, m);
}

/* Puts the block of the hop before path[i] in front of beta, with gamma of path[i] in it. */
static void prepend(const struct tm_path *p, const tm_sphinx_node path[], size_t i, uint8_t *beta)
{
  const uint8_t *gamma = beta + TM_SPHINX_ROUTING_LEN;

  memmove(beta + TM_SPHINX_BLOCK_LEN, beta, TM_SPHINX_ROUTING_LEN - TM_SPHINX_BLOCK_LEN);
  beta[0] = TM_SPHINX_FORWARD;
  tm_bytes_store32(beta + BLOCK_DELAY, path[i - 1].delay_ms);
  memcpy(beta + BLOCK_FIELD, path[i].identity, TM_SPHINX_IDENTITY_LEN);
  memcpy(beta + BLOCK_GAMMA, gamma, TM_SPHINX_MAC_LEN);
  tm_bytes_xor(beta, p->stream[i - 1], TM_SPHINX_ROUTING_LEN);
}

/* The blocks, from the last hop to the first. */
static void make_routing(tm_sphinx *ctx, const struct tm_header_job job[], size_t n)
{
  size_t who[TM_PATHS_MAX], m = longer_than(job, n, 0, who);

  for (size_t j = 0; j < m; j++)
    start_beta(&ctx->path[who[j]], &job[who[j]]);
  make_gammas(ctx, job, n, 0);
  for (size_t step = 1; step < TM_SPHINX_HOPS_MAX; step++) {
    m = longer_than(job, n, step, who);
    for (size_t j = 0; j < m; j++) {
      const struct tm_header_job *h = &job[who[j]];

      prepend(&ctx->path[who[j]], h->path, h->hops - step, h->header + TM_SPHINX_ELEMENT_LEN);
    }
    make_gammas(ctx, job, n, step);
  }
}

void tm_header_create(tm_sphinx *ctx, struct tm_header_job job[], size_t n)
{
  for (size_t i = 0; i < n; i++) {
    job[i].error = check_path(ctx, &ctx->path[i], &job[i]);
    if (job[i].error == TM_SPHINX_OK)
      tm_blinding_start(ctx->path[i].blinding, job[i].random + RANDOM_SCALAR);
  }
  for (size_t hop = 0; hop < TM_SPHINX_HOPS_MAX; hop++) {
    multiply(ctx, job, n, hop);
    derive(ctx, job, n, hop);
  }
  make_routing(ctx, job, n);
  for (size_t i = 0; i < n; i++) {
    if (job[i].error != TM_SPHINX_OK)
      continue;
    memcpy(job[i].header, ctx->path[i].alpha[0], TM_SPHINX_ELEMENT_LEN);
    /* It goes on the wire. */
    TM_CT_PUBLIC(job[i].header, TM_SPHINX_HEADER_LEN);
  }
}

void tm_header_encrypt_payloads(tm_sphinx *ctx, const struct tm_header_job job[], uint8_t *const payload[], size_t n)
{
  for (size_t step = 0; step < TM_SPHINX_HOPS_MAX; step++) {
    uint8_t *block[TM_PATHS_MAX];
    const uint8_t *key[TM_PATHS_MAX];
    size_t who[TM_PATHS_MAX], m = longer_than(job, n, step, who);

    for (size_t j = 0; j < m; j++) {
      block[j] = payload[who[j]];
      key[j] = tm_keys_payload(ctx->path[who[j]].keys[job[who[j]].hops - 1 - step]);
    }
    if (m > 0)
      ctx->backend->symmetric->lioness_encrypt(block, key, tm_payload_len(ctx), m);
  }
}

void tm_header_wipe(tm_sphinx *ctx, size_t n) { sodium_memzero(ctx->path, n * sizeof ctx->path[0]); }
