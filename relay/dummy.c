#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/request.h"

#include "relay/dummy.h"

struct tm_dummy {
  const struct tm_rng *rng;
  tm_sphinx *sphinx;
  uint8_t body[TM_SPHINX_BODY_LEN];
};

/* What one call works with. */
struct making {
  struct tm_dummy *dummy;
  const struct tm_document *doc;
  uint64_t epoch;
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops;
};

int tm_dummy_new(struct tm_dummy **out, const struct tm_rng *rng)
{
  struct tm_dummy *d = calloc(1, sizeof *d);

  *out = NULL;
  if (d == NULL)
    return TM_E_NOMEM;
  d->rng = rng;
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

/* layer 0: whoever has the role. */
static bool fits(const struct tm_relay_info *relay, unsigned role, unsigned layer, uint64_t epoch)
{
  return (relay->roles & role) != 0 && (layer == 0 || relay->layer == layer) && tm_relay_key(relay, epoch) != NULL;
}

static uint32_t draw_delay(const struct making *m)
{
  const struct tm_params *p = tm_document_params(m->doc);
  double ms = tm_rng_exponential(m->dummy->rng, (double)p->mean_delay_ms);

  if (p->strategy != TM_STRATEGY_POISSON)
    return 0;
  return ms >= TM_SPHINX_DELAY_MAX_MS ? TM_SPHINX_DELAY_MAX_MS : (uint32_t)ms;
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
    tm_sphinx_node *node = &m->path[m->hops++];
    memcpy(node->identity, relay->identity, sizeof node->identity);
    memcpy(node->mix_point, tm_relay_key(relay, m->epoch)->point, sizeof node->mix_point);
    node->delay_ms = draw_delay(m);
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
  int err = make_surb(m, surb);

  if (err == TM_OK) {
    tm_rng_fill(m->dummy->rng, point, sizeof point);
    tm_rng_fill(m->dummy->rng, filling, sizeof filling);
    tm_box_decoy_id(point, id);
    tm_box_get_write(m->dummy->body, NULL, surb, id, filling);
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
