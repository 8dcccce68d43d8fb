#include "config.h"

#include <unistd.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "relay/status.h"

static const char *const states[] = {"running", "waiting", "keyless", "draining"};

const char *tm_relay_state_name(enum tm_relay_state state) { return states[state]; }

static void put(json_t *object, const char *key, uint64_t value) { json_object_set_new(object, key, json_integer((json_int_t)value)); }

/* With three digits behind the point: no reader wants more. */
static void put_real(json_t *object, const char *key, double value)
{
  json_object_set_new(object, key, json_real(round(value * 1000) / 1000));
}

static void put_share(json_t *object, const char *key, uint64_t part, uint64_t all)
{
  put_real(object, key, all > 0 ? (double)part / (double)all : 0);
}

static json_t *document_json(const struct tm_status *s)
{
  json_t *document = json_object();

  if (!s->has_document) {
    json_decref(document);
    return json_null();
  }
  json_object_set_new(document, "network", json_string(tm_document_network(s->document)));
  json_object_set_new(document, "valid", json_boolean(s->valid));
  put(document, "valid_from", tm_document_valid_from(s->document));
  put(document, "valid_until", tm_document_valid_until(s->document));
  put(document, "relays", tm_document_relays(s->document));
  json_object_set_new(document, "roles", tm_roles_json(s->document_roles));
  return document;
}

static json_t *mix_json(const struct tm_status *s)
{
  json_t *mix = json_object();

  json_object_set_new(mix, "strategy", s->strategy != NULL ? json_string(s->strategy) : json_null());
  put(mix, "packets", s->mix_packets);
  put(mix, "packets_max", s->mix_max);
  put_real(mix, "entropy_bits", s->entropy_bits);
  return mix;
}

static json_t *rates_json(const struct tm_status *s)
{
  json_t *rates = json_object();

  put_real(rates, "seconds", (double)s->rate_ms / 1000);
  put_real(rates, "in", s->rate[TM_RATE_IN]);
  put_real(rates, "out", s->rate[TM_RATE_OUT]);
  put_real(rates, "drop", s->rate[TM_RATE_DROP]);
  put_real(rates, "cells_in", s->rate[TM_RATE_CELLS_IN]);
  put_real(rates, "cells_out", s->rate[TM_RATE_CELLS_OUT]);
  return rates;
}

static json_t *keys_json(const struct tm_status *s)
{
  json_t *keys = json_array();

  for (size_t i = 0; i < s->n_keys; i++) {
    const struct tm_status_key *k = &s->key[i];
    json_t *key = json_object();
    put(key, "epoch", k->epoch);
    put(key, "begins", k->begins_s);
    put(key, "ends", k->ends_s);
    put(key, "tags", k->tags);
    put(key, "tags_max", s->tags_max);
    put_share(key, "fill", k->tags, s->tags_max);
    put(key, "memory_bytes", k->tags_bytes);
    json_object_set_new(key, "failed", json_boolean(k->failed));
    json_array_append_new(keys, key);
  }
  return keys;
}

static json_t *alarms_json(const struct tm_snapshot *t)
{
  json_t *alarms = json_object(), *loops = json_object(), *tags = json_object();

  json_object_set_new(loops, "raised", json_boolean(t->cover.alarm));
  put(loops, "count", t->cover.alarms);
  json_object_set_new(tags, "raised", json_boolean(t->tagging.alarm));
  put(tags, "count", t->tagging.alarms);
  put(tags, "packets", t->tagging.failures);
  json_object_set_new(alarms, "loops", loops);
  json_object_set_new(alarms, "tag_failures", tags);
  return alarms;
}

/* Unix seconds, or null for what is not going to be. */
static void put_time(json_t *object, const char *key, bool known, uint64_t time_s)
{
  json_object_set_new(object, key, known ? json_integer((json_int_t)time_s) : json_null());
}

static json_t *next_json(const struct tm_status *s)
{
  json_t *next = json_object();

  put_time(next, "document_ends", s->has_document, s->has_document ? tm_document_valid_until(s->document) : 0);
  put_time(next, "epoch_begins", s->has_document, (s->epoch + 1) * s->epoch_s);
  put_time(next, "key_erased", s->n_keys > 0, s->n_keys > 0 ? s->key[s->n_keys - 1].ends_s : 0);
  put_time(next, "made_keys_end", s->has_document && s->keys_made > 0, (s->last_key_epoch + 1) * s->epoch_s);
  put_time(next, "document_keys_end", s->document_keys > 0, (s->document_last_epoch + 1) * s->epoch_s);
  return next;
}

static json_t *memory_json(const struct tm_status *s)
{
  json_t *memory = json_object();

  if (s->resident == 0) {
    json_decref(memory);
    return json_null();
  }
  put(memory, "allocated_bytes", s->allocated);
  put(memory, "resident_bytes", s->resident);
  return memory;
}

/* What the counters file has no use for. */
static void add_to_totals(json_t *root, const struct tm_status *s)
{
  json_t *links = json_object_get(root, "links"), *store = json_object_get(root, "store");

  put(links, "relays_expected", s->relay_links_expected);
  put(links, "clients_max", s->clients_max);
  put(links, "cells_in", s->io.cells_in);
  put(links, "cells_out", s->io.cells_out);
  put(store, "boxes_max", s->store_max);
  put_share(store, "fill", s->totals.store.boxes, s->store_max);
  if (s->store_max == 0)
    json_object_set_new(root, "store", json_null());
}

json_t *tm_status_json(const struct tm_status *s)
{
  json_t *root = tm_snapshot_json(&s->totals);

  if (root == NULL)
    return NULL;
  json_object_set_new(root, "version", json_string(PACKAGE_VERSION));
  put(root, "pid", (uint64_t)getpid());
  put(root, "time", s->now_s);
  put(root, "uptime_s", s->uptime_s);
  json_object_set_new(root, "state", json_string(tm_relay_state_name(s->state)));
  put(root, "layer", s->layer);
  json_object_set_new(root, "document", document_json(s));
  json_object_set_new(root, "mix", mix_json(s));
  json_object_set_new(root, "rates", rates_json(s));
  json_object_set_new(root, "keys", keys_json(s));
  json_object_set_new(root, "alarms", alarms_json(&s->totals));
  json_object_set_new(root, "next", next_json(s));
  json_object_set_new(root, "memory", memory_json(s));
  add_to_totals(root, s);
  return root;
}
