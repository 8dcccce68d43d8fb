#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "box/box.h"

#include "client/network.h"

struct group {
  const struct tm_relay_info **relays;
  size_t n;
};

struct tm_network {
  const struct tm_params *params;
  struct group entries;
  struct group layers[TM_DOCUMENT_LAYERS];
  struct group stores;
  uint8_t (*store_ids)[32]; /* identities, in the order of stores */
};

static int collect(struct group *g, const struct tm_document *doc, unsigned role, unsigned layer)
{
  size_t n = tm_document_relays(doc);

  g->relays = calloc(n == 0 ? 1 : n, sizeof *g->relays);
  if (g->relays == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < n; i++) {
    const struct tm_relay_info *relay = tm_document_relay(doc, i);
    if ((relay->roles & role) != 0 && (layer == 0 || relay->layer == layer))
      g->relays[g->n++] = relay;
  }
  return TM_OK;
}

static int collect_all(struct tm_network *net, const struct tm_document *doc)
{
  int err = collect(&net->entries, doc, TM_ROLE_ENTRY, 0);

  for (unsigned l = 0; err == TM_OK && l < TM_DOCUMENT_LAYERS; l++)
    err = collect(&net->layers[l], doc, TM_ROLE_MIX, l + 1);
  if (err == TM_OK)
    err = collect(&net->stores, doc, TM_ROLE_STORE, 0);
  if (err != TM_OK)
    return err;
  net->store_ids = calloc(net->stores.n + 1, sizeof *net->store_ids);
  if (net->store_ids == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < net->stores.n; i++)
    memcpy(net->store_ids[i], net->stores.relays[i]->identity, sizeof net->store_ids[i]);
  return TM_OK;
}

int tm_network_new(struct tm_network **out, const struct tm_document *doc)
{
  struct tm_network *net = calloc(1, sizeof *net);
  int err;

  *out = NULL;
  if (net == NULL)
    return TM_E_NOMEM;
  net->params = tm_document_params(doc);
  err = collect_all(net, doc);
  if (err != TM_OK) {
    tm_network_free(net);
    return err;
  }
  *out = net;
  return TM_OK;
}

void tm_network_free(struct tm_network *net)
{
  if (net == NULL)
    return;
  free(net->entries.relays);
  for (unsigned l = 0; l < TM_DOCUMENT_LAYERS; l++)
    free(net->layers[l].relays);
  free(net->stores.relays);
  free(net->store_ids);
  free(net);
}

size_t tm_network_entries(const struct tm_network *net) { return net->entries.n; }
const struct tm_relay_info *tm_network_entry(const struct tm_network *net, size_t i) { return net->entries.relays[i]; }

const struct tm_relay_info *tm_network_find_entry(const struct tm_network *net, const uint8_t identity[static 32])
{
  for (size_t i = 0; i < net->entries.n; i++)
    if (memcmp(net->entries.relays[i]->identity, identity, 32) == 0)
      return net->entries.relays[i];
  return NULL;
}

const struct tm_relay_info *tm_network_store_of(const struct tm_network *net, const uint8_t id[static 32], unsigned k)
{
  size_t choice[2];

  tm_box_stores(id, (const uint8_t(*)[32])net->store_ids, net->stores.n, choice);
  return net->stores.relays[choice[k & 1]];
}

static bool anyone(const struct group *g, uint64_t epoch)
{
  for (size_t i = 0; i < g->n; i++)
    if (tm_relay_key(g->relays[i], epoch) != NULL)
      return true;
  return false;
}

bool tm_network_is_usable(const struct tm_network *net, const struct tm_relay_info *entry, uint64_t epoch)
{
  if (entry == NULL || tm_relay_key(entry, epoch) == NULL || net->stores.n < 2 || !anyone(&net->stores, epoch))
    return false;
  for (unsigned l = 0; l < TM_DOCUMENT_LAYERS; l++)
    if (!anyone(&net->layers[l], epoch))
      return false;
  return true;
}

/* One node of a path with its key and a drawn delay. */
static int fill_node(const struct tm_network *net, const struct tm_rng *rng, const struct tm_relay_info *relay,
                     uint64_t epoch, tm_sphinx_node *node, uint32_t *trip_ms)
{
  const struct tm_mix_key *key = relay == NULL ? NULL : tm_relay_key(relay, epoch);
  double delay = 0;

  if (key == NULL)
    return TM_E_NOT_FOUND;
  memcpy(node->identity, relay->identity, sizeof node->identity);
  memcpy(node->mix_point, key->point, sizeof node->mix_point);
  if (net->params->strategy == TM_STRATEGY_POISSON)
    delay = tm_rng_exponential(rng, net->params->mean_delay_ms);
  node->delay_ms = delay > TM_SPHINX_DELAY_MAX_MS ? TM_SPHINX_DELAY_MAX_MS : (uint32_t)delay;
  /* A timed pool ignores the delay and holds a packet for a time that nobody can draw beforehand. */
  *trip_ms += net->params->strategy == TM_STRATEGY_POISSON ? node->delay_ms : 3 * tm_network_hop_ms(net->params);
  return TM_OK;
}

/* Uniform among those who have a key. */
static const struct tm_relay_info *draw(const struct group *g, const struct tm_rng *rng, uint64_t epoch)
{
  uint32_t n = 0;
  uint32_t pick;

  for (size_t i = 0; i < g->n; i++)
    n += tm_relay_key(g->relays[i], epoch) != NULL;
  if (n == 0)
    return NULL;
  pick = tm_rng_below(rng, n);
  for (size_t i = 0; i < g->n; i++)
    if (tm_relay_key(g->relays[i], epoch) != NULL && pick-- == 0)
      return g->relays[i];
  return NULL;
}

/* from (may be NULL), the three layers, to. */
static int make_path(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                     const struct tm_relay_info *from, const struct tm_relay_info *to, tm_sphinx_node *path,
                     uint32_t *trip_ms)
{
  size_t n = 0;
  int err = TM_OK;

  *trip_ms = 0;
  if (from != NULL)
    err = fill_node(net, rng, from, epoch, &path[n++], trip_ms);
  for (unsigned l = 0; err == TM_OK && l < TM_DOCUMENT_LAYERS; l++)
    err = fill_node(net, rng, draw(&net->layers[l], rng, epoch), epoch, &path[n++], trip_ms);
  if (err == TM_OK)
    err = fill_node(net, rng, to, epoch, &path[n], trip_ms);
  return err;
}

int tm_network_path_out(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                        const struct tm_relay_info *entry, const struct tm_relay_info *store,
                        tm_sphinx_node path[static TM_PATH_OUT], uint32_t *trip_ms)
{
  return make_path(net, rng, epoch, entry, store, path, trip_ms);
}

int tm_network_path_back(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                         const struct tm_relay_info *entry, tm_sphinx_node path[static TM_PATH_BACK], uint32_t *trip_ms)
{
  return make_path(net, rng, epoch, NULL, entry, path, trip_ms);
}

int tm_network_path_loop(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                         const struct tm_relay_info *entry, tm_sphinx_node path[static TM_PATH_OUT], uint32_t *trip_ms)
{
  return make_path(net, rng, epoch, entry, entry, path, trip_ms);
}

uint32_t tm_network_hop_ms(const struct tm_params *params)
{
  uint64_t ms = params->mean_delay_ms;

  if (params->strategy == TM_STRATEGY_TIMED_POOL)
    ms = (uint64_t)params->pool_interval_ms * 1000 /
         (params->pool_share_permille == 0 ? 1 : params->pool_share_permille);
  return ms > 3600000 ? 3600000 : (uint32_t)ms;
}
