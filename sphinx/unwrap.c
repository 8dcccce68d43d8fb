/*
 * Processing (section 8): batches in two steps. Each function below is one pass over the packets still alive and ends
 * by dropping those that failed it; a packet is written only in the last pass.
 */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/bytes.h"
#include "sphinx/context.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

/* The batch under way. live[0..n) are the positions of packets without an error yet, ascending. */
struct work {
  tm_sphinx *ctx;
  const tm_sphinx_key *key;
  uint8_t *const *packet;
  tm_sphinx_hop *hop;
  size_t live[TM_SPHINX_BATCH_MAX];
  size_t n;
  /* Arguments of batch functions, gathered anew by each pass. */
  uint8_t *out[TM_SPHINX_BATCH_MAX];
  const uint8_t *in[TM_SPHINX_BATCH_MAX];
  const uint8_t *by[TM_SPHINX_BATCH_MAX];
  uint8_t ok[TM_SPHINX_BATCH_MAX];
};

/*
 * Keeps the live packets with ok[j] = 1 and gives the others that verdict. A verdict is public: the packet is dropped
 * and counted, and everybody sees that it does not travel on.
 */
static void keep(struct work *w, int verdict)
{
  size_t kept = 0;

  TM_CT_PUBLIC(w->ok, w->n);
  for (size_t j = 0; j < w->n; j++) {
    if (w->ok[j])
      w->live[kept++] = w->live[j];
    else
      w->hop[w->live[j]].verdict = verdict;
  }
  w->n = kept;
}

static struct tm_lane *lane(struct work *w, size_t j) { return &w->ctx->lane[w->live[j]]; }

static void check_form(struct work *w, const size_t len[], size_t n)
{
  for (size_t i = 0; i < n; i++) {
    w->live[i] = i;
    w->ok[i] = len[i] == tm_sphinx_packet_len(w->ctx);
  }
  w->n = n;
  keep(w, TM_SPHINX_E_LENGTH);
  for (size_t j = 0; j < w->n; j++)
    w->ok[j] = tm_field_is_canonical(w->packet[w->live[j]]);
  keep(w, TM_SPHINX_E_NONCANONICAL);
}

static void share_secrets(struct work *w)
{
  if (w->n == 0)
    return;
  for (size_t j = 0; j < w->n; j++) {
    struct tm_lane *l = lane(w, j);

    memcpy(l->input, w->packet[w->live[j]], 32);
    memcpy(l->input + 32, w->key->y, 32);
    w->out[j] = l->input + 64;
    w->in[j] = l->input;
    w->by[j] = w->key->secret;
  }
  w->ctx->backend->curve->x25519(w->out, w->by, w->in, w->ok, w->n);
  keep(w, TM_SPHINX_E_LOW_ORDER);
}

/* K(first) to K(first + count - 1) of every live packet, to its keys or, from K(2) on, to its result. */
static void derive(struct work *w, unsigned first, unsigned count)
{
  for (size_t j = 0; j < w->n; j++) {
    w->in[j] = lane(w, j)->input;
    w->out[j] = first < 2 ? lane(w, j)->keys + first * TM_KDF_LEN : w->hop[w->live[j]].payload_key;
  }
  w->ctx->backend->symmetric->kdf(w->out, w->in, first, count, w->n);
}

static void check_macs(struct work *w)
{
  if (w->n == 0)
    return;
  derive(w, 0, 1);
  for (size_t j = 0; j < w->n; j++) {
    w->out[j] = lane(w, j)->mac;
    w->by[j] = tm_keys_mac(lane(w, j)->keys);
    w->in[j] = w->packet[w->live[j]] + TM_SPHINX_ELEMENT_LEN;
  }
  w->ctx->backend->symmetric->mac(w->out, w->by, w->in, w->n);
  for (size_t j = 0; j < w->n; j++) {
    const uint8_t *gamma = w->in[j] + TM_SPHINX_ROUTING_LEN;

    w->ok[j] = (uint8_t)(1 + sodium_memcmp(w->out[j], gamma, TM_SPHINX_MAC_LEN));
  }
  keep(w, TM_SPHINX_E_MAC);
}

/* Decrypts the routing blocks and reads their commands. */
static void read_commands(struct work *w)
{
  if (w->n == 0)
    return;
  for (size_t j = 0; j < w->n; j++) {
    w->out[j] = lane(w, j)->routing;
    w->by[j] = tm_keys_stream(lane(w, j)->keys);
  }
  w->ctx->backend->symmetric->stream(w->out, w->by, w->n);
  for (size_t j = 0; j < w->n; j++) {
    tm_sphinx_hop *h = &w->hop[w->live[j]];
    uint8_t *block = lane(w, j)->routing;

    tm_bytes_xor(block, w->packet[w->live[j]] + TM_SPHINX_ELEMENT_LEN, TM_SPHINX_ROUTING_LEN);
    /* What the relay is told to do, it does, and the delay decides when: both become actions. */
    TM_CT_PUBLIC(block, 5);
    h->command = block[0];
    h->delay_ms = tm_bytes_load32(block + 1);
    w->ok[j] = h->command >= TM_SPHINX_FORWARD && h->command <= TM_SPHINX_REPLY &&
               h->delay_ms <= TM_SPHINX_DELAY_MAX_MS;
  }
  keep(w, TM_SPHINX_E_COMMAND);
}

/* Makes the next group element of packets that go on. */
static void blind(struct work *w)
{
  size_t who[TM_SPHINX_BATCH_MAX], n = 0;
  uint8_t ok[TM_SPHINX_BATCH_MAX];

  if (w->n == 0)
    return;
  derive(w, 1, 1);
  for (size_t j = 0; j < w->n; j++) {
    w->ok[j] = 1;
    if (w->hop[w->live[j]].command != TM_SPHINX_FORWARD)
      continue;
    w->out[n] = lane(w, j)->alpha;
    w->by[n] = tm_keys_blind(lane(w, j)->keys);
    w->in[n] = lane(w, j)->input;
    who[n++] = j;
  }
  if (n == 0)
    return;
  w->ctx->backend->curve->x25519(w->out, w->by, w->in, ok, n);
  for (size_t k = 0; k < n; k++)
    w->ok[who[k]] = ok[k];
  keep(w, TM_SPHINX_E_LOW_ORDER);
}

/* Writes one packet and its result. */
static void commit(struct work *w, size_t j)
{
  const struct tm_lane *l = lane(w, j);
  tm_sphinx_hop *h = &w->hop[w->live[j]];
  uint8_t *header = w->packet[w->live[j]];

  h->verdict = TM_SPHINX_OK;
  memcpy(h->replay_tag, tm_keys_replay_tag(l->keys), sizeof h->replay_tag);
  if (h->command != TM_SPHINX_DELIVER)
    memcpy(h->next, l->routing + 5, sizeof h->next);
  if (h->command != TM_SPHINX_FORWARD) {
    memset(header, 0, TM_SPHINX_HEADER_LEN);
    return;
  }
  memcpy(header, l->alpha, TM_SPHINX_ELEMENT_LEN);
  memcpy(header + 32, l->routing + TM_SPHINX_BLOCK_LEN, TM_SPHINX_ROUTING_LEN);
  memcpy(header + 32 + TM_SPHINX_ROUTING_LEN, l->routing + 37, TM_SPHINX_MAC_LEN);
  /* It goes on the wire. */
  TM_CT_PUBLIC(header, TM_SPHINX_HEADER_LEN);
}

/* A packet that failed leaves its verdict and nothing else. */
static void clear_failed(tm_sphinx_hop hop[], size_t n)
{
  for (size_t i = 0; i < n; i++) {
    int verdict = hop[i].verdict;

    if (verdict == TM_SPHINX_OK)
      continue;
    sodium_memzero(&hop[i], sizeof hop[i]);
    hop[i].verdict = verdict;
  }
}

static size_t unwrap_batch(struct work *w, const size_t len[], size_t n)
{
  memset(w->hop, 0, n * sizeof w->hop[0]);
  check_form(w, len, n);
  share_secrets(w);
  check_macs(w);
  read_commands(w);
  blind(w);
  if (w->n > 0)
    derive(w, 2, 3);
  for (size_t j = 0; j < w->n; j++)
    commit(w, j);
  clear_failed(w->hop, n);
  sodium_memzero(w->ctx->lane, n * sizeof w->ctx->lane[0]);
  return w->n;
}

size_t tm_sphinx_unwrap_headers(tm_sphinx *ctx, const tm_sphinx_key *key, uint8_t *const packet[], const size_t len[],
                                tm_sphinx_hop hop[], size_t n)
{
  size_t good = 0;

  for (size_t at = 0; at < n; at += TM_SPHINX_BATCH_MAX) {
    struct work w = {.ctx = ctx, .key = key, .packet = packet + at, .hop = hop + at};

    good += unwrap_batch(&w, len + at, n - at < TM_SPHINX_BATCH_MAX ? n - at : TM_SPHINX_BATCH_MAX);
  }
  return good;
}

/* Checks the tag of a delivered payload; a bad one is gone with everything that came with it. */
static void check_tag(const tm_sphinx *ctx, uint8_t *payload, tm_sphinx_hop *hop)
{
  uint8_t good = (uint8_t)sodium_is_zero(payload, TM_SPHINX_TAG_LEN);

  /* A verdict, as in keep above. */
  TM_CT_PUBLIC(&good, sizeof good);
  if (good)
    return;
  hop->verdict = TM_SPHINX_E_TAG;
  sodium_memzero(payload, tm_payload_len(ctx));
}

static size_t unwrap_bodies(tm_sphinx *ctx, uint8_t *const packet[], tm_sphinx_hop hop[], size_t n)
{
  uint8_t *block[TM_SPHINX_BATCH_MAX];
  const uint8_t *key[TM_SPHINX_BATCH_MAX];
  tm_sphinx_hop *live[TM_SPHINX_BATCH_MAX];
  size_t m = 0, good = 0;

  for (size_t i = 0; i < n; i++) {
    if (hop[i].verdict != TM_SPHINX_OK)
      continue;
    live[m] = &hop[i];
    block[m] = packet[i] + TM_SPHINX_HEADER_LEN;
    key[m++] = hop[i].payload_key;
  }
  if (m > 0)
    ctx->backend->symmetric->lioness_decrypt(block, key, tm_payload_len(ctx), m);
  for (size_t j = 0; j < m; j++) {
    sodium_memzero(live[j]->payload_key, sizeof live[j]->payload_key);
    if (live[j]->command == TM_SPHINX_DELIVER)
      check_tag(ctx, block[j], live[j]);
    else
      TM_CT_PUBLIC(block[j], tm_payload_len(ctx)); /* it goes on the wire */
    good += live[j]->verdict == TM_SPHINX_OK;
  }
  return good;
}

size_t tm_sphinx_unwrap_bodies(tm_sphinx *ctx, uint8_t *const packet[], tm_sphinx_hop hop[], size_t n)
{
  size_t good = 0;

  for (size_t at = 0; at < n; at += TM_SPHINX_BATCH_MAX)
    good += unwrap_bodies(ctx, packet + at, hop + at, n - at < TM_SPHINX_BATCH_MAX ? n - at : TM_SPHINX_BATCH_MAX);
  return good;
}
