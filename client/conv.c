#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/wire.h"

#include "client/conv.h"

#define ROW_LEN 2304
#define ROW_VERSION 1

struct tm_conv *tm_conv_table_new(void)
{
  struct tm_conv *table = sodium_allocarray(TM_CONV_MAX, sizeof *table);

  if (table != NULL)
    sodium_memzero(table, TM_CONV_MAX * sizeof *table);
  return table;
}

static void write_writer(struct tm_writer *w, const struct tm_box_writer *b)
{
  tm_write_bytes(w, b->scalar, sizeof b->scalar);
  tm_write_bytes(w, b->prefix, sizeof b->prefix);
  tm_write_bytes(w, b->point, sizeof b->point);
  tm_write_bytes(w, b->chain, sizeof b->chain);
  tm_write_u64(w, b->index);
}

static void read_writer(struct tm_reader *r, struct tm_box_writer *b)
{
  tm_read_bytes(r, b->scalar, sizeof b->scalar);
  tm_read_bytes(r, b->prefix, sizeof b->prefix);
  tm_read_bytes(r, b->point, sizeof b->point);
  tm_read_bytes(r, b->chain, sizeof b->chain);
  b->index = tm_read_u64(r);
}

static void pack(const struct tm_conv *c, uint8_t row[static ROW_LEN])
{
  struct tm_writer w = tm_writer_init(row, ROW_LEN);

  tm_write_u8(&w, ROW_VERSION);
  tm_write_u8(&w, (uint8_t)c->kind);
  tm_write_u8(&w, (uint8_t)c->state);
  tm_write_u8(&w, (uint8_t)(c->contested | c->has_peer_public << 1 | c->has_text << 2 | c->has_writer << 3 |
                            c->has_reader << 4 | c->ack_due << 5));
  tm_write_bytes(&w, c->name, sizeof c->name);
  tm_write_u64(&w, c->since_s);
  tm_write_u64(&w, c->expires_s);
  tm_write_bytes(&w, c->code, sizeof c->code);
  tm_write_bytes(&w, c->ephemeral, sizeof c->ephemeral);
  tm_write_bytes(&w, c->peer_public, sizeof c->peer_public);
  tm_write_u64(&w, c->text_slot);
  tm_write_u64(&w, c->text_boxed);
  tm_write_bytes(&w, c->text, sizeof c->text);
  tm_write_bytes(&w, c->safety, sizeof c->safety);
  write_writer(&w, &c->writer);
  tm_write_bytes(&w, c->reader.point, sizeof c->reader.point);
  tm_write_bytes(&w, c->reader.chain, sizeof c->reader.chain);
  tm_write_u64(&w, c->reader.index);
  tm_write_u64(&w, c->write_slot);
  tm_write_u64(&w, c->read_base);
  tm_write_u64(&w, c->read_done);
  tm_write_u32(&w, c->next_number);
  tm_write_u32(&w, c->acked);
  tm_write_u32(&w, c->received);
  tm_write_u64(&w, c->heard_slot);
  tm_write_fill(&w);
}

static int unpack(struct tm_conv *c, const uint8_t row[static ROW_LEN])
{
  struct tm_reader r = tm_reader_init(row, ROW_LEN);
  uint8_t version = tm_read_u8(&r);
  uint8_t flags;

  c->kind = tm_read_u8(&r);
  c->state = tm_read_u8(&r);
  flags = tm_read_u8(&r);
  c->contested = flags & 1;
  c->has_peer_public = flags >> 1 & 1;
  c->has_text = flags >> 2 & 1;
  c->has_writer = flags >> 3 & 1;
  c->has_reader = flags >> 4 & 1;
  c->ack_due = flags >> 5 & 1;
  tm_read_bytes(&r, c->name, sizeof c->name);
  c->since_s = tm_read_u64(&r);
  c->expires_s = tm_read_u64(&r);
  tm_read_bytes(&r, c->code, sizeof c->code);
  tm_read_bytes(&r, c->ephemeral, sizeof c->ephemeral);
  tm_read_bytes(&r, c->peer_public, sizeof c->peer_public);
  c->text_slot = tm_read_u64(&r);
  c->text_boxed = tm_read_u64(&r);
  tm_read_bytes(&r, c->text, sizeof c->text);
  tm_read_bytes(&r, c->safety, sizeof c->safety);
  read_writer(&r, &c->writer);
  tm_read_bytes(&r, c->reader.point, sizeof c->reader.point);
  tm_read_bytes(&r, c->reader.chain, sizeof c->reader.chain);
  c->reader.index = tm_read_u64(&r);
  c->write_slot = tm_read_u64(&r);
  c->read_base = tm_read_u64(&r);
  c->read_done = tm_read_u64(&r);
  c->next_number = tm_read_u32(&r);
  c->acked = tm_read_u32(&r);
  c->received = tm_read_u32(&r);
  c->heard_slot = tm_read_u64(&r);
  if (r.bad || version != ROW_VERSION || c->kind < TM_CONV_DECOY || c->kind > TM_CONV_GONE ||
      c->name[TM_CLIENT_NAME_MAX] != '\0')
    return TM_E_SYNTAX;
  return TM_OK;
}

static struct tm_vault_place place_of(uint64_t id)
{
  return (struct tm_vault_place){.table = "conversation", .row = id};
}

static void save(struct tm_conv *c, struct tm_state *s)
{
  uint8_t row[ROW_LEN];
  uint8_t sealed[ROW_LEN + TM_VAULT_OVERHEAD];

  pack(c, row);
  tm_vault_seal(s->vault, &s->rng, place_of(c->id), row, sizeof row, sealed);
  tm_db_run(s->db, "UPDATE conversation SET sealed = ? WHERE id = ?", "bi", sealed, sizeof sealed, (int64_t)c->id);
  sodium_memzero(row, sizeof row);
  c->dirty = false;
}

struct tm_conv *tm_conv_add(struct tm_conv *table, struct tm_state *s, enum tm_conv_kind kind)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    struct tm_conv *c = &table[i];
    if (c->used)
      continue;
    sodium_memzero(c, sizeof *c);
    tm_db_run(s->db, "INSERT INTO conversation(sealed) VALUES(?)", "b", "", (size_t)0);
    c->id = (uint64_t)tm_db_last_row(s->db);
    c->kind = kind;
    c->next_number = 1;
    c->used = true;
    c->dirty = true;
    return c;
  }
  return NULL;
}

void tm_conv_remove(struct tm_conv *conv, struct tm_state *s)
{
  tm_db_run(s->db, "DELETE FROM conversation WHERE id = ?", "i", (int64_t)conv->id);
  sodium_memzero(conv, sizeof *conv);
}

void tm_conv_save(struct tm_conv *table, struct tm_state *s)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (table[i].used && table[i].dirty)
      save(&table[i], s);
}

static int load_row(struct tm_conv *c, struct tm_state *s, sqlite3_stmt *stmt)
{
  uint8_t row[ROW_LEN];
  const uint8_t *sealed;
  size_t len;
  int err;

  c->id = (uint64_t)sqlite3_column_int64(stmt, 0);
  sealed = tm_db_blob(stmt, 1, &len);
  if (sealed == NULL || len != ROW_LEN + TM_VAULT_OVERHEAD)
    return TM_E_SYNTAX;
  err = tm_vault_unseal(s->vault, place_of(c->id), sealed, len, row);
  if (err == TM_OK)
    err = unpack(c, row);
  c->used = err == TM_OK;
  sodium_memzero(row, sizeof row);
  return err;
}

int tm_conv_load(struct tm_conv *table, struct tm_state *s)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT id, sealed FROM conversation ORDER BY id", "");
  size_t n = 0;
  int err = TM_OK;

  while (err == TM_OK && tm_db_row(s->db, stmt)) {
    err = n == TM_CONV_MAX ? TM_E_FULL : load_row(&table[n], s, stmt);
    n++;
  }
  if (err != TM_OK)
    tm_db_end(stmt);
  return err != TM_OK ? err : tm_db_error(s->db);
}

struct tm_conv *tm_conv_by_id(struct tm_conv *table, uint64_t id)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (table[i].used && table[i].id == id)
      return &table[i];
  return NULL;
}

struct tm_conv *tm_conv_by_name(struct tm_conv *table, const char *name)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (table[i].used && table[i].kind != TM_CONV_DECOY && strcmp(table[i].name, name) == 0)
      return &table[i];
  return NULL;
}
