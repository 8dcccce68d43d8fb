#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "relay/internal.h"
#include "relay/topology.h"

#include "relay/status.h"

/* jemalloc's, where the program is linked with it. */
extern int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));

static uint64_t memory_of(const char *name)
{
  size_t bytes = 0, len = sizeof bytes;

  return mallctl(name, &bytes, &len, NULL, 0) == 0 ? bytes : 0;
}

static void look_at_memory(struct tm_status *s)
{
  uint64_t epoch = 1; /* of its statistics: makes it count anew */

  if (mallctl == NULL || mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) != 0)
    return;
  s->allocated = memory_of("stats.allocated");
  s->resident = memory_of("stats.resident");
}

static void look_at_document(struct tm_engine *e, struct tm_status *s)
{
  const struct tm_document *doc = tm_watch_document(e->watch);
  const struct tm_relay_info *self = doc == NULL ? NULL : tm_document_find(doc, tm_network_identity(e->net));

  if (doc == NULL)
    return;
  s->has_document = true;
  s->valid = e->valid;
  s->document = doc;
  s->document_roles = tm_network_roles(e->net);
  s->epoch_s = e->params.epoch_s;
  s->epoch = s->now_s / e->params.epoch_s;
  if (self != NULL && self->n_keys > 0) {
    s->document_keys = self->n_keys;
    s->document_last_epoch = self->keys[self->n_keys - 1].epoch;
  }
}

/* A link each way with every relay that the ring puts beside this one, itself left out. */
static uint64_t expected_links(const struct tm_engine *e)
{
  const struct tm_relay_info *self = tm_network_self(e->net);
  const struct tm_document *doc = tm_watch_document(e->watch);
  uint64_t n = 0;

  for (size_t i = 0; self != NULL && i < tm_document_relays(doc); i++) {
    const struct tm_relay_info *other = tm_document_relay(doc, i);
    if (memcmp(other->identity, self->identity, sizeof other->identity) != 0)
      n += (uint64_t)tm_topology_sends(self, other) + tm_topology_sends(other, self);
  }
  return n;
}

static void look_at_keys(struct tm_engine *e, struct tm_status *s)
{
  const struct tm_keyset *live = tm_keys_acquire(e->keys);
  uint64_t *epochs;
  size_t n;

  for (size_t i = 0; s->has_document && i < live->n; i++)
    s->key[s->n_keys++] = (struct tm_status_key){
      .epoch = live->live[i].epoch,
      .begins_s = live->live[i].epoch * e->params.epoch_s,
      .ends_s = (live->live[i].epoch + 1) * e->params.epoch_s + e->params.key_grace_s,
      .tags = tm_replay_set_count(live->live[i].seen),
      .tags_bytes = tm_replay_set_bytes(live->live[i].seen),
      .failed = tm_replay_set_failed(live->live[i].seen),
    };
  tm_keys_release(e->keys, live);
  if (tm_mix_keys_list(e->config->state_dir, &epochs, &n) != TM_OK)
    return;
  s->keys_made = n;
  s->last_key_epoch = n > 0 ? epochs[n - 1] : 0;
  free(epochs);
}

static enum tm_relay_state state_of(const struct tm_engine *e)
{
  if (e->draining)
    return TM_STATE_DRAINING;
  if (!e->valid)
    return TM_STATE_WAITING;
  return e->keyless ? TM_STATE_KEYLESS : TM_STATE_RUNNING;
}

static void look_at_mix(const struct tm_engine *e, struct tm_status *s)
{
  s->mix_max = e->config->mix_max < e->config->packets_max ? e->config->mix_max : e->config->packets_max;
  if (e->mix == NULL)
    return;
  s->strategy = tm_mix_name(e->mix);
  s->mix_packets = tm_mix_count(e->mix);
  s->entropy_bits = tm_mix_entropy(e->mix);
}

void tm_engine_rate_totals(struct tm_engine *engine, uint64_t total[static TM_RATES])
{
  const struct tm_counters *c = &engine->counters;
  struct tm_link_io io = tm_engine_io(engine);

  total[TM_RATE_IN] = c->in_link;
  total[TM_RATE_OUT] = c->out_link + c->out_client;
  total[TM_RATE_DROP] = 0;
  for (size_t i = 0; i < TM_DROPS; i++)
    total[TM_RATE_DROP] += c->drop[i];
  total[TM_RATE_CELLS_IN] = io.cells_in;
  total[TM_RATE_CELLS_OUT] = io.cells_out;
}

void tm_engine_status(struct tm_engine *engine, struct tm_status *status)
{
  *status = (struct tm_status){
    .totals = tm_engine_snapshot(engine),
    .now_s = tm_clock_wall_ms(engine->clock) / 1000,
    .state = state_of(engine),
    .layer = engine->config->layer,
    .io = tm_engine_io(engine),
    .clients_max = engine->entry != NULL ? engine->config->max_clients : 0,
    .tags_max = engine->config->replay_max_tags,
    .store_max = engine->store != NULL ? engine->config->store_quota_boxes : 0,
  };

  look_at_document(engine, status);
  status->relay_links_expected = expected_links(engine);
  look_at_mix(engine, status);
  look_at_keys(engine, status);
  look_at_memory(status);
}
