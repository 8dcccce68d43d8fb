#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "client/internal.h"

/* With an acknowledgement in front a text must still fit into a box, or it would wait for a slot without one. */
#define INLINE_MAX (TM_TEXT_INLINE_MAX - TM_RECORD_HEAD_LEN - 4)

/* The ready contact of that name. */
static int find_ready(struct tm_client *c, const char *name, struct tm_conv **conv)
{
  *conv = tm_conv_by_name(c->conv, name);
  if (*conv == NULL)
    return tm_record_name_ok(name, strlen(name)) ? TM_E_NOT_FOUND : TM_E_SYNTAX;
  return (*conv)->kind == TM_CONV_CONTACT ? TM_OK : TM_E_STATE;
}

static int check_content(const char *file_name, const uint8_t *data, size_t len)
{
  if (len == 0)
    return TM_E_LENGTH;
  if (len > (file_name == NULL ? TM_CLIENT_TEXT_MAX : TM_CLIENT_FILE_MAX))
    return TM_E_TOO_BIG;
  if (file_name == NULL ? !tm_record_text_ok(data, len) : !tm_record_name_ok(file_name, strlen(file_name)))
    return TM_E_SYNTAX;
  return TM_OK;
}

static int check_outbox(struct tm_client *c, const struct tm_conv *conv, size_t len)
{
  uint64_t count, bytes;

  tm_message_outbox(c->state, &count, &bytes);
  if (count >= TM_OUTBOX_MESSAGES_MAX || bytes + len > TM_OUTBOX_BYTES_MAX)
    return TM_E_FULL;
  /* The reader takes nothing that is so far ahead of what it misses. */
  if (conv->next_number - conv->acked > TM_AHEAD_MAX / 2 || conv->next_number == UINT32_MAX)
    return TM_E_FULL;
  return TM_OK;
}

static void put_pieces(struct tm_client *c, uint64_t message, const uint8_t *data, size_t len)
{
  uint8_t piece[TM_BULK_PIECE_LEN];

  for (size_t at = 0; at < len; at += sizeof piece) {
    size_t part = len - at < sizeof piece ? len - at : sizeof piece;
    memset(piece, 0, sizeof piece);
    memcpy(piece, data + at, part);
    tm_piece_put(c->state, message, (uint32_t)(at / sizeof piece), piece, 0);
  }
  sodium_memzero(piece, sizeof piece);
}

static void put_message(struct tm_client *c, struct tm_conv *conv, const char *file_name, const uint8_t *data,
                        size_t len)
{
  struct tm_message_row row = {.conv = conv->id, .way = TM_WAY_OUT, .number = conv->next_number, .size = len};
  bool inline_text = file_name == NULL && len <= INLINE_MAX;

  row.sent_s = tm_engine_wall_s(c);
  if (inline_text) {
    row.kind = TM_KIND_INLINE;
    row.state = TM_MESSAGE_WAITING;
    tm_message_insert(c->state, &row, data, len);
    conv->waiting = true;
  } else {
    row.kind = file_name == NULL ? TM_KIND_BULK_TEXT : TM_KIND_BULK_FILE;
    row.state = TM_MESSAGE_UPLOADING;
    row.name_len = file_name == NULL ? 0 : strlen(file_name);
    memcpy(row.name, file_name == NULL ? "" : file_name, row.name_len + 1);
    crypto_generichash(row.hash, sizeof row.hash, data, len, NULL, 0);
    tm_bulk_fresh(c, &row);
    tm_message_insert(c->state, &row, NULL, 0);
    put_pieces(c, row.id, data, len);
  }
  conv->next_number++;
  conv->dirty = true;
  sodium_memzero(&row, sizeof row);
}

int tm_client_send(struct tm_client *c, const char *name, const char *file_name, const uint8_t *data, size_t len,
                   uint32_t *number)
{
  struct tm_conv *conv = NULL;
  int err = tm_engine_begin(c);

  *number = 0;
  if (err == TM_OK)
    err = find_ready(c, name, &conv);
  if (err == TM_OK)
    err = check_content(file_name, data, len);
  if (err == TM_OK)
    err = check_outbox(c, conv, len);
  if (err == TM_OK) {
    put_message(c, conv, file_name, data, len);
    c->changed = true;
  }
  err = tm_engine_finish(c, err);
  if (err == TM_OK)
    *number = conv->next_number - 1;
  return err;
}

static uint32_t stored_pieces(struct tm_client *c, const struct tm_message_row *row)
{
  uint32_t done;

  if (row->state != TM_MESSAGE_UPLOADING && row->state != TM_MESSAGE_FETCHING)
    return tm_pieces_of(row->size);
  if (tm_bulk_progress(c, row->id, &done))
    return done;
  if (row->way == TM_WAY_OUT)
    return (uint32_t)tm_db_integer(
        c->state->db, 0,
        "SELECT COUNT(*) FROM piece WHERE message = ? AND (done & 3 = 3 OR done & 9 = 9 OR done & 6 = 6)", "i",
        (int64_t)row->id);
  return (uint32_t)tm_db_integer(c->state->db, 0, "SELECT COUNT(*) FROM piece WHERE message = ?", "i",
                                 (int64_t)row->id);
}

int tm_client_progress(struct tm_client *c, const char *name, uint32_t number, struct tm_progress *progress)
{
  struct tm_conv *conv = NULL;
  struct tm_message_row row;
  int err = find_ready(c, name, &conv);

  memset(progress, 0, sizeof *progress);
  if (err != TM_OK)
    return TM_E_NOT_FOUND;
  if (number == 0 || number >= conv->next_number)
    return TM_E_NOT_FOUND;
  progress->number = number;
  if (number <= conv->acked) {
    *progress = (struct tm_progress){.number = number, .pieces = 1, .done = 1, .accepted = true, .delivered = true};
    return TM_OK;
  }
  err = tm_message_find(c->state, conv->id, TM_WAY_OUT, number, &row);
  if (err != TM_OK)
    return err;
  progress->accepted = row.state == TM_MESSAGE_ACCEPTED || row.tries > 0;
  progress->pieces = row.kind == TM_KIND_INLINE ? 1 : tm_pieces_of(row.size);
  progress->done = row.kind == TM_KIND_INLINE ? progress->accepted : stored_pieces(c, &row);
  sodium_memzero(&row, sizeof row);
  return TM_OK;
}

/* One message to the callback; false: it wants no more, or it cannot be read (*err). */
static bool show(struct tm_client *c, const struct tm_message_row *row,
                 bool (*f)(void *arg, const struct tm_message *m), void *arg, int *err)
{
  const struct tm_conv *conv = tm_conv_by_id(c->conv, row->conv);
  struct tm_message m = {.id = row->delivery,
                         .number = row->number,
                         .sent_s = row->sent_s,
                         .received_s = row->received_s,
                         .unread = row->unread,
                         .file = row->kind == TM_KIND_BULK_FILE,
                         .len = (size_t)row->size};
  uint8_t *data = NULL;
  bool more;

  if (conv == NULL)
    return true;
  *err = tm_message_body(c->state, row, &data);
  if (*err != TM_OK)
    return false;
  memcpy(m.name, conv->name, sizeof m.name);
  memcpy(m.file_name, row->name, row->name_len + 1);
  m.data = data;
  more = f(arg, &m);
  tm_file_free(data, m.len);
  return more;
}

int tm_client_messages(struct tm_client *c, const char *name, uint64_t after, bool only_unread,
                       bool (*f)(void *arg, const struct tm_message *m), void *arg)
{
  const struct tm_conv *conv = name == NULL ? NULL : tm_conv_by_name(c->conv, name);
  struct tm_message_row row;
  bool more = true;
  int err = TM_OK;

  if (name != NULL && conv == NULL)
    return tm_record_name_ok(name, strlen(name)) ? TM_E_NOT_FOUND : TM_E_SYNTAX;
  while (more && err == TM_OK) {
    err = tm_message_delivered(c->state, conv == NULL ? 0 : conv->id, after, only_unread, &row);
    if (err != TM_OK)
      break;
    after = row.delivery;
    more = show(c, &row, f, arg, &err);
  }
  sodium_memzero(&row, sizeof row);
  return err == TM_E_NOT_FOUND ? TM_OK : err;
}

int tm_client_mark_read(struct tm_client *c, uint64_t id)
{
  struct tm_message_row row;
  int err = tm_engine_begin(c);

  if (err == TM_OK && id == 0)
    err = TM_E_NOT_FOUND;
  if (err == TM_OK)
    err = tm_message_delivered(c->state, 0, id - 1, false, &row);
  if (err == TM_OK && row.delivery != id)
    err = TM_E_NOT_FOUND;
  if (err == TM_OK && row.unread) {
    row.unread = false;
    tm_message_update(c->state, &row);
    c->changed = true;
  }
  sodium_memzero(&row, sizeof row);
  return tm_engine_finish(c, err);
}

int tm_client_incoming(struct tm_client *c,
                       bool (*f)(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done),
                       void *arg)
{
  struct tm_message_row row;
  uint64_t after = 0;
  bool more = true;
  int err = TM_OK;

  while (more && (err = tm_message_oldest(c->state, TM_WAY_IN, TM_MESSAGE_FETCHING, after, &row)) == TM_OK) {
    const struct tm_conv *conv = tm_conv_by_id(c->conv, row.conv);
    after = row.id;
    if (conv != NULL)
      more = f(arg, conv->name, row.number, tm_pieces_of(row.size), stored_pieces(c, &row));
  }
  sodium_memzero(&row, sizeof row);
  return err == TM_E_NOT_FOUND ? TM_OK : err;
}
