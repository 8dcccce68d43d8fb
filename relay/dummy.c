#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/work.h"

#include "relay/dummy.h"

struct tm_dummy {
  const struct tm_rng *rng;
  tm_sphinx *sphinx;
  uint8_t body[TM_SPHINX_BODY_LEN];
  uint8_t loop_key[crypto_generichash_KEYBYTES];
};

/* What one call works with. */
struct making {
  struct tm_dummy *dummy;
  const struct tm_document *doc;
  uint64_t epoch;
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops;
  uint64_t delay_ms; /* of the path */
};

int tm_dummy_new(struct tm_dummy **out, const struct tm_rng *rng)
{
  struct tm_dummy *d = calloc(1, sizeof *d);

  *out = NULL;
  if (d == NULL)
    return TM_E_NOMEM;
  d->rng = rng;
  tm_rng_fill(rng, d->loop_key, sizeof d->loop_key);
  if (tm_sphinx_new(&d->sphinx, NULL, TM_SPHINX_BODY_LEN) != TM_SPHINX_OK) {
    free(d);
    return TM_E_STATE;
  }
  *out = d;
  return TM_OK;
}

void tm_dummy_free(struct tm_dummy *dummy)
{
  if (dummy == NULL)
    return;
  tm_sphinx_free(dummy->sphinx);
  sodium_memzero(dummy, sizeof *dummy);
  free(dummy);
}

/* role: one of these bits. layer 0: any. */
static bool fits(const struct tm_relay_info *relay, unsigned role, unsigned layer, uint64_t epoch)
{
  return (relay->roles & role) != 0 && (layer == 0 || relay->layer == layer) && tm_relay_key(relay, epoch) != NULL;
}

uint32_t tm_dummy_delay(const struct tm_dummy *dummy, const struct tm_params *params)
{
  double ms = tm_rng_exponential(dummy->rng, (double)params->mean_delay_ms);

  if (params->strategy != TM_STRATEGY_POISSON)
    return 0;
  return ms >= TM_SPHINX_DELAY_MAX_MS ? TM_SPHINX_DELAY_MAX_MS : (uint32_t)ms;
}

static void append(struct making *m, const struct tm_relay_info *relay, uint32_t delay_ms)
{
  tm_sphinx_node *node = &m->path[m->hops++];

  memcpy(node->identity, relay->identity, sizeof node->identity);
  memcpy(node->mix_point, tm_relay_key(relay, m->epoch)->point, sizeof node->mix_point);
  node->delay_ms = delay_ms;
  m->delay_ms += delay_ms;
}

/* Appends a relay drawn uniformly from those that fit. */
static bool add_hop(struct making *m, unsigned role, unsigned layer)
{
  size_t n = tm_document_relays(m->doc);
  uint32_t fitting = 0;
  uint32_t chosen;

  for (size_t i = 0; i < n; i++)
    fitting += fits(tm_document_relay(m->doc, i), role, layer, m->epoch);
  if (fitting == 0)
    return false;
  chosen = tm_rng_below(m->dummy->rng, fitting);
  for (size_t i = 0; i < n; i++) {
    const struct tm_relay_info *relay = tm_document_relay(m->doc, i);
    if (!fits(relay, role, layer, m->epoch) || chosen-- > 0)
      continue;
    append(m, relay, tm_dummy_delay(m->dummy, tm_document_params(m->doc)));
    return true;
  }
  return false;
}

/* The layers behind `layer`, then a relay of the last role. */
static bool draw_path(struct making *m, unsigned layer, unsigned last_role)
{
  m->hops = 0;
  while (++layer <= TM_DOCUMENT_LAYERS)
    if (!add_hop(m, TM_ROLE_MIX, layer))
      return false;
  return add_hop(m, last_role, 0);
}

static int make_surb(struct making *m, uint8_t surb[static TM_SPHINX_SURB_LEN])
{
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN];
  uint8_t field[TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN];
  tm_sphinx_surb_keys keys;
  int r;

  if (!draw_path(m, 0, TM_ROLE_ENTRY))
    return TM_E_NOT_FOUND;
  tm_rng_fill(m->dummy->rng, random, sizeof random);
  tm_rng_fill(m->dummy->rng, field, sizeof field);
  r = tm_sphinx_surb_create(m->dummy->sphinx, m->path, m->hops, field, field + TM_SPHINX_HANDLE_LEN, random, surb, &keys);
  sodium_memzero(&keys, sizeof keys);
  sodium_memzero(random, sizeof random);
  return r == TM_SPHINX_OK ? TM_OK : TM_E_STATE;
}

static int make_body(struct making *m)
{
  uint8_t surb[TM_SPHINX_SURB_LEN];
  uint8_t point[64];
  uint8_t id[TM_BOX_ID_LEN];
  uint8_t filling[TM_BOX_GET_RANDOM_LEN];
  uint8_t token[TM_BOX_TOKEN_LEN] = {0};
  int err = make_surb(m, surb);

  if (err == TM_OK) {
    tm_rng_fill(m->dummy->rng, point, sizeof point);
    tm_rng_fill(m->dummy->rng, filling, sizeof filling);
    tm_rng_fill(m->dummy->rng, token, TM_BOX_WORK_NONCE_LEN);
    tm_box_decoy_id(point, id);
    tm_box_get_write(m->dummy->body, token, surb, id, filling);
  }
  sodium_memzero(surb, sizeof surb);
  return err;
}

int tm_dummy_make(struct tm_dummy *dummy, const struct tm_document *doc, const struct tm_relay_info *self, uint64_t now_s,
                  uint8_t packet[static TM_SPHINX_PACKET_LEN], uint8_t next[static TM_SPHINX_IDENTITY_LEN])
{
  struct making m = {.dummy = dummy, .doc = doc, .epoch = now_s / tm_document_params(doc)->epoch_s};
  unsigned layer = (self->roles & TM_ROLE_MIX) != 0 ? self->layer : 0;
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];
  int err = make_body(&m);

  memset(packet, 0, TM_SPHINX_PACKET_LEN);
  memset(next, 0, TM_SPHINX_IDENTITY_LEN);
  if (err == TM_OK && !draw_path(&m, layer, TM_ROLE_STORE))
    err = TM_E_NOT_FOUND;
  if (err == TM_OK) {
    tm_rng_fill(dummy->rng, random, sizeof random);
    if (tm_sphinx_create(dummy->sphinx, m.path, m.hops, dummy->body, random, packet) == TM_SPHINX_OK)
      memcpy(next, m.path[0].identity, TM_SPHINX_IDENTITY_LEN);
    else
      err = TM_E_STATE;
    sodium_memzero(random, sizeof random);
  }
  sodium_memzero(&m, sizeof m);
  sodium_memzero(dummy->body, sizeof dummy->body);
  return err;
}

/* ---- loops ---- */

/* Round the ring: the layers behind its own, an entry or a store, the layers before its own, home. One that is no mix begins and ends the round itself. */
static bool draw_loop(struct making *m, const struct tm_relay_info *self)
{
  const struct tm_relay_info *home = tm_document_find(m->doc, self->identity); /* the one with the keys */
  unsigned own = (self->roles & TM_ROLE_MIX) != 0 ? self->layer : 0;

  m->hops = 0;
  m->delay_ms = 0;
  if (home == NULL || !fits(home, self->roles, 0, m->epoch))
    return false;
  for (unsigned layer = own + 1; layer <= TM_DOCUMENT_LAYERS; layer++)
    if (!add_hop(m, TM_ROLE_MIX, layer))
      return false;
  if (own > 0 && !add_hop(m, TM_ROLE_ENTRY | TM_ROLE_STORE, 0))
    return false;
  for (unsigned layer = 1; layer < own; layer++)
    if (!add_hop(m, TM_ROLE_MIX, layer))
      return false;
  append(m, home, 0); /* at home nobody looks */
  return true;
}

#define LOOP_NAME_LEN 16 /* when it has to be home, and as many random bytes */

static void loop_mac(const struct tm_dummy *dummy, const uint8_t name[static LOOP_NAME_LEN], uint8_t mac[static crypto_generichash_BYTES_MIN])
{
  crypto_generichash(mac, crypto_generichash_BYTES_MIN, name, LOOP_NAME_LEN, dummy->loop_key, sizeof dummy->loop_key);
}

_Static_assert(LOOP_NAME_LEN + crypto_generichash_BYTES_MIN == TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN, "a loop's name and MAC are the field");

int tm_loop_make(struct tm_dummy *dummy, const struct tm_document *doc, const struct tm_relay_info *self, uint64_t now_s, uint64_t home_ms,
                 uint8_t packet[static TM_SPHINX_PACKET_LEN], uint8_t next[static TM_SPHINX_IDENTITY_LEN])
{
  struct making m = {.dummy = dummy, .doc = doc, .epoch = now_s / tm_document_params(doc)->epoch_s};
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN];
  uint8_t surb[TM_SPHINX_SURB_LEN];
  uint8_t field[TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN];
  tm_sphinx_surb_keys keys;
  int err = TM_E_NOT_FOUND;

  memset(packet, 0, TM_SPHINX_PACKET_LEN);
  memset(next, 0, TM_SPHINX_IDENTITY_LEN);
  if (draw_loop(&m, self)) {
    home_ms += m.delay_ms;
    tm_rng_fill(dummy->rng, random, sizeof random);
    tm_rng_fill(dummy->rng, field, LOOP_NAME_LEN);
    memcpy(field, &home_ms, sizeof home_ms);
    loop_mac(dummy, field, field + LOOP_NAME_LEN);
    err = tm_sphinx_surb_create(dummy->sphinx, m.path, m.hops, field, field + TM_SPHINX_HANDLE_LEN, random, surb, &keys) == TM_SPHINX_OK
            ? TM_OK
            : TM_E_STATE;
    if (err == TM_OK)
      tm_sphinx_surb_use(dummy->sphinx, surb, dummy->body, packet, next); /* body: zeros, which the block's key hides */
    sodium_memzero(&keys, sizeof keys);
    sodium_memzero(random, sizeof random);
    sodium_memzero(surb, sizeof surb);
    sodium_memzero(field, sizeof field);
  }
  sodium_memzero(&m, sizeof m);
  return err;
}

enum tm_loop tm_loop_judge(const struct tm_dummy *dummy, const uint8_t field[static TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN],
                           uint64_t now_ms)
{
  uint8_t mac[crypto_generichash_BYTES_MIN];
  uint64_t home_ms;
  enum tm_loop verdict = TM_LOOP_NONE;

  loop_mac(dummy, field, mac);
  memcpy(&home_ms, field, sizeof home_ms);
  if (sodium_memcmp(mac, field + LOOP_NAME_LEN, sizeof mac) == 0)
    verdict = now_ms <= home_ms ? TM_LOOP_HOME : TM_LOOP_LATE;
  sodium_memzero(mac, sizeof mac);
  return verdict;
}
