#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "client/internal.h"

#define ASK_LEAST_MS 30000u /* between two requests for a document */
#define SETTLE_MS 200u

/* ---- time ---- */

uint64_t tm_engine_wall_ms(const struct tm_client *c) { return tm_clock_wall_ms(&c->clock); }

uint64_t tm_engine_slot(const struct tm_client *c) { return tm_engine_wall_ms(c) / c->params->slot_ms; }

uint64_t tm_engine_epoch(const struct tm_client *c) { return tm_engine_wall_s(c) / c->params->epoch_s; }

uint64_t tm_engine_readable_end(const struct tm_client *c)
{
  uint64_t now = tm_engine_wall_ms(c);

  return now < c->params->slot_lag_ms ? 0 : (now - c->params->slot_lag_ms) / c->params->slot_ms;
}

uint64_t tm_engine_slot_deadline_ms(const struct tm_client *c, uint64_t slot)
{
  return (slot + 1) * c->params->slot_ms + c->params->slot_lag_ms;
}

uint64_t tm_engine_resend_s(const struct tm_client *c)
{
  uint64_t slots = (uint64_t)TM_RESEND_SLOTS * c->params->slot_ms / 1000;

  return slots > TM_RESEND_S ? slots : TM_RESEND_S;
}

double tm_engine_request_ms(const struct tm_client *c)
{
  return (double)c->params->tick_us / c->params->request_permille;
}

bool tm_engine_document_valid(const struct tm_client *c)
{
  uint64_t now = tm_engine_wall_s(c);

  return now >= tm_document_valid_from(c->doc) && now < tm_document_valid_until(c->doc);
}

const struct tm_relay_info *tm_engine_entry(const struct tm_client *c)
{
  return tm_network_find_entry(c->net, c->entry);
}

static bool is_usable(const struct tm_client *c)
{
  return c->failed == TM_OK && tm_engine_document_valid(c) &&
         tm_network_is_usable(c->net, tm_engine_entry(c), tm_engine_epoch(c));
}

/* ---- entry points ---- */

int tm_engine_begin(struct tm_client *c)
{
  uint64_t now = tm_clock_mono_ms(&c->clock);

  if (c->failed != TM_OK)
    return c->failed;
  /* Chains move with the wall clock, and never back: only a valid document vouches that it is not far ahead. */
  if (!tm_engine_document_valid(c))
    return TM_OK;
  tm_places_roll(c);
  if (now - c->settled_ms >= SETTLE_MS) {
    c->settled_ms = now;
    tm_writing_settle(c);
  }
  return TM_OK;
}

int tm_engine_finish(struct tm_client *c, int err)
{
  bool changed = c->changed;

  if (c->failed != TM_OK)
    return c->failed;
  tm_conv_save(c->conv, c->state);
  c->failed = tm_state_commit(c->state);
  if (c->failed == TM_OK && c->rolled) {
    /* With every slot: what the chains have left behind goes from the log too. */
    tm_db_checkpoint(c->state->db);
    c->failed = tm_db_error(c->state->db);
    c->rolled = false;
  }
  if (c->failed != TM_OK)
    return c->failed;
  c->changed = false;
  if (changed && c->on_change != NULL)
    c->on_change(c->on_change_arg);
  return err;
}

/* For entry points that have nothing to report to their caller: the next one that can says it. */
static void finish_quietly(struct tm_client *c)
{
  int err = tm_engine_finish(c, TM_OK);

  (void)err;
}

/* ---- network side ---- */

static bool is_prepared(const struct tm_client *c) { return c->prepared && c->prepared_epoch == tm_engine_epoch(c); }

/* Makes the packet of the next tick if there will be one and it is not made yet. */
static void prepare(struct tm_client *c)
{
  if (!c->link_up || !is_usable(c) || is_prepared(c))
    return;
  tm_engine_drop_prepared(c);
  tm_work_prepare(c);
  c->prepared_epoch = tm_engine_epoch(c);
}

const struct tm_relay_info *tm_client_entry(struct tm_client *c)
{
  const struct tm_relay_info *entry;

  if (tm_engine_begin(c) != TM_OK)
    return NULL;
  tm_guard_update(c->guard, c->state, c->net, &c->rng, tm_engine_wall_s(c));
  entry = tm_guard_entry(c->guard, c->net, tm_clock_mono_ms(&c->clock));
  /* While a link is up its entry stays what packets are made for. */
  if (entry != NULL && !c->link_up)
    memcpy(c->entry, entry->identity, sizeof c->entry);
  finish_quietly(c);
  return entry;
}

void tm_client_link_down(struct tm_client *c, bool failed)
{
  if (tm_engine_begin(c) != TM_OK)
    return;
  if (c->link_up)
    tm_work_link_lost(c);
  c->link_up = false;
  c->changed = true;
  tm_schedule_stop(c->schedule);
  sodium_memzero(c->handle, sizeof c->handle);
  if (failed)
    tm_guard_failed(c->guard, tm_clock_mono_ms(&c->clock));
  finish_quietly(c);
}

void tm_client_link_up(struct tm_client *c, const uint8_t handle[static TM_SPHINX_HANDLE_LEN])
{
  if (tm_engine_begin(c) != TM_OK)
    return;
  if (c->link_up)
    tm_work_link_lost(c);
  c->link_up = true;
  c->changed = true;
  memcpy(c->handle, handle, sizeof c->handle);
  tm_guard_worked(c->guard, c->entry);
  tm_schedule_start(c->schedule, tm_clock_mono_ms(&c->clock), c->params->tick_us);
  prepare(c);
  finish_quietly(c);
}

double tm_client_next_tick(const struct tm_client *c)
{
  return c->link_up && is_usable(c) ? tm_schedule_next(c->schedule) : HUGE_VAL;
}

/* The prepared packet leaves. */
static void emit(struct tm_client *c, uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  struct tm_request *r = c->upcoming;

  memcpy(packet, c->packet, TM_SPHINX_PACKET_LEN);
  sodium_memzero(c->packet, sizeof c->packet);
  if (r != NULL) {
    r->state = TM_REQUEST_OUT;
    r->sent = true;
    r->deadline_ms = tm_clock_mono_ms(&c->clock) + r->trip_ms + c->params->request_timeout_ms;
  }
  c->upcoming = NULL;
  c->prepared = false;
  c->ticks++;
  if (c->upcoming_loop)
    c->loops++;
  else
    c->requests++;
}

int tm_client_failure(const struct tm_client *c) { return c->failed; }

int tm_client_tick(struct tm_client *c, uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  int err = TM_OK;

  memset(packet, 0, TM_SPHINX_PACKET_LEN);
  if (c->failed != TM_OK)
    return c->failed;
  if (!c->link_up || !is_usable(c))
    return TM_E_STATE;
  if (!is_prepared(c))
    err = tm_client_prepare(c);
  /* A tick passes, whatever becomes of it. */
  tm_schedule_advance(c->schedule, tm_clock_mono_ms(&c->clock), c->params->tick_us);
  if (err == TM_OK && !is_prepared(c))
    err = TM_E_STATE;
  if (err == TM_OK)
    emit(c, packet);
  return err;
}

int tm_client_prepare(struct tm_client *c)
{
  int err = tm_engine_begin(c);

  if (err == TM_OK) {
    tm_work_overdue(c);
    prepare(c);
  }
  return tm_engine_finish(c, err);
}

/* What the store said; nonsense is no answer. */
static void take_answer(struct tm_client *c, struct tm_request *r, const uint8_t body[static TM_SPHINX_BODY_LEN])
{
  bool put = r->kind == TM_REQUEST_SLOT_WRITE || r->kind == TM_REQUEST_BULK_WRITE;
  struct tm_box_answer answer;

  if (tm_box_answer_parse(body, &answer) != TM_OK || answer.op != (put ? TM_BOX_PUT : TM_BOX_GET) ||
      memcmp(answer.id, r->id, sizeof r->id) != 0) {
    c->bad_replies++;
    tm_work_answer(c, r, NULL);
    return;
  }
  c->replies++;
  tm_work_answer(c, r, &answer);
}

void tm_client_reply(struct tm_client *c, const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                     uint8_t payload[static TM_SPHINX_PAYLOAD_LEN])
{
  struct tm_request *r;

  if (tm_engine_begin(c) != TM_OK)
    return;
  r = tm_pool_find(c->pool, surb_id);
  if (r == NULL) {
    c->bad_replies++;
  } else if (tm_sphinx_surb_open(c->sphinx, &r->keys, payload) != TM_SPHINX_OK) {
    /* Somebody changed it on its way: as good as lost. */
    c->bad_replies++;
    tm_work_answer(c, r, NULL);
  } else if (r->kind == TM_REQUEST_LOOP) {
    c->loops_back++;
    tm_pool_release(c->pool, r);
  } else {
    take_answer(c, r, payload + TM_SPHINX_TAG_LEN);
  }
  sodium_memzero(payload, TM_SPHINX_PAYLOAD_LEN);
  finish_quietly(c);
}

/* ---- document ---- */

const uint8_t *tm_client_document_digest(const struct tm_client *c) { return tm_document_text_digest(c->doc); }

bool tm_client_document_due(struct tm_client *c)
{
  uint64_t from = tm_document_valid_from(c->doc);
  uint64_t until = tm_document_valid_until(c->doc);
  uint64_t now = tm_clock_mono_ms(&c->clock);
  uint64_t pause = (until - from) * 100;

  if (c->failed != TM_OK || (tm_engine_document_valid(c) && tm_engine_wall_s(c) < from + (until - from) / 2))
    return false;
  if (pause < ASK_LEAST_MS || !tm_engine_document_valid(c))
    pause = ASK_LEAST_MS;
  if (c->asked_ms != 0 && now - c->asked_ms < pause)
    return false;
  c->asked_ms = now == 0 ? 1 : now;
  return true;
}

/* The document as it is kept: valid-from in front, so that it can be opened after it has expired. */
void tm_engine_store_document(struct tm_state *s, const struct tm_document *doc)
{
  size_t len;
  const uint8_t *bytes = tm_document_bytes(doc, &len);
  uint64_t from = tm_document_valid_from(doc);
  uint8_t *value = malloc(8 + len);

  if (value == NULL) {
    tm_db_fail(s->db, TM_E_NOMEM);
    return;
  }
  for (int i = 0; i < 8; i++)
    value[i] = (uint8_t)(from >> (56 - 8 * i));
  memcpy(value + 8, bytes, len);
  tm_state_put_meta(s, TM_META_DOCUMENT, value, 8 + len);
  free(value);
}

static int check_successor(const struct tm_client *c, const struct tm_document *doc)
{
  if (strcmp(tm_document_network(doc), tm_document_network(c->doc)) != 0)
    return TM_E_CONFLICT;
  /* Slots are numbered by it: a network that changes it loses all its sequences. */
  if (tm_document_params(doc)->slot_ms != c->params->slot_ms)
    return TM_E_CONFLICT;
  if (tm_document_valid_from(doc) <= tm_document_valid_from(c->doc))
    return TM_E_EXISTS;
  return TM_OK;
}

static void adopt(struct tm_client *c, struct tm_document *doc, struct tm_network *net)
{
  bool was_valid = tm_engine_document_valid(c);

  tm_engine_drop_prepared(c);
  tm_network_free(c->net);
  tm_document_free(c->doc);
  c->doc = doc;
  c->net = net;
  c->params = tm_document_params(doc);
  c->changed = true;
  tm_engine_store_document(c->state, doc);
  tm_places_roll(c);
  tm_places_fill(c);
  tm_guard_update(c->guard, c->state, c->net, &c->rng, tm_engine_wall_s(c));
  if (c->link_up && !was_valid)
    tm_schedule_start(c->schedule, tm_clock_mono_ms(&c->clock), c->params->tick_us);
  prepare(c);
}

int tm_client_document(struct tm_client *c, const uint8_t *bytes, size_t len)
{
  struct tm_document *doc = NULL;
  struct tm_network *net = NULL;
  int err = tm_engine_begin(c);

  if (err == TM_OK)
    err = tm_document_open(&doc, c->trust, bytes, len, tm_engine_wall_s(c), NULL);
  if (err == TM_OK)
    err = check_successor(c, doc);
  if (err == TM_OK)
    err = tm_network_new(&net, doc);
  if (err == TM_OK)
    adopt(c, doc, net);
  else
    tm_document_free(doc);
  return tm_engine_finish(c, err);
}

void tm_client_on_change(struct tm_client *c, void (*f)(void *arg), void *arg)
{
  c->on_change = f;
  c->on_change_arg = arg;
}
