#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

/* An answer must be here so much before a slot is read, so that the clocks of two people may differ by that. */
static uint64_t margin_ms(const struct tm_client *c) { return c->params->slot_lag_ms / 8; }

static bool is_in_time(const struct tm_client *c, uint64_t slot)
{
  return tm_engine_wall_ms(c) + margin_ms(c) <= tm_engine_slot_deadline_ms(c, slot);
}

/* How far into a slot a box of it may be begun, so that there is time enough for it to arrive and to be confirmed. */
static uint64_t begin_ms(const struct tm_client *c)
{
  uint64_t span = (uint64_t)c->params->slot_ms + c->params->slot_lag_ms;
  uint64_t need = 2ull * (TM_PATH_OUT + TM_PATH_BACK) * tm_network_hop_ms(c->params);

  /* On a network whose slots are short against its delays, most of a slot must do. */
  if (need > span / 2)
    need = span / 2;
  return span - need - margin_ms(c);
}

/* When a place writes must not tell whether somebody typed something, or whether it is a decoy. */
void tm_writing_draw(struct tm_client *c, struct tm_conv *conv)
{
  uint64_t window = begin_ms(c) < c->params->slot_ms ? begin_ms(c) : c->params->slot_ms;

  /* Not up to the end: a box may have to wait for a tick or two. */
  conv->write_at_ms = c->slot * c->params->slot_ms + tm_rng_below(&c->rng, (uint32_t)(window * 3 / 4) + 1);
  conv->write_decided = false;
  conv->write_now = false;
}

static bool wants(const struct tm_conv *conv, uint64_t slot)
{
  if (!tm_conv_has_place(conv) || conv->write_slot > slot)
    return false;
  if (conv->has_writer && slot > conv->writer.index && slot - conv->writer.index > TM_BOX_STEP_MAX)
    return false;
  switch (conv->kind) {
  case TM_CONV_DECOY:
    return conv->decoy_write;
  case TM_CONV_INVITER:
  case TM_CONV_ACCEPTOR:
    return conv->has_text && conv->text_slot <= slot;
  case TM_CONV_CONTACT:
    return conv->ack_due || conv->waiting;
  case TM_CONV_GONE:
    break;
  }
  return false;
}

void tm_writing_decide(struct tm_client *c)
{
  uint64_t now = tm_engine_wall_ms(c);

  if (c->slot != tm_engine_slot(c))
    return;
  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    struct tm_conv *conv = &c->conv[i];
    if (!tm_conv_has_place(conv) || conv->write_decided || now < conv->write_at_ms)
      continue;
    conv->write_decided = true;
    conv->write_now = wants(conv, c->slot);
  }
}

/* Of those that write in this slot and have not done so, the one whose moment came first. */
static struct tm_conv *first_decided(struct tm_client *c)
{
  struct tm_conv *first = NULL;

  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    struct tm_conv *conv = &c->conv[i];
    if (tm_conv_has_place(conv) && conv->write_now && (first == NULL || conv->write_at_ms < first->write_at_ms))
      first = conv;
  }
  return first;
}

/* The text of the box; false: there is nothing to say after all. */
static bool make_text(struct tm_client *c, struct tm_conv *conv, uint64_t slot, struct tm_pending *p,
                      uint8_t text[static TM_BOX_TEXT_LEN])
{
  memset(text, 0, TM_BOX_TEXT_LEN);
  switch (conv->kind) {
  case TM_CONV_CONTACT:
    return tm_conversation_pack(c, conv, slot, text, &p->has_ack);
  case TM_CONV_INVITER:
  case TM_CONV_ACCEPTOR:
    memcpy(text, conv->text, TM_BOX_TEXT_LEN);
    conv->text_slot = UINT64_MAX;
    conv->text_boxed = slot;
    p->has_text = true;
    return true;
  case TM_CONV_DECOY:
    conv->decoy_write = false;
    return true;
  case TM_CONV_GONE:
    break;
  }
  return false;
}

/* Seals it, and moves the chain on, so that this index can never be sealed again. */
static int seal(struct tm_client *c, struct tm_conv *conv, uint64_t slot, const uint8_t text[static TM_BOX_TEXT_LEN],
                struct tm_pending *p)
{
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN];
  struct tm_box_writer meeting;
  int err = TM_OK;

  tm_rng_fill(&c->rng, random, sizeof random);
  if (conv->kind == TM_CONV_INVITER || conv->kind == TM_CONV_ACCEPTOR) {
    tm_meeting_writer(conv, slot, &meeting);
    err = tm_box_seal(&meeting, text, random, p->id, p->box, p->signature);
    sodium_memzero(&meeting, sizeof meeting);
  } else {
    err = tm_box_writer_advance(&conv->writer, slot);
    if (err == TM_OK)
      err = tm_box_seal(&conv->writer, text, random, p->id, p->box, p->signature);
    if (err == TM_OK)
      err = tm_box_writer_advance(&conv->writer, slot + 1);
  }
  conv->write_slot = slot + 1;
  conv->dirty = true;
  sodium_memzero(random, sizeof random);
  return err;
}

static struct tm_request *request_for(struct tm_client *c, const struct tm_pending *p, unsigned store)
{
  struct tm_request *r = tm_pool_take(c->pool, TM_REQUEST_SLOT_WRITE);

  if (r == NULL)
    return NULL;
  r->conv = p->conv;
  r->index = p->slot;
  r->store = store;
  memcpy(r->id, p->id, sizeof r->id);
  r->state = TM_REQUEST_PREPARED;
  return r;
}

/* A sealed box of that conversation, on disk with the next commit; NULL: nothing to say, or no room. */
static struct tm_pending *write_box(struct tm_client *c, struct tm_conv *conv, uint64_t slot)
{
  struct tm_pending *p = tm_pending_free_one(c->pending);
  uint8_t text[TM_BOX_TEXT_LEN];
  int err;

  if (p == NULL)
    return NULL;
  p->conv = conv->id;
  p->slot = slot;
  if (!make_text(c, conv, slot, p, text)) {
    memset(p, 0, sizeof *p);
    return NULL;
  }
  err = seal(c, conv, slot, text, p);
  sodium_memzero(text, sizeof text);
  if (err != TM_OK) {
    /* Cannot happen with a sequence that we made. */
    tm_db_fail(c->state->db, err);
    memset(p, 0, sizeof *p);
    return NULL;
  }
  tm_pending_insert(p, c->state);
  return p;
}

struct tm_request *tm_writing_next(struct tm_client *c)
{
  uint64_t slot = c->slot;
  struct tm_request *worked = tm_effort_take(c, TM_REQUEST_SLOT_WRITE);
  struct tm_conv *conv;

  if (worked != NULL)
    return worked;
  if (slot != tm_engine_slot(c) || tm_engine_wall_ms(c) > slot * c->params->slot_ms + begin_ms(c) ||
      tm_pool_real(c->pool) + 2 > TM_POOL_REAL_MAX)
    return NULL;
  while ((conv = first_decided(c)) != NULL) {
    struct tm_pending *p = wants(conv, slot) ? write_box(c, conv, slot) : NULL;
    struct tm_request *r, *second;

    conv->write_now = false;
    if (p == NULL)
      continue;
    r = request_for(c, p, 0);
    second = request_for(c, p, 1);
    if (second != NULL)
      tm_pool_ready(c->pool, second);
    return r;
  }
  return NULL;
}

static struct tm_pending *wanted(struct tm_client *c, const struct tm_request *r)
{
  struct tm_pending *p = tm_pending_find(c->pending, r->conv, r->index);

  if (p == NULL || (p->done >> r->store & 1) != 0)
    return NULL;
  return p;
}

bool tm_writing_is_wanted(struct tm_client *c, const struct tm_request *r)
{
  const struct tm_pending *p = wanted(c, r);

  return p != NULL && (p->accepted || is_in_time(c, p->slot));
}

int tm_writing_packet(struct tm_client *c, struct tm_request *r)
{
  struct tm_pending *p = wanted(c, r);

  /* What can't be accepted any more is not sent: its reader may have come by already. */
  if (p == NULL || (!p->accepted && !is_in_time(c, p->slot)))
    return TM_E_STATE;
  return tm_packet_store(c, r, p->signature, p->box);
}

/* It is in a store, in time. */
static void accept(struct tm_client *c, struct tm_pending *p)
{
  struct tm_conv *conv = tm_conv_by_id(c->conv, p->conv);

  p->accepted = true;
  if (conv == NULL)
    return;
  if (conv->kind == TM_CONV_CONTACT)
    tm_message_settle(c->state, p->conv, p->slot, TM_MESSAGE_ACCEPTED, tm_engine_wall_s(c) + tm_engine_resend_s(c));
  if (p->has_text && conv->has_text && conv->text_boxed == p->slot)
    tm_meeting_accepted(c, conv, p->slot);
  c->changed |= conv->kind != TM_CONV_DECOY;
}

/* Nobody took it in time: what it held is said again in a later slot. */
static void give_back(struct tm_client *c, struct tm_pending *p)
{
  struct tm_conv *conv = tm_conv_by_id(c->conv, p->conv);

  if (conv == NULL)
    return;
  if (p->has_text && conv->has_text && conv->text_boxed == p->slot) {
    conv->text_slot = 0;
    conv->dirty = true;
  }
  if (conv->kind != TM_CONV_CONTACT)
    return;
  tm_message_settle(c->state, p->conv, p->slot, TM_MESSAGE_WAITING, 0);
  conv->waiting = true;
  conv->ack_due |= p->has_ack;
  conv->dirty = true;
}

static void finish_box(struct tm_client *c, struct tm_pending *p)
{
  if (!p->accepted)
    give_back(c, p);
  tm_pending_remove(p, c->state);
}

/* For the user to see why nothing goes out. */
static void note_full(struct tm_client *c, struct tm_pending *p, struct tm_request *r, enum tm_box_status status)
{
  bool was = c->stores_full;

  r->full = status == TM_BOX_FULL;
  if (r->full)
    p->full |= 1u << r->store;
  else
    p->full &= ~(1u << r->store);
  if (status == TM_BOX_STORED)
    c->stores_full = false;
  else if (p->full == 3)
    c->stores_full = true;
  c->changed |= was != c->stores_full;
}

void tm_writing_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer)
{
  struct tm_pending *p = wanted(c, r);
  struct tm_conv *conv;

  if (p == NULL) {
    tm_pool_release(c->pool, r);
    return;
  }
  if (answer == NULL) {
    tm_pool_ready(c->pool, r);
    return;
  }
  note_full(c, p, r, answer->status);
  if (answer->status == TM_BOX_WORK && tm_effort_raise(c, r, answer))
    return;
  if (answer->status == TM_BOX_FULL || answer->status == TM_BOX_FAILED || answer->status == TM_BOX_WORK) {
    tm_work_later(c, r);
    return;
  }
  p->done |= 1u << r->store;
  if (answer->status == TM_BOX_CONFLICT)
    p->done |= TM_PENDING_CONFLICT(r->store);
  tm_pool_release(c->pool, r);
  if (answer->status == TM_BOX_STORED && !p->accepted && is_in_time(c, p->slot))
    accept(c, p);
  if (p->has_text && p->done == TM_PENDING_CONFLICTS && (conv = tm_conv_by_id(c->conv, p->conv)) != NULL) {
    /* Only who has the code can have written there. */
    tm_meeting_contest(c, conv);
    return;
  }
  tm_pending_update(p, c->state);
  if ((p->done & 3) == 3)
    finish_box(c, p);
}

void tm_writing_settle(struct tm_client *c)
{
  uint64_t now = tm_engine_wall_ms(c);

  for (size_t i = 0; i < TM_PENDING_MAX; i++) {
    struct tm_pending *p = &c->pending[i];
    if (p->used && now >= tm_engine_slot_deadline_ms(c, p->slot))
      finish_box(c, p);
  }
}

void tm_writing_resume(struct tm_client *c)
{
  for (size_t i = 0; i < TM_PENDING_MAX; i++)
    for (unsigned k = 0; k < 2 && c->pending[i].used; k++) {
      struct tm_request *r = (c->pending[i].done >> k & 1) != 0 ? NULL : request_for(c, &c->pending[i], k);
      if (r != NULL)
        tm_pool_ready(c->pool, r);
    }
}

void tm_writing_forget(struct tm_client *c, uint64_t conv)
{
  for (size_t i = 0; i < TM_PENDING_MAX; i++)
    if (c->pending[i].used && c->pending[i].conv == conv)
      tm_pending_remove(&c->pending[i], c->state);
}
