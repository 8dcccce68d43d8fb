#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"
#include "base/wire.h"

#include "client/message.h"

#define HEAD_LEN 512
#define COLUMNS "id, conv, way, number, state, slot, due, tries, size, delivery, unread, head"

static struct tm_vault_place head_place(const struct tm_message_row *row)
{
  return (struct tm_vault_place){"message.head", row->conv, (uint64_t)row->way << 32 | row->number};
}

static struct tm_vault_place body_place(const struct tm_message_row *row)
{
  return (struct tm_vault_place){"message.body", row->conv, (uint64_t)row->way << 32 | row->number};
}

static void pack(const struct tm_message_row *row, uint8_t head[static HEAD_LEN])
{
  struct tm_writer w = tm_writer_init(head, HEAD_LEN);

  tm_write_u8(&w, 1);
  tm_write_u8(&w, (uint8_t)row->kind);
  tm_write_u64(&w, row->size);
  tm_write_u64(&w, row->sent_s);
  tm_write_u64(&w, row->received_s);
  tm_write_bytes(&w, row->hash, sizeof row->hash);
  tm_write_bytes(&w, row->capability, sizeof row->capability);
  tm_write_bytes(&w, row->seed, sizeof row->seed);
  tm_write_bytes(&w, row->piece_key, sizeof row->piece_key);
  tm_write_u8(&w, (uint8_t)row->name_len);
  tm_write_bytes(&w, row->name, row->name_len);
  tm_write_fill(&w);
}

static int unpack(struct tm_message_row *row, const uint8_t head[static HEAD_LEN])
{
  struct tm_reader r = tm_reader_init(head, HEAD_LEN);
  uint8_t version = tm_read_u8(&r);

  row->kind = tm_read_u8(&r);
  if (version != 1 || tm_read_u64(&r) != row->size)
    return TM_E_SYNTAX;
  row->sent_s = tm_read_u64(&r);
  row->received_s = tm_read_u64(&r);
  tm_read_bytes(&r, row->hash, sizeof row->hash);
  tm_read_bytes(&r, row->capability, sizeof row->capability);
  tm_read_bytes(&r, row->seed, sizeof row->seed);
  tm_read_bytes(&r, row->piece_key, sizeof row->piece_key);
  row->name_len = tm_read_u8(&r);
  tm_read_bytes(&r, row->name, row->name_len);
  row->name[row->name_len] = '\0';
  return r.bad ? TM_E_SYNTAX : TM_OK;
}

static void seal_head(struct tm_state *s, const struct tm_message_row *row,
                      uint8_t sealed[static HEAD_LEN + TM_VAULT_OVERHEAD])
{
  uint8_t head[HEAD_LEN];

  pack(row, head);
  tm_vault_seal(s->vault, &s->rng, head_place(row), head, sizeof head, sealed);
  sodium_memzero(head, sizeof head);
}

void tm_message_insert(struct tm_state *s, struct tm_message_row *row, const uint8_t *body, size_t body_len)
{
  uint8_t head[HEAD_LEN + TM_VAULT_OVERHEAD];
  uint8_t *sealed = NULL;
  size_t sealed_len = 0;

  seal_head(s, row, head);
  if (body != NULL) {
    int err = tm_state_seal(s, body_place(row), body, body_len, &sealed, &sealed_len);
    if (err != TM_OK)
      tm_db_fail(s->db, err);
  }
  tm_db_run(s->db,
            "INSERT INTO message(conv, way, number, state, slot, due, tries, size, delivery, unread, head, body)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0), ?, ?, ?)",
            "iiiiiiiiiibb", (int64_t)row->conv, (int64_t)row->way, (int64_t)row->number, (int64_t)row->state,
            (int64_t)row->slot, (int64_t)row->due, (int64_t)row->tries, (int64_t)row->size, (int64_t)row->delivery,
            (int64_t)row->unread, head, sizeof head, sealed, sealed_len);
  row->id = (uint64_t)tm_db_last_row(s->db);
  free(sealed);
}

void tm_message_update(struct tm_state *s, const struct tm_message_row *row)
{
  uint8_t head[HEAD_LEN + TM_VAULT_OVERHEAD];

  seal_head(s, row, head);
  tm_db_run(
      s->db,
      "UPDATE message SET state = ?, slot = ?, due = ?, tries = ?, delivery = NULLIF(?, 0), unread = ?, head = ? WHERE id = ?",
      "iiiiiibi", (int64_t)row->state, (int64_t)row->slot, (int64_t)row->due, (int64_t)row->tries,
      (int64_t)row->delivery, (int64_t)row->unread, head, sizeof head, (int64_t)row->id);
}

void tm_message_delete(struct tm_state *s, uint64_t id)
{
  tm_piece_delete(s, id);
  tm_db_run(s->db, "DELETE FROM message WHERE id = ?", "i", (int64_t)id);
}

void tm_message_forget(struct tm_state *s, uint64_t conv)
{
  tm_db_run(s->db, "DELETE FROM piece WHERE message IN (SELECT id FROM message WHERE conv = ?)", "i", (int64_t)conv);
  tm_db_run(s->db, "DELETE FROM message WHERE conv = ?", "i", (int64_t)conv);
}

static int load(struct tm_state *s, sqlite3_stmt *stmt, struct tm_message_row *row)
{
  uint8_t head[HEAD_LEN];
  const uint8_t *sealed;
  size_t len;
  int err = TM_E_SYNTAX;

  memset(row, 0, sizeof *row);
  row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
  row->conv = (uint64_t)sqlite3_column_int64(stmt, 1);
  row->way = sqlite3_column_int(stmt, 2) == TM_WAY_IN ? TM_WAY_IN : TM_WAY_OUT;
  row->number = (uint32_t)sqlite3_column_int64(stmt, 3);
  row->state = (enum tm_message_state)sqlite3_column_int(stmt, 4);
  row->slot = (uint64_t)sqlite3_column_int64(stmt, 5);
  row->due = (uint64_t)sqlite3_column_int64(stmt, 6);
  row->tries = (uint32_t)sqlite3_column_int64(stmt, 7);
  row->size = (uint64_t)sqlite3_column_int64(stmt, 8);
  row->delivery = (uint64_t)sqlite3_column_int64(stmt, 9);
  row->unread = sqlite3_column_int(stmt, 10) != 0;
  sealed = tm_db_blob(stmt, 11, &len);
  if (sealed != NULL && len == sizeof head + TM_VAULT_OVERHEAD)
    err = tm_vault_unseal(s->vault, head_place(row), sealed, len, head);
  if (err == TM_OK)
    err = unpack(row, head);
  sodium_memzero(head, sizeof head);
  return err;
}

/* The one row of a started statement. */
static int load_one(struct tm_state *s, sqlite3_stmt *stmt, struct tm_message_row *row)
{
  int err;

  if (!tm_db_row(s->db, stmt))
    return tm_db_error(s->db) != TM_OK ? tm_db_error(s->db) : TM_E_NOT_FOUND;
  err = load(s, stmt, row);
  tm_db_end(stmt);
  return err;
}

int tm_message_find(struct tm_state *s, uint64_t conv, enum tm_way way, uint32_t number, struct tm_message_row *row)
{
  return load_one(s,
                  tm_db_start(s->db, "SELECT " COLUMNS " FROM message WHERE conv = ? AND way = ? AND number = ?", "iii",
                              (int64_t)conv, (int64_t)way, (int64_t)number),
                  row);
}

int tm_message_first(struct tm_state *s, uint64_t conv, enum tm_way way, enum tm_message_state state, uint32_t after,
                     struct tm_message_row *row)
{
  return load_one(s,
                  tm_db_start(s->db,
                              "SELECT " COLUMNS " FROM message WHERE way = ? AND state = ? AND conv = ? AND number > ?"
                              " ORDER BY number LIMIT 1",
                              "iiii", (int64_t)way, (int64_t)state, (int64_t)conv, (int64_t)after),
                  row);
}

int tm_message_oldest(struct tm_state *s, enum tm_way way, enum tm_message_state state, uint64_t after,
                      struct tm_message_row *row)
{
  return load_one(
      s,
      tm_db_start(s->db, "SELECT " COLUMNS " FROM message WHERE way = ? AND state = ? AND id > ? ORDER BY id LIMIT 1",
                  "iii", (int64_t)way, (int64_t)state, (int64_t)after),
      row);
}

int tm_message_delivered(struct tm_state *s, uint64_t conv, uint64_t after, bool only_unread,
                         struct tm_message_row *row)
{
  return load_one(s,
                  tm_db_start(s->db,
                              "SELECT " COLUMNS
                              " FROM message WHERE delivery > ? AND (? = 0 OR conv = ?) AND unread >= ?"
                              " AND state = 7 ORDER BY delivery LIMIT 1",
                              "iiii", (int64_t)after, (int64_t)conv, (int64_t)conv, (int64_t)only_unread),
                  row);
}

int tm_message_overdue(struct tm_state *s, uint64_t now_s, uint64_t after, struct tm_message_row *row)
{
  return load_one(s,
                  tm_db_start(s->db,
                              "SELECT " COLUMNS " FROM message WHERE way = 0 AND state = 4 AND due <= ? AND id > ?"
                              " ORDER BY id LIMIT 1",
                              "ii", (int64_t)now_s, (int64_t)after),
                  row);
}

static int inline_body(struct tm_state *s, const struct tm_message_row *row, uint8_t **data)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT body FROM message WHERE id = ?", "i", (int64_t)row->id);
  const uint8_t *sealed;
  size_t sealed_len, len;
  int err;

  if (!tm_db_row(s->db, stmt))
    return tm_db_error(s->db) != TM_OK ? tm_db_error(s->db) : TM_E_NOT_FOUND;
  sealed = tm_db_blob(stmt, 0, &sealed_len);
  err = tm_state_unseal(s, body_place(row), sealed, sealed_len, data, &len);
  tm_db_end(stmt);
  if (err == TM_OK && len != row->size) {
    tm_file_free(*data, len);
    *data = NULL;
    err = TM_E_SYNTAX;
  }
  return err;
}

int tm_message_body(struct tm_state *s, const struct tm_message_row *row, uint8_t **data)
{
  uint8_t piece[TM_BULK_PIECE_LEN];
  size_t size = (size_t)row->size;
  int err = TM_OK;

  *data = NULL;
  if (row->kind == TM_KIND_INLINE)
    return inline_body(s, row, data);
  *data = malloc(size + 1);
  if (*data == NULL)
    return TM_E_NOMEM;
  for (uint32_t n = 0; err == TM_OK && n < tm_pieces_of(row->size); n++) {
    size_t at = (size_t)n * TM_BULK_PIECE_LEN;
    err = tm_piece_get(s, row->id, n, piece);
    memcpy(*data + at, piece, size - at < sizeof piece ? size - at : sizeof piece);
  }
  (*data)[size] = '\0';
  sodium_memzero(piece, sizeof piece);
  if (err != TM_OK) {
    tm_file_free(*data, size);
    *data = NULL;
  }
  return err;
}

void tm_message_settle(struct tm_state *s, uint64_t conv, uint64_t slot, enum tm_message_state state, uint64_t due)
{
  tm_db_run(s->db, "UPDATE message SET state = ?, due = ? WHERE way = 0 AND state = 3 AND conv = ? AND slot = ?",
            "iiii", (int64_t)state, (int64_t)due, (int64_t)conv, (int64_t)slot);
}

size_t tm_message_acked(struct tm_state *s, uint64_t conv, uint32_t number, uint64_t ids[], size_t cap)
{
  sqlite3_stmt *stmt = tm_db_start(s->db,
                                   "SELECT id FROM message WHERE conv = ? AND way = 0 AND number <= ? ORDER BY number",
                                   "ii", (int64_t)conv, (int64_t)number);
  size_t n = 0;

  while (n < cap && tm_db_row(s->db, stmt))
    ids[n++] = (uint64_t)sqlite3_column_int64(stmt, 0);
  if (n == cap)
    tm_db_end(stmt);
  return n;
}

uint64_t tm_message_count(struct tm_state *s, uint64_t conv, enum tm_way way, enum tm_message_state state)
{
  return (uint64_t)tm_db_integer(s->db, 0, "SELECT COUNT(*) FROM message WHERE way = ? AND state = ? AND conv = ?",
                                 "iii", (int64_t)way, (int64_t)state, (int64_t)conv);
}

uint64_t tm_message_unread(struct tm_state *s, uint64_t conv)
{
  return (uint64_t)tm_db_integer(
      s->db, 0,
      "SELECT COUNT(*) FROM message WHERE conv = ? AND way = 1 AND state = 7 AND delivery IS NOT NULL AND unread = 1",
      "i", (int64_t)conv);
}

void tm_message_outbox(struct tm_state *s, uint64_t *count, uint64_t *bytes)
{
  *count = (uint64_t)tm_db_integer(s->db, 0, "SELECT COUNT(*) FROM message WHERE way = 0", "");
  *bytes = (uint64_t)tm_db_integer(s->db, 0, "SELECT SUM(size) FROM message WHERE way = 0", "");
}

uint32_t tm_message_accepted(struct tm_state *s, uint64_t conv, uint32_t next)
{
  int64_t first = tm_db_integer(
      s->db, (int64_t)next, "SELECT MIN(number) FROM message WHERE conv = ? AND way = 0 AND state < 4 AND tries = 0",
      "i", (int64_t)conv);

  return (uint32_t)(first - 1);
}

static struct tm_vault_place piece_place(uint64_t message, uint32_t n)
{
  return (struct tm_vault_place){"piece", message, n};
}

void tm_piece_put(struct tm_state *s, uint64_t message, uint32_t n, const uint8_t data[static TM_BULK_PIECE_LEN],
                  unsigned done)
{
  uint8_t sealed[TM_BULK_PIECE_LEN + TM_VAULT_OVERHEAD];

  tm_vault_seal(s->vault, &s->rng, piece_place(message, n), data, TM_BULK_PIECE_LEN, sealed);
  tm_db_run(s->db, "INSERT OR REPLACE INTO piece(message, n, done, sealed) VALUES(?, ?, ?, ?)", "iiib",
            (int64_t)message, (int64_t)n, (int64_t)done, sealed, sizeof sealed);
}

int tm_piece_get(struct tm_state *s, uint64_t message, uint32_t n, uint8_t data[static TM_BULK_PIECE_LEN])
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT sealed FROM piece WHERE message = ? AND n = ?", "ii",
                                   (int64_t)message, (int64_t)n);
  const uint8_t *sealed;
  size_t len;
  int err = TM_E_SYNTAX;

  memset(data, 0, TM_BULK_PIECE_LEN);
  if (!tm_db_row(s->db, stmt))
    return tm_db_error(s->db) != TM_OK ? tm_db_error(s->db) : TM_E_NOT_FOUND;
  sealed = tm_db_blob(stmt, 0, &len);
  if (sealed != NULL && len == TM_BULK_PIECE_LEN + TM_VAULT_OVERHEAD)
    err = tm_vault_unseal(s->vault, piece_place(message, n), sealed, len, data);
  tm_db_end(stmt);
  return err;
}

void tm_piece_mark(struct tm_state *s, uint64_t message, uint32_t n, unsigned done)
{
  tm_db_run(s->db, "UPDATE piece SET done = ? WHERE message = ? AND n = ?", "iii", (int64_t)done, (int64_t)message,
            (int64_t)n);
}

void tm_piece_unmark(struct tm_state *s, uint64_t message)
{
  tm_db_run(s->db, "UPDATE piece SET done = 0 WHERE message = ?", "i", (int64_t)message);
}

void tm_piece_delete(struct tm_state *s, uint64_t message)
{
  tm_db_run(s->db, "DELETE FROM piece WHERE message = ?", "i", (int64_t)message);
}

void tm_piece_marks(struct tm_state *s, uint64_t message, uint8_t marks[], uint32_t pieces)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT n, done FROM piece WHERE message = ?", "i", (int64_t)message);

  while (tm_db_row(s->db, stmt)) {
    int64_t n = sqlite3_column_int64(stmt, 0);
    if (n >= 0 && n < (int64_t)pieces)
      marks[n] = (uint8_t)sqlite3_column_int(stmt, 1);
  }
}
