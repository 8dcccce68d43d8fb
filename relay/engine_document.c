/* The engine's housekeeping: documents and mix keys come, hold for a time, and go. */
#include "config.h"

#include <string.h>

#include "base/log.h"

#include "relay/internal.h"

#define LOOK_EVERY_MS 2000
#define KEYS_RETRY_MS 1000

/* ---- the document ---- */

/* Says what is wrong with the file, once until something else is wrong with it. */
static void complain(struct tm_engine *e, int err)
{
  const char *text = err == TM_E_CONFLICT ? "of another network, or older than the present one" : tm_strerror(err);

  if (err == TM_E_EXISTS || err == e->look_err)
    return;
  if (err == TM_E_NOT_FOUND && tm_watch_document(e->watch) == NULL)
    return; /* check_validity says it */
  e->look_err = err;
  tm_log(TM_LOG_ERROR, "document", "the file cannot be used", TM_KV_NAME("file", e->config->document), TM_KV_NAME("reason", text),
         TM_KV_END);
}

/* Tells the operator where the document and the configuration disagree. err: what the network made of it. */
static void compare_places(const struct tm_engine *e, const struct tm_document *doc, int err)
{
  const struct tm_relay_info *self = tm_document_find(doc, tm_network_identity(e->net));

  if (err == TM_E_NOT_FOUND)
    tm_log(TM_LOG_ERROR, "document", "this relay does not stand in it; no packets will come", TM_KV_END);
  else if (err == TM_E_CONFLICT)
    tm_log(TM_LOG_ERROR, "document", "it gives this relay other roles than its configuration; what both name holds", TM_KV_END);
  else if (err != TM_OK)
    tm_log(TM_LOG_ERROR, "document", "some relays are not dialled", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  if (self != NULL && strcmp(self->address, e->config->address) != 0)
    tm_log(TM_LOG_WARN, "document", "it gives this relay another address than its configuration; others dial that one", TM_KV_END);
}

static void apply(struct tm_engine *e)
{
  const struct tm_document *doc = tm_watch_document(e->watch);
  const struct tm_params *params = tm_document_params(doc);
  int err = tm_network_document(e->net, doc);

  compare_places(e, doc, err);
  if (e->entry != NULL) {
    tm_entry_set_document(e->entry, doc, tm_clock_mono_ms(e->clock));
    if ((tm_network_roles(e->net) & TM_ROLE_ENTRY) == 0)
      tm_entry_close_all(e->entry);
  }
  tm_engine_set_limits(e, params);
  if (e->store != NULL) {
    tm_store_set_expiry(e->store, params->box_expiry_s);
    tm_store_set_work(e->store, params->work_bits);
  }
  err = tm_engine_set_mix(e, params);
  if (err != TM_OK)
    tm_log(TM_LOG_ERROR, "document", "the mix stays as it is", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  e->params = *params;
  e->checked_epoch = 0;
  e->look_err = TM_OK;
  e->said_invalid = false;
  tm_log(TM_LOG_INFO, "document", "new document", TM_KV_INT("relays", tm_document_relays(doc)),
         TM_KV_INT("valid_until", tm_document_valid_until(doc)), TM_KV_END);
}

int tm_engine_reload(struct tm_engine *engine)
{
  int config_err, err;

  tm_notify_reloading(&engine->notify);
  config_err = tm_engine_reconfigure(engine);
  err = tm_watch_look(engine->watch, tm_clock_wall_ms(engine->clock) / 1000, true);
  if (err == TM_OK)
    apply(engine);
  else
    complain(engine, err);
  tm_engine_housekeeping(engine);
  tm_notify_reloaded(&engine->notify);
  return config_err != TM_OK ? config_err : err;
}

static void look(struct tm_engine *e, uint64_t now_s)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  int err;

  if (now < e->look_ms)
    return;
  e->look_ms = now + LOOK_EVERY_MS;
  err = tm_watch_look(e->watch, now_s, false);
  if (err == TM_OK)
    apply(e);
  else
    complain(e, err);
}

static void check_validity(struct tm_engine *e, uint64_t now_s)
{
  const struct tm_document *doc = tm_watch_document(e->watch);
  bool was_valid = e->valid;

  e->valid = doc != NULL && now_s >= tm_document_valid_from(doc) && now_s < tm_document_valid_until(doc);
  if (was_valid != e->valid && e->entry != NULL)
    tm_entry_set_document(e->entry, e->valid ? doc : NULL, tm_clock_mono_ms(e->clock)); /* clients are offered nothing that they would have to refuse */
  if (e->valid || e->said_invalid)
    return;
  e->said_invalid = true;
  tm_log(TM_LOG_ERROR, "document", doc == NULL ? "there is no document; packets are dropped until there is one"
                                               : "the document has expired; packets are dropped until there is a new one",
         TM_KV_NAME("file", e->config->document), TM_KV_END);
}

/* ---- keys ---- */

/* Would others seal packets for the key that we hold? */
static void compare_keys(struct tm_engine *e, uint64_t epoch)
{
  const struct tm_relay_info *self = tm_document_find(tm_watch_document(e->watch), tm_network_identity(e->net));
  const struct tm_mix_key *ours = self == NULL ? NULL : tm_relay_key(self, epoch);
  const struct tm_keyset *live = tm_keys_acquire(e->keys);
  uint8_t point[TM_SPHINX_ELEMENT_LEN];

  if (self != NULL && ours == NULL)
    tm_log(TM_LOG_ERROR, "keys", "the document has no mix key of ours for this epoch; nobody can send through us",
           TM_KV_INT("epoch", epoch), TM_KV_END);
  else if (self != NULL && live->n > 0 && live->live[0].epoch == epoch) {
    tm_sphinx_key_point(live->live[0].key, point);
    if (memcmp(point, ours->point, sizeof point) != 0)
      tm_log(TM_LOG_ERROR, "keys", "the document has another mix key than the state directory; every packet will fail",
             TM_KV_INT("epoch", epoch), TM_KV_END);
    if (tm_relay_key(self, epoch + 1) == NULL)
      tm_log(TM_LOG_WARN, "keys", "the document has no mix key of ours for the next epoch; run keygen, and have a new document made",
             TM_KV_INT("epoch", epoch + 1), TM_KV_END);
  }
  tm_keys_release(e->keys, live);
}

static void update_keys(struct tm_engine *e, uint64_t now_s)
{
  uint64_t epoch = now_s / e->params.epoch_s;
  uint64_t now = tm_clock_mono_ms(e->clock);
  int err;

  if (e->keyless && now < e->keys_ms)
    return;
  err = tm_keys_update(e->keys, now_s, e->params.epoch_s, e->params.key_grace_s);
  if (err != TM_OK && !e->keyless)
    tm_log(TM_LOG_ERROR, "keys", "there is no usable mix key for this epoch; packets for it are dropped; run keygen",
           TM_KV_INT("epoch", epoch), TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  e->keyless = err != TM_OK;
  e->keys_ms = now + KEYS_RETRY_MS;
  if (epoch != e->checked_epoch)
    compare_keys(e, epoch);
  e->checked_epoch = epoch;
}

void tm_engine_housekeeping(struct tm_engine *e)
{
  uint64_t now_s = tm_clock_wall_ms(e->clock) / 1000;

  look(e, now_s);
  tm_tagging_watch(&e->tagging, tm_clock_mono_ms(e->clock));
  check_validity(e, now_s);
  if (tm_watch_document(e->watch) != NULL)
    update_keys(e, now_s);
  tm_engine_cover(e);
}
