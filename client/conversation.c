#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "client/internal.h"

/* ---- packing ---- */

static bool put_ack(struct tm_record_writer *w, const struct tm_conv *conv)
{
  const struct tm_record ack = {.type = TM_RECORD_ACK, .number = conv->received};

  return tm_record_put(w, &ack) == TM_OK;
}

/* TM_OK; TM_E_FULL: not in this box any more; others: the state is damaged. */
static int put_message(struct tm_client *c, struct tm_record_writer *w, const struct tm_message_row *row)
{
  struct tm_record record = {.number = row->number, .sent_s = row->sent_s};
  uint8_t *body = NULL;
  int err = TM_OK;

  if (row->kind == TM_KIND_INLINE) {
    err = tm_message_body(c->state, row, &body);
    record.type = TM_RECORD_TEXT;
    record.text = body;
    record.text_len = (size_t)row->size;
  } else {
    record.type = TM_RECORD_BULK;
    record.kind = (enum tm_bulk_kind)row->kind;
    record.size = row->size;
    record.hash = row->hash;
    record.capability = row->capability;
    record.name = row->name;
    record.name_len = row->name_len;
  }
  if (err == TM_OK)
    err = tm_record_put(w, &record);
  tm_file_free(body, (size_t)row->size);
  return err;
}

bool tm_conversation_pack(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                          uint8_t text[static TM_BOX_TEXT_LEN], bool *has_ack)
{
  struct tm_record_writer w;
  struct tm_message_row row;
  uint32_t after = 0;
  int err = TM_OK;

  tm_record_begin(&w, text);
  *has_ack = conv->ack_due && put_ack(&w, conv);
  conv->waiting = false;
  while ((err = tm_message_first(c->state, conv->id, TM_WAY_OUT, TM_MESSAGE_WAITING, after, &row)) == TM_OK) {
    err = put_message(c, &w, &row);
    if (err != TM_OK)
      break;
    after = row.number;
    row.state = TM_MESSAGE_BOXED;
    row.slot = slot;
    tm_message_update(c->state, &row);
  }
  sodium_memzero(&row, sizeof row);
  if (err == TM_E_FULL)
    conv->waiting = true;
  else if (err != TM_E_NOT_FOUND)
    tm_db_fail(c->state->db, err);
  if (!*has_ack && after == 0)
    return false;
  tm_record_finish(&w);
  conv->ack_due = false;
  conv->dirty = true;
  return true;
}

/* ---- reading ---- */

static void take_ack(struct tm_client *c, struct tm_conv *conv, uint32_t number)
{
  uint64_t ids[64];
  size_t n;

  if (number >= conv->next_number || number <= conv->acked)
    return;
  conv->acked = number;
  conv->dirty = true;
  c->changed = true;
  do {
    n = tm_message_acked(c->state, conv->id, number, ids, 64);
    for (size_t i = 0; i < n; i++) {
      tm_bulk_drop(c, ids[i]);
      tm_message_delete(c->state, ids[i]);
    }
  } while (n == 64);
}

static uint64_t next_delivery(struct tm_client *c)
{
  uint8_t bytes[8] = {0};
  uint64_t number = 0;
  int err = tm_state_get_meta_exact(c->state, TM_META_DELIVERY, bytes, sizeof bytes);

  if (err != TM_OK && err != TM_E_NOT_FOUND)
    tm_db_fail(c->state->db, err);
  for (int i = 0; i < 8; i++)
    number = number << 8 | bytes[i];
  number++;
  for (int i = 0; i < 8; i++)
    bytes[i] = (uint8_t)(number >> (56 - 8 * i));
  tm_state_put_meta(c->state, TM_META_DELIVERY, bytes, sizeof bytes);
  return number;
}

void tm_conversation_deliver(struct tm_client *c, struct tm_conv *conv)
{
  struct tm_message_row row;
  int err;

  while ((err = tm_message_find(c->state, conv->id, TM_WAY_IN, conv->received + 1, &row)) == TM_OK &&
         (row.state == TM_MESSAGE_COMPLETE || row.state == TM_MESSAGE_REFUSED)) {
    if (row.state == TM_MESSAGE_COMPLETE) {
      row.delivery = next_delivery(c);
      row.unread = true;
      tm_message_update(c->state, &row);
    } else {
      tm_message_delete(c->state, row.id);
    }
    conv->received++;
    conv->ack_due = true;
    conv->dirty = true;
    c->changed = true;
  }
  if (err != TM_OK && err != TM_E_NOT_FOUND)
    tm_db_fail(c->state->db, err);
  sodium_memzero(&row, sizeof row);
}

static uint64_t unread_bytes(struct tm_client *c, const struct tm_conv *conv)
{
  return (uint64_t)tm_db_integer(
      c->state->db, 0, "SELECT SUM(size) FROM message WHERE conv = ? AND way = 1 AND (unread = 1 OR delivery IS NULL)",
      "i", (int64_t)conv->id);
}

static bool is_too_big(const struct tm_record *record)
{
  return record->size > (record->kind == TM_BULK_TEXT ? TM_CLIENT_TEXT_MAX : TM_CLIENT_FILE_MAX);
}

static void fill_bulk(struct tm_message_row *row, const struct tm_record *record)
{
  row->kind = (enum tm_message_kind)record->kind;
  row->size = record->size;
  row->state = is_too_big(record) ? TM_MESSAGE_REFUSED : TM_MESSAGE_FETCHING;
  memcpy(row->hash, record->hash, sizeof row->hash);
  memcpy(row->capability, record->capability, sizeof row->capability);
  memcpy(row->name, record->name_len == 0 ? "" : record->name, record->name_len);
  row->name[record->name_len] = '\0';
  row->name_len = record->name_len;
}

/* A message of ours to be stored; false: there is no room for it now, the peer will say it again. */
static bool has_room(struct tm_client *c, const struct tm_conv *conv, const struct tm_record *record)
{
  uint64_t size = record->type == TM_RECORD_TEXT ? record->text_len : record->size;

  if (record->number - conv->received > TM_AHEAD_MAX || unread_bytes(c, conv) + size > TM_INBOX_BYTES_MAX)
    return false;
  return record->type == TM_RECORD_TEXT ||
         tm_message_count(c->state, conv->id, TM_WAY_IN, TM_MESSAGE_FETCHING) < TM_ANNOUNCED_MAX;
}

static void take_message(struct tm_client *c, struct tm_conv *conv, const struct tm_record *record)
{
  struct tm_message_row row = {.conv = conv->id, .way = TM_WAY_IN, .number = record->number};
  struct tm_message_row old;
  bool text = record->type == TM_RECORD_TEXT;
  int err;

  if (record->number <= conv->received) {
    /* It comes again because our acknowledgement was lost. */
    conv->ack_due = true;
    conv->dirty = true;
    return;
  }
  err = tm_message_find(c->state, conv->id, TM_WAY_IN, record->number, &old);
  if (err != TM_OK && err != TM_E_NOT_FOUND) {
    tm_db_fail(c->state->db, err);
    return;
  }
  if ((err == TM_OK && old.state != TM_MESSAGE_FAILED) || !has_room(c, conv, record))
    return;
  if (err == TM_OK)
    tm_message_delete(c->state, old.id);
  row.sent_s = record->sent_s;
  row.received_s = tm_engine_wall_s(c);
  if (text) {
    row.kind = TM_KIND_INLINE;
    row.state = TM_MESSAGE_COMPLETE;
    row.size = record->text_len;
  } else {
    fill_bulk(&row, record);
  }
  tm_message_insert(c->state, &row, text ? record->text : NULL, record->text_len);
  sodium_memzero(&row, sizeof row);
  sodium_memzero(&old, sizeof old);
  c->changed = true;
}

void tm_conversation_read(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                          const uint8_t text[static TM_BOX_TEXT_LEN])
{
  struct tm_record record;
  size_t at = 0;

  if (slot > conv->heard_slot) {
    conv->heard_slot = slot;
    conv->dirty = true;
  }
  /* A text that ends in nonsense counts as far as it made sense. */
  while (tm_record_next(text, &at, &record) == TM_OK) {
    if (record.type == TM_RECORD_ACK)
      take_ack(c, conv, record.number);
    else
      take_message(c, conv, &record);
  }
  tm_conversation_deliver(c, conv);
}

/* ---- saying it again ---- */

/* How many slots a reader may take to fetch a message before its writer believes it lost. */
static uint64_t fetch_slots(const struct tm_client *c, const struct tm_message_row *row)
{
  double ms = tm_engine_request_ms(c) * 8.0 * tm_pieces_of(row->size);

  return tm_engine_resend_s(c) * 1000 / c->params->slot_ms + (uint64_t)(ms / c->params->slot_ms);
}

static void resend_bulk(struct tm_client *c, const struct tm_conv *conv, struct tm_message_row *row)
{
  uint64_t expiry_slots = (uint64_t)c->params->box_expiry_s * 1000 / c->params->slot_ms;
  bool evident = conv->heard_slot > row->slot + fetch_slots(c, row);
  bool gone = c->slot > row->slot + expiry_slots * 3 / 4 && row->tries < 3;

  if (!evident && !gone) {
    row->due = tm_engine_wall_s(c) + tm_engine_resend_s(c);
    tm_message_update(c->state, row);
    return;
  }
  row->tries++;
  tm_bulk_restart(c, row);
}

void tm_conversation_resend(struct tm_client *c)
{
  struct tm_message_row row;
  uint64_t after = 0;
  int err;

  while ((err = tm_message_overdue(c->state, tm_engine_wall_s(c), after, &row)) == TM_OK) {
    struct tm_conv *conv = tm_conv_by_id(c->conv, row.conv);

    after = row.id;
    if (conv == NULL)
      continue;
    if (row.kind != TM_KIND_INLINE) {
      resend_bulk(c, conv, &row);
      continue;
    }
    row.tries++;
    row.state = TM_MESSAGE_WAITING;
    tm_message_update(c->state, &row);
    conv->waiting = true;
  }
  if (err != TM_E_NOT_FOUND)
    tm_db_fail(c->state->db, err);
  sodium_memzero(&row, sizeof row);
}

void tm_conversation_resume(struct tm_client *c)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (c->conv[i].used && c->conv[i].kind == TM_CONV_CONTACT)
      c->conv[i].waiting = true;
}
